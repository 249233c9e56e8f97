//! Prometheus metrics. The recorder belongs to the daemon, so that two in one process do not mix.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use astrops_api::jobs::JobStats;
use axum::http::StatusCode;
use metrics::{counter, gauge, histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};

/// Samples of a histogram are kept one by one until somebody folds them; done every so many requests, so that a daemon
/// that nobody scrapes does not grow.
const FOLD: u64 = 1024;

/// Counts and measures.
#[derive(Clone)]
pub struct Metrics(Arc<PrometheusRecorder>, Arc<AtomicU64>);

impl Default for Metrics {
    fn default() -> Self {
        Self(Arc::new(PrometheusBuilder::new().build_recorder()), Arc::default())
    }
}

impl Metrics {
    /// One HTTP request.
    pub fn request(&self, method: &'static str, status: StatusCode, took: Duration) {
        metrics::with_local_recorder(&*self.0, || {
            let labels = [("method", method.to_owned()), ("status", status.as_u16().to_string())];
            counter!("astrops_http_requests_total", &labels).increment(1);
            histogram!("astrops_http_request_seconds").record(took.as_secs_f64());
        });
        if self.1.fetch_add(1, Ordering::Relaxed) % FOLD == FOLD - 1 {
            self.0.handle().run_upkeep();
        }
    }

    /// Everything as Prometheus text, with the queue as it stands.
    pub fn render(&self, stats: &JobStats, held: usize, password_hashes: u64) -> String {
        metrics::with_local_recorder(&*self.0, || {
            for row in &stats.types {
                let counts = [
                    ("queued", row.queued),
                    ("processing", row.processing),
                    ("completed", row.completed),
                    ("failed", row.failed),
                    ("cancelled", row.cancelled),
                ];
                for (status, count) in counts {
                    #[expect(
                        clippy::cast_precision_loss,
                        reason = "a gauge is a float, and counts stay far below 2^52"
                    )]
                    gauge!("astrops_jobs", "type" => row.kind.as_str(), "status" => status).set(count as f64);
                }
            }
            #[expect(clippy::cast_precision_loss, reason = "as above")]
            gauge!("astrops_jobs_held").set(held as f64);
            counter!("astrops_password_hashes_total").absolute(password_hashes);
        });
        let handle = self.0.handle();
        handle.run_upkeep();
        handle.render()
    }
}
