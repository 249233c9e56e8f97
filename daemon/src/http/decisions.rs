//! What routes about conflicts and changes share: working out what a decision writes, and the job that writes it.

use std::collections::BTreeMap;

use astrops_api::{
    ids::{EntityId, JobId},
    jobs::Reconciliation,
    problem::FieldError,
    reconciliation::Conflict,
    resolution::{Choice, Decided, Resolution},
    vocabulary::EntityType,
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{
    ApiError, ApiResult, App, Caller,
    audit::Actors,
    error::Kind,
    extract::Fingerprint,
    jobs::{Order, enqueue},
    reconciliation::{PRIVATE, hide, is_personal, is_private},
    work::Work,
};
use crate::{
    db::Tx,
    jobs::{Payload, StoredPair},
    notify::address::check_line,
    reconcile::{
        core::changes_log,
        decision::{Decision, seen},
        engine::Trouble,
        look::View,
        show,
    },
    store::jobs::{self as stored, StoredJob},
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
        // Of no single field.
        Trouble::Undecided(_) => {
            let error = FieldError { pointer: "/choices".to_owned(), detail: trouble.to_string() };
            ApiError::Problem(Kind::Invalid, error.detail.clone(), vec![error])
        }
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
        ApiError::Problem(_, detail, _) => detail.clone(),
        ApiError::Replay(_) => "it was answered before".to_owned(),
    }
}

/// What a decision writes, when nothing is queued, and whether it could be.
pub async fn preview(app: &App, caller: &Caller, view: &View) -> ApiResult<Resolution> {
    let mut tx = app.db.read().await?;
    let waits = pending(&mut tx, caller, [(view.plan.entity, view.id)].into_iter()).await?.pop_first();
    tx.rollback().await?;
    Ok(Resolution { decision: waits.map(|(_, decided)| decided), ..worked_out(view) })
}

fn worked_out(view: &View) -> Resolution {
    Resolution {
        dry_run: true,
        changes_log: changes_log::text(&view.plan),
        changes: show::field_changes(&view.written()),
        conflicts: show::conflict_fields(view),
        seen: seen(view),
        decision: None,
        job_id: None,
        run_at: None,
    }
}

/// What a decision's job holds while it waits or runs.
fn unique_key(kind: EntityType, id: EntityId) -> String {
    format!("decide:{kind}:{id}")
}

/// What a person decided, as the caller may see it; nothing when the job carries no decision.
pub fn decided(caller: &Caller, job: &StoredJob, actors: &Actors) -> Option<Decided> {
    let Payload::Reconciliation(StoredPair { pair, decision }) =
        serde_json::from_value(job.payload.0.clone()).ok()?
    else {
        return None;
    };
    let Decision { mut choices, mut reason, .. } = decision?;
    if is_private(caller, pair.entity_type) {
        PRIVATE.clone_into(&mut reason);
        for (_, choice) in choices.iter_mut().filter(|(field, _)| is_personal(field)) {
            if let Choice::Value(value) = choice {
                hide([Some(value), None, None]);
            }
        }
    }
    Some(Decided {
        job_id: JobId(job.id),
        actor: job.created_by.clone(),
        actor_email: actors.email(&job.created_by),
        at: job.created_at,
        run_at: job.run_at,
        choices,
        reason,
    })
}

/// The decisions about these entities that are not written yet, as the caller may see them.
pub async fn pending(
    tx: &mut Tx,
    caller: &Caller,
    entities: impl Iterator<Item = (EntityType, EntityId)>,
) -> ApiResult<BTreeMap<String, Decided>> {
    let keys: Vec<String> = entities.map(|(kind, id)| unique_key(kind, id)).collect();
    let jobs = stored::holders_of(tx, &keys).await?;
    let actors = Actors::of(tx, caller, jobs.iter().map(|job| job.created_by.as_str())).await?;
    let known = |job: &StoredJob| Some((job.unique_key.clone()?, decided(caller, job, &actors)?));
    Ok(jobs.iter().filter_map(known).collect())
}

/// Tells conflicts what was decided about them already.
pub async fn tell_pending(tx: &mut Tx, caller: &Caller, conflicts: &mut [Conflict]) -> ApiResult<()> {
    let entities = conflicts.iter().map(|conflict| (conflict.entity_type, conflict.entity_id));
    let mut known = pending(tx, caller, entities).await?;
    for conflict in conflicts {
        conflict.decision = known.remove(&unique_key(conflict.entity_type, conflict.entity_id));
    }
    Ok(())
}

/// Refuses a second decision while one about the entity is not written.
async fn check_undecided(
    tx: &mut Tx,
    caller: &Caller,
    kind: EntityType,
    id: EntityId,
    now: DateTime<Utc>,
) -> ApiResult<()> {
    let Some((_, first)) = pending(tx, caller, [(kind, id)].into_iter()).await?.pop_first() else {
        return Ok(());
    };
    let when = if first.run_at > now {
        format!("it is written at {}", first.run_at.format("%FT%TZ"))
    } else {
        "it is being written".to_owned()
    };
    let told = format!(
        "{} has decided about this {kind} already ({}: {}), and {when}; wait for that, or take it back: \
         astrops jobs cancel {}",
        first.by(),
        first.chosen(),
        first.reason,
        first.job_id
    );
    Err(ApiError::new(Kind::DuplicateJob, told))
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
    let preview = worked_out(view);
    let (entity_type, entity_id) = (view.plan.entity, view.id);
    let decision =
        Decision { choices, seen: Some(preview.seen.clone()), reason: how.reason.trim().to_owned() };
    let pair = Reconciliation { entity_type, entity_id, changes_log: None };
    let payload = Payload::Reconciliation(StoredPair { pair, decision: Some(decision) });
    let run_at = work.now + TimeDelta::seconds(how.hold_seconds.into());
    check_undecided(&mut work.tx, caller, entity_type, entity_id, work.now).await?;
    let unique_key = Some(unique_key(entity_type, entity_id));
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
