//! /bookings: seats that customers hold.

use astrops_api::{
    bookings::{Booking, BookingDetail, BookingPage, BookingQuery, CancelBooking, NewBooking},
    ids::{BookingId, LaunchId, UserId},
    vocabulary::Role,
};
use axum::{Json, extract::State, http::StatusCode, response::Response};
use serde_json::json;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    ApiError, ApiResult, App, Caller,
    docs::Problems,
    error::Kind,
    extract::{Body, OptionalBody, Path, Query},
    paging::{Page, check_search, check_sort, check_time},
    payments::view,
    work::{Audit, Work},
};
use crate::{
    auth::Principal,
    booking::{
        Act, Refusal,
        seats::{Canceller, Order},
    },
    jobs::notification::mask,
    notify::address::check_line,
    store::{
        bookings::{self, SORTS, Scope, StoredBooking},
        capacity, payments,
    },
};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(show, cancel))
}

/// Book seats
///
/// One transaction: lock the launch, see that it is on sale and has the seats, that the customer has no active booking
/// of it, take the seats, write the capacity log, the booking and the mails.
#[utoipa::path(post, path = "/bookings", tag = "bookings", request_body = NewBooking,
    responses((status = 201, body = Booking), Problems))]
async fn create(
    State(app): State<App>,
    caller: Caller,
    Body(body, fingerprint): Body<NewBooking>,
) -> ApiResult<Response> {
    let launch = match (body.launch_id, body.event_id) {
        (Some(id), None) | (None, Some(id)) => id,
        (None, None) => return Err(ApiError::field("/launchId", "is missing: which launch is booked?")),
        (Some(_), Some(_)) => {
            return Err(ApiError::field("/eventId", "is another name of launchId: send one of them"));
        }
    };
    let customer = on_behalf(&caller, body.user_id)?;
    let mut work = Work::create(&app, &caller, fingerprint).await?;
    let (by, now) = (caller.principal.name(), work.now);
    let order = Order { launch, customer, quantity: body.ticket_quantity };
    let stored = app.desk.book(&mut work.tx, Act { by: &by, now }, order).await?;
    let target = stored.booking.id.to_string();
    let details = json!({ "launchId": launch, "userId": customer, "ticketQuantity": body.ticket_quantity });
    let answer = seen_by(&caller.principal, stored.booking);
    work.answer(StatusCode::CREATED, Audit { action: "booking.create", target: &target, details }, &answer)
        .await
}

/// For whom: customers for themselves, operators for the customer they name.
fn on_behalf(caller: &Caller, named: Option<UserId>) -> ApiResult<UserId> {
    let me = caller.principal.user().ok_or_else(|| ApiError::new(Kind::SignInRequired, "sign in to book"))?;
    match (me.role == Role::Customer, named) {
        (true, None) => Ok(me.id),
        (true, Some(id)) if id == me.id => Ok(id),
        (true, Some(_)) => Err(ApiError::field("/userId", "customers book for themselves: leave it out")),
        (false, Some(id)) => Ok(id),
        (false, None) => Err(ApiError::field("/userId", "is missing: for which customer?")),
    }
}

/// List bookings
///
/// Customers see their own, suppliers those of their launches, employees all.
#[utoipa::path(get, path = "/bookings", tag = "bookings", params(BookingQuery),
    responses((status = 200, body = BookingPage), Problems))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<BookingQuery>,
) -> ApiResult<Json<BookingPage>> {
    page(&app, &caller, &query).await.map(Json)
}

/// The bookings that `query` asks for and the caller may see.
pub async fn page(app: &App, caller: &Caller, query: &BookingQuery) -> ApiResult<BookingPage> {
    let page = Page::of(query.paging())?;
    check_search(query.q.as_deref())?;
    check_time("from", query.from)?;
    check_time("to", query.to)?;
    if query.q.is_some() && caller.principal.is_employee() && !caller.principal.is_operator() {
        // Guessing letter by letter would unmask an address.
        return Err(ApiError::field(
            "q",
            "searches addresses, which only operators see in full; use other filters",
        ));
    }
    let sort = check_sort(query.sort.as_deref(), SORTS)?;
    let mut tx = app.db.read().await?;
    let (rows, total) = bookings::list(&mut tx, query, scope(&caller.principal), sort, page.slice()).await?;
    tx.rollback().await?;
    let bookings = rows.into_iter().map(|booking| seen_by(&caller.principal, booking)).collect();
    Ok(BookingPage { bookings, total, page: page.page, page_size: page.page_size })
}

