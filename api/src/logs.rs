//! System logs: what happened, for IT operators.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::{
    ids::{JobId, LogId, UserId},
    paging::{list_query, page_of},
    vocabulary::{EventType, Severity},
};

/// POST /logs: one of these, or an array of up to 1,000.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewLog {
    /// What kind of event.
    pub event_type: EventType,
    /// How bad.
    pub severity: Severity,
    /// For a person; 1 to 4,000 characters.
    #[schema(min_length = 1, max_length = 4000)]
    pub message: String,
    /// The user it is about, as the caller claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// The address it is about, as the caller claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<String>,
    /// Anything else: a JSON object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub additional_data: Option<Value>,
}

/// One value or several; answers come in the shape of the request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    /// A single object.
    One(T),
    /// An array.
    Many(Vec<T>),
}

/// One system log entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogEntry {
    /// Its id.
    pub id: LogId,
    /// When the daemon took it in.
    pub timestamp: DateTime<Utc>,
    /// What kind of event.
    pub event_type: EventType,
    /// How bad.
    pub severity: Severity,
    /// For a person.
    pub message: String,
    /// The user it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// The address it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<String>,
    /// The job it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<JobId>,
    /// Anything else: `jobId`, `entityType`, `entityId`, `requestId` lead further.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub additional_data: Option<Value>,
    /// Who wrote it: `daemon`, `user:<id>` or `key:<name>`. Never the caller's claim.
    pub recorded_by: String,
}

list_query! {
    /// GET /logs: newest first unless `order=asc`.
    LogQuery {
        /// At or after this time.
        from: DateTime<Utc>,
        /// At or before this time.
        to: DateTime<Utc>,
        /// Of this kind.
        #[param(value_type = Option<String>)]
        event_type: EventType,
        /// Of exactly this severity.
        #[param(value_type = Option<String>)]
        severity: Severity,
        /// Of this severity or worse.
        #[param(value_type = Option<String>)]
        min_severity: Severity,
        /// About this user.
        #[param(value_type = Option<String>)]
        user_id: UserId,
        /// About this job.
        #[param(value_type = Option<String>)]
        job_id: JobId,
        /// With this text in the message, whatever the case.
        q: String,
        /// Older than the entry with this id (keyset paging, at any depth).
        #[param(value_type = Option<String>)]
        before: LogId,
        /// Newer than the entry with this id.
        #[param(value_type = Option<String>)]
        after: LogId,
    }
}

page_of! {
    /// The answer to GET /logs.
    LogPage { logs: LogEntry }
}

/// GET /logs/stream. Resume with the `Last-Event-ID` header or `after`; without either it starts now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LogStreamQuery {
    /// The `id:` of the last event that was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Send this many of the latest entries first (0 to 1,000); not with `after`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tail: Option<u32>,
    /// Of this kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub event_type: Option<EventType>,
    /// Of this severity or worse.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub min_severity: Option<Severity>,
    /// About this job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub job_id: Option<JobId>,
    /// With this text in the message, whatever the case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
}

/// GET /logs/histogram: counts per bucket of time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HistogramQuery {
    /// From this time (default an hour ago).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<DateTime<Utc>>,
    /// Until this time (default now).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<DateTime<Utc>>,
    /// How many buckets, 1 to 240 (default 60).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 240)]
    pub buckets: Option<u32>,
}

/// The answer to GET /logs/histogram.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Histogram {
    /// Start of the first bucket.
    pub from: DateTime<Utc>,
    /// End of the last bucket.
    pub to: DateTime<Utc>,
    /// Length of each bucket in seconds, at least 1.
    pub bucket_seconds: u64,
    /// Every bucket, empty ones too, oldest first.
    pub buckets: Vec<Bucket>,
}

/// Counts of one bucket of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Bucket {
    /// Its start.
    pub at: DateTime<Utc>,
    /// Entries of severity `info`.
    pub info: u64,
    /// Entries of severity `warning`.
    pub warning: u64,
    /// Entries of severity `error`.
    pub error: u64,
    /// Entries of severity `critical`.
    pub critical: u64,
}
