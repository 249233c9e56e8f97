//! `schedules` and `schedule_fires`: the truth about cron.

use astrops_api::{
    ids::JobId,
    jobs::Maintenance,
    schedules::ScheduleRun,
    vocabulary::{FireOutcome, JobStatus, JobType, MissedPolicy, OverlapPolicy},
};
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use super::Slice;
use crate::db::{Sql, Tx, on};

/// A schedule as it is stored.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct StoredSchedule {
    pub name: String,
    pub description: String,
    pub cron: String,
    pub time_zone: String,
    #[sqlx(try_from = "String")]
    pub job_type: JobType,
    pub payload: Json<Value>,
    #[sqlx(try_from = "String")]
    pub missed: MissedPolicy,
    #[sqlx(try_from = "String")]
    pub overlap: OverlapPolicy,
    pub paused: bool,
    pub next_fire_at: Option<DateTime<Utc>>,
    pub updated_at: DateTime<Utc>,
}

impl StoredSchedule {
    /// What its jobs do, of MAINTENANCE.
    pub fn maintenance(&self) -> Option<Maintenance> {
        serde_json::from_value(self.payload.0.get("maintenance")?.clone()).ok()
    }
}

macro_rules! columns {
    () => {
        "name, description, cron, time_zone, job_type, payload, missed, overlap, paused, next_fire_at, updated_at"
    };
}

/// Stores a schedule unless one with its name is there: the database is the truth, the configuration only seeds it.
pub async fn seed(tx: &mut Tx, new: &StoredSchedule) -> Result<bool, sqlx::Error> {
    on!(tx, |conn| {
        let inserted = sqlx::query(
            "INSERT INTO schedules (name, description, cron, time_zone, job_type, payload, missed, overlap, paused, next_fire_at, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11) ON CONFLICT (name) DO NOTHING",
        )
        .bind(&new.name)
        .bind(&new.description)
        .bind(&new.cron)
        .bind(&new.time_zone)
        .bind(new.job_type.as_str())
        .bind(&new.payload)
        .bind(new.missed.as_str())
        .bind(new.overlap.as_str())
        .bind(new.paused)
        .bind(new.next_fire_at)
        .bind(new.updated_at)
        .execute(conn)
        .await?;
        Ok(inserted.rows_affected() == 1)
    })
}

/// Every schedule, by name.
pub async fn list(tx: &mut Tx) -> Result<Vec<StoredSchedule>, sqlx::Error> {
    on!(tx, |conn| sqlx::query_as(concat!("SELECT ", columns!(), " FROM schedules ORDER BY name"))
        .fetch_all(conn)
        .await)
}

const LOCK: Sql = Sql {
    sqlite: concat!("SELECT ", columns!(), " FROM schedules WHERE name = $1"),
    postgres: concat!("SELECT ", columns!(), " FROM schedules WHERE name = $1 FOR UPDATE"),
};

/// One schedule, held until the transaction ends when that is a write.
pub async fn find(tx: &mut Tx, name: &str) -> Result<Option<StoredSchedule>, sqlx::Error> {
    let sql = tx.text(&LOCK);
    on!(tx, |conn| sqlx::query_as(sql).bind(name).fetch_optional(conn).await)
}

const DUE: Sql = Sql {
    sqlite: concat!("SELECT ", columns!(), " FROM schedules WHERE next_fire_at <= $1 AND NOT paused"),
    // Another daemon that holds the row is firing it.
    postgres: concat!(
        "SELECT ",
        columns!(),
        " FROM schedules WHERE next_fire_at <= $1 AND NOT paused FOR UPDATE SKIP LOCKED"
    ),
};

/// Schedules whose time has come.
pub async fn due(tx: &mut Tx, now: DateTime<Utc>) -> Result<Vec<StoredSchedule>, sqlx::Error> {
    let sql = tx.text(&DUE);
    on!(tx, |conn| sqlx::query_as(sql).bind(now).fetch_all(conn).await)
}

/// When the next schedule fires.
pub async fn next_fire(tx: &mut Tx) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query_scalar("SELECT MIN(next_fire_at) FROM schedules WHERE NOT paused").fetch_one(conn).await
    })
}

