//! What becomes of decisions: as jobs, while they are held, and when they end.

use astrops_api::{jobs::JobDetail, reconciliation::ConflictPage};

use crate::{
    app::Settings,
    message::{Change, LinkState, Outcome, Request, Update},
    testing::{Harness, conflict, decided_job, detail, job, jobs, now, resolution},
};

#[test]
fn a_decision_is_a_job_that_nobody_retries() {
    let mut harness = Harness::new(Settings::default());
    harness.press("3");
    let mut page = jobs(2);
    page.jobs[0] = decided_job(600, "cancelled", None);
    page.jobs[1] = job(0);
    harness.answer_jobs(page);
    assert!(harness.screen(130, 24).contains("decision on booking 00000000"), "{}", harness.screen(130, 24));
    harness.press("R");
    assert!(harness.screen(120, 24).contains("retry: a decision is not retried: decide anew in Drift"));
    harness.press("ctrl-a R");
    let screen = harness.screen(80, 24);
    assert!(screen.contains("Retry 1 job?") && screen.contains("What was taken back stays so"), "{screen}");
    harness.press("Esc Esc Enter");
    let of_decision = JobDetail { job: decided_job(600, "cancelled", None), ..(*detail(1)).clone() };
    harness.tell(&Update::Job(of_decision.into()));
    let screen = harness.screen(80, 24);
    assert!(
        screen.contains("entity   decision on booking") && screen.contains("decide anew in Drift"),
        "{screen}"
    );
    assert!(!screen.contains("private fields"), "only mails have some: {screen}");
}

/// Three conflicts that were decided together just now.
fn three_held() -> Harness {
    let mut harness = Harness::new(Settings::default());
    harness.press("7 s").answer_all();
    let held = (0..3).map(|number| (format!("launch 0000000{number}"), resolution(Some(600 + number))));
    harness.tell(&Update::Held(held.collect()));
    harness
}

fn ended(number: usize, status: &str, error: Option<&str>) -> Update {
    Update::JobsChanged(vec![decided_job(600 + number, status, error)])
}

#[test]
fn what_is_held_is_seen_everywhere_and_before_leaving() {
    let mut harness = three_held();
    harness.tell(&Update::Done(Change::Trigger("x".into()), Vec::new()));
    let screen = harness.screen(80, 24);
    assert!(screen.contains("3 decisions: written in 10 s, u takes it back"), "{screen}");
    assert!(screen.lines().last().unwrap().contains("u TAKE BACK"), "{screen}");
    harness.press("4");
    let screen = harness.screen(80, 24);
    assert!(screen.contains("3 decisions: written in 10 s; to take it back: 7, then u"), "{screen}");
    harness.press("q");
    assert!(harness.screen(80, 24).contains("3 decisions are written in 10 s whether you leave or not"));
    harness.press("n");
    assert!(!harness.screen(80, 24).contains("nothing was done"));
    let away =
        LinkState::Waiting { retry_in: std::time::Duration::from_secs(1), attempt: 1, reason: "away".into() };
    harness.tell(&Update::Link(away));
    assert!(
        harness.screen(80, 24).contains("3 decisions: no link, u is refused; written in 10 s"),
        "{}",
        harness.screen(80, 24)
    );
    harness.press("7");
    assert!(!harness.screen(80, 24).contains("TAKE BACK"), "u is refused");
}

#[test]
fn every_outcome_of_a_bulk_decision_is_told_with_the_failures_in_full() {
    let mut harness = three_held();
    let why =
        "either side changed since this was decided, so nothing was written; look again and decide anew";
    harness.tell(&ended(0, "completed", None));
    harness.tell(&ended(1, "failed", Some(why)));
    assert!(!harness.screen(80, 24).contains("written: "), "told together");
    harness.tell(&ended(2, "completed", None));
    harness.press("j k");
    let screen = harness.screen(80, 24).replace("\n ", " ");
    let words = format!("! 2 written, 1 failed: launch 00000001: {why}");
    assert!(screen.contains(&words), "no key takes it away: {screen}");
    harness.press("Esc");
    assert!(!harness.screen(80, 24).contains("1 failed"));
    harness.press("m");
    let screen = harness.screen(80, 24);
    assert!(
        screen.contains("Messages") && screen.contains("2 written, 1 failed: launch 00000001"),
        "{screen}"
    );
}

#[test]
fn taking_many_back_says_so_once() {
    let mut harness = three_held();
    harness.press("u");
    assert!(
        matches!(harness.changes()[..], [Change::Cancel(jobs)] if jobs.len() == 3),
        "{:?}",
        harness.asked
    );
    for number in 0..3 {
        harness.tell(&ended(number, "cancelled", None));
    }
    let screen = harness.screen(80, 24);
    assert!(
        screen.contains("3 taken back, nothing was written") && !screen.contains("written in"),
        "{screen}"
    );
}

#[test]
fn a_decision_whose_end_was_missed_is_asked_about_and_then_given_up() {
    let mut harness = three_held();
    harness.asked.clear();
    harness.tell(&Update::JobsMissed);
    let jobs = harness.asked.iter().filter(|request| matches!(request, Request::Job(_, false)));
    assert_eq!(jobs.count(), 3);
    let ended = JobDetail { job: decided_job(600, "completed", None), ..(*detail(1)).clone() };
    harness.tell(&Update::Job(ended.into()));
    harness.app.tick(now() + chrono::TimeDelta::minutes(3));
    let screen = harness.screen(80, 24).replace("\n ", " ");
    assert!(
        screen.contains("1 written, 2 without an answer: launch 00000001, launch 00000002: the job"),
        "{screen}"
    );
}

