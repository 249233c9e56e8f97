//! Reading both sides of some entities, and deciding what is to be done about each.

use std::collections::BTreeMap;

use astrops_api::{
    ids::{self, EntityId, JobId},
    vocabulary::{DriftKind, EntityType, Severity},
};
use bson::{Document, oid::ObjectId};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    core::{
        codec::{self, Fault, Links},
        guards::Facts,
        intent::{Decision, Fate, Move, decide},
        mapping::Mapping,
        merge::{Seen, Situation},
        plan::{Conflict, History, Plan, Reason},
        value::{Id, Pair, Record, Side},
    },
    engine::{Engine, Trouble},
    facts::{self, Asked},
    intent::Begun,
    relational,
};
use crate::store::{
    drift::{self, StoredDrift},
    intents,
    reconcile::{self as stored, StoredLink},
};

/// Both sides of an entity, and what is to be done.
#[derive(Clone, Debug)]
pub struct View {
    /// Which.
    pub id: EntityId,
    /// When it was looked at.
    pub at: DateTime<Utc>,
    /// Its fields.
    pub mapping: Mapping,
    /// What each side said.
    pub situation: Situation,
    /// What is to be done.
    pub plan: Plan,
    pub(super) document: Option<Document>,
    pub(super) references: Vec<(EntityType, Id)>,
    /// What our side knew, which must still hold when it is written.
    pub(super) facts: Facts,
    pub(super) link: Option<StoredLink>,
    pub(super) drift: Option<StoredDrift>,
    pub(super) begun: Option<Begun>,
    /// What is next for it.
    pub(super) next: Move,
    /// What both are known to have held when that is done.
    pub(super) agreed: Option<History>,
}

/// What this process knows of documents that it was about to write, by intent.
pub type Fates = BTreeMap<Uuid, Fate>;

impl View {
    /// What one side says.
    pub fn record(&self, side: Side) -> Option<&Record> {
        match self.situation.seen.of(side) {
            Seen::Row { record, .. } => Some(record),
            Seen::Missing | Seen::Unreadable(_) => None,
        }
    }

    /// On neither side, and it never was.
    pub fn is_absent(&self) -> bool {
        self.situation.seen == Pair::default() && self.link.is_none() && self.begun.is_none()
    }

    /// How bad what waits for a person is.
    pub fn severity(&self) -> Severity {
        if self.plan.conflicts.iter().any(|conflict| conflict.reason.is_critical()) {
            Severity::Critical
        } else if self.plan.conflicts.is_empty() {
            Severity::Info
        } else {
            Severity::Warning
        }
    }

    /// How it differs when nothing more can be done about it now.
    pub fn how(&self) -> Option<DriftKind> {
        if !self.plan.conflicts.is_empty() {
            return Some(DriftKind::Conflict);
        }
        self.plan.waits.map(|side| match side {
            Side::Document => DriftKind::MissingDocument,
            Side::Relational => DriftKind::MissingRelational,
        })
    }

    /// How the two rows differ, whatever can be done about it.
    pub fn differs(&self) -> DriftKind {
        let Pair { document, relational } = &self.situation.seen;
        match (document, relational) {
            (Seen::Missing, _) => DriftKind::MissingDocument,
            (_, Seen::Missing) => DriftKind::MissingRelational,
            _ => DriftKind::Differs,
        }
    }

    /// What it waits for may be done by the time that others agree: a row that it refers to, bookings that refer to it.
    pub fn waits_for_others(&self) -> bool {
        let others = |conflict: &Conflict| {
            matches!(conflict.reason, Reason::Dangling { .. } | Reason::DeletedBooked(_))
        };
        !self.plan.conflicts.is_empty() && self.plan.conflicts.iter().all(others)
    }

    /// It is missing on one side, after both had agreed on it.
    pub fn is_missing(&self) -> bool {
        let Pair { document, relational } = &self.situation.seen;
        (*document == Seen::Missing) != (*relational == Seen::Missing)
            && self.link.as_ref().is_some_and(|link| !link.deleted)
    }
}

impl Engine {
    /// What both sides of one entity say now, and what would be done.
    pub async fn look(&self, kind: EntityType, id: EntityId) -> Result<View, Trouble> {
        let views = self.look_asking(kind, &[id], &Fates::new(), Some(&[])).await?;
        let view = views.into_iter().next().ok_or(Trouble::Restless)?;
        if view.is_absent() {
            let named = ids::object_hex(id.0).unwrap_or_default();
            return Err(Trouble::Absent(kind, named));
        }
        Ok(view)
    }

    /// The same for many entities of a kind, in the order of `entities`.
    ///
    /// Our side is read before the documents: it is read again under lock before anything is written, so what the
    /// documents say is never older than what our side says.
    pub async fn look_at(
        &self,
        kind: EntityType,
        entities: &[EntityId],
        fates: &Fates,
    ) -> Result<Vec<View>, Trouble> {
        self.look_asking(kind, entities, fates, None).await
    }

