//! Stored jobs as the API shows them.

use astrops_api::{
    ids::JobId,
    jobs::{Executed, Job, Maintenance, Progress, Reconciliation},
    vocabulary::JobStatus,
};
use chrono::{DateTime, Utc};

use super::{Payload, notification::Shown};
use crate::store::jobs::StoredJob;

/// `stored` at `now`, with the parts that the caller may see.
pub fn job(stored: &StoredJob, shown: Shown, now: DateTime<Utc>) -> Job {
    let count = |n: i64| u32::try_from(n).unwrap_or(u32::MAX);
    let payload: Option<Payload> = serde_json::from_value(stored.payload.0.clone()).ok();
    let mut job = Job {
        id: JobId(stored.id),
        kind: stored.kind,
        status: stored.status,
        phase: stored.phase_at(now),
        priority: i32::try_from(stored.priority).unwrap_or_default(),
        created_at: stored.created_at,
        updated_at: stored.updated_at,
        started_at: stored.started_at,
        completed_at: stored.completed_at,
        next_run_at: (stored.status == JobStatus::Queued).then_some(stored.run_at),
        attempt: count(stored.attempt),
        max_attempts: count(stored.max_attempts),
        retry_count: count((stored.attempt - 1).max(0)),
        error_message: stored.error_message.clone(),
        delivery: stored.delivery(),
        progress: stored.percent.map(|percent| Progress {
            percent: u8::try_from(percent).unwrap_or(100),
            message: stored.progress_message.clone().unwrap_or_default(),
        }),
        schedule: stored.schedule.clone(),
        created_by: stored.created_by.clone(),
        unique_key: stored.unique_key.clone(),
        notification: None,
        reconciliation: None,
        maintenance: None,
    };
    match payload {
        Some(Payload::Notification(mail)) => job.notification = Some(mail.view(shown)),
        Some(Payload::Reconciliation(work)) => {
            job.reconciliation = Some(Reconciliation { changes_log: stored.result.clone(), ..work.pair });
        }
        Some(Payload::Maintenance(care)) => {
            job.maintenance = Some(Maintenance { result: stored.result.clone(), ..care });
        }
        None => {}
    }
    job
}

/// The same as the answer of `execute`.
pub fn executed(job: Job) -> Executed {
    Executed {
        job_id: job.id,
        kind: job.kind,
        status: job.status,
        started_at: job.started_at,
        completed_at: job.completed_at,
        error_message: job.error_message,
        notification: job.notification,
        reconciliation: job.reconciliation,
        maintenance: job.maintenance,
    }
}
