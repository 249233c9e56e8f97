//! What an operator does, key by key.

use std::time::Duration;

use astrops_api::{
    jobs::{JobPage, JobQuery},
    logs::LogPage,
    notifications::Preview,
    vocabulary::JobStatus,
};

use crate::{
    app::Settings,
    message::{Change, LinkState, LogItem, Outcome, Request, Update},
    testing::{Harness, detail, id, job, jobs, log, logs, operator},
};

fn at_jobs(settings: Settings) -> Harness {
    let mut harness = Harness::new(settings);
    harness.press("3");
    harness.answer_jobs(jobs(100));
    harness.screen(80, 24);
    harness.asked.clear();
    harness
}

fn last_query(harness: &Harness) -> JobQuery {
    let query = harness.asked.iter().rev().find_map(|request| match request {
        Request::Jobs(_, query) => Some((**query).clone()),
        _ => None,
    });
    query.expect("jobs were asked for")
}

#[test]
fn retrying_asks_first_and_enter_means_no() {
    let mut harness = at_jobs(Settings::default());
    harness.press("R Enter R n R q R Esc R R");
    assert!(harness.changes().is_empty(), "neither Enter nor the key that asked is a yes");
    harness.press("y");
    assert_eq!(harness.changes(), [&Change::Retry(vec![id(99).parse().unwrap()])]);
}

#[test]
fn marked_jobs_are_retried_together_and_those_that_do_not_fit_are_left_out() {
    let mut harness = at_jobs(Settings::default());
    // 99 failed, 98 is queued, 97 completed, 96 failed.
    harness.press("Space Space Space Space R");
    assert!(harness.screen(80, 24).contains("Retry 2 jobs?"));
    harness.press("y");
    let ids = [99, 96].map(|number| id(number).parse().unwrap()).to_vec();
    assert_eq!(harness.changes(), [&Change::Retry(ids.clone())]);
    let refused = Outcome { target: "00000063".into(), result: Err("blocked by job 9f2c".into()) };
    let done = Outcome { target: "00000060".into(), result: Ok(String::new()) };
    harness.tell(&Update::Done(Change::Retry(ids), vec![refused, done]));
    let screen = harness.screen(80, 24);
    assert!(screen.contains("1 retried, 1 refused") && screen.contains("blocked by job 9f2c"), "{screen}");
}

#[test]
fn above_twenty_items_and_in_production_the_number_is_typed() {
    let mut harness = at_jobs(Settings::default());
    harness.press("ctrl-a R y Enter");
    assert!(harness.changes().is_empty());
    harness.press("R").write("12").press("Enter Esc");
    assert!(harness.changes().is_empty(), "a wrong number is no");
    harness.press("R").write("34").press("Enter");
    assert_eq!(harness.changes().len(), 1);
    let mut harness = at_jobs(Settings { production: true, ..Settings::default() });
    harness.press("R y Esc R 1 Enter");
    assert_eq!(harness.changes().len(), 1);
}

#[test]
fn a_key_that_is_off_says_why() {
    let mut harness = at_jobs(Settings::default());
    harness.press("j R");
    assert!(harness.screen(120, 24).contains("retry: only failed or cancelled jobs; this one is queued"));
    let mut harness = at_jobs(Settings { read_only: true, ..Settings::default() });
    harness.press("R y x Enter Esc C y N D X E");
    assert!(harness.screen(80, 24).contains("this profile is read-only"));
    assert!(harness.changes().is_empty());
}

#[test]
fn while_disconnected_commands_are_refused_and_data_is_dim() {
    let mut harness = at_jobs(Settings::default());
    harness.press("R");
    harness.tell(&Update::Link(LinkState::Waiting {
        retry_in: Duration::from_millis(500),
        attempt: 2,
        reason: "Connection refused".into(),
    }));
    harness.press("y");
    assert!(harness.changes().is_empty(), "the question outlived the connection");
    assert!(harness.screen(120, 24).contains("commands are refused, not queued"));
    assert!(harness.screen(120, 24).contains("next try in 0.5 s (attempt 2)"));
    harness.tell(&Update::Link(LinkState::Live(Duration::from_millis(3))));
    harness.press("R y");
    assert_eq!(harness.changes().len(), 1);
}

#[test]
fn an_expired_session_leads_to_the_form_and_back_to_the_same_screen() {
    let mut harness = at_jobs(Settings::default());
    harness.press("j j N Tab").write("ana@");
    harness.tell(&Update::SessionEnded("the session has expired".into()));
    let screen = harness.screen(80, 24);
    assert!(screen.contains("Signed out: the session has expired"), "{screen}");
    harness.write("ana@astrobookings.example").press("Tab").write("correct horse").press("Enter");
    assert!(
        matches!(harness.asked.last(), Some(Request::SignIn(login)) if login.password.expose() == "correct horse")
    );
    harness.tell(&Update::Welcome(operator()));
    harness.tell(&Update::Link(LinkState::Live(Duration::from_millis(3))));
    let screen = harness.screen(80, 24);
    assert!(screen.contains("New notification") && screen.contains("ana@"), "the form is kept: {screen}");
}

