//! What routes about conflicts and changes share: working out what a decision writes, and the job that writes it.

use std::collections::BTreeMap;

use astrops_api::{
    ids::EntityId,
    jobs::Reconciliation,
    resolution::{Choice, Resolution},
    vocabulary::EntityType,
};
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{
    ApiError, ApiResult, App, Caller,
    error::Kind,
    extract::Fingerprint,
    jobs::{Order, enqueue},
    work::Work,
};
use crate::{
    jobs::{Payload, StoredPair},
    notify::address::check_line,
    reconcile::{
        core::changes_log,
        decision::{Decision, seen},
        engine::Trouble,
        look::View,
        show,
    },
};

/// The longest time in which a decision can be taken back, in seconds.
const HOLD: u32 = 60;

/// What a person chose, by field or topic.
pub type Choices = BTreeMap<String, Choice>;

/// Why, and when.
pub struct How<'a> {
    /// In the person's words.
    pub reason: &'a str,
    /// Written so many seconds later.
    pub hold_seconds: u32,
    /// Nothing is queued.
    pub dry_run: bool,
}

impl How<'_> {
    /// Refuses a missing reason and a hold that is too long. A preview needs no reason.
    pub fn check(&self) -> ApiResult<()> {
        if !(self.dry_run && self.reason.is_empty()) {
            check_line(self.reason).map_err(|detail| ApiError::field("/reason", detail))?;
        }
        if self.hold_seconds > HOLD {
            return Err(ApiError::field("/holdSeconds", format!("must be 0 to {HOLD}")));
        }
        Ok(())
    }
}

/// A request that was answered before is answered so again, before anything is worked out: by now it may be done.
pub async fn replay(app: &App, caller: &Caller, fingerprint: &Fingerprint) -> ApiResult<()> {
    if fingerprint.key.is_some() {
        Work::create(app, caller, fingerprint.clone()).await?;
    }
    Ok(())
}

/// What is written when these choices are made; both databases are asked, so no transaction may be open.
pub async fn plan(app: &App, kind: EntityType, id: EntityId, choices: &Choices) -> ApiResult<View> {
    let view = app.engine.look_deciding(kind, id, choices).await.map_err(refused)?;
    if !view.is_decided() {
        return Err(refused(view.undecided()));
    }
    Ok(view)
}

/// A refusal of the engine as an answer.
pub fn refused(trouble: Trouble) -> ApiError {
    match trouble {
        Trouble::Absent(..) | Trouble::Foreign(..) => ApiError::new(Kind::NotFound, trouble.to_string()),
        Trouble::Choice(bad) => ApiError::field(format!("/choices/{}", bad.field), bad.why),
        Trouble::Undecided(_) => ApiError::field("/choices", trouble.to_string()),
        Trouble::Changed | Trouble::Refused(..) => ApiError::new(Kind::Conflict, trouble.to_string()),
        Trouble::Database(error) => error.into(),
        Trouble::Restless | Trouble::UnderWay | Trouble::Documents(_) => {
            ApiError::new(Kind::Unavailable, trouble.to_string())
        }
    }
}

/// A refusal in one line.
pub fn line(error: &ApiError) -> String {
    match error {
        ApiError::Problem(_, detail, errors) if errors.is_empty() => detail.clone(),
        ApiError::Problem(_, _, errors) => {
            let told = errors.iter().map(|error| format!("{}: {}", error.pointer, error.detail));
            told.collect::<Vec<_>>().join("; ")
        }
        ApiError::Replay(_) => "it was answered before".to_owned(),
    }
}

/// What a decision writes, when nothing is queued.
pub fn preview(view: &View) -> Resolution {
    Resolution {
        dry_run: true,
        changes_log: changes_log::text(&view.plan),
        changes: show::field_changes(&view.written()),
        conflicts: show::conflict_fields(view),
        seen: seen(view),
        job_id: None,
        run_at: None,
    }
}

/// Queues the job that writes it. Only one decision about an entity waits at a time.
pub async fn queue(
    app: &App,
    caller: &Caller,
    work: &mut Work,
    view: &View,
    choices: Choices,
    how: &How<'_>,
) -> ApiResult<Resolution> {
    let preview = preview(view);
    let (entity_type, entity_id) = (view.plan.entity, view.id);
    let decision =
        Decision { choices, seen: Some(preview.seen.clone()), reason: how.reason.trim().to_owned() };
    let pair = Reconciliation { entity_type, entity_id, changes_log: None };
    let payload = Payload::Reconciliation(StoredPair { pair, decision: Some(decision) });
    let run_at = work.now + TimeDelta::seconds(how.hold_seconds.into());
    let unique_key = Some(format!("decide:{entity_type}:{entity_id}"));
    let order = Order { run_at: Some(run_at), unique_key, ..Order::default() };
    let job = enqueue(app, caller, work, &payload, order).await?;
    Ok(Resolution { dry_run: false, job_id: Some(job), run_at: Some(run_at), ..preview })
}

/// What the audit log keeps of a decision: which fields by which side, and no values.
pub fn audited(view: &View, choices: &Choices, resolution: &Resolution) -> Value {
    let word = |choice: &Choice| match choice {
        Choice::Document => "document",
        Choice::Relational => "relational",
        Choice::Base => "base",
        Choice::Value(_) => "a value",
    };
    let choices: BTreeMap<&String, &str> =
        choices.iter().map(|(name, choice)| (name, word(choice))).collect();
    json!({ "entityType": view.plan.entity, "entityId": view.id, "choices": choices, "jobId": resolution.job_id })
}
