//! `launches`: what people book.

use astrops_api::{
    ids::{LaunchId, UserId},
    launches::{Launch, LaunchQuery},
    money::Money,
    vocabulary::{LaunchStatus, Order},
};
use chrono::{DateTime, Utc};
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::{LIKE, Slice, contains_pattern};
use crate::db::{Sql, Tx, on};

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    host_id: Uuid,
    title: String,
    description: Option<String>,
    venue: Option<String>,
    category: Option<String>,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    capacity: i64,
    number_of_attendees: i64,
    price: i64,
    sales_start_at: Option<DateTime<Utc>>,
    #[sqlx(try_from = "String")]
    status: LaunchStatus,
    is_active: bool,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

fn seats(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl From<Row> for Launch {
    fn from(row: Row) -> Self {
        Self {
            id: LaunchId(row.id),
            host_id: UserId(row.host_id),
            title: row.title,
            description: row.description,
            venue: row.venue,
            category: row.category,
            start_date_time: row.starts_at,
            end_date_time: row.ends_at,
            capacity: seats(row.capacity),
            number_of_attendees: seats(row.number_of_attendees),
            available_tickets: seats((row.capacity - row.number_of_attendees).max(0)),
            price: Money::of_minor(row.price).unwrap_or_default(),
            sales_start_at: row.sales_start_at,
            status: row.status,
            is_active: row.is_active,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

macro_rules! columns {
    () => {
        "id, host_id, title, description, venue, category, starts_at, ends_at, capacity, number_of_attendees, price, \
         sales_start_at, status, is_active, created_at, updated_at"
    };
}

/// Stores a new launch.
pub async fn insert(tx: &mut Tx, launch: &Launch) -> Result<(), sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query(
            "INSERT INTO launches (id, host_id, title, description, venue, category, starts_at, ends_at, capacity, price,
                                   sales_start_at, status, is_active, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14)",
        )
        .bind(launch.id.0)
        .bind(launch.host_id.0)
        .bind(&launch.title)
        .bind(&launch.description)
        .bind(&launch.venue)
        .bind(&launch.category)
        .bind(launch.start_date_time)
        .bind(launch.end_date_time)
        .bind(i64::from(launch.capacity))
        .bind(launch.price.minor())
        .bind(launch.sales_start_at)
        .bind(launch.status.as_str())
        .bind(launch.is_active)
        .bind(launch.created_at)
        .execute(conn)
        .await
        .map(drop)
    })
}

/// Writes everything about `launch` that may change except its seats.
pub async fn update(tx: &mut Tx, launch: &Launch) -> Result<(), sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query(
            "UPDATE launches SET title = $2, description = $3, venue = $4, category = $5, starts_at = $6, ends_at = $7,
                    capacity = $8, price = $9, sales_start_at = $10, status = $11, is_active = $12, updated_at = $13,
                    version = version + 1
              WHERE id = $1",
        )
        .bind(launch.id.0)
        .bind(&launch.title)
        .bind(&launch.description)
        .bind(&launch.venue)
        .bind(&launch.category)
        .bind(launch.start_date_time)
        .bind(launch.end_date_time)
        .bind(i64::from(launch.capacity))
        .bind(launch.price.minor())
        .bind(launch.sales_start_at)
        .bind(launch.status.as_str())
        .bind(launch.is_active)
        .bind(launch.updated_at)
        .execute(conn)
        .await
        .map(drop)
    })
}

/// Takes (or with a negative `seats` gives back) seats of a launch that the transaction has locked.
pub async fn take_seats(
    tx: &mut Tx,
    id: LaunchId,
    seats: i64,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query(
            "UPDATE launches SET number_of_attendees = number_of_attendees + $2, updated_at = $3, version = version + 1
              WHERE id = $1",
        )
        .bind(id.0)
        .bind(seats)
        .bind(now)
        .execute(conn)
        .await
        .map(drop)
    })
}

/// One launch.
pub async fn find(tx: &mut Tx, id: LaunchId) -> Result<Option<Launch>, sqlx::Error> {
    let row: Option<Row> = on!(tx, |conn| {
        sqlx::query_as(concat!("SELECT ", columns!(), " FROM launches WHERE id = $1"))
            .bind(id.0)
            .fetch_optional(conn)
            .await
    })?;
    Ok(row.map(Launch::from))
}

const LOCK: Sql = Sql {
    sqlite: concat!("SELECT ", columns!(), " FROM launches WHERE id = $1"),
    postgres: concat!("SELECT ", columns!(), " FROM launches WHERE id = $1 FOR NO KEY UPDATE"),
};

/// One launch, held until the write transaction ends.
pub async fn lock(tx: &mut Tx, id: LaunchId) -> Result<Option<Launch>, sqlx::Error> {
    let sql = tx.text(&LOCK);
    let row: Option<Row> = on!(tx, |conn| sqlx::query_as(sql).bind(id.0).fetch_optional(conn).await)?;
    Ok(row.map(Launch::from))
}

