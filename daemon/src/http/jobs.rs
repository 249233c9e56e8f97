//! /jobs: everything an operator does to jobs.

use std::time::Duration;

use astrops_api::{
    ids::JobId,
    jobs::{Delay, Execute, Executed, Job, JobDetail, JobPage, JobQuery, JobStats, NewJob, PauseTypes},
    vocabulary::{EventType, JobStatus, JobType, Severity},
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::json;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    ApiError, ApiResult, App, Caller,
    audit::Actors,
    caller::refused,
    decisions::decided,
    docs::Problems,
    error::Kind,
    extract::{Body, OptionalBody, Path, Query},
    feeds::JobFeed,
    paging::{Page, check_search, check_time},
    reconciliation::is_private,
    stream,
    work::{Audit, Work},
};
use crate::{
    auth::Principal,
    jobs::{Mailroom, Payload, StoredPair, notification::Shown, view},
    logs::Entry,
    store::{
        self,
        jobs::{self as stored, Ordered, StoredJob},
        nodes, pauses,
    },
};

/// Log entries in a job's detail.
const LOGS: i64 = 200;
/// How long `execute` waits unless the caller prefers otherwise, and at most.
const WAIT: (u64, u64) = (30, 300);
/// A job is looked at this often while somebody waits for it: another daemon may run it.
const LOOK: Duration = Duration::from_millis(500);
/// Why a person's decision is not made again.
const DECISION: &str = "a decision is not retried, since either side may have changed meanwhile: look again and decide \
                        anew (astrops reconcile conflicts, then astrops reconcile resolve CONFLICT)";
/// The furthest that a job may be put off.
const HORIZON: TimeDelta = TimeDelta::days(3660);

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(stats))
        .routes(routes!(follow))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(show, delay, delete))
        .routes(routes!(execute))
        .routes(routes!(retry))
        .routes(routes!(cancel))
}

/// Which parts of a mail `principal` sees: operators the recipient, and the rest when they reveal it.
pub fn shown(principal: &Principal, reveal: bool) -> Shown {
    Shown { recipient: principal.is_operator(), private: reveal }
}

/// Enqueue a job
#[utoipa::path(post, path = "/jobs", tag = "jobs", request_body = NewJob, responses((status = 201, body = Job), Problems))]
async fn create(
    State(app): State<App>,
    caller: Caller,
    Body(body, fingerprint): Body<NewJob>,
) -> ApiResult<Response> {
    let payload = payload(&body)?;
    let within = |pointer: &str, value: i64, range: std::ops::RangeInclusive<i64>| {
        if range.contains(&value) {
            return Ok(());
        }
        Err(ApiError::field(pointer, format!("must be {} to {}, not {value}", range.start(), range.end())))
    };
    within("/priority", body.priority.unwrap_or(0).into(), -100..=100)?;
    within("/maxAttempts", body.max_attempts.unwrap_or(1).into(), 1..=100)?;
    if let Some(key) = &body.unique_key {
        within("/uniqueKey", i64::try_from(key.chars().count()).unwrap_or(i64::MAX), 1..=200)
            .map_err(|_| ApiError::field("/uniqueKey", "must have 1 to 200 characters"))?;
    }
    let order = Order {
        run_at: body.run_at,
        priority: body.priority.unwrap_or(0),
        max_attempts: body.max_attempts,
        unique_key: body.unique_key,
    };
    let mut work = Work::create(&app, &caller, fingerprint).await?;
    let id = enqueue(&app, &caller, &mut work, &payload, order).await?;
    let job = stored::find(&mut work.tx, id)
        .await?
        .ok_or_else(|| anyhow::anyhow!("the job just stored is not there"))?;
    let job = view::job(&job, shown(&caller.principal, false), work.now);
    let target = id.to_string();
    work.answer(
        StatusCode::CREATED,
        Audit { action: "job.create", target: &target, details: json!({ "type": job.kind }) },
        &job,
    )
    .await
}

