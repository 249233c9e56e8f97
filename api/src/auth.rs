//! Registering, signing in, and who one is.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Secret,
    ids::UserId,
    vocabulary::{Right, Role},
};

/// POST /auth/register.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Register {
    /// The address; compared without regard to case.
    #[schema(max_length = 254)]
    pub email: String,
    /// 8 to 128 characters, none of the common ones.
    #[schema(min_length = 8, max_length = 128)]
    pub password: Secret,
    /// `customer` unless said; `employee` only by an operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// What to call the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200)]
    pub name: Option<String>,
    /// Of an employee; `viewer` unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub right: Option<Right>,
}

/// The answer to [`Register`]; `token` and `expiresIn` when one registered oneself.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Registered {
    /// The new user.
    #[serde(flatten)]
    pub user: User,
    /// An access token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
    /// Seconds until the token ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<u64>,
}

/// POST /auth/login.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Login {
    /// The address.
    #[schema(max_length = 254)]
    pub email: String,
    /// The password.
    #[schema(max_length = 128)]
    pub password: Secret,
}

/// The answer to [`Login`].
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignedIn {
    /// The access token: `Authorization: Bearer <token>`.
    pub token: Secret,
    /// Seconds until it ends.
    pub expires_in: u64,
    /// Who signed in.
    pub user: User,
}

/// A user as others may see it; never a hash.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// The user's id.
    pub id: UserId,
    /// Lower case.
    pub email: String,
    /// What to call the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the user is.
    pub role: Role,
    /// Of an employee.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub right: Option<Right>,
    /// When the account was made.
    pub created_at: DateTime<Utc>,
}

impl User {
    /// Whether the user may change things in the console.
    #[must_use]
    pub fn is_operator(&self) -> bool {
        self.role == Role::Employee && self.right == Some(Right::Operator)
    }
}
