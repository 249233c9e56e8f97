//! `reconcile sweep`, `sweeps`, `drift`: comparing both databases, and what is known to differ.

use std::{io::Write as _, time::Duration};

use astrops_api::{
    ClientError,
    drift::{DriftPage, DriftQuery},
    sweeps::{NewSweep, Sweep, SweepPage, SweepQuery},
    vocabulary::{DriftKind, EntityType, SweepMode, SweepStage, SweepStatus},
};
use chrono::TimeDelta;
use uuid::Uuid;

use super::{Which, short};
use crate::cli::{
    context::{Context, Sure},
    failure::{Failure, code, tell},
    listing::{self, Slice, counts},
    output::{Output, Tone, neutral},
    table::{Cell, Facts, Fit, Table},
    times,
    words::Words,
};

/// How often a sweep is looked at while somebody waits for it.
const LOOK: Duration = Duration::from_secs(1);

/// Arguments of `reconcile sweep`.
#[derive(clap::Args)]
pub struct Start {
    /// Compare everything, not only what changed since the last sweep
    #[arg(long)]
    full: bool,
    /// Only this kind of entity
    #[arg(long = "type", value_name = "TYPE", value_parser = Words(EntityType::ALL))]
    entity_type: Option<EntityType>,
    /// Find and tell, and write neither side
    #[arg(long)]
    dry_run: bool,
    /// Show how far it is until it ends; exit code 1 when it failed, 5 when it waits for a person. Ctrl-C stops watching only
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    sure: Sure,
}

/// Arguments of `reconcile sweeps`.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Sweeps {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: List,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List sweeps, latest first.
    List(List),
    /// Show how far a sweep is, and what it has met.
    Show {
        #[command(flatten)]
        sweep: Id,
        /// Show how far it is until it ends; exit codes as of reconcile sweep
        #[arg(long)]
        wait: bool,
    },
    /// Stop a sweep behind the page that it is at.
    Pause(Act),
    /// Let a paused sweep go on where it stopped.
    Resume(Act),
    /// End a sweep; what it has written stays.
    Cancel(Act),
    /// Let a sweep change as much as it found.
    Approve(Act),
}

/// Arguments of `reconcile sweeps list`.
#[derive(clap::Args)]
struct List {
    /// Only with this status
    #[arg(long, value_parser = Words(SweepStatus::ALL))]
    status: Option<SweepStatus>,
    /// Only in this mode
    #[arg(long, value_parser = Words(SweepMode::ALL))]
    mode: Option<SweepMode>,
    #[command(flatten)]
    slice: Slice,
}

#[derive(clap::Args)]
struct Id {
    /// The sweep
    #[arg(value_name = "ID")]
    id: Uuid,
}

#[derive(clap::Args)]
struct Act {
    #[command(flatten)]
    sweep: Id,
    #[command(flatten)]
    sure: Sure,
}

/// Arguments of `reconcile drift`.
#[derive(clap::Args)]
pub struct Differing {
    /// Only what differs like this
    #[arg(long, value_parser = Words(DriftKind::ALL))]
    kind: Option<DriftKind>,
    #[command(flatten)]
    which: Which,
}

impl Start {
    /// Starts one.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let mode = if self.full { SweepMode::Full } else { SweepMode::Incremental };
        let what =
            self.entity_type.map_or_else(|| "both databases".to_owned(), |kind| format!("every {kind}"));
        if self.dry_run {
            context.change()?;
        } else {
            context.danger(&format!("sweep {what} ({mode}) and repair what differs"), self.sure)?;
        }
        let body = NewSweep { mode, entity_type: self.entity_type, dry_run: self.dry_run };
        let sweep = context.client.sweep(&body).await?;
        let out = context.out;
        if out.quiet && !out.json {
            out.line(&sweep.id.to_string())?;
        }
        if self.wait {
            return watch(context, sweep).await;
        }
        let id = sweep.id;
        out.answer(&sweep, |out| {
            out.done(&format!("{id}: {mode} sweep; see: astrops reconcile sweeps show {id}"))
        })
    }
}

impl Sweeps {
    /// Does it.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = &context.client;
        let (act, verb, sweep) = match self.command {
            None => return self.list.run(context).await,
            Some(Command::List(list)) => return list.run(context).await,
            Some(Command::Show { sweep, wait }) => {
                let sweep = client.find_sweep(sweep.id).await?;
                return if wait { watch(context, sweep).await } else { show(context, &sweep) };
            }
            Some(Command::Pause(act)) => (act, "pause", None),
            Some(Command::Resume(act)) => (act, "resume", None),
            Some(Command::Cancel(act)) => (act, "cancel", None),
            // Whoever approves is told what.
            Some(Command::Approve(act)) => {
                let sweep = client.find_sweep(act.sweep.id).await?;
                (act, "approve", Some(sweep.text))
            }
        };
        let id = act.sweep.id;
        let why = sweep.map(|text| format!(": {text}")).unwrap_or_default();
        context.danger(&neutral(&format!("{verb} sweep {id}{why}")), act.sure)?;
        let sweep = match verb {
            "pause" => client.pause_sweep(id).await?,
            "resume" => client.resume_sweep(id).await?,
            "cancel" => client.cancel_sweep(id).await?,
            _ => client.approve_sweep(id).await?,
        };
        context.out.answer(&sweep, |out| out.done(&format!("{id}: {} ({})", sweep.status, sweep.text)))
    }
}

