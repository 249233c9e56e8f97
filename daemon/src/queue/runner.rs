//! Claims jobs, runs them, and drains.

use std::{
    collections::{BTreeMap, HashMap},
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use astrops_api::{
    ids::{JobId, LogId},
    status::Node,
    vocabulary::{AttemptOutcome, Delivery, JobPhase, JobStatus, JobType, Severity},
};
use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Claim, Context, Handler, Handlers, Ledger, Outcome, POLL, Run, Verdict, reaper,
    store::{self, Settlement, SettlementLog},
};
use crate::beat::Beat;

/// Jobs per claim.
const CLAIM: i64 = 256;
/// The most that is claimed ahead.
const PREFETCH: i64 = 512;
/// How much measured work is claimed ahead, in microseconds.
const AHEAD: i64 = 50_000;
/// A job that runs longer than this is marked as running, so that a crash is laid at its door.
const MARK_AFTER: Duration = Duration::from_millis(20);
/// How long running jobs may take to end at shutdown, before and after they are asked to stop.
const DRAIN: (Duration, Duration) = (Duration::from_secs(14), Duration::from_secs(4));

/// The running queue: what the rest of the daemon may ask of it. Cheap to clone.
#[derive(Clone, Default)]
pub struct QueueHandle(Arc<State>);

#[derive(Default)]
struct State {
    /// Claims from the claim to the commit that ends them, each with what stops it. By fence too: after a lapsed lease
    /// an old claim and a new one of the same job may be in hand at once.
    claims: Mutex<BTreeMap<(JobId, i64), CancellationToken>>,
    /// Wakes the claimer when claims were settled.
    room: Notify,
    /// A running mean of how long a job takes, in microseconds.
    mean: AtomicI64,
    /// The claimer's sign of life.
    beat: Beat,
}

impl QueueHandle {
    /// Asks a job in the hands of this node to stop, whether it runs or waits; no effect when it is not.
    pub fn stop(&self, id: JobId) {
        self.claims().range((id, i64::MIN)..=(id, i64::MAX)).for_each(|(_, cancel)| cancel.cancel());
    }

    /// The claimer's sign of life.
    pub fn beat(&self) -> &Beat {
        &self.0.beat
    }

    /// Claims not yet settled.
    pub fn held(&self) -> usize {
        self.claims().len()
    }

    /// Whether this claim is in hand.
    pub(super) fn holds(&self, id: JobId, fence: i64) -> bool {
        self.claims().contains_key(&(id, fence))
    }

    fn claims(&self) -> std::sync::MutexGuard<'_, BTreeMap<(JobId, i64), CancellationToken>> {
        self.0.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn claimed(&self, batch: &[Claim]) {
        self.claims().extend(batch.iter().map(|claim| ((claim.id, claim.fence), CancellationToken::new())));
    }

    /// What stops this claim.
    fn cancel(&self, claim: &Claim) -> CancellationToken {
        self.claims().get(&(claim.id, claim.fence)).cloned().unwrap_or_default()
    }

    /// Hears that these were written, or were no longer ours to write.
    pub(super) fn settled(&self, settlements: &[Settlement]) {
        let mut claims = self.claims();
        for settlement in settlements {
            claims.remove(&(settlement.id, settlement.fence));
        }
        drop(claims);
        self.0.room.notify_one();
    }

    fn took(&self, time: TimeDelta) {
        let sample = time.num_microseconds().unwrap_or(i64::MAX).max(1);
        let mean = self.0.mean.load(Ordering::Relaxed);
        self.0.mean.store(if mean == 0 { sample } else { (mean * 7 + sample) / 8 }, Ordering::Relaxed);
    }

    /// How many jobs to hold beyond those that run: about [`AHEAD`] of work.
    fn prefetch(&self, workers: i64) -> i64 {
        let mean = self.0.mean.load(Ordering::Relaxed);
        if mean == 0 { workers } else { (workers * AHEAD / mean).clamp(1, PREFETCH) }
    }
}

