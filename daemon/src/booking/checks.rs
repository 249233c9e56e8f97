//! What the fields of a launch may hold.

use astrops_api::{launches::Launch, problem::FieldError};
use chrono::{DateTime, Datelike as _, Utc};

use crate::notify::address::check_line;

/// Seats of the largest launch.
pub const MOST_SEATS: u32 = 1_000_000;
/// Characters of the longest description.
const DESCRIPTION: usize = 5_000;

/// Which fields of `launch` are wrong. `starts` says whether its start is new, so that it must lie ahead.
pub fn launch(launch: &Launch, starts: bool, now: DateTime<Utc>) -> Result<(), Vec<FieldError>> {
    let mut errors = Vec::new();
    let mut wrong = |field: &str, detail: String| {
        errors.push(FieldError { pointer: format!("/{field}"), detail });
    };
    let lines = [
        ("title", Some(&launch.title)),
        ("venue", launch.venue.as_ref()),
        ("category", launch.category.as_ref()),
    ];
    for (field, line) in lines {
        if let Some(Err(detail)) = line.map(|line| check_line(line)) {
            wrong(field, detail);
        }
    }
    let length = launch.description.as_ref().map_or(0, |text| text.chars().count());
    if length > DESCRIPTION {
        wrong("description", format!("must have at most {DESCRIPTION} characters, not {length}"));
    }
    if !(1..=MOST_SEATS).contains(&launch.capacity) {
        wrong("capacity", format!("must be 1 to {MOST_SEATS}, not {}", launch.capacity));
    }
    let times = [
        ("startDateTime", Some(launch.start_date_time)),
        ("endDateTime", Some(launch.end_date_time)),
        ("salesStartAt", launch.sales_start_at),
    ];
    for (field, time) in times {
        if let Some(year) = time.map(|time| time.year()).filter(|year| !(1970..=9999).contains(year)) {
            wrong(field, format!("must lie in the years 1970 to 9999, not in {year}"));
        }
    }
    if starts && launch.start_date_time <= now {
        wrong("startDateTime", format!("must lie in the future; it is {} now", now.format("%FT%TZ")));
    }
    if launch.end_date_time <= launch.start_date_time {
        wrong("endDateTime", "must be after startDateTime".to_owned());
    }
    if launch.sales_start_at.is_some_and(|sale| sale >= launch.start_date_time) {
        wrong("salesStartAt", "must be before startDateTime, or nobody could book".to_owned());
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}
