//! `jobs stats`, `jobs pause`, `jobs resume`.

use astrops_api::{
    jobs::{JobStats, PauseTypes},
    vocabulary::JobType,
};

use crate::cli::{
    context::{Context, Sure},
    failure::Failure,
    output::{Output, Tone},
    table::{Cell, Fit, Table},
    times,
    words::Words,
};

/// Which types.
#[derive(clap::Args)]
struct Which {
    /// Only this type; all of them unless said
    #[arg(long = "type", value_name = "TYPE", value_parser = Words(JobType::ALL), ignore_case = true)]
    kind: Option<JobType>,
}

impl Which {
    fn words(&self) -> String {
        self.kind.map_or_else(|| "all jobs".to_owned(), |kind| format!("{kind} jobs"))
    }
}

/// Arguments of `jobs pause`.
#[derive(clap::Args)]
pub struct Pause {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    sure: Sure,
}

/// Arguments of `jobs resume`.
#[derive(clap::Args)]
pub struct Resume {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    sure: Sure,
}

impl Pause {
    /// Pauses.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        context.danger(&format!("pause {}", self.which.words()), self.sure)?;
        let stats = context.client.pause_jobs(&PauseTypes { kind: self.which.kind }).await?;
        let words = format!("{} are paused: those running go on, none is started", self.which.words());
        context.out.answer(&stats, |out| out.done(&words))
    }
}

impl Resume {
    /// Resumes.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        context.danger(&format!("resume {}", self.which.words()), self.sure)?;
        let stats = context.client.resume_jobs(&PauseTypes { kind: self.which.kind }).await?;
        // Claiming goes on; nothing that ended is run again, which "started" would promise.
        let words = match self.which.kind {
            Some(kind) => format!("{kind} jobs are claimed again"),
            None => "jobs of every type are claimed again".to_owned(),
        };
        context.out.answer(&stats, |out| out.done(&words))
    }
}

/// `jobs stats`.
pub async fn stats(context: &Context) -> Result<(), Failure> {
    let stats = context.client.job_stats().await?;
    context.out.answer(&stats, |out| {
        table(&stats).write(out)?;
        remarks(context, &stats, out)
    })
}

fn table(stats: &JobStats) -> Table<9> {
    let mut table = Table::new([
        ("TYPE", Fit::Whole),
        ("QUEUED", Fit::Number),
        ("PROCESSING", Fit::Number),
        ("COMPLETED", Fit::Number),
        ("FAILED", Fit::Number),
        ("CANCELLED", Fit::Number),
        ("PER MIN", Fit::Number),
        ("P95", Fit::Number),
        ("STATE", Fit::Whole),
    ]);
    for row in &stats.types {
        let failed = if row.failed > 0 { Tone::Bad } else { Tone::Plain };
        let claiming = if row.paused { Cell::new("PAUSED", Tone::Warn) } else { Cell::new("on", Tone::Good) };
        table.row([
            row.kind.as_str().into(),
            row.queued.to_string().into(),
            row.processing.to_string().into(),
            row.completed.to_string().into(),
            Cell::new(&row.failed.to_string(), failed),
            row.cancelled.to_string().into(),
            row.per_minute.to_string().into(),
            row.p95_ms.map(|millis| format!("{millis:.0} ms")).unwrap_or_default().into(),
            claiming,
        ]);
    }
    table
}

fn remarks(context: &Context, stats: &JobStats, out: Output) -> Result<(), Failure> {
    if let Some(due) = stats.oldest_due_at {
        out.line(&format!("the longest waiting job became due {} ago", times::ago(context.now, due)))?;
    }
    if stats.delivery_unknown > 0 {
        let words = format!(
            "{} mails nobody knows the fate of; see: astrops jobs list --delivery unknown",
            stats.delivery_unknown
        );
        out.line(&out.paint(Tone::Warn, &words))?;
    }
    Ok(())
}
