//! One entity: look at both sides, decide, write where it is needed, look again, remember what both were seen to hold.
//!
//! Each side is written by compare-and-set: when somebody else wrote meanwhile nothing is written and all begins anew. Our
//! own side is written first, in a transaction of its own; the network is never asked inside it.

use astrops_api::{
    ids::{self, EntityId, JobId},
    vocabulary::{EntityType, EventType, Severity},
};
use bson::{Document, oid::ObjectId};
use futures::{FutureExt as _, future::BoxFuture};
use serde_json::Value as Json;
use uuid::Uuid;

use super::{
    core::{
        changes_log,
        codec::{self, Columns, Fault, Links},
        guards::Facts,
        mapping::Mapping,
        merge::{Seen, Situation, merge},
        plan::{Action, History, Plan, Reason, Standing},
        value::{Base, Id, Pair, Record, Side, hex},
    },
    facts,
    nominate::{Nomination, nominate},
    relational, show,
};
use crate::{
    db::{Db, Tx},
    documents::{Change, Changed, Documents, DocumentsError, Inserted, at},
    logs::Entry,
    queue::Context,
    store::{
        logs,
        reconcile::{self as stored, Done, StoredLink},
    },
};

/// So often is a row looked at anew when somebody else writes it at the same time.
const TRIES: u32 = 4;
/// A booking leads to its launch, that to its organizer.
const DEPTH: u32 = 2;

/// Why an entity was not reconciled.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// It is on neither side, and never was.
    #[error("{0} {1} is on neither side: neither the documents nor our database know it; check the id")]
    Absent(EntityType, String),
    /// Its id names no document.
    #[error(
        "{0} {1} cannot be reconciled: its id carries no document's id; name it by 24 hexadecimal digits or the UUID made \
         of them"
    )]
    Foreign(EntityType, Uuid),
    /// A side will not take what is right.
    #[error("the {0} side refused the change: {1}; correct the other row, then reconcile again")]
    Refused(Side, String),
    /// Somebody writes it all the time.
    #[error(
        "somebody else changed the row each of {TRIES} times before it could be written; it is tried again"
    )]
    Restless,
    /// The documents.
    #[error(transparent)]
    Documents(#[from] DocumentsError),
    /// Our database.
    #[error("our database did not do it: {0}")]
    Database(#[from] sqlx::Error),
}

impl Trouble {
    /// Whether trying again may help.
    pub const fn passes(&self) -> bool {
        matches!(self, Self::Restless | Self::Documents(_) | Self::Database(_))
    }
}

/// What became of an entity.
pub struct Report {
    /// In words, as the job shows it.
    pub text: String,
    /// How bad.
    pub severity: Severity,
}

/// Reconciles. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    context: Context,
    documents: Documents,
    max_attempts: u32,
}

/// Both sides of an entity, and what is to be done.
pub struct View {
    /// Its fields.
    pub mapping: Mapping,
    /// What each side said.
    pub situation: Situation,
    /// What is to be done.
    pub plan: Plan,
    document: Option<Document>,
    references: Vec<(EntityType, Id)>,
    /// What our side knew, which must still hold when it is written.
    facts: Facts,
    link: Option<StoredLink>,
}

impl View {
    /// What one side says.
    pub fn record(&self, side: Side) -> Option<&Record> {
        match self.situation.seen.of(side) {
            Seen::Row { record, .. } => Some(record),
            Seen::Missing | Seen::Unreadable(_) => None,
        }
    }

    fn base(&self) -> Option<&Base> {
        if let History::Agreed(base) = &self.situation.history { Some(base) } else { None }
    }
}

/// Whether a write was made or everything must be looked at again.
enum Step {
    Done,
    Stale,
}

impl Engine {
    /// With the databases that are to agree.
    pub fn new(context: Context, documents: Documents, max_attempts: u32) -> Self {
        Self { context, documents, max_attempts }
    }

    fn db(&self) -> &Db {
        &self.context.db
    }

    /// Makes one entity agree.
    pub async fn reconcile(&self, kind: EntityType, id: EntityId, job: JobId) -> Result<Report, Trouble> {
        self.one(kind, id, job, DEPTH).await
    }

