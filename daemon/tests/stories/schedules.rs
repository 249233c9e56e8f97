//! Schedules as an operator drives them.

use astrops_api::{
    schedules::EditSchedule,
    vocabulary::{FireOutcome, JobStatus, MissedPolicy},
};
use chrono::TimeDelta;

use crate::{
    stories,
    support::{DEADLINE, TestDaemon, refusal},
};

stories!(
    a_cron_line_fires_once_at_its_time,
    a_trigger_makes_a_job_now,
    a_paused_schedule_does_not_fire,
    fires_that_no_daemon_saw_are_coalesced,
    what_cannot_fire_is_refused,
);

async fn hourly(daemon: &TestDaemon) {
    let edit = EditSchedule { cron: Some("0 * * * *".to_owned()), ..EditSchedule::default() };
    daemon.operator.edit_schedule("expire-sessions", &edit).await.unwrap();
}

/// The runs of the schedule, once there are `count`.
async fn runs(daemon: &TestDaemon, count: u64) -> Vec<astrops_api::schedules::ScheduleRun> {
    let look = async {
        loop {
            let page = daemon.operator.schedule_runs("expire-sessions", 50).await.unwrap();
            if page.total >= count {
                return page.runs;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, look).await.expect("the schedule fires")
}

async fn a_cron_line_fires_once_at_its_time(daemon: TestDaemon) {
    hourly(&daemon).await;
    let schedule = daemon.operator.schedule("expire-sessions").await.unwrap();
    let first = daemon.now() + TimeDelta::hours(1);
    assert_eq!(schedule.next_fire_at, Some(first));
    assert_eq!(schedule.next_fires.len(), 5);
    daemon.pass(TimeDelta::minutes(59));
    daemon.pass(TimeDelta::minutes(1));
    let daemon = daemon.restart().await;
    let runs = runs(&daemon, 1).await;
    assert_eq!((runs.len(), runs[0].scheduled_for, runs[0].outcome), (1, first, FireOutcome::Fired));
    let job = daemon.ended(runs[0].job_id.unwrap()).await;
    assert_eq!(
        (job.job.status, job.job.created_by.as_str()),
        (JobStatus::Completed, "schedule:expire-sessions")
    );
    assert_eq!(
        daemon.operator.schedule("expire-sessions").await.unwrap().next_fire_at,
        Some(first + TimeDelta::hours(1))
    );
    daemon.stop().await;
}

async fn a_trigger_makes_a_job_now(daemon: TestDaemon) {
    let run = daemon.operator.trigger_schedule("prune-logs").await.unwrap();
    assert_eq!(run.outcome, FireOutcome::Triggered);
    let job = daemon.ended(run.job_id.unwrap()).await.job;
    assert_eq!((job.status, job.schedule.as_deref()), (JobStatus::Completed, Some("prune-logs")));
    let last = daemon.operator.schedule("prune-logs").await.unwrap().last_run.unwrap();
    assert_eq!((last.job_id, last.job_status), (run.job_id, Some(JobStatus::Completed)));
    assert!(refusal(daemon.operator.trigger_schedule("no-such").await).starts_with("404"));
    daemon.stop().await;
}

async fn a_paused_schedule_does_not_fire(daemon: TestDaemon) {
    hourly(&daemon).await;
    let paused = daemon.operator.pause_schedule("expire-sessions").await.unwrap();
    assert!(paused.paused && paused.next_fire_at.is_none() && paused.next_fires.is_empty());
    daemon.pass(TimeDelta::hours(5));
    let daemon = daemon.restart().await;
    let resumed = daemon.operator.resume_schedule("expire-sessions").await.unwrap();
    assert!(resumed.next_fire_at.unwrap() > daemon.now(), "a pause leaves nothing to catch up");
    assert_eq!(daemon.operator.schedule_runs("expire-sessions", 10).await.unwrap().total, 0);
    daemon.stop_leaving_jobs().await;
}

async fn fires_that_no_daemon_saw_are_coalesced(daemon: TestDaemon) {
    hourly(&daemon).await;
    // The clock jumps further than any fire may be late, as when no daemon ran.
    daemon.pass(TimeDelta::hours(4) + TimeDelta::minutes(30));
    let daemon = daemon.restart().await;
    let runs = runs(&daemon, 1).await;
    assert_eq!((runs.len(), runs[0].outcome), (1, FireOutcome::CaughtUp));
    daemon.ended(runs[0].job_id.unwrap()).await;
    let edit = EditSchedule { missed: Some(MissedPolicy::Skip), ..EditSchedule::default() };
    assert_eq!(
        daemon.operator.edit_schedule("expire-sessions", &edit).await.unwrap().missed,
        MissedPolicy::Skip
    );
    daemon.stop_leaving_jobs().await;
}

async fn what_cannot_fire_is_refused(daemon: TestDaemon) {
    let edit = |cron: &str, zone: &str| EditSchedule {
        cron: Some(cron.to_owned()),
        time_zone: Some(zone.to_owned()),
        ..EditSchedule::default()
    };
    for (cron, zone, at_fault) in [
        ("61 * * * *", "UTC", "/cron"),
        ("0 0 30 2 *", "UTC", "/cron"),
        ("0 0 * * *", "Mars/Base", "/timeZone"),
    ] {
        let refused = refusal(daemon.operator.edit_schedule("prune-logs", &edit(cron, zone)).await);
        assert!(refused.starts_with("422 invalid") && refused.contains(at_fault), "{refused}");
    }
    assert_eq!(daemon.operator.schedule("prune-logs").await.unwrap().cron, "15 3 * * *");
    daemon.stop().await;
}
