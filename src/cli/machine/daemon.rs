//! `daemon`: runs until SIGTERM or ctrl-c, then drains; a second signal ends at once.

use std::{
    io::{self, Write},
    process,
};

use astrops_daemon::{Clock, Daemon};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{diagnostics, file::ConfigFile};
use crate::cli::failure::Failure;

/// Arguments of `daemon`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: ConfigFile,
}

impl Args {
    /// Runs. The first line on stdout says where it listens; everything else goes to the diagnostic log.
    pub async fn run(self) -> Result<(), Failure> {
        let loaded = self.file.load()?;
        let logs = &loaded.config.logs;
        let _written_at_the_end = diagnostics::start(logs.file.as_deref(), logs.keep_files)?;
        let shutdown = CancellationToken::new();
        // Before the start, which may wait for a database: the first signal must not be lost, nor the second.
        tokio::spawn(Signals::catch()?.obey(shutdown.clone()));
        let source = loaded.file.map_or_else(|| "no file".to_owned(), |path| path.display().to_string());
        tracing::info!(config.file = %source, "starting");
        let daemon = Daemon::build(loaded.config, Clock::system()).await.map_err(|error| failed(&error))?;
        announce(&format!("listening on http://{}", daemon.addr()));
        daemon.run(shutdown).await.map_err(|error| failed(&error))
    }
}

fn failed(error: &anyhow::Error) -> Failure {
    Failure::Failed(format!("the daemon ended: {error:#}"))
}

/// A supervisor that does not read stdout, or has closed it, is no reason to stop.
fn announce(line: &str) {
    let mut out = io::stdout().lock();
    drop(writeln!(out, "{line}").and_then(|()| out.flush()));
}

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
