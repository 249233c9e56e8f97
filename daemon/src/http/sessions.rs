//! Sessions: opened by a sign-in, kept alive by refresh tokens, ended by their owner or an operator.
//!
//! A refresh token is good for one refresh. A spent one that comes back after [`refresh::GRACE`] is in two hands: the
//! session ends, and with it whatever either of them holds.

use astrops_api::{
    auth::{Refresh, Refreshed, Sessions, User},
    ids::{SessionId, UserId},
    vocabulary::{EventType, Severity},
};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use chrono::{DateTime, Utc};
use serde_json::json;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    ApiError, ApiResult, App, Caller,
    docs::Problems,
    error::Kind,
    extract::{Body, Path},
    work::{Audit, Work},
};
use crate::{
    auth::{digest::sha256, refresh},
    logs::Entry,
    store::{
        sessions::{self, Family, NewSession},
        users,
    },
};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(refresh_session))
        .routes(routes!(list))
        .routes(routes!(revoke))
        .routes(routes!(list_of, revoke_of))
}

/// Opens a session of `user` in the transaction of the sign-in.
pub async fn open(
    app: &App,
    caller: &Caller,
    work: &mut Work,
    user: &User,
    device_id: Option<&str>,
) -> ApiResult<Refreshed> {
    let id = SessionId(app.clock.new_id());
    let expires_at = work.now + refresh::SLIDING;
    let tokens = tokens(app, user.id, id, 0, expires_at, work.now)?;
    let session = NewSession {
        id,
        user: user.id,
        user_agent: caller.user_agent.as_deref(),
        ip_address: caller.ip.as_deref(),
        device_id,
        refresh_hash: &sha256(tokens.refresh_token.expose()),
        expires_at,
        created_at: work.now,
    };
    sessions::insert(&mut work.tx, &session).await?;
    Ok(tokens)
}

fn tokens(
    app: &App,
    user: UserId,
    session: SessionId,
    generation: i64,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> ApiResult<Refreshed> {
    Ok(Refreshed {
        token: app.tokens.sign(user, session, now)?,
        // The last token of a session ends with it.
        expires_in: app.tokens.lifetime().min(expires_at - now).num_seconds().unsigned_abs(),
        refresh_token: app.refresh_tokens.make(session, generation),
    })
}

/// Get the next access token
///
/// The refresh token that was sent is spent. Sent again within 10 s it gets the same successor; later it ends the session.
#[utoipa::path(post, path = "/auth/refresh", tag = "auth", request_body = Refresh, security(()),
    responses((status = 200, body = Refreshed), Problems))]
async fn refresh_session(
    State(app): State<App>,
    caller: Caller,
    Body(body, _): Body<Refresh>,
) -> ApiResult<Response> {
    let over = || {
        ApiError::new(
            Kind::SignInRequired,
            "the refresh token is not valid or its session has ended; sign in again",
        )
    };
    let (id, generation) = app.refresh_tokens.read(&body.refresh_token).ok_or_else(over)?;
    let mut work = Work::begin(&app, &caller).await?;
    let now = work.now;
    let family = sessions::family(&mut work.tx, id, now).await?.ok_or_else(over)?;
    let user = UserId(family.user_id);
    let is_newest = family.refresh_hash.as_ref() == Some(&sha256(body.refresh_token.expose()));
    if is_newest && generation == family.generation {
        let generation = generation + 1;
        let expires_at = (now + refresh::SLIDING).min(family.created_at + refresh::ABSOLUTE);
        let tokens = tokens(&app, user, id, generation, expires_at, now)?;
        let hash = sha256(tokens.refresh_token.expose());
        sessions::rotate(&mut work.tx, id, generation, &hash, expires_at, now).await?;
        let target = id.to_string();
        let details = json!({ "userId": user, "generation": generation });
        let audit = Audit { action: "auth.refresh", target: &target, details };
        return work.answer(StatusCode::OK, audit, &tokens).await;
    }
    let is_fresh = family.rotated_at.is_some_and(|rotated| now - rotated <= refresh::GRACE);
    if is_fresh && generation + 1 == family.generation {
        let tokens = tokens(&app, user, id, family.generation, family.expires_at, now)?;
        return Ok(Json(tokens).into_response());
    }
    if generation < family.generation {
        end_family(&app, &caller, work, id, &family, generation).await?;
    }
    Err(over())
}

