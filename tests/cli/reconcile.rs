//! Sweeps, conflicts, decisions and the change log from the command line.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::{Answer, Daemon, Operator, job, problem, told};

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

/// Job `JOB` at its end.
fn ended(status: &str) -> Answer {
    let mut detail = job(JOB, status);
    let more = json!({ "type": "RECONCILIATION", "notification": null, "attempts": [], "logs": [], "crashes": 0,
        "masked": false, "errorMessage": "either side changed since this was decided",
        "reconciliation": { "entityType": "launch", "entityId": LAUNCH, "changesLog": "1 conflict: price" } });
    detail.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Answer::Json(200, detail)
}

fn decided() -> Value {
    json!({ "jobId": JOB, "actor": "user:1", "actorEmail": "leo@example.com", "at": AT, "runAt": "2026-08-01T10:00:10Z",
        "choices": { "price": { "value": 21.5 } }, "reason": "as agreed" })
}

/// A daemon on which previews are answered first, then what is done.
fn deciding(path: &'static str, answers: [Value; 2]) -> Daemon {
    let asked = AtomicUsize::new(0);
    Daemon::new(move |line| match line.split_once(' ').unwrap() {
        ("GET", "/jobs/stream") => Answer::Open(""),
        ("GET", path) if path.starts_with("/jobs/0") => ended("failed"),
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
    assert_eq!(
        told(&mut operator.says("reconcile drift --kind conflict -q")).out,
        "launch 66ba01000000000000000001\n"
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
    for wrong in
        ["", " --until 2020-01-01", " --for 2020-01-01", " --for 1h --until 2999-01-01", " --wake --for 1h"]
    {
        assert_eq!(told(&mut operator.says(&format!("{snooze}{wrong}"))).code, 2, "{wrong}");
    }
    let past = told(&mut operator.says(&format!("{snooze} --until 2020-01-01")));
    assert!(past.err.contains("put conflicts back on the list: --wake"), "{}", past.err);
    assert_eq!(bodies(&daemon, "/snooze").len(), 2);
    let woken = told(&mut operator.says(&format!("reconcile snooze {CONFLICT} --wake")));
    assert!(woken.code == 0 && woken.out.contains("on the list again"), "{}{}", woken.out, woken.err);
    assert_eq!(bodies(&daemon, "/snooze")[2], json!({ "until": "1970-01-01T00:00:00Z", "reason": "woken" }));
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
        "is written at 2026-08-01 10:00:10Z",
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
fn what_somebody_decided_already_is_seen_before_deciding() {
    let mut waits = conflict();
    waits["decision"] = decided();
    let mut shown = detail();
    shown["conflict"] = waits.clone();
    let mut held = job(JOB, "queued");
    held.as_object_mut().unwrap().extend(
        json!({ "attempts": [], "logs": [], "crashes": 0, "masked": false, "decision": decided() })
            .as_object()
            .unwrap()
            .clone(),
    );
    let daemon = Daemon::new(move |line| match line.split_once(' ').unwrap() {
        ("GET", path) if path.contains("conflicts?") => page("conflicts", &waits),
        ("GET", path) if path.starts_with("/jobs/") => Answer::Json(200, held.clone()),
        _ => Answer::Json(200, shown.clone()),
    });
    let operator = Operator::at(&daemon.url());
    assert!(told(&mut operator.says("reconcile conflicts")).out.contains("(decided by leo@example.com)"));
    let undo = format!("jobs cancel {JOB}");
    let one = told(&mut operator.says(&format!("reconcile conflict {CONFLICT}"))).out;
    for part in ["price==21.5", "leo@example.com", "as agreed", "2026-08-01 10:00:10Z", &undo] {
        assert!(one.contains(part), "{part}: {one}");
    }
    let job = told(&mut operator.says(&format!("jobs show {JOB}")));
    for part in ["price==21.5", "leo@example.com", "as agreed", "not before 2026-08-01 10:00:10Z"] {
        assert!(job.out.contains(part), "{part}: {}", job.out);
    }
    assert!(!job.err.contains("--reveal"), "there is nothing to reveal: {}", job.err);
}

#[test]
fn without_a_hold_the_outcome_is_told() {
    let mut now = resolution(false);
    now["runAt"] = json!(AT);
    for (path, command) in [
        ("/resolve", format!("reconcile resolve {CONFLICT} --set price=base --reason r")),
        ("/revert", format!("reconcile revert {CHANGE} --reason r")),
    ] {
        let daemon = deciding(path, [resolution(true), now.clone()]);
        let done = told(&mut Operator::at(&daemon.url()).says(&command));
        assert_eq!(done.code, 1, "it was not written: {}{}", done.out, done.err);
        assert!(done.out.contains("either side changed since this was decided"), "{}", done.out);
        assert!(done.err.contains("the change log would say: Updated 1 field: price"), "{}", done.err);
    }
    let daemon = deciding("/resolve", [resolution(true), now]);
    let twice = format!("reconcile resolve {CONFLICT} --set price=base --set price=document --reason r");
    let twice = told(&mut Operator::at(&daemon.url()).says(&twice));
    assert!(twice.code == 2 && twice.err.contains("price is said twice"), "{}", twice.err);
    assert!(daemon.seen().is_empty());
}

#[test]
fn an_entity_that_still_differs_is_told_and_has_its_own_exit_code() {
    for (drift, code, next) in [
        (json!({ "kind": "conflict", "conflictId": CONFLICT }), 5, format!("reconcile conflict {CONFLICT}")),
        (json!({ "kind": "missing_document" }), 5, "when its time has come".to_owned()),
        (Value::Null, 0, String::new()),
    ] {
        let daemon = Daemon::new(move |line| match line.split_once(' ').unwrap() {
            ("POST", _) => Answer::Json(
                202,
                json!({ "jobId": JOB, "type": "RECONCILIATION", "status": "queued",
                "createdAt": AT, "updatedAt": AT }),
            ),
            ("GET", "/jobs/stream") => Answer::Open(""),
            ("GET", path) if path.contains("drift?") => {
                let mut row = json!({ "entityType": "launch", "entityId": LAUNCH, "text": "still so", "firstSeen": AT,
                    "lastSeen": AT });
                let rows = drift.as_object().map(|more| {
                    row.as_object_mut().unwrap().extend(more.clone());
                    row
                });
                Answer::Json(
                    200,
                    json!({ "drift": Vec::from_iter(rows), "total": 1, "page": 1, "pageSize": 10 }),
                )
            }
            _ => ended("completed"),
        });
        let done =
            told(&mut Operator::at(&daemon.url()).says(&format!("reconcile entity launch {LAUNCH} --wait")));
        assert_eq!(done.code, code, "{}{}", done.out, done.err);
        assert!(done.out.contains("1 conflict: price"), "what was done is told: {}", done.out);
        assert!(done.err.contains(&next), "{}", done.err);
    }
}

#[test]
fn profiles_protect_what_writes_and_nothing_else() {
    let daemon = deciding("/resolve", [resolution(true), resolution(true)]);
    let operator = Operator::at(&daemon.url());
    operator.profiles(&format!("[profiles.prod]\nurl = '{}'\nread_only = true", daemon.url()));
    let resolve = format!("reconcile resolve {CONFLICT} --set price=base --reason r");
    let dry = told(&mut operator.says(&format!("{resolve} --dry-run")));
    assert!(dry.code == 0 && dry.out.contains("24.5"), "{}{}", dry.out, dry.err);
    assert_eq!(told(&mut operator.says(&resolve)).code, 2);
    operator.profiles(&format!("[profiles.prod]\nurl = '{}'\nproduction = true", daemon.url()));
    let asked = told(&mut operator.says(&resolve));
    assert!(asked.code == 2 && asked.out.contains("24.5"), "shown before it is refused: {}", asked.out);
    let words = format!("this would resolve conflict {CONFLICT}; to do it, say --yes");
    assert!(asked.err.contains(&words), "{}", asked.err);
    let daemon = deciding("/revert", [resolution(true), resolution(true)]);
    operator.profiles(&format!("[profiles.prod]\nurl = '{}'\nproduction = true", daemon.url()));
    let revert = format!("--profile prod reconcile revert {CHANGE} --reason r");
    let asked = told(&mut operator.says(&revert));
    assert!(asked.code == 2 && asked.out.contains("24.5"), "shown before it is refused: {}", asked.out);
    assert_eq!(bodies(&daemon, "/revert").len(), 1, "only the preview was asked for");
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
    let many =
        format!("reconcile resolve --many {CONFLICT} {OTHER} --take relational --reason ours --hold 10");
    let done = told(&mut operator.says(&many));
    assert_eq!(done.code, 1, "one was refused: {}", done.err);
    assert!(done.out.contains("24.5") && done.out.contains(JOB), "{}", done.out);
    assert!(done.err.contains(&format!("{OTHER}: refused: it is over")), "{}", done.err);
    let body = |dry| {
        json!({ "ids": [CONFLICT, OTHER], "take": "relational", "reason": "ours", "dryRun": dry,
        "holdSeconds": if dry { 0 } else { 10 } })
    };
    assert_eq!(bodies(&daemon, "/bulk"), [body(true), body(false)]);
}

#[test]
fn changes_are_listed_reverted_and_their_log_is_verified() {
    let mut title = field();
    (title["field"], title["after"]) = (json!("title"), json!("x".repeat(600)));
    let change = json!({
        "id": CHANGE, "at": AT, "entityType": "launch", "entityId": LAUNCH, "jobId": JOB, "actor": "user:1",
        "actorEmail": "ana@example.com", "changesLog": "Updated 1 field: price", "fields": [field(), title],
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
    for part in [CHANGE, "Updated 1 field: price", "ana@example.com"] {
        assert!(list.contains(part), "{part}: {list}");
    }
    assert_eq!(daemon.lines(), [format!("GET /reconciliation/changes?jobId={JOB}&pageSize=20")]);
    let fields = told(&mut operator.says("reconcile changes --fields"));
    let table = fields.out;
    assert!(table.contains("24.5") && table.contains("19.99") && table.contains("decision"), "{table}");
    assert!(table.lines().all(|line| line.len() < 250), "a long title hides nothing: {table}");
    assert!(table.lines().nth(1).unwrap().starts_with("launch 66ba01000000000000000001"), "{table}");
    assert_eq!(fields.err, "2 fields; of changes, 1 in all\n");
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
