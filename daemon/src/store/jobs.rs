//! `jobs` as people see them: enqueue, list, retry, cancel, delay, delete. What the runner does to them is in
//! `queue/store.rs`.

use std::collections::HashSet;

use astrops_api::{
    ids::{JobId, NodeId},
    jobs::{Attempt, JobQuery, JobStats, TypeStats},
    vocabulary::{AttemptOutcome, Delivery, JobPhase, JobStatus, JobType, Order},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::{QueryBuilder, types::Json};
use uuid::Uuid;

use super::{LIKE, Slice, contains_pattern, id_text, time_text};
use crate::{
    clock::{first_id_of, last_id_of},
    db::{Sql, Tx, on},
};

/// A job to be stored.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// A `UUIDv7`.
    pub id: JobId,
    /// What it does.
    pub kind: JobType,
    /// What its handler reads.
    pub payload: Value,
    /// Not before this time.
    pub run_at: DateTime<Utc>,
    /// Smaller runs earlier.
    pub priority: i32,
    /// Attempts before it fails for good, and what each retry by an operator adds.
    pub max_attempts: u32,
    /// While it waits or runs no second job may have this key.
    pub unique_key: Option<String>,
    /// `user:<id>`, `key:<name>`, `schedule:<name>`.
    pub created_by: String,
    /// The schedule that made it.
    pub schedule: Option<String>,
    /// Now.
    pub created_at: DateTime<Utc>,
}

/// A job as it is stored.
#[expect(missing_docs, reason = "the columns of the table, explained in the migration")]
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct StoredJob {
    pub id: Uuid,
    #[sqlx(rename = "type", try_from = "String")]
    pub kind: JobType,
    #[sqlx(try_from = "String")]
    pub status: JobStatus,
    #[sqlx(try_from = "String")]
    pub phase: JobPhase,
    pub priority: i64,
    pub payload: Json<Value>,
    pub run_at: DateTime<Utc>,
    pub attempt: i64,
    pub max_attempts: i64,
    pub crashes: i64,
    pub lease_owner: Option<Uuid>,
    pub unique_key: Option<String>,
    pub created_by: String,
    pub schedule: Option<String>,
    pub delivery: Option<String>,
    pub error_message: Option<String>,
    pub result: Option<String>,
    pub percent: Option<i64>,
    pub progress_message: Option<String>,
    pub started_at: Option<DateTime<Utc>>,
    pub completed_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// What became of an order that may not fit the job's state.
#[derive(Debug)]
pub enum Ordered {
    /// Done; the job as it is now.
    Done(Box<StoredJob>),
    /// No such job.
    Absent,
    /// The job's state does not allow it; the job as it is.
    Refused(Box<StoredJob>),
    /// Another job waits or runs under the same unique key.
    BlockedBy(JobId),
}

macro_rules! columns {
    () => {
        "id, type, status, phase, priority, payload, run_at, attempt, max_attempts, crashes, lease_owner, unique_key, \
         created_by, schedule, delivery, error_message, result, percent, progress_message, started_at, completed_at, \
         created_at, updated_at"
    };
}

#[derive(Serialize)]
struct Batched<'a> {
    id: String,
    kind: JobType,
    phase: JobPhase,
    priority: i32,
    payload: &'a Value,
    run_at: String,
    max_attempts: u32,
    unique_key: Option<&'a str>,
    created_by: &'a str,
    schedule: Option<&'a str>,
    created_at: String,
}

