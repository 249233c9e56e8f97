//! /users/{id}/follow and /followers: customers who are told of every new launch of a supplier.

use astrops_api::{
    ids::UserId,
    users::{FollowerPage, FollowerQuery},
    vocabulary::Role,
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
    docs::Problems,
    error::Kind,
    extract::{Path, Query},
    paging::Page,
    users::check_visible,
    work::{Audit, Work},
};
use crate::store::{contacts, follows, users};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(follow, unfollow)).routes(routes!(followers))
}

/// Follow a supplier
///
/// From now on the customer is told of every new launch. A second time changes nothing.
#[utoipa::path(put, path = "/users/{id}/follow", tag = "users", params(("id" = UserId, Path,)),
    responses((status = 204), Problems))]
async fn follow(State(app): State<App>, caller: Caller, Path(id): Path<UserId>) -> ApiResult<Response> {
    let me = me(&caller)?;
    let mut work = Work::begin(&app, &caller).await?;
    if contacts::lock_supplier(&mut work.tx, id).await?.is_none() {
        return Err(ApiError::no_such("active supplier", id));
    }
    let now = work.now;
    if follows::insert(&mut work.tx, id, me, now).await? {
        let target = id.to_string();
        work.commit(Audit { action: "user.follow", target: &target, details: json!({}) }).await?;
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Do not follow a supplier
#[utoipa::path(delete, path = "/users/{id}/follow", tag = "users", params(("id" = UserId, Path,)),
    responses((status = 204), Problems))]
async fn unfollow(State(app): State<App>, caller: Caller, Path(id): Path<UserId>) -> ApiResult<Response> {
    let me = me(&caller)?;
    let mut work = Work::begin(&app, &caller).await?;
    if follows::delete(&mut work.tx, id, me).await? {
        let target = id.to_string();
        work.commit(Audit { action: "user.unfollow", target: &target, details: json!({}) }).await?;
    } else if contacts::find(&mut work.tx, id).await?.is_none() {
        return Err(ApiError::no_such("active supplier", id));
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// List the customers who follow a supplier
#[utoipa::path(get, path = "/users/{id}/followers", tag = "users", params(("id" = UserId, Path,), FollowerQuery),
    responses((status = 200, body = FollowerPage), Problems))]
async fn followers(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<UserId>,
    Query(query): Query<FollowerQuery>,
) -> ApiResult<Json<FollowerPage>> {
    let page = Page::of(query.paging())?;
    check_visible(&caller.principal, id)?;
    let mut tx = app.db.read().await?;
    let supplier = users::account(&mut tx, id, app.clock.now()).await?;
    if supplier.is_none_or(|account| account.user.role != Role::Supplier) {
        return Err(ApiError::no_such("supplier", id));
    }
    let (followers, total) = follows::list(&mut tx, id, query.order, page.slice()).await?;
    tx.rollback().await?;
    Ok(Json(FollowerPage { followers, total, page: page.page, page_size: page.page_size }))
}

fn me(caller: &Caller) -> ApiResult<UserId> {
    let user = caller.principal.user();
    user.map(|user| user.id).ok_or_else(|| ApiError::new(Kind::SignInRequired, "sign in first"))
}
