//! A bordered panel with a title, and text that is drawn row by row.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::Line,
    widgets::{Block, Clear, Widget},
};

use crate::{text, theme::Look};

/// Draws the border and answers the room inside.
pub fn panel(buffer: &mut Buffer, area: Rect, look: &Look, title: &str, focused: bool) -> Rect {
    let style = if focused { look.focus } else { look.border };
    let title = text::neutral(title);
    let title = text::fit(&title, usize::from(area.width.saturating_sub(4))).into_owned();
    let title = if title.is_empty() { String::new() } else { format!(" {title} ") };
    let block = Block::bordered()
        .border_set(look.lines)
        .border_style(style)
        .title(Line::styled(title, if focused { look.title } else { Style::new() }));
    let inner = block.inner(area);
    block.render(area, buffer);
    inner
}

/// A panel in the middle of `area`, over whatever is there; at most as large as there is room.
pub fn dialog(buffer: &mut Buffer, area: Rect, look: &Look, title: &str, size: (u16, u16)) -> Rect {
    let width = size.0.saturating_add(4).min(area.width);
    let height = size.1.saturating_add(2).min(area.height);
    let place =
        Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
    Clear.render(place, buffer);
    let inner = panel(buffer, place, look, title, true);
    Rect { x: inner.x + 1.min(inner.width), width: inner.width.saturating_sub(2), ..inner }
}

/// Draws `lines` behind a gutter, as many as fit; `cursor` says on which of them the cursor is.
pub fn paint_rows<'a>(
    buffer: &mut Buffer,
    area: Rect,
    look: &Look,
    lines: impl IntoIterator<Item = Line<'a>>,
    cursor: Option<usize>,
) {
    let gutter = 1.min(area.width);
    paint(buffer, Rect { x: area.x + gutter, width: area.width - gutter, ..area }, lines);
    let row = cursor.and_then(|cursor| u16::try_from(cursor).ok()).filter(|row| *row < area.height);
    if let Some(row) = row.filter(|_| gutter > 0) {
        buffer.set_string(area.x, area.y + row, ">", look.key);
        buffer.set_style(Rect { y: area.y + row, height: 1, ..area }, look.cursor);
    }
}

/// Draws `lines` from the top, as many as fit.
pub fn paint<'a>(buffer: &mut Buffer, area: Rect, lines: impl IntoIterator<Item = Line<'a>>) {
    for (line, y) in lines.into_iter().zip(area.top()..area.bottom()) {
        buffer.set_line(area.x, y, &line, area.width);
    }
}
