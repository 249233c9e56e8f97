//! Times, ages, durations and counts for people. Times are UTC and say so once, in the header.

use chrono::{DateTime, TimeDelta, Utc};

/// `14:02:11`.
pub fn clock(at: DateTime<Utc>) -> String {
    at.format("%H:%M:%S").to_string()
}

/// `14:02:11`, or `11-19 14:02` when it was another day than `now`.
pub fn moment(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    if at.date_naive() == now.date_naive() { clock(at) } else { at.format("%m-%d %H:%M").to_string() }
}

/// `2026-11-20 14:02:11.123Z`, without the fraction when there is none.
pub fn full(at: DateTime<Utc>) -> String {
    let whole = at.timestamp_subsec_millis() == 0;
    at.format(if whole { "%Y-%m-%d %H:%M:%SZ" } else { "%Y-%m-%d %H:%M:%S%.3fZ" }).to_string()
}

/// The two largest units: `950 ms`, `4.1 s`, `3 m 12 s`, `2 h 5 m`, `3 d 4 h`.
pub fn span(delta: TimeDelta) -> String {
    let milliseconds = delta.num_milliseconds().max(0);
    let seconds = milliseconds / 1000;
    match seconds {
        0 => format!("{milliseconds} ms"),
        1..10 => format!("{seconds}.{} s", milliseconds % 1000 / 100),
        10..60 => format!("{seconds} s"),
        60..3_600 => format!("{} m {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// `in 3 m 12 s` or `2 h 5 m ago`.
pub fn relative(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    if at >= now { format!("in {}", coarse(at - now)) } else { format!("{} ago", coarse(now - at)) }
}

/// Like [`span`] without parts of a second: for what counts down on the screen.
pub fn coarse(delta: TimeDelta) -> String {
    match delta.num_seconds().max(0) {
        seconds @ 0..60 => format!("{seconds} s"),
        _ => span(delta),
    }
}

/// `5 103`: digits in threes.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// `1 job`, `3 jobs`.
pub fn things(number: usize, noun: &str) -> String {
    if number == 1 {
        return format!("1 {noun}");
    }
    format!("{} {noun}s", count(number as u64))
}

/// A point in time as an operator types it: `14:02`, `14:02:11`, `2026-11-20`, `2026-11-20 14:02[:11]`, RFC 3339,
/// or `-15m` / `+2h` / `30s` from `now` (units s, m, h, d).
pub fn parse_time(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, String> {
    let text = text.trim();
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(at.with_timezone(&Utc));
    }
    if let Some(delta) = parse_delta(text) {
        return now.checked_add_signed(delta).ok_or_else(|| format!("{text:?} is too far away"));
    }
    for form in ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"] {
        if let Ok(at) = chrono::NaiveDateTime::parse_from_str(text, form) {
            return Ok(at.and_utc());
        }
    }
    if let Ok(day) = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Ok(day.and_time(chrono::NaiveTime::MIN).and_utc());
    }
    for form in ["%H:%M:%S", "%H:%M"] {
        if let Ok(at) = chrono::NaiveTime::parse_from_str(text, form) {
            return Ok(now.date_naive().and_time(at).and_utc());
        }
    }
    Err(format!("{text:?} is not a time: say 14:02, 2026-11-20 14:02, -15m or +2h (UTC)"))
}

fn parse_delta(text: &str) -> Option<TimeDelta> {
    let unit = text.chars().last()?;
    let number: i64 = text.strip_suffix(unit)?.trim_start_matches('+').parse().ok()?;
    match unit {
        's' => TimeDelta::try_seconds(number),
        'm' => TimeDelta::try_minutes(number),
        'h' => TimeDelta::try_hours(number),
        'd' => TimeDelta::try_days(number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn spans_show_their_two_largest_units() {
        let shown = |ms| span(TimeDelta::milliseconds(ms));
        assert_eq!([shown(950), shown(4_100), shown(192_000)], ["950 ms", "4.1 s", "3 m 12 s"]);
        assert_eq!([shown(7_500_000), shown(273_600_000), shown(-5)], ["2 h 5 m", "3 d 4 h", "0 ms"]);
        assert_eq!(
            [count(0), count(999), count(5_103), count(1_000_000)],
            ["0", "999", "5 103", "1 000 000"]
        );
    }

    #[test]
    fn times_are_understood_as_they_are_typed_at_night() {
        let now = at("2026-11-20T14:02:11Z");
        assert_eq!(parse_time("13:50", now).unwrap(), at("2026-11-20T13:50:00Z"));
        assert_eq!(parse_time("2026-11-19 23:00", now).unwrap(), at("2026-11-19T23:00:00Z"));
        assert_eq!(parse_time("-15m", now).unwrap(), at("2026-11-20T13:47:11Z"));
        assert_eq!(parse_time("+2h", now).unwrap(), at("2026-11-20T16:02:11Z"));
        assert_eq!(parse_time("2026-11-20T15:00:00+01:00", now).unwrap(), at("2026-11-20T14:00:00Z"));
        assert!(parse_time("soon", now).is_err() && parse_time("", now).is_err());
        assert!(parse_time("99999999999999d", now).is_err());
    }
}
