//! What is done to one account: `users edit`, `role`, `disable`, `enable`, `unlock`, `revoke-sessions`, `delete`.

use astrops_api::{
    users::{Account, EditUser},
    vocabulary::{Right, Role},
};

use super::{
    standing,
    who::{Who, one},
};
use crate::cli::{
    context::{Context, Sure},
    failure::Failure,
    words::Words,
};

/// Arguments of what needs only a user.
#[derive(clap::Args)]
pub struct One {
    /// The user, by id or e-mail address
    #[arg(value_name = "ID")]
    who: Who,
    #[command(flatten)]
    sure: Sure,
}

/// Arguments of `users edit`.
#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("change").required(true).multiple(true).args(["name", "email"])))]
pub struct Edit {
    /// The user, by id or e-mail address
    #[arg(value_name = "ID")]
    who: Who,
    /// What to call the person; an empty text removes the name
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// Another address to sign in with
    #[arg(long, value_name = "E-MAIL")]
    email: Option<String>,
    #[command(flatten)]
    sure: Sure,
}

/// Arguments of `users role`.
#[derive(clap::Args)]
pub struct GiveRole {
    /// The user, by id or e-mail address
    #[arg(value_name = "ID")]
    who: Who,
    /// What the user is
    #[arg(value_parser = Words(Role::ALL))]
    role: Role,
    /// What an employee may do; viewer unless said before
    #[arg(long, value_parser = Words(Right::ALL))]
    right: Option<Right>,
    #[command(flatten)]
    sure: Sure,
}

impl Edit {
    /// Edits.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        context.danger(&format!("edit user {}", self.who), self.sure)?;
        let body = EditUser {
            name: self.name.map(|name| (!name.is_empty()).then_some(name)),
            email: self.email,
            ..EditUser::default()
        };
        edit(context, &self.who, &body, |_| "changed".to_owned()).await
    }
}

impl GiveRole {
    /// Gives the role.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        if self.right.is_some() && self.role != Role::Employee {
            return Err(Failure::Usage(format!("--right is for employees, not for a {}", self.role)));
        }
        let right = self.right.map(|right| format!(" ({right})")).unwrap_or_default();
        context.danger(&format!("make user {} a {}{right}", self.who, self.role), self.sure)?;
        let body = EditUser { role: Some(self.role), right: self.right, ..EditUser::default() };
        edit(context, &self.who, &body, |account| format!("is now a {}", standing(&account.user))).await
    }
}

impl One {
    /// `disable` and `enable`.
    pub async fn active(self, context: &Context, active: bool) -> Result<(), Failure> {
        let verb = if active { "enable" } else { "disable" };
        context.danger(&format!("{verb} user {}", self.who), self.sure)?;
        let body = EditUser { is_active: Some(active), ..EditUser::default() };
        let words = if active { "may sign in again" } else { "disabled; every session has ended" };
        edit(context, &self.who, &body, |_| words.to_owned()).await
    }

    /// `unlock`.
    pub async fn unlock(self, context: &Context) -> Result<(), Failure> {
        context.danger(&format!("unlock user {}", self.who), self.sure)?;
        let account = context.client.unlock_user(one(context, &self.who).await?).await?;
        tell(context, &account, "unlocked")
    }

    /// `revoke-sessions`.
    pub async fn revoke_sessions(self, context: &Context) -> Result<(), Failure> {
        context.danger(&format!("end every session of user {}", self.who), self.sure)?;
        context.client.revoke_user_sessions(one(context, &self.who).await?).await?;
        context.out.done(&format!("{}: every session has ended", self.who))
    }

    /// `delete`.
    pub async fn delete(self, context: &Context) -> Result<(), Failure> {
        let deed = format!("erase user {} and cancel their bookings and launches", self.who);
        context.danger(&deed, self.sure)?;
        context.client.delete_user(one(context, &self.who).await?).await?;
        context.out.done(&format!("{}: erased; what was theirs is cancelled", self.who))
    }
}

async fn edit(
    context: &Context,
    who: &Who,
    body: &EditUser,
    words: impl FnOnce(&Account) -> String,
) -> Result<(), Failure> {
    let account = context.client.edit_user(one(context, who).await?, body).await?;
    tell(context, &account, &words(&account))
}

/// What the account is now.
fn tell(context: &Context, account: &Account, words: &str) -> Result<(), Failure> {
    context.out.answer(account, |out| out.done(&format!("{}: {words}", account.user.email)))
}
