//! Decisions: tried first, asked about, taken, taken back.

use astrops_api::resolution::Resolved;

use super::{
    Drift, acts, sweeps,
    words::{self, Subject},
};
use crate::{
    keys::Action,
    message::{Change, Decision, Request},
    screen::{Context, Effect, Place},
};

impl Drift {
    pub(super) fn next_try(&mut self, about: Vec<Subject>) -> u64 {
        self.tries += 1;
        self.trying = Some(about);
        self.tries
    }

    pub(super) fn undo(&mut self, context: &Context<'_>) -> Vec<Effect> {
        match (self.holds.take_back(context.now), &self.history) {
            (Ok(change), _) => vec![Effect::Ask(Request::Change(change))],
            (Err(_), Some(_)) => vec![Effect::Act(Action::Revert)],
            (Err(reason), None) => vec![Effect::trouble(reason)],
        }
    }

    /// Asks why and whether, for what the preview of the pane shows.
    pub(super) fn write(&self) -> Vec<Effect> {
        let Some((subject, decision, resolution)) = self.resolve.decision() else { return Vec::new() };
        let mapping = words::mapping(self.mappings(), subject.kind);
        vec![acts::decide(subject, decision, &resolution, mapping, &self.resolve.reason)]
    }

    pub(super) fn revert(&mut self) -> Vec<Effect> {
        let Some(history) = &self.history else { return Vec::new() };
        let (subject, change) = (history.subject, history.current().map(|change| change.id));
        change.map(|id| acts::try_revert(id, self.next_try(vec![subject]))).into_iter().collect()
    }

    pub(super) fn act_on_sweeps(&mut self, action: Action, context: &Context<'_>) -> Vec<Effect> {
        let Some(row) = self.sweeps.table.current() else { return Vec::new() };
        match (action, row.job_id) {
            (Action::Follow, Some(job)) => vec![Effect::Visit(Place::Job(job))],
            (Action::Follow, None) => Vec::new(),
            _ => vec![sweeps::ask(action, row, context)],
        }
    }

    /// What a dry run told: shown by the pane, or asked about.
    pub(super) fn tried(
        &mut self,
        number: u64,
        decision: &Decision,
        results: &[Resolved],
        context: &Context<'_>,
    ) -> Vec<Effect> {
        let first = results.first().and_then(|result| result.resolution.as_ref());
        if let (Decision::Resolve(..), Some(resolution)) = (decision, first) {
            self.resolve.tried(number, resolution);
            return Vec::new();
        }
        let Some(subjects) = self.trying.clone().filter(|_| number == self.tries) else { return Vec::new() };
        match (decision, first) {
            (Decision::ResolveMany(body), _) => {
                vec![acts::taken(body, results, &subjects, self.mappings(), context)]
            }
            (Decision::Revert(id, body), Some(resolution)) => {
                let Some(subject) = subjects.first().copied() else { return Vec::new() };
                let decision = Decision::Revert(*id, body.clone());
                let mapping = words::mapping(self.mappings(), subject.kind);
                vec![acts::decide(subject, decision, resolution, mapping, "")]
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn done(&mut self, change: &Change, taken: bool) -> Vec<Effect> {
        self.hurry();
        match change {
            Change::Decide(decision, _) => {
                if let Decision::Resolve(_, body) = &**decision {
                    self.resolve.reason.clone_from(&body.reason);
                    return self.resolve.settled(taken);
                }
            }
            Change::Reconcile(_) | Change::SnoozeConflicts(..) | Change::WakeConflicts(..) if taken => {}
            _ => return Vec::new(),
        }
        if taken {
            self.open.table.unmark();
            self.conflicts.table.unmark();
        }
        Vec::new()
    }
}
