//! The three steps that write: our side with its intent, the documents, and the end, which puts what was done into the
//! change log and remembers what both sides were seen to hold.

use std::collections::BTreeMap;

use astrops_api::{
    ids::{self, EntityId, JobId},
    vocabulary::{DriftKind, EntityType, EventType},
};
use bson::{Document, oid::ObjectId};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::{
    core::{
        changes_log,
        codec::{self, Columns, Links},
        guards::Facts,
        intent::{Fate, Move},
        plan::{Action, History},
        value::{Record, Side},
    },
    engine::{Engine, Errand, Trouble, said},
    facts::{self, Asked},
    intent::{self, Begun},
    look::View,
    nominate::{Nomination, nominate},
    relational, show,
};
use crate::{
    db::Tx,
    documents::{Change, Changed, Inserted, at},
    logs::Entry,
    store::{
        change_log::{self, Done},
        drift::{self, Differs},
        intents, logs,
        reconcile::{self as stored, StoredLink},
    },
};

impl Engine {
    /// Writes our side of each and keeps its intent. What somebody else wrote meanwhile is left as it is: who looks again
    /// sees it.
    pub(super) async fn begin(
        &self,
        views: &[&View],
        errand: Errand,
    ) -> Result<Vec<Result<(), Trouble>>, Trouble> {
        match self.begin_together(views, errand).await {
            Ok(()) => return Ok(views.iter().map(|_| Ok(())).collect()),
            Err(error) if views.len() > 1 && refusal(&error).is_some() => {}
            Err(error) if views.len() > 1 => return Err(error.into()),
            Err(error) => return refusal(&error).map(|why| vec![Err(why)]).ok_or_else(|| error.into()),
        }
        // One of them cannot be written: each by itself.
        let mut begun = Vec::with_capacity(views.len());
        for view in views {
            begun.push(match self.begin_together(&[view], errand).await {
                Ok(()) => Ok(()),
                Err(error) => Err(refusal(&error).ok_or(error)?),
            });
        }
        Ok(begun)
    }

    async fn begin_together(&self, views: &[&View], errand: Errand) -> Result<(), sqlx::Error> {
        let Some(first) = views.first() else { return Ok(()) };
        let (kind, mapping) = (first.plan.entity, &first.mapping);
        let mut tx = self.db().write().await?;
        let now = self.context.clock.now();
        let mut current = self.locked(&mut tx, views).await?;
        let entities: Vec<_> = views.iter().map(|view| view.id).collect();
        let links = stored::links(&mut tx, kind, &entities).await?;
        for view in views {
            let Some((record, known)) = current.remove(&view.id.0) else { continue };
            let version = |link: Option<&StoredLink>| link.map(|link| link.version);
            if record.as_ref() != view.record(Side::Relational)
                || known != view.facts
                || version(links.get(&view.id.0)) != version(view.link.as_ref())
            {
                continue;
            }
            let text = intent::text(&view.plan);
            let plan = view.plan.clone().softened(mapping);
            let begun = Begun::new(self.context.clock.new_id(), errand.job, mapping, &plan, text);
            let kept = (begun.id, errand.job, begun.to_json(mapping));
            if !intents::begin(&mut tx, kind, view.id, kept, now).await? || !begun.wrote_ours {
                continue;
            }
            let columns = plan.columns(mapping, &Links::default());
            self.write_ours(&mut tx, (kind, view.id), &columns, record.is_none(), errand, now).await?;
        }
        tx.commit().await
    }

