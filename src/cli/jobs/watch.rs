//! `jobs watch`: jobs as they change; with ids, until those have ended.

use std::{collections::HashMap, ops::ControlFlow};

use astrops_api::{
    ids::JobId,
    jobs::Job,
    sse::{EventStream, StreamItem},
    vocabulary::{JobStatus, JobType},
};
use futures::{StreamExt, stream};
use serde_json::json;

use super::{
    reference::{Reference, resolve},
    waiting,
};
use crate::cli::{
    context::Context,
    failure::{Failure, code},
    follow::{Event, follow},
    output::{Output, Tone, neutral},
    times,
    words::Words,
};

/// Arguments of `jobs watch`.
#[derive(clap::Args)]
pub struct Args {
    /// Wait until these have ended; exit code 1 when one did not complete
    #[arg(value_name = "ID", conflicts_with_all = ["kind", "status"])]
    ids: Vec<Reference>,
    /// Only of this type
    #[arg(long = "type", value_name = "TYPE", value_parser = Words(JobType::ALL), ignore_case = true)]
    kind: Option<JobType>,
    /// Only when they come to this status
    #[arg(long, value_parser = Words(JobStatus::ALL))]
    status: Option<JobStatus>,
}

impl Args {
    /// Watches.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        if !self.ids.is_empty() {
            return until_ended(context, &resolve(context, &self.ids).await?).await;
        }
        let out = context.out;
        let wanted = |job: &Job| {
            self.kind.is_none_or(|kind| kind == job.kind)
                && self.status.is_none_or(|status| status == job.status)
        };
        follow(
            context,
            async |after| context.client.job_stream(after).await,
            |event| {
                match event {
                    Event::Value(job) if wanted(&job) => write(out, &job)?,
                    Event::Value(_) => {}
                    Event::Gap(count) if out.json => out.record(&json!({ "gap": count }))?,
                    Event::Gap(count) => {
                        out.note(&format!("--- gap: {count} changes are no longer kept ---"));
                    }
                }
                Ok(ControlFlow::Continue(()))
            },
        )
        .await
    }
}

/// Shows each change of these jobs until all have ended; fails when one of them did not complete.
pub async fn until_ended(context: &Context, ids: &[JobId]) -> Result<(), Failure> {
    let out = context.out;
    let mut known: HashMap<JobId, Job> = HashMap::new();
    let open = async |after: Option<&str>| {
        // First the stream, then how things stand: nothing can happen between the two unseen.
        let changes = context.client.job_stream(after).await?;
        let mut now = Vec::new();
        for &id in ids {
            now.push(context.client.job(id, false).await?.job);
        }
        if after.is_none() {
            waiting::remark(context, &now.iter().collect::<Vec<_>>()).await;
        }
        let now: Vec<_> =
            now.into_iter().map(|value| Ok(StreamItem::Value { id: String::new(), value })).collect();
        Ok(Box::pin(stream::iter(now).chain(changes)) as EventStream<Job>)
    };
    follow(context, open, |event| {
        // A gap does no harm: each time it is opened, the stream begins with how things stand.
        let Event::Value(job) = event else { return Ok(ControlFlow::Continue(())) };
        let stale = known.get(&job.id).is_some_and(|seen| seen.updated_at >= job.updated_at);
        if ids.contains(&job.id) && !stale {
            if !out.quiet {
                write(out, &job)?;
            }
            known.insert(job.id, job);
        }
        let ended = known.len() == ids.len() && known.values().all(|job| job.status.is_ended());
        Ok(if ended { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })
    .await?;
    if known.values().all(|job| job.status == JobStatus::Completed) {
        Ok(())
    } else {
        Err(Failure::Told(code::FAILED))
    }
}

fn write(out: Output, job: &Job) -> Result<(), Failure> {
    if out.json {
        return out.record(job);
    }
    if out.quiet {
        return out.line(&job.id.to_string());
    }
    let time = out.paint(Tone::Dim, &times::fine(job.updated_at));
    let status = out.paint(super::tone(job.status), &format!("{:<10}", job.status));
    let tries = format!("{}/{}", job.attempt, job.max_attempts);
    // What it did, or why it did not.
    let told = if job.status == JobStatus::Completed { job.result() } else { job.error_message.as_deref() };
    let told = told.map(|told| format!("  {}", neutral(told))).unwrap_or_default();
    out.line(&format!(
        "{time}  {}  {status}  {tries:<5}  {:<14}  {}{told}",
        job.id,
        job.kind,
        neutral(&job.target())
    ))
}
