//! /audit: who changed what.

use std::collections::HashMap;

use astrops_api::{
    audit::{AuditPage, AuditQuery},
    ids::{EntityId, UserId},
};
use axum::{Json, extract::State};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    ApiError, ApiResult, App, Caller,
    docs::Problems,
    extract::Query,
    paging::{Page, check_time},
};
use crate::{
    accounts,
    jobs::notification::mask,
    store::{audit, users},
};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// List what was changed and by whom, newest first
#[utoipa::path(get, path = "/audit", tag = "audit", params(AuditQuery),
    responses((status = 200, body = AuditPage), Problems))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<AuditQuery>,
) -> ApiResult<Json<AuditPage>> {
    let page = Page::of(query.paging())?;
    check_time("from", query.from)?;
    check_time("to", query.to)?;
    let texts = [("actor", &query.actor), ("action", &query.action), ("target", &query.target)];
    for (name, text) in texts {
        if let Some(length) =
            text.as_ref().map(|text| text.chars().count()).filter(|n| !(1..=300).contains(n))
        {
            return Err(ApiError::field(name, format!("must have 1 to 300 characters, not {length}")));
        }
    }
    let query = AuditQuery {
        actor: query.actor.as_deref().map(|actor| match user_of(actor) {
            Some(id) => format!("user:{id}"),
            None => actor.to_owned(),
        }),
        // An id in any of its forms.
        target: query.target.map(|text| text.parse::<EntityId>().map_or(text, |id| id.to_string())),
        ..query
    };
    let mut tx = app.db.read().await?;
    let (mut entries, total) = audit::list(&mut tx, &query, page.slice()).await?;
    let actors: Vec<UserId> = entries.iter().filter_map(|entry| user_of(&entry.actor)).collect();
    let emails: HashMap<UserId, String> = users::emails(&mut tx, &actors).await?.into_iter().collect();
    tx.rollback().await?;
    for entry in &mut entries {
        let email = user_of(&entry.actor).and_then(|id| emails.get(&id));
        let email = email.filter(|email| !accounts::is_erased(email));
        entry.actor_email =
            email.map(|email| if caller.principal.is_operator() { email.clone() } else { mask(email) });
    }
    Ok(Json(AuditPage { entries, total, page: page.page, page_size: page.page_size }))
}

/// The user of `user:<id>`.
fn user_of(actor: &str) -> Option<UserId> {
    actor.strip_prefix("user:")?.parse().ok()
}
