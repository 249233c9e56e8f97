//! MAINTENANCE: deletes what is past its retention and does what time brings about for launches, in small batches so
//! that nobody waits for the writer.

use astrops_api::{
    jobs::Maintenance,
    vocabulary::{JobStatus, MaintenanceTask, SweepMode},
};
use chrono::{DateTime, TimeDelta, Utc};
use futures::{FutureExt as _, future::BoxFuture};

use super::Payload;
use crate::{
    booking::{Act, Desk},
    config::JobsConfig,
    documents::Documents,
    payments::Cashier,
    queue::{Context, Handler, Outcome, Run, Verdict},
    reconcile::sweep::Sweeper,
    store::{capacity, idempotency, jobs, lockout, logs, outbox, reconcile, schedules, sessions, sweeps},
};

/// Rows per transaction.
const BATCH: i64 = 500;
/// Documents removed at once.
const DOCUMENTS: u32 = 500;
/// Rows of the capacity log are kept so many days.
const CAPACITY_DAYS: u32 = 365;
/// Idempotency keys are kept so long.
const KEYS: TimeDelta = TimeDelta::hours(24);

/// Does the housekeeping.
pub struct Caretaker {
    context: Context,
    desk: Desk,
    cashier: Cashier,
    sweeper: Sweeper,
    documents: Documents,
    jobs: JobsConfig,
    log_days: u32,
}

impl Caretaker {
    /// With these retentions.
    pub fn new(
        context: Context,
        desk: Desk,
        cashier: Cashier,
        sweeper: Sweeper,
        documents: Documents,
        jobs: JobsConfig,
        log_days: u32,
    ) -> Self {
        Self { context, desk, cashier, sweeper, documents, jobs, log_days }
    }

