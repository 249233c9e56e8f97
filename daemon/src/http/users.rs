//! /users: accounts as operators and their owners see, change and close them.

use astrops_api::{
    auth::User,
    ids::UserId,
    problem::FieldError,
    users::{Account, EditUser, UserPage, UserQuery},
    vocabulary::{DomainEventKind, EventType, Right, Role, Severity},
};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    ApiError, ApiResult, App, Caller,
    caller::refused,
    docs::Problems,
    error::Kind,
    extract::{Body, Path, Query},
    paging::{Page, check_search, check_sort},
    work::{Audit, Work},
};
use crate::{
    accounts,
    auth::Principal,
    booking::Act,
    db::Tx,
    jobs::notification::mask,
    logs::Entry,
    store::{
        outbox::{self, NewEvent},
        sessions,
        users::{self, SORTS},
    },
};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show, edit, erase))
}

/// List users
///
/// Viewers see masked addresses, and `q` looks for names only.
#[utoipa::path(get, path = "/users", tag = "users", params(UserQuery),
    responses((status = 200, body = UserPage), Problems))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<UserQuery>,
) -> ApiResult<Json<UserPage>> {
    let page = Page::of(query.paging())?;
    check_search(query.q.as_deref())?;
    let sort = check_sort(query.sort.as_deref(), SORTS)?;
    let masked = !caller.principal.is_operator();
    if masked && sort == "email" {
        // Where an address stands among others tells what it is.
        return Err(ApiError::field("sort", "email is for operators, who see addresses in full"));
    }
    let mut tx = app.db.read().await?;
    let (users, total) = users::list(&mut tx, &query, masked, sort, page.slice(), app.clock.now()).await?;
    tx.rollback().await?;
    let users = users.into_iter().map(|account| seen_by(&caller.principal, account)).collect();
    Ok(Json(UserPage { users, total, page: page.page, page_size: page.page_size }))
}

/// Show a user
#[utoipa::path(get, path = "/users/{id}", tag = "users", params(("id" = UserId, Path,)),
    responses((status = 200, body = Account), Problems))]
async fn show(State(app): State<App>, caller: Caller, Path(id): Path<UserId>) -> ApiResult<Json<Account>> {
    check_visible(&caller.principal, id)?;
    let mut tx = app.db.read().await?;
    let account = users::account(&mut tx, id, app.clock.now()).await?.ok_or_else(|| no_such(id))?;
    tx.rollback().await?;
    Ok(Json(seen_by(&caller.principal, account)))
}

/// Change a user
///
/// Everybody changes their own name and address, which acts at once. Role, right and isActive are for operators, and
/// never their own.
#[utoipa::path(put, path = "/users/{id}", tag = "users", params(("id" = UserId, Path,)), request_body = EditUser,
    responses((status = 200, body = Account), Problems))]
async fn edit(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<UserId>,
    Body(body, _): Body<EditUser>,
) -> ApiResult<Response> {
    let me = own_or_operator(&app, &caller, id, "PUT /users/{id}")?;
    let mut work = Work::begin(&app, &caller).await?;
    let now = work.now;
    let standing = body.role.is_some() || body.right.is_some() || body.is_active.is_some();
    // Before the user, so that operators who change each other do not wait for each other in a ring.
    let operators = if standing { users::lock_operators(&mut work.tx).await? } else { Vec::new() };
    let before = living(&mut work.tx, now, id).await?;
    let (user, is_active) = applied(&before, body)?;
    let changes = Changes::between(&before, &user, is_active);
    if changes.0.is_empty() {
        return Ok(Json(before).into_response());
    }
    if changes.of_standing() {
        if id == me {
            return Err(refused(
                &app,
                &caller,
                "PUT /users/{id} role, right or isActive",
                "another operator",
            ));
        }
        if !caller.principal.is_operator() {
            return Err(refused(&app, &caller, "PUT /users/{id} role, right or isActive", "operators"));
        }
        let stays = is_active && user.is_operator();
        if !stays {
            check_not_last(&operators, id)?;
        }
    }
    if user.role != before.user.role {
        let ties = accounts::ties(&mut work.tx, id, now).await?;
        if !ties.launches.is_empty() || !ties.bookings.is_empty() {
            let told = format!(
                "{} launches and {} bookings still to come belong to this {}; cancel them first",
                ties.launches.len(),
                ties.bookings.len(),
                before.user.role
            );
            return Err(ApiError::new(Kind::Conflict, told));
        }
        accounts::forget_wishes(&mut work.tx, id).await?;
    }
    if !users::update(&mut work.tx, &user, is_active, now).await? {
        return Err(ApiError::new(Kind::EmailTaken, "another account has it; nothing was changed"));
    }
    if before.is_active && !is_active {
        sessions::revoke_all(&mut work.tx, id, None, now).await?;
    }
    let event = NewEvent::user(DomainEventKind::UserUpdated, id, changes.public());
    outbox::insert(&mut work.tx, &app.clock, now, &[event]).await?;
    let told = format!("{} {} changed: {}", user.role, mask(&user.email), changes.names().join(", "));
    let severity = if changes.of_standing() { Severity::Warning } else { Severity::Info };
    let entry = Entry::new(&app.clock, EventType::Auth, severity, told).user(id);
    work.log(entry.address(caller.ip.as_deref())).await?;
    let after = users::account(&mut work.tx, id, now).await?.ok_or_else(|| no_such(id))?;
    let target = id.to_string();
    work.answer(
        StatusCode::OK,
        Audit { action: "user.edit", target: &target, details: changes.public() },
        &after,
    )
    .await
}

