//! The three-way merge. B is what both sides last agreed on, D the document, R the relational row.
//!
//! | D vs B | R vs B | outcome |
//! |---|---|---|
//! | = | = | in sync |
//! | changed | = | R follows D (`rel_always`: D is put back, an override) |
//! | = | changed | D follows R (`doc_always`: R is put back, an override) |
//! | changed | changed, equal | agreed: the base moves |
//! | changed | changed, differ | authority, else conflict |
//! | no base | differ | authority; `manual`, or something on both sides under `*_prefer`: conflict |
//!
//! A group is one value. Clearing a field on one side alone is a change like any other and is mirrored: the base proves
//! that somebody did it. Only where both sides claim the field does nothing never overwrite something.
//!
//! What a person chose goes before all of that, and is written to whichever side holds something else.
//!
//! A field's conflict holds back that field; a guard's holds back the row. The base keeps what it had for a field in
//! conflict, and for the whole row when a guard spoke.

use std::ops::Range;

use astrops_api::vocabulary::EntityType;

use super::{
    choices::{Choices, DELETION},
    codec::{Fault, TIMES},
    guards::{self, Facts},
    mapping::{Authority, Mapping},
    plan::{Action, Change, Conflict, History, Plan, Reason, Rule, Write},
    value::{Base, Pair, Record, Side, Value},
};

/// A launch that has no end on the relational side yet lasts this long, in milliseconds.
const TWO_HOURS: i64 = 2 * 60 * 60 * 1000;

/// What one side answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Seen {
    /// There is no such row.
    #[default]
    Missing,
    /// There is one.
    Row {
        /// What it says.
        record: Record,
        /// When it was last updated, in milliseconds; only `newest` asks.
        updated_at: Option<i64>,
    },
    /// There is one that cannot be understood: not missing, so nothing is made or deleted because of it.
    Unreadable(Vec<Fault>),
}

impl Seen {
    /// What it says.
    pub const fn record(&self) -> Option<&Record> {
        if let Self::Row { record, .. } = self { Some(record) } else { None }
    }

    const fn updated_at(&self) -> Option<i64> {
        if let Self::Row { updated_at, .. } = self { *updated_at } else { None }
    }
}

/// Everything that a decision about one row rests on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Situation {
    /// What is known of its past.
    pub history: History,
    /// What each side answered.
    pub seen: Pair<Seen>,
    /// What the rules need to know besides.
    pub facts: Facts,
    /// What a person decided.
    pub choices: Choices,
}

/// Decides what is to be done about one row.
pub fn merge(mapping: &Mapping, situation: &Situation) -> Plan {
    let faults: Vec<&Fault> = [&situation.seen.document, &situation.seen.relational]
        .into_iter()
        .filter_map(|seen| if let Seen::Unreadable(faults) = seen { Some(faults) } else { None })
        .flatten()
        .collect();
    if !faults.is_empty() {
        return unreadable(mapping, situation, &faults);
    }
    match (situation.seen.document.record(), situation.seen.relational.record()) {
        (Some(document), Some(relational)) => both(mapping, situation, document, relational),
        (Some(record), None) => missing(mapping, situation, record, Side::Relational),
        (None, Some(record)) => missing(mapping, situation, record, Side::Document),
        (None, None) => Plan::nothing(
            mapping,
            match situation.history {
                History::Agreed(_) => History::Deleted,
                ref other => other.clone(),
            },
        ),
    }
}

fn unreadable(mapping: &Mapping, situation: &Situation, faults: &[&Fault]) -> Plan {
    let conflict = |fault: &&Fault| {
        let index = mapping.index(fault.field);
        Conflict {
            topic: index.map_or(fault.field, |index| mapping.fields()[index].label),
            fields: index.into_iter().collect(),
            reason: Reason::Unreadable((*fault).clone()),
            whole_row: true,
        }
    };
    let mut plan = Plan::nothing(mapping, situation.history.clone());
    plan.conflicts = faults.iter().map(conflict).collect();
    plan.conflicts.sort_by_key(|conflict| order(mapping, conflict));
    plan
}

