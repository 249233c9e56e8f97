//! How the daemon and what it depends on are doing.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{drift::Agreement, ids::NodeId};

/// GET /status.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The daemon's version.
    pub version: String,
    /// The daemon's clock.
    pub now: DateTime<Utc>,
    /// The node that answers.
    pub node: NodeId,
    /// Nodes that share the database and are alive, this one too.
    pub nodes: Vec<Node>,
    /// Database, documents, mail, scheduler, workers, disk.
    pub parts: Vec<Part>,
    /// How far both databases agree; absent when that could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<Agreement>,
}

/// One running daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// Its incarnation: another one after each start.
    pub id: NodeId,
    /// Host name and pid, for a person.
    pub name: String,
    /// Its version.
    pub version: String,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// Until when it is trusted to be alive.
    pub lease_until: DateTime<Utc>,
}

/// One part that the daemon needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// `database`, `documents`, `mail`, `scheduler`, `workers`, `disk`.
    pub name: String,
    /// Whether it works.
    pub ok: bool,
    /// What it is and, when it does not work, why and what to do.
    pub detail: String,
    /// How long the check took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<f64>,
}

/// GET /health/ready (200 or 503) and /health/live.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `ok` or `unavailable`.
    pub status: String,
    /// Why it is not ready.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failing: Vec<Part>,
}
