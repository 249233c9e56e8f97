//! Users, keys, sessions and the audit log from the command line.

use serde_json::{Value, json};

use crate::{
    support::{Answer, Daemon, Operator, problem, told},
    terminal::Terminal,
};

const LEO: &str = "507f1f77-bcf8-86cd-9e65-0e4044000000";
const KEY: &str = "0198f000-0000-7000-8000-00000000000a";
const SESSION: &str = "0198f000-0000-7000-8000-00000000000b";

fn leo() -> Value {
    json!({
        "id": LEO, "email": "leo@example.com", "name": "Leo\u{1b}[2J", "role": "customer",
        "createdAt": "2026-08-01T10:00:00Z", "updatedAt": "2026-08-01T10:00:00Z", "isActive": true,
        "isLocked": true, "lockedUntil": "2026-08-01T10:15:00Z", "failedLoginAttempts": 5,
    })
}

fn key(name: &str, revoked: Option<&str>) -> Value {
    json!({
        "id": KEY, "name": name, "scopes": ["logs:write", "read"], "createdBy": LEO,
        "createdAt": "2026-08-01T10:00:00Z", "revokedAt": revoked,
    })
}

fn sessions() -> Value {
    let at = "2026-08-01T10:00:00Z";
    let device = json!({ "userAgent": "Firefox", "ip": "203.0.113.9", "deviceId": "laptop" });
    json!({ "sessions": [{ "id": SESSION, "deviceInfo": device, "isCurrent": false,
        "createdAt": at, "lastUsedAt": at, "expiresAt": at }] })
}

fn daemon() -> Daemon {
    Daemon::new(|line| match line {
        line if line.starts_with("GET /users?q=") => {
            let mut longer = leo();
            longer["email"] = json!("a.leo@example.com");
            longer["id"] = json!("507f1f77-bcf8-86cd-9e65-0e4048000000");
            Answer::Json(200, json!({ "users": [longer, leo()], "total": 2, "page": 1, "pageSize": 200 }))
        }
        line if line.starts_with("GET /users?") => {
            Answer::Json(200, json!({ "users": [leo()], "total": 41, "page": 1, "pageSize": 1 }))
        }
        line if line.contains("/sessions") && line.starts_with("GET") => Answer::Json(200, sessions()),
        "GET /auth/keys" => {
            let keys = json!([key("crm", None), key("crm-old", Some("2026-08-02T10:00:00Z"))]);
            Answer::Json(200, json!({ "keys": keys }))
        }
        "POST /auth/keys" => {
            let mut made = key("crm", None);
            made["secret"] = json!("ak_once");
            Answer::Json(201, made)
        }
        line if line.starts_with("GET /audit") => {
            let entry = json!({
                "id": KEY, "at": "2026-08-01T10:00:00Z", "actor": "user:1", "actorEmail": "ana@example.com",
                "action": "booking.cancel", "target": "b1", "reason": "asked\u{7}", "details": { "seats": 2 },
                "requestId": "r", "ipAddress": "203.0.113.9",
            });
            Answer::Json(200, json!({ "entries": [entry], "total": 1, "page": 1, "pageSize": 20 }))
        }
        line if line.starts_with("DELETE") || line == "PUT /auth/password" => Answer::Json(204, Value::Null),
        line if line.contains(&format!("/users/{LEO}")) => Answer::Json(200, leo()),
        _ => problem(404, "not-found", ""),
    })
}

#[test]
fn users_are_listed_filtered_and_shown_without_acting_on_the_terminal() {
    let daemon = daemon();
    let operator = Operator::at(&daemon.url());
    let list = told(&mut operator.says(
        "users list --role attendee --active --locked --sort lastLoginAt --order asc --limit 1 --offset 3",
    ));
    assert_eq!(list.code, 0, "{}", list.err);
    assert_eq!(
        daemon.lines(),
        ["GET /users?role=customer&isActive=true&isLocked=true&sort=lastLoginAt&limit=1&offset=3&order=asc"]
    );
    let lines: Vec<&str> = list.out.lines().collect();
    assert!(lines[0].starts_with("ID ") && lines[0].contains("LAST SIGN-IN"), "{}", list.out);
    assert!(lines[1].contains("leo@example.com  Leo␛[2J  customer  locked"), "{}", list.out);
    assert_eq!(list.err, "1 of 41\n");
    assert_eq!(told(&mut operator.says("users list --inactive -q")).out, format!("{LEO}\n"));
    let shown = told(&mut operator.says(&format!("users show {LEO}"))).out;
    assert!(shown.contains("wrong passwords  5 in a row"), "{shown}");
    let json: Value = serde_json::from_str(&told(&mut operator.says("users list --json")).out).unwrap();
    assert_eq!((&json["total"], &json["users"][0]["id"]), (&json!(41), &json!(LEO)));
}

