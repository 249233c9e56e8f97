//! Canonical values from and to both databases. What cannot be understood is a [`Fault`] that says where, what was found
//! and what was expected; never a guess. Every fault of a row is told, not the first only.
//!
//! A document is written in the types it already uses: a double price stays a double, a 32-bit capacity stays 32 bits.

use std::{collections::BTreeMap, fmt};

use astrops_api::{ids, money::Money, vocabulary::UnknownWord};
use bson::{Bson, Document, oid::ObjectId};
use chrono::{DateTime, Utc};
use serde_json::Value as Json;
use uuid::Uuid;

use super::{
    mapping::{Absent, Codec, Field, Mapping},
    number,
    value::{Base, Id, Record, Side, Value},
};

/// Year 1 to year 9999: what both databases hold and RFC 3339 sorts.
pub const TIMES: std::ops::RangeInclusive<i64> = -62_135_596_800_000..=253_402_300_799_999;

/// Something in a row that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place} of the {side} side holds {found}, expected {expected}")]
pub struct Fault {
    /// The canonical field.
    pub field: &'static str,
    /// Where.
    pub side: Side,
    /// The document's field or the column.
    pub place: &'static str,
    /// What is there, clipped.
    pub found: String,
    /// What should be.
    pub expected: String,
}

/// A column's value, free of the engine.
#[derive(Clone, Debug, PartialEq)]
pub enum RelValue {
    /// NULL.
    Null,
    /// TEXT.
    Text(String),
    /// A timestamp.
    Time(DateTime<Utc>),
    /// BIGINT; amounts in minor units.
    Int(i64),
    /// BOOLEAN.
    Bool(bool),
    /// UUID.
    Id(Uuid),
    /// A text that is not what the column is for: an engine lets hands write it, and nobody can read it.
    Odd(String),
}

/// A relational row by column; a column that is missing counts as NULL.
pub type Columns = BTreeMap<&'static str, RelValue>;

/// Rows whose relational id does not embed the document's, both ways.
#[derive(Clone, Debug, Default)]
pub struct Links {
    by_row: BTreeMap<Uuid, Id>,
    by_document: BTreeMap<Id, Uuid>,
}

impl Links {
    /// Remembers that both are one.
    pub fn link(&mut self, document: Id, row: Uuid) {
        self.by_row.insert(row, document);
        self.by_document.insert(document, row);
    }

    /// The document of a row.
    pub fn document(&self, row: Uuid) -> Option<Id> {
        self.by_row.get(&row).copied().or_else(|| ids::extract(row))
    }

    /// The row of a document.
    pub fn row(&self, document: Id) -> Uuid {
        self.by_document.get(&document).copied().unwrap_or_else(|| ids::embed(document))
    }
}

/// Why one value is refused: what was found, what was expected.
type Refused = (String, String);

/// The `_id` of a document.
pub fn document_id(document: &Document) -> Result<Id, Fault> {
    match document.get("_id") {
        Some(Bson::ObjectId(id)) => Ok(id.bytes()),
        other => Err(Fault {
            field: "id",
            side: Side::Document,
            place: "_id",
            found: other.map_or_else(|| "nothing".to_owned(), describe),
            expected: "an ObjectId".to_owned(),
        }),
    }
}

/// What a document says.
pub fn from_document(mapping: &Mapping, document: &Document) -> Result<Record, Vec<Fault>> {
    decode(mapping, Side::Document, |field, path| match document.get(path) {
        None | Some(Bson::Null | Bson::Undefined) => Ok(Value::Null),
        Some(found) => bson_value(field, found),
    })
}

/// What a relational row says.
pub fn from_columns(mapping: &Mapping, columns: &Columns, links: &Links) -> Result<Record, Vec<Fault>> {
    decode(mapping, Side::Relational, |field, column| {
        let value = match columns.get(column) {
            None | Some(RelValue::Null) => Value::Null,
            Some(found) => column_value(field, found, links)?,
        };
        let hidden = field.hidden_by.is_some_and(
            |(column, word)| matches!(columns.get(column), Some(RelValue::Text(text)) if text == word),
        );
        Ok(if hidden { Value::Bool(false) } else { value })
    })
}

fn decode(
    mapping: &Mapping,
    side: Side,
    read: impl Fn(&'static Field, &'static str) -> Result<Value, Refused>,
) -> Result<Record, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut values = Vec::with_capacity(mapping.fields().len());
    for field in mapping.fields() {
        let place = match side {
            Side::Document => field.document,
            Side::Relational => field.relational,
        };
        let Some(place) = place else {
            values.push(Value::Null);
            continue;
        };
        values.push(read(field, place).and_then(|value| checked(field, value)).unwrap_or_else(
            |(found, expected)| {
                faults.push(Fault { field: field.name, side, place, found, expected });
                Value::Null
            },
        ));
    }
    if faults.is_empty() { Ok(Record::new(values)) } else { Err(faults) }
}

