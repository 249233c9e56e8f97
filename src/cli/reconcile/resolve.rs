//! `reconcile resolve`: deciding what both sides are to hold. What is written where is said before anything is.

use std::collections::BTreeMap;

use astrops_api::{
    ids::JobId,
    reconciliation::FieldChange,
    resolution::{Choice, ConflictDetail, Resolution, Resolve as Body, ResolveMany, ResolvedMany, Take},
};
use chrono::{DateTime, Utc};
use clap::ValueEnum;
use serde_json::Value;
use uuid::Uuid;

use super::{value, waiting};
use crate::cli::{
    context::{Context, Sure},
    failure::{Failure, code, tell},
    jobs::watch,
    output::Output,
    table::{Fit, Table},
    times,
};

/// What a preview gives as the reason when nobody said one.
const PREVIEW: &str = "preview";

/// Arguments of `reconcile resolve`.
#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("which").required(true).args(["conflict", "many"])))]
#[command(group(clap::ArgGroup::new("decision").required(true).multiple(true).args(["set", "all", "take"])))]
pub struct Resolve {
    /// The conflict
    #[arg(value_name = "CONFLICT")]
    conflict: Option<Uuid>,
    /// FIELD=document, FIELD=relational, FIELD=base, or FIELD==VALUE (price==120.50); may be said several times
    #[arg(long, value_name = "FIELD=SIDE", value_parser = choice)]
    set: Vec<(String, Choice)>,
    /// This side for every other field that is in conflict
    #[arg(long, value_name = "SIDE", conflicts_with_all = ["many", "take"])]
    all: Option<Side>,
    /// Several conflicts, at most 100
    #[arg(long, value_name = "ID", num_args = 1.., requires = "take", conflicts_with = "set")]
    many: Vec<Uuid>,
    /// The side that wins in every field of them that is in conflict
    #[arg(long, value_name = "SIDE", requires = "many", conflicts_with = "conflict")]
    take: Option<Side>,
    /// Why; kept in the audit log and the change log. Nothing is written without it
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Say what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    hold: Hold,
    #[command(flatten)]
    sure: Sure,
}

/// When it is written.
#[derive(clap::Args)]
pub struct Hold {
    /// Write so many seconds later, at most 60; cancelling the job until then takes it back
    #[arg(long = "hold", value_name = "SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=60))]
    pub seconds: u32,
    /// With --hold too, wait until it is written; exit code 1 when it was not. Without --hold that is always waited for, unless with --json
    #[arg(long, conflicts_with = "dry_run")]
    pub wait: bool,
}

impl Hold {
    /// Waits until it is written, which is what nearly everybody wants to know, or says how it is taken back until then.
    pub async fn carry_out(&self, context: &Context, resolution: &Resolution) -> Result<(), Failure> {
        let out = context.out;
        let Some(job) = resolution.job_id else {
            return out.answer(resolution, |out| out.done("nothing has to be written"));
        };
        if out.json && !self.wait {
            return out.document(resolution);
        }
        if out.quiet {
            out.line(&job.to_string())?;
        }
        if self.wait || self.seconds == 0 {
            return watch::until_ended(context, &[job]).await;
        }
        held(out, job, resolution.run_at)
    }
}

/// By which job it is written and when, and how it is taken back or followed.
fn held(out: Output, job: JobId, run_at: Option<DateTime<Utc>>) -> Result<(), Failure> {
    let when = run_at.map(|at| format!(" at {}", times::stamp(at))).unwrap_or_default();
    out.done(&format!(
        "{job}: is written{when} unless either side changes before; take it back: astrops jobs cancel {job}"
    ))?;
    out.note(&format!("see whether it was written: astrops jobs watch {job}"));
    Ok(())
}

/// Whose value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Side {
    /// The document's.
    Document,
    /// The relational row's.
    Relational,
    /// What both last agreed on.
    Base,
}

impl From<Side> for Choice {
    fn from(side: Side) -> Self {
        match side {
            Side::Document => Self::Document,
            Side::Relational => Self::Relational,
            Side::Base => Self::Base,
        }
    }
}

