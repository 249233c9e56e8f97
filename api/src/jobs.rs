//! Jobs: queued work that is never lost.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    ids::{EntityId, JobId, NodeId},
    logs::LogEntry,
    paging::{list_query, page_of},
    resolution::Decided,
    vocabulary::{
        AttemptOutcome, Delivery, EntityType, JobPhase, JobStatus, JobType, MaintenanceTask, NotificationType,
    },
};

/// POST /jobs. Exactly the part that belongs to `type` must be there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewJob {
    /// What the job does.
    #[serde(rename = "type")]
    pub kind: JobType,
    /// With NOTIFICATION.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notification: Option<NewMail>,
    /// With RECONCILIATION.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconciliation: Option<Reconciliation>,
    /// With MAINTENANCE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<Maintenance>,
    /// Not before this time; at once unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_at: Option<DateTime<Utc>>,
    /// Smaller runs earlier, -100 to 100; 0 unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = -100, maximum = 100)]
    pub priority: Option<i32>,
    /// 1 to 100; the daemon's default unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 100)]
    pub max_attempts: Option<u32>,
    /// While a job with this key waits or runs, a second one is refused; at most 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 200)]
    pub unique_key: Option<String>,
}

/// A mail with its text given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewMail {
    /// One address.
    #[schema(max_length = 254)]
    pub recipient_email: String,
    /// One line, at most 200 characters.
    #[schema(min_length = 1, max_length = 200)]
    pub subject: String,
    /// Plain text, at most 20,000 characters.
    #[schema(min_length = 1, max_length = 20_000)]
    pub message: String,
}

/// The mail of a job as it is shown. Private parts are masked unless revealed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    /// The address; masked (`c***@example.com`) for viewers.
    pub recipient_email: String,
    /// One line.
    pub subject: String,
    /// Plain text; absent in lists, `[private]` when masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The template that makes the text.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<NotificationType>,
    /// What fills the template; absent in lists and when masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub data: Option<Value>,
}

/// What a RECONCILIATION job makes agree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reconciliation {
    /// The kind of entity.
    pub entity_type: EntityType,
    /// The entity.
    pub entity_id: EntityId,
    /// What was changed, in words; only in answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes_log: Option<String>,
}

/// What a MAINTENANCE job does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Maintenance {
    /// The housekeeping task.
    pub task: MaintenanceTask,
    /// What it is about, where it is about one thing: the payment to refund.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<uuid::Uuid>,
    /// What it did, in words; only in answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
}

impl Maintenance {
    /// A request for `task`.
    #[must_use]
    pub const fn of(task: MaintenanceTask) -> Self {
        Self { task, subject: None, result: None }
    }
}

/// How far a running job is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// 0 to 100.
    pub percent: u8,
    /// In words.
    pub message: String,
}

/// A job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// What it does.
    #[serde(rename = "type")]
    pub kind: JobType,
    /// Where it stands.
    pub status: JobStatus,
    /// Says more than `status`.
    pub phase: JobPhase,
    /// Smaller runs earlier.
    pub priority: i32,
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
    /// When it runs next; only while queued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_run_at: Option<DateTime<Utc>>,
    /// Attempts begun so far.
    pub attempt: u32,
    /// Attempts it may take.
    pub max_attempts: u32,
    /// Attempts beyond the first.
    pub retry_count: u32,
    /// Why the last attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// What is known about its mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Delivery>,
    /// How far it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// The schedule that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// Who made it: `user:<id>`, `key:<name>` or `schedule:<name>`.
    pub created_by: String,
    /// While it waits or runs no second job may have this key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_key: Option<String>,
    /// Of a NOTIFICATION.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notification: Option<Notification>,
    /// Of a RECONCILIATION.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconciliation: Option<Reconciliation>,
    /// Of a MAINTENANCE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<Maintenance>,
}

impl Job {
    /// What it did, in words, where its type says so.
    #[must_use]
    pub fn result(&self) -> Option<&str> {
        let pair = self.reconciliation.as_ref().and_then(|pair| pair.changes_log.as_deref());
        pair.or_else(|| self.maintenance.as_ref()?.result.as_deref())
    }

    /// What the job is about, in a word or two: a recipient, an entity, a task.
    #[must_use]
    pub fn target(&self) -> String {
        match (&self.notification, &self.reconciliation, &self.maintenance) {
            (Some(mail), _, _) => mail.recipient_email.clone(),
            (_, Some(pair), _) => format!("{} {}", pair.entity_type, pair.entity_id.short()),
            (_, _, Some(care)) => care.task.to_string(),
            _ => String::new(),
        }
    }
}

