//! `sessions`: a token is worth what its row says, asked at every request. The row is also the family of its refresh
//! tokens: ending it ends them all.

use astrops_api::{
    auth::{DeviceInfo, Session, User},
    ids::{SessionId, UserId},
    vocabulary::{Right, Role},
};
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::db::{Sql, Tx, on};

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
    /// What the device calls itself.
    pub device_id: Option<&'a str>,
    /// Of the first refresh token.
    pub refresh_hash: &'a str,
    /// When it ends unless it is refreshed.
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
            "INSERT INTO sessions (id, user_id, user_agent, ip_address, device_id, refresh_hash,
                                   expires_at, last_used_at, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $8)",
        )
        .bind(new.id.0)
        .bind(new.user.0)
        .bind(new.user_agent)
        .bind(new.ip_address)
        .bind(new.device_id)
        .bind(new.refresh_hash)
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

/// What refreshing a session needs to know.
#[derive(sqlx::FromRow)]
pub struct Family {
    /// Whose.
    pub user_id: Uuid,
    /// The owner's e-mail.
    pub email: String,
    /// Of the newest refresh token.
    pub generation: i64,
    /// Its hash; none of a session from before there were refresh tokens.
    pub refresh_hash: Option<String>,
    /// When it was given out, unless it is the first one.
    pub rotated_at: Option<DateTime<Utc>>,
    /// When the session ends by itself.
    pub expires_at: DateTime<Utc>,
    /// The sign-in.
    pub created_at: DateTime<Utc>,
}

const FAMILY: Sql = Sql {
    sqlite:
        "SELECT s.user_id, u.email, s.generation, s.refresh_hash, s.rotated_at, s.expires_at, s.created_at
               FROM sessions s JOIN users u ON u.id = s.user_id
              WHERE s.id = $1 AND s.revoked_at IS NULL AND s.expires_at > $2 AND u.is_active",
    postgres:
        "SELECT s.user_id, u.email, s.generation, s.refresh_hash, s.rotated_at, s.expires_at, s.created_at
                 FROM sessions s JOIN users u ON u.id = s.user_id
                WHERE s.id = $1 AND s.revoked_at IS NULL AND s.expires_at > $2 AND u.is_active
                  FOR UPDATE OF s",
};

/// The session when it is alive; nobody else refreshes it until the transaction ends.
pub async fn family(tx: &mut Tx, id: SessionId, now: DateTime<Utc>) -> Result<Option<Family>, sqlx::Error> {
    let sql = tx.text(&FAMILY);
    on!(tx, |conn| sqlx::query_as(sql).bind(id.0).bind(now).fetch_optional(conn).await)
}

/// Gives the session its next generation.
pub async fn rotate(
    tx: &mut Tx,
    id: SessionId,
    generation: i64,
    refresh_hash: &str,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query(
            "UPDATE sessions SET generation = $2, refresh_hash = $3, expires_at = $4, rotated_at = $5,
                                 last_used_at = $5, updated_at = $5
              WHERE id = $1",
        )
        .bind(id.0)
        .bind(generation)
        .bind(refresh_hash)
        .bind(expires_at)
        .bind(now)
        .execute(conn)
        .await
        .map(drop)
    })
}

#[derive(sqlx::FromRow)]
struct LivingRow {
    id: Uuid,
    user_agent: Option<String>,
    ip_address: Option<String>,
    device_id: Option<String>,
    created_at: DateTime<Utc>,
    last_used_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

/// The living sessions of `user`, the last used first; `current` is the one that asks.
pub async fn living(
    tx: &mut Tx,
    user: UserId,
    current: Option<SessionId>,
    now: DateTime<Utc>,
) -> Result<Vec<Session>, sqlx::Error> {
    let rows: Vec<LivingRow> = on!(tx, |conn| {
        sqlx::query_as(
            "SELECT id, user_agent, ip_address, device_id, created_at, last_used_at, expires_at FROM sessions
              WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2
              ORDER BY last_used_at DESC, id DESC",
        )
        .bind(user.0)
        .bind(now)
        .fetch_all(conn)
        .await
    })?;
    let session = |row: LivingRow| Session {
        id: SessionId(row.id),
        device_info: DeviceInfo { user_agent: row.user_agent, ip: row.ip_address, device_id: row.device_id },
        is_current: current == Some(SessionId(row.id)),
        created_at: row.created_at,
        last_used_at: row.last_used_at,
        expires_at: row.expires_at,
    };
    Ok(rows.into_iter().map(session).collect())
}

/// Ends the living session `id` of `user`; false when there is none.
pub async fn revoke_own(
    tx: &mut Tx,
    id: SessionId,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    on!(tx, |conn| {
        let done = sqlx::query(
            "UPDATE sessions SET revoked_at = $3, updated_at = $3
              WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL AND expires_at > $3",
        )
        .bind(id.0)
        .bind(user.0)
        .bind(now)
        .execute(conn)
        .await?;
        Ok(done.rows_affected() == 1)
    })
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
        let done = sqlx::query(
            "UPDATE sessions SET revoked_at = $2, updated_at = $2 WHERE id = $1 AND revoked_at IS NULL",
        )
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
