//! `login`, `logout`, `whoami`.

use astrops_api::{
    ClientError,
    auth::{self, User},
};
use chrono::TimeDelta;

use super::{
    context::{Context, Identity},
    failure::{Failure, code},
    prompt,
    table::Facts,
    times,
    tokens::Saved,
};

/// Arguments of `login`.
#[derive(clap::Args)]
pub struct Login {
    /// Your e-mail address
    #[arg(long, value_name = "E-MAIL")]
    email: String,
    /// Read the password from the first line of stdin instead of asking
    #[arg(long)]
    password_stdin: bool,
}

impl Login {
    /// Signs in and keeps the token.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let url = context.client.base();
        warn_of_plain_text(context);
        let password = prompt::password(self.password_stdin)?;
        let body = auth::Login::new(self.email, password);
        let signed_in = context.stranger.login(&body).await.map_err(|error| match error {
            // Not "sign in first": that is what is being done.
            ClientError::Refused(problem) if problem.status == 401 => Failure::Explained {
                words: format!("{url} did not sign {} in: {}", body.email, problem.sentence()),
                code: code::REFUSED,
            },
            error => error.into(),
        })?;
        let lasts = TimeDelta::seconds(i64::try_from(signed_in.expires_in).unwrap_or(0));
        let saved = Saved {
            url: url.to_owned(),
            email: signed_in.user.email.clone(),
            token: signed_in.token,
            expires_at: context.now + lasts,
            refresh_token: Some(signed_in.refresh_token),
        };
        context.tokens.save(&saved).map_err(|error| {
            Failure::Failed(format!("signed in at {url}, but the session cannot be kept: {error}"))
        })?;
        if context.identity == Identity::Environment {
            context.out.note("note: ASTROPS_TOKEN is set and goes before this session");
        }
        let user = &signed_in.user;
        context.out.answer(user, |out| {
            out.done(&format!(
                "signed in at {url} as {} ({}) for {}",
                user.email,
                standing(user),
                times::took(lasts)
            ))
        })
    }
}

/// `logout`: ends the session at the daemon and forgets its token here.
pub async fn logout(context: &Context) -> Result<(), Failure> {
    let url = context.client.base();
    if context.identity == Identity::Nobody {
        return context.out.done(&format!("nobody was signed in at {url}"));
    }
    let ended = context.client.logout().await;
    if context.identity == Identity::Stored {
        let kept = |error| Failure::Failed(format!("cannot remove the session for {url}: {error}"));
        context.tokens.forget(url).map_err(kept)?;
    }
    match ended {
        Ok(()) => context.out.done(&format!("signed out at {url}")),
        // It had ended before: what was wanted.
        Err(ClientError::Refused(problem)) if problem.status == 401 => {
            context.out.done(&format!("signed out at {url} (the session had ended)"))
        }
        Err(error) => {
            context
                .out
                .note("the token is forgotten here, but the daemon could not be told to end its session");
            Err(error.into())
        }
    }
}

/// `whoami`.
pub async fn whoami(context: &Context) -> Result<(), Failure> {
    let user = context.client.me().await?.user;
    context.out.answer(&user, |out| {
        let mut facts = Facts::default();
        facts.add("e-mail", &user.email);
        facts.maybe("name", user.name.as_deref());
        facts.add("role", standing(&user));
        facts.add("id", user.id.to_string());
        facts.add("daemon", context.client.base());
        if context.identity == Identity::Environment {
            facts.add("token", "from ASTROPS_TOKEN");
        } else if let Ok(Some(saved)) = context.tokens.load(context.client.base()) {
            let then = if saved.refresh_token.is_some() { "is refreshed after" } else { "ends" };
            facts.add("session", format!("{then} {}", times::stamp(saved.expires_at)));
        }
        facts.write(out)
    })
}

/// `operator`, `viewer`, or the role of somebody who is no employee.
fn standing(user: &User) -> &'static str {
    user.right.map_or(user.role.as_str(), astrops_api::vocabulary::Right::as_str)
}

/// Over plain http to another machine everybody on the way reads the password.
fn warn_of_plain_text(context: &Context) {
    let Ok(url) = reqwest::Url::parse(context.client.base()) else { return };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let here = host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    if url.scheme() == "http" && !here {
        context.out.note(&format!("warning: {url} is not encrypted: the password can be read on the way"));
    }
}
