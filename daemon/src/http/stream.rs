//! Server-Sent Events that resume without a gap.
//!
//! A stream subscribes to the [`crate::logs::Tail`], reads the database from its cursor to the end, then follows the
//! tail and drops what it has seen. A reader that stops reading is given up after [`PATIENCE`]; it resumes by its last
//! id. A stream ends with the daemon, and within [`RECHECK`] of the end of its session or key.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use astrops_api::{
    auth::User,
    ids::JobId,
    logs::{LogEntry, LogStreamQuery},
    vocabulary::{EventType, Severity},
};
use axum::{
    http::HeaderMap,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures::{StreamExt as _, stream};
use tokio::sync::{broadcast::error::RecvError, mpsc};
use tokio_stream::wrappers::ReceiverStream;

use super::{ApiError, ApiResult, App, Caller, error::Kind, jobs::shown};
use crate::{
    auth::Principal,
    jobs::view,
    logs::Batch,
    store::{
        jobs, keys,
        logs::{self, Cursor},
        sessions,
    },
};

/// How long a reader may leave an event unread.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the session is asked for.
const RECHECK: Duration = Duration::from_secs(4);
/// Events that may wait for a reader.
const RING: usize = 1024;
/// Rows per read while catching up.
const ROWS: i64 = 500;

/// What a stream tells.
pub enum Feed {
    /// Log entries.
    Logs(LogFilter),
    /// Jobs as they stand, whenever something about them was logged.
    Jobs,
}

/// Which entries a stream tells.
pub struct LogFilter {
    event_type: Option<EventType>,
    min_severity: Option<Severity>,
    job_id: Option<JobId>,
    text: Option<String>,
}

impl From<LogStreamQuery> for LogFilter {
    fn from(query: LogStreamQuery) -> Self {
        Self {
            event_type: query.event_type,
            min_severity: query.min_severity,
            job_id: query.job_id,
            text: query.q.map(|text| text.to_lowercase()),
        }
    }
}

impl LogFilter {
    fn admits(&self, entry: &LogEntry) -> bool {
        self.event_type.is_none_or(|wanted| entry.event_type == wanted)
            && self.min_severity.is_none_or(|least| entry.severity >= least)
            && self.job_id.is_none_or(|wanted| entry.job_id == Some(wanted))
            && self.text.as_ref().is_none_or(|text| entry.message.to_lowercase().contains(text))
    }
}

/// Where to resume: the header wins, as browsers send it at a reconnect to the first address.
pub fn resume_from(headers: &HeaderMap, after: Option<&str>) -> ApiResult<Option<Cursor>> {
    let header =
        headers.get("last-event-id").and_then(|value| value.to_str().ok()).filter(|id| !id.is_empty());
    let (name, id) = match (header, after) {
        (Some(id), _) => ("Last-Event-ID", id),
        (None, Some(id)) => ("after", id),
        (None, None) => return Ok(None),
    };
    id.parse().map(Some).map_err(|detail: String| ApiError::field(name, detail))
}

/// Opens a stream behind `after`, or behind all but the latest `tail` entries.
pub async fn open(
    app: &App,
    caller: &Caller,
    after: Option<Cursor>,
    tail: u32,
    feed: Feed,
) -> ApiResult<Response> {
    let permit = app.streams.clone().try_acquire_owned().map_err(|_| {
        ApiError::new(Kind::TooManyStreams, "close a console that nobody looks at, or try again later")
    })?;
    let batches = app.tail.subscribe();
    let mut tx = app.db.read().await?;
    let (cursor, pruned) = match after {
        Some(cursor) => (cursor, logs::pruned_behind(&mut tx, cursor).await?),
        None => (logs::end(&mut tx, tail).await?, 0),
    };
    tx.rollback().await?;
    let (events, receiver) = mpsc::channel(RING);
    let lagged = Arc::new(AtomicU64::new(0));
    let follower = Follower {
        app: app.clone(),
        principal: caller.principal.clone(),
        feed,
        cursor,
        events,
        lagged: lagged.clone(),
    };
    tokio::spawn(follower.run(batches, pruned));
    let rest = stream::once(async move {
        // The place is taken until the connection ends, not only until the follower has given up.
        let _permit = permit;
        let count = lagged.load(Ordering::Relaxed);
        (count > 0).then(|| Event::default().event("lagged").data(count.to_string()))
    });
    let body =
        ReceiverStream::new(receiver).chain(rest.filter_map(futures::future::ready)).map(Ok::<_, Infallible>);
    Ok(Sse::new(body).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))).into_response())
}

struct Follower {
    app: App,
    principal: Principal,
    feed: Feed,
    cursor: Cursor,
    events: mpsc::Sender<Event>,
    lagged: Arc<AtomicU64>,
}

/// Why a stream ends: it is no error.
struct Ended;

impl From<sqlx::Error> for Ended {
    fn from(error: sqlx::Error) -> Self {
        tracing::warn!(error = %error, "a stream ends because the database does not answer; its reader resumes by id");
        Self
    }
}

