//! /health, /status, /metrics: how the daemon and what it needs are doing.

use std::time::{Duration, Instant};

use astrops_api::status::{Health, Part, Status};
use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{ApiError, ApiResult, App, Caller, docs::Problems, error::Kind};
use crate::{
    beat::Beat,
    store::{drift, jobs, nodes},
};

/// A loop that has not come round for so long stands still.
const STILL: Duration = Duration::from_secs(20);
/// Less free space than this is a warning that somebody must act on.
const LOW_DISK: u64 = 256 * 1024 * 1024;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(live))
        .routes(routes!(ready))
        .routes(routes!(status))
        .routes(routes!(metrics))
}

/// Whether the process answers
#[utoipa::path(get, path = "/health/live", tag = "health", security(()), responses((status = 200, body = Health)))]
async fn live() -> Json<Health> {
    Json(Health { status: "ok".to_owned(), failing: Vec::new() })
}

/// Whether the daemon can work; 503 with the reason while a needed part is down
#[utoipa::path(get, path = "/health/ready", tag = "health", security(()), responses((status = 200, body = Health), Problems))]
async fn ready(State(app): State<App>) -> ApiResult<Json<Health>> {
    let parts = [
        database(&app).await,
        turning("workers", app.queue.beat(), ""),
        turning("scheduler", app.scheduler.beat(), ""),
    ];
    let failing: Vec<String> = parts
        .into_iter()
        .filter(|part| !part.ok)
        .map(|part| format!("{}: {}", part.name, part.detail))
        .collect();
    if failing.is_empty() {
        return Ok(Json(Health { status: "ok".to_owned(), failing: Vec::new() }));
    }
    Err(ApiError::new(Kind::Unavailable, failing.join("; ")))
}

/// The daemon, its nodes and its parts
#[utoipa::path(get, path = "/status", tag = "health", responses((status = 200, body = Status), Problems))]
async fn status(State(app): State<App>) -> ApiResult<Json<Status>> {
    let now = app.clock.now();
    let mut tx = app.db.read().await?;
    let nodes = nodes::living(&mut tx, now).await?;
    let agreement = Some(drift::agreement(&mut tx).await?);
    tx.rollback().await?;
    let held = format!("{} workers, {} jobs in hand", app.config.jobs.workers, app.queue.held());
    let (database, documents, mail) = tokio::join!(database(&app), documents(&app), mail(&app));
    let parts = vec![
        database,
        documents,
        mail,
        turning("workers", app.queue.beat(), &held),
        turning("scheduler", app.scheduler.beat(), "turning"),
        disk(&app),
    ];
    let version = env!("CARGO_PKG_VERSION").to_owned();
    Ok(Json(Status { version, now, node: app.node.id, nodes, parts, agreement }))
}

async fn database(app: &App) -> Part {
    let began = Instant::now();
    let ask = async {
        let mut tx = app.db.read().await?;
        nodes::living(&mut tx, app.clock.now()).await?;
        tx.rollback().await
    };
    let (ok, detail) = match tokio::time::timeout(Duration::from_secs(3), ask).await {
        Ok(Ok(())) => (true, app.db.kind().to_owned()),
        Ok(Err(error)) => (false, format!("{} does not answer: {error}", app.db.kind())),
        Err(_) => {
            (false, format!("{} does not answer within 3 s; look at its server or disk", app.db.kind()))
        }
    };
    Part { name: "database".to_owned(), ok, detail, latency_ms: Some(began.elapsed().as_secs_f64() * 1000.0) }
}

async fn documents(app: &App) -> Part {
    let began = Instant::now();
    let answer = tokio::time::timeout(Duration::from_secs(3), app.documents.ping()).await;
    let (kind, at) = (app.documents.kind(), app.documents.at());
    let (ok, detail) = match answer {
        Ok(Ok(())) => (true, format!("{kind} {at}")),
        Ok(Err(error)) => (false, error.to_string()),
        Err(_) => {
            (false, format!("{kind} {at} does not answer within 3 s; look at its server and the network"))
        }
    };
    Part {
        name: "documents".to_owned(),
        ok,
        detail,
        latency_ms: Some(began.elapsed().as_secs_f64() * 1000.0),
    }
}

async fn mail(app: &App) -> Part {
    let began = Instant::now();
    let checked = tokio::time::timeout(Duration::from_secs(3), app.mailroom.transport.check()).await;
    let (ok, detail) = match checked {
        Ok(Ok(detail)) => (true, detail),
        Ok(Err(detail)) => (false, detail),
        Err(_) => {
            (false, "the mail server does not answer within 3 s; mails wait and are tried again".to_owned())
        }
    };
    Part { name: "mail".to_owned(), ok, detail, latency_ms: Some(began.elapsed().as_secs_f64() * 1000.0) }
}

fn turning(name: &str, beat: &Beat, detail: &str) -> Part {
    let age = beat.age();
    let ok = age < STILL;
    let detail = if ok {
        detail.to_owned()
    } else {
        format!("standing still for {} s; restart the daemon", age.as_secs())
    };
    Part { name: name.to_owned(), ok, detail, latency_ms: None }
}

fn disk(app: &App) -> Part {
    let dir = &app.config.data.dir;
    let (ok, detail) = match rustix::fs::statvfs(dir) {
        Ok(stat) => {
            let free = stat.f_bavail.saturating_mul(stat.f_frsize);
            let megabytes = free / 1024 / 1024;
            let shown = dir.display();
            if free < LOW_DISK {
                (
                    false,
                    format!("{megabytes} MiB free at {shown}: free some space, writes will soon be refused"),
                )
            } else {
                (true, format!("{megabytes} MiB free at {shown}"))
            }
        }
        Err(error) => (false, format!("cannot ask for the free space at {}: {error}", dir.display())),
    };
    Part { name: "disk".to_owned(), ok, detail, latency_ms: None }
}

/// Prometheus text
///
/// For callers on this machine, and for employees from elsewhere.
#[utoipa::path(get, path = "/metrics", tag = "health", security((), ("bearer" = [])), responses((status = 200, body = String, content_type = "text/plain"), Problems))]
async fn metrics(State(app): State<App>, caller: Caller) -> ApiResult<Response> {
    if !caller.is_local && !caller.principal.is_employee() {
        return Err(ApiError::new(Kind::SignInRequired, "from another machine this is for employees"));
    }
    let mut tx = app.db.read().await?;
    let stats = jobs::stats(&mut tx, app.clock.now()).await?;
    tx.rollback().await?;
    let text = app.metrics.render(&stats, app.queue.held(), app.passwords.computed());
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}
