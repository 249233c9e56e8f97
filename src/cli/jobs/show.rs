//! `jobs show`.

use astrops_api::{
    jobs::{Attempt, Job, JobDetail, Notification},
    vocabulary::{Delivery, JobStatus, NotificationType},
};

use super::reference::{Reference, one};
use crate::cli::{
    context::Context,
    failure::Failure,
    logs,
    output::{Output, Tone, json_text},
    table::{Facts, Fit, Table},
    times,
};

/// Arguments of `jobs show`.
#[derive(clap::Args)]
pub struct Args {
    /// The job, by id or by its last eight digits
    id: Reference,
    /// Show private fields too; operators only, and it is written down
    #[arg(long)]
    reveal: bool,
}

impl Args {
    /// Shows it.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let id = one(context, &self.id).await?;
        let detail = context.client.job(id, self.reveal).await?;
        context.out.answer(&detail, |out| {
            if out.quiet { out.line(&detail.job.id.to_string()) } else { write(&detail, out) }
        })
    }
}

fn write(detail: &JobDetail, out: Output) -> Result<(), Failure> {
    facts(detail).write(out)?;
    if !detail.attempts.is_empty() {
        out.line("")?;
        attempts(&detail.attempts).write(out)?;
    }
    if !detail.logs.is_empty() {
        out.line("")?;
        out.line(&out.paint(Tone::Strong, "LOGS"))?;
        detail.logs.iter().try_for_each(|entry| out.line(&logs::line(out, entry)))?;
    }
    if detail.masked {
        out.note("private fields are hidden; operators see them with --reveal");
    }
    Ok(())
}

fn facts(detail: &JobDetail) -> Facts {
    let job = &detail.job;
    let mut facts = Facts::default();
    facts.add("job", job.id.to_string());
    facts.add("type", job.kind.as_str());
    facts.toned("status", format!("{} ({})", job.status, job.phase), super::tone(job.status));
    if let Some(progress) = &job.progress {
        facts.add("progress", format!("{} %  {}", progress.percent, progress.message));
    }
    if let Some(error) = &job.error_message {
        facts.toned("error", error, Tone::Bad);
    }
    facts.maybe("delivery", job.delivery.map(Delivery::as_str));
    facts.add("attempts", format!("{} of {}", job.attempt, job.max_attempts));
    if detail.crashes > 0 {
        facts.toned("crashes", format!("{} (three end it)", detail.crashes), Tone::Warn);
    }
    let by = detail.created_by_email.as_deref().unwrap_or(&job.created_by);
    facts.add("created", format!("{} by {by}", times::stamp(job.created_at)));
    facts.maybe("schedule", job.schedule.as_deref());
    facts.maybe("next run", job.next_run_at.map(times::stamp));
    facts.maybe("started", job.started_at.map(times::stamp));
    facts.maybe("completed", job.completed_at.map(times::stamp));
    facts.maybe("node", detail.node.map(|node| node.to_string()));
    facts.maybe("lease until", detail.lease_until.map(times::stamp));
    if job.priority != 0 {
        facts.add("priority", job.priority.to_string());
    }
    facts.maybe("unique key", job.unique_key.as_deref());
    about(job, &mut facts);
    if let Some(decision) = &detail.decision {
        facts.add("decision", decision.chosen());
        facts.add("decided", format!("{} by {}", times::stamp(decision.at), decision.by()));
        facts.add("reason", &decision.reason);
        if job.status == JobStatus::Queued {
            facts.add("written", format!("not before {}", times::stamp(decision.run_at)));
        }
    }
    facts
}

/// What the job does, by type.
fn about(job: &Job, facts: &mut Facts) {
    if let Some(mail) = &job.notification {
        mail_facts(mail, facts);
    }
    if let Some(pair) = &job.reconciliation {
        facts.add("entity", format!("{} {}", pair.entity_type, pair.entity_id));
        facts.maybe("changes", pair.changes_log.as_deref());
    }
    if let Some(care) = &job.maintenance {
        facts.add("task", care.task.as_str());
        facts.maybe("result", care.result.as_deref());
    }
}

fn mail_facts(mail: &Notification, facts: &mut Facts) {
    facts.add("recipient", &mail.recipient_email);
    facts.maybe("template", mail.kind.map(NotificationType::as_str));
    facts.add("subject", &mail.subject);
    facts.maybe("message", mail.message.as_deref());
    facts.maybe("data", mail.data.as_ref().map(|data| json_text(data, true)));
}

fn attempts(attempts: &[Attempt]) -> Table<5> {
    let mut table = Table::new([
        ("TRY", Fit::Number),
        ("STARTED", Fit::Whole),
        ("TOOK", Fit::Number),
        ("OUTCOME", Fit::Whole),
        // The reason is what one came for.
        ("ERROR", Fit::Whole),
    ]);
    for attempt in attempts {
        table.row([
            attempt.number.to_string().into(),
            times::stamp(attempt.started_at).into(),
            times::took(attempt.finished_at - attempt.started_at).into(),
            attempt.outcome.as_str().into(),
            attempt.error.as_deref().unwrap_or_default().into(),
        ]);
    }
    table
}
