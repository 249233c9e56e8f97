//! What the runner does to `jobs`: claim, mark, settle, and take back from the dead.
//!
//! The fence rises by one at every claim; every later write names `(id, fence, owner)`, so a worker that lost its
//! claim changes nothing. One statement per batch: a statement per row costs 70-85 us each.

use std::collections::HashSet;

use astrops_api::{
    ids::{JobId, LogId, NodeId},
    vocabulary::{AttemptOutcome, Delivery, EventType, JobPhase, JobStatus, JobType, Severity},
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    db::{Sql, Tx, on},
    store::{id_text, time_text},
};

/// A job in the hands of this node.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The job.
    pub id: JobId,
    /// What it does.
    pub kind: JobType,
    /// What its handler reads.
    pub payload: Value,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// Attempts it may take.
    pub max_attempts: u32,
    /// The fencing token of this claim.
    pub fence: i64,
    /// How often a node died while running it.
    pub crashes: u32,
    /// A node died with it in its hands: its start is marked durably before it runs.
    pub suspect: bool,
    priority: i64,
    run_at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct ClaimRow {
    id: Uuid,
    #[sqlx(rename = "type", try_from = "String")]
    kind: JobType,
    payload: Json<Value>,
    attempt: i64,
    max_attempts: i64,
    fence: i64,
    crashes: i64,
    suspect: bool,
    priority: i64,
    run_at: DateTime<Utc>,
}

macro_rules! set_claimed {
    () => {
        "UPDATE jobs SET status = 'processing', phase = 'waiting', attempt = attempt + 1, fence = fence + 1, lease_owner = $2,
                         started_at = $1, updated_at = $1 "
    };
}
macro_rules! due {
    () => {
        " FROM jobs WHERE status = 'queued' AND run_at <= $1 AND type NOT IN (SELECT type FROM job_pauses)
          ORDER BY priority, run_at, id LIMIT $3 "
    };
}
macro_rules! returning_claim {
    () => {
        " RETURNING id, type, payload, attempt, max_attempts, fence, crashes, suspect, priority, run_at"
    };
}

const CLAIM: Sql = Sql {
    sqlite: concat!(set_claimed!(), "WHERE id IN (SELECT id", due!(), ")", returning_claim!()),
    postgres: concat!(
        set_claimed!(),
        "WHERE ctid = ANY (ARRAY (SELECT ctid",
        due!(),
        "FOR UPDATE SKIP LOCKED))",
        returning_claim!()
    ),
};

/// Claims up to `limit` due jobs for `node`, most urgent first.
pub async fn claim(
    tx: &mut Tx,
    node: NodeId,
    limit: i64,
    now: DateTime<Utc>,
) -> Result<Vec<Claim>, sqlx::Error> {
    let sql = tx.text(&CLAIM);
    let rows: Vec<ClaimRow> =
        on!(tx, |conn| sqlx::query_as(sql).bind(now).bind(node.0).bind(limit).fetch_all(conn).await)?;
    let count = |n: i64| u32::try_from(n).unwrap_or(u32::MAX);
    let mut claims: Vec<Claim> = rows
        .into_iter()
        .map(|row| Claim {
            id: JobId(row.id),
            kind: row.kind,
            payload: row.payload.0,
            attempt: count(row.attempt),
            max_attempts: count(row.max_attempts),
            fence: row.fence,
            crashes: count(row.crashes),
            suspect: row.suspect,
            priority: row.priority,
            run_at: row.run_at,
        })
        .collect();
    // RETURNING promises no order.
    claims.sort_unstable_by_key(|claim| (claim.priority, claim.run_at, claim.id));
    Ok(claims)
}

/// When the next queued job becomes due.
pub async fn next_due(tx: &mut Tx) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query_scalar(
            "SELECT MIN(run_at) FROM jobs WHERE status = 'queued' AND type NOT IN (SELECT type FROM job_pauses)",
        )
        .fetch_one(conn)
        .await
    })
}

/// A durable mark of a running job, made before its effect can be seen outside.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    /// The job.
    pub id: JobId,
    /// The claim's token.
    pub fence: i64,
    /// What a crash from here on would mean for its mail.
    pub delivery: Option<Delivery>,
}

