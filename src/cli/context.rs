//! What every remote command works with: the daemon, who asks, what protects it, and how to answer.

use std::{
    env,
    path::{Path, PathBuf},
};

use astrops_api::{Client, ClientError, Problem, Secret, client::http_client};
use chrono::{DateTime, Utc};
use clap::Args;
use directories::ProjectDirs;

use super::{
    failure::{Failure, code},
    output::Output,
    profiles::{Profiles, Protections, address},
    prompt, times,
    tokens::Tokens,
};

/// The daemon on this machine.
pub const DEFAULT_URL: &str = "http://127.0.0.1:7700";

/// Flags that every command takes.
#[derive(Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    // Not clap's `env`: a --profile given by hand must win over the environment.
    #[arg(long, global = true, value_name = "URL", value_parser = address, conflicts_with = "profile")]
    #[arg(help = format!("Address of the daemon [env: ASTROPS_URL] [default: {DEFAULT_URL}]"))]
    pub url: Option<String>,
    /// A daemon of console.toml in the configuration directory, with its protections
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// Write the API's JSON: one document, or one line each for streams
    #[arg(long, global = true)]
    pub json: bool,
    /// Write only ids, one per line, and nothing about success
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

/// For commands that change something on the daemon.
#[derive(Args, Clone, Copy)]
pub struct Sure {
    /// Do not ask on a production profile
    #[arg(long, short)]
    pub yes: bool,
}

/// Where the token came from, to say what to do when it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// Nobody signed in.
    Nobody,
    /// `ASTROPS_TOKEN`.
    Environment,
    /// `astrops login`.
    Stored,
}

/// A daemon and how to speak to it.
pub struct Context {
    /// Signed in if anybody is.
    pub client: Client,
    /// How to answer.
    pub out: Output,
    /// The sessions of this operator.
    pub tokens: Tokens,
    /// Who asks.
    pub identity: Identity,
    /// When the command began.
    pub now: DateTime<Utc>,
    /// What the client is signed in with.
    pub token: Option<Secret>,
    /// The same daemon, asked by nobody: a token must not go where it is not needed.
    pub stranger: Client,
    /// What the daemon's profiles allow.
    pub protections: Protections,
    /// The flags that lead to the same daemon, for advice.
    flags: String,
}

impl Context {
    /// From flags, environment, profiles and stored sessions; asks nobody yet.
    pub fn open(global: &Global) -> Result<Self, Failure> {
        let folders = Folders::find()?;
        let profiles = Profiles::load(&folders.config.join("console.toml"))?;
        let (url, flags) = choose(global, &profiles)?;
        // clap lets nobody say --url and --profile, so the profile is the one that was chosen.
        let protections = profiles.protections(&url, global.profile.as_deref());
        let tokens = Tokens::new(&folders.state);
        let stranger = Client::new(&url, http_client()?);
        let (token, identity) = token(&tokens, &url)?;
        let client = match &token {
            Some(token) => stranger.with_token(token.clone()),
            None => stranger.clone(),
        };
        let out = Output::new(global.json, global.quiet);
        let now = times::now();
        Ok(Self { client, out, tokens, identity, now, token, stranger, protections, flags })
    }

    /// Refreshes a kept session whose token has ended. When that fails the command goes on with the old one, and its
    /// own failure tells why.
    pub async fn refresh(&mut self) {
        if self.identity != Identity::Stored {
            return;
        }
        if let Ok(Some(saved)) = self.tokens.renew(&self.stranger, None, times::now).await {
            self.client = self.stranger.with_token(saved.token.clone());
            self.token = Some(saved.token);
        }
    }

    /// Refuses on a read-only profile. Every command that changes something begins with this or [`Self::danger`].
    pub fn change(&self) -> Result<(), Failure> {
        match &self.protections.read_only {
            Some(name) => Err(Failure::Usage(format!(
                "profile {name} ({}) is read-only: nothing was done",
                self.client.base()
            ))),
            None => Ok(()),
        }
    }

    /// As [`Self::change`], and asks on a production profile. `deed` completes "about to ..".
    pub fn danger(&self, deed: &str, sure: Sure) -> Result<(), Failure> {
        self.change()?;
        match &self.protections.production {
            Some(name) if !sure.yes => prompt::confirm(name, deed),
            _ => Ok(()),
        }
    }

