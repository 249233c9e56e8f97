//! Comparing ranges of rows without reading them field by field.
//!
//! Each row has canonical bytes, the bytes a keyed 128-bit hash, and a range the count of its rows and the **sum** of
//! their hashes modulo 2^128. A row is added and taken away in constant time, in any order. Never the exclusive or: with
//! it a row that is there twice vanishes, and a known product called divergent nodes identical that way. The key is the
//! installation's, so nobody who writes rows can aim at a sum.
//!
//! Limits: two ranges that differ have equal digests with a chance of 2^-128. Only fields that both sides have and
//! nobody ignores are covered, so digests of mappings with other authorities do not compare.

use ring::hmac;

use super::{
    mapping::Mapping,
    value::{Id, Record, Value},
};

/// Of the canonical bytes and of the sum. Digests of another version never compare as equal: raise it whenever a
/// mapping gains, loses or moves a field.
pub const VERSION: u16 = 1;

/// Makes hashes of rows.
pub struct Hasher(hmac::Key);

impl Hasher {
    /// With the installation's secret key.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The first 128 bits of the keyed hash of a row's canonical bytes.
    pub fn row(&self, mapping: &Mapping, id: &Id, record: &Record) -> u128 {
        let tag = hmac::sign(&self.0, &bytes(mapping, id, record));
        tag.as_ref().iter().take(16).fold(0, |hash, &byte| hash << 8 | u128::from(byte))
    }
}

/// A row as bytes: equal exactly when id and compared fields are equal. Each value has its place, its kind and its
/// length before it, so no two rows run into the same bytes.
pub fn bytes(mapping: &Mapping, id: &Id, record: &Record) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    out.extend(VERSION.to_be_bytes());
    put(&mut out, 0, 0, mapping.entity.as_str().as_bytes());
    put(&mut out, 0, 0, id);
    for index in mapping.compared() {
        let place = u8::try_from(index).unwrap_or(u8::MAX);
        match record.at(index) {
            Value::Null => put(&mut out, place, 1, &[]),
            Value::Text(text) => put(&mut out, place, 2, text.as_bytes()),
            Value::Time(at) => put(&mut out, place, 3, &at.to_be_bytes()),
            Value::Money(minor) => put(&mut out, place, 4, &minor.to_be_bytes()),
            Value::Int(number) => put(&mut out, place, 5, &number.to_be_bytes()),
            Value::Bool(yes) => put(&mut out, place, 6, &[u8::from(*yes)]),
            Value::Id(id) => put(&mut out, place, 7, id),
            Value::Word(word) => put(&mut out, place, 8, word.as_bytes()),
        }
    }
    out
}

fn put(out: &mut Vec<u8>, place: u8, kind: u8, payload: &[u8]) {
    out.extend([place, kind]);
    out.extend((payload.len() as u64).to_be_bytes());
    out.extend(payload);
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
