//! Reconciliation: making the customer documents and the relational database agree.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    ids::{EntityId, JobId},
    jobs::{Job, Reconciliation},
    paging::{list_query, page_of},
    resolution::Decided,
    vocabulary::{EntityType, JobStatus, JobType, ReconAction, Severity},
};

/// POST /reconciliation: which entity to make agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewReconciliation {
    /// The kind of entity.
    pub entity_type: EntityType,
    /// The entity.
    pub entity_id: EntityId,
}

/// A reconciliation job as the documents show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReconJob {
    /// The job.
    pub job_id: JobId,
    /// RECONCILIATION.
    #[serde(rename = "type")]
    pub kind: JobType,
    /// Where it stands.
    pub status: JobStatus,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
    /// When anything about it last changed.
    pub updated_at: DateTime<Utc>,
    /// When its last attempt began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<DateTime<Utc>>,
    /// Why the last attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// The entity, and what was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconciliation: Option<Reconciliation>,
}

impl From<Job> for ReconJob {
    fn from(job: Job) -> Self {
        Self {
            job_id: job.id,
            kind: job.kind,
            status: job.status,
            created_at: job.created_at,
            updated_at: job.updated_at,
            started_at: job.started_at,
            completed_at: job.completed_at,
            error_message: job.error_message,
            reconciliation: job.reconciliation,
        }
    }
}

list_query! {
    /// GET /reconciliation/jobs: newest first unless `order=asc`.
    ReconJobQuery {
        /// With this status.
        #[param(value_type = Option<String>)]
        status: JobStatus,
        /// About this kind of entity.
        #[param(value_type = Option<String>)]
        entity_type: EntityType,
        /// About this entity.
        #[param(value_type = Option<String>)]
        entity_id: EntityId,
        /// Created at or after this time.
        from: DateTime<Utc>,
        /// Created at or before this time.
        to: DateTime<Utc>,
    }
}

page_of! {
    /// The answer to GET /reconciliation/jobs.
    ReconJobPage { jobs: ReconJob }
}

/// POST /reconciliation/events: an entity changed on the caller's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewEvent {
    /// The kind of entity.
    pub entity_type: EntityType,
    /// The entity.
    pub entity_id: EntityId,
    /// What was done to it. Whatever it says, both sides are read.
    pub action: ReconAction,
}

/// The answer to [`NewEvent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventQueued {
    /// The event.
    pub event_id: Uuid,
    /// `queued`.
    pub status: JobStatus,
}

/// GET /reconciliation/events/{id}.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReconEvent {
    /// The event.
    pub event_id: Uuid,
    /// The kind of entity.
    pub entity_type: EntityType,
    /// The entity.
    pub entity_id: EntityId,
    /// What was done to it.
    pub action: ReconAction,
    /// The job that looks at it, perhaps for several events.
    pub job_id: JobId,
    /// How that job stands; absent when it was deleted after its retention.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<JobStatus>,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
}

/// One field that was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldChange {
    /// The canonical field.
    pub field: String,
    /// As people call it.
    pub label: String,
    /// What the document held.
    #[schema(value_type = Object)]
    pub document: Value,
    /// What the relational row held.
    #[schema(value_type = Object)]
    pub relational: Value,
    /// What both last agreed on; absent when they never did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub base: Option<Value>,
    /// What was written.
    #[schema(value_type = Object)]
    pub after: Value,
    /// Where: `document` or `relational`.
    pub written: String,
    /// By which rule: `mirror`, `fill`, `derived`, `create`, or the authority.
    pub rule: String,
    /// A value that somebody had set there was discarded.
    pub overridden: bool,
}

/// One row of the change log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// Its id: sorts by time.
    pub id: Uuid,
    /// When.
    pub at: DateTime<Utc>,
    /// The kind of entity.
    pub entity_type: EntityType,
    /// The entity.
    pub entity_id: EntityId,
    /// By which job.
    pub job_id: JobId,
    /// Who asked for the job.
    pub actor: String,
    /// The actor's e-mail, when it is a user that is still known; masked for viewers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_email: Option<String>,
    /// In words.
    pub changes_log: String,
    /// Why, when a person decided it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Field by field; empty when the person it was about was erased. Addresses and names are masked for viewers.
    pub fields: Vec<FieldChange>,
}

