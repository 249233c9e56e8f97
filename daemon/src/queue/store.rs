//! What the runner does to `jobs`: claim, mark, settle, and take back from the dead.
//!
//! The fence rises by one at every claim; every later write names `(id, fence, owner)`, so a worker that lost its
//! claim changes nothing. One statement per batch: a statement per row costs 70-85 us each.

use std::collections::HashSet;

use astrops_api::{
    ids::{JobId, NodeId},
    vocabulary::{Delivery, JobPhase, JobType},
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

pub use super::settle::{Settlement, SettlementLog, settle};

use crate::{
    db::{EngineTx, Sql, Tx, on},
    store::id_text,
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

/// The columns of [`ClaimRow`] as [`DUE_SQLITE`] says them.
type DueRow = (String, JobType, String, i64, i64, i64, i64, i64, i64, DateTime<Utc>);

impl TryFrom<DueRow> for ClaimRow {
    type Error = sqlx::Error;

    fn try_from(row: DueRow) -> Result<Self, sqlx::Error> {
        let (id, kind, payload, attempt, max_attempts, fence, crashes, suspect, priority, run_at) = row;
        let decode = |error: Box<dyn std::error::Error + Send + Sync>| sqlx::Error::Decode(error);
        Ok(Self {
            id: Uuid::try_parse(&id).map_err(|error| decode(error.into()))?,
            kind,
            payload: Json(serde_json::from_str(&payload).map_err(|error| decode(error.into()))?),
            attempt,
            max_attempts,
            fence,
            crashes,
            suspect: suspect != 0,
            priority,
            run_at,
        })
    }
}

macro_rules! set_claimed {
    () => {
        "UPDATE jobs SET status = 'processing', phase = 'waiting', attempt = attempt + 1, fence = fence + 1, lease_owner = $3,
                         started_at = $1, updated_at = $1 "
    };
}
macro_rules! due {
    () => {
        " FROM jobs WHERE status = 'queued' AND run_at <= $1 AND type NOT IN (SELECT type FROM job_pauses)
          ORDER BY priority, run_at, id LIMIT $2 "
    };
}

const CLAIM_POSTGRES: &str = concat!(
    set_claimed!(),
    "WHERE ctid = ANY (ARRAY (SELECT ctid",
    due!(),
    "FOR UPDATE SKIP LOCKED))
     RETURNING id, type, payload, attempt, max_attempts, fence, crashes, suspect, priority, run_at"
);

// The SQLite driver hands each row from its own thread to ours, and a row costs more that way than its update. So
// what is due comes back as one row; the same choice is then claimed, in a transaction that no other writer is in.
const DUE_SQLITE: &str = concat!(
    "SELECT json_group_array(json_array(hex(id), type, payload, attempt + 1, max_attempts, fence + 1, crashes, suspect, priority, run_at))
       FROM (SELECT *",
    due!(),
    ")"
);
const CLAIM_SQLITE: &str = concat!(set_claimed!(), "WHERE id IN (SELECT id", due!(), ")");

/// Claims up to `limit` due jobs for `node`, most urgent first.
pub async fn claim(
    tx: &mut Tx,
    node: NodeId,
    limit: i64,
    now: DateTime<Utc>,
) -> Result<Vec<Claim>, sqlx::Error> {
    let rows: Vec<ClaimRow> = match &mut tx.engine {
        EngineTx::Postgres(conn) => {
            let query = sqlx::query_as(CLAIM_POSTGRES).bind(now).bind(limit).bind(node.0);
            query.fetch_all(&mut **conn).await?
        }
        EngineTx::Sqlite(conn) => {
            let due: Json<Vec<DueRow>> =
                sqlx::query_scalar(DUE_SQLITE).bind(now).bind(limit).fetch_one(&mut **conn).await?;
            if !due.is_empty() {
                let query = sqlx::query(CLAIM_SQLITE).bind(now).bind(limit).bind(node.0);
                query.execute(&mut **conn).await?;
            }
            due.0.into_iter().map(ClaimRow::try_from).collect::<Result<_, _>>()?
        }
    };
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

const MARK: Sql = Sql {
    sqlite: "UPDATE jobs SET phase = CASE WHEN phase = 'cancelling' THEN phase ELSE 'running' END, delivery = COALESCE(d.delivery, jobs.delivery)
               FROM (SELECT unhex(value->>'id') AS id, value->>'fence' AS fence, value->>'delivery' AS delivery FROM json_each($1)) AS d
              WHERE jobs.id = d.id AND jobs.fence = d.fence AND jobs.lease_owner = $2 RETURNING jobs.id, jobs.fence",
    postgres: "UPDATE jobs SET phase = CASE WHEN phase = 'cancelling' THEN phase ELSE 'running' END, delivery = COALESCE(d.delivery, jobs.delivery)
                 FROM jsonb_to_recordset($1) AS d (id UUID, fence BIGINT, delivery TEXT)
                WHERE jobs.id = d.id AND jobs.fence = d.fence AND jobs.lease_owner = $2 RETURNING jobs.id, jobs.fence",
};

/// Marks running jobs; answers those whose claim still holds.
pub async fn mark(tx: &mut Tx, owner: NodeId, marks: &[Mark]) -> Result<HashSet<(Uuid, i64)>, sqlx::Error> {
    #[derive(Serialize)]
    struct Batched {
        id: String,
        fence: i64,
        delivery: Option<Delivery>,
    }
    let batch: Vec<Batched> =
        marks.iter().map(|m| Batched { id: id_text(m.id.0), fence: m.fence, delivery: m.delivery }).collect();
    let sql = tx.text(&MARK);
    let held: Vec<(Uuid, i64)> =
        on!(tx, |conn| sqlx::query_as(sql).bind(Json(&batch)).bind(owner.0).fetch_all(conn).await)?;
    Ok(held.into_iter().collect())
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

/// What the rows say is in the hands of `owner`, asked to stop or not.
pub async fn held_by(tx: &mut Tx, owner: NodeId) -> Result<Vec<Orphan>, sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query_as(
            "SELECT id, fence, lease_owner, phase, attempt, crashes, delivery, started_at FROM jobs
              WHERE status = 'processing' AND lease_owner = $1",
        )
        .bind(owner.0)
        .fetch_all(conn)
        .await
    })
}

/// A job in the hands of a node, dead or forgetful.
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
              WHERE status = 'processing' AND lease_owner <> $3
                AND lease_owner NOT IN (SELECT id FROM nodes WHERE lease_until >= $1) LIMIT $2",
    postgres: "SELECT id, fence, lease_owner, phase, attempt, crashes, delivery, started_at FROM jobs
                WHERE status = 'processing' AND lease_owner <> $3
                  AND lease_owner NOT IN (SELECT id FROM nodes WHERE lease_until >= $1) LIMIT $2
                  FOR UPDATE SKIP LOCKED",
};

/// Up to `limit` jobs in the hands of no living node. Whoever asks lives, whatever its lease says: it may have been
/// suspended with the machine, and goes on with its jobs.
pub async fn orphans(
    tx: &mut Tx,
    asks: NodeId,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Orphan>, sqlx::Error> {
    let sql = tx.text(&ORPHANS);
    on!(tx, |conn| sqlx::query_as(sql).bind(now).bind(limit).bind(asks.0).fetch_all(conn).await)
}
