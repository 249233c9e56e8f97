//! The state machine as an operator drives it.

use std::time::Duration;

use astrops_api::{
    client::ExecuteAnswer,
    ids::JobId,
    jobs::{Delay, JobQuery, Maintenance, NewJob, NewMail, PauseTypes},
    reconciliation::NewEvent,
    vocabulary::{
        AttemptOutcome, EntityType, JobPhase, JobStatus, JobType, MaintenanceTask, Order, ReconAction,
    },
};
use chrono::TimeDelta;

use crate::{
    stories,
    support::{Engine, TestDaemon, refusal},
};

stories!(
    a_queued_job_is_delayed_cancelled_retried_and_deleted,
    execute_runs_a_job_once_however_many_ask,
    a_failing_mail_is_retried_with_backoff_until_it_fails_and_an_operator_retries_it,
    a_unique_key_lets_one_job_wait,
    a_paused_type_is_not_claimed,
    lists_filter_page_and_reach_any_depth,
    a_restart_hands_back_and_goes_on,
    housekeeping_deletes_what_is_past_its_retention,
);

fn mail(to: &str) -> NewJob {
    let notification = NewMail {
        recipient_email: to.to_owned(),
        subject: "Launch".to_owned(),
        message: "At noon.".to_owned(),
    };
    NewJob {
        kind: JobType::Notification,
        notification: Some(notification),
        reconciliation: None,
        maintenance: None,
        run_at: None,
        priority: None,
        max_attempts: None,
        unique_key: None,
    }
}

async fn later(daemon: &TestDaemon) -> JobId {
    let run_at = Some(daemon.now() + TimeDelta::hours(1));
    daemon.operator.create_job(&NewJob { run_at, ..mail("c@example.com") }).await.unwrap().id
}

async fn a_queued_job_is_delayed_cancelled_retried_and_deleted(daemon: TestDaemon) {
    let id = later(&daemon).await;
    let at = daemon.now() + TimeDelta::hours(3);
    assert_eq!(daemon.operator.delay_job(id, &Delay { run_at: at }).await.unwrap().next_run_at, Some(at));
    assert!(refusal(daemon.operator.delete_job(id).await).starts_with("409 conflict"));
    assert!(refusal(daemon.operator.retry_job(id).await).starts_with("409 conflict"));
    let job = daemon.operator.cancel_job(id).await.unwrap();
    assert_eq!((job.status, job.phase), (JobStatus::Cancelled, JobPhase::Cancelled));
    assert!(refusal(daemon.operator.cancel_job(id).await).starts_with("409 conflict"));
    assert!(refusal(daemon.operator.delay_job(id, &Delay { run_at: at }).await).starts_with("409 conflict"));
    let job = daemon.operator.retry_job(id).await.unwrap();
    assert_eq!((job.status, job.next_run_at), (JobStatus::Queued, Some(at)), "its time has not come");
    let past = Delay { run_at: daemon.now() - TimeDelta::hours(1) };
    assert!(refusal(daemon.operator.delay_job(id, &past).await).contains("lies in the past"));
    assert!(matches!(daemon.operator.execute_job(id, None).await.unwrap(), ExecuteAnswer::Ended(_)));
    assert_eq!(daemon.ended(id).await.job.status, JobStatus::Completed);
    daemon.operator.delete_job(id).await.unwrap();
    assert!(refusal(daemon.operator.job(id, false).await).starts_with("404 not-found"));
    daemon.stop().await;
}

async fn execute_runs_a_job_once_however_many_ask(daemon: TestDaemon) {
    let id = later(&daemon).await;
    let ask = || daemon.operator.execute_job(id, Some(Duration::from_secs(10)));
    let answers = futures::future::join_all((0..8).map(|_| ask())).await;
    for answer in answers {
        let ExecuteAnswer::Ended(executed) = answer.unwrap() else { panic!("still running") };
        assert_eq!((executed.job_id, executed.status), (id, JobStatus::Completed));
    }
    let job = daemon.operator.job(id, false).await.unwrap();
    assert_eq!(job.attempts.len(), 1, "{:?}", job.attempts);
    // Ended: the stored result, at once.
    assert!(matches!(ask().await.unwrap(), ExecuteAnswer::Ended(_)));
    daemon.stop().await;
}