async fn end_family(
    app: &App,
    caller: &Caller,
    mut work: Work,
    id: SessionId,
    family: &Family,
    generation: i64,
) -> ApiResult<()> {
    let now = work.now;
    sessions::revoke(&mut work.tx, id, now).await?;
    let told = format!(
        "a spent refresh token of {} was used again: the session is ended, since somebody else may have it; \
         ask its owner, who can sign in again and should change the password",
        family.email
    );
    let (user, newest) = (UserId(family.user_id), family.generation);
    work.log(
        Entry::new(&app.clock, EventType::Auth, Severity::Critical, told)
            .user(user)
            .address(caller.ip.as_deref())
            .data(json!({ "sessionId": id, "generation": generation, "newest": newest })),
    )
    .await?;
    let target = id.to_string();
    let details = json!({ "userId": user, "generation": generation, "newest": newest });
    work.commit(Audit { action: "auth.refresh-reuse", target: &target, details }).await
}

/// List one's living sessions
#[utoipa::path(get, path = "/auth/sessions", tag = "auth", responses((status = 200, body = Sessions), Problems))]
async fn list(State(app): State<App>, caller: Caller) -> ApiResult<Json<Sessions>> {
    let signed_in = caller.signed_in()?;
    let mut tx = app.db.read().await?;
    let now = app.clock.now();
    let sessions = sessions::living(&mut tx, signed_in.user.id, Some(signed_in.session), now).await?;
    tx.rollback().await?;
    Ok(Json(Sessions { sessions }))
}

/// End one of one's sessions
#[utoipa::path(delete, path = "/auth/sessions/{id}", tag = "auth", params(("id" = String, Path)),
    responses((status = 204), Problems))]
async fn revoke(State(app): State<App>, caller: Caller, Path(id): Path<SessionId>) -> ApiResult<Response> {
    let user = &caller.signed_in()?.user;
    let mut work = Work::begin(&app, &caller).await?;
    let now = work.now;
    if !sessions::revoke_own(&mut work.tx, id, user.id, now).await? {
        return Err(ApiError::no_such("living session of yours", id));
    }
    let told = format!("{} ended a session", user.email);
    work.log(Entry::new(&app.clock, EventType::Auth, Severity::Info, told).user(user.id)).await?;
    let target = id.to_string();
    work.commit(Audit { action: "auth.session-revoke", target: &target, details: json!({}) }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// List the living sessions of a user
#[utoipa::path(get, path = "/users/{id}/sessions", tag = "users", params(("id" = String, Path)),
    responses((status = 200, body = Sessions), Problems))]
async fn list_of(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<UserId>,
) -> ApiResult<Json<Sessions>> {
    let current = caller.signed_in()?.session;
    let now = app.clock.now();
    let mut tx = app.db.read().await?;
    users::account(&mut tx, id, now).await?.ok_or_else(|| ApiError::no_such("user", id))?;
    let sessions = sessions::living(&mut tx, id, Some(current), now).await?;
    tx.rollback().await?;
    Ok(Json(Sessions { sessions }))
}

/// End every session of a user
#[utoipa::path(delete, path = "/users/{id}/sessions", tag = "users", params(("id" = String, Path)),
    responses((status = 204), Problems))]
async fn revoke_of(State(app): State<App>, caller: Caller, Path(id): Path<UserId>) -> ApiResult<Response> {
    let mut work = Work::begin(&app, &caller).await?;
    let now = work.now;
    let account =
        users::account(&mut work.tx, id, now).await?.ok_or_else(|| ApiError::no_such("user", id))?;
    let ended = sessions::revoke_all(&mut work.tx, id, None, now).await?;
    let told = format!("{ended} sessions of {} ended by {}", account.user.email, caller.name());
    work.log(Entry::new(&app.clock, EventType::Auth, Severity::Warning, told).user(id)).await?;
    let target = id.to_string();
    let details = json!({ "endedSessions": ended });
    work.commit(Audit { action: "user.sessions-revoke", target: &target, details }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
