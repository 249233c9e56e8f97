//! /notifications: mails from templates.

use astrops_api::{
    notifications::{NewNotification, NewPreview, NotificationQueued, NotificationTypes, Preview},
    vocabulary::JobStatus,
};
use axum::{Json, extract::State, http::StatusCode, response::Response};
use serde_json::json;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    ApiError, ApiResult, App, Caller,
    docs::Problems,
    extract::Body,
    jobs::{Order, enqueue},
    work::{Audit, Work},
};
use crate::jobs::Payload;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create)).routes(routes!(types)).routes(routes!(preview))
}

/// Send a mail
///
/// The mail is rendered now, so what cannot be filled is refused now; a job sends it.
#[utoipa::path(post, path = "/notifications", tag = "notifications", request_body = NewNotification,
    responses((status = 202, body = NotificationQueued), Problems))]
async fn create(
    State(app): State<App>,
    caller: Caller,
    Body(body, fingerprint): Body<NewNotification>,
) -> ApiResult<Response> {
    let payload = Payload::Notification(app.mailroom.accept(&body).map_err(ApiError::fields)?);
    let mut work = Work::create(&app, &caller, fingerprint).await?;
    let job_id =
        enqueue(&app, &caller, &mut work, &payload, Order { run_at: body.run_at, ..Order::default() })
            .await?;
    let target = job_id.to_string();
    let audit =
        Audit { action: "notification.create", target: &target, details: json!({ "type": body.kind }) };
    work.answer(StatusCode::ACCEPTED, audit, &NotificationQueued { job_id, status: JobStatus::Queued }).await
}

/// List the mails that can be sent
#[utoipa::path(get, path = "/notifications/types", tag = "notifications", responses((status = 200, body = NotificationTypes), Problems))]
async fn types(State(app): State<App>) -> Json<NotificationTypes> {
    Json(NotificationTypes { types: app.mailroom.templates.types() })
}

/// Render a mail without sending it
#[utoipa::path(post, path = "/notifications/preview", tag = "notifications", request_body = NewPreview,
    responses((status = 200, body = Preview), Problems))]
async fn preview(State(app): State<App>, Body(body, _): Body<NewPreview>) -> ApiResult<Json<Preview>> {
    let content = app.mailroom.templates.render(body.kind, &body.data).map_err(ApiError::fields)?;
    Ok(Json(Preview { subject: content.subject, text: content.text, html: content.html.unwrap_or_default() }))
}
