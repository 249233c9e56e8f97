//! What an operator does about databases that differ, key by key.

use std::collections::BTreeMap;

use astrops_api::{
    resolution::{Choice, Resolve, ResolveMany, Take},
    sweeps::NewSweep,
    vocabulary::{DriftKind, EntityType, Order, Right, SweepMode},
};
use chrono::TimeDelta;
use serde_json::json;

use crate::{
    app::Settings,
    message::{Change, Decision, LinkState, Outcome, Request, SweepAct, Update},
    screen::Place,
    testing::{
        Harness, agreement, conflict, conflicts, decided_job, drift_answer_of, entity, id, now, operator,
        resolution, sides, sweep,
    },
};

/// At both sides of the first difference, a booking whose amount is in conflict.
fn at_sides() -> Harness {
    let mut harness = at("7 Enter");
    harness.asked.clear();
    harness
}

fn at(way: &str) -> Harness {
    let mut harness = Harness::new(Settings::default());
    for step in way.split(' ') {
        harness.press(step).answer_all();
    }
    harness.screen(80, 24);
    harness.asked.clear();
    harness
}

/// The dry runs that were asked for.
fn tried(harness: &Harness) -> Vec<&Decision> {
    let tries = harness.asked.iter().filter_map(|request| match request {
        Request::Try(_, decision) => Some(&**decision),
        _ => None,
    });
    tries.collect()
}

fn decided(harness: &Harness) -> Vec<&Decision> {
    let decided = harness.changes().into_iter().filter_map(|change| match change {
        Change::Decide(decision, _) => Some(&**decision),
        _ => None,
    });
    decided.collect()
}

/// Lets the latest decision succeed with this job.
fn accept(harness: &mut Harness, job: usize) {
    let change = harness.changes().last().copied().expect("something was decided").clone();
    let outcome = Outcome { target: "booking 00000000".into(), result: Ok("Updated 2 fields".into()) };
    harness.tell(&Update::Done(change, vec![outcome]));
    harness.tell(&Update::Held(vec![("booking 00000000".into(), resolution(Some(job)))]));
    harness.asked.clear();
}

#[test]
fn differences_are_narrowed_and_ordered_by_the_daemon() {
    let mut harness = at("7");
    harness.press("/").write("type:booking kind:missing_document").press("Enter");
    let Some(Request::Drift(_, query)) = harness.asked.pop() else { panic!("not asked") };
    assert_eq!(query.entity_type, Some(EntityType::Booking));
    assert_eq!((query.kind, query.order), (Some(DriftKind::MissingDocument), Some(Order::Asc)));
    harness.press("O");
    let Some(Request::Drift(_, query)) = harness.asked.pop() else { panic!("not asked") };
    assert_eq!(query.order, Some(Order::Desc));
    harness.press("/").write("lunar").press("Enter");
    assert!(harness.screen(80, 24).contains("is no type, kind or whole id"));
    assert!(harness.asked.is_empty(), "what is not understood is not asked");
    harness.press("s").answer_all();
    harness.press("/").write("booking snoozed:yes").press("Enter");
    let Some(Request::Conflicts(_, query)) = harness.asked.pop() else { panic!("not asked") };
    assert_eq!(
        (query.entity_type, query.snoozed, query.order),
        (Some(EntityType::Booking), Some(true), None)
    );
    harness.press("O");
    assert!(harness.asked.is_empty() && harness.screen(80, 24).contains("the critical stand first"));
}

