//! Notifications: mails made from templates.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    ids::JobId,
    vocabulary::{JobStatus, NotificationType},
};

/// POST /notifications.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewNotification {
    /// Which mail.
    #[serde(rename = "type")]
    pub kind: NotificationType,
    /// One address.
    #[schema(max_length = 254)]
    pub recipient: String,
    /// What fills the template: an object with the type's required fields.
    #[schema(value_type = Object)]
    pub data: Value,
    /// Not before this time; at once unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_at: Option<DateTime<Utc>>,
}

/// The answer to [`NewNotification`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotificationQueued {
    /// The job that sends it.
    pub job_id: JobId,
    /// `queued`.
    pub status: JobStatus,
}

/// GET /notifications/types.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NotificationTypes {
    /// Every mail that can be sent.
    pub types: Vec<NotificationTypeInfo>,
}

/// One kind of mail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotificationTypeInfo {
    /// Its name.
    #[serde(rename = "type")]
    pub kind: NotificationType,
    /// Who gets it and when.
    pub description: String,
    /// Fields that `data` must have.
    pub required: Vec<String>,
    /// Fields that `data` may have, shown when given.
    pub optional: Vec<String>,
}

/// POST /notifications/preview: renders, sends nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewPreview {
    /// Which mail.
    #[serde(rename = "type")]
    pub kind: NotificationType,
    /// What fills the template.
    #[schema(value_type = Object)]
    pub data: Value,
}

/// The answer to [`NewPreview`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Preview {
    /// One line.
    pub subject: String,
    /// The plain text body.
    pub text: String,
    /// The HTML body.
    pub html: String,
}
