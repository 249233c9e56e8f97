//! The log entries that the console holds: compact rows in a ring, and the ones among them that a filter finds.
//!
//! A row keeps its number for as long as it is held, whatever is added before or behind it, so a cursor is a
//! number too. Limits: [`Ring::CAPACITY`] rows; beyond it the oldest go.

use std::collections::VecDeque;

use astrops_api::{
    ids::{JobId, LogId, UserId},
    logs::LogEntry,
    vocabulary::Severity,
};
use chrono::{DateTime, Utc};
use regex::{Regex, RegexBuilder};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::format;

/// A held row: an entry, or a mark that some are missing.
#[derive(Clone, Debug)]
pub struct Row {
    /// Of an entry.
    pub id: Option<LogId>,
    /// The job it is about.
    pub job: Option<JobId>,
    /// How bad; a gap has none.
    pub severity: Option<Severity>,
    micros: i64,
    /// `EVENT message`, then a newline and the other fields as JSON: one allocation, one haystack.
    text: Box<str>,
    event_end: u32,
    message_end: u32,
}

/// The fields that only the detail shows, in their wire form.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rest<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip_address: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_id: Option<JobId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_data: Option<&'a Value>,
    recorded_by: &'a str,
}

impl Row {
    /// The compact form of `entry`.
    pub fn entry(entry: &LogEntry) -> Self {
        let rest = Rest {
            user_id: entry.user_id,
            ip_address: entry.ip_address.as_deref(),
            job_id: entry.job_id,
            additional_data: entry.additional_data.as_ref(),
            recorded_by: &entry.recorded_by,
        };
        let event_end = entry.event_type.as_str().len();
        // Gathered in one large text and then copied into one of the right size: a hundred thousand rows that
        // were each cut to size would leave as many holes between them.
        let mut text = Vec::with_capacity(2_048);
        text.extend_from_slice(entry.event_type.as_str().as_bytes());
        text.push(b' ');
        text.extend_from_slice(entry.message.as_bytes());
        let message_end = text.len();
        text.push(b'\n');
        // Plain fields always have a JSON form, and writing to memory cannot fail.
        let _ = serde_json::to_writer(&mut text, &rest);
        Self {
            id: Some(entry.id),
            job: entry.job_id,
            severity: Some(entry.severity),
            micros: entry.timestamp.timestamp_micros(),
            event_end: short(event_end),
            message_end: short(message_end),
            text: String::from_utf8_lossy(&text).into(),
        }
    }

    /// A mark that entries are missing.
    pub fn gap(count: Option<u64>, at: DateTime<Utc>) -> Self {
        let text = match count {
            Some(1) => "GAP 1 entry is missing here: pruned, or not readable by this console".to_owned(),
            Some(count) => format!(
                "GAP {} entries are missing here: the daemon no longer has them",
                format::count(count)
            ),
            None => "GAP entries may be missing here: the daemon cannot say what came between".to_owned(),
        };
        Self {
            id: None,
            job: None,
            severity: None,
            micros: at.timestamp_micros(),
            event_end: 3,
            message_end: short(text.len()),
            text: text.into_boxed_str(),
        }
    }

    /// When.
    pub fn at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.micros).unwrap_or_default()
    }

    /// What kind.
    pub fn event(&self) -> &str {
        &self.text[..self.event_end as usize]
    }

    /// What happened, as it came.
    pub fn message(&self) -> &str {
        self.text.get(self.event_end as usize + 1..self.message_end as usize).unwrap_or_default()
    }

    /// The whole entry as JSON.
    pub fn json(&self) -> Value {
        let rest = self.text.get(self.message_end as usize + 1..).unwrap_or_default();
        let mut fields = Map::new();
        fields.insert("id".into(), json!(self.id));
        fields.insert("timestamp".into(), json!(self.at()));
        fields.insert("eventType".into(), json!(self.event()));
        fields.insert("severity".into(), json!(self.severity));
        fields.insert("message".into(), json!(self.message()));
        if let Ok(Value::Object(rest)) = serde_json::from_str(rest) {
            fields.extend(rest);
        }
        fields.into()
    }
}

