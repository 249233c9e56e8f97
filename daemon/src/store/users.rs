//! `users`: who can sign in.

use astrops_api::{
    auth::User,
    ids::UserId,
    users::Account,
    vocabulary::{Right, Role},
};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::db::{Tx, on};

/// A new user as it is stored.
pub struct NewUser<'a> {
    /// The user; its e-mail in lower case.
    pub user: &'a User,
    /// An argon2id PHC string.
    pub password_hash: &'a str,
}

/// What signing in needs to know.
pub struct Credentials {
    /// The user.
    pub user: User,
    /// An argon2id PHC string; none for a user who cannot sign in.
    pub password_hash: Option<String>,
    /// Whether the account may be used.
    pub is_active: bool,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    email: String,
    name: Option<String>,
    #[sqlx(try_from = "String")]
    role: Role,
    right: Option<String>,
    password_hash: Option<String>,
    is_active: bool,
    created_at: DateTime<Utc>,
}

impl From<Row> for Credentials {
    fn from(row: Row) -> Self {
        let user = User {
            id: UserId(row.id),
            email: row.email,
            name: row.name,
            role: row.role,
            // The table's CHECK keeps the words; one it did not know would give no right.
            right: row.right.and_then(|word| word.parse::<Right>().ok()),
            created_at: row.created_at,
        };
        Self { user, password_hash: row.password_hash, is_active: row.is_active }
    }
}

/// Stores a user; false when the e-mail is taken.
pub async fn insert(tx: &mut Tx, new: &NewUser<'_>) -> Result<bool, sqlx::Error> {
    let user = new.user;
    on!(tx, |conn| {
        let inserted = sqlx::query(
            r#"INSERT INTO users (id, email, name, role, "right", password_hash, created_at, updated_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $7) ON CONFLICT (email) DO NOTHING"#,
        )
        .bind(user.id.0)
        .bind(&user.email)
        .bind(&user.name)
        .bind(user.role.as_str())
        .bind(user.right.map(Right::as_str))
        .bind(new.password_hash)
        .bind(user.created_at)
        .execute(conn)
        .await?;
        Ok(inserted.rows_affected() == 1)
    })
}

/// The user with this e-mail, given in lower case.
pub async fn by_email(tx: &mut Tx, email: &str) -> Result<Option<Credentials>, sqlx::Error> {
    let row: Option<Row> = on!(tx, |conn| {
        sqlx::query_as(
            r#"SELECT id, email, name, role, "right", password_hash, is_active, created_at FROM users WHERE email = $1"#,
        )
        .bind(email)
        .fetch_optional(conn)
        .await
    })?;
    Ok(row.map(Credentials::from))
}

#[derive(sqlx::FromRow)]
struct AccountRow {
    #[sqlx(flatten)]
    row: Row,
    last_login_at: Option<DateTime<Utc>>,
    failed_login_attempts: i64,
    locked_until: Option<DateTime<Utc>>,
    updated_at: DateTime<Utc>,
}

impl AccountRow {
    fn at(self, now: DateTime<Utc>) -> Account {
        let is_locked = self.locked_until.is_some_and(|until| until > now);
        let is_active = self.row.is_active;
        Account {
            user: Credentials::from(self.row).user,
            is_active,
            is_locked,
            locked_until: self.locked_until.filter(|_| is_locked),
            failed_login_attempts: u32::try_from(self.failed_login_attempts).unwrap_or(u32::MAX),
            last_login_at: self.last_login_at,
            updated_at: self.updated_at,
        }
    }
}

macro_rules! account_columns {
    () => {
        r#"id, email, name, role, "right", password_hash, is_active, created_at, last_login_at, failed_login_attempts, locked_until, updated_at"#
    };
}

/// The user with the state of the account at `now`.
pub async fn account(tx: &mut Tx, id: UserId, now: DateTime<Utc>) -> Result<Option<Account>, sqlx::Error> {
    let row: Option<AccountRow> = on!(tx, |conn| {
        sqlx::query_as(concat!("SELECT ", account_columns!(), " FROM users WHERE id = $1"))
            .bind(id.0)
            .fetch_optional(conn)
            .await
    })?;
    Ok(row.map(|row| row.at(now)))
}

/// Remembers a sign-in, and a hash made anew when the old one had weaker parameters. False when the password or the
/// account is no longer what was checked.
pub async fn signed_in(
    tx: &mut Tx,
    checked: &Credentials,
    rehashed: Option<&str>,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    on!(tx, |conn| {
        let done = sqlx::query(
            "UPDATE users SET last_login_at = $3, password_hash = COALESCE($4, password_hash),
                              failed_login_attempts = 0, locked_until = NULL
              WHERE id = $1 AND password_hash = $2 AND is_active",
        )
        .bind(checked.user.id.0)
        .bind(&checked.password_hash)
        .bind(now)
        .bind(rehashed)
        .execute(conn)
        .await?;
        Ok(done.rows_affected() == 1)
    })
}

/// Gives the user another password. False when the old one or the account is no longer what was checked.
pub async fn set_password(
    tx: &mut Tx,
    checked: &Credentials,
    password_hash: &str,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    on!(tx, |conn| {
        let done = sqlx::query(
            "UPDATE users SET password_hash = $3, failed_login_attempts = 0, locked_until = NULL, updated_at = $4
              WHERE id = $1 AND password_hash = $2 AND is_active",
        )
        .bind(checked.user.id.0)
        .bind(&checked.password_hash)
        .bind(password_hash)
        .bind(now)
        .execute(conn)
        .await?;
        Ok(done.rows_affected() == 1)
    })
}
