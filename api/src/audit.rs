//! The audit log: who changed what, written in the transaction of the change.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::paging::{list_query, page_of};

/// One mutation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// Its id: sorts by time.
    pub id: Uuid,
    /// When.
    pub at: DateTime<Utc>,
    /// `user:<id>`, `key:<name>`, `anonymous`, `cli:<system user>` or `provider:<name>`.
    pub actor: String,
    /// The actor's e-mail, when it is a user that is still known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_email: Option<String>,
    /// `job.retry`, `booking.cancel`, ...
    pub action: String,
    /// The id or filter that it was about.
    pub target: String,
    /// Why, in the actor's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What tells the change: before, after, result.
    #[schema(value_type = Object)]
    pub details: Value,
    /// The request.
    pub request_id: String,
    /// From where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<String>,
}

list_query! {
    /// GET /audit: newest first unless `order=asc`.
    AuditQuery {
        /// By this actor, such as `user:<id>` or `key:<name>`.
        actor: String,
        /// This action, or every action of a kind: `booking.cancel`, or `booking`.
        action: String,
        /// About this.
        target: String,
        /// At or after this time.
        from: DateTime<Utc>,
        /// At or before this time.
        to: DateTime<Utc>,
    }
}

page_of! {
    /// The answer to GET /audit.
    AuditPage { entries: AuditEntry }
}
