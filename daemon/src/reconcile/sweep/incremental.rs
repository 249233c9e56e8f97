//! What changed since the watermarks. They only nominate: both sides of each candidate are read.

use std::collections::BTreeSet;

use astrops_api::{
    ids::{self, EntityId},
    vocabulary::EntityType,
};
use bson::oid::ObjectId;
use chrono::{DateTime, TimeDelta, Utc};

use super::{Drive, Halt};
use crate::{
    documents::Watermark,
    reconcile::{core::value::Side, facts, relational, seats::Whose},
    store::{drift, sweeps},
};

/// A change may become visible so long after the time that it bears: clocks differ, transactions take their time.
const OVERLAP: TimeDelta = TimeDelta::minutes(2);
/// Candidates that are compared together.
const PAGE: u32 = 500;

impl Drive<'_> {
    /// Whether changes of both sides are known from some time on.
    pub(super) async fn is_watched(&self, kind: EntityType) -> Result<bool, Halt> {
        Ok(self.watermark(kind, Side::Document).await?.is_some()
            && self.watermark(kind, Side::Relational).await?.is_some())
    }

    async fn watermark(&self, kind: EntityType, side: Side) -> Result<Option<DateTime<Utc>>, Halt> {
        let mut tx = self.engine.db().read().await?;
        let at = sweeps::watermark(&mut tx, kind, side).await?;
        tx.rollback().await?;
        Ok(at.map(|at| at - OVERLAP))
    }

    /// What changed on either side since.
    pub(super) async fn changed(&mut self, kind: EntityType) -> Result<(), Halt> {
        let engine = self.engine;
        let mut at = self.watermark(kind, Side::Document).await?.unwrap_or_default();
        let mut id = ObjectId::from_bytes([0; 12]);
        loop {
            let collection = facts::collection(kind);
            let page = engine.documents.changed_since(collection, Watermark { at, id }, PAGE).await?;
            let found: Vec<_> = page.rows.iter().map(|row| EntityId(ids::embed(row.id.bytes()))).collect();
            self.sweep.state.counts.documents += found.len() as u64;
            self.candidates(kind, found).await?;
            match page.next {
                Some(next) if page.rows.len() as u64 >= u64::from(PAGE) => (at, id) = (next.at, next.id),
                _ => break,
            }
        }
        let mut after =
            (self.watermark(kind, Side::Relational).await?.unwrap_or_default(), uuid::Uuid::nil());
        loop {
            let mut tx = engine.db().read().await?;
            let page = relational::changed_since(&mut tx, kind, after, PAGE).await?;
            tx.rollback().await?;
            let found = page.iter().map(|(_, id)| *id);
            let (known, foreign): (Vec<_>, Vec<_>) = found.partition(|id| ids::extract(*id).is_some());
            self.sweep.state.counts.relational += known.len() as u64;
            self.sweep.state.counts.foreign += foreign.len() as u64;
            self.candidates(kind, known.into_iter().map(EntityId).collect()).await?;
            let last = page.iter().rev().find_map(|(at, id)| Some(((*at)?, *id)));
            match last {
                Some(last) if page.len() as u64 >= u64::from(PAGE) => after = last,
                _ => return Ok(()),
            }
        }
    }

    async fn candidates(&mut self, kind: EntityType, found: Vec<EntityId>) -> Result<(), Halt> {
        let found: Vec<_> = found.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        if found.is_empty() {
            return Ok(());
        }
        let differing = self.engine.adopt(kind, &found).await.map_err(Halt::Trouble)?;
        match kind {
            EntityType::Launch => self.recount(Whose::Launches(&found)).await?,
            EntityType::Booking => self.recount(Whose::Bookings(&found)).await?,
            EntityType::User => {}
        }
        let state = &mut self.sweep.state;
        state.done += found.len() as u64;
        state.total = state.total.max(state.done);
        let mut tx = self.engine.db().write().await?;
        let now = self.engine.context.clock.now();
        drift::nominate(&mut tx, kind, &differing, self.sweep.id, now).await?;
        self.save(tx).await
    }
}
