//! Whole rows: missing on one side, guards, counters, and what the change log says.

use std::collections::BTreeMap;

use super::super::{
    changes_log,
    codec::Fault,
    mapping::Authority,
    plan::{Action, Proposal, Reason, Standing},
};
use super::*;

fn planned(entity: EntityType, situation: &Situation) -> (Plan, String) {
    let plan = merge(&Mapping::of(entity), situation);
    let log = changes_log::text(&plan);
    (plan, log)
}

/// The only conflict of a plan that writes nothing at all.
fn refused(entity: EntityType, situation: &Situation) -> Reason {
    let (plan, _) = planned(entity, situation);
    assert!(plan.is_quiet() && plan.changes.is_empty(), "{plan:?}");
    assert_eq!(plan.history, situation.history);
    assert_eq!(plan.conflicts.len(), 1, "{:?}", plan.conflicts);
    assert!(plan.conflicts[0].whole_row);
    plan.conflicts[0].reason.clone()
}

fn only(side: Side, history: History, record: Record) -> Situation {
    let mut situation = Situation { history, ..Situation::default() };
    *situation.seen.of_mut(side) = seen(record);
    situation
}

#[test]
fn the_log_speaks_as_in_the_sample() {
    let changed = [
        ("title", text("Mars")),
        ("date", Value::Time(200 * HOUR)),
        ("capacity", Value::Int(120)),
        ("price", Value::Money(2_000)),
    ];
    let mut situation = met(LAUNCH, agreed(LAUNCH, &changed[..1]), &changed[..1], &changed);
    situation.facts.seats = Some(0);
    let (plan, log) = planned(LAUNCH, &situation);
    assert_eq!(log, "Updated 3 fields: capacity, price, date");
    let fields: Vec<_> = plan.changes.iter().map(|change| change.field).collect();
    assert_eq!(fields, ["capacity", "price", "date", "availableTickets"]);
    assert_eq!(
        planned(LAUNCH, &met(LAUNCH, agreed(LAUNCH, &[]), &[], &changed)).1,
        "Updated 4 fields: capacity, price, date, title"
    );
    assert_eq!(
        planned(LAUNCH, &met(LAUNCH, agreed(LAUNCH, &[]), &[], &changed[3..])).1,
        "Updated 1 field: price"
    );
    assert_eq!(planned(LAUNCH, &met(LAUNCH, agreed(LAUNCH, &[]), &[], &[])).1, "No changes");

    let (status, method) = (
        [("status", Value::Word("pending"))],
        [("paymentMethod", Value::Word("cash")), ("amount", Value::Money(1))],
    );
    let other = [("status", Value::Word("cancelled")), ("paymentMethod", Value::Word("stripe"))];
    assert_eq!(planned(BOOKING, &met(BOOKING, History::New, &status, &other[..1])).1, "1 conflict: status");
    let both = [status[0].clone(), method[0].clone()];
    assert_eq!(
        planned(BOOKING, &met(BOOKING, History::New, &both, &other)).1,
        "2 conflicts: status, payment"
    );
    let all = [both.to_vec(), method[1..].to_vec()].concat();
    assert_eq!(
        planned(BOOKING, &met(BOOKING, History::New, &all, &other)).1,
        "Updated 1 field: amount; 2 conflicts: status, payment"
    );
}

#[test]
fn a_row_that_is_new_on_one_side_is_made_on_the_other() {
    let mut situation = only(Side::Document, History::New, row(Side::Document, LAUNCH, &[]));
    situation.facts.seats = Some(0);
    let (plan, log) = planned(LAUNCH, &situation);
    assert_eq!(log, "Created on relational");
    let after = carried_out(&situation, &plan);
    // What only the relational side has: two hours, and nobody booked.
    assert_eq!(
        record(&after.seen.relational).unwrap(),
        row(Side::Relational, LAUNCH, &[("end", Value::Time(102 * HOUR))])
    );
    assert_eq!(planned(LAUNCH, &after).1, "No changes");

    for entity in [LAUNCH, BOOKING, USER] {
        let mut situation = only(Side::Relational, History::New, row(Side::Relational, entity, &[]));
        situation.facts.seats = Some(0);
        let (plan, log) = planned(entity, &situation);
        assert_eq!(log, "Created on document");
        let after = carried_out(&situation, &plan);
        assert_eq!(record(&after.seen.document).unwrap(), row(Side::Document, entity, &[]));
        assert_eq!(after.history, agreed(entity, &[]));
    }
}

