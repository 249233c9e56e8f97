//! Decisions that are not written yet: each can be taken back for some seconds, and all that were taken together are
//! followed to their end and told of together.

use std::{collections::BTreeMap, time::Duration};

use astrops_api::{ids::JobId, jobs::Job, resolution::Resolution, vocabulary::JobStatus};
use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    format,
    message::{Change, HOLD_SECONDS, Request},
    screen::Effect,
};

/// A job that says nothing for so long after its time is not waited for.
const PATIENCE: TimeDelta = TimeDelta::minutes(2);

/// What became of a decision.
#[derive(Debug)]
enum Fate {
    Written(String),
    TakenBack,
    Failed(String),
}

impl Fate {
    /// That of an ended job.
    fn of(job: &Job) -> Option<Self> {
        let log = job.reconciliation.as_ref().and_then(|pair| pair.changes_log.clone());
        Some(match job.status {
            JobStatus::Completed => Self::Written(log.unwrap_or_else(|| "written".to_owned())),
            JobStatus::Cancelled => Self::TakenBack,
            JobStatus::Failed => {
                Self::Failed(job.error_message.clone().unwrap_or_else(|| "its job failed".to_owned()))
            }
            JobStatus::Queued | JobStatus::Processing => return None,
        })
    }
}

#[derive(Debug)]
struct Held {
    name: String,
    job: JobId,
    fate: Option<Fate>,
}

/// What was decided in one go.
#[derive(Debug)]
struct Batch {
    /// By our clock: the daemon's may differ.
    until: DateTime<Utc>,
    held: Vec<Held>,
}

impl Batch {
    fn open(&self) -> impl Iterator<Item = &Held> {
        self.held.iter().filter(|held| held.fate.is_none())
    }

    /// `booking 0000002a`, `3 decisions`.
    fn name(&self) -> String {
        match &self.held[..] {
            [only] => only.name.clone(),
            many => format::things(many.len(), "decision"),
        }
    }

    /// What became of each: one is told in full, of many the failures.
    fn report(&self) -> Effect {
        if let [Held { name, fate: Some(fate), .. }] = &self.held[..] {
            return match fate {
                Fate::Written(log) => Effect::note(format!("{name}: {log}")),
                Fate::TakenBack => Effect::note(format!("{name}: taken back, nothing was written")),
                Fate::Failed(why) => Effect::trouble(format!("{name}: nothing was written: {why}")),
            };
        }
        let count = |wanted: fn(&Fate) -> bool| {
            self.held.iter().filter(|held| held.fate.as_ref().is_some_and(wanted)).count()
        };
        let written = count(|fate| matches!(fate, Fate::Written(_)));
        let back = count(|fate| matches!(fate, Fate::TakenBack));
        let failed = count(|fate| matches!(fate, Fate::Failed(_)));
        let silent = self.open().count();
        if back == self.held.len() {
            return Effect::note(format!("{back} taken back, nothing was written"));
        }
        let parts =
            [(written, "written"), (back, "taken back"), (failed, "failed"), (silent, "without an answer")];
        let parts =
            parts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
        let words = parts.collect::<Vec<_>>().join(", ");
        // Many fail for one reason: it is told once.
        let mut faults: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for held in &self.held {
            let why = match &held.fate {
                Some(Fate::Failed(why)) => why.clone(),
                None => "the job has not ended, 3 shows it".to_owned(),
                Some(_) => continue,
            };
            faults.entry(why).or_default().push(&held.name);
        }
        if faults.is_empty() {
            return Effect::note(words);
        }
        let faults = faults.iter().map(|(why, names)| format!("{}: {why}", names.join(", ")));
        Effect::trouble(format!("{words}: {}", faults.collect::<Vec<_>>().join("; ")))
    }
}

/// What was decided and has not ended.
#[derive(Debug, Default)]
pub struct Holds(Vec<Batch>);

