//! The end of claims, in batches: the jobs' new state, their attempts and their log entries, with few statements.

use std::collections::HashSet;

use astrops_api::{
    ids::{JobId, LogId, NodeId},
    vocabulary::{AttemptOutcome, Delivery, EventType, JobPhase, JobStatus, Severity},
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{PgConnection, SqliteConnection, types::Json};
use uuid::Uuid;

use crate::{
    db::{EngineTx, Tx},
    store::{id_text, time_text},
};

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

/// Ends claims: the job's new state, its attempt's row and its log entry, all or nothing for each. Answers the jobs
/// that were settled; the others had been taken away and nothing of them is written.
pub async fn settle(tx: &mut Tx, settlements: &[Settlement]) -> Result<HashSet<Uuid>, sqlx::Error> {
    tx.wake_waiters();
    tx.wake_logs();
    if settlements.iter().any(|s| s.status == JobStatus::Queued) {
        tx.wake_jobs();
    }
    match &mut tx.engine {
        EngineTx::Postgres(conn) => settle_postgres(conn, settlements).await,
        EngineTx::Sqlite(conn) => settle_sqlite(conn, settlements).await,
    }
}

// A job that was asked to stop while its worker was about to queue it again is cancelled: the request is never lost.
macro_rules! set_settled {
    () => {
        "status = CASE WHEN jobs.phase = 'cancelling' AND d.status = 'queued' THEN 'cancelled' ELSE d.status END,
         phase = CASE WHEN jobs.phase = 'cancelling' AND d.status = 'queued' THEN 'cancelled' ELSE d.phase END,
         completed_at = CASE WHEN d.status = 'queued' AND jobs.phase <> 'cancelling' THEN NULL ELSE d.finished_at END,
         run_at = COALESCE(d.run_at, jobs.run_at), lease_owner = NULL, attempt = attempt - d.returned,
         crashes = crashes + d.crashed, max_attempts = max_attempts + d.crashed, suspect = d.suspect,
         delivery = COALESCE(d.delivery, jobs.delivery), error_message = d.error, result = d.result, percent = NULL,
         progress_message = NULL, started_at = d.started_at, updated_at = d.finished_at"
    };
}

// Arrays, not JSON: reading a batch of JSON costs PostgreSQL as much as the update itself.
const SETTLE_POSTGRES: &str = concat!(
    "WITH done AS (UPDATE jobs SET ",
    set_settled!(),
    " FROM unnest($1::UUID[], $2::BIGINT[], $3::UUID[], $4::BIGINT[], $5::TEXT[], $6::TEXT[], $7::TIMESTAMPTZ[], $8::TEXT[], $9::TEXT[],
                 $10::TEXT[], $11::TIMESTAMPTZ[], $12::TIMESTAMPTZ[], $13::TEXT[], $14::BIGINT[], $15::BIGINT[], $16::BOOLEAN[],
                 $17::UUID[], $18::TEXT[], $19::TEXT[], $20::TEXT[])
          AS d (id, fence, owner, number, status, phase, run_at, delivery, error, result, started_at, finished_at, outcome, returned,
                crashed, suspect, log_id, event_type, severity, message)
    WHERE jobs.id = d.id AND jobs.fence = d.fence AND jobs.lease_owner = d.owner
    RETURNING d.*),
 attempts AS (
    INSERT INTO job_attempts (job_id, number, node, started_at, finished_at, outcome, error)
    SELECT id, number, owner, started_at, finished_at, outcome, error FROM done WHERE outcome IS NOT NULL),
 logs AS (
    INSERT INTO system_logs (id, at, event_type, severity, message, job_id, additional_data, recorded_by)
    SELECT log_id, finished_at, event_type, severity, message, id, jsonb_build_object('attempt', number), 'daemon'
      FROM done WHERE log_id IS NOT NULL)
 SELECT id FROM done"
);

