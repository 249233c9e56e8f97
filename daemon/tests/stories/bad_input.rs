//! Bad input gets a clear 4xx, and nothing is stored.

use astrops_api::jobs::JobQuery;

use crate::{stories, support::TestDaemon};

stories!(every_bad_request_is_a_problem_that_names_its_field);

/// Method, path, body, status, slug, and what the problem must name.
const CASES: &[(&str, &str, &str, u16, &str, &str)] = &[
    ("POST", "/notifications", "{", 400, "bad-request", "not JSON"),
    ("POST", "/notifications", "", 400, "bad-request", "not JSON"),
    ("POST", "/notifications", r#"{"type":"NEW_BOOKING"} x"#, 422, "invalid", "recipient"),
    (
        "POST",
        "/notifications",
        r#"{"type":"LOUD","recipient":"a@example.com","data":{}}"#,
        422,
        "invalid",
        "WELCOME",
    ),
    (
        "POST",
        "/notifications",
        r#"{"type":"WELCOME","recipient":"a@example.com","data":{}}"#,
        422,
        "invalid",
        "/data/name",
    ),
    (
        "POST",
        "/notifications",
        r#"{"type":"WELCOME","recipient":"a@example.com","data":[]}"#,
        422,
        "invalid",
        "/data",
    ),
    (
        "POST",
        "/notifications",
        r#"{"type":"WELCOME","recipient":"a@example.com","data":{"name":"\u0000"}}"#,
        422,
        "invalid",
        "U+0000",
    ),
    (
        "POST",
        "/notifications",
        r#"{"type":"WELCOME","recipient":"a@example.com","data":{"name":"Z"},"loud":1}"#,
        422,
        "invalid",
        "loud",
    ),
    (
        "POST",
        "/jobs",
        r#"{"type":"NOTIFICATION","notification":["a@example.com","s","m"]}"#,
        422,
        "invalid",
        "not a list",
    ),
    ("POST", "/jobs/pause", "[null]", 422, "invalid", "not a list"),
    ("POST", "/jobs", r#"{"type":"NOTIFICATION"}"#, 422, "invalid", "/notification"),
    (
        "POST",
        "/jobs",
        r#"{"type":"NOTIFICATION","notification":{"recipientEmail":"a@example.com","subject":"a\r\nBcc: b@example.com","message":"m"}}"#,
        422,
        "invalid",
        "/notification/subject",
    ),
    (
        "POST",
        "/jobs",
        r#"{"type":"NOTIFICATION","notification":{"recipientEmail":"a@example.com","subject":"s","message":"m"},"priority":101}"#,
        422,
        "invalid",
        "/priority",
    ),
    (
        "POST",
        "/jobs",
        r#"{"type":"NOTIFICATION","notification":{"recipientEmail":"a@example.com","subject":"s","message":"m"},"maxAttempts":0}"#,
        422,
        "invalid",
        "/maxAttempts",
    ),
    (
        "POST",
        "/jobs",
        r#"{"type":"NOTIFICATION","notification":{"recipientEmail":"a@example.com","subject":"s","message":"m"},"uniqueKey":""}"#,
        422,
        "invalid",
        "/uniqueKey",
    ),
    (
        "POST",
        "/jobs",
        r#"{"type":"NOTIFICATION","notification":{"recipientEmail":"a@example.com","subject":"s","message":"m"},"runAt":"tomorrow"}"#,
        422,
        "invalid",
        "/runAt",
    ),
    (
        "POST",
        "/jobs",
        r#"{"type":"NOTIFICATION","notification":{"recipientEmail":"a@example.com","subject":"s","message":"m"},"runAt":"+262142-01-01T00:00:00Z"}"#,
        422,
        "invalid",
        "/runAt",
    ),
    (
        "POST",
        "/jobs",
        r#"{"type":"RECONCILIATION","reconciliation":{"entityType":"launch","entityId":"00000000-0000-0000-0000-000000000007"}}"#,
        422,
        "invalid",
        "/reconciliation/entityId",
    ),
    (
        "POST",
        "/reconciliation",
        r#"{"entityType":"rocket","entityId":"507f1f77bcf86cd799439016"}"#,
        422,
        "invalid",
        "/entityType",
    ),
    (
        "POST",
        "/reconciliation/events",
        r#"{"entityType":"launch","entityId":"507f1f77bcf86cd799439016","action":"explode"}"#,
        422,
        "invalid",
        "/action",
    ),
    ("POST", "/logs", "[]", 422, "invalid", "1 to 1000"),
    (
        "POST",
        "/logs",
        r#"[{"eventType":"AUTH","severity":"info","message":"m"},{"eventType":"AUTH","severity":"loud","message":"m"}]"#,
        422,
        "invalid",
        "/1/severity",
    ),
    ("POST", "/logs", r#"{"eventType":"AUTH","severity":"info","message":""}"#, 422, "invalid", "/message"),
    (
        "POST",
        "/logs",
        r#"{"eventType":"AUTH","severity":"info","message":"m","ipAddress":"here"}"#,
        422,
        "invalid",
        "/ipAddress",
    ),
    (
        "POST",
        "/logs",
        r#"{"eventType":"AUTH","severity":"info","message":"m","userId":"me"}"#,
        422,
        "invalid",
        "/userId",
    ),
    ("POST", "/auth/register", r#"{"email":"no","password":"long enough 1"}"#, 422, "invalid", "/email"),
    (
        "POST",
        "/auth/register",
        r#"{"email":"n@example.com","password":"short"}"#,
        422,
        "invalid",
        "/password",
    ),
    ("GET", "/jobs?page=0", "", 422, "invalid", "page"),
    ("GET", "/jobs?pageSize=201", "", 422, "invalid", "pageSize"),
    ("GET", "/jobs?page=1&limit=5", "", 422, "invalid", "limit"),
    ("GET", "/jobs?page=-1", "", 422, "invalid", "page"),
    ("GET", "/jobs?status=lost", "", 422, "invalid", "status"),
    (
        "GET",
        "/jobs?stauts=failed",
        "",
        422,
        "invalid",
        "stauts: is not a parameter of this path; these are: type",
    ),
    ("GET", "/reconciliation/mapping?entityType=launch", "", 422, "invalid", "which takes none"),
    ("GET", "/status?full=true", "", 422, "invalid", "full: is not a parameter"),
    ("GET", "/reconciliation/changes/verify?x=1", "", 422, "invalid", "x: is not a parameter"),
    (
        "GET",
        "/reconciliation/diff/rocket/507f1f77bcf86cd799439016",
        "",
        404,
        "not-found",
        "in the path, \"rocket\" is not one of: launch",
    ),
    ("GET", "/reconciliation/diff/launch/zz", "", 404, "not-found", "an id that cannot be one"),
    ("GET", "/reconciliation/conflicts/zz", "", 404, "not-found", "\"zz\", which is no id"),
    ("POST", "/reconciliation", "[]", 422, "invalid", "the body: must be an object, not a list"),
    ("POST", "/reconciliation", "7", 422, "invalid", "the body: must be an object, not the number 7"),
    (
        "POST",
        "/reconciliation/conflicts/bulk",
        r#"{"ids":["zz"],"take":"document","reason":"r"}"#,
        422,
        "invalid",
        "ids (number 1): is not an id, such as",
    ),
    (
        "POST",
        "/reconciliation/conflicts/bulk",
        r#"{"ids":[],"take":"nobody","reason":"r"}"#,
        422,
        "invalid",
        "take: must be one of \"document\", \"relational\", \"base\", not \"nobody\"",
    ),
    (
        "POST",
        "/reconciliation/conflicts/0198f000-0000-7000-8000-000000000001/resolve",
        r#"{"choices":[],"reason":"r"}"#,
        422,
        "invalid",
        "choices: must be an object, not a list",
    ),
    ("GET", "/jobs?sort=price", "", 422, "invalid", "sort"),
    ("GET", "/jobs?q=%00", "", 422, "invalid", "U+0000"),
    ("GET", "/logs?from=yesterday", "", 422, "invalid", "RFC 3339"),
    ("GET", "/logs?severity=loud", "", 422, "invalid", "severity"),
    ("GET", "/logs/stream?after=nowhere", "", 422, "invalid", "after"),
    ("GET", "/logs/histogram?buckets=0", "", 422, "invalid", "buckets"),
    ("GET", "/logs/histogram?from=2026-03-03T00:00:00Z&to=2026-03-02T00:00:00Z", "", 422, "invalid", "from"),
    ("GET", "/jobs/not-an-id", "", 404, "not-found", ""),
    ("GET", "/jobs/507f1f77bcf86cd799439011", "", 404, "not-found", "507f"),
    ("GET", "/logs?from=-5000-01-01T00:00:00Z", "", 422, "invalid", "from"),
    ("GET", "/logs/histogram?to=-262143-01-01T00:30:00Z", "", 422, "invalid", "to"),
    ("GET", "/logs/stream?after=0--9223372036854775808", "", 422, "invalid", "after"),
    ("POST", "/schedules/a%00b/pause", "", 404, "not-found", "U+0000"),
    ("GET", "/nowhere", "", 404, "not-found", "/docs"),
    ("PATCH", "/jobs", "", 405, "method-not-allowed", "/docs"),
];

async fn every_bad_request_is_a_problem_that_names_its_field(daemon: TestDaemon) {
    let operator = daemon.raw().await;
    for (method, path, body, status, slug, names) in CASES {
        let body = (*method == "POST").then_some(*body);
        let answer = operator.send(method, path, body).await;
        let problem = answer.problem();
        let pointers: Vec<&str> = problem.errors.iter().map(|error| error.pointer.as_str()).collect();
        let told = format!("{} {}", problem.sentence(), pointers.join(" "));
        assert_eq!((problem.status, problem.slug()), (*status, *slug), "{method} {path} {body:?}: {told}");
        assert!(told.contains(names), "{method} {path} {body:?} should name {names:?}: {told}");
        assert_eq!(problem.instance, path.split('?').next().unwrap());
        assert_eq!(answer.headers["x-request-id"], problem.request_id.as_str());
    }
    let json: &[(&str, &str)] = &[("content-type", "application/json")];
    let large = format!(
        r#"{{"type":"WELCOME","recipient":"a@example.com","data":{{"name":"{}"}}}}"#,
        "x".repeat(70 * 1024)
    );
    let answer = operator.send_with("POST", "/notifications", json, large.into_bytes()).await;
    assert_eq!(answer.problem().slug(), "payload-too-large");
    let answer = operator.send_with("POST", "/notifications", json, b"{\"type\":\"\xff\"}".to_vec()).await;
    assert_eq!((answer.status, answer.problem().slug()), (400, "bad-request"));
    let form: &[(&str, &str)] = &[("content-type", "application/x-www-form-urlencoded")];
    let answer = operator.send_with("POST", "/notifications", form, b"type=WELCOME".to_vec()).await;
    assert_eq!((answer.status, answer.problem().slug()), (415, "unsupported-media-type"));
    let deep = format!(
        r#"{{"type":"WELCOME","recipient":"a@example.com","data":{{"name":"z","z":{}{}}}}}"#,
        "[".repeat(125),
        "]".repeat(125)
    );
    let answer = operator.send("POST", "/notifications", Some(&deep)).await;
    assert!(answer.problem().sentence().contains("nested"), "{answer:?}");
    let long = format!("/logs?q={}", "_".repeat(30_000));
    assert!(operator.send("GET", &long, None).await.problem().sentence().contains("200 characters"));
    let key = "x".repeat(201);
    let keyed: &[(&str, &str)] = &[("content-type", "application/json"), ("idempotency-key", &key)];
    let answer = operator.send_with("POST", "/notifications", keyed, b"{}".to_vec()).await;
    assert!(answer.problem().sentence().contains("Idempotency-Key"));

    assert_eq!(daemon.operator.jobs(&JobQuery::default()).await.unwrap().total, 0, "nothing was stored");
    daemon.stop().await;
}