#[test]
fn a_long_message_takes_the_lines_that_it_needs() {
    let mut harness = Harness::new(Settings::default());
    let long = "word ".repeat(40) + "end";
    let outcome = Outcome { target: "x".into(), result: Err(long) };
    harness.tell(&Update::Done(Change::Trigger("x".into()), vec![outcome.clone()]));
    assert!(harness.screen(80, 24).contains("end"), "{}", harness.screen(80, 24));
    let small = harness.screen(40, 10);
    assert!(!small.contains("end") && small.contains("... m: all"), "{small}");
    harness.tell(&Update::Done(Change::Trigger("x".into()), vec![outcome]));
    harness.press("m");
    let screen = harness.screen(80, 24);
    assert_eq!(screen.matches("word end").count(), 2, "once on the page, once below it: {screen}");
}

#[test]
fn a_change_is_not_said_yes_to_before_its_end_was_seen() {
    let mut harness = Harness::new(Settings::default());
    harness.press("7").answer_all().press("Enter").answer_all().press("< p").answer_all();
    harness.press("W").write("paid").press("Enter");
    let screen = harness.screen(40, 10);
    assert!(screen.contains("j k scroll: 3 of"), "{screen}");
    harness.press("y");
    assert!(harness.changes().is_empty() && harness.screen(80, 24).contains("there is more of it to read"));
    harness.screen(40, 10);
    harness.press("G");
    assert!(harness.screen(40, 10).contains("set there)"), "{}", harness.screen(40, 10));
    harness.press("y");
    assert!(matches!(harness.changes()[..], [Change::Decide(..)]));
}

/// At the conflicts, of which the daemon lists these.
fn at_conflicts(numbers: &[usize]) -> Harness {
    let mut harness = Harness::new(Settings::default());
    harness.press("7").answer_all();
    harness.press("s");
    let number = harness.asked.iter().find_map(|request| match request {
        Request::Conflicts(number, _) => Some(*number),
        _ => None,
    });
    let conflicts: Vec<_> = numbers.iter().map(|number| conflict(*number)).collect();
    let total = conflicts.len() as u64;
    harness.tell(&Update::Conflicts(
        number.unwrap(),
        ConflictPage { conflicts, total, page: 1, page_size: 200 },
    ));
    harness.asked.clear();
    harness
}

#[test]
fn snoozing_what_is_critical_says_that_nothing_wakes_it() {
    let mut harness = at_conflicts(&[8, 1]);
    harness.press("Space Space Z Tab").write("later").press("Enter");
    let screen = harness.screen(80, 24);
    assert!(screen.contains("1 of them are CRITICAL and somebody must act now"), "{screen}");
    assert!(screen.contains("What becomes critical wakes by itself."), "{screen}");
    let mut harness = at_conflicts(&[8]);
    harness.press("Z Tab").write("later").press("Enter");
    let screen = harness.screen(80, 24);
    assert!(screen.contains("It is CRITICAL") && !screen.contains("wakes by itself"), "{screen}");
}

#[test]
fn a_snoozed_conflict_is_woken() {
    let mut harness = at_conflicts(&[4]);
    harness.press("Z Tab").write("the supplier called").press("Enter");
    assert!(harness.screen(80, 24).contains("Wake 1 conflict?"), "{}", harness.screen(80, 24));
    harness.press("y");
    let [change @ Change::WakeConflicts(conflicts, body)] = harness.changes()[..] else {
        panic!("{:?}", harness.asked)
    };
    assert!(conflicts[0].0 == conflict(4).id && body.until < now() && change.done() == "woken");
}

#[test]
fn what_is_snoozed_is_counted_where_it_is_not_listed() {
    // The daemon knows four conflicts.
    let mut harness = at_conflicts(&[1]);
    assert!(harness.screen(80, 24).contains("[Conflicts 1, 3 snoozed]"), "{}", harness.screen(80, 24));
    harness.press("s s");
    assert!(harness.screen(80, 24).contains("  Conflicts 1, 3 snoozed  "), "{}", harness.screen(80, 24));
    let mut harness = at_conflicts(&[]);
    let screen = harness.screen(80, 24);
    assert!(
        screen.contains("Nothing else waits for a person. Snoozed: 4; /snoozed:yes shows them."),
        "{screen}"
    );
}

#[test]
fn who_wins_is_read_again_when_the_daemon_was_away() {
    let mut harness = Harness::new(Settings::default());
    harness.press("7").answer_all().press("Enter").answer_all();
    let rules = |harness: &Harness| harness.asked.iter().any(|request| matches!(request, Request::Mapping));
    harness.tick(now() + chrono::TimeDelta::seconds(20));
    assert!(!rules(&harness));
    harness.tell(&Update::Link(LinkState::Connecting));
    harness.tell(&Update::Link(LinkState::Live(std::time::Duration::from_millis(3))));
    harness.tick(now() + chrono::TimeDelta::seconds(40));
    assert!(rules(&harness), "{:?}", harness.asked);
}

#[test]
fn decisions_that_were_taken_before_the_latest_are_counted_and_taken_back_after_it() {
    let mut harness = three_held();
    harness.tell(&Update::Held(vec![("user 00000009".into(), resolution(Some(609)))]));
    assert!(
        harness.screen(80, 24).contains("user 00000009 (and 3 before): written in 10 s, u takes it back")
    );
    harness.tell(&ended(9, "cancelled", None));
    assert!(harness.screen(80, 24).contains("3 decisions: written in 10 s, u takes it back"));
}