#[test]
fn a_decision_is_previewed_asked_about_held_and_written() {
    let mut harness = at_sides();
    harness.press("W");
    assert!(harness.screen(80, 24).contains("write: choose first"));
    harness.press("< W");
    assert!(harness.screen(80, 24).contains("write: look first at what it writes: p"));
    harness.press("p");
    let choices = BTreeMap::from([("totalAmount".to_owned(), Choice::Document)]);
    let [Decision::Resolve(about, body)] = tried(&harness)[..] else { panic!("{:?}", harness.asked) };
    assert_eq!((*about, &body.choices), (conflict(0).id, &choices));
    harness.answer_all();
    let screen = harness.screen(80, 24);
    assert!(screen.contains("relational bookings.total_amount: 420.5 -> 480"), "{screen}");
    harness.press("W").write("the customer paid for four").press("Enter");
    let screen = harness.screen(80, 24);
    assert!(screen.contains("relational bookings.ticket_quantity: 3 -> 4 (mirror)"), "{screen}");
    harness.press("Enter");
    assert!(harness.changes().is_empty(), "Enter is no");
    harness.press("ctrl-s y");
    let reason = "the customer paid for four".to_owned();
    let body = Resolve { choices, reason, dry_run: false, seen: Some("5eed".into()), hold_seconds: 0 };
    assert_eq!(decided(&harness), [&Decision::Resolve(conflict(0).id, body)]);
    accept(&mut harness, 600);
    assert!(harness.screen(80, 24).contains("booking 00000000: written in 10 s, u takes it back"));
    let done = decided_job(600, "completed", None);
    harness.tell(&Update::JobsChanged(vec![done]));
    let screen = harness.screen(80, 24);
    assert!(screen.contains("booking 00000000: Updated 2 fields: quantity, amount"), "{screen}");
    assert!(!screen.contains("takes it back"), "{screen}");
}

#[test]
fn nothing_is_written_that_was_not_previewed() {
    let mut harness = at_sides();
    harness.press("< p").answer_all();
    harness.press(">");
    assert!(harness.screen(80, 24).contains("The choices changed: p shows what they write now."));
    harness.press("W");
    assert!(harness.screen(80, 24).contains("look first at what it writes"));
    harness.press("> <").answer_all();
    assert!(harness.screen(80, 24).contains("W writes:"), "the choices of the preview hold again");
    // An answer to an older preview is not taken for one of the new choices.
    harness.press("> p");
    let Some(older) = harness.asked.pop() else { panic!("not asked") };
    harness.press("b p");
    harness.tell(&drift_answer_of(&older).unwrap());
    assert!(!harness.screen(80, 24).contains("W writes:"));
    harness.answer_all();
    assert!(harness.screen(80, 24).contains("W writes:"));
}

#[test]
fn what_was_decided_can_be_taken_back_while_it_is_held() {
    let mut harness = at_sides();
    harness.press("u");
    assert!(harness.screen(80, 24).contains("take back: nothing is about to be written"));
    harness.press("< p").answer_all();
    harness.press("W").write("paid").press("Enter y");
    accept(&mut harness, 600);
    harness.press("Esc u");
    assert_eq!(harness.changes(), [&Change::Cancel(vec![id(600).parse().unwrap()])]);
    harness.tell(&Update::JobsChanged(vec![decided_job(600, "cancelled", None)]));
    assert!(harness.screen(80, 24).contains("booking 00000000: taken back, nothing was written"));
    harness.asked.clear();
    harness.press("u");
    assert!(harness.changes().is_empty());
}

#[test]
fn a_row_that_changed_meanwhile_is_said_and_looked_at_again() {
    let mut harness = at_sides();
    harness.press("< p").answer_all();
    harness.press("W").write("paid").press("Enter y");
    let change = harness.changes()[0].clone();
    harness.asked.clear();
    let refused = "changed since you looked: look again".to_owned();
    let outcome = Outcome { target: "booking 00000000".into(), result: Err(refused) };
    harness.tell(&Update::Done(change, vec![outcome]));
    harness.tell(&Update::Held(Vec::new()));
    assert!(harness.asked.iter().any(|request| matches!(request, Request::Sides(..))), "{:?}", harness.asked);
    let screen = harness.screen(80, 24);
    assert!(screen.contains("changed since you looked") && !screen.contains("Write booking"), "{screen}");
    harness.tell(&Update::Sides(sides(0, 510.0)));
    let screen = harness.screen(80, 24);
    assert!(screen.contains("booking 00000000 changed meanwhile: look at it again"), "{screen}");
    assert!(screen.contains("[510.0]*"), "the choice is still made: {screen}");
    harness.press("W");
    assert!(harness.screen(80, 24).contains("look first at what it writes"));
    // What was typed is not typed again.
    harness.press("p").answer_all();
    harness.press("W");
    assert!(harness.screen(80, 24).contains("paid"));
}

#[test]
fn a_job_that_found_the_row_changed_says_so() {
    let mut harness = at_sides();
    harness.press("< p").answer_all();
    harness.press("W").write("paid").press("Enter y");
    accept(&mut harness, 600);
    let failed = decided_job(600, "failed", Some("both sides changed since the decision"));
    harness.tell(&Update::JobsChanged(vec![failed]));
    let words = "booking 00000000: nothing was written: both sides changed since the decision";
    assert!(harness.screen(80, 24).contains(words));
}