    fn one(
        &self,
        kind: EntityType,
        id: EntityId,
        job: JobId,
        depth: u32,
    ) -> BoxFuture<'_, Result<Report, Trouble>> {
        async move {
            let mut followed = depth == 0;
            for _ in 0..TRIES {
                let mut view = self.look(kind, id).await?;
                if !followed {
                    followed = true;
                    if self.make_references(&view, job, depth - 1).await? {
                        view = self.look(kind, id).await?;
                    }
                }
                if let Step::Done = self.apply(&view, id, job).await? {
                    let after = if view.plan.is_quiet() { None } else { Some(self.look(kind, id).await?) };
                    return Ok(self.remember(&view, after.as_ref(), id, job).await?);
                }
            }
            Err(Trouble::Restless)
        }
        .boxed()
    }

    /// What both sides say now, and what would be done.
    pub async fn look(&self, kind: EntityType, id: EntityId) -> Result<View, Trouble> {
        let object = ids::extract(id.0).ok_or(Trouble::Foreign(kind, id.0))?;
        let mapping = Mapping::of(kind);
        let found = self.documents.get(facts::collection(kind), &[ObjectId::from_bytes(object)]).await?;
        let (document, said) = match found.first().map(crate::documents::Row::document) {
            None => (None, Seen::Missing),
            Some(Err(malformed)) => (None, Seen::Unreadable(vec![unreadable(malformed.why)])),
            Some(Ok(document)) => {
                let updated_at = document.get_datetime("updatedAt").ok().map(|time| time.timestamp_millis());
                let said = seen(codec::from_document(&mapping, &document), updated_at);
                (Some(document), said)
            }
        };
        let mut tx = self.db().read().await?;
        let row = relational::read(&mut tx, &mapping, id.0, false).await?;
        let ours = row.map_or(Seen::Missing, |(columns, updated_at)| {
            let record = codec::from_columns(&mapping, &columns, &Links::default());
            seen(record, Some(updated_at.timestamp_millis()))
        });
        let records = [&said, &ours].map(|seen| match seen {
            Seen::Row { record, .. } => Some(record),
            Seen::Missing | Seen::Unreadable(_) => None,
        });
        let references = facts::references(&mapping, &records);
        let known = facts::relational(&mut tx, kind, id.0, &references).await?;
        let link = stored::link(&mut tx, kind, id).await?;
        tx.rollback().await?;
        if said == Seen::Missing && ours == Seen::Missing && link.is_none() {
            return Err(Trouble::Absent(kind, hex(&object)));
        }
        let mut looked = known.clone();
        looked.dangling.extend(facts::dangling_documents(&self.documents, &references).await?);
        let history = match &link {
            None => History::New,
            Some(link) if link.deleted => History::Deleted,
            Some(link) => History::Agreed(codec::base_from_json(&mapping, &link.base.0)),
        };
        let seen = Pair { document: said, relational: ours };
        let situation = Situation { history, seen, facts: looked, ..Situation::default() };
        let plan = merge(&mapping, &situation);
        Ok(View { mapping, situation, plan, document, references, facts: known, link })
    }

    /// Makes what the row refers to and one side lacks; whether there was any.
    async fn make_references(&self, view: &View, job: JobId, depth: u32) -> Result<bool, Trouble> {
        let mut any = false;
        for conflict in &view.plan.conflicts {
            let Reason::Dangling { field, id, .. } = conflict.reason else { continue };
            let Some(kind) = facts::target(field) else { continue };
            match self.one(kind, EntityId(ids::embed(id)), job, depth).await {
                Ok(_) => any = true,
                // The row itself becomes a conflict that names it.
                Err(trouble) if !trouble.passes() => {}
                Err(trouble) => return Err(trouble),
            }
        }
        Ok(any)
    }

    async fn apply(&self, view: &View, id: EntityId, job: JobId) -> Result<Step, Trouble> {
        if !matches!(view.plan.actions.relational, Action::Keep)
            && let Step::Stale = self.write_ours(view, id, job).await?
        {
            return Ok(Step::Stale);
        }
        match &view.plan.actions.document {
            Action::Keep => Ok(Step::Done),
            Action::Create(_) => self.insert_document(view, id).await,
            Action::Update(_) | Action::Delete(_) => self.change_document(view, id).await,
        }
    }

    /// Our side, if it still says what was seen.
    async fn write_ours(&self, view: &View, id: EntityId, job: JobId) -> Result<Step, Trouble> {
        let kind = view.plan.entity;
        let mut tx = self.db().write().await?;
        let now = self.context.clock.now();
        // The launch first, as whoever books does.
        for (_, launch) in view.references.iter().filter(|(kind, _)| *kind == EntityType::Launch) {
            relational::read(&mut tx, &Mapping::of(EntityType::Launch), ids::embed(*launch), true).await?;
        }
        let row = relational::read(&mut tx, &view.mapping, id.0, true).await?;
        let record = match row {
            None => None,
            Some((columns, _)) => match codec::from_columns(&view.mapping, &columns, &Links::default()) {
                Ok(record) => Some(record),
                Err(_) => return Ok(Step::Stale),
            },
        };
        let known = facts::relational(&mut tx, kind, id.0, &view.references).await?;
        match view.plan.standing(Side::Relational, record.as_ref()) {
            Standing::Before if known == view.facts => {}
            Standing::After => return Ok(Step::Done),
            Standing::Before | Standing::Neither => return Ok(Step::Stale),
        }
        let columns = view.plan.columns(&view.mapping, &Links::default());
        let is_new = record.is_none();
        match Self::store(&mut tx, kind, id, &columns, is_new, now).await {
            Ok(()) => {}
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                let why = "another row has what must be unique (an address, or an active booking)";
                return Err(Trouble::Refused(Side::Relational, why.to_owned()));
            }
            Err(error) => return Err(error.into()),
        }
        let moved = relational::follow(&mut tx, &self.context.clock, kind, id, is_new, now).await?;
        if let Some(launch) = moved {
            let by = format!("job:{job}");
            let nomination = Nomination {
                kind: EntityType::Launch,
                id: launch.into(),
                run_at: now,
                by: &by,
                max_attempts: self.max_attempts,
                now,
            };
            nominate(&mut tx, &self.context.clock, &nomination).await?;
        }
        tx.commit().await?;
        Ok(Step::Done)
    }

    async fn store(
        tx: &mut Tx,
        kind: EntityType,
        id: EntityId,
        columns: &Columns,
        is_new: bool,
        now: chrono::DateTime<chrono::Utc>,
    ) -> Result<(), sqlx::Error> {
        if is_new {
            relational::insert(tx, kind, id.0, columns, now).await
        } else {
            relational::update(tx, kind, id.0, columns, now).await
        }
    }

    async fn insert_document(&self, view: &View, id: EntityId) -> Result<Step, Trouble> {
        let now = bson::DateTime::from_millis(self.context.clock.now().timestamp_millis());
        let mut document = bson::doc! { "_id": ObjectId::from_bytes(ids::extract(id.0).unwrap_or_default()) };
        document.extend(view.plan.document_fields(&view.mapping, &Document::new()));
        document.extend(bson::doc! { "createdAt": now, "updatedAt": now });
        let done = self.documents.insert(facts::collection(view.plan.entity), &[document]).await?;
        match done.into_iter().next() {
            Some(Inserted::Done) => Ok(Step::Done),
            Some(Inserted::Exists) | None => Ok(Step::Stale),
            Some(Inserted::Taken(index)) => Err(taken(&index)),
            Some(Inserted::Refused(why)) => Err(Trouble::Refused(Side::Document, why)),
        }
    }

    async fn change_document(&self, view: &View, id: EntityId) -> Result<Step, Trouble> {
        let Some(current) = &view.document else { return Ok(Step::Stale) };
        let now = bson::DateTime::from_millis(self.context.clock.now().timestamp_millis());
        let fields = view.plan.document_fields(&view.mapping, current);
        let expected = fields.keys().map(|path| (path.clone(), at(current, path).cloned())).collect();
        let mut set: Vec<_> = fields.into_iter().collect();
        set.push(("updatedAt".to_owned(), now.into()));
        let object = ObjectId::from_bytes(ids::extract(id.0).unwrap_or_default());
        let change = Change { id: object, expected, set, unset: Vec::new() };
        let done = self.documents.compare_and_set(facts::collection(view.plan.entity), &[change]).await?;
        match done.into_iter().next() {
            Some(Changed::Done) => Ok(Step::Done),
            Some(Changed::Stale) | None => Ok(Step::Stale),
            Some(Changed::Taken(index)) => Err(taken(&index)),
            Some(Changed::Refused(why)) => Err(Trouble::Refused(Side::Document, why)),
        }
    }

    /// The base, the change log, the conflict and the log entry in one transaction; `after` is what both sides said when
    /// they were read again.
    async fn remember(
        &self,
        view: &View,
        after: Option<&View>,
        id: EntityId,
        job: JobId,
    ) -> Result<Report, sqlx::Error> {
        let (kind, plan) = (view.plan.entity, &view.plan);
        let text = changes_log::text(plan);
        let severity = if plan.conflicts.iter().any(|conflict| conflict.reason.is_critical()) {
            Severity::Critical
        } else if plan.conflicts.is_empty() {
            Severity::Info
        } else {
            Severity::Warning
        };
        let link = link_after(view, after.unwrap_or(view));
        let moved = link.as_ref().is_some_and(|link| {
            view.link.as_ref().is_none_or(|old| old.base.0 != link.base.0 || old.deleted != link.deleted)
        });
        let clock = &self.context.clock;
        let (changes, conflicts) = (Json::from(show::changes(plan)), Json::from(show::conflicts(view)));
        let mut tx = self.db().write().await?;
        let now = clock.now();
        if let Some(link) = link.filter(|_| moved) {
            let object = ids::object_hex(id.0).unwrap_or_default();
            stored::agree(&mut tx, kind, id, &object, &link, now).await?;
        }
        let done = |fields| Done { id: clock.new_id(), kind, entity: id, job, text: &text, fields, at: now };
        if !plan.is_quiet() {
            stored::record(&mut tx, &done(&changes)).await?;
        }
        let closed = if plan.conflicts.is_empty() {
            stored::close_conflict(&mut tx, kind, id, now).await?
        } else {
            stored::open_conflict(&mut tx, &done(&conflicts), severity).await?;
            false
        };
        if !plan.is_quiet() || !plan.conflicts.is_empty() || closed || plan.waits.is_some() {
            let named = ids::object_hex(id.0).unwrap_or_default();
            let ended = if closed { "; its conflict is over" } else { "" };
            let told = format!("{kind} {named}: {text}{ended}");
            let entry = Entry::new(clock, EventType::Reconcile, severity, told).job(job);
            logs::insert(&mut tx, &[entry.into()]).await?;
        }
        tx.commit().await?;
        Ok(Report { text, severity })
    }
}