    /// What our side says of each now, held until the transaction ends. Launches first, as whoever books does.
    async fn locked(
        &self,
        tx: &mut Tx,
        views: &[&View],
    ) -> Result<BTreeMap<Uuid, (Option<Record>, Facts)>, sqlx::Error> {
        let Some(first) = views.first() else { return Ok(BTreeMap::new()) };
        let mapping = &first.mapping;
        let launches = views.iter().flat_map(|view| &view.references);
        let launches = launches.filter(|(kind, _)| *kind == EntityType::Launch);
        let mut launches: Vec<_> = launches.map(|(_, id)| ids::embed(*id)).collect();
        launches.sort_unstable();
        launches.dedup();
        if !launches.is_empty() {
            relational::lock_many(tx, self.rules.mapping(EntityType::Launch), &launches).await?;
        }
        let rows: Vec<_> = views.iter().map(|view| view.id.0).collect();
        let mut records = BTreeMap::new();
        for (id, columns, _) in relational::lock_many(tx, mapping, &rows).await? {
            // One that cannot be understood any more is not what was seen.
            let read = codec::from_columns(mapping, &columns, &Links::default());
            records.insert(id, read.ok());
        }
        let asked: Vec<_> = views
            .iter()
            .map(|view| Asked {
                id: view.id.0,
                ours: records.get(&view.id.0).and_then(Option::as_ref),
                references: &view.references,
            })
            .collect();
        let known = facts::relational(tx, mapping, &asked).await?;
        let mut current = BTreeMap::new();
        for (view, known) in views.iter().zip(known) {
            match records.remove(&view.id.0) {
                Some(None) => {}
                Some(record @ Some(_)) => drop(current.insert(view.id.0, (record, known))),
                None => drop(current.insert(view.id.0, (None, known))),
            }
        }
        Ok(current)
    }

    async fn write_ours(
        &self,
        tx: &mut Tx,
        (kind, id): (EntityType, EntityId),
        columns: &Columns,
        is_new: bool,
        errand: Errand,
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        if is_new {
            relational::insert(tx, kind, id.0, columns, now).await?;
        } else {
            relational::update(tx, kind, id.0, columns, now).await?;
        }
        let clock = &self.context.clock;
        let moved = relational::follow(tx, clock, kind, id, is_new, now).await?;
        let Some(launch) = moved.map(EntityId::from) else { return Ok(()) };
        if let Some(sweep) = errand.sweep {
            let found = [(launch, DriftKind::Differs)];
            return drift::nominate(tx, EntityType::Launch, &found, sweep, now).await;
        }
        let by = format!("job:{}", errand.job);
        let nomination = Nomination {
            kind: EntityType::Launch,
            id: launch,
            run_at: now,
            by: &by,
            max_attempts: self.max_attempts,
            now,
        };
        nominate(tx, clock, &nomination).await.map(drop)
    }

    /// Writes the documents of what was begun. A document that somebody else wrote meanwhile is left as it is.
    pub(super) async fn write_documents(
        &self,
        views: &[&View],
    ) -> Result<Vec<Result<Fate, Trouble>>, Trouble> {
        let now = bson::DateTime::from_millis(self.context.clock.now().timestamp_millis());
        let (mut news, mut changes) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
        for (place, view) in views.iter().enumerate() {
            let Some(begun) = &view.begun else { continue };
            let id = ObjectId::from_bytes(ids::extract(view.id.0).unwrap_or_default());
            let mut plan = view.plan.clone();
            plan.actions.document = begun.intent.document.clone();
            let current = view.document.clone().unwrap_or_default();
            let fields = plan.document_fields(&view.mapping, &current);
            if let Action::Create(_) = plan.actions.document {
                let mut document = bson::doc! { "_id": id };
                document.extend(fields);
                document.extend(bson::doc! { "createdAt": now, "updatedAt": now });
                news.0.push(place);
                news.1.push(document);
            } else {
                changes.0.push(place);
                changes.1.push(change(id, &current, fields, now));
            }
        }
        let mut written: Vec<Result<Fate, Trouble>> = views.iter().map(|_| Ok(Fate::Unknown)).collect();
        let Some(collection) = views.first().map(|view| facts::collection(view.plan.entity)) else {
            return Ok(written);
        };
        let refused = |why: String| Err(Trouble::Refused(Side::Document, why));
        let taken = |index: &str| refused(format!("another document has the same value in {index}"));
        for (place, done) in news.0.into_iter().zip(self.documents.insert(collection, &news.1).await?) {
            written[place] = match done {
                Inserted::Done => Ok(Fate::Written),
                Inserted::Exists => Ok(Fate::Unknown),
                Inserted::Taken(index) => taken(&index),
                Inserted::Refused(why) => refused(why),
            };
        }
        let compared = self.documents.compare_and_set(collection, &changes.1).await?;
        for (place, done) in changes.0.into_iter().zip(compared) {
            written[place] = match done {
                Changed::Done => Ok(Fate::Written),
                Changed::Stale => Ok(Fate::Unknown),
                Changed::Taken(index) => taken(&index),
                Changed::Refused(why) => refused(why),
            };
        }
        Ok(written)
    }

