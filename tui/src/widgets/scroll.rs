//! Moving through rows of which a window is shown.

use crate::keys::Action;

/// A cursor in `len` rows, and the window around it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scroll {
    /// The row under the cursor.
    pub cursor: usize,
    /// The first row of the window.
    pub offset: usize,
    /// Rows of the window, as last drawn.
    pub height: usize,
}

impl Scroll {
    /// Moves as `action` says; answers whether it is about moving at all.
    pub fn act(&mut self, action: Action, len: usize) -> bool {
        let last = len.saturating_sub(1);
        let page = self.height.max(1);
        let half = (page / 2).max(1);
        self.cursor = match action {
            Action::Down => self.cursor + 1,
            Action::Up => self.cursor.saturating_sub(1),
            Action::Top => 0,
            Action::Bottom => last,
            Action::HalfDown => self.cursor + half,
            Action::HalfUp => self.cursor.saturating_sub(half),
            Action::PageDown => self.cursor + page,
            Action::PageUp => self.cursor.saturating_sub(page),
            _ => return false,
        }
        .min(last);
        true
    }

    /// The row of the window that the cursor is on.
    pub const fn row(&self) -> usize {
        self.cursor.saturating_sub(self.offset)
    }

    /// Lets the window of `height` rows hold the cursor.
    pub fn settle(&mut self, len: usize, height: usize) {
        self.height = height;
        self.cursor = self.cursor.min(len.saturating_sub(1));
        self.offset = self.offset.min(len.saturating_sub(height)).min(self.cursor);
        if self.cursor >= self.offset + height.max(1) {
            self.offset = self.cursor + 1 - height.max(1);
        }
    }
}

/// A window over text that has no cursor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// The first line shown.
    pub offset: usize,
    /// Lines shown, as last drawn.
    pub height: usize,
    /// Lines there are, as last drawn.
    pub len: usize,
}

impl Window {
    /// Scrolls as `action` says; answers whether it is about moving at all.
    pub fn act(&mut self, action: Action) -> bool {
        let most = self.len.saturating_sub(self.height);
        let page = self.height.max(1);
        self.offset = match action {
            Action::Down => self.offset + 1,
            Action::Up => self.offset.saturating_sub(1),
            Action::Top => 0,
            Action::Bottom => most,
            Action::HalfDown => self.offset + (page / 2).max(1),
            Action::HalfUp => self.offset.saturating_sub((page / 2).max(1)),
            Action::PageDown => self.offset + page,
            Action::PageUp => self.offset.saturating_sub(page),
            _ => return false,
        }
        .min(most);
        true
    }

    /// Fits the window to `len` lines in `height` rows.
    pub fn settle(&mut self, len: usize, height: usize) {
        (self.len, self.height) = (len, height);
        self.offset = self.offset.min(len.saturating_sub(height));
    }
}
