//! The rules of an account, wherever it is made, changed or closed: by the API, or by `astrops user add`.

use astrops_api::{
    Secret,
    auth::User,
    ids::{BookingId, EntityId, LaunchId, UserId, embed},
    vocabulary::DomainEventKind,
};
use chrono::{DateTime, Utc};
use serde_json::json;

use crate::{
    auth::password,
    booking::{Act, Desk, Refusal, seats::Canceller},
    clock::Clock,
    db::Tx,
    notify::address::{check_address, check_line},
    store::{
        bookings, follows, idempotency, interests, launches, lockout,
        outbox::{self, NewEvent},
        reconcile, sessions,
        users::{self, ERASED, NewUser},
    },
};

/// A new id in the shape of the document database: seconds, then bits of a `UUIDv7`, which are unique and rise.
pub fn new_entity_id(clock: &Clock) -> EntityId {
    let unique = clock.new_id().as_u128();
    let seconds = u32::try_from(clock.now().timestamp()).unwrap_or(u32::MAX);
    let mut object_id = [0u8; 12];
    object_id[..4].copy_from_slice(&seconds.to_be_bytes());
    // The low 64 bits hold the counter and the randomness behind the variant.
    object_id[4..].copy_from_slice(&unique.to_be_bytes()[8..]);
    EntityId(embed(object_id))
}

/// The user with its e-mail in lower case, or which fields are wrong and why.
pub fn check(user: User, password: &Secret) -> Result<User, Vec<(&'static str, String)>> {
    let choice = password::check_choice(password, user.email.trim());
    let person = check_person(user);
    let Err(detail) = choice else { return person };
    let mut errors = person.err().unwrap_or_default();
    errors.push(("password", detail));
    Err(errors)
}

/// The same without a password.
pub fn check_person(mut user: User) -> Result<User, Vec<(&'static str, String)>> {
    let mut errors = Vec::new();
    user.email = user.email.trim().to_lowercase();
    if let Err(detail) = check_address(&user.email) {
        errors.push(("email", detail));
    } else if user.email.ends_with(ERASED) {
        errors.push(("email", "is kept for accounts that were deleted; no mail can reach it".to_owned()));
    }
    if let Some(name) = &user.name
        && let Err(detail) = check_line(name)
    {
        errors.push(("name", detail));
    }
    if errors.is_empty() { Ok(user) } else { Err(errors) }
}

/// Whether the account with this address was erased.
pub fn is_erased(email: &str) -> bool {
    email.ends_with(ERASED)
}

/// Stores a checked user and tells that there is one; false when the e-mail is taken.
pub async fn create(tx: &mut Tx, clock: &Clock, new: &NewUser<'_>) -> Result<bool, sqlx::Error> {
    let made = users::insert(tx, new).await?;
    if made {
        let data = json!({ "role": new.user.role });
        let event = NewEvent::user(DomainEventKind::UserCreated, new.user.id, data);
        outbox::insert(tx, clock, new.user.created_at, &[event]).await?;
    }
    Ok(made)
}

/// What hangs on an account as long as it has its role, and would be left without an owner.
pub struct Ties {
    /// Its launches that are still to come.
    pub launches: Vec<LaunchId>,
    /// Its active bookings of launches that are still to come.
    pub bookings: Vec<BookingId>,
}

/// The ties of a locked user. What has begun is history: it stays as it is.
pub async fn ties(tx: &mut Tx, user: UserId, now: DateTime<Utc>) -> Result<Ties, sqlx::Error> {
    let mut ties = Ties { launches: Vec::new(), bookings: Vec::new() };
    for id in launches::scheduled_of(tx, user).await? {
        if is_ahead(tx, id, now).await? {
            ties.launches.push(id);
        }
    }
    for (booking, launch) in bookings::active_of_user(tx, user).await? {
        if is_ahead(tx, launch, now).await? {
            ties.bookings.push(booking);
        }
    }
    Ok(ties)
}

async fn is_ahead(tx: &mut Tx, id: LaunchId, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    Ok(launches::find(tx, id).await?.is_some_and(|launch| launch.start_date_time > now))
}

/// Forgets what a user has asked to be told of, and who asked to be told of the user's launches.
pub async fn forget_wishes(tx: &mut Tx, user: UserId) -> Result<(), sqlx::Error> {
    follows::delete_of(tx, user).await?;
    interests::delete_of(tx, user).await
}

/// Closes the account of a locked user: cancels what is still to come (everybody concerned is told first), ends every
/// session, and keeps of the person only a number that past bookings and launches can name. Answers what was cancelled.
pub async fn erase(
    tx: &mut Tx,
    clock: &Clock,
    desk: &Desk,
    act: Act<'_>,
    user: &User,
) -> Result<Ties, Refusal> {
    let ties = ties(tx, user.id, act.now).await?;
    for id in &ties.launches {
        desk.cancel_launch(tx, act, *id, Some("the supplier has closed the account")).await?;
    }
    for id in &ties.bookings {
        let reason = Some("the customer has closed the account");
        desk.cancel_booking(tx, act, *id, Canceller::Office, reason).await?;
    }
    forget_wishes(tx, user.id).await?;
    sessions::delete_of(tx, user.id).await?;
    lockout::forget(tx, &lockout::key_of(&user.email)).await?;
    idempotency::delete_of(tx, &format!("user:{}", user.id)).await?;
    reconcile::forget_user(tx, user.id.into()).await?;
    users::erase(tx, user.id, &format!("deleted-{}{ERASED}", user.id), act.now).await?;
    let event = NewEvent::user(DomainEventKind::UserDeleted, user.id, json!({ "role": user.role }));
    outbox::insert(tx, clock, act.now, &[event]).await?;
    Ok(ties)
}