#[test]
fn a_value_is_typed_and_a_group_is_decided_together() {
    let mut harness = at_sides();
    harness.press("e ctrl-u").write("many").press("Enter");
    let screen = harness.screen(80, 24);
    assert!(screen.contains("amount: \"many\" is not a number: write one like 480.0"), "{screen}");
    harness.press("ctrl-u").write("450").press("Enter p");
    let [Decision::Resolve(_, body)] = tried(&harness)[..] else { panic!("{:?}", harness.asked) };
    assert_eq!(body.choices["totalAmount"], Choice::Value(json!(450)));
    assert!(harness.screen(80, 24).contains("= 450"));
    harness.asked.clear();
    // Status and its reason are one group: the second choice takes the place of the first.
    harness.press("j j <");
    assert!(harness.screen(80, 24).contains("with status"));
    harness.press("j > p");
    let [Decision::Resolve(_, body)] = tried(&harness)[..] else { panic!("{:?}", harness.asked) };
    assert_eq!(body.choices.keys().collect::<Vec<_>>(), ["cancellationReason", "totalAmount"]);
    // Nothing, too, is something that both sides agreed on.
    harness.press("b p");
    let Some(Decision::Resolve(_, body)) = tried(&harness).last().copied() else {
        panic!("{:?}", harness.asked)
    };
    assert_eq!(body.choices["cancellationReason"], Choice::Base);
    harness.press("j <");
    assert!(harness.screen(80, 24).contains("take document: both sides hold the same booked"));
}

#[test]
fn what_is_missing_on_one_side_is_decided_as_a_whole() {
    let mut harness = at_sides();
    let mut file = (*sides(0, 480.0)).clone();
    file.diff.document = "missing".into();
    file.diff.conflicts[0].topic = "deletion".into();
    file.diff.conflicts[0].whole_row = true;
    harness.tell(&Update::Sides(file.clone().into()));
    harness.press("g b");
    assert!(harness.screen(80, 24).contains("of a deletion a side is chosen"));
    harness.press("> p");
    let [Decision::Resolve(_, body)] = tried(&harness)[..] else { panic!("{:?}", harness.asked) };
    assert_eq!(body.choices, BTreeMap::from([("deletion".to_owned(), Choice::Relational)]));
    file.diff.document = "unreadable".into();
    harness.tell(&Update::Sides(file.into()));
    harness.press("<");
    assert!(harness.screen(80, 24).contains("the document side cannot be read: correct it there, then R"));
}

#[test]
fn one_side_is_taken_in_many_conflicts_after_a_dry_run() {
    let mut harness = at("7 s");
    harness.press("Space Space Space T Right Tab").write("theirs").press("Enter");
    let [Decision::ResolveMany(body)] = tried(&harness)[..] else { panic!("{:?}", harness.asked) };
    assert_eq!((body.take, body.ids.len()), (Take::Relational, 3));
    harness.answer_all();
    let screen = harness.screen(80, 24);
    assert!(screen.contains("Take the relational side in 2 conflicts?"), "{screen}");
    assert!(
        screen.contains("1 conflict left out") && screen.contains("the document cannot be read"),
        "{screen}"
    );
    assert!(screen.contains("relational bookings.total_amount: 420.5 -> 480 (decision"), "{screen}");
    // The question can be asked once more after a no.
    harness.press("Enter ctrl-s").answer_all();
    harness.press("y");
    let ids = vec![conflict(0).id, conflict(2).id];
    let many =
        ResolveMany { ids, take: Take::Relational, reason: "theirs".into(), dry_run: false, hold_seconds: 0 };
    assert_eq!(decided(&harness), [&Decision::ResolveMany(many)]);
}

