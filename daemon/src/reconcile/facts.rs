//! What the rules must know besides the two rows: seats held, references that lead nowhere, another active booking.
//! Asked for many rows at once.

use std::collections::{BTreeMap, BTreeSet};

use astrops_api::{
    ids,
    vocabulary::{EntityType, LaunchStatus},
};
use bson::oid::ObjectId;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::core::{
    guards::Facts,
    mapping::Mapping,
    value::{Id, Record, Side, Value},
};
use crate::{
    db::{Sql, Tx, on},
    documents::{Collection, Documents, DocumentsError},
    store::{AMONG, listed},
};

/// A row and whom it refers to, on either side.
pub struct Asked<'a> {
    /// Its relational id.
    pub id: Uuid,
    /// What our side says.
    pub ours: Option<&'a Record>,
    /// Whom both sides' rows refer to.
    pub references: &'a [(EntityType, Id)],
}

impl Asked<'_> {
    fn target(&self, kind: EntityType) -> Option<Uuid> {
        self.references.iter().find(|(other, _)| *other == kind).map(|(_, id)| ids::embed(*id))
    }
}

/// The collection of an entity.
pub const fn collection(kind: EntityType) -> Collection {
    match kind {
        EntityType::Launch => Collection::Events,
        EntityType::Booking => Collection::Bookings,
        EntityType::User => Collection::Users,
    }
}

/// What a field refers to.
pub fn target(field: &str) -> Option<EntityType> {
    match field {
        "organizer" | "user" => Some(EntityType::User),
        "launch" => Some(EntityType::Launch),
        _ => None,
    }
}

/// Whom the rows refer to.
pub fn references(mapping: &Mapping, records: &[Option<&Record>]) -> Vec<(EntityType, Id)> {
    let mut found = Vec::new();
    for record in records.iter().flatten() {
        for (index, field) in mapping.fields().iter().enumerate() {
            if let (Some(kind), Value::Id(id)) = (target(field.name), record.at(index)) {
                found.push((kind, *id));
            }
        }
    }
    found.sort_unstable_by_key(|(kind, id)| (kind.as_str(), *id));
    found.dedup();
    found
}

/// What the relational side knows of each row, in one transaction with the rows.
pub async fn relational(
    tx: &mut Tx,
    mapping: &Mapping,
    rows: &[Asked<'_>],
) -> Result<Vec<Facts>, sqlx::Error> {
    let all = |kind: EntityType| -> BTreeSet<Uuid> {
        let of_kind = rows.iter().flat_map(|row| row.references).filter(|(other, _)| *other == kind);
        of_kind.map(|(_, id)| ids::embed(*id)).collect()
    };
    let own = || rows.iter().map(|row| row.id).collect::<BTreeSet<_>>();
    let users = existing_users(tx, &all(EntityType::User)).await?;
    let is_launch = mapping.entity == EntityType::Launch;
    let launches = launches(tx, &if is_launch { own() } else { all(EntityType::Launch) }).await?;
    let exists = |kind: EntityType, id: Uuid| match kind {
        EntityType::User => users.contains(&id),
        EntityType::Launch => launches.contains_key(&id),
        EntityType::Booking => false,
    };
    let mut facts: Vec<Facts> = rows
        .iter()
        .map(|row| {
            let missing = row.references.iter().filter(|(kind, id)| !exists(*kind, ids::embed(*id)));
            let dangling = missing.map(|(_, id)| (Side::Relational, *id)).collect();
            Facts { dangling, ..Facts::default() }
        })
        .collect();
    match mapping.entity {
        EntityType::Launch => {
            let held = held(tx, "launch_id", &own()).await?;
            for (facts, row) in facts.iter_mut().zip(rows) {
                let (bookings, seats) = held.get(&row.id).copied().unwrap_or_default();
                facts.seats = Some(seats);
                facts.dependents = bookings;
                facts.cancelled = launches.get(&row.id).is_some_and(|launch| launch.is_cancelled);
            }
        }
        EntityType::Booking => {
            let held = held(tx, "launch_id", &all(EntityType::Launch)).await?;
            let active = active_of(tx, &all(EntityType::User), &all(EntityType::Launch)).await?;
            for (facts, row) in facts.iter_mut().zip(rows) {
                let (Some(launch), Some(user)) =
                    (row.target(EntityType::Launch), row.target(EntityType::User))
                else {
                    continue;
                };
                let own = active.iter().find(|booking| booking.id == row.id && booking.launch == launch);
                let own_seats = own.and(row.ours).map_or(0, |ours| seats_of(mapping, ours));
                facts.free_seats = launches.get(&launch).map(|found| {
                    let (_, seats) = held.get(&launch).copied().unwrap_or_default();
                    found.capacity - (seats - own_seats)
                });
                let twin = active
                    .iter()
                    .find(|other| other.launch == launch && other.user == user && other.id != row.id);
                facts.twin = twin.and_then(|twin| ids::extract(twin.id));
            }
        }
        EntityType::User => {
            let held = held(tx, "user_id", &own()).await?;
            for (facts, row) in facts.iter_mut().zip(rows) {
                facts.dependents = held.get(&row.id).copied().unwrap_or_default().0;
            }
        }
    }
    Ok(facts)
}

fn seats_of(mapping: &Mapping, record: &Record) -> i64 {
    mapping.index("quantity").and_then(|index| record.at(index).int()).unwrap_or_default()
}

const ALSO_AMONG: Sql = Sql {
    sqlite: "IN (SELECT unhex(value) FROM json_each($2))",
    postgres: "= ANY (ARRAY(SELECT jsonb_array_elements_text($2)::uuid))",
};

async fn existing_users(tx: &mut Tx, ids: &BTreeSet<Uuid>) -> Result<BTreeSet<Uuid>, sqlx::Error> {
    if ids.is_empty() {
        return Ok(BTreeSet::new());
    }
    let text = format!("SELECT id FROM users WHERE id {}", tx.text(&AMONG));
    on!(tx, |conn| {
        let found: Vec<Uuid> =
            sqlx::query_scalar(AssertSqlSafe(text)).bind(listed(ids.iter().copied())).fetch_all(conn).await?;
        Ok(found.into_iter().collect())
    })
}

struct LaunchFacts {
    capacity: i64,
    is_cancelled: bool,
}

async fn launches(tx: &mut Tx, ids: &BTreeSet<Uuid>) -> Result<BTreeMap<Uuid, LaunchFacts>, sqlx::Error> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let text = format!("SELECT id, capacity, status FROM launches WHERE id {}", tx.text(&AMONG));
    let found: Vec<(Uuid, i64, String)> = on!(tx, |conn| sqlx::query_as(AssertSqlSafe(text))
        .bind(listed(ids.iter().copied()))
        .fetch_all(conn)
        .await)?;
    let launch = |(id, capacity, status): (Uuid, i64, String)| {
        (id, LaunchFacts { capacity, is_cancelled: status == LaunchStatus::Cancelled.as_str() })
    };
    Ok(found.into_iter().map(launch).collect())
}

