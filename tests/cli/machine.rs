//! The daemon's configuration from the command line.

use serde_json::{Value, json};

use crate::support::{Operator, told};

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
