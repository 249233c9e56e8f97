//! Our side of an entity: launches, bookings and users as [`Columns`], by the names of the mapping.

use std::collections::BTreeMap;

use astrops_api::{
    ids::{BookingId, LaunchId, UserId},
    vocabulary::{DomainEventKind, EntityType},
};
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::{AssertSqlSafe, QueryBuilder, Row as _};
use uuid::Uuid;

use super::{
    core::{
        codec::{Columns, RelValue, TIMES},
        mapping::{Codec, Mapping},
        value::Record,
    },
    seats::{self, Booked},
};
use crate::{
    clock::Clock,
    db::{Sql, Tx, on},
    store::{
        AMONG, listed,
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

/// A row: its id, its columns, and the time of its last change if it is one.
pub type Found = (Uuid, Columns, Option<DateTime<Utc>>);

/// The rows with these ids that are there, ascending by id.
pub async fn read_many(tx: &mut Tx, mapping: &Mapping, ids: &[Uuid]) -> Result<Vec<Found>, sqlx::Error> {
    select(tx, mapping, ids, false).await
}

/// How many rows there are.
pub async fn count(tx: &mut Tx, kind: EntityType) -> Result<u64, sqlx::Error> {
    let text = format!("SELECT COUNT(*) FROM {}", table(kind));
    let count: i64 = on!(tx, |conn| sqlx::query_scalar(AssertSqlSafe(text)).fetch_one(conn).await)?;
    Ok(count.unsigned_abs())
}

/// The next rows that changed later than `after`, or at its time with a greater id: time and id of each. A time that is
/// none is nothing, and its row is among them all the same.
pub async fn changed_since(
    tx: &mut Tx,
    kind: EntityType,
    after: (DateTime<Utc>, Uuid),
    limit: u32,
) -> Result<Vec<(Option<DateTime<Utc>>, Uuid)>, sqlx::Error> {
    let (at, table) = (tx.text(&TIME).replace("{}", "updated_at"), table(kind));
    let text = format!(
        "SELECT {at}, id FROM {table} WHERE (updated_at, id) > ($1, $2) ORDER BY {table}.updated_at, id LIMIT $3"
    );
    on!(tx, |conn| {
        let rows = sqlx::query::<DB>(AssertSqlSafe(text))
            .bind(after.0)
            .bind(after.1)
            .bind(i64::from(limit))
            .fetch_all(conn)
            .await?;
        let at = |time: &DateTime<Utc>| TIMES.contains(&time.timestamp_millis());
        rows.iter().map(|row| Ok((row.try_get(0).ok().filter(at), row.try_get(1)?))).collect()
    })
}

/// The rows with these ids, held until the write transaction ends.
pub async fn lock_many(tx: &mut Tx, mapping: &Mapping, ids: &[Uuid]) -> Result<Vec<Found>, sqlx::Error> {
    select(tx, mapping, ids, true).await
}

async fn select(tx: &mut Tx, mapping: &Mapping, ids: &[Uuid], lock: bool) -> Result<Vec<Found>, sqlx::Error> {
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
    let updated_at = tx.text(&TIME).replace("{}", "updated_at");
    let text = format!("SELECT id, {updated_at}, {names} FROM {table} WHERE id {among} ORDER BY id{locking}");
    let ids = listed(ids.iter().copied());
    on!(tx, |conn| {
        let rows = sqlx::query::<DB>(AssertSqlSafe(text)).bind(ids).fetch_all(conn).await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            let mut columns = Columns::new();
            for &(column, codec) in &wanted {
                let value = match codec {
                    // Somebody's hand wrote what is no text, or no time: a fault of this row, not of the read.
                    Codec::Text | Codec::Email | Codec::Word { .. } => {
                        match row.try_get::<Option<String>, _>(column) {
                            Ok(text) => text.map(RelValue::Text),
                            Err(error) => {
                                let bytes: Vec<u8> = row.try_get(column).map_err(|_| error)?;
                                Some(RelValue::Odd(String::from_utf8_lossy(&bytes).into_owned()))
                            }
                        }
                    }
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
            found.push((row.try_get("id")?, columns, row.try_get("updated_at").ok()));
        }
        Ok(found)
    })
}

/// A row to be written.
#[derive(Clone, Debug)]
pub struct Written<'a> {
    /// Its id.
    pub id: Uuid,
    /// What our side says; `None` when the row is new.
    pub before: Option<&'a Record>,
    /// What it will say.
    pub after: Record,
    /// The columns to set. What is null in a new row is left to its default.
    pub columns: Columns,
}

/// Rows to a statement: far from what either engine takes, with 20 columns.
const ROWS: usize = 500;

/// Writes rows, those with the same columns together. What else that means is for [`follow`].
pub async fn write(
    tx: &mut Tx,
    kind: EntityType,
    rows: &[Written<'_>],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let is_null = |value: &RelValue| matches!(value, RelValue::Null | RelValue::Odd(_));
    // By whether they are new, and by columns: those that get a value, and those that become null.
    let mut alike: BTreeMap<_, Vec<&Written<'_>>> = BTreeMap::new();
    for row in rows {
        let of = |null: bool| {
            let names = row.columns.iter().filter(move |(_, value)| is_null(value) == null);
            names.map(|(column, _)| *column).collect::<Vec<_>>()
        };
        alike.entry((row.before.is_none(), of(false), of(true))).or_default().push(row);
    }
    for ((is_new, given, nulls), rows) in &alike {
        for rows in rows.chunks(ROWS) {
            if *is_new {
                insert(tx, kind, given, rows, now).await?;
            } else {
                update(tx, kind, (given, nulls), rows, now).await?;
            }
        }
    }
    Ok(())
}

/// Pushes the rows as `(id, values of these columns), ..`.
macro_rules! push_rows {
    ($query:expr, $columns:expr, $rows:expr) => {
        $query.push_values($rows, |mut query, row| {
            query.push_bind(row.id);
            for column in $columns {
                match &row.columns[column] {
                    RelValue::Null | RelValue::Odd(_) => query.push("NULL"),
                    RelValue::Text(text) => query.push_bind(text.clone()),
                    RelValue::Time(time) => query.push_bind(*time),
                    RelValue::Int(number) => query.push_bind(*number),
                    RelValue::Bool(yes) => query.push_bind(*yes),
                    RelValue::Id(id) => query.push_bind(*id),
                };
            }
        })
    };
}

/// Without it SQLite reads the whole table and looks for each of its rows among the given ones.
const PLUS: Sql = Sql { sqlite: "+", postgres: "" };

async fn update(
    tx: &mut Tx,
    kind: EntityType,
    (given, nulls): (&[&str], &[&str]),
    rows: &[&Written<'_>],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let (table, columns, plus) = (table(kind), named(given, ", "), tx.text(&PLUS));
    on!(tx, |conn| {
        let mut query = QueryBuilder::<DB>::new(format!("WITH given (id{columns}) AS ("));
        push_rows!(query, given, rows);
        query.push(format!(") UPDATE {table} SET updated_at = ")).push_bind(now);
        if kind != EntityType::User {
            query.push(", version = version + 1");
        }
        for column in given {
            query.push(format!(", {column} = given.{column}"));
        }
        for column in nulls {
            query.push(format!(", {column} = NULL"));
        }
        query.push(format!(" FROM given WHERE {table}.id = {plus}given.id"));
        query.build().execute(conn).await.map(drop)
    })
}

async fn insert(
    tx: &mut Tx,
    kind: EntityType,
    given: &[&str],
    rows: &[&Written<'_>],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let (table, columns) = (table(kind), named(given, ", "));
    let (status, scheduled) =
        if kind == EntityType::Launch { (", status", ", 'scheduled'") } else { ("", "") };
    on!(tx, |conn| {
        let mut query = QueryBuilder::<DB>::new(format!("WITH given (id{columns}) AS ("));
        push_rows!(query, given, rows);
        query.push(format!(") INSERT INTO {table} (id{columns}{status}, created_at, updated_at) "));
        query.push(format!("SELECT id{columns}{scheduled}, ")).push_bind(now).push(", ").push_bind(now);
        query.push(" FROM given").build().execute(conn).await.map(drop)
    })
}

/// The columns behind an id.
fn named(columns: &[&str], before: &str) -> String {
    columns.iter().flat_map(|column| [before, column]).collect()
}

/// What else written rows mean: the seats of launches, the sessions of users, and whoever follows the stream. Answers the
/// launches whose counters moved.
pub async fn follow(
    tx: &mut Tx,
    clock: &Clock,
    mapping: &Mapping,
    rows: &[Written<'_>],
    now: DateTime<Utc>,
) -> Result<Vec<LaunchId>, sqlx::Error> {
    let data = || json!({ "by": "reconciliation" });
    let kind = |row: &Written<'_>, new, other| if row.before.is_none() { new } else { other };
    let mut events = Vec::with_capacity(rows.len());
    let mut moved = Vec::new();
    match mapping.entity {
        EntityType::Launch => events.extend(rows.iter().map(|row| {
            let what = kind(row, DomainEventKind::LaunchCreated, DomainEventKind::LaunchUpdated);
            NewEvent::launch(what, LaunchId(row.id), data())
        })),
        EntityType::User => {
            for row in rows {
                let what = kind(row, DomainEventKind::UserCreated, DomainEventKind::UserUpdated);
                events.push(NewEvent::user(what, UserId(row.id), data()));
                if row.columns.get("is_active") == Some(&RelValue::Bool(false)) {
                    sessions::revoke_all(tx, UserId(row.id), None, now).await?;
                }
            }
        }
        EntityType::Booking => {
            let said: Vec<_> = rows.iter().map(|row| Booked::of(mapping, row)).collect();
            let launches = seats::launches_of(tx, &said).await?;
            for (row, said) in rows.iter().zip(&said) {
                let what = match said.status {
                    _ if row.before.is_none() => DomainEventKind::BookingCreated,
                    Some("cancelled") => DomainEventKind::BookingCancelled,
                    _ => DomainEventKind::BookingUpdated,
                };
                let host = said.launch.and_then(|launch| launches.get(&launch));
                if let (Some(user), Some(launch)) = (said.user, host) {
                    events.push(NewEvent::booking(what, BookingId(row.id), user, launch.supplier, data()));
                }
            }
            moved = seats::count(tx, clock, &launches, &said, now).await?;
            events.extend(moved.iter().map(|(launch, left)| {
                NewEvent::launch(DomainEventKind::LaunchUpdated, *launch, json!({ "availableTickets": left }))
            }));
        }
    }
    outbox::insert(tx, clock, now, &events).await?;
    Ok(moved.into_iter().map(|(launch, _)| launch).collect())
}
