//! Schedules: the database says when each fires next, croner computes the times, `tokio-cron-scheduler` only wakes.
//!
//! A cron line fires: [`tick::fire_due`] finds it due, writes one row in `schedule_fires` (its primary key is the
//! promise that a time fires once over all daemons) and one job, in one transaction.
//!
//! Limits: a fire is at most a second late while a daemon runs; fires that passed while none ran follow the
//! schedule's missed policy.

pub mod plan;
pub mod tick;

use astrops_api::{schedules::Schedule, vocabulary::JobType};
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::types::Json;

use crate::{
    config::ScheduleConfig,
    db::Tx,
    store::{
        Slice,
        schedules::{self, StoredSchedule},
    },
};

/// Fires that are shown ahead.
const AHEAD: usize = 5;

/// Stores the configured schedules that are not there yet; says which one cannot be.
pub async fn seed(tx: &mut Tx, configured: &[ScheduleConfig], now: DateTime<Utc>) -> anyhow::Result<()> {
    for config in configured {
        let timing = plan::Timing::parse(&config.cron, &config.time_zone, now)
            .map_err(|error| anyhow::anyhow!("schedule {:?}: {error}", config.name))?;
        let new = StoredSchedule {
            name: config.name.clone(),
            description: config.description.clone(),
            cron: config.cron.clone(),
            time_zone: config.time_zone.clone(),
            job_type: JobType::Maintenance,
            payload: Json(json!({ "maintenance": { "task": config.task } })),
            missed: config.missed,
            overlap: config.overlap,
            paused: false,
            next_fire_at: timing.next_after(now),
            updated_at: now,
        };
        schedules::seed(tx, &new).await?;
    }
    Ok(())
}

/// A stored schedule as the API shows it.
pub async fn view(tx: &mut Tx, stored: StoredSchedule, now: DateTime<Utc>) -> Result<Schedule, sqlx::Error> {
    let (mut runs, _) = schedules::runs(tx, &stored.name, Slice { limit: 1, offset: 0 }).await?;
    let timing = plan::Timing::parse(&stored.cron, &stored.time_zone, now).ok();
    Ok(Schedule {
        cron_text: timing.as_ref().map_or_else(|| "cannot be read".to_owned(), plan::Timing::describe),
        next_fires: timing
            .as_ref()
            .filter(|_| !stored.paused)
            .map(|timing| timing.upcoming(now, AHEAD))
            .unwrap_or_default(),
        maintenance: stored.maintenance(),
        last_run: runs.pop(),
        name: stored.name,
        description: stored.description,
        cron: stored.cron,
        time_zone: stored.time_zone,
        job_type: stored.job_type,
        paused: stored.paused,
        missed: stored.missed,
        overlap: stored.overlap,
        next_fire_at: stored.next_fire_at,
        updated_at: stored.updated_at,
    })
}
