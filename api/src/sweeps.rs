//! Sweeps: comparing whole collections with whole tables, and repairing what differs.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    ids::JobId,
    paging::{list_query, page_of},
    vocabulary::{EntityType, SweepMode, SweepStage, SweepStatus},
};

/// POST /reconciliation/sweeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewSweep {
    /// Everything, or what changed since the last sweep.
    pub mode: SweepMode,
    /// Only these entities; all of them when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity_type: Option<EntityType>,
    /// Finds and tells, and writes neither side.
    #[serde(default)]
    pub dry_run: bool,
}

/// What a sweep has met so far, in entities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SweepCounts {
    /// Documents that were read.
    pub documents: u64,
    /// Relational rows that were read.
    pub relational: u64,
    /// Rows that no document's id can name; they are not compared.
    pub foreign: u64,
    /// Differed when the sides were compared.
    pub differing: u64,
    /// Of these: agreed when they were looked at again, so somebody else was about to make them agree.
    pub settled: u64,
    /// Written on at least one side.
    pub repaired: u64,
    /// Wait for a person.
    pub conflicts: u64,
    /// Missing on one side and not yet for long enough to be deleted on the other.
    pub waiting: u64,
    /// Could not be repaired; the log says why.
    pub failed: u64,
    /// Somebody else wrote a row at the moment when we would have.
    pub stale_skipped: u64,
}

/// One sweep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sweep {
    /// Its id.
    pub id: Uuid,
    /// Everything, or what changed.
    pub mode: SweepMode,
    /// Only these entities; all of them when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity_type: Option<EntityType>,
    /// It writes neither side.
    pub dry_run: bool,
    /// Where it stands.
    pub status: SweepStatus,
    /// What it is doing, or was doing when it stopped.
    pub stage: SweepStage,
    /// Why it waits or failed, or what it found, in words.
    pub text: String,
    /// What it has met so far.
    pub counts: SweepCounts,
    /// Rows of the stage that are done.
    pub done: u64,
    /// Rows of the stage; an estimate while comparing.
    pub total: u64,
    /// Rows of the stage in a second, while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// Until the stage ends at this rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eta_seconds: Option<u64>,
    /// Digest of the documents that were compared: `count:sum`, equal to `digest_relational` exactly when all agreed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest_document: Option<String>,
    /// Digest of the relational rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest_relational: Option<String>,
    /// The job that does it now, or did last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<JobId>,
    /// Who asked.
    pub created_by: String,
    /// The e-mail of who asked, when it is a user that is still known; masked for viewers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by_email: Option<String>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When anything about it last changed.
    pub updated_at: DateTime<Utc>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<Utc>>,
}

list_query! {
    /// GET /reconciliation/sweeps: newest first unless `order=asc`.
    SweepQuery {
        /// With this status.
        #[param(value_type = Option<String>)]
        status: SweepStatus,
        /// In this mode.
        #[param(value_type = Option<String>)]
        mode: SweepMode,
    }
}

page_of! {
    /// The answer to GET /reconciliation/sweeps.
    SweepPage { sweeps: Sweep }
}
