//! Writing, listing and following the system log.

use std::time::Duration;

use astrops_api::{
    logs::{HistogramQuery, LogEntry, LogQuery, LogStreamQuery, NewLog},
    sse::{EventStream, StreamItem},
    vocabulary::{EventType, Severity},
};
use chrono::TimeDelta;
use futures::StreamExt as _;

use crate::{
    stories,
    support::{DEADLINE, TestDaemon},
};

stories!(
    a_stream_resumes_without_a_gap,
    many_writers_and_readers_agree,
    pruned_history_is_told_as_a_gap,
    the_histogram_counts_every_bucket,
    filters_find_what_they_say,
);

fn entry(message: &str, severity: Severity) -> NewLog {
    NewLog {
        event_type: EventType::Booking,
        severity,
        message: message.to_owned(),
        user_id: None,
        ip_address: None,
        additional_data: None,
    }
}

async fn next(stream: &mut EventStream<LogEntry>) -> StreamItem<LogEntry> {
    tokio::time::timeout(DEADLINE, stream.next())
        .await
        .expect("an event")
        .expect("the stream goes on")
        .unwrap()
}

async fn next_message(stream: &mut EventStream<LogEntry>) -> (String, String) {
    match next(stream).await {
        StreamItem::Value { id, value } => (id, value.message),
        other => panic!("{other:?}"),
    }
}

fn bookings() -> LogStreamQuery {
    LogStreamQuery { event_type: Some(EventType::Booking), ..LogStreamQuery::default() }
}

async fn a_stream_resumes_without_a_gap(daemon: TestDaemon) {
    let mut stream = daemon.operator.log_stream(&bookings()).await.unwrap();
    daemon.operator.write_log(&entry("one", Severity::Info)).await.unwrap();
    let (id, message) = next_message(&mut stream).await;
    assert_eq!(message, "one");
    drop(stream);
    for message in ["two", "three"] {
        daemon.operator.write_log(&entry(message, Severity::Info)).await.unwrap();
    }
    let mut stream =
        daemon.operator.log_stream(&LogStreamQuery { after: Some(id), ..bookings() }).await.unwrap();
    assert_eq!(next_message(&mut stream).await.1, "two");
    daemon.operator.write_log(&entry("four", Severity::Info)).await.unwrap();
    assert_eq!(next_message(&mut stream).await.1, "three");
    assert_eq!(next_message(&mut stream).await.1, "four");
    let mut tail = daemon
        .operator
        .log_stream(&LogStreamQuery { tail: Some(2), ..LogStreamQuery::default() })
        .await
        .unwrap();
    assert_eq!(next_message(&mut tail).await.1, "three");
    assert_eq!(next_message(&mut tail).await.1, "four");
    daemon.stop().await;
}

async fn many_writers_and_readers_agree(daemon: TestDaemon) {
    const WRITERS: usize = 8;
    const EACH: usize = 25;
    let mut early = daemon.operator.log_stream(&bookings()).await.unwrap();
    let writers = (0..WRITERS).map(|writer| {
        let operator = daemon.operator.clone();
        tokio::spawn(async move {
            for n in 0..EACH {
                operator.write_log(&entry(&format!("{writer}-{n}"), Severity::Info)).await.unwrap();
            }
        })
    });
    let writing = futures::future::join_all(writers.collect::<Vec<_>>());
    let mut seen = Vec::new();
    // One reader breaks off every ten events and resumes by the last id.
    let mut after = None;
    let mut resumed = Vec::new();
    let reading = async {
        while resumed.len() < WRITERS * EACH {
            let tail = if after.is_none() { Some(1000) } else { None };
            let query = LogStreamQuery { after: after.clone(), tail, ..bookings() };
            let mut stream = daemon.operator.log_stream(&query).await.unwrap();
            for _ in 0..10 {
                if resumed.len() == WRITERS * EACH {
                    break;
                }
                let (id, message) = next_message(&mut stream).await;
                after = Some(id);
                resumed.push(message);
            }
        }
    };
    let following = async {
        while seen.len() < WRITERS * EACH {
            seen.push(next_message(&mut early).await.1);
        }
    };
    let (written, (), ()) = tokio::join!(writing, reading, following);
    for done in written {
        done.unwrap();
    }
    assert_eq!(seen, resumed, "both readers saw every entry once, in one order");
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), WRITERS * EACH);
    daemon.stop().await;
}