fn payload(body: &NewJob) -> ApiResult<Payload> {
    let parts = [
        ("notification", JobType::Notification, body.notification.is_some()),
        ("reconciliation", JobType::Reconciliation, body.reconciliation.is_some()),
        ("maintenance", JobType::Maintenance, body.maintenance.is_some()),
    ];
    for (name, kind, given) in parts {
        if given != (kind == body.kind) {
            let detail = if given {
                format!("does not belong to a {} job", body.kind)
            } else {
                format!("a {kind} job needs it")
            };
            return Err(ApiError::field(format!("/{name}"), detail));
        }
    }
    if let Some(pair) = &body.reconciliation {
        if pair.changes_log.is_some() {
            return Err(ApiError::field("/reconciliation/changesLog", "is only in answers"));
        }
        super::reconciliation::check_entity("/reconciliation/entityId", pair.entity_id)?;
        return Ok(Payload::Reconciliation(pair.clone().into()));
    }
    match (&body.notification, &body.maintenance) {
        (Some(mail), _) => Ok(Payload::Notification(Mailroom::accept_text(mail).map_err(ApiError::fields)?)),
        (_, Some(care)) if care.result.is_some() => {
            Err(ApiError::field("/maintenance/result", "is only in answers"))
        }
        (_, Some(care)) if care.task.needs_subject() => Err(ApiError::field(
            "/maintenance/task",
            format!("{} comes from the cancellation of a booking: cancel that instead", care.task),
        )),
        (_, Some(care)) if care.subject.is_some() => Err(ApiError::field(
            "/maintenance/subject",
            format!("does not belong to {}: leave it out", care.task),
        )),
        (_, Some(care)) => Ok(Payload::Maintenance(care.clone())),
        _ => Err(ApiError::field("/type", format!("a {} job needs its part", body.kind))),
    }
}

/// When and how a new job runs.
#[derive(Default)]
pub struct Order {
    /// Not before this time.
    pub run_at: Option<DateTime<Utc>>,
    /// Smaller runs earlier.
    pub priority: i32,
    /// The daemon's default unless said.
    pub max_attempts: Option<u32>,
    /// While it waits or runs no second job may have this key.
    pub unique_key: Option<String>,
}

/// Stores a job in the work's transaction and logs that it was accepted.
pub async fn enqueue(
    app: &App,
    caller: &Caller,
    work: &mut Work,
    payload: &Payload,
    order: Order,
) -> ApiResult<JobId> {
    check_run_at("/runAt", order.run_at, work.now)?;
    let id = JobId(app.clock.new_id());
    let new = stored::NewJob {
        id,
        kind: payload.kind(),
        payload: payload.to_json(),
        run_at: order.run_at.unwrap_or(work.now),
        priority: order.priority,
        max_attempts: order.max_attempts.unwrap_or(app.config.jobs.max_attempts),
        unique_key: order.unique_key.clone(),
        created_by: caller.principal.name(),
        schedule: None,
        created_at: work.now,
    };
    if stored::enqueue(&mut work.tx, &[new]).await?.is_empty() {
        let key = order.unique_key.unwrap_or_default();
        let holder = stored::holder_of(&mut work.tx, &key).await?;
        let holder = holder.map_or_else(|| "another job".to_owned(), |id| format!("job {id}"));
        return Err(ApiError::new(
            Kind::DuplicateJob,
            format!("{holder} has the unique key {key:?}; wait for it or cancel it"),
        ));
    }
    let told = match payload {
        Payload::Notification(mail) => {
            let what = mail.template.map_or_else(|| "mail".to_owned(), |kind| format!("{kind} mail"));
            format!("{what} to {} accepted", crate::jobs::notification::mask(&mail.recipient_email))
        }
        Payload::Maintenance(care) => format!("{} accepted", care.task),
        Payload::Reconciliation(StoredPair { pair, decision }) => {
            let what = if decision.is_some() { "decision about" } else { "reconciliation of" };
            format!("{what} {} {} accepted", pair.entity_type, pair.entity_id)
        }
    };
    work.log(Entry::new(&app.clock, EventType::Job, Severity::Info, told).job(id)).await?;
    Ok(id)
}

