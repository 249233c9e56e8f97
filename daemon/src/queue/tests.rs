//! What the queue promises of its rows, on both engines.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use astrops_api::{
    ids::{JobId, NodeId},
    status::Node,
    vocabulary::{AttemptOutcome, Delivery, JobPhase, JobStatus, JobType},
};
use chrono::TimeDelta;
use futures::{FutureExt as _, future::BoxFuture};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{
    Context, Handler, LEASE, Outcome, Queue, Run, Verdict,
    store::{self, Claim, Mark, Settlement},
};
use crate::{
    clock::Clock,
    db::Db,
    store::{
        jobs::{self, NewJob, Ordered, StoredJob},
        nodes,
    },
    testing::{contract, noon},
};

contract!(
    claims_come_in_order_and_only_once,
    a_late_worker_changes_nothing,
    a_node_that_was_suspended_keeps_its_jobs,
    a_dead_nodes_jobs_go_back_and_only_running_ones_are_blamed,
    a_mail_whose_node_died_at_the_dot_is_left_to_a_person,
    the_third_crash_ends_a_job,
    a_cancel_that_races_a_retry_wins,
    a_crowd_of_claimers_shares_the_queue,
    a_running_queue_does_each_job_once_and_drains,
    a_panic_is_an_error_like_any_other,
    a_job_that_was_running_when_its_node_died_runs_alone,
    a_panic_at_the_dot_is_left_to_a_person,
    a_job_cancelled_while_it_waits_for_a_worker_is_never_started,
    a_claim_that_was_never_heard_of_is_handed_back,
);

pub fn context(db: &Db) -> Context {
    let clock = Clock::mock(noon());
    Context { db: db.clone(), node: NodeId(clock.new_id()), clock }
}

/// Another node takes jobs back.
pub async fn reap(context: &Context) -> Result<usize, sqlx::Error> {
    let node = NodeId(context.clock.new_id());
    super::reap(&Context { node, ..context.clone() }).await
}

pub fn new_job(context: &Context) -> NewJob {
    NewJob {
        id: JobId(context.clock.new_id()),
        kind: JobType::Notification,
        payload: json!({ "n": 1 }),
        run_at: context.clock.now(),
        priority: 0,
        max_attempts: 3,
        unique_key: None,
        created_by: "test".to_owned(),
        schedule: None,
        created_at: context.clock.now(),
    }
}

pub async fn enqueue(context: &Context, new: &[NewJob]) {
    let mut tx = context.db.write().await.unwrap();
    assert_eq!(jobs::enqueue(&mut tx, new).await.unwrap().len(), new.len());
    tx.commit().await.unwrap();
}

