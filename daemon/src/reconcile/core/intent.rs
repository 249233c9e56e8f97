//! Writing two databases that share no transaction, so that a crash at any moment loses and doubles nothing.
//!
//! ```text
//!            nothing to do                  our side written, intent kept
//!   Rest <---------------- look ----> Begin ----------------------------> look
//!                           ^                                              | how does the document stand?
//!                           |                                              +- before -> Document -> look
//!                           '------ Finish (intent gone, change logged) <--+- after, or neither
//! ```
//!
//! Everything is decided from what was just read, so whoever looks next goes on where the last one was torn away: there
//! is no other memory of a step. Our side is written in the transaction that makes the intent, so an intent proves that
//! it was; the document proves by its values whether it was. Both are written by compare-and-set.
//!
//! Limits: a writer that puts back exactly what we replaced, between our crash and the next look, is taken for a write
//! that was never made.

use super::{
    mapping::Mapping,
    plan::{Action, Change, History, Plan, Rule, Standing, Write},
    value::{Record, Side, Value},
};

/// What is next for one entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// Nothing is to be written: remember what both hold, and what waits for a person.
    Rest,
    /// Write our side and keep the intent, in one transaction.
    Begin,
    /// Write the document of the intent.
    Document,
    /// Put into the change log what was written, and drop the intent.
    Finish {
        /// The document was written too. Otherwise somebody else wrote it first.
        complete: bool,
    },
}

/// What was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// What is done to the document; never [`Action::Delete`].
    pub document: Action,
    /// The entity is deleted on both sides when it is done.
    pub deletes: bool,
}

impl Intent {
    /// Where the document stands. One that cannot be understood was written by somebody else.
    pub fn standing(&self, document: Seen<'_>) -> Standing {
        match (&self.document, document) {
            (Action::Keep, _) => Standing::After,
            (_, Seen::Unreadable) => Standing::Neither,
            (action, Seen::Missing) => action.standing(None),
            (action, Seen::Row(record)) => action.standing(Some(record)),
        }
    }
}

/// A document, as far as an intent asks.
#[derive(Clone, Copy, Debug)]
pub enum Seen<'a> {
    /// There is none.
    Missing,
    /// It says this.
    Row(&'a Record),
    /// It cannot be understood.
    Unreadable,
}

/// What is next, with what was begun and where the document stands, else by the plan.
pub fn next(begun: Option<Standing>, plan: &Plan) -> Move {
    match begun {
        Some(Standing::Before) => Move::Document,
        Some(Standing::After) => Move::Finish { complete: true },
        Some(Standing::Neither) => Move::Finish { complete: false },
        None if plan.is_quiet() => Move::Rest,
        None => Move::Begin,
    }
}

impl Plan {
    /// Deletes nothing for good: the row that is left becomes inactive, a booking is cancelled.
    #[must_use]
    pub fn softened(mut self, mapping: &Mapping) -> Self {
        for side in [Side::Document, Side::Relational] {
            let Action::Delete(record) = self.actions.of(side) else { continue };
            let writes = tombstone(mapping, record, side);
            let changes = writes.iter().map(|write| Change {
                index: write.index,
                field: mapping.fields()[write.index].name,
                label: mapping.fields()[write.index].label,
                before: {
                    let mut before = super::value::Pair::default();
                    *before.of_mut(side) = write.before.clone();
                    before
                },
                base: self.base_at(write.index),
                after: write.after.clone(),
                written: side,
                rule: Rule::Delete,
                overridden: false,
            });
            let changes: Vec<_> = changes.collect();
            self.changes.extend(changes);
            *self.actions.of_mut(side) = Action::Update(writes);
        }
        self
    }

    fn base_at(&self, index: usize) -> Option<Value> {
        if let History::Agreed(base) = &self.history { base.at(index).cloned() } else { None }
    }

    /// What is begun with it; the plan is [`softened`](Self::softened).
    pub fn intent(&self) -> Intent {
        Intent { document: self.actions.document.clone(), deletes: self.history == History::Deleted }
    }
}

/// What of a row changes when it is deleted on the other side.
fn tombstone(mapping: &Mapping, record: &Record, side: Side) -> Vec<Write> {
    let other = side.other();
    let wanted: [(&str, Value); 3] = [
        ("isActive", Value::Bool(false)),
        ("status", Value::Word("cancelled")),
        ("cancellationReason", Value::Text(format!("deleted on the {other} side"))),
    ];
    let cancelled =
        mapping.index("status").is_some_and(|index| *record.at(index) == Value::Word("cancelled"));
    wanted
        .into_iter()
        .filter(|(name, _)| !(cancelled && *name == "cancellationReason"))
        .filter_map(|(name, after)| {
            let index = mapping.index(name)?;
            let field = &mapping.fields()[index];
            let place = match side {
                Side::Document => field.document,
                Side::Relational => field.relational,
            };
            Some(Write { index, place: place?, before: record.at(index).clone(), after })
        })
        .filter(|write| write.before != write.after)
        .collect()
}
