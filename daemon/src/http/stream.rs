//! Server-Sent Events that resume without a gap.
//!
//! A stream subscribes to a [`Tail`], reads the database from its cursor to the end, then follows the
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

use astrops_api::auth::User;
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

use super::{ApiError, ApiResult, App, Caller, Shared, error::Kind};
use crate::{
    auth::Principal,
    store::{
        cursor::{self, Cursor, Told},
        keys, sessions,
    },
    tail::{Batch, Tail},
};

/// How long a reader may leave an event unread.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the session is asked for.
const RECHECK: Duration = Duration::from_secs(4);
/// Events that may wait for a reader.
const RING: usize = 1024;
/// Rows per read while catching up.
const ROWS: i64 = 500;

/// What a stream tells of the rows that it follows.
pub trait Feed: Send + Sync + 'static {
    /// What it follows.
    type Row: Told;

    /// Where new rows come from.
    fn tail(app: &Shared) -> &Tail<Self::Row>;

    /// The events for `rows`, in their order.
    fn events<'a>(
        &'a self,
        app: &'a App,
        rows: Vec<&'a (Cursor, Self::Row)>,
    ) -> impl Future<Output = Result<Vec<Event>, sqlx::Error>> + Send;
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

/// Opens a stream behind `after`, or behind all but the latest `tail` rows.
pub async fn open<F: Feed>(
    app: &App,
    caller: &Caller,
    after: Option<Cursor>,
    tail: u32,
    feed: F,
) -> ApiResult<Response> {
    let permit = app.streams.clone().try_acquire_owned().map_err(|_| {
        ApiError::new(Kind::TooManyStreams, "close a console that nobody looks at, or try again later")
    })?;
    let batches = F::tail(app).subscribe(&app.db);
    let mut tx = app.db.read().await?;
    let (cursor, pruned) = match after {
        Some(cursor) => (cursor, cursor::pruned_behind::<F::Row>(&mut tx, cursor).await?),
        None => (cursor::end::<F::Row>(&mut tx, tail).await?, 0),
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

struct Follower<F> {
    app: App,
    principal: Principal,
    feed: F,
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

impl<F: Feed> Follower<F> {
    async fn run(mut self, mut batches: tokio::sync::broadcast::Receiver<Batch<F::Row>>, pruned: u64) {
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
            let rows = F::Row::behind(&mut tx, self.cursor, ROWS).await?;
            tx.rollback().await?;
            if rows.is_empty() {
                return Ok(());
            }
            self.tell(&rows).await?;
        }
    }

    async fn tell(&mut self, rows: &[(Cursor, F::Row)]) -> Result<(), Ended> {
        let new: Vec<_> = rows.iter().filter(|(cursor, _)| *cursor > self.cursor).collect();
        let Some((last, _)) = new.last() else { return Ok(()) };
        let last = *last;
        let events = self.feed.events(&self.app, new).await?;
        self.cursor = last;
        for event in events {
            self.send(event).await?;
        }
        Ok(())
    }

    async fn send(&self, event: Event) -> Result<(), Ended> {
        if self.events.send_timeout(event, PATIENCE).await.is_ok() {
            return Ok(());
        }
        let unread = async {
            let mut tx = self.app.db.read().await?;
            cursor::count_behind::<F::Row>(&mut tx, self.cursor).await
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

/// `value` as an event that can be resumed behind.
pub fn event(cursor: Cursor, value: &impl serde::Serialize) -> Event {
    // JSON has no line breaks of its own, and the id is two numbers: nothing from outside can end a field.
    Event::default().id(cursor.to_string()).data(serde_json::to_string(value).unwrap_or_default())
}