pub async fn claim(context: &Context, limit: i64) -> Vec<Claim> {
    let mut tx = context.db.write().await.unwrap();
    let claims = store::claim(&mut tx, context.node, limit, context.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    claims
}

pub async fn find(context: &Context, id: JobId) -> StoredJob {
    let mut tx = context.db.read().await.unwrap();
    jobs::find(&mut tx, id).await.unwrap().unwrap()
}

pub fn settlement(context: &Context, claim: &Claim, status: JobStatus, phase: JobPhase) -> Settlement {
    let now = context.clock.now();
    Settlement {
        id: claim.id,
        fence: claim.fence,
        owner: context.node,
        attempt: claim.attempt,
        status,
        phase,
        run_at: None,
        delivery: None,
        error: None,
        result: None,
        started_at: now,
        finished_at: now,
        outcome: Some(AttemptOutcome::Ok),
        crashed: false,
        suspect: false,
        log: None,
    }
}

pub async fn settle(context: &Context, settlement: Settlement) -> bool {
    let mut tx = context.db.write().await.unwrap();
    let written = store::settle(&mut tx, &[settlement]).await.unwrap();
    tx.commit().await.unwrap();
    !written.is_empty()
}

pub async fn mark(context: &Context, claim: &Claim, delivery: Option<Delivery>) -> bool {
    let mut tx = context.db.write().await.unwrap();
    let mark = Mark { id: claim.id, fence: claim.fence, delivery };
    let held = store::mark(&mut tx, context.node, &[mark]).await.unwrap();
    tx.commit().await.unwrap();
    !held.is_empty()
}

pub fn node(context: &Context) -> Node {
    let now = context.clock.now();
    let (name, version) = ("test".to_owned(), "0".to_owned());
    Node { id: context.node, name, version, started_at: now, lease_until: now + LEASE }
}

async fn claims_come_in_order_and_only_once(db: Db) {
    let context = context(&db);
    let soon = NewJob { run_at: noon() + TimeDelta::seconds(1), ..new_job(&context) };
    let urgent = NewJob { priority: -5, ..new_job(&context) };
    let (first, second) = (new_job(&context), new_job(&context));
    enqueue(&context, &[soon.clone(), first.clone(), second.clone(), urgent.clone()]).await;
    let ids = |claims: Vec<Claim>| claims.into_iter().map(|claim| claim.id).collect::<Vec<_>>();
    assert_eq!(ids(claim(&context, 2).await), [urgent.id, first.id]);
    assert_eq!(ids(claim(&context, 9).await), [second.id]);
    assert!(claim(&context, 9).await.is_empty());
    let mut tx = db.read().await.unwrap();
    assert_eq!(store::next_due(&mut tx).await.unwrap(), Some(soon.run_at));
    drop(tx);
    context.clock.advance(TimeDelta::seconds(1));
    assert_eq!(ids(claim(&context, 9).await), [soon.id]);
}

async fn a_late_worker_changes_nothing(db: Db) {
    let context = context(&db);
    let job = new_job(&context);
    enqueue(&context, std::slice::from_ref(&job)).await;
    let first = claim(&context, 1).await.remove(0);
    assert!(mark(&context, &first, None).await);
    // The node's lease is over; another one takes the job.
    reap(&context).await.unwrap();
    let second = claim(&context, 1).await.remove(0);
    assert_eq!((second.fence, second.attempt, second.crashes), (first.fence + 1, 2, 1));
    assert!(!mark(&context, &first, Some(Delivery::Unknown)).await);
    assert!(!settle(&context, settlement(&context, &first, JobStatus::Completed, JobPhase::Done)).await);
    assert_eq!(find(&context, job.id).await.status, JobStatus::Processing);
    assert!(settle(&context, settlement(&context, &second, JobStatus::Completed, JobPhase::Done)).await);
    assert!(!settle(&context, settlement(&context, &second, JobStatus::Failed, JobPhase::Dead)).await);
    assert_eq!(find(&context, job.id).await.status, JobStatus::Completed);
    let mut tx = db.read().await.unwrap();
    let attempts = jobs::attempts(&mut tx, job.id).await.unwrap();
    let outcomes: Vec<AttemptOutcome> = attempts.iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, [AttemptOutcome::Crashed, AttemptOutcome::Ok]);
}

async fn a_node_that_was_suspended_keeps_its_jobs(db: Db) {
    let context = context(&db);
    let job = new_job(&context);
    enqueue(&context, std::slice::from_ref(&job)).await;
    mark(&context, &claim(&context, 1).await[0], None).await;
    context.clock.advance(LEASE + LEASE);
    // It looks for dead nodes before it has renewed its lease, and its job still runs.
    assert_eq!(super::reap(&context).await.unwrap(), 0);
    assert_eq!(find(&context, job.id).await.status, JobStatus::Processing);
    assert_eq!(reap(&context).await.unwrap(), 1, "another one may take it for dead");
}

async fn a_dead_nodes_jobs_go_back_and_only_running_ones_are_blamed(db: Db) {
    let context = context(&db);
    let (running, waiting, living) = (new_job(&context), new_job(&context), new_job(&context));
    enqueue(&context, &[running.clone(), waiting.clone()]).await;
    let claims = claim(&context, 2).await;
    mark(&context, &claims[0], None).await;
    // Another node that is alive keeps what it has.
    let alive = Context { node: NodeId(context.clock.new_id()), ..context.clone() };
    enqueue(&alive, std::slice::from_ref(&living)).await;
    claim(&alive, 1).await;
    let mut tx = db.write().await.unwrap();
    nodes::renew(&mut tx, &node(&alive)).await.unwrap();
    tx.commit().await.unwrap();

    assert_eq!(reap(&alive).await.unwrap(), 2);
    let blamed = find(&context, running.id).await;
    assert_eq!(
        (blamed.status, blamed.phase, blamed.crashes, blamed.attempt, blamed.max_attempts),
        (JobStatus::Queued, JobPhase::Retrying, 1, 1, 4)
    );
    let innocent = find(&context, waiting.id).await;
    assert_eq!(
        (innocent.status, innocent.phase, innocent.crashes, innocent.attempt),
        (JobStatus::Queued, JobPhase::Waiting, 0, 0)
    );
    assert_eq!(find(&context, living.id).await.status, JobStatus::Processing);
    // Either is marked durably before it runs again.
    assert!(claim(&alive, 9).await.iter().all(|claim| claim.suspect));
}

async fn a_mail_whose_node_died_at_the_dot_is_left_to_a_person(db: Db) {
    let context = context(&db);
    let job = new_job(&context);
    enqueue(&context, std::slice::from_ref(&job)).await;
    let claim = claim(&context, 1).await.remove(0);
    mark(&context, &claim, Some(Delivery::NotSent)).await;
    mark(&context, &claim, Some(Delivery::Unknown)).await;
    reap(&context).await.unwrap();
    let left = find(&context, job.id).await;
    assert_eq!(
        (left.status, left.phase, left.delivery()),
        (JobStatus::Failed, JobPhase::Dead, Some(Delivery::Unknown))
    );
}

