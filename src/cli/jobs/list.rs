//! `jobs list`.

use astrops_api::{
    ids::{EntityId, JobId},
    jobs::{Job, JobQuery},
    vocabulary::{Delivery, EntityType, JobPhase, JobStatus, JobType},
};
use chrono::{DateTime, Utc};

use crate::cli::{
    context::Context,
    failure::Failure,
    listing::{Slice, counts},
    table::{Cell, Fit, Table},
    times,
    words::Words,
};

/// Arguments of `jobs list`.
#[derive(clap::Args)]
pub struct Args {
    /// Only of this type
    #[arg(long = "type", value_name = "TYPE", value_parser = Words(JobType::ALL), ignore_case = true)]
    kind: Option<JobType>,
    /// Only with this status
    #[arg(long, value_parser = Words(JobStatus::ALL))]
    status: Option<JobStatus>,
    /// Only in this phase, which says more than the status
    #[arg(long, value_parser = Words(JobPhase::ALL))]
    phase: Option<JobPhase>,
    /// Only with this fate of their mail; unknown ones need a person to decide
    #[arg(long, value_parser = Words(Delivery::ALL))]
    delivery: Option<Delivery>,
    /// Only about this kind of entity
    #[arg(long, value_name = "TYPE", value_parser = Words(EntityType::ALL))]
    entity_type: Option<EntityType>,
    /// Only about this entity
    #[arg(long, value_name = "ID")]
    entity_id: Option<EntityId>,
    /// Only made by this schedule
    #[arg(long, value_name = "NAME")]
    schedule: Option<String>,
    /// Created since this time: 2026-08-01T10:00:00Z, 2026-08-01, 10:00 today (UTC), or 2h for two hours ago
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = times::past)]
    from: Option<DateTime<Utc>>,
    /// Created until this time
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = times::past)]
    to: Option<DateTime<Utc>>,
    /// Only with this text in recipient, subject, key, error, or the id of what it is about
    #[arg(long = "query", value_name = "TEXT", alias = "q", alias = "search", conflicts_with = "words")]
    q: Option<String>,
    /// Another way to say --query: an address, the id of a booking
    #[arg(value_name = "TEXT")]
    words: Option<String>,
    /// Older than the job with this id
    #[arg(long, value_name = "ID")]
    before: Option<JobId>,
    /// Newer than the job with this id
    #[arg(long, value_name = "ID")]
    after: Option<JobId>,
    #[command(flatten)]
    slice: Slice,
}

impl Args {
    /// Lists.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let page = context.client.jobs(&self.query()).await?;
        context.out.answer(&page, |out| {
            if out.quiet {
                return page.jobs.iter().try_for_each(|job| out.line(&job.id.to_string()));
            }
            table(&page.jobs, context.now).write(out)?;
            // Jobs come and go while one reads: the next page begins behind the last job, not at a number.
            let last = || page.jobs.last().map(|job| format!("; older ones: --before {}", job.id));
            out.note(&counts!(page.jobs).summary("jobs", out, || last().unwrap_or_default()));
            Ok(())
        })
    }

    fn query(self) -> JobQuery {
        let Slice { page, page_size, limit, offset, order } = self.slice.usual();
        JobQuery {
            kind: self.kind,
            status: self.status,
            phase: self.phase,
            delivery: self.delivery,
            entity_type: self.entity_type,
            entity_id: self.entity_id,
            schedule: self.schedule,
            from: self.from,
            to: self.to,
            q: self.q.or(self.words),
            before: self.before,
            after: self.after,
            page,
            page_size,
            limit,
            offset,
            order,
            ..JobQuery::default()
        }
    }
}

/// Jobs as rows.
fn table(jobs: &[Job], now: DateTime<Utc>) -> Table<8> {
    let mut table = Table::new([
        ("ID", Fit::Whole),
        ("TYPE", Fit::Optional(3)),
        ("STATUS", Fit::Whole),
        ("PHASE", Fit::Optional(4)),
        ("TRY", Fit::Number),
        ("AGE", Fit::Number),
        ("TARGET", Fit::Cut),
        ("ERROR", Fit::Optional(5)),
    ]);
    for job in jobs {
        table.row([
            job.id.to_string().into(),
            job.kind.as_str().into(),
            Cell::new(job.status.as_str(), super::tone(job.status)),
            job.phase.as_str().into(),
            format!("{}/{}", job.attempt, job.max_attempts).into(),
            times::ago(now, job.created_at).into(),
            job.target().into(),
            job.error_message.as_deref().unwrap_or_default().into(),
        ]);
    }
    table
}
