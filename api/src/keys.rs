//! Service keys: how other programs (Customer API, Admin API, an external scheduler) call.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Secret,
    ids::{KeyId, UserId},
    vocabulary::Scope,
};

/// POST /auth/keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewKey {
    /// Lower-case letters, digits and hyphens, 1 to 64; no living key has it.
    #[schema(min_length = 1, max_length = 64)]
    pub name: String,
    /// What it may do, at least one.
    #[schema(min_items = 1)]
    pub scopes: Vec<Scope>,
}

/// A service key; its secret is never shown again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceKey {
    /// Its id.
    pub id: KeyId,
    /// What it is called in logs and audit rows.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// The operator who made it.
    pub created_by: UserId,
    /// When.
    pub created_at: DateTime<Utc>,
    /// Its last use, to the minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<DateTime<Utc>>,
}

/// The answer to [`NewKey`]: the only time that the secret is shown.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyMade {
    /// The key.
    #[serde(flatten)]
    pub key: ServiceKey,
    /// `Authorization: Bearer <secret>`; begins with `ak_`.
    pub secret: Secret,
}

/// The answer to GET /auth/keys: newest first, revoked ones too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServiceKeys {
    /// Every key.
    pub keys: Vec<ServiceKey>,
}
