//! Times as operators say and read them.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

/// Now; asked once per command, and given on from there.
#[expect(clippy::disallowed_methods, reason = "the edge: everything inside gets the time as a parameter")]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

/// `90s`, `30m`, `2h`, `7d`.
fn span(text: &str) -> Option<TimeDelta> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let count: i64 = digits.parse().ok().filter(|count| *count >= 0)?;
    match unit {
        "s" => TimeDelta::try_seconds(count),
        "m" => TimeDelta::try_minutes(count),
        "h" => TimeDelta::try_hours(count),
        "d" => TimeDelta::try_days(count),
        _ => None,
    }
}

fn moment(text: &str) -> Option<DateTime<Utc>> {
    let midnight = || Some(NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0)?.and_utc());
    DateTime::parse_from_rfc3339(text).map(|time| time.to_utc()).ok().or_else(midnight)
}

/// `10:00` on the UTC day of `now`.
fn today(now: DateTime<Utc>, text: &str) -> Option<DateTime<Utc>> {
    let time = NaiveTime::parse_from_str(text, "%H:%M").ok()?;
    Some(now.date_naive().and_time(time).and_utc())
}

/// A time for `--from` and `--to`: RFC 3339, a UTC date, `10:00` today (UTC), or `2h` for two hours ago.
pub fn past(text: &str) -> Result<DateTime<Utc>, String> {
    past_at(now(), text).ok_or_else(|| {
        "say 2026-08-01T10:00:00Z, 2026-08-01, 10:00 (today, UTC), or how long ago: 90s, 30m, 2h, 7d \
         (also -30m or \"30m ago\")"
            .to_owned()
    })
}

fn past_at(now: DateTime<Utc>, text: &str) -> Option<DateTime<Utc>> {
    let ago = || {
        let bare = text.strip_prefix('-').or_else(|| Some(text.strip_suffix("ago")?.trim_end()));
        now.checked_sub_signed(span(bare.unwrap_or(text))?)
    };
    moment(text).or_else(|| today(now, text)).or_else(ago)
}

/// A time to come for `--run-at`: RFC 3339, a UTC date, the next `10:00` (UTC), or `30m` (or `+30m`) from now.
pub fn future(text: &str) -> Result<DateTime<Utc>, String> {
    future_at(now(), text).ok_or_else(|| {
        "say 2026-08-01T10:00:00Z, 2026-08-01, 10:00 (the next one, UTC), or how far ahead: 90s, 30m, 2h, 7d \
         (also +30m)"
            .to_owned()
    })
}

fn future_at(now: DateTime<Utc>, text: &str) -> Option<DateTime<Utc>> {
    let next = || {
        let time = today(now, text)?;
        if time > now { Some(time) } else { time.checked_add_signed(TimeDelta::days(1)) }
    };
    let ahead = || now.checked_add_signed(span(text.strip_prefix('+').unwrap_or(text))?);
    moment(text).or_else(next).or_else(ahead)
}

/// A time to come for `--for`: `90s`, `30m`, `2h`, `7d` from now.
pub fn ahead(text: &str) -> Result<DateTime<Utc>, String> {
    let time = span(text).and_then(|span| now().checked_add_signed(span));
    time.ok_or_else(|| "say how long: 90s, 30m, 2h, 7d".to_owned())
}

/// `2026-08-01 10:00:00Z`.
pub fn stamp(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// `2026-08-01 10:00:00.123Z`.
pub fn fine(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S%.3fZ").to_string()
}

/// How long before `now`, in one unit: `12 s`, `3 m`, `5 h`, `9 d`; `in 3 m` for a time to come.
pub fn ago(now: DateTime<Utc>, time: DateTime<Utc>) -> String {
    if time > now { format!("in {}", rough(time - now)) } else { rough(now - time) }
}

fn rough(span: TimeDelta) -> String {
    match span.num_seconds() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} m", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

/// How long something took: `45 ms`, `4.1 s`, `12 m`.
pub fn took(span: TimeDelta) -> String {
    match span.num_milliseconds() {
        millis @ ..1_000 => format!("{} ms", millis.max(0)),
        millis @ 1_000..60_000 => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
        _ => rough(span),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn times_are_understood_as_operators_say_them() {
        assert_eq!(past("2026-08-01T12:00:00+02:00").unwrap(), at("2026-08-01T10:00:00Z"));
        assert_eq!(future("2026-08-01").unwrap(), at("2026-08-01T00:00:00Z"));
        assert!(past("2h").unwrap() < now() - TimeDelta::minutes(119));
        assert!(future("+30m").unwrap() > now() + TimeDelta::minutes(29));
        for nonsense in [
            "",
            "h",
            "--1h",
            "ago",
            "25:00",
            "2w",
            "tomorrow",
            "é",
            "99999999999999999999d",
            "9223372036854775807d",
        ] {
            assert!(past(nonsense).is_err() && future(nonsense).is_err(), "{nonsense}");
            assert!(ahead(nonsense).is_err(), "{nonsense}");
        }
    }

    #[test]
    fn a_time_of_day_is_today_or_the_next_one() {
        let now = at("2026-08-01T10:30:00Z");
        for (text, said) in [
            ("10:00", "2026-08-01T10:00:00Z"),
            ("23:00", "2026-08-01T23:00:00Z"),
            ("-15m", "2026-08-01T10:15:00Z"),
            ("15m ago", "2026-08-01T10:15:00Z"),
            ("2026-01-01", "2026-01-01T00:00:00Z"),
        ] {
            assert_eq!(past_at(now, text), Some(at(said)), "{text}");
        }
        assert_eq!(future_at(now, "10:31"), Some(at("2026-08-01T10:31:00Z")));
        assert_eq!(future_at(now, "10:30"), Some(at("2026-08-02T10:30:00Z")));
        assert_eq!(future_at(now, "-15m"), None);
        assert!(
            past("noon").unwrap_err().contains("30m ago") && future("noon").unwrap_err().contains("+30m")
        );
    }

    #[test]
    fn ages_and_durations_are_short() {
        let now = at("2026-08-01T10:00:00Z");
        assert_eq!(ago(now, at("2026-08-01T09:59:48Z")), "12 s");
        assert_eq!(ago(now, at("2026-08-01T09:00:00Z")), "60 m");
        assert_eq!(ago(now, at("2026-07-20T10:00:00Z")), "12 d");
        assert_eq!(ago(now, at("2026-08-01T10:05:00Z")), "in 5 m");
        assert_eq!(took(TimeDelta::milliseconds(45)), "45 ms");
        assert_eq!(took(TimeDelta::milliseconds(4_123)), "4.1 s");
        assert_eq!(took(TimeDelta::minutes(12)), "12 m");
    }
}