/// How a claim ends. Built by the runner, the reaper and the hand-back; written by [`settle`].
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The job.
    pub id: JobId,
    /// The claim's token.
    pub fence: i64,
    /// The node whose claim it is.
    pub owner: NodeId,
    /// The attempt's number.
    pub attempt: u32,
    /// Where the job stands now.
    pub status: JobStatus,
    /// Where the job stands now.
    pub phase: JobPhase,
    /// When it runs again, if it does.
    pub run_at: Option<DateTime<Utc>>,
    /// What is known about its mail.
    pub delivery: Option<Delivery>,
    /// Why it did not end well.
    pub error: Option<String>,
    /// What it did.
    pub result: Option<String>,
    /// When the attempt began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
    /// The attempt's row; none when the job was never started and its attempt is handed back.
    pub outcome: Option<AttemptOutcome>,
    /// Whether a node died running it.
    pub crashed: bool,
    /// Whether a node died holding it.
    pub suspect: bool,
    /// A log entry that tells it.
    pub log: Option<SettlementLog>,
}

/// The log entry of a settlement.
#[derive(Clone, Debug)]
pub struct SettlementLog {
    /// A `UUIDv7`.
    pub id: LogId,
    /// What kind of event.
    pub event_type: EventType,
    /// How bad.
    pub severity: Severity,
    /// For a person.
    pub message: String,
}

#[derive(Serialize)]
struct Batched<'a> {
    id: String,
    fence: i64,
    owner: String,
    number: u32,
    status: JobStatus,
    phase: JobPhase,
    run_at: Option<String>,
    delivery: Option<Delivery>,
    error: Option<&'a str>,
    result: Option<&'a str>,
    started_at: String,
    finished_at: String,
    outcome: Option<AttemptOutcome>,
    returned: u8,
    crashed: u8,
    suspect: bool,
    log_id: Option<String>,
    event_type: Option<EventType>,
    severity: Option<Severity>,
    message: Option<&'a str>,
}

impl<'a> From<&'a Settlement> for Batched<'a> {
    fn from(s: &'a Settlement) -> Self {
        Self {
            id: id_text(s.id.0),
            fence: s.fence,
            owner: id_text(s.owner.0),
            number: s.attempt,
            status: s.status,
            phase: s.phase,
            run_at: s.run_at.map(time_text),
            delivery: s.delivery,
            error: s.error.as_deref(),
            result: s.result.as_deref(),
            started_at: time_text(s.started_at),
            finished_at: time_text(s.finished_at),
            outcome: s.outcome,
            returned: u8::from(s.outcome.is_none()),
            crashed: u8::from(s.crashed),
            suspect: s.suspect,
            log_id: s.log.as_ref().map(|log| id_text(log.id.0)),
            event_type: s.log.as_ref().map(|log| log.event_type),
            severity: s.log.as_ref().map(|log| log.severity),
            message: s.log.as_ref().map(|log| log.message.as_str()),
        }
    }
}

// What a settlement `d` does to its job, on both engines. A job that was asked to stop while its worker was about to
// queue it again is cancelled: the request is never lost.
macro_rules! set_settled {
    () => {
        "UPDATE jobs SET
            status = CASE WHEN jobs.phase = 'cancelling' AND d.status = 'queued' THEN 'cancelled' ELSE d.status END,
            phase = CASE WHEN jobs.phase = 'cancelling' AND d.status = 'queued' THEN 'cancelled' ELSE d.phase END,
            completed_at = CASE WHEN d.status = 'queued' AND jobs.phase <> 'cancelling' THEN NULL ELSE d.finished_at END,
            run_at = COALESCE(d.run_at, jobs.run_at), lease_owner = NULL, attempt = attempt - d.returned,
            crashes = crashes + d.crashed, max_attempts = max_attempts + d.crashed, suspect = d.suspect,
            delivery = COALESCE(d.delivery, jobs.delivery), error_message = d.error, result = d.result, percent = NULL,
            progress_message = NULL, started_at = d.started_at, updated_at = d.finished_at "
    };
}
macro_rules! still_held {
    () => {
        " WHERE jobs.id = d.id AND jobs.fence = d.fence AND jobs.lease_owner = d.owner "
    };
}

