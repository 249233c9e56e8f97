//! A model of the job state machine, held against the real rows: random orders of enqueue, claim, mark, settle (in time
//! and too late), crash, cancel, retry and the passing of time.

use std::collections::BTreeMap;

use astrops_api::{
    ids::{JobId, NodeId},
    vocabulary::{AttemptOutcome, Delivery, JobPhase, JobStatus},
};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::{
    CRASHES, Context,
    store::Claim,
    tests::{claim, context, enqueue, find, mark, new_job, reap, settle, settlement},
};
use crate::{
    store::jobs::{self, NewJob, Ordered},
    testing::sqlite,
};

#[derive(Clone, Debug)]
enum Step {
    Enqueue { priority: i32, delay: i64 },
    Claim { node: usize, limit: i64 },
    Settle { claim: usize, how: How },
    Mark { claim: usize, unknown: bool },
    NodesDie,
    Cancel { job: usize },
    Retry { job: usize },
    Pass { seconds: i64 },
}

#[derive(Clone, Copy, Debug)]
enum How {
    Done,
    Retry,
    Fail,
    HandBack,
}

fn step() -> impl Strategy<Value = Step> {
    let how = prop_oneof![Just(How::Done), Just(How::Retry), Just(How::Fail), Just(How::HandBack)];
    prop_oneof![
        3 => (-2..3, 0..3_i64).prop_map(|(priority, delay)| Step::Enqueue { priority, delay }),
        4 => (0..2_usize, 1..4_i64).prop_map(|(node, limit)| Step::Claim { node, limit }),
        6 => (0..64_usize, how).prop_map(|(claim, how)| Step::Settle { claim, how }),
        3 => (0..64_usize, any::<bool>()).prop_map(|(claim, unknown)| Step::Mark { claim, unknown }),
        1 => Just(Step::NodesDie),
        1 => (0..64_usize).prop_map(|job| Step::Cancel { job }),
        2 => (0..64_usize).prop_map(|job| Step::Retry { job }),
        2 => (0..3_i64).prop_map(|seconds| Step::Pass { seconds }),
    ]
}

/// What the model knows of a job.
#[derive(Clone, Debug, PartialEq)]
struct Modelled {
    status: JobStatus,
    phase: JobPhase,
    attempt: i64,
    max_attempts: i64,
    crashes: i64,
    delivery: Option<Delivery>,
    priority: i32,
    run_at: DateTime<Utc>,
    /// The fence of the claim that holds it.
    fence: i64,
    claims: i64,
}

/// A claim that some worker believes it has.
struct Held {
    node: usize,
    claim: Claim,
}

struct Model {
    jobs: BTreeMap<JobId, Modelled>,
    held: Vec<Held>,
    nodes: Vec<Context>,
}

