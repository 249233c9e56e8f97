//! Sweeps: comparing everything, or what changed, and repairing it.
//!
//! ```text
//! compare -- candidates into recon_drift --> recheck (after the settle time) -- plan, brakes --> apply --> done
//! ```
//!
//! The row of the sweep is the truth and a MAINTENANCE job only drives it: each page or batch ends with one transaction
//! that stores how far it is, so that a pause, a cancellation and a crash cost at most one page. A sweep that was taken
//! over by another job stops the first one by that transaction.
//!
//! An incremental sweep that waits for a person looks again each time that its schedule is due.
//!
//! Limits: one sweep of each mode at a time. Rows that somebody writes while they are compared may be noted as differing;
//! that is what the recheck is for. An incremental sweep sees what touches `updatedAt`; the full one sees the rest.

mod apply;
pub mod brakes;
mod compare;
mod incremental;

use std::time::Instant;

use astrops_api::{
    ids::JobId,
    vocabulary::{EntityType, EventType, Severity, SweepMode, SweepStage, SweepStatus},
};
use uuid::Uuid;

use super::{
    engine::{Engine, Trouble},
    relational,
};
use crate::{
    db::Tx,
    logs::Entry,
    queue::{Outcome, Run, Verdict},
    store::{
        drift, logs,
        sweeps::{self, State, StoredSweep},
    },
};

/// Whom the others refer to comes first.
const KINDS: [EntityType; 3] = [EntityType::User, EntityType::Launch, EntityType::Booking];

/// Drives sweeps. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Sweeper {
    pub(super) engine: Engine,
}

/// Why a sweep stops before its end.
enum Halt {
    /// Somebody paused, cancelled or took it over.
    Steered,
    /// Its job was cancelled, or the daemon stops.
    Cancelled,
    /// A person has to allow it; why.
    Brake(String),
    /// It could not go on.
    Trouble(Trouble),
}

impl<T: Into<Trouble>> From<T> for Halt {
    fn from(trouble: T) -> Self {
        Self::Trouble(trouble.into())
    }
}

/// A sweep in the hands of its job.
struct Drive<'a> {
    engine: &'a Engine,
    sweep: StoredSweep,
    run: &'a Run,
    /// Since when the rate is counted, and from how many rows.
    since: (Instant, u64),
}

/// A new sweep that has done nothing yet.
pub fn new(
    id: Uuid,
    mode: SweepMode,
    job: JobId,
    by: String,
    now: chrono::DateTime<chrono::Utc>,
) -> StoredSweep {
    StoredSweep {
        id,
        mode,
        entity_type: None,
        dry_run: false,
        status: SweepStatus::Running,
        stage: SweepStage::Compare,
        text: "not begun yet".to_owned(),
        state: State::default(),
        job,
        created_by: by,
        created_at: now,
        updated_at: now,
        ended_at: None,
        is_orphan: false,
    }
}

impl Sweeper {
    /// With the engine that repairs.
    pub fn new(engine: Engine) -> Self {
        Self { engine }
    }

    /// Does the sweep that `subject` names; without one, the open one of the mode or a new one.
    pub async fn run(&self, mode: SweepMode, run: &Run, subject: Option<Uuid>) -> Outcome {
        let taken = match self.take(mode, run.claim.id, subject).await {
            Ok(taken) => taken,
            Err(error) => return Outcome::new(Verdict::Retry, format!("{}: {error}", mode.task())),
        };
        match taken {
            Ok(sweep) => {
                let since = (Instant::now(), sweep.state.done);
                Drive { engine: &self.engine, sweep, run, since }.drive().await
            }
            Err(why) => Outcome::new(Verdict::Done, format!("{}: {why}", mode.task())),
        }
    }

