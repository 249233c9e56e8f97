//! Registering, signing in, and who one is.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Secret,
    ids::{SessionId, UserId},
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

/// The answer to [`Register`]; `token`, `expiresIn` and `refreshToken` when one registered oneself.
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
    /// What gets the next access token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<Secret>,
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
    /// What the device calls itself, so that its owner recognises the session; one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 100)]
    pub device_id: Option<String>,
}

impl Login {
    /// The sign-in of a device that does not name itself.
    #[must_use]
    pub fn new(email: impl Into<String>, password: Secret) -> Self {
        Self { email: email.into(), password, device_id: None }
    }
}

/// The answer to [`Login`].
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignedIn {
    /// The access token: `Authorization: Bearer <token>`.
    pub token: Secret,
    /// Seconds until it ends.
    pub expires_in: u64,
    /// What gets the next access token: POST /auth/refresh.
    pub refresh_token: Secret,
    /// Who signed in.
    pub user: User,
}

/// POST /auth/refresh.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Refresh {
    /// The newest refresh token of the session.
    #[schema(max_length = 200)]
    pub refresh_token: Secret,
}

/// The answer to [`Refresh`]; the refresh token that was sent is spent.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Refreshed {
    /// The next access token.
    pub token: Secret,
    /// Seconds until it ends.
    pub expires_in: u64,
    /// What gets the one after it.
    pub refresh_token: Secret,
}

/// PUT /auth/password: ends every other session.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangePassword {
    /// The one that is valid now.
    #[schema(max_length = 128)]
    pub current_password: Secret,
    /// 8 to 128 characters, none of the common ones.
    #[schema(min_length = 8, max_length = 128)]
    pub new_password: Secret,
}

/// One sign-in of a user on a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// What the device said of itself.
    pub device_info: DeviceInfo,
    /// Whether it is the session of this request.
    pub is_current: bool,
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// Its last use, to the minute.
    pub last_used_at: DateTime<Utc>,
    /// When it ends unless it is refreshed.
    pub expires_at: DateTime<Utc>,
}

/// The device of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeviceInfo {
    /// The program's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// The address that it signed in from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// Its name, when it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
}

/// The answer to GET /auth/sessions and GET /users/{id}/sessions: living sessions, the last used first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sessions {
    /// Every living session.
    pub sessions: Vec<Session>,
}

/// A user as others may see it; never a hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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