async fn the_third_crash_ends_a_job(db: Db) {
    let context = context(&db);
    let job = new_job(&context);
    enqueue(&context, std::slice::from_ref(&job)).await;
    for crash in 1..=3 {
        let claim = claim(&context, 1).await.remove(0);
        mark(&context, &claim, None).await;
        reap(&context).await.unwrap();
        assert_eq!(find(&context, job.id).await.crashes, crash);
    }
    let dead = find(&context, job.id).await;
    assert_eq!((dead.status, dead.phase), (JobStatus::Failed, JobPhase::Dead));
    assert!(dead.error_message.unwrap().contains("third time"));
}

async fn a_cancel_that_races_a_retry_wins(db: Db) {
    let context = context(&db);
    let job = new_job(&context);
    enqueue(&context, std::slice::from_ref(&job)).await;
    let claim = claim(&context, 1).await.remove(0);
    let mut tx = db.write().await.unwrap();
    let ordered = jobs::cancel(&mut tx, job.id, context.clock.now()).await.unwrap();
    assert!(matches!(ordered, Ordered::Done(_)));
    tx.commit().await.unwrap();
    assert_eq!(find(&context, job.id).await.phase, JobPhase::Cancelling);
    let mut tx = db.read().await.unwrap();
    let held = store::held_by(&mut tx, context.node).await.unwrap();
    assert_eq!((held.len(), held[0].phase), (1, JobPhase::Cancelling));
    drop(tx);
    settle(&context, settlement(&context, &claim, JobStatus::Queued, JobPhase::Retrying)).await;
    let job = find(&context, job.id).await;
    assert_eq!(
        (job.status, job.phase, job.completed_at.is_some()),
        (JobStatus::Cancelled, JobPhase::Cancelled, true)
    );
}

async fn a_crowd_of_claimers_shares_the_queue(db: Db) {
    let context = context(&db);
    let new: Vec<NewJob> = (0..100).map(|_| new_job(&context)).collect();
    enqueue(&context, &new).await;
    let claimers = (0..8).map(|_| {
        let context = Context { node: NodeId(context.clock.new_id()), ..context.clone() };
        tokio::spawn(async move {
            let mut mine = Vec::new();
            loop {
                let claims = claim(&context, 7).await;
                if claims.is_empty() {
                    return mine;
                }
                mine.extend(claims.into_iter().map(|claim| claim.id));
            }
        })
    });
    let shares = futures::future::join_all(claimers.collect::<Vec<_>>()).await;
    let mut claimed: Vec<JobId> = shares.into_iter().flat_map(Result::unwrap).collect();
    claimed.sort_unstable();
    claimed.dedup();
    assert_eq!(claimed.len(), 100);
}

/// Counts runs; does what it is told.
#[derive(Default)]
struct Counter {
    runs: Mutex<Vec<JobId>>,
    panics: bool,
    at_the_dot: bool,
    /// Keeps the worker busy until it may go on.
    held_up: Option<Arc<tokio::sync::Semaphore>>,
    together: AtomicUsize,
    most_together: AtomicUsize,
}

impl Handler for Counter {
    fn run<'a>(&'a self, run: &'a Run) -> BoxFuture<'a, Outcome> {
        async move {
            self.runs.lock().unwrap().push(run.claim.id);
            if self.at_the_dot {
                run.mark(Some(Delivery::Unknown)).await.unwrap();
            }
            assert!(!self.panics, "as it was told");
            if let Some(held_up) = &self.held_up {
                held_up.acquire().await.unwrap().forget();
            }
            let now = self.together.fetch_add(1, Ordering::SeqCst) + 1;
            self.most_together.fetch_max(now, Ordering::SeqCst);
            tokio::task::yield_now().await;
            self.together.fetch_sub(1, Ordering::SeqCst);
            Outcome::new(Verdict::Done, "counted")
        }
        .boxed()
    }
}

