//! Makes entities agree: look at both sides, do what is next, look again, until nothing is to be done.
//!
//! Each side is written by compare-and-set: when somebody else wrote meanwhile nothing is written and it is looked at
//! anew. What is under way is kept as an intent ([`super::core::intent`]), so whoever looks after a crash goes on where it
//! broke off. The documents are never asked inside a transaction of ours.
//!
//! Many entities of a kind go through each step together: that is what makes a sweep fast. One entity is many of one.

use std::fmt;

use astrops_api::{
    ids::{EntityId, JobId, embed},
    vocabulary::{DriftKind, EntityType, Severity},
};
use futures::{FutureExt as _, future::BoxFuture};
use uuid::Uuid;

use super::{
    core::{
        changes_log,
        choices::BadChoice,
        intent::{Fate, Move},
        plan::{Action, History, Reason},
        value::Side,
    },
    facts,
    look::{Fates, View},
    rules::Rules,
};
use crate::{
    db::Db,
    documents::{Documents, DocumentsError},
    queue::Context,
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
    /// A person chose what cannot be.
    #[error(transparent)]
    Choice(#[from] BadChoice),
    /// A person chose what changes nothing, or what the rules forbid.
    #[error("nothing of what was chosen can be written: {0}")]
    Undecided(String),
    /// What a person saw is no longer so.
    #[error("either side changed since this was decided, so nothing was written; look again and decide anew")]
    Changed,
    /// Another job is at it.
    #[error("a change of this row is being written at this moment; look again in a moment")]
    UnderWay,
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
        matches!(self, Self::Restless | Self::UnderWay | Self::Documents(_) | Self::Database(_))
    }
}

/// What became of an entity.
#[derive(Clone, Debug)]
pub struct Report {
    /// In words, as the job shows it.
    pub text: String,
    /// How bad.
    pub severity: Severity,
    /// Something was written.
    pub wrote: bool,
    /// It was deleted on one side, as it is gone on the other.
    pub deleted: bool,
    /// How it differs still.
    pub how: Option<DriftKind>,
}

/// Reconciles. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(super) context: Context,
    pub(super) documents: Documents,
    pub(super) rules: Rules,
    pub(super) max_attempts: u32,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("rules", &self.rules).finish_non_exhaustive()
    }
}

/// On whose behalf.
#[derive(Clone, Copy)]
pub(super) struct Errand {
    pub job: JobId,
    /// It looks at launches after their bookings, so their counters need no job of their own.
    pub sweep: Option<Uuid>,
}

/// An entity on its way.
struct Case {
    id: EntityId,
    tries: u32,
    texts: Vec<String>,
    /// What is known of the document that it was about to write.
    fate: Option<(Uuid, Fate)>,
    outcome: Option<Result<Report, Trouble>>,
}

impl Engine {
    /// With the databases that are to agree.
    pub fn new(context: Context, documents: Documents, rules: Rules, max_attempts: u32) -> Self {
        Self { context, documents, rules, max_attempts }
    }

    /// The customer documents.
    pub fn documents(&self) -> &Documents {
        &self.documents
    }

    pub(super) fn db(&self) -> &Db {
        &self.context.db
    }

    /// The rules in force.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Makes one entity agree.
    pub async fn reconcile(&self, kind: EntityType, id: EntityId, job: JobId) -> Result<Report, Trouble> {
        let reports = self.through(kind, &[id], Errand { job, sweep: None }, DEPTH).await?;
        reports.into_iter().next().unwrap_or(Err(Trouble::Restless))
    }

    /// Makes many entities of a kind agree for a sweep; what became of each, in their order, then of what
    /// they refer to and was written first.
    pub async fn reconcile_all(
        &self,
        kind: EntityType,
        ids: &[EntityId],
        job: JobId,
        sweep: Uuid,
    ) -> Result<Vec<Result<Report, Trouble>>, Trouble> {
        self.through(kind, ids, Errand { job, sweep: Some(sweep) }, DEPTH).await
    }

