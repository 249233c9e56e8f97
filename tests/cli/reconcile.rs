//! Sweeps, conflicts, decisions and the change log from the command line.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::{Answer, Daemon, Operator, problem, told};

const SWEEP: &str = "0198f000-0000-7000-8000-0000000000a1";
const CONFLICT: &str = "0198f000-0000-7000-8000-0000000000b1";
const OTHER: &str = "0198f000-0000-7000-8000-0000000000b2";
const CHANGE: &str = "0198f000-0000-7000-8000-0000000000c1";
const JOB: &str = "0198f000-0000-7000-8000-0000000000d1";
const LAUNCH: &str = "66ba0100-0000-8000-8000-000004000000";
const AT: &str = "2026-08-01T10:00:00Z";

fn sweep(status: &str, text: &str) -> Answer {
    Answer::Json(
        200,
        json!({
            "id": SWEEP, "mode": "full", "dryRun": false, "status": status, "stage": "compare", "text": text,
            "counts": { "documents": 450, "relational": 451, "differing": 3, "repaired": 1, "conflicts": 1 },
            "done": 450, "total": 1000, "rate": 5100.0, "etaSeconds": 12, "createdBy": "user:ana@example.com",
            "createdAt": AT, "updatedAt": AT,
        }),
    )
}

fn field() -> Value {
    json!({
        "field": "price", "label": "price", "document": 19.99, "relational": 24.5, "base": 20, "after": 19.99,
        "written": "relational", "rule": "decision", "overridden": false,
    })
}

fn waits() -> Value {
    json!([{ "topic": "price", "fields": ["price"], "reason": "both changed", "wholeRow": false,
        "proposals": ["take 19.99", "take 24.5\u{1b}[2J"] }])
}

fn conflict() -> Value {
    json!({
        "id": CONFLICT, "entityType": "launch", "entityId": LAUNCH, "jobId": JOB, "text": "1 conflict: price",
        "severity": "critical", "fields": waits(), "firstSeen": AT, "lastSeen": AT,
    })
}

fn detail() -> Value {
    json!({ "conflict": conflict(), "diff": {
        "entityType": "launch", "entityId": LAUNCH, "document": "there", "relational": "there",
        "changesLog": "1 conflict: price", "conflicts": waits(), "fields": [{ "field": "price", "label": "price",
            "document": 19.99, "relational": 24.5, "base": 20, "verdict": "conflict", "why": "both changed" }],
    } })
}

fn resolution(dry_run: bool) -> Value {
    let mut resolution = json!({
        "dryRun": dry_run, "changesLog": "Updated 1 field: price", "changes": [field()], "conflicts": [], "seen": "abc",
    });
    if !dry_run {
        resolution["jobId"] = json!(JOB);
        resolution["runAt"] = json!("2026-08-01T10:00:10Z");
    }
    resolution
}

fn page(plural: &str, row: &Value) -> Answer {
    Answer::Json(200, json!({ plural: [row], "total": 1, "page": 1, "pageSize": 20 }))
}

/// The bodies of the requests whose line ends like this.
fn bodies(daemon: &Daemon, path: &str) -> Vec<Value> {
    let seen = daemon.seen().into_iter().filter(|request| request.line.ends_with(path));
    seen.map(|request| serde_json::from_str(&request.body).unwrap()).collect()
}

/// A daemon on which previews are answered first, then what is done.
fn deciding(path: &'static str, answers: [Value; 2]) -> Daemon {
    let asked = AtomicUsize::new(0);
    Daemon::new(move |line| match line.split_once(' ').unwrap() {
        ("GET", _) => Answer::Json(200, detail()),
        ("POST", asking) if asking.ends_with(path) => {
            Answer::Json(200, answers[asked.fetch_add(1, Ordering::SeqCst).min(1)].clone())
        }
        _ => problem(404, "not-found", "no such route"),
    })
}

