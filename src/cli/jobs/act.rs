//! `jobs retry`, `cancel`, `delete`, `run`, `delay`: one call per id, each reported on its own.

use std::time::Duration;

use astrops_api::{
    client::ExecuteAnswer,
    jobs::{self, Executed},
    vocabulary::JobStatus,
};
use chrono::{DateTime, Utc};

use super::{
    reference::{Reference, resolve},
    waiting,
};
use crate::cli::{
    context::{Context, Sure},
    each::{Done, each},
    failure::Failure,
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
        let call = async |id| Ok(Done::well("queued again", &context.client.retry_job(id).await?));
        each("job", resolve(context, &self.ids.ids).await?, context, call).await
    }
}

impl Cancel {
    /// Cancels.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        context.danger(&self.ids.deed("cancel"), self.sure)?;
        let call = async |id| {
            let job = context.client.cancel_job(id).await?;
            let words = if job.status.is_ended() { "cancelled" } else { "asked to stop" };
            Ok(Done::well(words, &job))
        };
        each("job", resolve(context, &self.ids.ids).await?, context, call).await
    }
}

impl Delete {
    /// Deletes.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        context.danger(&self.ids.deed("delete"), self.sure)?;
        let call = async |id| {
            context.client.delete_job(id).await?;
            Ok(Done::gone("deleted"))
        };
        each("job", resolve(context, &self.ids.ids).await?, context, call).await
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
                ExecuteAnswer::Ended(job) => executed(&job, &ended(&job)),
                ExecuteAnswer::Running(job) => {
                    let words = match waiting::retrying(context, &job).await {
                        Some(words) => words,
                        None => format!(
                            "still {} after {} s; see: astrops jobs watch {id}",
                            job.status,
                            wait.as_secs()
                        ),
                    };
                    executed(&job, &words)
                }
            })
        };
        each("job", ids, context, call).await
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
        let call = async |id| Ok(Done::well(&words, &context.client.delay_job(id, &body).await?));
        each("job", resolve(context, &self.ids.ids).await?, context, call).await
    }
}

fn ended(job: &Executed) -> String {
    match &job.error_message {
        Some(error) if job.status != JobStatus::Completed => format!("{}: {error}", job.status),
        _ => job.status.to_string(),
    }
}

fn executed(job: &Executed, words: &str) -> Done {
    Done::so(job.status == JobStatus::Completed, words, job)
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
