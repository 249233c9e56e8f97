//! /auth: register, login, logout, me.

use astrops_api::{
    auth::{Login, Register, Registered, SignedIn, User},
    ids::{EntityId, SessionId},
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
    docs::Problems,
    error::Kind,
    extract::Body,
    work::{Audit, Work},
};
use crate::{
    accounts,
    auth::{Principal, password::Checked},
    jobs::notification::mask,
    logs::Entry,
    notify::address::check_address,
    store::{
        sessions::{self, NewSession},
        users,
    },
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
    let session = if operator { None } else { Some(open_session(&app, &caller, &mut work, &user).await?) };
    let (token, expires_in) = session.unzip();
    let target = user.id.to_string();
    let details = json!({ "role": user.role, "right": user.right });
    let answer = Registered { user, token, expires_in, refresh_token: None };
    work.answer(StatusCode::CREATED, Audit { action: "user.register", target: &target, details }, &answer)
        .await
}

/// Sign in
///
/// An unknown e-mail, a wrong password and an account that may not be used look and take the same.
#[utoipa::path(post, path = "/auth/login", tag = "auth", request_body = Login, security(()),
    responses((status = 200, body = SignedIn), Problems))]
async fn login(State(app): State<App>, caller: Caller, Body(body, _): Body<Login>) -> ApiResult<Response> {
    let email = body.email.trim().to_lowercase();
    let mut tx = app.db.read().await?;
    let found = users::by_email(&mut tx, &email).await?.filter(|credentials| credentials.is_active);
    tx.rollback().await?;
    let known = found.as_ref().map(|credentials| credentials.user.id);
    let hash = found.as_ref().and_then(|credentials| credentials.password_hash.clone());
    let checked = app.passwords.check(&body.password, hash).await?;
    let (Some(found), Checked::Right(rehashed)) = (found, checked) else {
        // What was typed may be a password in the wrong field: only what can be an address is told, and masked.
        let tried =
            if check_address(&email).is_ok() { mask(&email) } else { "what is no address".to_owned() };
        let told = format!("sign-in failed for {tried}");
        let mut entry =
            Entry::new(&app.clock, EventType::Auth, Severity::Warning, told).address(caller.ip.as_deref());
        if let Some(id) = known {
            entry = entry.user(id);
        }
        if app
            .refusals
            .is_first(&format!("login:{}", email.chars().take(100).collect::<String>()), app.clock.now())
        {
            app.recorder.record_soon(entry.data(json!({ "requestId": caller.request_id })).into());
        }
        return Err(ApiError::new(
            Kind::InvalidCredentials,
            "check both; an operator can make a new account",
        ));
    };
    let user = found.user;
    let mut work = Work::begin(&app, &caller).await?;
    let now = work.now;
    users::signed_in(&mut work.tx, user.id, rehashed.as_deref(), now).await?;
    let (token, expires_in) = open_session(&app, &caller, &mut work, &user).await?;
    let told = format!("{} {} signed in", user.role, user.email);
    work.log(
        Entry::new(&app.clock, EventType::Auth, Severity::Info, told)
            .user(user.id)
            .address(caller.ip.as_deref()),
    )
    .await?;
    let target = user.id.to_string();
    let audit = Audit { action: "auth.login", target: &target, details: json!({}) };
    work.answer(StatusCode::OK, audit, &SignedIn { token, expires_in, refresh_token: None, user }).await
}

/// End this session
#[utoipa::path(post, path = "/auth/logout", tag = "auth", responses((status = 204), Problems))]
async fn logout(State(app): State<App>, caller: Caller) -> ApiResult<Response> {
    if let Principal::User(signed_in) = &caller.principal {
        let mut work = Work::begin(&app, &caller).await?;
        let now = work.now;
        sessions::revoke(&mut work.tx, signed_in.session, now).await?;
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

async fn open_session(
    app: &App,
    caller: &Caller,
    work: &mut Work,
    user: &User,
) -> ApiResult<(astrops_api::Secret, u64)> {
    let id = SessionId(app.clock.new_id());
    let token = app.tokens.sign(user.id, id, work.now)?;
    let lifetime = app.tokens.lifetime();
    let session = NewSession {
        id,
        user: user.id,
        user_agent: caller.user_agent.as_deref(),
        ip_address: caller.ip.as_deref(),
        expires_at: work.now + lifetime,
        created_at: work.now,
    };
    sessions::insert(&mut work.tx, &session).await?;
    Ok((token, lifetime.num_seconds().unsigned_abs()))
}

fn new_user_id(app: &App) -> astrops_api::ids::UserId {
    let id: EntityId = accounts::new_entity_id(&app.clock);
    astrops_api::ids::UserId(id.0)
}