impl Model {
    fn now(&self) -> DateTime<Utc> {
        self.nodes[0].clock.now()
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Enqueue { priority, delay } => {
                let run_at = self.now() + TimeDelta::seconds(delay);
                let new = NewJob { run_at, priority, ..new_job(&self.nodes[0]) };
                enqueue(&self.nodes[0], std::slice::from_ref(&new)).await;
                let phase = if delay > 0 { JobPhase::Scheduled } else { JobPhase::Waiting };
                let modelled = Modelled {
                    status: JobStatus::Queued,
                    phase,
                    attempt: 0,
                    max_attempts: 3,
                    crashes: 0,
                    delivery: None,
                    priority,
                    run_at,
                    fence: 0,
                    claims: 0,
                };
                self.jobs.insert(new.id, modelled);
            }
            Step::Claim { node, limit } => self.claim(node, limit).await,
            Step::Settle { claim, how } => self.settle(claim, how).await,
            Step::Mark { claim, unknown } => self.mark(claim, unknown).await,
            Step::NodesDie => {
                // No node has a lease in this test: whoever is looked for is dead.
                reap(&self.nodes[0]).await.unwrap();
                let now = self.now();
                self.jobs
                    .values_mut()
                    .filter(|job| job.status == JobStatus::Processing)
                    .for_each(|job| crash(job, now));
            }
            Step::Cancel { job } => self.cancel(job).await,
            Step::Retry { job } => self.retry(job).await,
            Step::Pass { seconds } => self.nodes[0].clock.advance(TimeDelta::seconds(seconds)),
        }
    }

    async fn claim(&mut self, node: usize, limit: i64) {
        let now = self.now();
        let mut due: Vec<(i32, DateTime<Utc>, JobId)> = self
            .jobs
            .iter()
            .filter(|(_, job)| job.status == JobStatus::Queued && job.run_at <= now)
            .map(|(id, job)| (job.priority, job.run_at, *id))
            .collect();
        due.sort_unstable();
        due.truncate(usize::try_from(limit).unwrap());
        let claims = claim(&self.nodes[node], limit).await;
        let expected: Vec<JobId> = due.into_iter().map(|(.., id)| id).collect();
        assert_eq!(claims.iter().map(|claim| claim.id).collect::<Vec<_>>(), expected);
        for claim in claims {
            let job = self.jobs.get_mut(&claim.id).unwrap();
            assert!(claim.fence > job.claims, "the fence rises at every claim");
            (job.status, job.phase) = (JobStatus::Processing, JobPhase::Waiting);
            (job.attempt, job.fence, job.claims) = (job.attempt + 1, claim.fence, claim.fence);
            self.held.push(Held { node, claim });
        }
    }

    async fn settle(&mut self, index: usize, how: How) {
        let Some(Held { node, claim }) = pick(&self.held, index) else { return };
        let context = &self.nodes[*node];
        let (status, phase, outcome) = match how {
            How::Done => (JobStatus::Completed, JobPhase::Done, Some(AttemptOutcome::Ok)),
            How::Retry => (JobStatus::Queued, JobPhase::Retrying, Some(AttemptOutcome::Retry)),
            How::Fail => (JobStatus::Failed, JobPhase::Dead, Some(AttemptOutcome::Failed)),
            How::HandBack => (JobStatus::Queued, JobPhase::Waiting, None),
        };
        let mut settlement = settlement(context, claim, status, phase);
        settlement.outcome = outcome;
        let written = settle(context, settlement).await;
        let job = self.jobs.get_mut(&claim.id).unwrap();
        let holds = job.status == JobStatus::Processing && job.fence == claim.fence;
        assert_eq!(written, holds, "{how:?} of a claim that {}", if holds { "holds" } else { "is lost" });
        if holds {
            let stopped = job.phase == JobPhase::Cancelling && status == JobStatus::Queued;
            (job.status, job.phase) =
                if stopped { (JobStatus::Cancelled, JobPhase::Cancelled) } else { (status, phase) };
            if matches!(how, How::HandBack) {
                job.attempt -= 1;
            }
        }
    }

    async fn mark(&mut self, index: usize, unknown: bool) {
        let Some(Held { node, claim }) = pick(&self.held, index) else { return };
        let delivery = unknown.then_some(Delivery::Unknown);
        let held = mark(&self.nodes[*node], claim, delivery).await;
        let job = self.jobs.get_mut(&claim.id).unwrap();
        assert_eq!(held, job.status == JobStatus::Processing && job.fence == claim.fence);
        if held {
            job.delivery = delivery.or(job.delivery);
            if job.phase != JobPhase::Cancelling {
                job.phase = JobPhase::Running;
            }
        }
    }

    async fn cancel(&mut self, index: usize) {
        let Some(id) = pick(&self.jobs.keys().copied().collect::<Vec<_>>(), index).copied() else { return };
        let mut tx = self.nodes[0].db.write().await.unwrap();
        let ordered = jobs::cancel(&mut tx, id, self.now()).await.unwrap();
        tx.commit().await.unwrap();
        let job = self.jobs.get_mut(&id).unwrap();
        let allowed = !job.status.is_ended() && job.phase != JobPhase::Cancelling;
        assert_eq!(matches!(ordered, Ordered::Done(_)), allowed);
        match job.status {
            JobStatus::Processing if allowed => job.phase = JobPhase::Cancelling,
            JobStatus::Queued if allowed => {
                (job.status, job.phase) = (JobStatus::Cancelled, JobPhase::Cancelled);
            }
            _ => {}
        }
    }

    async fn retry(&mut self, index: usize) {
        let Some(id) = pick(&self.jobs.keys().copied().collect::<Vec<_>>(), index).copied() else { return };
        let now = self.now();
        let mut tx = self.nodes[0].db.write().await.unwrap();
        let ordered = jobs::retry(&mut tx, id, now).await.unwrap();
        tx.commit().await.unwrap();
        let job = self.jobs.get_mut(&id).unwrap();
        let allowed = matches!(job.status, JobStatus::Failed | JobStatus::Cancelled);
        assert_eq!(matches!(ordered, Ordered::Done(_)), allowed);
        if allowed {
            let phase = if job.run_at > now { JobPhase::Scheduled } else { JobPhase::Waiting };
            (job.status, job.phase, job.run_at) = (JobStatus::Queued, phase, job.run_at.max(now));
            (job.max_attempts, job.crashes, job.delivery) = (job.attempt + 3, 0, None);
        }
    }

    async fn agrees(&self) {
        for (id, job) in &self.jobs {
            let stored = find(&self.nodes[0], *id).await;
            let real = Modelled {
                status: stored.status,
                phase: stored.phase,
                attempt: stored.attempt,
                max_attempts: stored.max_attempts,
                crashes: stored.crashes,
                delivery: stored.delivery(),
                priority: i32::try_from(stored.priority).unwrap(),
                run_at: stored.run_at,
                ..job.clone()
            };
            assert_eq!(&real, job, "job {id}");
            assert_eq!(stored.lease_owner.is_some(), stored.status == JobStatus::Processing);
            assert_eq!(stored.completed_at.is_some(), stored.status.is_ended(), "{stored:?}");
        }
    }
}

fn crash(job: &mut Modelled, now: DateTime<Utc>) {
    job.run_at = now;
    let unknown = job.delivery == Some(Delivery::Unknown);
    if job.phase == JobPhase::Waiting {
        (job.status, job.attempt) = (JobStatus::Queued, job.attempt - 1);
        return;
    }
    let cancelling = job.phase == JobPhase::Cancelling;
    (job.crashes, job.max_attempts) = (job.crashes + 1, job.max_attempts + 1);
    (job.status, job.phase) = if unknown || (!cancelling && job.crashes >= CRASHES) {
        (JobStatus::Failed, JobPhase::Dead)
    } else if cancelling {
        (JobStatus::Cancelled, JobPhase::Cancelled)
    } else {
        (JobStatus::Queued, JobPhase::Retrying)
    };
}

fn pick<T>(from: &[T], index: usize) -> Option<&T> {
    from.get(index % from.len().max(1))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_rows_do_what_the_model_says(steps in proptest::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (db, _dir) = sqlite().await.unwrap();
            let first = context(&db);
            let second = Context { node: NodeId(first.clock.new_id()), ..first.clone() };
            let mut model = Model { jobs: BTreeMap::new(), held: Vec::new(), nodes: vec![first, second] };
            for step in steps {
                model.take(step).await;
                model.agrees().await;
            }
            db.close().await;
        });
    }
}
