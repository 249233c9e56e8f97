//! The one place that knows there are two database engines.
//!
//! A store function takes `&mut Tx` and writes its SQL once; [`on!`] expands the body for each engine with `DB`
//! bound to the sqlx driver. Where the dialects part, a [`Sql`] pair stands beside its one caller.
//!
//! Limits: on SQLite one transaction writes at a time (`BEGIN IMMEDIATE` on the only writing connection; readers
//! run beside it). No network call belongs inside a write transaction.

use std::{os::unix::fs::OpenOptionsExt as _, path::Path, str::FromStr, sync::Arc, time::Duration};

use sqlx::{
    PgPool, Postgres, Sqlite, SqlitePool,
    migrate::MigrateError,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::sync::Notify;

use crate::scan::Scans;

/// A connection must be had, and a transaction begun, within this time; else the caller is told to come again.
pub const ACQUIRE: Duration = Duration::from_secs(5);
/// The channel of PostgreSQL notifications: a hint, never the only wake-up.
pub const CHANNEL: &str = "astrops";
/// Before this version SQLite could corrupt a database whose WAL was reset while being read.
const SQLITE_AT_LEAST: (u32, u32, u32) = (3, 51, 3);

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The server or file cannot be reached.
    #[error("cannot open the database {0}: {1}")]
    Connect(String, #[source] sqlx::Error),
    /// A migration failed, or the database belongs to another version.
    #[error("cannot migrate the database: {0}")]
    Migrate(#[from] MigrateError),
    /// The bundled SQLite is too old to be trusted.
    #[error("SQLite {0} is older than 3.51.3, which can corrupt its write-ahead log; build with a newer one")]
    OldSqlite(String),
    /// Neither `sqlite:` nor `postgres:`.
    #[error("database.url must begin with sqlite: or postgres://, not {0:?}")]
    Scheme(String),
}

/// A database of either engine. Cheap to clone.
#[derive(Clone)]
pub struct Db {
    engine: Engine,
    signals: Arc<Signals>,
}

#[derive(Clone)]
enum Engine {
    Sqlite { writer: SqlitePool, readers: SqlitePool, scans: Scans },
    Postgres(PgPool),
}

/// Wake-ups inside this process, sent when a transaction that caused them has committed.
#[derive(Default)]
pub struct Signals {
    /// Jobs became due, or were asked to stop.
    pub jobs: Notify,
    /// System log rows were added.
    pub logs: Notify,
    /// Domain events were added to the outbox.
    pub events: Notify,
    /// Jobs ended or changed; all who wait for one look again.
    pub ended: Notify,
}

/// A unit of work on either engine; rolls back when dropped.
pub struct Tx {
    /// The engine's own transaction; for [`on!`] only.
    pub engine: EngineTx,
    signals: Arc<Signals>,
    wakes: Wakes,
}

#[derive(Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "one for each kind of waiter")]
struct Wakes {
    jobs: bool,
    logs: bool,
    events: bool,
    ended: bool,
}

impl Wakes {
    /// What other daemons are told, in words. With jobs come logs, which are soon polled anyway.
    fn hint(self) -> Option<&'static str> {
        match self {
            Self { jobs: true, events: true, .. } => Some("jobs events"),
            Self { jobs: true, .. } => Some("jobs"),
            Self { logs: true, events: true, .. } => Some("logs events"),
            Self { events: true, .. } => Some("events"),
            Self { logs: true, .. } => Some("logs"),
            Self { .. } => None,
        }
    }
}

/// The transaction of one engine; for [`on!`] only.
pub enum EngineTx {
    /// SQLite.
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    /// PostgreSQL.
    Postgres(sqlx::Transaction<'static, Postgres>),
}

/// Runs one body on whichever engine `$tx` is of. Inside it `$conn` is the connection and `DB` the driver.
macro_rules! on {
    ($tx:expr, |$conn:ident| $body:expr) => {
        match &mut $tx.engine {
            $crate::db::EngineTx::Sqlite(tx) => {
                #[allow(dead_code, reason = "only bodies that build queries name it")]
                type DB = ::sqlx::Sqlite;
                let $conn: &mut ::sqlx::SqliteConnection = &mut **tx;
                $body
            }
            $crate::db::EngineTx::Postgres(tx) => {
                #[allow(dead_code, reason = "only bodies that build queries name it")]
                type DB = ::sqlx::Postgres;
                let $conn: &mut ::sqlx::PgConnection = &mut **tx;
                $body
            }
        }
    };
}
pub(crate) use on;

/// One statement in the two dialects, for the few places where they part.
pub struct Sql {
    /// For SQLite.
    pub sqlite: &'static str,
    /// For PostgreSQL.
    pub postgres: &'static str,
}

impl Db {
    /// Opens the database at `url` and brings it up to date. A SQLite file is made when it is missing.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        let opened = Self::connect(url).await?;
        match &opened.engine {
            Engine::Sqlite { writer, .. } => sqlx::migrate!("../migrations/sqlite").run(writer).await?,
            Engine::Postgres(pool) => sqlx::migrate!("../migrations/postgres").run(pool).await?,
        }
        Ok(opened)
    }

    /// Opens the database at `url` as it is.
    pub async fn connect(url: &str) -> Result<Self, OpenError> {
        let engine = if url.starts_with("sqlite:") {
            let (writer, readers) = open_sqlite(url).await?;
            let scans = Scans::new(&readers);
            Engine::Sqlite { writer, readers, scans }
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            open_postgres(url).await?
        } else {
            // The rest of it may hold a password.
            let scheme =
                url.split(':').next().filter(|scheme| scheme.chars().all(|c| c.is_ascii_alphanumeric()));
            return Err(OpenError::Scheme(scheme.unwrap_or("something else").to_owned()));
        };
        Ok(Self { engine, signals: Arc::default() })
    }

    /// Begins a read; on SQLite it never waits for the writer.
    pub async fn read(&self) -> Result<Tx, sqlx::Error> {
        let engine = match &self.engine {
            Engine::Sqlite { readers, .. } => EngineTx::Sqlite(readers.begin().await?),
            Engine::Postgres(pool) => EngineTx::Postgres(begin_postgres(pool).await?),
        };
        Ok(Tx { engine, signals: self.signals.clone(), wakes: Wakes::default() })
    }

    /// Begins a write; SQLite takes the write lock at once, so a read inside it never has to upgrade.
    pub async fn write(&self) -> Result<Tx, sqlx::Error> {
        let engine = match &self.engine {
            Engine::Sqlite { writer, .. } => EngineTx::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?),
            Engine::Postgres(pool) => EngineTx::Postgres(begin_postgres(pool).await?),
        };
        Ok(Tx { engine, signals: self.signals.clone(), wakes: Wakes::default() })
    }

    /// The wake-ups of this process.
    pub fn signals(&self) -> &Signals {
        &self.signals
    }

    /// `sqlite` or `postgres`.
    pub fn kind(&self) -> &'static str {
        match self.engine {
            Engine::Sqlite { .. } => "sqlite",
            Engine::Postgres(_) => "postgres",
        }
    }

    /// The pool to listen on, where other daemons may send hints.
    pub fn listen_pool(&self) -> Option<&PgPool> {
        match &self.engine {
            Engine::Sqlite { .. } => None,
            Engine::Postgres(pool) => Some(pool),
        }
    }

    /// Many rows of a SQLite file at once; `None` on PostgreSQL.
    pub fn scans(&self) -> Option<&Scans> {
        match &self.engine {
            Engine::Sqlite { scans, .. } => Some(scans),
            Engine::Postgres(_) => None,
        }
    }

    /// Ends every connection; SQLite folds its write-ahead log into the file.
    pub async fn close(&self) {
        match &self.engine {
            Engine::Sqlite { writer, readers, scans } => {
                readers.close().await;
                scans.close();
                writer.close().await;
            }
            Engine::Postgres(pool) => pool.close().await,
        }
    }
}

