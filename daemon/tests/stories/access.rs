//! The access table, walked from outside: every documented route, for every kind of caller.

use astrops_api::{
    Client,
    keys::NewKey,
    vocabulary::{Right, Role, Scope},
};
use serde_json::Value;

use crate::support::{Engine, TestDaemon, http::Answer};

/// What each kind of caller may do: anonymous, customer, supplier, viewer, operator.
const MAY: &[(&str, [bool; 5])] = &[
    ("POST /auth/register", [true, true, true, true, true]),
    ("POST /auth/login", [true, true, true, true, true]),
    ("POST /auth/refresh", [true, true, true, true, true]),
    ("POST /auth/logout", [false, true, true, true, true]),
    ("GET /auth/me", [false, true, true, true, true]),
    ("PUT /auth/password", [false, true, true, true, true]),
    ("GET /auth/sessions", [false, true, true, true, true]),
    ("DELETE /auth/sessions/{id}", [false, true, true, true, true]),
    ("POST /auth/keys", [false, false, false, false, true]),
    ("GET /auth/keys", [false, false, false, false, true]),
    ("GET /auth/keys/{id}", [false, false, false, false, true]),
    ("DELETE /auth/keys/{id}", [false, false, false, false, true]),
    ("POST /users/{id}/unlock", [false, false, false, false, true]),
    ("GET /users/{id}/sessions", [false, false, false, false, true]),
    ("DELETE /users/{id}/sessions", [false, false, false, false, true]),
    ("POST /logs", [false, false, false, false, true]),
    ("GET /logs", [false, false, false, true, true]),
    ("GET /logs/stream", [false, false, false, true, true]),
    ("GET /logs/histogram", [false, false, false, true, true]),
    ("POST /jobs", [false, false, false, false, true]),
    ("GET /jobs", [false, false, false, true, true]),
    ("GET /jobs/stats", [false, false, false, true, true]),
    ("GET /jobs/stream", [false, false, false, true, true]),
    ("POST /jobs/pause", [false, false, false, false, true]),
    ("POST /jobs/resume", [false, false, false, false, true]),
    ("GET /jobs/{id}", [false, false, false, true, true]),
    ("PUT /jobs/{id}", [false, false, false, false, true]),
    ("DELETE /jobs/{id}", [false, false, false, false, true]),
    ("PUT /jobs/{id}/execute", [false, false, false, false, true]),
    ("POST /jobs/{id}/retry", [false, false, false, false, true]),
    ("POST /jobs/{id}/cancel", [false, false, false, false, true]),
    ("POST /notifications", [false, false, false, false, true]),
    ("GET /notifications/types", [false, false, false, true, true]),
    ("POST /notifications/preview", [false, false, false, true, true]),
    ("POST /payments/webhook", [true, true, true, true, true]),
    ("POST /reconciliation", [false, false, false, false, true]),
    ("POST /reconciliation/events", [false, false, false, false, true]),
    ("GET /reconciliation/events/{id}", [false, false, false, false, true]),
    ("GET /reconciliation/jobs", [false, false, false, true, true]),
    ("GET /reconciliation/diff/{entityType}/{entityId}", [false, false, false, true, true]),
    ("GET /reconciliation/mapping", [false, false, false, true, true]),
    ("GET /reconciliation/drift", [false, false, false, true, true]),
    ("GET /reconciliation/sweeps", [false, false, false, true, true]),
    ("POST /reconciliation/sweeps", [false, false, false, false, true]),
    ("GET /reconciliation/sweeps/{id}", [false, false, false, true, true]),
    ("POST /reconciliation/sweeps/{id}/pause", [false, false, false, false, true]),
    ("POST /reconciliation/sweeps/{id}/resume", [false, false, false, false, true]),
    ("POST /reconciliation/sweeps/{id}/cancel", [false, false, false, false, true]),
    ("POST /reconciliation/sweeps/{id}/approve", [false, false, false, false, true]),
    ("GET /reconciliation/conflicts", [false, false, false, true, true]),
    ("GET /reconciliation/conflicts/{id}", [false, false, false, true, true]),
    ("POST /reconciliation/conflicts/{id}/resolve", [false, false, false, false, true]),
    ("POST /reconciliation/conflicts/{id}/snooze", [false, false, false, false, true]),
    ("POST /reconciliation/conflicts/bulk", [false, false, false, false, true]),
    ("GET /reconciliation/changes", [false, false, false, true, true]),
    ("GET /reconciliation/changes/verify", [false, false, false, true, true]),
    ("POST /reconciliation/changes/{id}/revert", [false, false, false, false, true]),
    ("GET /schedules", [false, false, false, true, true]),
    ("GET /schedules/{name}", [false, false, false, true, true]),
    ("GET /schedules/{name}/runs", [false, false, false, true, true]),
    ("PUT /schedules/{name}", [false, false, false, false, true]),
    ("POST /schedules/{name}/trigger", [false, false, false, false, true]),
    ("POST /schedules/{name}/pause", [false, false, false, false, true]),
    ("POST /schedules/{name}/resume", [false, false, false, false, true]),
    ("GET /users", [false, false, false, true, true]),
    // Of another: what is not the caller's is 404, and a viewer is told that changing it is for others. `users.rs` has
    // the cells of one's own.
    ("GET /users/{id}", [false, true, true, true, true]),
    ("PUT /users/{id}", [false, true, true, true, true]),
    ("DELETE /users/{id}", [false, true, true, false, true]),
    ("PUT /users/{id}/follow", [false, true, false, false, false]),
    ("DELETE /users/{id}/follow", [false, true, false, false, false]),
    ("GET /users/{id}/followers", [false, false, true, true, true]),
    ("GET /audit", [false, false, false, true, true]),
    ("GET /stream", [false, true, true, true, true]),
    ("GET /launches", [true, true, true, true, true]),
    ("POST /launches", [false, false, true, false, true]),
    ("GET /launches/{id}", [true, true, true, true, true]),
    ("PUT /launches/{id}", [false, false, true, false, true]),
    ("DELETE /launches/{id}", [false, false, true, false, true]),
    ("PUT /launches/{id}/interest", [false, true, false, false, false]),
    ("DELETE /launches/{id}/interest", [false, true, false, false, false]),
    ("GET /launches/{id}/capacity-log", [false, false, true, true, true]),
    ("GET /launches/{id}/bookings", [false, false, true, true, true]),
    ("GET /events", [true, true, true, true, true]),
    ("POST /events", [false, false, true, false, true]),
    ("GET /events/{id}", [true, true, true, true, true]),
    ("PUT /events/{id}", [false, false, true, false, true]),
    ("DELETE /events/{id}", [false, false, true, false, true]),
    ("PUT /events/{id}/interest", [false, true, false, false, false]),
    ("DELETE /events/{id}/interest", [false, true, false, false, false]),
    ("GET /events/{id}/capacity-log", [false, false, true, true, true]),
    ("GET /events/{id}/bookings", [false, false, true, true, true]),
    ("GET /bookings", [false, true, true, true, true]),
    ("POST /bookings", [false, true, false, false, true]),
    ("GET /bookings/{id}", [false, true, true, true, true]),
    ("DELETE /bookings/{id}", [false, true, false, false, true]),
    ("POST /bookings/{id}/payment", [false, true, false, false, true]),
    ("GET /status", [false, false, false, true, true]),
    ("GET /health/live", [true, true, true, true, true]),
    ("GET /health/ready", [true, true, true, true, true]),
    ("GET /metrics", [true, true, true, true, true]),
    ("GET /openapi.json", [true, true, true, true, true]),
    ("GET /docs", [true, true, true, true, true]),
];