impl From<Side> for Take {
    fn from(side: Side) -> Self {
        match side {
            Side::Document => Self::Document,
            Side::Relational => Self::Relational,
            Side::Base => Self::Base,
        }
    }
}

/// `FIELD=SIDE` or `FIELD==VALUE`. A value that is no JSON is a text.
fn choice(text: &str) -> Result<(String, Choice), String> {
    let rule = "say FIELD=document, FIELD=relational, FIELD=base, or FIELD==VALUE such as price==120.50";
    let (field, said) = text.split_once('=').filter(|(field, _)| !field.is_empty()).ok_or(rule)?;
    let choice = match said.strip_prefix('=') {
        Some(value) => Choice::Value(serde_json::from_str(value).unwrap_or_else(|_| Value::from(value))),
        None => Side::from_str(said, true).map_err(|_| rule)?.into(),
    };
    Ok((field.to_owned(), choice))
}

impl Resolve {
    /// Decides.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        match (self.conflict, self.take) {
            (Some(id), _) => self.one(context, id).await,
            (None, Some(take)) => self.several(context, take).await,
            (None, None) => Err(Failure::Usage("say which conflicts: --many ID.. --take SIDE".to_owned())),
        }
    }

    async fn one(self, context: &Context, id: Uuid) -> Result<(), Failure> {
        if !self.dry_run {
            context.change()?;
        }
        let mut choices = BTreeMap::new();
        for (field, choice) in self.set {
            if choices.insert(field.clone(), choice).is_some() {
                return Err(Failure::Usage(format!("{field} is said twice: say --set {field}=.. once")));
            }
        }
        if let Some(side) = self.all {
            for field in undecided(&context.client.recon_conflict(id).await?) {
                choices.entry(field).or_insert_with(|| side.into());
            }
        }
        let preview = Body {
            choices,
            reason: self.reason.clone().unwrap_or_else(|| PREVIEW.to_owned()),
            dry_run: true,
            seen: None,
            hold_seconds: 0,
        };
        let previewed = context.client.resolve_conflict(id, &preview).await?;
        if self.dry_run {
            return context.out.answer(&previewed, |out| tell_preview(out, &previewed));
        }
        if !context.out.json {
            tell_preview(context.out, &previewed)?;
        }
        let Some(reason) = self.reason else { return Err(unsaid()) };
        context.danger(&format!("resolve conflict {id}"), self.sure)?;
        let (seen, hold_seconds) = (Some(previewed.seen), self.hold.seconds);
        let body = Body { reason, dry_run: false, seen, hold_seconds, ..preview };
        let resolution = context.client.resolve_conflict(id, &body).await?;
        self.hold.carry_out(context, &resolution).await
    }

    async fn several(self, context: &Context, take: Side) -> Result<(), Failure> {
        if !self.dry_run {
            context.change()?;
        }
        let preview = ResolveMany {
            ids: self.many,
            take: take.into(),
            reason: self.reason.clone().unwrap_or_else(|| PREVIEW.to_owned()),
            dry_run: true,
            hold_seconds: 0,
        };
        let previewed = context.client.resolve_conflicts(&preview).await?;
        if self.dry_run {
            context.out.answer(&previewed, |out| tell_all(out, &previewed))?;
            return refused(&previewed);
        }
        if !context.out.json {
            tell_all(context.out, &previewed)?;
        }
        let Some(reason) = self.reason else { return Err(unsaid()) };
        let many = previewed.results.iter().filter(|result| result.resolution.is_some()).count();
        if many == 0 {
            return Err(Failure::Told(code::REFUSED));
        }
        context.danger(&format!("resolve {many} conflicts"), self.sure)?;
        let body = ResolveMany { reason, dry_run: false, hold_seconds: self.hold.seconds, ..preview };
        let done = context.client.resolve_conflicts(&body).await?;
        if context.out.json && !self.hold.wait {
            context.out.document(&done)?;
            return refused(&done);
        }
        let resolutions = done.results.iter().filter_map(|result| result.resolution.as_ref());
        let jobs: Vec<_> = resolutions.filter_map(|one| Some((one.job_id?, one.run_at))).collect();
        let ids: Vec<JobId> = jobs.iter().map(|(job, _)| *job).collect();
        if context.out.quiet {
            ids.iter().try_for_each(|job| context.out.line(&job.to_string()))?;
        }
        if self.hold.wait || self.hold.seconds == 0 {
            if !ids.is_empty() {
                watch::until_ended(context, &ids).await?;
            }
        } else {
            jobs.iter().try_for_each(|(job, run_at)| held(context.out, *job, *run_at))?;
        }
        refused(&done)
    }
}

