//! `check-payments`: asks what became of payments that were not answered, or that wait for their customer.

use astrops_api::vocabulary::{BookingStatus, PaymentState, Provider};
use chrono::{DateTime, TimeDelta, Utc};
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

/// What is done about a payment that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Look what became of it; charge when the provider never got it.
    Ask,
    /// Tell the provider that the customer will not confirm.
    Abandon,
    /// The provider never got it, as far as anybody knows. Should it have, the webhook tells.
    GiveUp,
    /// Charging would be for seats that are free again. If it was charged, the webhook tells, and it goes back.
    Wait,
}

fn step(payment: &StoredPayment, cancelled: bool, now: DateTime<Utc>) -> Step {
    let age = now - payment.created_at;
    match (&payment.intent, payment.status) {
        (None, _) if age > GIVE_UP => Step::GiveUp,
        (None, _) if cancelled => Step::Wait,
        (Some(_), PaymentState::RequiresAction) if cancelled || age > CONFIRM => Step::Abandon,
        _ => Step::Ask,
    }
}

impl Cashier {
    /// The job. When a provider does not answer, its other payments wait for the next run.
    pub async fn check(&self, db: &Db, run: &Run) -> anyhow::Result<String> {
        self.forget_events(db).await?;
        let before = self.clock.now() - PATIENCE;
        let (mut asked, mut changed, mut last) = (0_u32, 0_u32, Uuid::nil());
        let mut silent: Option<(Provider, Unknown)> = None;
        'all: loop {
            let mut tx = db.read().await?;
            let batch = payments::waiting(&mut tx, before, last, BATCH).await?;
            tx.rollback().await?;
            let Some(newest) = batch.last() else { break };
            last = newest.id;
            for payment in batch {
                if run.cancel.is_cancelled() {
                    break 'all;
                }
                let step = step(&payment, self.is_cancelled(db, &payment).await?, self.clock.now());
                let is_silent = silent.as_ref().is_some_and(|(provider, _)| *provider == payment.provider);
                let answer = match step {
                    Step::Wait => continue,
                    Step::GiveUp => Ok(Report { intent: None, fate: unreached() }),
                    Step::Ask | Step::Abandon if is_silent => continue,
                    Step::Ask => self.providers.ask(&payment).await,
                    Step::Abandon => self.providers.abandon(&payment).await,
                };
                let report = match answer {
                    Ok(report) => report,
                    Err(why) => {
                        tracing::warn!(payment.id = %payment.id, "a payment is still open: {why}");
                        if matches!(why, Unknown::Silent(_)) {
                            silent = Some((payment.provider, why));
                        }
                        continue;
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
        let rest = silent.map_or_else(String::new, |(provider, why)| {
            format!("; {provider} does not answer, its payments wait: {why}")
        });
        Ok(format!("{asked} payments looked at, {changed} have changed{rest}"))
    }

    async fn is_cancelled(&self, db: &Db, payment: &StoredPayment) -> Result<bool, sqlx::Error> {
        let mut tx = db.read().await?;
        let booking = bookings::find(&mut tx, payment.booking).await?;
        tx.rollback().await?;
        Ok(booking.is_none_or(|stored| stored.booking.status == BookingStatus::Cancelled))
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

fn unreached() -> Fate {
    Fate::Declined("provider_unreachable".to_owned(), "The payment provider could not be reached.".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{super::tests::payment, *};
    use crate::testing::noon;

    #[test]
    fn every_payment_that_waits_ends_one_day() {
        let unheard = payment();
        let confirming = StoredPayment {
            intent: Some("pi_1".to_owned()),
            status: PaymentState::RequiresAction,
            ..payment()
        };
        let processing = StoredPayment { intent: Some("pi_1".to_owned()), ..payment() };
        let (soon, late) = (noon() + TimeDelta::minutes(60), noon() + TimeDelta::minutes(61));
        for (payment, cancelled, now, expected) in [
            (&unheard, false, soon, Step::Ask),
            (&unheard, true, soon, Step::Wait),
            (&unheard, false, late, Step::GiveUp),
            (&unheard, true, late, Step::GiveUp),
            (&confirming, false, soon, Step::Ask),
            (&confirming, true, soon, Step::Abandon),
            (&confirming, false, late, Step::Abandon),
            // The provider has it: only the provider ends it.
            (&processing, false, late, Step::Ask),
            (&processing, true, late, Step::Ask),
        ] {
            assert_eq!(step(payment, cancelled, now), expected, "{payment:?} {cancelled} {now}");
        }
    }
}
