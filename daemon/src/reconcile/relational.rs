//! Our side of an entity: launches, bookings and users as [`Columns`], by the names of the mapping.

use astrops_api::{
    ids::{BookingId, EntityId, LaunchId, UserId},
    launches::CapacityChange,
    vocabulary::{BookingStatus, CapacityOperation, DomainEventKind, EntityType},
};
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::{AssertSqlSafe, QueryBuilder, Row as _};
use uuid::Uuid;

use super::core::{
    codec::{Columns, RelValue},
    mapping::{Codec, Mapping},
};
use crate::{
    clock::Clock,
    db::{Sql, Tx, on},
    store::{
        AMONG, bookings, capacity, launches, listed,
        outbox::{self, NewEvent},
        sessions,
    },
};

/// The table of an entity.
pub const fn table(kind: EntityType) -> &'static str {
    match kind {
        EntityType::Launch => "launches",
        EntityType::Booking => "bookings",
        EntityType::User => "users",
    }
}

/// A time as the driver can hold it: infinity and the like as a time that is as wrong.
const TIME: Sql = Sql {
    sqlite: "{}",
    postgres: "CASE WHEN {} NOT BETWEEN '0001-01-01Z' AND '9999-12-31T23:59:59.999999Z'
                    THEN '10000-01-01Z'::timestamptz ELSE {} END AS {}",
};
const LOCK: Sql = Sql { sqlite: "", postgres: " FOR NO KEY UPDATE" };

/// The rows with these ids that are there, ascending by id, each with the time of its last change.
pub async fn read_many(
    tx: &mut Tx,
    mapping: &Mapping,
    ids: &[Uuid],
) -> Result<Vec<(Uuid, Columns, DateTime<Utc>)>, sqlx::Error> {
    select(tx, mapping, ids, false).await
}

/// How many rows there are.
pub async fn count(tx: &mut Tx, kind: EntityType) -> Result<u64, sqlx::Error> {
    let text = format!("SELECT COUNT(*) FROM {}", table(kind));
    let count: i64 = on!(tx, |conn| sqlx::query_scalar(AssertSqlSafe(text)).fetch_one(conn).await)?;
    Ok(count.unsigned_abs())
}

/// The next rows that changed later than `after`, or at its time with a greater id: time and id of each.
pub async fn changed_since(
    tx: &mut Tx,
    kind: EntityType,
    after: (DateTime<Utc>, Uuid),
    limit: u32,
) -> Result<Vec<(DateTime<Utc>, Uuid)>, sqlx::Error> {
    let text = format!(
        "SELECT updated_at, id FROM {} WHERE (updated_at, id) > ($1, $2) ORDER BY updated_at, id LIMIT $3",
        table(kind)
    );
    on!(tx, |conn| {
        sqlx::query_as(AssertSqlSafe(text))
            .bind(after.0)
            .bind(after.1)
            .bind(i64::from(limit))
            .fetch_all(conn)
            .await
    })
}

/// The rows with these ids, held until the write transaction ends.
pub async fn lock_many(
    tx: &mut Tx,
    mapping: &Mapping,
    ids: &[Uuid],
) -> Result<Vec<(Uuid, Columns, DateTime<Utc>)>, sqlx::Error> {
    select(tx, mapping, ids, true).await
}

async fn select(
    tx: &mut Tx,
    mapping: &Mapping,
    ids: &[Uuid],
    lock: bool,
) -> Result<Vec<(Uuid, Columns, DateTime<Utc>)>, sqlx::Error> {
    let mut wanted: Vec<(&'static str, Codec)> = Vec::new();
    for field in mapping.fields() {
        wanted.extend(field.relational.map(|column| (column, field.codec)));
        wanted.extend(field.hidden_by.map(|(column, _)| (column, Codec::Text)));
    }
    let names = wanted.iter().map(|(column, codec)| match codec {
        Codec::Time => tx.text(&TIME).replace("{}", column),
        _ => (*column).to_owned(),
    });
    let names: Vec<String> = names.collect();
    let (among, locking) = (tx.text(&AMONG), if lock { tx.text(&LOCK) } else { "" });
    let table = table(mapping.entity);
    let names = names.join(", ");
    let text = format!("SELECT id, updated_at, {names} FROM {table} WHERE id {among} ORDER BY id{locking}");
    let ids = listed(ids.iter().copied());
    on!(tx, |conn| {
        let rows = sqlx::query::<DB>(AssertSqlSafe(text)).bind(ids).fetch_all(conn).await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            let mut columns = Columns::new();
            for &(column, codec) in &wanted {
                let value = match codec {
                    Codec::Text | Codec::Email | Codec::Word { .. } => {
                        row.try_get::<Option<String>, _>(column)?.map(RelValue::Text)
                    }
                    // Somebody's hand wrote a text that is no time: a fault of this row, not of the read.
                    Codec::Time => match row.try_get::<Option<DateTime<Utc>>, _>(column) {
                        Ok(time) => time.map(RelValue::Time),
                        Err(error) => Some(RelValue::Odd(row.try_get(column).map_err(|_| error)?)),
                    },
                    Codec::Money | Codec::Int { .. } => {
                        row.try_get::<Option<i64>, _>(column)?.map(RelValue::Int)
                    }
                    Codec::Bool => row.try_get::<Option<bool>, _>(column)?.map(RelValue::Bool),
                    Codec::Id => row.try_get::<Option<Uuid>, _>(column)?.map(RelValue::Id),
                };
                columns.insert(column, value.unwrap_or(RelValue::Null));
            }
            found.push((row.try_get("id")?, columns, row.try_get("updated_at")?));
        }
        Ok(found)
    })
}

