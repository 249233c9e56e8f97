//! The demo: everything in one process.

use serde_json::Value;

use crate::{
    support::{Operator, Process, told},
    terminal::Terminal,
};

#[test]
fn a_demo_without_console_has_traffic_to_look_at_and_leaves_nothing() {
    let operator = Operator::at("http://127.0.0.1:1");
    let mut demo = Process::start(&operator, ["demo", "--no-console", "--seed", "7", "--json"]);
    let line = demo.lines(1).remove(0);
    let facts: Value = serde_json::from_str(&line).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let say = |command: &str| operator.says(&format!("--url {} {command}", text(&facts["url"])));

    let viewer = format!("login --email {} --password-stdin", text(&facts["viewer"]["email"]));
    assert_eq!(told(say(&viewer).write_stdin(text(&facts["viewer"]["password"]))).code, 0);
    let url = text(&facts["url"]);
    let mut following =
        Process::start(&operator, ["--url", &url, "logs", "-f", "-n", "1000", "--query", "no such mailbox"]);
    let dead = following.lines(1).remove(0);
    assert!(dead.contains("no such mailbox"), "{dead}");
    assert!(told(&mut say("jobs list --status failed")).out.contains("g***@customers.example"));
    assert_eq!(told(&mut say("jobs pause --yes")).code, 4, "a viewer looks");
    // Suppliers sell and customers book: whoever follows sees it.
    let sold = "logs -f -n 1000 --event-type BOOKING --query Lunar";
    let mut following = Process::start(&operator, ["--url", &url].into_iter().chain(sold.split(' ')));
    let [made, booked] = following.lines(2).try_into().unwrap();
    assert!(
        made.contains("launch Lunar Picnic made: 12 seats") && booked.contains("seat"),
        "{made}\n{booked}"
    );
    // Other services write the documents behind the daemon's back: a sweep finds it, and a person is asked.
    for found in ["Created on relational", "1 conflict: description"] {
        let arguments =
            ["--url", &url, "logs", "-f", "-n", "1000", "--event-type", "RECONCILE", "--query", found];
        let mut following = Process::start(&operator, arguments);
        assert!(following.lines(1)[0].contains(found));
    }
    let launches = told(&mut say("launches list")).out;
    assert!(launches.contains("Lunar Picnic") && launches.contains("on sale"), "{launches}");
    let bookings = told(&mut say("bookings list --order asc")).out;
    assert!(bookings.contains("l***@customers.example"), "{bookings}");

    let (code, err) = demo.end("-TERM");
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(!std::path::Path::new(&text(&facts["dataDir"])).exists());
}

#[test]
fn a_demo_stays_away_from_a_folder_that_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("astrops.db"), "somebody's").unwrap();
    let command = format!("demo --no-console --data-dir {}", folder.path().display());
    let refused = told(&mut Operator::at("http://127.0.0.1:1").says(&command));
    assert!(refused.code == 2 && refused.err.contains("not empty"), "{}", refused.err);
}

#[test]
fn a_demo_without_a_terminal_starts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let command = format!("demo --data-dir {}", folder.path().display());
    let refused = told(&mut Operator::at("http://127.0.0.1:1").says(&command));
    assert!(refused.code == 2 && refused.err.contains("--no-console"), "{}", refused.err);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn the_demo_opens_the_console_signed_in() {
    let operator = Operator::at("http://127.0.0.1:1");
    let mut terminal = Terminal::start(&operator, "demo --seed 7");
    terminal.until("LIVE");
    terminal.types("\x03"); // ctrl-c
    let (code, written) = terminal.end();
    assert_eq!(code, 0, "{written}");
}
