//! The two transactions of a payment: how it begins, and what an answer makes of it.

use astrops_api::{
    problem::FieldError,
    vocabulary::{
        BookingStatus, DomainEventKind, EventType, NotificationType, PaymentState, PaymentStatus, Provider,
        Severity,
    },
};
use serde_json::json;
use uuid::Uuid;

use super::{
    Cashier, Refusal, cards,
    provider::Report,
    refunds,
    state::{self, Fate},
};
use crate::{
    booking::Act,
    db::Tx,
    logs::Entry,
    store::{
        bookings::{self, PaymentOutcome, StoredBooking},
        logs,
        outbox::{self, NewEvent},
        payments::{self, StoredPayment},
    },
};

impl Cashier {
    /// The payment to ask about for a booking that the transaction has locked: the one that is open, or a new one by
    /// `method`.
    pub async fn begin(
        &self,
        tx: &mut Tx,
        act: Act<'_>,
        stored: &StoredBooking,
        method: String,
    ) -> Result<StoredPayment, Refusal> {
        let booking = &stored.booking;
        if booking.status == BookingStatus::Cancelled {
            return Err(Refusal::Cancelled);
        }
        let open = payments::open_of(tx, booking.id).await?;
        if booking.payment_status == PaymentStatus::Paid
            || open.as_ref().is_some_and(|open| open.status == PaymentState::Paid)
        {
            return Err(Refusal::Paid);
        }
        if let Some(open) = open {
            return Ok(open);
        }
        if self.provider == Provider::Sandbox && cards::of_method(&method).is_none() {
            let known: Vec<_> = cards::TEST_CARDS.iter().map(|card| card.method).collect();
            return Err(Refusal::Field(FieldError {
                pointer: "/paymentMethodId".to_owned(),
                detail: format!("the sandbox knows: {}", known.join(", ")),
            }));
        }
        let payment = StoredPayment {
            id: self.clock.new_id(),
            booking: booking.id,
            provider: self.provider,
            intent: None,
            amount: booking.total_amount,
            currency: self.currency.to_string(),
            status: PaymentState::Pending,
            method,
            error_code: None,
            error_text: None,
            action_url: None,
            refund: None,
            created_at: act.now,
            updated_at: act.now,
        };
        payments::insert(tx, &payment).await?;
        if booking.payment_status != PaymentStatus::Pending {
            let outcome = PaymentOutcome { status: PaymentStatus::Pending, method: None, transaction: None };
            bookings::set_payment(tx, booking.id, &outcome, act.now).await?;
            let event = event(&payment, stored, PaymentStatus::Pending);
            outbox::insert(tx, &self.clock, act.now, &[event]).await?;
        }
        let told = format!("{} begun", named(&payment, stored));
        logs::insert(tx, &[self.about(told, Severity::Info, &payment, stored).into()]).await?;
        Ok(payment)
    }

    /// Writes what `report` makes of a payment: the payment, its booking, the event, the mail, the log, and the refund of
    /// money that nobody wants any more. Answers the payment as it is now; saying the same again changes nothing.
    pub async fn settle(
        &self,
        tx: &mut Tx,
        act: Act<'_>,
        id: Uuid,
        report: &Report,
    ) -> Result<Option<StoredPayment>, sqlx::Error> {
        let Some(known) = payments::find(tx, id).await? else { return Ok(None) };
        // The booking's lock orders everything that happens to its payments, so they are read behind it.
        let Some(stored) = bookings::lock(tx, known.booking).await? else { return Ok(None) };
        let Some(mut payment) = payments::find(tx, id).await? else { return Ok(None) };
        let alone = payments::open_of(tx, payment.booking).await?.is_none_or(|open| open.id == id);
        let active = stored.booking.status != BookingStatus::Cancelled;
        let mut learned = payment.intent.is_none() && report.intent.is_some();
        if learned {
            payment.intent.clone_from(&report.intent);
        }
        if let Fate::Refunded(Some(refund)) = &report.fate
            && payment.refund.is_none()
        {
            (payment.refund, learned) = (Some(refund.clone()), true);
        }
        payment.updated_at = act.now;
        let Some(status) = state::next(payment.status, &report.fate, active && alone) else {
            if learned {
                payments::update(tx, &payment).await?;
            }
            return Ok(Some(payment));
        };
        payment.status = status;
        match &report.fate {
            Fate::Declined(code, text) => {
                payment.error_code = Some(code.clone());
                payment.error_text = Some(text.clone());
            }
            Fate::Succeeded => (payment.error_code, payment.error_text) = (None, None),
            Fate::RequiresAction(url) => payment.action_url.clone_from(url),
            Fate::Refunded(_) | Fate::Processing => {}
        }
        payments::update(tx, &payment).await?;
        if status == PaymentState::Refunding {
            refunds::enqueue(tx, &self.clock, act, &[id]).await?;
        }
        // Another payment that is open or has paid is what the booking tells of.
        if alone {
            let paid = (status == PaymentState::Paid || status == PaymentState::Refunding)
                .then(|| cards::kind_of(&payment.method));
            let outcome = PaymentOutcome {
                status: status.of_booking(),
                method: paid,
                transaction: payment.intent.as_deref().filter(|_| paid.is_some()),
            };
            bookings::set_payment(tx, payment.booking, &outcome, act.now).await?;
        }
        self.announce(tx, act, &payment, &stored, alone).await?;
        Ok(Some(payment))
    }

