//! Every way a command can fail: its exit code and its words, decided in one place.

use std::{io, process::ExitCode};

use astrops_api::{ClientError, Problem};

use super::output::neutral;

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The daemon could not be asked, or refused. [`super::Context::explain`] says where and what to do.
    #[error(transparent)]
    Call(#[from] ClientError),
    /// A call failed, in words for a person; ends with the code of `Call`.
    #[error("{words}")]
    Explained {
        /// What happened, to what, why, and what to do.
        words: String,
        /// Exit code.
        code: u8,
    },
    /// The daemon refused and scripts asked for JSON: the problem as it came.
    #[error("{}", .0.sentence())]
    Problem(Box<Problem>),
    /// The command line, a profile or the surroundings do not allow it; nothing was done.
    #[error("{0}")]
    Usage(String),
    /// It was tried and did not work.
    #[error("{0}")]
    Failed(String),
    /// Everything has been said already.
    #[error("see above")]
    Told(u8),
    /// The reader of our output went away, which is its right (`| head`).
    #[error("output closed")]
    Closed,
}

/// Exit codes. 0 is success.
pub mod code {
    /// It was tried and failed.
    pub const FAILED: u8 = 1;
    /// Wrong usage; nothing was done.
    pub const USAGE: u8 = 2;
    /// The daemon cannot be reached.
    pub const UNREACHABLE: u8 = 3;
    /// The daemon refused.
    pub const REFUSED: u8 = 4;
    /// It is not done: it waits for a person, or for its time.
    pub const WAITS: u8 = 5;
    /// The daemon's configuration is refused (`EX_CONFIG`).
    pub const CONFIGURATION: u8 = 78;
    /// Ended by ctrl-c.
    pub const INTERRUPTED: u8 = 130;
}

impl Failure {
    /// The exit code.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Call(ClientError::Unreachable(_)) => code::UNREACHABLE,
            Self::Call(ClientError::Refused(_)) | Self::Problem(_) => code::REFUSED,
            Self::Call(ClientError::Unexpected(_)) | Self::Failed(_) => code::FAILED,
            Self::Usage(_) => code::USAGE,
            Self::Explained { code, .. } | Self::Told(code) => *code,
            Self::Closed => 0,
        }
    }

    /// Tells the failure on stderr, unless that has been done, and gives the exit code.
    pub fn tell(&self) -> ExitCode {
        match self {
            Self::Told(_) | Self::Closed => {}
            Self::Problem(problem) => eprintln!("{}", super::output::json_text(problem, false)),
            _ => tell(&self.to_string()),
        }
        ExitCode::from(self.code())
    }
}

/// One message on stderr; lines after the first are advice and are indented.
pub fn tell(words: &str) {
    let mut lines = words.lines().map(neutral);
    eprintln!("astrops: {}", lines.next().unwrap_or_default());
    lines.for_each(|line| eprintln!("  {line}"));
}

impl From<io::Error> for Failure {
    /// For writing to stdout; anything else says what it was doing.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::Failed(format!("cannot write the output: {error}")),
        }
    }
}