const SETTLE_SQLITE: &str = concat!(
    set_settled!(),
    "FROM (SELECT unhex(value->>'id') AS id, value->>'fence' AS fence, unhex(value->>'owner') AS owner, value->>'status' AS status,
                  value->>'phase' AS phase, value->>'run_at' AS run_at, value->>'returned' AS returned, value->>'crashed' AS crashed,
                  value->>'suspect' AS suspect, value->>'delivery' AS delivery, value->>'error' AS error, value->>'result' AS result,
                  value->>'started_at' AS started_at, value->>'finished_at' AS finished_at
             FROM json_each($1)) AS d",
    still_held!(),
    "RETURNING jobs.id"
);
const ATTEMPTS_SQLITE: &str = "INSERT INTO job_attempts (job_id, number, node, started_at, finished_at, outcome, error)
 SELECT unhex(value->>'id'), value->>'number', unhex(value->>'owner'), value->>'started_at', value->>'finished_at', value->>'outcome',
        value->>'error'
   FROM json_each($1) WHERE value->>'outcome' IS NOT NULL";
const LOGS_SQLITE: &str = "INSERT INTO system_logs (id, at, event_type, severity, message, job_id, additional_data, recorded_by)
 SELECT unhex(value->>'log_id'), value->>'finished_at', value->>'event_type', value->>'severity', value->>'message', unhex(value->>'id'),
        json_object('attempt', value->>'number'), 'daemon'
   FROM json_each($1) WHERE value->>'log_id' IS NOT NULL";

const SETTLE_POSTGRES: &str = concat!(
    "WITH d AS MATERIALIZED (
        SELECT * FROM jsonb_to_recordset($1) AS d (id UUID, fence BIGINT, owner UUID, number BIGINT, status TEXT, phase TEXT,
            run_at TIMESTAMPTZ, delivery TEXT, error TEXT, result TEXT, started_at TIMESTAMPTZ, finished_at TIMESTAMPTZ, outcome TEXT,
            returned BIGINT, crashed BIGINT, suspect BOOLEAN, log_id UUID, event_type TEXT, severity TEXT, message TEXT)),
     done AS (",
    set_settled!(),
    "FROM d",
    still_held!(),
    "RETURNING d.*),
     attempts AS (
        INSERT INTO job_attempts (job_id, number, node, started_at, finished_at, outcome, error)
        SELECT id, number, owner, started_at, finished_at, outcome, error FROM done WHERE outcome IS NOT NULL),
     logs AS (
        INSERT INTO system_logs (id, at, event_type, severity, message, job_id, additional_data, recorded_by)
        SELECT log_id, finished_at, event_type, severity, message, id, jsonb_build_object('attempt', number), 'daemon'
          FROM done WHERE log_id IS NOT NULL)
     SELECT id FROM done"
);

/// Ends claims: the job's new state, its attempt's row and its log entry, all or nothing for each. Answers the jobs
/// that were settled; the others had been taken away and nothing of them is written.
pub async fn settle(tx: &mut Tx, settlements: &[Settlement]) -> Result<HashSet<Uuid>, sqlx::Error> {
    let batch: Vec<Batched<'_>> = settlements.iter().map(Batched::from).collect();
    tx.wake_waiters();
    tx.wake_logs();
    if settlements.iter().any(|s| s.status == JobStatus::Queued) {
        tx.wake_jobs();
    }
    match &mut tx.engine {
        crate::db::EngineTx::Postgres(conn) => {
            let ids: Vec<Uuid> =
                sqlx::query_scalar(SETTLE_POSTGRES).bind(Json(&batch)).fetch_all(&mut **conn).await?;
            Ok(ids.into_iter().collect())
        }
        crate::db::EngineTx::Sqlite(conn) => {
            let mut json =
                serde_json::to_string(&batch).map_err(|error| sqlx::Error::Encode(error.into()))?;
            let ids: Vec<Uuid> = sqlx::query_scalar(SETTLE_SQLITE).bind(&json).fetch_all(&mut **conn).await?;
            let ids: HashSet<Uuid> = ids.into_iter().collect();
            if ids.len() < batch.len() {
                let kept: Vec<Batched<'_>> =
                    settlements.iter().filter(|s| ids.contains(&s.id.0)).map(Batched::from).collect();
                json = serde_json::to_string(&kept).map_err(|error| sqlx::Error::Encode(error.into()))?;
            }
            sqlx::query(ATTEMPTS_SQLITE).bind(&json).execute(&mut **conn).await?;
            sqlx::query(LOGS_SQLITE).bind(&json).execute(&mut **conn).await?;
            Ok(ids)
        }
    }
}