fn check_run_at(pointer: &str, run_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> ApiResult<()> {
    match run_at {
        Some(at) if at > now + HORIZON => Err(ApiError::field(pointer, "lies more than ten years ahead")),
        Some(at) if at < now - HORIZON => Err(ApiError::field(pointer, "lies more than ten years back")),
        _ => Ok(()),
    }
}

/// List jobs, newest first
#[utoipa::path(get, path = "/jobs", tag = "jobs", params(JobQuery), responses((status = 200, body = JobPage), Problems))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<JobQuery>,
) -> ApiResult<Json<JobPage>> {
    let page = Page::of(query.paging())?;
    if query.sort.as_deref().is_some_and(|sort| sort != "date") {
        return Err(ApiError::field("sort", "only date"));
    }
    check_search(query.q.as_deref())?;
    check_time("from", query.from)?;
    check_time("to", query.to)?;
    if query.q.is_some() && !caller.principal.is_operator() {
        // Searching a masked address letter by letter would unmask it.
        return Err(refused(&app, &caller, "GET /jobs?q", "employees with the operator right"));
    }
    let now = app.clock.now();
    let mut tx = app.db.read().await?;
    let (jobs, total) = stored::list(&mut tx, &query, page.slice(), now).await?;
    tx.rollback().await?;
    let shown = shown(&caller.principal, false);
    let jobs = jobs.iter().map(|job| view::job(job, shown, now)).collect();
    Ok(Json(JobPage { jobs, total, page: page.page, page_size: page.page_size }))
}

/// Count jobs by type and status
#[utoipa::path(get, path = "/jobs/stats", tag = "jobs", responses((status = 200, body = JobStats), Problems))]
async fn stats(State(app): State<App>) -> ApiResult<Json<JobStats>> {
    let mut tx = app.db.read().await?;
    let stats = stored::stats(&mut tx, app.clock.now()).await?;
    tx.rollback().await?;
    Ok(Json(stats))
}

/// Where to resume a stream.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct After {
    /// The `id:` of the last event that was seen.
    after: Option<String>,
}

/// Follow jobs as they change (Server-Sent Events)
#[utoipa::path(get, path = "/jobs/stream", tag = "jobs", params(After),
    responses((status = 200, body = Job, content_type = "text/event-stream"), Problems))]
async fn follow(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Query(query): Query<After>,
) -> ApiResult<Response> {
    let after = stream::resume_from(&headers, query.after.as_deref())?;
    stream::open(&app, &caller, after, 0, JobFeed(caller.principal.clone())).await
}

/// Stop claiming jobs of one type, or of every type
#[utoipa::path(post, path = "/jobs/pause", tag = "jobs", request_body = Option<PauseTypes>,
    responses((status = 200, body = JobStats), Problems))]
async fn pause(
    State(app): State<App>,
    caller: Caller,
    OptionalBody(body, _): OptionalBody<PauseTypes>,
) -> ApiResult<Response> {
    set_paused(&app, &caller, body.unwrap_or_default(), true).await
}

/// Go on claiming jobs
#[utoipa::path(post, path = "/jobs/resume", tag = "jobs", request_body = Option<PauseTypes>,
    responses((status = 200, body = JobStats), Problems))]
async fn resume(
    State(app): State<App>,
    caller: Caller,
    OptionalBody(body, _): OptionalBody<PauseTypes>,
) -> ApiResult<Response> {
    set_paused(&app, &caller, body.unwrap_or_default(), false).await
}

async fn set_paused(app: &App, caller: &Caller, which: PauseTypes, paused: bool) -> ApiResult<Response> {
    let mut work = Work::begin(app, caller).await?;
    let now = work.now;
    for kind in JobType::ALL.iter().filter(|kind| which.kind.is_none_or(|wanted| wanted == **kind)) {
        if paused {
            pauses::pause(&mut work.tx, *kind, &caller.principal.name(), now).await?;
        } else {
            pauses::resume(&mut work.tx, *kind).await?;
        }
    }
    let target = which.kind.map_or("every type", JobType::as_str);
    let (action, past) = if paused { ("job.pause", "paused") } else { ("job.resume", "resumed") };
    work.log(Entry::new(
        &app.clock,
        EventType::Job,
        Severity::Warning,
        format!("jobs of {target} {past} by {}", caller.name()),
    ))
    .await?;
    work.commit(Audit { action, target, details: json!({}) }).await?;
    // Counting every job takes a while; not while holding the write lock.
    let mut tx = app.db.read().await?;
    let stats = stored::stats(&mut tx, now).await?;
    tx.rollback().await?;
    Ok(Json(stats).into_response())
}

