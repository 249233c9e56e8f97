//! Too many requests from one address.

use astrops_daemon::config::Switch;
use chrono::TimeDelta;

use crate::support::{Engine, TestDaemon, http::Answer};

const FORGED: &str = r#"{"refreshToken":"ar_forged"}"#;

async fn refresh_from(daemon: &TestDaemon, address: &str) -> Answer {
    let headers = [("content-type", "application/json"), ("x-forwarded-for", address)];
    daemon.raw_anyone().send_with("POST", "/auth/refresh", &headers, FORGED.into()).await
}

/// How many requests an address has before it is refused.
async fn allowed(daemon: &TestDaemon, address: &str) -> usize {
    for count in 0..100 {
        if refresh_from(daemon, address).await.status == 429 {
            return count;
        }
    }
    panic!("{address} was never refused");
}

#[tokio::test]
async fn an_address_that_asks_too_often_waits_and_others_do_not() {
    let daemon = TestDaemon::start_with(Engine::Sqlite, |config| {
        config.auth.rate_limit = Switch::On;
        config.server.behind_proxy = true;
    })
    .await
    .unwrap();
    assert_eq!(allowed(&daemon, "192.0.2.1").await, 30);
    let answer = refresh_from(&daemon, "192.0.2.1").await;
    assert_eq!(
        (answer.headers["retry-after"].as_bytes(), answer.problem().slug()),
        (&b"1"[..], "too-many-requests")
    );
    assert_eq!(allowed(&daemon, "192.0.2.2").await, 30, "another address");
    assert_eq!(allowed(&daemon, "2001:db8::1").await, 30);
    assert_eq!(allowed(&daemon, "2001:db8::2").await, 0, "the same subscriber");
    // What a stranger puts before the proxy's own word counts for nothing.
    assert_eq!(refresh_from(&daemon, "198.51.100.9, 192.0.2.1").await.status, 429);
    daemon.pass(TimeDelta::seconds(5));
    assert_eq!(allowed(&daemon, "192.0.2.1").await, 5, "one a second comes back");
    // Signed-in callers and cheap routes have their own measure.
    let operator = daemon.raw().await;
    for _ in 0..50 {
        assert_eq!(operator.send("GET", "/auth/me", None).await.status, 200);
    }
    daemon.stop().await;
}

#[tokio::test]
async fn a_flood_of_strangers_requests_is_cut_off() {
    let daemon =
        TestDaemon::start_with(Engine::Sqlite, |config| config.auth.rate_limit = Switch::On).await.unwrap();
    let raw = daemon.raw_anyone();
    let mut statuses = Vec::new();
    for _ in 0..700 {
        statuses.push(raw.send("GET", "/jobs", None).await.status);
    }
    assert_eq!(statuses.iter().position(|status| *status == 429), Some(600));
    assert!(statuses[..600].iter().all(|status| *status == 401));
    daemon.operator.job_stats().await.expect("who has signed in is not a stranger");
    daemon.pass(TimeDelta::seconds(1));
    assert_eq!(raw.send("GET", "/health/live", None).await.status, 200);
    daemon.stop().await;
}
