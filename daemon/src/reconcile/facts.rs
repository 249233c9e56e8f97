//! What the rules must know besides the two rows: seats held, references that lead nowhere, another active booking.
//! Asked for many rows at once.

use std::collections::{BTreeMap, BTreeSet};

use astrops_api::{
    ids,
    vocabulary::{EntityType, LaunchStatus},
};
use bson::oid::ObjectId;
use serde::Serialize;
use sqlx::{AssertSqlSafe, types::Json};
use uuid::Uuid;

use super::{
    core::{
        guards::Facts,
        mapping::Mapping,
        value::{Id, Pair, Record, Side, Value},
    },
    seats,
};
use crate::{
    db::{Sql, Tx, on},
    documents::{Collection, Documents, DocumentsError},
    store::{AMONG, id_text, listed},
};

/// A row and whom it refers to, on either side.
pub struct Asked<'a> {
    /// Its relational id.
    pub id: Uuid,
    /// What our side says.
    pub ours: Option<&'a Record>,
    /// Whom both sides' rows refer to, what counts first; nobody when that is not asked.
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

/// Fields by which a row takes seats or refers to another one.
const WATCHED: [&str; 5] = ["organizer", "user", "launch", "status", "quantity"];

/// Whether both sides say the same where a row takes seats or refers to another one: nothing is written there then,
/// unless a person decides so, and the rules need not ask.
pub fn same_where_watched(mapping: &Mapping, sides: &Pair<Option<&Record>>) -> bool {
    let Pair { document: Some(document), relational: Some(ours) } = sides else { return false };
    let mut places = WATCHED.iter().filter_map(|name| mapping.index(name));
    places.all(|index| document.at(index) == ours.at(index))
}

/// Whom both sides' rows refer to. Ours first: where the sides name different ones, nothing moves by itself.
pub fn references(mapping: &Mapping, sides: &Pair<Option<&Record>>) -> Vec<(EntityType, Id)> {
    let mut found = Vec::new();
    for record in [sides.relational, sides.document].into_iter().flatten() {
        for (index, field) in mapping.fields().iter().enumerate() {
            if let (Some(kind), Value::Id(id)) = (target(field.name), record.at(index))
                && !found.contains(&(kind, *id))
            {
                found.push((kind, *id));
            }
        }
    }
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
            let held = seats::held(tx, &own()).await?;
            for (facts, row) in facts.iter_mut().zip(rows) {
                let (bookings, seats) = held.get(&row.id).copied().unwrap_or_default();
                facts.seats = Some(seats);
                facts.dependents = bookings;
                facts.cancelled = launches.get(&row.id).is_some_and(|launch| launch.is_cancelled);
            }
        }
        EntityType::Booking => {
            let held = seats::held(tx, &all(EntityType::Launch)).await?;
            let pairs = rows.iter().filter_map(|row| {
                Some((row.id, row.target(EntityType::Launch)?, row.target(EntityType::User)?))
            });
            let mut twins = twins(tx, pairs).await?;
            for (facts, row) in facts.iter_mut().zip(rows) {
                let Some(launch) = row.target(EntityType::Launch) else { continue };
                facts.cancelled = launches.get(&launch).is_some_and(|launch| launch.is_cancelled);
                let own = row.ours.and_then(|ours| seats::taken(mapping, ours));
                let own = own.filter(|(of, _)| of.0 == launch).map_or(0, |(_, seats)| seats);
                facts.free_seats = launches.get(&launch).map(|found| {
                    let (_, seats) = held.get(&launch).copied().unwrap_or_default();
                    found.capacity - (seats - own)
                });
                facts.twin = twins.remove(&row.id).and_then(ids::extract);
            }
        }
        EntityType::User => {
            let booked = booked(tx, &own()).await?;
            for (facts, row) in facts.iter_mut().zip(rows) {
                facts.dependents = booked.get(&row.id).copied().unwrap_or_default();
            }
        }
    }
    Ok(facts)
}

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

/// How many active bookings each user has, and launches on sale.
async fn booked(tx: &mut Tx, users: &BTreeSet<Uuid>) -> Result<BTreeMap<Uuid, u64>, sqlx::Error> {
    let text = format!(
        "SELECT id, COUNT(*) FROM (
             SELECT user_id AS id FROM bookings WHERE user_id {among} AND status IN ('confirmed', 'pending')
             UNION ALL SELECT host_id FROM launches WHERE host_id {among} AND status = 'scheduled' AND is_active) AS named
          GROUP BY id",
        among = tx.text(&AMONG)
    );
    let found: Vec<(Uuid, i64)> = on!(tx, |conn| sqlx::query_as(AssertSqlSafe(text))
        .bind(listed(users.iter().copied()))
        .fetch_all(conn)
        .await)?;
    Ok(found.into_iter().map(|(user, count)| (user, count.unsigned_abs())).collect())
}

#[derive(Serialize)]
struct Pairing {
    id: String,
    launch: String,
    user: String,
}

/// By pairs: all active bookings of these users for these launches would be many more. CROSS JOIN makes SQLite go by the
/// pairs: without statistics it would go through all active bookings for each.
const TWINS: Sql = Sql {
    sqlite: "SELECT unhex(value->>'id'), other.id FROM json_each($1)
              CROSS JOIN bookings other ON other.user_id = unhex(value->>'user') AND other.launch_id = unhex(value->>'launch')
                AND other.status IN ('confirmed', 'pending') AND other.id <> unhex(value->>'id')",
    postgres: "SELECT asked.id, other.id
                 FROM jsonb_to_recordset($1) AS asked (id UUID, launch UUID, \"user\" UUID)
                 JOIN bookings other ON other.user_id = asked.\"user\" AND other.launch_id = asked.launch
                  AND other.status IN ('confirmed', 'pending') AND other.id <> asked.id",
};

/// Another active booking of the same user and launch, by the booking that asks; of each its own id, launch and user.
async fn twins(
    tx: &mut Tx,
    bookings: impl Iterator<Item = (Uuid, Uuid, Uuid)>,
) -> Result<BTreeMap<Uuid, Uuid>, sqlx::Error> {
    let text = |(id, launch, user)| Pairing { id: id_text(id), launch: id_text(launch), user: id_text(user) };
    let asked: Vec<_> = bookings.map(text).collect();
    if asked.is_empty() {
        return Ok(BTreeMap::new());
    }
    let sql = tx.text(&TWINS);
    let found: Vec<(Uuid, Uuid)> =
        on!(tx, |conn| sqlx::query_as(sql).bind(Json(asked)).fetch_all(conn).await)?;
    Ok(found.into_iter().collect())
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
