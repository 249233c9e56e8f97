//! /schedules: list, show, edit, trigger, pause, resume.

use astrops_api::{
    schedules::{EditSchedule, Schedule, ScheduleRun, ScheduleRuns, Schedules},
    vocabulary::{EventType, FireOutcome, JobStatus, Severity},
};
use axum::{Json, extract::State, http::StatusCode, response::Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    ApiError, ApiResult, App, Caller,
    docs::Problems,
    extract::{Body, OptionalBody, Path, Query},
    paging::Page,
    work::{Audit, Work},
};
use crate::{
    logs::Entry,
    schedules::{
        plan::{Timing, TimingError},
        view,
    },
    store::schedules::{self as stored, StoredSchedule},
};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show, edit))
        .routes(routes!(runs))
        .routes(routes!(trigger))
        .routes(routes!(pause))
        .routes(routes!(resume))
}

/// List schedules
#[utoipa::path(get, path = "/schedules", tag = "schedules", responses((status = 200, body = Schedules), Problems))]
async fn list(State(app): State<App>) -> ApiResult<Json<Schedules>> {
    let mut tx = app.db.read().await?;
    let mut schedules = Vec::new();
    for schedule in stored::list(&mut tx).await? {
        schedules.push(view(&mut tx, schedule, app.clock.now()).await?);
    }
    tx.rollback().await?;
    Ok(Json(Schedules { schedules }))
}

/// Show a schedule
#[utoipa::path(get, path = "/schedules/{name}", tag = "schedules", params(("name" = String, Path)),
    responses((status = 200, body = Schedule), Problems))]
async fn show(State(app): State<App>, Path(name): Path<String>) -> ApiResult<Json<Schedule>> {
    let mut tx = app.db.read().await?;
    let schedule = stored::list(&mut tx).await?.into_iter().find(|schedule| schedule.name == name);
    let schedule = schedule.ok_or_else(|| ApiError::no_such("schedule", &name))?;
    let schedule = view(&mut tx, schedule, app.clock.now()).await?;
    tx.rollback().await?;
    Ok(Json(schedule))
}

/// Which fires.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct RunsQuery {
    /// The page, from 1.
    #[param(minimum = 1)]
    page: Option<u32>,
    /// Rows per page, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    page_size: Option<u32>,
    /// Rows to answer, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Rows to pass over.
    #[param(minimum = 0)]
    offset: Option<u64>,
}

/// List what became of a schedule's fires, newest first
#[utoipa::path(get, path = "/schedules/{name}/runs", tag = "schedules", params(("name" = String, Path), RunsQuery),
    responses((status = 200, body = ScheduleRuns), Problems))]
async fn runs(
    State(app): State<App>,
    Path(name): Path<String>,
    Query(query): Query<RunsQuery>,
) -> ApiResult<Json<ScheduleRuns>> {
    let page = Page::of(astrops_api::paging::Paging {
        page: query.page,
        page_size: query.page_size,
        limit: query.limit,
        offset: query.offset,
    })?;
    let mut tx = app.db.read().await?;
    if !stored::list(&mut tx).await?.iter().any(|schedule| schedule.name == name) {
        return Err(ApiError::no_such("schedule", &name));
    }
    let (runs, total) = stored::runs(&mut tx, &name, page.slice()).await?;
    tx.rollback().await?;
    Ok(Json(ScheduleRuns { runs, total, page: page.page, page_size: page.page_size }))
}

/// Edit a schedule
#[utoipa::path(put, path = "/schedules/{name}", tag = "schedules", params(("name" = String, Path)), request_body = EditSchedule,
    responses((status = 200, body = Schedule), Problems))]
async fn edit(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    Body(body, _): Body<EditSchedule>,
) -> ApiResult<Response> {
    let details = json!({ "set": body });
    change(&app, &caller, &name, ("schedule.edit", "edited"), details, |schedule| {
        schedule.cron = body.cron.unwrap_or_else(|| schedule.cron.clone());
        schedule.time_zone = body.time_zone.unwrap_or_else(|| schedule.time_zone.clone());
        schedule.missed = body.missed.unwrap_or(schedule.missed);
        schedule.overlap = body.overlap.unwrap_or(schedule.overlap);
    })
    .await
}

