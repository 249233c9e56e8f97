//! The mapped fields of a document in extended JSON, borrowed from its text.
//!
//! Understands what we and `mongoexport` write and gives up on anything else: blanks between tokens, the canonical form
//! of numbers, a field that is there twice, a name with an escape or a `$`. What it accepts the library accepts too, and
//! reads alike: unmapped fields are checked as well, because one that is wrong makes the whole document unreadable.

use std::borrow::Cow;

use super::{
    page::{Layout, Odd, Raw, Raws},
    time,
};
use crate::reconcile::core::value::Id;

/// Deeper documents are left to the library.
const DEPTH: u8 = 16;

/// The values of a document, in the order of the layout.
pub fn read<'a>(layout: &Layout, id: &Id, text: &'a [u8]) -> Result<Raws<'a>, Odd> {
    let text = std::str::from_utf8(text).map_err(|_| Odd)?;
    let mut scan = Scan { text, bytes: text.as_bytes(), at: 0 };
    scan.document(layout, id).filter(|_| scan.at == text.len()).ok_or(Odd)
}

struct Scan<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    fn document(&mut self, layout: &Layout, id: &Id) -> Option<Raws<'a>> {
        let mut raws = Raws::default();
        let (mut seen, mut next, mut with_id) = (0u32, 0, false);
        self.take(b'{')?;
        if self.take(b'}').is_some() {
            return Some(raws);
        }
        loop {
            let name = self.name()?;
            if let Some(index) = layout.index(name, next) {
                next = index + 1;
                if seen & 1 << index != 0 {
                    return None;
                }
                seen |= 1 << index;
                raws[index] = self.value()?;
            } else if name == "_id" {
                if with_id || self.value()? != Raw::Id(*id) {
                    return None;
                }
                with_id = true;
            } else {
                self.skip(0)?;
            }
            match self.byte()? {
                b',' => {}
                b'}' => return Some(raws),
                _ => return None,
            }
        }
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn take(&mut self, wanted: u8) -> Option<()> {
        (self.bytes.get(self.at) == Some(&wanted)).then(|| self.at += 1)
    }

    fn word(&mut self, wanted: &str) -> Option<()> {
        self.bytes.get(self.at..)?.starts_with(wanted.as_bytes()).then(|| self.at += wanted.len())
    }

    /// A name and its colon.
    fn name(&mut self) -> Option<&'a str> {
        let Cow::Borrowed(name) = self.string()? else { return None };
        self.take(b':')?;
        (!name.starts_with('$')).then_some(name)
    }

    fn string(&mut self) -> Option<Cow<'a, str>> {
        self.take(b'"')?;
        let start = self.at;
        self.at += plain(self.bytes.get(self.at..)?);
        match self.byte()? {
            b'"' => return Some(Cow::Borrowed(&self.text[start..self.at - 1])),
            b'\\' => {}
            // A control character, which JSON must escape.
            _ => return None,
        }
        // The library knows the escapes; here only where they end.
        self.at += 1;
        loop {
            self.at += plain(self.bytes.get(self.at..)?);
            match self.byte()? {
                b'"' => break,
                b'\\' => self.at += 1,
                _ => return None,
            }
        }
        serde_json::from_str(&self.text[start - 1..self.at]).ok().map(Cow::Owned)
    }

    /// The value of a mapped field.
    fn value(&mut self) -> Option<Raw<'a>> {
        match self.bytes.get(self.at)? {
            b'"' => self.string().map(Raw::Text),
            b't' => self.word("true").map(|()| Raw::Bool(true)),
            b'f' => self.word("false").map(|()| Raw::Bool(false)),
            b'n' => self.word("null").map(|()| Raw::Null),
            b'{' => self.special(),
            _ => self.number(),
        }
    }

    /// `{"$date":"..."}` or `{"$oid":"..."}`.
    fn special(&mut self) -> Option<Raw<'a>> {
        let raw = if self.word("{\"$date\":").is_some() {
            Raw::Time(time::millis(self.string()?.as_bytes())?)
        } else {
            self.word("{\"$oid\":")?;
            Raw::Id(time::object_id(self.string()?.as_bytes())?)
        };
        self.take(b'}').map(|()| raw)
    }

    fn number(&mut self) -> Option<Raw<'a>> {
        let rest = &self.bytes[self.at..];
        let length = rest
            .iter()
            .position(|byte| !matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
            .unwrap_or(rest.len());
        let text = &self.text[self.at..self.at + length];
        self.at += length;
        let digits = text.strip_prefix('-').unwrap_or(text);
        let whole = digits.bytes().take_while(u8::is_ascii_digit).count();
        // No zeros in front; what has more digits may be no int64.
        if whole == 0 || whole > 18 || (whole > 1 && digits.starts_with('0')) {
            return None;
        }
        if whole == digits.len() {
            return (text != "-0").then(|| text.parse().ok().map(Raw::Int))?;
        }
        // Rust reads what JSON does not allow: a point without digits behind it.
        let (mantissa, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
        let fraction = mantissa.split_once('.').map_or("0", |(_, fraction)| fraction);
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number: f64 = text.parse().ok()?;
        (are_digits(fraction) && are_digits(exponent) && number.is_finite()).then_some(Raw::Double(number))
    }

    /// Any value that is right.
    fn skip(&mut self, depth: u8) -> Option<()> {
        let open = self.bytes.get(self.at)?;
        if !matches!(open, b'{' | b'[') {
            return self.value().map(drop);
        }
        let (is_object, close) = (*open == b'{', if *open == b'{' { b'}' } else { b']' });
        if is_object && self.bytes.get(self.at + 1..)?.starts_with(b"\"$") {
            return self.special().map(drop);
        }
        self.at += 1;
        if depth == DEPTH || self.take(close).is_some() {
            return (depth < DEPTH).then_some(());
        }
        loop {
            if is_object {
                self.name()?;
            }
            self.skip(depth + 1)?;
            match self.byte()? {
                b',' => {}
                end => return (end == close).then_some(()),
            }
        }
    }
}

/// How many bytes a string goes on without quote, backslash or control character; eight at a time.
fn plain(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    let has_zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let mut at = 0;
    for chunk in bytes.as_chunks::<8>().0 {
        let word = u64::from_le_bytes(*chunk);
        let quote = has_zero(word ^ (ONES * u64::from(b'"')));
        let escape = has_zero(word ^ (ONES * u64::from(b'\\')));
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
        // The lowest marked byte is right; those above it may be marked by its carry.
        let stop = quote | escape | control;
        if stop != 0 {
            return at + stop.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let is_stop = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    at + bytes[at..].iter().position(is_stop).unwrap_or(bytes.len() - at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_string_ends_where_it_ends(bytes in proptest::collection::vec(any::<u8>(), 0..40), place in 0usize..40, stop in
            proptest::sample::select(vec![b'"', b'\\', 0, 0x1f, 0x20, b'!', b'#', 0x7f, 0x80, 0xa2, 0xdc])) {
            let mut bytes = bytes;
            if let Some(byte) = bytes.get_mut(place) {
                *byte = stop;
            }
            let slow = bytes.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)).count();
            prop_assert_eq!(super::plain(&bytes), slow);
        }
    }
}
