//! Jobs from the command line.

use serde_json::{Value, json};

use crate::{
    support::{Answer, Daemon, Operator, job, problem, told},
    terminal::Terminal,
};

const GOOD: &str = "0198f000-0000-7000-8000-000000000001";
const BAD: &str = "0198f000-0000-7000-8000-000000000002";

/// Retries GOOD and refuses BAD.
fn daemon() -> Daemon {
    Daemon::new(|line| match line.split_once(' ').unwrap() {
        ("POST", path) if path == format!("/jobs/{GOOD}/retry") => Answer::Json(200, job(GOOD, "queued")),
        ("DELETE", path) if path == format!("/jobs/{GOOD}") => Answer::Json(204, Value::Null),
        ("POST" | "DELETE", _) => problem(409, "wrong-state", "only ended jobs can be retried"),
        ("PUT", path) if path.ends_with("/execute") => {
            let failed = json!({ "jobId": GOOD, "type": "NOTIFICATION", "status": "failed", "errorMessage": "451 busy" });
            Answer::Json(200, failed)
        }
        (_, path) if path.starts_with("/jobs?") => {
            let jobs = json!([job(GOOD, "failed"), job(BAD, "queued")]);
            Answer::Json(200, json!({ "jobs": jobs, "total": 7, "page": 1, "pageSize": 2 }))
        }
        _ => problem(404, "not-found", ""),
    })
}

#[test]
fn a_list_is_a_table_or_json_or_ids_and_takes_every_filter() {
    let daemon = daemon();
    let operator = Operator::at(&daemon.url());
    let table =
        told(&mut operator.says("jobs list --status failed --type notification --query leo --page-size 2"));
    assert_eq!(table.code, 0);
    let lines: Vec<&str> = table.out.lines().collect();
    assert!(lines[0].starts_with("ID ") && lines[0].contains("TARGET"), "{}", table.out);
    assert!(lines[1].starts_with(GOOD) && lines[1].contains("leo@example.com"), "{}", table.out);
    assert!(!table.out.contains('\x1b'));
    assert_eq!(daemon.lines(), ["GET /jobs?type=NOTIFICATION&status=failed&q=leo&pageSize=2"]);

    assert_eq!(told(&mut operator.says("jobs list leo --limit 1")).code, 0);
    assert_eq!(daemon.lines()[1], "GET /jobs?q=leo&limit=1");
    let json: Value = serde_json::from_str(&told(&mut operator.says("jobs list --json")).out).unwrap();
    assert_eq!((&json["total"], &json["jobs"][0]["id"]), (&json!(7), &json!(GOOD)));
    assert_eq!(told(&mut operator.says("jobs list -q")).out, format!("{GOOD}\n{BAD}\n"));
}

#[test]
fn each_id_is_reported_and_the_exit_code_sums_up() {
    let daemon = daemon();
    let operator = Operator::at(&daemon.url());
    let mixed = told(&mut operator.says(&format!("jobs retry {BAD} {GOOD} {GOOD}")));
    assert_eq!(mixed.code, 1);
    assert_eq!(mixed.out, format!("{GOOD}: queued again\n"));
    assert!(mixed.err.contains(&format!("{BAD}: wrong-state: only ended jobs")), "{}", mixed.err);
    assert_eq!(daemon.lines().len(), 2, "the same id twice is one call");

    assert_eq!(told(&mut operator.says(&format!("jobs retry {GOOD}"))).code, 0);
    assert_eq!(told(&mut operator.says(&format!("jobs retry {BAD}"))).code, 4);
    assert_eq!(told(&mut operator.says(&format!("jobs delete {GOOD} --quiet"))).out, "");
}

#[test]
fn json_has_one_object_per_id() {
    let operator = Operator::at(&daemon().url());
    let mixed = told(&mut operator.says(&format!("jobs retry {GOOD} {BAD} --json")));
    assert_eq!(mixed.code, 1);
    let json: Value = serde_json::from_str(&mixed.out).unwrap();
    assert_eq!((&json[0]["ok"], &json[0]["job"]["status"]), (&json!(true), &json!("queued")));
    assert_eq!((&json[1]["ok"], &json[1]["problem"]["status"]), (&json!(false), &json!(409)));
}

#[test]
fn a_job_that_was_run_and_failed_is_a_failure() {
    let operator = Operator::at(&daemon().url());
    let failed = told(&mut operator.says(&format!("jobs run {GOOD}")));
    assert!(failed.code == 1 && failed.err.contains("failed: 451 busy"), "{}", failed.err);
}

#[test]
fn waiting_ends_when_the_jobs_have_ended_and_tells_how() {
    static CHANGES: &str = concat!(
        "id: 1\ndata: {\"id\":\"0198f000-0000-7000-8000-000000000001\",\"type\":\"NOTIFICATION\",",
        "\"status\":\"failed\",\"phase\":\"dead\",\"priority\":0,\"createdAt\":\"2026-08-01T10:00:00Z\",",
        "\"updatedAt\":\"2026-08-01T10:00:09Z\",\"attempt\":5,\"maxAttempts\":5,\"retryCount\":4,",
        "\"createdBy\":\"key:x\",\"errorMessage\":\"550 no such user\"}\n\n"
    );
    let mut detail = job(GOOD, "processing");
    let history = json!({ "attempts": [], "logs": [], "crashes": 0, "masked": false });
    detail.as_object_mut().unwrap().extend(history.as_object().unwrap().clone());
    let daemon = Daemon::new(move |line| match line {
        "GET /jobs/stream" => Answer::Open(CHANGES),
        _ => Answer::Json(200, detail.clone()),
    });
    let watched = told(&mut Operator::at(&daemon.url()).says(&format!("jobs watch {GOOD}")));
    assert_eq!(watched.code, 1);
    let lines: Vec<&str> = watched.out.lines().collect();
    assert!(lines[0].contains("processing") && lines[1].contains("550 no such user"), "{}", watched.out);
    assert_eq!(daemon.lines()[0], "GET /jobs/stream", "first the stream, so that nothing happens unseen");
}

