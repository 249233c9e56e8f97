//! `nodes`: daemons that share this database. A node that stops renewing its lease is dead, and its jobs are free.

use astrops_api::{ids::NodeId, status::Node};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::db::{Tx, on};

/// Says that this node lives until `node.lease_until`.
pub async fn renew(tx: &mut Tx, node: &Node) -> Result<(), sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query(
            "INSERT INTO nodes (id, name, version, started_at, lease_until) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (id) DO UPDATE SET lease_until = excluded.lease_until",
        )
        .bind(node.id.0)
        .bind(&node.name)
        .bind(&node.version)
        .bind(node.started_at)
        .bind(node.lease_until)
        .execute(conn)
        .await
        .map(drop)
    })
}

/// Says that this node ends now.
pub async fn leave(tx: &mut Tx, id: NodeId) -> Result<(), sqlx::Error> {
    on!(tx, |conn| sqlx::query("DELETE FROM nodes WHERE id = $1").bind(id.0).execute(conn).await.map(drop))
}

/// Forgets every node but `except`. For a database that only one daemon can use.
pub async fn bury_others(tx: &mut Tx, except: NodeId) -> Result<(), sqlx::Error> {
    on!(tx, |conn| sqlx::query("DELETE FROM nodes WHERE id <> $1")
        .bind(except.0)
        .execute(conn)
        .await
        .map(drop))
}

/// Forgets nodes whose lease ended before `now`.
pub async fn bury_dead(tx: &mut Tx, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    on!(tx, |conn| sqlx::query("DELETE FROM nodes WHERE lease_until < $1")
        .bind(now)
        .execute(conn)
        .await
        .map(drop))
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    name: String,
    version: String,
    started_at: DateTime<Utc>,
    lease_until: DateTime<Utc>,
}

/// Nodes whose lease holds at `now`, oldest first.
pub async fn living(tx: &mut Tx, now: DateTime<Utc>) -> Result<Vec<Node>, sqlx::Error> {
    let rows: Vec<Row> = on!(tx, |conn| {
        sqlx::query_as("SELECT id, name, version, started_at, lease_until FROM nodes WHERE lease_until >= $1 ORDER BY started_at")
            .bind(now)
            .fetch_all(conn)
            .await
    })?;
    let node = |row: Row| Node {
        id: NodeId(row.id),
        name: row.name,
        version: row.version,
        started_at: row.started_at,
        lease_until: row.lease_until,
    };
    Ok(rows.into_iter().map(node).collect())
}
