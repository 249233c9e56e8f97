//! Service keys: what other programs may do, and when that ends.

use astrops_api::{
    Client,
    keys::NewKey,
    logs::{LogQuery, LogStreamQuery, NewLog},
    notifications::NewNotification,
    vocabulary::{EventType, NotificationType, Role, Scope, Severity},
};
use chrono::TimeDelta;
use futures::StreamExt as _;
use serde_json::json;

use crate::{
    stories,
    support::{DEADLINE, TestDaemon, refusal},
};

stories!(
    a_key_does_what_its_scopes_say_under_its_name,
    a_reading_key_sees_what_a_viewer_sees,
    a_revoked_key_ends_at_once_with_its_streams,
    keys_that_cannot_be_are_refused,
    the_secret_is_shown_once_and_kept_as_a_hash,
    the_last_use_is_written_once_a_minute,
);

fn key(name: &str, scopes: &[Scope]) -> NewKey {
    NewKey { name: name.to_owned(), scopes: scopes.to_vec() }
}

async fn caller(daemon: &TestDaemon, name: &str, scopes: &[Scope]) -> Client {
    let made = daemon.operator.create_key(&key(name, scopes)).await.unwrap();
    daemon.anyone.with_token(made.secret)
}

fn mail() -> NewNotification {
    NewNotification {
        kind: NotificationType::Welcome,
        recipient: "zoe@example.com".to_owned(),
        data: json!({ "name": "Zoë" }),
        run_at: None,
    }
}

fn entry() -> NewLog {
    NewLog {
        event_type: EventType::Booking,
        severity: Severity::Info,
        message: "booked".to_owned(),
        user_id: None,
        ip_address: None,
        additional_data: None,
    }
}

async fn a_key_does_what_its_scopes_say_under_its_name(daemon: TestDaemon) {
    let billing = caller(&daemon, "billing-2", &[Scope::NotificationsWrite, Scope::LogsWrite]).await;
    let queued = billing.notify(&mail()).await.unwrap();
    let job = daemon.ended(queued.job_id).await.job;
    assert_eq!(job.created_by, "key:billing-2");
    assert_eq!(billing.write_log(&entry()).await.unwrap().recorded_by, "key:billing-2");
    let refused = refusal(billing.job(queued.job_id, false).await);
    assert!(refused.starts_with("403 forbidden") && refused.contains("read"), "{refused}");
    assert!(refusal(billing.me().await).starts_with("403"), "it is nobody's session");
    assert!(refusal(billing.sessions().await).starts_with("403"));
    assert!(refusal(billing.create_key(&key("more", &[Scope::Read])).await).starts_with("403"));
    let audited =
        "SELECT COUNT(*) FROM audit_log WHERE actor = 'key:billing-2' AND action = 'notification.create'";
    assert_eq!(daemon.count(audited).await, 1);
    let query = LogQuery { q: Some("key billing-2".to_owned()), ..LogQuery::default() };
    let page = daemon.operator.logs(&query).await.unwrap();
    assert!(page.logs[0].message.contains("made by ana@example.com"), "{page:?}");
    daemon.stop().await;
}

async fn a_reading_key_sees_what_a_viewer_sees(daemon: TestDaemon) {
    let reader = caller(&daemon, "reader", &[Scope::Read]).await;
    let id = daemon.operator.notify(&mail()).await.unwrap().job_id;
    daemon.ended(id).await;
    let shown = serde_json::to_string(&reader.job(id, false).await.unwrap()).unwrap();
    assert!(shown.contains("z***@example.com") && !shown.contains("zoe@example.com"), "{shown}");
    assert!(refusal(reader.job(id, true).await).starts_with("403"), "it reveals nothing");
    reader.job_stats().await.unwrap();
    assert!(refusal(reader.notify(&mail()).await).starts_with("403"));
    daemon.stop().await;
}

