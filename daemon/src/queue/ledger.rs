//! The ledger: marks and settlements of many jobs in few commits. A batch closes when it is full, when 2 ms have
//! passed, or at once when no further claim is held. A batch that cannot be written is tried again until it can: no
//! outcome is dropped while the daemon lives, and claiming stops because the claims are still held.

use std::{collections::HashSet, time::Duration};

use anyhow::bail;
use astrops_api::vocabulary::Delivery;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::{
    Claim, Context, QueueHandle,
    store::{self, Mark, Settlement},
};

/// Entries per commit.
const BATCH: usize = 256;
/// How long an unfilled batch waits for more, while others are coming.
const LINGER: Duration = Duration::from_millis(2);

enum Entry {
    Settle(Box<Settlement>),
    Mark(Mark, Option<oneshot::Sender<bool>>),
}

impl Entry {
    /// Whether somebody waits for its commit.
    fn is_awaited(&self) -> bool {
        matches!(self, Self::Mark(_, Some(_)))
    }
}

/// Hands entries to the writing task. Cheap to clone; the task ends when the last clone is gone.
#[derive(Clone)]
pub struct Ledger {
    entries: mpsc::UnboundedSender<Entry>,
    context: Context,
}

impl Ledger {
    /// Starts the writing task; it tells `handle` how many claims each commit has ended.
    pub fn start(context: Context, tasks: &TaskTracker, handle: QueueHandle) -> Self {
        // Unbounded in type, bounded in fact: an entry belongs to a claim, and claims are limited.
        let (entries, queue) = mpsc::unbounded_channel();
        tasks.spawn(write(context.clone(), queue, handle));
        Self { entries, context }
    }

    /// Ends a claim. The commit follows; a crash before it makes the reaper decide.
    pub fn settle(&self, settlement: Settlement) {
        // A closed channel means that the daemon is ending: the claim is taken back by whoever comes next.
        let _ = self.entries.send(Entry::Settle(Box::new(settlement)));
    }

    /// Marks without waiting.
    pub fn mark_later(&self, claim: &Claim) {
        let _ =
            self.entries.send(Entry::Mark(Mark { id: claim.id, fence: claim.fence, delivery: None }, None));
    }

    /// Marks, and returns when the mark is durable.
    pub async fn mark(&self, claim: &Claim, delivery: Option<Delivery>) -> anyhow::Result<()> {
        let (reply, answer) = oneshot::channel();
        let _ =
            self.entries.send(Entry::Mark(Mark { id: claim.id, fence: claim.fence, delivery }, Some(reply)));
        match answer.await {
            Ok(true) => Ok(()),
            Ok(false) => bail!("the claim on job {} is lost: another node has it", claim.id),
            Err(_) => bail!("the daemon is stopping"),
        }
    }

    /// Writes progress at once: it is rare and somebody watches it.
    pub async fn progress(&self, claim: &Claim, percent: u8, message: &str) -> anyhow::Result<()> {
        let mut tx = self.context.db.write().await?;
        let key = (claim.id, claim.fence);
        let held = store::progress(&mut tx, self.context.node, key, percent.min(100), message).await?;
        tx.commit().await?;
        if !held {
            bail!("the claim on job {} is lost: another node has it", claim.id);
        }
        Ok(())
    }
}

async fn write(context: Context, mut queue: mpsc::UnboundedReceiver<Entry>, handle: QueueHandle) {
    let mut batch = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        // When nothing else is in hand, or a handler waits for its mark, the batch is written at once. A commit for
        // the first of many, on the other hand, would make all the others wait for it.
        let deadline = tokio::time::Instant::now() + LINGER;
        while batch.len() < BATCH.min(handle.held()) && !batch.iter().any(Entry::is_awaited) {
            let room = BATCH - batch.len();
            match tokio::time::timeout_at(deadline, queue.recv_many(&mut batch, room)).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => break,
            }
        }
        let mut settlements = Vec::with_capacity(batch.len());
        let mut marks = Vec::new();
        let mut replies = Vec::new();
        for entry in batch.drain(..) {
            match entry {
                Entry::Settle(settlement) => settlements.push(*settlement),
                Entry::Mark(mark, reply) => {
                    marks.push(mark);
                    replies.push(((mark.id.0, mark.fence), reply));
                }
            }
        }
        let held = commit(&context, &settlements, &marks).await;
        for (id, reply) in replies {
            if let Some(reply) = reply {
                let _ = reply.send(held.contains(&id));
            }
        }
        if !settlements.is_empty() {
            handle.settled(&settlements);
        }
    }
}

/// Writes one batch, trying until it is written. Answers the marked jobs whose claim holds.
async fn commit(context: &Context, settlements: &[Settlement], marks: &[Mark]) -> HashSet<(Uuid, i64)> {
    let mut pause = Duration::from_millis(50);
    loop {
        match try_commit(context, settlements, marks).await {
            Ok(held) => return held,
            Err(error) => {
                tracing::error!(
                    error = %error, job.count = settlements.len(),
                    "cannot write the outcome of jobs; trying again in {pause:?}, no new job is claimed meanwhile"
                );
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(2));
            }
        }
    }
}

async fn try_commit(
    context: &Context,
    settlements: &[Settlement],
    marks: &[Mark],
) -> Result<HashSet<(Uuid, i64)>, sqlx::Error> {
    let mut tx = context.db.write().await?;
    let mut held = HashSet::new();
    // Marks first: a job may be marked and settled within one batch.
    if !marks.is_empty() {
        held = store::mark(&mut tx, context.node, marks).await?;
    }
    if !settlements.is_empty() {
        let written = store::settle(&mut tx, settlements).await?;
        for lost in settlements.iter().filter(|s| !written.contains(&s.id.0)) {
            tracing::warn!(job.id = %lost.id, job.fence = lost.fence, "a late outcome is discarded: the claim was taken away");
        }
    }
    tx.commit().await?;
    Ok(held)
}