/// Show a booking with its payments and its seats
#[utoipa::path(get, path = "/bookings/{id}", tag = "bookings", params(("id" = BookingId, Path,)),
    responses((status = 200, body = BookingDetail), Problems))]
async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<BookingId>,
) -> ApiResult<Json<BookingDetail>> {
    let mut tx = app.db.read().await?;
    let stored = bookings::find(&mut tx, id).await?.ok_or(Refusal::NoBooking(id))?;
    check_visible(&caller.principal, &stored)?;
    let payments = payments::of_booking(&mut tx, id).await?.into_iter().map(view).collect();
    let capacity_log = capacity::of_booking(&mut tx, stored.booking.launch_id, id).await?;
    tx.rollback().await?;
    let booking = seen_by(&caller.principal, stored.booking);
    Ok(Json(BookingDetail { booking, payments, capacity_log }))
}

/// Cancel a booking
///
/// Its seats are free again, what was paid is refunded by a job, the customer is told.
#[utoipa::path(delete, path = "/bookings/{id}", tag = "bookings", params(("id" = BookingId, Path,)),
    request_body = Option<CancelBooking>, responses((status = 200, body = Booking), Problems))]
async fn cancel(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<BookingId>,
    OptionalBody(body, _): OptionalBody<CancelBooking>,
) -> ApiResult<Response> {
    let reason = body.and_then(|body| body.reason);
    check_reason(reason.as_deref())?;
    let canceller = if caller.principal.is_operator() { Canceller::Office } else { Canceller::Customer };
    let mut work = Work::begin(&app, &caller).await?;
    let known = bookings::find(&mut work.tx, id).await?.ok_or(Refusal::NoBooking(id))?;
    check_visible(&caller.principal, &known)?;
    let (by, now) = (caller.principal.name(), work.now);
    let act = Act { by: &by, now };
    let stored = app.desk.cancel_booking(&mut work.tx, act, id, canceller, reason.as_deref()).await?;
    let target = id.to_string();
    let details =
        json!({ "launchId": stored.booking.launch_id, "ticketQuantity": stored.booking.ticket_quantity });
    let answer = seen_by(&caller.principal, stored.booking);
    let audit = Audit { action: "booking.cancel", target: &target, details };
    work.because(reason).answer(StatusCode::OK, audit, &answer).await
}

/// Checks the words that somebody gives as a reason.
pub fn check_reason(reason: Option<&str>) -> ApiResult<()> {
    reason.map_or(Ok(()), check_line).map_err(|detail| ApiError::field("/reason", detail))
}

fn scope(principal: &Principal) -> Scope {
    match principal.user() {
        Some(user) if user.role == Role::Customer => Scope::Customer(user.id),
        Some(user) if user.role == Role::Supplier => Scope::Supplier(user.id),
        _ => Scope::All,
    }
}

/// 404 for what is not the caller's: whether it exists is nobody else's business.
pub fn check_visible(principal: &Principal, stored: &StoredBooking) -> ApiResult<()> {
    let visible = match scope(principal) {
        Scope::All => true,
        Scope::Customer(id) => stored.booking.user_id == id,
        Scope::Supplier(id) => stored.host == id,
    };
    if visible { Ok(()) } else { Err(Refusal::NoBooking(stored.booking.id).into()) }
}

/// The booking as `principal` may see it.
pub fn seen_by(principal: &Principal, mut booking: Booking) -> Booking {
    let user = &mut booking.user;
    if principal.is(Role::Supplier) {
        user.email = None;
    } else if !principal.is_operator() && !principal.is(Role::Customer) {
        user.email = user.email.as_deref().map(mask);
    }
    booking
}

/// The bookings of one launch, for its supplier and employees.
pub async fn page_of_launch(
    app: &App,
    caller: &Caller,
    launch: LaunchId,
    query: BookingQuery,
) -> ApiResult<BookingPage> {
    if query.launch_id.or(query.event_id).is_some_and(|other| other != launch) {
        return Err(ApiError::field("launchId", "is another launch than the path's"));
    }
    page(app, caller, &BookingQuery { launch_id: Some(launch), event_id: None, ..query }).await
}