    /// The same. What the rules must know is asked for rows that differ where it matters, or, with `named`, for all: a
    /// person may choose what neither side holds, and `named` are the rows that such a choice refers to.
    pub(super) async fn look_asking(
        &self,
        kind: EntityType,
        entities: &[EntityId],
        fates: &Fates,
        named: Option<&[(EntityType, Id)]>,
    ) -> Result<Vec<View>, Trouble> {
        let mapping = self.rules.mapping(kind);
        let rows: Vec<_> = entities.iter().map(|id| id.0).collect();
        let mut tx = self.db().read().await?;
        let mut ours: BTreeMap<_, _> = relational::read_many(&mut tx, mapping, &rows)
            .await?
            .into_iter()
            .map(|(id, columns, updated_at)| {
                let record = codec::from_columns(mapping, &columns, &Links::default());
                (id, seen(record, updated_at.map(|time| time.timestamp_millis())))
            })
            .collect();
        let mut links = stored::links(&mut tx, kind, entities).await?;
        let mut begun = intents::of(&mut tx, kind, entities).await?;
        let mut drifts = drift::of(&mut tx, kind, entities).await?;
        tx.rollback().await?;
        let mut documents = self.documents_of(mapping, entities).await?;
        let sides: Vec<_> = entities
            .iter()
            .map(|id| {
                let object = ids::extract(id.0).unwrap_or_default();
                let (document, said) = documents.remove(&object).unwrap_or_default();
                let seen = Pair { document: said, relational: ours.remove(&id.0).unwrap_or_default() };
                let sides =
                    Pair { document: record_of(&seen.document), relational: record_of(&seen.relational) };
                let references = match named {
                    None if facts::same_where_watched(mapping, &sides) => Vec::new(),
                    named => [named.unwrap_or_default(), &facts::references(mapping, &sides)].concat(),
                };
                (document, seen, references)
            })
            .collect();
        let asked = entities.iter().zip(&sides).map(|(id, (_, seen, references))| Asked {
            id: id.0,
            ours: record_of(&seen.relational),
            references,
        });
        let mut tx = self.db().read().await?;
        let known = facts::relational(&mut tx, mapping, &asked.collect::<Vec<_>>()).await?;
        tx.rollback().await?;
        let all = sides.iter().flat_map(|(_, _, references)| references);
        let dangling = facts::dangling_documents(&self.documents, all).await?;
        let now = self.context.clock.now();
        let views =
            entities.iter().zip(sides).zip(known).map(|((&id, (document, seen, references)), known)| {
                let (link, drift) = (links.remove(&id.0), drifts.remove(&id.0));
                let begun = begun
                    .remove(&id.0)
                    .map(|stored| Begun::from_json(mapping, stored.id, JobId(stored.job_id), stored.plan.0));
                let mut looked = known.clone();
                let nowhere = references.iter().filter(|(_, id)| dangling.contains(id));
                looked.dangling.extend(nowhere.map(|(_, id)| (Side::Document, *id)));
                let since = drift.as_ref().and_then(|drift| drift.missing_since);
                looked.grace_over = since.is_some_and(|since| now - since >= self.rules.grace);
                let history = match &link {
                    None => History::New,
                    Some(link) if link.deleted => History::Deleted,
                    Some(link) => History::Agreed(codec::base_from_json(mapping, &link.base)),
                };
                let situation = Situation { history, seen, facts: looked, ..Situation::default() };
                let fate = |begun: &Begun| fates.get(&begun.id).copied().unwrap_or_default();
                let decision =
                    decide(mapping, situation, begun.as_ref().map(|begun| (&begun.intent, fate(begun))));
                let agreed = decision.agreed(mapping);
                let Decision { next, situation, plan } = decision;
                let (mapping, facts) = (mapping.clone(), known);
                View {
                    id,
                    at: now,
                    mapping,
                    situation,
                    plan,
                    document,
                    references,
                    facts,
                    link,
                    drift,
                    begun,
                    next,
                    agreed,
                }
            });
        Ok(views.collect())
    }

    async fn documents_of(
        &self,
        mapping: &Mapping,
        entities: &[EntityId],
    ) -> Result<BTreeMap<Id, (Option<Document>, Seen)>, Trouble> {
        let object = |id: &EntityId| {
            ids::extract(id.0).map(ObjectId::from_bytes).ok_or(Trouble::Foreign(mapping.entity, id.0))
        };
        let objects = entities.iter().map(object).collect::<Result<Vec<_>, _>>()?;
        let mut documents = BTreeMap::new();
        for row in self.documents.get(facts::collection(mapping.entity), &objects).await? {
            let read = match row.document() {
                Err(malformed) => (None, Seen::Unreadable(vec![unreadable(malformed.why)])),
                Ok(document) => {
                    let updated_at = document.get_datetime("updatedAt").ok();
                    let updated_at = updated_at.map(|time| time.timestamp_millis());
                    let said = seen(codec::from_document(mapping, &document), updated_at);
                    (Some(document), said)
                }
            };
            documents.insert(row.id.bytes(), read);
        }
        Ok(documents)
    }
}

fn record_of(seen: &Seen) -> Option<&Record> {
    match seen {
        Seen::Row { record, .. } => Some(record),
        Seen::Missing | Seen::Unreadable(_) => None,
    }
}

fn seen(record: Result<Record, Vec<Fault>>, updated_at: Option<i64>) -> Seen {
    record.map_or_else(Seen::Unreadable, |record| Seen::Row { record, updated_at })
}

fn unreadable(why: String) -> Fault {
    let expected = "a document".to_owned();
    Fault { field: "document", side: Side::Document, place: "the document", found: why, expected }
}
