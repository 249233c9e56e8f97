//! `logs`: the system logs, once or as they come.

use std::ops::ControlFlow;

use astrops_api::{
    ids::{JobId, LogId, UserId},
    logs::{LogEntry, LogQuery, LogStreamQuery},
    vocabulary::{EventType, Order, Severity},
};
use chrono::{DateTime, Utc};
use serde_json::json;

use super::{
    context::Context,
    failure::Failure,
    follow::{Event, follow},
    jobs::reference::{self, Reference},
    output::{Output, Tone, neutral},
    times,
    words::Words,
};

/// Entries shown unless said.
const USUAL: u32 = 20;
/// The most that one answer, and one stream's beginning, may have.
const MOST_LISTED: u32 = astrops_api::paging::MAX_PAGE_SIZE;
const MOST_FOLLOWED: u32 = 1_000;

/// Arguments of `logs`. The latest entries come last, unless --order says otherwise.
#[derive(clap::Args)]
pub struct Args {
    /// Follow: go on with new entries as they are written, over broken connections too
    #[arg(long, short, conflicts_with_all = ["from", "to", "severity", "user", "before", "after", "page", "page_size", "order"])]
    follow: bool,
    /// The latest N entries (at most 200, or 1,000 with --follow) [default: 20]
    #[arg(long, short = 'n', value_name = "N", conflicts_with_all = ["page", "page_size"])]
    tail: Option<u32>,
    /// Only of this kind
    #[arg(long, value_name = "TYPE", value_parser = Words(EventType::ALL), ignore_case = true)]
    event_type: Option<EventType>,
    /// Only of this severity or worse
    #[arg(long, value_name = "SEVERITY", value_parser = Words(Severity::ALL), ignore_case = true)]
    min_severity: Option<Severity>,
    /// Only of exactly this severity
    #[arg(long, value_name = "SEVERITY", value_parser = Words(Severity::ALL), ignore_case = true)]
    severity: Option<Severity>,
    /// Only about this job, by id or by its last eight digits
    #[arg(long, value_name = "ID")]
    job: Option<Reference>,
    /// Only about this user
    #[arg(long, value_name = "ID")]
    user: Option<UserId>,
    /// Only with this text in the message, whatever the case
    #[arg(long = "query", value_name = "TEXT", alias = "q", alias = "search")]
    q: Option<String>,
    /// Since this time: 2026-08-01T10:00:00Z, 2026-08-01, 10:00 today (UTC), or 2h for two hours ago
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = times::past)]
    from: Option<DateTime<Utc>>,
    /// Until this time
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = times::past)]
    to: Option<DateTime<Utc>>,
    /// Older than the entry with this id
    #[arg(long, value_name = "ID")]
    before: Option<LogId>,
    /// Newer than the entry with this id
    #[arg(long, value_name = "ID")]
    after: Option<LogId>,
    /// The page, from 1
    #[arg(long, value_name = "N")]
    page: Option<u32>,
    /// Entries per page, at most 200
    #[arg(long, value_name = "N")]
    page_size: Option<u32>,
    /// asc: oldest first; desc: newest first
    #[arg(long, value_parser = Words(Order::ALL))]
    order: Option<Order>,
}

impl Args {
    /// Lists or follows.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let most = if self.follow { MOST_FOLLOWED } else { MOST_LISTED };
        if self.tail.is_some_and(|tail| tail > most) {
            return Err(Failure::Usage(format!(
                "--tail is at most {most} here; go further back with --before ID"
            )));
        }
        let job = match &self.job {
            Some(said) => Some(reference::one(context, said).await?),
            None => None,
        };
        if self.follow { self.follow(job, context).await } else { self.list(job, context).await }
    }

    async fn list(self, job: Option<JobId>, context: &Context) -> Result<(), Failure> {
        let ordered = self.order.is_some();
        let page = context.client.logs(&self.query(job)).await?;
        context.out.answer(&page, |out| {
            if page.logs.is_empty() {
                out.note("no such entries");
            }
            let write = |entry| write(out, entry);
            if ordered {
                page.logs.iter().try_for_each(write)
            } else {
                page.logs.iter().rev().try_for_each(write)
            }
        })
    }

    fn query(self, job: Option<JobId>) -> LogQuery {
        LogQuery {
            from: self.from,
            to: self.to,
            event_type: self.event_type,
            severity: self.severity,
            min_severity: self.min_severity,
            user_id: self.user,
            job_id: job,
            q: self.q,
            before: self.before,
            after: self.after,
            page: self.page,
            page_size: Some(self.tail.or(self.page_size).unwrap_or(USUAL)),
            order: self.order,
            ..LogQuery::default()
        }
    }

    async fn follow(self, job: Option<JobId>, context: &Context) -> Result<(), Failure> {
        let out = context.out;
        let tail = self.tail.unwrap_or(USUAL);
        // The stream begins with at least one entry, because without its id a break before the second could
        // not be resumed. With `--tail 0` that one is known and not shown.
        let mut hidden = if tail == 0 { self.latest(job, context).await? } else { None };
        let mut first = Some(tail.max(1));
        let open = async |after: Option<&str>| {
            let query = LogStreamQuery {
                after: after.map(str::to_owned),
                // Nothing seen before the break: the log was empty, so whatever there is now is new.
                tail: after.is_none().then(|| first.take().unwrap_or(MOST_FOLLOWED)),
                event_type: self.event_type,
                min_severity: self.min_severity,
                job_id: job,
                q: self.q.clone(),
            };
            context.client.log_stream(&query).await
        };
        follow(context, open, |event| {
            match event {
                Event::Value(entry) if hidden.take() == Some(entry.id) => {}
                Event::Value(entry) if out.json => out.record(&entry)?,
                Event::Value(entry) => write(out, &entry)?,
                Event::Gap(count) => write_gap(out, count)?,
            }
            Ok(ControlFlow::Continue(()))
        })
        .await
    }

    /// The newest entry that would be followed.
    async fn latest(&self, job: Option<JobId>, context: &Context) -> Result<Option<LogId>, Failure> {
        let query = LogQuery {
            event_type: self.event_type,
            min_severity: self.min_severity,
            job_id: job,
            q: self.q.clone(),
            page_size: Some(1),
            ..LogQuery::default()
        };
        Ok(context.client.logs(&query).await?.logs.first().map(|entry| entry.id))
    }
}

fn write(out: Output, entry: &LogEntry) -> Result<(), Failure> {
    if out.quiet { out.line(&entry.id.to_string()) } else { out.line(&line(out, entry)) }
}

/// One entry on one line: time, severity, kind, message, and the job it leads to.
pub fn line(out: Output, entry: &LogEntry) -> String {
    let time = out.paint(Tone::Dim, &times::fine(entry.timestamp));
    let severity = out.paint(tone(entry.severity), &format!("{:<8}", entry.severity));
    let job = entry.job_id.map(|id| out.paint(Tone::Dim, &format!("  job {id}"))).unwrap_or_default();
    format!("{time}  {severity}  {:<9}  {}{job}", entry.event_type, neutral(&entry.message))
}

fn write_gap(out: Output, count: u64) -> Result<(), Failure> {
    if out.json {
        return out.record(&json!({ "gap": count }));
    }
    let words = format!("--- gap: {count} entries are no longer kept ---");
    if out.quiet {
        out.note(&words);
        return Ok(());
    }
    out.line(&out.paint(Tone::Warn, &words))
}

const fn tone(severity: Severity) -> Tone {
    match severity {
        Severity::Info => Tone::Plain,
        Severity::Warning => Tone::Warn,
        Severity::Error | Severity::Critical => Tone::Bad,
    }
}