#[test]
fn an_address_names_one_user_and_nothing_is_done_when_it_names_none() {
    let daemon = daemon();
    let operator = Operator::at(&daemon.url());
    let unlocked = told(&mut operator.says("users unlock Leo@Example.com"));
    assert_eq!((unlocked.code, unlocked.out.as_str()), (0, "leo@example.com: unlocked\n"));
    let asked = "GET /users?q=leo%40example.com&sort=email&pageSize=200".to_owned();
    assert_eq!(daemon.lines(), [asked, format!("POST /users/{LEO}/unlock")]);
    let nobody = told(&mut operator.says("users delete zoe@example.com"));
    assert!(nobody.code == 2 && nobody.err.contains("no user has the address zoe@"), "{}", nobody.err);
    assert_eq!(daemon.lines().len(), 3);
}

#[test]
fn an_account_is_changed_as_was_said() {
    let daemon = daemon();
    let operator = Operator::at(&daemon.url());
    // The 24 digits of the document database name the same user.
    for (command, line, body) in [
        (format!("users edit {LEO} --email l@example.com"), "PUT", r#"{"email":"l@example.com"}"#),
        (
            format!("users role {LEO} admin --right operator"),
            "PUT",
            r#"{"role":"employee","right":"operator"}"#,
        ),
        ("users disable 507f1f77bcf86cd799439011".to_owned(), "PUT", r#"{"isActive":false}"#),
        (format!("users enable {LEO}"), "PUT", r#"{"isActive":true}"#),
    ] {
        assert_eq!(told(&mut operator.says(&command)).code, 0, "{command}");
        let seen = daemon.seen().pop().unwrap();
        assert_eq!((seen.line, seen.body), (format!("{line} /users/{LEO}"), body.to_owned()), "{command}");
    }
    assert_eq!(told(operator.says(&format!("users edit {LEO} --name")).arg("")).code, 0);
    assert_eq!(daemon.seen().pop().unwrap().body, r#"{"name":null}"#);
    assert_eq!(told(&mut operator.says(&format!("users revoke-sessions {LEO}"))).code, 0);
    assert_eq!(told(&mut operator.says(&format!("users delete {LEO} --yes"))).code, 0);
    let lines = daemon.lines();
    assert_eq!(
        lines[lines.len() - 2..],
        [format!("DELETE /users/{LEO}/sessions"), format!("DELETE /users/{LEO}")]
    );
    for wrong in [format!("users edit {LEO}"), format!("users role {LEO} customer --right viewer")] {
        assert_eq!(told(&mut operator.says(&wrong)).code, 2, "{wrong}");
    }
}

#[test]
fn the_secret_of_a_key_is_alone_on_stdout() {
    let daemon = daemon();
    let operator = Operator::at(&daemon.url());
    let made = told(&mut operator.says("keys create crm --scope logs:write read"));
    assert_eq!((made.code, made.out.as_str()), (0, "ak_once\n"));
    assert!(made.err.contains("never shown again"), "{}", made.err);
    assert_eq!(daemon.seen()[0].body, r#"{"name":"crm","scopes":["logs:write","read"]}"#);
    let quiet = told(&mut operator.says("keys create crm --scope read,jobs:write -q"));
    assert_eq!((quiet.out.as_str(), quiet.err.as_str()), ("ak_once\n", ""));
    let json: Value =
        serde_json::from_str(&told(&mut operator.says("keys create crm --scope read --json")).out).unwrap();
    assert_eq!((&json["secret"], &json["name"]), (&json!("ak_once"), &json!("crm")));

    let list = told(&mut operator.says("keys list")).out;
    assert!(list.contains("living") && list.contains("revoked") && list.contains(" ago"), "{list}");
    assert_eq!(told(&mut operator.says("keys revoke crm")).code, 0);
    assert_eq!(daemon.lines().pop().unwrap(), format!("DELETE /auth/keys/{KEY}"));
    let old = told(&mut operator.says("keys revoke crm-old"));
    assert!(old.code == 2 && old.err.contains("no living service key is named crm-old"), "{}", old.err);
    assert_eq!(told(&mut operator.says("keys create crm")).code, 2);
}

#[test]
fn sessions_are_listed_and_ended_ones_own_and_others() {
    let daemon = daemon();
    let operator = Operator::at(&daemon.url());
    for command in ["sessions list".to_owned(), format!("users sessions {LEO}")] {
        let list = told(&mut operator.says(&command)).out;
        assert!(list.contains("203.0.113.9") && list.contains("laptop"), "{command}: {list}");
        assert_eq!(told(&mut operator.says(&format!("{command} -q"))).out, format!("{SESSION}\n"));
    }
    assert_eq!(told(&mut operator.says(&format!("sessions revoke {SESSION}"))).code, 0);
    assert_eq!(daemon.lines().pop().unwrap(), format!("DELETE /auth/sessions/{SESSION}"));
}

#[test]
fn a_password_is_changed_by_two_lines_of_stdin_or_three_answers() {
    let daemon = daemon();
    let operator = Operator::at(&daemon.url());
    let body = r#"{"currentPassword":"old one","newPassword":"new one!"}"#;
    let changed = told(operator.says("password --password-stdin").write_stdin("old one\nnew one!\n"));
    assert_eq!(changed.code, 0, "{}", changed.err);
    assert_eq!(daemon.seen().pop().unwrap().body, body);
    let short = told(operator.says("password --password-stdin").write_stdin("old one\n"));
    assert!(short.code == 2 && short.err.contains("the new password is empty"), "{}", short.err);

    for (again, code) in [("other\r", 2), ("new one!\r", 0)] {
        let mut terminal = Terminal::start(&operator, "password");
        for (question, answer) in
            [("Current password:", "old one\r"), ("New password:", "new one!\r"), ("again:", again)]
        {
            terminal.until(question);
            terminal.types(answer);
        }
        let (ended, written) = terminal.end();
        assert!(ended == code && !written.contains("new one"), "{written}");
    }
    assert_eq!((daemon.seen().len(), daemon.seen()[1].body.as_str()), (2, body));
}

#[test]
fn the_audit_log_says_who_did_what() {
    let daemon = daemon();
    let operator = Operator::at(&daemon.url());
    let list = told(&mut operator.says(
        "audit --actor key:crm --action booking --target b1 --since 2026-08-01 --to 2026-08-02 --page 2",
    ));
    assert_eq!(
        daemon.lines(),
        ["GET /audit?actor=key%3Acrm&action=booking&target=b1&from=2026-08-01T00%3A00%3A00Z\
          &to=2026-08-02T00%3A00%3A00Z&page=2&pageSize=20"]
    );
    let row = "ana@example.com  booking.cancel  b1      asked␇  203.0.113.9  {\"seats\":2}";
    assert!(list.code == 0 && list.out.contains(row), "{}", list.out);
    assert_eq!(told(&mut operator.says("audit -q")).out, format!("{KEY}\n"));
}

#[test]
fn a_profile_protects_accounts_too() {
    let daemon = daemon();
    let operator = Operator::at(&daemon.url());
    let commands = [
        format!("users edit {LEO} --name Leo"),
        format!("users role {LEO} supplier"),
        format!("users disable {LEO}"),
        format!("users enable {LEO}"),
        format!("users unlock {LEO}"),
        format!("users revoke-sessions {LEO}"),
        format!("users delete {LEO}"),
        "keys create crm --scope read".to_owned(),
        "keys revoke crm".to_owned(),
        format!("sessions revoke {SESSION}"),
        "password --password-stdin".to_owned(),
    ];
    for (protection, words) in [("read_only", "profile prod"), ("production", "say --yes")] {
        operator.profiles(&format!("[profiles.prod]\nurl = '{}'\n{protection} = true", daemon.url()));
        for command in &commands {
            let refused = told(&mut operator.says(command));
            assert!(refused.code == 2 && refused.err.contains(words), "{command}: {}", refused.err);
        }
    }
    assert!(daemon.seen().is_empty());
}
