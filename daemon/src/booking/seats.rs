//! Booking seats and giving them back.

use astrops_api::{
    bookings::{Attendee, BookedLaunch, Booking},
    ids::{BookingId, LaunchId, UserId},
    launches::{CapacityChange, Launch},
    vocabulary::{
        BookingStatus, CapacityOperation, DomainEventKind, LaunchStatus, NotificationType, PaymentStatus,
    },
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::{Act, Desk, Refusal, checks::MOST_SEATS};
use crate::{
    accounts,
    db::Tx,
    jobs::notification::mask,
    payments::request_refunds,
    store::{
        bookings::{self, NewBooking, StoredBooking},
        capacity,
        contacts::{self, Contact},
        launches,
        outbox::{self, NewEvent},
    },
};

/// Customers are reminded so long before the start.
pub const REMINDER: TimeDelta = TimeDelta::hours(24);

/// What somebody wants to book.
#[derive(Clone, Copy)]
pub struct Order {
    /// Seats of this launch.
    pub launch: LaunchId,
    /// For this customer.
    pub customer: UserId,
    /// So many.
    pub quantity: u32,
}

/// Who cancels a booking.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Canceller {
    /// The customer: only before the launch.
    Customer,
    /// An operator, or an account that is deleted: at any time.
    Office,
}

/// Whether seats of `launch` can be booked at `now`.
pub fn check_sale(launch: &Launch, now: DateTime<Utc>) -> Result<(), Refusal> {
    if !launch.is_active {
        return Err(Refusal::NoLaunch(launch.id));
    }
    check_ahead(launch, now)?;
    match launch.sales_start_at {
        Some(sale) if sale > now => Err(Refusal::SalesNotStarted(sale)),
        _ => Ok(()),
    }
}

/// Whether `order` can be had of `launch`: on sale, not booked by the customer already, seats left.
async fn check_order(tx: &mut Tx, launch: &Launch, order: Order, now: DateTime<Utc>) -> Result<(), Refusal> {
    check_sale(launch, now)?;
    if let Some(id) = bookings::active_of(tx, launch.id, order.customer).await? {
        return Err(Refusal::AlreadyBooked(id));
    }
    if launch.available_tickets < order.quantity {
        return Err(Refusal::SoldOut(launch.available_tickets));
    }
    Ok(())
}

/// The booking that was just stored, as reading it would answer.
fn made(new: &NewBooking, launch: &Launch, customer: Contact) -> StoredBooking {
    let booking = Booking {
        id: new.id,
        launch_id: launch.id,
        user_id: new.user,
        launch: BookedLaunch { title: launch.title.clone(), start_date_time: launch.start_date_time },
        user: Attendee { id: new.user, name: customer.name, email: Some(customer.email) },
        ticket_quantity: new.quantity,
        total_amount: new.amount,
        status: BookingStatus::Confirmed,
        booking_date: new.at,
        payment_status: new.payment_status,
        payment_method: None,
        payment_transaction_id: None,
        cancellation_reason: None,
        cancelled_at: None,
        created_at: new.at,
        updated_at: new.at,
    };
    StoredBooking { booking, host: launch.host_id, venue: launch.venue.clone() }
}

/// Whether `launch` is still to come.
pub fn check_ahead(launch: &Launch, now: DateTime<Utc>) -> Result<(), Refusal> {
    match launch.status {
        LaunchStatus::Cancelled => Err(Refusal::LaunchCancelled),
        LaunchStatus::Completed => Err(Refusal::LaunchStarted(launch.start_date_time)),
        LaunchStatus::Scheduled if launch.start_date_time <= now => {
            Err(Refusal::LaunchStarted(launch.start_date_time))
        }
        LaunchStatus::Scheduled => Ok(()),
    }
}