async fn a_failing_mail_is_retried_with_backoff_until_it_fails_and_an_operator_retries_it(
    daemon: TestDaemon,
) {
    // The mail folder is no folder: every delivery fails, and may succeed later.
    let dir = daemon.mail_dir();
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::write(&dir, "in the way").unwrap();
    let id = daemon
        .operator
        .create_job(&NewJob { max_attempts: Some(3), ..mail("c@example.com") })
        .await
        .unwrap()
        .id;
    for attempt in 1..=2 {
        let job =
            daemon.when(id, |job| job.job.phase == JobPhase::Retrying && job.job.attempt == attempt).await;
        let wait = job.job.next_run_at.unwrap() - daemon.now();
        let base = TimeDelta::seconds(if attempt == 1 { 10 } else { 40 });
        assert!(wait >= base * 8 / 10 && wait <= base * 12 / 10, "attempt {attempt} waits {wait}");
        daemon.pass(wait);
    }
    let job = daemon.ended(id).await;
    assert_eq!((job.job.status, job.job.phase, job.job.retry_count), (JobStatus::Failed, JobPhase::Dead, 2));
    assert!(job.job.error_message.is_some());
    let outcomes: Vec<AttemptOutcome> = job.attempts.iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, [AttemptOutcome::Retry, AttemptOutcome::Retry, AttemptOutcome::Failed]);

    std::fs::remove_file(&dir).unwrap();
    std::fs::create_dir(&dir).unwrap();
    let job = daemon.operator.retry_job(id).await.unwrap();
    assert_eq!(job.max_attempts, 6, "as many attempts again");
    let job = daemon.ended(id).await;
    assert_eq!((job.job.status, job.attempts.len()), (JobStatus::Completed, 4));
    daemon.stop().await;
}

async fn a_unique_key_lets_one_job_wait(daemon: TestDaemon) {
    let key = || Some("reminder:42".to_owned());
    let run_at = Some(daemon.now() + TimeDelta::hours(1));
    let first = NewJob { unique_key: key(), run_at, ..mail("c@example.com") };
    let id = daemon.operator.create_job(&first).await.unwrap().id;
    let refused = refusal(daemon.operator.create_job(&first).await);
    assert!(refused.starts_with("409 duplicate-job") && refused.contains(&id.to_string()), "{refused}");
    daemon.operator.cancel_job(id).await.unwrap();
    let second = daemon.operator.create_job(&first).await.unwrap().id;
    let blocked = refusal(daemon.operator.retry_job(id).await);
    assert!(blocked.contains("blocked by job") && blocked.contains(&second.to_string()), "{blocked}");
    daemon.operator.cancel_job(second).await.unwrap();
    daemon.stop().await;
}

async fn a_paused_type_is_not_claimed(daemon: TestDaemon) {
    let only = PauseTypes { kind: Some(JobType::Notification) };
    let stats = daemon.operator.pause_jobs(&only).await.unwrap();
    assert!(stats.types.iter().any(|row| row.kind == JobType::Notification && row.paused));
    let held = daemon.operator.create_job(&mail("c@example.com")).await.unwrap().id;
    let care = NewJob {
        kind: JobType::Maintenance,
        notification: None,
        maintenance: Some(Maintenance::of(MaintenanceTask::ExpireSessions)),
        ..mail("")
    };
    let other = daemon.operator.create_job(&care).await.unwrap().id;
    assert_eq!(daemon.ended(other).await.job.status, JobStatus::Completed);
    assert_eq!(daemon.operator.job(held, false).await.unwrap().job.status, JobStatus::Queued);
    assert!(refusal(daemon.operator.execute_job(held, None).await).contains("NOTIFICATION jobs are paused"));
    daemon.operator.resume_jobs(&PauseTypes { kind: None }).await.unwrap();
    assert_eq!(daemon.ended(held).await.job.status, JobStatus::Completed);
    daemon.stop().await;
}

async fn lists_filter_page_and_reach_any_depth(daemon: TestDaemon) {
    let mut made = Vec::new();
    for n in 0..25 {
        let run_at = Some(daemon.now() + TimeDelta::hours(1));
        made.push(
            daemon
                .operator
                .create_job(&NewJob { run_at, ..mail(&format!("c{n}@example.com")) })
                .await
                .unwrap()
                .id,
        );
        daemon.pass(TimeDelta::seconds(1));
    }
    made.reverse();
    let first = daemon.operator.jobs(&JobQuery::default()).await.unwrap();
    assert_eq!((first.total, first.page, first.page_size, first.jobs.len()), (25, 1, 10, 10));
    let mut walked = Vec::new();
    let mut query = JobQuery { page_size: Some(7), ..JobQuery::default() };
    loop {
        let page = daemon.operator.jobs(&query).await.unwrap();
        let Some(last) = page.jobs.last() else { break };
        query.before = Some(last.id);
        walked.extend(page.jobs.into_iter().map(|job| job.id));
    }
    assert_eq!(walked, made);
    let oldest = JobQuery { limit: Some(2), offset: Some(1), order: Some(Order::Asc), ..JobQuery::default() };
    let ids: Vec<JobId> =
        daemon.operator.jobs(&oldest).await.unwrap().jobs.into_iter().map(|job| job.id).collect();
    assert_eq!(ids, [made[23], made[22]]);
    let total = async |query: JobQuery| daemon.operator.jobs(&query).await.unwrap().total;
    assert_eq!(total(JobQuery { q: Some("C7@EXAMPLE".to_owned()), ..JobQuery::default() }).await, 1);
    assert_eq!(
        total(JobQuery { q: Some("%".to_owned()), ..JobQuery::default() }).await,
        0,
        "% is a letter here"
    );
    assert_eq!(total(JobQuery { phase: Some(JobPhase::Scheduled), ..JobQuery::default() }).await, 25);
    assert_eq!(total(JobQuery { kind: Some(JobType::Maintenance), ..JobQuery::default() }).await, 0);
    let from = Some(daemon.now() - TimeDelta::seconds(5));
    assert_eq!(total(JobQuery { from, ..JobQuery::default() }).await, 5);
    daemon.stop_leaving_jobs().await;
}

