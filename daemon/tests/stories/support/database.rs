//! A database of its own for each test, on either engine.

/// The PostgreSQL server for tests, from `scripts/services env`.
pub const SERVER: &str = "ASTROPS_TEST_POSTGRES";

/// The URL of a new, empty PostgreSQL database, or `None`, out loud, when there is no server. With `CI=true` that is a
/// failure: a test that did not run must not look green.
pub async fn new_postgres() -> Option<String> {
    let Ok(server) = std::env::var(SERVER) else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{SERVER} is not set: run scripts/test");
        eprintln!("SKIPPED on PostgreSQL: {SERVER} is not set, run scripts/test");
        return None;
    };
    let name = format!("story_{}", uuid::Uuid::new_v4().simple());
    let mut admin = <sqlx::PgConnection as sqlx::Connection>::connect(&server).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut admin).await.unwrap();
    let (base, _) = server.rsplit_once('/').unwrap();
    Some(format!("{base}/{name}"))
}
