//! Money that goes back: asked for in the transaction that cancels a booking, done by a job.

use astrops_api::{
    ids::{BookingId, JobId},
    jobs::Maintenance,
    vocabulary::{EventType, JobType, MaintenanceTask, PaymentState, Severity},
};
use uuid::Uuid;

use super::{
    Cashier, cards,
    provider::{RefundError, Report},
    state::Fate,
};
use crate::{
    booking::Act,
    clock::Clock,
    db::{Db, Tx},
    jobs::Payload,
    queue::{Outcome, Verdict},
    store::{jobs, payments},
};

/// Attempts of a refund: with the backoff about half a day of a provider that is down.
const ATTEMPTS: u32 = 18;
/// Jobs per statement.
const BATCH: usize = 500;

/// In the transaction that cancels `bookings`, which it has locked: what was paid for them goes back. Their payments are
/// `refunding` from now on, and a job for each asks the provider. Bookings that nothing was paid for are passed over.
/// Answers how many go back.
pub async fn request_refunds(
    tx: &mut Tx,
    clock: &Clock,
    act: Act<'_>,
    bookings: &[BookingId],
) -> Result<usize, sqlx::Error> {
    let payments = payments::begin_refunds(tx, bookings, act.now).await?;
    enqueue(tx, clock, act, &payments).await?;
    Ok(payments.len())
}

/// A job for each payment. One that has its job already is left out.
pub(super) async fn enqueue(
    tx: &mut Tx,
    clock: &Clock,
    act: Act<'_>,
    payments: &[Uuid],
) -> Result<(), sqlx::Error> {
    for batch in payments.chunks(BATCH) {
        let batch: Vec<_> = batch.iter().map(|id| job(clock, act, *id)).collect();
        jobs::enqueue(tx, &batch).await?;
    }
    Ok(())
}

fn job(clock: &Clock, act: Act<'_>, payment: Uuid) -> jobs::NewJob {
    let care = Maintenance { subject: Some(payment), ..Maintenance::of(MaintenanceTask::RefundPayment) };
    jobs::NewJob {
        id: JobId(clock.new_id()),
        kind: JobType::Maintenance,
        payload: Payload::Maintenance(care).to_json(),
        run_at: act.now,
        priority: 0,
        max_attempts: ATTEMPTS,
        unique_key: Some(format!("refund:{payment}")),
        created_by: act.by.to_owned(),
        schedule: None,
        created_at: act.now,
    }
}

impl Cashier {
    /// The job: sends the money of one payment back.
    pub async fn refund(&self, db: &Db, subject: Option<Uuid>) -> anyhow::Result<Outcome> {
        let Some(id) = subject else {
            return Ok(Outcome::new(Verdict::Fail, "the job does not say which payment goes back"));
        };
        let mut tx = db.read().await?;
        let payment = payments::find(&mut tx, id).await?;
        tx.rollback().await?;
        let Some(payment) = payment else {
            return Ok(Outcome::new(Verdict::Fail, format!("there is no payment {id}")));
        };
        if payment.status != PaymentState::Refunding {
            let told = format!("nothing to send back: payment {id} is {}", payment.status);
            return Ok(Outcome::new(Verdict::Done, told));
        }
        let what = format!(
            "{} {} by {} for booking {}",
            payment.amount,
            payment.currency,
            cards::public_name(&payment.method),
            payment.booking
        );
        match self.providers.refund(&payment).await {
            Ok(refund) => {
                let report = Report { intent: None, fate: Fate::Refunded(refund) };
                let mut tx = db.write().await?;
                let act = Act { by: "daemon", now: self.clock.now() };
                self.settle(&mut tx, act, id, &report).await?;
                tx.commit().await?;
                Ok(Outcome::new(Verdict::Done, format!("sent {what} back")))
            }
            Err(RefundError::Unknown(why)) => {
                Ok(Outcome::new(Verdict::Retry, format!("{what} not sent back yet: {why}")))
            }
            Err(RefundError::Refused(why)) => Ok(Outcome {
                event_type: EventType::Error,
                severity: Some(Severity::Critical),
                ..Outcome::new(
                    Verdict::Fail,
                    format!(
                        "{what} cannot be sent back: {why}. Refund it at the provider, or remove the cause and retry the job"
                    ),
                )
            }),
        }
    }
}
