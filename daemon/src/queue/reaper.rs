//! The heartbeat of this node, and the reaper of what dead nodes held.

use astrops_api::{
    ids::{JobId, LogId, NodeId},
    status::Node,
    vocabulary::{AttemptOutcome, Delivery, EventType, JobPhase, JobStatus, Severity},
};
use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;

use super::{
    CRASHES, Context, HEARTBEAT, LEASE, QueueHandle, REAP,
    store::{self, Orphan, Settlement, SettlementLog},
};
use crate::store::nodes;

/// Orphans per transaction.
const BATCH: i64 = 256;

/// A claim whose commit was not answered may have been made all the same; after so long without being in hand it was.
const FORGOTTEN: TimeDelta = TimeDelta::seconds(15);
/// A beat that takes longer is given up, or a dead connection would silence the node.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

/// Renews the lease, passes on cancellations and hands back forgotten claims until `stop`.
pub async fn heartbeat(context: Context, mut node: Node, handle: QueueHandle, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(HEARTBEAT)).await.is_some() {
        node.lease_until = context.clock.now() + LEASE;
        match tokio::time::timeout(PATIENCE, beat(&context, &node, &handle)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(error = %error, "cannot renew this node's lease; its jobs may be taken over soon");
            }
            Err(_) => tracing::warn!(
                "the database did not answer a heartbeat; this node's jobs may be taken over soon"
            ),
        }
    }
}

async fn beat(context: &Context, node: &Node, handle: &QueueHandle) -> Result<(), sqlx::Error> {
    let now = context.clock.now();
    let mut tx = context.db.write().await?;
    nodes::renew(&mut tx, node).await?;
    let rows = store::held_by(&mut tx, context.node).await?;
    for row in rows.iter().filter(|row| row.phase == JobPhase::Cancelling) {
        // The request may have come in on another node.
        handle.stop(JobId(row.id));
    }
    let forgotten =
        |row: &&Orphan| !handle.holds(JobId(row.id), row.fence) && now - row.started_at > FORGOTTEN;
    let settlements: Vec<Settlement> =
        rows.iter().filter(forgotten).map(|row| verdict(context, row, now)).collect();
    if !settlements.is_empty() {
        store::settle(&mut tx, &settlements).await?;
        tracing::warn!(job.count = settlements.len(), "handed back jobs whose claim had not been heard of");
    }
    tx.commit().await
}

/// Looks for orphans until `stop`. Only where several daemons may share the database: alone, this node is the only one
/// that could die, and the next start takes its jobs back.
pub async fn reaper(context: Context, stop: CancellationToken) {
    if context.db.listen_pool().is_none() {
        return;
    }
    while stop.run_until_cancelled(tokio::time::sleep(REAP)).await.is_some() {
        if let Err(error) = reap(&context).await {
            tracing::warn!(error = %error, "cannot look for the jobs of dead nodes; trying again");
        }
    }
}

/// Takes back every job in the hands of no living node but this one; answers how many.
pub async fn reap(context: &Context) -> Result<usize, sqlx::Error> {
    let mut taken = 0;
    loop {
        let now = context.clock.now();
        let mut tx = context.db.write().await?;
        let orphans = store::orphans(&mut tx, context.node, now, BATCH).await?;
        if orphans.is_empty() {
            nodes::bury_dead(&mut tx, now).await?;
            tx.commit().await?;
            return Ok(taken);
        }
        let settlements: Vec<Settlement> =
            orphans.iter().map(|orphan| verdict(context, orphan, now)).collect();
        taken += store::settle(&mut tx, &settlements).await?.len();
        tx.commit().await?;
        tracing::warn!(job.count = taken, "took jobs back from nodes that died");
    }
}

/// What becomes of a job whose node died, by what was durably known about it.
fn verdict(context: &Context, orphan: &Orphan, now: DateTime<Utc>) -> Settlement {
    let mut settlement = Settlement {
        id: JobId(orphan.id),
        fence: orphan.fence,
        owner: NodeId(orphan.lease_owner),
        attempt: u32::try_from(orphan.attempt).unwrap_or(u32::MAX),
        status: JobStatus::Queued,
        phase: JobPhase::Waiting,
        run_at: Some(now),
        delivery: None,
        error: None,
        result: None,
        started_at: orphan.started_at,
        finished_at: now,
        outcome: None,
        crashed: false,
        suspect: true,
        log: None,
    };
    let unknown = orphan.delivery.as_deref() == Some(Delivery::Unknown.as_str());
    let (severity, message) = match orphan.phase {
        // Claimed ahead and never started: innocent, and the attempt goes back.
        JobPhase::Waiting => return settlement,
        _ if unknown => (
            Severity::Critical,
            "its node died while the mail server was taking the mail: nobody knows whether it was sent. Ask the recipient or the mail server, then retry or delete the job",
        ),
        JobPhase::Cancelling => (Severity::Warning, "its node died while the job was being cancelled"),
        _ if orphan.crashes + 1 >= CRASHES => {
            (Severity::Error, "its node died while running it for the third time; the job is given up")
        }
        _ => (Severity::Warning, "its node died while running it; it runs again, alone on its node"),
    };
    (settlement.status, settlement.phase) = match orphan.phase {
        _ if unknown => (JobStatus::Failed, JobPhase::Dead),
        JobPhase::Cancelling => (JobStatus::Cancelled, JobPhase::Cancelled),
        _ if orphan.crashes + 1 >= CRASHES => (JobStatus::Failed, JobPhase::Dead),
        _ => (JobStatus::Queued, JobPhase::Retrying),
    };
    settlement.delivery = unknown.then_some(Delivery::Unknown);
    settlement.outcome = Some(AttemptOutcome::Crashed);
    settlement.crashed = true;
    settlement.error = Some(message.to_owned());
    settlement.log = Some(SettlementLog {
        id: LogId(context.clock.new_id()),
        event_type: EventType::Job,
        severity,
        message: format!("job {}: {message}", settlement.id.short()),
    });
    settlement
}
