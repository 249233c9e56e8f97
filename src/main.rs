//! `astrops`: the daemon, the console and the command line of `AstroBookings` operations, in one binary.
//!
//! This file parses, dispatches and turns what happened into an exit code; `cli` has one file per family
//! of commands. To add a command: an `Args` struct and a `run` beside its family, one arm in `cli/mod.rs`.

mod cli;

use std::process::ExitCode;

use clap::Parser;

/// rustls is compiled with ring alone and without a default, so the process must choose it before any TLS.
fn install_crypto() {
    // An error means that it was installed already, which is what is wanted.
    drop(rustls::crypto::ring::default_provider().install_default());
}

#[tokio::main]
async fn main() -> ExitCode {
    install_crypto();
    Box::pin(cli::run(cli::Cli::parse())).await
}
