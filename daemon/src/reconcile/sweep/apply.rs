//! The last two stages: looking again at what differed, and repairing it in an order in which references lead somewhere.

use astrops_api::{
    ids::EntityId,
    vocabulary::{DriftKind, EntityType, SweepStage},
};

use super::{Drive, Halt, brakes};
use crate::{
    reconcile::{
        core::{intent::Move, plan::Action, value::Pair},
        engine::{Report, Trouble},
        look::Fates,
    },
    store::{
        drift,
        sweeps::{Amount, State},
    },
};

/// Entities that go through each step together.
const BATCH: i64 = 512;

/// Who refers to others comes first: what is deleted is then no longer in use, and the counters of a launch follow from
/// its bookings. What is new and referred to is made with the first who needs it.
const STEPS: [EntityType; 3] = [EntityType::Booking, EntityType::Launch, EntityType::User];

impl Drive<'_> {
    /// Looks again at what differed: what agrees by now is done with, what waits for a person or for time is put down, and
    /// how much the rest would change is counted.
    pub(super) async fn recheck(&mut self) -> Result<(), Halt> {
        if self.sweep.state.total > 0 && self.sweep.state.after.is_none() && self.sweep.state.step == 0 {
            "waiting, then looking again at what differs".clone_into(&mut self.sweep.text);
            let until = self.engine.context.clock.now() + self.engine.rules.settle;
            let settled = self.engine.context.clock.sleep_until(until);
            if self.run.cancel.run_until_cancelled(settled).await.is_none() {
                return Err(Halt::Cancelled);
            }
        }
        while let Some(&kind) = STEPS.get(self.sweep.state.step) {
            let found = self.next(kind).await?;
            let Some(last) = found.last().copied() else {
                (self.sweep.state.step, self.sweep.state.after) = (self.sweep.state.step + 1, None);
                continue;
            };
            let views = self.engine.look_at(kind, &found, &Fates::new()).await.map_err(Halt::Trouble)?;
            let (mut rest, mut gone) = (Vec::new(), Vec::new());
            for view in &views {
                let deletes = |action: &Action| matches!(action, Action::Delete(_));
                let Pair { document, relational } = &view.plan.actions;
                if view.is_absent() {
                    gone.push(view.id);
                } else if view.next == Move::Rest && !view.waits_for_others() {
                    rest.push((view, None));
                } else {
                    self.sweep.state.planned.add(kind, deletes(document) || deletes(relational));
                }
            }
            let told = vec![Vec::new(); rest.len()];
            self.engine.end(&rest, told, self.sweep.job).await.map_err(Halt::Trouble)?;
            for (view, _) in &rest {
                self.count(view.how(), false);
            }
            self.sweep.state.counts.settled += gone.len() as u64;
            self.sweep.state.after = Some(last.0);
            self.sweep.state.done += found.len() as u64;
            let mut tx = self.engine.db().write().await?;
            drift::forget(&mut tx, kind, &gone).await?;
            self.save(tx).await?;
        }
        if self.sweep.dry_run {
            return self.enter(SweepStage::Done, 0).await;
        }
        let planned = &self.sweep.state.planned;
        if let Some(why) = brakes::too_much(planned, &self.limits()) {
            return Err(Halt::Brake(why));
        }
        self.enter(SweepStage::Apply, planned.changes).await
    }

    /// Repairs what is left, never more than was planned or allowed.
    pub(super) async fn apply(&mut self) -> Result<(), Halt> {
        "repairing".clone_into(&mut self.sweep.text);
        while let Some(&kind) = STEPS.get(self.sweep.state.step) {
            let found = self.next(kind).await?;
            let Some(last) = found.last().copied() else {
                (self.sweep.state.step, self.sweep.state.after) = (self.sweep.state.step + 1, None);
                // Launches whose counters follow from repaired bookings were not known when it was planned.
                let mut tx = self.engine.db().read().await?;
                let left = drift::left(&mut tx, self.sweep.id).await?;
                tx.rollback().await?;
                let State { planned, performed, .. } = &mut self.sweep.state;
                planned.changes = planned.changes.max(performed.changes + left);
                continue;
            };
            let State { performed, planned, .. } = &self.sweep.state;
            let more = Amount { changes: performed.changes + found.len() as u64, ..performed.clone() };
            let mut most = self.limits();
            most.changes = most.changes.max(planned.changes);
            most.deleted.iter_mut().for_each(|(kind, most)| *most = planned.deleted_of(*kind).max(*most));
            if let Some(why) = brakes::too_much(&more, &most) {
                return Err(Halt::Brake(format!("more differs than when it was looked at: {why}")));
            }
            self.repair(kind, &found).await?;
            self.sweep.state.after = Some(last.0);
            self.sweep.state.done += found.len() as u64;
            let tx = self.engine.db().write().await?;
            self.save(tx).await?;
        }
        self.enter(SweepStage::Done, 0).await
    }

    fn limits(&self) -> Amount {
        let State { tallies, allowed, .. } = &self.sweep.state;
        let rows = tallies.iter().map(|(kind, [documents, rows])| (*kind, *documents.max(rows)));
        brakes::limits(&self.engine.rules.brakes, &rows.collect(), allowed.as_ref())
    }

    async fn next(&self, kind: EntityType) -> Result<Vec<EntityId>, Halt> {
        if self.sweep.state.passed.contains_key(&kind) {
            // Bookings name launches whose counters follow; those wait, too.
            return Ok(Vec::new());
        }
        let mut tx = self.engine.db().read().await?;
        let (sweep, after) = (self.sweep.id, self.sweep.state.after);
        let found = drift::of_sweep(&mut tx, sweep, kind, after, BATCH).await?;
        tx.rollback().await?;
        Ok(found)
    }

    /// Makes them agree, and counts what became of each.
    async fn repair(&mut self, kind: EntityType, found: &[EntityId]) -> Result<(), Halt> {
        if found.is_empty() {
            return Ok(());
        }
        let reports = self
            .engine
            .reconcile_all(kind, found, self.sweep.job, self.sweep.id)
            .await
            .map_err(Halt::Trouble)?;
        for (at, report) in reports.into_iter().enumerate() {
            let state = &mut self.sweep.state;
            match report {
                Ok(Report { wrote, how, deleted, .. }) => {
                    state.counts.repaired += u64::from(wrote);
                    // What they refer to belongs to them.
                    if wrote && at < found.len() {
                        state.performed.add(kind, deleted);
                    }
                    self.count(how, wrote);
                }
                Err(Trouble::Restless) => state.counts.stale_skipped += 1,
                Err(_) => state.counts.failed += 1,
            }
        }
        Ok(())
    }

    const fn count(&mut self, how: Option<DriftKind>, wrote: bool) {
        let counts = &mut self.sweep.state.counts;
        match how {
            Some(DriftKind::Conflict) => counts.conflicts += 1,
            Some(_) => counts.waiting += 1,
            None if wrote => {}
            None => counts.settled += 1,
        }
    }
}