#[test]
fn a_filter_becomes_a_query_and_a_wrong_word_says_the_right_ones() {
    let mut harness = at_jobs(Settings::default());
    harness.press("/").write("status:failed busy").press("Enter");
    let query = last_query(&harness);
    assert_eq!((query.status, query.q.as_deref()), (Some(JobStatus::Failed), Some("busy")));
    harness.press("/").write("status:failed type:NOISE").press("Enter");
    assert!(harness.screen(120, 24).contains("NOTIFICATION, RECONCILIATION, MAINTENANCE"));
    harness.press("Esc s");
    assert_eq!(last_query(&harness).status, Some(JobStatus::Failed));
}

#[test]
fn more_rows_come_as_the_cursor_nears_the_end_and_the_cursor_stays_on_its_job() {
    let mut harness = at_jobs(Settings::default());
    harness.press("ctrl-r");
    harness.answer_jobs(JobPage { total: 5_103, ..jobs(100) });
    harness.press("G");
    assert_eq!(last_query(&harness).before, Some(id(0).parse().unwrap()));
    harness.answer_jobs(JobPage { jobs: Vec::new(), ..jobs(0) });
    harness.press("g j");
    harness.asked.clear();
    harness.tell(&Update::JobsChanged(vec![job(100)]));
    let later = crate::testing::now() + chrono::TimeDelta::seconds(2);
    let commands = harness.app.tick(later);
    assert!(commands.iter().any(|command| format!("{command:?}").contains("Jobs(")), "a change asks again");
    harness.press("ctrl-r");
    harness.answer_jobs(jobs(101));
    harness.press("R y");
    assert!(harness.changes().is_empty(), "98 is queued: the cursor is still on it");
}

#[test]
fn a_notification_is_shown_before_it_is_queued() {
    let mut harness = at_jobs(Settings::default());
    harness.press("N");
    assert!(harness.screen(80, 24).contains("WELCOME"));
    harness.press("Enter").write("new@example.com").press("Enter").write("Ana").press("Enter");
    let Some(Request::Preview(mail)) = harness.asked.pop() else { panic!("no preview was asked for") };
    assert_eq!((mail.recipient.as_str(), &mail.data["name"]), ("new@example.com", &"Ana".into()));
    let preview =
        Preview { subject: "Welcome, Ana".into(), text: "Hello Ana,\nwelcome.".into(), html: String::new() };
    harness.tell(&Update::Preview(mail.clone(), preview));
    let screen = harness.screen(80, 24);
    assert!(screen.contains("Subject: Welcome, Ana") && screen.contains("Hello Ana,"), "{screen}");
    harness.press("y");
    assert_eq!(harness.changes(), [&Change::Notify(mail.clone())]);
    let done = Outcome { target: "new@example.com".into(), result: Ok("job 9f2b".into()) };
    harness.tell(&Update::Done(Change::Notify(mail), vec![done]));
    let screen = harness.screen(80, 24);
    assert!(
        screen.contains("new@example.com queued: job 9f2b") && !screen.contains("New notification"),
        "{screen}"
    );
}

#[test]
fn logs_follow_freeze_and_keep_their_place() {
    let mut harness = Harness::new(Settings::default());
    harness.press("2");
    assert!(harness.screen(80, 24).contains("entry 119"));
    harness.press("k");
    harness.screen(80, 24);
    harness.tell(&logs(120..400));
    let screen = harness.screen(80, 24);
    assert!(screen.contains("entry 119") && !screen.contains("entry 399"), "frozen: {screen}");
    assert!(screen.contains("281 newer below"), "{screen}");
    harness.press("f");
    assert!(harness.screen(80, 24).contains("entry 399"));
}

#[test]
fn logs_are_filtered_inverted_and_searched() {
    let mut harness = Harness::new(Settings::default());
    harness.press("2 /").write("entry 11[0-4]:").press("Enter");
    let screen = harness.screen(80, 24);
    assert!(screen.contains("Logs 5  of 120") && screen.contains("entry 113"), "{screen}");
    harness.press("/ ctrl-u").write("!NOTIFY|JOB|AUTH").press("Enter");
    assert!(harness.screen(80, 24).contains("Logs 30  of 120"));
    harness.press("/ ctrl-u").write("(").press("Enter");
    assert!(harness.screen(80, 24).contains("this pattern is not complete"));
    harness.press("Esc s s");
    assert!(harness.screen(80, 24).contains("error and worse"));
    harness.press("Esc / ctrl-u").write("entry 40:").press("Enter Esc N l");
    assert!(
        harness
            .asked
            .iter()
            .any(|request| matches!(request, Request::Job(job, false) if job.to_string() == id(40)))
    );
}

