//! `bookings`: seats that are held for customers.
//!
//! - [`list`], [`show`]: reading.
//! - [`act`]: book, pay and cancel; operators do it for a customer.

mod act;
pub mod list;
mod show;

use astrops_api::vocabulary::{BookingStatus, PaymentStatus};

use super::{context::Context, failure::Failure, output::Tone};

/// What can be done about bookings.
#[derive(clap::Subcommand)]
pub enum Command {
    /// List bookings, newest first.
    List(list::Args),
    /// Show one booking with its payments and seats.
    Show(show::Args),
    /// Book seats of a launch.
    Create(act::Create),
    /// Cancel a booking: its seats are free again, and the money goes back.
    Cancel(act::Cancel),
    /// Pay a booking.
    Pay(act::Pay),
}

impl Command {
    /// Does it.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List(args) => args.run(context).await,
            Self::Show(args) => args.run(context).await,
            Self::Create(args) => args.run(context).await,
            Self::Cancel(args) => args.run(context).await,
            Self::Pay(args) => args.run(context).await,
        }
    }
}

/// How a status looks wherever it is shown.
const fn tone(status: BookingStatus) -> Tone {
    match status {
        BookingStatus::Confirmed => Tone::Good,
        BookingStatus::Pending => Tone::Busy,
        BookingStatus::Cancelled => Tone::Warn,
    }
}

/// How the status of a payment looks.
const fn payment_tone(status: PaymentStatus) -> Tone {
    match status {
        PaymentStatus::Paid => Tone::Good,
        PaymentStatus::Pending => Tone::Plain,
        PaymentStatus::Failed => Tone::Bad,
        PaymentStatus::Refunded => Tone::Warn,
    }
}
