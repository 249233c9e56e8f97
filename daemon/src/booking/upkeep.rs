//! What time brings about: sales that start, reminders, launches that are over. Each is a batch of a scheduled job.

use astrops_api::{
    ids::UserId,
    vocabulary::{DomainEventKind, NotificationType},
};
use serde_json::json;

use super::{Act, Desk, seats::REMINDER};
use crate::{
    db::Tx,
    store::{
        bookings, contacts, interests, launches,
        outbox::{self, NewEvent},
    },
};

impl Desk {
    /// Tells up to `limit` interested customers that the sale has started; answers how many.
    pub async fn open_sales(&self, tx: &mut Tx, act: Act<'_>, limit: i64) -> Result<u64, sqlx::Error> {
        let untold = interests::untold(tx, act.now, limit).await?;
        for group in untold.chunk_by(|a, b| a.launch == b.launch) {
            let id = group[0].launch;
            let Some(launch) = launches::find(tx, id).await? else { continue };
            let Some(host) = contacts::find(tx, launch.host_id).await? else { continue };
            let users: Vec<UserId> = group.iter().map(|one| one.user).collect();
            interests::told(tx, id, &users, act.now).await?;
            let event =
                NewEvent::launch(DomainEventKind::LaunchSaleStarted, id, json!({ "title": launch.title }));
            outbox::insert(tx, &self.clock, act.now, &[event]).await?;
            let told = format!("sale of {} started: {} interested are told", launch.title, users.len());
            let entry = self.entry(told, id, None);
            let notice = |one: &interests::Untold| {
                let to = contacts::Contact { email: one.email.clone(), name: one.name.clone() };
                self.about_launch(NotificationType::SaleStarted, &launch, to, &host)
            };
            self.tell(tx, act, entry, group.iter().map(notice).collect()).await?;
        }
        Ok(untold.len() as u64)
    }

    /// Reminds up to `limit` customers of launches that start within a day; answers how many.
    pub async fn send_reminders(&self, tx: &mut Tx, act: Act<'_>, limit: i64) -> Result<u64, sqlx::Error> {
        let due = bookings::unreminded(tx, act.now, REMINDER, limit).await?;
        if due.is_empty() {
            return Ok(0);
        }
        let ids: Vec<_> = due.iter().map(|one| one.booking.id).collect();
        bookings::reminded(tx, &ids).await?;
        let notice = |one| self.to_customer(NotificationType::LaunchReminder, one, json!({}));
        self.tell(tx, act, None, due.iter().map(notice).collect()).await?;
        Ok(due.len() as u64)
    }

    /// Marks up to `limit` launches whose end has passed as completed; answers how many.
    pub async fn complete_launches(&self, tx: &mut Tx, act: Act<'_>, limit: i64) -> Result<u64, sqlx::Error> {
        let done = launches::complete(tx, act.now, limit).await?;
        let events: Vec<NewEvent> = done
            .iter()
            .map(|id| NewEvent::launch(DomainEventKind::LaunchCompleted, *id, json!({})))
            .collect();
        outbox::insert(tx, &self.clock, act.now, &events).await?;
        Ok(done.len() as u64)
    }
}
