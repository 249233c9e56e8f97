//! Configuration: defaults < configuration file < `ASTROPS__SECTION__KEY` environment < credentials directory.
//!
//! One table (`keys.rs`) names every key with its default, what is allowed and whether it is a secret. Reading,
//! refusing and showing all go by that table; a test compares it with `config/astrops.toml`.
//!
//! To add a key: one row in `keys.rs`, one field in `sections.rs`, one commented line in `config/astrops.toml`;
//! a rule that needs two keys goes to `rules.rs`.
//!
//! Limits: nothing here touches the network or the folders it names; cron lines and time zones are judged by the
//! schedules, certificates by the mail transport. Schedules and authorities are set in the file only.

mod keys;
mod layers;
mod names;
mod reconcile;
mod refusal;
mod rules;
mod schedules;
mod sections;
mod show;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use figment::Figment;

pub use layers::Sources;
pub use reconcile::ReconcileConfig;
pub use refusal::{ConfigError, Refusal};
pub use schedules::ScheduleConfig;
pub use sections::{
    AuthConfig, Config, DataConfig, DatabaseConfig, DocumentsConfig, JobsConfig, LogsConfig, MailConfig,
    MailTransport, PaymentsConfig, ServerConfig, SmtpConfig, SmtpTimeouts, StripeConfig, Switch, TlsMode,
};

/// The file that is read when none is named, if it exists.
pub const DEFAULT_FILE: &str = "/etc/astrops/astrops.toml";

/// A configuration and where each of its values came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The effective values.
    pub config: Config,
    /// The configuration file that was read.
    pub file: Option<PathBuf>,
    /// The layers, kept for [`Loaded::show`]; its own `Debug` would print secrets.
    layers: Layers,
}

/// The merged layers behind a `Debug` that prints none of their values.
#[derive(Clone)]
struct Layers(Figment);

impl std::fmt::Debug for Layers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[layers]")
    }
}

impl Config {
    /// Reads the layers of this process. `file` is the one named by `--config`; without it [`DEFAULT_FILE`] is
    /// read when it exists. The error lists everything that is wrong; the daemon exits 78 (`EX_CONFIG`) with it.
    pub fn load(file: Option<&Path>) -> Result<Loaded, ConfigError> {
        Sources::of_process(file)?.load()
    }

    /// The defaults with `data_dir` as the folder for everything that is kept; for tests and the demo.
    pub fn defaults(data_dir: &Path) -> Result<Self, ConfigError> {
        let sources = Sources { state_directory: Some(data_dir.to_owned()), ..Sources::default() };
        sources.load().map(|loaded| loaded.config)
    }
}
