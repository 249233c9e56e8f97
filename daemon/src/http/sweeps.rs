//! /reconciliation/sweeps and /reconciliation/drift: comparing everything, and what is known to differ.

use astrops_api::{
    drift::{DriftPage, DriftQuery},
    jobs::Maintenance,
    sweeps::{NewSweep, Sweep, SweepPage, SweepQuery},
    vocabulary::{EventType, Severity, SweepStage, SweepStatus},
};
use axum::{Json, extract::State, http::StatusCode, response::Response};
use serde_json::json;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    ApiError, ApiResult, App, Caller,
    audit::Actors,
    docs::Problems,
    error::Kind,
    extract::{Body, Path, Query},
    jobs::{Order, enqueue},
    paging::Page,
    work::{Audit, Work},
};
use crate::{
    db::Tx,
    jobs::Payload,
    logs::Entry,
    reconcile::sweep,
    store::{
        drift as stored_drift,
        sweeps::{self as store, StoredSweep},
    },
};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(cancel))
        .routes(routes!(approve))
        .routes(routes!(drift))
}

/// Compare everything, or what changed, and repair what differs
///
/// One sweep of each mode at a time. It stops and asks when it would change more than it may.
#[utoipa::path(post, path = "/reconciliation/sweeps", tag = "reconciliation", request_body = NewSweep,
    responses((status = 202, body = Sweep), Problems))]
async fn create(
    State(app): State<App>,
    caller: Caller,
    Body(body, fingerprint): Body<NewSweep>,
) -> ApiResult<Response> {
    let mut work = Work::create(&app, &caller, fingerprint).await?;
    let id = app.clock.new_id();
    let job = drive(&app, &caller, &mut work, body.mode.task(), id).await?;
    let mut sweep = sweep::new(id, body.mode, job, caller.principal.name(), work.now);
    (sweep.entity_type, sweep.dry_run) = (body.entity_type, body.dry_run);
    if !store::insert(&mut work.tx, &sweep).await? {
        let open = store::open(&mut work.tx, body.mode).await?;
        let open = open.map_or_else(|| "another".to_owned(), |open| open.id.to_string());
        let mode = body.mode;
        let detail =
            format!("sweep {open} of the mode {mode} is not through; wait for it, resume it or cancel it");
        return Err(ApiError::new(Kind::Conflict, detail));
    }
    let target = id.to_string();
    let details = json!({ "mode": body.mode, "entityType": body.entity_type, "dryRun": body.dry_run });
    let audit = Audit { action: "sweep.create", target: &target, details };
    let sweep = one(&mut work.tx, &caller, sweep).await?;
    work.answer(StatusCode::ACCEPTED, audit, &sweep).await
}

/// A job that drives the sweep.
async fn drive(
    app: &App,
    caller: &Caller,
    work: &mut Work,
    task: astrops_api::vocabulary::MaintenanceTask,
    sweep: Uuid,
) -> ApiResult<astrops_api::ids::JobId> {
    let payload = Payload::Maintenance(Maintenance { task, subject: Some(sweep), result: None });
    enqueue(app, caller, work, &payload, Order::default()).await
}

/// List sweeps, newest first
#[utoipa::path(get, path = "/reconciliation/sweeps", tag = "reconciliation", params(SweepQuery),
    responses((status = 200, body = SweepPage), Problems))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<SweepQuery>,
) -> ApiResult<Json<SweepPage>> {
    let page = Page::of(query.paging())?;
    let mut tx = app.db.read().await?;
    let (sweeps, total) = store::list(&mut tx, &query, page.slice()).await?;
    let sweeps = shown(&mut tx, &caller, sweeps).await?;
    tx.rollback().await?;
    Ok(Json(SweepPage { sweeps, total, page: page.page, page_size: page.page_size }))
}

/// Show a sweep: how far it is, and what it met
#[utoipa::path(get, path = "/reconciliation/sweeps/{id}", tag = "reconciliation", params(("id" = Uuid, Path)),
    responses((status = 200, body = Sweep), Problems))]
async fn show(State(app): State<App>, caller: Caller, Path(id): Path<Uuid>) -> ApiResult<Json<Sweep>> {
    let mut tx = app.db.read().await?;
    let sweep = store::find(&mut tx, id).await?.ok_or_else(|| ApiError::no_such("sweep", id))?;
    let sweep = one(&mut tx, &caller, sweep).await?;
    tx.rollback().await?;
    Ok(Json(sweep))
}

/// As [`shown`].
async fn one(tx: &mut Tx, caller: &Caller, sweep: StoredSweep) -> ApiResult<Sweep> {
    let mut shown = shown(tx, caller, vec![sweep]).await?;
    Ok(shown.pop().ok_or_else(|| anyhow::anyhow!("a sweep was lost on its way"))?)
}

/// Sweeps with the addresses of who asked for them and steered them, which are not stored with them.
async fn shown(tx: &mut Tx, caller: &Caller, sweeps: Vec<StoredSweep>) -> ApiResult<Vec<Sweep>> {
    let mut sweeps: Vec<Sweep> = sweeps.into_iter().map(StoredSweep::view).collect();
    let named = sweeps.iter().flat_map(|sweep| [&*sweep.created_by, steered_by(sweep)]);
    let actors = Actors::of(tx, caller, named).await?;
    for sweep in &mut sweeps {
        sweep.created_by_email = actors.email(&sweep.created_by);
        let by = steered_by(sweep).to_owned();
        if let Some(email) = actors.email(&by) {
            sweep.text = sweep.text.replace(&by, &email);
        }
    }
    Ok(sweeps)
}

