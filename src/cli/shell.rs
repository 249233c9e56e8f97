//! `completions` and `man`: what packages install beside the binary.

use std::{fs, io, path::PathBuf};

use clap::CommandFactory;

use super::{Cli, failure::Failure};

/// Commands that need neither a daemon nor its configuration.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Write completions for a shell to stdout.
    #[command(hide = true)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write a manual page for every command into a folder.
    #[command(hide = true)]
    Man {
        /// The folder; made if it is not there
        dir: PathBuf,
    },
}

impl Command {
    /// Writes.
    pub fn run(self) -> Result<(), Failure> {
        match self {
            Self::Completions { shell } => {
                let mut script = Vec::new();
                clap_complete::generate(shell, &mut Cli::command(), "astrops", &mut script);
                Ok(io::Write::write_all(&mut io::stdout().lock(), &script)?)
            }
            Self::Man { dir } => fs::create_dir_all(&dir)
                .and_then(|()| clap_mangen::generate_to(Cli::command(), &dir))
                .map_err(|error| {
                    Failure::Failed(format!("cannot write manual pages to {}: {error}", dir.display()))
                }),
        }
    }
}