#[test]
fn a_document_admin_is_not_made_an_employee() {
    let admin =
        only(Side::Document, History::New, row(Side::Document, USER, &[("role", Value::Word("admin"))]));
    assert_eq!(refused(USER, &admin), Reason::NewAdmin);
    let employee =
        only(Side::Relational, History::New, row(Side::Relational, USER, &[("role", Value::Word("admin"))]));
    assert_eq!(planned(USER, &employee).1, "Created on document");
}

#[test]
fn a_row_that_vanished_is_deleted_on_the_other_side_after_the_grace_time() {
    for (entity, side) in [(LAUNCH, Side::Document), (BOOKING, Side::Relational), (USER, Side::Document)] {
        let record = row(side, entity, &[]);
        let mut situation = only(side, agreed(entity, &[]), record.clone());
        let (plan, log) = planned(entity, &situation);
        assert!(plan.is_quiet());
        assert_eq!((plan.waits, plan.history), (Some(side.other()), situation.history.clone()));
        assert_eq!(log, format!("Missing on {}, waiting", side.other()));

        situation.facts.grace_over = true;
        let (plan, log) = planned(entity, &situation);
        assert_eq!(log, format!("Deleted on {side}"));
        assert_eq!(plan.actions.of(side), &Action::Delete(record));
        assert_eq!(plan.history, History::Deleted);
        assert_eq!(planned(entity, &carried_out(&situation, &plan)).1, "No changes");
        // What is left of a deleted row stays as it is and makes no new one; what lives again is a person's.
        situation.history = History::Deleted;
        assert_eq!(planned(entity, &situation).1, "1 conflict: deletion");
        let end = if entity == BOOKING {
            ("status", Value::Word("cancelled"))
        } else {
            ("isActive", Value::Bool(false))
        };
        let left = only(side, History::Deleted, row(side, entity, &[end]));
        assert_eq!(planned(entity, &left).1, "No changes");
        // Both gone: remembered as deleted.
        let gone = Situation { history: agreed(entity, &[]), ..Situation::default() };
        assert_eq!(planned(entity, &gone).0.history, History::Deleted);
    }
}

#[test]
fn a_deletion_that_meets_an_edit_or_money_or_bookings_is_a_persons() {
    let gone = |entity, history, changes: &[(&str, Value)], dependents| {
        let mut situation = only(Side::Relational, history, row(Side::Relational, entity, changes));
        situation.facts.grace_over = true;
        situation.facts.dependents = dependents;
        situation
    };
    let title = [("title", text("Mars"))];
    let edited = gone(LAUNCH, agreed(LAUNCH, &[]), &title, 0);
    assert_eq!(refused(LAUNCH, &edited), Reason::DeletedAndChanged(Side::Document));
    assert_eq!(planned(LAUNCH, &edited).1, "1 conflict: deletion");
    let booked = gone(LAUNCH, agreed(LAUNCH, &[]), &[], 3);
    assert_eq!(refused(LAUNCH, &booked), Reason::DeletedBooked(Side::Document));
    let paid = [("paymentStatus", Value::Word("paid"))];
    let paid = gone(BOOKING, agreed(BOOKING, &paid), &paid, 0);
    assert_eq!(refused(BOOKING, &paid), Reason::DeletedPaid(Side::Document));
    // Fields that were never agreed on prove nothing.
    assert!(matches!(
        refused(LAUNCH, &gone(LAUNCH, History::Agreed(Base::default()), &[], 0)),
        Reason::DeletedAndChanged(_)
    ));
    // The counter is nobody's edit.
    let counted = gone(LAUNCH, agreed(LAUNCH, &[]), &[("numberOfAttendees", Value::Int(9))], 0);
    assert_eq!(planned(LAUNCH, &counted).1, "Deleted on relational");
}

#[test]
fn a_row_that_cannot_be_understood_is_not_a_missing_row() {
    let fault = Fault {
        field: "price",
        side: Side::Document,
        place: "price",
        found: "the number NaN".into(),
        expected: "an amount".into(),
    };
    let mut situation = only(Side::Relational, agreed(LAUNCH, &[]), row(Side::Relational, LAUNCH, &[]));
    situation.seen.document = Seen::Unreadable(vec![fault.clone()]);
    situation.facts.grace_over = true;
    assert_eq!(refused(LAUNCH, &situation), Reason::Unreadable(fault));
    assert_eq!(planned(LAUNCH, &situation).1, "1 conflict: price");
    assert_eq!(
        planned(LAUNCH, &situation).0.conflicts[0].reason.to_string(),
        "price of the document side holds the number NaN, expected an amount"
    );
}

