//! Help, wrong usage, and daemons that are not there.

use std::net::TcpListener;

use serde_json::json;

use crate::support::{Answer, Daemon, Operator, told};

/// An address where nobody listens.
fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn help_is_an_answer_and_nothing_is_wrong_usage() {
    let operator = Operator::at(&nowhere());
    let help = told(&mut operator.says("--help"));
    assert_eq!(help.code, 0);
    assert!(help.out.contains("Exit codes") && help.out.contains("ASTROPS_URL"), "{}", help.out);
    assert_eq!(told(&mut operator.says("")).code, 2);
    assert_eq!(told(&mut operator.says("jobs delete")).code, 2);
    assert_eq!(told(&mut operator.says("jobs retry not-an-id")).code, 2);
    assert_eq!(told(&mut operator.says("schedules edit prune-logs")).code, 2);
    assert_eq!(told(&mut operator.says("logs --follow --from 2h")).code, 2);
    assert_eq!(told(&mut operator.says("--url http://a --profile b whoami")).code, 2);
}

#[test]
fn a_word_that_is_none_is_told_with_those_that_are() {
    let wrong = told(&mut Operator::at(&nowhere()).says("jobs list --status broken"));
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains("queued, processing, completed, failed, cancelled"), "{}", wrong.err);
}

#[test]
fn an_unreachable_daemon_is_told_with_its_address_and_what_to_do() {
    let url = nowhere();
    for command in ["status", "jobs list", "logs -f", "whoami"] {
        let lost = told(&mut Operator::at(&url).says(command));
        assert_eq!((lost.code, lost.out.as_str()), (3, ""), "{command}");
        assert!(lost.err.contains(&url) && lost.err.contains("is the daemon running?"), "{}", lost.err);
    }
}

#[test]
fn another_program_at_the_address_is_recognised() {
    let daemon = Daemon::new(|_| Answer::Json(200, json!({ "hello": "world" })));
    let other = told(&mut Operator::at(&daemon.url()).says("status"));
    assert_eq!(other.code, 1);
    assert!(other.err.contains("another program, or another version?"), "{}", other.err);
}

#[test]
fn a_bad_address_or_profile_is_wrong_usage() {
    let operator = Operator::at("localhost:7700");
    let bad = told(&mut operator.says("status"));
    assert!(bad.code == 2 && bad.err.contains("ASTROPS_URL"), "{}", bad.err);

    operator.profiles("[profiles.prod]\nurl = 'http://127.0.0.1:1'\nreadonly = true");
    let misspelt = told(&mut operator.says("--profile prod status"));
    assert!(misspelt.code == 2 && misspelt.err.contains("readonly"), "{}", misspelt.err);

    operator.profiles("[profiles.prod]\nurl = 'http://127.0.0.1:1'");
    let unknown = told(&mut operator.says("--profile prd status"));
    assert!(unknown.code == 2 && unknown.err.contains("known: prod"), "{}", unknown.err);
    // A profile given by hand wins over the bad address in the environment.
    assert_eq!(told(&mut operator.says("--profile prod status")).code, 3);
}

#[test]
fn packages_get_completions_and_manual_pages() {
    let operator = Operator::at(&nowhere());
    for shell in ["bash", "zsh", "fish"] {
        assert!(
            told(&mut operator.says(&format!("completions {shell}"))).out.contains("schedules"),
            "{shell}"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man");
    assert_eq!(told(&mut operator.says(&format!("man {}", pages.display()))).code, 0);
    assert!(pages.join("astrops-jobs-retry.1").exists());
}
