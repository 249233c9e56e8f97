//! What an administrator of the machine may do without the API: make the first operator, open the document database.
//! Opens the databases directly, also while the daemon runs.

use std::str::FromStr as _;

use anyhow::{Context as _, bail};
use astrops_api::{
    Secret,
    auth::User,
    ids::UserId,
    vocabulary::{EntityType, EventType, Right, Role, Severity},
};
use secrecy::ExposeSecret as _;
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;

use crate::{
    accounts,
    auth::password::Passwords,
    clock::Clock,
    config::Config,
    daemon,
    db::Db,
    documents::{Documents, DocumentsError},
    logs::Entry,
    store::{audit, logs, users},
};

pub use crate::reconcile::{
    compare::{Comparison, Detail, FieldDetail, Kind},
    engine::Trouble,
};

/// A user to be made.
pub struct NewUser {
    /// The address.
    pub email: String,
    /// The password.
    pub password: Secret,
    /// What the user is.
    pub role: Role,
    /// Of an employee; operator unless said.
    pub right: Option<Right>,
    /// What to call the person.
    pub name: Option<String>,
    /// Who asks: the name of the machine's user, for the audit log.
    pub by: String,
}

/// Opens the configured document database; the file of the embedded one is made when it is missing.
///
/// # Errors
/// When the configuration names none, or the file cannot be opened. A MongoDB is not asked yet.
pub async fn open_documents(config: &Config) -> Result<Documents, DocumentsError> {
    // In the folder, made as everybody who comes first makes it: for its owner only.
    daemon::make_folder(&config.data.dir).map_err(|error| DocumentsError::Unreachable {
        at: config.data.dir.display().to_string(),
        why: format!("{error:#}"),
    })?;
    Documents::open(config.documents.url.expose_secret()).await
}

/// Compares all rows of an entity on both sides. Both databases stay as they are: ours is not migrated, and no file is
/// made.
///
/// # Errors
/// When one of them is not there or cannot be opened.
pub async fn compare(config: &Config, entity: EntityType) -> Result<Comparison, Trouble> {
    let why = |key: &str| {
        format!("there is no such file, and comparing makes none: check {key}, or start the daemon once")
    };
    if let Some(at) = missing_file(config.documents.url.expose_secret()) {
        return Err(DocumentsError::Unreachable { at, why: why("documents.url") }.into());
    }
    if let Some(at) = missing_file(config.database.url.expose_secret()) {
        return Err(sqlx::Error::Configuration(format!("{at}: {}", why("database.url")).into()).into());
    }
    let documents = Documents::open(config.documents.url.expose_secret()).await?;
    let opened = Db::connect(config.database.url.expose_secret()).await;
    let db = opened.map_err(|error| sqlx::Error::Configuration(error.into()))?;
    Ok(Comparison::new(db, documents, config.reconcile.mapping(entity)))
}

/// The file that a `sqlite:` URL names, when it is not there.
fn missing_file(url: &str) -> Option<String> {
    let options = url.starts_with("sqlite:").then(|| SqliteConnectOptions::from_str(url).ok()).flatten()?;
    let file = options.get_filename();
    (!file.exists()).then(|| file.display().to_string())
}

/// Makes a user in the configured database.
///
/// # Errors
/// When a field is not valid, the address is taken, or the database cannot be opened; the text says which.
pub async fn add_user(config: &Config, clock: &Clock, new: NewUser) -> anyhow::Result<User> {
    let right = (new.role == Role::Employee).then(|| new.right.unwrap_or(Right::Operator));
    let user = User {
        id: UserId(accounts::new_entity_id(clock).0),
        email: new.email,
        name: new.name,
        role: new.role,
        right,
        created_at: clock.now(),
    };
    let user = match accounts::check(user, &new.password) {
        Ok(user) => user,
        Err(errors) => {
            let lines: Vec<String> =
                errors.into_iter().map(|(field, detail)| format!("{field} {detail}")).collect();
            bail!("{}", lines.join("; "));
        }
    };
    let hash = Passwords::default().hash(&new.password).await?;
    // The daemon's lock makes the folder otherwise, for its owner only; whoever comes first must do it so.
    daemon::make_folder(&config.data.dir)?;
    let db = Db::open(config.database.url.expose_secret()).await?;
    let mut tx = db.write().await.context("cannot write to the database")?;
    if !accounts::create(&mut tx, clock, &users::NewUser { user: &user, password_hash: &hash }).await? {
        bail!("{} is taken", user.email);
    }
    let told = format!("{} {} added on the command line by {}", user.role, user.email, new.by);
    logs::insert(&mut tx, &[Entry::new(clock, EventType::Auth, Severity::Info, told).user(user.id).into()])
        .await?;
    let row = audit::AuditRow {
        id: clock.new_id(),
        at: clock.now(),
        actor: &format!("cli:{}", new.by),
        action: "user.add",
        target: &user.id.to_string(),
        reason: None,
        details: &json!({ "role": user.role, "right": user.right }),
        request_id: "",
        ip_address: None,
    };
    audit::insert(&mut tx, &row).await?;
    tx.commit().await?;
    db.close().await;
    Ok(user)
}
