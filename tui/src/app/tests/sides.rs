//! What both sides of an entity say when nothing can be decided there, and where there is little room.

use astrops_api::{drift::Drift, vocabulary::Right};
use chrono::TimeDelta;
use serde_json::Value;

use crate::{
    app::Settings,
    files::SidesFile,
    message::{Request, Update},
    testing::{Harness, drift, entity, now, operator, sides},
};

/// At both sides of a booking that are changed before they are shown.
fn at_sides(change: impl FnOnce(&mut SidesFile)) -> Harness {
    let mut harness = Harness::new(Settings::default());
    harness.press("7").answer_all().press("Enter").answer_all();
    let mut file = (*sides(0, 480.0)).clone();
    change(&mut file);
    harness.tell(&Update::Sides(file.into()));
    harness
}

fn footer(screen: &str) -> &str {
    screen.lines().last().unwrap_or_default()
}

#[test]
fn why_a_difference_was_not_mended_is_told_in_full_and_nothing_is_offered_that_cannot_be() {
    let why = "the document side refused the change: documents cannot hold a name of nothing; correct the other row, \
               then reconcile again";
    let mut harness = at_sides(|file| {
        file.conflict = None;
        file.diff.conflicts.clear();
        let first_seen = now() - TimeDelta::minutes(7);
        file.known = Some(Drift { text: why.into(), first_seen, ..drift(2).drift[1].clone() });
    });
    let screen = harness.screen(80, 24);
    let flowing = screen.replace("│\n│ ", "").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flowing.contains(&format!("Differs for 7 m: {why}")), "{flowing}");
    for gone in ["document  >", "p preview", "W write", "b base", "e edit"] {
        assert!(!footer(&screen).contains(gone), "{screen}");
    }
    assert!(footer(&screen).contains("R reconcile"), "{screen}");
}

#[test]
fn a_side_that_cannot_be_read_is_not_shown_as_empty() {
    let mut harness = at_sides(|file| {
        file.diff.document = "unreadable".into();
        file.diff.conflicts[0].reason = "price of the document side holds the text \"cheap\"".into();
        for field in &mut file.diff.fields {
            field.document = Value::Null;
            field.verdict = "held back".into();
        }
    });
    let screen = harness.screen(80, 24);
    assert!(
        screen.contains("The document side cannot be read: price of the document side holds"),
        "{screen}"
    );
    assert!(screen.contains("unreadable") && !screen.contains("none*"), "{screen}");
    assert!(!footer(&screen).contains("< document") && footer(&screen).contains("Z snooze"), "{screen}");
}

#[test]
fn what_waits_is_not_marked_as_about_to_be_written() {
    let mut harness = at_sides(|_| {});
    let screen = harness.screen(80, 24);
    assert!(screen.contains("~ quantity") && screen.contains("- status"), "{screen}");
}

#[test]
fn a_deletion_says_what_becomes_of_the_row_that_is_left() {
    let mut harness = at_sides(|file| {
        file.conflict = None;
        file.diff.conflicts.clear();
        file.diff.document = "missing".into();
        file.diff.changes_log = "Deleted on relational".into();
    });
    let screen = harness.screen(120, 40);
    assert!(screen.contains("inactive, a booking is cancelled"), "{screen}");
    let wide = harness.screen(200, 40);
    assert!(wide.contains("with the row") && !wide.contains("held back"), "{wide}");
    harness.press("R");
    assert!(harness.screen(80, 24).contains("a booking is cancelled"), "{}", harness.screen(80, 24));
    // In the list, too.
    harness.press("Esc Esc j j j R");
    let screen = harness.screen(80, 24);
    assert!(screen.contains("booking 00000003") && screen.contains("a booking is cancelled"), "{screen}");
}

#[test]
fn what_is_taken_is_seen_where_there_is_little_room() {
    let mut harness = at_sides(|_| {});
    for (width, height) in [(60, 15), (100, 30), (119, 30)] {
        harness.press("<");
        let screen = harness.screen(width, height);
        assert!(screen.contains("TAKE") && screen.contains("RELATIONAL "), "{width}: {screen}");
        assert!(screen.contains("conflict") || screen.contains("] "), "{screen}");
    }
}

#[test]
fn enter_gives_the_keys_to_both_sides_and_tab_gives_them_back() {
    let mut harness = Harness::new(Settings::default());
    harness.screen(120, 30);
    harness.press("7").answer_all().press("Enter").answer_all().press("<");
    assert!(harness.screen(120, 30).contains("[480.0]*"));
    harness.press("Tab");
    assert!(footer(&harness.screen(120, 30)).contains("Tab to the sides"));
    harness.press("j").answer_all();
    assert!(harness.screen(120, 30).contains("Both sides of launch 00000001"));
}

#[test]
fn who_may_only_look_is_not_offered_decisions() {
    let mut harness = at_sides(|_| {});
    let mut viewer = operator();
    viewer.right = Some(Right::Viewer);
    harness.tell(&Update::Welcome(viewer));
    let screen = harness.screen(80, 24);
    assert!(!footer(&screen).contains("< document") && !footer(&screen).contains("p preview"), "{screen}");
}

#[test]
fn closing_both_sides_leads_back_to_where_they_were_asked_for() {
    let mut harness = Harness::new(Settings::default());
    harness.press("4").answer_all().press("j j Enter").answer_all().press("c").answer_all();
    assert!(harness.screen(80, 24).contains("Both sides of booking"));
    harness.press("Esc");
    assert!(harness.screen(80, 24).contains("Booking 00000025"), "{}", harness.screen(80, 24));
    // Who went on from there comes back to the list.
    harness.press("c").answer_all().press("3");
    harness.tick(now() + TimeDelta::seconds(1));
    harness.press("7 Esc");
    assert!(harness.screen(80, 24).contains("[Open differences"), "{}", harness.screen(80, 24));
}

#[test]
fn a_difference_is_found_by_the_digits_that_are_shown() {
    let mut harness = Harness::new(Settings::default());
    harness.press("7").answer_all().press("/").write("00000003").press("Enter");
    let Some(Request::Drift(_, query)) = harness.asked.last() else { panic!("{:?}", harness.asked) };
    assert_eq!(query.entity_id, Some(entity(2, 3).parse().unwrap()));
}

#[test]
fn the_sweeps_offer_what_can_be_done_and_say_what_they_compare() {
    let mut harness = Harness::new(Settings::default());
    harness.press("7 s s").answer_all();
    assert!(harness.screen(80, 24).contains("full, dry"));
    assert!(!footer(&harness.screen(80, 24)).contains("approve"));
    harness.press("j");
    let screen = harness.screen(80, 24);
    assert!(footer(&screen).contains("A approve") && !footer(&screen).contains("pause"), "{screen}");
    harness.press("o");
    assert!(harness.screen(80, 24).contains("sweeps are ordered by date only; O turns it round"));
    harness.press("N");
    assert!(harness.screen(80, 24).contains("│ tells. "), "{}", harness.screen(80, 24));
    harness.press("ctrl-s");
    assert!(harness.screen(80, 24).contains("Compares what changed since the last sweep, on both sides."));
}
