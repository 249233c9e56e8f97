//! /auth: register, login, logout, me.

use astrops_api::{
    auth::{Login, Refreshed, Register, Registered, SignedIn, User},
    ids::EntityId,
    problem::FieldError,
    users::Account,
    vocabulary::{EventType, Right, Role, Severity},
};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    ApiError, ApiResult, App, Caller,
    caller::refused,
    credentials::{Proven, prove},
    docs::Problems,
    error::Kind,
    extract::Body,
    sessions,
    work::{Audit, Work},
};
use crate::{
    accounts,
    auth::Principal,
    logs::Entry,
    notify::address::check_line,
    store::{self, users},
};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(register))
        .routes(routes!(login))
        .routes(routes!(logout))
        .routes(routes!(me))
}

/// Register a user
///
/// Customers and suppliers register themselves and get a token at once; employees are registered by an operator.
#[utoipa::path(post, path = "/auth/register", tag = "auth", request_body = Register, security(()),
    responses((status = 201, body = Registered), Problems))]
async fn register(
    State(app): State<App>,
    caller: Caller,
    Body(body, _): Body<Register>,
) -> ApiResult<Response> {
    let role = body.role.unwrap_or(Role::Customer);
    let operator = caller.principal.is_operator();
    if role == Role::Employee && !operator {
        return Err(refused(
            &app,
            &caller,
            "POST /auth/register as employee",
            "operators; or use astrops user add on the machine",
        ));
    }
    if role != Role::Employee && body.right.is_some() {
        return Err(ApiError::field("/right", "only employees have a right"));
    }
    let user = User {
        id: new_user_id(&app),
        email: body.email,
        name: body.name,
        role,
        right: (role == Role::Employee).then(|| body.right.unwrap_or(Right::Viewer)),
        created_at: app.clock.now(),
    };
    let user = accounts::check(user, &body.password).map_err(|errors| {
        ApiError::fields(
            errors
                .into_iter()
                .map(|(field, detail)| FieldError { pointer: format!("/{field}"), detail })
                .collect(),
        )
    })?;
    let hash = app.passwords.hash(&body.password).await?;
    let mut work = Work::begin(&app, &caller).await?;
    if !accounts::create(&mut work.tx, &app.clock, &users::NewUser { user: &user, password_hash: &hash })
        .await?
    {
        return Err(ApiError::new(Kind::EmailTaken, "sign in instead, or register with another address"));
    }
    let told = format!("{} {} registered", user.role, user.email);
    work.log(
        Entry::new(&app.clock, EventType::Auth, Severity::Info, told)
            .user(user.id)
            .address(caller.ip.as_deref()),
    )
    .await?;
    let opened =
        if operator { None } else { Some(sessions::open(&app, &caller, &mut work, &user, None).await?) };
    let expires_in = opened.as_ref().map(|opened| opened.expires_in);
    let (token, refresh_token) = opened.map(|opened| (opened.token, opened.refresh_token)).unzip();
    let target = user.id.to_string();
    let details = json!({ "role": user.role, "right": user.right });
    let answer = Registered { user, token, expires_in, refresh_token };
    work.answer(StatusCode::CREATED, Audit { action: "user.register", target: &target, details }, &answer)
        .await
}

/// Sign in
///
/// An unknown e-mail, a wrong password, a locked account and one that may not be used look and take the same.
#[utoipa::path(post, path = "/auth/login", tag = "auth", request_body = Login, security(()),
    responses((status = 200, body = SignedIn), Problems))]
async fn login(State(app): State<App>, caller: Caller, Body(body, _): Body<Login>) -> ApiResult<Response> {
    if let Some(device) = &body.device_id {
        check_device(device).map_err(|detail| ApiError::field("/deviceId", detail))?;
    }
    let refused = || {
        ApiError::new(
            Kind::InvalidCredentials,
            "check both; after several wrong passwords wait a quarter of an hour, or ask an operator",
        )
    };
    let email = body.email.trim().to_lowercase();
    let proven = prove(&app, &caller, &email, &body.password, "sign-in failed").await?;
    let Proven { mut work, credentials, rehashed } = proven.ok_or_else(refused)?;
    let now = work.now;
    if !users::signed_in(&mut work.tx, &credentials, rehashed.as_deref(), now).await? {
        return Err(refused());
    }
    let user = credentials.user;
    let Refreshed { token, expires_in, refresh_token } =
        sessions::open(&app, &caller, &mut work, &user, body.device_id.as_deref()).await?;
    let told = format!("{} {} signed in", user.role, user.email);
    work.log(
        Entry::new(&app.clock, EventType::Auth, Severity::Info, told)
            .user(user.id)
            .address(caller.ip.as_deref()),
    )
    .await?;
    let target = user.id.to_string();
    let audit = Audit { action: "auth.login", target: &target, details: json!({}) };
    work.answer(StatusCode::OK, audit, &SignedIn { token, expires_in, refresh_token, user }).await
}

/// End this session
#[utoipa::path(post, path = "/auth/logout", tag = "auth", responses((status = 204), Problems))]
async fn logout(State(app): State<App>, caller: Caller) -> ApiResult<Response> {
    if let Principal::User(signed_in) = &caller.principal {
        let mut work = Work::begin(&app, &caller).await?;
        let now = work.now;
        store::sessions::revoke(&mut work.tx, signed_in.session, now).await?;
        let told = format!("{} signed out", signed_in.user.email);
        work.log(Entry::new(&app.clock, EventType::Auth, Severity::Info, told).user(signed_in.user.id))
            .await?;
        let target = signed_in.session.to_string();
        work.commit(Audit { action: "auth.logout", target: &target, details: json!({}) }).await?;
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Who am I
#[utoipa::path(get, path = "/auth/me", tag = "auth", responses((status = 200, body = Account), Problems))]
async fn me(State(app): State<App>, caller: Caller) -> ApiResult<Json<Account>> {
    let nobody = || ApiError::new(Kind::SignInRequired, "nobody is signed in");
    let id = caller.principal.user().ok_or_else(nobody)?.id;
    let mut tx = app.db.read().await?;
    let account = users::account(&mut tx, id, app.clock.now()).await?;
    tx.rollback().await?;
    account.map(Json).ok_or_else(nobody)
}

fn check_device(device: &str) -> Result<(), String> {
    check_line(device)?;
    let count = device.chars().count();
    if count <= 100 { Ok(()) } else { Err(format!("has {count} characters; at most 100 are allowed")) }
}

fn new_user_id(app: &App) -> astrops_api::ids::UserId {
    let id: EntityId = accounts::new_entity_id(&app.clock);
    astrops_api::ids::UserId(id.0)
}
