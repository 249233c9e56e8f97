//! A whole comparison, told row by row, for whoever only looks.

use super::{Comparer, Detail, Differing, detail};
use crate::{
    db::Db,
    documents::Documents,
    reconcile::{
        core::{mapping::Mapping, value::Pair},
        engine::Trouble,
    },
};

/// Rows that are read again at a time.
const BATCH: usize = 500;
/// Segments after which those that wait are read again, however few: whoever looks wants to see something.
const PATIENCE: u32 = 16;

/// A comparison of all rows of an entity.
pub struct Comparison {
    db: Db,
    documents: Documents,
    mapping: Mapping,
    comparer: Comparer,
    waiting: Vec<Differing>,
    /// Rows compared so far.
    pub rows: Pair<u64>,
    /// Rows of ours so far whose id carries no document's: they are not compared.
    pub foreign: u64,
}

impl Comparison {
    /// From the beginning.
    pub fn new(db: Db, documents: Documents, mapping: Mapping) -> Self {
        // Nobody would see the digests.
        let comparer = Comparer::new(db.clone(), documents.clone(), mapping.clone(), None, None);
        let (waiting, rows) = (Vec::new(), Pair::default());
        Self { db, documents, mapping, comparer, waiting, rows, foreign: 0 }
    }

    /// Some rows that differ, maybe none; `None` at the end. Each was read a second time: what became equal meanwhile is
    /// not among them.
    pub async fn next(&mut self) -> Result<Option<Vec<Detail>>, Trouble> {
        let (mut segments, mut is_end) = (0, false);
        while self.waiting.len() < BATCH && segments < PATIENCE && !is_end {
            let Some(segment) = self.comparer.next().await? else {
                is_end = true;
                continue;
            };
            segments += 1;
            self.rows.document += segment.rows.document;
            self.rows.relational += segment.rows.relational;
            self.foreign += segment.foreign;
            self.waiting.extend(segment.differing);
        }
        let batch: Vec<Differing> = self.waiting.drain(..self.waiting.len().min(BATCH)).collect();
        if batch.is_empty() {
            return Ok((!is_end).then(Vec::new));
        }
        detail(&self.db, &self.documents, &self.mapping, &batch).await.map(Some)
    }
}
