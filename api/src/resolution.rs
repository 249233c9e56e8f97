//! What a person decides about a conflict, and taking back what was changed.

use std::{collections::BTreeMap, fmt};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    ids::JobId,
    reconciliation::{Conflict, ConflictField, Diff, FieldChange},
};

/// What a field is to hold on both sides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", try_from = "Value")]
pub enum Choice {
    /// What the document holds. Of a deletion: it is deleted, or stays, as on the document side.
    Document,
    /// What the relational row holds. Of a deletion: as on the relational side.
    Relational,
    /// What both last agreed on.
    Base,
    /// Another value, written as the API shows it.
    #[schema(value_type = Object)]
    Value(Value),
}

impl TryFrom<Value> for Choice {
    type Error = &'static str;

    fn try_from(json: Value) -> Result<Self, Self::Error> {
        match json {
            Value::String(side) if side == "document" => Ok(Self::Document),
            Value::String(side) if side == "relational" => Ok(Self::Relational),
            Value::String(side) if side == "base" => Ok(Self::Base),
            Value::Object(mut object) if object.len() == 1 => {
                object.remove("value").map(Self::Value).ok_or(CHOICES)
            }
            _ => Err(CHOICES),
        }
    }
}

const CHOICES: &str = "must be \"document\", \"relational\", \"base\" or {\"value\": ..} and nothing besides";

/// As the command line says it behind the field: `=document`, `==120.5`.
impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Document => f.write_str("=document"),
            Self::Relational => f.write_str("=relational"),
            Self::Base => f.write_str("=base"),
            Self::Value(value) => write!(f, "=={value}"),
        }
    }
}

/// What a person decided about an entity, as the job carries it that writes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Decided {
    /// The job; cancel it to take the decision back before it is written.
    pub job_id: JobId,
    /// Who decided: `user:<id>`.
    pub actor: String,
    /// The actor's e-mail, when it is a user that is still known; masked for viewers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_email: Option<String>,
    /// When it was decided.
    pub at: DateTime<Utc>,
    /// Not written before this time.
    pub run_at: DateTime<Utc>,
    /// By field, or `deletion`. Values that tell who somebody is are `[private]` for viewers.
    pub choices: BTreeMap<String, Choice>,
    /// Why; `[private]` for viewers when it is about a user.
    pub reason: String,
}

impl Decided {
    /// Who decided, by address while that is known.
    #[must_use]
    pub fn by(&self) -> &str {
        self.actor_email.as_deref().unwrap_or(&self.actor)
    }

    /// What was chosen, as the command line says it: `price=document, title=="Dawn"`.
    #[must_use]
    pub fn chosen(&self) -> String {
        let choices = self.choices.iter().map(|(field, choice)| format!("{field}{choice}"));
        choices.collect::<Vec<_>>().join(", ")
    }
}

/// POST /reconciliation/conflicts/{id}/resolve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resolve {
    /// By canonical field, or by the topic of a conflict that is about the whole row (`deletion`): what to write.
    /// `"document"`, `"relational"`, `"base"` or `{"value": ..}`. Any field of the entity that differs or is in conflict may be named.
    pub choices: BTreeMap<String, Choice>,
    /// Why; kept in the audit log and the change log.
    pub reason: String,
    /// Tells what would be written, and writes nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// The `seen` of the preview that was decided on. When either side says something else by then, nothing is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
    /// It is written so many seconds later, at most 60; until then cancelling the job takes it back.
    #[serde(default)]
    pub hold_seconds: u32,
}

/// What a decision writes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resolution {
    /// Nothing was queued.
    pub dry_run: bool,
    /// What is written, in the words of the change log.
    pub changes_log: String,
    /// What is written, field by field, on which side.
    pub changes: Vec<FieldChange>,
    /// What waits for a person even then.
    pub conflicts: Vec<ConflictField>,
    /// What both sides said when this was worked out.
    pub seen: String,
    /// Of a dry run: what was decided about the entity already and is not written; until then this would be refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decided>,
    /// The job that writes it; cancel it to take the decision back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<JobId>,
    /// When it writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_at: Option<DateTime<Utc>>,
}

/// POST /reconciliation/conflicts/{id}/snooze: it is not listed until then, unless it becomes critical.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Snooze {
    /// Until when; a time that is past wakes it.
    pub until: DateTime<Utc>,
    /// Why.
    pub reason: String,
}

/// The side whose values a bulk decision takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Take {
    /// The document's.
    Document,
    /// The relational row's.
    Relational,
    /// What both last agreed on.
    Base,
}

/// POST /reconciliation/conflicts/bulk: the same decision about whole rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResolveMany {
    /// Which conflicts; 1 to 100.
    pub ids: Vec<Uuid>,
    /// Whose values win, in every field that is in conflict.
    pub take: Take,
    /// Why.
    pub reason: String,
    /// Tells what would be written, and writes nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// It is written so many seconds later, at most 60.
    #[serde(default)]
    pub hold_seconds: u32,
}

/// What became of one conflict of a bulk decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resolved {
    /// The conflict.
    pub id: Uuid,
    /// What is written; absent when it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// The answer to [`ResolveMany`], in the order of its ids.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ResolvedMany {
    /// One for each id.
    pub results: Vec<Resolved>,
}

/// GET /reconciliation/conflicts/{id}: the conflict, and both sides as they are now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ConflictDetail {
    /// The conflict.
    pub conflict: Conflict,
    /// Both sides, the base and the verdicts now.
    pub diff: Diff,
}

/// POST /reconciliation/changes/{id}/revert: what was overwritten is written again, on both sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Revert {
    /// Why.
    pub reason: String,
    /// Tells what would be written, and writes nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// It is written so many seconds later, at most 60.
    #[serde(default)]
    pub hold_seconds: u32,
}

/// GET /reconciliation/changes/verify: whether the change log is as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChainReport {
    /// Every row fits the one before it.
    pub ok: bool,
    /// Rows that were checked.
    pub rows: u64,
    /// Of these, without values because the person was erased.
    pub erased: u64,
    /// The first row that does not fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken_at: Option<Uuid>,
    /// What is wrong with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Fingerprint of the latest row, to be noted elsewhere: a log that was cut off at its end shows by it.
    pub head: String,
}
