//! `jobs retry`, `cancel`, `delete`, `run`, `delay`: one call per id, each reported on its own.
//!
//! With `--json` the answer is an array with one object per id: `{id, ok, job}` with the API's JSON of the job,
//! or `{id, ok, problem}`. Exit code 0 when all went well, 4 when the daemon refused all, 1 otherwise.

use std::time::Duration;

use astrops_api::{
    ClientError, Problem,
    client::ExecuteAnswer,
    ids::JobId,
    jobs::{self, Executed, Job},
    vocabulary::JobStatus,
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use super::{
    reference::{Reference, resolve},
    waiting,
};
use crate::cli::{
    context::{Context, Sure},
    failure::{Failure, code, tell},
    times,
};

/// The jobs to act on.
#[derive(clap::Args)]
struct Ids {
    /// One job or several, by id or by its last eight digits
    #[arg(required = true, value_name = "ID")]
    ids: Vec<Reference>,
}

/// Arguments of `jobs retry`.
#[derive(clap::Args)]
pub struct Retry {
    #[command(flatten)]
    ids: Ids,
    #[command(flatten)]
    sure: Sure,
}

/// Arguments of `jobs cancel`.
#[derive(clap::Args)]
pub struct Cancel {
    #[command(flatten)]
    ids: Ids,
    #[command(flatten)]
    sure: Sure,
}

/// Arguments of `jobs delete`.
#[derive(clap::Args)]
pub struct Delete {
    #[command(flatten)]
    ids: Ids,
    #[command(flatten)]
    sure: Sure,
}

/// Arguments of `jobs run`.
#[derive(clap::Args)]
pub struct Run {
    #[command(flatten)]
    ids: Ids,
    /// Wait this long for each, at most 300 s; a job that takes longer goes on
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(..=300))]
    wait: u64,
    #[command(flatten)]
    sure: Sure,
}

/// Arguments of `jobs delay`.
#[derive(clap::Args)]
pub struct Delay {
    #[command(flatten)]
    ids: Ids,
    /// Not before this time: 2026-08-01T10:00:00Z, 2026-08-01, the next 10:00 (UTC), or 30m from now
    #[arg(long, value_name = "TIME", value_parser = times::future, visible_alias = "until")]
    run_at: DateTime<Utc>,
    #[command(flatten)]
    sure: Sure,
}

impl Retry {
    /// Retries.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        context.danger(&self.ids.deed("retry"), self.sure)?;
        let call = async |id| Ok(Done::job(&context.client.retry_job(id).await?, "queued again"));
        each(resolve(context, &self.ids.ids).await?, context, call).await
    }
}

impl Cancel {
    /// Cancels.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        context.danger(&self.ids.deed("cancel"), self.sure)?;
        let call = async |id| {
            let job = context.client.cancel_job(id).await?;
            let words = if job.status.is_ended() { "cancelled" } else { "asked to stop" };
            Ok(Done::job(&job, words))
        };
        each(resolve(context, &self.ids.ids).await?, context, call).await
    }
}

impl Delete {
    /// Deletes.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        context.danger(&self.ids.deed("delete"), self.sure)?;
        let call = async |id| {
            context.client.delete_job(id).await?;
            Ok(Done { ok: true, words: "deleted".to_owned(), answer: None })
        };
        each(resolve(context, &self.ids.ids).await?, context, call).await
    }
}

impl Run {
    /// Runs.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        context.danger(&self.ids.deed("run"), self.sure)?;
        let ids = resolve(context, &self.ids.ids).await?;
        waiting::remark_ids(context, &ids).await;
        let wait = Duration::from_secs(self.wait);
        let call = async |id| {
            Ok(match context.client.execute_job(id, Some(wait)).await? {
                ExecuteAnswer::Ended(job) => Done::executed(&job, ended(&job)),
                ExecuteAnswer::Running(job) => {
                    let words = match waiting::retrying(context, &job).await {
                        Some(words) => words,
                        None => format!(
                            "still {} after {} s; see: astrops jobs watch {id}",
                            job.status,
                            wait.as_secs()
                        ),
                    };
                    Done::executed(&job, words)
                }
            })
        };
        each(ids, context, call).await
    }
}

