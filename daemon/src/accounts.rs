//! The rules of an account, wherever it is made: by the API, or by `astrops user add`.

use astrops_api::{
    Secret,
    auth::User,
    ids::{EntityId, embed},
};

use crate::{
    auth::password,
    clock::Clock,
    notify::address::{check_address, check_line},
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
pub fn check(mut user: User, password: &Secret) -> Result<User, Vec<(&'static str, String)>> {
    let mut errors = Vec::new();
    user.email = user.email.trim().to_lowercase();
    if let Err(detail) = check_address(&user.email) {
        errors.push(("email", detail));
    }
    if let Err(detail) = password::check_choice(password, &user.email) {
        errors.push(("password", detail));
    }
    if let Some(name) = &user.name
        && let Err(detail) = check_line(name)
    {
        errors.push(("name", detail));
    }
    if errors.is_empty() { Ok(user) } else { Err(errors) }
}
