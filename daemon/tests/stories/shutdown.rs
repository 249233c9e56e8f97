//! The daemon stops soon, with whatever is attached, and says how it is while it runs.

use std::time::{Duration, Instant};

use astrops_api::logs::LogStreamQuery;
use futures::StreamExt as _;

use crate::{
    stories,
    support::{TestDaemon, refusal},
};

stories!(open_streams_do_not_hold_up_the_end, status_health_and_metrics_tell_how_it_is);

async fn open_streams_do_not_hold_up_the_end(daemon: TestDaemon) {
    let mut streams = Vec::new();
    for _ in 0..50 {
        streams.push(daemon.operator.log_stream(&LogStreamQuery::default()).await.unwrap());
    }
    let began = Instant::now();
    daemon.stop().await;
    // The goal is a second when idle; the limit here leaves room for a busy machine.
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    for stream in &mut streams {
        while let Some(Ok(_)) = stream.next().await {}
    }
}

async fn status_health_and_metrics_tell_how_it_is(daemon: TestDaemon) {
    daemon.anyone.ready().await.unwrap();
    let status = daemon.operator.status().await.unwrap();
    assert!(status.parts.iter().all(|part| part.ok), "{:#?}", status.parts);
    assert_eq!(status.nodes.iter().map(|node| node.id).collect::<Vec<_>>(), [status.node]);
    assert!(refusal(daemon.anyone.status().await).starts_with("401"));
    let metrics = daemon.raw_anyone().send("GET", "/metrics", None).await;
    assert!(
        metrics.text.contains("astrops_http_requests_total{") && metrics.text.contains("astrops_jobs{"),
        "{}",
        metrics.text
    );
    // The 65th stream is told to come again.
    let mut streams = Vec::new();
    for _ in 0..64 {
        streams.push(daemon.operator.log_stream(&LogStreamQuery::default()).await.unwrap());
    }
    let refused = daemon.operator.log_stream(&LogStreamQuery::default()).await.map(drop);
    assert!(refusal(refused).starts_with("503 too-many-streams"));
    drop(streams);
    daemon.stop().await;
}