#[test]
fn above_twenty_conflicts_the_count_is_typed_and_above_a_hundred_none_is_taken() {
    let mut harness = Harness::new(Settings::default());
    harness.press("7 s");
    let number = harness.asked.iter().find_map(|request| match request {
        Request::Conflicts(number, _) => Some(*number),
        _ => None,
    });
    harness.tell(&Update::Conflicts(number.unwrap(), conflicts(30)));
    harness.press("ctrl-a T Tab").write("ours").press("Enter").answer_all();
    harness.press("y").write("29").press("Enter");
    assert!(matches!(decided(&harness)[..], [Decision::ResolveMany(_)]));
    harness.asked.clear();
    harness.press("Esc ctrl-r");
    let Some(Request::Conflicts(number, _)) =
        harness.asked.iter().find(|request| matches!(request, Request::Conflicts(..))).cloned()
    else {
        panic!("not asked")
    };
    harness.tell(&Update::Conflicts(number, conflicts(130)));
    harness.press("\\ T");
    assert!(harness.screen(120, 24).contains("at most 100 conflicts at once"), "{}", harness.screen(120, 24));
}

#[test]
fn entities_are_reconciled_and_conflicts_snoozed() {
    let mut harness = at("7");
    harness.press("Space Space R y");
    let [Change::Reconcile(entities)] = harness.changes()[..] else { panic!("{:?}", harness.asked) };
    let named: Vec<_> = entities.iter().map(|one| (one.entity_type, one.entity_id.to_string())).collect();
    let first = entity(2, 0).parse::<astrops_api::ids::EntityId>().unwrap().to_string();
    assert_eq!((named.len(), &named[0]), (2, &(EntityType::Booking, first)));
    harness.asked.clear();
    harness.press("Esc j Z");
    assert!(harness.screen(80, 24).contains("snooze: only conflicts; this differs and the rules decide it"));
    harness.press("g Z Tab").write("waits for the supplier").press("Enter y");
    let [Change::SnoozeConflicts(conflicts, body)] = harness.changes()[..] else {
        panic!("{:?}", harness.asked)
    };
    assert_eq!(conflicts[0].0, conflict(0).id);
    assert_eq!((body.until, body.reason.as_str()), (now() + TimeDelta::hours(8), "waits for the supplier"));
}

#[test]
fn sweeps_are_started_paused_cancelled_and_approved() {
    let mut harness = at("7 s s");
    harness.press("N Right Tab Right Right Tab Right Enter y");
    let new = NewSweep { mode: SweepMode::Full, entity_type: Some(EntityType::Booking), dry_run: true };
    assert!(
        matches!(harness.changes()[..], [Change::StartSweep(sweep)] if *sweep == new),
        "{:?}",
        harness.asked
    );
    harness.asked.clear();
    harness.press("Esc A");
    assert!(harness.screen(80, 24).contains("approve: it waits for nobody's approval: it is running"));
    harness.press("P y j A");
    let screen = harness.screen(80, 24);
    assert!(
        screen.contains("It waits because: it would change 312 rows, more than 50 at a time"),
        "{screen}"
    );
    assert!(screen.contains("changes what it found and no more: of 345 differing"), "{screen}");
    harness.write("312").press("Enter j C");
    assert!(harness.screen(80, 24).contains("cancel: it is completed already"));
    harness.press("j P y C y");
    let acts: Vec<_> = harness
        .changes()
        .into_iter()
        .map(|change| match change {
            Change::SteerSweep(id, _, act) => (*id, *act),
            other => panic!("{other:?}"),
        })
        .collect();
    let wanted = [
        (sweep(0).id, SweepAct::Pause),
        (sweep(1).id, SweepAct::Approve),
        (sweep(3).id, SweepAct::Resume),
        (sweep(3).id, SweepAct::Cancel),
    ];
    assert_eq!(acts, wanted);
}

#[test]
fn a_running_sweep_is_watched_closely() {
    let mut harness = at("7 s s");
    harness.tick(now() + TimeDelta::seconds(3));
    assert!(
        harness.asked.iter().any(|request| matches!(request, Request::Sweeps(..))),
        "{:?}",
        harness.asked
    );
}

#[test]
fn a_change_is_reverted_from_the_history_after_a_dry_run() {
    let mut harness = at_sides();
    harness.press("h").answer_all();
    harness.press("U");
    let [Decision::Revert(change, body)] = tried(&harness)[..] else { panic!("{:?}", harness.asked) };
    assert_eq!(change.to_string(), id(800));
    assert!(!body.reason.is_empty());
    harness.answer_all();
    harness.write("wrong customer").press("Enter");
    assert!(harness.screen(80, 24).contains("relational bookings.total_amount: 420.5 -> 480"));
    harness.press("y");
    let [Decision::Revert(_, body)] = decided(&harness)[..] else { panic!("{:?}", harness.asked) };
    assert_eq!(body.reason, "wrong customer");
    accept(&mut harness, 601);
    harness.tell(&Update::JobsChanged(vec![decided_job(601, "completed", None)]));
    harness.press("j U");
    assert!(harness.screen(80, 24).contains("revert: its values are not kept any more"));
    // Undo leads to the same question once nothing is held any more.
    harness.asked.clear();
    harness.press("k u");
    assert!(matches!(tried(&harness)[..], [Decision::Revert(..)]));
}

