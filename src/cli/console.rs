//! `console`: opens the terminal console on the daemon of the global flags.

use astrops_tui::{Console, Options, Theme};
use chrono::TimeDelta;

use super::{context::Context, failure::Failure, times, tokens::Saved};

/// Arguments of `console`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub look: Look,
    /// Never change anything, whatever the profile says
    #[arg(long)]
    read_only: bool,
    /// Who signs in, when the session has ended
    #[arg(long, value_name = "E-MAIL")]
    email: Option<String>,
}

/// How the console looks.
#[derive(clap::Args)]
pub struct Look {
    /// Colours: default (for dark terminals), light, or mono
    #[arg(long, default_value = "default", hide_default_value = true)]
    pub theme: Theme,
    /// Draw lines and bars with ASCII characters only
    #[arg(long)]
    pub ascii: bool,
}

impl Args {
    /// Runs until the operator leaves.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let url = context.client.base().to_owned();
        let tokens = context.tokens.clone();
        let last = tokens.load(&url).ok().flatten().map(|saved| saved.email);
        let protections = context.protections.clone();
        let options = Options {
            profile_name: protections.name.unwrap_or_default(),
            token: context.token.clone(),
            email: self.email.or(last),
            read_only: self.read_only || protections.read_only.is_some(),
            production: protections.production.is_some(),
            theme: self.look.theme,
            ascii: self.look.ascii,
            on_signed_in: Some(Box::new(move |signed_in| {
                let lasts = TimeDelta::seconds(i64::try_from(signed_in.expires_in).unwrap_or(0));
                let saved = Saved {
                    url: url.clone(),
                    email: signed_in.user.email.clone(),
                    token: signed_in.token.clone(),
                    expires_at: times::now() + lasts,
                };
                // A session that cannot be kept still holds in this console.
                drop(tokens.save(&saved));
            })),
        };
        run(Console::new(context.stranger.clone(), options)).await
    }
}

/// Runs a console to its end.
pub async fn run(console: Console) -> Result<(), Failure> {
    console.run().await.map_err(|error| Failure::Failed(format!("{error:#}")))
}