/// Pushes a value; NULL as a word, because a parameter would need a type.
macro_rules! push_value {
    ($builder:expr, $value:expr) => {
        match $value {
            RelValue::Null | RelValue::Odd(_) => $builder.push("NULL"),
            RelValue::Text(text) => $builder.push_bind(text.clone()),
            RelValue::Time(time) => $builder.push_bind(*time),
            RelValue::Int(number) => $builder.push_bind(*number),
            RelValue::Bool(yes) => $builder.push_bind(*yes),
            RelValue::Id(id) => $builder.push_bind(*id),
        }
    };
}

/// Sets columns of a row.
pub async fn update(
    tx: &mut Tx,
    kind: EntityType,
    id: Uuid,
    columns: &Columns,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    on!(tx, |conn| {
        let mut query = QueryBuilder::<DB>::new(format!("UPDATE {} SET updated_at = ", table(kind)));
        query.push_bind(now);
        if kind != EntityType::User {
            query.push(", version = version + 1");
        }
        for (column, value) in columns {
            query.push(", ").push(*column).push(" = ");
            push_value!(query, value);
        }
        query.push(" WHERE id = ").push_bind(id).build().execute(conn).await.map(drop)
    })
}

/// Makes a row; what is null is left to its default.
pub async fn insert(
    tx: &mut Tx,
    kind: EntityType,
    id: Uuid,
    columns: &Columns,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    on!(tx, |conn| {
        let mut query = QueryBuilder::<DB>::new(format!("INSERT INTO {} (", table(kind)));
        let given: Vec<_> = columns.iter().filter(|(_, value)| **value != RelValue::Null).collect();
        for (column, _) in &given {
            query.push(**column).push(", ");
        }
        query.push(if kind == EntityType::Launch { "status, " } else { "" });
        query.push("id, created_at, updated_at) VALUES (");
        for (_, value) in &given {
            push_value!(query, value);
            query.push(", ");
        }
        query.push(if kind == EntityType::Launch { "'scheduled', " } else { "" });
        query.push_bind(id).push(", ").push_bind(now).push(", ").push_bind(now).push(")");
        query.build().execute(conn).await.map(drop)
    })
}

/// What else a written row means: the seats of its launch, the sessions of a user, and whoever follows the stream.
/// Answers the launch whose counters moved.
pub async fn follow(
    tx: &mut Tx,
    clock: &Clock,
    kind: EntityType,
    id: EntityId,
    is_new: bool,
    now: DateTime<Utc>,
) -> Result<Option<LaunchId>, sqlx::Error> {
    let data = json!({ "by": "reconciliation" });
    let event = match kind {
        EntityType::Launch => {
            let what = if is_new { DomainEventKind::LaunchCreated } else { DomainEventKind::LaunchUpdated };
            NewEvent::launch(what, LaunchId(id.0), data)
        }
        EntityType::User => {
            let what = if is_new { DomainEventKind::UserCreated } else { DomainEventKind::UserUpdated };
            let user = crate::store::users::account(tx, UserId(id.0), now).await?;
            if user.is_some_and(|user| !user.is_active) {
                sessions::revoke_all(tx, UserId(id.0), None, now).await?;
            }
            NewEvent::user(what, UserId(id.0), data)
        }
        EntityType::Booking => {
            let Some(stored) = bookings::find(tx, BookingId(id.0)).await? else { return Ok(None) };
            let booking = stored.booking;
            let what = match booking.status {
                _ if is_new => DomainEventKind::BookingCreated,
                BookingStatus::Cancelled => DomainEventKind::BookingCancelled,
                _ => DomainEventKind::BookingUpdated,
            };
            let event = NewEvent::booking(what, booking.id, booking.user_id, stored.host, data);
            let moved = count_seats(tx, clock, booking.launch_id, booking.id, now).await?;
            outbox::insert(tx, clock, now, &[event]).await?;
            return Ok(moved.then_some(booking.launch_id));
        }
    };
    outbox::insert(tx, clock, now, &[event]).await?;
    Ok(None)
}

/// Counts the seats of a locked launch anew; whether they moved. The capacity log says because of which booking.
async fn count_seats(
    tx: &mut Tx,
    clock: &Clock,
    launch: LaunchId,
    booking: BookingId,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let Some(before) = launches::find(tx, launch).await? else { return Ok(false) };
    let held: i64 = seats(tx, launch.0, None).await?;
    let delta = held - i64::from(before.number_of_attendees);
    if delta == 0 {
        return Ok(false);
    }
    launches::take_seats(tx, launch, delta, now).await?;
    let change = CapacityChange {
        id: clock.new_id(),
        launch_id: launch,
        operation: if delta > 0 { CapacityOperation::Reserve } else { CapacityOperation::Release },
        quantity: u32::try_from(delta.unsigned_abs()).unwrap_or(u32::MAX),
        booking_id: Some(booking),
        timestamp: now,
    };
    capacity::insert(tx, &[change]).await?;
    let left = i64::from(before.capacity) - held;
    let event =
        NewEvent::launch(DomainEventKind::LaunchUpdated, launch, json!({ "availableTickets": left.max(0) }));
    outbox::insert(tx, clock, now, &[event]).await?;
    Ok(true)
}

/// The seats that active bookings of a launch hold, one booking left out.
pub async fn seats(tx: &mut Tx, launch: Uuid, without: Option<Uuid>) -> Result<i64, sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query_scalar(
            "SELECT CAST(COALESCE(SUM(ticket_quantity), 0) AS BIGINT) FROM bookings
              WHERE launch_id = $1 AND status IN ('confirmed', 'pending') AND id <> $2",
        )
        .bind(launch)
        .bind(without.unwrap_or_default())
        .fetch_one(conn)
        .await
    })
}
