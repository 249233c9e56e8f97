//! Why a job that is waited for does not end yet.

use std::collections::BTreeSet;

use astrops_api::{
    ids::JobId,
    jobs::{Executed, Job},
    vocabulary::{JobPhase, JobStatus, JobType},
};

use crate::cli::{context::Context, times};

/// How the attempt failed, when the job is only back in the queue to be tried again later.
pub async fn retrying(context: &Context, job: &Executed) -> Option<String> {
    if job.status != JobStatus::Queued {
        return None;
    }
    // The answer does not say when; if the job cannot be read either, the usual words still hold.
    let job = context.client.job(job.job_id, false).await.ok()?.job;
    if job.status != JobStatus::Queued || job.phase != JobPhase::Retrying {
        return None;
    }
    let error = job.error_message.as_deref().unwrap_or("no reason was given");
    let again = job.next_run_at.map(|time| format!("; again at {}", times::stamp(time))).unwrap_or_default();
    Some(format!("attempt {} of {} failed: {error}{again}", job.attempt, job.max_attempts))
}

/// Remarks once per type that queued ones of `jobs` wait for a pause to end.
pub async fn remark(context: &Context, jobs: &[&Job]) {
    if jobs.iter().any(|job| job.status == JobStatus::Queued) {
        tell(context, jobs, &paused(context).await);
    }
}

/// As [`remark`], before anything is known about the jobs; they are read only when there is a pause.
pub async fn remark_ids(context: &Context, ids: &[JobId]) {
    let paused = paused(context).await;
    if paused.is_empty() {
        return;
    }
    let mut jobs = Vec::new();
    for &id in ids {
        // Whatever is wrong with the id is told by the command itself.
        jobs.extend(context.client.job(id, false).await.map(|detail| detail.job));
    }
    tell(context, &jobs.iter().collect::<Vec<_>>(), &paused);
}

/// The types that are paused; none when that cannot be found out, for it is only a remark.
async fn paused(context: &Context) -> Vec<JobType> {
    let stats = context.client.job_stats().await.unwrap_or_default();
    stats.types.iter().filter(|row| row.paused).map(|row| row.kind).collect()
}

fn tell(context: &Context, jobs: &[&Job], paused: &[JobType]) {
    let queued = jobs.iter().filter(|job| job.status == JobStatus::Queued);
    let waiting = queued.filter(|job| paused.contains(&job.kind)).map(|job| job.kind.as_str());
    for kind in waiting.collect::<BTreeSet<_>>() {
        context.out.note(&format!(
            "{kind} jobs are paused: queued ones wait until astrops jobs resume --type {kind}"
        ));
    }
}