fn missing(mapping: &Mapping, situation: &Situation, record: &Record, side: Side) -> Plan {
    let mut plan = Plan::nothing(mapping, situation.history.clone());
    match (&situation.history, situation.choices.deletion()) {
        (_, Some(kept)) if kept != side => create(mapping, situation, record, side),
        (History::Agreed(_), Some(_)) => delete(plan, record, side, guards::booked(side, &situation.facts)),
        (History::Deleted, _) => plan,
        (History::New, _) => create(mapping, situation, record, side),
        (History::Agreed(_), None) if !situation.facts.grace_over => {
            plan.waits = Some(side);
            plan
        }
        (History::Agreed(base), None) => {
            let changed: Vec<usize> =
                mapping.compared().filter(|&index| base.at(index) != Some(record.at(index))).collect();
            let reason = if changed.is_empty() {
                guards::keeps(mapping, record, side, &situation.facts)
            } else {
                Some(Reason::DeletedAndChanged(side))
            };
            let mut plan = delete(plan, record, side, reason);
            plan.conflicts.iter_mut().for_each(|conflict| conflict.fields.clone_from(&changed));
            plan
        }
    }
}

/// The row, which is missing on `side`, is deleted on the other too, unless a reason forbids it.
fn delete(mut plan: Plan, record: &Record, side: Side, reason: Option<Reason>) -> Plan {
    if let Some(reason) = reason {
        plan.conflicts.push(Conflict { topic: DELETION, fields: Vec::new(), reason, whole_row: true });
    } else {
        *plan.actions.of_mut(side.other()) = Action::Delete(record.clone());
        plan.history = History::Deleted;
    }
    plan
}

/// The row is made on `side` from the other side's `source`; fields that are ignored later are copied once.
fn create(mapping: &Mapping, situation: &Situation, source: &Record, side: Side) -> Plan {
    let fields = mapping.fields();
    let decided = situation.choices.over(source);
    let copied = fields
        .iter()
        .enumerate()
        .map(|(index, field)| if field.is_shared() { decided.at(index).clone() } else { Value::Null });
    let mut sides = Pair { document: None, relational: None };
    *sides.of_mut(side) = Some(Record::new(copied.collect()));
    *sides.of_mut(side.other()) = Some(decided);
    let mut before = Pair { document: None, relational: None };
    *before.of_mut(side.other()) = Some(source);

    let mut after =
        Pair { document: sides.document.as_ref(), relational: sides.relational.as_ref() }.cloned();
    derive(mapping, &before, &mut after, &situation.facts);
    let mut plan = Plan::nothing(mapping, situation.history.clone());
    plan.conflicts = guards::check(mapping, &before, &after.as_refs(), &situation.facts);
    if !plan.conflicts.is_empty() {
        return plan;
    }
    let Some(made) = after.of(side).clone() else { return plan };
    plan.changes = (0..fields.len())
        .filter(|&index| !made.at(index).is_blank())
        .map(|index| change(mapping, &before, None, index, made.at(index), side, Rule::Create, false))
        .collect();
    // The counters of the side that was there are put right in the same stroke, and what a person chose.
    let updates = writes(mapping, side.other(), Some(source), after.of(side.other()).as_ref());
    plan.changes.extend(updates.iter().map(|write| {
        let chosen = situation.choices.at(write.index).is_some();
        let rule = if chosen { Rule::Decision } else { Rule::Derived };
        let overridden = chosen && !write.before.is_blank();
        change(mapping, &before, None, write.index, &write.after, side.other(), rule, overridden)
    }));
    if !updates.is_empty() {
        *plan.actions.of_mut(side.other()) = Action::Update(updates);
    }
    plan.history = History::Agreed(Base::new(
        (0..fields.len()).map(|index| mapping.is_compared(index).then(|| made.at(index).clone())).collect(),
    ));
    *plan.actions.of_mut(side) = Action::Create(made);
    plan.changes.sort_by_key(|change| mapping.log_order(change.index));
    plan
}