    async fn take(
        &self,
        mode: SweepMode,
        job: JobId,
        subject: Option<Uuid>,
    ) -> Result<Result<StoredSweep, String>, sqlx::Error> {
        let context = &self.engine.context;
        let mut tx = context.db.write().await?;
        let now = context.clock.now();
        let found = match subject {
            Some(id) => sweeps::find(&mut tx, id).await?,
            None => sweeps::open(&mut tx, mode).await?,
        };
        let taken = match found {
            // It waits for a person while more changes: what it asks is to be true, and it asks only while it must.
            Some(mut sweep) if subject.is_none() && sweep.looks_again() => {
                let State { allowed, asked, .. } = sweep.state;
                sweep.state = State { allowed, asked, ..State::default() };
                (sweep.status, sweep.stage, sweep.job) = (SweepStatus::Running, SweepStage::Compare, job);
                sweeps::steer(&mut tx, &sweep, SweepStatus::NeedsApproval, now).await?;
                Ok(sweep)
            }
            Some(sweep) if sweep.status != SweepStatus::Running => {
                Err(format!("sweep {} is {}: {}", sweep.id, sweep.status, sweep.text))
            }
            Some(sweep) if sweep.job == job => Ok(sweep),
            Some(mut sweep) if sweep.is_orphan && subject.is_none() => {
                sweep.job = job;
                sweeps::steer(&mut tx, &sweep, SweepStatus::Running, now).await?;
                Ok(sweep)
            }
            Some(sweep) => Err(format!("sweep {} is under way in job {}", sweep.id, sweep.job)),
            None if subject.is_some() => Err("there is no such sweep".to_owned()),
            None => {
                let full = sweeps::open(&mut tx, SweepMode::Full).await?;
                let covers = |full: &StoredSweep| {
                    mode == SweepMode::Incremental
                        && full.status == SweepStatus::Running
                        && !full.is_orphan
                        && full.entity_type.is_none()
                };
                if let Some(full) = full.filter(covers) {
                    Err(format!("the full sweep {} is under way and looks at everything", full.id))
                } else {
                    let sweep = new(context.clock.new_id(), mode, job, format!("job:{job}"), now);
                    sweeps::insert(&mut tx, &sweep).await?;
                    Ok(sweep)
                }
            }
        };
        tx.commit().await?;
        Ok(taken)
    }
}

