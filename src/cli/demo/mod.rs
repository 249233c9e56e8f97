//! `demo`: daemon, sample traffic and console in this process, on data that is gone afterwards.
//!
//! - [`post_office`] takes the mails by SMTP, puts them into a folder, and refuses some for a reason.
//! - [`market`]: suppliers sell launches, [`people`] book, pay and cancel, each with a token of their own.
//! - [`customer_side`]: what other services write into the customer documents, so that sweeps have something to do.
//! - [`traffic`] does that and what the Customer API does, a few acts a second, through the public API.
//! - [`catalogue`], [`sample`]: the launches, names and words that it is made of.
//!
//! Everything random comes from one seed, which is printed: the same seed gives the same acts in the same order, as
//! long as the daemon answers the same.

mod catalogue;
mod customer_side;
mod market;
mod people;
mod post_office;
mod sample;
mod staff;
mod traffic;

use std::{
    fs,
    io::{self, IsTerminal},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use astrops_api::{Client, auth::Login, client::http_client};
use astrops_daemon::{
    Clock, Daemon,
    config::{Config, MailTransport, Sources, Switch, TlsMode},
    documents::Documents,
};
use astrops_tui::{Console, Options};
use rand::{SeedableRng, rngs::StdRng};
use serde_json::json;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use self::{
    staff::{Account, Staff},
    traffic::Traffic,
};
use super::{
    console::{self, Look},
    failure::Failure,
    machine::{
        diagnostics::{self, Stderr},
        signals::Signals,
    },
    output::Output,
};

/// Arguments of `demo`.
#[derive(clap::Args)]
pub struct Args {
    /// What the traffic is made from; the same number gives the same traffic [default: the time]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Keep the data in this folder, which must be new or empty [default: a temporary one]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Print address and credentials, and run until interrupted
    #[arg(long)]
    no_console: bool,
    #[command(flatten)]
    look: Look,
}

impl Args {
    /// Runs until the operator leaves.
    pub async fn run(self, out: Output) -> Result<(), Failure> {
        // Before anything is started: the console would only fail in front of a running daemon.
        let terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
        if !self.no_console && !terminal {
            return Err(Failure::Usage(
                "the demo opens the console, and there is no terminal for it: nothing was started\n\
                 to have only the daemon and its traffic, say --no-console"
                    .to_owned(),
            ));
        }
        let clock = Clock::system();
        let seed = self.seed.unwrap_or_else(|| clock.now().timestamp().unsigned_abs());
        let mut dice = StdRng::seed_from_u64(seed);
        let folder = Folder::open(self.data_dir.as_deref())?;
        let stop = CancellationToken::new();
        if self.no_console {
            tokio::spawn(Signals::catch()?.obey(stop.clone()));
        }
        let _written_at_the_end =
            diagnostics::start(Some(&folder.path().join("log/demo.log")), 1, Stderr::Off)?;
        let config = configure(folder.path()).await.map_err(failed)?;
        let documents = format!("sqlite:{}", folder.path().join("customer.db").display());
        let documents = Documents::open(&documents).await.map_err(|error| failed(error.into()))?;
        let staff = Staff::hire(&config, &clock, &mut dice).await.map_err(failed)?;
        let daemon = Daemon::build(config, clock).await.map_err(failed)?;
        let client = Client::new(&format!("http://{}", daemon.addr()), http_client()?);
        let serving = tokio::spawn({
            let stop = stop.clone();
            async move {
                let ended = daemon.run(stop.clone()).await;
                // A daemon that ends by itself ends the demo.
                stop.cancel();
                ended
            }
        });
        announce(out, &client, &staff, seed, folder.path())?;
        let traffic = Traffic::new(client.clone(), staff.operator.clone(), documents, dice);
        let traffic = tokio::spawn(traffic.run(stop.clone()));
        let left = if self.no_console {
            stop.cancelled().await;
            Ok(())
        } else {
            open_console(client, &staff.operator, &self.look).await
        };
        stop.cancel();
        traffic.await.map_err(|error| failed(error.into()))?;
        serving.await.map_err(|error| failed(error.into()))?.map_err(failed)?;
        left
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn failed(error: anyhow::Error) -> Failure {
    Failure::Failed(format!("the demo ended: {error:#}"))
}

/// Where the demo keeps its data.
enum Folder {
    /// Gone when the demo ends.
    Temporary(TempDir),
    /// Stays.
    Given(PathBuf),
}

impl Folder {
    fn open(given: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = given else {
            let made = tempfile::Builder::new().prefix("astrops-demo-").tempdir();
            let wrong = |error| Failure::Failed(format!("cannot make a temporary folder: {error}"));
            return made.map(Self::Temporary).map_err(wrong);
        };
        let wrong = |why: String| Failure::Usage(format!("cannot use {}: {why}", path.display()));
        fs::create_dir_all(path).map_err(|error| wrong(error.to_string()))?;
        // Sample traffic must never run into somebody's data.
        match fs::read_dir(path).map_err(|error| wrong(error.to_string()))?.next() {
            None => Ok(Self::Given(path.to_owned())),
            Some(_) => Err(wrong("it is not empty, and the demo wants a folder of its own".to_owned())),
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Temporary(folder) => folder.path(),
            Self::Given(path) => path,
        }
    }
}

/// Sweeps so often that a newcomer sees some, and one field that a person decides when both sides changed it.
const SETTINGS: &str = r#"
[reconcile]
grace_minutes = 1
settle_seconds = 2

[reconcile.authority.launch]
description = "manual"

[[schedules]]
name = "reconcile-incremental"
description = "Makes both databases agree about what changed since the last time"
cron = "*/15 * * * * *"
task = "reconcile-incremental"

[[schedules]]
name = "reconcile-full"
description = "Compares every document with its row, and makes them agree"
cron = "*/10 * * * *"
task = "reconcile-full"
"#;

/// The defaults with [`SETTINGS`], on free ports, with mail going to the post office. The process's environment plays no
/// part.
async fn configure(folder: &Path) -> anyhow::Result<Config> {
    let file = folder.join("demo.toml");
    fs::write(&file, SETTINGS)?;
    let sources =
        Sources { file: Some(file), state_directory: Some(folder.to_owned()), ..Sources::default() };
    let mut config = sources.load()?.config;
    config.server.bind = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    // Everybody in the demo calls from this machine, as if it were one caller.
    config.auth.rate_limit = Switch::Off;
    let post_office = post_office::open(&folder.join("mail")).await?;
    config.mail.transport = MailTransport::Smtp;
    config.mail.smtp.host = Some(post_office.ip().to_string());
    config.mail.smtp.port = post_office.port();
    config.mail.smtp.tls = TlsMode::None;
    Ok(config)
}

fn announce(out: Output, client: &Client, staff: &Staff, seed: u64, folder: &Path) -> Result<(), Failure> {
    let account =
        |account: &Account| json!({ "email": account.email, "password": account.password.expose() });
    let facts = json!({
        "url": client.base(), "operator": account(&staff.operator), "viewer": account(&staff.viewer),
        "dataDir": folder, "seed": seed,
    });
    if out.json {
        return out.record(&facts);
    }
    out.line(&format!("listening on {}", client.base()))?;
    for (right, account) in [("operator", &staff.operator), ("viewer", &staff.viewer)] {
        out.line(&format!("{right:<8}  {}  password {}", account.email, account.password.expose()))?;
    }
    out.line(&format!("data      {}  seed {seed}", folder.display()))
}

async fn open_console(client: Client, operator: &Account, look: &Look) -> Result<(), Failure> {
    let login = Login::new(&operator.email, operator.password.clone());
    let signed_in = client.login(&login).await?;
    let options = Options {
        profile_name: "demo".to_owned(),
        token: Some(signed_in.token),
        email: Some(operator.email.clone()),
        theme: look.theme,
        ascii: look.ascii,
        ..Options::default()
    };
    console::run(Console::new(client, options)).await
}
