//! `[[schedules]]`: what seeds the schedule table. The database is the truth once a schedule is there.

use astrops_api::vocabulary::{MaintenanceTask, MissedPolicy, OverlapPolicy};
use serde::Deserialize;

use super::{Refusal, keys::in_short};

/// One schedule. Cron line and time zone are judged by the schedules module, which asks for the next fire.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleConfig {
    /// Its name: lower-case letters, digits and hyphens, at most 64.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// Five fields (minute hour day month weekday), or six with seconds first.
    pub cron: String,
    /// IANA name, such as `Europe/Madrid`.
    #[serde(default = "utc")]
    pub time_zone: String,
    /// What its jobs do.
    pub task: MaintenanceTask,
    /// About fires that passed while no daemon ran.
    #[serde(default = "coalesce")]
    pub missed: MissedPolicy,
    /// About a last job that has not ended.
    #[serde(default = "skip")]
    pub overlap: OverlapPolicy,
}

fn utc() -> String {
    "UTC".to_owned()
}

const fn coalesce() -> MissedPolicy {
    MissedPolicy::Coalesce
}

const fn skip() -> OverlapPolicy {
    OverlapPolicy::Skip
}

/// The schedules that are there from the start.
pub(super) fn built_in() -> Vec<ScheduleConfig> {
    [
        (
            "prune-logs",
            "Deletes system logs and domain events past their retention",
            "15 3 * * *",
            MaintenanceTask::PruneLogs,
        ),
        (
            "prune-jobs",
            "Deletes ended jobs past their retention, with their attempts",
            "45 3 * * *",
            MaintenanceTask::PruneJobs,
        ),
        (
            "expire-sessions",
            "Deletes expired sessions and idempotency keys older than a day",
            "*/15 * * * *",
            MaintenanceTask::ExpireSessions,
        ),
        (
            "expire-locks",
            "Forgets wrong passwords that no longer count and locks that are past",
            "*/15 * * * *",
            MaintenanceTask::ExpireLocks,
        ),
        (
            "prune-capacity-log",
            "Deletes rows of the capacity log after a year",
            "30 3 * * *",
            MaintenanceTask::PruneCapacityLog,
        ),
        (
            "open-sales",
            "Tells the interested of sales that have started",
            "* * * * *",
            MaintenanceTask::OpenSales,
        ),
        (
            "send-reminders",
            "Reminds customers of launches that start within a day",
            "*/5 * * * *",
            MaintenanceTask::SendReminders,
        ),
        (
            "complete-launches",
            "Marks launches whose end has passed as completed",
            "*/5 * * * *",
            MaintenanceTask::CompleteLaunches,
        ),
        (
            "check-payments",
            "Asks what became of payments that were not answered",
            "*/5 * * * *",
            MaintenanceTask::CheckPayments,
        ),
        (
            "reconcile-incremental",
            "Makes both databases agree about what changed since the last time",
            "*/5 * * * *",
            MaintenanceTask::ReconcileIncremental,
        ),
        (
            "reconcile-full",
            "Compares every document with its row, and makes them agree",
            "30 2 * * *",
            MaintenanceTask::ReconcileFull,
        ),
        (
            "expire-documents",
            "Deletes sessions and capacity log entries of embedded customer documents whose time has come",
            "*/15 * * * *",
            MaintenanceTask::ExpireDocuments,
        ),
    ]
    .map(|(name, description, cron, task)| ScheduleConfig {
        name: name.to_owned(),
        description: description.to_owned(),
        cron: cron.to_owned(),
        time_zone: utc(),
        task,
        missed: coalesce(),
        overlap: skip(),
    })
    .to_vec()
}

/// The built-in schedules, each replaced by the given one of its name, then the other given ones.
pub(super) fn with_built_in(given: Vec<ScheduleConfig>) -> Vec<ScheduleConfig> {
    let mut all = built_in();
    for schedule in given {
        match all.iter_mut().find(|known| known.name == schedule.name) {
            Some(known) => *known = schedule,
            None => all.push(schedule),
        }
    }
    all
}

/// What is wrong with the names in `given`, which came from `source`.
pub(super) fn judge(given: &[ScheduleConfig], source: &str) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for (at, schedule) in given.iter().enumerate() {
        let name = &schedule.name;
        if schedule.task.needs_subject() {
            let wrong =
                format!("schedules[{at}].task is {:?}, which is about one thing", schedule.task.as_str());
            refusals.push(Refusal::new(source, wrong, "another task"));
        }
        let fits = (1..=64).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !fits {
            let wrong = format!("schedules[{at}].name is {}", in_short(&name.as_str().into()));
            refusals.push(Refusal::new(source, wrong, "lower-case letters, digits and hyphens, at most 64"));
        } else if given[..at].iter().any(|earlier| earlier.name == *name) {
            let wrong = format!("schedules[{at}].name: {name:?} is there twice");
            refusals.push(Refusal::new(source, wrong, "one schedule of each name"));
        }
    }
    refusals
}
