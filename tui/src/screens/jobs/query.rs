//! What is typed into the filter of the jobs, as the query that the daemon answers.

use std::{fmt::Display, str::FromStr};

use astrops_api::{
    jobs::JobQuery,
    vocabulary::{JobStatus, Order},
};

/// Rows asked for at once.
pub const PAGE: u32 = 100;

/// The query that `typed` means; words without a colon are looked for in recipient, subject, key and error.
pub fn parse(typed: &str, oldest_first: bool) -> Result<JobQuery, String> {
    let order = if oldest_first { Order::Asc } else { Order::Desc };
    let mut query = JobQuery { page_size: Some(PAGE), order: Some(order), ..JobQuery::default() };
    let mut words = Vec::new();
    for word in typed.split_whitespace() {
        match word.split_once(':') {
            Some(("status", value)) => query.status = Some(read(value)?),
            Some(("type", value)) => query.kind = Some(read(&value.to_uppercase())?),
            Some(("phase", value)) => query.phase = Some(read(value)?),
            Some(("delivery", value)) => query.delivery = Some(read(value)?),
            Some(("entity", value)) => query.entity_type = Some(read(value)?),
            Some(("schedule", value)) => query.schedule = Some(value.to_owned()),
            _ => words.push(word),
        }
    }
    query.q = (!words.is_empty()).then(|| words.join(" "));
    Ok(query)
}

fn read<T: FromStr<Err: Display>>(value: &str) -> Result<T, String> {
    value.parse().map_err(|error: T::Err| error.to_string())
}

/// `typed` with the next status in turn: the ones that need attention first.
pub fn next_status(typed: &str) -> String {
    const TURN: [JobStatus; 5] = [
        JobStatus::Failed,
        JobStatus::Processing,
        JobStatus::Queued,
        JobStatus::Completed,
        JobStatus::Cancelled,
    ];
    let now = typed.split_whitespace().find_map(|word| word.strip_prefix("status:"));
    let next = match now {
        None => Some(TURN[0]),
        Some(now) => TURN.iter().skip_while(|status| status.as_str() != now).nth(1).copied(),
    };
    let others = typed.split_whitespace().filter(|word| !word.starts_with("status:"));
    let status = next.map(|status| format!("status:{status}"));
    status.iter().map(String::as_str).chain(others).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use astrops_api::vocabulary::{Delivery, JobType};

    use super::*;

    #[test]
    fn words_and_fields_become_a_query() {
        let query =
            parse("status:failed type:notification delivery:unknown ana@example.com busy", false).unwrap();
        assert_eq!(query.status, Some(JobStatus::Failed));
        assert_eq!(query.kind, Some(JobType::Notification));
        assert_eq!(query.delivery, Some(Delivery::Unknown));
        assert_eq!(query.q.as_deref(), Some("ana@example.com busy"));
        let refused = parse("status:broken", false).unwrap_err();
        assert!(refused.contains("queued, processing, completed, failed, cancelled"), "{refused}");
    }

    #[test]
    fn statuses_take_turns_and_leave_the_rest_alone() {
        let mut typed = "ana".to_owned();
        let mut seen = Vec::new();
        for _ in 0..6 {
            typed = next_status(&typed);
            seen.push(typed.clone());
        }
        assert_eq!(seen[0], "status:failed ana");
        assert_eq!(seen[5], "ana");
    }
}