const INSERT: Sql = Sql {
    sqlite: "INSERT INTO jobs (id, type, status, phase, priority, payload, run_at, max_attempts, attempts_granted,
                               unique_key, created_by, schedule, created_at, updated_at)
             SELECT unhex(value->>'id'), value->>'kind', 'queued', value->>'phase', value->>'priority', value->'payload',
                    value->>'run_at', value->>'max_attempts', value->>'max_attempts', value->>'unique_key',
                    value->>'created_by', value->>'schedule', value->>'created_at', value->>'created_at'
               FROM jsonb_each($1) WHERE 1 = 1
             ON CONFLICT (unique_key) WHERE unique_key IS NOT NULL AND status IN ('queued', 'processing') DO NOTHING",
    postgres: "INSERT INTO jobs (id, type, status, phase, priority, payload, run_at, max_attempts, attempts_granted,
                                 unique_key, created_by, schedule, created_at, updated_at)
               SELECT id, kind, 'queued', phase, priority, payload, run_at, max_attempts, max_attempts,
                      unique_key, created_by, schedule, created_at, created_at
                 FROM jsonb_to_recordset($1) AS d (id UUID, kind TEXT, phase TEXT, priority BIGINT, payload JSONB, run_at TIMESTAMPTZ,
                      max_attempts BIGINT, unique_key TEXT, created_by TEXT, schedule TEXT, created_at TIMESTAMPTZ)
               ON CONFLICT (unique_key) WHERE unique_key IS NOT NULL AND status IN ('queued', 'processing') DO NOTHING",
};
const STORED: Sql = Sql {
    sqlite: "SELECT jobs.id FROM jsonb_each($1) JOIN jobs ON jobs.id = unhex(value->>'id')",
    postgres: "SELECT jobs.id FROM jsonb_to_recordset($1) AS d (id UUID) JOIN jobs USING (id)",
};

/// Stores `jobs` in one statement and wakes the runner after the commit. Answers the ids that were stored: a job
/// whose unique key is taken is left out.
pub async fn enqueue(tx: &mut Tx, jobs: &[NewJob]) -> Result<HashSet<Uuid>, sqlx::Error> {
    let batch: Vec<Batched<'_>> = jobs
        .iter()
        .map(|job| Batched {
            id: id_text(job.id.0),
            kind: job.kind,
            phase: if job.run_at > job.created_at { JobPhase::Scheduled } else { JobPhase::Waiting },
            priority: job.priority,
            payload: &job.payload,
            run_at: time_text(job.run_at),
            max_attempts: job.max_attempts,
            unique_key: job.unique_key.as_deref(),
            created_by: &job.created_by,
            schedule: job.schedule.as_deref(),
            created_at: time_text(job.created_at),
        })
        .collect();
    tx.wake_jobs();
    let sql = tx.text(&INSERT);
    let stored = on!(tx, |conn| sqlx::query(sql).bind(Json(&batch)).execute(conn).await?.rows_affected());
    // Who was left out is rare to ask; rows that nobody reads would cost more than the insert on SQLite.
    if stored == jobs.len() as u64 {
        return Ok(jobs.iter().map(|job| job.id.0).collect());
    }
    let sql = tx.text(&STORED);
    let ids: Vec<Uuid> = on!(tx, |conn| sqlx::query_scalar(sql).bind(Json(&batch)).fetch_all(conn).await)?;
    Ok(ids.into_iter().collect())
}

/// The job that waits or runs under `unique_key`.
pub async fn holder_of(tx: &mut Tx, unique_key: &str) -> Result<Option<JobId>, sqlx::Error> {
    let id: Option<Uuid> = on!(tx, |conn| {
        sqlx::query_scalar("SELECT id FROM jobs WHERE unique_key = $1 AND status IN ('queued', 'processing')")
            .bind(unique_key)
            .fetch_optional(conn)
            .await
    })?;
    Ok(id.map(JobId))
}

/// The jobs that wait or run under these unique keys, in no order.
pub async fn holders_of(tx: &mut Tx, unique_keys: &[String]) -> Result<Vec<StoredJob>, sqlx::Error> {
    if unique_keys.is_empty() {
        return Ok(Vec::new());
    }
    on!(tx, |conn| {
        let sql = concat!(
            "SELECT ",
            columns!(),
            " FROM jobs WHERE status IN ('queued', 'processing') AND unique_key IN ("
        );
        let mut query = QueryBuilder::<DB>::new(sql);
        let mut list = query.separated(", ");
        for key in unique_keys {
            list.push_bind(key.clone());
        }
        query.push(")").build_query_as().fetch_all(conn).await
    })
}

