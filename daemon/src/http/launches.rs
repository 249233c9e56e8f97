//! /launches, and the same resource under the documents' other name, /events.

use astrops_api::{
    bookings::{BookingPage, BookingQuery},
    ids::{LaunchId, UserId},
    launches::{
        CancelLaunch, CapacityLogPage, CapacityLogQuery, EditLaunch, EventPage, Launch, LaunchPage,
        LaunchQuery, NewLaunch,
    },
    vocabulary::Role,
};
use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing,
};
use serde_json::json;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    ApiError, ApiResult, App, Caller,
    bookings::{check_reason, page_of_launch},
    caller::refused,
    docs::Problems,
    error::Kind,
    extract::{Body, OptionalBody, Path, Query},
    paging::{Page, check_search, check_sort, check_time},
    work::{Audit, Work},
};
use crate::{
    auth::Principal,
    booking::{Act, Refusal, seats::check_ahead},
    db::Tx,
    store::{
        capacity, interests,
        launches::{self, Hidden, SORTS},
    },
};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, edit, cancel))
        .routes(routes!(express_interest, withdraw_interest))
        .routes(routes!(capacity_log))
        .routes(routes!(booked))
        .routes(routes!(list_events))
}

/// The routes of one launch again below `/events`; [`super::docs`] describes them from those of `/launches`.
pub fn aliases() -> Router<App> {
    Router::new()
        .route("/events", routing::post(create))
        .route("/events/{id}", routing::get(show).put(edit).delete(cancel))
        .route("/events/{id}/interest", routing::put(express_interest).delete(withdraw_interest))
        .route("/events/{id}/capacity-log", routing::get(capacity_log))
        .route("/events/{id}/bookings", routing::get(booked))
}

/// List launches
#[utoipa::path(get, path = "/launches", tag = "launches", security(()), params(LaunchQuery),
    responses((status = 200, body = LaunchPage), Problems))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<LaunchQuery>,
) -> ApiResult<Json<LaunchPage>> {
    page(&app, &caller, &query).await.map(Json)
}

/// List launches under the documents' other name
#[utoipa::path(get, path = "/events", tag = "launches", security(()), params(LaunchQuery),
    responses((status = 200, body = EventPage), Problems))]
async fn list_events(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<LaunchQuery>,
) -> ApiResult<Json<EventPage>> {
    let LaunchPage { launches, total, page, page_size } = page(&app, &caller, &query).await?;
    Ok(Json(EventPage { events: launches, total, page, page_size }))
}

async fn page(app: &App, caller: &Caller, query: &LaunchQuery) -> ApiResult<LaunchPage> {
    let page = Page::of(query.paging())?;
    check_search(query.q.as_deref())?;
    check_time("from", query.from)?;
    check_time("to", query.to)?;
    let sort = check_sort(query.sort.as_deref(), SORTS)?;
    let hidden = match &caller.principal {
        Principal::User(me) if me.user.role == Role::Employee => Hidden::All,
        Principal::User(me) if me.user.role == Role::Supplier => Hidden::Of(me.user.id),
        _ => Hidden::None,
    };
    let mut tx = app.db.read().await?;
    let (launches, total) =
        launches::list(&mut tx, query, hidden, sort, page.slice(), app.clock.now()).await?;
    tx.rollback().await?;
    Ok(LaunchPage { launches, total, page: page.page, page_size: page.page_size })
}

/// Make a launch
///
/// Suppliers make their own; operators name the supplier. Everybody who follows the supplier is told.
#[utoipa::path(post, path = "/launches", tag = "launches", request_body = NewLaunch,
    responses((status = 201, body = Launch), Problems))]
