//! `job_pauses`: the types of job that no daemon claims.

use astrops_api::vocabulary::JobType;
use chrono::{DateTime, Utc};

use crate::db::{Tx, on};

/// Stops claiming jobs of `kind`.
pub async fn pause(tx: &mut Tx, kind: JobType, by: &str, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query(
            "INSERT INTO job_pauses (type, paused_at, paused_by) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        )
        .bind(kind.as_str())
        .bind(now)
        .bind(by)
        .execute(conn)
        .await
        .map(drop)
    })
}

/// Whether jobs of `kind` are not claimed now.
pub async fn is_paused(tx: &mut Tx, kind: JobType) -> Result<bool, sqlx::Error> {
    let paused: Option<String> = on!(tx, |conn| {
        sqlx::query_scalar("SELECT type FROM job_pauses WHERE type = $1")
            .bind(kind.as_str())
            .fetch_optional(conn)
            .await
    })?;
    Ok(paused.is_some())
}

/// Goes on claiming jobs of `kind`.
pub async fn resume(tx: &mut Tx, kind: JobType) -> Result<(), sqlx::Error> {
    tx.wake_jobs();
    on!(tx, |conn| sqlx::query("DELETE FROM job_pauses WHERE type = $1")
        .bind(kind.as_str())
        .execute(conn)
        .await
        .map(drop))
}