macro_rules! push_filter {
    ($builder:expr, $query:expr, $hidden:expr, $now:expr, $like:expr) => {{
        let (builder, query) = (&mut $builder, $query);
        builder.push(" WHERE 1 = 1");
        match $hidden {
            Hidden::All => {}
            Hidden::Of(host) => {
                builder.push(" AND (is_active OR host_id = ").push_bind(host.0).push(")");
            }
            Hidden::None => {
                builder.push(" AND is_active");
            }
        }
        if let Some(from) = query.from {
            builder.push(" AND starts_at >= ").push_bind(from);
        }
        if let Some(to) = query.to {
            builder.push(" AND starts_at <= ").push_bind(to);
        }
        if let Some(host) = query.host_id {
            builder.push(" AND host_id = ").push_bind(host.0);
        }
        if let Some(category) = &query.category {
            builder.push(" AND LOWER(category) = LOWER(").push_bind(category.clone()).push(")");
        }
        if let Some(status) = query.status {
            builder.push(" AND status = ").push_bind(status.as_str());
        }
        if let Some(available) = query.available {
            builder.push(if available { " AND (" } else { " AND NOT (" });
            builder.push(
                "is_active AND status = 'scheduled' AND number_of_attendees < capacity AND starts_at > ",
            );
            builder.push_bind($now);
            builder.push(" AND (sales_start_at IS NULL OR sales_start_at <= ").push_bind($now).push("))");
        }
        if let Some(text) = &query.q {
            let pattern = contains_pattern(text);
            for (n, place) in ["title", "description", "venue"].into_iter().enumerate() {
                builder.push(if n == 0 { " AND (" } else { " OR " }).push(place);
                builder.push($like).push_bind(pattern.clone()).push(r" ESCAPE '\'");
            }
            builder.push(")");
        }
    }};
}

/// Which of the inactive launches a caller sees.
#[derive(Clone, Copy)]
pub enum Hidden {
    /// All: employees.
    All,
    /// Those of this supplier.
    Of(UserId),
    /// None.
    None,
}

/// What a list of launches is ordered by, for the words of `sort`.
pub const SORTS: &[(&str, &str)] = &[
    ("date", "starts_at"),
    ("title", "LOWER(title)"),
    ("createdAt", "created_at"),
    ("occupancy", "number_of_attendees * 1000000 / capacity"),
];

/// Launches that match, and how many match in all; ordered by `sort`, an expression of [`SORTS`].
pub async fn list(
    tx: &mut Tx,
    query: &LaunchQuery,
    hidden: Hidden,
    sort: &'static str,
    slice: Slice,
    now: DateTime<Utc>,
) -> Result<(Vec<Launch>, u64), sqlx::Error> {
    let like = tx.text(&LIKE);
    let direction = if query.order == Some(Order::Desc) { " DESC" } else { " ASC" };
    on!(tx, |conn| {
        let mut count = QueryBuilder::<DB>::new("SELECT COUNT(*) FROM launches");
        push_filter!(count, query, hidden, now, like);
        let total: i64 = count.build_query_scalar().fetch_one(&mut *conn).await?;
        let mut rows = QueryBuilder::<DB>::new(concat!("SELECT ", columns!(), " FROM launches"));
        push_filter!(rows, query, hidden, now, like);
        rows.push(" ORDER BY ").push(sort).push(direction).push(", id").push(direction);
        rows.push(" LIMIT ").push_bind(slice.limit).push(" OFFSET ").push_bind(slice.offset);
        let rows: Vec<Row> = rows.build_query_as().fetch_all(conn).await?;
        Ok((rows.into_iter().map(Launch::from).collect(), total.unsigned_abs()))
    })
}

const ENDED: Sql = Sql {
    sqlite: "UPDATE launches SET status = 'completed', updated_at = $1, version = version + 1
              WHERE id IN (SELECT id FROM launches WHERE status = 'scheduled' AND ends_at <= $1 LIMIT $2)
          RETURNING id",
    postgres: "UPDATE launches SET status = 'completed', updated_at = $1, version = version + 1
                WHERE id IN (SELECT id FROM launches WHERE status = 'scheduled' AND ends_at <= $1 LIMIT $2
                                FOR NO KEY UPDATE SKIP LOCKED)
            RETURNING id",
};

/// Completes up to `limit` launches whose end has passed; answers which.
pub async fn complete(tx: &mut Tx, now: DateTime<Utc>, limit: i64) -> Result<Vec<LaunchId>, sqlx::Error> {
    let sql = tx.text(&ENDED);
    let ids: Vec<Uuid> = on!(tx, |conn| sqlx::query_scalar(sql).bind(now).bind(limit).fetch_all(conn).await)?;
    Ok(ids.into_iter().map(LaunchId).collect())
}

const OF_HOST: Sql = Sql {
    sqlite: "SELECT id FROM launches WHERE host_id = $1 AND status = 'scheduled' ORDER BY id",
    postgres: "SELECT id FROM launches WHERE host_id = $1 AND status = 'scheduled' ORDER BY id FOR NO KEY UPDATE",
};

/// The launches of a supplier that are still to come, held until the write transaction ends.
pub async fn scheduled_of(tx: &mut Tx, host: UserId) -> Result<Vec<LaunchId>, sqlx::Error> {
    let sql = tx.text(&OF_HOST);
    let ids: Vec<Uuid> = on!(tx, |conn| sqlx::query_scalar(sql).bind(host.0).fetch_all(conn).await)?;
    Ok(ids.into_iter().map(LaunchId).collect())
}
