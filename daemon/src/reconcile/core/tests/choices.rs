//! What a person decides: what it may be, what is refused, and what it never breaks.

use std::collections::BTreeMap;

use astrops_api::resolution::Choice;
use proptest::prelude::*;
use serde_json::json;

use super::super::{
    changes_log,
    choices::{BadChoice, Choices},
    codec::Fault,
    intent::{Decision, Fate, Move, decide},
    plan::{Action, Conflict, Reason, Rule},
};
use super::{properties::case, *};

fn given(choices: &[(&str, Choice)]) -> BTreeMap<String, Choice> {
    choices.iter().map(|(name, choice)| ((*name).to_owned(), choice.clone())).collect()
}

fn to(value: serde_json::Value) -> Choice {
    Choice::Value(value)
}

/// The plan when these choices are made, and its words.
fn decided(
    entity: EntityType,
    situation: &Situation,
    choices: &[(&str, Choice)],
) -> Result<(Plan, String), BadChoice> {
    let mapping = Mapping::of(entity);
    let choices = Choices::of(&mapping, situation, &given(choices))?;
    let plan = merge(&mapping, &Situation { choices, ..situation.clone() });
    let text = changes_log::text(&plan);
    Ok((plan, text))
}

fn why(entity: EntityType, situation: &Situation, choices: &[(&str, Choice)]) -> String {
    decided(entity, situation, choices).unwrap_err().to_string()
}

/// What both sides hold of a field afterwards.
fn held(entity: EntityType, situation: &Situation, plan: &Plan, field: &str) -> (Value, Value) {
    let index = Mapping::of(entity).index(field).unwrap();
    let after = carried_out(situation, plan).seen;
    let at = |seen: &Seen| record(seen).map_or(Value::Null, |record| record.at(index).clone());
    (at(&after.document), at(&after.relational))
}

/// Both sides moved the description, and the document the price.
fn torn() -> Situation {
    let base = agreed(LAUNCH, &[("description", text("old"))]);
    let document = [("description", text("D")), ("price", Value::Money(1))];
    met(LAUNCH, base, &document, &[("description", text("R"))])
}

#[test]
fn a_field_holds_what_was_chosen_on_both_sides() {
    let situation = torn();
    for (choice, expected, written) in [
        (Choice::Document, "D", vec![Side::Relational]),
        (Choice::Relational, "R", vec![Side::Document]),
        (Choice::Base, "old", vec![Side::Document, Side::Relational]),
        (to(json!("new")), "new", vec![Side::Document, Side::Relational]),
    ] {
        let (plan, log) = decided(LAUNCH, &situation, &[("description", choice.clone())]).unwrap();
        let both = held(LAUNCH, &situation, &plan, "description");
        assert_eq!(both, (text(expected), text(expected)), "{choice:?}");
        let changes: Vec<_> = plan.changes.iter().filter(|change| change.field == "description").collect();
        assert_eq!(changes.iter().map(|change| change.written).collect::<Vec<_>>(), written);
        assert!(changes.iter().all(|change| change.rule == Rule::Decision && change.overridden));
        // The price goes its own way, and the label is told once.
        assert_eq!(log, "Updated 2 fields: price, description");
        assert_eq!(carried_out(&situation, &plan).history, plan.history);
        let again = merge(&Mapping::of(LAUNCH), &carried_out(&situation, &plan));
        assert_eq!(changes_log::text(&again), "No changes");
    }
}

#[test]
fn a_conflict_that_nobody_chose_about_stays() {
    let both = |word: &'static str, method: &'static str| {
        [("status", Value::Word(word)), ("paymentMethod", Value::Word(method))]
    };
    let situation = met(BOOKING, History::New, &both("pending", "cash"), &both("cancelled", "stripe"));
    let (plan, log) = decided(BOOKING, &situation, &[("status", Choice::Relational)]).unwrap();
    assert_eq!(log, "Updated 1 field: status; 1 conflict: payment");
    assert_eq!(plan.conflicts[0].reason, Reason::NeverAgreed);
    assert_eq!(
        held(BOOKING, &situation, &plan, "status"),
        (Value::Word("cancelled"), Value::Word("cancelled"))
    );
    // An empty decision changes nothing at all.
    let (nothing, _) = decided(BOOKING, &situation, &[]).unwrap();
    assert_eq!(nothing, merge(&Mapping::of(BOOKING), &situation));
}

