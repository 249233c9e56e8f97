//! Who is told what: each notice is a NOTIFICATION job in the transaction of the change.

use astrops_api::{
    bookings::Booking,
    ids::{JobId, LaunchId},
    launches::Launch,
    logs::LogEntry,
    notifications::NewNotification,
    vocabulary::{EventType, JobType, NotificationType, Severity},
};
use serde_json::{Value, json};

use super::{Act, Desk};
use crate::{
    db::Tx,
    jobs::{Payload, notification::mask},
    logs::Entry,
    store::{bookings::StoredBooking, contacts::Contact, jobs, logs},
};

/// One mail to one recipient.
pub struct Notice {
    /// Which mail.
    pub kind: NotificationType,
    /// The recipient's address.
    pub to: String,
    /// What fills the template.
    pub data: Value,
}

/// Jobs per statement.
const BATCH: usize = 500;

impl Desk {
    /// Writes `entry` and enqueues `notices`. One that cannot be written (an address that no mail can have) is logged, and
    /// the change that causes it goes on.
    pub async fn tell(
        &self,
        tx: &mut Tx,
        act: Act<'_>,
        entry: impl Into<Option<Entry>>,
        notices: Vec<Notice>,
    ) -> Result<(), sqlx::Error> {
        let mut told: Vec<LogEntry> = entry.into().map(LogEntry::from).into_iter().collect();
        let mut queued = Vec::new();
        for notice in notices {
            let new =
                NewNotification { kind: notice.kind, recipient: notice.to, data: notice.data, run_at: None };
            let to = mask(&new.recipient);
            let payload = match self.mailroom.accept(&new) {
                Ok(mail) => Payload::Notification(mail),
                Err(errors) => {
                    let why: Vec<String> = errors
                        .into_iter()
                        .map(|error| format!("{} {}", error.pointer, error.detail))
                        .collect();
                    let line = format!("{} mail to {to} cannot be written: {}", new.kind, why.join("; "));
                    told.push(Entry::new(&self.clock, EventType::Notify, Severity::Error, line).into());
                    continue;
                }
            };
            let id = JobId(self.clock.new_id());
            queued.push(jobs::NewJob {
                id,
                kind: JobType::Notification,
                payload: payload.to_json(),
                run_at: act.now,
                priority: 0,
                max_attempts: self.max_attempts,
                unique_key: None,
                created_by: act.by.to_owned(),
                schedule: None,
                created_at: act.now,
            });
            let line = format!("{} mail to {to} accepted", new.kind);
            told.push(Entry::new(&self.clock, EventType::Job, Severity::Info, line).job(id).into());
        }
        for batch in queued.chunks(BATCH) {
            jobs::enqueue(tx, batch).await?;
        }
        for batch in told.chunks(BATCH) {
            logs::insert(tx, batch).await?;
        }
        Ok(())
    }

    /// A notice about a booking to its customer.
    pub fn to_customer(&self, kind: NotificationType, stored: &StoredBooking, more: Value) -> Notice {
        let to = stored.booking.user.email.clone().unwrap_or_default();
        Notice { kind, to, data: merged(self.about_booking(stored), more) }
    }

    /// `NEW_BOOKING` to the supplier.
    pub fn new_booking(&self, stored: &StoredBooking, host: Contact) -> Notice {
        let who = json!({ "name": host.name, "customerName": stored.booking.user.name });
        let data = merged(self.about_booking(stored), who);
        Notice { kind: NotificationType::NewBooking, to: host.email, data }
    }

    /// A notice about a launch to somebody who has no booking of it.
    pub fn about_launch(
        &self,
        kind: NotificationType,
        launch: &Launch,
        to: Contact,
        host: &Contact,
    ) -> Notice {
        let data = json!({
            "launchId": launch.id,
            "name": to.name,
            "title": launch.title,
            "startDateTime": launch.start_date_time,
            "venue": launch.venue,
            "hostName": host.name,
            "price": launch.price,
            "currency": *self.currency,
            "salesStartAt": launch.sales_start_at,
            "seats": launch.available_tickets,
        });
        Notice { kind, to: to.email, data }
    }

    fn about_booking(&self, stored: &StoredBooking) -> Value {
        let Booking { id, launch_id, launch, user, ticket_quantity, total_amount, .. } = &stored.booking;
        json!({
            "bookingId": id,
            "launchId": launch_id,
            "name": user.name,
            "title": launch.title,
            "startDateTime": launch.start_date_time,
            "venue": stored.venue,
            "seats": ticket_quantity,
            "amount": total_amount,
            "currency": *self.currency,
        })
    }

    /// A system log entry about a launch or booking, with ids to jump by.
    pub fn entry(&self, message: String, launch: LaunchId, booking: Option<&Booking>) -> Entry {
        let mut data = json!({ "entityType": "launch", "entityId": launch, "launchId": launch });
        if let Some(booking) = booking {
            data = json!({ "entityType": "booking", "entityId": booking.id, "launchId": launch });
        }
        Entry::new(&self.clock, EventType::Booking, Severity::Info, message).data(data)
    }
}

/// `base` with the fields of `more`.
fn merged(mut base: Value, more: Value) -> Value {
    if let (Value::Object(base), Value::Object(more)) = (&mut base, more) {
        base.extend(more);
    }
    base
}
