//! /reconciliation/conflicts: what waits for a person, and deciding it.

use std::collections::BTreeSet;

use astrops_api::{
    reconciliation::{Conflict, ConflictPage, ConflictQuery},
    resolution::{
        Choice, ConflictDetail, Resolution, Resolve, ResolveMany, Resolved, ResolvedMany, Snooze, Take,
    },
};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    ApiError, ApiResult, App, Caller,
    bookings::check_reason,
    decisions::{Choices, How, audited, line, plan, preview, queue, refused, replay, tell_pending},
    docs::Problems,
    error::Kind,
    extract::{Body, Path, Query},
    paging::{Page, check_time},
    reconciliation::{PRIVATE, diff_for, is_private},
    work::{Audit, Work},
};
use crate::{
    db::Tx,
    reconcile::{core::choices::DELETION, decision::seen, look::View},
    store::reconcile as store,
};

/// Conflicts that are decided at once.
const MOST: usize = 100;
/// The longest time for which a conflict is put off.
const LONGEST: TimeDelta = TimeDelta::days(366);

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(bulk))
        .routes(routes!(show))
        .routes(routes!(resolve))
        .routes(routes!(snooze))
}

/// List what waits for a person
#[utoipa::path(get, path = "/reconciliation/conflicts", tag = "reconciliation", params(ConflictQuery),
    responses((status = 200, body = ConflictPage), Problems))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ConflictQuery>,
) -> ApiResult<Json<ConflictPage>> {
    let page = Page::of(query.paging())?;
    let now = app.clock.now();
    let mut tx = app.db.read().await?;
    let (mut conflicts, total) = store::conflicts(&mut tx, &query, now, page.slice()).await?;
    tell_pending(&mut tx, &caller, &mut conflicts).await?;
    tx.rollback().await?;
    let conflicts = conflicts.into_iter().map(|conflict| shown(&caller, conflict, now)).collect();
    Ok(Json(ConflictPage { conflicts, total, page: page.page, page_size: page.page_size }))
}

/// The conflict as the caller may see it.
fn shown(caller: &Caller, mut conflict: Conflict, now: DateTime<Utc>) -> Conflict {
    conflict.snoozed_until = conflict.snoozed_until.filter(|until| *until > now);
    if is_private(caller, conflict.entity_type) {
        conflict.fields.iter_mut().for_each(|field| PRIVATE.clone_into(&mut field.reason));
    }
    conflict
}

/// An open conflict; what is over is said to be so.
async fn open(tx: &mut Tx, id: Uuid, over: Kind) -> ApiResult<Conflict> {
    match store::conflict(tx, id).await? {
        None => Err(ApiError::no_such("conflict", id)),
        Some((_, Some(closed))) => {
            let when = closed.format("%FT%TZ");
            Err(ApiError::new(over, format!("conflict {id} is over since {when}: nothing is to be decided")))
        }
        Some((conflict, None)) => Ok(conflict),
    }
}

/// Show a conflict, and both sides as they are now
#[utoipa::path(get, path = "/reconciliation/conflicts/{id}", tag = "reconciliation", params(("id" = Uuid, Path)),
    responses((status = 200, body = ConflictDetail), Problems))]
async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> ApiResult<Json<ConflictDetail>> {
    let mut tx = app.db.read().await?;
    let mut conflict = open(&mut tx, id, Kind::NotFound).await?;
    tell_pending(&mut tx, &caller, std::slice::from_mut(&mut conflict)).await?;
    tx.rollback().await?;
    let view = app.engine.look(conflict.entity_type, conflict.entity_id).await.map_err(refused)?;
    let conflict = shown(&caller, conflict, app.clock.now());
    Ok(Json(ConflictDetail { conflict, diff: diff_for(&caller, &view) }))
}

/// Decide a conflict: field by field, which side or value counts
///
/// Tells what is written and queues the job that writes it, or only tells it (`dryRun`).
#[utoipa::path(post, path = "/reconciliation/conflicts/{id}/resolve", tag = "reconciliation",
    params(("id" = Uuid, Path)), request_body = Resolve,
    responses((status = 202, body = Resolution), (status = 200, body = Resolution, description = "a dry run"), Problems))]
async fn resolve(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Body(body, fingerprint): Body<Resolve>,
) -> ApiResult<Response> {
    let how = How { reason: &body.reason, hold_seconds: body.hold_seconds, dry_run: body.dry_run };
    how.check()?;
    if body.choices.is_empty() {
        return Err(ApiError::field("/choices", "choose something for at least one field"));
    }
    replay(&app, &caller, &fingerprint).await?;
    let view = judged(&app, id, |_| body.choices.clone()).await?.1;
    if body.seen.as_ref().is_some_and(|known| *known != seen(&view)) {
        let detail =
            "either side changed since you looked, so nothing was queued; look again and decide anew";
        return Err(ApiError::new(Kind::Conflict, detail));
    }
    if body.dry_run {
        return Ok(Json(preview(&app, &caller, &view).await?).into_response());
    }
    let mut work = Work::create(&app, &caller, fingerprint).await?;
    open(&mut work.tx, id, Kind::Conflict).await?;
    let resolution = queue(&app, &caller, &mut work, &view, body.choices.clone(), &how).await?;
    let (target, details) = (id.to_string(), audited(&view, &body.choices, &resolution));
    let audit = Audit { action: "conflict.resolve", target: &target, details };
    work.because(Some(body.reason)).answer(StatusCode::ACCEPTED, audit, &resolution).await
}

