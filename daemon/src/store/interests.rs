//! `interests`: customers who are told, once, when the sale of a launch starts.

use astrops_api::ids::{LaunchId, UserId};
use chrono::{DateTime, Utc};
use sqlx::QueryBuilder;
use uuid::Uuid;

use crate::db::{Sql, Tx, on};

/// Remembers an interest; a second time changes nothing.
pub async fn insert(
    tx: &mut Tx,
    launch: LaunchId,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query(
            "INSERT INTO interests (launch_id, user_id, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        )
        .bind(launch.0)
        .bind(user.0)
        .bind(now)
        .execute(conn)
        .await
        .map(drop)
    })
}

/// Forgets an interest; false when there was none.
pub async fn delete(tx: &mut Tx, launch: LaunchId, user: UserId) -> Result<bool, sqlx::Error> {
    on!(tx, |conn| {
        let deleted = sqlx::query("DELETE FROM interests WHERE launch_id = $1 AND user_id = $2")
            .bind(launch.0)
            .bind(user.0)
            .execute(conn)
            .await?;
        Ok(deleted.rows_affected() == 1)
    })
}

/// Forgets every interest of `user`.
pub async fn delete_of(tx: &mut Tx, user: UserId) -> Result<(), sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query("DELETE FROM interests WHERE user_id = $1").bind(user.0).execute(conn).await.map(drop)
    })
}

/// An interested customer who was not told yet.
#[derive(Clone)]
pub struct Untold {
    /// The launch whose sale has started.
    pub launch: LaunchId,
    /// The customer.
    pub user: UserId,
    /// Where to write to.
    pub email: String,
    /// What to call the person.
    pub name: Option<String>,
}

const UNTOLD: Sql = Sql {
    sqlite: "SELECT i.launch_id, i.user_id, u.email, u.name
               FROM interests i JOIN launches l ON l.id = i.launch_id JOIN users u ON u.id = i.user_id
              WHERE i.told_at IS NULL AND (l.sales_start_at IS NULL OR l.sales_start_at <= $1) AND l.status = 'scheduled'
                AND l.is_active AND l.starts_at > $1 AND u.is_active
              ORDER BY i.launch_id, i.user_id LIMIT $2",
    postgres: "SELECT i.launch_id, i.user_id, u.email, u.name
                 FROM interests i JOIN launches l ON l.id = i.launch_id JOIN users u ON u.id = i.user_id
                WHERE i.told_at IS NULL AND (l.sales_start_at IS NULL OR l.sales_start_at <= $1) AND l.status = 'scheduled'
                  AND l.is_active AND l.starts_at > $1 AND u.is_active
                ORDER BY i.launch_id, i.user_id LIMIT $2 FOR UPDATE OF i SKIP LOCKED",
};

/// Up to `limit` customers who wait to be told of a sale that has started, by launch.
pub async fn untold(tx: &mut Tx, now: DateTime<Utc>, limit: i64) -> Result<Vec<Untold>, sqlx::Error> {
    let sql = tx.text(&UNTOLD);
    let rows: Vec<(Uuid, Uuid, String, Option<String>)> =
        on!(tx, |conn| sqlx::query_as(sql).bind(now).bind(limit).fetch_all(conn).await)?;
    let untold =
        |(launch, user, email, name)| Untold { launch: LaunchId(launch), user: UserId(user), email, name };
    Ok(rows.into_iter().map(untold).collect())
}

/// Remembers that these customers of one launch were told.
pub async fn told(
    tx: &mut Tx,
    launch: LaunchId,
    users: &[UserId],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    on!(tx, |conn| {
        let mut query = QueryBuilder::<DB>::new("UPDATE interests SET told_at = ");
        query.push_bind(now).push(" WHERE launch_id = ").push_bind(launch.0).push(" AND user_id IN (");
        let mut list = query.separated(", ");
        for user in users {
            list.push_bind(user.0);
        }
        query.push(")").build().execute(conn).await.map(drop)
    })
}
