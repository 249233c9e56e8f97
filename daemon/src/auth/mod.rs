//! Who calls, and what they may do: passwords, tokens, sessions and the access table.
//!
//! Every request: bearer token -> signature and claims ([`token`]) -> session row, no cache, so that a logout or a
//! changed role acts at the next request -> the access table ([`access`]).
//!
//! A program calls with a service key (`ak_` ..) instead of a token; its row is asked at every request in the same way.
//! A session is kept alive by refresh tokens ([`refresh`]). Guessing is slowed down per account ([`lockout`]) and per
//! address ([`limits`]).

pub mod access;
pub mod digest;
pub mod limits;
pub mod lockout;
pub mod password;
pub mod refresh;
pub mod token;

use astrops_api::{
    auth::User,
    ids::{KeyId, SessionId},
    vocabulary::{Provider, Role, Scope},
};

/// Who calls.
#[derive(Clone, Debug)]
pub enum Principal {
    /// Nobody signed in.
    Anonymous,
    /// A signed-in user.
    User(Box<SignedInUser>),
    /// Who moves the money, by a signed webhook.
    Provider(Provider),
    /// Another program, by its service key.
    Key(Box<KeyHolder>),
}

/// A program with a living service key.
#[derive(Clone, Debug)]
pub struct KeyHolder {
    /// The key.
    pub id: KeyId,
    /// What the key is called.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
}

/// A user with a living session.
#[derive(Clone, Debug)]
pub struct SignedInUser {
    /// The user, as stored now.
    pub user: User,
    /// The session of the token.
    pub session: SessionId,
}

impl Principal {
    /// `user:<id>`, `key:<name>`, `provider:<name>` or `anonymous`: as audit rows and logs name it.
    pub fn name(&self) -> String {
        match self {
            Self::Anonymous => "anonymous".to_owned(),
            Self::User(signed_in) => format!("user:{}", signed_in.user.id),
            Self::Provider(provider) => format!("provider:{provider}"),
            Self::Key(key) => format!("key:{}", key.name),
        }
    }

    /// The signed-in user.
    pub fn user(&self) -> Option<&User> {
        match self {
            Self::Anonymous | Self::Provider(_) | Self::Key(_) => None,
            Self::User(signed_in) => Some(&signed_in.user),
        }
    }

    /// Who, for a person who reads the log.
    pub fn shown(&self) -> String {
        match self {
            Self::Anonymous => "nobody".to_owned(),
            Self::User(signed_in) => signed_in.user.email.clone(),
            Self::Provider(provider) => format!("the webhook of {provider}"),
            Self::Key(key) => format!("the service key {}", key.name),
        }
    }

    /// Whether it is an employee with the operator right.
    pub fn is_operator(&self) -> bool {
        self.user().is_some_and(User::is_operator)
    }

    /// Whether it is a user with this role.
    pub fn is(&self, role: Role) -> bool {
        self.user().is_some_and(|user| user.role == role)
    }

    /// Whether it is a program whose key has this scope.
    pub fn has_scope(&self, scope: Scope) -> bool {
        matches!(self, Self::Key(key) if key.scopes.contains(&scope))
    }

    /// Whether it is an employee.
    pub fn is_employee(&self) -> bool {
        self.is(Role::Employee)
    }
}