    /// The failure in words: what happened, where, why, and what to do.
    pub fn explain(&self, failure: Failure) -> Failure {
        let Failure::Call(error) = failure else { return failure };
        let code = Failure::Call(error.clone()).code();
        let words = match error {
            ClientError::Refused(problem) if self.out.json => return Failure::Problem(problem),
            error => self.words(&error),
        };
        Failure::Explained { words, code }
    }

    /// A failed call in words, the advice on lines of its own.
    pub fn words(&self, error: &ClientError) -> String {
        let base = self.client.base();
        match error {
            ClientError::Unreachable(why) => format!(
                "cannot reach the daemon at {base}: {why}\n\
                 is the daemon running? start it: astrops daemon, or name another: --url / ASTROPS_URL"
            ),
            ClientError::Unexpected(what) => format!(
                "{base} answers, but not as this version of astrops expects: {what}\n\
                 is it another program, or another version? see: astrops status, astrops --version"
            ),
            ClientError::Refused(problem) => self.refusal(problem),
        }
    }

    fn refusal(&self, problem: &Problem) -> String {
        let base = self.client.base();
        match (problem.status, self.identity) {
            (401, Identity::Nobody) => format!("nobody is signed in at {base}\n{}", self.sign_in()),
            (401, Identity::Stored) => format!("the session at {base} has ended\n{}", self.sign_in()),
            (401, Identity::Environment) => format!(
                "{base} does not accept the token in ASTROPS_TOKEN: it has ended or was revoked\n\
                 put a new one there, or unset it and sign in"
            ),
            (500.., _) if !problem.request_id.is_empty() => {
                format!(
                    "{}\nthe daemon's log tells more under request {}",
                    problem.sentence(),
                    problem.request_id
                )
            }
            _ => problem.sentence(),
        }
    }

    fn sign_in(&self) -> String {
        // The file of a session that has ended still tells whose it was.
        let last = self.tokens.load(self.client.base()).ok().flatten();
        let email = last.map_or_else(|| "EMAIL".to_owned(), |saved| saved.email);
        format!("sign in first: astrops{} login --email {email}", self.flags)
    }
}

/// The address and the flags that name it.
fn choose(global: &Global, profiles: &Profiles) -> Result<(String, String), Failure> {
    if let Some(url) = &global.url {
        return Ok((url.clone(), format!(" --url {url}")));
    }
    if let Some(name) = &global.profile {
        return Ok((profiles.named(name)?.url.clone(), format!(" --profile {name}")));
    }
    let url = env::var("ASTROPS_URL").unwrap_or_default();
    let url = if url.is_empty() { DEFAULT_URL } else { &url };
    let url = address(url).map_err(|why| Failure::Usage(format!("ASTROPS_URL: {why}")))?;
    Ok((url, String::new()))
}

fn token(tokens: &Tokens, url: &str) -> Result<(Option<Secret>, Identity), Failure> {
    let given = env::var("ASTROPS_TOKEN").unwrap_or_default();
    let given = given.trim();
    if !given.is_empty() {
        if !given.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Failure::Usage("ASTROPS_TOKEN does not hold a token".to_owned()));
        }
        return Ok((Some(given.into()), Identity::Environment));
    }
    match tokens.load(url) {
        Ok(Some(saved)) => Ok((Some(saved.token), Identity::Stored)),
        Ok(None) => Ok((None, Identity::Nobody)),
        Err(error) => Err(Failure::Explained {
            words: format!("cannot read the session for {url}: {error}"),
            code: code::FAILED,
        }),
    }
}

/// Where this operator's files are.
struct Folders {
    config: PathBuf,
    state: PathBuf,
}

impl Folders {
    fn find() -> Result<Self, Failure> {
        let folders = ProjectDirs::from("", "", "astrops").ok_or_else(|| {
            Failure::Usage("this user has no home directory to keep sessions in: set HOME".to_owned())
        })?;
        let state = folders.state_dir().unwrap_or_else(|| folders.data_local_dir());
        Ok(Self { config: folders.config_dir().to_owned(), state: Path::to_owned(state) })
    }
}
