//! Passwords of people: what a given one is worth, PUT /auth/password, and the end of a lock.
//!
//! An unknown address, a wrong password, a locked address and an account that may not be used get the same answer for
//! the same work: two look-ups, one password hash, one transaction with the same statements. The verdict falls in that
//! transaction, which holds the address's tally, so of many guesses at once no more count than one after the other.

use astrops_api::{
    Secret,
    auth::ChangePassword,
    ids::{JobId, UserId},
    notifications::NewNotification,
    users::Account,
    vocabulary::{EventType, JobType, NotificationType, Severity},
};
use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use chrono::SecondsFormat;
use serde_json::json;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    ApiError, ApiResult, App, Caller,
    docs::Problems,
    extract::{Body, Path},
    work::{Audit, Work},
};
use crate::{
    auth::{
        lockout::Tally,
        password::{self, Checked},
    },
    jobs::{Payload, notification::mask},
    logs::Entry,
    notify::address::check_address,
    store::{
        jobs::{self, NewJob},
        lockout, logs, sessions,
        users::{self, Credentials},
    },
};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(change)).routes(routes!(unlock))
}

/// A right password, in an open transaction that nobody else signs in with the address in.
pub struct Proven {
    /// To go on with and commit.
    pub work: Work,
    /// Whose it is.
    pub credentials: Credentials,
    /// A new hash, when the stored one has weaker parameters.
    pub rehashed: Option<String>,
}

/// Checks `password` for `email` (in lower case); `None` when it is worth nothing, for whatever reason. `what` was
/// asked for.
pub async fn prove(
    app: &App,
    caller: &Caller,
    email: &str,
    password: &Secret,
    what: &str,
) -> ApiResult<Option<Proven>> {
    let account = lockout::key_of(email);
    let mut tx = app.db.read().await?;
    let found = users::by_email(&mut tx, email).await?.filter(|credentials| credentials.is_active);
    let locked = lockout::is_locked(&mut tx, &account, app.clock.now()).await?;
    tx.rollback().await?;
    // While it is locked not even the right password is looked at; the time is spent all the same.
    let hash = found.as_ref().filter(|_| !locked).and_then(|found| found.password_hash.clone());
    let checked = app.passwords.check(password, hash).await?;
    let mut work = Work::begin(app, caller).await?;
    let now = work.now;
    let before = lockout::take(&mut work.tx, &account, now).await?;
    let found = match (found, checked) {
        (Some(credentials), Checked::Right(rehashed)) if !before.is_locked(now) => {
            lockout::forget(&mut work.tx, &account).await?;
            return Ok(Some(Proven { work, credentials, rehashed }));
        }
        (found, _) => found,
    };
    let after = before.with_failure(now);
    lockout::keep(&mut work.tx, &account, email, &after).await?;
    if after.is_locked(now) && !before.is_locked(now) {
        tell_of_lock(app, caller, work, email, found.as_ref(), &after).await?;
    } else {
        // Counting is nobody's act: no audit row.
        work.tx.commit().await?;
        let told = format!("{what} for {}", tried(email));
        let entry = Entry::new(&app.clock, EventType::Auth, Severity::Warning, told)
            .data(json!({ "requestId": caller.request_id, "isLocked": after.is_locked(now) }));
        let entry = about(entry, caller, found.as_ref());
        if app.refusals.is_first(&format!("login:{account}"), now) {
            app.recorder.record_soon(entry.into());
        }
    }
    Ok(None)
}

/// What was typed may be a password in the wrong field: only what can be an address is told, and masked.
fn tried(email: &str) -> String {
    if check_address(email).is_ok() { mask(email) } else { "what is no address".to_owned() }
}

fn about(entry: Entry, caller: &Caller, found: Option<&Credentials>) -> Entry {
    let entry = entry.address(caller.ip.as_deref());
    match found {
        Some(found) => entry.user(found.user.id),
        None => entry,
    }
}

