//! Help, palette and actions are one menu of the key table, narrowed by typing; Enter runs.

use crossterm::event::KeyEvent;
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};
use tui_input::Input;

use crate::{
    keys::{Action, Binding, Scope, bindings},
    screen::{Context, Effect},
    text,
    widgets::{input, panel, scroll::Scroll},
};

/// Lines that explain the row under the cursor.
const EXPLAINED: u16 = 3;

/// Which rows, and which of their words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Keys of this place with what they do.
    Help,
    /// Everything, with its command.
    Palette,
    /// What can be done to the thing under the cursor.
    Actions,
}

/// A row of the menu: a binding, and why it is off.
type Item = (&'static Binding, Option<String>);

/// The menu.
#[derive(Debug)]
pub struct Menu {
    kind: Kind,
    items: Vec<Item>,
    typed: Input,
    scroll: Scroll,
}

impl Menu {
    /// The menu of `scope`; `available` says why an action is off.
    pub fn new(kind: Kind, scope: Scope, available: impl Fn(Action) -> Result<(), String>) -> Self {
        let mut rows: Vec<&'static Binding> = bindings(scope)
            .filter(|row| kind != Kind::Actions || row.menu)
            .filter(|row| kind != Kind::Palette || !is_motion(row.action))
            .collect();
        if kind == Kind::Palette {
            // The same action has several rows where its keys differ by place.
            let mut seen = Vec::new();
            rows.retain(|row| {
                !seen.contains(&row.name) && {
                    seen.push(row.name);
                    true
                }
            });
        }
        let items = rows.into_iter().map(|row| (row, available(row.action).err())).collect();
        Self { kind, items, typed: Input::default(), scroll: Scroll::default() }
    }

    /// The rows that hold every word typed; those whose name begins with it first.
    fn found(&self) -> Vec<&Item> {
        let wanted = self.typed.value().to_lowercase();
        let mut found: Vec<&Item> = self
            .items
            .iter()
            .filter(|(row, _)| {
                let all = format!("{} {} {} {}", row.name, row.help, row.keys_text(), row.twin.unwrap_or(""))
                    .to_lowercase();
                wanted.split_whitespace().all(|word| all.contains(word))
            })
            .collect();
        found.sort_by_key(|(row, _)| {
            let name = row.name.to_lowercase();
            (!name.starts_with(&wanted), !name.contains(&wanted))
        });
        found
    }

    /// Moves, runs or closes.
    pub fn act(&mut self, action: Action) -> Vec<Effect> {
        let found = self.found();
        let len = found.len();
        match action {
            Action::Close => vec![Effect::Close],
            Action::Open => match found.get(self.scroll.cursor) {
                Some((_, Some(reason))) => vec![Effect::trouble(reason.clone())],
                Some((row, None)) => vec![Effect::Close, Effect::Act(row.action)],
                None => vec![Effect::Close],
            },
            _ => {
                self.scroll.act(action, len);
                Vec::new()
            }
        }
    }

    /// Narrows.
    pub fn typed(&mut self, key: KeyEvent) {
        if input::typed(&mut self.typed, key) {
            self.scroll = Scroll::default();
        }
    }

    /// Narrows.
    pub fn pasted(&mut self, pasted: &str) {
        input::pasted(&mut self.typed, pasted);
        self.scroll = Scroll::default();
    }

    /// Draws itself.
    pub fn draw(&mut self, buffer: &mut Buffer, area: Rect, context: &Context<'_>) {
        let look = context.look;
        let title = match self.kind {
            Kind::Help => "Keys here - type to narrow, Enter runs, Esc closes",
            Kind::Palette => "Palette - type to find, Enter runs, Esc closes",
            Kind::Actions => "Actions - Enter runs, Esc closes",
        };
        let height = u16::try_from(self.items.len()).unwrap_or(u16::MAX).saturating_add(EXPLAINED + 1);
        let inner = panel::dialog(buffer, area, look, title, (area.width.min(100), height));
        if inner.height < 2 {
            return;
        }
        buffer.set_string(inner.x, inner.y, ":", look.key);
        let line = Rect { x: inner.x + 2, width: inner.width.saturating_sub(2), height: 1, ..inner };
        input::draw(buffer, line, &self.typed, Style::new(), true, false);
        // Where there is room, the row under the cursor is explained in full.
        let below = if inner.height >= EXPLAINED + 3 { EXPLAINED } else { 0 };
        let rows = Rect { y: inner.y + 1, height: inner.height - 1 - below, ..inner };
        let mut scroll = self.scroll;
        let found = self.found();
        scroll.settle(found.len(), usize::from(rows.height));
        let lines =
            found.iter().skip(scroll.offset).map(|item| self.line(item, usize::from(rows.width), context));
        let cursor = (!found.is_empty()).then(|| scroll.row());
        panel::paint_rows(buffer, rows, look, lines.collect::<Vec<_>>(), cursor);
        if found.is_empty() {
            buffer.set_stringn(rows.x, rows.y, "nothing has these words", usize::from(rows.width), look.dim);
        }
        let explained = found.get(scroll.cursor).map(|item| explain(item, usize::from(inner.width)));
        let place = Rect { y: rows.bottom(), height: below, ..inner };
        let explained = explained.into_iter().flatten().map(|line| Line::styled(line, look.dim));
        panel::paint(buffer, place, explained);
        self.scroll = scroll;
    }

    fn line(&self, (row, off): &Item, width: usize, context: &Context<'_>) -> Line<'static> {
        let look = context.look;
        // What acts on a thing has one key; what moves about has several.
        let keys_wide = if self.kind == Kind::Actions { 3 } else { 14 };
        let keys = format!("{:<keys_wide$} ", text::fit(&row.keys_text(), keys_wide));
        let name = format!("{:<21} ", text::fit(row.name, 21));
        let room = width.saturating_sub(keys_wide + 24);
        let rest = match (off, self.kind) {
            (_, Kind::Help) => row.help.to_owned(),
            (Some(reason), _) => format!("off: {reason}"),
            (None, _) => row.twin.unwrap_or(row.help).to_owned(),
        };
        let (keys_style, name_style) =
            if off.is_some() { (look.dim, look.dim) } else { (look.key, Style::new()) };
        Line::from(vec![
            Span::styled(keys, keys_style),
            Span::styled(name, name_style),
            Span::styled(text::fit(&rest, room).into_owned(), look.dim),
        ])
    }
}

/// What is known about a row: what it does, why it is off, its command.
fn explain((row, off): &Item, width: usize) -> Vec<String> {
    let mut words = row.help.to_owned();
    if let Some(reason) = off {
        words = format!("Off: {reason}. {words}");
    }
    let mut lines = text::wrap(&words, width);
    lines.truncate(usize::from(EXPLAINED) - 1);
    lines.extend(row.twin.map(|twin| text::fit(&format!("$ {twin}"), width).into_owned()));
    lines
}

/// Moving about needs no palette.
const fn is_motion(action: Action) -> bool {
    matches!(
        action,
        Action::Down
            | Action::Up
            | Action::Top
            | Action::Bottom
            | Action::HalfDown
            | Action::HalfUp
            | Action::PageDown
            | Action::PageUp
            | Action::Palette
            | Action::Close
    )
}
