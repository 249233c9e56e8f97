//! The wake-up and what it does.

use std::sync::Arc;

use anyhow::Context as _;
use astrops_api::{
    ids::JobId,
    schedules::ScheduleRun,
    vocabulary::{EventType, FireOutcome, OverlapPolicy, Severity},
};
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Notify;
use tokio_cron_scheduler::{Job, JobScheduler};
use tokio_util::sync::CancellationToken;

use super::plan::Timing;
use crate::{
    beat::Beat,
    clock::Clock,
    db::{Db, Tx},
    logs::Entry,
    store::{
        jobs::{self, NewJob},
        logs,
        schedules::{self, StoredSchedule},
    },
};

/// The next fire is asked again this often: another daemon or an operator may have changed a schedule.
const LOOK: TimeDelta = TimeDelta::seconds(5);

/// The running scheduler. Cheap to clone.
#[derive(Clone)]
pub struct Scheduler {
    db: Db,
    clock: Clock,
    max_attempts: u32,
    wake: Arc<Notify>,
    beat: Beat,
}

impl Scheduler {
    /// A scheduler whose jobs get `max_attempts`.
    pub fn new(db: Db, clock: Clock, max_attempts: u32) -> Self {
        Self { db, clock, max_attempts, wake: Arc::default(), beat: Beat::default() }
    }

    /// Looks again at once: a schedule was changed.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Its sign of life.
    pub fn beat(&self) -> &Beat {
        &self.beat
    }

    /// Fires what is due until `stop`.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        // One job in UTC, once a second, that only wakes us: this library keeps a fixed offset for each job and forgets
        // their code, so it is trusted with nothing else.
        let mut waker = JobScheduler::new().await.context("cannot start the wake-up of the schedules")?;
        let wake = self.wake.clone();
        let tick =
            Job::new("* * * * * *", move |_, _| wake.notify_one()).context("cannot make the wake-up")?;
        waker.add(tick).await.context("cannot add the wake-up")?;
        waker.start().await.context("cannot start the wake-up")?;
        let mut look_at = self.clock.now();
        while !stop.is_cancelled() {
            let now = self.clock.now();
            self.beat.turn();
            if now >= look_at {
                match self.look().await {
                    Ok(next) => look_at = next.unwrap_or(now + LOOK).min(now + LOOK),
                    Err(error) => {
                        tracing::error!(error = %error, "cannot look for due schedules; trying again in a second");
                    }
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                // The wake-up, an edit, or a mock clock that has come to the next fire.
                () = self.wake.notified() => {}
                () = self.clock.sleep_until(look_at.max(now + TimeDelta::milliseconds(1))) => {}
            }
        }
        // It does not wait for its jobs; ours has nothing to lose.
        let _ = waker.shutdown().await;
        Ok(())
    }

    /// Fires what is due; answers when the next one is.
    async fn look(&self) -> anyhow::Result<Option<DateTime<Utc>>> {
        let mut tx = self.db.read().await?;
        let next = schedules::next_fire(&mut tx).await?;
        tx.rollback().await?;
        if next.is_none_or(|next| next > self.clock.now()) {
            return Ok(next);
        }
        let mut tx = self.db.write().await?;
        let fired = self.fire_due(&mut tx).await?;
        let next = schedules::next_fire(&mut tx).await?;
        tx.commit().await?;
        if fired > 0 {
            tracing::info!(schedule.fires = fired, "schedules fired");
        }
        Ok(next)
    }

    /// Writes one fire and one job for each schedule that is due, by its policies; answers how many jobs were made.
    pub async fn fire_due(&self, tx: &mut Tx) -> anyhow::Result<usize> {
        let now = self.clock.now();
        let mut made = 0;
        for schedule in schedules::due(tx, now).await? {
            let Some(first) = schedule.next_fire_at else { continue };
            let timing = match Timing::parse(&schedule.cron, &schedule.time_zone, now) {
                Ok(timing) => timing,
                Err(error) => {
                    // It cannot fire any more; the operator sees a schedule without a next fire, and why.
                    schedules::advance(tx, &schedule.name, None).await?;
                    let told = format!("schedule {} is stopped: {error}", schedule.name);
                    logs::insert(
                        tx,
                        &[Entry::new(&self.clock, EventType::Job, Severity::Error, told).into()],
                    )
                    .await?;
                    continue;
                }
            };
            for (scheduled_for, outcome) in timing.settle(first, now, schedule.missed) {
                let makes_job = matches!(outcome, FireOutcome::Fired | FireOutcome::CaughtUp);
                let busy = makes_job
                    && schedule.overlap == OverlapPolicy::Skip
                    && schedules::is_busy(tx, &schedule.name).await?;
                let outcome = if busy { FireOutcome::Overlapped } else { outcome };
                if self
                    .fire(tx, &schedule, scheduled_for, outcome)
                    .await?
                    .is_some_and(|run| run.job_id.is_some())
                {
                    made += 1;
                }
            }
            schedules::advance(tx, &schedule.name, timing.next_after(now)).await?;
        }
        Ok(made)
    }

    /// Writes one fire, and its job when the outcome makes one; `None` when this time has fired already.
    pub async fn fire(
        &self,
        tx: &mut Tx,
        schedule: &StoredSchedule,
        scheduled_for: DateTime<Utc>,
        outcome: FireOutcome,
    ) -> Result<Option<ScheduleRun>, sqlx::Error> {
        let now = self.clock.now();
        let makes_job =
            matches!(outcome, FireOutcome::Fired | FireOutcome::CaughtUp | FireOutcome::Triggered);
        let job_id = makes_job.then(|| JobId(self.clock.new_id()));
        let run = ScheduleRun { scheduled_for, fired_at: now, outcome, job_id, job_status: None };
        if !schedules::fire(tx, &schedule.name, &run).await? {
            return Ok(None);
        }
        if let Some(id) = job_id {
            let job = NewJob {
                id,
                kind: schedule.job_type,
                payload: schedule.payload.0.clone(),
                run_at: now,
                priority: 0,
                max_attempts: self.max_attempts,
                unique_key: None,
                created_by: format!("schedule:{}", schedule.name),
                schedule: Some(schedule.name.clone()),
                created_at: now,
            };
            jobs::enqueue(tx, &[job]).await?;
        }
        Ok(Some(run))
    }
}