/// What service keys may do besides what everybody may, and with which scope. A route that is not here admits none.
const KEYS_MAY: &[(&str, Scope)] = &[
    ("POST /logs", Scope::LogsWrite),
    ("GET /logs", Scope::Read),
    ("GET /logs/stream", Scope::Read),
    ("GET /logs/histogram", Scope::Read),
    ("POST /jobs", Scope::JobsWrite),
    ("GET /jobs", Scope::Read),
    ("GET /jobs/stats", Scope::Read),
    ("GET /jobs/stream", Scope::Read),
    ("GET /jobs/{id}", Scope::Read),
    ("PUT /jobs/{id}/execute", Scope::JobsExecute),
    ("POST /notifications", Scope::NotificationsWrite),
    ("GET /notifications/types", Scope::Read),
    ("POST /notifications/preview", Scope::Read),
    ("POST /reconciliation", Scope::ReconciliationWrite),
    ("POST /reconciliation/events", Scope::ReconciliationWrite),
    ("GET /reconciliation/events/{id}", Scope::ReconciliationWrite),
    ("GET /reconciliation/jobs", Scope::Read),
    ("GET /stream", Scope::Read),
];

#[tokio::test]
async fn every_route_admits_exactly_whom_it_should() {
    let daemon = TestDaemon::start(Engine::Sqlite).await.unwrap();
    let raw = daemon.raw_anyone();
    let document: Value = raw.send("GET", "/openapi.json", None).await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let mut documented: Vec<String> = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let methods = item
            .as_object()
            .unwrap()
            .keys()
            .filter(|key| ["get", "post", "put", "delete", "patch"].contains(&key.as_str()));
        documented.extend(methods.map(|method| format!("{} {path}", method.to_uppercase())));
    }
    documented.sort();
    let mut expected: Vec<&str> = MAY.iter().map(|(route, _)| *route).collect();
    expected.sort_unstable();
    assert_eq!(documented, expected, "the OpenAPI document and this table name the same routes");

    let customer = daemon.sign_in("carl@example.com", Role::Customer, None).await;
    let supplier = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let viewer = daemon.sign_in("vera@example.com", Role::Employee, Some(Right::Viewer)).await;
    let operator = daemon.operator.clone();
    let mut callers: Vec<(String, Client)> = [
        ("anonymous", &daemon.anyone),
        ("customer", &customer),
        ("supplier", &supplier),
        ("viewer", &viewer),
        ("operator", &operator),
    ]
    .map(|(name, client)| (name.to_owned(), client.clone()))
    .into();
    for scope in Scope::ALL {
        let name = scope.as_str().replace(':', "-");
        let made = operator.create_key(&NewKey { name, scopes: vec![*scope] }).await.unwrap();
        callers.push((scope.to_string(), daemon.anyone.with_token(made.secret)));
    }
    for (route, _) in KEYS_MAY {
        assert!(expected.contains(route), "{route} is no route");
    }
    for (route, may) in MAY.iter().filter(|(route, _)| *route != "POST /auth/logout") {
        let (method, path) = route.split_once(' ').unwrap();
        let path = path
            .replace("{id}", "507f1f77bcf86cd799439011")
            .replace("{name}", "no-such")
            .replace("{entityType}", "launch")
            .replace("{entityId}", "507f1f77bcf86cd799439011");
        let of_keys = Scope::ALL.iter().map(|scope| may[0] || KEYS_MAY.contains(&(route, *scope)));
        let may: Vec<bool> = may.iter().copied().chain(of_keys).collect();
        for ((name, caller), may) in callers.iter().zip(may) {
            let answer = send(caller, method, &path).await;
            let refused = matches!(answer.status, 401 | 403);
            assert_eq!(!refused, may, "{route} by {name}: {} {}", answer.status, answer.text);
            if refused {
                let expected = if name == "anonymous" { 401 } else { 403 };
                assert_eq!(answer.problem().status, expected, "{route} by {name}");
            }
            assert!(answer.status < 500, "{route} by {name}: {answer:?}");
        }
    }
    daemon.stop().await;
}

/// A request without a body; a stream's headers are enough.
async fn send(caller: &Client, method: &str, path: &str) -> Answer {
    let request = caller.raw_request(method.parse().unwrap(), path);
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let is_stream = headers.get("content-type").is_some_and(|kind| kind == "text/event-stream");
    let text = if is_stream { String::new() } else { response.text().await.unwrap() };
    Answer { status, headers, text }
}

#[tokio::test]
async fn the_docs_page_loads_nothing_and_names_every_route() {
    let daemon = TestDaemon::start(Engine::Sqlite).await.unwrap();
    let page = daemon.raw_anyone().send("GET", "/docs", None).await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(!page.text.contains("<script") && !page.text.contains("src=") && !page.text.contains("http://"));
    for (route, _) in MAY {
        let (_, path) = route.split_once(' ').unwrap();
        assert!(
            page.text.contains(&path.replace('/', "&#x2f;")) || page.text.contains(path),
            "{path} is missing"
        );
    }
    daemon.stop().await;
}
