//! Payments: asking a provider for money and keeping what it says.
//!
//! ```text
//! transaction 1: payment `pending` -> the provider is asked, outside of any transaction -> transaction 2: the outcome
//! ```
//!
//! A crash or a lost answer between the two leaves the payment `pending`; the same request, or `check-payments`, asks
//! again under the same idempotency key, so nobody is charged twice. What a webhook says goes the same way as an answer:
//! [`state`] decides what it changes, [`Cashier::settle`] writes it with the booking, the event, the mail and the log.
//!
//! - [`cards`]: the published test cards; no other number is taken.
//! - [`provider`]: who is asked ([`sandbox`], [`stripe`]) and what they answer.
//! - [`state`]: the table, drawn in docs/PAYMENTS.md.
//! - [`settle`], [`refunds`], [`checks`]: the transactions.
//! - [`webhook`]: what Stripe tells by itself.
//!
//! To add a provider: a word in the contract's `Provider`, a file with its four questions, its arms in [`provider`].
//! Limits: one payment in full for a booking, one refund in full.

pub mod cards;
pub mod checks;
pub mod provider;
pub mod refunds;
mod sandbox;
pub mod settle;
pub mod state;
pub mod stripe;
#[cfg(test)]
mod tests;
pub mod webhook;

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use astrops_api::{
    bookings::NextAction,
    problem::FieldError,
    vocabulary::{PaymentState, Provider},
};
use secrecy::SecretString;

use self::{provider::Providers, state::Fate, stripe::Stripe};
use crate::{booking::Desk, clock::Clock, config::PaymentsConfig, store::payments::StoredPayment};

pub use refunds::request_refunds;

/// What one question may take; a request to us has 15 s in all.
const ANSWER: Duration = Duration::from_secs(10);

/// Takes and returns money. Cheap to clone.
#[derive(Clone)]
pub struct Cashier {
    clock: Clock,
    desk: Desk,
    providers: Arc<Providers>,
    /// Who is asked for new payments.
    provider: Provider,
    currency: Arc<str>,
    webhook_secret: Option<SecretString>,
}

/// Why nothing is asked of the provider.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Its seats are free again.
    #[error("the booking is cancelled; there is nothing to pay")]
    Cancelled,
    /// Nothing is owed.
    #[error("the booking is paid; there is nothing more to pay")]
    Paid,
    /// The sandbox knows the test cards only.
    #[error("see errors for each field")]
    Field(FieldError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl Cashier {
    /// A cashier who asks the provider of `config`.
    ///
    /// # Errors
    /// When the HTTP client cannot be made.
    pub fn new(clock: Clock, desk: Desk, config: &PaymentsConfig) -> anyhow::Result<Self> {
        // Without a key nobody is asked, and no TLS has to be there.
        let stripe = match &config.stripe.secret_key {
            Some(_) => Stripe::new(http_client()?, &config.stripe),
            None => None,
        };
        Ok(Self {
            clock,
            desk,
            providers: Arc::new(Providers { stripe }),
            provider: config.provider,
            currency: config.currency.as_str().into(),
            webhook_secret: config.stripe.webhook_secret.clone(),
        })
    }

    /// Who moves the money.
    pub fn providers(&self) -> &Providers {
        &self.providers
    }

    /// What signs Stripe's webhooks; none unless Stripe is the provider.
    pub fn webhook_secret(&self) -> Option<&SecretString> {
        self.webhook_secret.as_ref().filter(|_| self.provider == Provider::Stripe)
    }
}

/// What the customer has to do before `payment` goes on.
pub fn next_action(payment: &StoredPayment) -> Option<NextAction> {
    let kind = if payment.action_url.is_some() { "redirect" } else { "use_stripe_sdk" };
    (payment.status == PaymentState::RequiresAction)
        .then(|| NextAction { kind: kind.to_owned(), url: payment.action_url.clone() })
}

/// Nobody confirmed.
fn abandoned() -> Fate {
    Fate::Declined("abandoned".to_owned(), "The payment was not confirmed in time.".to_owned())
}

fn http_client() -> anyhow::Result<reqwest::Client> {
    reqwest::Client::builder()
        .connect_timeout(ANSWER / 2)
        .timeout(ANSWER)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .context("cannot set up the client for Stripe")
}
