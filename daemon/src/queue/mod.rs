//! A durable job runner that knows no job.
//!
//! ```text
//! claimer --claims in batches--> dispatcher --permits--> handler --Outcome--> ledger --group commits--> database
//!                                                         |  mark, progress ^
//! heartbeat: renews the node's lease every 3 s, asks whether a running job was cancelled elsewhere
//! reaper: every 2 s takes back what dead nodes held
//! ```
//!
//! - The lease belongs to the node ([`LEASE`]), not to the job; every write is fenced by `(id, fence, owner)`.
//! - What was claimed ahead and never started goes back with its attempt, at shutdown and after a crash.
//! - A job that was running when its node died runs alone on its node next time; the third crash ends it.
//!
//! To add a kind of job: implement [`Handler`] and add it to the list in [`crate::jobs`].
//! Limits: at least once for work outside the database. A handler whose effect must not happen twice calls
//! [`Run::mark`] before it, and a crash after that mark is settled by what the mark said.

mod ledger;
#[cfg(test)]
mod model;
mod reaper;
mod runner;
mod settle;
pub mod store;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};

use astrops_api::{
    ids::NodeId,
    vocabulary::{Delivery, EventType, JobType, Severity},
};
use chrono::TimeDelta;
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

pub use ledger::Ledger;
pub use reaper::reap;
pub use runner::{Queue, QueueHandle};
pub use store::Claim;

use crate::{clock::Clock, db::Db};

/// How long a node is trusted after it last renewed its lease.
pub const LEASE: TimeDelta = TimeDelta::seconds(10);
/// How often it renews.
const HEARTBEAT: std::time::Duration = std::time::Duration::from_secs(3);
/// How often orphans are looked for.
const REAP: std::time::Duration = std::time::Duration::from_secs(2);
/// The queue is looked at this often even when nothing woke us: a hint may be lost.
const POLL: TimeDelta = TimeDelta::seconds(5);
/// So many crashes end a job.
pub const CRASHES: i64 = 3;

/// What every part of the runner shares.
#[derive(Clone)]
pub struct Context {
    /// The database.
    pub db: Db,
    /// The time.
    pub clock: Clock,
    /// This incarnation of the daemon.
    pub node: NodeId,
}

/// Does one kind of job.
pub trait Handler: Send + Sync + 'static {
    /// Runs one attempt. Dropping the future must be harmless.
    fn run<'a>(&'a self, run: &'a Run) -> BoxFuture<'a, Outcome>;
}

/// The handlers by what they do.
pub type Handlers = Vec<(JobType, Arc<dyn Handler>)>;

/// One attempt, as its handler sees it.
pub struct Run {
    /// The job.
    pub claim: Claim,
    /// Cancelled when the job should stop.
    pub cancel: CancellationToken,
    ledger: Ledger,
    /// The last mark that was made.
    marked: Mutex<Option<Delivery>>,
}

impl Run {
    /// Makes durable that the job runs, and what a crash from here on means for its mail.
    ///
    /// # Errors
    /// When the claim is lost (another node has the job) or the daemon stops: do not go on.
    pub async fn mark(&self, delivery: Option<Delivery>) -> anyhow::Result<()> {
        *self.marked.lock().unwrap_or_else(PoisonError::into_inner) = delivery;
        self.ledger.mark(&self.claim, delivery).await
    }

    fn last_mark(&self) -> Option<Delivery> {
        *self.marked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells how far the job is.
    ///
    /// # Errors
    /// When the claim is lost, or the database does not answer.
    pub async fn progress(&self, percent: u8, message: &str) -> anyhow::Result<()> {
        self.ledger.progress(&self.claim, percent, message).await
    }
}

/// How an attempt ended, said by the handler that knows.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What happens next.
    pub verdict: Verdict,
    /// What is known about the mail.
    pub delivery: Option<Delivery>,
    /// What was done, or why not, for a person.
    pub message: String,
    /// The event type of the log entry.
    pub event_type: EventType,
    /// How bad; by the verdict unless said.
    pub severity: Option<Severity>,
}

/// What happens to a job after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The work is done.
    Done,
    /// Try again after the backoff, if attempts are left.
    Retry,
    /// Trying again would not help.
    Fail,
    /// It stopped because it was asked to.
    Cancelled,
}

impl Outcome {
    /// An outcome of the daemon's own work.
    pub fn new(verdict: Verdict, message: impl Into<String>) -> Self {
        Self { verdict, delivery: None, message: message.into(), event_type: EventType::Job, severity: None }
    }

    /// The same about a mail.
    #[must_use]
    pub fn mail(self, delivery: Delivery) -> Self {
        Self { delivery: Some(delivery), event_type: EventType::Notify, ..self }
    }
}