#[test]
fn a_person_overrules_vetoes_and_what_never_changes() {
    let user = |id: u8| [("user", Value::Id([id; 12]))];
    let torn = met(BOOKING, agreed(BOOKING, &[]), &user(5), &[]);
    let (plan, log) = decided(BOOKING, &torn, &[("user", Choice::Relational)]).unwrap();
    assert_eq!(log, "Updated 1 field: user");
    assert_eq!(held(BOOKING, &torn, &plan, "user"), (Value::Id([2; 12]), Value::Id([2; 12])));

    let paid = |word: &'static str| [("paymentStatus", Value::Word(word))];
    let back = met(BOOKING, agreed(BOOKING, &paid("paid")), &paid("failed"), &paid("paid"));
    let (plan, _) = decided(BOOKING, &back, &[("paymentStatus", Choice::Document)]).unwrap();
    assert_eq!(held(BOOKING, &back, &plan, "paymentStatus").1, Value::Word("failed"));
}

#[test]
fn a_choice_for_a_member_is_one_for_its_group() {
    let document = [("status", Value::Word("cancelled")), ("cancellationReason", text("ill"))];
    let relational = [("cancelledAt", Value::Time(HOUR))];
    let situation = met(BOOKING, History::New, &document, &relational);
    let (plan, _) = decided(BOOKING, &situation, &[("cancellationReason", Choice::Document)]).unwrap();
    for (field, value) in [
        ("status", Value::Word("cancelled")),
        ("cancellationReason", text("ill")),
        ("cancelledAt", Value::Null),
    ] {
        assert_eq!(held(BOOKING, &situation, &plan, field), (value.clone(), value), "{field}");
    }
    // A value beside a side is for its member alone.
    let mixed = [("status", Choice::Document), ("cancellationReason", to(json!("late")))];
    let (plan, _) = decided(BOOKING, &situation, &mixed).unwrap();
    assert_eq!(held(BOOKING, &situation, &plan, "cancellationReason"), (text("late"), text("late")));
    assert_eq!(held(BOOKING, &situation, &plan, "cancelledAt"), (Value::Null, Value::Null));
    // Values alone leave what is clear, and ask about what is not.
    assert_eq!(
        why(BOOKING, &situation, &[("status", to(json!("cancelled")))]),
        "status is decided together with cancellationReason, which differs: say what that is to hold"
    );
    let clear = met(BOOKING, agreed(BOOKING, &[]), &[("status", Value::Word("pending"))], &[]);
    assert!(decided(BOOKING, &clear, &[("status", to(json!("cancelled")))]).is_ok());
    let torn = [("status", Choice::Document), ("cancelledAt", Choice::Relational)];
    assert!(why(BOOKING, &situation, &torn).contains("decided together"));
}