/// What becomes of one field or group.
enum Verdict {
    Agreed,
    Write { to: Side, rule: Rule },
    Decided,
    Conflict(Reason),
}

fn both(mapping: &Mapping, situation: &Situation, document: &Record, relational: &Record) -> Plan {
    let base = if let History::Agreed(base) = &situation.history { Some(base) } else { None };
    let before = Pair { document: Some(document), relational: Some(relational) };
    let mut after = before.cloned();
    let mut plan = Plan::nothing(mapping, situation.history.clone());
    let mut agreed: Vec<Option<Value>> = vec![None; mapping.fields().len()];
    for unit in mapping.units().into_iter().filter(|unit| mapping.is_compared(unit.start)) {
        let decision = Unit { mapping, situation, base, document, relational, places: unit.clone() };
        match decision.verdict() {
            Verdict::Conflict(reason) => {
                let topic = mapping.fields()[unit.start].topic();
                plan.conflicts.push(Conflict {
                    topic,
                    fields: unit.clone().collect(),
                    reason,
                    whole_row: false,
                });
                unit.for_each(|index| agreed[index] = base.and_then(|base| base.at(index)).cloned());
            }
            Verdict::Agreed => unit.for_each(|index| agreed[index] = Some(document.at(index).clone())),
            Verdict::Write { to, rule } => {
                for index in unit {
                    let value = decision.sides(to.other()).0.at(index);
                    plan.changes.extend(decision.write(to, index, value, rule));
                    set(&mut after, to, index, value.clone());
                    agreed[index] = Some(value.clone());
                }
            }
            Verdict::Decided => {
                for index in unit {
                    let Some(value) = situation.choices.at(index) else { continue };
                    for to in [Side::Document, Side::Relational] {
                        plan.changes.extend(decision.write(to, index, value, Rule::Decision));
                        set(&mut after, to, index, value.clone());
                    }
                    agreed[index] = Some(value.clone());
                }
            }
        }
    }
    derive(mapping, &before, &mut after, &situation.facts);
    let wrong = guards::check(mapping, &before, &after.as_refs(), &situation.facts);
    if wrong.is_empty() {
        for side in [Side::Document, Side::Relational] {
            let writes = writes(mapping, side, *before.of(side), after.of(side).as_ref());
            for write in writes.iter().filter(|write| !mapping.is_compared(write.index)) {
                plan.changes.push(change(
                    mapping,
                    &before,
                    base,
                    write.index,
                    &write.after,
                    side,
                    Rule::Derived,
                    false,
                ));
            }
            if !writes.is_empty() {
                *plan.actions.of_mut(side) = Action::Update(writes);
            }
        }
        if agreed.iter().any(Option::is_some) {
            plan.history = History::Agreed(Base::new(agreed));
        }
    } else {
        plan.changes.clear();
        plan.conflicts.extend(wrong);
    }
    plan.changes.sort_by_key(|change| mapping.log_order(change.index));
    plan.conflicts.sort_by_key(|conflict| order(mapping, conflict));
    plan
}

/// A field or group on all three sides.
struct Unit<'a> {
    mapping: &'a Mapping,
    situation: &'a Situation,
    base: Option<&'a Base>,
    document: &'a Record,
    relational: &'a Record,
    places: Range<usize>,
}