/// Log, audit row and a mail to the owner, in the transaction of the lock. For an address that nobody has the mail is
/// made and thrown away, and no job is stored by the same statement.
async fn tell_of_lock(
    app: &App,
    caller: &Caller,
    mut work: Work,
    email: &str,
    found: Option<&Credentials>,
    tally: &Tally,
) -> ApiResult<()> {
    let until = tally.locked_until.unwrap_or(work.now);
    let minutes = (until - work.now).num_minutes();
    let severity = if found.is_some() { Severity::Error } else { Severity::Warning };
    let whose = if found.is_some() { "" } else { ", which is nobody's" };
    let told = format!(
        "sign-in as {}{whose} is locked for {minutes} min after {} wrong passwords; an operator can unlock it",
        tried(email),
        tally.failures
    );
    let entry = Entry::new(&app.clock, EventType::Auth, severity, told)
        .data(json!({ "requestId": caller.request_id, "lockedUntil": until, "lockouts": tally.lockouts }));
    let mut entries = vec![about(entry, caller, found).into()];

    let mut data = json!({ "until": until.to_rfc3339_opts(SecondsFormat::Secs, true), "email": email });
    if let Some(name) = found.and_then(|found| found.user.name.as_ref()) {
        data["name"] = json!(name);
    }
    if let Some(ip) = &caller.ip {
        data["ipAddress"] = json!(ip);
    }
    let new = NewNotification {
        kind: NotificationType::AccountLocked,
        recipient: email.to_owned(),
        data,
        run_at: None,
    };
    let mut jobs = Vec::new();
    match (found, app.mailroom.accept(&new)) {
        (Some(_), Ok(mail)) => {
            let id = JobId(app.clock.new_id());
            let told = format!("{} mail to {} accepted", new.kind, mask(email));
            entries.push(Entry::new(&app.clock, EventType::Job, Severity::Info, told).job(id).into());
            jobs.push(NewJob {
                id,
                kind: JobType::Notification,
                payload: Payload::Notification(mail).to_json(),
                run_at: work.now,
                priority: 0,
                max_attempts: app.config.jobs.max_attempts,
                unique_key: None,
                created_by: "daemon".to_owned(),
                schedule: None,
                created_at: work.now,
            });
        }
        (Some(found), Err(errors)) => {
            tracing::warn!(user.id = %found.user.id, ?errors, "the mail about a lock cannot be made");
        }
        (None, _) => {}
    }
    jobs::enqueue(&mut work.tx, &jobs).await?;
    logs::insert(&mut work.tx, &entries).await?;
    let target = found.map_or_else(|| tried(email), |found| found.user.id.to_string());
    let details = json!({ "lockedUntil": until, "lockouts": tally.lockouts });
    work.commit(Audit { action: "auth.lock", target: &target, details }).await
}

/// Change one's password
///
/// Ends every other session. A wrong current password counts as a failed sign-in.
#[utoipa::path(put, path = "/auth/password", tag = "auth", request_body = ChangePassword,
    responses((status = 204), Problems))]
async fn change(
    State(app): State<App>,
    caller: Caller,
    Body(body, _): Body<ChangePassword>,
) -> ApiResult<Response> {
    let signed_in = caller.signed_in()?;
    let user = &signed_in.user;
    password::check_choice(&body.new_password, &user.email)
        .map_err(|detail| ApiError::field("/newPassword", detail))?;
    // Not 401: the session lives on.
    let wrong = || {
        ApiError::field(
            "/currentPassword",
            "is not the password, or too many wrong ones have locked the account for now; nothing was changed",
        )
    };
    let what = "a password change was refused";
    let proven = prove(&app, &caller, &user.email, &body.current_password, what).await?;
    let Some(Proven { work, credentials, .. }) = proven else { return Err(wrong()) };
    // Not in a transaction: hashing takes its time. What was proven is looked at again when it is stored.
    work.tx.rollback().await?;
    let hash = app.passwords.hash(&body.new_password).await?;
    let mut work = Work::begin(&app, &caller).await?;
    let now = work.now;
    // The tally before the user, as everywhere: two that wait for one another would end in a deadlock.
    lockout::forget(&mut work.tx, &lockout::key_of(&user.email)).await?;
    if !users::set_password(&mut work.tx, &credentials, &hash, now).await? {
        return Err(wrong());
    }
    let ended = sessions::revoke_all(&mut work.tx, user.id, Some(signed_in.session), now).await?;
    let told = format!("{} changed the password; {ended} other sessions ended", user.email);
    work.log(
        Entry::new(&app.clock, EventType::Auth, Severity::Warning, told)
            .user(user.id)
            .address(caller.ip.as_deref()),
    )
    .await?;
    let target = user.id.to_string();
    let details = json!({ "endedSessions": ended });
    work.commit(Audit { action: "auth.password", target: &target, details }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// End the lock of a user
///
/// Forgets every wrong password; the next lock is a short one again.
#[utoipa::path(post, path = "/users/{id}/unlock", tag = "users", params(("id" = String, Path)),
    responses((status = 200, body = Account), Problems))]
async fn unlock(State(app): State<App>, caller: Caller, Path(id): Path<UserId>) -> ApiResult<Response> {
    let mut work = Work::begin(&app, &caller).await?;
    let now = work.now;
    let nobody = || ApiError::no_such("user", id);
    let before = users::account(&mut work.tx, id, now).await?.ok_or_else(nobody)?;
    lockout::unlock(&mut work.tx, &before.user.email, now).await?;
    let after = users::account(&mut work.tx, id, now).await?.ok_or_else(nobody)?;
    let told = format!("{} was unlocked by {}", before.user.email, caller.name());
    work.log(Entry::new(&app.clock, EventType::Auth, Severity::Info, told).user(id)).await?;
    let details = json!({ "lockedUntil": before.locked_until, "failures": before.failed_login_attempts });
    let target = id.to_string();
    work.answer(StatusCode::OK, Audit { action: "user.unlock", target: &target, details }, &after).await
}
