//! `launches list`.

use astrops_api::{
    launches::{LaunchPage, LaunchQuery},
    vocabulary::LaunchStatus,
};
use chrono::{DateTime, Utc};

use crate::cli::{
    context::Context,
    failure::Failure,
    listing::{self, Slice, counts},
    table::{Cell, Fit, Table},
    times,
    users::who::{self, Who},
    words::Words,
};

/// Arguments of `launches list`.
#[derive(clap::Args)]
pub struct Args {
    /// Only with this status
    #[arg(long, value_parser = Words(LaunchStatus::ALL))]
    status: Option<LaunchStatus>,
    /// Only those that can be booked now, with seats left
    #[arg(long, conflicts_with = "unavailable")]
    available: bool,
    /// Only those that cannot be booked now
    #[arg(long)]
    unavailable: bool,
    /// Only of this supplier, by id or e-mail address
    #[arg(long, value_name = "ID")]
    host: Option<Who>,
    /// Only of this category, whatever the case
    #[arg(long, value_name = "TEXT")]
    category: Option<String>,
    /// Starting since this time: 2026-08-01T10:00:00Z, 2026-08-01, the next 10:00 (UTC), or 7d from now
    #[arg(long, value_name = "TIME", value_parser = times::future)]
    from: Option<DateTime<Utc>>,
    /// Starting until this time
    #[arg(long, value_name = "TIME", value_parser = times::future)]
    to: Option<DateTime<Utc>>,
    /// Only with this text in title, description or venue, whatever the case
    #[arg(long = "query", value_name = "TEXT", alias = "q", alias = "search")]
    q: Option<String>,
    /// What to sort by; date is the start
    #[arg(long, value_parser = ["date", "title", "createdAt", "occupancy"])]
    sort: Option<String>,
    #[command(flatten)]
    slice: Slice,
}

impl Args {
    /// Lists.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let Slice { page, page_size, limit, offset, order } = self.slice.usual();
        let query = LaunchQuery {
            from: self.from,
            to: self.to,
            host_id: who::maybe(context, self.host.as_ref()).await?,
            category: self.category,
            q: self.q,
            status: self.status,
            available: (self.available || self.unavailable).then_some(self.available),
            sort: self.sort,
            page,
            page_size,
            limit,
            offset,
            order,
        };
        let page = context.client.launches(&query).await?;
        context.out.answer(&page, |_| {
            let ids = page.launches.iter().map(|launch| launch.id.to_string());
            listing::write(context, "launches", counts!(page.launches), ids, || table(&page, context.now))
        })
    }
}

fn table(page: &LaunchPage, now: DateTime<Utc>) -> Table<8> {
    let mut table = Table::new([
        ("ID", Fit::Whole),
        ("START", Fit::Whole),
        ("TITLE", Fit::Cut),
        ("VENUE", Fit::Optional(2)),
        ("CATEGORY", Fit::Optional(3)),
        ("SEATS", Fit::Number),
        ("PRICE", Fit::Optional(1)),
        ("STATE", Fit::Whole),
    ]);
    for launch in &page.launches {
        let (state, tone) = super::state(launch, now);
        table.row([
            launch.id.to_string().into(),
            times::ago(now, launch.start_date_time).into(),
            launch.title.as_str().into(),
            launch.venue.as_deref().unwrap_or_default().into(),
            launch.category.as_deref().unwrap_or_default().into(),
            format!("{}/{}", launch.number_of_attendees, launch.capacity).into(),
            format!("{:>8}", launch.price).into(),
            Cell::new(state, tone),
        ]);
    }
    table
}