/// A value that the API or a stored base wrote with [`Value::to_json`]; says what is expected.
pub fn from_json(field: &'static Field, json: &Json) -> Result<Value, String> {
    let refused = || expected(field);
    let value = match (field.codec, json) {
        (_, Json::Null) => Value::Null,
        (Codec::Text | Codec::Email, Json::String(text)) => Value::Text(text.clone()),
        (Codec::Bool, Json::Bool(yes)) => Value::Bool(*yes),
        (Codec::Int { .. }, Json::Number(number)) => Value::Int(number.as_i64().ok_or_else(refused)?),
        (Codec::Word { read, .. }, Json::String(text)) => {
            Value::Word(read(text).map_err(|error| one_of(&error))?)
        }
        (Codec::Money, Json::Number(number)) => {
            let money = number.as_f64().and_then(|number| Money::of_number(number).ok());
            Value::Money(money.ok_or_else(refused)?.minor())
        }
        (Codec::Time, Json::String(text)) => {
            Value::Time(DateTime::parse_from_rfc3339(text).map_err(|_| refused())?.timestamp_millis())
        }
        (Codec::Id, Json::String(text)) => {
            let id = text.parse::<ids::EntityId>().ok().and_then(|id| ids::extract(id.0));
            Value::Id(id.ok_or_else(refused)?)
        }
        _ => return Err(refused()),
    };
    checked(field, value).map_err(|(_, expected)| expected)
}

/// A base as it is stored: the fields that were agreed on, by name. Null is a value, absent is none.
pub fn base_to_json(mapping: &Mapping, base: &Base) -> Json {
    let agreed = mapping.fields().iter().zip(base.values());
    agreed.filter_map(|(field, value)| Some((field.name.to_owned(), value.as_ref()?.to_json()))).collect()
}

/// A base that was stored. What cannot be read, or is no field any more, counts as never agreed on: that asks more of
/// people and loses nothing.
pub fn base_from_json(mapping: &Mapping, stored: &Json) -> Base {
    let value = |field: &'static Field| from_json(field, stored.get(field.name)?).ok();
    Base::new(mapping.fields().iter().map(value).collect())
}

fn bson_value(field: &'static Field, found: &Bson) -> Result<Value, Refused> {
    let refused = || (describe(found), expected(field));
    Ok(match (field.codec, found) {
        (Codec::Text | Codec::Email, Bson::String(text)) => Value::Text(text.clone()),
        (Codec::Time, Bson::DateTime(time)) => Value::Time(time.timestamp_millis()),
        (Codec::Money, number) => Value::Money(number::minor(number).map_err(|_| refused())?),
        (Codec::Int { .. }, number) => Value::Int(number::whole(number).map_err(|_| refused())?),
        (Codec::Bool, Bson::Boolean(yes)) => Value::Bool(*yes),
        (Codec::Id, Bson::ObjectId(id)) => Value::Id(id.bytes()),
        (Codec::Word { read, .. }, Bson::String(text)) => Value::Word(word(read, text)?),
        _ => return Err(refused()),
    })
}

fn column_value(field: &'static Field, found: &RelValue, links: &Links) -> Result<Value, Refused> {
    Ok(match (field.codec, found) {
        (Codec::Text | Codec::Email, RelValue::Text(text)) => Value::Text(text.clone()),
        (Codec::Time, RelValue::Time(time)) => Value::Time(time.timestamp_millis()),
        (Codec::Money, RelValue::Int(minor)) => Value::Money(*minor),
        (Codec::Int { .. }, RelValue::Int(number)) => Value::Int(*number),
        (Codec::Bool, RelValue::Bool(yes)) => Value::Bool(*yes),
        (Codec::Word { read, .. }, RelValue::Text(text)) => Value::Word(word(read, text)?),
        (Codec::Id, RelValue::Id(row)) => Value::Id(links.document(*row).ok_or_else(|| {
            (format!("the id {row}"), "an id that embeds a document's, or a row linked to one".to_owned())
        })?),
        _ => return Err((found.to_string(), expected(field))),
    })
}