async fn pruned_history_is_told_as_a_gap(daemon: TestDaemon) {
    let mut stream = daemon.operator.log_stream(&bookings()).await.unwrap();
    daemon.operator.write_log(&entry("old", Severity::Info)).await.unwrap();
    let (id, _) = next_message(&mut stream).await;
    drop(stream);
    for n in 0..5 {
        daemon.operator.write_log(&entry(&format!("lost {n}"), Severity::Info)).await.unwrap();
    }
    daemon.pass(TimeDelta::days(31));
    let daemon = daemon.restart().await;
    let run = daemon.operator.trigger_schedule("prune-logs").await.unwrap();
    daemon.ended(run.job_id.unwrap()).await;
    let mut stream = daemon
        .operator
        .log_stream(&LogStreamQuery { after: Some(id), ..LogStreamQuery::default() })
        .await
        .unwrap();
    let StreamItem::Gap(count) = next(&mut stream).await else { panic!("no gap was told") };
    assert!(count >= 5, "{count}");
    assert!(matches!(next(&mut stream).await, StreamItem::Value { .. }));
    drop(stream);
    daemon.stop_leaving_jobs().await;
}

async fn the_histogram_counts_every_bucket(daemon: TestDaemon) {
    for (severity, count) in [(Severity::Warning, 3), (Severity::Critical, 2)] {
        let entries: Vec<NewLog> = (0..count).map(|n| entry(&n.to_string(), severity)).collect();
        assert_eq!(daemon.operator.write_logs(&entries).await.unwrap().len(), count);
        daemon.pass(TimeDelta::minutes(10));
    }
    let query = HistogramQuery { from: None, to: None, buckets: Some(6) };
    let histogram = daemon.operator.histogram(&query).await.unwrap();
    assert_eq!((histogram.bucket_seconds, histogram.buckets.len()), (600, 6));
    let warnings: u64 = histogram.buckets.iter().map(|bucket| bucket.warning).sum();
    let critical: u64 = histogram.buckets.iter().map(|bucket| bucket.critical).sum();
    assert_eq!((warnings, critical), (3, 2));
    assert!(histogram.buckets.iter().any(|bucket| bucket.critical == 2));
    daemon.stop().await;
}

async fn filters_find_what_they_say(daemon: TestDaemon) {
    for (message, severity) in [
        ("Seat sold", Severity::Info),
        ("seat lost", Severity::Error),
        ("engine 100% ready", Severity::Critical),
    ] {
        daemon.operator.write_log(&entry(message, severity)).await.unwrap();
        daemon.pass(TimeDelta::seconds(10));
    }
    let found = async |query: LogQuery| -> Vec<String> {
        let query = LogQuery { event_type: Some(EventType::Booking), ..query };
        daemon.operator.logs(&query).await.unwrap().logs.into_iter().map(|entry| entry.message).collect()
    };
    assert_eq!(found(LogQuery::default()).await, ["engine 100% ready", "seat lost", "Seat sold"]);
    assert_eq!(
        found(LogQuery { q: Some("SEAT".to_owned()), ..LogQuery::default() }).await,
        ["seat lost", "Seat sold"]
    );
    assert_eq!(
        found(LogQuery { q: Some("100%".to_owned()), ..LogQuery::default() }).await,
        ["engine 100% ready"]
    );
    assert_eq!(found(LogQuery { q: Some("1%0".to_owned()), ..LogQuery::default() }).await, [""; 0]);
    let worse = LogQuery { min_severity: Some(Severity::Error), ..LogQuery::default() };
    assert_eq!(found(worse).await, ["engine 100% ready", "seat lost"]);
    let latest = LogQuery { from: Some(daemon.now() - TimeDelta::seconds(15)), ..LogQuery::default() };
    assert_eq!(found(latest).await, ["engine 100% ready"]);
    daemon.stop().await;
}

#[tokio::test]
async fn a_stream_ends_soon_after_its_session_does() {
    let daemon = TestDaemon::start(crate::support::Engine::Sqlite).await.unwrap();
    let other = daemon.anyone.login(&crate::support::login("ana@example.com")).await.unwrap();
    let other = daemon.anyone.with_token(other.token);
    let mut stream = other.log_stream(&bookings()).await.unwrap();
    other.logout().await.unwrap();
    let end = async { while stream.next().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(6), end).await.expect("the stream ends within 5 s");
    daemon.stop().await;
}
