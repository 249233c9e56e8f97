//! `users`: who can sign in.

use std::collections::BTreeSet;

use astrops_api::{
    auth::User,
    ids::UserId,
    users::{Account, UserQuery},
    vocabulary::{Order, Right, Role},
};
use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, QueryBuilder};
use uuid::Uuid;

use super::{AMONG, LIKE, Slice, contains_pattern, listed};
use crate::db::{Sql, Tx, on};

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

const LOCK: Sql = Sql {
    sqlite: concat!("SELECT ", account_columns!(), " FROM users WHERE id = $1"),
    postgres: concat!("SELECT ", account_columns!(), " FROM users WHERE id = $1 FOR NO KEY UPDATE"),
};

/// The user, held until the write transaction ends.
pub async fn lock(tx: &mut Tx, id: UserId, now: DateTime<Utc>) -> Result<Option<Account>, sqlx::Error> {
    let sql = tx.text(&LOCK);
    let row: Option<AccountRow> = on!(tx, |conn| sqlx::query_as(sql).bind(id.0).fetch_optional(conn).await)?;
    Ok(row.map(|row| row.at(now)))
}

const OPERATORS: Sql = Sql {
    sqlite: r#"SELECT id FROM users WHERE "right" = 'operator' AND is_active ORDER BY id"#,
    postgres: r#"SELECT id FROM users WHERE "right" = 'operator' AND is_active ORDER BY id FOR NO KEY UPDATE"#,
};

/// The active operators, held until the write transaction ends: of two who demote each other one comes second.
pub async fn lock_operators(tx: &mut Tx) -> Result<Vec<UserId>, sqlx::Error> {
    let sql = tx.text(&OPERATORS);
    let ids: Vec<Uuid> = on!(tx, |conn| sqlx::query_scalar(sql).fetch_all(conn).await)?;
    Ok(ids.into_iter().map(UserId).collect())
}

/// Writes everything about a locked user that people may change; false when the e-mail is taken.
pub async fn update(
    tx: &mut Tx,
    user: &User,
    is_active: bool,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    on!(tx, |conn| {
        let updated = sqlx::query(
            r#"UPDATE users SET email = $2, name = $3, role = $4, "right" = $5, is_active = $6, updated_at = $7
                WHERE id = $1"#,
        )
        .bind(user.id.0)
        .bind(&user.email)
        .bind(&user.name)
        .bind(user.role.as_str())
        .bind(user.right.map(Right::as_str))
        .bind(is_active)
        .bind(now)
        .execute(conn)
        .await;
        match updated {
            Ok(_) => Ok(true),
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Ok(false),
            Err(error) => Err(error),
        }
    })
}

/// Takes from a locked user everything that tells who it was, and every way to sign in. `email` is a placeholder.
pub async fn erase(tx: &mut Tx, id: UserId, email: &str, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query(
            r#"UPDATE users SET email = $2, name = NULL, "right" = NULL, password_hash = NULL, is_active = FALSE,
                    last_login_at = NULL, failed_login_attempts = 0, locked_until = NULL, updated_at = $3
                WHERE id = $1"#,
        )
        .bind(id.0)
        .bind(email)
        .bind(now)
        .execute(conn)
        .await
        .map(drop)
    })
}

/// The domain of the placeholders of erased users; mail to it can never be delivered (RFC 2606).
pub const ERASED: &str = "@deleted.invalid";

/// Those of some users who were erased.
pub async fn erased_among(tx: &mut Tx, ids: &BTreeSet<Uuid>) -> Result<BTreeSet<Uuid>, sqlx::Error> {
    if ids.is_empty() {
        return Ok(BTreeSet::new());
    }
    let text = format!("SELECT id FROM users WHERE id {} AND email LIKE $2", tx.text(&AMONG));
    let found: Vec<Uuid> = on!(tx, |conn| {
        sqlx::query_scalar(AssertSqlSafe(text))
            .bind(listed(ids.iter().copied()))
            .bind(format!("%{ERASED}"))
            .fetch_all(conn)
            .await
    })?;
    Ok(found.into_iter().collect())
}

macro_rules! push_filter {
    ($builder:expr, $query:expr, $names_only:expr, $now:expr, $like:expr) => {{
        let (builder, query) = (&mut $builder, $query);
        builder.push(" WHERE 1 = 1");
        if let Some(role) = query.role {
            builder.push(" AND role = ").push_bind(role.as_str());
        }
        if let Some(is_active) = query.is_active {
            builder.push(if is_active { " AND is_active" } else { " AND NOT is_active" });
        }
        if let Some(is_locked) = query.is_locked {
            builder.push(if is_locked { " AND (" } else { " AND NOT (" });
            builder.push("locked_until IS NOT NULL AND locked_until > ").push_bind($now).push(")");
        }
        if let Some(text) = &query.q {
            let pattern = contains_pattern(text);
            builder.push(" AND (name").push($like).push_bind(pattern.clone()).push(r" ESCAPE '\'");
            if !$names_only {
                builder.push(" OR email").push($like).push_bind(pattern).push(r" ESCAPE '\'");
            }
            builder.push(")");
        }
    }};
}

/// What a list of users is ordered by, for the words of `sort`.
pub const SORTS: &[(&str, &str)] =
    &[("date", "created_at"), ("email", "email"), ("name", "LOWER(name)"), ("lastLoginAt", "last_login_at")];

/// Users that match, and how many match in all; ordered by `sort`, an expression of [`SORTS`], the largest first unless
/// asked otherwise. With `names_only` the text of `q` is not looked for in addresses.
pub async fn list(
    tx: &mut Tx,
    query: &UserQuery,
    names_only: bool,
    sort: &'static str,
    slice: Slice,
    now: DateTime<Utc>,
) -> Result<(Vec<Account>, u64), sqlx::Error> {
    let like = tx.text(&LIKE);
    let direction = if query.order == Some(Order::Asc) { " ASC" } else { " DESC" };
    on!(tx, |conn| {
        let mut count = QueryBuilder::<DB>::new("SELECT COUNT(*) FROM users");
        push_filter!(count, query, names_only, now, like);
        let total: i64 = count.build_query_scalar().fetch_one(&mut *conn).await?;
        let mut rows = QueryBuilder::<DB>::new(concat!("SELECT ", account_columns!(), " FROM users"));
        push_filter!(rows, query, names_only, now, like);
        rows.push(" ORDER BY ").push(sort).push(direction).push(" NULLS LAST, id").push(direction);
        rows.push(" LIMIT ").push_bind(slice.limit).push(" OFFSET ").push_bind(slice.offset);
        let rows: Vec<AccountRow> = rows.build_query_as().fetch_all(conn).await?;
        Ok((rows.into_iter().map(|row| row.at(now)).collect(), total.unsigned_abs()))
    })
}

/// The addresses of these users.
pub async fn emails(tx: &mut Tx, ids: &[UserId]) -> Result<Vec<(UserId, String)>, sqlx::Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<(Uuid, String)> = on!(tx, |conn| {
        let mut query = QueryBuilder::<DB>::new("SELECT id, email FROM users WHERE id IN (");
        let mut list = query.separated(", ");
        for id in ids {
            list.push_bind(id.0);
        }
        query.push(")").build_query_as().fetch_all(conn).await
    })?;
    Ok(rows.into_iter().map(|(id, email)| (UserId(id), email)).collect())
}

/// Remembers a sign-in, and a hash made anew when the old one had weaker parameters.
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
