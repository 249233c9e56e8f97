//! Values: as text in extended JSON, equal or not, and at a path inside a document.
//!
//! Limits: relaxed extended JSON keeps values, not widths: an int64 that fits comes back as an int32. A dotted path
//! names fields of nested documents, never places in arrays.

use std::fmt::Write as _;

use bson::{Bson, DateTime, Document};

/// The two forms of MongoDB Extended JSON v2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Numbers and dates as people write them; what `mongoexport` writes.
    Relaxed,
    /// Every type in words: nothing is lost.
    Canonical,
}

/// A document as one line of extended JSON, its fields in their order. Times of 1970 to 9999 always have three decimals,
/// so that they sort as text.
pub fn to_json(document: &Document, form: Form) -> String {
    let mut out = String::with_capacity(512);
    write_document(&mut out, document, form);
    out
}

fn write_document(out: &mut String, document: &Document, form: Form) {
    out.push('{');
    for (place, (name, value)) in document.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        write_text(out, name);
        out.push(':');
        write_value(out, value, form);
    }
    out.push('}');
}

fn write_value(out: &mut String, value: &Bson, form: Form) {
    match value {
        Bson::Document(document) => write_document(out, document, form),
        Bson::Array(values) => {
            out.push('[');
            for (place, value) in values.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                write_value(out, value, form);
            }
            out.push(']');
        }
        Bson::String(text) => write_text(out, text),
        Bson::DateTime(at) if form == Form::Relaxed => match sortable(*at) {
            Some(text) => {
                let _ = write!(out, "{{\"$date\":\"{text}Z\"}}");
            }
            // The relaxed form of the library stops at the end of 9999.
            None => push(out, &value.clone().into_canonical_extjson()),
        },
        Bson::JavaScriptCodeWithScope(code) => {
            out.push_str("{\"$code\":");
            write_text(out, &code.code);
            out.push_str(",\"$scope\":");
            write_document(out, &code.scope, form);
            out.push('}');
        }
        scalar => push(
            out,
            &match form {
                Form::Relaxed => scalar.clone().into_relaxed_extjson(),
                Form::Canonical => scalar.clone().into_canonical_extjson(),
            },
        ),
    }
}

fn push(out: &mut String, value: &serde_json::Value) {
    let _ = write!(out, "{value}");
}

