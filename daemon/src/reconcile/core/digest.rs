//! Comparing ranges of rows without reading them field by field.
//!
//! Each row has canonical bytes, the bytes a keyed 128-bit hash, and a range the count of its rows and the **sum** of
//! their hashes modulo 2^128. A row is added and taken away in constant time, in any order. Never the exclusive or: with
//! it a row that is there twice vanishes, and a known product called divergent nodes identical that way. The key is the
//! installation's, so nobody who writes rows can aim at a sum.
//!
//! Limits: two ranges that differ have equal digests with a chance of 2^-128. Only fields that both sides have and
//! nobody ignores are covered, so digests of mappings with other authorities do not compare.

use astrops_api::vocabulary::EntityType;
use ring::hmac;

use super::{
    mapping::Mapping,
    value::{Id, Record, Value},
};

/// Of the canonical bytes and of the sum. Digests of another version never compare as equal: raise it whenever a
/// mapping gains, loses or moves a field.
pub const VERSION: u16 = 2;

/// Makes hashes of rows.
pub struct Hasher(hmac::Key);

impl Hasher {
    /// With the installation's secret key.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The first 128 bits of the keyed hash of a row's canonical bytes.
    pub fn row(&self, mapping: &Mapping, id: &Id, record: &Record) -> u128 {
        let mut out = Vec::with_capacity(256);
        fields(mapping, record, &mut out);
        self.fields(mapping, id, &out)
    }

    /// The same of a row whose [`fields`] are at hand.
    pub fn fields(&self, mapping: &Mapping, id: &Id, fields: &[u8]) -> u128 {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(&header(mapping, id));
        context.update(fields);
        let tag = context.sign();
        tag.as_ref().iter().take(16).fold(0, |hash, &byte| hash << 8 | u128::from(byte))
    }
}

/// What is hashed of a row: equal exactly when entity, id and compared fields are equal. Each value has its place, its
/// kind and its length before it, so no two rows run into the same bytes.
#[cfg(test)]
pub fn bytes(mapping: &Mapping, id: &Id, record: &Record) -> Vec<u8> {
    let mut out = header(mapping, id).to_vec();
    fields(mapping, record, &mut out);
    out
}

/// Version, entity and id.
fn header(mapping: &Mapping, id: &Id) -> [u8; 15] {
    let mut out = [0; 15];
    out[..2].copy_from_slice(&VERSION.to_be_bytes());
    out[2] = match mapping.entity {
        EntityType::Launch => 1,
        EntityType::Booking => 2,
        EntityType::User => 3,
    };
    out[3..].copy_from_slice(id);
    out
}

/// Appends the compared fields of a row: equal exactly when they are equal.
pub fn fields(mapping: &Mapping, record: &Record, out: &mut Vec<u8>) {
    for index in mapping.compared() {
        let place = u8::try_from(index).unwrap_or(u8::MAX);
        put(out, place, Payload::from(record.at(index)));
    }
}

/// A canonical value, borrowed: what [`put`] writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload<'a> {
    /// Nothing.
    Null,
    /// A text.
    Text(&'a str),
    /// Milliseconds since 1970.
    Time(i64),
    /// Minor units.
    Money(i64),
    /// A whole number.
    Int(i64),
    /// Yes or no.
    Bool(bool),
    /// A reference.
    Id(Id),
    /// A word of a closed vocabulary.
    Word(&'static str),
}

impl<'a> From<&'a Value> for Payload<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Text(text) => Self::Text(text),
            Value::Time(at) => Self::Time(*at),
            Value::Money(minor) => Self::Money(*minor),
            Value::Int(number) => Self::Int(*number),
            Value::Bool(yes) => Self::Bool(*yes),
            Value::Id(id) => Self::Id(*id),
            Value::Word(word) => Self::Word(word),
        }
    }
}

/// Appends one value.
pub fn put(out: &mut Vec<u8>, place: u8, payload: Payload<'_>) {
    let mut write = |kind: u8, bytes: &[u8]| {
        // No text of a database is that long.
        let [a, b, c, d] = u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes();
        out.extend_from_slice(&[place, kind, a, b, c, d]);
        out.extend_from_slice(bytes);
    };
    match payload {
        Payload::Null => write(1, &[]),
        Payload::Text(text) => write(2, text.as_bytes()),
        Payload::Time(at) => write(3, &at.to_be_bytes()),
        Payload::Money(minor) => write(4, &minor.to_be_bytes()),
        Payload::Int(number) => write(5, &number.to_be_bytes()),
        Payload::Bool(yes) => write(6, &[u8::from(yes)]),
        Payload::Id(id) => write(7, &id),
        Payload::Word(word) => write(8, word.as_bytes()),
    }
}

/// The rows of a range, in short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest {
    /// [`VERSION`] when it was made.
    pub version: u16,
    /// How many rows.
    pub count: u64,
    /// The sum of their hashes modulo 2^128.
    pub sum: u128,
}

impl Default for Digest {
    fn default() -> Self {
        Self { version: VERSION, count: 0, sum: 0 }
    }
}

impl Digest {
    /// A row came.
    pub const fn add(&mut self, row: u128) {
        self.count = self.count.wrapping_add(1);
        self.sum = self.sum.wrapping_add(row);
    }

    /// A row went.
    pub const fn remove(&mut self, row: u128) {
        self.count = self.count.wrapping_sub(1);
        self.sum = self.sum.wrapping_sub(row);
    }

    /// Of this range and another that does not overlap; `None` when they were made by different versions.
    #[must_use]
    pub const fn join(self, other: Self) -> Option<Self> {
        if self.version != other.version {
            return None;
        }
        let count = self.count.wrapping_add(other.count);
        Some(Self { version: self.version, count, sum: self.sum.wrapping_add(other.sum) })
    }
}

impl Extend<u128> for Digest {
    fn extend<T: IntoIterator<Item = u128>>(&mut self, rows: T) {
        rows.into_iter().for_each(|row| self.add(row));
    }
}

/// A half-open range of ids: from the first on, up to and without the end; to the last id when there is no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The first id.
    pub from: Id,
    /// Behind the last id.
    pub end: Option<Id>,
}

impl Segment {
    /// Every id.
    pub const ALL: Self = Self { from: [0; 12], end: None };

    /// Whether an id lies in it.
    pub fn contains(&self, id: &Id) -> bool {
        *id >= self.from && self.end.is_none_or(|end| *id < end)
    }

    /// Two that touch and do not overlap; `None` when `at` is not inside.
    pub fn split(self, at: Id) -> Option<(Self, Self)> {
        let inside = at > self.from && self.contains(&at);
        inside.then_some((Self { end: Some(at), ..self }, Self { from: at, ..self }))
    }
}
