//! What needs a person, worst first, each with the place where it is mended.

use astrops_api::{
    drift::Agreement,
    jobs::JobStats,
    schedules::Schedule,
    status::Status,
    vocabulary::{FireOutcome, JobStatus, Severity, SweepStatus},
};
use chrono::{DateTime, TimeDelta, Utc};

use crate::{format, screen::Place};

/// A due job that waits longer than this says that workers do not keep up; clocks that differ by more confuse.
const PATIENCE: TimeDelta = TimeDelta::minutes(1);

/// Sweeps come every few minutes: when none was through for so long, something is wrong with them.
const UNVERIFIED: TimeDelta = TimeDelta::hours(1);

/// One thing.
#[derive(Clone, Debug, PartialEq)]
pub struct Need {
    /// How bad.
    pub severity: Severity,
    /// What it is.
    pub words: String,
    /// Where it is mended, when that is in the console.
    pub place: Option<Place>,
}

/// Everything that needs a person now.
pub fn needs(
    status: Option<&Status>,
    queue: Option<&JobStats>,
    schedules: &[Schedule],
    skew: TimeDelta,
    now: DateTime<Utc>,
) -> Vec<Need> {
    let mut needs = Vec::new();
    let mut add = |severity, words: String, place| needs.push(Need { severity, words, place });
    for part in status.into_iter().flat_map(|status| &status.parts).filter(|part| !part.ok) {
        add(Severity::Critical, format!("{} does not work: {}", part.name, part.detail), None);
    }
    for (severity, words, place) in status
        .and_then(|status| status.agreement.as_ref())
        .into_iter()
        .flat_map(|agreement| drift(agreement, now))
    {
        add(severity, words, Some(place));
    }
    if let Some(stats) = queue {
        if stats.delivery_unknown > 0 {
            let words =
                format!("{} nobody knows the fate of: were they delivered?", mails(stats.delivery_unknown));
            add(Severity::Critical, words, Some(Place::Jobs("delivery:unknown".into())));
        }
        for row in &stats.types {
            if row.failed > 0 {
                let words = format!("{} {} failed", format::count(row.failed), row.kind);
                let filter = format!("status:{} type:{}", JobStatus::Failed, row.kind);
                add(Severity::Error, words, Some(Place::Jobs(filter)));
            }
            if row.paused {
                let words = format!(
                    "{} is paused, {} queued: P on its line resumes",
                    row.kind,
                    format::count(row.queued)
                );
                add(Severity::Warning, words, Some(Place::Jobs(format!("status:queued type:{}", row.kind))));
            }
        }
        if let Some(due) = stats.oldest_due_at.filter(|due| now - *due > PATIENCE) {
            let words = format!("a job has been due for {}: workers do not keep up", format::span(now - due));
            add(Severity::Warning, words, Some(Place::Jobs("status:queued".into())));
        }
    }
    for schedule in schedules {
        let place = Some(Place::Schedule(schedule.name.clone()));
        if schedule.paused {
            add(Severity::Warning, format!("schedule {} is paused", schedule.name), place.clone());
        }
        let Some(run) = &schedule.last_run else { continue };
        if run.job_status == Some(JobStatus::Failed) {
            add(Severity::Error, format!("the last run of {} failed", schedule.name), place);
        } else if run.outcome == FireOutcome::Missed {
            add(Severity::Warning, format!("{} missed its last fire", schedule.name), place);
        }
    }
    if skew.abs() > PATIENCE {
        let words = format!("this computer's clock and the daemon's differ by {}", format::span(skew.abs()));
        add(Severity::Warning, words, None);
    }
    needs.sort_by_key(|need| std::cmp::Reverse(need.severity));
    needs
}

/// What both databases need a person for.
fn drift(agreement: &Agreement, now: DateTime<Utc>) -> Vec<(Severity, String, Place)> {
    let mut needs = Vec::new();
    let count = format::count;
    if agreement.critical > 0 {
        let words =
            format!("{} between both databases: decide now", conflicts("critical ", agreement.critical));
        needs.push((Severity::Critical, words, Place::Conflicts));
    }
    let others = agreement.conflicts.saturating_sub(agreement.critical);
    if others > 0 {
        let words = format!("{} between both databases: decide", conflicts("", others));
        needs.push((Severity::Warning, words, Place::Conflicts));
    }
    match agreement.sweep_status {
        Some(SweepStatus::NeedsApproval) => {
            let words = "a sweep would change more than it may: approve or cancel it".to_owned();
            needs.push((Severity::Error, words, Place::Sweeps(String::new())));
        }
        Some(SweepStatus::Failed) => {
            let words = "the last sweep failed".to_owned();
            needs.push((Severity::Error, words, Place::Sweeps(String::new())));
        }
        _ => {}
    }
    if let Some(through) = agreement.verified_through.filter(|through| now - *through > UNVERIFIED) {
        let age = format::age(now - through);
        let words =
            format!("both databases were not compared for {age}, {} known to differ", count(agreement.drift));
        needs.push((Severity::Warning, words, Place::Sweeps(String::new())));
    }
    needs
}

fn conflicts(how: &str, count: u64) -> String {
    if count == 1 { format!("1 {how}conflict") } else { format!("{} {how}conflicts", format::count(count)) }
}

fn mails(count: u64) -> String {
    if count == 1 { "1 mail".to_owned() } else { format!("{} mails", format::count(count)) }
}