fn write_text(out: &mut String, text: &str) {
    // A string always is JSON.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

/// `2026-03-02T12:00:00.000`: text that sorts as the times do; `None` before 1970 and after 9999.
pub fn sortable(at: DateTime) -> Option<String> {
    const YEAR_10000: i64 = 253_402_300_800_000;
    let at = at.timestamp_millis();
    let time = chrono::DateTime::from_timestamp_millis(at).filter(|_| (0..YEAR_10000).contains(&at))?;
    Some(time.format("%Y-%m-%dT%H:%M:%S%.3f").to_string())
}

/// Reads one document in either form.
pub fn from_json(text: &[u8]) -> Result<Document, String> {
    let begins = text.trim_ascii_start();
    if begins.first().is_some_and(|first| *first != b'{') {
        let place = text.len() - begins.len() + 1;
        return Err(format!("expected a document, which begins with {{, at character {place}"));
    }
    serde_json::from_slice(text).map_err(|error| {
        let words = error.to_string();
        // The text is one line of ours or of a file whose lines are counted elsewhere.
        WORDS.iter().fold(words, |words, (library, ours)| words.replace(library, ours))
    })
}

/// What the libraries say of a wrong text, and what that means.
const WORDS: &[(&str, &str)] = &[
    (" at line 1 column ", ", at character "),
    ("BSON error. Kind: A deserialization-related error occurred. Message: ", ""),
    (".,", ","),
    ("expected ident", "expected true, false, null, a number, a text, { or ["),
    (
        "data did not match any variant of untagged enum DateTimeBody",
        "a $date must be a time as text or a $numberLong",
    ),
    ("expected hexstring or byte array", "expected 24 hexadecimal digits"),
    ("24-character, big-endian hex string", "24 hexadecimal digits"),
    ("rfc3339 formatted utc datetime", "a time such as 2026-03-01T12:00:00Z"),
    ("decimal128 as a string", "a decimal number as text"),
    ("invalid type: integer `", "a number is wrong here: `"),
    ("invalid type: string ", "a text is wrong here: "),
    ("invalid value: string ", "the text is wrong here: "),
];

/// Whether two values are equal: numbers by value whatever their type, everything else as MongoDB's `$eq` has it.
pub fn same(a: &Bson, b: &Bson) -> bool {
    match (a, b) {
        (Bson::Document(a), Bson::Document(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((x, a), (y, b))| x == y && same(a, b))
        }
        (Bson::Array(a), Bson::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Bson::String(a) | Bson::Symbol(a), Bson::String(b) | Bson::Symbol(b)) => a == b,
        _ => match (number(a), number(b)) {
            (Some(a), Some(b)) => a == b,
            (None, None) => a == b,
            _ => false,
        },
    }
}

/// What is at a path; nothing there and null are the same.
pub fn same_at(document: &Document, path: &str, expected: Option<&Bson>) -> bool {
    same(at(document, path).unwrap_or(&Bson::Null), expected.unwrap_or(&Bson::Null))
}

/// One spelling for each number: sign, digits without zeros around them, exponent. At most 34 digits, as in MongoDB.
fn number(value: &Bson) -> Option<(bool, String, i64)> {
    let text = match value {
        Bson::Int32(value) => value.to_string(),
        Bson::Int64(value) => value.to_string(),
        Bson::Double(value) if value.is_finite() => format!("{value:.33e}"),
        Bson::Double(value) if value.is_nan() => "NaN".to_owned(),
        Bson::Double(value) => (if *value > 0.0 { "Infinity" } else { "-Infinity" }).to_owned(),
        Bson::Decimal128(value) => value.to_string(),
        _ => return None,
    };
    let (negative, text) = text.strip_prefix('-').map_or((false, text.as_str()), |rest| (true, rest));
    if !text.starts_with(|first: char| first.is_ascii_digit()) {
        return Some((negative && text != "NaN", text.to_owned(), 0));
    }
    let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let digits = format!("{whole}{fraction}");
    let kept = digits.trim_end_matches('0');
    let places = |text: &str| i64::try_from(text.len()).unwrap_or(i64::MAX);
    let exponent = exponent.parse().unwrap_or(0) - places(fraction) + places(&digits) - places(kept);
    let kept = kept.trim_start_matches('0');
    if kept.is_empty() {
        return Some((false, String::new(), 0));
    }
    Some((negative, kept.to_owned(), exponent))
}

/// The value at a dotted path.
pub fn at<'d>(document: &'d Document, path: &str) -> Option<&'d Bson> {
    match path.split_once('.') {
        None => document.get(path),
        Some((field, rest)) => match document.get(field)? {
            Bson::Document(inner) => at(inner, rest),
            _ => None,
        },
    }
}

/// Puts a value at a dotted path; missing documents on the way are made.
pub fn set(document: &mut Document, path: &str, value: Bson) -> Result<(), String> {
    let Some((field, rest)) = path.split_once('.') else {
        document.insert(path, value);
        return Ok(());
    };
    match document.entry(field.to_owned()).or_insert_with(|| Bson::Document(Document::new())) {
        Bson::Document(inner) => set(inner, rest, value),
        _ => Err(format!("{field} is no document, so there is no {path} in it")),
    }
}

