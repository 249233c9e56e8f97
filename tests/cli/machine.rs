//! The daemon and its configuration from the command line.

use serde_json::{Value, json};

use crate::support::{Operator, Running, told};

#[test]
fn a_configuration_is_checked_and_shown_without_its_secrets() {
    let operator = Operator::at("http://127.0.0.1:1");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("astrops.toml");
    let show = format!("config show --config {}", file.display());
    let check = format!("config check --config {}", file.display());

    assert_eq!(told(&mut operator.says(&check)).code, 78, "a file that was named must be there");
    std::fs::write(&file, "[database]\nurl = 'postgres://ops:s3cret@db/astrops'\n[jobs]\nworkers = 3\n")
        .unwrap();
    assert_eq!(told(&mut operator.says(&check)).out, format!("{} is right\n", file.display()));
    let shown = told(&mut operator.says(&show)).out;
    assert!(shown.contains("jobs.workers = 3") && !shown.contains("s3cret"), "{shown}");
    let shown: Value =
        serde_json::from_str(&told(&mut operator.says(&format!("{show} --json"))).out).unwrap();
    assert_eq!(
        (&shown["jobs.workers"]["value"], &shown["mail.smtp.host"]["value"]),
        (&json!(3), &Value::Null)
    );

    std::fs::write(&file, "[jobs]\nworkers = 0\nmax_attempts = 0\n").unwrap();
    let refused = told(&mut operator.says(&check));
    assert_eq!(refused.code, 78);
    assert!(
        refused.err.contains("jobs.workers") && refused.err.contains("jobs.max_attempts"),
        "{}",
        refused.err
    );
    let refused = told(&mut operator.says(&format!("{check} --json")));
    let json: Value = serde_json::from_str(&refused.out).unwrap();
    assert_eq!(
        (refused.code, &json["ok"], json["refusals"].as_array().unwrap().len()),
        (78, &json!(false), 2)
    );
    assert_eq!(told(&mut operator.says(&show)).code, 78);
}

#[test]
fn a_daemon_says_where_it_listens_works_and_drains() {
    let operator = Operator::at("http://127.0.0.1:1");
    let daemon = Running::start(&operator);
    let say = |command: &str| operator.says(&format!("--url {} {command}", daemon.url()));
    let login = told(say("login --email ana@example.com --password-stdin").write_stdin("correct horse 9\n"));
    assert_eq!(login.code, 0, "{}", login.err);
    assert_eq!(told(&mut say("status")).code, 0);
    assert_eq!(told(&mut say("status --ready")).code, 0);
    let sent = told(&mut say("notify WELCOME leo@example.com name=Leo --wait"));
    assert!(sent.code == 0 && sent.out.contains("completed"), "{}{}", sent.out, sent.err);
    let done = told(&mut say("jobs create maintenance prune-logs --wait --quiet"));
    let id = done.out.trim_end();
    assert!(told(&mut say(&format!("jobs show {id}"))).out.contains("completed (done)"));
    assert_eq!(told(&mut say(&format!("jobs retry {id}"))).code, 4);
    assert_eq!(told(&mut say("schedules trigger prune-jobs")).code, 0);
    let followed = told(&mut say("logs --query prune-jobs -n 1"));
    assert!(followed.out.contains("prune-jobs"), "{}", followed.out);

    let taken = format!("daemon --config {}", daemon.folder.path().join("astrops.toml").display());
    let second = told(&mut operator.says(&taken));
    assert!(second.code == 1 && second.err.contains("in use by the daemon with pid"), "{}", second.err);

    let log = daemon.folder.path().join("data/log");
    let files: Vec<_> = std::fs::read_dir(&log).unwrap().map(|file| file.unwrap().path()).collect();
    let (code, err) = daemon.process.end("-TERM");
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("INFO") && err.contains("stopped") && !err.contains("correct horse"), "{err}");
    assert!(
        files.len() == 1 && files[0].extension().is_some_and(|extension| extension == "log"),
        "{files:?}"
    );
}

#[test]
fn a_configuration_that_is_refused_ends_the_daemon_with_78() {
    let operator = Operator::at("http://127.0.0.1:1");
    let refused = told(operator.says("daemon").env("ASTROPS__JOBS__WORKERS", "many"));
    assert!(refused.code == 78 && refused.err.contains("ASTROPS__JOBS__WORKERS"), "{}", refused.err);
    let filter = told(
        operator.says("daemon").env("ASTROPS_LOG", "info,,==").env("ASTROPS__SERVER__BIND", "127.0.0.1:0"),
    );
    assert!(filter.code == 78 && filter.err.contains("ASTROPS_LOG"), "{}", filter.err);
}