async fn a_restart_hands_back_and_goes_on(daemon: TestDaemon) {
    let id = later(&daemon).await;
    let daemon = daemon.restart().await;
    daemon.pass(TimeDelta::hours(2));
    let daemon = daemon.restart().await;
    let job = daemon.ended(id).await;
    assert_eq!((job.job.status, job.attempts.len(), job.crashes), (JobStatus::Completed, 1, 0));
    daemon.stop().await;
}

async fn housekeeping_deletes_what_is_past_its_retention(daemon: TestDaemon) {
    let event = NewEvent {
        entity_type: EntityType::Launch,
        entity_id: "507f1f77bcf86cd799439016".parse().unwrap(),
        action: ReconAction::Update,
    };
    daemon.operator.nominate(&event).await.unwrap();
    let old = daemon.operator.create_job(&mail("old@example.com")).await.unwrap().id;
    daemon.ended(old).await;
    daemon.pass(TimeDelta::days(15));
    // Long after the session has ended.
    let daemon = daemon.restart().await;
    let new = daemon.operator.create_job(&mail("new@example.com")).await.unwrap().id;
    daemon.ended(new).await;
    let run = daemon.operator.trigger_schedule("prune-jobs").await.unwrap();
    let job = daemon.ended(run.job_id.unwrap()).await.job;
    // The schedule that was due while the clock jumped may have deleted it first.
    assert!(job.maintenance.unwrap().result.unwrap().contains("completed ones after 14 days"));
    assert!(refusal(daemon.operator.job(old, false).await).starts_with("404"));
    daemon.operator.job(new, false).await.unwrap();
    let events = "SELECT COUNT(*) FROM recon_events";
    assert_eq!(daemon.count(events).await, 1, "kept as long as the job of a failed one");
    daemon.pass(TimeDelta::days(76));
    let daemon = daemon.restart().await;
    let run = daemon.operator.trigger_schedule("prune-jobs").await.unwrap();
    daemon.ended(run.job_id.unwrap()).await;
    assert_eq!(daemon.count(events).await, 0);
    daemon.stop_leaving_jobs().await;
}

#[tokio::test]
async fn two_daemons_share_one_queue_and_a_stopped_one_leaves_its_work_to_the_other() {
    let Some(first) = TestDaemon::start(Engine::Postgres).await else { return };
    let second = TestDaemon::start_beside(&first).await;
    assert_eq!(first.operator.status().await.unwrap().nodes.len(), 2);
    let mut ids = Vec::new();
    for n in 0..60 {
        let by = if n % 2 == 0 { &first } else { &second };
        ids.push(by.operator.create_job(&mail(&format!("c{n}@example.com"))).await.unwrap().id);
    }
    let delivered = |daemon: &TestDaemon| std::fs::read_dir(daemon.mail_dir()).map_or(0, Iterator::count);
    let second_dir = second.mail_dir();
    second.stop_leaving_jobs().await;
    for id in &ids {
        let job = first.ended(*id).await;
        assert_eq!((job.job.status, job.attempts.len()), (JobStatus::Completed, 1));
    }
    let by_second = std::fs::read_dir(&second_dir).map_or(0, Iterator::count);
    assert_eq!(delivered(&first) + by_second, ids.len(), "each mail was delivered once");
    assert_eq!(first.operator.status().await.unwrap().nodes.len(), 1);
    first.stop().await;
    std::fs::remove_dir_all(second_dir.parent().unwrap()).unwrap();
}

#[tokio::test]
async fn a_second_daemon_on_the_same_folder_is_refused_with_the_pid_of_the_first() {
    let daemon = TestDaemon::start(Engine::Sqlite).await.unwrap();
    let second = astrops_daemon::Daemon::build(daemon.config.clone(), daemon.clock.clone()).await;
    let refusal = second.err().unwrap().to_string();
    assert!(refusal.contains(&format!("pid {}", std::process::id())), "{refusal}");
    daemon.stop().await;
}