#[test]
fn what_makes_no_sense_is_refused_in_words() {
    let situation = torn();
    for (field, choice, expected) in [
        ("shoe", Choice::Document, "shoe is no field of a launch; these are: title, description, venue"),
        ("availableTickets", Choice::Document, "availableTickets follows from other fields"),
        ("end", to(json!("2026-01-01T00:00:00Z")), "end follows from other fields"),
        ("price", to(json!("cheap")), "price cannot hold that; expected an amount from 0"),
        ("price", to(json!(-1)), "price cannot hold that; expected an amount"),
        ("price", to(json!(1.999)), "price cannot hold that; expected an amount"),
        ("capacity", to(json!(0)), "capacity cannot hold that; expected a whole number from 1 to 1000000"),
        ("title", to(json!("  ")), "title cannot hold that; expected a text"),
        ("title", to(json!(null)), "title cannot hold that; expected a text"),
        ("description", to(json!("x".repeat(5_001))), "description is too long; at most 5000 characters"),
        ("description", to(json!("a\u{1b}[2J")), "description has a control character"),
        ("description", to(json!("a\u{0}")), "description cannot hold that"),
        ("organizer", to(json!("nobody")), "organizer cannot hold that; expected an id"),
        ("date", to(json!("tomorrow")), "date cannot hold that; expected a date from year 1 to 9999"),
        ("deletion", Choice::Document, "deletion cannot be decided: the row is there on both sides"),
    ] {
        let told = why(LAUNCH, &situation, &[(field, choice)]);
        assert!(told.starts_with(expected), "{told}");
    }
    let long = "x".repeat(500);
    assert!(why(LAUNCH, &situation, &[(&long, Choice::Document)]).len() < 300);
    let new = met(LAUNCH, History::New, &[], &[("description", text("R"))]);
    assert!(why(LAUNCH, &new, &[("description", Choice::Base)]).contains("never agreed on it"));
    let user = met(USER, agreed(USER, &[]), &[("name", text("Eve"))], &[]);
    assert!(why(USER, &user, &[("email", to(json!("ada at home")))]).contains("is not an address"));

    let overrides = BTreeMap::from([("venue".to_owned(), "ignore".parse().unwrap())]);
    let mapping = Mapping::with(LAUNCH, &overrides).unwrap();
    let refused = Choices::of(&mapping, &situation, &given(&[("venue", Choice::Document)])).unwrap_err();
    assert!(refused.why.starts_with("is ignored"));
    let (found, expected) = ("the number NaN".to_owned(), "an amount".to_owned());
    let fault = Fault { field: "price", side: Side::Document, place: "price", found, expected };
    let mut unreadable = situation;
    unreadable.seen.document = Seen::Unreadable(vec![fault]);
    let told = why(LAUNCH, &unreadable, &[("price", Choice::Relational)]);
    assert!(told.contains("NaN") && told.ends_with("correct it in that database"), "{told}");
    let nowhere = Situation::default();
    assert!(why(LAUNCH, &nowhere, &[("price", Choice::Relational)]).contains("on neither side"));
}

#[test]
fn what_a_row_must_keep_holds_for_people_too() {
    let mut sold = met(LAUNCH, agreed(LAUNCH, &[]), &[], &[]);
    sold.facts.seats = Some(120);
    let (plan, log) = decided(LAUNCH, &sold, &[("capacity", to(json!(119)))]).unwrap();
    assert!(plan.is_quiet() && plan.changes.is_empty());
    assert_eq!(log, "1 conflict: capacity");
    let (plan, log) = decided(LAUNCH, &sold, &[("capacity", to(json!(120)))]).unwrap();
    assert_eq!(log, "Updated 1 field: capacity");
    assert_eq!(held(LAUNCH, &sold, &plan, "availableTickets").0, Value::Int(0));

    let mut new = Situation::default();
    new.seen.document = seen(row(Side::Document, BOOKING, &[]));
    new.facts.twin = Some([9; 12]);
    new.facts.free_seats = Some(1);
    let (plan, _) = decided(BOOKING, &new, &[("quantity", to(json!(1)))]).unwrap();
    assert_eq!(plan.conflicts[0].reason, Reason::SecondBooking([9; 12]));
    let (plan, log) = decided(BOOKING, &new, &[("status", to(json!("cancelled")))]).unwrap();
    assert_eq!(log, "Created on relational; Updated 1 field: status");
    let cancelled = (Value::Word("cancelled"), Value::Word("cancelled"));
    assert_eq!(held(BOOKING, &new, &plan, "status"), cancelled);

    // Another launch by decision takes seats there.
    let mut moved = met(BOOKING, agreed(BOOKING, &[]), &[("launch", Value::Id([3; 12]))], &[]);
    moved.facts.free_seats = Some(1);
    let (plan, _) = decided(BOOKING, &moved, &[("launch", Choice::Document)]).unwrap();
    assert_eq!(plan.conflicts[0].reason, Reason::NoSeats { seats: 2, free: 1 });
    moved.facts.free_seats = Some(2);
    moved.facts.twin = Some([9; 12]);
    let (plan, _) = decided(BOOKING, &moved, &[("launch", Choice::Document)]).unwrap();
    assert_eq!(plan.conflicts[0].reason, Reason::SecondBooking([9; 12]));
    moved.facts.twin = None;
    moved.facts.dangling = vec![(Side::Relational, [3; 12])];
    let (plan, _) = decided(BOOKING, &moved, &[("launch", Choice::Document)]).unwrap();
    assert!(matches!(plan.conflicts[0].reason, Reason::Dangling { side: Side::Relational, .. }));
}