impl Follower {
    async fn run(mut self, mut batches: tokio::sync::broadcast::Receiver<Batch>, pruned: u64) {
        let stopping = self.app.stopping.clone();
        let session = session_ends(self.app.clone(), self.principal.clone());
        let work = async {
            if pruned > 0 {
                self.send(Event::default().event("gap").data(pruned.to_string())).await?;
            }
            self.catch_up().await?;
            loop {
                tokio::select! {
                    batch = batches.recv() => match batch {
                        Ok(batch) => self.tell(&batch).await?,
                        // Behind the ring: the database has it all.
                        Err(RecvError::Lagged(_)) => self.catch_up().await?,
                        Err(RecvError::Closed) => return Err::<(), Ended>(Ended),
                    },
                    () = self.events.closed() => return Err(Ended),
                }
            }
        };
        tokio::select! {
            () = stopping.cancelled() => {}
            () = session => {}
            _ = work => {}
        }
    }

    async fn catch_up(&mut self) -> Result<(), Ended> {
        loop {
            let mut tx = self.app.db.read().await?;
            let rows = logs::behind(&mut tx, self.cursor, ROWS).await?;
            tx.rollback().await?;
            if rows.is_empty() {
                return Ok(());
            }
            self.tell(&rows).await?;
        }
    }

    async fn tell(&mut self, rows: &[(Cursor, LogEntry)]) -> Result<(), Ended> {
        let new = || rows.iter().filter(|(cursor, _)| *cursor > self.cursor);
        let Some((last, _)) = rows.last().filter(|(cursor, _)| *cursor > self.cursor) else { return Ok(()) };
        let events: Vec<Event> = match &self.feed {
            Feed::Logs(filter) => new()
                .filter(|(_, entry)| filter.admits(entry))
                .map(|(cursor, entry)| event(*cursor, entry))
                .collect(),
            Feed::Jobs => {
                let mut changed: Vec<(JobId, Cursor)> =
                    new().filter_map(|(cursor, entry)| entry.job_id.map(|id| (id, *cursor))).collect();
                changed.reverse();
                changed.sort_by_key(|(id, _)| *id);
                changed.dedup_by_key(|(id, _)| *id);
                changed.sort_by_key(|(_, cursor)| *cursor);
                self.jobs(&changed).await?
            }
        };
        self.cursor = *last;
        for event in events {
            self.send(event).await?;
        }
        Ok(())
    }

    async fn jobs(&self, changed: &[(JobId, Cursor)]) -> Result<Vec<Event>, Ended> {
        let ids: Vec<JobId> = changed.iter().map(|(id, _)| *id).collect();
        let mut tx = self.app.db.read().await?;
        let stored = jobs::find_all(&mut tx, &ids).await?;
        tx.rollback().await?;
        let now = self.app.clock.now();
        let event = |(id, cursor): &(JobId, Cursor)| {
            let job = stored.iter().find(|job| job.id == id.0)?;
            Some(event(*cursor, &view::job(job, shown(&self.principal, false), now)))
        };
        Ok(changed.iter().filter_map(event).collect())
    }

    async fn send(&self, event: Event) -> Result<(), Ended> {
        if self.events.send_timeout(event, PATIENCE).await.is_ok() {
            return Ok(());
        }
        let unread = async {
            let mut tx = self.app.db.read().await?;
            logs::count_behind(&mut tx, self.cursor).await
        };
        self.lagged.store(unread.await.unwrap_or(1).max(1), Ordering::Relaxed);
        Err(Ended)
    }
}

/// Returns when the session has ended or the key is revoked, or its rights are no longer those that the stream was opened
/// with. The access token is looked at when a stream opens; after that the session counts, so that a console that
/// refreshes its token keeps its streams.
async fn session_ends(app: App, principal: Principal) {
    loop {
        tokio::time::sleep(RECHECK).await;
        let look = async {
            let mut tx = app.db.read().await?;
            Ok::<bool, sqlx::Error>(match &principal {
                // Only a webhook has a provider for its caller.
                Principal::Anonymous | Principal::Provider(_) => true,
                Principal::Key(key) => {
                    keys::find(&mut tx, key.id).await?.is_some_and(|key| key.revoked_at.is_none())
                }
                Principal::User(signed_in) => {
                    let rights = |user: &User| (user.role, user.right);
                    sessions::alive(&mut tx, signed_in.session, app.clock.now())
                        .await?
                        .is_some_and(|alive| rights(&alive.user) == rights(&signed_in.user))
                }
            })
        };
        match look.await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::warn!(error = %error, "cannot ask for the session of a stream; asking again");
            }
        }
    }
}

fn event(cursor: Cursor, value: &impl serde::Serialize) -> Event {
    // JSON has no line breaks of its own, and the id is two numbers: nothing from outside can end a field.
    Event::default().id(cursor.to_string()).data(serde_json::to_string(value).unwrap_or_default())
}
