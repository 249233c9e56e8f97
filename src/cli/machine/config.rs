//! `config check`, `config show`.

use astrops_daemon::config::DEFAULT_FILE;
use serde_json::{Value, json};

use super::file::{ConfigFile, refused};
use crate::cli::{
    failure::{Failure, code},
    output::{Output, neutral},
};

/// What can be done with a configuration.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Say whether the daemon would start with it; exit code 78 when not.
    Check(ConfigFile),
    /// Show every effective value and where it came from; secrets are hidden.
    Show(ConfigFile),
}

impl Command {
    /// Does it.
    pub fn run(self, out: Output) -> Result<(), Failure> {
        match self {
            Self::Check(file) => check(&file, out),
            Self::Show(file) => show(&file, out),
        }
    }
}

fn check(file: &ConfigFile, out: Output) -> Result<(), Failure> {
    match file.read() {
        Ok(loaded) if out.json => out.document(&json!({ "ok": true, "file": loaded.file })),
        Ok(loaded) => out.done(&match loaded.file {
            Some(path) => format!("{} is right", path.display()),
            None => format!("the defaults and the environment are right; there is no {DEFAULT_FILE}"),
        }),
        Err(error) if out.json => {
            let refusals: Vec<_> = error
                .refusals
                .iter()
                .map(|refusal| json!({ "source": refusal.source, "wrong": refusal.wrong, "allowed": refusal.allowed }))
                .collect();
            out.document(&json!({ "ok": false, "refusals": refusals }))?;
            Err(Failure::Told(code::CONFIGURATION))
        }
        Err(error) => Err(refused(&error)),
    }
}

fn show(file: &ConfigFile, out: Output) -> Result<(), Failure> {
    let shown = file.load()?.show();
    if !out.json {
        return shown.lines().try_for_each(|line| out.line(&neutral(line)));
    }
    // `key = value  # source`, as the daemon writes it; the key holds no blank.
    let keys: serde_json::Map<_, _> = shown
        .lines()
        .filter_map(|line| {
            let (key, rest) = line.split_once(' ')?;
            let (value, source) = rest.rsplit_once("  # ")?;
            let value = value.trim_end().strip_prefix("= ");
            let value = value.map(|text| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)));
            Some((key.to_owned(), json!({ "value": value, "source": source })))
        })
        .collect();
    out.document(&keys)
}