    fn through<'a>(
        &'a self,
        kind: EntityType,
        ids: &'a [EntityId],
        errand: Errand,
        depth: u32,
    ) -> BoxFuture<'a, Result<Vec<Result<Report, Trouble>>, Trouble>> {
        async move {
            let mut cases: Vec<Case> = ids
                .iter()
                .map(|&id| Case { id, tries: 0, texts: Vec::new(), fate: None, outcome: None })
                .collect();
            let mut referenced = Vec::new();
            let mut is_first = true;
            loop {
                let mut open: Vec<&mut Case> =
                    cases.iter_mut().filter(|case| case.outcome.is_none()).collect();
                if open.is_empty() {
                    break;
                }
                let wanted: Vec<_> = open.iter().map(|case| case.id).collect();
                let fates: Fates = open.iter().filter_map(|case| case.fate).collect();
                let mut views = self.look_at(kind, &wanted, &fates).await?;
                if is_first && depth > 0 {
                    is_first = false;
                    if let Some(made) = self.make_references(&views, errand, depth - 1).await? {
                        referenced = made;
                        views = self.look_at(kind, &wanted, &fates).await?;
                    }
                }
                self.step(&mut open, &mut views, errand).await?;
            }
            let ended = cases.into_iter().map(|case| case.outcome.unwrap_or(Err(Trouble::Restless)));
            Ok(ended.chain(referenced).collect())
        }
        .boxed()
    }

    /// Does what is next for each.
    async fn step(&self, cases: &mut [&mut Case], views: &mut [View], errand: Errand) -> Result<(), Trouble> {
        let (mut fresh, mut document, mut end) = (Vec::new(), Vec::new(), Vec::new());
        for (at, (case, view)) in cases.iter_mut().zip(views.iter()).enumerate() {
            if view.is_absent() {
                let named = astrops_api::ids::object_hex(view.id.0).unwrap_or_default();
                case.outcome = Some(Err(Trouble::Absent(view.plan.entity, named)));
                continue;
            }
            let next = view.next;
            if matches!(next, Move::Begin | Move::Document) {
                case.tries += 1;
                if case.tries > TRIES {
                    case.outcome = Some(Err(Trouble::Restless));
                    continue;
                }
            }
            match next {
                Move::Begin => fresh.push(at),
                Move::Document => document.push(at),
                Move::Rest | Move::Finish(_) => end.push((at, None)),
            }
        }
        let begun = self.begin(&of(views, &fresh), errand).await?;
        for (at, begun) in fresh.into_iter().zip(begun) {
            match begun {
                Ok(Some(begun)) => {
                    // The document is written by comparing, so what was seen of it before is good enough.
                    document.extend((begun.intent.document != Action::Keep).then_some(at));
                    views[at].begun = Some(begun);
                }
                Ok(None) => {}
                Err(refused) => end.push((at, Some(refused))),
            }
        }
        let written = self.write_documents(&of(views, &document)).await?;
        for (at, written) in document.iter().zip(written) {
            let fate = *written.as_ref().unwrap_or(&Fate::Refused);
            cases[*at].fate = views[*at].begun.as_ref().map(|begun| (begun.id, fate));
            if let Err(refused) = written {
                end.push((*at, Some(refused)));
            }
        }
        let ends: Vec<_> = end.iter().map(|(at, refused)| (&views[*at], refused.as_ref())).collect();
        let told: Vec<Vec<String>> = end.iter().map(|(at, _)| cases[*at].texts.clone()).collect();
        let ended = self.end(&ends, told, errand.job).await?;
        for ((at, refused), texts) in end.into_iter().zip(ended) {
            let (case, view) = (&mut cases[at], &views[at]);
            let wrote = !texts.is_empty();
            case.texts = texts;
            if let Some(refused) = refused {
                case.outcome = Some(Err(refused));
            } else if view.plan.is_quiet() {
                let text = said(&case.texts, view);
                let (severity, how) = (view.severity(), view.how());
                let deleted = wrote && view.plan.history == History::Deleted;
                case.outcome = Some(Ok(Report { text, severity, wrote, deleted, how }));
            }
        }
        Ok(())
    }

    /// Makes what rows refer to and one side lacks, and answers what was written; `None` when nothing is lacking. What
    /// cannot be made shows as a conflict of the row that names it.
    async fn make_references(
        &self,
        views: &[View],
        errand: Errand,
        depth: u32,
    ) -> Result<Option<Vec<Result<Report, Trouble>>>, Trouble> {
        let (mut wanted, mut made) = (Vec::new(), Vec::new());
        for conflict in views.iter().flat_map(|view| &view.plan.conflicts) {
            let Reason::Dangling { field, id, .. } = conflict.reason else { continue };
            wanted.extend(facts::target(field).map(|kind| (kind, EntityId(embed(id)))));
        }
        wanted.sort_unstable();
        wanted.dedup();
        for some in wanted.chunk_by(|one, other| one.0 == other.0) {
            let ids: Vec<_> = some.iter().map(|(_, id)| *id).collect();
            let reports = self.through(some[0].0, &ids, errand, depth).await?;
            made.extend(reports.into_iter().filter(|report| report.as_ref().is_ok_and(|done| done.wrote)));
        }
        // Somebody else may have made it at the same time: then we wrote nothing, and it is there all the same.
        Ok((!wanted.is_empty()).then_some(made))
    }
}

fn of<'a>(views: &'a [View], places: &[usize]) -> Vec<&'a View> {
    places.iter().map(|&at| &views[at]).collect()
}

/// What was written, then what waits for a person.
pub(super) fn said(written: &[String], view: &View) -> String {
    let rest = changes_log::text(&view.plan);
    if written.is_empty() {
        return rest;
    }
    let waits = Some(rest).filter(|_| view.how().is_some());
    written.iter().cloned().chain(waits).collect::<Vec<_>>().join("; ")
}