/// Whether private fields are wanted.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Reveal {
    /// `true` shows message and data of a mail: for operators, and audited.
    #[serde(default)]
    reveal: bool,
}

/// Show a job with its attempts and logs
#[utoipa::path(get, path = "/jobs/{id}", tag = "jobs", params(("id" = String, Path), Reveal),
    responses((status = 200, body = JobDetail), Problems))]
async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<JobId>,
    Query(query): Query<Reveal>,
) -> ApiResult<Json<JobDetail>> {
    if query.reveal && !caller.principal.is_operator() {
        return Err(refused(&app, &caller, "GET /jobs/{id}?reveal", "employees with the operator right"));
    }
    let now = app.clock.now();
    let mut tx = app.db.read().await?;
    let job = stored::find(&mut tx, id).await?.ok_or_else(|| ApiError::no_such("job", id))?;
    let attempts = stored::attempts(&mut tx, id).await?;
    let logs = store::logs::of_job(&mut tx, id, LOGS).await?;
    let actors = Actors::of(&mut tx, &caller, [job.created_by.as_str()].into_iter()).await?;
    let nodes = if job.lease_owner.is_some() { nodes::living(&mut tx, now).await? } else { Vec::new() };
    tx.rollback().await?;
    if query.reveal {
        let work = Work::begin(&app, &caller).await?;
        work.commit(Audit { action: "job.reveal", target: &id.to_string(), details: json!({}) }).await?;
    }
    let mut view = view::job(&job, shown(&caller.principal, query.reveal), now);
    if let (Some(mail), Ok(Payload::Notification(stored))) =
        (&mut view.notification, serde_json::from_value::<Payload>(job.payload.0.clone()))
    {
        mail.message = Some(if query.reveal {
            app.mailroom.content(&stored).map_or_else(|error| error, |content| content.text)
        } else {
            "[private]".to_owned()
        });
    }
    let node = job.lease_owner.map(astrops_api::ids::NodeId);
    let lease_until = nodes.iter().find(|living| Some(living.id) == node).map(|living| living.lease_until);
    let crashes = u32::try_from(job.crashes).unwrap_or(u32::MAX);
    let decision = decided(&caller, &job, &actors);
    let created_by_email = actors.email(&job.created_by);
    let masked = match (&view.notification, &view.reconciliation) {
        (Some(_), _) => !query.reveal,
        (None, Some(pair)) => decision.is_some() && is_private(&caller, pair.entity_type),
        (None, None) => false,
    };
    Ok(Json(JobDetail {
        job: view,
        attempts,
        logs,
        node,
        lease_until,
        crashes,
        created_by_email,
        decision,
        masked,
    }))
}

/// Delay a queued job
#[utoipa::path(put, path = "/jobs/{id}", tag = "jobs", params(("id" = String, Path)), request_body = Delay,
    responses((status = 200, body = Job), Problems))]
async fn delay(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<JobId>,
    Body(body, _): Body<Delay>,
) -> ApiResult<Response> {
    check_run_at("/runAt", Some(body.run_at), app.clock.now())?;
    if body.run_at < app.clock.now() - TimeDelta::minutes(1) {
        return Err(ApiError::field("/runAt", "lies in the past; PUT /jobs/{id}/execute runs a job now"));
    }
    let mut work = Work::begin(&app, &caller).await?;
    let now = work.now;
    let ordered = stored::delay(&mut work.tx, id, body.run_at, now).await?;
    let details = json!({ "runAt": body.run_at });
    let past = format!("delayed until {}", body.run_at.format("%Y-%m-%d %H:%M:%SZ"));
    ordered_answer(
        &app,
        &caller,
        work,
        id,
        ordered,
        ("job.delay", past.as_str(), "only a queued job can be delayed"),
        details,
    )
    .await
}

