//! `audit_log`: who changed what. Rows are only ever added.

use astrops_api::{
    audit::{AuditEntry, AuditQuery},
    vocabulary::Order,
};
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{QueryBuilder, types::Json};
use uuid::Uuid;

use super::{Slice, escaped};
use crate::{
    clock::{first_id_of, last_id_of},
    db::{Tx, on},
};

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

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    at: DateTime<Utc>,
    actor: String,
    action: String,
    target: String,
    reason: Option<String>,
    details: Json<Value>,
    request_id: String,
    ip_address: Option<String>,
}

impl From<Row> for AuditEntry {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            at: row.at,
            actor: row.actor,
            actor_email: None,
            action: row.action,
            target: row.target,
            reason: row.reason,
            details: row.details.0,
            request_id: row.request_id,
            ip_address: row.ip_address,
        }
    }
}

macro_rules! push_filter {
    ($builder:expr, $query:expr) => {{
        let (builder, query) = (&mut $builder, $query);
        builder.push(" WHERE 1 = 1");
        if let Some(from) = query.from {
            builder.push(" AND id >= ").push_bind(first_id_of(from)).push(" AND at >= ").push_bind(from);
        }
        if let Some(to) = query.to {
            builder.push(" AND id <= ").push_bind(last_id_of(to)).push(" AND at <= ").push_bind(to);
        }
        if let Some(actor) = &query.actor {
            builder.push(" AND actor = ").push_bind(actor.clone());
        }
        if let Some(action) = &query.action {
            // A kind of action is what stands before the dot.
            builder.push(" AND (action = ").push_bind(action.clone());
            builder.push(" OR action LIKE ").push_bind(format!("{}.%", escaped(action)));
            builder.push(r" ESCAPE '\')");
        }
        if let Some(target) = &query.target {
            builder.push(" AND target = ").push_bind(target.clone());
        }
    }};
}

/// Rows that match, without the actors' addresses, and how many match in all. Newest first unless asked otherwise.
pub async fn list(
    tx: &mut Tx,
    query: &AuditQuery,
    slice: Slice,
) -> Result<(Vec<AuditEntry>, u64), sqlx::Error> {
    on!(tx, |conn| {
        let mut count = QueryBuilder::<DB>::new("SELECT COUNT(*) FROM audit_log");
        push_filter!(count, query);
        let total: i64 = count.build_query_scalar().fetch_one(&mut *conn).await?;
        let mut rows = QueryBuilder::<DB>::new(
            "SELECT id, at, actor, action, target, reason, details, request_id, ip_address FROM audit_log",
        );
        push_filter!(rows, query);
        rows.push(if query.order == Some(Order::Asc) { " ORDER BY id ASC" } else { " ORDER BY id DESC" });
        rows.push(" LIMIT ").push_bind(slice.limit).push(" OFFSET ").push_bind(slice.offset);
        let rows: Vec<Row> = rows.build_query_as().fetch_all(conn).await?;
        Ok((rows.into_iter().map(AuditEntry::from).collect(), total.unsigned_abs()))
    })
}
