//! Schedules: cron lines that make jobs.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    ids::JobId,
    jobs::Maintenance,
    paging::page_of,
    vocabulary::{FireOutcome, JobStatus, JobType, MissedPolicy, OverlapPolicy},
};

/// A schedule. The database is its truth; the configuration file only seeds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Schedule {
    /// Its name, unique.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Five fields (minute hour day month weekday), or six with seconds first.
    pub cron: String,
    /// The cron line in words.
    pub cron_text: String,
    /// IANA name, such as `Europe/Madrid`.
    pub time_zone: String,
    /// The type of the jobs it makes.
    pub job_type: JobType,
    /// What the jobs do, of MAINTENANCE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<Maintenance>,
    /// Whether it is stopped by an operator.
    pub paused: bool,
    /// About fires that passed while no daemon ran.
    pub missed: MissedPolicy,
    /// About a last job that has not ended.
    pub overlap: OverlapPolicy,
    /// When it fires next; absent while paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_fire_at: Option<DateTime<Utc>>,
    /// The next five, counted from now.
    pub next_fires: Vec<DateTime<Utc>>,
    /// The latest fire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_run: Option<ScheduleRun>,
    /// When it was last edited, paused or resumed.
    pub updated_at: DateTime<Utc>,
}

/// What became of one fire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleRun {
    /// The time of the cron line, or of the request.
    pub scheduled_for: DateTime<Utc>,
    /// When the daemon acted.
    pub fired_at: DateTime<Utc>,
    /// What it did.
    pub outcome: FireOutcome,
    /// The job it made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<JobId>,
    /// Where that job stands; absent when it was pruned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_status: Option<JobStatus>,
}

/// GET /schedules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Schedules {
    /// Every schedule, by name.
    pub schedules: Vec<Schedule>,
}

page_of! {
    /// GET /schedules/{name}/runs: newest first.
    ScheduleRuns { runs: ScheduleRun }
}

/// PUT /schedules/{name}: what is given is changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EditSchedule {
    /// A new cron line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// A new IANA time zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// A new policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed: Option<MissedPolicy>,
    /// A new policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<OverlapPolicy>,
}