/// Put a failed or cancelled job back into the queue
#[utoipa::path(post, path = "/jobs/{id}/retry", tag = "jobs", params(("id" = String, Path)),
    responses((status = 200, body = Job), Problems))]
async fn retry(State(app): State<App>, caller: Caller, Path(id): Path<JobId>) -> ApiResult<Response> {
    let mut work = Work::begin(&app, &caller).await?;
    let now = work.now;
    let ordered = stored::retry(&mut work.tx, id, now).await?;
    let rule = match &ordered {
        Ordered::Refused(job) if job.is_decision() => DECISION,
        _ => "only a failed or cancelled job can be retried",
    };
    let words = ("job.retry", "retried", rule);
    ordered_answer(&app, &caller, work, id, ordered, words, json!({})).await
}

/// Cancel a queued job, or ask a running one to stop
#[utoipa::path(post, path = "/jobs/{id}/cancel", tag = "jobs", params(("id" = String, Path)),
    responses((status = 200, body = Job), Problems))]
async fn cancel(State(app): State<App>, caller: Caller, Path(id): Path<JobId>) -> ApiResult<Response> {
    let mut work = Work::begin(&app, &caller).await?;
    let now = work.now;
    let ordered = stored::cancel(&mut work.tx, id, now).await?;
    let runs_on = matches!(&ordered, Ordered::Done(job) if !job.status.is_ended());
    let past = if runs_on { "asked to stop" } else { "cancelled" };
    let words = ("job.cancel", past, "only a queued or running job can be cancelled, and only once");
    let answer = ordered_answer(&app, &caller, work, id, ordered, words, json!({})).await?;
    app.queue.stop(id);
    Ok(answer)
}

/// Delete an ended job with its attempts
#[utoipa::path(delete, path = "/jobs/{id}", tag = "jobs", params(("id" = String, Path)), responses((status = 204), Problems))]
async fn delete(State(app): State<App>, caller: Caller, Path(id): Path<JobId>) -> ApiResult<Response> {
    let mut work = Work::begin(&app, &caller).await?;
    let now = work.now;
    let ordered = stored::delete(&mut work.tx, id, now).await?;
    let words = ("job.delete", "deleted", "only an ended job can be deleted; cancel it first");
    ordered_answer(&app, &caller, work, id, ordered, words, json!({})).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Turns what became of an order into an answer, an audit row and a log entry. `words` are the audit's action, the
/// past tense, and the rule.
async fn ordered_answer(
    app: &App,
    caller: &Caller,
    mut work: Work,
    id: JobId,
    ordered: Ordered,
    words: (&'static str, &str, &str),
    mut details: serde_json::Value,
) -> ApiResult<Response> {
    let (action, past, rule) = words;
    let job = match ordered {
        Ordered::Done(job) => job,
        Ordered::Absent => return Err(ApiError::no_such("job", id)),
        Ordered::Refused(job) => {
            return Err(ApiError::new(Kind::Conflict, format!("the job is {}; {rule}", state(&job))));
        }
        Ordered::BlockedBy(other) => {
            return Err(ApiError::new(
                Kind::DuplicateJob,
                format!("blocked by job {other}, which has the same unique key and waits or runs"),
            ));
        }
    };
    let by = caller.name();
    work.log(
        Entry::new(&app.clock, EventType::Job, Severity::Info, format!("job {} {past} by {by}", id.short()))
            .job(id),
    )
    .await?;
    let view = view::job(&job, shown(&caller.principal, false), work.now);
    details["status"] = json!(view.status);
    work.answer(StatusCode::OK, Audit { action, target: &id.to_string(), details }, &view).await
}

/// Where a job stands: its status, and its phase where that says more.
fn state(job: &StoredJob) -> String {
    let (status, phase) = (job.status.as_str(), job.phase.as_str());
    if status == phase { status.to_owned() } else { format!("{status} ({phase})") }
}

/// Run a job now and wait for it
///
/// However many ask, it runs once. `Prefer: wait=N` waits up to N seconds (30, at most 300); 202 when it still runs then.
#[utoipa::path(put, path = "/jobs/{id}/execute", tag = "jobs", params(("id" = String, Path)), request_body = Option<Execute>,
    responses((status = 200, body = Executed), (status = 202, body = Executed), Problems))]
