//! `login_failures`, and the columns of `users` that follow it for people to see. An address that nobody has is counted
//! in the same statements, so that it costs the same.

use chrono::{DateTime, Utc};

use crate::{
    auth::{
        digest::sha256,
        lockout::{QUIET, Tally, WINDOW},
    },
    db::{Tx, on},
};

/// The key of an address: the table is no list of whom somebody tried.
pub fn key_of(email: &str) -> String {
    sha256(&email.trim().to_lowercase())
}

/// Whether `account` is locked at `now`.
pub async fn is_locked(tx: &mut Tx, account: &str, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM login_failures WHERE account = $1 AND locked_until > $2)",
        )
        .bind(account)
        .bind(now)
        .fetch_one(conn)
        .await
    })
}

/// What was counted for `account`; nobody else counts for it until the transaction ends.
pub async fn take(tx: &mut Tx, account: &str, now: DateTime<Utc>) -> Result<Tally, sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query_as(
            "INSERT INTO login_failures (account, failures, lockouts, window_from, updated_at)
             VALUES ($1, 0, 0, $2, $2)
             ON CONFLICT (account) DO UPDATE SET updated_at = excluded.updated_at
             RETURNING failures, lockouts, window_from, locked_until",
        )
        .bind(account)
        .bind(now)
        .fetch_one(conn)
        .await
    })
}

/// Keeps what was counted for the `account` of `email`.
pub async fn keep(tx: &mut Tx, account: &str, email: &str, tally: &Tally) -> Result<(), sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query(
            "UPDATE login_failures SET failures = $2, lockouts = $3, window_from = $4, locked_until = $5 WHERE account = $1",
        )
        .bind(account)
        .bind(tally.failures)
        .bind(tally.lockouts)
        .bind(tally.window_from)
        .bind(tally.locked_until)
        .execute(&mut *conn)
        .await?;
        sqlx::query("UPDATE users SET failed_login_attempts = $2, locked_until = $3 WHERE email = $1")
            .bind(email)
            .bind(tally.failures)
            .bind(tally.locked_until)
            .execute(conn)
            .await
            .map(drop)
    })
}

/// Forgets what was counted for `account`.
pub async fn forget(tx: &mut Tx, account: &str) -> Result<(), sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query("DELETE FROM login_failures WHERE account = $1")
            .bind(account)
            .execute(conn)
            .await
            .map(drop)
    })
}

/// Forgets every wrong password for `email` and ends its lock.
pub async fn unlock(tx: &mut Tx, email: &str, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    forget(tx, &key_of(email)).await?;
    on!(tx, |conn| {
        sqlx::query(
            "UPDATE users SET failed_login_attempts = 0, locked_until = NULL, updated_at = $2 WHERE email = $1",
        )
        .bind(email)
        .bind(now)
        .execute(conn)
        .await
        .map(drop)
    })
}

/// Deletes up to `limit` tallies that count for nothing any more; answers how many.
pub async fn prune(tx: &mut Tx, now: DateTime<Utc>, limit: i64) -> Result<u64, sqlx::Error> {
    on!(tx, |conn| {
        let deleted = sqlx::query(
            "DELETE FROM login_failures WHERE account IN
               (SELECT account FROM login_failures
                 WHERE updated_at < $1 AND (locked_until IS NULL OR locked_until < $1) LIMIT $2)",
        )
        .bind(now - QUIET)
        .bind(limit)
        .execute(conn)
        .await?;
        Ok(deleted.rows_affected())
    })
}

/// Clears what up to `limit` users after `after` (an e-mail) show of locks and wrong passwords that are past; answers
/// how many, and the last one looked at while there may be more.
pub async fn clear_past(
    tx: &mut Tx,
    after: &str,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<(u64, Option<String>), sqlx::Error> {
    on!(tx, |conn| {
        let emails: Vec<String> = sqlx::query_scalar(
            "SELECT email FROM users
              WHERE email > $1 AND (failed_login_attempts > 0 OR locked_until IS NOT NULL)
                AND (locked_until IS NULL OR locked_until <= $2)
              ORDER BY email LIMIT $3",
        )
        .bind(after)
        .bind(now)
        .bind(limit)
        .fetch_all(&mut *conn)
        .await?;
        let mut cleared = 0;
        for email in &emails {
            // Wrong passwords of the last quarter of an hour still count, unless they have had their lock.
            let done = sqlx::query(
                "UPDATE users SET failed_login_attempts = 0, locked_until = NULL
                  WHERE email = $1 AND (locked_until IS NULL OR locked_until <= $2)
                    AND NOT EXISTS (SELECT 1 FROM login_failures
                                     WHERE account = $3 AND window_from > $4
                                       AND (locked_until IS NULL OR window_from >= locked_until))",
            )
            .bind(email)
            .bind(now)
            .bind(key_of(email))
            .bind(now - WINDOW)
            .execute(&mut *conn)
            .await?;
            cleared += done.rows_affected();
        }
        let more = i64::try_from(emails.len()).is_ok_and(|count| count == limit);
        Ok((cleared, emails.into_iter().next_back().filter(|_| more)))
    })
}
