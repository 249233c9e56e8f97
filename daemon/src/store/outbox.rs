//! `outbox`: what happened to users, launches and bookings, written in the transaction of the change.

use astrops_api::{
    ids::{BookingId, EntityId, LaunchId, UserId},
    vocabulary::{DomainEventKind, EntityType},
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::types::Json;

use super::{id_text, time_text};
use crate::{
    clock::Clock,
    db::{Sql, Tx, on},
};

/// Something that happened.
pub struct NewEvent {
    kind: DomainEventKind,
    entity_type: EntityType,
    entity: EntityId,
    is_public: bool,
    customer: Option<UserId>,
    supplier: Option<UserId>,
    data: Value,
}

impl NewEvent {
    /// To a launch: every signed-in user may know.
    pub fn launch(kind: DomainEventKind, id: LaunchId, data: Value) -> Self {
        let (entity_type, entity) = (EntityType::Launch, id.into());
        Self { kind, entity_type, entity, is_public: true, customer: None, supplier: None, data }
    }

    /// To a booking: its customer and its supplier may know.
    pub fn booking(
        kind: DomainEventKind,
        id: BookingId,
        customer: UserId,
        supplier: UserId,
        data: Value,
    ) -> Self {
        Self {
            kind,
            entity_type: EntityType::Booking,
            entity: id.into(),
            is_public: false,
            customer: Some(customer),
            supplier: Some(supplier),
            data,
        }
    }

    /// To a user: that user may know.
    pub fn user(kind: DomainEventKind, id: UserId, data: Value) -> Self {
        Self {
            kind,
            entity_type: EntityType::User,
            entity: id.into(),
            is_public: false,
            customer: Some(id),
            supplier: Some(id),
            data,
        }
    }
}

#[derive(Serialize)]
struct Batched<'a> {
    id: String,
    at: String,
    kind: DomainEventKind,
    entity_type: EntityType,
    entity_id: String,
    is_public: bool,
    customer_id: Option<String>,
    supplier_id: Option<String>,
    data: &'a Value,
}

const INSERT: Sql = Sql {
    sqlite: "INSERT INTO outbox (id, at, kind, entity_type, entity_id, is_public, customer_id, supplier_id, data)
             SELECT unhex(value->>'id'), value->>'at', value->>'kind', value->>'entity_type', unhex(value->>'entity_id'),
                    value->>'is_public', unhex(value->>'customer_id'), unhex(value->>'supplier_id'), value->'data'
               FROM json_each($1)",
    postgres: "INSERT INTO outbox (id, at, kind, entity_type, entity_id, is_public, customer_id, supplier_id, data)
               SELECT id, at, kind, entity_type, entity_id, is_public, customer_id, supplier_id, data
                 FROM jsonb_to_recordset($1) AS d (id UUID, at TIMESTAMPTZ, kind TEXT, entity_type TEXT, entity_id UUID,
                      is_public BOOLEAN, customer_id UUID, supplier_id UUID, data JSONB)",
};

/// Writes `events` in one statement.
pub async fn insert(
    tx: &mut Tx,
    clock: &Clock,
    now: DateTime<Utc>,
    events: &[NewEvent],
) -> Result<(), sqlx::Error> {
    if events.is_empty() {
        return Ok(());
    }
    let text = |id: Option<UserId>| id.map(|id| id_text(id.0));
    let batch: Vec<Batched<'_>> = events
        .iter()
        .map(|event| Batched {
            id: id_text(clock.new_id()),
            at: time_text(now),
            kind: event.kind,
            entity_type: event.entity_type,
            entity_id: id_text(event.entity.0),
            is_public: event.is_public,
            customer_id: text(event.customer),
            supplier_id: text(event.supplier),
            data: &event.data,
        })
        .collect();
    let sql = tx.text(&INSERT);
    on!(tx, |conn| sqlx::query(sql).bind(Json(&batch)).execute(conn).await.map(drop))
}
