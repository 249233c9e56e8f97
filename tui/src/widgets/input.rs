//! One line of typed text with its cursor drawn as a reversed cell.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Modifier, Style},
};
use tui_input::{Input, backend::crossterm::EventHandler};

use crate::text;

/// The longest text that can be typed or pasted; beyond it input is dropped.
const LONGEST: usize = 4_000;

/// Gives `key` to `input`; answers whether the text changed.
pub fn typed(input: &mut Input, key: KeyEvent) -> bool {
    let letter = matches!(key.code, KeyCode::Char(_)) && !key.modifiers.contains(KeyModifiers::CONTROL);
    if letter && input.value().len() >= LONGEST {
        return false;
    }
    input.handle_event(&Event::Key(key)).is_some_and(|change| change.value)
}

/// Puts pasted `text` at the cursor, on one line.
pub fn pasted(input: &mut Input, pasted: &str) {
    let room = LONGEST.saturating_sub(input.value().len());
    for letter in pasted.chars().filter(|letter| !letter.is_control()).take(room) {
        input.handle(tui_input::InputRequest::InsertChar(letter));
    }
}

/// Draws `input` on one line; `hidden` shows a star for each letter.
pub fn draw(buffer: &mut Buffer, area: Rect, input: &Input, style: Style, focused: bool, hidden: bool) {
    if area.is_empty() {
        return;
    }
    // Each typed character is one drawn character, so that the cursor's place is the count of them.
    let shown: String = input
        .value()
        .chars()
        .map(|letter| {
            if hidden {
                '*'
            } else {
                text::neutral(letter.encode_utf8(&mut [0; 4])).chars().next().unwrap_or('\u{FFFD}')
            }
        })
        .collect();
    let before: String = shown.chars().take(input.cursor()).collect();
    let column = text::width(&before);
    let scroll = (column + 1).saturating_sub(usize::from(area.width));
    let mut skipped = 0;
    let visible: String = shown
        .chars()
        .skip_while(|letter| {
            let skip = skipped < scroll;
            skipped += text::width(letter.encode_utf8(&mut [0; 4]));
            skip
        })
        .collect();
    buffer.set_stringn(area.x, area.y, visible, usize::from(area.width), style);
    if focused {
        let column = u16::try_from(column - scroll.min(column)).unwrap_or(u16::MAX).min(area.width - 1);
        if let Some(cell) = buffer.cell_mut((area.x + column, area.y)) {
            cell.set_style(Style::new().add_modifier(Modifier::REVERSED));
        }
    }
}