#[test]
fn the_end_keeps_its_distance_from_the_start() {
    let later = [("date", Value::Time(200 * HOUR))];
    let overrides = BTreeMap::from([("date".to_owned(), Authority::DocPrefer)]);
    let mapping = Mapping::with(LAUNCH, &overrides).unwrap();
    let situation = met(LAUNCH, agreed(LAUNCH, &[]), &later, &[]);
    let plan = merge(&mapping, &situation);
    let after = record(&carried_out(&situation, &plan).seen.relational).unwrap();
    assert_eq!(after.at(mapping.index("end").unwrap()), &Value::Time(203 * HOUR));
    assert_eq!(changes_log::text(&plan), "Updated 1 field: date");
    // It cannot when there is none to keep.
    let mut none = met(LAUNCH, agreed(LAUNCH, &[]), &later, &[("end", Value::Time(100 * HOUR))]);
    let plan = merge(&mapping, &none);
    assert_eq!(plan.conflicts[0].reason, Reason::EndNotAfterStart);
    assert!(plan.is_quiet());
    // Untouched, it is not our business.
    none.seen.document = seen(row(Side::Document, LAUNCH, &[("title", text("Mars"))]));
    assert_eq!(changes_log::text(&merge(&mapping, &none)), "Updated 1 field: title");
}

#[test]
fn counters_follow_the_bookings() {
    let wrong = [("availableTickets", Value::Int(-4))];
    let mut situation = met(LAUNCH, agreed(LAUNCH, &[]), &wrong, &[("numberOfAttendees", Value::Int(7))]);
    assert_eq!(planned(LAUNCH, &situation).1, "No changes", "nobody counted the bookings");
    situation.facts.seats = Some(30);
    let (plan, log) = planned(LAUNCH, &situation);
    assert_eq!(log, "Updated counters: available tickets, number of attendees");
    let after = carried_out(&situation, &plan);
    let mapping = Mapping::of(LAUNCH);
    let at = |side: Side, name: &str| {
        record(after.seen.of(side)).unwrap().at(mapping.index(name).unwrap()).clone()
    };
    assert_eq!(at(Side::Document, "availableTickets"), Value::Int(70));
    assert_eq!(at(Side::Relational, "numberOfAttendees"), Value::Int(30));
    assert_eq!(planned(LAUNCH, &after).1, "No changes");
    // They go with a capacity that moves.
    let mut moved = met(LAUNCH, agreed(LAUNCH, &[]), &[], &[("capacity", Value::Int(60))]);
    moved.facts.seats = Some(30);
    let (_, document, _) = outcome(&moved, LAUNCH, "availableTickets");
    assert_eq!(document, Value::Int(30));
}

#[test]
fn seats_that_are_held_do_not_vanish() {
    // The capacity fell on the relational side: as an edit it is refused with the whole row, title and all.
    let fell = [("capacity", Value::Int(40)), ("title", text("Mars"))];
    let mut situation = met(LAUNCH, agreed(LAUNCH, &[]), &[], &fell);
    situation.facts.seats = Some(50);
    let reason = refused(LAUNCH, &situation);
    assert_eq!(reason, Reason::Oversold { capacity: 40, seats: 50 });
    assert!(reason.is_critical());
    assert_eq!(reason.proposals(), [Proposal::RaiseCapacity(50), Proposal::CancelSeats(10)]);
    assert_eq!(planned(LAUNCH, &situation).1, "1 conflict: capacity");
    // A document's capacity that is too low is put back by the relational one, or would make the row so.
    let mut low = met(LAUNCH, agreed(LAUNCH, &[]), &fell[..1], &[]);
    low.facts.seats = Some(50);
    assert_eq!(planned(LAUNCH, &low).1, "Updated 1 field: capacity");
    let overrides = BTreeMap::from([("capacity".to_owned(), Authority::DocAlways)]);
    let plan = merge(&Mapping::with(LAUNCH, &overrides).unwrap(), &low);
    assert_eq!(plan.conflicts[0].reason, Reason::CapacityBelowSeats { capacity: 40, seats: 50 });
    assert!(plan.is_quiet());
    // Exactly full is fine.
    low.facts.seats = Some(100);
    assert_eq!(planned(LAUNCH, &low).1, "Updated 1 field: capacity");
}