/// What is in conflict: the fields, or the topic where it is about the whole row.
fn undecided(detail: &ConflictDetail) -> Vec<String> {
    let conflicts = detail.diff.conflicts.iter();
    conflicts
        .flat_map(|conflict| {
            if conflict.fields.is_empty() { vec![conflict.topic.clone()] } else { conflict.fields.clone() }
        })
        .collect()
}

fn unsaid() -> Failure {
    Failure::Usage("nothing was written\nto write it, say why: --reason TEXT".to_owned())
}

/// What would be written where, and what would wait even then.
pub fn tell_preview(out: Output, resolution: &Resolution) -> Result<(), Failure> {
    if out.quiet {
        return Ok(());
    }
    if !resolution.changes.is_empty() {
        written(&resolution.changes).write(out)?;
    }
    waiting(out, &resolution.conflicts)?;
    if let Some(first) = &resolution.decision {
        out.note(&format!(
            "{} has decided about it already ({}: {}); until that is written no other decision is taken",
            first.by(),
            first.chosen(),
            first.reason
        ));
    }
    out.note(&format!("the change log would say: {}", resolution.changes_log));
    Ok(())
}

fn written(changes: &[FieldChange]) -> Table<5> {
    let mut table = Table::new([
        ("FIELD", Fit::Whole),
        ("WRITES", Fit::Whole),
        ("BEFORE", Fit::Cut),
        ("AFTER", Fit::Cut),
        ("RULE", Fit::Optional(1)),
    ]);
    for change in changes {
        let before = if change.written == "document" { &change.document } else { &change.relational };
        table.row([
            change.field.as_str().into(),
            change.written.as_str().into(),
            value(before).into(),
            value(&change.after).into(),
            change.rule.as_str().into(),
        ]);
    }
    table
}

fn tell_all(out: Output, many: &ResolvedMany) -> Result<(), Failure> {
    for result in &many.results {
        match (&result.resolution, &result.refused) {
            (Some(resolution), _) => {
                if !out.quiet {
                    out.line(&format!("conflict {}", result.id))?;
                }
                tell_preview(out, resolution)?;
            }
            (None, why) => {
                tell(&format!("{}: refused: {}", result.id, why.as_deref().unwrap_or("no reason was given")));
            }
        }
    }
    Ok(())
}

/// Fails when one of them was refused.
fn refused(many: &ResolvedMany) -> Result<(), Failure> {
    let refused = many.results.iter().filter(|result| result.resolution.is_none()).count();
    match refused {
        0 => Ok(()),
        all if all == many.results.len() => Err(Failure::Told(code::REFUSED)),
        _ => Err(Failure::Told(code::FAILED)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_choice_is_a_side_or_a_value() {
        for (text, said) in [
            ("price=document", Choice::Document),
            ("price=Relational", Choice::Relational),
            ("price=base", Choice::Base),
            ("price==120.5", Choice::Value(json!(120.5))),
            ("price==null", Choice::Value(Value::Null)),
            ("price==document", Choice::Value(json!("document"))),
            ("price==", Choice::Value(json!(""))),
            ("price==\"42\"", Choice::Value(json!("42"))),
            ("price==a=b", Choice::Value(json!("a=b"))),
        ] {
            assert_eq!(choice(text), Ok(("price".to_owned(), said)), "{text}");
        }
        for wrong in ["price", "=document", "price=docs", "", "price="] {
            assert!(choice(wrong).unwrap_err().contains("FIELD==VALUE"), "{wrong}");
        }
    }
}