/// What is chosen for a conflict, and what that writes.
async fn judged(
    app: &App,
    id: Uuid,
    choose: impl FnOnce(&Conflict) -> Choices,
) -> ApiResult<(Choices, View)> {
    let mut tx = app.db.read().await?;
    let conflict = open(&mut tx, id, Kind::Conflict).await?;
    tx.rollback().await?;
    let choices = choose(&conflict);
    let view = plan(app, conflict.entity_type, conflict.entity_id, &choices).await?;
    Ok((choices, view))
}

/// Put a conflict off
///
/// It is not listed until then, unless it becomes critical. A time that is past puts it back.
#[utoipa::path(post, path = "/reconciliation/conflicts/{id}/snooze", tag = "reconciliation",
    params(("id" = Uuid, Path)), request_body = Snooze, responses((status = 200, body = Conflict), Problems))]
async fn snooze(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Body(body, fingerprint): Body<Snooze>,
) -> ApiResult<Response> {
    check_reason(Some(&body.reason))?;
    check_time("/until", Some(body.until))?;
    let mut work = Work::create(&app, &caller, fingerprint).await?;
    if body.until > work.now + LONGEST {
        return Err(ApiError::field("/until", "lies more than a year ahead"));
    }
    open(&mut work.tx, id, Kind::Conflict).await?;
    let until = Some(body.until).filter(|until| *until > work.now);
    store::snooze(&mut work.tx, id, until, &body.reason).await?;
    let conflict = open(&mut work.tx, id, Kind::Conflict).await?;
    let conflict = shown(&caller, conflict, work.now);
    let (target, details) = (id.to_string(), json!({ "until": until }));
    let audit = Audit { action: "conflict.snooze", target: &target, details };
    work.because(Some(body.reason)).answer(StatusCode::OK, audit, &conflict).await
}

/// Decide many conflicts for one side
///
/// Each is judged by itself; the answer says what becomes of it or why it was refused.
#[utoipa::path(post, path = "/reconciliation/conflicts/bulk", tag = "reconciliation", request_body = ResolveMany,
    responses((status = 202, body = ResolvedMany), (status = 200, body = ResolvedMany, description = "a dry run"), Problems))]
async fn bulk(
    State(app): State<App>,
    caller: Caller,
    Body(body, fingerprint): Body<ResolveMany>,
) -> ApiResult<Response> {
    let how = How { reason: &body.reason, hold_seconds: body.hold_seconds, dry_run: body.dry_run };
    how.check()?;
    if !(1..=MOST).contains(&body.ids.len()) {
        return Err(ApiError::field("/ids", format!("must name 1 to {MOST} conflicts")));
    }
    if body.ids.iter().collect::<BTreeSet<_>>().len() < body.ids.len() {
        return Err(ApiError::field("/ids", "names a conflict twice"));
    }
    replay(&app, &caller, &fingerprint).await?;
    let mut judgements = Vec::with_capacity(body.ids.len());
    for id in &body.ids {
        judgements.push((*id, judged(&app, *id, |conflict| taking(conflict, body.take)).await));
    }
    if body.dry_run {
        let mut results = Vec::with_capacity(judgements.len());
        for (id, judgement) in judgements {
            let outcome = match judgement {
                Ok((_, view)) => preview(&app, &caller, &view).await,
                Err(refused) => Err(refused),
            };
            results.push(result(id, outcome));
        }
        return Ok(Json(ResolvedMany { results }).into_response());
    }
    let mut work = Work::create(&app, &caller, fingerprint).await?;
    let mut results = Vec::with_capacity(judgements.len());
    for (id, judgement) in judgements {
        let outcome = match judgement {
            Ok((choices, view)) => queue(&app, &caller, &mut work, &view, choices, &how).await,
            Err(refused) => Err(refused),
        };
        results.push(result(id, outcome));
    }
    let jobs: Vec<_> = results
        .iter()
        .filter_map(|one| Some(json!({ "id": one.id, "jobId": one.resolution.as_ref()?.job_id? })))
        .collect();
    let (target, details) =
        (format!("{} conflicts", results.len()), json!({ "take": body.take, "queued": jobs }));
    let audit = Audit { action: "conflict.resolve_many", target: &target, details };
    work.because(Some(body.reason)).answer(StatusCode::ACCEPTED, audit, &ResolvedMany { results }).await
}

fn result(id: Uuid, outcome: ApiResult<Resolution>) -> Resolved {
    match outcome {
        Ok(resolution) => Resolved { id, resolution: Some(resolution), refused: None },
        Err(refused) => Resolved { id, resolution: None, refused: Some(line(&refused)) },
    }
}

/// One side, for everything that is in conflict.
fn taking(conflict: &Conflict, take: Take) -> Choices {
    let choice = match take {
        Take::Document => Choice::Document,
        Take::Relational => Choice::Relational,
        Take::Base => Choice::Base,
    };
    let topics = conflict.fields.iter().flat_map(|field| {
        let is_deletion = field.topic == DELETION;
        let names = if is_deletion { vec![DELETION.to_owned()] } else { field.fields.clone() };
        names.into_iter().map(|name| (name, choice.clone()))
    });
    topics.collect()
}