/// Runs a queue of `counter` until every job has ended or `wanted` holds of each, then drains it.
async fn run_until(
    context: &Context,
    counter: &Arc<Counter>,
    ids: &[JobId],
    wanted: impl Fn(&StoredJob) -> bool,
) {
    let handlers: super::Handlers = vec![(JobType::Notification, counter.clone())];
    let queue = Queue::new(context.clone(), handlers, 4);
    let handle = queue.handle();
    let stop = CancellationToken::new();
    let running = tokio::spawn(queue.run(node(context), stop.clone()));
    let all = async {
        for id in ids {
            while !wanted(&find(context, *id).await) {
                let changed = context.db.signals().ended.notified();
                let _ = tokio::time::timeout(std::time::Duration::from_millis(20), changed).await;
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), all).await.expect("every job comes so far");
    stop.cancel();
    running.await.unwrap();
    assert_eq!(handle.held(), 0, "every claim was settled");
}

async fn a_running_queue_does_each_job_once_and_drains(db: Db) {
    let context = context(&db);
    let new: Vec<NewJob> = (0..700).map(|_| new_job(&context)).collect();
    enqueue(&context, &new).await;
    let ids: Vec<JobId> = new.iter().map(|job| job.id).collect();
    let counter = Arc::new(Counter::default());
    run_until(&context, &counter, &ids, |job| job.status == JobStatus::Completed).await;
    let mut runs = counter.runs.lock().unwrap().clone();
    runs.sort_unstable();
    assert_eq!(runs, ids);
}

async fn a_panic_is_an_error_like_any_other(db: Db) {
    let context = context(&db);
    let job = new_job(&context);
    enqueue(&context, std::slice::from_ref(&job)).await;
    let counter = Arc::new(Counter { panics: true, ..Counter::default() });
    run_until(&context, &counter, &[job.id], |job| job.phase == JobPhase::Retrying).await;
    let error = find(&context, job.id).await.error_message.unwrap();
    assert!(error.contains("panicked") && error.contains("as it was told"), "{error}");
}

async fn a_job_that_was_running_when_its_node_died_runs_alone(db: Db) {
    let context = context(&db);
    let suspects: Vec<NewJob> = (0..3).map(|_| new_job(&context)).collect();
    enqueue(&context, &suspects).await;
    for claim in claim(&context, 3).await {
        mark(&context, &claim, None).await;
    }
    reap(&context).await.unwrap();
    let counter = Arc::new(Counter::default());
    let ids: Vec<JobId> = suspects.iter().map(|job| job.id).collect();
    run_until(&context, &counter, &ids, |job| job.status == JobStatus::Completed).await;
    assert_eq!(counter.most_together.load(Ordering::SeqCst), 1);
}

async fn a_panic_at_the_dot_is_left_to_a_person(db: Db) {
    let context = context(&db);
    let job = new_job(&context);
    enqueue(&context, std::slice::from_ref(&job)).await;
    let counter = Arc::new(Counter { panics: true, at_the_dot: true, ..Counter::default() });
    run_until(&context, &counter, &[job.id], |job| job.status == JobStatus::Failed).await;
    assert_eq!(find(&context, job.id).await.delivery(), Some(Delivery::Unknown));
    assert_eq!(counter.runs.lock().unwrap().len(), 1);
}

async fn a_job_cancelled_while_it_waits_for_a_worker_is_never_started(db: Db) {
    let context = context(&db);
    let jobs: Vec<NewJob> = (0..2).map(|_| new_job(&context)).collect();
    enqueue(&context, &jobs).await;
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let counter = Arc::new(Counter { held_up: Some(gate.clone()), ..Counter::default() });
    let handlers: super::Handlers = vec![(JobType::Notification, counter.clone())];
    let queue = Queue::new(context.clone(), handlers, 1);
    let handle = queue.handle();
    let stop = CancellationToken::new();
    let running = tokio::spawn(queue.run(node(&context), stop.clone()));
    let second = jobs[1].id;
    let until = async |wanted: &dyn Fn() -> bool| {
        let wait = async {
            while !wanted() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(20), wait).await.expect("it comes so far");
    };
    until(&|| handle.held() == 2 && counter.runs.lock().unwrap().len() == 1).await;
    let mut tx = db.write().await.unwrap();
    jobs::cancel(&mut tx, second, context.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    handle.stop(second);
    until(&|| handle.held() == 1).await;
    gate.add_permits(2);
    until(&|| handle.held() == 0).await;
    stop.cancel();
    running.await.unwrap();
    assert_eq!(find(&context, second).await.status, JobStatus::Cancelled);
    assert_eq!(*counter.runs.lock().unwrap(), [jobs[0].id]);
}

async fn a_claim_that_was_never_heard_of_is_handed_back(db: Db) {
    let context = context(&db);
    let job = new_job(&context);
    enqueue(&context, std::slice::from_ref(&job)).await;
    // The claim is committed, and its answer lost: nobody has it in hand.
    claim(&context, 1).await;
    context.clock.advance(TimeDelta::seconds(16));
    let counter = Arc::new(Counter::default());
    run_until(&context, &counter, &[job.id], |job| job.status == JobStatus::Completed).await;
    assert_eq!(counter.runs.lock().unwrap().len(), 1);
}
