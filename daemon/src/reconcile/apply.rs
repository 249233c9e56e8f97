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
        codec::{self, Links},
        guards::Facts,
        intent::{Fate, Move},
        mapping::Mapping,
        plan::{Action, History},
        value::{Record, Side},
    },
    engine::{Engine, Errand, Trouble, said},
    facts::{self, Asked},
    intent::{self, Begun},
    look::View,
    nominate::{Nomination, nominate},
    relational::{self, Written},
    show,
};
use crate::{
    db::Tx,
    documents::{Change, Changed, Inserted, at},
    logs::Entry,
    store::{
        change_log::{self, Done},
        drift::{self, Differs},
        intents::{self, NewIntent},
        logs,
        reconcile::{self as stored, NewLink, StoredLink},
    },
};

impl Engine {
    /// Writes our side of each and keeps its intent, which it answers. What somebody else wrote meanwhile is left as it
    /// is: who looks again sees it.
    pub(super) async fn begin(
        &self,
        views: &[&View],
        errand: Errand,
    ) -> Result<Vec<Result<Option<Begun>, Trouble>>, Trouble> {
        match self.begin_together(views, errand).await {
            Ok(begun) => return Ok(begun.into_iter().map(Ok).collect()),
            Err(error) if views.len() > 1 && refusal(&error).is_some() => {}
            Err(error) if views.len() > 1 => return Err(error.into()),
            Err(error) => return refusal(&error).map(|why| vec![Err(why)]).ok_or_else(|| error.into()),
        }
        // One of them cannot be written: each by itself.
        let mut begun = Vec::with_capacity(views.len());
        for view in views {
            begun.push(match self.begin_together(&[view], errand).await {
                Ok(mut begun) => Ok(begun.pop().flatten()),
                Err(error) => Err(refusal(&error).ok_or(error)?),
            });
        }
        Ok(begun)
    }