impl List {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let Slice { page, page_size, limit, offset, order } = self.slice.usual();
        let query =
            SweepQuery { status: self.status, mode: self.mode, page, page_size, limit, offset, order };
        let page = context.client.sweeps(&query).await?;
        let table = |page: &SweepPage| {
            let mut table = Table::new([
                ("ID", Fit::Whole),
                ("MODE", Fit::Whole),
                ("STATUS", Fit::Whole),
                ("WHAT", Fit::Cut),
                ("AGE", Fit::Optional(1)),
                ("BY", Fit::Optional(2)),
            ]);
            for sweep in &page.sweeps {
                let mode =
                    if sweep.dry_run { format!("{}, dry", sweep.mode) } else { sweep.mode.to_string() };
                table.row([
                    sweep.id.to_string().into(),
                    mode.into(),
                    Cell::new(sweep.status.as_str(), tone(sweep.status)),
                    what(sweep).into(),
                    times::ago(context.now, sweep.created_at).into(),
                    by(sweep).into(),
                ]);
            }
            table
        };
        context.out.answer(&page, |_| {
            let ids = page.sweeps.iter().map(|sweep| sweep.id.to_string());
            listing::write(context, "sweeps", counts!(page.sweeps), ids, || table(&page))
        })
    }
}

impl Differing {
    /// Lists.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let Slice { page, page_size, limit, offset, order } = self.which.slice.usual();
        let (entity_type, entity_id) = (self.which.entity_type, self.which.entity_id);
        let query =
            DriftQuery { entity_type, entity_id, kind: self.kind, page, page_size, limit, offset, order };
        let page = context.client.drift(&query).await?;
        let table = |page: &DriftPage| {
            let mut table = Table::new([
                ("AGE", Fit::Whole),
                ("KIND", Fit::Whole),
                ("TYPE", Fit::Whole),
                ("ENTITY", Fit::Whole),
                ("WHAT", Fit::Cut),
                ("CONFLICT", Fit::Optional(1)),
            ]);
            for drift in &page.drift {
                let tone = if drift.kind == DriftKind::Conflict { Tone::Bad } else { Tone::Warn };
                table.row([
                    times::ago(context.now, drift.first_seen).into(),
                    Cell::new(drift.kind.as_str(), tone),
                    drift.entity_type.to_string().into(),
                    short(drift.entity_id).into(),
                    drift.text.as_str().into(),
                    drift.conflict_id.map(|id| id.to_string()).unwrap_or_default().into(),
                ]);
            }
            table
        };
        context.out.answer(&page, |_| {
            // As `reconcile entity` takes them.
            let ids =
                page.drift.iter().map(|drift| format!("{} {}", drift.entity_type, short(drift.entity_id)));
            listing::write(context, "differences", counts!(page.drift), ids, || table(&page))
        })
    }
}

const fn tone(status: SweepStatus) -> Tone {
    match status {
        SweepStatus::Running => Tone::Busy,
        SweepStatus::Paused | SweepStatus::NeedsApproval => Tone::Warn,
        SweepStatus::Completed => Tone::Good,
        SweepStatus::Failed => Tone::Bad,
        SweepStatus::Cancelled => Tone::Dim,
    }
}

/// How far it is while it runs, else what it says.
fn what(sweep: &Sweep) -> String {
    if sweep.status == SweepStatus::Running { progress(sweep) } else { sweep.text.clone() }
}

/// `compare 45 %, 5100/s, 12 s left; 3 differ, 1 repaired, 1 conflict`.
fn progress(sweep: &Sweep) -> String {
    let stage = sweep.stage;
    let mut parts = vec![if stage == SweepStage::Done || sweep.total == 0 {
        stage.to_string()
    } else {
        // The total is an estimate while rows are counted.
        format!("{stage} {} %", (sweep.done.saturating_mul(100) / sweep.total).min(100))
    }];
    parts.extend(sweep.rate.map(|rate| format!("{rate:.0}/s")));
    parts.extend(sweep.eta_seconds.map(|seconds| {
        let left = TimeDelta::seconds(seconds.try_into().unwrap_or(i64::MAX / 1000));
        format!("{} left", times::took(left))
    }));
    format!("{}; {}", parts.join(", "), found(sweep))
}