/// Stop a schedule
#[utoipa::path(post, path = "/schedules/{name}/pause", tag = "schedules", params(("name" = String, Path)),
    responses((status = 200, body = Schedule), Problems))]
async fn pause(State(app): State<App>, caller: Caller, Path(name): Path<String>) -> ApiResult<Response> {
    change(&app, &caller, &name, ("schedule.pause", "paused"), json!({}), |schedule| schedule.paused = true)
        .await
}

/// Start a schedule again
#[utoipa::path(post, path = "/schedules/{name}/resume", tag = "schedules", params(("name" = String, Path)),
    responses((status = 200, body = Schedule), Problems))]
async fn resume(State(app): State<App>, caller: Caller, Path(name): Path<String>) -> ApiResult<Response> {
    change(&app, &caller, &name, ("schedule.resume", "resumed"), json!({}), |schedule| {
        schedule.paused = false;
    })
    .await
}

/// Changes a schedule and counts its next fire from now: a pause leaves no fires to catch up.
async fn change(
    app: &App,
    caller: &Caller,
    name: &str,
    words: (&'static str, &str),
    details: serde_json::Value,
    apply: impl FnOnce(&mut StoredSchedule),
) -> ApiResult<Response> {
    let mut work = Work::begin(app, caller).await?;
    let now = work.now;
    let mut schedule =
        stored::find(&mut work.tx, name).await?.ok_or_else(|| ApiError::no_such("schedule", name))?;
    let before = schedule.clone();
    apply(&mut schedule);
    let timing = Timing::parse(&schedule.cron, &schedule.time_zone, now).map_err(|error| {
        let pointer = if matches!(error, TimingError::Zone(_)) { "/timeZone" } else { "/cron" };
        ApiError::field(pointer, error.to_string())
    })?;
    let timed =
        |schedule: &StoredSchedule| (schedule.cron.clone(), schedule.time_zone.clone(), schedule.paused);
    // Counted anew only when its timing changed: a fire that is due at this moment must not be passed over.
    if timed(&before) != timed(&schedule) {
        schedule.next_fire_at = if schedule.paused { None } else { timing.next_after(now) };
    }
    schedule.updated_at = now;
    stored::update(&mut work.tx, &schedule).await?;
    let told = format!("schedule {name} {} by {}", words.1, caller.name());
    work.log(Entry::new(&app.clock, EventType::Job, Severity::Info, told)).await?;
    let schedule = view(&mut work.tx, schedule, now).await?;
    let answer =
        work.answer(StatusCode::OK, Audit { action: words.0, target: name, details }, &schedule).await?;
    app.scheduler.wake();
    Ok(answer)
}

/// No field: what is sent by a client that must send a body.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// Fire a schedule now
#[utoipa::path(post, path = "/schedules/{name}/trigger", tag = "schedules", params(("name" = String, Path)),
    responses((status = 201, body = ScheduleRun), Problems))]
async fn trigger(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    body: OptionalBody<Nothing>,
) -> ApiResult<Response> {
    let mut work = Work::create(&app, &caller, body.1).await?;
    let now = work.now;
    let schedule =
        stored::find(&mut work.tx, &name).await?.ok_or_else(|| ApiError::no_such("schedule", &name))?;
    let run = app.scheduler.fire(&mut work.tx, &schedule, now, FireOutcome::Triggered).await?;
    let mut run =
        run.ok_or_else(|| ApiError::new(super::error::Kind::Conflict, "it fires at this very moment"))?;
    run.job_status = Some(JobStatus::Queued);
    let told = format!("schedule {name} triggered by {}", caller.name());
    let mut entry = Entry::new(&app.clock, EventType::Job, Severity::Info, told);
    if let Some(id) = run.job_id {
        entry = entry.job(id);
    }
    work.log(entry).await?;
    work.answer(
        StatusCode::CREATED,
        Audit { action: "schedule.trigger", target: &name, details: json!({ "jobId": run.job_id }) },
        &run,
    )
    .await
}