    /// Event, mail and log entry of a payment that has changed.
    async fn announce(
        &self,
        tx: &mut Tx,
        act: Act<'_>,
        payment: &StoredPayment,
        stored: &StoredBooking,
        alone: bool,
    ) -> Result<(), sqlx::Error> {
        let booking = &stored.booking;
        let payment_status = if alone { payment.status.of_booking() } else { booking.payment_status };
        let event = event(payment, stored, payment_status);
        outbox::insert(tx, &self.clock, act.now, &[event]).await?;

        let active = booking.status != BookingStatus::Cancelled;
        let mail = match payment.status {
            PaymentState::Paid => Some(NotificationType::PaymentReceived),
            PaymentState::Failed if active => Some(NotificationType::PaymentFailed),
            PaymentState::Refunded => Some(NotificationType::RefundIssued),
            _ => None,
        };
        if let Some(kind) = mail {
            let reason = payment.error_text.as_deref().or(booking.cancellation_reason.as_deref());
            let more = json!({
                "amount": payment.amount, "currency": payment.currency,
                "paymentMethod": cards::public_name(&payment.method),
                "transactionId": if payment.status == PaymentState::Refunded { &payment.refund } else { &payment.intent },
                "reason": reason.filter(|_| kind != NotificationType::PaymentReceived),
            });
            let notice = self.desk.to_customer(kind, stored, more);
            self.desk.tell(tx, act, None, vec![notice]).await?;
        }

        let what = named(payment, stored);
        let (told, severity) = match payment.status {
            PaymentState::Failed => (
                format!(
                    "{what} refused: {} ({})",
                    payment.error_text.as_deref().unwrap_or_default(),
                    payment.error_code.as_deref().unwrap_or_default()
                ),
                Severity::Warning,
            ),
            PaymentState::RequiresAction => {
                (format!("{what} waits for the customer to confirm"), Severity::Info)
            }
            PaymentState::Refunding => {
                let why =
                    if active { "another payment pays the booking" } else { "the booking is cancelled" };
                (format!("{what} succeeded, but {why}: it goes back"), Severity::Warning)
            }
            status => (format!("{what} {status}"), Severity::Info),
        };
        logs::insert(tx, &[self.about(told, severity, payment, stored).into()]).await
    }

    /// A system log entry about a payment, with ids to jump by.
    fn about(
        &self,
        told: String,
        severity: Severity,
        payment: &StoredPayment,
        stored: &StoredBooking,
    ) -> Entry {
        let booking = &stored.booking;
        Entry::new(&self.clock, EventType::Booking, severity, told).user(booking.user_id).data(json!({
            "entityType": "booking", "entityId": booking.id, "launchId": booking.launch_id,
            "paymentId": payment.id, "intent": payment.intent,
        }))
    }
}

/// A booking whose payment has changed.
fn event(payment: &StoredPayment, stored: &StoredBooking, payment_status: PaymentStatus) -> NewEvent {
    let booking = &stored.booking;
    let data = json!({
        "launchId": booking.launch_id, "status": booking.status, "paymentStatus": payment_status,
        "ticketQuantity": booking.ticket_quantity, "paymentId": payment.id, "payment": payment.status,
    });
    NewEvent::booking(DomainEventKind::BookingUpdated, booking.id, booking.user_id, stored.host, data)
}

/// `payment of 120.00 usd by visa 4242 for Falcon 9`.
fn named(payment: &StoredPayment, stored: &StoredBooking) -> String {
    format!(
        "payment of {} {} by {} for {}",
        payment.amount,
        payment.currency,
        cards::public_name(&payment.method),
        stored.booking.launch.title
    )
}
