//! /stream: what happens to users, launches and bookings, live.

use astrops_api::events::{DomainEvent, EventStreamQuery};
use axum::{extract::State, http::HeaderMap, response::Response};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{ApiResult, App, Caller, docs::Problems, extract::Query, feeds::EventFeed, stream};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(follow))
}

/// Follow domain events (Server-Sent Events)
///
/// Employees and programs are told everything; others what is public (launches), their bookings, those of their launches,
/// and what happens to their own account. Resume with `Last-Event-ID` or `after`.
#[utoipa::path(get, path = "/stream", tag = "events", params(EventStreamQuery),
    responses((status = 200, body = DomainEvent, content_type = "text/event-stream"), Problems))]
async fn follow(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Query(query): Query<EventStreamQuery>,
) -> ApiResult<Response> {
    let after = stream::resume_from(&headers, query.after.as_deref())?;
    stream::open(&app, &caller, after, 0, EventFeed::new(&caller, &query)).await
}
