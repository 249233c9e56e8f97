//! What holds for every row, whatever it contains: random rows from small domains, so that all coincidences occur, held
//! against the oracle and against the promises of the design.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::{
    changes_log, codec, guards,
    mapping::{Authority, Codec, Field},
    plan::{Action, Reason, Rule},
};
use super::*;

/// A value of a field from a domain so small that sides often agree.
fn value(field: &Field) -> BoxedStrategy<Value> {
    let one_of = |values: Vec<Value>| proptest::sample::select(values).boxed();
    let words = |words: &[&'static str]| one_of(words.iter().map(|word| Value::Word(word)).collect());
    match (field.name, field.codec) {
        ("status", _) => words(&["confirmed", "cancelled", "pending"]),
        ("paymentStatus", _) => words(&["paid", "pending", "failed", "refunded"]),
        ("role", _) => words(&["user", "admin"]),
        ("paymentMethod", _) => one_of(vec![Value::Null, Value::Word("cash"), Value::Word("stripe")]),
        ("title" | "email", _) => one_of(vec![text("a"), text("b"), text("c")]),
        (_, Codec::Text | Codec::Email) => one_of(vec![Value::Null, text("a"), text("b"), text("c")]),
        ("cancelledAt", _) => one_of(vec![Value::Null, Value::Time(0), Value::Time(HOUR)]),
        ("end", _) => one_of([2, 3, 5].map(|hours| Value::Time(hours * HOUR)).to_vec()),
        (_, Codec::Time) => one_of([1, 2, 4].map(|hours| Value::Time(hours * HOUR)).to_vec()),
        (_, Codec::Money) => one_of([0, 1_999, 2_000].map(Value::Money).to_vec()),
        (_, Codec::Int { .. }) => one_of([1, 2, 3].map(Value::Int).to_vec()),
        (_, Codec::Bool) => one_of([true, false].map(Value::Bool).to_vec()),
        (_, Codec::Id) => one_of([[1; 12], [2; 12]].map(Value::Id).to_vec()),
        (_, Codec::Word { .. }) => unreachable!("every word has its line above"),
    }
}

/// A record as a side has it; immutable fields mostly agree.
fn side(entity: EntityType, side: Side) -> BoxedStrategy<Record> {
    let mapping = Mapping::of(entity);
    let fields: Vec<BoxedStrategy<Value>> = mapping
        .fields()
        .iter()
        .map(|field| {
            let has = if side == Side::Document { field.document } else { field.relational };
            match has {
                None => Just(Value::Null).boxed(),
                Some(_) if field.immutable => {
                    let usual = sample(entity).into_iter().find(|(name, _)| *name == field.name).unwrap().1;
                    prop_oneof![9 => Just(usual), 1 => value(field)].boxed()
                }
                Some(_) => value(field),
            }
        })
        .collect();
    fields.prop_map(Record::new).boxed()
}

fn authorities(entity: EntityType) -> BoxedStrategy<Mapping> {
    let names: Vec<&'static str> = {
        let fields = Mapping::of(entity).fields();
        // One per group: the first member speaks for it.
        let is_first = |index: usize| {
            fields[index].group.is_none() || index == 0 || fields[index - 1].group != fields[index].group
        };
        (0..fields.len()).filter(|&at| !fields[at].pinned && is_first(at)).map(|at| fields[at].name).collect()
    };
    let words = ["doc_always", "rel_always", "doc_prefer", "rel_prefer", "newest:5", "manual", "ignore"];
    proptest::collection::vec(proptest::option::of(proptest::sample::select(words.to_vec())), names.len())
        .prop_map(move |chosen| {
            let overrides: BTreeMap<String, Authority> = names
                .iter()
                .zip(chosen)
                .filter_map(|(name, word)| Some(((*name).to_owned(), word?.parse().unwrap())))
                .collect();
            Mapping::with(entity, &overrides).unwrap()
        })
        .boxed()
}

fn history(entity: EntityType) -> BoxedStrategy<History> {
    let fields = Mapping::of(entity).fields();
    let bases: Vec<BoxedStrategy<Option<Value>>> = fields
        .iter()
        .map(|field| {
            if field.is_shared() {
                prop_oneof![6 => value(field).prop_map(Some), 1 => Just(None)].boxed()
            } else {
                Just(None).boxed()
            }
        })
        .collect();
    let agreed = bases.prop_map(|values| History::Agreed(Base::new(values)));
    prop_oneof![6 => agreed, 2 => Just(History::New), 1 => Just(History::Deleted)].boxed()
}

fn presence(entity: EntityType, which: Side) -> BoxedStrategy<Seen> {
    let row = (side(entity, which), proptest::option::of(proptest::sample::select(vec![0i64, 4_000, 9_000])))
        .prop_map(|(record, updated_at)| Seen::Row { record, updated_at });
    prop_oneof![5 => row, 1 => Just(Seen::Missing)].boxed()
}

