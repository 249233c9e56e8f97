//! `reconcile`: make the customer documents and the relational database agree, and see what was done and what waits.

use astrops_api::{
    ids::{EntityId, object_hex},
    reconciliation::{
        ChangePage, ChangeQuery, ConflictPage, ConflictQuery, Diff, NewReconciliation, ReconJobPage,
        ReconJobQuery,
    },
    vocabulary::{EntityType, JobStatus},
};

use super::{
    context::{Context, Sure},
    failure::Failure,
    jobs::{tone, watch},
    listing::{self, Slice, counts},
    output::{Tone, json_text},
    table::{Cell, Fit, Table},
    times,
    words::Words,
};

/// What can be done about both databases.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Make one entity agree on both sides.
    Entity {
        #[command(flatten)]
        entity: Target,
        /// Wait until it has ended; exit code 1 when it did not complete
        #[arg(long)]
        wait: bool,
        /// Do not ask on a production profile
        #[arg(long, short)]
        yes: bool,
    },
    /// Compare one entity now and say what would be done; changes nothing.
    Diff(Target),
    /// Compare all rows of both databases of the configuration, without a daemon; changes nothing.
    Compare(super::machine::compare::Args),
    /// List what waits for a person, the critical first.
    Conflicts(Which),
    /// List what was changed, latest first.
    Changes(Which),
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
            Self::Entity { entity, wait, yes } => start(context, entity, wait, yes).await,
            Self::Diff(entity) => diff(context, entity).await,
            Self::Compare(args) => args.run(context.out).await,
            Self::Conflicts(which) => conflicts(context, which).await,
            Self::Changes(which) => changes(context, which).await,
            Self::Jobs { status, which } => jobs(context, status, which).await,
        }
    }
}

async fn start(context: &Context, entity: Target, wait: bool, yes: bool) -> Result<(), Failure> {
    let Target { entity_type, entity_id } = entity;
    context.danger(&format!("reconcile {entity_type} {entity_id}"), Sure { yes })?;
    let job = context.client.reconcile(&NewReconciliation { entity_type, entity_id }).await?;
    let out = context.out;
    if out.quiet && !out.json {
        out.line(&job.job_id.to_string())?;
    }
    if wait {
        return watch::until_ended(context, &[job.job_id]).await;
    }
    out.answer(&job, |out| out.done(&format!("{}: {} {}", job.job_id, job.kind, job.status)))
}

async fn diff(context: &Context, entity: Target) -> Result<(), Failure> {
    let diff = context.client.recon_diff(entity.entity_type, entity.entity_id).await?;
    context.out.answer(&diff, |out| {
        table_of(&diff).write(out)?;
        for conflict in &diff.conflicts {
            let choices = conflict.proposals.join(", or ");
            out.line(&format!("conflict {}: {}; {choices}", conflict.topic, conflict.reason))?;
        }
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
            json_text(&field.document, false).into(),
            json_text(&field.relational, false).into(),
            field.base.as_ref().map(|base| json_text(base, false)).unwrap_or_default().into(),
            Cell::new(&field.verdict, tone),
            field.why.as_deref().unwrap_or_default().into(),
        ]);
    }
    table
}

/// As the documents write it, which is shorter.
fn short(id: EntityId) -> String {
    object_hex(id.0).unwrap_or_else(|| id.to_string())
}

async fn conflicts(context: &Context, which: Which) -> Result<(), Failure> {
    let Slice { page, page_size, limit, offset, order } = which.slice.usual();
    let (entity_type, entity_id) = (which.entity_type, which.entity_id);
    let query =
        ConflictQuery { entity_type, entity_id, snoozed: None, page, page_size, limit, offset, order };
    let page = context.client.recon_conflicts(&query).await?;
    let table = |page: &ConflictPage| {
        let mut table = Table::new([
            ("SINCE", Fit::Whole),
            ("SEVERITY", Fit::Whole),
            ("TYPE", Fit::Whole),
            ("ENTITY", Fit::Whole),
            ("WHAT", Fit::Cut),
            ("WHY", Fit::Optional(1)),
        ]);
        for conflict in &page.conflicts {
            let why: Vec<&str> = conflict.fields.iter().map(|field| field.reason.as_str()).collect();
            table.row([
                times::stamp(conflict.first_seen).into(),
                conflict.severity.to_string().into(),
                conflict.entity_type.to_string().into(),
                short(conflict.entity_id).into(),
                conflict.text.as_str().into(),
                why.join("; ").into(),
            ]);
        }
        table
    };
    context.out.answer(&page, |_| {
        let ids = page.conflicts.iter().map(|conflict| short(conflict.entity_id));
        listing::write(context, "conflicts", counts!(page.conflicts), ids, || table(&page))
    })
}

async fn changes(context: &Context, which: Which) -> Result<(), Failure> {
    let Slice { page, page_size, limit, offset, order } = which.slice.usual();
    let (entity_type, entity_id) = (which.entity_type, which.entity_id);
    let query = ChangeQuery { entity_type, entity_id, job_id: None, page, page_size, limit, offset, order };
    let page = context.client.recon_changes(&query).await?;
    let table = |page: &ChangePage| {
        let mut table = Table::new([
            ("TIME", Fit::Whole),
            ("TYPE", Fit::Whole),
            ("ENTITY", Fit::Whole),
            ("CHANGES", Fit::Cut),
            ("BY", Fit::Optional(1)),
        ]);
        for change in &page.changes {
            table.row([
                times::stamp(change.at).into(),
                change.entity_type.to_string().into(),
                short(change.entity_id).into(),
                change.changes_log.as_str().into(),
                change.actor.as_str().into(),
            ]);
        }
        table
    };
    context.out.answer(&page, |_| {
        let ids = page.changes.iter().map(|change| change.id.to_string());
        listing::write(context, "changes", counts!(page.changes), ids, || table(&page))
    })
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
