//! Why a configuration is refused: source, key, what is wrong, what is allowed.

use std::fmt;

/// Everything that is wrong with a configuration; `Display` gives one line each. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.lines())]
pub struct ConfigError {
    /// At least one.
    pub refusals: Vec<Refusal>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The file, environment variable or credential that said so.
    pub source: String,
    /// What is wrong, with the key in it.
    pub wrong: String,
    /// What would be right.
    pub allowed: String,
}

impl Refusal {
    pub(super) fn new(
        source: impl Into<String>,
        wrong: impl Into<String>,
        allowed: impl Into<String>,
    ) -> Self {
        Self { source: source.into(), wrong: wrong.into(), allowed: allowed.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.source, self.wrong)?;
        if self.allowed.is_empty() { Ok(()) } else { write!(f, "; allowed: {}", self.allowed) }
    }
}

impl ConfigError {
    fn lines(&self) -> String {
        self.refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }
}

impl From<Refusal> for ConfigError {
    fn from(refusal: Refusal) -> Self {
        Self { refusals: vec![refusal] }
    }
}

/// `Ok` when there is nothing to refuse.
pub(super) fn none_of(refusals: Vec<Refusal>) -> Result<(), ConfigError> {
    if refusals.is_empty() { Ok(()) } else { Err(ConfigError { refusals }) }
}
