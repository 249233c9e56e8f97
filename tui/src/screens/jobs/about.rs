//! What a job is about, in the words of operators.

use astrops_api::{jobs::Job, vocabulary::JobType};

/// Why a decision that was cancelled or failed stays so: both sides may say something else by now.
pub const DECIDE_ANEW: &str = "a decision is not retried: decide anew in Drift";

/// Whether it writes what a person decided about both databases.
pub fn is_decision(job: &Job) -> bool {
    let key = job.unique_key.as_deref();
    job.kind == JobType::Reconciliation && key.is_some_and(|key| key.starts_with("decide:"))
}

/// `customer2@example.com`, `launch 0000002a`, `decision on launch 0000002a`.
pub fn target(job: &Job) -> String {
    let about = if is_decision(job) { "decision on " } else { "" };
    format!("{about}{}", job.target())
}
