//! `capacity_log`: the seats of a launch that were taken and given back.

use astrops_api::{
    ids::{BookingId, LaunchId},
    launches::CapacityChange,
    vocabulary::{CapacityOperation, Order},
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{QueryBuilder, types::Json};
use uuid::Uuid;

use super::{Slice, id_text, time_text};
use crate::db::{Sql, Tx, on};

#[derive(Serialize)]
struct Batched {
    id: String,
    launch_id: String,
    operation: CapacityOperation,
    quantity: u32,
    booking_id: Option<String>,
    at: String,
}

const INSERT: Sql = Sql {
    sqlite: "INSERT INTO capacity_log (id, launch_id, operation, quantity, booking_id, at)
             SELECT unhex(value->>'id'), unhex(value->>'launch_id'), value->>'operation', value->>'quantity',
                    unhex(value->>'booking_id'), value->>'at' FROM json_each($1)",
    postgres: "INSERT INTO capacity_log (id, launch_id, operation, quantity, booking_id, at)
               SELECT id, launch_id, operation, quantity, booking_id, at FROM jsonb_to_recordset($1)
                   AS d (id UUID, launch_id UUID, operation TEXT, quantity BIGINT, booking_id UUID, at TIMESTAMPTZ)",
};

/// Writes `changes` in one statement.
pub async fn insert(tx: &mut Tx, changes: &[CapacityChange]) -> Result<(), sqlx::Error> {
    let batch: Vec<Batched> = changes
        .iter()
        .map(|change| Batched {
            id: id_text(change.id),
            launch_id: id_text(change.launch_id.0),
            operation: change.operation,
            quantity: change.quantity,
            booking_id: change.booking_id.map(|id| id_text(id.0)),
            at: time_text(change.timestamp),
        })
        .collect();
    let sql = tx.text(&INSERT);
    on!(tx, |conn| sqlx::query(sql).bind(Json(&batch)).execute(conn).await.map(drop))
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    launch_id: Uuid,
    #[sqlx(try_from = "String")]
    operation: CapacityOperation,
    quantity: i64,
    booking_id: Option<Uuid>,
    at: DateTime<Utc>,
}

impl From<Row> for CapacityChange {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            launch_id: LaunchId(row.launch_id),
            operation: row.operation,
            quantity: u32::try_from(row.quantity).unwrap_or(u32::MAX),
            booking_id: row.booking_id.map(BookingId),
            timestamp: row.at,
        }
    }
}

/// Changes of one launch and how many there are; newest first unless asked otherwise.
pub async fn list(
    tx: &mut Tx,
    launch: LaunchId,
    order: Option<Order>,
    slice: Slice,
) -> Result<(Vec<CapacityChange>, u64), sqlx::Error> {
    on!(tx, |conn| {
        let total: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM capacity_log WHERE launch_id = $1")
            .bind(launch.0)
            .fetch_one(&mut *conn)
            .await?;
        let mut rows = QueryBuilder::<DB>::new(
            "SELECT id, launch_id, operation, quantity, booking_id, at FROM capacity_log WHERE launch_id = ",
        );
        rows.push_bind(launch.0);
        rows.push(if order == Some(Order::Asc) { " ORDER BY at, id" } else { " ORDER BY at DESC, id DESC" });
        rows.push(" LIMIT ").push_bind(slice.limit).push(" OFFSET ").push_bind(slice.offset);
        let rows: Vec<Row> = rows.build_query_as().fetch_all(conn).await?;
        Ok((rows.into_iter().map(CapacityChange::from).collect(), total.unsigned_abs()))
    })
}

/// Changes that one booking of `launch` caused, oldest first.
pub async fn of_booking(
    tx: &mut Tx,
    launch: LaunchId,
    booking: BookingId,
) -> Result<Vec<CapacityChange>, sqlx::Error> {
    let rows: Vec<Row> = on!(tx, |conn| {
        sqlx::query_as(
            "SELECT id, launch_id, operation, quantity, booking_id, at FROM capacity_log
              WHERE launch_id = $1 AND booking_id = $2 ORDER BY at, id",
        )
        .bind(launch.0)
        .bind(booking.0)
        .fetch_all(conn)
        .await
    })?;
    Ok(rows.into_iter().map(CapacityChange::from).collect())
}

/// Deletes up to `limit` changes from before `before`; answers how many.
pub async fn prune(tx: &mut Tx, before: DateTime<Utc>, limit: i64) -> Result<u64, sqlx::Error> {
    on!(tx, |conn| {
        let deleted = sqlx::query(
            "DELETE FROM capacity_log WHERE id IN (SELECT id FROM capacity_log WHERE at < $1 LIMIT $2)",
        )
        .bind(before)
        .bind(limit)
        .execute(conn)
        .await?;
        Ok(deleted.rows_affected())
    })
}
