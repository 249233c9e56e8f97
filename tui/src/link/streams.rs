//! The two live streams and where they stand.

use std::{pin::Pin, time::Duration};

use astrops_api::{
    Client, ClientError,
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
}

/// What the streams had to tell.
pub enum News {
    /// Things for the screens.
    Updates(Vec<Update>),
    /// A stream ended: the connection is gone, or the daemon wants it gone.
    Broken(ClientError),
}

/// Both streams, and what came of them that is not told yet.
///
/// [`Streams::next`] may be dropped at any await (the link waits for several things at once), so whatever was
/// taken from a stream is kept here until it is handed out.
pub struct Streams {
    logs: EventStream<LogEntry>,
    jobs: EventStream<Job>,
    entries: Vec<LogItem>,
    changed: Vec<Job>,
    /// Changes of jobs were missed.
    missed: bool,
    /// The daemon dropped a stream because we were slow: so many entries, and which stream to open again.
    lagged: Option<u64>,
    logs_lagged: bool,
    jobs_lagged: bool,
    /// A stream ended.
    ended: Option<ClientError>,
    /// When what was gathered is told.
    timer: Pin<Box<Sleep>>,
}

impl Streams {
    /// Opens both behind `cursor`; the updates tell what was missed for good.
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
        news.push(Update::JobsMissed);
        let jobs = match client.job_stream(cursor.jobs.as_deref()).await {
            Err(error) if refused_cursor(&error) && cursor.jobs.is_some() => {
                cursor.jobs = None;
                client.job_stream(None).await?
            }
            opened => opened?,
        };
        let streams = Self {
            logs,
            jobs,
            entries: Vec::new(),
            changed: Vec::new(),
            missed: false,
            lagged: None,
            logs_lagged: false,
            jobs_lagged: false,
            ended: None,
            timer: Box::pin(tokio::time::sleep(GATHER)),
        };
        Ok((streams, news))
    }

    /// What came within [`GATHER`] of the first item, or [`BATCH`] items.
    pub async fn next(&mut self, client: &Client, cursor: &mut Cursor) -> News {
        loop {
            let full = self.entries.len() >= BATCH || self.changed.len() >= BATCH;
            let broke = self.ended.is_some() || self.logs_lagged || self.jobs_lagged;
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
                item = self.jobs.next() => self.take_job(item, cursor),
                () = &mut self.timer, if began => return News::Updates(self.tell()),
            }
            if !began {
                self.timer.as_mut().reset(Instant::now() + GATHER);
            }
        }
    }

    const fn has_news(&self) -> bool {
        !self.entries.is_empty() || !self.changed.is_empty() || self.missed || self.lagged.is_some()
    }

    fn tell(&mut self) -> Vec<Update> {
        let mut updates = Vec::new();
        if !self.entries.is_empty() {
            updates.push(Update::Logs(std::mem::take(&mut self.entries)));
        }
        updates.extend(self.lagged.take().map(Update::Lagged));
        if !self.changed.is_empty() {
            updates.push(Update::JobsChanged(std::mem::take(&mut self.changed)));
        }
        if std::mem::take(&mut self.missed) {
            updates.push(Update::JobsMissed);
        }
        updates
    }

    /// Opens the streams that the daemon dropped, behind what was seen.
    async fn reopen(&mut self, client: &Client, cursor: &Cursor) -> Result<(), ClientError> {
        if self.logs_lagged {
            self.logs = open_logs(client, cursor).await?;
            self.logs_lagged = false;
        }
        if self.jobs_lagged {
            self.jobs = client.job_stream(cursor.jobs.as_deref()).await?;
            self.jobs_lagged = false;
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

    fn take_job(&mut self, item: Option<Result<StreamItem<Job>, ClientError>>, cursor: &mut Cursor) {
        match item {
            Some(Ok(StreamItem::Value { id, value })) => {
                if !id.is_empty() {
                    cursor.jobs = Some(id);
                }
                self.changed.push(value);
            }
            Some(Ok(StreamItem::Gap(_)) | Err(ClientError::Unexpected(_))) => self.missed = true,
            Some(Ok(StreamItem::Lagged(_))) => {
                self.jobs_lagged = true;
                self.missed = true;
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

fn refused_cursor(error: &ClientError) -> bool {
    error.problem().is_some_and(|problem| matches!(problem.status, 400 | 404 | 422))
}

fn broken<T>(ended: Option<Result<T, ClientError>>) -> ClientError {
    match ended {
        Some(Err(error)) => error,
        _ => ClientError::Unreachable("the daemon closed the connection".into()),
    }
}