/// The rules that hold on either side.
fn checked(field: &Field, value: Value) -> Result<Value, Refused> {
    let value = match (field.codec, value) {
        (_, Value::Text(text)) if text.trim().is_empty() => Value::Null,
        (_, Value::Text(text)) if text.contains('\0') => {
            return Err(("a text with a zero character".to_owned(), "a text without one".to_owned()));
        }
        (_, Value::Text(text)) if text.len() > field.most => {
            return Err((format!("a text of {} bytes", text.len()), format!("at most {} bytes", field.most)));
        }
        (Codec::Email, Value::Text(text)) => Value::Text(text.trim().to_lowercase()),
        (_, value) => value,
    };
    let is_wrong = match (field.codec, &value) {
        (_, Value::Time(at)) => !TIMES.contains(at),
        (_, Value::Money(minor)) => Money::of_minor(*minor).is_none(),
        (Codec::Int { least, most }, Value::Int(number)) => !(least..=most).contains(number),
        _ => false,
    };
    match (value, field.absent) {
        (value, _) if is_wrong => Err((value.to_string(), expected(field))),
        (Value::Null, Absent::Refused) => Err(("nothing".to_owned(), expected(field))),
        (Value::Null, Absent::True) => Ok(Value::Bool(true)),
        (value, _) => Ok(value),
    }
}

/// A field as the document should hold it, in the type of what it holds now. A null is written as one.
pub fn to_bson(value: &Value, like: Option<&Bson>) -> Bson {
    match value {
        Value::Null => Bson::Null,
        Value::Text(text) => Bson::String(text.clone()),
        Value::Time(at) => Bson::DateTime(bson::DateTime::from_millis(*at)),
        Value::Money(minor) => number::write_minor(*minor, like),
        Value::Int(number) => number::write_whole(*number, like),
        Value::Bool(yes) => Bson::Boolean(*yes),
        Value::Id(id) => Bson::ObjectId(ObjectId::from_bytes(*id)),
        Value::Word(word) => Bson::String((*word).to_owned()),
    }
}

/// A field as the column should hold it. A time that is out of range, which no decoded value is, is NULL.
pub fn to_column(field: &Field, value: &Value, links: &Links) -> RelValue {
    match value {
        Value::Null => RelValue::Null,
        Value::Text(text) => RelValue::Text(text.clone()),
        Value::Time(at) => DateTime::from_timestamp_millis(*at).map_or(RelValue::Null, RelValue::Time),
        Value::Money(number) | Value::Int(number) => RelValue::Int(*number),
        Value::Bool(yes) => RelValue::Bool(*yes),
        Value::Id(id) => RelValue::Id(links.row(*id)),
        Value::Word(word) => RelValue::Text(match field.codec {
            Codec::Word { relational, .. } => relational(word).to_owned(),
            _ => (*word).to_owned(),
        }),
    }
}

fn word(read: fn(&str) -> Result<&'static str, UnknownWord>, text: &str) -> Result<&'static str, Refused> {
    read(text).map_err(|error| (quoted(text), one_of(&error)))
}

fn one_of(error: &UnknownWord) -> String {
    format!("one of: {}", error.allowed)
}

fn expected(field: &Field) -> String {
    match field.codec {
        Codec::Text => "a text",
        Codec::Email => "an e-mail address",
        Codec::Time => "a date from year 1 to 9999",
        Codec::Money => "an amount from 0 to 10000000000 with at most two decimals",
        Codec::Int { least: i64::MIN, .. } => "a whole number",
        Codec::Int { least, most } => return format!("a whole number from {least} to {most}"),
        Codec::Bool => "true or false",
        Codec::Id => "an id",
        Codec::Word { .. } => "a word",
    }
    .to_owned()
}

/// What a BSON value is, for people: its type, and the value where it is short and no text of a person.
fn describe(found: &Bson) -> String {
    match found {
        Bson::Double(number) => format!("the number {number}"),
        Bson::Int32(number) => format!("the number {number}"),
        Bson::Int64(number) => format!("the number {number}"),
        Bson::Decimal128(number) => format!("the decimal {number}"),
        Bson::Boolean(yes) => format!("{yes}"),
        Bson::String(text) => format!("the text {}", quoted(text)),
        Bson::DateTime(time) => Value::Time(time.timestamp_millis()).to_string(),
        Bson::ObjectId(id) => format!("the id {id}"),
        other => format!("a value of type {:?}", other.element_type()),
    }
}

fn quoted(text: &str) -> String {
    let clipped: String = text.chars().take(40).collect();
    let more = if clipped.len() < text.len() { ".." } else { "" };
    format!("{clipped:?}{more}")
}

impl fmt::Display for RelValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("nothing"),
            Self::Text(text) | Self::Odd(text) => f.write_str(&quoted(text)),
            Self::Time(time) => write!(f, "the time {time}"),
            Self::Int(number) => write!(f, "the number {number}"),
            Self::Bool(yes) => write!(f, "{yes}"),
            Self::Id(id) => write!(f, "the id {id}"),
        }
    }
}
