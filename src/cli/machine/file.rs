//! `--config FILE`.

use std::path::PathBuf;

use astrops_daemon::config::{Config, ConfigError, DEFAULT_FILE, Loaded};

use crate::cli::failure::{Failure, code};

/// Which configuration file.
#[derive(clap::Args)]
pub struct ConfigFile {
    // Said here because the default is the daemon's to know.
    #[arg(long, value_name = "FILE", help = format!("The configuration file [default: {DEFAULT_FILE}, if it is there]"))]
    config: Option<PathBuf>,
}

impl ConfigFile {
    /// The configuration, or everything that is wrong with it.
    pub fn read(&self) -> Result<Loaded, ConfigError> {
        Config::load(self.config.as_deref())
    }

    /// The configuration, for commands that cannot do without.
    pub fn load(&self) -> Result<Loaded, Failure> {
        self.read().map_err(|error| refused(&error))
    }
}

/// One line for each thing that is wrong, under exit code 78.
pub fn refused(error: &ConfigError) -> Failure {
    Failure::Explained { words: format!("the configuration is refused:\n{error}"), code: code::CONFIGURATION }
}