async fn settle_postgres(
    conn: &mut PgConnection,
    batch: &[Settlement],
) -> Result<HashSet<Uuid>, sqlx::Error> {
    fn column<'a, T>(batch: &'a [Settlement], of: impl Fn(&'a Settlement) -> T) -> Vec<T> {
        batch.iter().map(of).collect()
    }
    let log = |s: &Settlement| s.log.as_ref().map(|log| log.id.0);
    let ids: Vec<Uuid> = sqlx::query_scalar(SETTLE_POSTGRES)
        .bind(column(batch, |s| s.id.0))
        .bind(column(batch, |s| s.fence))
        .bind(column(batch, |s| s.owner.0))
        .bind(column(batch, |s| i64::from(s.attempt)))
        .bind(column(batch, |s| s.status.as_str()))
        .bind(column(batch, |s| s.phase.as_str()))
        .bind(column(batch, |s| s.run_at))
        .bind(column(batch, |s| s.delivery.map(Delivery::as_str)))
        .bind(column(batch, |s| s.error.as_deref()))
        .bind(column(batch, |s| s.result.as_deref()))
        .bind(column(batch, |s| s.started_at))
        .bind(column(batch, |s| s.finished_at))
        .bind(column(batch, |s| s.outcome.map(AttemptOutcome::as_str)))
        .bind(column(batch, |s| i64::from(s.outcome.is_none())))
        .bind(column(batch, |s| i64::from(s.crashed)))
        .bind(column(batch, |s| s.suspect))
        .bind(column(batch, log))
        .bind(column(batch, |s| s.log.as_ref().map(|log| log.event_type.as_str())))
        .bind(column(batch, |s| s.log.as_ref().map(|log| log.severity.as_str())))
        .bind(column(batch, |s| s.log.as_ref().map(|log| log.message.as_str())))
        .fetch_all(conn)
        .await?;
    Ok(ids.into_iter().collect())
}

// `jsonb_each`, not `json_each`: the latter writes an element out as text for every `->>` that looks into it.
// The claims that hold come back in one row (a row costs more than an update, see `claim`); then only they are
// written, in a transaction that no other writer is in.
const HELD_SQLITE: &str = "SELECT json_group_array(d.key) FROM jsonb_each($1) AS d
   JOIN jobs ON jobs.id = unhex(d.value->>'id') AND jobs.fence = d.value->>'fence' AND jobs.lease_owner = unhex(d.value->>'owner')";
const SETTLE_SQLITE: &str = concat!(
    "UPDATE jobs SET ",
    set_settled!(),
    " FROM (SELECT unhex(value->>'id') AS id, value->>'status' AS status, value->>'phase' AS phase, value->>'run_at' AS run_at,
                   value->>'returned' AS returned, value->>'crashed' AS crashed, value->>'suspect' AS suspect,
                   value->>'delivery' AS delivery, value->>'error' AS error, value->>'result' AS result,
                   value->>'started_at' AS started_at, value->>'finished_at' AS finished_at
              FROM jsonb_each($1)) AS d
     WHERE jobs.id = d.id"
);
const ATTEMPTS_SQLITE: &str = "INSERT INTO job_attempts (job_id, number, node, started_at, finished_at, outcome, error)
 SELECT unhex(value->>'id'), value->>'number', unhex(value->>'owner'), value->>'started_at', value->>'finished_at', value->>'outcome',
        value->>'error'
   FROM jsonb_each($1) WHERE value->>'outcome' IS NOT NULL";
const LOGS_SQLITE: &str = "INSERT INTO system_logs (id, at, event_type, severity, message, job_id, additional_data, recorded_by)
 SELECT unhex(value->>'log_id'), value->>'finished_at', value->>'event_type', value->>'severity', value->>'message', unhex(value->>'id'),
        json_object('attempt', value->>'number'), 'daemon'
   FROM jsonb_each($1) WHERE value->>'log_id' IS NOT NULL";

/// A settlement as the SQLite statements read it; what is not there is null.
#[derive(Serialize)]
struct Batched<'a> {
    id: String,
    fence: i64,
    owner: String,
    number: u32,
    status: JobStatus,
    phase: JobPhase,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery: Option<Delivery>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a str>,
    started_at: String,
    finished_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<AttemptOutcome>,
    returned: u8,
    crashed: u8,
    suspect: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_type: Option<EventType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<Severity>,
    #[serde(skip_serializing_if = "Option::is_none")]
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

async fn settle_sqlite(
    conn: &mut SqliteConnection,
    settlements: &[Settlement],
) -> Result<HashSet<Uuid>, sqlx::Error> {
    let text = |batch: &[Batched<'_>]| {
        serde_json::to_string(batch).map_err(|error| sqlx::Error::Encode(error.into()))
    };
    let mut batch: Vec<Batched<'_>> = settlements.iter().map(Batched::from).collect();
    let mut json = text(&batch)?;
    let held: Json<Vec<usize>> = sqlx::query_scalar(HELD_SQLITE).bind(&json).fetch_one(&mut *conn).await?;
    let held: Vec<&Settlement> = held.0.into_iter().filter_map(|place| settlements.get(place)).collect();
    if held.len() < settlements.len() {
        batch = held.iter().copied().map(Batched::from).collect();
        json = text(&batch)?;
    }
    for statement in [SETTLE_SQLITE, ATTEMPTS_SQLITE, LOGS_SQLITE] {
        sqlx::query(statement).bind(&json).execute(&mut *conn).await?;
    }
    Ok(held.into_iter().map(|settlement| settlement.id.0).collect())
}