async fn a_revoked_key_ends_at_once_with_its_streams(daemon: TestDaemon) {
    let made = daemon.operator.create_key(&key("reader", &[Scope::Read])).await.unwrap();
    let reader = daemon.anyone.with_token(made.secret);
    let mut stream = reader.log_stream(&LogStreamQuery::default()).await.unwrap();
    daemon.operator.revoke_key(made.key.id).await.unwrap();
    assert!(refusal(reader.job_stats().await).starts_with("401 sign-in-required"));
    let ended = async { while stream.next().await.is_some_and(|item| item.is_ok()) {} };
    tokio::time::timeout(DEADLINE, ended).await.expect("the stream ends with the key");
    assert!(refusal(daemon.operator.revoke_key(made.key.id).await).starts_with("409 conflict"));
    assert!(daemon.operator.key(made.key.id).await.unwrap().revoked_at.is_some());
    // Its name is free again; the old one stays in the list.
    let again = daemon.operator.create_key(&key("reader", &[Scope::Read])).await.unwrap();
    let keys = daemon.operator.keys().await.unwrap().keys;
    assert_eq!(keys.iter().map(|key| key.id).collect::<Vec<_>>(), [again.key.id, made.key.id]);
    daemon.stop().await;
}

async fn keys_that_cannot_be_are_refused(daemon: TestDaemon) {
    caller(&daemon, "taken", &[Scope::Read]).await;
    let long = "x".repeat(65);
    for (new, why) in [
        (key("", &[Scope::Read]), "422 invalid"),
        (key("Big", &[Scope::Read]), "/name"),
        (key("two words", &[Scope::Read]), "/name"),
        (key(&long, &[Scope::Read]), "/name"),
        (key("none", &[]), "/scopes"),
        (key("taken", &[Scope::Read]), "409 conflict"),
    ] {
        let refused = refusal(daemon.operator.create_key(&new).await);
        assert!(refused.contains(why), "{refused}");
    }
    let answer =
        daemon.raw().await.send("POST", "/auth/keys", Some(r#"{"name":"x","scopes":["all"]}"#)).await;
    assert!(answer.status == 422 && answer.text.contains("logs:write"), "{answer:?}");
    for bad in ["ak_", "ak_0000", &format!("ak_{}", "0".repeat(64))] {
        let nobody = daemon.anyone.with_token(bad.into());
        assert!(refusal(nobody.job_stats().await).starts_with("401 sign-in-required"), "{bad}");
    }
    let nothing = "507f1f77bcf86cd799439011".parse().unwrap();
    assert!(refusal(daemon.operator.key(nothing).await).starts_with("404"));
    assert!(refusal(daemon.operator.revoke_key(nothing).await).starts_with("404"));
    let zoe = daemon.sign_in("zoe@example.com", Role::Customer, None).await;
    assert!(refusal(zoe.keys().await).starts_with("403"));
    daemon.stop().await;
}

async fn the_secret_is_shown_once_and_kept_as_a_hash(daemon: TestDaemon) {
    let new = key("reader", &[Scope::Read, Scope::LogsWrite, Scope::Read]);
    let made = daemon.operator.create_key(&new).await.unwrap();
    assert_eq!(made.key.scopes, [Scope::LogsWrite, Scope::Read], "once each");
    let secret = made.secret.expose();
    assert!(secret.starts_with("ak_") && secret.len() == 3 + 64, "256 bits");
    let raw = daemon.raw().await;
    for path in ["/auth/keys".to_owned(), format!("/auth/keys/{}", made.key.id)] {
        let text = raw.send("GET", &path, None).await.text;
        assert!(text.contains("reader") && !text.contains("hash") && !text.contains("secret"), "{text}");
    }
    assert_eq!(daemon.count("SELECT COUNT(*) FROM service_keys WHERE hash LIKE 'ak_%'").await, 0);
    assert_eq!(daemon.count("SELECT COUNT(*) FROM service_keys WHERE length(hash) = 64").await, 1);
    assert_eq!(daemon.count("SELECT COUNT(*) FROM audit_log WHERE action = 'key.create'").await, 1);
    daemon.stop().await;
}

async fn the_last_use_is_written_once_a_minute(daemon: TestDaemon) {
    let made = daemon.operator.create_key(&key("reader", &[Scope::Read])).await.unwrap();
    assert_eq!(made.key.last_used_at, None);
    let reader = daemon.anyone.with_token(made.secret);
    let mut seen = Vec::new();
    for seconds in [0, 59, 2] {
        daemon.pass(TimeDelta::seconds(seconds));
        reader.job_stats().await.unwrap();
        let key = daemon.operator.key(made.key.id).await.unwrap();
        seen.push((daemon.now() - key.last_used_at.unwrap()).num_seconds());
    }
    assert_eq!(seen, [0, 59, 0]);
    daemon.stop().await;
}