const MARK: Sql = Sql {
    sqlite: "UPDATE jobs SET phase = CASE WHEN phase = 'cancelling' THEN phase ELSE 'running' END, delivery = COALESCE(d.delivery, jobs.delivery)
               FROM (SELECT unhex(value->>'id') AS id, value->>'fence' AS fence, value->>'delivery' AS delivery FROM json_each($1)) AS d
              WHERE jobs.id = d.id AND jobs.fence = d.fence AND jobs.lease_owner = $2 RETURNING jobs.id",
    postgres: "UPDATE jobs SET phase = CASE WHEN phase = 'cancelling' THEN phase ELSE 'running' END, delivery = COALESCE(d.delivery, jobs.delivery)
                 FROM jsonb_to_recordset($1) AS d (id UUID, fence BIGINT, delivery TEXT)
                WHERE jobs.id = d.id AND jobs.fence = d.fence AND jobs.lease_owner = $2 RETURNING jobs.id",
};

/// Marks running jobs; answers those whose claim still holds.
pub async fn mark(tx: &mut Tx, owner: NodeId, marks: &[Mark]) -> Result<HashSet<Uuid>, sqlx::Error> {
    #[derive(Serialize)]
    struct Batched {
        id: String,
        fence: i64,
        delivery: Option<Delivery>,
    }
    let batch: Vec<Batched> =
        marks.iter().map(|m| Batched { id: id_text(m.id.0), fence: m.fence, delivery: m.delivery }).collect();
    let sql = tx.text(&MARK);
    let ids: Vec<Uuid> =
        on!(tx, |conn| sqlx::query_scalar(sql).bind(Json(&batch)).bind(owner.0).fetch_all(conn).await)?;
    Ok(ids.into_iter().collect())
}

/// How far a running job is; false when its claim is lost.
pub async fn progress(
    tx: &mut Tx,
    owner: NodeId,
    claim: (JobId, i64),
    percent: u8,
    message: &str,
) -> Result<bool, sqlx::Error> {
    tx.wake_waiters();
    on!(tx, |conn| {
        let done = sqlx::query(
            "UPDATE jobs SET percent = $4, progress_message = $5
              WHERE id = $1 AND fence = $2 AND lease_owner = $3",
        )
        .bind(claim.0.0)
        .bind(claim.1)
        .bind(owner.0)
        .bind(i64::from(percent))
        .bind(message)
        .execute(conn)
        .await?;
        Ok(done.rows_affected() == 1)
    })
}

/// Running jobs of `owner` that were asked to stop, wherever the request came in.
pub async fn asked_to_stop(tx: &mut Tx, owner: NodeId) -> Result<Vec<JobId>, sqlx::Error> {
    let ids: Vec<Uuid> = on!(tx, |conn| {
        sqlx::query_scalar(
            "SELECT id FROM jobs WHERE status = 'processing' AND phase = 'cancelling' AND lease_owner = $1",
        )
        .bind(owner.0)
        .fetch_all(conn)
        .await
    })?;
    Ok(ids.into_iter().map(JobId).collect())
}

/// A job whose node is dead.
#[derive(Debug, sqlx::FromRow)]
pub struct Orphan {
    pub id: Uuid,
    pub fence: i64,
    pub lease_owner: Uuid,
    #[sqlx(try_from = "String")]
    pub phase: JobPhase,
    pub attempt: i64,
    pub crashes: i64,
    pub delivery: Option<String>,
    pub started_at: DateTime<Utc>,
}

const ORPHANS: Sql = Sql {
    sqlite: "SELECT id, fence, lease_owner, phase, attempt, crashes, delivery, started_at FROM jobs
              WHERE status = 'processing' AND lease_owner NOT IN (SELECT id FROM nodes WHERE lease_until >= $1) LIMIT $2",
    postgres: "SELECT id, fence, lease_owner, phase, attempt, crashes, delivery, started_at FROM jobs
                WHERE status = 'processing' AND lease_owner NOT IN (SELECT id FROM nodes WHERE lease_until >= $1) LIMIT $2
                  FOR UPDATE SKIP LOCKED",
};

/// Up to `limit` jobs in the hands of no living node.
pub async fn orphans(tx: &mut Tx, now: DateTime<Utc>, limit: i64) -> Result<Vec<Orphan>, sqlx::Error> {
    let sql = tx.text(&ORPHANS);
    on!(tx, |conn| sqlx::query_as(sql).bind(now).bind(limit).fetch_all(conn).await)
}
