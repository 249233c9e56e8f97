//! What is typed into a filter: `field:value`, and words without a colon that the daemon looks for.

use std::{fmt::Display, str::FromStr};

use chrono::{DateTime, Utc};

use crate::format;

/// The fields with their values, and the free words.
type Words<'a> = (Vec<(&'static str, &'a str)>, Option<String>);

/// Takes `typed` apart. A word whose beginning is no field is looked for as it is, unless it looks like a field:
/// then the operator meant one.
pub fn split<'a>(typed: &'a str, fields: &[&'static str]) -> Result<Words<'a>, String> {
    let mut named = Vec::new();
    let mut words = Vec::new();
    for word in typed.split_whitespace() {
        let pair = word.split_once(':');
        let known =
            pair.and_then(|(name, value)| Some((*fields.iter().find(|field| **field == name)?, value)));
        match (known, pair) {
            (Some((name, "")), _) => return Err(format!("{name}: needs a value behind the colon")),
            (Some(pair), _) => named.push(pair),
            (None, Some((name, _))) if !name.is_empty() && name.chars().all(char::is_alphabetic) => {
                return Err(format!("{name:?} is not one of: {}", fields.join(", ")));
            }
            (None, _) => words.push(word),
        }
    }
    Ok((named, (!words.is_empty()).then(|| words.join(" "))))
}

/// One value.
pub fn read<T: FromStr<Err: Display>>(value: &str) -> Result<Option<T>, String> {
    value.parse().map(Some).map_err(|error: T::Err| error.to_string())
}

/// `yes` or `no`.
pub fn read_bool(value: &str) -> Result<Option<bool>, String> {
    match value {
        "yes" | "true" => Ok(Some(true)),
        "no" | "false" => Ok(Some(false)),
        _ => Err(format!("{value:?} is not one of: yes, no")),
    }
}

/// A time as it is typed everywhere: `14:02`, `-2d`, `2026-11-20`, `2026-11-20T14:02`.
pub fn time(value: &str, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, String> {
    format::parse_time(value, now).map(Some)
}

/// `typed` with the next word of `field` in turn; after the last one without the field.
pub fn next_in_turn(typed: &str, field: &str, turn: &[&str]) -> String {
    let value =
        |word: &str| word.strip_prefix(field).and_then(|rest| rest.strip_prefix(':')).map(str::to_owned);
    let now = typed.split_whitespace().find_map(value);
    let next = match now {
        None => turn.first(),
        Some(now) => turn.iter().skip_while(|word| **word != now).nth(1),
    };
    let others = typed.split_whitespace().filter(|word| value(word).is_none()).map(str::to_owned);
    next.map(|word| format!("{field}:{word}")).into_iter().chain(others).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_words_are_told_apart_and_a_wrong_field_is_named() {
        let (named, words) = split("status:confirmed ana from:14:02 lunar", &["status", "from"]).unwrap();
        assert_eq!(named, [("status", "confirmed"), ("from", "14:02")]);
        assert_eq!(words.as_deref(), Some("ana lunar"));
        let refused = split("stats:confirmed", &["status", "from"]).unwrap_err();
        assert_eq!(refused, r#""stats" is not one of: status, from"#);
        assert!(split("status:", &["status"]).unwrap_err().contains("needs a value"));
        assert_eq!(split("12:30", &["status"]).unwrap().1.as_deref(), Some("12:30"));
        assert!(read_bool("maybe").is_err() && read_bool("no") == Ok(Some(false)));
    }

    #[test]
    fn words_take_turns_and_leave_the_rest_alone() {
        let turn = ["confirmed", "cancelled"];
        let mut typed = "ana".to_owned();
        let mut seen = Vec::new();
        for _ in 0..3 {
            typed = next_in_turn(&typed, "status", &turn);
            seen.push(typed.clone());
        }
        assert_eq!(seen, ["status:confirmed ana", "status:cancelled ana", "ana"]);
        assert_eq!(next_in_turn("status:strange", "status", &turn), "");
    }
}