#[test]
fn roles_and_cancelled_launches_are_changed_elsewhere() {
    let admin = [("role", Value::Word("admin"))];
    let torn = met(USER, agreed(USER, &[]), &admin, &[]);
    let (plan, _) = decided(USER, &torn, &[("role", Choice::Document)]).unwrap();
    assert_eq!((plan.conflicts[0].reason.clone(), plan.is_quiet()), (Reason::Role, true));
    let (_, log) = decided(USER, &torn, &[("role", Choice::Relational)]).unwrap();
    assert_eq!(log, "Updated 1 field: role");
    let mut new = Situation::default();
    new.seen.document = seen(row(Side::Document, USER, &admin));
    let (plan, log) = decided(USER, &new, &[("role", to(json!("user")))]).unwrap();
    assert_eq!(log, "Created on relational; Updated 1 field: role");
    assert_eq!(held(USER, &new, &plan, "role"), (Value::Word("user"), Value::Word("user")));
    let (plan, _) = decided(USER, &new, &[("role", to(json!("admin")))]).unwrap();
    assert_eq!(plan.conflicts[0].reason, Reason::NewAdmin);

    let inactive = [("isActive", Value::Bool(false))];
    let mut cancelled = met(LAUNCH, agreed(LAUNCH, &inactive), &[], &inactive);
    cancelled.facts.cancelled = true;
    let (plan, _) = decided(LAUNCH, &cancelled, &[("isActive", Choice::Document)]).unwrap();
    assert_eq!(plan.conflicts[0].reason, Reason::Cancelled);
    let (plan, _) = decided(LAUNCH, &cancelled, &[("isActive", Choice::Relational)]).unwrap();
    assert_eq!(held(LAUNCH, &cancelled, &plan, "isActive").0, Value::Bool(false));
}

