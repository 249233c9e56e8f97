//! Who calls: the layer that reads the bearer token, asks the row of its session or service key, charges the caller's
//! address and applies the access table.

use std::net::{IpAddr, SocketAddr};

use astrops_api::vocabulary::{EventType, Severity};
use axum::{
    extract::{ConnectInfo, FromRequestParts, MatchedPath, Request, State},
    http::{HeaderMap, HeaderValue, Method, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use serde_json::json;

use super::{ApiError, ApiResult, App, error::Kind};
use crate::{
    auth::{Principal, SignedInUser, access, digest::sha256, limits::Charge},
    logs::Entry,
    store::{keys, sessions},
};

/// Service keys begin so; tokens of sessions begin with `eyJ`.
pub const KEY_PREFIX: &str = "ak_";

/// The caller of a request.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who.
    pub principal: Principal,
    /// From where: the connection's address, or what the proxy in front says.
    pub ip: Option<String>,
    /// The request's id.
    pub request_id: String,
    /// What the caller says it is.
    pub user_agent: Option<String>,
    /// Whether the connection itself comes from this machine and no proxy stands in front.
    pub is_local: bool,
}

impl Caller {
    /// Who, for a person who reads the log.
    pub fn name(&self) -> String {
        self.principal.shown()
    }

    /// The user who calls, where the access table admits users only.
    pub fn signed_in(&self) -> ApiResult<&SignedInUser> {
        match &self.principal {
            Principal::User(signed_in) => Ok(signed_in),
            _ => Err(ApiError::new(Kind::SignInRequired, "this is for signed-in users")),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> ApiResult<Self> {
        // The guard puts it there for every route of the table.
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| ApiError::new(Kind::Forbidden, "no row in the access table"))
    }
}

/// Refuses who may not call; hands on who may, as a [`Caller`].
pub async fn guard(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let path =
        request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned()).unwrap_or_default();
    let Some(who) = access::who(request.method(), &path) else {
        return ApiError::new(Kind::Forbidden, "no row in the access table").into_response();
    };
    let mut caller = anonymous(&app, &request);
    // What everybody may call asks nothing of the database.
    let mut refusal = None;
    if request.headers().contains_key(header::AUTHORIZATION) {
        match identify(&app, request.headers()).await {
            Ok(principal) => caller.principal = principal,
            // A token that has run out must not keep anybody from signing in again.
            Err(_) if who == access::Who::Anyone => {}
            Err(error) => refusal = Some(error),
        }
    }
    if let Err(response) = charge(&app, &caller, request.method(), &path) {
        return *response;
    }
    if let Some(error) = refusal {
        return error.into_response();
    }
    if !who.admits(&caller.principal) {
        if matches!(caller.principal, Principal::Anonymous) {
            let told = format!("this is for {}; send Authorization: Bearer <token>", who.words());
            return ApiError::new(Kind::SignInRequired, told).into_response();
        }
        let admitted = match (&caller.principal, who.scope()) {
            (Principal::Key(_), Some(scope)) => format!("{}, and for service keys with {scope}", who.words()),
            _ => who.words().to_owned(),
        };
        return refused(&app, &caller, &format!("{} {path}", request.method()), &admitted).into_response();
    }
    request.extensions_mut().insert(caller);
    next.run(request).await
}

fn anonymous(app: &App, request: &Request) -> Caller {
    let headers = request.headers();
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let behind_proxy = app.config.server.behind_proxy;
    // The rightmost entry is what our own proxy saw; everything before it is the caller's word.
    let forwarded = || {
        let last = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
        last.rsplit(',').next()?.trim().parse::<IpAddr>().ok()
    };
    let ip = if behind_proxy { forwarded().or(peer) } else { peer };
    Caller {
        principal: Principal::Anonymous,
        ip: ip.map(|ip| ip.to_string()),
        request_id: text(super::REQUEST_ID).unwrap_or_default().to_owned(),
        user_agent: text(header::USER_AGENT).map(|agent| agent.chars().take(200).collect()),
        is_local: !behind_proxy && peer.is_some_and(|ip| ip.is_loopback()),
    }
}

async fn identify(app: &App, headers: &HeaderMap) -> ApiResult<Principal> {
    let expired = || ApiError::new(Kind::SignInRequired, "the token is not valid or its session has ended");
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = token
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let now = app.clock.now();
    let token = token.map(|(_, token)| token.trim()).ok_or_else(expired)?;
    if token.starts_with(KEY_PREFIX) {
        return key(app, token, now).await;
    }
    let session = app.tokens.session(token, now).ok_or_else(expired)?;
    let mut tx = app.db.read().await?;
    let alive = sessions::alive(&mut tx, session, now).await?;
    tx.rollback().await?;
    let alive = alive.ok_or_else(expired)?;
    if alive.stale {
        let mut tx = app.db.write().await?;
        sessions::touch(&mut tx, session, now).await?;
        tx.commit().await?;
    }
    let signed_in = SignedInUser { user: alive.user, session };
    Ok(Principal::User(Box::new(signed_in)))
}

async fn key(app: &App, secret: &str, now: DateTime<Utc>) -> ApiResult<Principal> {
    let mut tx = app.db.read().await?;
    let alive = keys::alive(&mut tx, &sha256(secret), now).await?;
    tx.rollback().await?;
    let alive = alive
        .ok_or_else(|| ApiError::new(Kind::SignInRequired, "the service key is not known or was revoked"))?;
    if alive.stale {
        let mut tx = app.db.write().await?;
        keys::touch(&mut tx, alive.holder.id, now).await?;
        tx.commit().await?;
    }
    Ok(Principal::Key(Box::new(alive.holder)))
}

/// Charges the caller's address for what costs much, and for what nobody has signed in for; 429 when it has nothing
/// left. Operators pay nothing: they register many.
fn charge(app: &App, caller: &Caller, method: &Method, path: &str) -> Result<(), Box<Response>> {
    let charge = match &caller.principal {
        principal if principal.is_operator() => return Ok(()),
        _ if access::is_costly(path) => Charge::SignIn,
        Principal::Anonymous => Charge::Anonymous,
        _ => return Ok(()),
    };
    let Err(seconds) = app.limits.take(charge, caller.ip.as_deref()) else { return Ok(()) };
    let ip = caller.ip.as_deref().unwrap_or("an unknown address");
    let told = format!("too many requests from {ip}; {method} {path} refused for {seconds} s");
    if app.refusals.is_first(&format!("limit:{ip}"), app.clock.now()) {
        let entry = Entry::new(&app.clock, EventType::Auth, Severity::Warning, told)
            .address(caller.ip.as_deref())
            .data(json!({ "requestId": caller.request_id }));
        app.recorder.record_soon(entry.into());
    }
    let detail = format!("this address asks too often; come again in {seconds} s");
    let mut response = ApiError::new(Kind::TooManyRequests, detail).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    Err(Box::new(response))
}

/// 403 for a signed-in `caller`, told in the system log once per caller, route and second.
pub fn refused(app: &App, caller: &Caller, route: &str, admitted: &str) -> ApiError {
    let told = format!("{route} refused: it is for {admitted}");
    let mut entry = Entry::new(&app.clock, EventType::Auth, Severity::Warning, told)
        .address(caller.ip.as_deref())
        .data(json!({ "requestId": caller.request_id }));
    if let Some(user) = caller.principal.user() {
        entry = entry.user(user.id);
    }
    if app.refusals.is_first(&format!("{} {route}", caller.principal.name()), app.clock.now()) {
        app.recorder.record_soon(entry.into());
    }
    ApiError::new(Kind::Forbidden, format!("this is for {admitted}"))
}
