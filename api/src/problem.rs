//! RFC 9457 problem details: the body of every answer that is not 2xx.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why a request was refused. `type` is stable and documented in docs/API.md.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, thiserror::Error)]
#[serde(rename_all = "camelCase")]
#[error("{}", self.sentence())]
pub struct Problem {
    /// A stable URI reference such as `/problems/not-found`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in a few words.
    pub title: String,
    /// The HTTP status code.
    pub status: u16,
    /// What happened this time and what to do.
    #[serde(default)]
    pub detail: String,
    /// The path of the request.
    #[serde(default)]
    pub instance: String,
    /// The fields at fault.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// The id under which the daemon's log tells more.
    #[serde(default)]
    pub request_id: String,
}

/// One field at fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// A JSON pointer into the body (`/data/seats`), or the name of a query parameter.
    pub pointer: String,
    /// What is wrong with it and what is allowed.
    pub detail: String,
}

impl Problem {
    /// The last part of the type: `not-found`.
    #[must_use]
    pub fn slug(&self) -> &str {
        self.kind.rsplit('/').next().unwrap_or_default()
    }

    /// One line for a person: title, detail and fields.
    #[must_use]
    pub fn sentence(&self) -> String {
        let mut text = self.title.clone();
        if !self.detail.is_empty() && self.detail != self.title {
            text = format!("{text}: {}", self.detail);
        }
        for error in &self.errors {
            text = format!("{text}; {}: {}", error.pointer, error.detail);
        }
        text
    }
}
