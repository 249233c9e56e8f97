//! `sessions`: a token is worth what its row says, asked at every request.

use astrops_api::{
    auth::User,
    ids::{SessionId, UserId},
    vocabulary::{Right, Role},
};
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::db::{Tx, on};

/// `last_used_at` is written at most this often.
const TOUCH: TimeDelta = TimeDelta::minutes(1);

/// A new session.
pub struct NewSession<'a> {
    /// Its id, in the token.
    pub id: SessionId,
    /// Whose.
    pub user: UserId,
    /// From the request.
    pub user_agent: Option<&'a str>,
    /// From the connection.
    pub ip_address: Option<&'a str>,
    /// When it ends by itself.
    pub expires_at: DateTime<Utc>,
    /// Now.
    pub created_at: DateTime<Utc>,
}

/// A session that is alive.
pub struct Alive {
    /// Its user, as stored now: a changed role acts at the next request.
    pub user: User,
    /// Whether its last use is worth writing down again.
    pub stale: bool,
}

/// Stores a session.
pub async fn insert(tx: &mut Tx, new: &NewSession<'_>) -> Result<(), sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query(
            "INSERT INTO sessions (id, user_id, user_agent, ip_address, expires_at, last_used_at, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $6)",
        )
        .bind(new.id.0)
        .bind(new.user.0)
        .bind(new.user_agent)
        .bind(new.ip_address)
        .bind(new.expires_at)
        .bind(new.created_at)
        .execute(conn)
        .await
        .map(drop)
    })
}

#[derive(sqlx::FromRow)]
struct Row {
    last_used_at: DateTime<Utc>,
    user_id: Uuid,
    email: String,
    name: Option<String>,
    #[sqlx(try_from = "String")]
    role: Role,
    right: Option<String>,
    created_at: DateTime<Utc>,
}

/// The session, when it is not revoked, not expired, and its user is active.
pub async fn alive(tx: &mut Tx, id: SessionId, now: DateTime<Utc>) -> Result<Option<Alive>, sqlx::Error> {
    let row: Option<Row> = on!(tx, |conn| {
        sqlx::query_as(
            r#"SELECT s.last_used_at, u.id AS user_id, u.email, u.name, u.role, u."right", u.created_at
                 FROM sessions s JOIN users u ON u.id = s.user_id
                WHERE s.id = $1 AND s.revoked_at IS NULL AND s.expires_at > $2 AND u.is_active"#,
        )
        .bind(id.0)
        .bind(now)
        .fetch_optional(conn)
        .await
    })?;
    Ok(row.map(|row| Alive {
        stale: now - row.last_used_at > TOUCH,
        user: User {
            id: UserId(row.user_id),
            email: row.email,
            name: row.name,
            role: row.role,
            right: row.right.and_then(|word| word.parse::<Right>().ok()),
            created_at: row.created_at,
        },
    }))
}

/// Ends every living session of `user` but `spared`; answers how many.
pub async fn revoke_all(
    tx: &mut Tx,
    user: UserId,
    spared: Option<SessionId>,
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    on!(tx, |conn| {
        let done = sqlx::query(
            "UPDATE sessions SET revoked_at = $3, updated_at = $3
              WHERE user_id = $1 AND id IS DISTINCT FROM $2 AND revoked_at IS NULL AND expires_at > $3",
        )
        .bind(user.0)
        .bind(spared.map(|id| id.0))
        .bind(now)
        .execute(conn)
        .await?;
        Ok(done.rows_affected())
    })
}

/// Forgets every session of `user` with its device.
pub async fn delete_of(tx: &mut Tx, user: UserId) -> Result<(), sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query("DELETE FROM sessions WHERE user_id = $1").bind(user.0).execute(conn).await.map(drop)
    })
}

/// Writes down that the session was used.
pub async fn touch(tx: &mut Tx, id: SessionId, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query("UPDATE sessions SET last_used_at = $2 WHERE id = $1")
            .bind(id.0)
            .bind(now)
            .execute(conn)
            .await
            .map(drop)
    })
}

/// Ends the session; false when it had ended before.
pub async fn revoke(tx: &mut Tx, id: SessionId, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    on!(tx, |conn| {
        let done = sqlx::query("UPDATE sessions SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL")
            .bind(id.0)
            .bind(now)
            .execute(conn)
            .await?;
        Ok(done.rows_affected() == 1)
    })
}

/// Deletes up to `limit` sessions that ended before `before`; answers how many.
pub async fn prune(tx: &mut Tx, before: DateTime<Utc>, limit: i64) -> Result<u64, sqlx::Error> {
    on!(tx, |conn| {
        let deleted = sqlx::query(
            "DELETE FROM sessions WHERE id IN
               (SELECT id FROM sessions WHERE expires_at < $1 OR revoked_at < $1 LIMIT $2)",
        )
        .bind(before)
        .bind(limit)
        .execute(conn)
        .await?;
        Ok(deleted.rows_affected())
    })
}
