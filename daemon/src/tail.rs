//! Reads the new rows of a followed table once and hands them to every stream in this process.
//!
//! There is one [`Tail`] per table: system logs, and the outbox of domain events. What tells other programs (a broker)
//! keeps a [`Cursor`] of its own and does what a stream does: subscribe, read [`Told::behind`] up to the end, then follow.

use std::{sync::Arc, time::Duration};

use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::{
    db::Db,
    store::cursor::{self, Cursor, Told},
};

/// New rows in the order of the stream, each with its place.
pub type Batch<T> = Arc<Vec<(Cursor, T)>>;

/// Batches that a stream may be behind; then it reads from the database again.
const RING: usize = 64;
/// Rows per batch.
const ROWS: i64 = 500;
/// Rows that come in quick succession are read together.
const GATHER: Duration = Duration::from_millis(10);
/// How often to look without a signal: other daemons write too, and on PostgreSQL a row becomes readable only when
/// older transactions have ended.
const POLL: Duration = Duration::from_millis(250);

/// Hands new rows to whoever subscribes.
#[derive(Clone)]
pub struct Tail<T>(broadcast::Sender<Batch<T>>);

impl<T: Told> Default for Tail<T> {
    fn default() -> Self {
        Self(broadcast::Sender::new(RING))
    }
}

impl<T: Told> Tail<T> {
    /// Every batch from now on. A subscriber that then reads the database up to its end has missed nothing, and drops
    /// what it has seen by comparing cursors.
    pub fn subscribe(&self, db: &Db) -> broadcast::Receiver<Batch<T>> {
        let batches = self.0.subscribe();
        // Somebody follows: from now on it polls, even if no hint of another daemon ever comes through.
        T::signal(db.signals()).notify_one();
        batches
    }

    /// Reads until `stop`.
    pub async fn run(self, db: Db, stop: CancellationToken) {
        let mut cursor = Cursor::default();
        let mut followed = false;
        // Finds the end before the first stream asks for what comes behind it.
        T::signal(db.signals()).notify_one();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = T::signal(db.signals()).notified() => {}
                () = tokio::time::sleep(POLL), if db.listen_pool().is_some() && followed => {}
            }
            followed = self.0.receiver_count() > 0;
            let Some(read) = stop.run_until_cancelled(self.read(&db, &mut cursor, followed)).await else {
                return;
            };
            if let Err(error) = read {
                tracing::warn!(error = %error, "cannot read new {}; streams wait", T::TABLE.rows);
                stop.run_until_cancelled(tokio::time::sleep(Duration::from_secs(1))).await;
                T::signal(db.signals()).notify_one();
            }
            stop.run_until_cancelled(tokio::time::sleep(GATHER)).await;
        }
    }

    async fn read(&self, db: &Db, cursor: &mut Cursor, followed: bool) -> Result<(), sqlx::Error> {
        let mut tx = db.read().await?;
        if !followed {
            // Nobody listens: remember only where the end is, unless somebody has come meanwhile, who counts on all that
            // is behind what was remembered before.
            let end = cursor::end::<T>(&mut tx, 0).await?;
            if self.0.receiver_count() == 0 {
                *cursor = end;
            } else {
                T::signal(db.signals()).notify_one();
            }
            return tx.rollback().await;
        }
        loop {
            let rows = T::behind(&mut tx, *cursor, ROWS).await?;
            let Some((last, _)) = rows.last() else { return tx.rollback().await };
            *cursor = *last;
            // Nobody listening any more is no error.
            let _ = self.0.send(Arc::new(rows));
        }
    }
}