#[test]
fn a_profile_protects_its_daemon_however_it_is_named() {
    let daemon = daemon();
    let operator = Operator::at(&daemon.url());
    operator.profiles(&format!("[profiles.prod]\nurl = '{}'\nread_only = true", daemon.url()));
    for command in [
        format!("jobs retry {GOOD} --yes"),
        "jobs resume".to_owned(),
        "notify WELCOME leo@example.com name=Leo".to_owned(),
        "jobs create maintenance prune-logs".to_owned(),
        "schedules trigger prune-logs".to_owned(),
    ] {
        let refused = told(&mut operator.says(&command));
        assert!(refused.code == 2 && refused.err.contains("profile prod"), "{command}: {}", refused.err);
    }
    assert!(daemon.seen().is_empty());

    operator.profiles(&format!("[profiles.prod]\nurl = '{}'\nproduction = true", daemon.url()));
    let asked = told(&mut operator.says(&format!("jobs delete {GOOD}")));
    assert!(asked.code == 2 && asked.err.contains("--yes"), "{}", asked.err);
    assert!(daemon.seen().is_empty());
    assert_eq!(told(&mut operator.says(&format!("--profile prod jobs delete {GOOD} --yes"))).code, 0);
}

#[test]
fn a_production_profile_is_asked_by_name() {
    let daemon = daemon();
    let operator = Operator::at(&daemon.url());
    operator.profiles(&format!("[profiles.prod]\nurl = '{}'\nproduction = true", daemon.url()));
    for (answer, code, calls) in [("yes\n", 1, 0), ("prod\n", 0, 1)] {
        let mut terminal = Terminal::start(&operator, &format!("jobs delete {GOOD}"));
        terminal.until("Type prod to go on:");
        terminal.types(answer);
        let (ended, written) = terminal.end();
        assert_eq!((ended, daemon.seen().len()), (code, calls), "{written}");
    }
}

#[test]
fn the_short_id_of_the_console_names_a_job() {
    let daemon = daemon();
    let operator = Operator::at(&daemon.url());
    let retried = told(&mut operator.says("jobs retry 00000001"));
    assert_eq!((retried.code, retried.out), (0, format!("{GOOD}: queued again\n")));
    assert_eq!(daemon.lines(), ["GET /jobs?pageSize=200".to_owned(), format!("POST /jobs/{GOOD}/retry")]);
    let unknown = told(&mut operator.says("jobs retry 00000001 abcdef01"));
    assert!(unknown.code == 2 && unknown.err.contains("say its whole id"), "{}", unknown.err);
    assert_eq!(daemon.lines().len(), 3, "nothing is done unless every id is clear");
}

#[test]
fn waiting_for_a_paused_type_says_so() {
    let mut detail = job(GOOD, "queued");
    let history = json!({ "attempts": [], "logs": [], "crashes": 0, "masked": false });
    detail.as_object_mut().unwrap().extend(history.as_object().unwrap().clone());
    let row = json!({
        "type": "NOTIFICATION", "queued": 1, "processing": 0, "completed": 0, "failed": 0, "cancelled": 0,
        "perMinute": 0, "paused": true,
    });
    let daemon = Daemon::new(move |line| match line {
        "GET /jobs/stats" => Answer::Json(200, json!({ "types": [row], "deliveryUnknown": 0 })),
        "GET /jobs/stream" => Answer::Open(CANCELLED),
        line if line.ends_with("/execute") => {
            Answer::Json(202, json!({ "jobId": GOOD, "type": "NOTIFICATION", "status": "queued" }))
        }
        _ => Answer::Json(200, detail.clone()),
    });
    let operator = Operator::at(&daemon.url());
    for command in ["watch", "run"] {
        let waited = told(&mut operator.says(&format!("jobs {command} {GOOD}")));
        assert_eq!(waited.code, 1);
        let remark = "NOTIFICATION jobs are paused: queued ones wait until astrops jobs resume --type";
        assert!(waited.err.contains(remark), "{command}: {}", waited.err);
        assert_eq!(waited.err.contains("still queued after 30 s"), command == "run", "{}", waited.err);
    }
}

static CANCELLED: &str = concat!(
    "id: 1\ndata: {\"id\":\"0198f000-0000-7000-8000-000000000001\",\"type\":\"NOTIFICATION\",",
    "\"status\":\"cancelled\",\"phase\":\"cancelled\",\"priority\":0,\"createdAt\":\"2026-08-01T10:00:00Z\",",
    "\"updatedAt\":\"2026-08-01T10:00:09Z\",\"attempt\":1,\"maxAttempts\":5,\"retryCount\":0,",
    "\"createdBy\":\"key:x\"}\n\n"
);