    /// Puts what was begun into the change log and, when nothing more is to be done, remembers the base, the conflict and
    /// what differs still: one transaction for all. `told` is what was written before; answered with what is added.
    pub(super) async fn end(
        &self,
        ends: &[(&View, Option<&Trouble>)],
        mut told: Vec<Vec<String>>,
        job: JobId,
    ) -> Result<Vec<Vec<String>>, Trouble> {
        if ends.iter().all(|(view, refused)| refused.is_none() && self.is_known(view)) {
            return Ok(told);
        }
        let mut tx = self.db().write().await?;
        let now = self.context.clock.now();
        let (mut agreed, mut entries, mut log) = (Vec::new(), Vec::new(), Vec::new());
        for ((view, refused), told) in ends.iter().zip(&mut told) {
            if let Some(finished) = self.finished(&mut tx, view).await? {
                // What another job began is that job's to tell.
                told.extend((finished.job == job).then(|| finished.text.clone()));
                log.push(finished);
            }
            let link = self.link_after(view);
            if let Some(link) = link.filter(|link| view.link.as_ref().is_none_or(|old| !old.says(link))) {
                stored::agree(&mut tx, view.plan.entity, view.id, view.link.as_ref(), &link, now).await?;
            }
            if let Some(refused) = refused {
                let text = refused.to_string();
                self.note(&mut tx, view, DriftKind::Differs, &text, now).await?;
            } else if view.plan.is_quiet() {
                let (entry, in_sync) = self.remember(&mut tx, view, told, job, now).await?;
                entries.extend(entry);
                agreed.extend(in_sync.then_some(view.id));
            }
        }
        if let Some((view, _)) = ends.first() {
            drift::forget(&mut tx, view.plan.entity, &agreed).await?;
        }
        logs::insert(&mut tx, &entries).await?;
        let Some((view, _)) = ends.first() else { return Ok(told) };
        let rows: Vec<_> = log
            .iter()
            .map(|one| Done {
                id: self.context.clock.new_id(),
                kind: view.plan.entity,
                entity: one.entity,
                job: one.job,
                text: &one.text,
                fields: &one.changes,
                at: now,
            })
            .collect();
        change_log::append(&mut tx, &rows).await?;
        tx.commit().await?;
        Ok(told)
    }

    /// Nothing of it is news.
    fn is_known(&self, view: &View) -> bool {
        let same =
            self.link_after(view).is_none_or(|link| view.link.as_ref().is_some_and(|old| old.says(&link)));
        view.next == Move::Rest && view.how().is_none() && view.drift.is_none() && same
    }

    /// What was begun, for the change log, unless somebody else has put it there.
    async fn finished(&self, tx: &mut Tx, view: &View) -> Result<Option<Finished>, sqlx::Error> {
        let (kind, Some(begun)) = (view.plan.entity, &view.begun) else { return Ok(None) };
        if !intents::finish(tx, kind, view.id, begun.id).await? {
            return Ok(None);
        }
        let fate = if let Move::Finish(fate) = view.next { fate } else { Fate::Refused };
        let told = begun.told(fate);
        Ok(told.map(|(text, changes)| Finished {
            entity: view.id,
            job: begun.job,
            text,
            changes: changes.into(),
        }))
    }

    async fn note(
        &self,
        tx: &mut Tx,
        view: &View,
        how: DriftKind,
        text: &str,
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        let (kind, id, is_missing) = (view.plan.entity, view.id, view.is_missing());
        drift::note(tx, &Differs { kind, id, how, text, is_missing }, now).await
    }

