//! Users as operators and they themselves see them, and whom customers follow.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    auth::User,
    ids::UserId,
    launches::given,
    paging::{list_query, page_of},
    vocabulary::{Right, Role},
};

/// A user with the state of the account; never a hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// The user.
    #[serde(flatten)]
    pub user: User,
    /// False: cannot sign in.
    pub is_active: bool,
    /// Whether wrong passwords have locked it for now.
    pub is_locked: bool,
    /// Until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked_until: Option<DateTime<Utc>>,
    /// Wrong passwords in a row.
    pub failed_login_attempts: u32,
    /// The last sign-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_login_at: Option<DateTime<Utc>>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

list_query! {
    /// GET /users: newest first unless `order=asc`.
    UserQuery {
        /// With this role.
        #[param(value_type = Option<String>)]
        role: Role,
        /// With this text in e-mail or name, whatever the case.
        q: String,
        /// Only those who may, or may not, sign in.
        is_active: bool,
        /// Only those who are, or are not, locked now.
        is_locked: bool,
        /// `date` (createdAt), the default; `email`, `name`, `lastLoginAt`.
        sort: String,
    }
}

page_of! {
    /// The answer to GET /users.
    UserPage { users: Account }
}

/// PUT /users/{id}: what is absent stays. Role, right and isActive only by an operator, never one's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EditUser {
    /// What to call the person; `null` removes it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 200)]
    pub name: Option<Option<String>>,
    /// Another address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 254)]
    pub email: Option<String>,
    /// Another role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Of an employee.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub right: Option<Right>,
    /// False ends every session and lets nobody in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_active: Option<bool>,
}

/// A customer who follows a supplier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Follower {
    /// The customer.
    pub id: UserId,
    /// What to call the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Since when.
    pub since: DateTime<Utc>,
}

list_query! {
    /// GET /users/{id}/followers: the latest first unless `order=asc`.
    FollowerQuery {}
}

page_of! {
    /// The answer to GET /users/{id}/followers.
    FollowerPage { followers: Follower }
}