impl Delay {
    /// Delays.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        if self.run_at <= context.now {
            let ids: Vec<String> = self.ids.ids.iter().map(ToString::to_string).collect();
            let ids = ids.join(" ");
            return Err(Failure::Usage(format!(
                "{} lies in the past; astrops jobs run {ids} runs it now",
                times::stamp(self.run_at)
            )));
        }
        context.danger(&self.ids.deed("delay"), self.sure)?;
        let body = jobs::Delay { run_at: self.run_at };
        let words = format!("runs not before {}", times::stamp(self.run_at));
        let call = async |id| Ok(Done::job(&context.client.delay_job(id, &body).await?, &words));
        each(resolve(context, &self.ids.ids).await?, context, call).await
    }
}

fn ended(job: &Executed) -> String {
    match &job.error_message {
        Some(error) if job.status != JobStatus::Completed => format!("{}: {error}", job.status),
        _ => job.status.to_string(),
    }
}

/// What became of one job.
struct Done {
    ok: bool,
    words: String,
    answer: Option<Value>,
}

impl Done {
    fn job(job: &Job, words: &str) -> Self {
        Self { ok: true, words: words.to_owned(), answer: serde_json::to_value(job).ok() }
    }

    fn executed(job: &Executed, words: String) -> Self {
        Self { ok: job.status == JobStatus::Completed, words, answer: serde_json::to_value(job).ok() }
    }
}

/// One element of the JSON answer.
#[derive(Serialize)]
struct Report {
    id: JobId,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Box<Problem>>,
}

impl Ids {
    /// For the question on a production profile.
    fn deed(&self, verb: &str) -> String {
        match self.ids.as_slice() {
            [id] => format!("{verb} job {id}"),
            ids => format!("{verb} {} jobs", ids.len()),
        }
    }
}

/// Calls for each id in turn and reports. Ends early when no call can succeed: unreachable, or not signed in.
async fn each(
    mut ids: Vec<JobId>,
    context: &Context,
    call: impl AsyncFn(JobId) -> Result<Done, ClientError>,
) -> Result<(), Failure> {
    let mut once = std::collections::HashSet::new();
    ids.retain(|id| once.insert(*id));
    let mut reports = Vec::new();
    for &id in &ids {
        match call(id).await {
            Ok(Done { ok, words, answer }) => {
                if ok {
                    context.out.done(&format!("{id}: {words}"))?;
                } else {
                    tell(&format!("{id}: {words}"));
                }
                reports.push(Report { id, ok, job: answer, problem: None });
            }
            Err(ClientError::Refused(problem)) if problem.status != 401 => {
                tell(&format!("{id}: {}", context.words(&ClientError::Refused(problem.clone()))));
                reports.push(Report { id, ok: false, job: None, problem: Some(problem) });
            }
            Err(error) => {
                stopped(&ids, context, &reports)?;
                return Err(error.into());
            }
        }
    }
    if context.out.json {
        context.out.document(&reports)?;
    }
    if reports.iter().all(|report| report.ok) {
        return Ok(());
    }
    let refused = reports.iter().all(|report| report.problem.is_some());
    Err(Failure::Told(if refused { code::REFUSED } else { code::FAILED }))
}

/// Says what had been done before a call failed for a reason that the next ones share.
fn stopped(ids: &[JobId], context: &Context, reports: &[Report]) -> Result<(), Failure> {
    if context.out.json && !reports.is_empty() {
        context.out.document(&reports)?;
    }
    if ids.len() > 1 {
        // The one that failed may have been done all the same: its answer was lost.
        tell(&format!("stopped at job {} of {}: {}", reports.len() + 1, ids.len(), ids[reports.len()]));
    }
    Ok(())
}