#[test]
fn a_booking_that_does_not_fit_is_a_persons() {
    let mut new = only(Side::Document, History::New, row(Side::Document, BOOKING, &[]));
    new.facts.free_seats = Some(1);
    assert_eq!(refused(BOOKING, &new), Reason::NoSeats { seats: 2, free: 1 });
    new.facts.free_seats = Some(2);
    assert_eq!(planned(BOOKING, &new).1, "Created on relational");
    new.facts.twin = Some([9; 12]);
    assert_eq!(refused(BOOKING, &new), Reason::SecondBooking([9; 12]));

    let more = [("quantity", Value::Int(3))];
    let mut grows = met(BOOKING, agreed(BOOKING, &[]), &more, &[]);
    grows.facts.free_seats = Some(2);
    grows.facts.twin = Some([9; 12]);
    assert_eq!(refused(BOOKING, &grows), Reason::NoSeats { seats: 3, free: 2 });
    // Fewer seats always fit, and so does a cancellation.
    let fewer = [("quantity", Value::Int(1))];
    let mut shrinks = met(BOOKING, agreed(BOOKING, &[]), &fewer, &[]);
    shrinks.facts.free_seats = Some(-5);
    assert_eq!(planned(BOOKING, &shrinks).1, "Updated 1 field: quantity");
    let cancelled = only(
        Side::Document,
        History::New,
        row(Side::Document, BOOKING, &[("status", Value::Word("cancelled"))]),
    );
    let cancelled = Situation {
        facts: Facts { free_seats: Some(0), twin: Some([9; 12]), ..Facts::default() },
        ..cancelled
    };
    assert_eq!(planned(BOOKING, &cancelled).1, "Created on relational");
}

#[test]
fn a_reference_to_nothing_is_a_persons() {
    let mut new = only(Side::Document, History::New, row(Side::Document, BOOKING, &[]));
    new.facts.dangling = vec![(Side::Relational, [2; 12])];
    let reason = refused(BOOKING, &new);
    assert_eq!(reason.to_string(), "user 020202020202020202020202 does not exist on the relational side");
    new.facts.dangling = vec![(Side::Document, [2; 12])];
    assert_eq!(planned(BOOKING, &new).1, "Created on relational", "it is not written there");
}

#[test]
fn a_document_does_not_revive_a_cancelled_launch() {
    let inactive = [("isActive", Value::Bool(false))];
    let mut situation = met(LAUNCH, agreed(LAUNCH, &inactive), &[("title", text("Mars"))], &inactive);
    situation.facts.cancelled = true;
    let (plan, log) = planned(LAUNCH, &situation);
    // That field waits; the title of the same row does not.
    assert_eq!(log, "Updated 1 field: title; 1 conflict: active");
    assert_eq!(plan.conflicts[0].reason, Reason::Cancelled);
    situation.facts.cancelled = false;
    assert_eq!(planned(LAUNCH, &situation).1, "Updated 2 fields: title, active");
}

#[test]
fn after_a_crash_each_side_is_told_by_its_values() {
    let situation =
        met(LAUNCH, agreed(LAUNCH, &[]), &[], &[("price", Value::Money(1)), ("capacity", Value::Int(7))]);
    let (plan, _) = planned(LAUNCH, &situation);
    let before = record(&situation.seen.document).unwrap();
    let after = plan.after(Side::Document, Some(before.clone())).unwrap();
    let half = before.clone().with(Mapping::of(LAUNCH).index("price").unwrap(), Value::Money(1));
    assert_eq!(plan.standing(Side::Document, Some(&before)), Standing::Before);
    assert_eq!(plan.standing(Side::Document, Some(&after)), Standing::After);
    assert_eq!(plan.standing(Side::Document, Some(&half)), Standing::Neither);
    assert_eq!(plan.standing(Side::Document, None), Standing::Neither);
    assert_eq!(plan.standing(Side::Relational, None), Standing::After, "nothing was to be done");

    let new = only(Side::Document, History::New, row(Side::Document, USER, &[]));
    let (plan, _) = planned(USER, &new);
    assert_eq!(plan.standing(Side::Relational, None), Standing::Before);
    assert_eq!(plan.standing(Side::Relational, Some(&row(Side::Relational, USER, &[]))), Standing::After);
    let other = row(Side::Relational, USER, &[("name", text("Eve"))]);
    assert_eq!(plan.standing(Side::Relational, Some(&other)), Standing::Neither);
}

#[test]
fn every_reason_offers_a_way_out() {
    let reasons = [
        Reason::BothChanged,
        Reason::Cancelled,
        Reason::NewAdmin,
        Reason::EndNotAfterStart,
        Reason::SecondBooking([1; 12]),
        Reason::DeletedAndChanged(Side::Document),
        Reason::DeletedPaid(Side::Document),
        Reason::DeletedBooked(Side::Document),
        Reason::Role,
        Reason::Dangling { field: "user", id: [1; 12], side: Side::Document },
        Reason::NoSeats { seats: 3, free: 1 },
    ];
    for reason in reasons {
        assert!(!reason.proposals().is_empty(), "{reason}");
        assert!(reason.proposals().iter().all(|proposal| !proposal.to_string().is_empty()));
    }
    assert_eq!(
        Reason::DeletedAndChanged(Side::Document).proposals(),
        [Proposal::Restore(Side::Document), Proposal::Delete(Side::Relational)]
    );
}
