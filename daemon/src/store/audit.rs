//! `audit_log`: who changed what. Rows are only ever added.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use crate::db::{Tx, on};

/// One mutation.
pub struct AuditRow<'a> {
    /// A `UUIDv7`.
    pub id: Uuid,
    /// When.
    pub at: DateTime<Utc>,
    /// `user:<id>`, `key:<name>` or `cli:<system user>`.
    pub actor: &'a str,
    /// `job.retry`, `user.register`, ...
    pub action: &'a str,
    /// The id or filter that it was about.
    pub target: &'a str,
    /// Why, in the actor's words.
    pub reason: Option<&'a str>,
    /// Before, after, result: whatever tells the change. Never a secret.
    pub details: &'a Value,
    /// The request that asked for it.
    pub request_id: &'a str,
    /// Where it came from.
    pub ip_address: Option<&'a str>,
}

/// Adds one row.
pub async fn insert(tx: &mut Tx, row: &AuditRow<'_>) -> Result<(), sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query(
            "INSERT INTO audit_log (id, at, actor, action, target, reason, details, request_id, ip_address)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(row.id)
        .bind(row.at)
        .bind(row.actor)
        .bind(row.action)
        .bind(row.target)
        .bind(row.reason)
        .bind(Json(row.details))
        .bind(row.request_id)
        .bind(row.ip_address)
        .execute(conn)
        .await
        .map(drop)
    })
}