async fn execute(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<JobId>,
    headers: HeaderMap,
    OptionalBody(body, _): OptionalBody<Execute>,
) -> ApiResult<Response> {
    if let Some(other) = body.and_then(|body| body.job_id).filter(|other| *other != id) {
        return Err(ApiError::field("/jobId", format!("is {other}, but the path says {id}")));
    }
    let prefer = headers.get("prefer").and_then(|value| value.to_str().ok());
    let wait = prefer
        .and_then(|text| text.split(',').find_map(|part| part.trim().strip_prefix("wait=")?.parse().ok()));
    let deadline = tokio::time::Instant::now() + Duration::from_secs(wait.unwrap_or(WAIT.0).min(WAIT.1));
    let mut work = Work::begin(&app, &caller).await?;
    let now = work.now;
    let waits = stored::find(&mut work.tx, id).await?.filter(|job| job.status == JobStatus::Queued);
    if let Some(job) = waits
        && pauses::is_paused(&mut work.tx, job.kind).await?
    {
        return Err(ApiError::new(
            Kind::Conflict,
            format!("{} jobs are paused; resume them first", job.kind),
        ));
    }
    match stored::hurry(&mut work.tx, id, now).await? {
        Ordered::Done(_) => {
            let told = format!("job {} run now by {}", id.short(), caller.name());
            work.log(Entry::new(&app.clock, EventType::Job, Severity::Info, told).job(id)).await?;
            work.commit(Audit { action: "job.execute", target: &id.to_string(), details: json!({}) }).await?;
        }
        Ordered::Absent => return Err(ApiError::no_such("job", id)),
        Ordered::Refused(job) if matches!(job.status, JobStatus::Failed | JobStatus::Cancelled) => {
            let why = job.error_message.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            let rule = if job.is_decision() { DECISION } else { "retry it first" };
            return Err(ApiError::new(Kind::Conflict, format!("the job is {}{why}; {rule}", job.status)));
        }
        // Running: join those who wait. Completed: the stored result.
        Ordered::Refused(_) | Ordered::BlockedBy(_) => drop(work),
    }
    let (ended, job) = wait_for_end(&app, id, deadline).await?;
    let answer = view::executed(view::job(&job, shown(&caller.principal, false), app.clock.now()));
    Ok((if ended { StatusCode::OK } else { StatusCode::ACCEPTED }, Json(answer)).into_response())
}

/// The job when it has ended, or as it stands at the deadline or when the daemon stops. A job that goes back to the
/// queue after an error has ended its attempt: the caller hears that instead of waiting for the backoff.
async fn wait_for_end(app: &App, id: JobId, deadline: tokio::time::Instant) -> ApiResult<(bool, StoredJob)> {
    loop {
        // Listening begins before looking, so an end in between is not missed.
        let changed = app.db.signals().ended.notified();
        let mut tx = app.db.read().await?;
        let job = stored::find(&mut tx, id).await?.ok_or_else(|| ApiError::no_such("job", id))?;
        tx.rollback().await?;
        let failed_once =
            job.status == JobStatus::Queued && job.phase == astrops_api::vocabulary::JobPhase::Retrying;
        if job.status.is_ended() || failed_once {
            return Ok((job.status.is_ended(), job));
        }
        let over = tokio::time::Instant::now() >= deadline || app.stopping.is_cancelled();
        if over {
            return Ok((false, job));
        }
        tokio::select! {
            () = changed => {}
            () = tokio::time::sleep(LOOK) => {}
            () = tokio::time::sleep_until(deadline) => {}
            () = app.stopping.cancelled() => {}
        }
    }
}
