//! A page of one side: ids in ascending order, and each row's compared fields as canonical bytes in one flat buffer.
//!
//! The bytes are those of [`digest::fields`]. [`Layout::write`] makes them of borrowed values without building a record,
//! and must never make equal bytes of rows that the codec holds apart. So it follows the codec's rules where they are
//! plain, calls the same functions where they are not, and gives up ([`Odd`]) on whatever it does not know for sure: the
//! codec itself decodes such a row.

use std::borrow::Cow;

use astrops_api::money::Money;
use uuid::Uuid;

use crate::reconcile::{
    core::{
        codec::TIMES,
        digest::{self, Payload},
        mapping::{Absent, Codec, Field, Mapping},
        number,
        value::{Id, Record, Side},
    },
    seats,
};

/// Where no field stands: a row that nobody can read begins with it and so equals none that can be read.
const UNREADABLE: u8 = u8::MAX;

/// Rows of one side.
#[derive(Default)]
pub struct Page {
    /// Ascending by id.
    pub rows: Vec<Row>,
    bytes: Vec<u8>,
    /// Everything up to this key was read, whether it is among the rows or not; `None`: to the end.
    pub through: Option<Uuid>,
    /// Relational rows whose id carries no document's.
    pub foreign: u64,
    /// How many bytes the engine gave.
    pub raw: usize,
}

/// Where a row's bytes are.
#[derive(Clone, Copy)]
pub struct Row {
    /// Its id.
    pub id: Id,
    /// Of a launch: the seats that are left by its counter. It is no field: the sides count differently.
    pub left: Option<i64>,
    start: u32,
    end: u32,
}

impl Page {
    /// The canonical bytes of a row.
    pub fn bytes(&self, row: Row) -> &[u8] {
        self.bytes.get(row.start as usize..row.end as usize).unwrap_or_default()
    }

    /// How many canonical bytes there are.
    pub const fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Whether a row could be read.
    pub fn is_readable(&self, row: Row) -> bool {
        self.bytes(row).first() != Some(&UNREADABLE)
    }

    /// Adds a row; `write` appends its bytes and answers the seats that are left. When it gives up the row has neither.
    pub fn push(
        &mut self,
        id: Id,
        write: impl FnOnce(&mut Vec<u8>) -> Result<Option<i64>, Odd>,
    ) -> Result<(), Odd> {
        let start = self.bytes.len();
        let done = write(&mut self.bytes);
        if done.is_err() {
            self.bytes.truncate(start);
        }
        let left = done.as_ref().ok().copied().flatten();
        self.rows.push(Row { id, left, start: offset(start), end: offset(self.bytes.len()) });
        done.map(drop)
    }

    /// Gives a row that was pushed what the codec says of it; nothing: it cannot be read.
    pub fn put(&mut self, index: usize, mapping: &Mapping, side: Side, said: Option<&Record>) {
        let start = self.bytes.len();
        match said {
            Some(record) => digest::fields(mapping, record, &mut self.bytes),
            None => self.bytes.extend([UNREADABLE, side as u8]),
        }
        if let Some(row) = self.rows.get_mut(index) {
            (row.start, row.end) = (offset(start), offset(self.bytes.len()));
            row.left = said.and_then(|record| seats::left(mapping, side, record));
        }
    }
}

/// Pages are a few mebibytes; what lies beyond four gibibytes would have no bytes and be looked at by itself.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// A row that only the codec understands.
#[derive(Debug, PartialEq, Eq)]
pub struct Odd;

/// What stands in a field, as the engine says it.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Raw<'a> {
    /// Nothing, or null.
    #[default]
    Null,
    /// A text.
    Text(Cow<'a, str>),
    /// Milliseconds since 1970.
    Time(i64),
    /// A whole number; an amount in minor units where the side keeps it so.
    Int(i64),
    /// A double.
    Double(f64),
    /// Yes or no.
    Bool(bool),
    /// A reference that carries a document's id.
    Id(Id),
}

/// How many values a row has at most.
pub const MOST: usize = 16;
/// The values of a row, as a [`Layout`] orders them.
pub type Raws<'a> = [Raw<'a>; MOST];