#[test]
fn a_deletion_is_decided_by_the_side_that_is_right() {
    let edited = row(Side::Relational, LAUNCH, &[("title", text("Mars"))]);
    let mut gone = Situation { history: agreed(LAUNCH, &[]), ..Situation::default() };
    gone.seen.relational = seen(edited.clone());
    for grace_over in [false, true] {
        gone.facts.grace_over = grace_over;
        let (plan, log) = decided(LAUNCH, &gone, &[("deletion", Choice::Document)]).unwrap();
        assert_eq!(log, "Deleted on relational");
        assert_eq!(
            (plan.actions.relational, plan.history),
            (Action::Delete(edited.clone()), History::Deleted)
        );
        let again = [("deletion", Choice::Relational), ("price", to(json!(5)))];
        let (plan, log) = decided(LAUNCH, &gone, &again).unwrap();
        assert_eq!(log, "Created on document; Updated 1 field: price");
        assert_eq!(held(LAUNCH, &gone, &plan, "title").0, text("Mars"));
        assert_eq!(held(LAUNCH, &gone, &plan, "price"), (Value::Money(500), Value::Money(500)));
        let after = carried_out(&gone, &plan);
        assert_eq!(changes_log::text(&merge(&Mapping::of(LAUNCH), &after)), "No changes");
    }
    let mut booked = gone.clone();
    booked.facts.dependents = 1;
    let (plan, _) = decided(LAUNCH, &booked, &[("deletion", Choice::Document)]).unwrap();
    assert_eq!(
        (plan.conflicts[0].reason.clone(), plan.is_quiet()),
        (Reason::DeletedBooked(Side::Document), true)
    );
    // A paid booking is a person's to delete.
    let mut paid = Situation { history: agreed(BOOKING, &[]), ..Situation::default() };
    paid.seen.document = seen(row(Side::Document, BOOKING, &[("paymentStatus", Value::Word("paid"))]));
    assert_eq!(
        decided(BOOKING, &paid, &[("deletion", Choice::Relational)]).unwrap().1,
        "Deleted on document"
    );

    let base = [("deletion", Choice::Base)];
    assert!(why(LAUNCH, &gone, &base).contains("decided by a side"));
    let price = ("price", to(json!(5)));
    assert!(why(LAUNCH, &gone, std::slice::from_ref(&price)).ends_with(r#"decide "deletion" first"#));
    assert!(why(LAUNCH, &gone, &[price, ("deletion", Choice::Document)]).contains("to be deleted"));
    let taken = [("price", Choice::Document), ("deletion", Choice::Relational)];
    assert!(why(LAUNCH, &gone, &taken).contains("the row is not there"));
    let new = Situation { history: History::New, ..gone.clone() };
    assert!(why(LAUNCH, &new, &[("deletion", Choice::Document)]).contains("never on the document side"));
    assert_eq!(decided(LAUNCH, &new, &[("deletion", Choice::Relational)]).unwrap().1, "Created on document");
    let deleted = Situation { history: History::Deleted, ..gone };
    assert_eq!(
        decided(LAUNCH, &deleted, &[("deletion", Choice::Relational)]).unwrap().1,
        "Created on document"
    );
    let again = decided(LAUNCH, &deleted, &[("deletion", Choice::Document)]).unwrap().1;
    assert_eq!(again, "Deleted on relational", "it lives, and is not to");
}

#[test]
fn a_value_for_both_sides_counts_when_the_document_has_it() {
    let (mapping, situation) = (Mapping::of(LAUNCH), torn());
    let index = mapping.index("description").unwrap();
    let (plan, _) = decided(LAUNCH, &situation, &[("description", to(json!("new")))]).unwrap();
    let intent = plan.intent(&mapping);
    // Our side is written; the document holds what it held, or something new.
    let after = |document: &str| {
        let mut after = situation.clone();
        let new = plan.after(Side::Relational, record(&situation.seen.relational)).unwrap();
        after.seen.relational = seen(new);
        let document = record(&situation.seen.document).unwrap().with(index, text(document));
        after.seen.document = seen(document);
        after
    };
    let base = |fate: Fate, document: &str| match decide(&mapping, after(document), Some((&intent, fate))) {
        Decision { next: Move::Finish(_), situation, .. } => match situation.history {
            History::Agreed(base) => base.at(index).cloned(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    assert_eq!(base(Fate::Written, "new"), Some(text("new")));
    assert_eq!(base(Fate::Refused, "X"), Some(text("old")), "neither side held it before");
    assert_eq!(base(Fate::Unknown, "X"), None);
}

/// Any choice for any field, from the small domains of the rows.
fn any_choices() -> impl Strategy<Value = Vec<(usize, u8)>> {
    proptest::collection::vec((0usize..12, 0u8..5), 1..4)
}

fn spoken(mapping: &Mapping, index: usize) -> serde_json::Value {
    match mapping.fields()[index].name {
        "capacity" | "quantity" => json!(3),
        "price" | "amount" => json!(20),
        "date" | "bookingDate" | "cancelledAt" => json!("1970-01-01T04:00:00Z"),
        "isActive" => json!(true),
        "status" => json!("cancelled"),
        "paymentStatus" => json!("failed"),
        "paymentMethod" => json!("cash"),
        "role" => json!("user"),
        "organizer" | "launch" | "user" => json!("020202020202020202020202"),
        "email" => json!("z@example.com"),
        _ => json!("z"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn a_decision_does_what_it_says_and_nothing_else((mapping, situation) in case(), picks in any_choices(), gone in any::<Option<bool>>()) {
        let mut choices: BTreeMap<String, Choice> = picks.into_iter().filter_map(|(index, kind)| {
            let field = mapping.fields().get(index)?;
            let choice = match kind {
                0 => Choice::Document,
                1 => Choice::Relational,
                2 => Choice::Base,
                _ => to(spoken(&mapping, index)),
            };
            Some((field.name.to_owned(), choice))
        }).collect();
        if let Some(document) = gone.filter(|_| record(&situation.seen.document).is_none() || record(&situation.seen.relational).is_none()) {
            choices.insert("deletion".to_owned(), if document { Choice::Document } else { Choice::Relational });
        }
        let Ok(read) = Choices::of(&mapping, &situation, &choices) else { return Ok(()) };
        let without = merge(&mapping, &situation);
        let plan = merge(&mapping, &Situation { choices: read.clone(), ..situation.clone() });
        let stopped = |plan: &Plan| plan.conflicts.iter().any(|found| found.whole_row);
        if stopped(&plan) {
            prop_assert!(plan.is_quiet() && plan.changes.is_empty());
            prop_assert_eq!(&plan.history, &situation.history);
            return Ok(());
        }
        let after = carried_out(&situation, &plan);
        let (left, right) = (record(&after.seen.document), record(&after.seen.relational));
        let asked = |index: usize| plan.conflicts.iter().any(|found| found.fields.contains(&index));
        if let (Some(left), Some(right)) = (&left, &right) {
            for index in mapping.compared().filter(|&index| !asked(index)) {
                prop_assert_eq!(left.at(index), right.at(index));
                if let Some(value) = read.at(index) {
                    prop_assert_eq!(left.at(index), value, "{}", mapping.fields()[index].name);
                    let History::Agreed(base) = &after.history else { panic!("decided, and not remembered") };
                    prop_assert_eq!(base.at(index), Some(value));
                }
            }
            // Nothing that was decided is undone by the next look, and the rules hold for what was written.
            let again = merge(&mapping, &after);
            let barred = |found: &Conflict| matches!(found.reason, Reason::Role | Reason::Cancelled);
            prop_assert!(again.is_quiet() || plan.conflicts.iter().any(barred), "{:?}", again);
            let enough = situation.facts.seats.is_none_or(|seats| {
                let at = |record: &Record| mapping.index("capacity").and_then(|index| record.at(index).int());
                mapping.entity != LAUNCH || plan.is_quiet() || (at(left) >= Some(seats) && at(right) >= Some(seats))
            });
            prop_assert!(enough, "fewer seats than are held");
        }
        // Fields that nobody chose go the way they went before.
        let was_there = record(&situation.seen.document).zip(record(&situation.seen.relational)).is_some();
        if was_there && !stopped(&without) {
            let before = carried_out(&situation, &without);
            for index in mapping.compared().filter(|&index| read.at(index).is_none()) {
                for side in [Side::Document, Side::Relational] {
                    let at = |situation: &Situation| record(situation.seen.of(side)).map(|record| record.at(index).clone());
                    prop_assert_eq!(at(&after), at(&before), "{}", mapping.fields()[index].name);
                }
            }
        }
        for change in plan.changes.iter().filter(|change| change.rule == Rule::Decision) {
            prop_assert_eq!(Some(&change.after), read.at(change.index));
            prop_assert_ne!(change.before.of(change.written), &change.after);
        }
    }
}