/// GET /jobs/{id}: the job with its history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobDetail {
    /// The job.
    #[serde(flatten)]
    pub job: Job,
    /// Every attempt that ended, oldest first.
    pub attempts: Vec<Attempt>,
    /// Its latest log entries, oldest first, at most 200.
    pub logs: Vec<LogEntry>,
    /// The node that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeId>,
    /// Until when that node is trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_until: Option<DateTime<Utc>>,
    /// How often its node died under it; three times end it.
    pub crashes: u32,
    /// The e-mail of who made it, when it is a user that is still known; masked for viewers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by_email: Option<String>,
    /// What it carries out, when that is a person's decision about a conflict or a change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decided>,
    /// Whether there are private fields that are hidden in this answer.
    pub masked: bool,
}

/// One attempt at a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// From 1; a job that is retried goes on counting.
    pub number: u32,
    /// The node that tried.
    pub node: NodeId,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// Why, when it did not end well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

list_query! {
    /// GET /jobs: newest first unless `order=asc`.
    JobQuery {
        /// Of this type.
        #[serde(rename = "type")]
        #[param(value_type = Option<String>)]
        kind: JobType,
        /// With this status.
        #[param(value_type = Option<String>)]
        status: JobStatus,
        /// In this phase.
        #[param(value_type = Option<String>)]
        phase: JobPhase,
        /// With this delivery.
        #[param(value_type = Option<String>)]
        delivery: Delivery,
        /// About this kind of entity.
        #[param(value_type = Option<String>)]
        entity_type: EntityType,
        /// About this entity.
        #[param(value_type = Option<String>)]
        entity_id: EntityId,
        /// Made by this schedule.
        schedule: String,
        /// Created at or after this time.
        from: DateTime<Utc>,
        /// Created at or before this time.
        to: DateTime<Utc>,
        /// With this text in recipient, subject, key, error, or the id of what it is about, whatever the case.
        q: String,
        /// `date` (createdAt), the default; nothing else.
        sort: String,
        /// Older than the job with this id (keyset paging, at any depth).
        #[param(value_type = Option<String>)]
        before: JobId,
        /// Newer than the job with this id.
        #[param(value_type = Option<String>)]
        after: JobId,
    }
}

page_of! {
    /// The answer to GET /jobs.
    JobPage { jobs: Job }
}

/// GET /jobs/stats.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobStats {
    /// One row per type that has jobs or is paused.
    pub types: Vec<TypeStats>,
    /// When the job that has waited longest became due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_due_at: Option<DateTime<Utc>>,
    /// Jobs whose mail nobody knows the fate of.
    pub delivery_unknown: u64,
}

/// The queue of one job type.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TypeStats {
    /// The type.
    #[serde(rename = "type")]
    pub kind: JobType,
    /// Jobs with this status.
    pub queued: u64,
    /// Jobs with this status.
    pub processing: u64,
    /// Jobs with this status, within retention.
    pub completed: u64,
    /// Jobs with this status, within retention.
    pub failed: u64,
    /// Jobs with this status, within retention.
    pub cancelled: u64,
    /// Attempts ended in the last minute.
    pub per_minute: u64,
    /// 95th percentile of how long those attempts took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95_ms: Option<f64>,
    /// Whether claiming is paused.
    pub paused: bool,
}

/// PUT /jobs/{id}: not before this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Delay {
    /// The new time.
    pub run_at: DateTime<Utc>,
}

/// PUT /jobs/{id}/execute; the body may be left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Execute {
    /// The id of the path again; another one is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<JobId>,
}

/// The answer to [`Execute`]: the job as it ended (200) or as it stands (202).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Executed {
    /// The job.
    pub job_id: JobId,
    /// What it does.
    #[serde(rename = "type")]
    pub kind: JobType,
    /// Where it stands.
    pub status: JobStatus,
    /// When its last attempt began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<DateTime<Utc>>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// Of a NOTIFICATION.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notification: Option<Notification>,
    /// Of a RECONCILIATION.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconciliation: Option<Reconciliation>,
    /// Of a MAINTENANCE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<Maintenance>,
}

/// POST /jobs/pause and /jobs/resume; the body may be left out for every type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PauseTypes {
    /// Only this type.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<JobType>,
}