/// Close an account
///
/// Cancels the launches and bookings that are still to come (everybody concerned is told), ends every session and erases
/// the personal data. What has begun stays as it is, without a name.
#[utoipa::path(delete, path = "/users/{id}", tag = "users", params(("id" = UserId, Path,)),
    responses((status = 204), Problems))]
async fn erase(State(app): State<App>, caller: Caller, Path(id): Path<UserId>) -> ApiResult<Response> {
    own_or_operator(&app, &caller, id, "DELETE /users/{id}")?;
    let mut work = Work::begin(&app, &caller).await?;
    let (by, now) = (caller.principal.name(), work.now);
    let operators = users::lock_operators(&mut work.tx).await?;
    let account = living(&mut work.tx, now, id).await?;
    check_not_last(&operators, id)?;
    let act = Act { by: &by, now };
    let ties = accounts::erase(&mut work.tx, &app.clock, &app.desk, act, &account.user).await?;
    let (launches, bookings) = (ties.launches.len(), ties.bookings.len());
    let told = format!(
        "the account of {} {} is closed and its personal data erased; {launches} launches and {bookings} bookings cancelled",
        account.user.role, id
    );
    work.log(Entry::new(&app.clock, EventType::Auth, Severity::Warning, told).user(id)).await?;
    let target = id.to_string();
    let details = json!({ "role": account.user.role, "launches": launches, "bookings": bookings });
    work.commit(Audit { action: "user.delete", target: &target, details }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// What differs, each with what tells the change: never an address or a name.
struct Changes(Map<String, Value>);

impl Changes {
    fn between(before: &Account, user: &User, is_active: bool) -> Self {
        let old = &before.user;
        let mut changes = Map::new();
        let private = [("email", old.email != user.email), ("name", old.name != user.name)];
        for (field, _) in private.into_iter().filter(|(_, differs)| *differs) {
            changes.insert(field.to_owned(), json!("changed"));
        }
        let public = [
            ("role", json!(old.role), json!(user.role)),
            ("right", json!(old.right), json!(user.right)),
            ("isActive", json!(before.is_active), json!(is_active)),
        ];
        for (field, from, to) in public.into_iter().filter(|(_, from, to)| from != to) {
            changes.insert(field.to_owned(), json!({ "from": from, "to": to }));
        }
        Self(changes)
    }

    /// Whether what the user may do changes.
    fn of_standing(&self) -> bool {
        ["role", "right", "isActive"].into_iter().any(|field| self.0.contains_key(field))
    }

    fn names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    fn public(&self) -> Value {
        Value::Object(self.0.clone())
    }
}

/// The user and isActive as `edit` wants them.
fn applied(before: &Account, edit: EditUser) -> ApiResult<(User, bool)> {
    let old = &before.user;
    let role = edit.role.unwrap_or(old.role);
    if role != Role::Employee && edit.right.is_some() {
        return Err(ApiError::field("/right", "only employees have a right"));
    }
    let right = (role == Role::Employee).then(|| edit.right.or(old.right).unwrap_or(Right::Viewer));
    let user = User {
        email: edit.email.unwrap_or_else(|| old.email.clone()),
        name: edit.name.unwrap_or_else(|| old.name.clone()),
        role,
        right,
        ..old.clone()
    };
    let user = accounts::check_person(user).map_err(|errors| {
        let error = |(field, detail)| FieldError { pointer: format!("/{field}"), detail };
        ApiError::fields(errors.into_iter().map(error).collect())
    })?;
    Ok((user, edit.is_active.unwrap_or(before.is_active)))
}

/// The user, held until the work ends.
async fn living(tx: &mut Tx, now: DateTime<Utc>, id: UserId) -> ApiResult<Account> {
    let account = users::lock(tx, id, now).await?.ok_or_else(|| no_such(id))?;
    if accounts::is_erased(&account.user.email) {
        let told = "the account was closed and its personal data erased; it stays so, register a new one";
        return Err(ApiError::new(Kind::Conflict, told));
    }
    Ok(account)
}

fn check_not_last(operators: &[UserId], id: UserId) -> ApiResult<()> {
    if operators == [id] {
        let told = "this is the last active operator, and somebody must be able to act; \
                    make another one first (right operator, or astrops user add on the machine)";
        return Err(ApiError::new(Kind::Conflict, told));
    }
    Ok(())
}

/// 404 for what is not the caller's: whether it exists is nobody else's business.
pub fn check_visible(principal: &Principal, id: UserId) -> ApiResult<()> {
    let mine = principal.user().is_some_and(|me| me.id == id);
    if mine || principal.is_employee() { Ok(()) } else { Err(no_such(id)) }
}

/// The caller's own id, when the account is the caller's or the caller an operator.
fn own_or_operator(app: &App, caller: &Caller, id: UserId, route: &str) -> ApiResult<UserId> {
    check_visible(&caller.principal, id)?;
    let me = caller.principal.user().ok_or_else(|| no_such(id))?.id;
    if me == id || caller.principal.is_operator() {
        return Ok(me);
    }
    Err(refused(app, caller, route, "the user, and employees with the operator right"))
}

pub fn no_such(id: UserId) -> ApiError {
    ApiError::no_such("user", id)
}

/// The account as `principal` may see it: addresses in full for operators and their owner.
fn seen_by(principal: &Principal, mut account: Account) -> Account {
    let mine = principal.user().is_some_and(|me| me.id == account.user.id);
    if !mine && !principal.is_operator() {
        account.user.email = mask(&account.user.email);
    }
    account
}