/// One job.
pub async fn find(tx: &mut Tx, id: JobId) -> Result<Option<StoredJob>, sqlx::Error> {
    on!(tx, |conn| {
        let mut query = QueryBuilder::<DB>::new(concat!("SELECT ", columns!(), " FROM jobs WHERE id = "));
        query.push_bind(id.0).build_query_as().fetch_optional(conn).await
    })
}

/// The jobs with these ids, in no order.
pub async fn find_all(tx: &mut Tx, ids: &[JobId]) -> Result<Vec<StoredJob>, sqlx::Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    on!(tx, |conn| {
        let mut query = QueryBuilder::<DB>::new(concat!("SELECT ", columns!(), " FROM jobs WHERE id IN ("));
        let mut list = query.separated(", ");
        for id in ids {
            list.push_bind(id.0);
        }
        query.push(")").build_query_as().fetch_all(conn).await
    })
}

macro_rules! push_filter {
    ($builder:expr, $query:expr, $now:expr, $like:expr) => {{
        let (builder, query) = (&mut $builder, $query);
        builder.push(" WHERE 1 = 1");
        if let Some(from) = query.from {
            builder
                .push(" AND id >= ")
                .push_bind(first_id_of(from))
                .push(" AND created_at >= ")
                .push_bind(from);
        }
        if let Some(to) = query.to {
            builder.push(" AND id <= ").push_bind(last_id_of(to)).push(" AND created_at <= ").push_bind(to);
        }
        if let Some(kind) = query.kind {
            builder.push(" AND type = ").push_bind(kind.as_str());
        }
        if let Some(status) = query.status {
            builder.push(" AND status = ").push_bind(status.as_str());
        }
        match query.phase {
            // A scheduled job becomes a waiting one when its time comes, without a write.
            Some(JobPhase::Scheduled) => {
                builder.push(" AND phase = 'scheduled' AND run_at > ").push_bind($now);
            }
            Some(JobPhase::Waiting) => {
                builder
                    .push(" AND (phase = 'waiting' OR phase = 'scheduled' AND run_at <= ")
                    .push_bind($now)
                    .push(")");
            }
            Some(phase) => {
                builder.push(" AND phase = ").push_bind(phase.as_str());
            }
            None => {}
        }
        if let Some(delivery) = query.delivery {
            builder.push(" AND delivery = ").push_bind(delivery.as_str());
        }
        if let Some(entity) = query.entity_type {
            builder.push(" AND payload->'reconciliation'->>'entityType' = ").push_bind(entity.as_str());
        }
        if let Some(entity) = query.entity_id {
            builder.push(" AND payload->'reconciliation'->>'entityId' = ").push_bind(entity.to_string());
        }
        if let Some(schedule) = &query.schedule {
            builder.push(" AND schedule = ").push_bind(schedule.clone());
        }
        if let Some(text) = &query.q {
            let pattern = contains_pattern(text);
            for (n, place) in [
                "payload->'notification'->>'recipientEmail'",
                "payload->'notification'->>'subject'",
                "unique_key",
                "error_message",
                // What it is about, so that a booking or launch leads to its jobs.
                "payload->'notification'->'data'->>'bookingId'",
                "payload->'notification'->'data'->>'launchId'",
                "payload->'reconciliation'->>'entityId'",
            ]
            .into_iter()
            .enumerate()
            {
                builder.push(if n == 0 { " AND (" } else { " OR " }).push(place);
                builder.push($like).push_bind(pattern.clone()).push(r" ESCAPE '\'");
            }
            builder.push(")");
        }
        if let Some(before) = query.before {
            builder.push(" AND id < ").push_bind(before.0);
        }
        if let Some(after) = query.after {
            builder.push(" AND id > ").push_bind(after.0);
        }
    }};
}

