//! The business from the command line, at a real daemon.

use assert_cmd::Command;
use serde_json::{Value, json};

use crate::support::{Operator, Process, Running, Told, told};

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

#[test]
fn an_account_is_changed_and_ended_and_everything_is_written_down() {
    let office = Office::open();
    let login = "login --email leo@example.com --password-stdin";
    let leo = Operator::at(office.daemon.url());
    assert_eq!(told(leo.says(login).write_stdin("a long password 7\n")).code, 0);
    let id = office.good("users show leo@example.com -q");
    assert!(office.good("users list --role customer --active --query LEO").contains(&id));
    assert_eq!(office.json("users sessions leo@example.com")["sessions"].as_array().unwrap().len(), 1);
    office.good("users revoke-sessions leo@example.com");
    assert_eq!(told(&mut leo.says("whoami")).code, 4);

    office.good("users disable leo@example.com");
    assert_eq!(told(leo.says(login).write_stdin("a long password 7\n")).code, 4);
    assert_eq!(office.good("users list --inactive -q"), id);
    office.good("users enable leo@example.com");
    for _ in 0..5 {
        assert_eq!(told(leo.says(login).write_stdin("a wrong password 7\n")).code, 4);
    }
    assert_eq!(office.good("users list --locked -q"), id);
    assert!(office.good("users show leo@example.com").contains("locked until"));
    office.good("users unlock leo@example.com");
    assert_eq!(told(leo.says(login).write_stdin("a long password 7\n")).code, 0);

    office.good(&format!("users edit {id} --name Leonor --email leonor@example.com"));
    assert!(office.good("users role leonor@example.com employee --right viewer").contains("is now a viewer"));
    assert_eq!(told(&mut office.say("users role ana@example.com customer")).code, 4, "not one's own");
    office.good("users delete leonor@example.com");
    assert!(!office.good(&format!("users show {id}")).contains("leonor"));

    let audit = office.json(&format!("audit --target {id} --order asc --page-size 200"));
    let entries = audit["entries"].as_array().unwrap();
    let actions: Vec<&str> = entries.iter().filter_map(|entry| entry["action"].as_str()).collect();
    for action in ["user.unlock", "user.edit", "user.delete"] {
        assert!(actions.contains(&action), "{actions:?}");
    }
    assert!(office.good("audit --action user --since 1h").contains("ana@example.com"));
    assert_eq!(office.json("audit --until 2020-01-01")["total"], 0);
}

#[test]
fn both_databases_are_made_to_agree() {
    let office = Office::open();
    let launch = office.launch(3);
    assert_eq!(office.json(&format!("reconcile diff launch {launch}"))["document"], "missing");
    office.good(&format!("reconcile entity launch {launch} --wait"));
    let compared = office.good(&format!("reconcile diff launch {launch}"));
    assert!(compared.contains("capacity") && compared.contains("equal"), "{compared}");
    assert!(!compared.contains("write"), "{compared}");
    let changes = office.good(&format!("reconcile changes --type launch --entity {launch}"));
    assert!(changes.contains("Created on document"), "{changes}");
    let changes = office.json("reconcile changes --order asc");
    assert_eq!((&changes["total"], &changes["changes"][0]["entityType"]), (&json!(2), &json!("user")));
    let jobs = office.json("reconcile jobs --status completed");
    assert_eq!(jobs["jobs"][0]["reconciliation"]["changesLog"], "Created on document");
    assert_eq!(office.json("reconcile conflicts")["total"], 0);
    let status = office.good("status");
    for part in ["conflicts", "0 wait for a person", "compared", "reconcile sweep --full"] {
        assert!(status.contains(part), "{part}: {status}");
    }
    let change = office.json("reconcile changes")["changes"][0]["id"].as_str().unwrap().to_owned();
    let fields = office.good("reconcile changes --type launch --fields");
    assert!(fields.contains("capacity") && fields.contains(&change), "{fields}");

    // What was never looked at is found by a sweep, which waits, tells, and repairs.
    let other = office.launch(5);
    let dry = office.good("reconcile sweep --full --type launch --dry-run --wait --json");
    let dry: Value = serde_json::from_str(dry.lines().last().unwrap()).unwrap();
    assert_eq!((&dry["status"], &dry["counts"]["differing"]), (&json!("completed"), &json!(1)), "{dry}");
    let differing = office.json("reconcile drift --kind missing_document");
    assert_eq!(differing["drift"][0]["entityId"], other.as_str(), "{differing}");
    let swept = office.good("reconcile sweep --full --wait");
    assert!(swept.contains("completed") || swept.contains("repaired"), "{swept}");
    assert_eq!(office.json(&format!("reconcile diff launch {other}"))["document"], "there");
    assert_eq!(office.json("reconcile drift")["total"], 0);
    let sweeps = office.good("reconcile sweeps");
    assert!(sweeps.contains("full, dry") && sweeps.contains("completed"), "{sweeps}");
    let id = office.good("reconcile sweeps list --mode full --page-size 1 -q");
    assert!(office.good(&format!("reconcile sweeps show {id}")).contains("asked by"));
    let over = told(&mut office.say(&format!("reconcile sweeps pause {id}")));
    assert!(over.code == 4 && over.err.contains("completed"), "{}", over.err);
    let unknown = told(&mut office.say("reconcile diff booking 507f1f77bcf86cd799439099"));
    assert!(unknown.code == 4 && unknown.err.contains("neither side"), "{}", unknown.err);
}

