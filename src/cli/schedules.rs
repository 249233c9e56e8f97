//! `schedules`: cron lines that make jobs.

use astrops_api::{
    schedules::{EditSchedule, Schedule, ScheduleRun},
    vocabulary::{FireOutcome, MissedPolicy, OverlapPolicy},
};

use super::{
    context::{Context, Sure},
    failure::Failure,
    output::{Output, Tone},
    table::{Cell, Facts, Fit, Table},
    times,
    words::Words,
};

/// What can be done about schedules.
#[derive(clap::Subcommand)]
pub enum Command {
    /// List schedules by name.
    List,
    /// Show one schedule with its next five fires.
    Show(Name),
    /// Show what became of a schedule's fires, latest first.
    Runs(Runs),
    /// Fire a schedule now.
    Trigger(Act),
    /// Stop a schedule.
    Pause(Act),
    /// Let a paused schedule fire again.
    Resume(Act),
    /// Change a schedule.
    Edit(Edit),
}

/// One schedule.
#[derive(clap::Args)]
pub struct Name {
    /// The schedule
    name: String,
}

/// Arguments of `schedules runs`.
#[derive(clap::Args)]
pub struct Runs {
    /// The schedule
    name: String,
    /// How many, at most 200
    #[arg(long, value_name = "N", default_value_t = 20)]
    page_size: u32,
}

/// Arguments of `schedules trigger`, `pause` and `resume`.
#[derive(clap::Args)]
pub struct Act {
    /// The schedule
    name: String,
    #[command(flatten)]
    sure: Sure,
}

/// Arguments of `schedules edit`.
#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("change").required(true).multiple(true)
    .args(["cron", "time_zone", "missed", "overlap"])))]
pub struct Edit {
    /// The schedule
    name: String,
    /// Five fields (minute hour day month weekday), or six with seconds first
    #[arg(long, value_name = "LINE")]
    cron: Option<String>,
    /// IANA name, such as Europe/Madrid
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// What to do about fires that passed while no daemon ran
    #[arg(long, value_name = "POLICY", value_parser = Words(MissedPolicy::ALL))]
    missed: Option<MissedPolicy>,
    /// What to do when the last job has not ended
    #[arg(long, value_name = "POLICY", value_parser = Words(OverlapPolicy::ALL))]
    overlap: Option<OverlapPolicy>,
    #[command(flatten)]
    sure: Sure,
}

impl Command {
    /// Does it.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List => list(context).await,
            Self::Show(args) => show(context, &context.client.schedule(&args.name).await?),
            Self::Runs(args) => args.run(context).await,
            Self::Trigger(args) => trigger(context, &args).await,
            Self::Pause(args) => {
                context.danger(&format!("pause schedule {}", args.name), args.sure)?;
                let schedule = context.client.pause_schedule(&args.name).await?;
                changed(context, &schedule, "paused")
            }
            Self::Resume(args) => {
                context.danger(&format!("resume schedule {}", args.name), args.sure)?;
                let schedule = context.client.resume_schedule(&args.name).await?;
                changed(context, &schedule, "resumed")
            }
            Self::Edit(args) => args.run(context).await,
        }
    }
}

impl Runs {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let runs = context.client.schedule_runs(&self.name, self.page_size).await?;
        context.out.answer(&runs, |out| {
            if out.quiet {
                let ids = runs.runs.iter().filter_map(|run| run.job_id);
                return ids.map(|id| id.to_string()).try_for_each(|id| out.line(&id));
            }
            let mut table = Table::new([
                ("SCHEDULED FOR", Fit::Whole),
                ("OUTCOME", Fit::Whole),
                ("JOB", Fit::Whole),
                ("STATUS", Fit::Whole),
            ]);
            for run in &runs.runs {
                table.row([
                    times::stamp(run.scheduled_for).into(),
                    outcome(run),
                    run.job_id.map(|id| id.to_string()).unwrap_or_default().into(),
                    run.job_status
                        .map_or_else(Cell::default, |s| Cell::new(s.as_str(), super::jobs::tone(s))),
                ]);
            }
            table.write(out)
        })
    }
}

impl Edit {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        context.danger(&format!("edit schedule {}", self.name), self.sure)?;
        let body = EditSchedule {
            cron: self.cron,
            time_zone: self.time_zone,
            missed: self.missed,
            overlap: self.overlap,
        };
        let schedule = context.client.edit_schedule(&self.name, &body).await?;
        changed(context, &schedule, &schedule.cron_text)
    }
}

