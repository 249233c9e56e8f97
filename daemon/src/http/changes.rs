//! /reconciliation/changes: what was written, whether the log of it is whole, and taking it back.

use std::collections::BTreeMap;

use astrops_api::{
    reconciliation::{Change, ChangePage, ChangeQuery, FieldChange},
    resolution::{ChainReport, Choice, Resolution, Revert},
};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde_json::Value;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    ApiError, ApiResult, App, Caller,
    audit::Actors,
    decisions::{Choices, How, audited, line, plan, preview, queue, refused, replay},
    docs::Problems,
    error::Kind,
    extract::{Body, Path, Query},
    paging::Page,
    reconciliation::{PRIVATE, hide, is_personal, is_private},
    work::{Audit, Work},
};
use crate::{
    reconcile::{
        core::{codec, value::Side},
        look::View,
    },
    store::change_log as store,
};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(verify)).routes(routes!(revert))
}

/// List what was changed, newest first
#[utoipa::path(get, path = "/reconciliation/changes", tag = "reconciliation", params(ChangeQuery),
    responses((status = 200, body = ChangePage), Problems))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ChangeQuery>,
) -> ApiResult<Json<ChangePage>> {
    let page = Page::of(query.paging())?;
    let mut tx = app.db.read().await?;
    let (mut changes, total) = store::changes(&mut tx, &query, page.slice()).await?;
    let actors = Actors::of(&mut tx, &caller, changes.iter().map(|change| change.actor.as_str())).await?;
    tx.rollback().await?;
    for change in &mut changes {
        change.actor_email = actors.email(&change.actor);
    }
    for change in changes.iter_mut().filter(|change| is_private(&caller, change.entity_type)) {
        if let Some(reason) = &mut change.reason {
            PRIVATE.clone_into(reason);
        }
        for field in change.fields.iter_mut().filter(|field| is_personal(&field.field)) {
            hide([Some(&mut field.document), Some(&mut field.relational), field.base.as_mut()]);
            hide([Some(&mut field.after), None, None]);
        }
    }
    Ok(Json(ChangePage { changes, total, page: page.page, page_size: page.page_size }))
}

/// Check that nobody tampered with the list of changes
///
/// Reads all of it. Note `head` elsewhere: with it a log shows that was cut off or made anew.
#[utoipa::path(get, path = "/reconciliation/changes/verify", tag = "reconciliation",
    responses((status = 200, body = ChainReport), Problems))]
async fn verify(State(app): State<App>) -> ApiResult<Json<ChainReport>> {
    Ok(Json(store::verify(&app.db).await?))
}

/// Take a change back: both sides hold again what was overwritten
#[utoipa::path(post, path = "/reconciliation/changes/{id}/revert", tag = "reconciliation",
    params(("id" = Uuid, Path)), request_body = Revert,
    responses((status = 202, body = Resolution), (status = 200, body = Resolution, description = "a dry run"), Problems))]
async fn revert(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Body(body, fingerprint): Body<Revert>,
) -> ApiResult<Response> {
    let how = How { reason: &body.reason, hold_seconds: body.hold_seconds, dry_run: body.dry_run };
    how.check()?;
    replay(&app, &caller, &fingerprint).await?;
    let mut tx = app.db.read().await?;
    let change = store::change(&mut tx, id).await?.ok_or_else(|| ApiError::no_such("change", id))?;
    tx.rollback().await?;
    let choices = before(&change).map_err(|why| cannot(&why))?;
    let now = app.engine.look(change.entity_type, change.entity_id).await.map_err(refused)?;
    still_holds(&now, &change).map_err(|why| cannot(&why))?;
    let view = match plan(&app, change.entity_type, change.entity_id, &choices).await {
        // Nothing of it is the caller's choice, so a refused choice is the state's fault.
        Err(error @ ApiError::Problem(Kind::Invalid, ..)) => return Err(cannot(&line(&error))),
        other => other?,
    };
    if body.dry_run {
        return Ok(Json(preview(&app, &caller, &view).await?).into_response());
    }
    let mut work = Work::create(&app, &caller, fingerprint).await?;
    let resolution = queue(&app, &caller, &mut work, &view, choices.clone(), &how).await?;
    let (target, details) = (id.to_string(), audited(&view, &choices, &resolution));
    let audit = Audit { action: "change.revert", target: &target, details };
    work.because(Some(body.reason)).answer(StatusCode::ACCEPTED, audit, &resolution).await
}

fn cannot(why: &str) -> ApiError {
    ApiError::new(Kind::Conflict, format!("the change cannot be taken back: {why}"))
}

/// What people and rules wrote; counted fields follow from others.
fn deliberate(change: &Change) -> impl Iterator<Item = &FieldChange> {
    change.fields.iter().filter(|field| field.rule != "derived")
}

/// What each field held where it was written.
fn before(change: &Change) -> Result<Choices, String> {
    if change.fields.is_empty() {
        return Err("its values were erased with the person that it was about".to_owned());
    }
    let mut held: BTreeMap<&str, &Value> = BTreeMap::new();
    for field in deliberate(change) {
        match field.rule.as_str() {
            "create" => {
                return Err("it made the row; cancel or deactivate that instead".to_owned());
            }
            "delete" => {
                let why = "it closed a row that is gone on the other side; make it again there under the same id, and \
                           both are compared anew";
                return Err(why.to_owned());
            }
            _ => {}
        }
        let value =
            if field.written == Side::Document.as_str() { &field.document } else { &field.relational };
        if held.insert(&field.field, value).is_some_and(|other| other != value) {
            let name = &field.field;
            return Err(format!(
                "the sides held different values of {name} before, so there is none to go back to; \
                                change it in one of the databases instead"
            ));
        }
    }
    if held.is_empty() {
        return Err("only counted fields were written, which follow from the bookings".to_owned());
    }
    Ok(held.into_iter().map(|(name, value)| (name.to_owned(), Choice::Value(value.clone()))).collect())
}

/// Whether both sides hold what the change wrote: whoever wrote since then is not overwritten.
fn still_holds(view: &View, change: &Change) -> Result<(), String> {
    for field in deliberate(change) {
        let index = view.mapping.index(&field.field);
        let after =
            index.and_then(|index| codec::from_json(&view.mapping.fields()[index], &field.after).ok());
        for side in [Side::Document, Side::Relational] {
            let holds = index.and_then(|index| Some(view.record(side)?.at(index).clone()));
            if after.is_none() || holds != after {
                let name = &field.field;
                return Err(format!("{name} of the {side} side no longer holds what was written then"));
            }
        }
    }
    Ok(())
}
