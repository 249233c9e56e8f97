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
    db::Tx,
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
    let actors = Actors::of(&mut tx, &caller, entries.iter().map(|entry| entry.actor.as_str())).await?;
    tx.rollback().await?;
    for entry in &mut entries {
        entry.actor_email = actors.email(&entry.actor);
    }
    Ok(Json(AuditPage { entries, total, page: page.page, page_size: page.page_size }))
}

/// The addresses of those who did something, as the caller may see them.
pub struct Actors(HashMap<UserId, String>);

impl Actors {
    /// Looks them up; each is `user:<id>` or somebody without an address.
    pub async fn of(
        tx: &mut Tx,
        caller: &Caller,
        actors: impl Iterator<Item = &str>,
    ) -> Result<Self, sqlx::Error> {
        let users: Vec<UserId> = actors.filter_map(user_of).collect();
        let emails = users::emails(tx, &users).await?.into_iter();
        let known = emails.filter(|(_, email)| !accounts::is_erased(email));
        let shown = |email: String| if caller.principal.is_operator() { email } else { mask(&email) };
        Ok(Self(known.map(|(id, email)| (id, shown(email))).collect()))
    }

    /// The address of `user:<id>`, unless the account was closed; masked for viewers.
    pub fn email(&self, actor: &str) -> Option<String> {
        self.0.get(&user_of(actor)?).cloned()
    }
}

/// The user of `user:<id>`.
fn user_of(actor: &str) -> Option<UserId> {
    actor.strip_prefix("user:")?.parse().ok()
}