#[test]
fn a_sweep_is_watched_to_its_end_and_the_exit_code_tells_how_it_ended() {
    for (status, code, told_what) in [
        ("completed", 0, "all agree"),
        ("failed", 1, "failed: all agree"),
        ("cancelled", 1, "cancelled: all agree"),
        ("needs_approval", 5, "let it: astrops reconcile sweeps approve"),
        ("paused", 5, "go on: astrops reconcile sweeps resume"),
    ] {
        let daemon = Daemon::new(move |line| match line.split_once(' ').unwrap() {
            ("POST", "/reconciliation/sweeps") => sweep("running", "asked"),
            _ => sweep(status, "all agree"),
        });
        let operator = Operator::at(&daemon.url());
        let done = told(&mut operator.says("reconcile sweep --full --type booking --wait"));
        assert_eq!(done.code, code, "{status}: {}{}", done.out, done.err);
        let both = format!("{}{}", done.out, done.err);
        assert!(both.contains(told_what), "{both}");
        let progress = "compare 45 %, 5100/s, 12.0 s left; 3 differ, 1 repaired, 1 wait for a person";
        assert!(done.err.contains(progress), "{}", done.err);
        let body = json!({ "mode": "full", "entityType": "booking", "dryRun": false });
        assert_eq!(bodies(&daemon, "POST /reconciliation/sweeps"), [body]);
    }
}

#[test]
fn sweeps_are_listed_shown_and_steered() {
    let daemon = Daemon::new(|line| match line.split_once(' ').unwrap() {
        ("GET", path) if path.contains("sweeps?") => match sweep("needs_approval", "would delete 700 of 900")
        {
            Answer::Json(_, row) => page("sweeps", &row),
            other => other,
        },
        ("GET", _) => sweep("needs_approval", "would delete 700 of 900"),
        _ => sweep("running", "approved"),
    });
    let operator = Operator::at(&daemon.url());
    let list = told(&mut operator.says("reconcile sweeps --status needs_approval --mode full"));
    assert!(
        list.out.contains("would delete 700 of 900") && list.err == "1 in all\n",
        "{}{}",
        list.out,
        list.err
    );
    assert_eq!(daemon.lines(), ["GET /reconciliation/sweeps?status=needs_approval&mode=full&pageSize=20"]);
    let shown = told(&mut operator.says(&format!("reconcile sweeps show {SWEEP}"))).out;
    assert!(shown.contains("450 documents, 451 relational rows"), "{shown}");
    for verb in ["pause", "resume", "cancel", "approve"] {
        let done = told(&mut operator.says(&format!("reconcile sweeps {verb} {SWEEP}")));
        assert!(
            done.code == 0 && done.out.contains("running (approved)"),
            "{verb}: {}{}",
            done.out,
            done.err
        );
        assert_eq!(daemon.lines().pop().unwrap(), format!("POST /reconciliation/sweeps/{SWEEP}/{verb}"));
    }
}