async fn create(
    State(app): State<App>,
    caller: Caller,
    Body(body, fingerprint): Body<NewLaunch>,
) -> ApiResult<Response> {
    let host = host_of(&caller, body.host_id)?;
    let mut work = Work::create(&app, &caller, fingerprint).await?;
    let (by, now) = (caller.principal.name(), work.now);
    let launch = app.desk.create_launch(&mut work.tx, Act { by: &by, now }, host, body).await?;
    let target = launch.id.to_string();
    let details = json!({ "title": launch.title, "hostId": host, "capacity": launch.capacity });
    work.answer(StatusCode::CREATED, Audit { action: "launch.create", target: &target, details }, &launch)
        .await
}

fn host_of(caller: &Caller, named: Option<UserId>) -> ApiResult<UserId> {
    let me = caller.principal.user().ok_or_else(|| ApiError::new(Kind::SignInRequired, "sign in first"))?;
    match (me.role == Role::Supplier, named) {
        (true, None) => Ok(me.id),
        (true, Some(id)) if id == me.id => Ok(id),
        (true, Some(_)) => Err(ApiError::field("/hostId", "suppliers make their own launches: leave it out")),
        (false, Some(id)) => Ok(id),
        (false, None) => Err(ApiError::field("/hostId", "is missing: which supplier sells it?")),
    }
}

/// Show a launch
#[utoipa::path(get, path = "/launches/{id}", tag = "launches", security(()), params(("id" = LaunchId, Path,)),
    responses((status = 200, body = Launch), Problems))]
async fn show(State(app): State<App>, caller: Caller, Path(id): Path<LaunchId>) -> ApiResult<Json<Launch>> {
    let mut tx = app.db.read().await?;
    let launch = visible(&mut tx, &caller, id).await?;
    tx.rollback().await?;
    Ok(Json(launch))
}

/// The launch, unless it is hidden from the caller.
async fn visible(tx: &mut Tx, caller: &Caller, id: LaunchId) -> ApiResult<Launch> {
    let launch = launches::find(tx, id).await?.ok_or(Refusal::NoLaunch(id))?;
    let mine = caller.principal.user().is_some_and(|me| me.id == launch.host_id);
    if launch.is_active || mine || caller.principal.is_employee() {
        return Ok(launch);
    }
    Err(Refusal::NoLaunch(id).into())
}

/// The launch, when it is the supplier's who calls, or an employee calls.
async fn owned(tx: &mut Tx, app: &App, caller: &Caller, id: LaunchId, route: &str) -> ApiResult<Launch> {
    let launch = visible(tx, caller, id).await?;
    let mine = caller.principal.user().is_some_and(|me| me.id == launch.host_id);
    if mine || caller.principal.is_employee() {
        return Ok(launch);
    }
    Err(refused(app, caller, route, "the supplier of this launch"))
}

/// Change a launch
///
/// Another time or place is told to everybody who has booked; bookings keep their price.
#[utoipa::path(put, path = "/launches/{id}", tag = "launches", params(("id" = LaunchId, Path,)),
    request_body = EditLaunch, responses((status = 200, body = Launch), Problems))]
async fn edit(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<LaunchId>,
    Body(body, _): Body<EditLaunch>,
) -> ApiResult<Response> {
    let mut work = Work::begin(&app, &caller).await?;
    owned(&mut work.tx, &app, &caller, id, "PUT /launches/{id}").await?;
    let (by, now) = (caller.principal.name(), work.now);
    let edited = app.desk.edit_launch(&mut work.tx, Act { by: &by, now }, id, body).await?;
    let target = id.to_string();
    let audit = Audit { action: "launch.edit", target: &target, details: json!(edited.changes) };
    work.answer(StatusCode::OK, audit, &edited.launch).await
}

/// Cancel a launch
///
/// Its bookings are cancelled and refunded, everybody who has booked is told.
#[utoipa::path(delete, path = "/launches/{id}", tag = "launches", params(("id" = LaunchId, Path,)),
    request_body = Option<CancelLaunch>, responses((status = 200, body = Launch), Problems))]
