//! The first stage: what differs goes into `recon_drift`, and what agrees is remembered as agreed on.

use std::collections::BTreeMap;

use astrops_api::{
    ids::{self, EntityId},
    vocabulary::{DriftKind, EntityType, SweepMode, SweepStage},
};
use bson::oid::ObjectId;
use uuid::Uuid;

use super::{Drive, Halt, brakes};
use crate::{
    reconcile::{
        compare::{Comparer, Kind, Segment},
        core::{
            codec::{self, Links},
            digest::Digest,
            merge::is_alive,
            value::{Base, Id, Pair, Record, Side},
        },
        engine::{Engine, Trouble},
        facts, relational,
        seats::{self, Whose},
    },
    store::{
        drift,
        reconcile::{self as stored, NewLink, StoredLink},
        sweeps,
    },
};

/// Rows whose base is remembered together.
const BATCH: usize = 500;

impl Drive<'_> {
    pub(super) async fn compare(&mut self) -> Result<(), Halt> {
        let now = self.engine.context.clock.now();
        if self.sweep.state.began.is_none() {
            self.sweep.state.began = Some(now);
            "comparing".clone_into(&mut self.sweep.text);
            self.estimate().await?;
        }
        let kinds: Vec<_> = self.kinds().collect();
        while let Some(&kind) = kinds.get(self.sweep.state.step) {
            match self.sweep.mode {
                SweepMode::Incremental if self.is_watched(kind).await? => {
                    if let Some(why) = self.passes(kind).await? {
                        self.sweep.state.passed.insert(kind, why);
                        (self.sweep.state.step, self.sweep.state.after) = (self.sweep.state.step + 1, None);
                        let tx = self.engine.db().write().await?;
                        self.save(tx).await?;
                        continue;
                    }
                    self.changed(kind).await?;
                }
                // What was never compared has no changes since then.
                SweepMode::Full | SweepMode::Incremental => self.whole(kind).await?,
            }
            let mut tx = self.engine.db().write().await?;
            drift::nominate_open(&mut tx, kind, self.sweep.id).await?;
            let began = self.sweep.state.began.unwrap_or(now);
            sweeps::verified(&mut tx, kind, began).await?;
            self.sweep.state.step += 1;
            self.sweep.state.after = None;
            self.save(tx).await?;
        }
        let mut tx = self.engine.db().read().await?;
        let left = drift::left(&mut tx, self.sweep.id).await?;
        tx.rollback().await?;
        self.sweep.state.counts.differing = left;
        self.enter(SweepStage::Recheck, left).await
    }

    /// How many rows there are, for whoever watches.
    async fn estimate(&mut self) -> Result<(), Halt> {
        if self.sweep.mode == SweepMode::Incremental {
            return Ok(());
        }
        for kind in self.kinds() {
            let [documents, rows] = self.rows(kind).await?;
            self.sweep.state.total += documents.max(rows);
        }
        Ok(())
    }

    /// How many rows each side has.
    async fn rows(&self, kind: EntityType) -> Result<[u64; 2], Halt> {
        let documents = self.engine.documents.count(facts::collection(kind)).await?.documents;
        let mut tx = self.engine.db().read().await?;
        let rows = relational::count(&mut tx, kind).await?;
        tx.rollback().await?;
        Ok([documents, rows])
    }

    /// Why an incremental sweep leaves a kind to the full one. What is deleted has been missing for a while: as long as so
    /// little is that no side can have lost half of its rows, the documents need not be counted.
    async fn passes(&mut self, kind: EntityType) -> Result<Option<String>, Halt> {
        let mut tx = self.engine.db().read().await?;
        let missing = drift::missing(&mut tx, kind).await?;
        // The brakes go by all rows, not by those that changed.
        let rows = relational::count(&mut tx, kind).await?;
        tx.rollback().await?;
        if 2 * missing <= self.engine.rules.brakes.floor {
            self.sweep.state.tallies.insert(kind, [0, rows]);
            return Ok(None);
        }
        let rows = self.rows(kind).await?;
        self.sweep.state.tallies.insert(kind, rows);
        self.doubt(kind).await
    }

    /// Why a side is not believed.
    async fn doubt(&self, kind: EntityType) -> Result<Option<String>, Halt> {
        let mut tx = self.engine.db().read().await?;
        let before = sweeps::last_full(&mut tx, kind).await?;
        tx.rollback().await?;
        let rows = self.sweep.state.tallies.get(&kind).copied().unwrap_or_default();
        let few = |before: [u64; 2]| {
            let mut sides = [("document", 0), ("relational", 1)].into_iter();
            sides
                .find_map(|(side, at)| brakes::too_few(side, rows[at], before[at], &self.engine.rules.brakes))
        };
        Ok(before.and_then(few))
    }

    /// Every row of a kind, page by page.
    async fn whole(&mut self, kind: EntityType) -> Result<(), Halt> {
        let engine = self.engine;
        let (rules, db, documents) = (&engine.rules, engine.db().clone(), engine.documents.clone());
        let mapping = rules.mapping(kind);
        let after = self.sweep.state.after.and_then(ids::extract);
        let mut comparer =
            Comparer::new(db, documents, mapping.clone(), rules.hasher.clone(), after).with_equal(true);
        while self.sweep.state.read != Some(kind)
            && let Some(segment) = comparer.next().await.map_err(Halt::Trouble)?
        {
            self.segment(kind, segment).await?;
        }
        if kind == EntityType::Launch {
            self.recount(Whose::All).await?;
        }
        if self.sweep.state.doubted == Some(kind) {
            return Ok(());
        }
        if let Some(why) = self.doubt(kind).await? {
            self.sweep.state.doubted = Some(kind);
            return Err(Halt::Brake(format!("{kind}: {why}")));
        }
        Ok(())
    }

    /// Looks at the launches whose counter is not what their bookings hold: the sides may well agree on what is wrong.
    pub(super) async fn recount(&mut self, whose: Whose<'_>) -> Result<(), Halt> {
        let mut tx = self.engine.db().read().await?;
        let wrong = seats::miscounted(&mut tx, whose).await?;
        tx.rollback().await?;
        if wrong.is_empty() {
            return Ok(());
        }
        // Those with an id of their own are nobody's twin.
        let wrong = wrong.into_iter().filter(|launch| ids::extract(launch.0).is_some());
        let wrong: Vec<_> = wrong.map(|launch| (launch.into(), DriftKind::Differs)).collect();
        let mut tx = self.engine.db().write().await?;
        let now = self.engine.context.clock.now();
        drift::nominate(&mut tx, EntityType::Launch, &wrong, self.sweep.id, now).await?;
        self.save(tx).await
    }

    async fn segment(&mut self, kind: EntityType, segment: Segment) -> Result<(), Halt> {
        let engine = self.engine;
        let (after, through) = (self.sweep.state.after, segment.through.map(ids::embed));
        let mut tx = engine.db().read().await?;
        let mut known: BTreeMap<Uuid, (Option<Vec<u8>>, bool)> =
            stored::digests(&mut tx, kind, after, through)
                .await?
                .into_iter()
                .map(|(id, digest, deleted)| (id, (digest, deleted)))
                .collect();
        tx.rollback().await?;
        let mut found = Vec::new();
        for row in &segment.differing {
            let id = ids::embed(row.id);
            let deleted = known.remove(&id).is_some_and(|(_, deleted)| deleted);
            let how = match row.kind {
                Kind::Differs | Kind::Unreadable => DriftKind::Differs,
                // What is left of it stays as it is.
                Kind::MissingDocument | Kind::MissingRelational if deleted => continue,
                Kind::MissingDocument => DriftKind::MissingDocument,
                Kind::MissingRelational => DriftKind::MissingRelational,
            };
            found.push((EntityId(id), how));
        }
        let mut unknown = Vec::new();
        for (object, hash) in &segment.equal {
            let id = ids::embed(*object);
            let is_known = known.remove(&id).is_some_and(|(digest, deleted)| {
                !deleted && digest.as_deref() == Some(&hash.to_be_bytes()[..])
            });
            if !is_known {
                unknown.push(EntityId(id));
            }
        }
        // Both had it, and neither has.
        let gone = known.into_iter().filter(|(_, (_, deleted))| !deleted);
        found.extend(gone.map(|(id, _)| (EntityId(id), DriftKind::Differs)));
        for some in unknown.chunks(BATCH) {
            engine.adopt(kind, some).await.map_err(Halt::Trouble)?;
        }
        let state = &mut self.sweep.state;
        let Pair { document, relational } = segment.rows;
        let tally = state.tallies.entry(kind).or_default();
        *tally = [tally[0] + document, tally[1] + relational];
        state.counts.documents += document;
        state.counts.relational += relational;
        state.counts.foreign += segment.foreign;
        state.done += document.max(relational);
        state.total = state.total.max(state.done);
        let digests = [&segment.digests.document, &segment.digests.relational];
        let before = state.digests.take().unwrap_or_default();
        state.digests = Some([joined(&before[0], digests[0]), joined(&before[1], digests[1])]);
        state.after = through.or(state.after);
        state.read = through.is_none().then_some(kind);
        let mut tx = engine.db().write().await?;
        let now = engine.context.clock.now();
        drift::nominate(&mut tx, kind, &found, self.sweep.id, now).await?;
        self.save(tx).await
    }
}