    /// What both hold, and what waits for a person. Answers the log entry when it is news, and whether both agree.
    async fn remember(
        &self,
        tx: &mut Tx,
        view: &View,
        written: &[String],
        job: JobId,
        now: DateTime<Utc>,
    ) -> Result<(Option<astrops_api::logs::LogEntry>, bool), sqlx::Error> {
        let (kind, id) = (view.plan.entity, view.id);
        let text = said(written, view);
        let mut news = !written.is_empty();
        let mut over = "";
        if view.plan.conflicts.is_empty() {
            if stored::close_conflict(tx, kind, id, now).await? {
                (news, over) = (true, "; its conflict is over");
            }
        } else {
            let fields = Json::from(show::conflicts(view));
            let waits = changes_log::text(&view.plan);
            let done = Done {
                id: self.context.clock.new_id(),
                kind,
                entity: id,
                job,
                text: &waits,
                fields: &fields,
                at: now,
            };
            stored::open_conflict(tx, &done, view.severity()).await?;
        }
        if let Some(how) = view.how() {
            let waits = changes_log::text(&view.plan);
            news |= view.drift.as_ref().is_none_or(|drift| drift.kind != how || drift.text != waits);
            self.note(tx, view, how, &waits, now).await?;
        }
        let named = ids::object_hex(id.0).unwrap_or_default();
        let clock = &self.context.clock;
        let entry = || {
            let told = format!("{kind} {named}: {text}{over}");
            Entry::new(clock, EventType::Reconcile, view.severity(), told).job(job).into()
        };
        Ok((news.then(entry), view.how().is_none()))
    }

    /// What is agreed on now.
    fn link_after(&self, view: &View) -> Option<StoredLink> {
        let mapping = &view.mapping;
        let version = 0; // the store's to count
        let base = match view.agreed.as_ref()? {
            History::New => return None,
            History::Deleted => {
                let known = view.link.as_ref();
                let base = known.map_or_else(|| Json::Object(Map::new()), |link| link.base.clone());
                return Some(StoredLink { base, deleted: true, digest: None, version });
            }
            History::Agreed(base) => codec::base_to_json(mapping, base),
        };
        let sides = (view.record(Side::Document), view.record(Side::Relational));
        let digest = match sides {
            (Some(document), Some(relational))
                if mapping.compared().all(|at| document.at(at) == relational.at(at)) =>
            {
                let object = ids::extract(view.id.0).unwrap_or_default();
                Some(self.rules.hasher.row(mapping, &object, document).to_be_bytes().to_vec())
            }
            _ => None,
        };
        Some(StoredLink { base, deleted: false, digest, version })
    }
}

/// What was written to an entity.
struct Finished {
    entity: EntityId,
    job: JobId,
    text: String,
    changes: Json,
}

/// Puts fields into a document if it still says there what was seen, and was not touched otherwise.
fn change(id: ObjectId, current: &Document, fields: Document, now: bson::DateTime) -> Change {
    let mut expected: Vec<_> = fields.keys().map(|path| (path.clone(), at(current, path).cloned())).collect();
    expected.push(("updatedAt".to_owned(), at(current, "updatedAt").cloned()));
    let mut set: Vec<_> = fields.into_iter().collect();
    set.push(("updatedAt".to_owned(), now.into()));
    Change { id, expected, set, unset: Vec::new() }
}

/// Why our side will not take a row, when that is the row's fault.
fn refusal(error: &sqlx::Error) -> Option<Trouble> {
    let error = error.as_database_error()?;
    let why = if error.is_unique_violation() {
        "another row has what must be unique (an address, or an active booking)"
    } else if error.is_check_violation() {
        "it would break a rule of our tables (more seats than there are, or an end before the start)"
    } else if error.is_foreign_key_violation() {
        "it refers to a row that is not there"
    } else {
        return None;
    };
    Some(Trouble::Refused(Side::Relational, why.to_owned()))
}
