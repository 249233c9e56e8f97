//! How values, entities and decisions are called on the screen.

use astrops_api::{
    ids::EntityId,
    reconciliation::{EntityMapping, FieldChange, Mappings},
    resolution::{Choice, Resolution},
    vocabulary::EntityType,
};
use chrono::{DateTime, Datelike, Timelike, Utc};
use serde_json::Value;
use uuid::Uuid;

pub use crate::screens::entities::shown;
use crate::{screens::entities::Lines, theme::Look};

/// An entity, and the conflict that it waits in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Its kind.
    pub kind: EntityType,
    /// It.
    pub id: EntityId,
    /// What waits for a person, when something does.
    pub conflict: Option<Uuid>,
}

impl Subject {
    /// `booking 0000002a`.
    pub fn name(&self) -> String {
        name(self.kind, self.id)
    }
}

/// `booking 0000002a`.
pub fn name(kind: EntityType, id: EntityId) -> String {
    format!("{kind} {}", id.short())
}

/// The last eight digits of what has no type of its own.
pub fn short(id: Uuid) -> String {
    let whole = id.simple().to_string();
    whole[whole.len() - 8..].to_owned()
}

/// A value in a narrow column: a time without what goes without saying.
pub fn brief(value: &Value, now: DateTime<Utc>) -> String {
    let time = value.as_str().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
    let Some(at) = time.map(|at| at.with_timezone(&Utc)) else { return shown(value) };
    let year = if at.year() == now.year() { "" } else { "%Y-" };
    let seconds = if at.second() == 0 { "" } else { ":%S" };
    at.format(&format!("{year}%m-%d %H:%M{seconds}")).to_string()
}

/// What was typed as a value of the same type as `like`; `none` for no value. An error says what would be one.
pub fn typed(text: &str, like: &[&Value]) -> Result<Value, String> {
    let held = like.iter().copied().find(|value| !value.is_null());
    let read = serde_json::from_str::<Value>(text);
    let is_time = |text: &str| DateTime::parse_from_rfc3339(text).is_ok();
    match held {
        _ if text == "none" => Ok(Value::Null),
        Some(Value::String(known)) if is_time(known) && !is_time(text) => {
            Err(format!("{text:?} is not a time: write it like {known}, or none"))
        }
        Some(Value::String(_)) => Ok(Value::String(text.to_owned())),
        Some(known @ (Value::Number(_) | Value::Bool(_))) => {
            let kind = if known.is_number() { "a number" } else { "true or false" };
            let fits = |value: &Value| {
                value.is_number() == known.is_number() && value.is_boolean() == known.is_boolean()
            };
            read.ok()
                .filter(fits)
                .ok_or_else(|| format!("{text:?} is not {kind}: write one like {known}, or none"))
        }
        // What else does not fit is told by the daemon, which knows the field.
        _ => Ok(read.unwrap_or_else(|_| Value::String(text.to_owned()))),
    }
}

/// A choice in a word.
pub fn choice(choice: &Choice) -> String {
    match choice {
        Choice::Document => "document".to_owned(),
        Choice::Relational => "relational".to_owned(),
        Choice::Base => "base".to_owned(),
        Choice::Value(value) => format!("= {}", shown(value)),
    }
}

/// What the mapping says of one kind of entity.
pub fn mapping(mappings: Option<&Mappings>, kind: EntityType) -> Option<&EntityMapping> {
    mappings?.entities.iter().find(|entity| entity.entity_type == kind)
}

/// Where a field is on `side`: `launches.price`, `events.price`; its name while the mapping is not known.
pub fn place(mapping: Option<&EntityMapping>, side: &str, field: &str) -> String {
    let known = mapping.and_then(|entity| {
        let row = entity.fields.iter().find(|row| row.field == field)?;
        let (holder, path) = match side {
            "document" => (&entity.collection, row.document.as_ref()?),
            _ => (&entity.table, row.relational.as_ref()?),
        };
        Some(format!("{holder}.{path}"))
    });
    known.unwrap_or_else(|| field.to_owned())
}

/// One written field: `relational launches.price: 480 -> 360 (decision)`.
pub fn written(change: &FieldChange, mapping: Option<&EntityMapping>) -> String {
    let before = if change.written == "document" { &change.document } else { &change.relational };
    let discards = if change.overridden { ", discards what was set there" } else { "" };
    format!(
        "{} {}: {} -> {} ({}{discards})",
        change.written,
        place(mapping, &change.written, &change.field),
        shown(before),
        shown(&change.after),
        change.rule,
    )
}

/// Exactly what a decision writes, and what waits even then.
pub fn resolution(resolution: &Resolution, mapping: Option<&EntityMapping>, look: &Look) -> Lines {
    let mut lines = vec![(format!("W writes: {}", resolution.changes_log), look.title)];
    if resolution.changes.is_empty() {
        lines.push(("  no field of either side".to_owned(), look.dim));
    }
    lines.extend(
        resolution.changes.iter().map(|change| (format!("  {}", written(change, mapping)), look.active)),
    );
    lines.extend(
        resolution
            .conflicts
            .iter()
            .map(|left| (format!("  still waits: {}: {}", left.topic, left.reason), look.warning)),
    );
    lines
}
