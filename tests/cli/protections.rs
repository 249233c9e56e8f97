//! What profiles allow, and what is never sent.

use serde_json::{Value, json};

use crate::support::{Answer, Daemon, Operator, job, problem, told};

const ID: &str = "0198f000-0000-7000-8000-000000000001";

fn daemon() -> Daemon {
    Daemon::new(|line| match line {
        "POST /auth/login" => {
            let user = json!({
                "id": "507f1f77bcf86cd799439011", "email": "ana@example.com", "role": "employee",
                "right": "operator", "createdAt": "2026-08-01T10:00:00Z",
            });
            Answer::Json(
                200,
                json!({ "token": "the-token", "expiresIn": 3600, "refreshToken": "the-refresh-token", "user": user }),
            )
        }
        "GET /health/ready" => Answer::Json(200, json!({ "status": "ready" })),
        line if line.ends_with("/retry") => Answer::Json(200, job(ID, "queued")),
        _ => problem(404, "not-found", ""),
    })
}

#[test]
fn of_several_profiles_with_one_address_the_named_one_counts_first() {
    let daemon = daemon();
    let operator = Operator::at(&daemon.url());
    let elsewise = daemon.url().replace("127.0.0.1", "localhost");
    operator.profiles(&format!(
        "[profiles.prod]\nurl = '{}'\nproduction = true\n[profiles.watch]\nurl = '{elsewise}'\nread_only = true",
        daemon.url()
    ));
    // Unless one is named, the strictest holds, however the address is spelt.
    for flags in ["--profile watch".to_owned(), String::new(), format!("--url {elsewise}")] {
        let refused = told(&mut operator.says(&format!("{flags} jobs retry {ID} --yes")));
        assert!(refused.code == 2 && refused.err.contains("profile watch"), "{flags}: {}", refused.err);
    }
    let asked = told(&mut operator.says(&format!("--profile prod jobs retry {ID}")));
    assert!(asked.code == 2 && asked.err.contains("prod is in production"), "{}", asked.err);
    assert!(daemon.seen().is_empty());
    assert_eq!(told(&mut operator.says(&format!("--profile prod jobs retry {ID} --yes"))).code, 0);
}

#[test]
fn whatever_changes_something_asks_on_a_production_profile() {
    let daemon = daemon();
    let operator = Operator::at(&daemon.url());
    operator.profiles(&format!("[profiles.prod]\nurl = '{}'\nproduction = true", daemon.url()));
    let commands = [
        "notify WELCOME leo@example.com name=Leo".to_owned(),
        "jobs create maintenance prune-logs".to_owned(),
        format!("jobs run {ID}"),
        format!("jobs delay {ID} --run-at 2h"),
        "jobs resume".to_owned(),
        "schedules trigger prune-logs".to_owned(),
        "schedules resume prune-logs".to_owned(),
    ];
    for command in &commands {
        let asked = told(&mut operator.says(command));
        assert!(asked.code == 2 && asked.err.contains("say --yes"), "{command}: {}", asked.err);
    }
    assert!(daemon.seen().is_empty());
    for command in &commands {
        told(&mut operator.says(&format!("{command} --yes")));
    }
    let changes = daemon.lines().iter().filter(|line| !line.starts_with("GET")).count();
    assert_eq!(changes, commands.len());
}

#[test]
fn a_token_does_not_go_where_nobody_needs_to_be_known() {
    let daemon = daemon();
    let operator = Operator::at(&daemon.url());
    let sign_in =
        || told(operator.says("login --email ana@example.com --password-stdin").write_stdin("pw\n"));
    assert_eq!((sign_in().code, sign_in().code), (0, 0));
    told(&mut operator.says("status --ready"));
    told(operator.says("status --ready").env("ASTROPS_TOKEN", "from-a-script"));
    let seen = daemon.seen();
    assert!(seen.len() == 4 && seen.iter().all(|request| request.token.is_none()), "{seen:?}");
}

#[test]
fn a_job_cannot_be_put_off_to_the_past() {
    let daemon = daemon();
    let refused = told(
        &mut Operator::at(&daemon.url()).says(&format!("jobs delay {ID} --run-at 2020-01-01T00:00:00Z")),
    );
    let advice = format!("lies in the past; astrops jobs run {ID} runs it now");
    assert!(refused.code == 2 && refused.err.contains(&advice), "{}", refused.err);
    assert!(daemon.seen().is_empty());
}

#[test]
fn a_run_that_waits_for_its_retry_says_so() {
    let mut detail = job(ID, "queued");
    let more = json!({
        "attempts": [], "logs": [], "crashes": 0, "masked": false, "phase": "retrying",
        "errorMessage": "451 busy", "nextRunAt": "2026-08-01T10:05:00Z",
    });
    detail.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let daemon = Daemon::new(move |line| match line {
        line if line.ends_with("/execute") => {
            Answer::Json(202, json!({ "jobId": ID, "type": "NOTIFICATION", "status": "queued" }))
        }
        line if line == format!("GET /jobs/{ID}") => Answer::Json(200, detail.clone()),
        _ => Answer::Json(404, Value::Null),
    });
    let failed = told(&mut Operator::at(&daemon.url()).says(&format!("jobs run {ID}")));
    let words = "attempt 1 of 5 failed: 451 busy; again at 2026-08-01 10:05:00Z";
    assert!(failed.code == 1 && failed.err.contains(words), "{}", failed.err);
    assert!(!failed.err.contains("still"), "{}", failed.err);
}
