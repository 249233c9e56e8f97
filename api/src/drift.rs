//! Drift: what differs between both databases at this moment, as far as it is known.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    ids::EntityId,
    paging::{list_query, page_of},
    vocabulary::{DriftKind, EntityType, SweepStatus},
};

/// An entity that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Drift {
    /// The kind of entity.
    pub entity_type: EntityType,
    /// The entity.
    pub entity_id: EntityId,
    /// How it differs.
    pub kind: DriftKind,
    /// In words: what would be done, or what waits for a person.
    pub text: String,
    /// When it was first seen to differ. Its age counts from here.
    pub first_seen: DateTime<Utc>,
    /// When it was last seen to differ.
    pub last_seen: DateTime<Utc>,
    /// The conflict that it waits in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict_id: Option<Uuid>,
}

list_query! {
    /// GET /reconciliation/drift: the oldest first unless `order=desc`.
    DriftQuery {
        /// About this kind of entity.
        #[param(value_type = Option<String>)]
        entity_type: EntityType,
        /// About this entity.
        #[param(value_type = Option<String>)]
        entity_id: EntityId,
        /// Differing like this.
        #[param(value_type = Option<String>)]
        kind: DriftKind,
    }
}

page_of! {
    /// The answer to GET /reconciliation/drift.
    DriftPage { drift: Drift }
}

/// How far both databases agree, in short; part of GET /status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Agreement {
    /// Entities that differ, those in conflict too.
    pub drift: u64,
    /// Of these, waiting for a person.
    pub conflicts: u64,
    /// Of these, critical.
    pub critical: u64,
    /// Since when the oldest of them differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest: Option<DateTime<Utc>>,
    /// Every change until this time was compared; absent before the first sweep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_through: Option<DateTime<Utc>>,
    /// The latest sweep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<Uuid>,
    /// How it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep_status: Option<SweepStatus>,
}
