//! System logs from the command line.

use serde_json::{Value, json};

use crate::support::{Answer, Daemon, Operator, Process, problem, told};

fn entry(number: u8, message: &str) -> Value {
    json!({
        "id": format!("0198f000-0000-7000-8000-0000000000{number:02}"), "timestamp": "2026-08-01T10:00:00.5Z",
        "eventType": "NOTIFY", "severity": "error", "message": message, "recordedBy": "daemon",
    })
}

#[test]
fn the_latest_entry_comes_last_and_cannot_act_on_the_terminal() {
    let daemon = Daemon::new(|_| {
        let logs = json!([entry(2, "second\x1b]0;owned\x07\nline"), entry(1, "first")]);
        Answer::Json(200, json!({ "logs": logs, "total": 2, "page": 1, "pageSize": 20 }))
    });
    let operator = Operator::at(&daemon.url());
    let shown = told(&mut operator.says("logs -n 2 --min-severity warning --event-type notify"));
    let lines: Vec<&str> = shown.out.lines().collect();
    assert_eq!(lines[0], "2026-08-01 10:00:00.500Z  error     NOTIFY     first");
    assert_eq!(lines[1], "2026-08-01 10:00:00.500Z  error     NOTIFY     second␛]0;owned␇↵line");
    assert_eq!(daemon.lines(), ["GET /logs?eventType=NOTIFY&minSeverity=warning&pageSize=2"]);
    let newest_first = told(&mut operator.says("logs --order desc")).out;
    assert!(newest_first.lines().next().unwrap().contains("second"));
    assert_eq!(told(&mut operator.says("logs -n 201")).code, 2);
    told(&mut operator.says("logs --job 0198f000-0000-7000-8000-000000000001"));
    let asked = daemon.lines().pop().unwrap();
    assert_eq!(asked, "GET /logs?jobId=0198f000-0000-7000-8000-000000000001&pageSize=20");
}

#[test]
fn no_match_is_said_and_times_are_taken_as_operators_say_them() {
    let daemon =
        Daemon::new(|_| Answer::Json(200, json!({ "logs": [], "total": 0, "page": 1, "pageSize": 20 })));
    let operator = Operator::at(&daemon.url());
    for time in ["-15m", "15m ago", "00:00", "2026-01-01", "2h"] {
        let none = told(operator.says("logs --to 2026-02-01T00:00:00Z --from").arg(time));
        assert_eq!((none.code, none.out.as_str(), none.err.as_str()), (0, "", "no such entries\n"), "{time}");
    }
    let wrong = told(&mut operator.says("logs --from noon"));
    assert!(wrong.code == 2 && wrong.err.contains("10:00 (today, UTC)"), "{}", wrong.err);
}

/// Reads lines of `astrops logs -f ..` until there are `count`, then ends it.
fn follow(operator: &Operator, arguments: &str, count: usize) -> Vec<String> {
    Process::start(operator, arguments.split(' ')).lines(count)
}

const ONE: &str = r#"id: c1
data: {"id":"0198f000-0000-7000-8000-000000000001","timestamp":"2026-08-01T10:00:00Z","eventType":"AUTH","severity":"info","message":"one","recordedBy":"daemon"}

"#;
const TWO_BEHIND_A_GAP: &str = r#"event: gap
data: 41

id: c2
data: {"id":"0198f000-0000-7000-8000-000000000002","timestamp":"2026-08-01T10:00:00Z","eventType":"AUTH","severity":"info","message":"two","recordedBy":"daemon"}

"#;

#[test]
fn following_resumes_behind_the_last_entry_and_shows_what_is_gone() {
    let daemon = Daemon::new(|line| match line {
        "GET /logs/stream?tail=20&q=x" => Answer::Broken(ONE),
        "GET /logs/stream?after=c1&q=x" => Answer::Open(TWO_BEHIND_A_GAP),
        _ => problem(404, "not-found", line),
    });
    let lines = follow(&Operator::at(&daemon.url()), "logs -f --query x", 3);
    assert!(lines[0].ends_with("one") && lines[2].ends_with("two"), "{lines:?}");
    assert_eq!(lines[1], "--- gap: 41 entries are no longer kept ---");
    let json = follow(&Operator::at(&daemon.url()), "logs -f --query x --json", 3);
    assert_eq!(json[1], r#"{"gap":41}"#);
    assert!(json[2].contains(r#""message":"two""#));
}

#[test]
fn following_from_now_hides_the_entry_that_it_resumes_behind() {
    let daemon = Daemon::new(|line| match line {
        "GET /logs?pageSize=1" => {
            Answer::Json(200, json!({ "logs": [entry(1, "one")], "total": 1, "page": 1, "pageSize": 1 }))
        }
        "GET /logs/stream?tail=1" => Answer::Broken(ONE),
        "GET /logs/stream?after=c1" => Answer::Open(TWO_BEHIND_A_GAP),
        _ => problem(404, "not-found", line),
    });
    let lines = follow(&Operator::at(&daemon.url()), "logs -f --tail 0", 2);
    assert!(lines[0].starts_with("--- gap") && lines[1].ends_with("two"), "{lines:?}");
}

#[test]
fn a_session_that_ends_ends_the_following() {
    let daemon = Daemon::new(|line| match line {
        "GET /logs/stream?tail=20" => Answer::Broken(ONE),
        _ => problem(401, "unauthenticated", "the session has ended"),
    });
    let ended = told(&mut Operator::at(&daemon.url()).says("logs -f"));
    assert_eq!((ended.code, ended.out.lines().count()), (4, 1));
    assert!(ended.err.contains("sign in first"), "{}", ended.err);
    let lost = format!("the connection to {} is lost; trying again\n", daemon.url());
    assert!(ended.err.starts_with(&lost), "{}", ended.err);
}
