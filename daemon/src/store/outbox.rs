//! `outbox`: what happened to users, launches and bookings, written in the transaction of the change.

use astrops_api::{
    events::DomainEvent,
    ids::{BookingId, EntityId, LaunchId, UserId},
    vocabulary::{DomainEventKind, EntityType},
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::types::Json;
use tokio::sync::Notify;
use uuid::Uuid;

use super::{
    cursor::{Cursor, Followed, Told, followed},
    id_text, time_text,
};
use crate::{
    clock::{Clock, first_id_of},
    db::{Signals, Sql, Tx, on},
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
    tx.wake_events();
    let sql = tx.text(&INSERT);
    on!(tx, |conn| sqlx::query(sql).bind(Json(&batch)).execute(conn).await.map(drop))
}

/// An event as it is stored, with who may know of it.
#[derive(Clone, Debug)]
pub struct Happening {
    /// What everybody who may know is told.
    pub event: DomainEvent,
    is_public: bool,
    customer: Option<UserId>,
    supplier: Option<UserId>,
}

impl Happening {
    /// Whether somebody who is not an employee may know of it.
    pub fn concerns(&self, user: UserId) -> bool {
        self.is_public || self.customer == Some(user) || self.supplier == Some(user)
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    tx: i64,
    seq: i64,
    id: Uuid,
    at: DateTime<Utc>,
    #[sqlx(try_from = "String")]
    kind: DomainEventKind,
    #[sqlx(try_from = "String")]
    entity_type: EntityType,
    entity_id: Uuid,
    is_public: bool,
    customer_id: Option<Uuid>,
    supplier_id: Option<Uuid>,
    data: Json<Value>,
}

impl From<Row> for (Cursor, Happening) {
    fn from(row: Row) -> Self {
        let event = DomainEvent {
            id: row.id,
            at: row.at,
            kind: row.kind,
            entity_type: row.entity_type,
            entity_id: EntityId(row.entity_id),
            data: row.data.0,
        };
        let happening = Happening {
            event,
            is_public: row.is_public,
            customer: row.customer_id.map(UserId),
            supplier: row.supplier_id.map(UserId),
        };
        (Cursor { tx: row.tx, seq: row.seq }, happening)
    }
}

impl Told for Happening {
    const TABLE: Followed = followed!(
        "domain events",
        "outbox",
        "tx, seq, id, at, kind, entity_type, entity_id, is_public, customer_id, supplier_id, data"
    );

    fn signal(signals: &Signals) -> &Notify {
        &signals.events
    }

    async fn behind(tx: &mut Tx, cursor: Cursor, limit: i64) -> Result<Vec<(Cursor, Self)>, sqlx::Error> {
        let sql = tx.text(&Self::TABLE.behind);
        let rows: Vec<Row> = on!(tx, |conn| sqlx::query_as(sql)
            .bind(cursor.tx)
            .bind(cursor.seq)
            .bind(limit)
            .fetch_all(conn)
            .await)?;
        Ok(rows.into_iter().map(Into::into).collect())
    }
}

/// Deletes up to `limit` events older than `before`; answers how many. The latest one stays: by it a stream knows how
/// many are missing.
pub async fn prune(tx: &mut Tx, before: DateTime<Utc>, limit: i64) -> Result<u64, sqlx::Error> {
    on!(tx, |conn| {
        let deleted = sqlx::query(
            "DELETE FROM outbox WHERE id IN
               (SELECT id FROM outbox WHERE id < $1 AND id <> (SELECT id FROM outbox ORDER BY id DESC LIMIT 1)
                 ORDER BY id LIMIT $2)",
        )
        .bind(first_id_of(before))
        .bind(limit)
        .execute(conn)
        .await?;
        Ok(deleted.rows_affected())
    })
}

/// Forgets up to `limit` webhooks that were seen before `before`; answers how many.
pub async fn prune_webhooks(tx: &mut Tx, before: DateTime<Utc>, limit: i64) -> Result<u64, sqlx::Error> {
    on!(tx, |conn| {
        let deleted = sqlx::query(
            "DELETE FROM payment_events WHERE (provider, event_id) IN
               (SELECT provider, event_id FROM payment_events WHERE at < $1 ORDER BY at LIMIT $2)",
        )
        .bind(before)
        .bind(limit)
        .execute(conn)
        .await?;
        Ok(deleted.rows_affected())
    })
}
