//! A sign of life of a loop: for /status and the watchdog. Real time, whatever the clock says.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// When a loop last came round. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct Beat(Arc<(Instant, AtomicU64)>);

impl Default for Beat {
    fn default() -> Self {
        Self(Arc::new((Instant::now(), AtomicU64::new(0))))
    }
}

impl Beat {
    /// The loop comes round.
    pub fn turn(&self) {
        let millis = u64::try_from(self.0.0.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.1.store(millis, Ordering::Relaxed);
    }

    /// How long ago that was.
    pub fn age(&self) -> Duration {
        self.0.0.elapsed().saturating_sub(Duration::from_millis(self.0.1.load(Ordering::Relaxed)))
    }
}