impl Drive<'_> {
    async fn drive(mut self) -> Outcome {
        let task = self.sweep.mode.task();
        let halt = loop {
            let stage = self.sweep.stage;
            let done = match stage {
                SweepStage::Compare => self.compare().await,
                SweepStage::Recheck => self.recheck().await,
                SweepStage::Apply => self.apply().await,
                SweepStage::Done => {
                    let outcome = Outcome::new(Verdict::Done, format!("{task}: {}", self.sweep.text));
                    return Outcome { event_type: EventType::Reconcile, ..outcome };
                }
            };
            if let Err(halt) = done {
                break halt;
            }
        };
        match halt {
            Halt::Cancelled => {
                Outcome::new(Verdict::Cancelled, format!("{task}: stopped; {}", self.sweep.text))
            }
            Halt::Steered => Outcome::new(Verdict::Done, format!("{task}: stopped behind its last page")),
            Halt::Brake(why) => {
                let written = match self.sweep.state.counts.repaired {
                    0 => "nothing was written".to_owned(),
                    some => format!("{some} were written before"),
                };
                let text = format!("{why}; {written}: approve or cancel sweep {}", self.sweep.id);
                let is_new = self.sweep.state.asked != text;
                let asked = self.ask(&text).await;
                let verdict = if asked.is_ok() { Verdict::Done } else { Verdict::Retry };
                Outcome {
                    event_type: EventType::Reconcile,
                    severity: is_new.then_some(Severity::Warning),
                    ..Outcome::new(verdict, format!("{task}: {text}"))
                }
            }
            Halt::Trouble(trouble) => {
                let verdict = if trouble.passes() { Verdict::Retry } else { Verdict::Fail };
                Outcome {
                    event_type: EventType::Reconcile,
                    ..Outcome::new(verdict, format!("{task}: {trouble}"))
                }
            }
        }
    }

    /// The kinds of entity that it is about.
    fn kinds(&self) -> impl Iterator<Item = EntityType> + use<> {
        let only = self.sweep.entity_type;
        KINDS.into_iter().filter(move |kind| only.is_none_or(|only| only == *kind))
    }

    /// Puts how far it is into the transaction and commits it; who may not go on writes nothing.
    async fn save(&mut self, mut tx: Tx) -> Result<(), Halt> {
        let now = self.engine.context.clock.now();
        let (since, from) = self.since;
        let seconds = since.elapsed().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate needs few digits")]
        let rate = (self.sweep.state.done.saturating_sub(from)) as f64 / seconds;
        self.sweep.state.rate = Some(rate).filter(|rate| rate.is_finite());
        if !sweeps::save(&mut tx, &self.sweep, now).await? {
            return Err(Halt::Steered);
        }
        tx.commit().await?;
        let State { done, total, .. } = self.sweep.state;
        let percent = u8::try_from((done * 100).checked_div(total).unwrap_or(100).min(100)).unwrap_or(100);
        let text = format!("{}: {done} of {total}", self.sweep.stage);
        // What it tells is no reason to stop.
        let _ = self.run.progress(percent, &text).await;
        if self.run.cancel.is_cancelled() { Err(Halt::Cancelled) } else { Ok(()) }
    }

    /// Goes on to a stage of so many rows.
    async fn enter(&mut self, stage: SweepStage, total: u64) -> Result<(), Halt> {
        self.sweep.stage = stage;
        let at = &mut self.sweep.state;
        (at.step, at.after, at.done, at.total) = (0, None, 0, total);
        self.since = (Instant::now(), 0);
        let mut tx = self.engine.db().write().await?;
        if stage == SweepStage::Done {
            // What a pause or a crash cut off was done and not counted.
            let passed = &self.sweep.state.passed;
            let kinds: Vec<_> = self.kinds().filter(|kind| !passed.contains_key(kind)).collect();
            let waiting = drift::waiting(&mut tx, &kinds).await?;
            (self.sweep.state.counts.conflicts, self.sweep.state.counts.waiting) = waiting;
            self.sweep.text = self.summary();
            let now = self.engine.context.clock.now();
            (self.sweep.status, self.sweep.ended_at) = (SweepStatus::Completed, Some(now));
            drift::release(&mut tx, self.sweep.id).await?;
            let counts = &self.sweep.state.counts;
            let is_fine = counts.conflicts + counts.failed == 0 && self.sweep.state.passed.is_empty();
            let severity = if is_fine { Severity::Info } else { Severity::Warning };
            let told = format!("{} sweep {}: {}", self.sweep.mode, self.sweep.id, self.sweep.text);
            let entry = Entry::new(&self.engine.context.clock, EventType::Reconcile, severity, told);
            logs::insert(&mut tx, &[entry.job(self.sweep.job).into()]).await?;
        }
        self.save(tx).await
    }

    /// Stops until a person has decided. What was asked before is not told again.
    async fn ask(&mut self, text: &str) -> Result<(), Halt> {
        self.sweep.status = SweepStatus::NeedsApproval;
        text.clone_into(&mut self.sweep.text);
        let is_new = self.sweep.state.asked != text;
        text.clone_into(&mut self.sweep.state.asked);
        let mut tx = self.engine.db().write().await?;
        if is_new {
            let told = format!("{} sweep {}: {text}", self.sweep.mode, self.sweep.id);
            let clock = &self.engine.context.clock;
            let entry = Entry::new(clock, EventType::Reconcile, Severity::Warning, told).job(self.sweep.job);
            logs::insert(&mut tx, &[entry.into()]).await?;
        }
        self.save(tx).await
    }

    fn summary(&self) -> String {
        let State { counts, planned, passed, .. } = &self.sweep.state;
        let rows = counts.documents.max(counts.relational);
        let mut parts = vec![format!("{rows} compared, {} differed", counts.differing)];
        if self.sweep.dry_run {
            let deleted: u64 = planned.deleted.values().sum();
            parts.push(format!("{} would be written ({deleted} deleted)", planned.changes));
        }
        let told = [
            (counts.repaired, "repaired"),
            (counts.conflicts, "in conflict"),
            (counts.waiting, "missing and waiting"),
            (counts.settled, "settled by themselves"),
            (counts.stale_skipped, "written by others meanwhile"),
            (counts.failed, "failed"),
            (counts.foreign, "with ids of their own"),
        ];
        let told = told.into_iter().filter(|(count, _)| *count > 0);
        parts.extend(told.map(|(count, what)| format!("{count} {what}")));
        parts.extend(passed.iter().map(|(kind, why)| {
            format!("{} passed over until a full sweep is allowed to: {why}", relational::table(*kind))
        }));
        parts.join(", ")
    }
}