impl Unit<'_> {
    fn verdict(&self) -> Verdict {
        if self.situation.choices.at(self.places.start).is_some() {
            return self.barred().map_or(Verdict::Decided, Verdict::Conflict);
        }
        if self.all(|index| self.document.at(index) == self.relational.at(index)) {
            return Verdict::Agreed;
        }
        if self.mapping.fields()[self.places.start].immutable {
            return Verdict::Conflict(Reason::Immutable);
        }
        match self.decide() {
            Verdict::Write { to, rule } => {
                self.veto(to).map_or(Verdict::Write { to, rule }, Verdict::Conflict)
            }
            other => other,
        }
    }

    /// Which side follows; both differ.
    fn decide(&self) -> Verdict {
        use Authority::{Derived, DocAlways, DocPrefer, Ignore, Manual, Newest, RelAlways, RelPrefer};
        use Side::{Document, Relational};
        let name = self.mapping.fields()[self.places.start].name;
        let owner = guards::owner(self.mapping, name, self.relational);
        let authority = owner.unwrap_or_else(|| self.mapping.authority(self.places.start));
        let wins = |side: Side| Verdict::Write { to: side.other(), rule: Rule::Authority(authority) };
        let known = self.base.is_some_and(|base| self.all(|index| base.at(index).is_some()));
        let changed = |record: &Record| {
            !known || !self.all(|index| self.base.and_then(|base| base.at(index)) == Some(record.at(index)))
        };
        match (changed(self.document), changed(self.relational), authority) {
            (_, _, DocAlways) if changed(self.relational) => wins(Document),
            (_, _, RelAlways) if changed(self.document) => wins(Relational),
            (true, false, _) => Verdict::Write { to: Relational, rule: Rule::Mirror },
            (false, true, _) => Verdict::Write { to: Document, rule: Rule::Mirror },
            (_, _, Manual | Derived | Ignore) => {
                Verdict::Conflict(if known { Reason::BothChanged } else { Reason::NeverAgreed })
            }
            (_, _, DocPrefer | RelPrefer | Newest { .. }) if !known && self.fills(Document) => {
                Verdict::Write { to: Relational, rule: Rule::Fill }
            }
            (_, _, DocPrefer | RelPrefer | Newest { .. }) if !known && self.fills(Relational) => {
                Verdict::Write { to: Document, rule: Rule::Fill }
            }
            (_, _, DocPrefer | RelPrefer) if !known => Verdict::Conflict(Reason::NeverAgreed),
            (_, _, DocPrefer) if self.fills(Relational) => Verdict::Write { to: Document, rule: Rule::Fill },
            (_, _, RelPrefer) if self.fills(Document) => Verdict::Write { to: Relational, rule: Rule::Fill },
            (_, _, DocAlways | DocPrefer) => wins(Document),
            (_, _, RelAlways | RelPrefer) => wins(Relational),
            (_, _, Newest { threshold }) => {
                let seen = &self.situation.seen;
                let times = seen.document.updated_at().zip(seen.relational.updated_at());
                times
                    .and_then(|(document, relational)| Pair { document, relational }.ahead(threshold))
                    .map_or(Verdict::Conflict(Reason::TooClose), wins)
            }
        }
    }

    /// Whether the other side has nothing wherever it differs from this one.
    fn fills(&self, side: Side) -> bool {
        let (this, other) = self.sides(side);
        self.all(|index| this.at(index) == other.at(index) || other.at(index).is_blank())
    }

    fn veto(&self, to: Side) -> Option<Reason> {
        let (target, source) = self.sides(to);
        self.places.clone().find_map(|index| {
            let name = self.mapping.fields()[index].name;
            guards::veto(name, to, target.at(index), source.at(index), &self.situation.facts)
        })
    }

    fn barred(&self) -> Option<Reason> {
        let relational = self.relational;
        self.places.clone().find_map(|index| {
            let name = self.mapping.fields()[index].name;
            let chosen = self.situation.choices.at(index)?;
            guards::bars(name, Side::Relational, relational.at(index), chosen, &self.situation.facts)
        })
    }

    /// What is written when that side does not hold the value yet.
    fn write(&self, to: Side, index: usize, value: &Value, rule: Rule) -> Option<Change> {
        let before = Pair { document: Some(self.document), relational: Some(self.relational) };
        let replaced = self.sides(to).0.at(index);
        let known = self.base.and_then(|base| base.at(index));
        let overridden = known.map_or(!replaced.is_blank(), |known| known != replaced);
        (replaced != value)
            .then(|| change(self.mapping, &before, self.base, index, value, to, rule, overridden))
    }

    /// That side's record, then the other's.
    const fn sides(&self, side: Side) -> (&Record, &Record) {
        match side {
            Side::Document => (self.document, self.relational),
            Side::Relational => (self.relational, self.document),
        }
    }

    fn all(&self, test: impl Fn(usize) -> bool) -> bool {
        self.places.clone().all(test)
    }
}