impl Holds {
    /// Takes in what was decided just now.
    pub fn add(&mut self, decided: &[(String, Resolution)], now: DateTime<Utc>) {
        let until = now + Duration::from_secs(u64::from(HOLD_SECONDS));
        let held = decided.iter().filter_map(|(name, resolution)| {
            Some(Held { name: name.clone(), job: resolution.job_id?, fate: None })
        });
        let held: Vec<Held> = held.collect();
        if !held.is_empty() {
            self.0.push(Batch { until, held });
        }
    }

    /// Whether nothing can be taken back.
    pub fn is_empty(&self, now: DateTime<Utc>) -> bool {
        self.latest(now).is_none()
    }

    /// The latest decision, while it can still be taken back.
    fn latest(&self, now: DateTime<Utc>) -> Option<&Batch> {
        self.0.last().filter(|batch| batch.until > now && batch.open().next().is_some())
    }

    /// Taking the latest decision back, or why that is not possible.
    pub fn take_back(&self, now: DateTime<Utc>) -> Result<Change, String> {
        match self.latest(now) {
            Some(batch) => Ok(Change::Cancel(batch.open().map(|held| held.job).collect())),
            None if self.0.is_empty() => Err("nothing is about to be written".into()),
            None => Err("too late, it is being written: h shows the change, U reverts it".into()),
        }
    }

    /// What is about to happen, with the seconds that are left; `here` says whether `u` is a key of this place,
    /// `live` whether the daemon can be told.
    pub fn words(&self, here: bool, live: bool, now: DateTime<Utc>) -> Option<String> {
        let Some(batch) = self.latest(now) else {
            let batch = self.0.last()?;
            return Some(format!("{}: being written", batch.name()));
        };
        let (name, left) = (batch.name(), seconds(batch.until - now));
        let before = self.0.iter().rev().skip(1).filter(|other| other.until > now);
        let before: usize = before.map(|other| other.open().count()).sum();
        let name = if before > 0 { format!("{name} (and {before} before)") } else { name };
        Some(match (live, here) {
            (false, _) => format!("{name}: no link, u is refused; written in {left} s if the daemon runs"),
            (true, true) => format!("{name}: written in {left} s, u takes it back"),
            (true, false) => format!("{name}: written in {left} s; to take it back: 7, then u"),
        })
    }

    /// What to know before the console is left.
    pub fn before_leaving(&self, now: DateTime<Utc>) -> Option<String> {
        let batch = self.latest(now)?;
        let (count, left) = (batch.open().count(), seconds(batch.until - now));
        let (are, them) = if count == 1 { ("is", "it") } else { ("are", "them") };
        let count = format::things(count, "decision");
        Some(format!(
            "{count} {are} written in {left} s whether you leave or not; u on Drift takes {them} back."
        ))
    }

    /// Takes in how jobs stand; says what became of decisions that have ended.
    pub fn update<'a>(&mut self, jobs: impl IntoIterator<Item = &'a Job>) -> Vec<Effect> {
        for job in jobs {
            let mut held = self.0.iter_mut().flat_map(|batch| &mut batch.held);
            if let Some(held) = held.find(|held| held.job == job.id && held.fate.is_none()) {
                held.fate = Fate::of(job);
            }
        }
        self.drain(|batch| batch.open().next().is_none())
    }

    /// Gives up waiting for what has been silent for long; says so.
    pub fn tick(&mut self, now: DateTime<Utc>) -> Vec<Effect> {
        self.drain(|batch| now - batch.until > PATIENCE)
    }

    /// Asks how every job stands: news of them were missed.
    pub fn ask(&self) -> Vec<Effect> {
        let open = self.0.iter().flat_map(Batch::open);
        open.map(|held| Effect::Ask(Request::Job(held.job, false))).collect()
    }

    fn drain(&mut self, over: impl Fn(&Batch) -> bool) -> Vec<Effect> {
        let (ended, open) = std::mem::take(&mut self.0).into_iter().partition(over);
        self.0 = open;
        ended.iter().map(Batch::report).collect()
    }
}

/// Seconds that are left, the begun one too.
fn seconds(left: TimeDelta) -> i64 {
    (left.num_milliseconds() + 999) / 1_000
}