/// What is agreed on now: only values that both were seen to hold, else what was known before.
fn link_after(view: &View, after: &View) -> Option<StoredLink> {
    let planned = match &view.plan.history {
        History::New => return None,
        History::Deleted => {
            let base =
                view.link.as_ref().map_or_else(|| Json::Object(serde_json::Map::new()), |l| l.base.0.clone());
            return Some(StoredLink { base: sqlx::types::Json(base), deleted: true });
        }
        History::Agreed(base) => base,
    };
    let (document, relational) = (after.record(Side::Document)?, after.record(Side::Relational)?);
    let values = (0..view.mapping.fields().len()).map(|index| {
        let held = planned.at(index).filter(|value| {
            document.at(index) == *value && relational.at(index) == *value && view.mapping.is_compared(index)
        });
        held.or_else(|| view.base().and_then(|base| base.at(index))).cloned()
    });
    let base = codec::base_to_json(&view.mapping, &Base::new(values.collect()));
    Some(StoredLink { base: sqlx::types::Json(base), deleted: false })
}

fn seen(record: Result<Record, Vec<Fault>>, updated_at: Option<i64>) -> Seen {
    record.map_or_else(Seen::Unreadable, |record| Seen::Row { record, updated_at })
}

fn unreadable(why: String) -> Fault {
    let expected = "a document".to_owned();
    Fault { field: "document", side: Side::Document, place: "the document", found: why, expected }
}

fn taken(index: &str) -> Trouble {
    Trouble::Refused(Side::Document, format!("another document has the same value in {index}"))
}
