//! The sweeps: how far each is, what it has met, and what can be done to it.

use astrops_api::{
    sweeps::{Sweep, SweepQuery},
    vocabulary::{Order, SweepStage, SweepStatus},
};
use chrono::{DateTime, TimeDelta, Utc};
use ratatui::style::Style;
use uuid::Uuid;

use super::words::short;
use crate::{
    format,
    keys::Action,
    layers::{Confirm, Layer},
    message::{Change, Request, SweepAct},
    screen::{Context, Effect},
    screens::entities::{Lines, Listed, Slice, Sort, heading, line, read, split},
    theme::Look,
    widgets::{
        bar,
        table::{Column, Row},
    },
};

/// Columns of a progress bar in the list.
const BAR: u64 = 8;

/// The sweeps.
pub enum Sweeps {}

impl Row for Sweep {
    type Key = Uuid;

    fn key(&self) -> Uuid {
        self.id
    }
}

impl Listed for Sweeps {
    type Row = Sweep;
    type Id = Uuid;
    type Query = SweepQuery;

    const NOUN: &'static str = "sweep";
    const TITLE: &'static str = "Sweeps";
    const EMPTY: &'static str = "No sweep yet. N compares whole collections with whole tables.";
    const SORTS: &'static [Sort] = &[Sort { word: "date", column: 0, order: Order::Desc }];

    fn columns() -> Vec<Column<Sweep>> {
        let column =
            |title, width, rank, cell| Column { title, width, rank, right: false, cell, order: None };
        let right = |title, width, rank, cell| Column { right: true, ..column(title, width, rank, cell) };
        vec![
            column("STARTED", 11, 1, |row: &Sweep, context| {
                (format::moment(row.created_at, context.now), Style::new())
            }),
            column("MODE", 16, 0, |row, _| (mode(row), Style::new())),
            column("STATUS", 14, 0, |row, context| {
                (row.status.to_string(), status_style(row.status, context.look))
            }),
            column("PROGRESS", 13, 0, |row, context| (progress(row, BAR, context.look), Style::new())),
            right("RATE", 9, 4, |row, _| {
                (rate(row).map(|rate| format!("{rate}/s")).unwrap_or_default(), Style::new())
            }),
            right("ETA", 9, 2, |row, _| (eta(row).unwrap_or_default(), Style::new())),
            right("DIFFER", 7, 3, |row, _| (format::count(row.counts.differing), Style::new())),
            right("REPAIRED", 8, 3, |row, _| (format::count(row.counts.repaired), Style::new())),
            column("TEXT", 0, 5, |row, _| (row.text.clone(), Style::new())),
        ]
    }

    fn parse(typed: &str, _now: DateTime<Utc>) -> Result<SweepQuery, String> {
        let (named, words) = split(typed, &["status", "mode"])?;
        let mut query = SweepQuery::default();
        for (field, value) in named {
            match field {
                "status" => query.status = read(value)?,
                _ => query.mode = read(value)?,
            }
        }
        for word in words.iter().flat_map(|words| words.split_whitespace()) {
            match word.parse() {
                Ok(mode) => query.mode = Some(mode),
                Err(_) => query.status = read(word)?,
            }
        }
        Ok(query)
    }

    fn page(number: u64, query: &SweepQuery, slice: Slice) -> Request {
        let query = SweepQuery {
            order: Some(slice.order),
            limit: Some(slice.limit),
            offset: Some(slice.offset),
            ..query.clone()
        };
        Request::Sweeps(number, Box::new(query))
    }
}

/// `full, dry` when it writes nothing.
fn mode(row: &Sweep) -> String {
    format!("{}{}", row.mode, if row.dry_run { ", dry" } else { "" })
}

const fn status_style(status: SweepStatus, look: &Look) -> Style {
    match status {
        SweepStatus::Running => look.active,
        SweepStatus::Paused => look.warning,
        SweepStatus::NeedsApproval => look.critical,
        SweepStatus::Completed => look.good,
        SweepStatus::Cancelled => look.dim,
        SweepStatus::Failed => look.bad,
    }
}

/// A bar and a percentage; nothing while nobody knows how much there is.
fn progress(sweep: &Sweep, columns: u64, look: &Look) -> String {
    if sweep.stage == SweepStage::Done {
        return "done".to_owned();
    }
    if sweep.total == 0 || sweep.done == 0 {
        return sweep.stage.to_string();
    }
    // The total is an estimate: more may be done than it says.
    let percent = (u128::from(sweep.done) * 100 / u128::from(sweep.total)).min(100);
    format!("{} {percent:>3}%", bar::bar(look, sweep.done, sweep.total, columns))
}

fn rate(sweep: &Sweep) -> Option<String> {
    let rate = sweep.rate.filter(|rate| rate.is_finite() && *rate >= 0.0)?;
    // Whole rows a second are as exact as anybody needs.
    let whole = format!("{rate:.0}").parse().unwrap_or(0);
    Some(format::count(whole))
}

fn eta(sweep: &Sweep) -> Option<String> {
    let seconds = i64::try_from(sweep.eta_seconds?).ok()?;
    Some(format::coarse(TimeDelta::try_seconds(seconds)?))
}

/// A row in one line of text, to be copied.
pub fn plain(row: &Sweep) -> String {
    format!("{} {} {} {} {}", row.id, mode(row), row.status, row.stage, row.text)
}

/// What an operator calls it.
fn name(row: &Sweep) -> String {
    format!("{} sweep {}", mode(row), short(row.id))
}

