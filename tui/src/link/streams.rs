//! The live streams and where they stand.

use std::{pin::Pin, time::Duration};

use astrops_api::{
    Client, ClientError,
    events::DomainEvent,
    jobs::Job,
    logs::{LogEntry, LogStreamQuery},
    sse::{EventStream, StreamItem},
};
use futures::StreamExt;
use tokio::time::{Instant, Sleep};

use crate::message::{LogItem, Update};

/// Entries to begin with when there is nothing to resume from.
const TAIL: u32 = 1_000;

/// Most items of one update: a burst becomes few updates, and each stays small.
const BATCH: usize = 512;

/// How long items are gathered before they are told: a third of a frame, so that a burst becomes few updates and
/// no eye sees the delay.
const GATHER: Duration = Duration::from_millis(10);

/// The last event seen of each stream.
#[derive(Clone, Debug, Default)]
pub struct Cursor {
    logs: Option<String>,
    jobs: Option<String>,
    events: Option<String>,
}

/// What the streams had to tell.
pub enum News {
    /// Things for the screens.
    Updates(Vec<Update>),
    /// A stream ended: the connection is gone, or the daemon wants it gone.
    Broken(ClientError),
}

/// A stream of what changed, of which the latest state can be asked for again: nothing is lost that matters.
struct Changes<T> {
    /// `None`: the daemon does not offer it to us, and screens ask by themselves now and then.
    stream: Option<EventStream<T>>,
    /// Not told yet.
    changed: Vec<T>,
    /// Some were missed.
    missed: bool,
    /// The daemon dropped the stream because we were slow.
    lagged: bool,
}

impl<T> Changes<T> {
    const fn new(stream: Option<EventStream<T>>) -> Self {
        Self { stream, changed: Vec::new(), missed: false, lagged: false }
    }

    const fn has_news(&self) -> bool {
        !self.changed.is_empty() || self.missed
    }

    async fn next(&mut self) -> Option<Result<StreamItem<T>, ClientError>> {
        match &mut self.stream {
            Some(stream) => stream.next().await,
            None => std::future::pending().await,
        }
    }

    /// Takes an item in; answers why the stream is over when it is.
    fn take(
        &mut self,
        item: Option<Result<StreamItem<T>, ClientError>>,
        cursor: &mut Option<String>,
    ) -> Option<ClientError> {
        match item {
            Some(Ok(StreamItem::Value { id, value })) => {
                if !id.is_empty() {
                    *cursor = Some(id);
                }
                self.changed.push(value);
            }
            Some(Ok(StreamItem::Gap(_)) | Err(ClientError::Unexpected(_))) => self.missed = true,
            Some(Ok(StreamItem::Lagged(_))) => {
                self.lagged = true;
                self.missed = true;
            }
            ended => return Some(broken(ended)),
        }
        None
    }
}

/// The streams, and what came of them that is not told yet.
///
/// [`Streams::next`] may be dropped at any await (the link waits for several things at once), so whatever was
/// taken from a stream is kept here until it is handed out.
pub struct Streams {
    logs: EventStream<LogEntry>,
    jobs: Changes<Job>,
    events: Changes<DomainEvent>,
    entries: Vec<LogItem>,
    /// The daemon dropped the logs because we were slow: so many entries, and they are to be opened again.
    lagged: Option<u64>,
    logs_lagged: bool,
    /// A stream ended.
    ended: Option<ClientError>,
    /// When what was gathered is told.
    timer: Pin<Box<Sleep>>,
}

impl Streams {
    /// Opens all behind `cursor`; the updates tell what was missed for good.
    pub async fn open(client: &Client, cursor: &mut Cursor) -> Result<(Self, Vec<Update>), ClientError> {
        let mut news = Vec::new();
        let logs = match open_logs(client, cursor).await {
            Err(error) if refused_cursor(&error) && cursor.logs.is_some() => {
                // Another database than before: nobody can say what is between.
                cursor.logs = None;
                news.push(Update::Logs(vec![LogItem::Gap(None)]));
                open_logs(client, cursor).await?
            }
            opened => opened?,
        };
        // Whatever changed while no stream was open is asked for again.
        news.extend([Update::JobsMissed, Update::EventsMissed]);
        let jobs = match client.job_stream(cursor.jobs.as_deref()).await {
            Err(error) if refused_cursor(&error) && cursor.jobs.is_some() => {
                cursor.jobs = None;
                client.job_stream(None).await?
            }
            opened => opened?,
        };
        let events = match open_events(client, cursor).await {
            Err(error) if refused_cursor(&error) && cursor.events.is_some() => {
                cursor.events = None;
                open_events(client, cursor).await?
            }
            opened => opened?,
        };
        let streams = Self {
            logs,
            jobs: Changes::new(Some(jobs)),
            events: Changes::new(events),
            entries: Vec::new(),
            lagged: None,
            logs_lagged: false,
            ended: None,
            timer: Box::pin(tokio::time::sleep(GATHER)),
        };
        Ok((streams, news))
    }

