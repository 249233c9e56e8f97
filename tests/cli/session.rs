//! Signing in and out.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::{
    support::{Answer, Daemon, Operator, problem, told},
    terminal::Terminal,
};

fn ana() -> Value {
    json!({
        "id": "507f1f77bcf86cd799439011", "email": "ana@example.com", "role": "employee", "right": "operator",
        "createdAt": "2026-08-01T10:00:00Z",
    })
}

fn account() -> Value {
    let mut account = ana();
    let more = json!({ "isActive": true, "isLocked": false, "failedLoginAttempts": 0,
        "updatedAt": "2026-08-01T10:00:00Z" });
    account.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    account
}

fn daemon() -> Daemon {
    Daemon::new(|line| match line {
        "POST /auth/login" => Answer::Json(
            200,
            json!({ "token": "the-token", "expiresIn": 3600, "refreshToken": "the-refresh-token", "user": ana() }),
        ),
        "GET /auth/me" => Answer::Json(200, account()),
        "POST /auth/logout" => Answer::Json(204, Value::Null),
        _ => problem(404, "not-found", ""),
    })
}

#[test]
fn an_operator_signs_in_is_known_and_signs_out() {
    let daemon = daemon();
    let operator = Operator::at(&daemon.url());
    let signed_in =
        told(operator.says("login --email ana@example.com --password-stdin").write_stdin("s3cret pw\n"));
    assert_eq!((signed_in.code, signed_in.err.as_str()), (0, ""));
    assert!(signed_in.out.contains("ana@example.com (operator) for 60 m"), "{}", signed_in.out);
    assert!(!signed_in.out.contains("the-token"));
    let [file] = operator.sessions().try_into().unwrap();
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    let known = told(&mut operator.says("whoami"));
    assert!(known.code == 0 && known.out.contains("operator"), "{}", known.out);
    let json: Value = serde_json::from_str(&told(&mut operator.says("whoami --json")).out).unwrap();
    assert_eq!(json["email"], "ana@example.com");

    assert_eq!(told(&mut operator.says("logout")).code, 0);
    assert!(operator.sessions().is_empty());
    let seen = daemon.seen();
    assert_eq!(seen[0].body, r#"{"email":"ana@example.com","password":"s3cret pw"}"#);
    let tokens: Vec<_> = seen.iter().map(|request| request.token.as_deref()).collect();
    assert_eq!(tokens, [None, Some("the-token"), Some("the-token"), Some("the-token")]);
    assert!(told(&mut operator.says("logout")).out.contains("nobody was signed in"));
}

#[test]
fn commands_at_once_refresh_a_token_that_has_ended_once() {
    let daemon = Daemon::new(|line| match line {
        "POST /auth/login" => {
            let tokens = json!({ "token": "old", "expiresIn": 5, "refreshToken": "first", "user": ana() });
            Answer::Json(200, tokens)
        }
        "POST /auth/refresh" => {
            Answer::Json(200, json!({ "token": "new", "expiresIn": 3600, "refreshToken": "second" }))
        }
        "GET /auth/me" => Answer::Json(200, account()),
        _ => problem(404, "not-found", ""),
    });
    let operator = Operator::at(&daemon.url());
    told(operator.says("login --email ana@example.com --password-stdin").write_stdin("pw\n"));
    std::thread::scope(|scope| {
        let asked: Vec<_> = (0..4).map(|_| scope.spawn(|| told(&mut operator.says("whoami")).code)).collect();
        assert!(asked.into_iter().all(|asked| asked.join().unwrap() == 0));
    });
    let seen = daemon.seen();
    let refreshes: Vec<_> = seen.iter().filter(|request| request.body.contains("refreshToken")).collect();
    assert_eq!(refreshes.len(), 1, "the others found the new token");
    assert_eq!(refreshes[0].body, r#"{"refreshToken":"first"}"#);
    assert!(refreshes[0].token.is_none(), "the token that has ended stays here");
    let tokens: Vec<_> = seen.iter().filter_map(|request| request.token.as_deref()).collect();
    assert_eq!(tokens, ["new"; 4]);
    // What is kept is the newest one, and it is not written out.
    let kept = operator.sessions().into_iter().find(|path| path.extension() == Some("json".as_ref()));
    let kept = std::fs::read_to_string(kept.unwrap()).unwrap();
    assert!(kept.contains("second") && !kept.contains("first"), "{kept}");
}

#[test]
fn a_token_of_the_environment_goes_first() {
    let daemon = daemon();
    let operator = Operator::at(&daemon.url());
    assert_eq!(told(operator.says("whoami").env("ASTROPS_TOKEN", "from-a-script")).code, 0);
    assert_eq!(daemon.seen()[0].token.as_deref(), Some("from-a-script"));
}

#[test]
fn who_is_not_signed_in_is_told_how() {
    let daemon = Daemon::new(|_| problem(401, "unauthenticated", "no session"));
    let operator = Operator::at("http://127.0.0.1:1");
    let url = daemon.url();
    let nobody = told(&mut operator.says(&format!("--url {url} jobs list")));
    assert_eq!(nobody.code, 4);
    let advice = format!("sign in first: astrops --url {url} login --email EMAIL");
    assert!(nobody.err.contains(&advice), "{}", nobody.err);

    let script = told(operator.says(&format!("--url {url} jobs list")).env("ASTROPS_TOKEN", "old"));
    assert!(script.code == 4 && script.err.contains("ASTROPS_TOKEN"), "{}", script.err);

    let json = told(&mut operator.says(&format!("--url {url} jobs list --json")));
    assert_eq!(serde_json::from_str::<Value>(&json.err).unwrap()["status"], 401);

    let wrong = told(
        operator
            .says(&format!("--url {url} login --email ana@example.com --password-stdin"))
            .write_stdin("wrong\n"),
    );
    assert!(wrong.code == 4 && wrong.err.contains("did not sign ana@example.com in"), "{}", wrong.err);
    assert!(operator.sessions().is_empty());
}

#[test]
fn whose_session_has_ended_is_told_their_own_address() {
    let daemon = Daemon::new(|line| match line {
        "POST /auth/login" => Answer::Json(
            200,
            json!({ "token": "the-token", "expiresIn": 3600, "refreshToken": "the-refresh-token", "user": ana() }),
        ),
        _ => problem(401, "unauthenticated", "the session has ended"),
    });
    let operator = Operator::at(&daemon.url());
    told(operator.says("login --email ana@example.com --password-stdin").write_stdin("pw\n"));
    let ended = told(&mut operator.says("whoami"));
    assert!(ended.code == 4 && ended.err.contains("login --email ana@example.com"), "{}", ended.err);
}

#[test]
fn without_a_terminal_a_password_must_be_piped_in() {
    let daemon = daemon();
    let asked = told(&mut Operator::at(&daemon.url()).says("login --email ana@example.com"));
    assert!(asked.code == 2 && asked.err.contains("--password-stdin"), "{}", asked.err);
    assert!(daemon.seen().is_empty());
}

#[test]
fn a_password_that_is_typed_is_not_shown() {
    let daemon = daemon();
    let operator = Operator::at(&daemon.url());
    let mut terminal = Terminal::start(&operator, "login --email ana@example.com");
    // What is typed before the question is shown by the terminal itself.
    terminal.until("Password:");
    terminal.types("s3cret pX\x7fw\r");
    let (code, written) = terminal.end();
    assert_eq!(code, 0, "{written}");
    assert_eq!(daemon.seen()[0].body, r#"{"email":"ana@example.com","password":"s3cret pw"}"#);
    assert!(written.contains("signed in") && !written.contains("cret"), "{written:?}");
}

#[test]
fn a_question_can_be_left_with_ctrl_c() {
    let daemon = daemon();
    let mut terminal = Terminal::start(&Operator::at(&daemon.url()), "login --email ana@example.com");
    terminal.until("Password:");
    terminal.types("half\x03");
    assert_eq!(terminal.end().0, 130);
    assert!(daemon.seen().is_empty());
}
