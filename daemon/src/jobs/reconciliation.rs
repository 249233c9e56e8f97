//! RECONCILIATION: makes one entity agree on both sides, by the rules or as a person decided.

use astrops_api::vocabulary::{EventType, Severity};
use futures::{FutureExt as _, future::BoxFuture};

use super::{Payload, StoredPair};
use crate::{
    queue::{Handler, Outcome, Run, Verdict},
    reconcile::engine::Engine,
};

/// Runs the engine for a job.
pub struct Reconciler(pub Engine);

impl Handler for Reconciler {
    fn run<'a>(&'a self, run: &'a Run) -> BoxFuture<'a, Outcome> {
        async move {
            let Ok(Payload::Reconciliation(StoredPair { pair, decision })) =
                serde_json::from_value(run.claim.payload.clone())
            else {
                return Outcome::new(Verdict::Fail, "the job does not say what to reconcile");
            };
            let (kind, id, job) = (pair.entity_type, pair.entity_id, run.claim.id);
            let done = match &decision {
                Some(decision) => self.0.decide(kind, id, decision, job).await,
                None => self.0.reconcile(kind, id, job).await,
            };
            match done {
                Ok(report) => {
                    // The engine has logged a conflict as such.
                    let severity = report.severity.min(Severity::Warning);
                    Outcome { severity: Some(severity), ..Outcome::new(Verdict::Done, report.text) }
                }
                Err(trouble) => {
                    let verdict = if trouble.passes() { Verdict::Retry } else { Verdict::Fail };
                    Outcome { event_type: EventType::Reconcile, ..Outcome::new(verdict, trouble.to_string()) }
                }
            }
        }
        .boxed()
    }
}
