//! The document database beside the daemon.

use crate::{
    stories,
    support::{Engine, TestDaemon},
};

stories!(the_document_database_is_a_part_of_the_status);

async fn the_document_database_is_a_part_of_the_status(daemon: TestDaemon) {
    let status = daemon.operator.status().await.unwrap();
    let part = status.parts.iter().find(|part| part.name == "documents").unwrap();
    assert!(part.ok && part.detail.ends_with("customer.db") && part.latency_ms.is_some(), "{part:?}");
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
