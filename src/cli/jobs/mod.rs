//! `jobs`: look at the queue and act on it.
//!
//! - [`list`], [`show`]: reading.
//! - [`act`]: what is done to one or more jobs by id, reported per id.
//! - [`create`], [`queue`]: a new job; pausing and resuming types.
//! - [`mod@reference`]: which job is meant; [`waiting`]: why one that is waited for does not end.
//! - [`watch`]: changes as they happen, or until given jobs have ended.

mod act;
mod create;
mod list;
mod queue;
pub mod reference;
mod show;
mod waiting;
pub mod watch;

use astrops_api::vocabulary::JobStatus;

use super::{context::Context, failure::Failure, output::Tone};

/// What can be done about jobs.
#[derive(clap::Subcommand)]
pub enum Command {
    /// List jobs, newest first.
    List(list::Args),
    /// Show one job with its attempts and logs.
    Show(show::Args),
    /// Queue failed or cancelled jobs again.
    Retry(act::Retry),
    /// Cancel queued jobs, and ask running ones to stop.
    Cancel(act::Cancel),
    /// Delete ended jobs with their history.
    Delete(act::Delete),
    /// Run jobs now and wait until they have ended.
    Run(act::Run),
    /// Put queued jobs off to a later time.
    Delay(act::Delay),
    /// Show the queue by type and status.
    Stats,
    /// Stop starting jobs, of one type or of all.
    Pause(queue::Pause),
    /// Let jobs be claimed again, of one type or of all.
    Resume(queue::Resume),
    /// Make a job.
    Create(create::Args),
    /// Show jobs as they change, or wait until the given ones have ended.
    Watch(watch::Args),
}

impl Command {
    /// Does it.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List(args) => args.run(context).await,
            Self::Show(args) => args.run(context).await,
            Self::Retry(args) => args.run(context).await,
            Self::Cancel(args) => args.run(context).await,
            Self::Delete(args) => args.run(context).await,
            Self::Run(args) => args.run(context).await,
            Self::Delay(args) => args.run(context).await,
            Self::Stats => queue::stats(context).await,
            Self::Pause(args) => args.run(context).await,
            Self::Resume(args) => args.run(context).await,
            Self::Create(args) => args.run(context).await,
            Self::Watch(args) => args.run(context).await,
        }
    }
}

/// How a status looks wherever it is shown.
pub const fn tone(status: JobStatus) -> Tone {
    match status {
        JobStatus::Queued => Tone::Plain,
        JobStatus::Processing => Tone::Busy,
        JobStatus::Completed => Tone::Good,
        JobStatus::Failed => Tone::Bad,
        JobStatus::Cancelled => Tone::Warn,
    }
}