#[test]
fn events_are_shown_as_they_happen() {
    let office = Office::open();
    let launch = office.launch(2);
    let url = office.daemon.url();
    let mut following = Process::start(
        &office.operator,
        ["--url", url, "events", "-f", "--json", "--type", "launch.updated", "--entity-id", &launch],
    );
    // Only what happens from now on is shown, and nobody says when following has begun: so it happens again and again.
    let mut seats = 2;
    let line = following.first_line(|| {
        seats += 1;
        office.good(&format!("launches edit {launch} --capacity {seats}"));
    });
    let event: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&event["type"], &event["entityId"]), (&json!("launch.updated"), &json!(launch)));
}

#[test]
fn a_booking_is_declined_confirmed_paid_and_given_back() {
    let office = Office::open();
    let launch = office.launch(5);
    let book = format!("bookings create --launch {launch} --user leo@example.com --seats 2 -q");
    let booking = office.good(&book);
    let card = |number: &'static str| {
        told(office.say(&format!("bookings pay {booking} --card-stdin")).write_stdin(number))
    };
    let declined = card("4000000000009995\n");
    assert!(declined.code == 4 && declined.err.contains("insufficient"), "{}", declined.err);
    let unknown = card("4111111111111111\n");
    assert!(unknown.code == 4 && !unknown.err.contains("4111111111111111"), "{}", unknown.err);
    let asked = card("4000002760003184\n");
    assert!(asked.code == 1 && asked.err.contains("the customer has to confirm it: http"), "{}", asked.err);
    office.good(&format!("bookings cancel {booking}"));

    let booking = office.good(&book);
    let paid = office.good(&format!("bookings pay {booking} --payment-method pm_card_visa"));
    assert_eq!(paid, format!("{booking}: 241.00 usd paid with visa 4242"));
    assert_eq!(office.good("bookings list --payment-status paid -q"), booking);
    let again = told(&mut office.say(&format!("bookings pay {booking} --payment-method pm_card_visa")));
    assert_eq!(again.code, 4, "{}", again.err);
    let cancelled = office.good(&format!("bookings cancel {booking} --reason ill"));
    assert!(cancelled.contains("the money goes back"), "{cancelled}");
    let refunded = "logs -f -n 1000 --event-type BOOKING --query refunded";
    let url = office.daemon.url();
    Process::start(&office.operator, ["--url", url].into_iter().chain(refunded.split(' '))).lines(1);
    let shown = office.good(&format!("bookings show {booking}"));
    assert!(shown.contains("payment    refunded") && shown.contains("ill"), "{shown}");
}
