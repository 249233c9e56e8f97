//! `bookings show`.

use astrops_api::{
    bookings::{Booking, BookingDetail, Payment},
    ids::BookingId,
    vocabulary::{PaymentMethod, PaymentState},
};

use crate::cli::{
    context::Context,
    failure::Failure,
    launches::show::capacity_table,
    output::{Output, Tone},
    table::{Cell, Facts, Fit, Table},
    times,
};

/// Arguments of `bookings show`.
#[derive(clap::Args)]
pub struct Args {
    /// The booking: a UUID or 24 hexadecimal digits
    id: BookingId,
}

impl Args {
    /// Shows.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let detail = context.client.booking(self.id).await?;
        context.out.answer(&detail, |out| {
            if out.quiet { out.line(&detail.booking.id.to_string()) } else { write(&detail, out) }
        })
    }
}

fn write(detail: &BookingDetail, out: Output) -> Result<(), Failure> {
    facts(&detail.booking).write(out)?;
    if !detail.payments.is_empty() {
        out.line("")?;
        out.line(&out.paint(Tone::Strong, "PAYMENTS"))?;
        payments(&detail.payments).write(out)?;
    }
    if !detail.capacity_log.is_empty() {
        out.line("")?;
        out.line(&out.paint(Tone::Strong, "SEATS"))?;
        capacity_table(&detail.capacity_log).write(out)?;
    }
    Ok(())
}

fn facts(booking: &Booking) -> Facts {
    let mut facts = Facts::default();
    facts.add("booking", booking.id.to_string());
    facts.toned("status", booking.status.as_str(), super::tone(booking.status));
    facts.maybe("cancelled", booking.cancelled_at.map(times::stamp));
    facts.maybe("reason", booking.cancellation_reason.as_deref());
    let launch = &booking.launch;
    facts.add("launch", format!("{}  ({})", launch.title, booking.launch_id));
    facts.add("starts", times::stamp(launch.start_date_time));
    let user = &booking.user;
    let who =
        [user.name.as_deref(), user.email.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(", ");
    facts.add("customer", format!("{who}  ({})", user.id).trim_start().to_owned());
    facts.add("seats", booking.ticket_quantity.to_string());
    facts.add("amount", booking.total_amount.to_string());
    facts.toned("payment", booking.payment_status.as_str(), super::payment_tone(booking.payment_status));
    facts.maybe("paid by", booking.payment_method.map(PaymentMethod::as_str));
    facts.maybe("reference", booking.payment_transaction_id.as_deref());
    facts.add("booked", times::stamp(booking.booking_date));
    facts.add("changed", times::stamp(booking.updated_at));
    facts
}

fn payments(payments: &[Payment]) -> Table<7> {
    let mut table = Table::new([
        ("BEGUN", Fit::Whole),
        ("STATUS", Fit::Whole),
        ("AMOUNT", Fit::Number),
        ("METHOD", Fit::Whole),
        ("PROVIDER", Fit::Optional(2)),
        ("REFERENCE", Fit::Optional(1)),
        // The reason is what one came for.
        ("ERROR", Fit::Whole),
    ]);
    for payment in payments {
        let tone = match payment.status {
            PaymentState::Paid => Tone::Good,
            PaymentState::Failed => Tone::Bad,
            PaymentState::Pending | PaymentState::RequiresAction => Tone::Busy,
            PaymentState::Refunding | PaymentState::Refunded => Tone::Warn,
        };
        let error = payment.error.as_deref().or(payment.error_code.as_deref());
        table.row([
            times::stamp(payment.created_at).into(),
            Cell::new(payment.status.as_str(), tone),
            format!("{} {}", payment.amount, payment.currency).into(),
            payment.method.as_deref().unwrap_or_default().into(),
            payment.provider.as_str().into(),
            payment.refund.as_deref().or(payment.intent.as_deref()).unwrap_or_default().into(),
            error.unwrap_or_default().into(),
        ]);
    }
    table
}
