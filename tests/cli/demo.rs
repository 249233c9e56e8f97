//! The demo: everything in one process.

use std::{
    io::{Read, Write},
    num::NonZero,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use serde_json::Value;

use crate::support::{Operator, Process, binary, told};

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
fn the_demo_opens_the_console_signed_in() {
    let operator = Operator::at("http://127.0.0.1:1");
    let pty = native_pty_system().openpty(PtySize { rows: 30, cols: 100, ..PtySize::default() }).unwrap();
    let mut command = CommandBuilder::new(binary());
    command.args(["demo", "--seed", "7"]);
    command.env_clear();
    operator.surroundings().iter().for_each(|(name, value)| command.env(name, value));
    let mut demo = pty.slave.spawn_command(command).unwrap();
    drop(pty.slave);
    let mut bytes = pty.master.try_clone_reader().unwrap();
    let mut keys = pty.master.take_writer().unwrap();
    let (told, heard) = mpsc::channel();
    thread::spawn(move || {
        let mut some = [0; 4096];
        // Reading ends with the demo, or with the test.
        while let Ok(count @ 1..) = bytes.read(&mut some) {
            if told.send(some[..count].to_vec()).is_err() {
                break;
            }
        }
    });
    let mut screen = vt100::Parser::new(NonZero::new(30).unwrap(), NonZero::new(100).unwrap(), 0);
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut live = false;
    while let Ok(some) = heard.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        screen.process(&some);
        let shown = screen.screen().contents();
        if !live && shown.contains("demo") && shown.contains("LIVE") {
            live = true;
            // ctrl-c
            keys.write_all(b"\x03").unwrap();
        }
    }
    if Instant::now() >= deadline {
        demo.kill().unwrap();
    }
    assert!(demo.wait().unwrap().success() && live, "{}", screen.screen().contents());
}
