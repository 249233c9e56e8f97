//! The business from the command line, at a real daemon.

use assert_cmd::Command;
use serde_json::Value;

use crate::support::{Operator, Running, Told, told};

/// An operator at a daemon of their own, signed in, with a supplier and a customer.
struct Office {
    operator: Operator,
    daemon: Running,
}

impl Office {
    fn open() -> Self {
        let operator = Operator::at("http://127.0.0.1:1");
        let daemon = Running::start(&operator);
        let office = Self { operator, daemon };
        let login = "login --email ana@example.com --password-stdin";
        assert_eq!(told(office.say(login).write_stdin("correct horse 9\n")).code, 0);
        let file = office.daemon.folder.path().join("astrops.toml").display().to_string();
        for (email, role) in [("host@example.com", "supplier"), ("leo@example.com", "customer")] {
            let add = format!("user add --email {email} --role {role} --name Somebody --password-stdin -q");
            let added =
                told(office.say(&format!("{add} --config {file}")).write_stdin("a long password 7\n"));
            assert_eq!(added.code, 0, "{}", added.err);
        }
        office
    }

    fn say(&self, command: &str) -> Command {
        self.operator.says(&format!("--url {} {command}", self.daemon.url()))
    }

    /// What a command that must succeed wrote, without the line end.
    fn good(&self, command: &str) -> String {
        let Told { code, out, err } = told(&mut self.say(command));
        assert_eq!(code, 0, "{command}: {out}{err}");
        out.trim_end().to_owned()
    }

    fn json(&self, command: &str) -> Value {
        serde_json::from_str(&self.good(&format!("{command} --json"))).unwrap()
    }

    /// A launch with this many seats at 120.50.
    fn launch(&self, seats: u32) -> String {
        self.good(&format!(
            "launches create --title Dawn --venue Pad39A --start 30d --end 31d --capacity {seats} --price 120.5 \
             --host host@example.com -q"
        ))
    }
}

#[test]
fn a_launch_is_sold_filled_changed_and_cancelled() {
    let office = Office::open();
    let launch = office.launch(3);
    assert!(office.good("launches list --available --host host@example.com").contains("on sale"));
    let booking =
        office.good(&format!("bookings create --launch {launch} --user leo@example.com --seats 3 -q"));
    assert!(office.good(&format!("launches show {launch}")).contains("sold out"));
    let again = told(&mut office.say(&format!("bookings create --launch {launch} --user leo@example.com")));
    assert_eq!((again.code, again.out.as_str()), (4, ""), "{}", again.err);
    let shown = office.good(&format!("bookings show {booking}"));
    assert!(shown.contains("leo@example.com") && shown.contains("361.50") && shown.contains("+3"), "{shown}");

    let below = told(&mut office.say(&format!("launches edit {launch} --capacity 2")));
    assert!(below.code == 4 && below.err.contains('3'), "{}", below.err);
    office.good(&format!("launches edit {launch} --capacity 5 --venue Kourou"));
    assert_eq!(office.json(&format!("launches show {launch}"))["availableTickets"], 2);

    let cancelled = office.good(&format!("bookings cancel {booking} --reason ill"));
    assert!(cancelled.contains("3 seats of Dawn free again"), "{cancelled}");
    assert_eq!(told(&mut office.say(&format!("bookings cancel {booking}"))).code, 4);
    office.good(&format!("bookings create --launch {launch} --user leo@example.com"));
    assert!(office.good(&format!("launches cancel {launch} --reason wind")).contains("cancelled"));
    let all = office.json(&format!("launches bookings {launch} --status cancelled"));
    assert_eq!(all["total"], 2);
    let log = office.good(&format!("launches capacity-log {launch} --order asc"));
    let seats: Vec<&str> = log.lines().skip(1).filter_map(|line| line.split_whitespace().nth(2)).collect();
    assert_eq!(seats, ["+3", "-3", "+1", "-1"], "{log}");
}

#[test]
fn a_program_gets_a_key_and_loses_it() {
    let office = Office::open();
    let secret = office.good("keys create crm --scope logs:write read -q");
    let called = |command: &str| told(office.say(command).env("ASTROPS_TOKEN", &secret)).code;
    assert_eq!((called("jobs list"), called("keys list")), (0, 4), "a key does what its scopes say");
    let twice = told(&mut office.say("keys create crm --scope read"));
    assert!(twice.code == 4 && twice.err.contains("crm"), "{}", twice.err);
    office.good("keys revoke crm");
    assert!(office.good("keys list").contains("revoked"));
    assert_eq!(called("jobs list"), 4);
    assert_eq!(told(&mut office.say("keys revoke crm")).code, 2);
}

#[test]
fn a_password_that_is_changed_ends_the_other_sessions() {
    let office = Office::open();
    let elsewhere = Operator::at(office.daemon.url());
    let login = "login --email ana@example.com --password-stdin";
    assert_eq!(told(elsewhere.says(login).write_stdin("correct horse 9\n")).code, 0);
    let sessions = office.json("sessions list");
    let list = sessions["sessions"].as_array().unwrap();
    assert_eq!(list.len(), 2);
    assert!(office.good("sessions list").contains("this one"));
    let other = list.iter().find(|session| session["isCurrent"] == false).unwrap()["id"].as_str().unwrap();
    office.good(&format!("sessions revoke {other}"));
    assert_eq!(told(&mut elsewhere.says("whoami")).code, 4);

    assert_eq!(told(elsewhere.says(login).write_stdin("correct horse 9\n")).code, 0);
    let change = |lines: &'static str| told(office.say("password --password-stdin").write_stdin(lines));
    let wrong = change("wrong horse\ncorrect horse 10\n");
    assert_eq!(wrong.code, 4, "{}", wrong.err);
    let changed = change("correct horse 9\ncorrect horse 10\n");
    assert_eq!((changed.code, changed.err.as_str()), (0, ""));
    assert_eq!(told(&mut elsewhere.says("whoami")).code, 4);
    assert!(office.good("whoami").contains("ana@example.com"), "the session that changed it lives on");
    assert_eq!(told(elsewhere.says(login).write_stdin("correct horse 10\n")).code, 0);
}
