//! The file of one entity, beside the list or in its place.

use std::sync::Arc;

use ratatui::{buffer::Buffer, layout::Rect};

use super::{Kind, Lines};
use crate::{
    keys::Action,
    layers::page::wrapped,
    screen::{Context, Effect},
    text,
    widgets::{panel, scroll::Window, table::Row},
};

/// The view of one file.
pub struct Pane<K: Kind> {
    wanted: Option<K::Id>,
    file: Option<Arc<K::File>>,
    window: Window,
    fetching: bool,
    /// The last answer was a refusal.
    error: Option<String>,
}

impl<K: Kind> Default for Pane<K> {
    fn default() -> Self {
        Self { wanted: None, file: None, window: Window::default(), fetching: false, error: None }
    }
}

impl<K: Kind> Pane<K> {
    /// What is shown or on its way.
    pub const fn wanted(&self) -> Option<K::Id> {
        self.wanted
    }

    /// What is known about it.
    pub fn file(&self) -> Option<&K::File> {
        self.file.as_deref()
    }

    /// Shows another. At most one question is under way, however fast the cursor moves.
    pub fn show(&mut self, id: K::Id, context: &Context<'_>) -> Vec<Effect> {
        if self.wanted == Some(id) && self.error.is_none() {
            return Vec::new();
        }
        *self = Self { wanted: Some(id), fetching: self.fetching, ..Self::default() };
        self.fetch(context)
    }

    /// Asks again.
    pub fn fetch(&mut self, context: &Context<'_>) -> Vec<Effect> {
        match self.wanted {
            Some(id) if !self.fetching => {
                self.fetching = true;
                vec![Effect::Ask(K::file(id, context))]
            }
            _ => Vec::new(),
        }
    }

    /// Takes an answer in.
    pub fn take(&mut self, file: &Arc<K::File>, context: &Context<'_>) -> Vec<Effect> {
        self.fetching = false;
        if self.wanted == Some(K::row(file).key()) {
            self.error = None;
            self.file = Some(Arc::clone(file));
            return Vec::new();
        }
        self.fetch(context)
    }

    /// What was asked is not answered any more.
    pub const fn forget(&mut self) {
        self.fetching = false;
    }

    /// Takes a refusal in.
    pub fn fail(&mut self, id: K::Id, reason: &str) {
        self.fetching = false;
        if self.wanted == Some(id) {
            self.error = Some(reason.to_owned());
        }
    }

    /// Scrolls.
    pub fn act(&mut self, action: Action) {
        self.window.act(action);
    }

    /// Everything as plain text.
    pub fn plain(&self, context: &Context<'_>) -> String {
        let lines = self.lines(context);
        lines.iter().map(|(line, _)| text::neutral(line).into_owned()).collect::<Vec<_>>().join("\n")
    }

    fn lines(&self, context: &Context<'_>) -> Lines {
        match (&self.file, &self.error) {
            (Some(file), _) => K::lines(file, context),
            (None, Some(error)) => vec![(error.clone(), context.look.bad)],
            (None, None) => vec![("loading".to_owned(), context.look.dim)],
        }
    }

    /// Draws itself.
    pub fn draw(&mut self, buffer: &mut Buffer, area: Rect, context: &Context<'_>, focused: bool) {
        let mut title = K::NOUN.to_owned();
        title[..1].make_ascii_uppercase();
        if let Some(id) = self.wanted {
            title = format!("{title} {}", K::short(id));
        }
        let inner = panel::panel(buffer, area, context.look, &title, focused);
        let inner = Rect { x: inner.x + 1.min(inner.width), width: inner.width.saturating_sub(2), ..inner };
        let lines = wrapped(&self.lines(context), usize::from(inner.width));
        self.window.settle(lines.len(), usize::from(inner.height));
        panel::paint(buffer, inner, lines.into_iter().skip(self.window.offset));
    }
}
