//! MAINTENANCE: deletes what is past its retention, in small batches so that nobody waits for the writer.

use astrops_api::{
    jobs::Maintenance,
    vocabulary::{JobStatus, MaintenanceTask},
};
use chrono::{DateTime, TimeDelta, Utc};
use futures::{FutureExt as _, future::BoxFuture};

use super::Payload;
use crate::{
    config::JobsConfig,
    queue::{Context, Handler, Outcome, Run, Verdict},
    store::{idempotency, jobs, lockout, logs, schedules, sessions},
};

/// Rows per transaction.
const BATCH: i64 = 500;
/// Idempotency keys are kept so long.
const KEYS: TimeDelta = TimeDelta::hours(24);

/// Does the housekeeping.
pub struct Caretaker {
    context: Context,
    jobs: JobsConfig,
    log_days: u32,
}

impl Caretaker {
    /// With these retentions.
    pub fn new(context: Context, jobs: JobsConfig, log_days: u32) -> Self {
        Self { context, jobs, log_days }
    }

    async fn task(&self, task: MaintenanceTask, run: &Run) -> anyhow::Result<String> {
        let now = self.context.clock.now();
        let days = |days: u32| now - TimeDelta::days(i64::from(days));
        match task {
            MaintenanceTask::PruneLogs => {
                let deleted = self.prune(run, Kind::Logs, days(self.log_days)).await?;
                Ok(format!("deleted {deleted} log entries older than {} days", self.log_days))
            }
            MaintenanceTask::PruneJobs => {
                let (kept, failed) = (self.jobs.completed_retention_days, self.jobs.failed_retention_days);
                let mut deleted = self.prune(run, Kind::Jobs(JobStatus::Completed), days(kept)).await?;
                for status in [JobStatus::Failed, JobStatus::Cancelled] {
                    deleted += self.prune(run, Kind::Jobs(status), days(failed)).await?;
                }
                self.prune(run, Kind::Fires, days(failed.max(kept))).await?;
                Ok(format!(
                    "deleted {deleted} jobs: completed ones after {kept} days, failed and cancelled ones after {failed}"
                ))
            }
            MaintenanceTask::ExpireSessions => {
                let sessions = self.prune(run, Kind::Sessions, now).await?;
                let keys = self.prune(run, Kind::Keys, now - KEYS).await?;
                Ok(format!("deleted {sessions} ended sessions and {keys} idempotency keys"))
            }
            MaintenanceTask::ExpireLocks => {
                let forgotten = self.prune(run, Kind::Failures, now).await?;
                let cleared = self.clear_past_locks(run).await?;
                Ok(format!("forgot the wrong passwords of {forgotten} addresses and cleared {cleared} users"))
            }
        }
    }

    async fn clear_past_locks(&self, run: &Run) -> anyhow::Result<u64> {
        let (mut cleared, mut after) = (0, String::new());
        loop {
            let mut tx = self.context.db.write().await?;
            let now = self.context.clock.now();
            let (batch, last) = lockout::clear_past(&mut tx, &after, now, BATCH).await?;
            tx.commit().await?;
            cleared += batch;
            match last {
                Some(last) if !run.cancel.is_cancelled() => after = last,
                _ => return Ok(cleared),
            }
        }
    }

    async fn prune(&self, run: &Run, kind: Kind, before: DateTime<Utc>) -> anyhow::Result<u64> {
        let mut deleted = 0;
        loop {
            let mut tx = self.context.db.write().await?;
            let batch = match kind {
                Kind::Logs => logs::prune(&mut tx, before, BATCH).await?,
                Kind::Jobs(status) => jobs::prune(&mut tx, status, before, BATCH).await?,
                Kind::Sessions => sessions::prune(&mut tx, before, BATCH).await?,
                Kind::Failures => lockout::prune(&mut tx, before, BATCH).await?,
                Kind::Keys => idempotency::prune(&mut tx, before, BATCH).await?,
                Kind::Fires => schedules::prune(&mut tx, before).await?,
            };
            tx.commit().await?;
            deleted += batch;
            if batch < BATCH.unsigned_abs() || run.cancel.is_cancelled() {
                return Ok(deleted);
            }
            run.progress(0, &format!("deleted {deleted} rows so far")).await?;
        }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Logs,
    Jobs(JobStatus),
    Sessions,
    Failures,
    Keys,
    Fires,
}

impl Handler for Caretaker {
    fn run<'a>(&'a self, run: &'a Run) -> BoxFuture<'a, Outcome> {
        async move {
            let Ok(Payload::Maintenance(Maintenance { task, .. })) =
                serde_json::from_value(run.claim.payload.clone())
            else {
                return Outcome::new(Verdict::Fail, "the job does not say which housekeeping to do");
            };
            match self.task(task, run).await {
                Ok(done) if run.cancel.is_cancelled() => {
                    Outcome::new(Verdict::Cancelled, format!("{task}: stopped; {done}"))
                }
                Ok(done) => Outcome::new(Verdict::Done, format!("{task}: {done}")),
                Err(error) => Outcome::new(Verdict::Retry, format!("{task}: {error:#}")),
            }
        }
        .boxed()
    }
}