list_query! {
    /// GET /reconciliation/changes: newest first unless `order=asc`.
    ChangeQuery {
        /// About this kind of entity.
        #[param(value_type = Option<String>)]
        entity_type: EntityType,
        /// About this entity.
        #[param(value_type = Option<String>)]
        entity_id: EntityId,
        /// By this job.
        #[param(value_type = Option<String>)]
        job_id: JobId,
    }
}

page_of! {
    /// The answer to GET /reconciliation/changes.
    ChangePage { changes: Change }
}

/// One field, group or rule that waits for a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConflictField {
    /// What the change log calls it.
    pub topic: String,
    /// The canonical fields that it is about.
    pub fields: Vec<String>,
    /// Why.
    pub reason: String,
    /// Nothing of the entity is written until it is resolved.
    pub whole_row: bool,
    /// What a person may do.
    pub proposals: Vec<String>,
}

/// An entity that waits for a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Conflict {
    /// Its id.
    pub id: Uuid,
    /// The kind of entity.
    pub entity_type: EntityType,
    /// The entity.
    pub entity_id: EntityId,
    /// The job that saw it last.
    pub job_id: JobId,
    /// In words.
    pub text: String,
    /// `warning`, or `critical` when somebody must act now.
    pub severity: Severity,
    /// What is in conflict.
    pub fields: Vec<ConflictField>,
    /// When it was first seen.
    pub first_seen: DateTime<Utc>,
    /// When it was last seen.
    pub last_seen: DateTime<Utc>,
    /// It is not listed until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snoozed_until: Option<DateTime<Utc>>,
    /// What somebody has decided about the entity already, while it is not written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decided>,
}

list_query! {
    /// GET /reconciliation/conflicts: the critical ones first, then the oldest; by age alone with `order`.
    ConflictQuery {
        /// Those that are snoozed, too.
        snoozed: bool,
        /// About this kind of entity.
        #[param(value_type = Option<String>)]
        entity_type: EntityType,
        /// About this entity.
        #[param(value_type = Option<String>)]
        entity_id: EntityId,
    }
}

page_of! {
    /// The answer to GET /reconciliation/conflicts.
    ConflictPage { conflicts: Conflict }
}

/// One field on both sides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldDiff {
    /// The canonical field.
    pub field: String,
    /// As people call it.
    pub label: String,
    /// What the document says; null when there is none.
    #[schema(value_type = Object)]
    pub document: Value,
    /// What the relational row says.
    #[schema(value_type = Object)]
    pub relational: Value,
    /// What both last agreed on; absent when they never did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub base: Option<Value>,
    /// `equal`, `write document`, `write relational`, `conflict`, or `not compared`.
    pub verdict: String,
    /// The rule of a write, or the reason of a conflict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// GET /reconciliation/diff/{entityType}/{entityId}: what a reconciliation would do now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Diff {
    /// The kind of entity.
    pub entity_type: EntityType,
    /// The entity.
    pub entity_id: EntityId,
    /// `there`, `missing` or `unreadable`.
    pub document: String,
    /// `there`, `missing` or `unreadable`.
    pub relational: String,
    /// What would be done, in the words of the change log.
    pub changes_log: String,
    /// Field by field.
    pub fields: Vec<FieldDiff>,
    /// What would wait for a person.
    pub conflicts: Vec<ConflictField>,
}

/// One field of the mapping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MappedField {
    /// The canonical field.
    pub field: String,
    /// As people call it.
    pub label: String,
    /// In the document; absent when the documents do not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
    /// The column; absent when the relational side does not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relational: Option<String>,
    /// Who wins.
    pub authority: String,
    /// Decided together with the other fields of this group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// It never changes: a difference is a conflict.
    pub immutable: bool,
}

/// Which document field is which column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EntityMapping {
    /// The kind of entity.
    pub entity_type: EntityType,
    /// The documents' collection.
    pub collection: String,
    /// The table.
    pub table: String,
    /// Field by field.
    pub fields: Vec<MappedField>,
}

/// GET /reconciliation/mapping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Mappings {
    /// One for each kind of entity.
    pub entities: Vec<EntityMapping>,
}
