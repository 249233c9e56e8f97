//! `reconcile conflicts`, `conflict`, `snooze`: what waits for a person.

use astrops_api::{
    reconciliation::{ConflictPage, ConflictQuery},
    resolution::{Decided, Snooze as Body},
    vocabulary::Severity,
};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Which, short, table_of, waiting};
use crate::cli::{
    context::{Context, Sure},
    each::{Done, each},
    failure::Failure,
    listing::{self, Slice, counts},
    output::Tone,
    table::{Cell, Facts, Fit, Table},
    times,
};

/// A time that is past on every clock.
const WOKEN: DateTime<Utc> = DateTime::UNIX_EPOCH;

/// Arguments of `reconcile conflicts`.
#[derive(clap::Args)]
pub struct List {
    /// Those that are snoozed, too
    #[arg(long)]
    snoozed: bool,
    #[command(flatten)]
    which: Which,
}

/// Arguments of `reconcile conflict`.
#[derive(clap::Args)]
pub struct Show {
    /// The conflict
    #[arg(value_name = "CONFLICT")]
    id: Uuid,
}

/// Arguments of `reconcile snooze`.
#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("end").required(true).args(["until", "span", "wake"])))]
pub struct Snooze {
    /// One conflict or several
    #[arg(required = true, value_name = "CONFLICT")]
    ids: Vec<Uuid>,
    /// Until this time: 2026-08-01T10:00:00Z, 2026-08-01, or the next 10:00 (UTC)
    #[arg(long, value_name = "TIME", value_parser = times::future)]
    until: Option<DateTime<Utc>>,
    /// For so long: 90s, 30m, 2h, 7d
    #[arg(long = "for", id = "span", value_name = "DURATION", value_parser = times::ahead)]
    span: Option<DateTime<Utc>>,
    /// Put them back on the list now
    #[arg(long)]
    wake: bool,
    /// Why; kept in the audit log
    #[arg(long, value_name = "TEXT", required_unless_present = "wake")]
    reason: Option<String>,
    #[command(flatten)]
    sure: Sure,
}

/// What was decided and is not written yet, and how it is taken back.
fn decided(decision: &Decided) -> String {
    format!(
        "{}\nby {} at {}: {}\nwritten at {}; until then taken back by: astrops jobs cancel {}",
        decision.chosen(),
        decision.by(),
        times::stamp(decision.at),
        decision.reason,
        times::stamp(decision.run_at),
        decision.job_id
    )
}

const fn tone(severity: Severity) -> Tone {
    match severity {
        Severity::Critical => Tone::Bad,
        _ => Tone::Warn,
    }
}

impl List {
    /// Lists.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let Slice { page, page_size, limit, offset, order } = self.which.slice.usual();
        let (entity_type, entity_id) = (self.which.entity_type, self.which.entity_id);
        let snoozed = self.snoozed.then_some(true);
        let query = ConflictQuery { snoozed, entity_type, entity_id, page, page_size, limit, offset, order };
        let page = context.client.recon_conflicts(&query).await?;
        let table = |page: &ConflictPage| {
            let mut table = Table::new([
                ("ID", Fit::Whole),
                ("AGE", Fit::Whole),
                ("SEVERITY", Fit::Whole),
                ("TYPE", Fit::Whole),
                ("WHAT", Fit::Cut),
                ("ENTITY", Fit::Optional(1)),
                ("WHY", Fit::Optional(2)),
            ]);
            for conflict in &page.conflicts {
                let why: Vec<&str> = conflict.fields.iter().map(|field| field.reason.as_str()).collect();
                let asleep =
                    conflict.snoozed_until.map(|until| format!(" (snoozed until {})", times::stamp(until)));
                let taken = conflict.decision.as_ref().map(|it| format!(" (decided by {})", it.by()));
                let state = asleep.unwrap_or_default() + &taken.unwrap_or_default();
                table.row([
                    conflict.id.to_string().into(),
                    times::ago(context.now, conflict.first_seen).into(),
                    Cell::new(conflict.severity.as_str(), tone(conflict.severity)),
                    conflict.entity_type.to_string().into(),
                    (conflict.text.clone() + &state).into(),
                    short(conflict.entity_id).into(),
                    why.join("; ").into(),
                ]);
            }
            table
        };
        context.out.answer(&page, |_| {
            let ids = page.conflicts.iter().map(|conflict| conflict.id.to_string());
            listing::write(context, "conflicts", counts!(page.conflicts), ids, || table(&page))
        })
    }
}

impl Show {
    /// Shows it.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let detail = context.client.recon_conflict(self.id).await?;
        context.out.answer(&detail, |out| {
            let conflict = &detail.conflict;
            let mut facts = Facts::default();
            facts.add("conflict", conflict.id.to_string());
            facts.add("entity", format!("{} {}", conflict.entity_type, short(conflict.entity_id)));
            facts.toned("severity", conflict.severity.as_str(), tone(conflict.severity));
            facts.add("what", &conflict.text);
            facts.add("first seen", times::stamp(conflict.first_seen));
            facts.add("last seen", format!("{} by job {}", times::stamp(conflict.last_seen), conflict.job_id));
            facts.maybe("snoozed until", conflict.snoozed_until.map(times::stamp));
            if let Some(decision) = &conflict.decision {
                facts.toned("decided", decided(decision), Tone::Warn);
            }
            facts.add("document", &detail.diff.document);
            facts.add("relational", &detail.diff.relational);
            facts.write(out)?;
            table_of(&detail.diff).write(out)?;
            waiting(out, &detail.diff.conflicts)?;
            out.note(&format!(
                "decide: astrops reconcile resolve {} --set FIELD=document|relational|base|=VALUE --reason TEXT",
                conflict.id
            ));
            Ok(())
        })
    }
}

impl Snooze {
    /// Hides them.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        // clap has seen to it that one is there, or that it is to be woken: for that any past time does.
        let until = self.until.or(self.span).unwrap_or(WOKEN);
        if until <= context.now && !self.wake {
            return Err(Failure::Usage(format!(
                "{} lies in the past: nothing was done; to put conflicts back on the list: --wake",
                times::stamp(until)
            )));
        }
        let verb = if self.wake { "wake" } else { "snooze" };
        let deed = match self.ids.as_slice() {
            [id] => format!("{verb} conflict {id}"),
            ids => format!("{verb} {} conflicts", ids.len()),
        };
        context.danger(&deed, self.sure)?;
        let body = Body { until, reason: self.reason.unwrap_or_else(|| "woken".to_owned()) };
        let words = if self.wake {
            "on the list again".to_owned()
        } else {
            format!("not listed until {}, unless it becomes critical", times::stamp(until))
        };
        let call = async |id| Ok(Done::well(&words, &context.client.snooze_conflict(id, &body).await?));
        each("conflict", self.ids, context, call).await
    }
}
