//! `service_keys`: other programs that call. A key is asked for at every request, by the hash of its secret.

use astrops_api::{
    ids::{KeyId, UserId},
    keys::ServiceKey,
    vocabulary::Scope,
};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    auth::KeyHolder,
    db::{Tx, on},
};

/// `last_used_at` is written at most this often.
const TOUCH: TimeDelta = TimeDelta::minutes(1);

/// A key that is not revoked.
pub struct Alive {
    /// Who calls with it.
    pub holder: KeyHolder,
    /// Whether its last use is worth writing down again.
    pub stale: bool,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    name: String,
    scopes: Json<Vec<Scope>>,
    created_by: Uuid,
    created_at: DateTime<Utc>,
    last_used_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
}

impl From<Row> for ServiceKey {
    fn from(row: Row) -> Self {
        Self {
            id: KeyId(row.id),
            name: row.name,
            scopes: row.scopes.0,
            created_by: UserId(row.created_by),
            created_at: row.created_at,
            last_used_at: row.last_used_at,
            revoked_at: row.revoked_at,
        }
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, scopes, created_by, created_at, last_used_at, revoked_at FROM service_keys ",
            $rest
        )
    };
}

/// Stores a key; false when a living one has its name.
pub async fn insert(tx: &mut Tx, key: &ServiceKey, hash: &str) -> Result<bool, sqlx::Error> {
    on!(tx, |conn| {
        let inserted = sqlx::query(
            "INSERT INTO service_keys (id, name, hash, scopes, created_by, created_at)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) WHERE revoked_at IS NULL DO NOTHING",
        )
        .bind(key.id.0)
        .bind(&key.name)
        .bind(hash)
        .bind(Json(&key.scopes))
        .bind(key.created_by.0)
        .bind(key.created_at)
        .execute(conn)
        .await?;
        Ok(inserted.rows_affected() == 1)
    })
}

/// Every key, newest first.
pub async fn all(tx: &mut Tx) -> Result<Vec<ServiceKey>, sqlx::Error> {
    let rows: Vec<Row> = on!(tx, |conn| sqlx::query_as(select!("ORDER BY id DESC")).fetch_all(conn).await)?;
    Ok(rows.into_iter().map(ServiceKey::from).collect())
}

/// One key.
pub async fn find(tx: &mut Tx, id: KeyId) -> Result<Option<ServiceKey>, sqlx::Error> {
    let row: Option<Row> =
        on!(tx, |conn| sqlx::query_as(select!("WHERE id = $1")).bind(id.0).fetch_optional(conn).await)?;
    Ok(row.map(ServiceKey::from))
}

/// The key whose secret has this hash, unless it is revoked.
pub async fn alive(tx: &mut Tx, hash: &str, now: DateTime<Utc>) -> Result<Option<Alive>, sqlx::Error> {
    let row: Option<Row> = on!(tx, |conn| {
        sqlx::query_as(select!("WHERE hash = $1 AND revoked_at IS NULL"))
            .bind(hash)
            .fetch_optional(conn)
            .await
    })?;
    Ok(row.map(|row| Alive {
        stale: row.last_used_at.is_none_or(|last| now - last > TOUCH),
        holder: KeyHolder { id: KeyId(row.id), name: row.name, scopes: row.scopes.0 },
    }))
}

/// Writes down that the key was used.
pub async fn touch(tx: &mut Tx, id: KeyId, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query("UPDATE service_keys SET last_used_at = $2 WHERE id = $1")
            .bind(id.0)
            .bind(now)
            .execute(conn)
            .await
            .map(drop)
    })
}

/// Ends the key; false when it had ended before.
pub async fn revoke(tx: &mut Tx, id: KeyId, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    on!(tx, |conn| {
        let done =
            sqlx::query("UPDATE service_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL")
                .bind(id.0)
                .bind(now)
                .execute(conn)
                .await?;
        Ok(done.rows_affected() == 1)
    })
}
