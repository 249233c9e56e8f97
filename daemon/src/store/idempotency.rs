//! `idempotency_keys`: a creating request that is repeated gets its first answer again.

use chrono::{DateTime, Utc};

use crate::db::{Tx, on};

/// What identifies a repeated request.
pub struct Repeated<'a> {
    /// Who asks.
    pub principal: &'a str,
    /// Method and path.
    pub request: &'a str,
    /// The caller's key.
    pub key: &'a str,
    /// A digest of the body.
    pub body_hash: &'a str,
}

/// What was answered the first time.
#[derive(sqlx::FromRow)]
pub struct Answered {
    /// A digest of the first body.
    pub body_hash: String,
    /// The HTTP status.
    pub status: i64,
    /// The JSON body.
    pub answer: String,
}

/// Takes the key, or answers what it was used for. A request that is still running holds its row: on PostgreSQL the
/// second one waits here (until `lock_timeout`), on SQLite for the write lock.
pub async fn take(
    tx: &mut Tx,
    repeated: &Repeated<'_>,
    now: DateTime<Utc>,
) -> Result<Option<Answered>, sqlx::Error> {
    on!(tx, |conn| {
        let taken = sqlx::query(
            "INSERT INTO idempotency_keys (principal, request, key, body_hash, status, answer, created_at)
             VALUES ($1, $2, $3, $4, 0, '', $5) ON CONFLICT DO NOTHING",
        )
        .bind(repeated.principal)
        .bind(repeated.request)
        .bind(repeated.key)
        .bind(repeated.body_hash)
        .bind(now)
        .execute(&mut *conn)
        .await?;
        if taken.rows_affected() == 1 {
            return Ok(None);
        }
        sqlx::query_as(
            "SELECT body_hash, status, answer FROM idempotency_keys WHERE principal = $1 AND request = $2 AND key = $3",
        )
        .bind(repeated.principal)
        .bind(repeated.request)
        .bind(repeated.key)
        .fetch_one(conn)
        .await
        .map(Some)
    })
}

/// Remembers the answer, in the transaction of the work.
pub async fn answer(
    tx: &mut Tx,
    repeated: &Repeated<'_>,
    status: u16,
    answer: &str,
) -> Result<(), sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query(
            "UPDATE idempotency_keys SET status = $4, answer = $5 WHERE principal = $1 AND request = $2 AND key = $3",
        )
        .bind(repeated.principal)
        .bind(repeated.request)
        .bind(repeated.key)
        .bind(i64::from(status))
        .bind(answer)
        .execute(conn)
        .await
        .map(drop)
    })
}

/// Deletes up to `limit` keys taken before `before`; answers how many.
pub async fn prune(tx: &mut Tx, before: DateTime<Utc>, limit: i64) -> Result<u64, sqlx::Error> {
    on!(tx, |conn| {
        let deleted = sqlx::query(
            "DELETE FROM idempotency_keys WHERE (principal, request, key) IN
               (SELECT principal, request, key FROM idempotency_keys WHERE created_at < $1 LIMIT $2)",
        )
        .bind(before)
        .bind(limit)
        .execute(conn)
        .await?;
        Ok(deleted.rows_affected())
    })
}

/// Forgets every answer that `principal` was given.
pub async fn delete_of(tx: &mut Tx, principal: &str) -> Result<(), sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query("DELETE FROM idempotency_keys WHERE principal = $1")
            .bind(principal)
            .execute(conn)
            .await
            .map(drop)
    })
}
