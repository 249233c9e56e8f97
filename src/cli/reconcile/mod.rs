//! `reconcile`: make the customer documents and the relational database agree, and see what was done and what waits.

mod changes;
mod conflicts;
mod resolve;
mod sweeps;

use astrops_api::{
    drift::DriftQuery,
    ids::{EntityId, object_hex},
    reconciliation::{ConflictField, Diff, NewReconciliation, ReconJobPage, ReconJobQuery},
    vocabulary::{EntityType, JobStatus},
};

use serde_json::Value;

use super::{
    context::{Context, Sure},
    failure::{Failure, code, tell},
    jobs::{tone, watch},
    listing::{self, Slice, counts},
    output::{Output, Tone, json_text, neutral},
    table::{Cell, Fit, Table, cut},
    words::Words,
};

/// Columns of the longest value in a table.
const LONGEST: usize = 60;

/// What can be done about both databases.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Make one entity agree on both sides.
    Entity {
        #[command(flatten)]
        entity: Target,
        /// Wait until it has ended and say what was done; exit code 1 when it did not complete, 5 when both sides differ still: it waits for a person or for time
        #[arg(long)]
        wait: bool,
        #[command(flatten)]
        sure: Sure,
    },
    /// Compare both databases and repair what differs: what changed lately, or everything.
    Sweep(sweeps::Start),
    /// List sweeps, latest first; show, pause, resume, cancel or approve one.
    Sweeps(sweeps::Sweeps),
    /// List what is known to differ, the oldest first.
    Drift(sweeps::Differing),
    /// Compare one entity now and say what would be done; changes nothing.
    Diff(Target),
    /// Compare all rows of both databases of the configuration, without a daemon; changes nothing.
    Compare(super::machine::compare::Args),
    /// List what waits for a person, the critical first.
    Conflicts(conflicts::List),
    /// Show one conflict with both sides and what they last agreed on.
    Conflict(conflicts::Show),
    /// Decide conflicts; says first what is written where.
    Resolve(resolve::Resolve),
    /// Hide conflicts until a time, unless they become critical.
    Snooze(conflicts::Snooze),
    /// List what was changed, latest first.
    Changes(changes::List),
    /// Write again, on both sides, what a change has overwritten.
    Revert(changes::Revert),
    /// Say whether the change log is as it was written; exit code 1 when not.
    VerifyLog,
    /// List reconciliation jobs, latest first.
    Jobs {
        /// Only with this status
        #[arg(long, value_parser = Words(JobStatus::ALL))]
        status: Option<JobStatus>,
        #[command(flatten)]
        which: Which,
    },
}

/// One entity.
#[derive(clap::Args, Clone, Copy)]
pub struct Target {
    /// The kind of entity
    #[arg(value_name = "TYPE", value_parser = Words(EntityType::ALL))]
    entity_type: EntityType,
    /// The entity: a UUID or 24 hexadecimal digits
    #[arg(value_name = "ID")]
    entity_id: EntityId,
}

/// Which rows of a list.
#[derive(clap::Args)]
pub struct Which {
    /// Only about this kind of entity
    #[arg(long = "type", value_name = "TYPE", value_parser = Words(EntityType::ALL))]
    entity_type: Option<EntityType>,
    /// Only about this entity
    #[arg(long = "entity", value_name = "ID")]
    entity_id: Option<EntityId>,
    #[command(flatten)]
    slice: Slice,
}

impl Command {
    /// Does it.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Entity { entity, wait, sure } => start(context, entity, wait, sure).await,
            Self::Sweep(args) => args.run(context).await,
            Self::Sweeps(args) => args.run(context).await,
            Self::Drift(args) => args.run(context).await,
            Self::Diff(entity) => diff(context, entity).await,
            Self::Compare(args) => args.run(context.out).await,
            Self::Conflicts(args) => args.run(context).await,
            Self::Conflict(args) => args.run(context).await,
            Self::Resolve(args) => args.run(context).await,
            Self::Snooze(args) => args.run(context).await,
            Self::Changes(args) => args.run(context).await,
            Self::Revert(args) => args.run(context).await,
            Self::VerifyLog => changes::verify(context).await,
            Self::Jobs { status, which } => jobs(context, status, which).await,
        }
    }
}

async fn start(context: &Context, entity: Target, wait: bool, sure: Sure) -> Result<(), Failure> {
    let Target { entity_type, entity_id } = entity;
    context.danger(&format!("reconcile {entity_type} {entity_id}"), sure)?;
    let job = context.client.reconcile(&NewReconciliation { entity_type, entity_id }).await?;
    let out = context.out;
    if out.quiet && !out.json {
        out.line(&job.job_id.to_string())?;
    }
    if wait {
        watch::until_ended(context, &[job.job_id]).await?;
        return agree(context, entity).await;
    }
    out.answer(&job, |out| out.done(&format!("{}: {} {}", job.job_id, job.kind, job.status)))
}

