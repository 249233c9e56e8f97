//! `users list`.

use astrops_api::{
    users::{Account, UserPage, UserQuery},
    vocabulary::Role,
};
use chrono::{DateTime, Utc};

use crate::cli::{
    context::Context,
    failure::Failure,
    listing::{self, Slice, counts},
    output::Tone,
    table::{Cell, Fit, Table},
    times,
    words::Words,
};

/// Arguments of `users list`.
#[derive(clap::Args)]
pub struct Args {
    /// Only with this role
    #[arg(long, value_parser = Words(Role::ALL))]
    role: Option<Role>,
    /// Only with this text in e-mail or name, whatever the case
    #[arg(long = "query", value_name = "TEXT", alias = "q", alias = "search")]
    q: Option<String>,
    /// Only those who may sign in
    #[arg(long, conflicts_with = "inactive")]
    active: bool,
    /// Only those who are disabled or erased
    #[arg(long)]
    inactive: bool,
    /// Only those whom wrong passwords have locked for now
    #[arg(long)]
    locked: bool,
    /// What to sort by; date is when the account was made
    #[arg(long, value_parser = ["date", "email", "name", "lastLoginAt"])]
    sort: Option<String>,
    #[command(flatten)]
    slice: Slice,
}

impl Args {
    /// Lists.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let page = context.client.users(&self.query()).await?;
        context.out.answer(&page, |_| {
            let ids = page.users.iter().map(|account| account.user.id.to_string());
            listing::write(context, "users", counts!(page.users), ids, || table(&page, context.now))
        })
    }

    fn query(self) -> UserQuery {
        let Slice { page, page_size, limit, offset, order } = self.slice.usual();
        UserQuery {
            role: self.role,
            q: self.q,
            is_active: (self.active || self.inactive).then_some(self.active),
            is_locked: self.locked.then_some(true),
            sort: self.sort,
            page,
            page_size,
            limit,
            offset,
            order,
        }
    }
}

fn table(page: &UserPage, now: DateTime<Utc>) -> Table<7> {
    let mut table = Table::new([
        ("ID", Fit::Whole),
        ("E-MAIL", Fit::Cut),
        ("NAME", Fit::Optional(1)),
        ("ROLE", Fit::Whole),
        ("STATE", Fit::Whole),
        ("LAST SIGN-IN", Fit::Optional(2)),
        ("AGE", Fit::Optional(3)),
    ]);
    for account in &page.users {
        let user = &account.user;
        let (state, tone) = state(account);
        table.row([
            user.id.to_string().into(),
            user.email.as_str().into(),
            user.name.as_deref().unwrap_or_default().into(),
            super::standing(user).into(),
            Cell::new(state, tone),
            account.last_login_at.map(|time| times::ago(now, time)).unwrap_or_default().into(),
            times::ago(now, user.created_at).into(),
        ]);
    }
    table
}

/// Whether the user may sign in, in one word.
pub const fn state(account: &Account) -> (&'static str, Tone) {
    if !account.is_active {
        ("disabled", Tone::Warn)
    } else if account.is_locked {
        ("locked", Tone::Bad)
    } else {
        ("active", Tone::Good)
    }
}