    /// What came within [`GATHER`] of the first item, or [`BATCH`] items.
    pub async fn next(&mut self, client: &Client, cursor: &mut Cursor) -> News {
        loop {
            let held = [self.entries.len(), self.jobs.changed.len(), self.events.changed.len()];
            let full = held.iter().any(|held| *held >= BATCH);
            let lagged = self.logs_lagged || self.jobs.lagged || self.events.lagged;
            let broke = self.ended.is_some() || lagged;
            if self.has_news() && (full || broke) {
                return News::Updates(self.tell());
            }
            if let Some(error) = self.ended.take() {
                return News::Broken(error);
            }
            if let Err(error) = self.reopen(client, cursor).await {
                return News::Broken(error);
            }
            let began = self.has_news();
            tokio::select! {
                item = self.logs.next() => self.take_entry(item, cursor),
                item = self.jobs.next() => self.ended = self.jobs.take(item, &mut cursor.jobs),
                item = self.events.next() => self.ended = self.events.take(item, &mut cursor.events),
                () = &mut self.timer, if began => return News::Updates(self.tell()),
            }
            if !began {
                self.timer.as_mut().reset(Instant::now() + GATHER);
            }
        }
    }

    const fn has_news(&self) -> bool {
        !self.entries.is_empty() || self.lagged.is_some() || self.jobs.has_news() || self.events.has_news()
    }

    fn tell(&mut self) -> Vec<Update> {
        let mut updates = Vec::new();
        if !self.entries.is_empty() {
            updates.push(Update::Logs(std::mem::take(&mut self.entries)));
        }
        updates.extend(self.lagged.take().map(Update::Lagged));
        if !self.jobs.changed.is_empty() {
            updates.push(Update::JobsChanged(std::mem::take(&mut self.jobs.changed)));
        }
        if std::mem::take(&mut self.jobs.missed) {
            updates.push(Update::JobsMissed);
        }
        if !self.events.changed.is_empty() {
            updates.push(Update::Events(std::mem::take(&mut self.events.changed)));
        }
        if std::mem::take(&mut self.events.missed) {
            updates.push(Update::EventsMissed);
        }
        updates
    }

    /// Opens the streams that the daemon dropped, behind what was seen.
    async fn reopen(&mut self, client: &Client, cursor: &Cursor) -> Result<(), ClientError> {
        if self.logs_lagged {
            self.logs = open_logs(client, cursor).await?;
            self.logs_lagged = false;
        }
        if self.jobs.lagged {
            self.jobs.stream = Some(client.job_stream(cursor.jobs.as_deref()).await?);
            self.jobs.lagged = false;
        }
        if self.events.lagged {
            self.events.stream = open_events(client, cursor).await?;
            self.events.lagged = false;
        }
        Ok(())
    }

    fn take_entry(&mut self, item: Option<Result<StreamItem<LogEntry>, ClientError>>, cursor: &mut Cursor) {
        match item {
            Some(Ok(StreamItem::Value { id, value })) => {
                if !id.is_empty() {
                    cursor.logs = Some(id);
                }
                self.entries.push(LogItem::Entry(value));
            }
            Some(Ok(StreamItem::Gap(count))) => self.entries.push(LogItem::Gap(Some(count))),
            // An entry that this version cannot read must not stop the others.
            Some(Err(ClientError::Unexpected(_))) => self.entries.push(LogItem::Gap(Some(1))),
            Some(Ok(StreamItem::Lagged(count))) => {
                self.logs_lagged = true;
                self.lagged = Some(self.lagged.unwrap_or(0) + count);
            }
            ended => self.ended = Some(broken(ended)),
        }
    }
}

async fn open_logs(client: &Client, cursor: &Cursor) -> Result<EventStream<LogEntry>, ClientError> {
    let after = cursor.logs.clone();
    let tail = after.is_none().then_some(TAIL);
    client.log_stream(&LogStreamQuery { after, tail, ..LogStreamQuery::default() }).await
}

async fn open_events(
    client: &Client,
    cursor: &Cursor,
) -> Result<Option<EventStream<DomainEvent>>, ClientError> {
    match client.event_stream(cursor.events.as_deref()).await {
        // An older daemon has no such stream; that is no reason to show nothing at all.
        Err(error) if error.problem().is_some_and(|problem| matches!(problem.status, 403 | 404)) => Ok(None),
        opened => opened.map(Some),
    }
}

fn refused_cursor(error: &ClientError) -> bool {
    error.problem().is_some_and(|problem| matches!(problem.status, 400 | 404 | 422))
}

fn broken<T>(ended: Option<Result<T, ClientError>>) -> ClientError {
    match ended {
        Some(Err(error)) => error,
        _ => ClientError::Unreachable("the daemon closed the connection".into()),
    }
}
