//! /reconciliation: making both databases agree, and seeing what was done and what waits.

use astrops_api::{
    ids::{self, EntityId, JobId},
    jobs::{Job, JobQuery},
    reconciliation::{
        Diff, EventQueued, Mappings, NewEvent, NewReconciliation, ReconEvent, ReconJob, ReconJobPage,
        ReconJobQuery,
    },
    vocabulary::{EntityType, EventType, JobStatus, JobType, Severity},
};
use axum::{Json, extract::State, http::StatusCode, response::Response};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    ApiError, ApiResult, App, Caller,
    docs::Problems,
    error::Kind,
    extract::{Body, Path, Query},
    jobs::shown,
    paging::{Page, check_time},
    work::{Audit, Work},
};
use crate::{
    jobs::view,
    logs::Entry,
    reconcile::{
        engine::Trouble,
        look::View,
        nominate::{Nomination, SETTLE, nominate},
        show,
    },
    store::{jobs as stored, reconcile as store},
};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create))
        .routes(routes!(nominated))
        .routes(routes!(event))
        .routes(routes!(jobs))
        .routes(routes!(diff))
        .routes(routes!(mapping))
}

/// Refuses an id that names no document.
pub fn check_entity(pointer: &str, id: EntityId) -> ApiResult<()> {
    if ids::extract(id.0).is_some() {
        return Ok(());
    }
    let rule = "carries no document's id; name the entity by 24 hexadecimal digits or the UUID made of them";
    Err(ApiError::field(pointer, rule))
}

/// Make one entity agree on both sides
///
/// A job does it; when one waits for this entity already, that one is moved to the front and answered.
#[utoipa::path(post, path = "/reconciliation", tag = "reconciliation", request_body = NewReconciliation,
    responses((status = 202, body = ReconJob), Problems))]
async fn create(
    State(app): State<App>,
    caller: Caller,
    Body(body, fingerprint): Body<NewReconciliation>,
) -> ApiResult<Response> {
    check_entity("/entityId", body.entity_id)?;
    let mut work = Work::create(&app, &caller, fingerprint).await?;
    let now = work.now;
    let (id, is_new) = enqueue(&app, &caller, &mut work, body.entity_type, body.entity_id, now).await?;
    if !is_new {
        stored::hurry(&mut work.tx, id, now).await?;
    }
    let job = job(&mut work, id, &caller).await?;
    let (target, details) = (id.to_string(), named(body.entity_type, body.entity_id));
    let audit = Audit { action: "reconciliation.create", target: &target, details };
    work.answer(StatusCode::ACCEPTED, audit, &ReconJob::from(job)).await
}

/// Tell that an entity changed on your side
///
/// One job for all events of an entity that come within half a second.
#[utoipa::path(post, path = "/reconciliation/events", tag = "reconciliation", request_body = NewEvent,
    responses((status = 202, body = EventQueued), Problems))]
async fn nominated(
    State(app): State<App>,
    caller: Caller,
    Body(body, fingerprint): Body<NewEvent>,
) -> ApiResult<Response> {
    check_entity("/entityId", body.entity_id)?;
    let mut work = Work::create(&app, &caller, fingerprint).await?;
    let now = work.now;
    let (job, _) = enqueue(&app, &caller, &mut work, body.entity_type, body.entity_id, now + SETTLE).await?;
    let id = app.clock.new_id();
    store::insert_event(&mut work.tx, id, &body, job, &caller.principal.name(), now).await?;
    let (target, mut details) = (id.to_string(), named(body.entity_type, body.entity_id));
    details["action"] = json!(body.action);
    details["jobId"] = json!(job);
    let audit = Audit { action: "reconciliation.event", target: &target, details };
    work.answer(StatusCode::ACCEPTED, audit, &EventQueued { event_id: id, status: JobStatus::Queued }).await
}

async fn enqueue(
    app: &App,
    caller: &Caller,
    work: &mut Work,
    kind: EntityType,
    id: EntityId,
    run_at: DateTime<Utc>,
) -> ApiResult<(JobId, bool)> {
    let (by, now) = (caller.principal.name(), work.now);
    let max_attempts = app.config.jobs.max_attempts;
    let nomination = Nomination { kind, id, run_at, by: &by, max_attempts, now };
    let (job, is_new) = nominate(&mut work.tx, &app.clock, &nomination).await?;
    if is_new {
        let told = format!("reconciliation of {kind} {id} accepted");
        work.log(Entry::new(&app.clock, EventType::Job, Severity::Info, told).job(job)).await?;
    }
    Ok((job, is_new))
}