fn found(sweep: &Sweep) -> String {
    let counts = &sweep.counts;
    let mut parts = vec![format!("{} differ", counts.differing), format!("{} repaired", counts.repaired)];
    for (count, words) in [
        (counts.conflicts, "wait for a person"),
        (counts.waiting, "missing and waiting"),
        (counts.settled, "settled by themselves"),
        (counts.failed, "failed"),
        (counts.stale_skipped, "skipped: somebody else wrote them"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {words}"));
        }
    }
    parts.join(", ")
}

/// Who asked for it, by address while that is known.
fn by(sweep: &Sweep) -> &str {
    sweep.created_by_email.as_deref().unwrap_or(&sweep.created_by)
}

fn show(context: &Context, sweep: &Sweep) -> Result<(), Failure> {
    context.out.answer(sweep, |out| facts(context, sweep).write(out))
}

fn facts(context: &Context, sweep: &Sweep) -> Facts {
    let mut facts = Facts::default();
    facts.add("sweep", sweep.id.to_string());
    let what = sweep.entity_type.map_or_else(|| "everything".to_owned(), |kind| format!("every {kind}"));
    let dry = if sweep.dry_run { ", dry run" } else { "" };
    facts.add("mode", format!("{}, {what}{dry}", sweep.mode));
    facts.toned("status", sweep.status.as_str(), tone(sweep.status));
    facts.add("text", &sweep.text);
    facts.add("progress", progress(sweep));
    let counts = &sweep.counts;
    let foreign =
        if counts.foreign > 0 { format!(", {} foreign not compared", counts.foreign) } else { String::new() };
    facts.add(
        "read",
        format!("{} documents, {} relational rows{foreign}", counts.documents, counts.relational),
    );
    facts.maybe("documents", sweep.digest_document.as_deref());
    facts.maybe("relational", sweep.digest_relational.as_deref());
    facts.maybe("job", sweep.job_id.map(|id| id.to_string()));
    facts.add("asked by", by(sweep));
    facts.add("asked", times::stamp(sweep.created_at));
    if let Some(ended) = sweep.ended_at {
        let took = times::took(ended - sweep.created_at);
        facts.add("ended", format!("{} ({took})", times::stamp(ended)));
    } else {
        facts.add("changed", format!("{} ago", times::ago(context.now, sweep.updated_at)));
    }
    facts
}

/// Shows how far it is until nothing more comes of it by itself. Ctrl-C ends the watching, never the sweep.
async fn watch(context: &Context, mut sweep: Sweep) -> Result<(), Failure> {
    let id = sweep.id;
    let mut line = Line { out: context.out, last: String::new() };
    loop {
        line.tell(&sweep)?;
        if sweep.status != SweepStatus::Running {
            break;
        }
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {
                line.end();
                context.out.note(&format!("the sweep goes on; see: astrops reconcile sweeps show {id} --wait"));
                return Err(Failure::Told(code::INTERRUPTED));
            }
            () = tokio::time::sleep(LOOK) => {}
        }
        match context.client.find_sweep(id).await {
            Ok(now) => sweep = now,
            // It goes on without us; so do we.
            Err(ClientError::Unreachable(_)) => {}
            Err(error) => {
                line.end();
                return Err(error.into());
            }
        }
    }
    line.end();
    let next = match sweep.status {
        SweepStatus::Completed => {
            return if context.out.json {
                Ok(())
            } else {
                context.out.done(&format!("{id}: {}", sweep.text))
            };
        }
        SweepStatus::NeedsApproval => format!("\nlet it: astrops reconcile sweeps approve {id}"),
        SweepStatus::Paused => format!("\ngo on: astrops reconcile sweeps resume {id}"),
        SweepStatus::Running | SweepStatus::Cancelled | SweepStatus::Failed => String::new(),
    };
    tell(&format!("{id}: {}: {}{next}", sweep.status, sweep.text));
    Err(Failure::Told(if next.is_empty() { code::FAILED } else { code::WAITS }))
}

/// One line that is written over on a terminal; elsewhere a line for each change.
struct Line {
    out: Output,
    last: String,
}

impl Line {
    fn tell(&mut self, sweep: &Sweep) -> Result<(), Failure> {
        let text = neutral(&progress(sweep)).into_owned();
        if text == self.last {
            return Ok(());
        }
        if self.out.json {
            self.out.record(sweep)?;
        } else if let Some(width) = self.out.width.filter(|_| !self.out.quiet) {
            let fits: String = text.chars().take(width.saturating_sub(1)).collect();
            eprint!("\r\x1b[2K{fits}");
            std::io::stderr().flush()?;
        } else {
            self.out.note(&text);
        }
        self.last = text;
        Ok(())
    }

    fn end(&self) {
        if self.out.width.is_some() && !self.out.quiet && !self.out.json {
            eprintln!();
        }
    }
}
