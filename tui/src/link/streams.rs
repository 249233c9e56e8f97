//! The two live streams and where they stand.

use astrops_api::{
    Client, ClientError,
    jobs::Job,
    logs::{LogEntry, LogStreamQuery},
    sse::{EventStream, StreamItem},
};
use futures::{FutureExt, StreamExt};

use crate::message::{LogItem, Update};

/// Entries to begin with when there is nothing to resume from.
const TAIL: u32 = 1_000;

/// Most items of one update: a burst becomes few updates, and each stays small.
const BATCH: usize = 512;

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

/// Both streams.
///
/// [`Streams::next`] may be dropped at any await (the link waits for several things at once), so whatever was
/// taken from a stream is handed out without awaiting in between.
pub struct Streams {
    logs: EventStream<LogEntry>,
    jobs: EventStream<Job>,
    /// The daemon dropped a stream because we were slow: open it again behind the cursor.
    logs_lagged: bool,
    jobs_lagged: bool,
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
        Ok((Self { logs, jobs, logs_lagged: false, jobs_lagged: false }, news))
    }

    /// The next items of either stream; what is there already comes along in one go.
    pub async fn next(&mut self, client: &Client, cursor: &mut Cursor) -> News {
        if self.logs_lagged {
            match open_logs(client, cursor).await {
                Ok(stream) => (self.logs, self.logs_lagged) = (stream, false),
                Err(error) => return News::Broken(error),
            }
        }
        if self.jobs_lagged {
            match client.job_stream(cursor.jobs.as_deref()).await {
                Ok(stream) => (self.jobs, self.jobs_lagged) = (stream, false),
                Err(error) => return News::Broken(error),
            }
        }
        tokio::select! {
            item = self.logs.next() => self.take_logs(item, cursor),
            item = self.jobs.next() => self.take_jobs(item, cursor),
        }
    }

    fn take_logs(
        &mut self,
        first: Option<Result<StreamItem<LogEntry>, ClientError>>,
        cursor: &mut Cursor,
    ) -> News {
        let mut batch = Vec::new();
        let mut lagged = None;
        let mut item = Some(first);
        while let Some(next) = item {
            match next {
                Some(Ok(StreamItem::Value { id, value })) => {
                    if !id.is_empty() {
                        cursor.logs = Some(id);
                    }
                    batch.push(LogItem::Entry(value));
                }
                Some(Ok(StreamItem::Gap(count))) => batch.push(LogItem::Gap(Some(count))),
                // An entry that this version cannot read must not stop the others.
                Some(Err(ClientError::Unexpected(_))) => batch.push(LogItem::Gap(Some(1))),
                Some(Ok(StreamItem::Lagged(count))) => {
                    self.logs_lagged = true;
                    lagged = Some(Update::Lagged(count));
                    break;
                }
                ended if batch.is_empty() => return News::Broken(broken(ended)),
                // What came before the end is told first; the end is met again at the next call.
                ended => {
                    self.logs = Box::pin(futures::stream::once(async { Err(broken(ended)) }));
                    break;
                }
            }
            item = if batch.len() < BATCH { self.logs.next().now_or_never() } else { None };
        }
        News::Updates(std::iter::once(Update::Logs(batch)).chain(lagged).collect())
    }

    fn take_jobs(
        &mut self,
        first: Option<Result<StreamItem<Job>, ClientError>>,
        cursor: &mut Cursor,
    ) -> News {
        let mut batch = Vec::new();
        let mut missed = None;
        let mut item = Some(first);
        while let Some(next) = item {
            match next {
                Some(Ok(StreamItem::Value { id, value })) => {
                    if !id.is_empty() {
                        cursor.jobs = Some(id);
                    }
                    batch.push(value);
                }
                Some(Ok(StreamItem::Gap(_)) | Err(ClientError::Unexpected(_))) => {
                    missed = Some(Update::JobsMissed);
                }
                Some(Ok(StreamItem::Lagged(_))) => {
                    self.jobs_lagged = true;
                    missed = Some(Update::JobsMissed);
                    break;
                }
                ended if batch.is_empty() && missed.is_none() => return News::Broken(broken(ended)),
                ended => {
                    self.jobs = Box::pin(futures::stream::once(async { Err(broken(ended)) }));
                    break;
                }
            }
            item = if batch.len() < BATCH { self.jobs.next().now_or_never() } else { None };
        }
        News::Updates(std::iter::once(Update::JobsChanged(batch)).chain(missed).collect())
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
