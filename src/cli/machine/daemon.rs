//! `daemon`: runs until SIGTERM or ctrl-c, then drains; a second signal ends at once.

use std::io::{self, Write};

use astrops_daemon::{Clock, Daemon};
use tokio_util::sync::CancellationToken;

use super::{
    diagnostics::{self, Stderr},
    file::ConfigFile,
    signals::Signals,
};
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
        let _written_at_the_end = diagnostics::start(logs.file.as_deref(), logs.keep_files, Stderr::On)?;
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