fn facts() -> BoxedStrategy<Facts> {
    let dangling = proptest::option::weighted(0.2, (any::<bool>(), 1u8..3)).prop_map(|found| {
        let side = |document| if document { Side::Document } else { Side::Relational };
        found.map(|(document, id)| (side(document), [id; 12])).into_iter().collect::<Vec<_>>()
    });
    (
        proptest::option::of(0i64..4),
        proptest::option::of(0i64..4),
        proptest::option::weighted(0.2, Just([9; 12])),
        dangling,
        (any::<bool>(), 0u64..2, any::<bool>()),
    )
        .prop_map(|(seats, free_seats, twin, dangling, (cancelled, dependents, grace_over))| Facts {
            seats,
            free_seats,
            twin,
            dangling,
            cancelled,
            dependents,
            grace_over,
        })
        .boxed()
}

pub fn case() -> BoxedStrategy<(Mapping, Situation)> {
    let entity = proptest::sample::select(vec![LAUNCH, BOOKING, USER]);
    entity
        .prop_flat_map(|entity| {
            let seen = (presence(entity, Side::Document), presence(entity, Side::Relational));
            (authorities(entity), history(entity), seen, facts(), proptest::option::of(any::<bool>()))
        })
        .prop_map(|(mapping, history, (document, relational), facts, in_sync)| {
            // Often one side has not moved since both agreed.
            let still = in_sync.and_then(|left| record(if left { &document } else { &relational }));
            let history = still.map_or(history, |record| {
                let value = |index: usize| mapping.is_compared(index).then(|| record.at(index).clone());
                History::Agreed(Base::new((0..mapping.fields().len()).map(value).collect()))
            });
            let seen = Pair { document, relational };
            (mapping, Situation { history, seen, facts, ..Situation::default() })
        })
        .boxed()
}

fn records(situation: &Situation) -> Option<(Record, Record)> {
    record(&situation.seen.document).zip(record(&situation.seen.relational))
}

/// The same with the sides exchanged, for fields that know no side.
fn mirrored(mapping: &Mapping, situation: &Situation) -> (Mapping, Situation) {
    let swapped = |authority| match authority {
        Authority::DocAlways => Authority::RelAlways,
        Authority::RelAlways => Authority::DocAlways,
        Authority::DocPrefer => Authority::RelPrefer,
        Authority::RelPrefer => Authority::DocPrefer,
        other => other,
    };
    let free = mapping.fields().iter().enumerate().filter(|(_, field)| !field.pinned);
    let overrides =
        free.map(|(index, field)| (field.name.to_owned(), swapped(mapping.authority(index)))).collect();
    let seen =
        Pair { document: situation.seen.relational.clone(), relational: situation.seen.document.clone() };
    let situation = Situation { seen, ..situation.clone() };
    (Mapping::with(mapping.entity, &overrides).unwrap(), situation)
}

