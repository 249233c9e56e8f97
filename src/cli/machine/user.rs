//! `user add`: the first operator, before anybody can sign in. Writes to the database of the configuration.

use std::env;

use astrops_api::vocabulary::{Right, Role};
use astrops_daemon::{
    Clock,
    admin::{NewUser, add_user},
};

use super::file::ConfigFile;
use crate::cli::{failure::Failure, output::Output, prompt, words::Words};

/// What can be done about users.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Make a user in the daemon's database, whether the daemon runs or not.
    Add(Add),
}

/// Arguments of `user add`.
#[derive(clap::Args)]
pub struct Add {
    /// The e-mail address to sign in with
    #[arg(long, value_name = "E-MAIL")]
    email: String,
    /// employee: may use the console; as an operator unless --viewer
    #[arg(long, value_parser = Words(Role::ALL))]
    role: Role,
    /// An employee who may look at everything and change nothing
    #[arg(long)]
    viewer: bool,
    /// What to call the person
    #[arg(long)]
    name: Option<String>,
    /// Read the password from the first line of stdin instead of asking twice
    #[arg(long)]
    password_stdin: bool,
    #[command(flatten)]
    file: ConfigFile,
}

impl Command {
    /// Does it.
    pub async fn run(self, out: Output) -> Result<(), Failure> {
        match self {
            Self::Add(args) => args.run(out).await,
        }
    }
}

impl Add {
    async fn run(self, out: Output) -> Result<(), Failure> {
        if self.viewer && self.role != Role::Employee {
            return Err(Failure::Usage(format!("--viewer is for employees, not for a {}", self.role)));
        }
        let loaded = self.file.load()?;
        let password = prompt::new_password(self.password_stdin)?;
        let new = NewUser {
            email: self.email,
            password,
            role: self.role,
            right: self.viewer.then_some(Right::Viewer),
            name: self.name,
            by: caller(),
        };
        let email = new.email.clone();
        let user = add_user(&loaded.config, &Clock::system(), new)
            .await
            .map_err(|error| Failure::Failed(format!("{email} is not added: {error:#}")))?;
        out.answer(&user, |out| {
            let standing = user.right.map_or(user.role.as_str(), Right::as_str);
            if out.quiet {
                out.line(&user.id.to_string())
            } else {
                out.done(&format!("added {} ({standing})", user.email))
            }
        })
    }
}

/// The machine's user who asks, for the audit log; behind sudo the one who called it.
fn caller() -> String {
    ["SUDO_USER", "USER", "LOGNAME"]
        .iter()
        .find_map(|name| env::var(name).ok().filter(|user| !user.is_empty()))
        .unwrap_or_else(|| "somebody".to_owned())
}
