//! /auth/keys: service keys for other programs.

use astrops_api::{
    ids::KeyId,
    keys::{KeyMade, NewKey, ServiceKey, ServiceKeys},
    problem::FieldError,
    vocabulary::{EventType, Severity},
};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde_json::json;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    ApiError, ApiResult, App, Caller,
    caller::KEY_PREFIX,
    docs::Problems,
    error::Kind,
    extract::{Body, Path},
    work::{Audit, Work},
};
use crate::{
    auth::digest::{random, sha256},
    logs::Entry,
    store::keys,
};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create, list)).routes(routes!(show, revoke))
}

/// Make a service key
///
/// The answer is the only time that its secret is shown.
#[utoipa::path(post, path = "/auth/keys", tag = "auth", request_body = NewKey,
    responses((status = 201, body = KeyMade), Problems))]
async fn create(State(app): State<App>, caller: Caller, Body(body, _): Body<NewKey>) -> ApiResult<Response> {
    let user = &caller.signed_in()?.user;
    check(&body)?;
    let mut scopes = body.scopes;
    scopes.sort_unstable();
    scopes.dedup();
    let secret = format!("{KEY_PREFIX}{}", random()?);
    let mut work = Work::begin(&app, &caller).await?;
    let key = ServiceKey {
        id: KeyId(app.clock.new_id()),
        name: body.name,
        scopes,
        created_by: user.id,
        created_at: work.now,
        last_used_at: None,
        revoked_at: None,
    };
    if !keys::insert(&mut work.tx, &key, &sha256(&secret)).await? {
        let detail =
            format!("a living service key is called {:?}; revoke it first, or choose another name", key.name);
        return Err(ApiError::new(Kind::Conflict, detail));
    }
    let words: Vec<&str> = key.scopes.iter().map(|scope| scope.as_str()).collect();
    let told = format!("service key {} with {} made by {}", key.name, words.join(", "), caller.name());
    work.log(Entry::new(&app.clock, EventType::Auth, Severity::Warning, told).user(user.id)).await?;
    let target = key.id.to_string();
    let details = json!({ "name": key.name, "scopes": key.scopes });
    let answer = KeyMade { key, secret: secret.into() };
    work.answer(StatusCode::CREATED, Audit { action: "key.create", target: &target, details }, &answer).await
}

fn check(new: &NewKey) -> ApiResult<()> {
    let mut errors = Vec::new();
    let mut wrong = |pointer: &str, detail: &str| {
        errors.push(FieldError { pointer: pointer.to_owned(), detail: detail.to_owned() });
    };
    let letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if !(1..=64).contains(&new.name.len()) || !new.name.bytes().all(letters) {
        wrong("/name", "must be 1 to 64 lower-case letters, digits and hyphens");
    }
    if new.scopes.is_empty() {
        wrong("/scopes", "must name at least one scope");
    }
    if errors.is_empty() { Ok(()) } else { Err(ApiError::fields(errors)) }
}

/// List service keys, newest first
#[utoipa::path(get, path = "/auth/keys", tag = "auth", responses((status = 200, body = ServiceKeys), Problems))]
async fn list(State(app): State<App>) -> ApiResult<Json<ServiceKeys>> {
    let mut tx = app.db.read().await?;
    let keys = keys::all(&mut tx).await?;
    tx.rollback().await?;
    Ok(Json(ServiceKeys { keys }))
}

/// Show a service key
#[utoipa::path(get, path = "/auth/keys/{id}", tag = "auth", params(("id" = String, Path)),
    responses((status = 200, body = ServiceKey), Problems))]
async fn show(State(app): State<App>, Path(id): Path<KeyId>) -> ApiResult<Json<ServiceKey>> {
    let mut tx = app.db.read().await?;
    let key = keys::find(&mut tx, id).await?;
    tx.rollback().await?;
    key.map(Json).ok_or_else(|| ApiError::no_such("service key", id))
}

/// Revoke a service key
///
/// It ends at its next request, and its streams within 5 s. Its row stays.
#[utoipa::path(delete, path = "/auth/keys/{id}", tag = "auth", params(("id" = String, Path)),
    responses((status = 204), Problems))]
async fn revoke(State(app): State<App>, caller: Caller, Path(id): Path<KeyId>) -> ApiResult<Response> {
    let mut work = Work::begin(&app, &caller).await?;
    let now = work.now;
    let key = keys::find(&mut work.tx, id).await?.ok_or_else(|| ApiError::no_such("service key", id))?;
    if !keys::revoke(&mut work.tx, id, now).await? {
        return Err(ApiError::new(
            Kind::Conflict,
            format!("the service key {} was revoked before", key.name),
        ));
    }
    let told = format!("service key {} revoked by {}", key.name, caller.name());
    work.log(Entry::new(&app.clock, EventType::Auth, Severity::Warning, told)).await?;
    let target = id.to_string();
    let details = json!({ "name": key.name });
    work.commit(Audit { action: "key.revoke", target: &target, details }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
