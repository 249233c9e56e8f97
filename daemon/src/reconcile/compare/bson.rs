//! The mapped fields of a document in BSON, borrowed from the server's answer.

use std::borrow::Cow;

use bson::{RawArray, RawBsonRef, RawDocument};

use super::page::{Layout, Odd, Raw, Raws};

/// Deeper documents are left to the library.
const DEPTH: u8 = 16;

/// The values of a document, in the order of the layout. Unmapped fields are checked as well: one that is wrong makes
/// the whole document unreadable.
pub fn read<'a>(layout: &Layout, document: &'a RawDocument) -> Result<Raws<'a>, Odd> {
    let mut raws = Raws::default();
    let (mut seen, mut next) = (0u32, 0);
    for element in document {
        let (name, value) = element.map_err(|_| Odd)?;
        let Some(index) = layout.index(name.as_str(), next) else {
            valid(value, DEPTH)?;
            continue;
        };
        next = index + 1;
        if seen & 1 << index != 0 {
            return Err(Odd);
        }
        seen |= 1 << index;
        raws[index] = match value {
            RawBsonRef::Null | RawBsonRef::Undefined => Raw::Null,
            RawBsonRef::String(text) => Raw::Text(Cow::Borrowed(text)),
            RawBsonRef::DateTime(at) => Raw::Time(at.timestamp_millis()),
            RawBsonRef::Int32(number) => Raw::Int(number.into()),
            RawBsonRef::Int64(number) => Raw::Int(number),
            RawBsonRef::Double(number) => Raw::Double(number),
            RawBsonRef::Boolean(yes) => Raw::Bool(yes),
            RawBsonRef::ObjectId(id) => Raw::Id(id.bytes()),
            _ => return Err(Odd),
        };
    }
    Ok(raws)
}

fn valid(value: RawBsonRef<'_>, depth: u8) -> Result<(), Odd> {
    let depth = depth.checked_sub(1).ok_or(Odd)?;
    match value {
        RawBsonRef::Document(document) => whole(document, depth),
        RawBsonRef::Array(array) => elements(array, depth),
        RawBsonRef::JavaScriptCodeWithScope(_) | RawBsonRef::DbPointer(_) => Err(Odd),
        _ => Ok(()),
    }
}

fn whole(document: &RawDocument, depth: u8) -> Result<(), Odd> {
    document.iter().try_for_each(|element| valid(element.map_err(|_| Odd)?.1, depth))
}

fn elements(array: &RawArray, depth: u8) -> Result<(), Odd> {
    array.into_iter().try_for_each(|element| valid(element.map_err(|_| Odd)?, depth))
}
