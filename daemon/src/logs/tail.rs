//! Reads new log rows once and hands them to every stream.

use std::{sync::Arc, time::Duration};

use astrops_api::logs::LogEntry;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::{
    db::Db,
    store::logs::{self, Cursor},
};

/// New rows in the order of the stream, each with its place.
pub type Batch = Arc<Vec<(Cursor, LogEntry)>>;

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
pub struct Tail(broadcast::Sender<Batch>);

impl Default for Tail {
    fn default() -> Self {
        Self(broadcast::Sender::new(RING))
    }
}

impl Tail {
    /// Every batch from now on. A subscriber that then reads the database up to its end has missed nothing, and drops
    /// what it has seen by comparing cursors.
    pub fn subscribe(&self) -> broadcast::Receiver<Batch> {
        self.0.subscribe()
    }

    /// Reads until `stop`.
    pub async fn run(self, db: Db, stop: CancellationToken) {
        let mut cursor = Cursor::default();
        let mut followed = false;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = db.signals().logs.notified() => {}
                () = tokio::time::sleep(POLL), if db.listen_pool().is_some() && followed => {}
            }
            followed = self.0.receiver_count() > 0;
            let Some(read) = stop.run_until_cancelled(self.read(&db, &mut cursor, followed)).await else {
                return;
            };
            if let Err(error) = read {
                tracing::warn!(error = %error, "cannot read new log rows; streams wait");
                stop.run_until_cancelled(tokio::time::sleep(Duration::from_secs(1))).await;
                db.signals().logs.notify_one();
            }
            stop.run_until_cancelled(tokio::time::sleep(GATHER)).await;
        }
    }

    async fn read(&self, db: &Db, cursor: &mut Cursor, followed: bool) -> Result<(), sqlx::Error> {
        let mut tx = db.read().await?;
        if !followed {
            // Nobody listens: remember only where the end is.
            *cursor = logs::end(&mut tx, 0).await?;
            return tx.rollback().await;
        }
        loop {
            let rows = logs::behind(&mut tx, *cursor, ROWS).await?;
            let Some((last, _)) = rows.last() else { return tx.rollback().await };
            *cursor = *last;
            // Nobody listening any more is no error.
            let _ = self.0.send(Arc::new(rows));
        }
    }
}
