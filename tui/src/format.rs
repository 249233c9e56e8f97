//! Times, ages, durations and counts for people. Times are UTC and say so once, in the header.

use chrono::{DateTime, Datelike, SubsecRound, TimeDelta, Utc};

/// `14:02:11`.
pub fn clock(at: DateTime<Utc>) -> String {
    at.format("%H:%M:%S").to_string()
}

/// `14:02:11`; `11-19 14:02` of another day than `now`, `2027-03-20` of another year.
pub fn moment(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    match (at.date_naive() == now.date_naive(), at.year() == now.year()) {
        (true, _) => clock(at),
        (false, true) => at.format("%m-%d %H:%M").to_string(),
        (false, false) => at.format("%Y-%m-%d").to_string(),
    }
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

/// How old something is, where seconds do not matter any more: `12 s`, `59 m`, `2 h 5 m`.
pub fn age(delta: TimeDelta) -> String {
    match delta.num_minutes() {
        minutes @ 1..60 => format!("{minutes} m"),
        _ => coarse(delta),
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
    Err(format!(
        "{text:?} is not a time: say {}, {} or -15m (UTC)",
        now.format("%H:%M"),
        now.format("%Y-%m-%d %H:%M")
    ))
}

/// Like [`parse_time`] for what is still to come: a time of day is the next such time, and what lies in the past is
/// refused with an example that is not. In whole seconds, as it is shown.
pub fn parse_future(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, String> {
    let soon = (now + TimeDelta::hours(1)).format("%Y-%m-%d %H:%M");
    let example = || format!("say +1h or {soon} (UTC)");
    let at = parse_time(text, now)
        .map_err(|_| format!("{:?} is not a time: {}", text.trim(), example()))?
        .trunc_subsecs(0);
    let clock = ["%H:%M:%S", "%H:%M"];
    let of_day = clock.iter().any(|form| chrono::NaiveTime::parse_from_str(text.trim(), form).is_ok());
    let at = if of_day && at <= now { at + TimeDelta::days(1) } else { at };
    if at <= now {
        return Err(format!("{} is not in the future: {}", full(at), example()));
    }
    Ok(at)
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
        let ages = [0, 59, 60, 3_599, 7_500].map(|seconds| age(TimeDelta::seconds(seconds)));
        assert_eq!(ages, ["0 s", "59 s", "1 m", "59 m", "2 h 5 m"]);
        assert_eq!([shown(7_500_000), shown(273_600_000), shown(-5)], ["2 h 5 m", "3 d 4 h", "0 ms"]);
        assert_eq!(
            [count(0), count(999), count(5_103), count(1_000_000)],
            ["0", "999", "5 103", "1 000 000"]
        );
    }

    #[test]
    fn a_moment_says_as_much_of_the_date_as_is_needed() {
        let now = at("2026-11-20T14:02:11Z");
        let shown = |text| moment(at(text), now);
        assert_eq!(shown("2026-11-20T09:00:00Z"), "09:00:00");
        assert_eq!(shown("2026-11-19T09:00:00Z"), "11-19 09:00");
        assert_eq!(shown("2027-03-20T09:00:00Z"), "2027-03-20");
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

    #[test]
    fn what_is_to_come_is_never_in_the_past() {
        let now = at("2026-11-20T14:02:11.500Z");
        assert_eq!(parse_future("00:30", now).unwrap(), at("2026-11-21T00:30:00Z"));
        assert_eq!(parse_future("14:03", now).unwrap(), at("2026-11-20T14:03:00Z"));
        assert_eq!(parse_future("+2h", now).unwrap(), at("2026-11-20T16:02:11Z"));
        for refused in ["2026-11-20 14:00", "-15m", "soon"] {
            let reason = parse_future(refused, now).unwrap_err();
            let example = reason.split(" or ").nth(1).unwrap().trim_end_matches(" (UTC)");
            assert!(parse_future(example, now).is_ok(), "{reason}");
        }
    }
}