/// Active bookings and their seats, by what `column` refers to.
async fn held(
    tx: &mut Tx,
    column: &'static str,
    ids: &BTreeSet<Uuid>,
) -> Result<BTreeMap<Uuid, (u64, i64)>, sqlx::Error> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let text = format!(
        "SELECT {column}, COUNT(*), CAST(SUM(ticket_quantity) AS BIGINT) FROM bookings
          WHERE {column} {} AND status IN ('confirmed', 'pending') GROUP BY {column}",
        tx.text(&AMONG)
    );
    let found: Vec<(Uuid, i64, i64)> = on!(tx, |conn| sqlx::query_as(AssertSqlSafe(text))
        .bind(listed(ids.iter().copied()))
        .fetch_all(conn)
        .await)?;
    Ok(found.into_iter().map(|(id, count, seats)| (id, (count.unsigned_abs(), seats))).collect())
}

#[derive(sqlx::FromRow)]
struct Active {
    id: Uuid,
    #[sqlx(rename = "launch_id")]
    launch: Uuid,
    #[sqlx(rename = "user_id")]
    user: Uuid,
}

/// The active bookings of these users for these launches.
async fn active_of(
    tx: &mut Tx,
    users: &BTreeSet<Uuid>,
    launches: &BTreeSet<Uuid>,
) -> Result<Vec<Active>, sqlx::Error> {
    if users.is_empty() || launches.is_empty() {
        return Ok(Vec::new());
    }
    let text = format!(
        "SELECT id, launch_id, user_id FROM bookings
          WHERE user_id {} AND launch_id {} AND status IN ('confirmed', 'pending')",
        tx.text(&AMONG),
        tx.text(&ALSO_AMONG)
    );
    on!(tx, |conn| {
        sqlx::query_as(AssertSqlSafe(text))
            .bind(listed(users.iter().copied()))
            .bind(listed(launches.iter().copied()))
            .fetch_all(conn)
            .await
    })
}

/// The references that the documents do not have.
pub async fn dangling_documents(
    documents: &Documents,
    references: impl Iterator<Item = &(EntityType, Id)>,
) -> Result<BTreeSet<Id>, DocumentsError> {
    let mut wanted: BTreeMap<EntityType, BTreeSet<Id>> = BTreeMap::new();
    for (kind, id) in references {
        wanted.entry(*kind).or_default().insert(*id);
    }
    let mut dangling = BTreeSet::new();
    for (kind, mut ids) in wanted {
        let asked: Vec<_> = ids.iter().copied().map(ObjectId::from_bytes).collect();
        for row in documents.get(collection(kind), &asked).await? {
            ids.remove(&row.id.bytes());
        }
        dangling.append(&mut ids);
    }
    Ok(dangling)
}