/// `user:<id>` of a text such as `paused by user:<id>`; whatever stands there in others names nobody.
fn steered_by(sweep: &Sweep) -> &str {
    let (_, by) = sweep.text.rsplit_once(" by ").unwrap_or_default();
    by.split([' ', ')']).next().unwrap_or_default()
}

/// Stop a sweep behind the page that it is at
#[utoipa::path(post, path = "/reconciliation/sweeps/{id}/pause", tag = "reconciliation", params(("id" = Uuid, Path)),
    responses((status = 200, body = Sweep), Problems))]
async fn pause(State(app): State<App>, caller: Caller, Path(id): Path<Uuid>) -> ApiResult<Response> {
    steer(&app, &caller, id, Act::Pause).await
}

/// Let a sweep go on where it stopped
#[utoipa::path(post, path = "/reconciliation/sweeps/{id}/resume", tag = "reconciliation", params(("id" = Uuid, Path)),
    responses((status = 200, body = Sweep), Problems))]
async fn resume(State(app): State<App>, caller: Caller, Path(id): Path<Uuid>) -> ApiResult<Response> {
    steer(&app, &caller, id, Act::Resume).await
}

/// End a sweep; what it has written stays
#[utoipa::path(post, path = "/reconciliation/sweeps/{id}/cancel", tag = "reconciliation", params(("id" = Uuid, Path)),
    responses((status = 200, body = Sweep), Problems))]
async fn cancel(State(app): State<App>, caller: Caller, Path(id): Path<Uuid>) -> ApiResult<Response> {
    steer(&app, &caller, id, Act::Cancel).await
}

/// Let a sweep change as much as it found
#[utoipa::path(post, path = "/reconciliation/sweeps/{id}/approve", tag = "reconciliation", params(("id" = Uuid, Path)),
    responses((status = 200, body = Sweep), Problems))]
async fn approve(State(app): State<App>, caller: Caller, Path(id): Path<Uuid>) -> ApiResult<Response> {
    steer(&app, &caller, id, Act::Approve).await
}

#[derive(Clone, Copy)]
enum Act {
    Pause,
    Resume,
    Cancel,
    Approve,
}

async fn steer(app: &App, caller: &Caller, id: Uuid, act: Act) -> ApiResult<Response> {
    let mut work = Work::begin(app, caller).await?;
    let mut sweep = store::find(&mut work.tx, id).await?.ok_or_else(|| ApiError::no_such("sweep", id))?;
    let from = sweep.status;
    let goes_on = match (act, from) {
        (Act::Resume, SweepStatus::Running) if sweep.is_orphan => true,
        (Act::Resume, SweepStatus::Paused) | (Act::Approve, SweepStatus::NeedsApproval) => true,
        (Act::Pause, SweepStatus::Running) => false,
        (Act::Cancel, from) if !from.is_final() => false,
        _ => {
            let detail = format!("sweep {id} is {from}: {}", sweep.text);
            return Err(ApiError::new(Kind::Conflict, detail));
        }
    };
    let action = match act {
        Act::Pause => "sweep.pause",
        Act::Resume => "sweep.resume",
        Act::Cancel => "sweep.cancel",
        Act::Approve => "sweep.approve",
    };
    sweep.status = match act {
        Act::Pause => SweepStatus::Paused,
        Act::Cancel => SweepStatus::Cancelled,
        Act::Resume | Act::Approve => SweepStatus::Running,
    };
    let by = caller.principal.name();
    match act {
        Act::Pause => sweep.text = format!("paused by {by}"),
        Act::Cancel => {
            sweep.text = format!("cancelled by {by}");
            sweep.ended_at = Some(work.now);
            stored_drift::release(&mut work.tx, id).await?;
        }
        Act::Approve => {
            sweep.text = format!("approved by {by}");
            // Before it was looked at again nobody knows how much it is: it asks once more then.
            let left = match sweep.stage {
                SweepStage::Apply => stored_drift::left(&mut work.tx, id).await?,
                SweepStage::Compare | SweepStage::Recheck | SweepStage::Done => 0,
            };
            sweep.state.allowed = Some(sweep.state.at_most(left));
        }
        Act::Resume => sweep.text = format!("resumed by {by}"),
    }
    if goes_on {
        sweep.job = drive(app, caller, &mut work, sweep.mode.task(), id).await?;
        sweep.is_orphan = false;
    }
    if !store::steer(&mut work.tx, &sweep, from, work.now).await? {
        let detail = format!("sweep {id} has just changed; look again");
        return Err(ApiError::new(Kind::Conflict, detail));
    }
    let told = format!("{} sweep {id}: {}", sweep.mode, sweep.text);
    work.log(Entry::new(&app.clock, EventType::Reconcile, Severity::Info, told).job(sweep.job)).await?;
    let target = id.to_string();
    let details = json!({ "mode": sweep.mode, "allowed": sweep.state.allowed });
    let audit = Audit { action, target: &target, details };
    let sweep = one(&mut work.tx, caller, sweep).await?;
    work.answer(StatusCode::OK, audit, &sweep).await
}

/// List what is known to differ, the oldest first
#[utoipa::path(get, path = "/reconciliation/drift", tag = "reconciliation", params(DriftQuery),
    responses((status = 200, body = DriftPage), Problems))]
async fn drift(State(app): State<App>, Query(query): Query<DriftQuery>) -> ApiResult<Json<DriftPage>> {
    let page = Page::of(query.paging())?;
    let mut tx = app.db.read().await?;
    let (drift, total) = stored_drift::list(&mut tx, &query, page.slice()).await?;
    tx.rollback().await?;
    Ok(Json(DriftPage { drift, total, page: page.page, page_size: page.page_size }))
}
