//! `reconcile changes`, `revert`, `verify-log`: what was done, taking it back, and whether the log of it is whole.

use astrops_api::{
    ids::JobId,
    reconciliation::{ChangePage, ChangeQuery},
    resolution,
};
use uuid::Uuid;

use super::{
    Which,
    resolve::{Hold, tell_preview},
    short, value,
};
use crate::cli::{
    context::{Context, Sure},
    failure::{Failure, code, tell},
    listing::{self, Slice, counts},
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
        context.out.answer(&page, |out| {
            let ids = page.changes.iter().map(|change| change.id.to_string());
            if !self.fields || out.quiet {
                return listing::write(context, "changes", counts!(page.changes), ids, || by_change(&page));
            }
            // The rows are fields, and pages are counted in changes.
            by_field(&page).write(out)?;
            let fields: usize = page.changes.iter().map(|change| change.fields.len()).sum();
            let next = || format!("; more: --page {}", page.page + 1);
            let changes = counts!(page.changes).summary("changes", out, next);
            out.note(&format!("{fields} fields; of changes, {changes}"));
            Ok(())
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
            change.actor_email.as_deref().unwrap_or(&change.actor).into(),
        ]);
    }
    table
}

fn by_field(page: &ChangePage) -> Table<8> {
    let mut table = Table::new([
        ("ENTITY", Fit::Whole),
        ("ID", Fit::Optional(2)),
        ("TIME", Fit::Optional(3)),
        ("FIELD", Fit::Whole),
        ("WRITTEN", Fit::Whole),
        ("BEFORE", Fit::Cut),
        ("AFTER", Fit::Cut),
        ("RULE", Fit::Optional(1)),
    ]);
    for change in &page.changes {
        for field in &change.fields {
            let rule =
                if field.overridden { format!("{}, overridden", field.rule) } else { field.rule.clone() };
            let before = if field.written == "document" { &field.document } else { &field.relational };
            table.row([
                format!("{} {}", change.entity_type, short(change.entity_id)).into(),
                change.id.to_string().into(),
                times::stamp(change.at).into(),
                field.field.as_str().into(),
                field.written.as_str().into(),
                value(before).into(),
                value(&field.after).into(),
                rule.into(),
            ]);
        }
    }
    table
}

impl Revert {
    /// Takes it back.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let body = resolution::Revert { reason: self.reason, dry_run: true, hold_seconds: 0 };
        if !self.dry_run {
            context.change()?;
        }
        let previewed = context.client.revert_change(self.id, &body).await?;
        if self.dry_run {
            return context.out.answer(&previewed, |out| tell_preview(out, &previewed));
        }
        if !context.out.json {
            tell_preview(context.out, &previewed)?;
        }
        context.danger(&format!("revert change {}", self.id), self.sure)?;
        let body = resolution::Revert { dry_run: false, hold_seconds: self.hold.seconds, ..body };
        let resolution = context.client.revert_change(self.id, &body).await?;
        self.hold.carry_out(context, &resolution).await
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