/// Of what was compared before and a segment more.
fn joined((count, sum): &(u64, String), segment: &Digest) -> (u64, String) {
    let before = u128::from_str_radix(sum, 16).unwrap_or_default();
    (count + segment.count, format!("{:032x}", before.wrapping_add(segment.sum)))
}

impl Engine {
    /// Compares these entities value by value, remembers those that agree as agreed on, and answers the others. Asks for
    /// nothing but the two rows: what differs is looked at properly later.
    pub(super) async fn adopt(
        &self,
        kind: EntityType,
        entities: &[EntityId],
    ) -> Result<Vec<(EntityId, DriftKind)>, Trouble> {
        let mapping = self.rules.mapping(kind);
        let objects: Vec<_> =
            entities.iter().filter_map(|id| ids::extract(id.0)).map(ObjectId::from_bytes).collect();
        let mut documents: BTreeMap<Id, Option<Record>> = BTreeMap::new();
        for row in self.documents.get(facts::collection(kind), &objects).await? {
            let document = row.document().ok();
            let record = document.and_then(|document| codec::from_document(mapping, &document).ok());
            documents.insert(row.id.bytes(), record);
        }
        let rows: Vec<_> = entities.iter().map(|id| id.0).collect();
        let mut tx = self.db().read().await?;
        let mut ours: BTreeMap<Uuid, Option<Record>> = relational::read_many(&mut tx, mapping, &rows)
            .await?
            .into_iter()
            .map(|(id, columns, _)| (id, codec::from_columns(mapping, &columns, &Links::default()).ok()))
            .collect();
        let links = stored::links(&mut tx, kind, entities).await?;
        tx.rollback().await?;
        let (mut differing, mut agreed) = (Vec::new(), Vec::new());
        for &id in entities {
            let object = ids::extract(id.0).unwrap_or_default();
            let deleted = links.get(&id.0).is_some_and(|link| link.deleted);
            let left = ours.get(&id.0).and_then(Option::as_ref);
            let is_back = left.is_some_and(|record| is_alive(mapping, record));
            let how = match (documents.remove(&object), ours.remove(&id.0)) {
                (None, Some(_)) => DriftKind::MissingDocument,
                (Some(_), None) => DriftKind::MissingRelational,
                (Some(Some(document)), Some(Some(ours)))
                    if mapping.compared().all(|at| document.at(at) == ours.at(at))
                        && seats::left(mapping, Side::Document, &document)
                            == seats::left(mapping, Side::Relational, &ours) =>
                {
                    let values = (0..mapping.fields().len())
                        .map(|at| mapping.is_compared(at).then(|| document.at(at).clone()));
                    let base = codec::base_to_json(mapping, &Base::new(values.collect()));
                    let digest = self.rules.hasher.row(mapping, &object, &document).to_be_bytes().to_vec();
                    let link = StoredLink { base, deleted: false, digest: Some(digest), version: 0 };
                    if links.get(&id.0).is_none_or(|old| !old.says(&link)) {
                        agreed.push((id, links.get(&id.0).cloned(), link));
                    }
                    continue;
                }
                // Both are there, or neither is any more.
                (Some(_), Some(_)) | (None, None) => DriftKind::Differs,
            };
            let is_missing = matches!(how, DriftKind::MissingDocument | DriftKind::MissingRelational);
            let never_was =
                how == DriftKind::Differs && !links.contains_key(&id.0) && !documents.contains_key(&object);
            if !(deleted && ((is_missing && !is_back) || never_was)) {
                differing.push((id, how));
            }
        }
        if !agreed.is_empty() {
            let mut tx = self.db().write().await?;
            let links: Vec<_> = agreed
                .iter()
                .map(|(entity, seen, link)| NewLink { entity: *entity, seen: seen.as_ref(), link })
                .collect();
            stored::agree(&mut tx, kind, &links, self.context.clock.now()).await?;
            tx.commit().await?;
        }
        Ok(differing)
    }
}
