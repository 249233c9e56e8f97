//! Domain events: what happened to users, launches and bookings, live.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
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

/// GET /stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventStreamQuery {
    /// The `id:` of the last event that was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Only what happens to these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub entity_type: Option<EntityType>,
    /// Only what happens to this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub entity_id: Option<EntityId>,
}
