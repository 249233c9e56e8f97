//! SIGTERM and ctrl-c: the first asks to end, the second ends.

use std::process;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::cli::failure::Failure;

/// The signals that end a process politely.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From now on they no longer end the process by themselves.
    pub fn catch() -> Result<Self, Failure> {
        let caught =
            |kind| signal(kind).map_err(|error| Failure::Failed(format!("cannot catch signals: {error}")));
        Ok(Self { terminate: caught(SignalKind::terminate())?, interrupt: caught(SignalKind::interrupt())? })
    }

    /// Cancels `shutdown` at the first one and ends the process at the second.
    pub async fn obey(mut self, shutdown: CancellationToken) {
        self.next().await;
        shutdown.cancel();
        let second = self.next().await;
        tracing::warn!("second signal: ending at once; what was running is taken back at the next start");
        process::exit(128 + second.as_raw_value());
    }

    async fn next(&mut self) -> SignalKind {
        tokio::select! {
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = self.interrupt.recv() => SignalKind::interrupt(),
        }
    }
}
