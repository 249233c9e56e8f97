//! `status`.

use astrops_api::{
    drift::Agreement,
    status::{Part, Status},
};
use chrono::{DateTime, Utc};

use super::{
    context::Context,
    failure::{Failure, code},
    output::{Output, Tone},
    table::{Cell, Facts, Fit, Table},
    times,
};

/// Arguments of `status`.
#[derive(clap::Args)]
pub struct Args {
    /// Only ask whether the daemon is ready for work; needs no sign-in
    #[arg(long)]
    ready: bool,
}

impl Args {
    /// Shows the daemon; fails when a part of it does not work.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        if self.ready {
            let health = context.stranger.ready().await?;
            return context.out.answer(&health, |out| out.done(&format!("{}: ready", context.client.base())));
        }
        let status = context.client.status().await?;
        context.out.answer(&status, |out| if out.quiet { Ok(()) } else { write(context, &status, out) })?;
        let broken: Vec<&str> =
            status.parts.iter().filter(|part| !part.ok).map(|part| part.name.as_str()).collect();
        if broken.is_empty() {
            return Ok(());
        }
        if context.out.json || context.out.quiet {
            return Err(Failure::Told(code::FAILED));
        }
        Err(Failure::Failed(format!("not working at {}: {}", context.client.base(), broken.join(", "))))
    }
}

fn write(context: &Context, status: &Status, out: Output) -> Result<(), Failure> {
    let mut facts = Facts::default();
    facts.add("daemon", context.client.base());
    facts.add("version", &status.version);
    facts.add("clock", times::stamp(status.now));
    if let Some(agreement) = &status.agreement {
        agreed(agreement, status.now, &mut facts);
    }
    facts.write(out)?;
    out.line("")?;
    let mut parts = Table::new([
        ("PART", Fit::Whole),
        ("STATE", Fit::Whole),
        ("TOOK", Fit::Number),
        // Why it does not work and what to do is never cut.
        ("DETAIL", Fit::Whole),
    ]);
    for part in &status.parts {
        let state = if part.ok { Cell::new("ok", Tone::Good) } else { Cell::new("FAILING", Tone::Bad) };
        parts.row([part.name.as_str().into(), state, latency(part).into(), part.detail.as_str().into()]);
    }
    parts.write(out)?;
    out.line("")?;
    let mut nodes =
        Table::new([("NODE", Fit::Whole), ("NAME", Fit::Cut), ("VERSION", Fit::Cut), ("UP", Fit::Whole)]);
    for node in &status.nodes {
        let here = if node.id == status.node { " (answers)" } else { "" };
        let name = format!("{}{here}", node.name);
        let up = times::ago(status.now, node.started_at);
        nodes.row([node.id.to_string().into(), name.into(), node.version.as_str().into(), up.into()]);
    }
    nodes.write(out)
}

/// How far both databases agree.
fn agreed(agreement: &Agreement, now: DateTime<Utc>, facts: &mut Facts) {
    let Agreement { drift, conflicts, critical, .. } = agreement;
    if *drift == 0 {
        facts.toned("drift", "none known", Tone::Good);
    } else {
        let since = agreement.oldest.map(|oldest| format!(", the oldest for {}", times::ago(now, oldest)));
        facts.toned("drift", format!("{drift} differ{}", since.unwrap_or_default()), Tone::Warn);
    }
    let tone = match (*conflicts, *critical) {
        (0, _) => Tone::Good,
        (_, 0) => Tone::Warn,
        _ => Tone::Bad,
    };
    facts.toned("conflicts", format!("{conflicts} wait for a person, {critical} critical"), tone);
    facts.add(
        "compared",
        match agreement.verified_through {
            Some(time) => format!("everything until {} ({} ago)", times::stamp(time), times::ago(now, time)),
            None => "never; start with: astrops reconcile sweep --full".to_owned(),
        },
    );
    if let (Some(id), Some(status)) = (agreement.sweep, agreement.sweep_status) {
        facts.add("latest sweep", format!("{id} {status}"));
    }
}

fn latency(part: &Part) -> String {
    part.latency_ms.map(|millis| format!("{millis:.1} ms")).unwrap_or_default()
}