impl Tx {
    /// Makes the work durable, then wakes whom it concerns: in this process at once, on PostgreSQL other daemons too.
    pub async fn commit(mut self) -> Result<(), sqlx::Error> {
        if let (EngineTx::Postgres(tx), Some(what)) = (&mut self.engine, self.wakes.hint()) {
            sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(what).execute(&mut **tx).await?;
        }
        match self.engine {
            EngineTx::Sqlite(tx) => tx.commit().await?,
            EngineTx::Postgres(tx) => tx.commit().await?,
        }
        if self.wakes.jobs {
            self.signals.jobs.notify_one();
        }
        if self.wakes.logs {
            self.signals.logs.notify_one();
        }
        if self.wakes.events {
            self.signals.events.notify_one();
        }
        if self.wakes.ended {
            self.signals.ended.notify_waiters();
        }
        Ok(())
    }

    /// Gives the work up at once (dropping does it too, later).
    pub async fn rollback(self) -> Result<(), sqlx::Error> {
        match self.engine {
            EngineTx::Sqlite(tx) => tx.rollback().await,
            EngineTx::Postgres(tx) => tx.rollback().await,
        }
    }

    /// After the commit, wake who claims jobs.
    pub fn wake_jobs(&mut self) {
        self.wakes.jobs = true;
    }

