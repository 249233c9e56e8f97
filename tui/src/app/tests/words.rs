//! What the console says: hints that fit the place, questions that name what matters, refusals that keep the text.

use std::time::Duration;

use astrops_api::vocabulary::Right;
use chrono::TimeDelta;

use crate::{
    app::Settings,
    message::{Change, LinkState, LogItem, Request, Update},
    testing::{Harness, detail, id, jobs, log, now, operator},
};

fn at_jobs(settings: Settings) -> Harness {
    let mut harness = Harness::new(settings);
    harness.press("3");
    harness.answer_jobs(jobs(100));
    harness.screen(80, 24);
    harness.asked.clear();
    harness
}

fn last_line(screen: &str) -> String {
    screen.lines().last().unwrap_or_default().to_owned()
}

#[test]
fn hints_are_those_of_the_place() {
    let mut harness = at_jobs(Settings { production: true, ..Settings::default() });
    assert!(last_line(&harness.screen(80, 24)).contains("? help"));
    harness.press("R");
    assert_eq!(last_line(&harness.screen(80, 24)), " Enter yes  Esc no");
    harness.press("Esc Enter");
    harness.tell(&Update::Job(detail(99)));
    let line = last_line(&harness.screen(80, 24));
    assert!(line.contains("Esc back") && line.contains("U reveal") && !line.contains("mark"), "{line}");
    harness.press("ctrl-k").write(&id(95)).press("Enter");
    harness.tell(&Update::Job(detail(95)));
    assert!(!harness.screen(80, 24).contains("private fields"), "upkeep has none");
}

#[test]
fn who_may_only_look_is_offered_nothing_else() {
    let mut harness = at_jobs(Settings::default());
    let mut viewer = operator();
    viewer.right = Some(Right::Viewer);
    harness.tell(&Update::Welcome(viewer));
    let line = last_line(&harness.screen(80, 24));
    assert!(!line.contains("retry") && !line.contains("new") && line.contains("detail"), "{line}");
}

#[test]
fn the_list_says_why_a_job_failed() {
    let mut harness = at_jobs(Settings::default());
    assert!(harness.screen(80, 24).contains("00000063: 451 mailbox busy"));
    let wide = harness.screen(100, 24);
    assert!(wide.contains("ERROR") && wide.matches("451 mailbox busy").count() > 3, "{wide}");
}

#[test]
fn a_delay_names_the_job_and_a_second_and_keeps_what_was_typed() {
    let mut harness = at_jobs(Settings::default());
    harness.press("j D").write("soon").press("Enter");
    let screen = harness.screen(80, 24);
    assert!(screen.contains("is not a time: say +1h or 2026-11-20 15:02"), "{screen}");
    assert!(last_line(&screen).contains("soon"), "{screen}");
    harness.press("ctrl-u").write("00:30").press("Enter");
    let screen = harness.screen(80, 24);
    assert!(screen.contains("Not before 2026-11-21 00:30:00Z"), "{screen}");
    assert!(screen.contains("customer98@example.com"), "{screen}");
    harness.press("y");
    assert!(matches!(harness.changes()[..], [Change::Delay(..)]));
}

#[test]
fn running_a_scheduled_mail_says_that_it_goes_out_now() {
    let mut harness = at_jobs(Settings::default());
    harness.press("ctrl-r");
    let mut page = jobs(100);
    page.jobs[1].next_run_at = Some(now() + TimeDelta::hours(2));
    harness.answer_jobs(page);
    harness.press("j E");
    let screen = harness.screen(80, 24);
    assert!(screen.contains("It goes out now instead of at 2026-11-20 16:02:11Z"), "{screen}");
}

#[test]
fn forms_refuse_what_is_obviously_wrong() {
    let mut harness = at_jobs(Settings::default());
    harness.press("N Enter").write("ana at example").press("Enter").write("Ana").press("Enter");
    assert!(harness.screen(80, 24).contains("is not an e-mail address"));
    assert!(!harness.asked.iter().any(|request| matches!(request, Request::Preview(_))));
    harness.press("Esc 8 E ctrl-u").write("every day").press("ctrl-s");
    assert!(harness.screen(80, 24).contains("has 5 or 6 fields"));
    harness.press("ctrl-u").write("0 3 * * FUNDAY").press("ctrl-s");
    let screen = harness.screen(80, 24);
    assert!(screen.contains("is no day and no month") && screen.contains("FUNDAY"), "{screen}");
    harness.press("ctrl-u").write("0 3 * jan-mar MON-FRI").press("ctrl-s y");
    assert!(matches!(harness.changes()[..], [Change::EditSchedule(..)]));
}

#[test]
fn a_job_is_found_by_the_digits_that_are_shown() {
    let mut harness = at_jobs(Settings::default());
    harness.press("ctrl-k").write("0000005A").press("Enter");
    let shown = |request: &Request| matches!(request, Request::Job(job, _) if job.to_string() == id(90));
    assert!(harness.asked.iter().any(shown), "{:?}", harness.asked);
    harness.press("Esc ctrl-k").write("5a").press("Enter");
    let screen = harness.screen(80, 24);
    assert!(screen.contains("nothing loaded has these last 8 digits") && last_line(&screen).contains("5a"));
    harness.press("Esc /").write("00000058").press("Enter");
    assert!(!harness.asked.iter().any(|request| matches!(request, Request::Jobs(..))));
    assert!(harness.screen(80, 24).contains("> 00000058"));
}

#[test]
fn a_new_error_is_counted_soon_and_not_each_one() {
    let mut harness = Harness::new(Settings::default());
    let histograms = |harness: &Harness| {
        harness.asked.iter().filter(|request| matches!(request, Request::Histogram)).count()
    };
    harness.tick(now());
    harness.asked.clear();
    harness.tell(&Update::Logs(vec![LogItem::Entry(log(123))]));
    harness.tick(now() + TimeDelta::seconds(1));
    assert_eq!(histograms(&harness), 0);
    harness.tick(now() + TimeDelta::seconds(6));
    harness.tick(now() + TimeDelta::seconds(12));
    assert_eq!(histograms(&harness), 1);
}

#[test]
fn leaving_the_demo_does_not_promise_that_jobs_go_on() {
    let mut harness = Harness::new(Settings::default());
    harness.press("q");
    assert!(harness.screen(80, 24).contains("Jobs go on"));
    harness.app.session.settings.profile = "demo".into();
    harness.press("Esc q");
    let screen = harness.screen(80, 24);
    assert!(screen.contains("the daemon and its data end with it") && !screen.contains("Jobs go on"));
}

#[test]
fn what_was_never_loaded_is_not_empty() {
    let mut harness = Harness::new(Settings::default());
    harness.press("3");
    harness.tell(&Update::Link(LinkState::Waiting {
        retry_in: Duration::from_millis(300),
        attempt: 1,
        reason: "the daemon at 127.0.0.1:7700 does not answer; trying again by itself".into(),
    }));
    let screen = harness.screen(80, 24);
    assert!(!screen.contains("Jobs 0") && screen.contains("next try in 0.3 s"), "{screen}");
}
