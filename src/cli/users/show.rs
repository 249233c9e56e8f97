//! `users show` and `users sessions`.

use astrops_api::users::Account;

use super::{
    list, standing,
    who::{Who, one},
};
use crate::cli::{context::Context, failure::Failure, output::Tone, sessions, table::Facts, times};

/// Arguments of `users show`.
#[derive(clap::Args)]
pub struct Args {
    /// The user, by id or e-mail address
    #[arg(value_name = "ID")]
    who: Who,
}

/// Arguments of `users sessions`.
#[derive(clap::Args)]
pub struct Sessions {
    /// The user, by id or e-mail address
    #[arg(value_name = "ID")]
    who: Who,
}

impl Args {
    /// Shows.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let account = context.client.user(one(context, &self.who).await?).await?;
        context.out.answer(&account, |out| {
            if out.quiet { out.line(&account.user.id.to_string()) } else { facts(&account).write(out) }
        })
    }
}

impl Sessions {
    /// Lists.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let list = context.client.user_sessions(one(context, &self.who).await?).await?;
        context.out.answer(&list, |_| sessions::write(context, &list.sessions))
    }
}

fn facts(account: &Account) -> Facts {
    let user = &account.user;
    let (state, tone) = list::state(account);
    let mut facts = Facts::default();
    facts.add("user", user.id.to_string());
    facts.add("e-mail", &user.email);
    facts.maybe("name", user.name.as_deref());
    facts.add("role", standing(user));
    facts.toned("state", state, tone);
    if let Some(until) = account.locked_until.filter(|_| account.is_locked) {
        facts.toned("locked until", times::stamp(until), Tone::Bad);
    }
    if account.failed_login_attempts > 0 {
        facts.toned("wrong passwords", format!("{} in a row", account.failed_login_attempts), Tone::Warn);
    }
    facts.add("last sign-in", account.last_login_at.map_or_else(|| "never".to_owned(), times::stamp));
    facts.add("created", times::stamp(user.created_at));
    facts.add("changed", times::stamp(account.updated_at));
    facts
}