/// Jobs that match, and how many match in all. Newest first unless asked otherwise.
pub async fn list(
    tx: &mut Tx,
    query: &JobQuery,
    slice: Slice,
    now: DateTime<Utc>,
) -> Result<(Vec<StoredJob>, u64), sqlx::Error> {
    let like = tx.text(&LIKE);
    on!(tx, |conn| {
        let mut count = QueryBuilder::<DB>::new("SELECT COUNT(*) FROM jobs");
        push_filter!(count, query, now, like);
        let total: i64 = count.build_query_scalar().fetch_one(&mut *conn).await?;
        let mut rows = QueryBuilder::<DB>::new(concat!("SELECT ", columns!(), " FROM jobs"));
        push_filter!(rows, query, now, like);
        rows.push(if query.order == Some(Order::Asc) { " ORDER BY id ASC" } else { " ORDER BY id DESC" });
        rows.push(" LIMIT ").push_bind(slice.limit).push(" OFFSET ").push_bind(slice.offset);
        let rows: Vec<StoredJob> = rows.build_query_as().fetch_all(conn).await?;
        Ok((rows, total.unsigned_abs()))
    })
}

/// The attempts of one job that have ended, oldest first.
pub async fn attempts(tx: &mut Tx, id: JobId) -> Result<Vec<Attempt>, sqlx::Error> {
    #[derive(sqlx::FromRow)]
    struct Row {
        number: i64,
        node: Uuid,
        started_at: DateTime<Utc>,
        finished_at: DateTime<Utc>,
        #[sqlx(try_from = "String")]
        outcome: AttemptOutcome,
        error: Option<String>,
    }
    let rows: Vec<Row> = on!(tx, |conn| {
        sqlx::query_as(
            "SELECT number, node, started_at, finished_at, outcome, error FROM job_attempts WHERE job_id = $1 ORDER BY number",
        )
        .bind(id.0)
        .fetch_all(conn)
        .await
    })?;
    let attempt = |row: Row| Attempt {
        number: u32::try_from(row.number).unwrap_or(u32::MAX),
        node: NodeId(row.node),
        started_at: row.started_at,
        finished_at: row.finished_at,
        outcome: row.outcome,
        error: row.error,
    };
    Ok(rows.into_iter().map(attempt).collect())
}

const LOCK: Sql = Sql {
    sqlite: concat!("SELECT ", columns!(), " FROM jobs WHERE id = $1"),
    postgres: concat!("SELECT ", columns!(), " FROM jobs WHERE id = $1 FOR UPDATE"),
};

/// One job, held until the transaction ends so that its state cannot change between a check and a write.
async fn lock(tx: &mut Tx, id: JobId) -> Result<Option<StoredJob>, sqlx::Error> {
    let sql = tx.text(&LOCK);
    on!(tx, |conn| sqlx::query_as(sql).bind(id.0).fetch_optional(conn).await)
}

/// The state machine's operator side: checks `allowed`, runs `update` (which binds the id and now), answers the job.
async fn order(
    tx: &mut Tx,
    id: JobId,
    now: DateTime<Utc>,
    allowed: impl FnOnce(&StoredJob) -> bool,
    update: &'static str,
) -> Result<Ordered, sqlx::Error> {
    let Some(job) = lock(tx, id).await? else { return Ok(Ordered::Absent) };
    if !allowed(&job) {
        return Ok(Ordered::Refused(Box::new(job)));
    }
    on!(tx, |conn| sqlx::query(update).bind(id.0).bind(now).execute(conn).await.map(drop))?;
    tx.wake_jobs();
    tx.wake_waiters();
    Ok(lock(tx, id).await?.map_or(Ordered::Absent, |job| Ordered::Done(Box::new(job))))
}

