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

    /// One line for a person: what happened and why. Fields at fault are named in the detail, as people call them.
    #[must_use]
    pub fn sentence(&self) -> String {
        let says_more =
            !matches!(self.slug(), "invalid" | "conflict" | "not-found" | "duplicate-job" | "unavailable");
        let mut told = self.detail.clone();
        if told.is_empty() {
            told = self.errors.iter().map(FieldError::sentence).collect::<Vec<_>>().join("; ");
        }
        match (told.is_empty() || told == self.title, says_more) {
            (true, _) => self.title.clone(),
            (false, true) => format!("{}: {told}", self.title),
            // These titles only repeat that it was refused.
            (false, false) => told,
        }
    }
}

impl FieldError {
    /// One line for a person: the field without the way to it, and what is wrong.
    #[must_use]
    pub fn sentence(&self) -> String {
        let mut parts = self.pointer.rsplit('/').filter(|part| !part.is_empty());
        let last = parts.next().unwrap_or("the body").replace("~1", "/").replace("~0", "~");
        let (number, name) = match (last.parse::<usize>(), parts.next()) {
            (Ok(index), name) => (Some(index), name.unwrap_or("the body").to_owned()),
            // The field of an item of a list.
            (Err(_), Some(index)) => (index.parse().ok(), last),
            (Err(_), None) => (None, last),
        };
        let number = number.map(|index: usize| format!(" (number {})", index + 1)).unwrap_or_default();
        format!("{name}{number}: {}", self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_named_as_people_call_it() {
        for (pointer, named) in [
            ("", "the body: is wrong"),
            ("sort", "sort: is wrong"),
            ("/choices/price", "price: is wrong"),
            ("/choices/a~1b~0", "a/b~: is wrong"),
            ("/ids/2", "ids (number 3): is wrong"),
            ("/2/message", "message (number 3): is wrong"),
            ("/2", "the body (number 3): is wrong"),
        ] {
            let error = FieldError { pointer: pointer.to_owned(), detail: "is wrong".to_owned() };
            assert_eq!(error.sentence(), named, "{pointer}");
        }
    }

    #[test]
    fn a_title_is_said_where_it_says_more_than_that_it_was_refused() {
        let problem = |slug: &str, title: &str, detail: &str| {
            let value = serde_json::json!({ "type": format!("/problems/{slug}"), "title": title, "status": 409, "detail": detail });
            serde_json::from_value::<Problem>(value).unwrap().sentence()
        };
        assert_eq!(
            problem("sold-out", "Not that many seats", "3 are left"),
            "Not that many seats: 3 are left"
        );
        assert_eq!(problem("conflict", "Its state does not allow this", "the job runs"), "the job runs");
        assert_eq!(problem("conflict", "Its state does not allow this", ""), "Its state does not allow this");
    }
}
