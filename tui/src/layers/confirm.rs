//! A question before something changes. `y` is yes; Enter and everything else is no. Where more depends on it
//! the operator types the number of items.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::{buffer::Buffer, layout::Rect, style::Style, text::Line};
use tui_input::Input;

use crate::{
    keys::Action,
    message::{Change, Request},
    screen::{Context, Effect},
    text,
    widgets::{input, panel},
};

/// A question, and what happens on yes.
#[derive(Debug)]
pub struct Confirm {
    title: String,
    lines: Vec<String>,
    /// The number to type, and what was typed.
    count: Option<(usize, Input)>,
    then: Option<Box<Effect>>,
    /// Whether `then` changes data: checked again at the last moment.
    changes: bool,
}

impl Confirm {
    /// Asks before `then`, which changes no data.
    pub fn new(title: impl Into<String>, lines: Vec<String>, then: Effect) -> Self {
        Self { title: title.into(), lines, count: None, then: Some(Box::new(then)), changes: false }
    }

    /// Asks before `change` of so many items.
    pub fn change(
        title: impl Into<String>,
        lines: Vec<String>,
        items: usize,
        change: Change,
        context: &Context<'_>,
    ) -> Self {
        Self {
            title: title.into(),
            lines,
            count: context.needs_count(items).then(|| (items, Input::default())),
            then: Some(Box::new(Effect::Ask(Request::Change(change)))),
            changes: true,
        }
    }

    /// Whether the number of items is to be typed: then Enter is the yes.
    pub const fn wants_count(&self) -> bool {
        self.count.is_some()
    }

    /// Answers.
    pub fn act(&mut self, action: Action, context: &Context<'_>) -> Vec<Effect> {
        let yes = match (action, &self.count) {
            (Action::Yes, None) => true,
            (Action::Yes, Some((count, _))) => {
                return vec![Effect::trouble(format!("type {count} and press Enter, or Esc for no"))];
            }
            (Action::Open, Some((count, typed))) if typed.value() == count.to_string() => true,
            (Action::Open, Some((count, typed))) if !typed.value().is_empty() => {
                let typed = typed.value();
                return vec![Effect::trouble(format!("{typed} is not {count}: nothing was done"))];
            }
            (Action::Open | Action::No, _) => false,
            _ => return Vec::new(),
        };
        if !yes {
            // Where nothing would have changed, "nothing was done" would sound like news of something else.
            let note = self.changes.then(|| Effect::note("nothing was done"));
            return std::iter::once(Effect::Close).chain(note).collect();
        }
        // The connection may have gone while the question stood.
        if let (true, Err(reason)) = (self.changes, context.may_change()) {
            return vec![Effect::Close, Effect::trouble(format!("nothing was done: {reason}"))];
        }
        std::iter::once(Effect::Close).chain(self.then.take().map(|then| *then)).collect()
    }

    /// Takes digits of the number.
    pub fn typed(&mut self, key: KeyEvent) {
        let digit = matches!(key.code, KeyCode::Char(letter) if letter.is_ascii_digit());
        if let Some((_, typed)) = &mut self.count
            && (digit || !matches!(key.code, KeyCode::Char(_)))
        {
            input::typed(typed, key);
        }
    }

    /// Draws itself.
    pub fn draw(&self, buffer: &mut Buffer, area: Rect, context: &Context<'_>) {
        let look = context.look;
        let width = area.width.saturating_sub(8).clamp(20, 76);
        let mut lines: Vec<Line<'_>> = Vec::new();
        for line in &self.lines {
            // Indented lines are content; cut them, or a long one would push the question off the screen.
            let line = text::neutral(line);
            if line.starts_with("  ") {
                lines.push(Line::styled(text::fit(&line, usize::from(width)).into_owned(), look.dim));
            } else {
                lines.extend(text::wrap(&line, usize::from(width)).into_iter().map(Line::raw));
            }
        }
        let most = usize::from(area.height.saturating_sub(4)).max(1);
        if lines.len() > most {
            lines.truncate(most - 1);
            lines.push(Line::styled("...", look.dim));
        }
        let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX);
        let inner = panel::dialog(buffer, area, look, &self.title, (width, height));
        panel::paint(buffer, inner, lines);
        let y = inner.bottom().saturating_sub(1);
        if inner.height == 0 {
            return;
        }
        match &self.count {
            None => {
                let answer = Line::styled("y yes   Enter, n or Esc: no", look.key);
                buffer.set_line(inner.x, y, &answer, inner.width);
            }
            Some((count, typed)) => {
                let ask = format!("Type {count} and Enter for yes, Esc for no: ");
                let (x, _) = buffer.set_stringn(inner.x, y, ask, usize::from(inner.width), look.key);
                let room = Rect { x, y, width: inner.right().saturating_sub(x), height: 1 };
                input::draw(buffer, room, typed, Style::new(), true, false);
            }
        }
    }
}