#[test]
fn viewers_see_everything_and_change_nothing() {
    let mut harness = at_sides();
    let mut viewer = operator();
    viewer.right = Some(Right::Viewer);
    harness.tell(&Update::Welcome(viewer));
    harness.press("< p");
    assert!(harness.screen(120, 24).contains("preview: only operators decide"));
    harness.press("R Z W h").answer_all();
    assert!(harness.screen(120, 24).contains("Created on relational"));
    harness.press("U");
    assert!(harness.screen(120, 24).contains("revert: it needs the operator right; you are a viewer"));
    harness.press("Esc Esc N x");
    assert!(harness.screen(120, 40).contains("it needs the operator right"));
    assert!(
        harness.asked.iter().all(|request| !matches!(request, Request::Try(..)))
            && harness.changes().is_empty()
    );
}

#[test]
fn a_booking_shows_both_sides_and_leads_to_the_decision_and_back() {
    let mut harness = at("4 j j Enter");
    let screen = harness.screen(80, 40);
    assert!(screen.contains("sides     would be: Updated 1 field: quantity; 1 conflict: amount"), "{screen}");
    assert!(
        screen.contains("amount  document 480.0  relational 420.5  conflict: both sides changed"),
        "{screen}"
    );
    harness.press("c");
    let asked = harness.asked.clone();
    assert!(
        asked.iter().any(|request| matches!(request, Request::Sides(EntityType::Booking, _))),
        "{asked:?}"
    );
    harness.press("-");
    assert!(harness.screen(80, 24).contains("Booking 00000025"));
}

#[test]
fn the_dashboard_and_the_header_tell_how_far_both_agree() {
    let mut harness = Harness::new(Settings::default());
    let screen = harness.screen(120, 30);
    assert!(screen.lines().next().unwrap().contains("drift 12 conflicts 4 !1 verified 4 m ago"), "{screen}");
    assert!(screen.contains("1 critical conflict between both databases: decide now"), "{screen}");
    harness.press("j Enter");
    assert!(
        harness.asked.iter().any(|request| matches!(request, Request::Conflicts(..))),
        "{:?}",
        harness.asked
    );
    assert!(harness.screen(80, 24).contains("[Conflicts  /snoozed:yes]") && agreement().critical == 1);
}

#[test]
fn hostile_values_stay_on_their_line() {
    let mut harness = at_sides();
    let mut file = (*sides(0, 480.0)).clone();
    file.diff.fields[2].document = json!("\u{1B}[2J\u{202E}owned\n\n");
    file.diff.fields[2].label = "amount\u{1B}]0;x\u{7}".into();
    harness.tell(&Update::Sides(file.into()));
    harness.press("<");
    for keys in ["", "Enter", "Esc y"] {
        harness.press(keys);
        let shown = format!("{}{}", harness.screen(80, 24), harness.copied.clone().unwrap_or_default());
        assert!(shown.chars().all(|letter| letter == '\n' || !letter.is_control()), "{shown:?}");
        assert!(!shown.contains('\u{202E}'));
    }
}

#[test]
fn what_is_asked_while_the_connection_goes_is_asked_again() {
    let mut harness = at("7");
    harness.press("Enter");
    harness.tell(&Update::Link(LinkState::Connecting));
    harness.asked.clear();
    harness.press("ctrl-r");
    let sides = |request: &Request| matches!(request, Request::Sides(EntityType::Booking, _));
    assert!(harness.asked.iter().any(sides), "{:?}", harness.asked);
    let booking = entity(2, 9).parse().unwrap();
    harness.tell(&Update::Found(booking, Some(Place::Sides(EntityType::Booking, booking))));
    harness.answer_all();
    assert!(harness.screen(80, 24).contains("Both sides of booking 00000009"));
}
