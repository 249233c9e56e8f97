//! `launches show`, `launches bookings`, `launches capacity-log`.

use astrops_api::{
    bookings::BookingQuery,
    ids::LaunchId,
    launches::{CapacityChange, CapacityLogQuery, Launch},
    vocabulary::{BookingStatus, CapacityOperation, PaymentStatus},
};
use chrono::{DateTime, Utc};

use crate::cli::{
    bookings,
    context::Context,
    failure::Failure,
    listing::{self, Slice, counts},
    output::Tone,
    table::{Cell, Facts, Fit, Table},
    times,
    words::Words,
};

/// Arguments of `launches show`.
#[derive(clap::Args)]
pub struct Args {
    /// The launch: a UUID or 24 hexadecimal digits
    id: LaunchId,
}

/// Arguments of `launches bookings`.
#[derive(clap::Args)]
pub struct Bookings {
    /// The launch: a UUID or 24 hexadecimal digits
    id: LaunchId,
    /// Only with this status
    #[arg(long, value_parser = Words(BookingStatus::ALL))]
    status: Option<BookingStatus>,
    /// Only with this status of their payment
    #[arg(long, value_name = "STATUS", value_parser = Words(PaymentStatus::ALL))]
    payment_status: Option<PaymentStatus>,
    #[command(flatten)]
    slice: Slice,
}

/// Arguments of `launches capacity-log`.
#[derive(clap::Args)]
pub struct CapacityLog {
    /// The launch: a UUID or 24 hexadecimal digits
    id: LaunchId,
    #[command(flatten)]
    slice: Slice,
}

impl Args {
    /// Shows.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let launch = context.client.launch(self.id).await?;
        context.out.answer(&launch, |out| {
            if out.quiet { out.line(&launch.id.to_string()) } else { facts(&launch, context.now).write(out) }
        })
    }
}

impl Bookings {
    /// Lists.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let Slice { page, page_size, limit, offset, order } = self.slice.usual();
        let query = BookingQuery {
            status: self.status,
            payment_status: self.payment_status,
            page,
            page_size,
            limit,
            offset,
            order,
            ..BookingQuery::default()
        };
        bookings::list::write(context, &context.client.launch_bookings(self.id, &query).await?)
    }
}

impl CapacityLog {
    /// Lists.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let Slice { page, page_size, limit, offset, order } = self.slice.usual();
        let query = CapacityLogQuery { page, page_size, limit, offset, order };
        let page = context.client.capacity_log(self.id, &query).await?;
        context.out.answer(&page, |_| {
            let ids = page.changes.iter().map(|change| change.id.to_string());
            listing::write(context, "changes", counts!(page.changes), ids, || capacity_table(&page.changes))
        })
    }
}

fn facts(launch: &Launch, now: DateTime<Utc>) -> Facts {
    let (state, tone) = super::state(launch, now);
    let mut facts = Facts::default();
    facts.add("launch", launch.id.to_string());
    facts.add("title", &launch.title);
    facts.toned("state", state, tone);
    if !launch.is_active {
        facts.toned("hidden", "not in the public list; its sale is closed", Tone::Warn);
    }
    facts.maybe("description", launch.description.as_deref());
    facts.maybe("venue", launch.venue.as_deref());
    facts.maybe("category", launch.category.as_deref());
    let start = launch.start_date_time;
    facts.add("starts", format!("{}  ({})", times::stamp(start), times::ago(now, start)));
    facts.add("ends", times::stamp(launch.end_date_time));
    facts.maybe("sale starts", launch.sales_start_at.map(times::stamp));
    let (held, all) = (launch.number_of_attendees, launch.capacity);
    facts.add("seats", format!("{held} of {all} held, {} left", launch.available_tickets));
    facts.add("price", launch.price.to_string());
    facts.add("supplier", launch.host_id.to_string());
    facts.add("created", times::stamp(launch.created_at));
    facts.add("changed", times::stamp(launch.updated_at));
    facts
}

/// How the seats of a launch, or of one booking, came and went.
pub fn capacity_table(changes: &[CapacityChange]) -> Table<4> {
    let mut table = Table::new([
        ("TIME", Fit::Whole),
        ("SEATS", Fit::Number),
        ("OPERATION", Fit::Whole),
        ("BOOKING", Fit::Whole),
    ]);
    for change in changes {
        let (sign, tone) = match change.operation {
            CapacityOperation::Reserve => ('+', Tone::Plain),
            CapacityOperation::Release => ('-', Tone::Warn),
        };
        table.row([
            times::stamp(change.timestamp).into(),
            format!("{sign}{}", change.quantity).into(),
            Cell::new(change.operation.as_str(), tone),
            change.booking_id.map(|id| id.to_string()).unwrap_or_default().into(),
        ]);
    }
    table
}
