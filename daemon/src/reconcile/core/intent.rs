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
//! Everything is decided from what was just read, so whoever looks next goes on where the last one was torn away. Our side
//! is written in the transaction that makes the intent, so an intent proves that it was; the document proves by its values
//! whether it was. Both are written by compare-and-set.
//!
//! A value that was written becomes the base although one side may have moved on since: the side it came from held it when
//! it was read, the other when it was written. Without that a second edit, made just behind the first, would look like an
//! edit on both sides. Only when a crash hides whether the document was written, and somebody else has written it since,
//! is nothing known: the field counts as never agreed on, and a person decides.
//!
//! Limits: a writer that puts back exactly what we replaced, between our crash and the next look, is taken for a write
//! that was never made.

use super::{
    mapping::Mapping,
    merge::{Seen, Situation, merge},
    plan::{Action, Change, History, Plan, Rule, Standing, Write},
    value::{Base, Pair, Record, Side, Value},
};

/// What is known of the write of a document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    /// Nothing: whoever was to write it is gone, or two were at it and one of them came late.
    #[default]
    Unknown,
    /// It was made.
    Written,
    /// The documents refused it.
    Refused,
}

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
    Finish(Fate),
}

/// What was begun.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intent {
    /// What is done to the document; never [`Action::Delete`].
    pub document: Action,
    /// The entity is deleted on both sides when it is done.
    pub deletes: bool,
    /// What is agreed on when it is done.
    pub moved: Vec<Moved>,
}

/// A value that both sides hold when it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Its place in the mapping.
    pub index: usize,
    /// Where it is written.
    pub written: Side,
    /// The value.
    pub value: Value,
}

/// What is next, and why.
#[derive(Clone, Debug)]
pub struct Decision {
    /// The step.
    pub next: Move,
    /// What it rests on; with the base as it is when the step is done.
    pub situation: Situation,
    /// What is to be done when nothing is under way any more.
    pub plan: Plan,
}

/// Decides what is next, with what was begun and what is known of it.
pub fn decide(mapping: &Mapping, mut situation: Situation, begun: Option<(&Intent, Fate)>) -> Decision {
    let under_way = begun.map(|(intent, fate)| match (fate, intent.standing(&situation.seen.document)) {
        (Fate::Written, _) | (_, Standing::After) => Move::Finish(Fate::Written),
        (_, Standing::Before) => Move::Document,
        (fate, Standing::Neither) => Move::Finish(fate),
    });
    if let (Some((intent, _)), Some(Move::Finish(fate))) = (begun, under_way) {
        situation.history = intent.history(mapping, fate, &situation.history);
    }
    let plan = merge(mapping, &situation);
    let rest = if plan.is_quiet() { Move::Rest } else { Move::Begin };
    Decision { next: under_way.unwrap_or(rest), situation, plan }
}

impl Intent {
    /// Where the document stands. One that cannot be understood was written by somebody else.
    fn standing(&self, document: &Seen) -> Standing {
        match (&self.document, document) {
            (Action::Keep, _) => Standing::After,
            (_, Seen::Unreadable(_)) => Standing::Neither,
            (action, Seen::Missing) => action.standing(None),
            (action, Seen::Row { record, .. }) => action.standing(Some(record)),
        }
    }

    /// What is known of the past when it is done.
    fn history(&self, mapping: &Mapping, fate: Fate, before: &History) -> History {
        if self.deletes && fate == Fate::Written {
            return History::Deleted;
        }
        let mut values: Vec<Option<Value>> = match before {
            History::Agreed(base) => (0..mapping.fields().len()).map(|at| base.at(at).cloned()).collect(),
            History::New | History::Deleted => vec![None; mapping.fields().len()],
        };
        // A person's value may be written on both sides: then it counts when the document has it.
        let on = |side: Side| self.moved.iter().filter(move |moved| moved.written == side);
        for moved in on(Side::Relational).chain(on(Side::Document)) {
            values[moved.index] = match (moved.written, fate) {
                (Side::Relational, _) | (Side::Document, Fate::Written) => Some(moved.value.clone()),
                (Side::Document, Fate::Unknown) => None,
                (Side::Document, Fate::Refused) => match before {
                    History::Agreed(base) => base.at(moved.index).cloned(),
                    History::New | History::Deleted => None,
                },
            };
        }
        if values.iter().all(Option::is_none) { before.clone() } else { History::Agreed(Base::new(values)) }
    }
}

