//! `console`: opens the terminal console on the daemon of the global flags.

use std::{sync::Arc, time::Duration};

use astrops_api::{Client, auth::SignedIn};
use astrops_tui::{Console, Held, Options, Renew, Theme};
use chrono::TimeDelta;
use futures::FutureExt;

use super::{
    context::{Context, Identity},
    failure::Failure,
    times,
    tokens::{Saved, Tokens},
};

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
        // A token of the environment is nobody's to refresh.
        let renew = (context.identity != Identity::Environment)
            .then(|| renew(tokens.clone(), context.stranger.clone()));
        let options = Options {
            profile_name: protections.name.unwrap_or_default(),
            token: context.token.clone(),
            email: self.email.or(last),
            read_only: self.read_only || protections.read_only.is_some(),
            production: protections.production.is_some(),
            theme: self.look.theme,
            ascii: self.look.ascii,
            renew,
            // A session that cannot be kept still holds in this console until its token ends.
            on_signed_in: Some(Box::new(move |signed_in| drop(tokens.save(&saved(&url, signed_in))))),
        };
        run(Console::new(context.stranger.clone(), options)).await
    }
}

/// A session as it is kept.
fn saved(url: &str, signed_in: &SignedIn) -> Saved {
    let lasts = TimeDelta::seconds(i64::try_from(signed_in.expires_in).unwrap_or(0));
    Saved {
        url: url.to_owned(),
        email: signed_in.user.email.clone(),
        token: signed_in.token.clone(),
        expires_at: times::now() + lasts,
        refresh_token: Some(signed_in.refresh_token.clone()),
    }
}

/// The console's next token, from the kept session that other commands use and refresh too.
fn renew(tokens: Tokens, client: Client) -> Renew {
    Arc::new(move |spent| {
        let (tokens, client) = (tokens.clone(), client.clone());
        async move {
            let saved = tokens.renew(&client, spent.as_ref(), times::now).await?;
            Ok(saved.map(|saved| Held {
                good_for: (saved.expires_at - times::now()).to_std().unwrap_or(Duration::ZERO),
                token: saved.token,
            }))
        }
        .boxed()
    })
}

/// Runs a console to its end.
pub async fn run(console: Console) -> Result<(), Failure> {
    console.run().await.map_err(|error| Failure::Failed(format!("{error:#}")))
}
