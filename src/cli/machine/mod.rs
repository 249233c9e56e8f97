//! Commands of the machine that runs the daemon: the daemon itself, its configuration, its first operator.

mod config;
mod file;

use super::{failure::Failure, output::Output};

/// Commands that need the daemon's configuration and no running daemon.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Check or show the daemon's configuration.
    #[command(subcommand)]
    Config(config::Command),
}

impl Command {
    /// Does it.
    pub fn run(self, out: Output) -> Result<(), Failure> {
        match self {
            Self::Config(command) => command.run(out),
        }
    }
}
