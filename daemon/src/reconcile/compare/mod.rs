//! Comparing all rows of an entity: both sides are read in ascending order of id, page by page, and merged. Nothing is
//! written.
//!
//! ```text
//! documents  --page--> canonical bytes \
//!                                        ordered merge --Segment--> sweep, `astrops reconcile compare`
//! relational --page--> canonical bytes /
//! ```
//!
//! # Limits
//! - A segment is no snapshot: its two pages are read at about the same time, not at the same moment. What differs is a
//!   candidate and must be looked at again before anything is done about it.
//! - Only compared fields count, and the seats that a launch has left by each side's counter. Whether the bookings hold
//!   so many is asked by the sweep (`reconcile/seats.rs`).
//! - Rows of ours whose id carries no document's are counted ([`Segment::foreign`]) and not compared.
//! - Two pages of each side are in memory, at most a few mebibytes each unless single documents are larger.
//!
//! # Files
//! `page` canonical bytes from borrowed values · `json`, `bson` and `time` read those of documents · `documents`
//! and `relational` read pages · `pace` how large, how fast · `detail` both sides of a row, field by field.

#[cfg(feature = "mongodb")]
mod bson;
mod comparison;
mod detail;
mod documents;
mod json;
mod pace;
mod page;
mod relational;
#[cfg(test)]
mod tests;
mod time;

use std::{
    ops::RangeInclusive,
    sync::Arc,
    time::{Duration, Instant},
};

use astrops_api::ids;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

pub use comparison::Comparison;
pub use detail::{Detail, FieldDetail, detail};
pub use pace::Pace;

use self::page::{Layout, Page, Row};
use super::{
    core::{
        digest::{Digest, Hasher},
        mapping::Mapping,
        value::{Id, Pair, Side},
    },
    engine::Trouble,
};
use crate::{db::Db, documents::Documents};

/// So many rows are in a page.
const ROWS: RangeInclusive<u32> = 100..=20_000;

/// Compares all rows of an entity from an id on.
pub struct Comparer {
    mapping: Mapping,
    hasher: Option<Arc<Hasher>>,
    with_equal: bool,
    sides: Pair<Stream>,
    done: bool,
}

/// What two pages had in common.
#[derive(Debug, Default)]
pub struct Segment {
    /// Both sides were read whole up to this id; `None`: to the end. Resume behind it.
    pub through: Option<Id>,
    /// How many rows each side had.
    pub rows: Pair<u64>,
    /// Over the keyed hashes of each side's canonical bytes; empty without a hasher.
    pub digests: Pair<Digest>,
    /// Ascending by id.
    pub differing: Vec<Differing>,
    /// Rows that are equal on both sides, with their hash ([`Hasher::row`]); only when asked for,
    /// and with a hasher.
    pub equal: Vec<(Id, u128)>,
    /// Rows of ours whose id carries no document's.
    pub foreign: u64,
}

/// A row that is not the same on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Differing {
    /// Which.
    pub id: Id,
    /// How.
    pub kind: Kind,
}

/// How a row differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A compared field does, or the seats that are left.
    Differs,
    /// The documents do not have it.
    MissingDocument,
    /// We do not have it.
    MissingRelational,
    /// A side holds something that cannot be understood.
    Unreadable,
}

/// One side, read ahead.
struct Stream {
    source: Option<(Source, Pace)>,
    pages: Option<Pages>,
    page: Page,
    /// Rows of the page that are done.
    at: usize,
    started: bool,
}

/// The pages that were read ahead; who reads them ends with it.
type Pages = (mpsc::Receiver<Result<Page, Trouble>>, AbortOnDropHandle<()>);

/// Where a side's pages come from.
struct Source {
    at: At,
    mapping: Mapping,
    layout: Arc<Layout>,
    after: Option<Uuid>,
}

enum At {
    Documents(Documents),
    Relational(Db),
}

impl Comparer {
    /// From behind `after` (nothing: from the beginning) through the last id of both sides. Reads nothing yet. Without a hasher
    /// it only says what differs.
    pub fn new(
        db: Db,
        documents: Documents,
        mapping: Mapping,
        hasher: impl Into<Option<Arc<Hasher>>>,
        after: Option<Id>,
    ) -> Self {
        let stream = |at: At, side: Side| {
            let is_embedded = match &at {
                At::Documents(documents) => documents.kind() == "sqlite",
                At::Relational(db) => db.kind() == "sqlite",
            };
            let pace = Pace::new(if is_embedded { pace::EMBEDDED } else { pace::SERVER }, ROWS);
            let layout = Arc::new(Layout::new(&mapping, side));
            let source = Source { at, mapping: mapping.clone(), layout, after: after.map(ids::embed) };
            let source = Some((source, pace));
            Stream { source, pages: None, page: Page::default(), at: 0, started: false }
        };
        let sides = Pair {
            document: stream(At::Documents(documents), Side::Document),
            relational: stream(At::Relational(db), Side::Relational),
        };
        Self { mapping, hasher: hasher.into(), with_equal: false, sides, done: false }
    }

    /// Whether segments tell the rows that are equal, too.
    #[must_use]
    pub fn with_equal(self, with_equal: bool) -> Self {
        Self { with_equal, ..self }
    }

    /// Pages of so many rows.
    #[must_use]
    pub fn with_rows(mut self, rows: RangeInclusive<u32>) -> Self {
        for side in [Side::Document, Side::Relational] {
            if let Some((_, pace)) = &mut self.sides.of_mut(side).source {
                *pace = Pace::new(pace::EMBEDDED, rows.clone());
            }
        }
        self
    }

