//! Group commits for log entries that come from outside a transaction.

use std::time::Duration;

use astrops_api::logs::LogEntry;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

use crate::{db::Db, store};

/// Requests that may wait; the next one is told to come again.
const QUEUE: usize = 256;
/// Entries per commit, more or less: a request is never split.
const BATCH: usize = 1000;
/// How long a batch waits for more while others are coming.
const LINGER: Duration = Duration::from_millis(2);

struct Request {
    entries: Vec<LogEntry>,
    reply: Option<oneshot::Sender<Result<(), sqlx::Error>>>,
}

/// Writes entries, many in one commit. Cheap to clone; the task ends when the last clone is gone.
#[derive(Clone)]
pub struct Recorder(mpsc::Sender<Request>);

impl Recorder {
    /// Starts the writing task.
    pub fn start(db: Db, tasks: &TaskTracker) -> Self {
        let (requests, queue) = mpsc::channel(QUEUE);
        tasks.spawn(write(db, queue));
        Self(requests)
    }

    /// Stores `entries`; returns when they are durable. `PoolTimedOut` when too much waits already.
    pub async fn record(&self, entries: Vec<LogEntry>) -> Result<(), sqlx::Error> {
        let (reply, answer) = oneshot::channel();
        self.0.try_send(Request { entries, reply: Some(reply) }).map_err(|_| sqlx::Error::PoolTimedOut)?;
        answer.await.map_err(|_| sqlx::Error::PoolClosed)?
    }

    /// Stores an entry if there is room, without waiting: an outsider's refusals must not hold anybody up.
    pub fn record_soon(&self, entry: LogEntry) {
        if self.0.try_send(Request { entries: vec![entry], reply: None }).is_err() {
            tracing::warn!("a log entry is dropped: too many wait to be written");
        }
    }
}

async fn write(db: Db, mut queue: mpsc::Receiver<Request>) {
    let mut requests = Vec::new();
    while queue.recv_many(&mut requests, BATCH).await > 0 {
        if requests.len() > 1 {
            let deadline = tokio::time::Instant::now() + LINGER;
            while requests.len() < BATCH {
                let room = BATCH - requests.len();
                match tokio::time::timeout_at(deadline, queue.recv_many(&mut requests, room)).await {
                    Ok(1..) => {}
                    Ok(0) | Err(_) => break,
                }
            }
        }
        let entries: Vec<LogEntry> =
            requests.iter_mut().flat_map(|request| request.entries.drain(..)).collect();
        let written = insert(&db, &entries).await;
        if let Err(error) = &written {
            tracing::error!(error = %error, "{} log entries could not be written", entries.len());
        }
        for reply in requests.drain(..).filter_map(|request| request.reply) {
            // An error has one owner; the others hear that the database is not there.
            let _ = reply.send(if written.is_ok() { Ok(()) } else { Err(sqlx::Error::PoolTimedOut) });
        }
    }
}

async fn insert(db: &Db, entries: &[LogEntry]) -> Result<(), sqlx::Error> {
    let mut tx = db.write().await?;
    store::logs::insert(&mut tx, entries).await?;
    tx.commit().await
}