impl Plan {
    /// Deletes nothing for good: the row that is left becomes inactive, a booking is cancelled at `now`, in milliseconds.
    #[must_use]
    pub fn softened(mut self, mapping: &Mapping, now: i64) -> Self {
        for side in [Side::Document, Side::Relational] {
            let Action::Delete(record) = self.actions.of(side) else { continue };
            let writes = tombstone(mapping, record, side, now);
            for write in &writes {
                let mut before = Pair::default();
                *before.of_mut(side) = write.before.clone();
                self.changes.push(Change {
                    index: write.index,
                    field: mapping.fields()[write.index].name,
                    label: mapping.fields()[write.index].label,
                    before,
                    base: None,
                    after: write.after.clone(),
                    written: side,
                    rule: Rule::Delete,
                    overridden: false,
                });
            }
            *self.actions.of_mut(side) = Action::Update(writes);
        }
        self
    }

    /// What is begun with it; the plan is [`softened`](Self::softened).
    pub fn intent(&self, mapping: &Mapping) -> Intent {
        let mut moved = Vec::new();
        for written in [Side::Document, Side::Relational] {
            let mut put = |index: usize, value: &Value| {
                if mapping.is_compared(index) {
                    moved.push(Moved { index, written, value: value.clone() });
                }
            };
            match self.actions.of(written) {
                Action::Keep | Action::Delete(_) => {}
                Action::Create(made) => {
                    made.values().iter().enumerate().for_each(|(index, value)| put(index, value));
                }
                Action::Update(writes) => writes.iter().for_each(|write| put(write.index, &write.after)),
            }
        }
        Intent { document: self.actions.document.clone(), deletes: self.history == History::Deleted, moved }
    }
}

impl Decision {
    /// What both sides are known to have held when the step is done; `None`: they never agreed.
    pub fn agreed(&self, mapping: &Mapping) -> Option<History> {
        let (before, is_quiet) = (&self.situation.history, self.plan.is_quiet());
        if self.plan.history == History::Deleted && (is_quiet || *before == History::Deleted) {
            return Some(History::Deleted);
        }
        let known = |at: usize| if let History::Agreed(base) = before { base.at(at) } else { None };
        let sides = (self.situation.seen.document.record(), self.situation.seen.relational.record());
        let ((Some(document), Some(relational)), true) = (sides, is_quiet) else {
            return Some(before.clone()).filter(|history| *history != History::New);
        };
        let History::Agreed(planned) = &self.plan.history else { return None };
        // Only what both were seen to hold.
        let held = |at: usize| {
            let value = document.at(at);
            let both = value == relational.at(at) && planned.at(at) == Some(value);
            (both && mapping.is_compared(at)).then_some(value)
        };
        let values = (0..mapping.fields().len()).map(|at| held(at).or_else(|| known(at)).cloned());
        Some(History::Agreed(Base::new(values.collect())))
    }
}

/// What of a row changes when it is deleted on the other side.
fn tombstone(mapping: &Mapping, record: &Record, side: Side, now: i64) -> Vec<Write> {
    let wanted: [(&str, Value); 4] = [
        ("isActive", Value::Bool(false)),
        ("status", Value::Word("cancelled")),
        ("cancellationReason", Value::Text(format!("deleted on the {} side", side.other()))),
        ("cancelledAt", Value::Time(now)),
    ];
    let is_cancelled =
        mapping.index("status").is_some_and(|index| *record.at(index) == Value::Word("cancelled"));
    wanted
        .into_iter()
        .filter(|(name, _)| !(is_cancelled && matches!(*name, "cancellationReason" | "cancelledAt")))
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