/// Puts a failed or cancelled job back into the queue with as many attempts again; its history stays, and so does a
/// time that has not come. A person's decision stays where it is: it was taken back, or what it was about is no more.
pub async fn retry(tx: &mut Tx, id: JobId, now: DateTime<Utc>) -> Result<Ordered, sqlx::Error> {
    if let Some(key) = lock(tx, id).await?.filter(|job| job.status.is_ended()).and_then(|job| job.unique_key)
        && let Some(holder) = holder_of(tx, &key).await?
    {
        return Ok(Ordered::BlockedBy(holder));
    }
    let allowed = |job: &StoredJob| {
        matches!(job.status, JobStatus::Failed | JobStatus::Cancelled) && !job.is_decision()
    };
    order(
        tx,
        id,
        now,
        allowed,
        "UPDATE jobs SET status = 'queued', phase = CASE WHEN run_at > $2 THEN 'scheduled' ELSE 'waiting' END,
                         run_at = CASE WHEN run_at > $2 THEN run_at ELSE $2 END, max_attempts = attempt + attempts_granted,
                         crashes = 0, delivery = NULL, error_message = NULL, completed_at = NULL, updated_at = $2 WHERE id = $1",
    )
    .await
}

/// Ends a queued job; asks a running one to stop.
pub async fn cancel(tx: &mut Tx, id: JobId, now: DateTime<Utc>) -> Result<Ordered, sqlx::Error> {
    order(
        tx,
        id,
        now,
        |job| !job.status.is_ended() && job.phase != JobPhase::Cancelling,
        "UPDATE jobs SET phase = CASE WHEN status = 'processing' THEN 'cancelling' ELSE 'cancelled' END,
                         completed_at = CASE WHEN status = 'processing' THEN NULL ELSE $2 END,
                         status = CASE WHEN status = 'processing' THEN 'processing' ELSE 'cancelled' END,
                         updated_at = $2 WHERE id = $1",
    )
    .await
}

/// Moves a queued job to the front: due now, before everything else.
pub async fn hurry(tx: &mut Tx, id: JobId, now: DateTime<Utc>) -> Result<Ordered, sqlx::Error> {
    order(
        tx,
        id,
        now,
        |job| job.status == JobStatus::Queued,
        "UPDATE jobs SET run_at = $2, priority = -100, phase = 'waiting', updated_at = $2 WHERE id = $1",
    )
    .await
}

