//! What differs at this moment, the oldest first.

use astrops_api::{
    drift::{Drift as Difference, DriftQuery},
    ids::EntityId,
    vocabulary::{DriftKind, EntityType, Order},
};
use chrono::{DateTime, Utc};
use ratatui::style::Style;

use super::words::Subject;
use crate::{
    format,
    message::Request,
    screens::entities::{Listed, Slice, Sort, read, split},
    widgets::table::{Column, Row},
};

/// The open differences.
pub enum Open {}

impl Row for Difference {
    type Key = (EntityType, EntityId);

    fn key(&self) -> Self::Key {
        (self.entity_type, self.entity_id)
    }
}

/// What a row is about.
pub const fn subject(row: &Difference) -> Subject {
    Subject { kind: row.entity_type, id: row.entity_id, conflict: row.conflict_id }
}

/// A kind of difference, for a narrow column.
const fn word(kind: DriftKind) -> &'static str {
    match kind {
        DriftKind::Differs => "differs",
        DriftKind::MissingDocument => "missing doc",
        DriftKind::MissingRelational => "missing rel",
        DriftKind::Conflict => "conflict",
    }
}

impl Listed for Open {
    type Row = Difference;
    type Id = (EntityType, EntityId);
    type Query = DriftQuery;

    const NOUN: &'static str = "difference";
    const TITLE: &'static str = "Open differences";
    const EMPTY: &'static str = "No difference is known. N compares both databases.";
    const SORTS: &'static [Sort] = &[Sort { word: "age", column: 3, order: Order::Asc }];

    fn columns() -> Vec<Column<Difference>> {
        let column =
            |title, width, rank, cell| Column { title, width, rank, right: false, cell, order: None };
        vec![
            column("ENTITY", 7, 0, |row: &Difference, _| (row.entity_type.to_string(), Style::new())),
            column("ID", 8, 0, |row, context| (row.entity_id.short(), context.look.dim)),
            column("KIND", 11, 0, |row, context| {
                let look = context.look;
                let style = if row.kind == DriftKind::Conflict { look.warning } else { Style::new() };
                (word(row.kind).to_owned(), style)
            }),
            Column {
                right: true,
                ..column("AGE", 9, 1, |row, context| {
                    (format::age(context.now - row.first_seen), Style::new())
                })
            },
            column("WHAT", 0, 2, |row, _| (row.text.clone(), Style::new())),
        ]
    }

    fn parse(typed: &str, _now: DateTime<Utc>) -> Result<DriftQuery, String> {
        let (named, words) = split(typed, &["type", "kind", "id"])?;
        let mut query = DriftQuery::default();
        for (field, value) in named {
            match field {
                "type" => query.entity_type = read(value)?,
                "kind" => query.kind = read(value)?,
                _ => query.entity_id = read(value)?,
            }
        }
        for word in words.iter().flat_map(|words| words.split_whitespace()) {
            if let Ok(kind) = word.parse::<EntityType>() {
                query.entity_type = Some(kind);
            } else if let Ok(kind) = word.parse::<DriftKind>() {
                query.kind = Some(kind);
            } else {
                query.entity_id = Some(word.parse().map_err(|_| {
                    format!("{word:?} is no type, kind or whole id: say type:booking kind:conflict")
                })?);
            }
        }
        Ok(query)
    }

    fn page(number: u64, query: &DriftQuery, slice: Slice) -> Request {
        let query = DriftQuery {
            order: Some(slice.order),
            limit: Some(slice.limit),
            offset: Some(slice.offset),
            ..query.clone()
        };
        Request::Drift(number, Box::new(query))
    }
}