#[test]
fn a_gap_is_a_row_that_no_filter_hides() {
    let mut harness = Harness::new(Settings::default());
    harness.tell(&Update::Logs(vec![LogItem::Gap(Some(1_234)), LogItem::Entry(log(300))]));
    harness.press("2 /").write("entry 300").press("Enter");
    assert!(harness.screen(80, 24).contains("---- 1 234 entries are missing here"));
}

#[test]
fn going_to_a_time_loads_older_rows_until_it_is_reached() {
    let mut harness = Harness::new(Settings::default());
    harness.press("2 t").write("13:00").press("Enter");
    let older = harness.asked.iter().filter(|request| matches!(request, Request::OlderLogs(_))).count();
    assert_eq!(older, 1);
    harness.asked.clear();
    harness.press("t").write("soon").press("Enter");
    assert!(harness.screen(120, 24).contains("is not a time"));
}

#[test]
fn what_is_copied_is_harmless() {
    let mut harness = Harness::new(Settings::default());
    let mut hostile = log(500);
    hostile.message = "\u{1B}]52;c;cm0gLXJm\u{7}rm -rf /\n\u{202E}".into();
    harness.tell(&Update::Logs(vec![LogItem::Entry(hostile)]));
    harness.press("2 y");
    let copied = harness.copied.clone().unwrap();
    assert!(copied.chars().all(|letter| !letter.is_control() && letter != '\u{202E}'), "{copied:?}");
    harness.press("k j Enter y");
    let copied = harness.copied.clone().unwrap();
    assert!(copied.chars().all(|letter| letter == '\n' || !letter.is_control()), "{copied:?}");
}

#[test]
fn hostile_text_reaches_no_cell() {
    let hostile =
        "\u{1B}[2J\u{9B}31m\u{202E}\u{200B}\u{E0041}\u{7}\r\nx\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}";
    let mut harness = at_jobs(Settings { profile: hostile.into(), ..Settings::default() });
    let mut page = jobs(3);
    for job in &mut page.jobs {
        job.error_message = Some(hostile.into());
        if let Some(mail) = &mut job.notification {
            mail.recipient_email = hostile.into();
        }
    }
    let mut logged = log(700);
    logged.message = hostile.into();
    logged.recorded_by = hostile.into();
    harness.tell(&Update::Logs(vec![LogItem::Entry(logged)]));
    let mut plans = crate::testing::schedules();
    plans[0].name = hostile.into();
    plans[0].description = hostile.into();
    harness.tell(&Update::Schedules(plans));
    harness.press("ctrl-r");
    harness.answer_jobs(page);
    let mut full = (*detail(2)).clone();
    full.job.error_message = Some(hostile.into());
    harness.press("g Enter");
    harness.tell(&Update::Job(full.into()));
    let ways = [
        "",
        "R",
        "Esc Esc Esc 2",
        "k Enter",
        "Esc J",
        "Esc 8",
        "Enter",
        "T",
        "Esc E",
        "Esc Esc 1",
        "Tab Tab",
    ];
    for way in ways {
        harness.press(way);
        for (width, height) in [(80, 24), (120, 40)] {
            let buffer = harness.buffer(width, height);
            for cell in buffer.content() {
                let bad = |letter: char| {
                    letter.is_control() || matches!(letter, '\u{202E}' | '\u{200B}' | '\u{E0041}')
                };
                assert!(!cell.symbol().contains(bad), "after {way}: {:?}", cell.symbol());
                assert!(cell.symbol().chars().count() <= 4, "{:?}", cell.symbol());
            }
        }
    }
}

#[test]
fn the_dashboard_leads_to_what_needs_attention() {
    let mut harness = Harness::new(Settings::default());
    harness.screen(80, 24);
    harness.press("j j Enter");
    assert!(last_query(&harness).delivery.is_some(), "the third line is about mails of unknown fate");
    harness.press("1 Tab j P y");
    let changes = harness.changes();
    assert!(matches!(changes[..], [Change::ResumeJobs(_)]), "{changes:?}");
}

