//! A list and the detail of one of its rows: side by side where there is room, one over the other where not.

use ratatui::layout::{Constraint, Layout, Rect};

/// The width from which both stand side by side.
const WIDE: u16 = 100;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Pane {
    #[default]
    Closed,
    /// Shown beside the list, which has the keys.
    Beside,
    /// Has the keys.
    Focused,
    /// Has the keys and the whole room.
    Zoomed,
}

/// How list and detail share the room.
#[derive(Clone, Copy, Debug, Default)]
pub struct Split {
    pane: Pane,
    wide: bool,
}

impl Split {
    /// Whether the detail is open.
    pub fn is_open(self) -> bool {
        self.pane != Pane::Closed
    }

    /// Whether the detail has the keys.
    pub const fn in_detail(self) -> bool {
        matches!(self.pane, Pane::Focused | Pane::Zoomed)
    }

    /// Whether the detail follows the cursor of the list.
    pub fn follows(self) -> bool {
        self.pane == Pane::Beside
    }

    /// Opens the detail: beside the list where there is room, else in its place.
    pub const fn open(&mut self) {
        self.pane = if self.wide { Pane::Beside } else { Pane::Focused };
    }

    /// Opens the detail and gives it the keys.
    pub const fn open_focused(&mut self) {
        self.pane = Pane::Focused;
    }

    /// Opens the detail of a row that the list may not have.
    pub const fn open_alone(&mut self) {
        self.pane = Pane::Zoomed;
    }

    /// Gives the keys to the other side.
    pub const fn switch(&mut self) {
        self.pane = match self.pane {
            Pane::Beside => Pane::Focused,
            Pane::Focused if self.wide => Pane::Beside,
            pane => pane,
        };
    }

    /// Lets the detail take the whole room, or gives it back.
    pub const fn zoom(&mut self) {
        self.pane = match self.pane {
            Pane::Closed => Pane::Closed,
            Pane::Zoomed => Pane::Focused,
            Pane::Beside | Pane::Focused => Pane::Zoomed,
        };
    }

    /// Closes the detail.
    pub const fn close(&mut self) {
        self.pane = Pane::Closed;
    }

    /// The rooms of list and detail in `area`.
    pub fn areas(&mut self, area: Rect) -> (Option<Rect>, Option<Rect>) {
        self.wide = area.width >= WIDE;
        match (self.pane, self.wide) {
            (Pane::Closed, _) | (Pane::Beside, false) => (Some(area), None),
            (Pane::Zoomed, _) | (Pane::Focused, false) => (None, Some(area)),
            (Pane::Beside | Pane::Focused, true) => {
                let halves = [Constraint::Percentage(55), Constraint::Percentage(45)];
                let [list, detail] = Layout::horizontal(halves).areas(area);
                (Some(list), Some(detail))
            }
        }
    }
}