#[test]
fn what_waits_is_listed_shown_and_snoozed() {
    let daemon = Daemon::new(|line| match line.split_once(' ').unwrap() {
        ("GET", path) if path.contains("conflicts?") => page("conflicts", &conflict()),
        ("GET", path) if path.contains("drift?") => page(
            "drift",
            &json!({ "entityType": "launch", "entityId": LAUNCH, "kind": "conflict", "text": "1 conflict: price",
                "firstSeen": AT, "lastSeen": AT, "conflictId": CONFLICT }),
        ),
        ("GET", _) => Answer::Json(200, detail()),
        _ => Answer::Json(200, conflict()),
    });
    let operator = Operator::at(&daemon.url());
    let list = told(&mut operator.says("reconcile conflicts --snoozed --type launch")).out;
    assert!(list.contains(CONFLICT) && list.contains("critical") && list.contains("both changed"), "{list}");
    assert_eq!(told(&mut operator.says("reconcile conflicts -q")).out, format!("{CONFLICT}\n"));
    assert!(
        told(&mut operator.says("reconcile drift --kind conflict")).out.contains("66ba01000000000000000001")
    );
    let lines = daemon.lines();
    assert_eq!(lines[0], "GET /reconciliation/conflicts?snoozed=true&entityType=launch&pageSize=20");
    assert_eq!(lines[2], "GET /reconciliation/drift?kind=conflict&pageSize=20");

    let shown = told(&mut operator.says(&format!("reconcile conflict {CONFLICT}")));
    for part in ["price", "19.99", "24.5", "20", "conflict price: both changed; take 19.99, or take 24.5␛[2J"]
    {
        assert!(shown.out.contains(part), "{part}: {}", shown.out);
    }
    assert!(shown.err.contains("--set FIELD=document|relational|base|=VALUE"), "{}", shown.err);

    let snooze = format!("reconcile snooze {CONFLICT} --reason later");
    let until = told(&mut operator.says(&format!("{snooze} --until 2999-01-01")));
    assert_eq!(until.code, 0, "{}", until.err);
    let body = json!({ "until": "2999-01-01T00:00:00Z", "reason": "later" });
    assert_eq!(bodies(&daemon, "/snooze"), [body]);
    assert_eq!(told(&mut operator.says(&format!("{snooze} --for 2h"))).code, 0);
    for wrong in ["", " --until 2020-01-01", " --for 2020-01-01", " --for 1h --until 2999-01-01"] {
        assert_eq!(told(&mut operator.says(&format!("{snooze}{wrong}"))).code, 2, "{wrong}");
    }
    assert_eq!(bodies(&daemon, "/snooze").len(), 2);
}

#[test]
fn a_decision_is_shown_then_written_as_it_was_seen() {
    let daemon = deciding("/resolve", [resolution(true), resolution(false)]);
    let operator = Operator::at(&daemon.url());
    let resolve = format!("reconcile resolve {CONFLICT} --set title==Dawn --all document --hold 10");
    let done = told(operator.says(&resolve).args(["--reason", "the customer service is right"]));
    assert_eq!(done.code, 0, "{}", done.err);
    for part in [
        "price",
        "relational",
        "24.5",
        "19.99",
        "written at 2026-08-01 10:00:10Z",
        &format!("jobs cancel {JOB}"),
    ] {
        assert!(done.out.contains(part), "{part}: {}", done.out);
    }
    let choices = json!({ "price": "document", "title": { "value": "Dawn" } });
    let [previewed, written] = bodies(&daemon, "/resolve").try_into().unwrap();
    assert_eq!((&previewed["dryRun"], &previewed["choices"]), (&json!(true), &choices));
    assert_eq!(
        written,
        json!({ "choices": choices, "reason": "the customer service is right", "dryRun": false, "seen": "abc",
            "holdSeconds": 10 })
    );
}

#[test]
fn nothing_is_written_without_a_reason_or_in_a_dry_run() {
    let daemon = deciding("/resolve", [resolution(true), resolution(false)]);
    let operator = Operator::at(&daemon.url());
    let unsaid = told(&mut operator.says(&format!("reconcile resolve {CONFLICT} --set price=base")));
    assert!(unsaid.code == 2 && unsaid.err.contains("say why: --reason"), "{}", unsaid.err);
    assert!(unsaid.out.contains("24.5"), "what would be written is shown: {}", unsaid.out);
    let daemon = deciding("/resolve", [resolution(true), resolution(false)]);
    let operator = Operator::at(&daemon.url());
    let dry =
        told(&mut operator.says(&format!("reconcile resolve {CONFLICT} --set price=base --dry-run --json")));
    assert_eq!(serde_json::from_str::<Value>(&dry.out).unwrap(), resolution(true));
    assert_eq!(bodies(&daemon, "/resolve").len(), 1);
    for wrong in [
        "",
        " --set price",
        " --set price=documents",
        " --take document",
        " --set price=base --hold 61",
        " --many x --take base",
    ] {
        let told = told(&mut operator.says(&format!("reconcile resolve {CONFLICT}{wrong}")));
        assert_eq!(told.code, 2, "{wrong}: {}", told.err);
    }
    assert_eq!(bodies(&daemon, "/resolve").len(), 1);
}

