//! Commands of the machine that runs the daemon: the daemon itself, its configuration, its first operator, the customer
//! document database.

pub mod compare;
mod config;
mod daemon;
pub mod diagnostics;
mod documents;
mod file;
pub mod signals;
mod user;

use super::{demo, failure::Failure, output::Output};

/// Commands that need the daemon's configuration and no running daemon.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Run the daemon.
    Daemon(daemon::Args),
    /// Check or show the daemon's configuration.
    #[command(subcommand)]
    Config(config::Command),
    /// Make users on the machine of the daemon.
    #[command(subcommand)]
    User(user::Command),
    /// Fill, empty and check the customer document database.
    #[command(subcommand)]
    Documents(documents::Command),
    /// Try everything: daemon, sample traffic and console in one process.
    Demo(demo::Args),
}

impl Command {
    /// Does it.
    pub async fn run(self, out: Output) -> Result<(), Failure> {
        match self {
            Self::Daemon(args) => args.run().await,
            Self::Config(command) => command.run(out),
            Self::User(command) => command.run(out).await,
            Self::Documents(command) => command.run(out).await,
            Self::Demo(args) => args.run(out).await,
        }
    }
}
