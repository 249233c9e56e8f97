//! /logs: write, list, follow, count.

use astrops_api::{
    ids::LogId,
    logs::{Histogram, HistogramQuery, LogEntry, LogPage, LogQuery, LogStreamQuery, NewLog, OneOrMany},
    problem::FieldError,
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use chrono::TimeDelta;
use serde_json::{Value, json};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    ApiError, ApiResult, App, Caller,
    docs::Problems,
    extract::{Body, Query},
    feeds::LogFeed,
    paging::{Page, check_search, check_time},
    stream,
    work::{Audit, Work},
};
use crate::store::logs;

/// The largest `additionalData`: streams keep many entries in memory.
const ADDITIONAL: usize = 16 * 1024;
/// Entries in one request.
const BATCH: usize = 1000;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(write, list)).routes(routes!(follow)).routes(routes!(histogram))
}

/// Write one entry, or up to 1,000
///
/// `recordedBy` and the source address are the daemon's; `userId` and `ipAddress` are what the caller claims.
#[utoipa::path(post, path = "/logs", tag = "logs", request_body = OneOrMany<NewLog>,
    responses((status = 201, body = OneOrMany<LogEntry>), Problems))]
async fn write(
    State(app): State<App>,
    caller: Caller,
    Body(body, fingerprint): Body<Value>,
) -> ApiResult<Response> {
    // Not serde's untagged enum: its refusal would not say which field of which entry is wrong.
    let (single, entries) = match body {
        Value::Array(entries) => (false, entries),
        entry => (true, vec![entry]),
    };
    if entries.is_empty() || entries.len() > BATCH {
        return Err(ApiError::field("", format!("must hold 1 to {BATCH} entries, not {}", entries.len())));
    }
    let mut accepted = Vec::with_capacity(entries.len());
    let mut errors = Vec::new();
    for (n, entry) in entries.into_iter().enumerate() {
        let prefix = if single { String::new() } else { format!("/{n}") };
        match check(entry, &prefix) {
            Ok(new) => accepted.push(stored(&app, &caller, new)),
            Err(mut more) => errors.append(&mut more),
        }
    }
    if !errors.is_empty() {
        return Err(ApiError::fields(errors));
    }
    let body = if single { OneOrMany::One(accepted[0].clone()) } else { OneOrMany::Many(accepted.clone()) };
    if fingerprint.key.is_some() {
        let mut work = Work::create(&app, &caller, fingerprint).await?;
        logs::insert(&mut work.tx, &accepted).await?;
        let target = format!("{} entries", accepted.len());
        return work
            .answer(
                StatusCode::CREATED,
                Audit { action: "log.write", target: &target, details: json!({}) },
                &body,
            )
            .await;
    }
    // An entry says itself who recorded it, so it needs no audit row, and many requests share one commit.
    app.recorder.record(accepted).await?;
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

fn check(entry: Value, prefix: &str) -> Result<NewLog, Vec<FieldError>> {
    let error =
        |field: &str, detail: String| vec![FieldError { pointer: format!("{prefix}{field}"), detail }];
    let new: NewLog = serde_path_to_error::deserialize(entry).map_err(|failed| {
        let path = failed.path().to_string();
        let field = if path == "." { String::new() } else { format!("/{}", path.replace('.', "/")) };
        error(&field, failed.into_inner().to_string())
    })?;
    let length = new.message.chars().count();
    if !(1..=4000).contains(&length) {
        return Err(error("/message", format!("must have 1 to 4000 characters, not {length}")));
    }
    if new.ip_address.as_ref().is_some_and(|ip| ip.parse::<std::net::IpAddr>().is_err()) {
        return Err(error("/ipAddress", "is not an IPv4 or IPv6 address".to_owned()));
    }
    if let Some(data) = &new.additional_data {
        if !data.is_object() {
            return Err(error("/additionalData", "must be a JSON object".to_owned()));
        }
        let length = data.to_string().len();
        if length > ADDITIONAL {
            return Err(error(
                "/additionalData",
                format!("must have at most {ADDITIONAL} bytes as JSON, not {length}"),
            ));
        }
    }
    Ok(new)
}

fn stored(app: &App, caller: &Caller, new: NewLog) -> LogEntry {
    let job_id = new.additional_data.as_ref().and_then(|data| data.get("jobId")?.as_str()?.parse().ok());
    LogEntry {
        id: LogId(app.clock.new_id()),
        timestamp: app.clock.now(),
        event_type: new.event_type,
        severity: new.severity,
        message: new.message,
        user_id: new.user_id,
        ip_address: new.ip_address,
        job_id,
        additional_data: new.additional_data,
        recorded_by: caller.principal.name(),
    }
}

/// List entries, newest first
#[utoipa::path(get, path = "/logs", tag = "logs", params(LogQuery), responses((status = 200, body = LogPage), Problems))]
async fn list(State(app): State<App>, Query(query): Query<LogQuery>) -> ApiResult<Json<LogPage>> {
    let page = Page::of(query.paging())?;
    check_search(query.q.as_deref())?;
    check_time("from", query.from)?;
    check_time("to", query.to)?;
    let mut tx = app.db.read().await?;
    let (logs, total) = logs::list(&mut tx, &query, page.slice()).await?;
    tx.rollback().await?;
    Ok(Json(LogPage { logs, total, page: page.page, page_size: page.page_size }))
}

/// Follow entries as they are written (Server-Sent Events)
///
/// Resume with `Last-Event-ID` or `after`. A first event `gap` says how many entries were pruned before they could be
/// read; an event `lagged` says how many a reader that was too slow has not been sent.
#[utoipa::path(get, path = "/logs/stream", tag = "logs", params(LogStreamQuery),
    responses((status = 200, body = LogEntry, content_type = "text/event-stream"), Problems))]
