//! `bookings list`.

use astrops_api::{
    bookings::{Attendee, BookingPage, BookingQuery},
    ids::LaunchId,
    vocabulary::{BookingStatus, PaymentStatus},
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

/// Arguments of `bookings list`.
#[derive(clap::Args)]
pub struct Args {
    /// Only with this status
    #[arg(long, value_parser = Words(BookingStatus::ALL))]
    status: Option<BookingStatus>,
    /// Only with this status of their payment
    #[arg(long, value_name = "STATUS", value_parser = Words(PaymentStatus::ALL))]
    payment_status: Option<PaymentStatus>,
    /// Only of this launch
    #[arg(long, value_name = "ID")]
    launch: Option<LaunchId>,
    /// Only of this customer, by id or e-mail address
    #[arg(long, value_name = "ID")]
    user: Option<Who>,
    /// Booked since this time: 2026-08-01T10:00:00Z, 2026-08-01, 10:00 today (UTC), or 2h for two hours ago
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = times::past, alias = "since")]
    from: Option<DateTime<Utc>>,
    /// Booked until this time
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = times::past)]
    to: Option<DateTime<Utc>>,
    /// Only with this text in title, name, address or payment reference, whatever the case
    #[arg(long = "query", value_name = "TEXT", alias = "q", alias = "search")]
    q: Option<String>,
    /// What to sort by; date is when it was booked
    #[arg(long, value_parser = ["date", "amount", "seats"])]
    sort: Option<String>,
    #[command(flatten)]
    slice: Slice,
}

impl Args {
    /// Lists.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let Slice { page, page_size, limit, offset, order } = self.slice.usual();
        let query = BookingQuery {
            status: self.status,
            payment_status: self.payment_status,
            launch_id: self.launch,
            event_id: None,
            user_id: who::maybe(context, self.user.as_ref()).await?,
            from: self.from,
            to: self.to,
            q: self.q,
            sort: self.sort,
            page,
            page_size,
            limit,
            offset,
            order,
        };
        write(context, &context.client.bookings(&query).await?)
    }
}

/// A page of bookings.
pub fn write(context: &Context, page: &BookingPage) -> Result<(), Failure> {
    context.out.answer(page, |_| {
        let ids = page.bookings.iter().map(|booking| booking.id.to_string());
        listing::write(context, "bookings", counts!(page.bookings), ids, || table(page, context.now))
    })
}

fn table(page: &BookingPage, now: DateTime<Utc>) -> Table<8> {
    let mut table = Table::new([
        ("ID", Fit::Whole),
        ("AGE", Fit::Number),
        ("CUSTOMER", Fit::Cut),
        ("LAUNCH", Fit::Optional(1)),
        ("SEATS", Fit::Optional(2)),
        ("AMOUNT", Fit::Optional(3)),
        ("STATUS", Fit::Whole),
        ("PAYMENT", Fit::Whole),
    ]);
    for booking in &page.bookings {
        table.row([
            booking.id.to_string().into(),
            times::ago(now, booking.booking_date).into(),
            customer(&booking.user).into(),
            booking.launch.title.as_str().into(),
            format!("{:>5}", booking.ticket_quantity).into(),
            format!("{:>8}", booking.total_amount).into(),
            Cell::new(booking.status.as_str(), super::tone(booking.status)),
            Cell::new(booking.payment_status.as_str(), super::payment_tone(booking.payment_status)),
        ]);
    }
    table
}

/// The customer in as few words as tell who it is.
fn customer(attendee: &Attendee) -> String {
    match (&attendee.email, &attendee.name) {
        (Some(email), _) => email.clone(),
        (None, Some(name)) => name.clone(),
        (None, None) => attendee.id.to_string(),
    }
}