    async fn begin_together(
        &self,
        views: &[&View],
        errand: Errand,
    ) -> Result<Vec<Option<Begun>>, sqlx::Error> {
        let Some(first) = views.first() else { return Ok(Vec::new()) };
        let (kind, mapping) = (first.plan.entity, &first.mapping);
        let mut tx = self.db().write().await?;
        let now = self.context.clock.now();
        let mut current = self.locked(&mut tx, views).await?;
        let entities: Vec<_> = views.iter().map(|view| view.id).collect();
        let links = stored::links(&mut tx, kind, &entities).await?;
        let version = |link: Option<&StoredLink>| link.map(|link| link.version);
        let mut intended = Vec::with_capacity(views.len());
        for view in views {
            let as_seen = current.remove(&view.id.0).is_some_and(|(record, known)| {
                record.as_ref() == view.record(Side::Relational) && known == view.facts
            });
            let same = as_seen && version(links.get(&view.id.0)) == version(view.link.as_ref());
            intended.push(same.then(|| {
                let plan = view.plan.clone().softened(mapping, now.timestamp_millis());
                let text = intent::text(&view.plan);
                (Begun::new(self.context.clock.new_id(), errand.job, mapping, &plan, text), plan)
            }));
        }
        let kept = views.iter().zip(&intended).filter_map(|(view, intended)| {
            let (begun, _) = intended.as_ref()?;
            Some(NewIntent { id: begun.id, entity: view.id, job: errand.job, plan: begun.to_json(mapping) })
        });
        let kept = intents::begin(&mut tx, kind, &kept.collect::<Vec<_>>(), now).await?;
        let (mut ours, mut begun) = (Vec::new(), Vec::with_capacity(views.len()));
        for (view, intended) in views.iter().zip(intended) {
            begun.push(intended.filter(|_| kept.contains(&view.id.0)).map(|(begun, plan)| {
                let before = view.record(Side::Relational);
                let after = plan.after(Side::Relational, before.cloned());
                if let Some(after) = after.filter(|_| begun.wrote_ours) {
                    let columns = plan.columns(mapping, &Links::default());
                    ours.push(Written { id: view.id.0, before, after, columns });
                }
                begun
            }));
        }
        self.write_ours(&mut tx, mapping, &ours, errand, now).await?;
        tx.commit().await?;
        Ok(begun)
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
        mapping: &Mapping,
        rows: &[Written<'_>],
        errand: Errand,
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        relational::write(tx, mapping.entity, rows, now).await?;
        let clock = &self.context.clock;
        let moved = relational::follow(tx, clock, mapping, rows, now).await?;
        if let Some(sweep) = errand.sweep {
            let found: Vec<_> = moved.iter().map(|launch| ((*launch).into(), DriftKind::Differs)).collect();
            return drift::nominate(tx, EntityType::Launch, &found, sweep, now).await;
        }
        let by = format!("job:{}", errand.job);
        for launch in moved {
            let nomination = Nomination {
                kind: EntityType::Launch,
                id: launch.into(),
                run_at: now,
                by: &by,
                max_attempts: self.max_attempts,
                now,
            };
            nominate(tx, clock, &nomination).await?;
        }
        Ok(())
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
        let Some((first, _)) = ends.first() else { return Ok(told) };
        let kind = first.plan.entity;
        let mut tx = self.db().write().await?;
        let now = self.context.clock.now();
        let finished = self.finished(&mut tx, kind, ends).await?;
        for (finished, told) in finished.iter().zip(&mut told) {
            // What another job began is that job's to tell.
            let ours = finished.as_ref().filter(|finished| finished.job == job);
            told.extend(ours.map(|finished| finished.text.clone()));
        }
        let links: Vec<_> = ends.iter().map(|(view, _)| self.link_after(view)).collect();
        let news = ends.iter().zip(&links).filter_map(|((view, _), link)| {
            let (link, seen) = (link.as_ref()?, view.link.as_ref());
            seen.is_none_or(|seen| !seen.says(link)).then_some(NewLink { entity: view.id, seen, link })
        });
        stored::agree(&mut tx, kind, &news.collect::<Vec<_>>(), now).await?;
        let in_peace = |(view, refused): &&(&View, Option<&Trouble>)| {
            refused.is_none() && view.plan.is_quiet() && view.plan.conflicts.is_empty()
        };
        let peaceful: Vec<_> = ends.iter().filter(in_peace).map(|(view, _)| view.id).collect();
        let over = stored::close_conflicts(&mut tx, kind, &peaceful, now).await?;
        let (mut agreed, mut entries) = (Vec::new(), Vec::new());
        for ((view, refused), told) in ends.iter().zip(&told) {
            if let Some(refused) = refused {
                let text = refused.to_string();
                self.note(&mut tx, view, view.differs(), &text, now).await?;
            } else if view.plan.is_quiet() {
                entries
                    .extend(self.remember(&mut tx, view, told, over.contains(&view.id.0), job, now).await?);
                agreed.extend(view.how().is_none().then_some(view.id));
            }
        }
        drift::forget(&mut tx, kind, &agreed).await?;
        logs::insert(&mut tx, &entries).await?;
        let rows: Vec<_> = finished
            .iter()
            .flatten()
            .map(|one| Done {
                id: self.context.clock.new_id(),
                kind,
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

    /// What was begun with each, for the change log, unless somebody else has put it there.
    async fn finished(
        &self,
        tx: &mut Tx,
        kind: EntityType,
        ends: &[(&View, Option<&Trouble>)],
    ) -> Result<Vec<Option<Finished>>, sqlx::Error> {
        let begun = ends.iter().filter_map(|(view, _)| Some((view.id, view.begun.as_ref()?.id)));
        let ended = intents::finish(tx, kind, &begun.collect::<Vec<_>>()).await?;
        let finished = |view: &View| {
            let begun = view.begun.as_ref().filter(|begun| ended.contains(&begun.id))?;
            let fate = if let Move::Finish(fate) = view.next { fate } else { Fate::Refused };
            let (text, changes) = begun.told(fate)?;
            Some(Finished { entity: view.id, job: begun.job, text, changes: changes.into() })
        };
        Ok(ends.iter().map(|(view, _)| finished(view)).collect())
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

    /// What waits for a person, and how it differs. Answers the log entry when that, what was `written` or that its conflict
    /// is over, is news.
    async fn remember(
        &self,
        tx: &mut Tx,
        view: &View,
        written: &[String],
        is_over: bool,
        job: JobId,
        now: DateTime<Utc>,
    ) -> Result<Option<astrops_api::logs::LogEntry>, sqlx::Error> {
        let (kind, id) = (view.plan.entity, view.id);
        let text = said(written, view);
        let mut news = is_over || !written.is_empty();
        let over = if is_over { "; its conflict is over" } else { "" };
        if !view.plan.conflicts.is_empty() {
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
        Ok(news.then(entry))
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
    let code = error.code().unwrap_or_default();
    let why = if error.is_unique_violation() {
        "another row has what must be unique (an address, or an active booking)"
    } else if error.is_check_violation() {
        "it would break a rule of our tables (more seats than there are, or an end before the start)"
    } else if error.is_foreign_key_violation() {
        "it refers to a row that is not there"
    } else if code.starts_with("22") || matches!(&*code, "23502" | "54000" | "18") {
        "one of its values is none that our tables can hold (too long, or out of range)"
    } else {
        return None;
    };
    Some(Trouble::Refused(Side::Relational, why.to_owned()))
}
