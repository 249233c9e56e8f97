//! Accounts, sessions, service keys, followers and the audit log.

use reqwest::Method;

use super::{Answer, CALL, Client};
use crate::{
    audit::{AuditPage, AuditQuery},
    auth::{ChangePassword, Login, Refresh, Refreshed, Register, Registered, Sessions, SignedIn},
    ids::{KeyId, SessionId, UserId},
    keys::{KeyMade, NewKey, ServiceKey, ServiceKeys},
    users::{Account, EditUser, FollowerPage, FollowerQuery, UserPage, UserQuery},
};

impl Client {
    /// POST /auth/register.
    pub async fn register(&self, body: &Register) -> Answer<Registered> {
        self.post("/auth/register", body).await
    }

    /// POST /auth/login.
    pub async fn login(&self, body: &Login) -> Answer<SignedIn> {
        self.post("/auth/login", body).await
    }

    /// POST /auth/refresh.
    pub async fn refresh(&self, body: &Refresh) -> Answer<Refreshed> {
        self.post("/auth/refresh", body).await
    }

    /// GET /auth/me.
    pub async fn me(&self) -> Answer<Account> {
        self.get("/auth/me", &()).await
    }

    /// POST /auth/logout.
    pub async fn logout(&self) -> Answer<()> {
        self.order(Method::POST, "/auth/logout").await
    }

    /// PUT /auth/password.
    pub async fn change_password(&self, body: &ChangePassword) -> Answer<()> {
        Self::send(self.request(Method::PUT, "/auth/password").timeout(CALL).json(body)).await.map(drop)
    }

    /// GET /auth/sessions: one's own.
    pub async fn sessions(&self) -> Answer<Sessions> {
        self.get("/auth/sessions", &()).await
    }

    /// DELETE /auth/sessions/{id}: one's own.
    pub async fn revoke_session(&self, id: SessionId) -> Answer<()> {
        self.order(Method::DELETE, &format!("/auth/sessions/{id}")).await
    }

    /// POST /auth/keys.
    pub async fn create_key(&self, body: &NewKey) -> Answer<KeyMade> {
        self.post("/auth/keys", body).await
    }

    /// GET /auth/keys.
    pub async fn keys(&self) -> Answer<ServiceKeys> {
        self.get("/auth/keys", &()).await
    }

    /// GET /auth/keys/{id}.
    pub async fn key(&self, id: KeyId) -> Answer<ServiceKey> {
        self.get(&format!("/auth/keys/{id}"), &()).await
    }

    /// DELETE /auth/keys/{id}.
    pub async fn revoke_key(&self, id: KeyId) -> Answer<()> {
        self.order(Method::DELETE, &format!("/auth/keys/{id}")).await
    }

    /// GET /users.
    pub async fn users(&self, query: &UserQuery) -> Answer<UserPage> {
        self.get("/users", query).await
    }

    /// GET /users/{id}.
    pub async fn user(&self, id: UserId) -> Answer<Account> {
        self.get(&format!("/users/{id}"), &()).await
    }

    /// PUT /users/{id}.
    pub async fn edit_user(&self, id: UserId, body: &EditUser) -> Answer<Account> {
        self.call(Method::PUT, &format!("/users/{id}"), body).await
    }

    /// DELETE /users/{id}: cancels what is the user's and erases the person.
    pub async fn delete_user(&self, id: UserId) -> Answer<()> {
        self.order(Method::DELETE, &format!("/users/{id}")).await
    }

    /// POST /users/{id}/unlock.
    pub async fn unlock_user(&self, id: UserId) -> Answer<Account> {
        self.act(&format!("/users/{id}/unlock")).await
    }

    /// GET /users/{id}/sessions.
    pub async fn user_sessions(&self, id: UserId) -> Answer<Sessions> {
        self.get(&format!("/users/{id}/sessions"), &()).await
    }

    /// DELETE /users/{id}/sessions: ends every session of the user.
    pub async fn revoke_user_sessions(&self, id: UserId) -> Answer<()> {
        self.order(Method::DELETE, &format!("/users/{id}/sessions")).await
    }

    /// PUT /users/{id}/follow.
    pub async fn follow(&self, supplier: UserId) -> Answer<()> {
        self.order(Method::PUT, &format!("/users/{supplier}/follow")).await
    }

    /// DELETE /users/{id}/follow.
    pub async fn unfollow(&self, supplier: UserId) -> Answer<()> {
        self.order(Method::DELETE, &format!("/users/{supplier}/follow")).await
    }

    /// GET /users/{id}/followers.
    pub async fn followers(&self, supplier: UserId, query: &FollowerQuery) -> Answer<FollowerPage> {
        self.get(&format!("/users/{supplier}/followers"), query).await
    }

    /// GET /audit.
    pub async fn audit(&self, query: &AuditQuery) -> Answer<AuditPage> {
        self.get("/audit", query).await
    }
}
