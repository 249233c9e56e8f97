//! `follows`: customers who are told of every new launch of a supplier. Whom to write to is in [`super::contacts`].

use astrops_api::{ids::UserId, users::Follower, vocabulary::Order};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Slice;
use crate::db::{Tx, on};

/// Remembers that `customer` follows `supplier`; false when that was so before.
pub async fn insert(
    tx: &mut Tx,
    supplier: UserId,
    customer: UserId,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    on!(tx, |conn| {
        let inserted = sqlx::query(
            "INSERT INTO follows (supplier_id, customer_id, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        )
        .bind(supplier.0)
        .bind(customer.0)
        .bind(now)
        .execute(conn)
        .await?;
        Ok(inserted.rows_affected() == 1)
    })
}

/// Forgets that `customer` follows `supplier`; false when that was not so.
pub async fn delete(tx: &mut Tx, supplier: UserId, customer: UserId) -> Result<bool, sqlx::Error> {
    on!(tx, |conn| {
        let deleted = sqlx::query("DELETE FROM follows WHERE supplier_id = $1 AND customer_id = $2")
            .bind(supplier.0)
            .bind(customer.0)
            .execute(conn)
            .await?;
        Ok(deleted.rows_affected() == 1)
    })
}

/// Forgets whom `user` follows and who follows `user`.
pub async fn delete_of(tx: &mut Tx, user: UserId) -> Result<(), sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query("DELETE FROM follows WHERE supplier_id = $1 OR customer_id = $1")
            .bind(user.0)
            .execute(conn)
            .await
            .map(drop)
    })
}

/// The active customers who follow `supplier`, the latest first unless asked otherwise, and how many they are.
pub async fn list(
    tx: &mut Tx,
    supplier: UserId,
    order: Option<Order>,
    slice: Slice,
) -> Result<(Vec<Follower>, u64), sqlx::Error> {
    let sql = if order == Some(Order::Asc) {
        "SELECT u.id, u.name, f.created_at FROM follows f JOIN users u ON u.id = f.customer_id
          WHERE f.supplier_id = $1 AND u.is_active ORDER BY f.created_at, u.id LIMIT $2 OFFSET $3"
    } else {
        "SELECT u.id, u.name, f.created_at FROM follows f JOIN users u ON u.id = f.customer_id
          WHERE f.supplier_id = $1 AND u.is_active ORDER BY f.created_at DESC, u.id DESC LIMIT $2 OFFSET $3"
    };
    on!(tx, |conn| {
        let total: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM follows f JOIN users u ON u.id = f.customer_id WHERE f.supplier_id = $1 AND u.is_active",
        )
        .bind(supplier.0)
        .fetch_one(&mut *conn)
        .await?;
        let rows: Vec<(Uuid, Option<String>, DateTime<Utc>)> =
            sqlx::query_as(sql).bind(supplier.0).bind(slice.limit).bind(slice.offset).fetch_all(conn).await?;
        let follower = |(id, name, since)| Follower { id: UserId(id), name, since };
        Ok((rows.into_iter().map(follower).collect(), total.unsigned_abs()))
    })
}
