//! A question before something changes. `y` is yes; Enter and everything else is no. Where more depends on it
//! the operator types the number of items. What does not fit is scrolled, and a change is only said yes to when its end
//! was on the screen.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::{buffer::Buffer, layout::Rect, style::Style, text::Line};
use tui_input::Input;

use crate::{
    keys::Action,
    message::{Change, Request},
    screen::{Context, Effect},
    text,
    widgets::{input, panel, scroll::Window},
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
    window: Window,
    /// The last lines were never shown.
    unread: bool,
}

impl Confirm {
    /// Asks before `then`, which changes no data.
    pub fn new(title: impl Into<String>, lines: Vec<String>, then: Effect) -> Self {
        Self {
            title: title.into(),
            lines,
            count: None,
            then: Some(Box::new(then)),
            changes: false,
            window: Window::default(),
            unread: false,
        }
    }

    /// Asks before `change` of so many items.
    pub fn change(
        title: impl Into<String>,
        lines: Vec<String>,
        items: usize,
        change: Change,
        context: &Context<'_>,
    ) -> Self {
        let count = context.needs_count(items).then(|| (items, Input::default()));
        Self { count, changes: true, ..Self::new(title, lines, Effect::Ask(Request::Change(change))) }
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
            _ => {
                self.window.act(action);
                self.read();
                return Vec::new();
            }
        };
        if yes && self.changes && self.unread {
            return vec![Effect::trouble(
                "there is more of it to read: j and PgDn scroll, G goes to its end",
            )];
        }
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

    /// What the window shows was seen.
    const fn read(&mut self) {
        self.unread = self.unread && self.window.offset + self.window.height < self.window.len;
    }

    /// Draws itself.
    pub fn draw(&mut self, buffer: &mut Buffer, area: Rect, context: &Context<'_>) {
        let look = context.look;
        let width = area.width.saturating_sub(8).clamp(20, 76);
        let mut lines: Vec<Line<'_>> = Vec::new();
        for line in &self.lines {
            // Indented lines are content.
            let line = text::neutral(line);
            let words = line.trim_start_matches(' ');
            let indent = line.len() - words.len();
            let style = if indent > 1 { look.dim } else { Style::new() };
            let wrapped = text::wrap(words, usize::from(width).saturating_sub(indent));
            lines.extend(
                wrapped.iter().map(|part| Line::styled(format!("{}{part}", " ".repeat(indent)), style)),
            );
        }
        let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX);
        let inner = panel::dialog(buffer, area, look, &self.title, (width, height));
        let y = inner.bottom().saturating_sub(1);
        if inner.height == 0 {
            return;
        }
        // The line before the answer is empty where there is room for that.
        let rows = inner.height.saturating_sub(if inner.height > 4 { 2 } else { 1 });
        let all = lines.len();
        let first = self.window.len == 0;
        self.window.settle(all, usize::from(rows));
        self.unread = if first { all > usize::from(rows) } else { self.unread };
        self.read();
        panel::paint(buffer, Rect { height: rows, ..inner }, lines.into_iter().skip(self.window.offset));
        let last = (self.window.offset + usize::from(rows)).min(all);
        let more = if last < all || self.window.offset > 0 {
            format!("   j k scroll: {last} of {all}")
        } else {
            String::new()
        };
        match &self.count {
            None => {
                let answer = format!("y yes   Enter, n or Esc: no{more}");
                let answer = if inner.width < 45 { format!("y yes, Esc no{more}") } else { answer };
                buffer.set_line(inner.x, y, &Line::styled(answer, look.key), inner.width);
            }
            Some((count, typed)) => {
                let ask = if more.is_empty() {
                    format!("Type {count} and Enter for yes, Esc for no: ")
                } else {
                    format!("Type {count} and Enter, or Esc (j k: {last} of {all}): ")
                };
                let (x, _) = buffer.set_stringn(inner.x, y, ask, usize::from(inner.width), look.key);
                let room = Rect { x, y, width: inner.right().saturating_sub(x), height: 1 };
                input::draw(buffer, room, typed, Style::new(), true, false);
            }
        }
    }
}