/// Writes what may be edited.
pub async fn update(tx: &mut Tx, schedule: &StoredSchedule) -> Result<(), sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query(
            "UPDATE schedules SET cron = $2, time_zone = $3, missed = $4, overlap = $5, paused = $6, next_fire_at = $7, updated_at = $8
              WHERE name = $1",
        )
        .bind(&schedule.name)
        .bind(&schedule.cron)
        .bind(&schedule.time_zone)
        .bind(schedule.missed.as_str())
        .bind(schedule.overlap.as_str())
        .bind(schedule.paused)
        .bind(schedule.next_fire_at)
        .bind(schedule.updated_at)
        .execute(conn)
        .await
        .map(drop)
    })
}

/// Writes when it fires next.
pub async fn advance(tx: &mut Tx, name: &str, next: Option<DateTime<Utc>>) -> Result<(), sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query("UPDATE schedules SET next_fire_at = $2 WHERE name = $1")
            .bind(name)
            .bind(next)
            .execute(conn)
            .await
            .map(drop)
    })
}

/// Writes down a fire; false when this (schedule, time) has fired already, on whatever node.
pub async fn fire(tx: &mut Tx, schedule: &str, run: &ScheduleRun) -> Result<bool, sqlx::Error> {
    on!(tx, |conn| {
        let inserted = sqlx::query(
            "INSERT INTO schedule_fires (schedule, scheduled_for, fired_at, outcome, job_id) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT DO NOTHING",
        )
        .bind(schedule)
        .bind(run.scheduled_for)
        .bind(run.fired_at)
        .bind(run.outcome.as_str())
        .bind(run.job_id.map(|id| id.0))
        .execute(conn)
        .await?;
        Ok(inserted.rows_affected() == 1)
    })
}

/// Whether the last job of the schedule has not ended.
pub async fn is_busy(tx: &mut Tx, schedule: &str) -> Result<bool, sqlx::Error> {
    on!(tx, |conn| {
        let busy: Option<i64> = sqlx::query_scalar(
            "SELECT CAST(1 AS BIGINT) FROM schedule_fires f JOIN jobs j ON j.id = f.job_id
              WHERE f.schedule = $1 AND j.status IN ('queued', 'processing') LIMIT 1",
        )
        .bind(schedule)
        .fetch_optional(conn)
        .await?;
        Ok(busy.is_some())
    })
}

#[derive(sqlx::FromRow)]
struct RunRow {
    scheduled_for: DateTime<Utc>,
    fired_at: DateTime<Utc>,
    #[sqlx(try_from = "String")]
    outcome: FireOutcome,
    job_id: Option<Uuid>,
    status: Option<String>,
}

/// The fires of a schedule, newest first, and how many there are.
pub async fn runs(tx: &mut Tx, schedule: &str, slice: Slice) -> Result<(Vec<ScheduleRun>, u64), sqlx::Error> {
    let (rows, total) = on!(tx, |conn| {
        let total: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM schedule_fires WHERE schedule = $1")
            .bind(schedule)
            .fetch_one(&mut *conn)
            .await?;
        let rows: Vec<RunRow> = sqlx::query_as(
            "SELECT f.scheduled_for, f.fired_at, f.outcome, f.job_id, j.status
               FROM schedule_fires f LEFT JOIN jobs j ON j.id = f.job_id
              WHERE f.schedule = $1 ORDER BY f.scheduled_for DESC LIMIT $2 OFFSET $3",
        )
        .bind(schedule)
        .bind(slice.limit)
        .bind(slice.offset)
        .fetch_all(conn)
        .await?;
        Ok::<_, sqlx::Error>((rows, total))
    })?;
    let run = |row: RunRow| ScheduleRun {
        scheduled_for: row.scheduled_for,
        fired_at: row.fired_at,
        outcome: row.outcome,
        job_id: row.job_id.map(JobId),
        job_status: row.status.and_then(|word| word.parse::<JobStatus>().ok()),
    };
    Ok((rows.into_iter().map(run).collect(), total.unsigned_abs()))
}

/// Deletes fires before `before`; answers how many.
pub async fn prune(tx: &mut Tx, before: DateTime<Utc>) -> Result<u64, sqlx::Error> {
    on!(tx, |conn| {
        let deleted = sqlx::query("DELETE FROM schedule_fires WHERE scheduled_for < $1")
            .bind(before)
            .execute(conn)
            .await?;
        Ok(deleted.rows_affected())
    })
}
