//! `audit`: who changed what.

use astrops_api::audit::{AuditEntry, AuditPage, AuditQuery};
use chrono::{DateTime, Utc};

use super::{
    context::Context,
    failure::Failure,
    listing::{self, Slice, counts},
    output::json_text,
    table::{Fit, Table},
    times,
};

/// Arguments of `audit`.
#[derive(clap::Args)]
pub struct Args {
    /// Only by this actor: user:ID, key:NAME, cli:USER, provider:NAME or anonymous
    #[arg(long)]
    actor: Option<String>,
    /// Only this action, such as booking.cancel, or every action of a kind: booking
    #[arg(long)]
    action: Option<String>,
    /// Only about this: an id, or the name of a schedule
    #[arg(long, value_name = "ID")]
    target: Option<String>,
    /// Since this time: 2026-08-01T10:00:00Z, 2026-08-01, 10:00 today (UTC), or 2h for two hours ago
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = times::past, visible_alias = "since")]
    from: Option<DateTime<Utc>>,
    /// Until this time
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = times::past, visible_alias = "until")]
    to: Option<DateTime<Utc>>,
    #[command(flatten)]
    slice: Slice,
}

impl Args {
    /// Lists.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let Slice { page, page_size, limit, offset, order } = self.slice.usual();
        let query = AuditQuery {
            actor: self.actor,
            action: self.action,
            target: self.target,
            from: self.from,
            to: self.to,
            page,
            page_size,
            limit,
            offset,
            order,
        };
        let page = context.client.audit(&query).await?;
        context.out.answer(&page, |_| {
            let ids = page.entries.iter().map(|entry| entry.id.to_string());
            listing::write(context, "entries", counts!(page.entries), ids, || table(&page))
        })
    }
}

fn table(page: &AuditPage) -> Table<7> {
    let mut table = Table::new([
        ("TIME", Fit::Whole),
        ("ACTOR", Fit::Cut),
        ("ACTION", Fit::Whole),
        ("TARGET", Fit::Cut),
        ("REASON", Fit::Optional(1)),
        ("FROM", Fit::Optional(3)),
        ("DETAILS", Fit::Optional(2)),
    ]);
    for entry in &page.entries {
        table.row([
            times::stamp(entry.at).into(),
            actor(entry).into(),
            entry.action.as_str().into(),
            entry.target.as_str().into(),
            entry.reason.as_deref().unwrap_or_default().into(),
            entry.ip_address.as_deref().unwrap_or_default().into(),
            if entry.details.is_null() { String::new() } else { json_text(&entry.details, false) }.into(),
        ]);
    }
    table
}

/// A user by address, while it is known; an erased one keeps the id.
fn actor(entry: &AuditEntry) -> &str {
    entry.actor_email.as_deref().unwrap_or(&entry.actor)
}