/// The fields of one side that must be read, in the order of the mapping.
pub struct Layout {
    side: Side,
    places: Vec<Place>,
    /// What is read: the fields, then the columns that hide one.
    names: Vec<(&'static str, Codec)>,
}

struct Place {
    field: &'static Field,
    /// Where it is compared.
    compared: Option<u8>,
    /// How it counts among the seats that are left.
    weight: i64,
    /// The value that hides it, and the word with which it does.
    hidden_by: Option<(usize, &'static str)>,
}

impl Layout {
    /// Every field of a side is read, compared or not: it can make the row unreadable, or counts.
    pub fn new(mapping: &Mapping, side: Side) -> Self {
        let of = |field: &'static Field| match side {
            Side::Document => field.document,
            Side::Relational => field.relational,
        };
        let (mut places, mut names, mut hiding) = (Vec::new(), Vec::new(), Vec::new());
        for (index, field) in mapping.fields().iter().enumerate() {
            let Some(name) = of(field) else { continue };
            let compared = mapping.is_compared(index).then(|| u8::try_from(index).unwrap_or(u8::MAX));
            places.push(Place { field, compared, weight: seats::weight(side, field.name), hidden_by: None });
            names.push((name, field.codec));
            hiding.push(field.hidden_by.filter(|_| side == Side::Relational));
        }
        for (place, hidden_by) in places.iter_mut().zip(hiding) {
            place.hidden_by = hidden_by.map(|(column, word)| {
                names.push((column, Codec::Text));
                (names.len() - 1, word)
            });
        }
        assert!(names.len() <= MOST, "a mapping has more fields than a row of raw values");
        Self { side, places, names }
    }

    /// What is read, in the order of the values of [`Layout::write`].
    pub fn names(&self) -> &[(&'static str, Codec)] {
        &self.names
    }

    /// Where a field of a document belongs; documents keep their fields in about one order, so `guess` is often right.
    pub fn index(&self, name: &str, guess: usize) -> Option<usize> {
        let is = |index: usize| self.names.get(index).is_some_and(|(other, _)| *other == name);
        if is(guess) { Some(guess) } else { (0..self.names.len()).find(|&index| is(index)) }
    }

    /// Appends the canonical bytes of a row, and answers the seats that are left by its counter.
    pub fn write(&self, raws: &Raws<'_>, out: &mut Vec<u8>) -> Result<Option<i64>, Odd> {
        let mut left = Some(0);
        for (place, raw) in self.places.iter().zip(raws) {
            let payload = match place.hidden_by {
                Some((by, word)) if matches!(&raws[by], Raw::Text(text) if text == word) => match raw {
                    Raw::Null | Raw::Bool(_) => Payload::Bool(false),
                    _ => return Err(Odd),
                },
                _ => canonical(place.field, raw, self.side)?,
            };
            if place.weight != 0 {
                let number = if let Payload::Int(number) = payload { Some(number) } else { None };
                left = seats::add(left, place.weight, number);
            }
            if let Some(at) = place.compared {
                digest::put(out, at, payload);
            }
        }
        Ok(left)
    }
}

/// The value that the codec makes of it too, or [`Odd`].
fn canonical<'a>(field: &Field, raw: &'a Raw<'_>, side: Side) -> Result<Payload<'a>, Odd> {
    let payload = match (field.codec, raw) {
        (_, Raw::Null) => Payload::Null,
        (Codec::Text, Raw::Text(text)) if text.trim().is_empty() => Payload::Null,
        (Codec::Text | Codec::Email, Raw::Text(text)) if text.len() > field.most => return Err(Odd),
        (Codec::Text, Raw::Text(text)) if memchr::memchr(0, text.as_bytes()).is_none() => Payload::Text(text),
        (Codec::Email, Raw::Text(text)) if is_plain_email(text) => Payload::Text(text),
        (Codec::Time, Raw::Time(at)) if TIMES.contains(at) => Payload::Time(*at),
        (Codec::Money, Raw::Int(number)) => {
            let factor = if side == Side::Document { 100 } else { 1 };
            money(number.checked_mul(factor).ok_or(Odd)?)?
        }
        (Codec::Money, Raw::Double(number)) => money(number::minor_double(*number).map_err(|_| Odd)?)?,
        (Codec::Int { least, most }, Raw::Int(number)) if (least..=most).contains(number) => {
            Payload::Int(*number)
        }
        (Codec::Int { least, most }, Raw::Double(number)) => {
            let number = number::whole_double(*number).map_err(|_| Odd)?;
            if !(least..=most).contains(&number) {
                return Err(Odd);
            }
            Payload::Int(number)
        }
        (Codec::Bool, Raw::Bool(yes)) => Payload::Bool(*yes),
        (Codec::Id, Raw::Id(id)) => Payload::Id(*id),
        (Codec::Word { read, .. }, Raw::Text(text)) => Payload::Word(read(text).map_err(|_| Odd)?),
        _ => return Err(Odd),
    };
    match (payload, field.absent) {
        (Payload::Null, Absent::Refused) => Err(Odd),
        (Payload::Null, Absent::True) => Ok(Payload::Bool(true)),
        (payload, _) => Ok(payload),
    }
}

fn money(minor: i64) -> Result<Payload<'static>, Odd> {
    Money::of_minor(minor).map(|_| Payload::Money(minor)).ok_or(Odd)
}

/// In lower case, with nothing to trim and not blank.
fn is_plain_email(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase())
}