async fn follow(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Query(query): Query<LogStreamQuery>,
) -> ApiResult<Response> {
    check_search(query.q.as_deref())?;
    if query.tail.is_some_and(|tail| tail > 1000) {
        return Err(ApiError::field("tail", "must be 0 to 1000"));
    }
    if query.tail.is_some() && query.after.is_some() {
        return Err(ApiError::field("tail", "either tail or after, not both"));
    }
    let tail = query.tail.unwrap_or(0);
    let after = stream::resume_from(&headers, query.after.as_deref())?;
    stream::open(&app, &caller, after, tail, LogFeed::from(query)).await
}

/// Count entries by time and severity
#[utoipa::path(get, path = "/logs/histogram", tag = "logs", params(HistogramQuery),
    responses((status = 200, body = Histogram), Problems))]
async fn histogram(
    State(app): State<App>,
    Query(query): Query<HistogramQuery>,
) -> ApiResult<Json<Histogram>> {
    check_time("from", query.from)?;
    check_time("to", query.to)?;
    let to = query.to.unwrap_or_else(|| app.clock.now());
    let from = query.from.unwrap_or_else(|| to - TimeDelta::hours(1));
    let count = query.buckets.unwrap_or(60);
    if !(1..=240).contains(&count) {
        return Err(ApiError::field("buckets", "must be 1 to 240"));
    }
    if from >= to || to - from > TimeDelta::days(3660) {
        return Err(ApiError::field("from", "must lie before to, by at most ten years"));
    }
    // Whole seconds, so that buckets have round borders.
    let seconds = ((to - from).num_seconds() + i64::from(count) - 1).max(1) / i64::from(count);
    let seconds = seconds.max(1);
    let start = to - TimeDelta::seconds(seconds * i64::from(count));
    let start = chrono::DateTime::from_timestamp(start.timestamp(), 0).unwrap_or(start);
    let mut tx = app.db.read().await?;
    let buckets = logs::histogram(&mut tx, start, seconds, count).await?;
    tx.rollback().await?;
    let to = start + TimeDelta::seconds(seconds * i64::from(count));
    Ok(Json(Histogram { from: start, to, bucket_seconds: seconds.unsigned_abs(), buckets }))
}
