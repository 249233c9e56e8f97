//! The database behind the daemon's back.

use secrecy::ExposeSecret as _;
use sqlx::{Connection as _, PgConnection, SqliteConnection};

use super::TestDaemon;

impl TestDaemon {
    /// What `sql` counts.
    pub async fn count(&self, sql: &'static str) -> i64 {
        let url = self.config.database.url.expose_secret();
        if url.starts_with("sqlite:") {
            let mut conn = SqliteConnection::connect(url).await.unwrap();
            return sqlx::query_scalar(sql).fetch_one(&mut conn).await.unwrap();
        }
        let mut conn = PgConnection::connect(url).await.unwrap();
        sqlx::query_scalar(sql).fetch_one(&mut conn).await.unwrap()
    }

    /// Changes what no route changes.
    pub async fn change(&self, sql: &'static str) {
        let url = self.config.database.url.expose_secret();
        if url.starts_with("sqlite:") {
            let mut conn = SqliteConnection::connect(url).await.unwrap();
            sqlx::query(sql).execute(&mut conn).await.unwrap();
        } else {
            let mut conn = PgConnection::connect(url).await.unwrap();
            sqlx::query(sql).execute(&mut conn).await.unwrap();
        }
    }
}
