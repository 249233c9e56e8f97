//! `users`: look at accounts and act on them. (`user add` makes one on the machine of the daemon.)
//!
//! - [`list`], [`show`]: reading.
//! - [`act`]: what is done to one account.
//! - [`who`]: which user is meant, by id or by e-mail address.

mod act;
mod list;
mod show;
pub mod who;

use astrops_api::{auth::User, vocabulary::Right};

use super::{context::Context, failure::Failure};

/// What can be done about users.
#[derive(clap::Subcommand)]
pub enum Command {
    /// List users, newest first.
    List(list::Args),
    /// Show one user with the state of the account.
    Show(show::Args),
    /// Change name or address.
    Edit(act::Edit),
    /// Give another role, or an employee another right.
    Role(act::GiveRole),
    /// End every session of a user and let nobody sign in.
    Disable(act::One),
    /// Let a disabled user sign in again.
    Enable(act::One),
    /// Lift the lock that wrong passwords caused.
    Unlock(act::One),
    /// List a user's living sessions, the last used first.
    Sessions(show::Sessions),
    /// End every session of a user.
    RevokeSessions(act::One),
    /// Cancel what is the user's, erase the person, and let nobody sign in.
    Delete(act::One),
}

impl Command {
    /// Does it.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List(args) => args.run(context).await,
            Self::Show(args) => args.run(context).await,
            Self::Edit(args) => args.run(context).await,
            Self::Role(args) => args.run(context).await,
            Self::Disable(args) => args.active(context, false).await,
            Self::Enable(args) => args.active(context, true).await,
            Self::Unlock(args) => args.unlock(context).await,
            Self::Sessions(args) => args.run(context).await,
            Self::RevokeSessions(args) => args.revoke_sessions(context).await,
            Self::Delete(args) => args.delete(context).await,
        }
    }
}

/// `operator`, `viewer`, or the role of somebody who is no employee.
fn standing(user: &User) -> &'static str {
    user.right.map_or(user.role.as_str(), Right::as_str)
}
