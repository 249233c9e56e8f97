//! `check-payments`: asks what became of payments that were not answered, or that wait for their customer.

use astrops_api::vocabulary::{BookingStatus, PaymentState};
use chrono::TimeDelta;
use uuid::Uuid;

use super::{
    Cashier,
    provider::{Report, Unknown},
    state::Fate,
};
use crate::{
    booking::Act,
    db::Db,
    queue::Run,
    store::{
        bookings,
        payments::{self, StoredPayment},
    },
};

/// Younger payments are still being asked about by whoever began them.
const PATIENCE: TimeDelta = TimeDelta::minutes(1);
/// A payment of which the provider has said nothing is tried so long: nobody wants to be charged tomorrow.
const GIVE_UP: TimeDelta = TimeDelta::hours(1);
/// Customers have so long to confirm.
const CONFIRM: TimeDelta = TimeDelta::hours(1);
/// Stripe repeats its webhooks for three days.
const EVENTS: TimeDelta = TimeDelta::days(30);
/// Rows per transaction.
const BATCH: i64 = 500;

impl Cashier {
    /// The job. Stops at the first question that the provider does not answer; the next run goes on.
    pub async fn check(&self, db: &Db, run: &Run) -> anyhow::Result<String> {
        self.forget_events(db).await?;
        let before = self.clock.now() - PATIENCE;
        let (mut asked, mut changed, mut last) = (0_u32, 0_u32, Uuid::nil());
        loop {
            let mut tx = db.read().await?;
            let batch = payments::waiting(&mut tx, before, last, BATCH).await?;
            tx.rollback().await?;
            let Some(newest) = batch.last() else { break };
            last = newest.id;
            for payment in batch {
                if run.cancel.is_cancelled() {
                    return Ok(format!("asked about {asked} payments, {changed} have changed"));
                }
                let report = match self.find_out(db, &payment).await? {
                    None => continue,
                    Some(Ok(report)) => report,
                    Some(Err(Unknown(why))) => {
                        tracing::warn!(payment.id = %payment.id, "a payment is still open: {why}");
                        return Ok(format!(
                            "asked about {asked} payments, {changed} have changed; the next was not answered, the others wait: {why}"
                        ));
                    }
                };
                asked += 1;
                let mut tx = db.write().await?;
                let act = Act { by: "schedule:check-payments", now: self.clock.now() };
                let now = self.settle(&mut tx, act, payment.id, &report).await?;
                tx.commit().await?;
                changed += u32::from(now.is_some_and(|now| now.status != payment.status));
            }
        }
        Ok(format!("asked about {asked} payments, {changed} have changed"))
    }

    /// What became of `payment`; `None` when nobody is to be asked now.
    async fn find_out(
        &self,
        db: &Db,
        payment: &StoredPayment,
    ) -> Result<Option<Result<Report, Unknown>>, sqlx::Error> {
        let mut tx = db.read().await?;
        let booking = bookings::find(&mut tx, payment.booking).await?;
        tx.rollback().await?;
        let cancelled = booking.is_none_or(|stored| stored.booking.status == BookingStatus::Cancelled);
        let age = self.clock.now() - payment.created_at;
        let answer = match &payment.intent {
            None if age > GIVE_UP => Ok(Report { intent: None, fate: unreached() }),
            // Asking would charge for seats that are free again. If it was charged, the webhook tells, and it goes back.
            None if cancelled => return Ok(None),
            Some(intent)
                if payment.status == PaymentState::RequiresAction && (cancelled || age > CONFIRM) =>
            {
                self.providers.abandon(payment, intent).await
            }
            _ => self.providers.ask(payment).await,
        };
        Ok(Some(answer))
    }

    async fn forget_events(&self, db: &Db) -> Result<(), sqlx::Error> {
        loop {
            let mut tx = db.write().await?;
            let deleted = payments::prune_events(&mut tx, self.clock.now() - EVENTS, BATCH).await?;
            tx.commit().await?;
            if deleted < BATCH.unsigned_abs() {
                return Ok(());
            }
        }
    }
}

/// The provider never heard of it, as far as anybody knows. Should it have, the webhook tells.
fn unreached() -> Fate {
    Fate::Declined("provider_unreachable".to_owned(), "The payment provider could not be reached.".to_owned())
}