/// Fields that follow from others: counters from bookings, an end that keeps its distance from the start.
fn derive(
    mapping: &Mapping,
    before: &Pair<Option<&Record>>,
    after: &mut Pair<Option<Record>>,
    facts: &Facts,
) {
    if mapping.entity != EntityType::Launch {
        return;
    }
    let time = |record: Option<&Record>, name: &str| record?.at(mapping.index(name)?).time();
    let start = time(after.relational.as_ref(), "date");
    let was = time(before.relational, "date").zip(time(before.relational, "end"));
    if let (Some(start), Some(index)) = (start, mapping.index("end")) {
        let length = was.map_or(TWO_HOURS, |(start, end)| end - start);
        // The last time that there is comes after no other.
        let end = start.saturating_add(length).min(*TIMES.end());
        set(after, Side::Relational, index, Value::Time(end));
    }
    let Some(seats) = facts.seats else { return };
    let capacity = mapping.index("capacity");
    let capacity = capacity.and_then(|index| after.document.as_ref()?.at(index).int());
    if let (Some(capacity), Some(index)) = (capacity, mapping.index("availableTickets")) {
        set(after, Side::Document, index, Value::Int(capacity - seats));
    }
    if let Some(index) = mapping.index("numberOfAttendees") {
        set(after, Side::Relational, index, Value::Int(seats));
    }
}

fn set(sides: &mut Pair<Option<Record>>, side: Side, index: usize, value: Value) {
    if let Some(record) = sides.of_mut(side).take() {
        *sides.of_mut(side) = Some(record.with(index, value));
    }
}

fn writes(mapping: &Mapping, side: Side, before: Option<&Record>, after: Option<&Record>) -> Vec<Write> {
    let (Some(before), Some(after)) = (before, after) else { return Vec::new() };
    let place = |index: usize| match side {
        Side::Document => mapping.fields()[index].document,
        Side::Relational => mapping.fields()[index].relational,
    };
    (0..mapping.fields().len())
        .filter(|&index| before.at(index) != after.at(index))
        .filter_map(|index| {
            let (before, after) = (before.at(index).clone(), after.at(index).clone());
            Some(Write { index, place: place(index)?, before, after })
        })
        .collect()
}

#[expect(clippy::too_many_arguments, reason = "a change has these many parts")]
fn change(
    mapping: &Mapping,
    before: &Pair<Option<&Record>>,
    base: Option<&Base>,
    index: usize,
    after: &Value,
    written: Side,
    rule: Rule,
    overridden: bool,
) -> Change {
    let field = &mapping.fields()[index];
    let held = |record: Option<&Record>| record.map_or(Value::Null, |record| record.at(index).clone());
    Change {
        index,
        field: field.name,
        label: field.label,
        before: Pair { document: held(before.document), relational: held(before.relational) },
        base: base.and_then(|base| base.at(index)).cloned(),
        after: after.clone(),
        written,
        rule,
        overridden,
    }
}

fn order(mapping: &Mapping, conflict: &Conflict) -> (usize, usize) {
    let first = conflict.fields.iter().map(|&index| mapping.log_order(index)).min();
    first.unwrap_or((usize::MAX, usize::MAX))
}

impl Pair<Option<&Record>> {
    fn cloned(self) -> Pair<Option<Record>> {
        Pair { document: self.document.cloned(), relational: self.relational.cloned() }
    }
}

impl Pair<Option<Record>> {
    const fn as_refs(&self) -> Pair<Option<&Record>> {
        Pair { document: self.document.as_ref(), relational: self.relational.as_ref() }
    }
}
