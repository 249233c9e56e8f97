//! Canonical values, and the records made of them. Values are compared, never their renderings: a double 19.99 and a
//! decimal 19.990 are both 1999 minor units.

use std::{cmp::Ordering, fmt};

use astrops_api::money::Money;
use chrono::{DateTime, SecondsFormat};
use serde_json::{Value as Json, json};

/// The twelve bytes of an `ObjectId`; relational ids embed them.
pub type Id = [u8; 12];

/// What a field holds, on either side, free of how that side writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Value {
    /// Missing, null, or a text of nothing but spaces.
    #[default]
    Null,
    /// As written; an e-mail address trimmed and in lower case.
    Text(String),
    /// UTC, milliseconds since 1970.
    Time(i64),
    /// Minor units, 0 or more.
    Money(i64),
    /// A whole number.
    Int(i64),
    /// Yes or no.
    Bool(bool),
    /// A reference to another row.
    Id(Id),
    /// A word of a closed vocabulary, in its one spelling.
    Word(&'static str),
}

impl Value {
    /// Whether there is nothing to lose by overwriting it.
    pub const fn is_blank(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The milliseconds of a time.
    pub const fn time(&self) -> Option<i64> {
        if let Self::Time(at) = self { Some(*at) } else { None }
    }

    /// The whole number.
    pub const fn int(&self) -> Option<i64> {
        if let Self::Int(number) = self { Some(*number) } else { None }
    }

    /// The word.
    pub const fn word(&self) -> Option<&'static str> {
        if let Self::Word(word) = self { Some(word) } else { None }
    }

    /// As the API shows it and a stored base keeps it; [`super::codec::from_json`] reads it again.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Text(text) => json!(text),
            Self::Word(word) => json!(word),
            Self::Int(number) => json!(number),
            Self::Bool(yes) => json!(yes),
            Self::Id(id) => json!(hex(id)),
            Self::Money(minor) => Money::of_minor(*minor).map_or(Json::Null, |money| json!(money)),
            Self::Time(at) => DateTime::from_timestamp_millis(*at)
                .map_or(Json::Null, |time| json!(time.to_rfc3339_opts(SecondsFormat::Millis, true))),
        }
    }
}

/// As people read it, on one line.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("nothing"),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Money(minor) => write!(f, "{}.{:02}", minor / 100, minor % 100),
            Self::Word(word) => f.write_str(word),
            Self::Id(id) => f.write_str(&hex(id)),
            Self::Int(number) => number.fmt(f),
            Self::Bool(yes) => yes.fmt(f),
            Self::Time(at) => match DateTime::from_timestamp_millis(*at) {
                Some(time) => f.write_str(&time.to_rfc3339_opts(SecondsFormat::Millis, true)),
                None => at.fmt(f),
            },
        }
    }
}

/// The 24 hexadecimal digits of an id.
pub fn hex(id: &Id) -> String {
    use fmt::Write as _;
    id.iter().fold(String::with_capacity(24), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// One side's fields, in the order of the entity's mapping. A field that the side does not have is `Null`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Record(Box<[Value]>);

impl Record {
    /// Of exactly as many values as the mapping has fields.
    pub fn new(values: Vec<Value>) -> Self {
        Self(values.into())
    }

    /// The value at a place of the mapping.
    pub fn at(&self, index: usize) -> &Value {
        self.0.get(index).unwrap_or(&Value::Null)
    }

    /// The same with another value at one place.
    #[must_use]
    pub fn with(mut self, index: usize, value: Value) -> Self {
        if let Some(place) = self.0.get_mut(index) {
            *place = value;
        }
        self
    }

    /// All of them.
    pub fn values(&self) -> &[Value] {
        &self.0
    }
}

/// What both sides were last seen to hold, in the order of the mapping. `None`: they never agreed on that field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Base(Vec<Option<Value>>);

impl Base {
    /// In the order of the mapping; what is missing at the end was never agreed on.
    pub fn new(values: Vec<Option<Value>>) -> Self {
        Self(values)
    }

    /// What was agreed on at a place of the mapping.
    pub fn at(&self, index: usize) -> Option<&Value> {
        self.0.get(index).and_then(Option::as_ref)
    }

    /// All of them.
    pub fn values(&self) -> &[Option<Value>] {
        &self.0
    }
}

/// One of the two databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// The customer documents.
    Document,
    /// The relational database.
    Relational,
}

impl Side {
    /// The one across.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Document => Self::Relational,
            Self::Relational => Self::Document,
        }
    }

    /// As the change log says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Document => "document",
            Self::Relational => "relational",
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One thing per side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Pair<T> {
    /// The customer documents'.
    pub document: T,
    /// The relational database's.
    pub relational: T,
}

impl<T> Pair<T> {
    /// That side's.
    pub const fn of(&self, side: Side) -> &T {
        match side {
            Side::Document => &self.document,
            Side::Relational => &self.relational,
        }
    }

    /// That side's, to change.
    pub const fn of_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Document => &mut self.document,
            Side::Relational => &mut self.relational,
        }
    }
}

impl Pair<i64> {
    /// The side that is ahead by more than `threshold`.
    pub fn ahead(self, threshold: i64) -> Option<Side> {
        match self.document.saturating_sub(self.relational) {
            lead if lead.saturating_abs() <= threshold => None,
            lead if lead.cmp(&0) == Ordering::Greater => Some(Side::Document),
            _ => Some(Side::Relational),
        }
    }
}
