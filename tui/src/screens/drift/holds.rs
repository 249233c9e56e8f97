//! Decisions that are not written yet: each can be taken back for some seconds, and is followed to its end.

use std::time::Duration;

use astrops_api::{ids::JobId, jobs::Job, resolution::Resolution, vocabulary::JobStatus};
use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    format,
    message::{Change, HOLD_SECONDS},
    screen::Effect,
};

/// A job that says nothing for so long after its time is not waited for.
const PATIENCE: TimeDelta = TimeDelta::minutes(2);

#[derive(Debug)]
struct Hold {
    name: String,
    job: JobId,
    /// By our clock: the daemon's may differ.
    until: DateTime<Utc>,
}

/// What was decided and has not ended.
#[derive(Debug, Default)]
pub struct Holds(Vec<Hold>);

impl Holds {
    /// Takes in what was decided just now.
    pub fn add(&mut self, decided: &[(String, Resolution)], now: DateTime<Utc>) {
        let until = now + Duration::from_secs(u64::from(HOLD_SECONDS));
        self.0.retain(|hold| now - hold.until < PATIENCE);
        self.0.extend(decided.iter().filter_map(|(name, resolution)| {
            Some(Hold { name: name.clone(), job: resolution.job_id?, until })
        }));
    }

    /// Whether nothing is on its way.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those of the latest decision that can still be taken back.
    fn latest(&self, now: DateTime<Utc>) -> Vec<&Hold> {
        let latest = self.0.iter().map(|hold| hold.until).max().filter(|until| *until > now);
        self.0.iter().filter(|hold| Some(hold.until) == latest).collect()
    }

    /// Taking the latest decision back, or why that is not possible.
    pub fn take_back(&self, now: DateTime<Utc>) -> Result<Change, String> {
        match &self.latest(now)[..] {
            [] if self.0.is_empty() => Err("nothing is about to be written".into()),
            [] => Err("too late, it is being written: h shows the change, U reverts it".into()),
            holds => Ok(Change::Cancel(holds.iter().map(|hold| hold.job).collect())),
        }
    }

    /// What is about to happen, with the seconds that are left.
    pub fn words(&self, now: DateTime<Utc>) -> Option<String> {
        let latest = self.latest(now);
        let name = match &latest[..] {
            [] => return self.0.last().map(|hold| format!("{} is being written", hold.name)),
            [only] => only.name.clone(),
            many => format::things(many.len(), "entity").replace("entitys", "entities"),
        };
        let left = (latest[0].until - now).num_milliseconds();
        Some(format!("{name}: written in {} s, u takes it back", (left + 999) / 1_000))
    }

    /// Takes in how jobs stand; says what became of decisions that have ended.
    pub fn update(&mut self, jobs: &[Job]) -> Vec<Effect> {
        let mut effects = Vec::new();
        for job in jobs.iter().filter(|job| job.status.is_ended()) {
            let Some(place) = self.0.iter().position(|hold| hold.job == job.id) else { continue };
            let name = self.0.remove(place).name;
            let log = job.reconciliation.as_ref().and_then(|pair| pair.changes_log.as_deref());
            effects.push(match job.status {
                JobStatus::Completed => Effect::note(format!("{name}: {}", log.unwrap_or("written"))),
                JobStatus::Cancelled => Effect::note(format!("{name}: taken back, nothing was written")),
                _ => {
                    let why = job.error_message.as_deref().unwrap_or("its job failed");
                    Effect::trouble(format!("{name}: nothing was written: {why}"))
                }
            });
        }
        effects
    }
}