    async fn task(&self, task: MaintenanceTask, run: &Run) -> anyhow::Result<String> {
        let now = self.context.clock.now();
        let days = |days: u32| now - TimeDelta::days(i64::from(days));
        match task {
            MaintenanceTask::PruneLogs => {
                let before = days(self.log_days);
                let deleted = self.prune(run, Kind::Logs, before).await?;
                let events = self.prune(run, Kind::Events, before).await?;
                self.prune(run, Kind::Webhooks, before).await?;
                Ok(format!(
                    "deleted {deleted} log entries and {events} domain events older than {} days",
                    self.log_days
                ))
            }
            MaintenanceTask::PruneJobs => {
                let (kept, failed) = (self.jobs.completed_retention_days, self.jobs.failed_retention_days);
                let mut deleted = self.prune(run, Kind::Jobs(JobStatus::Completed), days(kept)).await?;
                for status in [JobStatus::Failed, JobStatus::Cancelled] {
                    deleted += self.prune(run, Kind::Jobs(status), days(failed)).await?;
                }
                let before = days(failed.max(kept));
                for kind in [Kind::Fires, Kind::Nominations, Kind::Sweeps] {
                    self.prune(run, kind, before).await?;
                }
                Ok(format!(
                    "deleted {deleted} jobs: completed ones after {kept} days, failed and cancelled ones after {failed}"
                ))
            }
            MaintenanceTask::PruneCapacityLog => {
                let deleted = self.prune(run, Kind::Capacity, days(CAPACITY_DAYS)).await?;
                Ok(format!("deleted {deleted} rows of the capacity log older than {CAPACITY_DAYS} days"))
            }
            MaintenanceTask::OpenSales => {
                Ok(format!("told {} interested customers", self.upkeep(run, task).await?))
            }
            MaintenanceTask::SendReminders => {
                Ok(format!("reminded {} customers", self.upkeep(run, task).await?))
            }
            MaintenanceTask::CompleteLaunches => {
                Ok(format!("completed {} launches", self.upkeep(run, task).await?))
            }
            MaintenanceTask::CheckPayments => self.cashier.check(&self.context.db, run).await,
            // Its outcome is more than a text; see `run`.
            MaintenanceTask::RefundPayment => anyhow::bail!("a refund is a job of its own"),
            // A sweep's outcome is more than a text, too.
            MaintenanceTask::ReconcileIncremental | MaintenanceTask::ReconcileFull => {
                anyhow::bail!("a sweep is not housekeeping")
            }
            MaintenanceTask::ExpireDocuments => {
                let deleted = self.expire_documents(run).await?;
                Ok(format!("deleted {deleted} sessions and capacity log entries of the customer documents"))
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

    /// Lets the desk do what time has brought about, batch by batch; answers how many it did.
    async fn upkeep(&self, run: &Run, task: MaintenanceTask) -> anyhow::Result<u64> {
        let by = format!("schedule:{task}");
        let mut done = 0;
        loop {
            let mut tx = self.context.db.write().await?;
            let act = Act { by: &by, now: self.context.clock.now() };
            let batch = match task {
                MaintenanceTask::OpenSales => self.desk.open_sales(&mut tx, act, BATCH).await?,
                MaintenanceTask::SendReminders => self.desk.send_reminders(&mut tx, act, BATCH).await?,
                _ => self.desk.complete_launches(&mut tx, act, BATCH).await?,
            };
            tx.commit().await?;
            done += batch;
            if batch < BATCH.unsigned_abs() || run.cancel.is_cancelled() {
                return Ok(done);
            }
        }
    }

    async fn expire_documents(&self, run: &Run) -> anyhow::Result<u64> {
        let mut deleted = 0;
        loop {
            let batch = self.documents.expire(self.context.clock.now(), DOCUMENTS).await?;
            deleted += batch;
            if batch < DOCUMENTS.into() || run.cancel.is_cancelled() {
                return Ok(deleted);
            }
        }
    }

    async fn prune(&self, run: &Run, kind: Kind, before: DateTime<Utc>) -> anyhow::Result<u64> {
        let mut deleted = 0;
        loop {
            let mut tx = self.context.db.write().await?;
            let batch = match kind {
                Kind::Logs => logs::prune(&mut tx, before, BATCH).await?,
                Kind::Events => outbox::prune(&mut tx, before, BATCH).await?,
                Kind::Webhooks => outbox::prune_webhooks(&mut tx, before, BATCH).await?,
                Kind::Jobs(status) => jobs::prune(&mut tx, status, before, BATCH).await?,
                Kind::Sessions => sessions::prune(&mut tx, before, BATCH).await?,
                Kind::Failures => lockout::prune(&mut tx, before, BATCH).await?,
                Kind::Keys => idempotency::prune(&mut tx, before, BATCH).await?,
                Kind::Capacity => capacity::prune(&mut tx, before, BATCH).await?,
                Kind::Fires => schedules::prune(&mut tx, before).await?,
                Kind::Nominations => reconcile::prune_events(&mut tx, before, BATCH).await?,
                Kind::Sweeps => sweeps::prune(&mut tx, before, BATCH).await?,
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
    Events,
    Webhooks,
    Jobs(JobStatus),
    Sessions,
    Failures,
    Keys,
    Capacity,
    Fires,
    Nominations,
    Sweeps,
}

impl Handler for Caretaker {
    fn run<'a>(&'a self, run: &'a Run) -> BoxFuture<'a, Outcome> {
        async move {
            let Ok(Payload::Maintenance(Maintenance { task, subject, .. })) =
                serde_json::from_value(run.claim.payload.clone())
            else {
                return Outcome::new(Verdict::Fail, "the job does not say which housekeeping to do");
            };
            if task == MaintenanceTask::RefundPayment {
                return self
                    .cashier
                    .refund(&self.context.db, subject)
                    .await
                    .unwrap_or_else(|error| Outcome::new(Verdict::Retry, format!("{task}: {error:#}")));
            }
            if let Some(mode) = SweepMode::ALL.iter().find(|mode| mode.task() == task) {
                return self.sweeper.run(*mode, run, subject).await;
            }
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
