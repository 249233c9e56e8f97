//! What the rules must know besides the two rows: seats held, references that lead nowhere, another active booking.

use astrops_api::{
    ids::{self, LaunchId, UserId},
    vocabulary::{EntityType, LaunchStatus},
};
use bson::oid::ObjectId;
use uuid::Uuid;

use super::{
    core::{
        guards::Facts,
        mapping::Mapping,
        value::{Id, Record, Side, Value},
    },
    relational::seats,
};
use crate::{
    db::{Tx, on},
    documents::{Collection, Documents, DocumentsError},
    store::{bookings, launches},
};

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

/// What the relational side knows, in one transaction with its row.
pub async fn relational(
    tx: &mut Tx,
    kind: EntityType,
    id: Uuid,
    references: &[(EntityType, Id)],
) -> Result<Facts, sqlx::Error> {
    let mut facts = Facts::default();
    for (kind, id) in references {
        if !exists(tx, *kind, ids::embed(*id)).await? {
            facts.dangling.push((Side::Relational, *id));
        }
    }
    let of = |wanted| references.iter().find(|(kind, _)| *kind == wanted).map(|(_, id)| ids::embed(*id));
    match kind {
        EntityType::Launch => {
            facts.seats = Some(seats(tx, id, None).await?);
            facts.dependents = bookings::active(tx, LaunchId(id)).await?.len() as u64;
            let launch = launches::find(tx, LaunchId(id)).await?;
            facts.cancelled = launch.is_some_and(|launch| launch.status == LaunchStatus::Cancelled);
        }
        EntityType::Booking => {
            let (Some(launch), Some(user)) = (of(EntityType::Launch), of(EntityType::User)) else {
                return Ok(facts);
            };
            if let Some(found) = launches::find(tx, LaunchId(launch)).await? {
                facts.free_seats = Some(i64::from(found.capacity) - seats(tx, launch, Some(id)).await?);
            }
            let active = bookings::active_of(tx, LaunchId(launch), UserId(user)).await?;
            facts.twin = active.filter(|other| other.0 != id).and_then(|other| ids::extract(other.0));
        }
        EntityType::User => {
            let active = bookings::active_of_user(tx, UserId(id)).await?;
            facts.dependents = active.len() as u64;
        }
    }
    Ok(facts)
}

async fn exists(tx: &mut Tx, kind: EntityType, id: Uuid) -> Result<bool, sqlx::Error> {
    let text = match kind {
        EntityType::Launch => "SELECT COUNT(*) FROM launches WHERE id = $1",
        EntityType::Booking => "SELECT COUNT(*) FROM bookings WHERE id = $1",
        EntityType::User => "SELECT COUNT(*) FROM users WHERE id = $1",
    };
    let count: i64 = on!(tx, |conn| sqlx::query_scalar(text).bind(id).fetch_one(conn).await)?;
    Ok(count > 0)
}

/// The references that the documents do not have.
pub async fn dangling_documents(
    documents: &Documents,
    references: &[(EntityType, Id)],
) -> Result<Vec<(Side, Id)>, DocumentsError> {
    let mut dangling = Vec::new();
    for (kind, id) in references {
        if documents.get(collection(*kind), &[ObjectId::from_bytes(*id)]).await?.is_empty() {
            dangling.push((Side::Document, *id));
        }
    }
    Ok(dangling)
}