/// Fails when the entity is known to differ still.
async fn agree(context: &Context, entity: Target) -> Result<(), Failure> {
    let Target { entity_type, entity_id } = entity;
    let query =
        DriftQuery { entity_type: Some(entity_type), entity_id: Some(entity_id), ..DriftQuery::default() };
    let Some(drift) = context.client.drift(&query).await?.drift.pop() else { return Ok(()) };
    let next = match drift.conflict_id {
        Some(id) => format!("see: astrops reconcile conflict {id}"),
        None => "it is done by itself when its time has come; see: astrops reconcile drift".to_owned(),
    };
    tell(&format!("both sides differ still: {}\n{next}", drift.text));
    Err(Failure::Told(code::WAITS))
}

async fn diff(context: &Context, entity: Target) -> Result<(), Failure> {
    let diff = context.client.recon_diff(entity.entity_type, entity.entity_id).await?;
    context.out.answer(&diff, |out| {
        table_of(&diff).write(out)?;
        waiting(out, &diff.conflicts)?;
        out.note(&format!(
            "document {}, relational {}; a reconciliation would say: {}",
            diff.document, diff.relational, diff.changes_log
        ));
        Ok(())
    })
}

fn table_of(diff: &Diff) -> Table<6> {
    let mut table = Table::new([
        ("FIELD", Fit::Whole),
        ("DOCUMENT", Fit::Cut),
        ("RELATIONAL", Fit::Cut),
        ("AGREED", Fit::Optional(2)),
        ("VERDICT", Fit::Whole),
        ("WHY", Fit::Optional(1)),
    ]);
    for field in &diff.fields {
        let tone = match field.verdict.as_str() {
            "equal" | "not compared" => Tone::Plain,
            "conflict" => Tone::Bad,
            _ => Tone::Warn,
        };
        table.row([
            field.field.as_str().into(),
            value(&field.document).into(),
            value(&field.relational).into(),
            field.base.as_ref().map(value).unwrap_or_default().into(),
            Cell::new(&field.verdict, tone),
            field.why.as_deref().unwrap_or_default().into(),
        ]);
    }
    table
}

/// A value as JSON, short enough that the rest of its row is seen without a terminal too; `--json` has all of it.
fn value(value: &Value) -> String {
    cut(&json_text(value, false), LONGEST)
}

/// What waits for a person, and what that person may do.
fn waiting(out: Output, conflicts: &[ConflictField]) -> Result<(), Failure> {
    conflicts.iter().try_for_each(|conflict| {
        let choices: Vec<String> = conflict.proposals.iter().map(|choice| cut(choice, LONGEST)).collect();
        let choices = choices.join(", or ");
        out.line(&neutral(&format!("conflict {}: {}; {choices}", conflict.topic, conflict.reason)))
    })
}

/// As the documents write it, which is shorter.
fn short(id: EntityId) -> String {
    object_hex(id.0).unwrap_or_else(|| id.to_string())
}

async fn jobs(context: &Context, status: Option<JobStatus>, which: Which) -> Result<(), Failure> {
    let Slice { page, page_size, limit, offset, order } = which.slice.usual();
    let (entity_type, entity_id) = (which.entity_type, which.entity_id);
    let (from, to) = (None, None);
    let query =
        ReconJobQuery { status, entity_type, entity_id, from, to, page, page_size, limit, offset, order };
    let page = context.client.recon_jobs(&query).await?;
    let table = |page: &ReconJobPage| {
        let mut table = Table::new([
            ("ID", Fit::Whole),
            ("STATUS", Fit::Whole),
            ("TYPE", Fit::Whole),
            ("ENTITY", Fit::Whole),
            ("RESULT", Fit::Cut),
        ]);
        for job in &page.jobs {
            let pair = job.reconciliation.as_ref();
            let done = pair.and_then(|pair| pair.changes_log.as_deref()).or(job.error_message.as_deref());
            table.row([
                job.job_id.to_string().into(),
                Cell::new(job.status.as_str(), tone(job.status)),
                pair.map(|pair| pair.entity_type.to_string()).unwrap_or_default().into(),
                pair.map(|pair| short(pair.entity_id)).unwrap_or_default().into(),
                done.unwrap_or_default().into(),
            ]);
        }
        table
    };
    context.out.answer(&page, |_| {
        let ids = page.jobs.iter().map(|job| job.job_id.to_string());
        listing::write(context, "jobs", counts!(page.jobs), ids, || table(&page))
    })
}
