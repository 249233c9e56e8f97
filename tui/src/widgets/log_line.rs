//! One log entry on one line, the same on every screen.

use astrops_api::{logs::LogEntry, vocabulary::Severity};
use chrono::{DateTime, Utc};
use ratatui::{
    style::Style,
    text::{Line, Span},
};
use regex::Regex;

use crate::{screen::Context, text, theme::severity_word};

/// The parts that are shown.
#[derive(Clone, Copy, Debug)]
pub struct LogLine<'a> {
    /// When.
    pub at: DateTime<Utc>,
    /// How bad.
    pub severity: Severity,
    /// What kind.
    pub event: &'a str,
    /// What happened, as it came.
    pub message: &'a str,
}

impl<'a> From<&'a LogEntry> for LogLine<'a> {
    fn from(entry: &'a LogEntry) -> Self {
        Self {
            at: entry.timestamp,
            severity: entry.severity,
            event: entry.event_type.as_str(),
            message: &entry.message,
        }
    }
}

impl LogLine<'_> {
    /// The line, at most `width` columns; what `found` finds in the message stands out.
    pub fn line(&self, width: usize, context: &Context<'_>, found: Option<&Regex>) -> Line<'static> {
        let look = context.look;
        let today = self.at.date_naive() == context.now.date_naive();
        let time = match (today, width >= 100) {
            (true, true) => self.at.format("%H:%M:%S%.3f").to_string(),
            (true, false) => self.at.format("%H:%M:%S").to_string(),
            (false, true) => self.at.format("%m-%d %H:%M ").to_string(),
            (false, false) => self.at.format("%d %H:%M").to_string(),
        };
        let head = vec![
            Span::styled(format!("{time} "), look.dim),
            Span::styled(severity_word(self.severity), look.severity(self.severity)),
            Span::styled(format!(" {:<9} ", self.event), look.dim),
        ];
        let room = width.saturating_sub(head.iter().map(Span::width).sum());
        let message = text::neutral(self.message);
        let message = text::fit(&message, room);
        let mut line = Line::from(head);
        line.extend(highlighted(&message, found, look.found));
        line
    }
}

/// `text` with what `found` finds in it in another style.
fn highlighted(text: &str, found: Option<&Regex>, style: Style) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    let mut end = 0;
    for place in found.into_iter().flat_map(|found| found.find_iter(text)).filter(|place| !place.is_empty()) {
        spans.push(Span::raw(text[end..place.start()].to_owned()));
        spans.push(Span::styled(place.as_str().to_owned(), style));
        end = place.end();
    }
    spans.push(Span::raw(text[end..].to_owned()));
    spans
}
