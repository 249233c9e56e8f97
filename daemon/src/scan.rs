//! Reading many rows of a SQLite file, each borrowed from the engine for the time of a call. sqlx copies every value and sends
//! each row from thread to thread, which costs several times as much as reading it.
//!
//! Limits: it only reads. One connection stays open for the next page; who comes at the same time opens another.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::{Connection, Error, OpenFlags, Params, Row, ffi};
use sqlx::SqlitePool;

use crate::db;

/// Reads rows of one file. Cheap to clone.
#[derive(Clone)]
pub struct Scans {
    path: Arc<PathBuf>,
    idle: Arc<Mutex<Option<Connection>>>,
}

impl Scans {
    /// Of the file of a pool. Opens nothing yet.
    pub fn new(pool: &SqlitePool) -> Self {
        let path = pool.connect_options().get_filename().to_owned();
        Self { path: Arc::new(path), idle: Arc::default() }
    }

    /// Calls `each` with every row of an answer, on a thread that may wait for the disk, and gives the state back.
    pub async fn each<S: Send + 'static>(
        &self,
        sql: String,
        parameters: impl Params + Send + 'static,
        mut state: S,
        mut each: impl FnMut(&mut S, &Row<'_>) -> Result<(), Error> + Send + 'static,
    ) -> Result<S, Error> {
        let this = self.clone();
        let work = move || {
            let idle = this.idle.lock().unwrap_or_else(PoisonError::into_inner).take();
            let connection = idle.map_or_else(|| open(&this.path), Ok)?;
            {
                let mut statement = connection.prepare_cached(&sql)?;
                let mut rows = statement.query(parameters)?;
                while let Some(row) = rows.next()? {
                    each(&mut state, row)?;
                }
            }
            *this.idle.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection);
            Ok(state)
        };
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|stopped| match stopped.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_INTERRUPT), None)),
        })
    }

    /// Closes what is open, so that the last to close is the writer, which folds the write-ahead log into the file.
    pub fn close(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

fn open(path: &Path) -> Result<Connection, Error> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(db::ACQUIRE)?;
    // Rows are read once: a page that was read is of no use to the next.
    connection.pragma_update(None, "cache_size", -512)?;
    Ok(connection)
}