    /// After the commit, wake who streams logs.
    pub fn wake_logs(&mut self) {
        self.wakes.logs = true;
    }

    /// After the commit, wake who streams domain events.
    pub fn wake_events(&mut self) {
        self.wakes.events = true;
    }

    /// After the commit, wake who waits for a job to change.
    pub fn wake_waiters(&mut self) {
        self.wakes.ended = true;
    }

    /// Picks the text for the engine in use.
    pub fn text(&self, sql: &Sql) -> &'static str {
        match self.engine {
            EngineTx::Sqlite(_) => sql.sqlite,
            EngineTx::Postgres(_) => sql.postgres,
        }
    }
}

/// The one writing connection and the reading ones of a SQLite file, which is made when it is missing.
pub async fn open_sqlite(url: &str) -> Result<(SqlitePool, SqlitePool), OpenError> {
    let fail = |error| OpenError::Connect(url.to_owned(), error);
    let options = SqliteConnectOptions::from_str(url)
        .map_err(fail)?
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        // FULL: a commit that was answered survives a power cut. Speed comes from group commits instead.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(ACQUIRE)
        .statement_cache_capacity(256)
        .optimize_on_close(true, 400);
    if let Some(folder) = options.get_filename().parent().filter(|folder| *folder != Path::new("")) {
        std::fs::create_dir_all(folder).map_err(|error| fail(error.into()))?;
    }
    // For its owner only, whatever the folder and the umask say; -wal and -shm take the file's mode. A file that is there
    // keeps what somebody gave it.
    // It is closed again before SQLite opens it: closing any descriptor of a file gives up every POSIX lock that the process
    // has on it, and without their locks another program's `sqlite3` would take our write-ahead log for its own to delete.
    match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(options.get_filename()) {
        Ok(file) => drop(file),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(fail(error.into())),
    }
    let pool = |connections| {
        SqlitePoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(ACQUIRE)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
    };
    let writer = pool(1).connect_with(options.clone()).await.map_err(fail)?;
    let version: String =
        sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&writer).await.map_err(fail)?;
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    let mut part = || parts.next().unwrap_or(0);
    if (part(), part(), part()) < SQLITE_AT_LEAST {
        return Err(OpenError::OldSqlite(version));
    }
    let readers = pool(4).connect_with(options.create_if_missing(false)).await.map_err(fail)?;
    Ok((writer, readers))
}

async fn open_postgres(url: &str) -> Result<Engine, OpenError> {
    // The password stays out of every message.
    let shown = || {
        let host = url.rsplit_once('@').map_or(url, |(_, host)| host);
        host.split('?').next().unwrap_or_default().to_owned()
    };
    let fail = |error| OpenError::Connect(shown(), error);
    let options = PgConnectOptions::from_str(url).map_err(fail)?.application_name("astrops").options([
        ("statement_timeout", "15s"),
        ("lock_timeout", "5s"),
        // A forgotten transaction would hold the log stream's horizon back for everybody.
        ("idle_in_transaction_session_timeout", "15s"),
    ]);
    let pool = PgPoolOptions::new()
        .max_connections(16)
        .acquire_timeout(ACQUIRE)
        .test_before_acquire(false)
        .connect_with(options)
        .await
        .map_err(fail)?;
    Ok(Engine::Postgres(pool))
}

/// Begins a transaction, passing over pooled connections that a restart of the server has broken.
async fn begin_postgres(pool: &PgPool) -> Result<sqlx::Transaction<'static, Postgres>, sqlx::Error> {
    let mut left = pool.options().get_max_connections();
    loop {
        // On a connection whose other end is gone, BEGIN would wait for the kernel to give up.
        let begun = tokio::time::timeout(ACQUIRE, pool.begin()).await;
        match begun.unwrap_or(Err(sqlx::Error::PoolTimedOut)) {
            Err(sqlx::Error::Io(_) | sqlx::Error::Protocol(_)) if left > 0 => left -= 1,
            Err(sqlx::Error::Database(error)) if left > 0 && error.code().as_deref() == Some("57P01") => {
                left -= 1;
            }
            begun => return begun,
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    /// Another program that closes the file as the last one, as it believes, deletes the write-ahead log.
    #[tokio::test]
    async fn a_file_that_was_just_made_is_locked_against_other_programs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new.db");
        let db = Db::open(&format!("sqlite:{}", path.display())).await.unwrap();
        let inode = std::fs::metadata(&path).unwrap().ino();
        let locks = std::fs::read_to_string("/proc/locks").unwrap();
        assert!(locks.contains(&format!(":{inode} ")), "no lock on inode {inode}: {locks}");
        db.close().await;
    }
}