impl Desk {
    /// The transaction of the documents: lock the launch, see that it is on sale and has the seats, that the customer
    /// has no active booking of it, take the seats, write capacity log, booking, event and notices.
    pub async fn book(&self, tx: &mut Tx, act: Act<'_>, order: Order) -> Result<StoredBooking, Refusal> {
        if !(1..=MOST_SEATS).contains(&order.quantity) {
            let detail = format!("must be 1 to {MOST_SEATS}, not {}", order.quantity);
            return Err(Refusal::field("/ticketQuantity", detail));
        }
        let customer = contacts::lock_customer(tx, order.customer).await?;
        let customer = customer.ok_or_else(|| Refusal::field("/userId", "must be an active customer"))?;
        // What needs no lock comes before it: a sold-out launch is refused without queueing for its row.
        let seen = launches::find(tx, order.launch).await?.ok_or(Refusal::NoLaunch(order.launch))?;
        let host = contacts::find(tx, seen.host_id).await?;
        check_order(tx, &seen, order, act.now).await?;
        let launch = launches::lock(tx, order.launch).await?.ok_or(Refusal::NoLaunch(order.launch))?;
        check_order(tx, &launch, order, act.now).await?;
        let amount = launch.price.times(i64::from(order.quantity)).ok_or_else(|| {
            Refusal::field("/ticketQuantity", "makes an amount that is too large; book fewer seats")
        })?;
        let id = BookingId::from(accounts::new_entity_id(&self.clock));
        // Nothing to pay is paid.
        let payment_status = if amount.minor() == 0 { PaymentStatus::Paid } else { PaymentStatus::Pending };
        let reminded_for = Some(launch.start_date_time).filter(|start| *start - REMINDER <= act.now);
        launches::take_seats(tx, launch.id, i64::from(order.quantity), act.now).await?;
        let new = NewBooking {
            id,
            launch: launch.id,
            user: order.customer,
            quantity: order.quantity,
            amount,
            payment_status,
            reminded_for,
            at: act.now,
        };
        bookings::insert(tx, &new).await?;
        let change = self.change(CapacityOperation::Reserve, launch.id, id, order.quantity, act.now);
        capacity::insert(tx, &[change]).await?;
        let stored = made(&new, &launch, customer);
        let left = launch.available_tickets - order.quantity;
        self.announce(tx, act, DomainEventKind::BookingCreated, &stored, left).await?;
        let who = mask(stored.booking.user.email.as_deref().unwrap_or_default());
        let told = format!("{} of {} booked by {who}: {left} left", seats(order.quantity), launch.title);
        let entry = self.entry(told, launch.id, Some(&stored.booking)).user(order.customer);
        let mut notices = vec![self.to_customer(NotificationType::BookingConfirmed, &stored, json!({}))];
        notices.extend(host.map(|host| self.new_booking(&stored, host)));
        self.tell(tx, act, entry, notices).await?;
        Ok(stored)
    }

    /// Cancels a booking: gives its seats back, refunds what was paid, tells the customer.
    pub async fn cancel_booking(
        &self,
        tx: &mut Tx,
        act: Act<'_>,
        id: BookingId,
        canceller: Canceller,
        reason: Option<&str>,
    ) -> Result<StoredBooking, Refusal> {
        let known = bookings::find(tx, id).await?.ok_or(Refusal::NoBooking(id))?;
        let launch_id = known.booking.launch_id;
        let launch = launches::lock(tx, launch_id).await?.ok_or(Refusal::NoLaunch(launch_id))?;
        let stored = bookings::lock(tx, id).await?.ok_or(Refusal::NoBooking(id))?;
        if stored.booking.status == BookingStatus::Cancelled {
            return Err(Refusal::AlreadyCancelled);
        }
        if canceller == Canceller::Customer && launch.start_date_time <= act.now {
            return Err(Refusal::LaunchStarted(launch.start_date_time));
        }
        bookings::cancel(tx, id, reason, act.now).await?;
        let quantity = stored.booking.ticket_quantity;
        launches::take_seats(tx, launch_id, -i64::from(quantity), act.now).await?;
        let change = self.change(CapacityOperation::Release, launch_id, id, quantity, act.now);
        capacity::insert(tx, &[change]).await?;
        request_refunds(tx, &self.clock, act, &[id]).await?;
        let stored = bookings::find(tx, id).await?.ok_or(Refusal::NoBooking(id))?;
        self.announce(
            tx,
            act,
            DomainEventKind::BookingCancelled,
            &stored,
            launch.available_tickets + quantity,
        )
        .await?;
        let why = reason.map_or_else(String::new, |reason| format!(": {reason}"));
        let told = format!("booking of {} of {} cancelled{why}", seats(quantity), launch.title);
        let user = stored.booking.user_id;
        let entry = self.entry(told, launch_id, Some(&stored.booking)).user(user);
        let notice =
            self.to_customer(NotificationType::BookingCancelled, &stored, json!({ "reason": reason }));
        self.tell(tx, act, entry, vec![notice]).await?;
        Ok(stored)
    }

    /// The event of a booking, and that of its launch, whose seats have changed.
    async fn announce(
        &self,
        tx: &mut Tx,
        act: Act<'_>,
        kind: DomainEventKind,
        stored: &StoredBooking,
        left: u32,
    ) -> Result<(), sqlx::Error> {
        let Booking { id, launch_id, user_id, status, payment_status, ticket_quantity, .. } = &stored.booking;
        let booking = json!({
            "launchId": launch_id, "status": status, "paymentStatus": payment_status, "ticketQuantity": ticket_quantity,
        });
        let events = [
            NewEvent::booking(kind, *id, *user_id, stored.host, booking),
            NewEvent::launch(DomainEventKind::LaunchUpdated, *launch_id, json!({ "availableTickets": left })),
        ];
        outbox::insert(tx, &self.clock, act.now, &events).await
    }

    /// A row of the capacity log.
    pub(super) fn change(
        &self,
        operation: CapacityOperation,
        launch_id: LaunchId,
        booking: BookingId,
        quantity: u32,
        timestamp: DateTime<Utc>,
    ) -> CapacityChange {
        let id = self.clock.new_id();
        CapacityChange { id, launch_id, operation, quantity, booking_id: Some(booking), timestamp }
    }
}

/// `1 seat`, `2 seats`.
fn seats(quantity: u32) -> String {
    format!("{quantity} {}", if quantity == 1 { "seat" } else { "seats" })
}
