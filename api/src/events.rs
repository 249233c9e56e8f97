//! Domain events: what happened to users, launches and bookings, live.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    ids::EntityId,
    vocabulary::{DomainEventKind, EntityType},
};

/// One event of GET /stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DomainEvent {
    /// Its id: sorts by time.
    pub id: Uuid,
    /// When.
    pub at: DateTime<Utc>,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: DomainEventKind,
    /// To what.
    pub entity_type: EntityType,
    /// Which.
    pub entity_id: EntityId,
    /// What changed; never personal data.
    #[schema(value_type = Object)]
    pub data: Value,
}