/// The queue's tasks.
pub struct Queue {
    context: Context,
    handlers: HashMap<JobType, Arc<dyn Handler>>,
    workers: usize,
    handle: QueueHandle,
}

impl Queue {
    /// A queue with `workers` jobs at a time.
    pub fn new(context: Context, handlers: Handlers, workers: usize) -> Self {
        Self {
            context,
            handlers: handlers.into_iter().collect(),
            workers: workers.max(1),
            handle: QueueHandle::default(),
        }
    }

    /// What the rest of the daemon may ask of it.
    pub fn handle(&self) -> QueueHandle {
        self.handle.clone()
    }

    /// Takes back what dead nodes held, then runs jobs until `stop`, then drains: running jobs end, the others go back.
    pub async fn run(self, node: Node, stop: CancellationToken) {
        let tasks = TaskTracker::new();
        let ledger = Ledger::start(self.context.clone(), &tasks, self.handle.clone());
        let beats = CancellationToken::new();
        let beating =
            tokio::spawn(reaper::heartbeat(self.context.clone(), node, self.handle.clone(), beats.clone()));
        let reaping = tokio::spawn(reaper::reaper(self.context.clone(), stop.clone()));

        let (claims, dispatched) = mpsc::unbounded_channel();
        let starter = Dispatcher {
            context: self.context.clone(),
            handlers: Arc::new(self.handlers),
            handle: self.handle.clone(),
            ledger,
            permits: Arc::new(Semaphore::new(self.workers)),
            draining: CancellationToken::new(),
            workers: u32::try_from(self.workers).unwrap_or(u32::MAX),
        };
        let dispatching = tokio::spawn(starter.run(dispatched, stop.clone()));
        claimer(&self.context, &self.handle, self.workers, claims, &stop).await;
        // The dispatcher drops its ledger when the last job has ended; the ledger writes what it has and ends.
        let _ = dispatching.await;
        tasks.close();
        if tokio::time::timeout(Duration::from_secs(2), tasks.wait()).await.is_err() {
            tracing::error!("the last outcomes could not be written; the next start takes those jobs back");
        }
        beats.cancel();
        let _ = tokio::join!(beating, reaping);
    }
}

async fn claimer(
    context: &Context,
    handle: &QueueHandle,
    workers: usize,
    claims: mpsc::UnboundedSender<Claim>,
    stop: &CancellationToken,
) {
    let workers = i64::try_from(workers).unwrap_or(i64::MAX);
    let mut pause = Duration::from_millis(50);
    while !stop.is_cancelled() {
        handle.0.beat.turn();
        let held = i64::try_from(handle.held()).unwrap_or(i64::MAX);
        let prefetch = handle.prefetch(workers);
        let room = (workers + prefetch - held).min(CLAIM);
        // Claiming a few at a time would cost a commit each; wait until it is worth one.
        if room < (prefetch / 2).clamp(1, CLAIM) {
            let room = tokio::time::timeout(Duration::from_secs(5), handle.0.room.notified());
            stop.run_until_cancelled(room).await;
            continue;
        }
        let turn = async {
            let batch = claim(context, room).await?;
            let more = i64::try_from(batch.len()).is_ok_and(|claimed| claimed == room);
            handle.claimed(&batch);
            for claim in batch {
                // The dispatcher lives until `stop`; then it hands back what it still gets.
                let _ = claims.send(claim);
            }
            if more { Ok(()) } else { wait(context, handle, stop).await }
        };
        if let Err(error) = turn.await {
            tracing::error!(error = %error, "cannot claim jobs; trying again in {pause:?}");
            stop.run_until_cancelled(tokio::time::sleep(pause)).await;
            pause = (pause * 2).min(Duration::from_secs(5));
        } else {
            pause = Duration::from_millis(50);
        }
    }
}

async fn claim(context: &Context, room: i64) -> Result<Vec<Claim>, sqlx::Error> {
    let mut tx = context.db.write().await?;
    let batch = store::claim(&mut tx, context.node, room, context.clock.now()).await?;
    tx.commit().await?;
    Ok(batch)
}

