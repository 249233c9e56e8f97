//! `reconcile changes`, `revert`, `verify-log`: what was done, taking it back, and whether the log of it is whole.

use astrops_api::{
    ids::JobId,
    reconciliation::{ChangePage, ChangeQuery},
    resolution,
};
use uuid::Uuid;

use super::{
    Which,
    resolve::{Hold, finish},
    short,
};
use crate::cli::{
    context::{Context, Sure},
    failure::{Failure, code, tell},
    listing::{self, Slice, counts},
    output::json_text,
    table::{Fit, Table},
    times,
};

/// Arguments of `reconcile changes`.
#[derive(clap::Args)]
pub struct List {
    /// One line for each field, with what was overwritten and by which rule
    #[arg(long)]
    fields: bool,
    /// Only by this job
    #[arg(long, value_name = "ID")]
    job: Option<JobId>,
    #[command(flatten)]
    which: Which,
}

/// Arguments of `reconcile revert`.
#[derive(clap::Args)]
pub struct Revert {
    /// The change
    #[arg(value_name = "CHANGE")]
    id: Uuid,
    /// Why; kept in the audit log and the change log
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Say what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    hold: Hold,
    #[command(flatten)]
    sure: Sure,
}

impl List {
    /// Lists.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let Slice { page, page_size, limit, offset, order } = self.which.slice.usual();
        let (entity_type, entity_id) = (self.which.entity_type, self.which.entity_id);
        let query =
            ChangeQuery { entity_type, entity_id, job_id: self.job, page, page_size, limit, offset, order };
        let page = context.client.recon_changes(&query).await?;
        context.out.answer(&page, |_| {
            let ids = page.changes.iter().map(|change| change.id.to_string());
            if self.fields {
                listing::write(context, "changes", counts!(page.changes), ids, || by_field(&page))
            } else {
                listing::write(context, "changes", counts!(page.changes), ids, || by_change(&page))
            }
        })
    }
}

fn by_change(page: &ChangePage) -> Table<6> {
    let mut table = Table::new([
        ("ID", Fit::Whole),
        ("TIME", Fit::Whole),
        ("CHANGES", Fit::Cut),
        ("TYPE", Fit::Optional(1)),
        ("ENTITY", Fit::Optional(2)),
        ("BY", Fit::Optional(3)),
    ]);
    for change in &page.changes {
        table.row([
            change.id.to_string().into(),
            times::stamp(change.at).into(),
            change.changes_log.as_str().into(),
            change.entity_type.to_string().into(),
            short(change.entity_id).into(),
            change.actor.as_str().into(),
        ]);
    }
    table
}

fn by_field(page: &ChangePage) -> Table<8> {
    let mut table = Table::new([
        ("TIME", Fit::Whole),
        ("FIELD", Fit::Whole),
        ("WRITTEN", Fit::Whole),
        ("BEFORE", Fit::Cut),
        ("AFTER", Fit::Cut),
        ("RULE", Fit::Optional(1)),
        ("ENTITY", Fit::Optional(2)),
        ("ID", Fit::Optional(3)),
    ]);
    for change in &page.changes {
        for field in &change.fields {
            let rule =
                if field.overridden { format!("{}, overridden", field.rule) } else { field.rule.clone() };
            let before = if field.written == "document" { &field.document } else { &field.relational };
            table.row([
                times::stamp(change.at).into(),
                field.field.as_str().into(),
                field.written.as_str().into(),
                json_text(before, false).into(),
                json_text(&field.after, false).into(),
                rule.into(),
                format!("{} {}", change.entity_type, short(change.entity_id)).into(),
                change.id.to_string().into(),
            ]);
        }
    }
    table
}

impl Revert {
    /// Takes it back.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        if self.dry_run {
            context.change()?;
        } else {
            context.danger(&format!("revert change {}", self.id), self.sure)?;
        }
        let (reason, hold_seconds) = (self.reason, self.hold.seconds);
        let body = resolution::Revert { reason, dry_run: self.dry_run, hold_seconds };
        let resolution = context.client.revert_change(self.id, &body).await?;
        finish(context, &resolution, self.hold.wait).await
    }
}

/// Says whether the log is whole.
pub async fn verify(context: &Context) -> Result<(), Failure> {
    let report = context.client.verify_changes().await?;
    if context.out.json {
        context.out.document(&report)?;
    } else if report.ok {
        let erased = match report.erased {
            0 => String::new(),
            erased => format!(", {erased} of them without values because the person was erased"),
        };
        context
            .out
            .done(&format!("{} rows fit each other{erased}; the latest is {}", report.rows, report.head))?;
    } else {
        let at = report.broken_at.map(|id| format!(" at row {id}")).unwrap_or_default();
        let why = report.why.as_deref().unwrap_or("it does not fit the row before it");
        tell(&format!(
            "the change log was changed{at}: {why}\n\
             {} rows were read; compare with a backup, and find out who can write to the database",
            report.rows
        ));
    }
    if report.ok { Ok(()) } else { Err(Failure::Told(code::FAILED)) }
}
