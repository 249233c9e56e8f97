//! Databases for tests inside the crate. Every case of `contract!` runs on both engines.

use chrono::{DateTime, Utc};

use crate::db::Db;

#[path = "../tests/stories/support/database.rs"]
mod database;

/// A migrated, empty SQLite database in a folder of its own.
pub async fn sqlite() -> Option<(Db, tempfile::TempDir)> {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(&format!("sqlite:{}", dir.path().join("contract.db").display())).await.unwrap();
    Some((db, dir))
}

/// A migrated, empty PostgreSQL database; `None`, out loud, when there is no server.
pub async fn postgres() -> Option<(Db, tempfile::TempDir)> {
    let db = Db::open(&database::new_postgres().await?).await.unwrap();
    Some((db, tempfile::tempdir().unwrap()))
}

/// Where test clocks start.
pub fn noon() -> DateTime<Utc> {
    "2026-03-02T12:00:00Z".parse().unwrap()
}

macro_rules! contract {
    ($($case:ident),+ $(,)?) => {
        mod on_sqlite { $(#[tokio::test] async fn $case() {
            if let Some((db, _dir)) = $crate::testing::sqlite().await { super::$case(db).await }
        })+ }
        mod on_postgres { $(#[tokio::test] async fn $case() {
            if let Some((db, _dir)) = $crate::testing::postgres().await { super::$case(db).await }
        })+ }
    };
}
pub(crate) use contract;