/// Returns when a job is due, or may be: on a signal, at the next due time, or when a look every [`POLL`] finds one
/// (a hint may be lost). Looking takes no write lock.
async fn wait(context: &Context, handle: &QueueHandle, stop: &CancellationToken) -> Result<(), sqlx::Error> {
    loop {
        handle.0.beat.turn();
        let mut tx = context.db.read().await?;
        let due = store::next_due(&mut tx).await?;
        tx.rollback().await?;
        let now = context.clock.now();
        if due.is_some_and(|due| due <= now) {
            return Ok(());
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = context.db.signals().jobs.notified() => return Ok(()),
            () = context.clock.sleep_until(due.unwrap_or(now + POLL).min(now + POLL)) => {}
            // A mock clock stands still.
            () = tokio::time::sleep(POLL.to_std().unwrap_or_default()) => {}
        }
    }
}

/// Starts claimed jobs as permits come free.
#[derive(Clone)]
struct Dispatcher {
    context: Context,
    handlers: Arc<HashMap<JobType, Arc<dyn Handler>>>,
    handle: QueueHandle,
    ledger: Ledger,
    permits: Arc<Semaphore>,
    workers: u32,
    /// Cancelled when jobs are asked to stop because the daemon does: nobody wanted them cancelled.
    draining: CancellationToken,
}

impl Dispatcher {
    async fn run(self, mut claims: mpsc::UnboundedReceiver<Claim>, stop: CancellationToken) {
        let running = TaskTracker::new();
        while let Some(claim) = claims.recv().await {
            // A job that was running when its node died runs alone: it may be the cause.
            let permits = if claim.crashes > 0 { self.workers } else { 1 };
            let cancel = self.handle.cancel(&claim);
            let permit = tokio::select! {
                biased;
                () = stop.cancelled() => None,
                // Asked to stop before it was started: it goes back, and the row says that it is cancelled.
                () = cancel.cancelled() => None,
                permit = self.permits.clone().acquire_many_owned(permits) => permit.ok(),
            };
            let Some(permit) = permit else {
                self.ledger.settle(self.hand_back(&claim));
                continue;
            };
            let this = self.clone();
            running.spawn(async move {
                this.attempt(claim).await;
                drop(permit);
            });
        }
        running.close();
        if tokio::time::timeout(DRAIN.0, running.wait()).await.is_err() {
            tracing::warn!(job.count = running.len(), "asking jobs that still run to stop");
            self.draining.cancel();
            self.handle.claims().values().for_each(CancellationToken::cancel);
            let _ = tokio::time::timeout(DRAIN.1, running.wait()).await;
        }
    }

    /// A claim that was never started goes back with its attempt.
    fn hand_back(&self, claim: &Claim) -> Settlement {
        let now = self.context.clock.now();
        Settlement {
            status: JobStatus::Queued,
            phase: JobPhase::Waiting,
            suspect: claim.suspect,
            ..self.settlement(claim, now, now)
        }
    }

    fn settlement(&self, claim: &Claim, started_at: DateTime<Utc>, finished_at: DateTime<Utc>) -> Settlement {
        Settlement {
            id: claim.id,
            fence: claim.fence,
            owner: self.context.node,
            attempt: claim.attempt,
            status: JobStatus::Completed,
            phase: JobPhase::Done,
            run_at: None,
            delivery: None,
            error: None,
            result: None,
            started_at,
            finished_at,
            outcome: None,
            crashed: false,
            suspect: false,
            log: None,
        }
    }

    async fn attempt(self, claim: Claim) {
        let started_at = self.context.clock.now();
        let cancel = self.handle.cancel(&claim);
        let run = Run { claim, cancel, ledger: self.ledger.clone(), marked: Mutex::default() };
        let outcome = self.outcome(&run).await;
        let finished_at = self.context.clock.now();
        self.handle.took(finished_at - started_at);
        self.ledger.settle(self.settle(&run.claim, outcome, started_at, finished_at));
    }

