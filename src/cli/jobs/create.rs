//! `jobs create`: a mail with its text, a reconciliation, or housekeeping.

use astrops_api::{
    ids::EntityId,
    jobs::{Maintenance, NewJob, NewMail, Reconciliation},
    vocabulary::{EntityType, JobType, MaintenanceTask},
};
use chrono::{DateTime, Utc};

use super::watch;
use crate::cli::{
    context::{Context, Sure},
    failure::Failure,
    times,
    words::Words,
};

/// Arguments of `jobs create`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    work: Work,
    #[command(flatten)]
    terms: Terms,
}

/// What the job does.
#[derive(clap::Subcommand)]
enum Work {
    /// Send a mail with this text; for mails from templates see `astrops notify`.
    Notification {
        /// Address of the one recipient
        #[arg(long, value_name = "E-MAIL")]
        to: String,
        /// One line
        #[arg(long, value_name = "TEXT")]
        subject: String,
        /// Plain text
        #[arg(long, value_name = "TEXT")]
        message: String,
    },
    /// Make one entity agree between the two databases.
    Reconciliation {
        /// The kind of entity
        #[arg(value_name = "TYPE", value_parser = Words(EntityType::ALL))]
        entity_type: EntityType,
        /// The entity: a UUID or 24 hexadecimal digits
        #[arg(value_name = "ID")]
        entity_id: EntityId,
    },
    /// Do housekeeping now.
    Maintenance {
        /// The task
        #[arg(value_parser = Words(MaintenanceTask::ALL))]
        task: MaintenanceTask,
    },
}

impl Work {
    const fn kind(&self) -> JobType {
        match self {
            Self::Notification { .. } => JobType::Notification,
            Self::Reconciliation { .. } => JobType::Reconciliation,
            Self::Maintenance { .. } => JobType::Maintenance,
        }
    }
}

/// When and how it runs.
#[derive(clap::Args)]
#[command(next_help_heading = "Terms")]
struct Terms {
    /// Not before this time: 2026-08-01T10:00:00Z, 2026-08-01, the next 10:00 (UTC), or 30m from now
    #[arg(long, global = true, value_name = "TIME", value_parser = times::future)]
    run_at: Option<DateTime<Utc>>,
    /// Smaller runs earlier, -100 to 100
    #[arg(long, global = true, value_name = "N", allow_negative_numbers = true)]
    priority: Option<i32>,
    /// Attempts it may take, 1 to 100
    #[arg(long, global = true, value_name = "N")]
    max_attempts: Option<u32>,
    /// Refuse a second job with this key while the first waits or runs
    #[arg(long, global = true, value_name = "KEY")]
    unique_key: Option<String>,
    /// Wait until it has ended; exit code 1 when it did not complete
    #[arg(long, global = true)]
    wait: bool,
    /// Do not ask on a production profile
    #[arg(long, short, global = true)]
    yes: bool,
}

impl Args {
    /// Makes it.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        context.danger(&format!("make a {} job", self.work.kind()), Sure { yes: self.terms.yes })?;
        let wait = self.terms.wait;
        let job = context.client.create_job(&self.body()).await?;
        let out = context.out;
        if out.quiet && !out.json {
            out.line(&job.id.to_string())?;
        }
        if wait {
            return watch::until_ended(context, &[job.id]).await;
        }
        out.answer(&job, |out| out.done(&format!("{}: {} {}", job.id, job.kind, job.status)))
    }

    fn body(self) -> NewJob {
        let terms = self.terms;
        let empty = NewJob {
            kind: self.work.kind(),
            notification: None,
            reconciliation: None,
            maintenance: None,
            run_at: terms.run_at,
            priority: terms.priority,
            max_attempts: terms.max_attempts,
            unique_key: terms.unique_key,
        };
        match self.work {
            Work::Notification { to, subject, message } => {
                NewJob { notification: Some(NewMail { recipient_email: to, subject, message }), ..empty }
            }
            Work::Reconciliation { entity_type, entity_id } => NewJob {
                reconciliation: Some(Reconciliation { entity_type, entity_id, changes_log: None }),
                ..empty
            },
            Work::Maintenance { task } => NewJob { maintenance: Some(Maintenance::of(task)), ..empty },
        }
    }
}
