//! A page of text: a log entry, an object as JSON, what went wrong.

use astrops_api::Secret;
use ratatui::{buffer::Buffer, layout::Rect, style::Style, text::Line};

use super::{Confirm, Layer};
use crate::{
    keys::Action,
    screen::{Context, Effect},
    text,
    widgets::{panel, scroll::Window},
};

/// Text that is scrolled and copied.
#[derive(Debug, Default)]
pub struct Page {
    title: String,
    lines: Vec<(String, Style)>,
    window: Window,
    /// Shown below the lines and nowhere else: it is what is copied, and closing without that asks.
    secret: Option<Secret>,
    copied: bool,
}

impl Page {
    /// A page of lines; each may be longer than the screen is wide.
    pub fn new(title: impl Into<String>, lines: Vec<(String, Style)>) -> Self {
        Self { title: title.into(), lines, ..Self::default() }
    }

    /// A page that shows `secret` once.
    pub fn secret(title: impl Into<String>, lines: Vec<(String, Style)>, secret: Secret) -> Self {
        Self { secret: Some(secret), ..Self::new(title, lines) }
    }

    /// A page of plain text.
    pub fn plain(title: impl Into<String>, text: &str) -> Self {
        Self::new(title, text.lines().map(|line| (line.to_owned(), Style::new())).collect())
    }

    /// Other lines, at the same place.
    pub fn set_lines(&mut self, lines: Vec<(String, Style)>) {
        self.lines = lines;
    }

    /// Scrolls, copies or closes.
    pub fn act(&mut self, action: Action) -> Vec<Effect> {
        match action {
            Action::Close if self.secret.is_some() && !self.copied => {
                let lines = vec!["It was not copied (y), and nothing shows it again.".to_owned()];
                vec![Effect::Open(Layer::Confirm(Confirm::new("Close the secret?", lines, Effect::Close)))]
            }
            Action::Close => vec![Effect::Close],
            Action::Copy if self.secret.is_some() => {
                self.copied = true;
                self.secret.iter().map(|secret| Effect::Copy(secret.expose().to_owned())).collect()
            }
            Action::Copy => {
                let lines: Vec<String> =
                    self.lines.iter().map(|(line, _)| text::neutral(line).into_owned()).collect();
                vec![Effect::Copy(lines.join("\n"))]
            }
            _ => {
                self.window.act(action);
                Vec::new()
            }
        }
    }

    /// Draws itself.
    pub fn draw(&mut self, buffer: &mut Buffer, area: Rect, context: &Context<'_>) {
        let width = area.width.saturating_sub(6).min(116);
        let mut lines = wrapped(&self.lines, usize::from(width));
        if let Some(secret) = &self.secret {
            lines.extend(wrapped(&[(secret.expose().to_owned(), context.look.title)], usize::from(width)));
        }
        let height = u16::try_from(lines.len().max(3)).unwrap_or(u16::MAX);
        let inner = panel::dialog(buffer, area, context.look, &self.title, (width, height));
        self.window.settle(lines.len(), usize::from(inner.height));
        panel::paint(buffer, inner, lines.into_iter().skip(self.window.offset));
    }
}

/// `lines`, harmless and no wider than `width`.
pub fn wrapped(lines: &[(String, Style)], width: usize) -> Vec<Line<'static>> {
    let each = lines.iter().flat_map(|(line, style)| {
        text::wrap(&text::neutral(line), width).into_iter().map(|line| Line::styled(line, *style))
    });
    each.collect()
}