/// Removes what is at a dotted path, if something is.
pub fn unset(document: &mut Document, path: &str) {
    match path.split_once('.') {
        None => {
            document.remove(path);
        }
        Some((field, rest)) => {
            if let Some(Bson::Document(inner)) = document.get_mut(field) {
                unset(inner, rest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    #[test]
    fn numbers_are_equal_by_value_whatever_their_type() {
        let decimal = |text: &str| Bson::Decimal128(text.parse().unwrap());
        for (a, b) in [
            (Bson::Int32(5), Bson::Int64(5)),
            (Bson::Int32(5), Bson::Double(5.0)),
            (Bson::Int64(-120), decimal("-1.2E+2")),
            (Bson::Double(0.5), decimal("0.500")),
            (Bson::Double(-0.0), Bson::Int32(0)),
            (Bson::Double(f64::NAN), decimal("NaN")),
            (Bson::Double(f64::NEG_INFINITY), decimal("-Infinity")),
            (Bson::Int64(i64::MAX), decimal("9223372036854775807")),
        ] {
            assert!(same(&a, &b) && same(&b, &a), "{a:?} {b:?}");
        }
        for (a, b) in [
            (Bson::Int64(i64::MAX), Bson::Double(9_223_372_036_854_775_807.0)),
            (Bson::Double(19.99), decimal("19.99")), // a double is not quite 19.99, and MongoDB says so too
            (Bson::Int32(1), Bson::Boolean(true)),
            (Bson::Int32(0), Bson::Null),
            (Bson::Double(f64::INFINITY), Bson::Double(f64::NEG_INFINITY)),
            (Bson::Int32(10), Bson::Int32(100)),
        ] {
            assert!(!same(&a, &b), "{a:?} {b:?}");
        }
    }

    #[test]
    fn paths_reach_into_documents_and_not_through_anything_else() {
        let mut document = doc! { "deviceInfo": { "ip": "::1" }, "name": "x" };
        set(&mut document, "deviceInfo.os.name", Bson::from("Linux")).unwrap();
        assert_eq!(at(&document, "deviceInfo.os.name"), Some(&Bson::from("Linux")));
        unset(&mut document, "deviceInfo.ip");
        unset(&mut document, "nothing.there");
        assert_eq!(document, doc! { "deviceInfo": { "os": { "name": "Linux" } }, "name": "x" });
        assert!(set(&mut document, "name.first", Bson::Null).unwrap_err().contains("name is no document"));
        assert!(same_at(&document, "name.first", None) && same_at(&document, "gone", Some(&Bson::Null)));
    }

    #[test]
    fn times_sort_as_text_and_the_others_are_still_read() {
        let text = |millis| to_json(&doc! { "at": DateTime::from_millis(millis) }, Form::Relaxed);
        assert_eq!(text(0), r#"{"at":{"$date":"1970-01-01T00:00:00.000Z"}}"#);
        assert_eq!(text(1_500), r#"{"at":{"$date":"1970-01-01T00:00:01.500Z"}}"#);
        assert_eq!(text(-1), r#"{"at":{"$date":{"$numberLong":"-1"}}}"#);
        for millis in [0, 1_500, -1, 253_402_300_799_999, 253_402_300_800_000] {
            let read = from_json(text(millis).as_bytes()).unwrap();
            assert_eq!(read.get_datetime("at").unwrap().timestamp_millis(), millis);
        }
    }

    #[test]
    fn what_is_no_document_is_refused_in_words() {
        assert!(from_json(b"{bad").unwrap_err().contains("at character 2"));
        assert!(from_json(b"[1]").is_err() && from_json(b"{\"$oid\":\"65f000000000000000000001\"}").is_err());
        assert!(from_json(br#"{"a":{"$date":"yesterday"}}"#).unwrap_err().contains("yesterday"));
    }

    proptest::proptest! {
        #[test]
        fn a_double_comes_back_to_the_last_bit(bits: u64) {
            let value = f64::from_bits(bits);
            for form in [Form::Relaxed, Form::Canonical] {
                let read = from_json(to_json(&doc! { "v": value }, form).as_bytes()).unwrap();
                let read = read.get_f64("v").unwrap();
                proptest::prop_assert!(read.to_bits() == bits || read.is_nan() && value.is_nan(), "{value:e} {read:e}");
            }
        }
    }
}
