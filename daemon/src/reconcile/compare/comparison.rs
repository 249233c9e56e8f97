//! A whole comparison, told row by row, for whoever only looks.

use std::sync::Arc;

use super::{Comparer, Detail, Differing, detail};
use crate::{
    db::Db,
    documents::Documents,
    reconcile::{
        core::{digest::Hasher, mapping::Mapping, value::Pair},
        engine::Trouble,
    },
};

/// Rows that are read again at a time.
const BATCH: usize = 500;

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
        // Nobody sees these digests.
        let hasher = Arc::new(Hasher::new(&[0; 32]));
        let comparer = Comparer::new(db.clone(), documents.clone(), mapping.clone(), hasher, None);
        let (waiting, rows) = (Vec::new(), Pair::default());
        Self { db, documents, mapping, comparer, waiting, rows, foreign: 0 }
    }

    /// Some rows that differ, maybe none; `None` at the end. Each was read a second time: what became equal meanwhile is
    /// not among them.
    pub async fn next(&mut self) -> Result<Option<Vec<Detail>>, Trouble> {
        if self.waiting.is_empty() {
            let Some(segment) = self.comparer.next().await? else { return Ok(None) };
            self.rows.document += segment.rows.document;
            self.rows.relational += segment.rows.relational;
            self.foreign += segment.foreign;
            self.waiting = segment.differing;
        }
        let batch: Vec<Differing> = self.waiting.drain(..self.waiting.len().min(BATCH)).collect();
        if batch.is_empty() {
            return Ok(Some(Vec::new()));
        }
        detail(&self.db, &self.documents, &self.mapping, &batch).await.map(Some)
    }
}