#[test]
fn many_are_decided_at_once_and_each_is_told() {
    let refused = json!({ "id": OTHER, "refused": "it is over" });
    let results = |dry| json!({ "results": [{ "id": CONFLICT, "resolution": resolution(dry) }, refused] });
    let daemon = deciding("/bulk", [results(true), results(false)]);
    let operator = Operator::at(&daemon.url());
    let many = format!("reconcile resolve --many {CONFLICT} {OTHER} --take relational --reason ours");
    let done = told(&mut operator.says(&many));
    assert_eq!(done.code, 1, "one was refused: {}", done.err);
    assert!(done.out.contains("24.5") && done.out.contains(JOB), "{}", done.out);
    assert!(done.err.contains(&format!("{OTHER}: refused: it is over")), "{}", done.err);
    let body = |dry| {
        json!({ "ids": [CONFLICT, OTHER], "take": "relational", "reason": "ours", "dryRun": dry,
        "holdSeconds": 0 })
    };
    assert_eq!(bodies(&daemon, "/bulk"), [body(true), body(false)]);
}

#[test]
fn changes_are_listed_reverted_and_their_log_is_verified() {
    let change = json!({
        "id": CHANGE, "at": AT, "entityType": "launch", "entityId": LAUNCH, "jobId": JOB, "actor": "ana",
        "changesLog": "Updated 1 field: price", "fields": [field()],
    });
    let report = |ok| {
        json!({ "ok": ok, "rows": 3, "erased": 1, "brokenAt": if ok { Value::Null } else { json!(CHANGE) },
        "why": if ok { Value::Null } else { json!("its values were changed") }, "head": "d34db33f" })
    };
    let whole = std::sync::Arc::new(AtomicUsize::new(1));
    let seen = whole.clone();
    let daemon = Daemon::new(move |line| match line.split_once(' ').unwrap() {
        ("GET", path) if path.contains("verify") => {
            Answer::Json(200, report(seen.load(Ordering::SeqCst) == 1))
        }
        ("GET", _) => page("changes", &change),
        _ => Answer::Json(200, resolution(true)),
    });
    let operator = Operator::at(&daemon.url());
    let list = told(&mut operator.says(&format!("reconcile changes --job {JOB}"))).out;
    assert!(list.contains(CHANGE) && list.contains("Updated 1 field: price"), "{list}");
    assert_eq!(daemon.lines(), [format!("GET /reconciliation/changes?jobId={JOB}&pageSize=20")]);
    let fields = told(&mut operator.says("reconcile changes --fields")).out;
    assert!(fields.contains("24.5") && fields.contains("19.99") && fields.contains("decision"), "{fields}");
    let revert = told(&mut operator.says(&format!("reconcile revert {CHANGE} --reason wrong --dry-run")));
    assert!(revert.code == 0 && revert.out.contains("24.5"), "{}{}", revert.out, revert.err);
    let body = json!({ "reason": "wrong", "dryRun": true, "holdSeconds": 0 });
    assert_eq!(bodies(&daemon, "/revert"), [body]);
    let good = told(&mut operator.says("reconcile verify-log"));
    assert!(good.code == 0 && good.out.contains("3 rows fit each other, 1 of them"), "{}", good.out);
    whole.store(0, Ordering::SeqCst);
    let broken = told(&mut operator.says("reconcile verify-log"));
    assert!(
        broken.code == 1 && broken.err.contains(CHANGE) && broken.err.contains("its values were changed")
    );
    assert_eq!(told(&mut operator.says("reconcile verify-log --json")).code, 1);
}