/// Everything about one.
pub fn lines(row: &Sweep, width: u16, context: &Context<'_>) -> Lines {
    let look = context.look;
    let when = |name: &str, at: DateTime<Utc>| {
        line(name, format!("{}  ({})", format::full(at), format::relative(at, context.now)))
    };
    let dry = if row.dry_run { ", dry run: it writes nothing" } else { "" };
    let kind = row.entity_type.map_or_else(|| "everything".to_owned(), |kind| format!("every {kind}"));
    let mut lines = vec![
        (format!("{} of {kind}{dry}", row.mode), look.title),
        (row.status.to_string(), status_style(row.status, look)),
    ];
    if !row.text.is_empty() {
        lines.push((row.text.clone(), Style::new()));
    }
    if row.stage != SweepStage::Done {
        let columns = u64::from(width.saturating_sub(16).clamp(4, 40));
        lines.push(line("progress", progress(row, columns, look)));
        let total = if row.total == 0 { "?".to_owned() } else { format::count(row.total) };
        lines.push(line("stage", format!("{}: {} of {total}", row.stage, format::count(row.done))));
    }
    lines.extend(rate(row).map(|rate| line("rate", format!("{rate} rows/s"))));
    lines.extend(eta(row).map(|eta| line("left", format!("{eta} of this stage"))));
    heading(&mut lines, "Met so far", look);
    lines.extend(counts(row, look));
    if let (Some(document), Some(relational)) = (&row.digest_document, &row.digest_relational) {
        let (words, style) =
            if document == relational { ("the same", look.good) } else { ("not the same", look.warning) };
        heading(&mut lines, "Digests", look);
        lines.push((format!("  {words}"), style));
        lines.push((format!("  documents   {document}"), look.dim));
        lines.push((format!("  relational  {relational}"), look.dim));
    }
    heading(&mut lines, "Who and when", look);
    lines.push(line("by", row.created_by_email.as_ref().unwrap_or(&row.created_by)));
    lines.push(when("asked", row.created_at));
    lines.push(when("changed", row.updated_at));
    lines.extend(row.ended_at.map(|at| when("ended", at)));
    lines.push((format!("id        {}", row.id), look.dim));
    lines.extend(row.job_id.map(|job| (format!("job       {job} - l shows it"), look.dim)));
    lines
}

fn counts(row: &Sweep, look: &Look) -> Lines {
    let counts = &row.counts;
    let all = [
        ("documents", counts.documents, Style::new()),
        ("rows", counts.relational, Style::new()),
        ("differing", counts.differing, Style::new()),
        ("agreed when looked at again", counts.settled, Style::new()),
        ("repaired", counts.repaired, look.good),
        ("wait for a person", counts.conflicts, look.warning),
        ("missing, not yet for long enough", counts.waiting, Style::new()),
        ("failed: the log says why", counts.failed, look.bad),
        ("written by others at that moment", counts.stale_skipped, Style::new()),
        ("with ids that no document can have", counts.foreign, look.dim),
    ];
    all.into_iter()
        .enumerate()
        // What was read is always told; of the rest, what there is.
        .filter(|(place, (_, count, _))| *place < 3 || *count > 0)
        .map(|(_, (words, count, style))| (format!("  {:>11} {words}", format::count(count)), style))
        .collect()
}

/// Why `action` is off for this sweep.
pub fn available(action: Action, row: &Sweep) -> Result<(), String> {
    let status = row.status;
    match action {
        Action::PauseSweep if !matches!(status, SweepStatus::Running | SweepStatus::Paused) => {
            Err(format!("only running or paused sweeps; this one is {status}"))
        }
        Action::Cancel if status.is_final() => Err(format!("it is {status} already")),
        Action::Approve if status != SweepStatus::NeedsApproval => {
            Err(format!("it waits for nobody's approval: it is {status}"))
        }
        Action::Follow if row.job_id.is_none() => Err("no job does it".into()),
        _ => Ok(()),
    }
}

/// How many rows would be written, in the words of the brake; none where it was a side that lost its rows.
fn braked(text: &str) -> Option<u64> {
    let (_, what) = text.split_once("it would ")?;
    what.split(' ').nth(1)?.parse().ok()
}

/// The question before a sweep is steered.
pub fn ask(action: Action, row: &Sweep, context: &Context<'_>) -> Effect {
    let counts = &row.counts;
    let repaired = format::count(counts.repaired);
    let (verb, lines, act) = match action {
        Action::Approve => {
            let lines = vec![
                format!("It waits because: {}", row.text),
                format!(
                    "It then changes what it found and no more: of {} differing rows what the rules allow.",
                    format::count(counts.differing)
                ),
                "If a side looks half empty, find out why first: C cancels, and nothing more is written."
                    .to_owned(),
            ];
            ("Approve", lines, SweepAct::Approve)
        }
        Action::Cancel => (
            "Cancel",
            vec![format!("{repaired} repaired stay repaired; the rest is not looked at.")],
            SweepAct::Cancel,
        ),
        _ if row.status == SweepStatus::Paused => {
            ("Resume", vec!["It goes on where it stopped.".to_owned()], SweepAct::Resume)
        }
        _ => (
            "Pause",
            vec!["It stops behind the page that it is at, until somebody resumes it.".to_owned()],
            SweepAct::Pause,
        ),
    };
    // Approving is about as much as the brake said.
    let items = if act == SweepAct::Approve {
        usize::try_from(braked(&row.text).unwrap_or(counts.differing)).unwrap_or(usize::MAX)
    } else {
        1
    };
    let change = Change::SteerSweep(row.id, name(row), act);
    let title = format!("{verb} the {}?", name(row));
    Effect::Open(Layer::Confirm(Confirm::change(title, lines, items.max(1), change, context)))
}