fn writes(plan: &Plan, side: Side) -> Vec<(usize, Value, Value)> {
    match plan.actions.of(side) {
        Action::Update(writes) => {
            writes.iter().map(|write| (write.index, write.before.clone(), write.after.clone())).collect()
        }
        _ => Vec::new(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn the_oracle_agrees((mapping, situation) in case()) {
        let plan = merge(&mapping, &situation);
        let Some((document, relational)) = records(&situation) else { return Ok(()) };
        let (left, right, people) = oracle::expected(&mapping, &situation);
        let mut asked: Vec<Vec<usize>> =
            plan.conflicts.iter().filter(|found| !found.whole_row).map(|found| found.fields.clone()).collect();
        asked.sort();
        prop_assert_eq!(asked, people);
        let stopped = plan.conflicts.iter().any(|conflict| conflict.whole_row);
        let (left, right) = if stopped { (document.clone(), relational.clone()) } else { (left, right) };
        let (after_left, after_right) =
            (plan.after(Side::Document, Some(document)).unwrap(), plan.after(Side::Relational, Some(relational)).unwrap());
        for index in mapping.compared() {
            prop_assert_eq!(after_left.at(index), left.at(index), "{}", mapping.fields()[index].name);
            prop_assert_eq!(after_right.at(index), right.at(index), "{}", mapping.fields()[index].name);
        }
    }

    #[test]
    fn no_value_is_invented((mapping, situation) in case()) {
        let plan = merge(&mapping, &situation);
        for side in [Side::Document, Side::Relational] {
            let other = record(situation.seen.of(side.other()));
            if let Action::Create(made) = plan.actions.of(side) {
                for (index, field) in mapping.fields().iter().enumerate().filter(|(_, field)| field.is_shared()) {
                    prop_assert_eq!(made.at(index), other.as_ref().unwrap().at(index), "{}", field.name);
                }
            }
            for (index, before, after) in writes(&plan, side) {
                prop_assert_ne!(&before, &after);
                let own = record(situation.seen.of(side)).unwrap();
                prop_assert_eq!(own.at(index), &before);
                let derived = mapping.authority(index) == Authority::Derived;
                prop_assert!(derived || other.as_ref().unwrap().at(index) == &after);
            }
        }
    }

    #[test]
    fn a_plan_that_was_carried_out_leaves_nothing_to_do((mapping, situation) in case()) {
        let plan = merge(&mapping, &situation);
        let after = carried_out(&situation, &plan);
        let again = merge(&mapping, &after);
        prop_assert!(again.is_quiet(), "{:?}", again);
        prop_assert_eq!(&again.history, &after.history);
        let reasons = |plan: &Plan| -> Vec<Reason> { plan.conflicts.iter().map(|found| found.reason.clone()).collect() };
        prop_assert_eq!(reasons(&again), reasons(&plan));
        if plan.conflicts.is_empty() && plan.waits.is_none() {
            prop_assert_eq!(changes_log::text(&again), "No changes");
        }
    }

    #[test]
    fn both_sides_and_the_base_meet_except_where_a_person_decides((mapping, situation) in case()) {
        let plan = merge(&mapping, &situation);
        let after = carried_out(&situation, &plan);
        let stopped = plan.conflicts.iter().any(|conflict| conflict.whole_row);
        let Some((document, relational)) = records(&after).filter(|_| !stopped) else { return Ok(()) };
        for index in mapping.compared() {
            if plan.conflicts.iter().all(|conflict| !conflict.fields.contains(&index)) {
                prop_assert_eq!(document.at(index), relational.at(index));
                let History::Agreed(base) = &after.history else { panic!("agreed, and not remembered") };
                prop_assert_eq!(base.at(index), Some(document.at(index)));
            } else if let (History::Agreed(was), History::Agreed(is)) = (&situation.history, &after.history) {
                prop_assert_eq!(was.at(index), is.at(index), "a conflict moved the base");
            }
        }
    }

    #[test]
    fn a_guard_stops_the_whole_row_or_none_of_it((mapping, situation) in case()) {
        let plan = merge(&mapping, &situation);
        if plan.conflicts.iter().any(|conflict| conflict.whole_row) {
            prop_assert!(plan.is_quiet() && plan.changes.is_empty());
            prop_assert_eq!(&plan.history, &situation.history);
        }
        let after = carried_out(&situation, &plan);
        let at = |situation: &Situation, side: Side, name: &str| {
            record(situation.seen.of(side)).map_or(Value::Null, |record| record.at(mapping.index(name).unwrap()).clone())
        };
        let wrote = |side: Side| *plan.actions.of(side) != Action::Keep && !matches!(plan.actions.of(side), Action::Delete(_));
        for side in [Side::Document, Side::Relational].into_iter().filter(|&side| wrote(side)) {
            let now = |name: &str| at(&after, side, name);
            let was = |name: &str| at(&situation, side, name);
            match mapping.entity {
                EntityType::Launch => {
                    let enough = situation.facts.seats.is_none_or(|seats| now("capacity").int() >= Some(seats));
                    prop_assert!(enough, "fewer seats than are held");
                    let seats = situation.facts.seats.map(Value::Int);
                    let counted = side == Side::Document || seats.is_none_or(|seats| now("numberOfAttendees") == seats);
                    prop_assert!(counted);
                    prop_assert!(side == Side::Document || now("date") == was("date") || now("end").time() > now("date").time());
                    let left = now("capacity").int().zip(situation.facts.seats).map(|(all, held)| Value::Int(all - held));
                    prop_assert!(side == Side::Relational || left.is_none_or(|left| now("availableTickets") == left));
                    let length = |start: Value, end: Value| end.time().zip(start.time()).map(|(end, start)| end - start);
                    let was_long = length(was("date"), was("end"));
                    prop_assert!(was_long.is_none() || length(now("date"), now("end")) == was_long);
                    let revived = now("isActive") == Value::Bool(true) && was("isActive") == Value::Bool(false);
                    prop_assert!(!(revived && side == Side::Relational && situation.facts.cancelled));
                }
                EntityType::Booking => {
                    let active = |status| matches!(status, Value::Word("confirmed" | "pending"));
                    let became = active(now("status")) && !active(was("status"));
                    prop_assert!(!(became && situation.facts.twin.is_some()), "a second active booking");
                    if let (Some(free), true, Side::Relational) = (situation.facts.free_seats, became, side) {
                        prop_assert!(now("quantity").int() <= Some(free), "more seats than are left");
                    }
                    let money = |value: &Value| match value { Value::Word("refunded") => 2, Value::Word("paid") => 1, _ => 0 };
                    prop_assert!(money(&now("paymentStatus")) >= money(&was("paymentStatus")));
                    for name in ["launch", "user", "bookingDate"] {
                        prop_assert!(was(name) == Value::Null || was(name) == now(name), "{} changed", name);
                    }
                }
                EntityType::User => {
                    let raised = now("role") == Value::Word("admin") && was("role") != Value::Word("admin");
                    prop_assert!(!(raised && side == Side::Relational), "a document raised a role");
                }
            }
            for &(lacking, id) in &situation.facts.dangling {
                for field in mapping.fields().iter().filter(|_| lacking == side) {
                    prop_assert!(now(field.name) != Value::Id(id) || was(field.name) == Value::Id(id));
                }
            }
        }
    }

    #[test]
    fn no_deletion_without_proof_and_grace((mapping, situation) in case()) {
        let plan = merge(&mapping, &situation);
        for side in [Side::Document, Side::Relational] {
            if let Action::Delete(held) = plan.actions.of(side) {
                let History::Agreed(base) = &situation.history else { panic!("nothing proves that it was there") };
                prop_assert!(situation.facts.grace_over && situation.facts.dependents == 0);
                prop_assert_eq!(situation.seen.of(side.other()), &Seen::Missing);
                prop_assert!(mapping.compared().all(|index| base.at(index) == Some(held.at(index))));
                prop_assert!(held.values().iter().all(|value| *value != Value::Word("paid")));
            }
        }
    }

    #[test]
    fn the_sides_are_alike_where_the_rules_are((mapping, mut situation) in case()) {
        // Guards and counters know sides; without them and with mirrored authorities the plan is mirrored.
        situation.facts = Facts::default();
        let Some((document, relational)) = records(&situation) else { return Ok(()) };
        // An employee's account is ours, on whichever side it would be then.
        let is_owned = |record: &Record| guards::owner(&mapping, "email", record).is_some();
        if mapping.entity == LAUNCH || is_owned(&document) || is_owned(&relational) {
            return Ok(());
        }
        let plan = merge(&mapping, &situation);
        let (mapping, situation) = mirrored(&mapping, &situation);
        let mirror = merge(&mapping, &situation);
        let role = mapping.index("role");
        let free = |writes: Vec<(usize, Value, Value)>| -> Vec<_> {
            writes.into_iter().filter(|(index, ..)| Some(*index) != role).collect()
        };
        prop_assert_eq!(free(writes(&plan, Side::Document)), free(writes(&mirror, Side::Relational)));
        prop_assert_eq!(free(writes(&plan, Side::Relational)), free(writes(&mirror, Side::Document)));
        let asked = |plan: &Plan| -> Vec<Vec<usize>> { plan.conflicts.iter().map(|found| found.fields.clone()).collect() };
        prop_assert_eq!(asked(&plan), asked(&mirror));
    }

    #[test]
    fn what_was_set_is_never_discarded_silently((mapping, situation) in case()) {
        let plan = merge(&mapping, &situation);
        for change in plan.changes.iter().filter(|change| !matches!(change.rule, Rule::Create | Rule::Derived)) {
            let lost = change.before.of(change.written);
            let untouched = change.base.as_ref().map_or(*lost == Value::Null, |base| base == lost);
            prop_assert_eq!(change.overridden, !untouched, "{:?}", change);
            prop_assert_eq!(change.before.of(change.written.other()), &change.after);
        }
    }

    #[test]
    fn a_base_survives_its_storage((mapping, situation) in case()) {
        let History::Agreed(base) = merge(&mapping, &situation).history else { return Ok(()) };
        let stored = codec::base_to_json(&mapping, &base).to_string();
        let read = codec::base_from_json(&mapping, &serde_json::from_str(&stored).unwrap());
        let every = 0..mapping.fields().len();
        prop_assert!(every.into_iter().all(|index| read.at(index) == base.at(index)), "{}", stored);
    }

    #[test]
    fn nothing_makes_the_core_panic(text in ".{0,60}", number in any::<f64>(), at in any::<i64>()) {
        let _ = text.parse::<Authority>();
        let mut document = bson::doc! { "name": &text, "price": number, "capacity": at, "availableTickets": number };
        document.insert("dateTime", bson::DateTime::from_millis(at));
        document.insert("isActive", &text);
        let faults = codec::from_document(&Mapping::of(LAUNCH), &document).unwrap_err();
        prop_assert!(faults.iter().all(|fault| fault.to_string().len() < 600));
    }
}