/// Sets when a queued job runs.
pub async fn delay(
    tx: &mut Tx,
    id: JobId,
    run_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Ordered, sqlx::Error> {
    let ordered = order(
        tx,
        id,
        now,
        |job| job.status == JobStatus::Queued,
        "UPDATE jobs SET phase = 'scheduled', updated_at = $2 WHERE id = $1",
    )
    .await?;
    let Ordered::Done(mut job) = ordered else { return Ok(ordered) };
    on!(tx, |conn| sqlx::query("UPDATE jobs SET run_at = $2 WHERE id = $1")
        .bind(id.0)
        .bind(run_at)
        .execute(conn)
        .await
        .map(drop))?;
    job.run_at = run_at;
    Ok(Ordered::Done(job))
}

/// Deletes an ended job with its attempts.
pub async fn delete(tx: &mut Tx, id: JobId, now: DateTime<Utc>) -> Result<Ordered, sqlx::Error> {
    let ordered =
        order(tx, id, now, |job| job.status.is_ended(), "UPDATE jobs SET updated_at = $2 WHERE id = $1")
            .await?;
    if matches!(ordered, Ordered::Done(_)) {
        delete_all(tx, &[id.0]).await?;
    }
    Ok(ordered)
}

async fn delete_all(tx: &mut Tx, ids: &[Uuid]) -> Result<(), sqlx::Error> {
    on!(tx, |conn| {
        for table in ["DELETE FROM job_attempts WHERE job_id IN (", "DELETE FROM jobs WHERE id IN ("] {
            let mut query = QueryBuilder::<DB>::new(table);
            let mut list = query.separated(", ");
            for id in ids {
                list.push_bind(*id);
            }
            query.push(")").build().execute(&mut *conn).await?;
        }
        Ok(())
    })
}

/// Deletes up to `limit` jobs with `status` that ended before `before`, with their attempts; answers how many.
pub async fn prune(
    tx: &mut Tx,
    status: JobStatus,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<u64, sqlx::Error> {
    let ids: Vec<Uuid> = on!(tx, |conn| {
        // A job that ended before then was created before then, so the primary key bounds the search.
        sqlx::query_scalar(
            "SELECT id FROM jobs WHERE id < $1 AND status = $2 AND completed_at < $3 ORDER BY id LIMIT $4",
        )
        .bind(first_id_of(before))
        .bind(status.as_str())
        .bind(before)
        .bind(limit)
        .fetch_all(conn)
        .await
    })?;
    if !ids.is_empty() {
        delete_all(tx, &ids).await?;
    }
    Ok(ids.len() as u64)
}

/// Counts by type and status, what the last minute did, and what is paused.
pub async fn stats(tx: &mut Tx, now: DateTime<Utc>) -> Result<JobStats, sqlx::Error> {
    let (counts, attempts, paused, oldest, unknown) = on!(tx, |conn| {
        let counts: Vec<(String, String, i64)> =
            sqlx::query_as("SELECT type, status, COUNT(*) FROM jobs GROUP BY type, status")
                .fetch_all(&mut *conn)
                .await?;
        // Bounded: enough for a rate and a percentile, however busy the minute was.
        let attempts: Vec<(String, DateTime<Utc>, DateTime<Utc>)> = sqlx::query_as(
            "SELECT j.type, a.started_at, a.finished_at FROM jobs j JOIN job_attempts a ON a.job_id = j.id
              WHERE j.id >= $1 AND a.finished_at >= $2 LIMIT 20000",
        )
        .bind(first_id_of(now - TimeDelta::hours(1)))
        .bind(now - TimeDelta::minutes(1))
        .fetch_all(&mut *conn)
        .await?;
        let paused: Vec<String> =
            sqlx::query_scalar("SELECT type FROM job_pauses").fetch_all(&mut *conn).await?;
        let oldest: Option<DateTime<Utc>> =
            sqlx::query_scalar("SELECT MIN(run_at) FROM jobs WHERE status = 'queued' AND run_at <= $1")
                .bind(now)
                .fetch_one(&mut *conn)
                .await?;
        let unknown: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM jobs WHERE status = 'failed' AND delivery = 'unknown'")
                .fetch_one(conn)
                .await?;
        Ok::<_, sqlx::Error>((counts, attempts, paused, oldest, unknown))
    })?;
    let types = JobType::ALL.iter().map(|kind| {
        let count = |status: JobStatus| {
            let row = counts.iter().find(|(k, s, _)| k == kind.as_str() && s == status.as_str());
            row.map_or(0, |(_, _, count)| count.unsigned_abs())
        };
        let mut took: Vec<TimeDelta> = attempts
            .iter()
            .filter(|(k, ..)| k == kind.as_str())
            .map(|(_, start, end)| *end - *start)
            .collect();
        took.sort_unstable();
        TypeStats {
            kind: *kind,
            queued: count(JobStatus::Queued),
            processing: count(JobStatus::Processing),
            completed: count(JobStatus::Completed),
            failed: count(JobStatus::Failed),
            cancelled: count(JobStatus::Cancelled),
            per_minute: took.len() as u64,
            p95_ms: took
                .get((took.len() * 95).div_ceil(100).saturating_sub(1))
                .map(|took| took.as_seconds_f64() * 1000.0),
            paused: paused.iter().any(|p| p == kind.as_str()),
        }
    });
    Ok(JobStats { types: types.collect(), oldest_due_at: oldest, delivery_unknown: unknown.unsigned_abs() })
}

impl StoredJob {
    /// Whether it carries out what a person decided about a row.
    pub fn is_decision(&self) -> bool {
        self.payload.pointer("/reconciliation/decision").is_some()
    }

    /// What is known about its mail.
    pub fn delivery(&self) -> Option<Delivery> {
        self.delivery.as_deref().and_then(|word| word.parse().ok())
    }

    /// Its phase at `now`: a scheduled job whose time has come waits.
    pub fn phase_at(&self, now: DateTime<Utc>) -> JobPhase {
        if self.phase == JobPhase::Scheduled && self.run_at <= now { JobPhase::Waiting } else { self.phase }
    }
}