#[test]
fn schedules_are_triggered_paused_and_edited() {
    let mut harness = Harness::new(Settings::default());
    harness.press("8 T y P y");
    harness.press("E ctrl-u").write("0 4 * * *").press("Tab Tab Tab Enter y");
    let changes: Vec<String> = harness.changes().into_iter().map(|change| format!("{change:?}")).collect();
    assert_eq!(changes.len(), 3, "{changes:?}");
    assert!(changes[0].starts_with("Trigger") && changes[1].starts_with("PauseSchedule"), "{changes:?}");
    assert!(changes[2].contains("0 4 * * *") && changes[2].contains("time_zone: None"), "{changes:?}");
}

#[test]
fn the_palette_runs_what_it_finds_and_leaving_asks() {
    let mut harness = Harness::new(Settings::default());
    harness.press(":").write("schedules").press("Enter");
    assert!(harness.screen(80, 24).contains("log-retention"));
    harness.press(":").write("diag").press("Enter");
    assert!(harness.screen(80, 24).contains("log rows held   120"));
    harness.press("Esc q Enter");
    assert!(!harness.over);
    harness.press("q y");
    assert!(harness.over);
}

#[test]
fn the_logs_of_a_job_come_from_the_daemon_and_esc_brings_all_back() {
    let mut harness = at_jobs(Settings::default());
    harness.press("l");
    let job = id(99).parse().unwrap();
    let asked = harness.asked.iter().any(
        |request| matches!(request, Request::OlderLogs(query) if query.job_id == Some(job) && query.before.is_none()),
    );
    assert!(asked, "{:?}", harness.asked);
    let mut old = log(99);
    old.job_id = Some(job);
    let page = LogPage { logs: vec![old.clone()], total: 1, page: 1, page_size: 200 };
    harness.tell(&Update::OlderLogs(None, page.clone()));
    assert!(harness.screen(80, 24).contains("Logs of job 00000063: 0"), "another question's answer");
    harness.tell(&Update::OlderLogs(Some(job), page));
    old.message = "live".into();
    harness.tell(&Update::Logs(vec![LogItem::Entry(log(200)), LogItem::Entry(old)]));
    let screen = harness.screen(80, 24);
    assert!(screen.contains("Logs of job 00000063: 2") && screen.contains("live"), "{screen}");
    harness.press("Esc");
    assert!(harness.screen(80, 24).contains("Logs 122  following"));
}

#[test]
fn marking_all_means_all_that_fit_and_not_a_page() {
    let mut harness = at_jobs(Settings::default());
    harness.press("ctrl-r");
    let page =
        |from: usize, to: usize| JobPage { jobs: (from..to).rev().map(job).collect(), total: 250, ..jobs(0) };
    harness.answer_jobs(page(150, 250));
    harness.press("ctrl-a");
    assert!(harness.screen(120, 24).contains("loading all 250 jobs"));
    harness.answer_jobs(page(50, 150));
    harness.answer_jobs(page(0, 50));
    assert!(harness.screen(120, 24).contains("all 250 marked"));
    harness.press("C").write("83").press("Enter");
    assert!(matches!(harness.changes()[..], [Change::Cancel(ids)] if ids.len() == 83));
}

#[test]
fn a_flood_of_new_jobs_does_not_pull_away_the_rows_that_are_read() {
    let page =
        |from: usize, to: usize| JobPage { jobs: (from..to).rev().map(job).collect(), total: 900, ..jobs(0) };
    let mut harness = at_jobs(Settings::default());
    harness.press("j j j");
    let later = crate::testing::now() + chrono::TimeDelta::minutes(5);
    harness.tick(later);
    harness.answer_jobs(page(600, 700));
    let screen = harness.screen(120, 24);
    assert!(screen.contains("NEWER above: ctrl-r") && screen.contains("customer99@"), "{screen}");
    harness.press("ctrl-r");
    harness.answer_jobs(page(600, 700));
    let screen = harness.screen(120, 24);
    assert!(!screen.contains("NEWER") && screen.contains("customer699@"), "{screen}");
}

#[test]
fn what_was_revealed_stays_until_the_operator_asks_again() {
    let mut harness = at_jobs(Settings::default());
    harness.press("j Enter");
    harness.tell(&Update::Job(detail(98)));
    harness.press("U y");
    assert!(harness.asked.iter().any(|request| matches!(request, Request::Job(_, true))));
    let mut open = (*detail(98)).clone();
    open.masked = false;
    harness.tell(&Update::Job(open.into()));
    assert!(harness.screen(80, 24).contains("REVEALED"));
    harness.asked.clear();
    harness.tell(&Update::JobsChanged(vec![job(98)]));
    harness.tick(crate::testing::now() + chrono::TimeDelta::minutes(5));
    assert!(
        !harness.asked.iter().any(|request| matches!(request, Request::Job(..))),
        "nobody looks by themselves"
    );
    harness.press("ctrl-r");
    harness.tell(&Update::Job(detail(98)));
    assert!(harness.screen(80, 24).contains("private fields are hidden"));
}