async fn trigger(context: &Context, Act { name, sure }: &Act) -> Result<(), Failure> {
    context.danger(&format!("trigger schedule {name}"), *sure)?;
    let run = context.client.trigger_schedule(name).await?;
    context.out.answer(&run, |out| match run.job_id {
        Some(id) if out.quiet => out.line(&id.to_string()),
        Some(id) => out.done(&format!("{name}: made job {id}; see: astrops jobs watch {id}")),
        None => out.done(&format!("{name}: {}, no job was made", run.outcome)),
    })
}

async fn list(context: &Context) -> Result<(), Failure> {
    let list = context.client.schedules().await?;
    context.out.answer(&list, |out| {
        if out.quiet {
            return list
                .schedules
                .iter()
                .try_for_each(|schedule| out.line(&super::output::neutral(&schedule.name)));
        }
        let mut table = Table::new([
            ("NAME", Fit::Whole),
            ("CRON", Fit::Whole),
            ("WHEN", Fit::Optional(3)),
            ("ZONE", Fit::Optional(2)),
            ("NEXT", Fit::Whole),
            ("LAST", Fit::Whole),
            ("JOB", Fit::Whole),
        ]);
        for schedule in &list.schedules {
            table.row(row(context, schedule));
        }
        table.write(out)
    })
}

fn row(context: &Context, schedule: &Schedule) -> [Cell; 7] {
    let next = match schedule.next_fire_at {
        _ if schedule.paused => Cell::new("PAUSED", Tone::Warn),
        Some(time) => times::ago(context.now, time).into(),
        None => Cell::new("never", Tone::Warn),
    };
    let status = schedule.last_run.as_ref().and_then(|run| run.job_status);
    [
        schedule.name.as_str().into(),
        schedule.cron.as_str().into(),
        schedule.cron_text.as_str().into(),
        schedule.time_zone.as_str().into(),
        next,
        schedule.last_run.as_ref().map_or_else(Cell::default, outcome),
        status.map_or_else(Cell::default, |status| Cell::new(status.as_str(), super::jobs::tone(status))),
    ]
}

fn outcome(run: &ScheduleRun) -> Cell {
    let tone = match run.outcome {
        FireOutcome::Fired | FireOutcome::Triggered => Tone::Plain,
        FireOutcome::CaughtUp | FireOutcome::Missed | FireOutcome::Overlapped => Tone::Warn,
    };
    Cell::new(run.outcome.as_str(), tone)
}

fn show(context: &Context, schedule: &Schedule) -> Result<(), Failure> {
    context.out.answer(schedule, |out| facts(schedule, out))
}

fn facts(schedule: &Schedule, out: Output) -> Result<(), Failure> {
    let mut facts = Facts::default();
    facts.add("schedule", &schedule.name);
    facts.add("description", &schedule.description);
    facts.add("cron", format!("{}  ({})", schedule.cron, schedule.cron_text));
    facts.add("time zone", &schedule.time_zone);
    facts.add("job type", schedule.job_type.as_str());
    facts.maybe("task", schedule.maintenance.as_ref().map(|care| care.task.as_str()));
    if schedule.paused {
        facts.toned("state", "PAUSED", Tone::Warn);
    }
    facts.add("missed", schedule.missed.as_str());
    facts.add("overlap", schedule.overlap.as_str());
    let fires: Vec<String> = schedule.next_fires.iter().copied().map(times::stamp).collect();
    facts.add(if schedule.paused { "if resumed" } else { "next" }, fires.join("\n"));
    if let Some(run) = &schedule.last_run {
        let job = run.job_id.map(|id| format!("  job {id}")).unwrap_or_default();
        let status = run.job_status.map(|status| format!(" {status}")).unwrap_or_default();
        facts.add("last", format!("{}  {}{job}{status}", times::stamp(run.scheduled_for), run.outcome));
    }
    facts.write(out)
}

/// What the schedule is now, after `deed`.
fn changed(context: &Context, schedule: &Schedule, deed: &str) -> Result<(), Failure> {
    let next = schedule.next_fire_at.map(|time| format!("; next {}", times::stamp(time))).unwrap_or_default();
    context.out.answer(schedule, |out| out.done(&format!("{}: {deed}{next}", schedule.name)))
}