fn short(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// What rows are shown.
#[derive(Clone, Debug, Default)]
pub struct Narrow {
    /// Of this severity and worse.
    pub severity: Option<Severity>,
    /// With this in event, message or any other field.
    pub pattern: Option<Regex>,
    /// Without it instead.
    pub inverse: bool,
}

impl Narrow {
    /// What `typed` means: a regular expression with smart case, `!` in front inverts.
    pub fn parse(typed: &str) -> Result<(Option<Regex>, bool), String> {
        let (inverse, text) = match typed.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, typed),
        };
        if text.is_empty() {
            return Ok((None, false));
        }
        let insensitive = !text.chars().any(char::is_uppercase);
        let built = RegexBuilder::new(text)
            .case_insensitive(insensitive)
            .multi_line(true)
            .size_limit(1 << 20)
            .build();
        match built {
            Ok(pattern) => Ok((Some(pattern), inverse)),
            // The last line of the error is the reason; the rest draws arrows under the pattern.
            Err(error) => {
                let whole = error.to_string();
                let reason = whole.lines().last().unwrap_or_default();
                Err(format!("this pattern is not complete: {}", reason.trim_start_matches("error: ")))
            }
        }
    }

    /// Whether everything is shown.
    pub const fn is_empty(&self) -> bool {
        self.severity.is_none() && self.pattern.is_none()
    }

    /// Whether `row` is shown. A gap always is: hiding one would be a lie.
    pub fn shows(&self, row: &Row) -> bool {
        let Some(severity) = row.severity else { return true };
        self.severity.is_none_or(|least| severity >= least)
            && self.pattern.as_ref().is_none_or(|pattern| pattern.is_match(&row.text) != self.inverse)
    }
}

/// The rows and the view on them.
#[derive(Debug)]
pub struct Ring {
    rows: VecDeque<Row>,
    /// The number of the first row.
    first: u64,
    narrow: Narrow,
    /// Numbers of the rows that are shown, when not all are.
    shown: VecDeque<u64>,
}

impl Default for Ring {
    fn default() -> Self {
        // Room below for older rows.
        Self { rows: VecDeque::new(), first: 1 << 40, narrow: Narrow::default(), shown: VecDeque::new() }
    }
}

impl Ring {
    /// Rows held at most.
    pub const CAPACITY: usize = 100_000;

    /// Rows held.
    pub fn held(&self) -> usize {
        self.rows.len()
    }

    /// Adds a newer row.
    pub fn push(&mut self, row: Row) {
        if self.rows.len() == Self::CAPACITY {
            self.rows.pop_front();
            if self.shown.front() == Some(&self.first) {
                self.shown.pop_front();
            }
            self.first += 1;
        }
        if !self.narrow.is_empty() && self.narrow.shows(&row) {
            self.shown.push_back(self.first + self.rows.len() as u64);
        }
        self.rows.push_back(row);
    }

    /// Adds an older row; `false` when there is no room.
    pub fn push_older(&mut self, row: Row) -> bool {
        if self.rows.len() == Self::CAPACITY {
            return false;
        }
        self.first -= 1;
        if !self.narrow.is_empty() && self.narrow.shows(&row) {
            self.shown.push_front(self.first);
        }
        self.rows.push_front(row);
        true
    }

    /// The oldest entry held.
    pub fn oldest(&self) -> Option<&Row> {
        self.rows.iter().find(|row| row.id.is_some())
    }

    /// Shows other rows.
    pub fn narrow(&mut self, narrow: Narrow) {
        self.narrow = narrow;
        self.shown.clear();
        if !self.narrow.is_empty() {
            let numbered = (self.first..).zip(&self.rows);
            self.shown.extend(numbered.filter(|(_, row)| self.narrow.shows(row)).map(|(number, _)| number));
        }
    }

    /// What is shown.
    pub const fn narrowed(&self) -> &Narrow {
        &self.narrow
    }

    /// Rows shown.
    pub fn len(&self) -> usize {
        if self.narrow.is_empty() { self.rows.len() } else { self.shown.len() }
    }

    /// The number of the row at `place` of those shown.
    pub fn number(&self, place: usize) -> Option<u64> {
        if self.narrow.is_empty() {
            (place < self.rows.len()).then(|| self.first + place as u64)
        } else {
            self.shown.get(place).copied()
        }
    }

    /// The place of row `number` among those shown, or of the next one that is.
    pub fn place(&self, number: u64) -> usize {
        let place = if self.narrow.is_empty() {
            usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX)
        } else {
            self.shown.partition_point(|shown| *shown < number)
        };
        place.min(self.len().saturating_sub(1))
    }

    /// The row at `place` of those shown.
    pub fn get(&self, place: usize) -> Option<&Row> {
        let number = self.number(place)?;
        self.rows.get(usize::try_from(number - self.first).ok()?)
    }

    /// The nearest place behind (or before) `from` whose row `wanted` accepts.
    pub fn find(&self, from: usize, forward: bool, wanted: impl Fn(&Row) -> bool) -> Option<usize> {
        let fits = |place: &usize| self.get(*place).is_some_and(&wanted);
        if forward { (from + 1..self.len()).find(fits) } else { (0..from.min(self.len())).rev().find(fits) }
    }

    /// The place of the first row at or after `time`.
    pub fn at_time(&self, time: DateTime<Utc>) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.get(middle).is_some_and(|row| row.at() < time) { low = middle + 1 } else { high = middle }
        }
        low.min(self.len().saturating_sub(1))
    }
}

/// Whether `row` holds `pattern`: for jumps.
pub fn holds(row: &Row, pattern: &Regex) -> bool {
    pattern.is_match(&row.text)
}