    async fn outcome(&self, run: &Run) -> Outcome {
        let Some(handler) = self.handlers.get(&run.claim.kind) else {
            return Outcome::new(Verdict::Fail, format!("this daemon cannot do {} jobs", run.claim.kind));
        };
        if run.claim.suspect
            && let Err(error) = run.mark(None).await
        {
            return Outcome::new(Verdict::Retry, error.to_string());
        }
        let mut work = std::pin::pin!(AssertUnwindSafe(handler.run(run)).catch_unwind());
        let done = tokio::select! {
            biased;
            done = &mut work => done,
            () = tokio::time::sleep(MARK_AFTER) => {
                self.ledger.mark_later(&run.claim);
                work.await
            }
        };
        done.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<&str>().map(ToString::to_string);
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            tracing::error!(job.id = %run.claim.id, job.kind = %run.claim.kind, "a job panicked: {text}");
            let told = format!("the job's code panicked: {text}");
            if run.last_mark() == Some(Delivery::Unknown) {
                // It had begun what must not happen twice: a person decides.
                return Outcome {
                    severity: Some(Severity::Critical),
                    ..Outcome::new(Verdict::Fail, told).mail(Delivery::Unknown)
                };
            }
            Outcome::new(Verdict::Retry, told)
        })
    }

    fn settle(
        &self,
        claim: &Claim,
        outcome: Outcome,
        started: DateTime<Utc>,
        finished: DateTime<Utc>,
    ) -> Settlement {
        if outcome.verdict == Verdict::Cancelled && self.draining.is_cancelled() {
            // Stopped by the daemon's end and not by a person: the attempt goes back. (Where a person had asked too, the
            // row says so and it is cancelled after all.)
            return Settlement {
                run_at: Some(finished),
                delivery: outcome.delivery,
                ..self.hand_back(claim)
            };
        }
        let left = claim.attempt < claim.max_attempts;
        let (status, phase, ended, severity) = match outcome.verdict {
            Verdict::Done => (JobStatus::Completed, JobPhase::Done, AttemptOutcome::Ok, Severity::Info),
            Verdict::Retry if left => {
                (JobStatus::Queued, JobPhase::Retrying, AttemptOutcome::Retry, Severity::Warning)
            }
            Verdict::Retry | Verdict::Fail => {
                (JobStatus::Failed, JobPhase::Dead, AttemptOutcome::Failed, Severity::Error)
            }
            Verdict::Cancelled => {
                (JobStatus::Cancelled, JobPhase::Cancelled, AttemptOutcome::Cancelled, Severity::Warning)
            }
        };
        let run_at = (status == JobStatus::Queued).then(|| finished + backoff(claim));
        let message = match run_at {
            Some(at) => format!(
                "{} (attempt {} of {}, again at {})",
                outcome.message,
                claim.attempt,
                claim.max_attempts,
                at.format("%H:%M:%SZ")
            ),
            None => outcome.message.clone(),
        };
        let done = outcome.verdict == Verdict::Done;
        Settlement {
            status,
            phase,
            run_at,
            delivery: outcome.delivery,
            error: (!done).then(|| outcome.message.clone()),
            result: done.then_some(outcome.message),
            outcome: Some(ended),
            log: Some(SettlementLog {
                id: LogId(self.context.clock.new_id()),
                event_type: outcome.event_type,
                severity: outcome.severity.unwrap_or(severity),
                message,
            }),
            ..self.settlement(claim, started, finished)
        }
    }
}

/// 10 s, 40 s, 160 s .. at most 1 h, each 20 % to either side so that a crowd does not come back at once. The spread
/// is drawn from the job's id: no random source, and the same job waits the same time in every replay.
fn backoff(claim: &Claim) -> TimeDelta {
    let base =
        10_000_i64.saturating_mul(4_i64.saturating_pow(claim.attempt.saturating_sub(1))).min(3_600_000);
    let draw = (claim.id.0.as_u128() ^ u128::from(claim.attempt).wrapping_mul(0x9E37_79B9_7F4A_7C15)) % 401;
    let draw = i64::try_from(draw).unwrap_or_default();
    TimeDelta::milliseconds((base * (800 + draw) / 1000).min(3_600_000))
}
