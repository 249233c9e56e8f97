//! What waits for a person, the critical first.

use astrops_api::{
    reconciliation::{Conflict, ConflictQuery},
    vocabulary::{Order, Severity},
};
use chrono::{DateTime, Utc};
use ratatui::style::Style;
use uuid::Uuid;

use super::words::Subject;
use crate::{
    format,
    message::Request,
    screens::entities::{Listed, Slice, Sort, read, read_bool, split},
    theme::severity_word,
    widgets::table::{Column, Row},
};

/// The conflicts.
pub enum Conflicts {}

/// The daemon's own order: the critical first, then the oldest. It has no direction.
pub const BY_SEVERITY: &str = "severity";

impl Row for Conflict {
    type Key = Uuid;

    fn key(&self) -> Uuid {
        self.id
    }
}

/// What a row is about.
pub const fn subject(row: &Conflict) -> Subject {
    Subject { kind: row.entity_type, id: row.entity_id, conflict: Some(row.id) }
}

impl Listed for Conflicts {
    type Row = Conflict;
    type Id = Uuid;
    type Query = ConflictQuery;

    const NOUN: &'static str = "conflict";
    const TITLE: &'static str = "Conflicts";
    const EMPTY: &'static str = "Nothing waits for a person.";
    const SORTS: &'static [Sort] = &[
        Sort { word: BY_SEVERITY, column: 0, order: Order::Asc },
        Sort { word: "age", column: 4, order: Order::Asc },
    ];

    fn columns() -> Vec<Column<Conflict>> {
        let column =
            |title, width, rank, cell| Column { title, width, rank, right: false, cell, order: None };
        vec![
            column("SEV", 5, 0, |row: &Conflict, context| {
                (severity_word(row.severity).to_owned(), context.look.severity(row.severity))
            }),
            column("ENTITY", 7, 0, |row, _| (row.entity_type.to_string(), Style::new())),
            column("ID", 8, 0, |row, context| (row.entity_id.short(), context.look.dim)),
            Column {
                right: true,
                ..column("WAIT", 4, 3, |row, _| (row.fields.len().to_string(), Style::new()))
            },
            Column {
                right: true,
                ..column("AGE", 9, 1, |row, context| {
                    (format::age(context.now - row.first_seen), Style::new())
                })
            },
            column("WHAT", 0, 2, |row, context| match row.snoozed_until {
                Some(until) if until > context.now => {
                    let until = format::moment(until, context.now);
                    (format!("snoozed until {until}: {}", row.text), context.look.dim)
                }
                _ if row.severity == Severity::Critical => (row.text.clone(), context.look.bad),
                _ => (row.text.clone(), Style::new()),
            }),
        ]
    }

    fn parse(typed: &str, _now: DateTime<Utc>) -> Result<ConflictQuery, String> {
        let (named, words) = split(typed, &["type", "id", "snoozed"])?;
        let mut query = ConflictQuery::default();
        for (field, value) in named {
            match field {
                "type" => query.entity_type = read(value)?,
                "id" => query.entity_id = read(value)?,
                _ => query.snoozed = read_bool(value)?,
            }
        }
        for word in words.iter().flat_map(|words| words.split_whitespace()) {
            if let Ok(kind) = word.parse() {
                query.entity_type = Some(kind);
            } else {
                query.entity_id =
                    Some(word.parse().map_err(|_| {
                        format!("{word:?} is no type or whole id: say type:booking snoozed:yes")
                    })?);
            }
        }
        Ok(query)
    }

    fn page(number: u64, query: &ConflictQuery, slice: Slice) -> Request {
        let query = ConflictQuery {
            order: (slice.sort != BY_SEVERITY).then_some(slice.order),
            limit: Some(slice.limit),
            offset: Some(slice.offset),
            ..query.clone()
        };
        Request::Conflicts(number, Box::new(query))
    }
}
