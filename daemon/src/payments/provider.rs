//! What is asked of whoever moves the money, and what is answered.

use astrops_api::vocabulary::Provider;

use super::{sandbox, state::Fate, stripe::Stripe};
use crate::store::payments::StoredPayment;

/// A provider's answer about one payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The provider's id of the payment, when it has given one.
    pub intent: Option<String>,
    /// What became of it.
    pub fate: Fate,
}

/// Nobody knows what became of it: ask again with the same idempotency key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// The provider does not answer, or cannot at the moment: it will not answer about other payments either.
    #[error("{0}")]
    Silent(String),
    /// An answer that says nothing about this payment.
    #[error("{0}")]
    Unclear(String),
}

/// Why money did not go back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefundError {
    /// Ask again.
    #[error(transparent)]
    Unknown(#[from] Unknown),
    /// Asking again would not help.
    #[error("{0}")]
    Refused(String),
}

/// Who can be asked: the sandbox is always there, Stripe when it has a key.
pub struct Providers {
    /// The client of Stripe.
    pub stripe: Option<Stripe>,
}

impl Providers {
    fn stripe(&self) -> Result<&Stripe, Unknown> {
        self.stripe.as_ref().ok_or_else(|| {
            Unknown::Unclear(
                "the payment was made with Stripe, and payments.stripe.secret_key is not set".to_owned(),
            )
        })
    }

    /// What became of `payment`: looks when the provider has given it an id, charges otherwise. Charging again is
    /// harmless: the idempotency key is the payment's own.
    pub async fn ask(&self, payment: &StoredPayment) -> Result<Report, Unknown> {
        match (payment.provider, &payment.intent) {
            (Provider::Sandbox, None) => Ok(sandbox::charge(payment)),
            (Provider::Sandbox, Some(_)) => Ok(sandbox::look(payment)),
            (Provider::Stripe, None) => self.stripe()?.charge(payment).await,
            (Provider::Stripe, Some(intent)) => self.stripe()?.look(payment, intent).await,
        }
    }

    /// Gives up a payment that waits for its customer.
    pub async fn abandon(&self, payment: &StoredPayment) -> Result<Report, Unknown> {
        match (payment.provider, &payment.intent) {
            (Provider::Sandbox, _) => Ok(sandbox::abandon(payment)),
            (Provider::Stripe, Some(intent)) => self.stripe()?.cancel(payment, intent).await,
            (Provider::Stripe, None) => Ok(Report { intent: None, fate: super::abandoned() }),
        }
    }

    /// Sends the money back; answers the provider's id of the refund.
    pub async fn refund(&self, payment: &StoredPayment) -> Result<Option<String>, RefundError> {
        match (payment.provider, &payment.intent) {
            (Provider::Sandbox, _) => Ok(Some(sandbox::refund(payment))),
            (Provider::Stripe, Some(intent)) => self.stripe()?.refund(payment, intent).await,
            (Provider::Stripe, None) => {
                Err(RefundError::Refused("the payment has no Stripe reference".to_owned()))
            }
        }
    }
}