async fn job(work: &mut Work, id: JobId, caller: &Caller) -> ApiResult<Job> {
    let found = stored::find(&mut work.tx, id).await?.ok_or_else(|| ApiError::no_such("job", id))?;
    Ok(view::job(&found, shown(&caller.principal, false), work.now))
}

fn named(kind: EntityType, id: EntityId) -> Value {
    json!({ "entityType": kind, "entityId": id })
}

/// Show an event and how its job stands
#[utoipa::path(get, path = "/reconciliation/events/{id}", tag = "reconciliation", params(("id" = String, Path)),
    responses((status = 200, body = ReconEvent), Problems))]
async fn event(State(app): State<App>, Path(id): Path<EntityId>) -> ApiResult<Json<ReconEvent>> {
    let mut tx = app.db.read().await?;
    let event = store::event(&mut tx, id.0).await?.ok_or_else(|| ApiError::no_such("event", id))?;
    tx.rollback().await?;
    Ok(Json(event))
}

/// List reconciliation jobs, newest first
#[utoipa::path(get, path = "/reconciliation/jobs", tag = "reconciliation", params(ReconJobQuery),
    responses((status = 200, body = ReconJobPage), Problems))]
async fn jobs(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ReconJobQuery>,
) -> ApiResult<Json<ReconJobPage>> {
    let page = Page::of(query.paging())?;
    check_time("from", query.from)?;
    check_time("to", query.to)?;
    let all = JobQuery {
        kind: Some(JobType::Reconciliation),
        status: query.status,
        entity_type: query.entity_type,
        entity_id: query.entity_id,
        from: query.from,
        to: query.to,
        order: query.order,
        ..JobQuery::default()
    };
    let now = app.clock.now();
    let mut tx = app.db.read().await?;
    let (jobs, total) = stored::list(&mut tx, &all, page.slice(), now).await?;
    tx.rollback().await?;
    let shown = shown(&caller.principal, false);
    let jobs = jobs.iter().map(|job| view::job(job, shown, now).into()).collect();
    Ok(Json(ReconJobPage { jobs, total, page: page.page, page_size: page.page_size }))
}

/// Compare one entity now, and say what a reconciliation would do
#[utoipa::path(get, path = "/reconciliation/diff/{entityType}/{entityId}", tag = "reconciliation",
    params(("entityType" = String, Path), ("entityId" = String, Path)),
    responses((status = 200, body = Diff), Problems))]
async fn diff(
    State(app): State<App>,
    caller: Caller,
    Path((kind, id)): Path<(EntityType, EntityId)>,
) -> ApiResult<Json<Diff>> {
    let view = app.engine.look(kind, id).await.map_err(|trouble| match trouble {
        Trouble::Absent(..) | Trouble::Foreign(..) => ApiError::new(Kind::NotFound, trouble.to_string()),
        Trouble::Database(error) => error.into(),
        other => ApiError::new(Kind::Unavailable, other.to_string()),
    })?;
    Ok(Json(diff_for(&caller, &view)))
}

/// Both sides as the caller may see them.
pub fn diff_for(caller: &Caller, view: &View) -> Diff {
    let kind = view.plan.entity;
    let mut diff = show::diff(view, kind, view.id);
    if is_private(caller, kind) {
        for field in diff.fields.iter_mut().filter(|field| is_personal(&field.field)) {
            hide([Some(&mut field.document), Some(&mut field.relational), field.base.as_mut()]);
            field.why = None;
        }
        diff.conflicts.iter_mut().for_each(|conflict| PRIVATE.clone_into(&mut conflict.reason));
    }
    diff
}

/// Show which document field is which column, and who wins
#[utoipa::path(get, path = "/reconciliation/mapping", tag = "reconciliation",
    responses((status = 200, body = Mappings), Problems))]
async fn mapping(State(app): State<App>) -> Json<Mappings> {
    Json(show::mappings(app.engine.rules()))
}

/// What viewers see instead of what tells who somebody is.
pub const PRIVATE: &str = "[private]";

pub fn is_private(caller: &Caller, kind: EntityType) -> bool {
    kind == EntityType::User && !caller.principal.is_operator()
}

pub fn is_personal(field: &str) -> bool {
    matches!(field, "email" | "name")
}

pub fn hide(values: [Option<&mut Value>; 3]) {
    for value in values.into_iter().flatten().filter(|value| !value.is_null()) {
        *value = json!(PRIVATE);
    }
}