    /// The next segment; `None` behind the last. After an error the rest of the comparison is lost: begin anew behind the
    /// last segment. Dropping it stops the reading.
    pub async fn next(&mut self) -> Result<Option<Segment>, Trouble> {
        if self.done {
            return Ok(None);
        }
        let mut segment = Segment::default();
        loop {
            let (document, relational) = (&mut self.sides.document, &mut self.sides.relational);
            let (one, other) = tokio::join!(document.fill(), relational.fill());
            self.done = one.is_err() || other.is_err();
            one?;
            other?;
            segment.foreign += std::mem::take(&mut relational.page.foreign);
            let bound = document.through().min(relational.through());
            let rows = Pair { document: document.upto(bound), relational: relational.upto(bound) };
            self.merge(&rows, &mut segment);
            self.sides.document.at = rows.document.end;
            self.sides.relational.at = rows.relational.end;
            if bound == Bound::End {
                self.done = true;
                segment.through = None;
                return Ok(Some(segment));
            }
            if segment.through.is_some() {
                return Ok(Some(segment));
            }
        }
    }

    fn merge(&self, ranges: &Pair<std::ops::Range<usize>>, segment: &mut Segment) {
        let (left, right) = (&self.sides.document.page, &self.sides.relational.page);
        let hash = |page: &Page, row: Row| {
            let hasher = self.hasher.as_ref()?;
            Some(hasher.fields(&self.mapping, &row.id, page.bytes(row)))
        };
        let mut lefts = left.rows[ranges.document.clone()].iter().copied().peekable();
        let mut rights = right.rows[ranges.relational.clone()].iter().copied().peekable();
        segment.rows.document += ranges.document.len() as u64;
        segment.rows.relational += ranges.relational.len() as u64;
        loop {
            let next = [lefts.peek(), rights.peek()].into_iter().flatten().map(|row| row.id).min();
            let Some(id) = next else { return };
            segment.through = Some(id);
            let (one, other) = (lefts.next_if(|row| row.id == id), rights.next_if(|row| row.id == id));
            let kind = match (one, other) {
                (Some(one), Some(other))
                    if one.left == other.left && left.bytes(one) == right.bytes(other) =>
                {
                    if let Some(row) = hash(left, one) {
                        segment.digests.document.add(row);
                        segment.digests.relational.add(row);
                        if self.with_equal {
                            segment.equal.push((id, row));
                        }
                    }
                    continue;
                }
                (Some(_), Some(_)) => Kind::Differs,
                (Some(_), None) => Kind::MissingRelational,
                (None, _) => Kind::MissingDocument,
            };
            segment.digests.document.extend(one.and_then(|row| hash(left, row)));
            segment.digests.relational.extend(other.and_then(|row| hash(right, row)));
            let readable =
                one.is_none_or(|row| left.is_readable(row)) && other.is_none_or(|row| right.is_readable(row));
            segment.differing.push(Differing { id, kind: if readable { kind } else { Kind::Unreadable } });
        }
    }
}

/// How far a side was read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Bound {
    Key(Uuid),
    End,
}

impl Stream {
    /// Makes sure that there is a row, or none left.
    async fn fill(&mut self) -> Result<(), Trouble> {
        if let Some((source, pace)) = self.source.take() {
            let (sender, receiver) = mpsc::channel(1);
            let task = tokio::spawn(source.read_ahead(pace, sender));
            self.pages = Some((receiver, AbortOnDropHandle::new(task)));
        }
        if self.started && (self.at < self.page.rows.len() || self.page.through.is_none()) {
            return Ok(());
        }
        let Some((pages, _)) = &mut self.pages else { return Ok(()) };
        // A reader that ends before the end has panicked; that was told.
        let gone = || sqlx::Error::Protocol("the reader of a side stopped".to_owned());
        let page = pages.recv().await.ok_or_else(gone)??;
        (self.page, self.at, self.started) = (page, 0, true);
        Ok(())
    }

    fn through(&self) -> Bound {
        self.page.through.map_or(Bound::End, Bound::Key)
    }

    /// The rows that are not done, up to a key.
    fn upto(&self, bound: Bound) -> std::ops::Range<usize> {
        let rest = self.page.rows.get(self.at..).unwrap_or_default();
        let inside = rest.partition_point(|row| Bound::Key(ids::embed(row.id)) <= bound);
        self.at..self.at + inside
    }
}

impl Source {
    /// Reads one page ahead of whoever takes them.
    async fn read_ahead(mut self, mut pace: Pace, takers: mpsc::Sender<Result<Page, Trouble>>) {
        while let Ok(slot) = takers.reserve().await {
            let begin = Instant::now();
            let answer = self.page(pace.rows()).await;
            let rest = answer.as_ref().map_or(Duration::ZERO, |found| {
                let foreign = usize::try_from(found.foreign).unwrap_or(usize::MAX);
                pace.took(found.rows.len().saturating_add(foreign), found.raw, begin.elapsed())
            });
            self.after = answer.as_ref().ok().and_then(|found| found.through);
            slot.send(answer);
            if self.after.is_none() {
                return;
            }
            if !rest.is_zero() {
                tokio::time::sleep(rest).await;
            }
        }
    }

    async fn page(&self, limit: u32) -> Result<Page, Trouble> {
        let Self { mapping, layout, after, .. } = self;
        let page = match &self.at {
            At::Documents(documents) => {
                documents::read(documents, mapping, layout, after.and_then(ids::extract), limit).await?
            }
            At::Relational(db) => relational::read(db, mapping, layout, *after, limit).await?,
        };
        if page.rows.is_sorted_by(|one, next| one.id < next.id) {
            Ok(page)
        } else {
            Err(sqlx::Error::Protocol("a side answered out of order".to_owned()).into())
        }
    }
}
