//! The document database beside the daemon.

use astrops_api::vocabulary::JobStatus;
use astrops_daemon::documents::Collection;
use bson::{DateTime, doc};
use chrono::TimeDelta;

use crate::{
    stories,
    support::{
        Engine, TestDaemon,
        documents::{Behind, object},
    },
};

stories!(the_document_database_is_a_part_of_the_status, documents_whose_time_has_come_are_removed);

async fn the_document_database_is_a_part_of_the_status(daemon: TestDaemon) {
    let status = daemon.operator.status().await.unwrap();
    let part = status.parts.iter().find(|part| part.name == "documents").unwrap();
    assert!(part.ok && part.detail.ends_with("customer.db") && part.latency_ms.is_some(), "{part:?}");
    daemon.stop().await;
}

async fn documents_whose_time_has_come_are_removed(daemon: TestDaemon) {
    let behind = Behind::of(&daemon).await;
    let [past, future] =
        ["65f000000000000000000001", "65f000000000000000000002"].map(|id| id.parse().unwrap());
    for (id, hours) in [(past, -1), (future, 1)] {
        let ends = daemon.now() + TimeDelta::hours(hours);
        let session = doc! { "_id": object(id), "sessionId": object(id).to_hex(), "refreshToken": object(id).to_hex(),
        "userId": object(id), "expiresAt": DateTime::from_millis(ends.timestamp_millis()) };
        behind.insert(Collection::Sessions, session).await;
    }
    let run = daemon.operator.trigger_schedule("expire-documents").await.unwrap();
    let job = daemon.ended(run.job_id.unwrap()).await.job;
    assert_eq!(job.status, JobStatus::Completed);
    assert!(job.maintenance.unwrap().result.unwrap().contains("deleted 1 sessions"));
    assert!(behind.get(Collection::Sessions, past).await.is_none());
    assert!(behind.get(Collection::Sessions, future).await.is_some());
    daemon.stop().await;
}

#[tokio::test]
async fn a_mongodb_that_is_away_is_told_and_stops_nothing() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("mongodb://ops:s3cret@127.0.0.1:{port}/astro?serverSelectionTimeoutMS=200");
    let daemon =
        TestDaemon::start_with(Engine::Sqlite, |config| config.documents.url = url.into()).await.unwrap();
    let status = daemon.operator.status().await.unwrap();
    let told = status.parts.iter().find(|part| part.name == "documents").unwrap();
    assert!(!told.ok && told.detail.contains(&format!("127.0.0.1:{port}/astro")), "{told:?}");
    assert!(!told.detail.contains("s3cret"), "{told:?}");
    assert_eq!(daemon.anyone.ready().await.unwrap().status, "ok", "the daemon works without it");
    daemon.stop().await;
}