async fn cancel(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<LaunchId>,
    OptionalBody(body, _): OptionalBody<CancelLaunch>,
) -> ApiResult<Response> {
    let reason = body.and_then(|body| body.reason);
    check_reason(reason.as_deref())?;
    let mut work = Work::begin(&app, &caller).await?;
    owned(&mut work.tx, &app, &caller, id, "DELETE /launches/{id}").await?;
    let (by, now) = (caller.principal.name(), work.now);
    let done = app.desk.cancel_launch(&mut work.tx, Act { by: &by, now }, id, reason.as_deref()).await?;
    let target = id.to_string();
    let details = json!({ "title": done.launch.title, "bookings": done.bookings });
    let audit = Audit { action: "launch.cancel", target: &target, details };
    work.because(reason).answer(StatusCode::OK, audit, &done.launch).await
}

/// Be told when the sale starts
#[utoipa::path(put, path = "/launches/{id}/interest", tag = "launches", params(("id" = LaunchId, Path,)),
    responses((status = 204), Problems))]
async fn express_interest(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<LaunchId>,
) -> ApiResult<Response> {
    let me = me(&caller)?;
    let mut work = Work::begin(&app, &caller).await?;
    let launch = visible(&mut work.tx, &caller, id).await?;
    check_ahead(&launch, work.now)?;
    if launch.sales_start_at.is_none_or(|sale| sale <= work.now) {
        return Err(Refusal::SalesStarted.into());
    }
    let now = work.now;
    interests::insert(&mut work.tx, id, me, now).await?;
    let target = id.to_string();
    work.commit(Audit { action: "launch.interest", target: &target, details: json!({}) }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Do not be told
#[utoipa::path(delete, path = "/launches/{id}/interest", tag = "launches", params(("id" = LaunchId, Path,)),
    responses((status = 204), Problems))]
async fn withdraw_interest(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<LaunchId>,
) -> ApiResult<Response> {
    let me = me(&caller)?;
    let mut work = Work::begin(&app, &caller).await?;
    visible(&mut work.tx, &caller, id).await?;
    if interests::delete(&mut work.tx, id, me).await? {
        let target = id.to_string();
        work.commit(Audit { action: "launch.no-interest", target: &target, details: json!({}) }).await?;
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn me(caller: &Caller) -> ApiResult<UserId> {
    let user = caller.principal.user();
    user.map(|user| user.id).ok_or_else(|| ApiError::new(Kind::SignInRequired, "sign in first"))
}

/// List the seats that were taken and given back
#[utoipa::path(get, path = "/launches/{id}/capacity-log", tag = "launches",
    params(("id" = LaunchId, Path,), CapacityLogQuery), responses((status = 200, body = CapacityLogPage), Problems))]
async fn capacity_log(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<LaunchId>,
    Query(query): Query<CapacityLogQuery>,
) -> ApiResult<Json<CapacityLogPage>> {
    let page = Page::of(query.paging())?;
    let mut tx = app.db.read().await?;
    owned(&mut tx, &app, &caller, id, "GET /launches/{id}/capacity-log").await?;
    let (changes, total) = capacity::list(&mut tx, id, query.order, page.slice()).await?;
    tx.rollback().await?;
    Ok(Json(CapacityLogPage { changes, total, page: page.page, page_size: page.page_size }))
}

/// List the bookings of a launch
#[utoipa::path(get, path = "/launches/{id}/bookings", tag = "launches",
    params(("id" = LaunchId, Path,), BookingQuery), responses((status = 200, body = BookingPage), Problems))]
async fn booked(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<LaunchId>,
    Query(query): Query<BookingQuery>,
) -> ApiResult<Json<BookingPage>> {
    let mut tx = app.db.read().await?;
    owned(&mut tx, &app, &caller, id, "GET /launches/{id}/bookings").await?;
    tx.rollback().await?;
    page_of_launch(&app, &caller, id, query).await.map(Json)
}
