//! `bookings create`, `cancel`, `pay`.

use astrops_api::{
    bookings::{self, Booking, CancelBooking, NewBooking, Paid},
    ids::{BookingId, LaunchId},
    vocabulary::{PaymentState, PaymentStatus},
};

use crate::cli::{
    context::{Context, Sure},
    each::{Done, each},
    failure::{Failure, code, tell},
    prompt,
    users::who::{self, Who},
};

/// Arguments of `bookings create`.
#[derive(clap::Args)]
pub struct Create {
    /// The launch: a UUID or 24 hexadecimal digits
    #[arg(long, value_name = "ID", alias = "event")]
    launch: LaunchId,
    /// The customer, by id or e-mail address; operators must say it, customers are it
    #[arg(long, value_name = "ID")]
    user: Option<Who>,
    /// How many seats
    #[arg(long, value_name = "N", default_value_t = 1)]
    seats: u32,
    #[command(flatten)]
    sure: Sure,
}

/// Arguments of `bookings cancel`.
#[derive(clap::Args)]
pub struct Cancel {
    /// One booking or several: UUIDs or 24 hexadecimal digits
    #[arg(required = true, value_name = "ID")]
    ids: Vec<BookingId>,
    /// Why; told to the customer
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    sure: Sure,
}

/// Arguments of `bookings pay`.
#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("with").required(true).args(["card_stdin", "payment_method"])))]
pub struct Pay {
    /// The booking: a UUID or 24 hexadecimal digits
    id: BookingId,
    /// Read the number of a published test card from the first line of stdin
    #[arg(long)]
    card_stdin: bool,
    /// A payment method of the provider, such as `pm_card_visa`
    #[arg(long, value_name = "ID")]
    payment_method: Option<String>,
    #[command(flatten)]
    sure: Sure,
}

impl Create {
    /// Books.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let seats = seats(self.seats);
        let whom = self.user.as_ref().map(|user| format!(" for {user}")).unwrap_or_default();
        context.danger(&format!("book {seats} of launch {}{whom}", self.launch), self.sure)?;
        let body = NewBooking {
            launch_id: Some(self.launch),
            event_id: None,
            ticket_quantity: self.seats,
            user_id: who::maybe(context, self.user.as_ref()).await?,
        };
        let booking = context.client.book(&body).await?;
        if context.out.quiet && !context.out.json {
            return context.out.line(&booking.id.to_string());
        }
        context.out.answer(&booking, |out| {
            let (title, amount) = (&booking.launch.title, booking.total_amount);
            out.done(&format!("{}: {seats} of {title} for {amount}", booking.id))
        })
    }
}

impl Cancel {
    /// Cancels.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let deed = match self.ids.as_slice() {
            [id] => format!("cancel booking {id}"),
            ids => format!("cancel {} bookings", ids.len()),
        };
        context.danger(&deed, self.sure)?;
        let body = CancelBooking { reason: self.reason };
        let call = async |id| {
            let booking = context.client.cancel_booking(id, &body).await?;
            Ok(Done::well(&cancelled(&booking), &booking))
        };
        each("booking", self.ids, context, call).await
    }
}

impl Pay {
    /// Pays. Fails unless the money has arrived.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        context.danger(&format!("pay booking {}", self.id), self.sure)?;
        let card = if self.card_stdin { Some(prompt::secret("Card number", true)?) } else { None };
        let body = bookings::Pay { card, payment_method_id: self.payment_method };
        let paid = context.client.pay(self.id, &body).await?;
        if paid.payment.status == PaymentState::Paid {
            let method =
                paid.payment.method.as_ref().map(|method| format!(" with {method}")).unwrap_or_default();
            return context.out.answer(&paid, |out| {
                out.done(&format!(
                    "{}: {} {} paid{method}",
                    self.id, paid.payment.amount, paid.payment.currency
                ))
            });
        }
        if context.out.json {
            context.out.document(&paid)?;
        } else {
            tell(&waiting(self.id, &paid));
        }
        Err(Failure::Told(code::FAILED))
    }
}

/// Why it is not paid yet, and what happens next.
fn waiting(id: BookingId, paid: &Paid) -> String {
    let next = match paid.next_action.as_ref().and_then(|action| action.url.as_deref()) {
        Some(url) => format!("the customer has to confirm it: {url}"),
        None => format!("the provider has not answered and is asked again; see: astrops bookings show {id}"),
    };
    format!("{id}: not paid yet ({})\n{next}", paid.payment.status)
}

fn seats(count: u32) -> String {
    if count == 1 { "1 seat".to_owned() } else { format!("{count} seats") }
}

/// What the end of a booking means.
fn cancelled(booking: &Booking) -> String {
    let money = match booking.payment_status {
        PaymentStatus::Paid => "; the money goes back",
        PaymentStatus::Refunded => "; the money went back",
        PaymentStatus::Pending | PaymentStatus::Failed => "",
    };
    let seats = seats(booking.ticket_quantity);
    format!("cancelled, {seats} of {} free again{money}", booking.launch.title)
}
