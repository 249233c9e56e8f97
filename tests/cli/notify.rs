//! Notifications and schedules from the command line.

use serde_json::{Value, json};

use crate::support::{Answer, Daemon, Operator, problem, told};

const JOB: &str = "0198f000-0000-7000-8000-000000000001";

#[test]
fn a_notification_is_sent_with_its_data() {
    let daemon = Daemon::new(|_| Answer::Json(202, json!({ "jobId": JOB, "status": "queued" })));
    let operator = Operator::at(&daemon.url());
    let sent = told(
        operator
            .says("notify new_booking leo@example.com bookingId=b1 seats:=2 --data")
            .arg(r#"{"venue":"Pad 39A"}"#),
    );
    assert_eq!((sent.code, sent.out), (0, format!("{JOB}: NEW_BOOKING to leo@example.com queued\n")));
    let body: Value = serde_json::from_str(&daemon.seen()[0].body).unwrap();
    let data = json!({ "venue": "Pad 39A", "bookingId": "b1", "seats": 2 });
    assert_eq!(body, json!({ "type": "NEW_BOOKING", "recipient": "leo@example.com", "data": data }));
    assert_eq!(
        told(&mut operator.says("notify WELCOME leo@example.com name=Leo -q")).out,
        format!("{JOB}\n")
    );
}

#[test]
fn a_preview_shows_the_text_and_sends_nothing() {
    let daemon = Daemon::new(|line| match line {
        "POST /notifications/preview" => Answer::Json(
            200,
            json!({ "subject": "Welcome", "text": "Hello\nLeo\x1b[2J", "html": "<p>Hello" }),
        ),
        _ => problem(404, "not-found", ""),
    });
    let operator = Operator::at(&daemon.url());
    assert_eq!(
        told(&mut operator.says("notify preview WELCOME name=Leo")).out,
        "Welcome\n\nHello\nLeo␛[2J\n"
    );
    assert_eq!(told(&mut operator.says("notify")).code, 2);
    assert_eq!(told(&mut operator.says("notify ROCKET leo@example.com")).code, 2);
}

#[test]
fn the_fields_at_fault_are_told() {
    let daemon = Daemon::new(|_| {
        let errors = json!([{ "pointer": "/data/name", "detail": "is required" }]);
        let body =
            json!({ "type": "/problems/invalid", "title": "Invalid", "status": 422, "errors": errors });
        Answer::Json(422, body)
    });
    let refused = told(&mut Operator::at(&daemon.url()).says("notify WELCOME leo@example.com"));
    assert!(refused.code == 4 && refused.err == "astrops: name: is required\n", "{}", refused.err);
}

#[test]
fn schedules_are_listed_and_edited() {
    let schedule = json!({
        "name": "prune-logs", "description": "Deletes old logs", "cron": "0 3 * * *", "cronText": "At 03:00",
        "timeZone": "UTC", "jobType": "MAINTENANCE", "paused": true, "missed": "coalesce", "overlap": "skip",
        "nextFires": ["2026-08-02T03:00:00Z"], "updatedAt": "2026-08-01T10:00:00Z",
    });
    let daemon = Daemon::new(move |line| match line {
        "GET /schedules" => Answer::Json(200, json!({ "schedules": [schedule] })),
        _ => Answer::Json(200, schedule.clone()),
    });
    let operator = Operator::at(&daemon.url());
    let list = told(&mut operator.says("schedules list")).out;
    assert!(list.contains("prune-logs  0 3 * * *  At 03:00") && list.contains("PAUSED"), "{list}");
    assert!(told(&mut operator.says("schedules show prune-logs")).out.contains("2026-08-02 03:00:00Z"));
    assert_eq!(told(operator.says("schedules edit prune-logs --missed all --cron").arg("0 4 * * *")).code, 0);
    assert_eq!(daemon.seen()[2].body, r#"{"cron":"0 4 * * *","missed":"all"}"#);
    assert_eq!(told(&mut operator.says("schedules trigger ../users")).code, 1);
    assert_eq!(daemon.lines()[3], "POST /schedules/..%2Fusers/trigger");
}
