//! What Stripe tells by itself: the signature, and what an event says of which payment.
//!
//! Source: <https://docs.stripe.com/webhooks#verify-manually>. `Stripe-Signature: t=<seconds>,v1=<hex>[,v1=<hex>]`, each
//! `v1` an HMAC-SHA256 of `<t>.<body>`; several while the secret is being changed.

use chrono::{DateTime, Utc};
use ring::hmac;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::{
    provider::Report,
    state::Fate,
    stripe::{Intent, METADATA, is_id},
};
use crate::store::payments::StoredPayment;

/// How far the time of a signature may be from ours.
const TOLERANCE_SECONDS: i64 = 300;

/// Whether `header` signs `body` with `secret` at about `now`; else what is wrong.
pub fn verify(
    header: &str,
    body: &[u8],
    secret: &SecretString,
    now: DateTime<Utc>,
) -> Result<(), &'static str> {
    let parts = || header.split(',').filter_map(|part| part.trim().split_once('='));
    let (_, time) = parts().find(|(name, _)| *name == "t").ok_or("has no time (t=)")?;
    let seconds: i64 = time.parse().map_err(|_| "has a time that is no number")?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
    let signed = [time.as_bytes(), b".", body].concat();
    let holds = |hex: &str| unhex(hex).is_some_and(|tag| hmac::verify(&key, &signed, &tag).is_ok());
    if !parts().any(|(name, hex)| name == "v1" && holds(hex)) {
        return Err("does not sign this body with payments.stripe.webhook_secret");
    }
    // Last, so that only Stripe learns what our clock says.
    if now.timestamp().abs_diff(seconds) > TOLERANCE_SECONDS.unsigned_abs() {
        return Err("is more than 300 seconds away from this machine's clock");
    }
    Ok(())
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    pairs.map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

/// An event, as far as we read it.
#[derive(Deserialize)]
pub struct Event {
    /// Stripe's id of the event.
    pub id: String,
    /// Such as `payment_intent.succeeded`.
    #[serde(rename = "type")]
    pub kind: String,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    object: Value,
}

#[derive(Deserialize)]
struct Charge {
    payment_intent: Option<String>,
    amount: i64,
    amount_refunded: i64,
    currency: String,
    #[serde(default)]
    refunds: Option<Refunds>,
}

#[derive(Deserialize)]
struct Refunds {
    #[serde(default)]
    data: Vec<Refund>,
}

#[derive(Deserialize)]
struct Refund {
    id: String,
}

/// What an event says of one payment.
pub struct Said {
    /// The payment by Stripe's id.
    pub intent: String,
    /// The payment by ours: an answer that was lost has left us without Stripe's.
    pub payment: Option<Uuid>,
    amount: i64,
    currency: String,
    /// What it says.
    pub report: Report,
}

impl Said {
    /// Whether this is the money of `payment`.
    pub fn fits(&self, payment: &StoredPayment) -> bool {
        self.amount == payment.amount.minor()
            && self.currency == payment.currency
            && payment.intent.as_ref().is_none_or(|intent| *intent == self.intent)
    }
}

impl Event {
    /// Reads a body; what is wrong with it otherwise.
    pub fn read(body: &[u8]) -> Result<Self, &'static str> {
        let event: Self = serde_json::from_slice(body).map_err(|_| "the body is not an event of Stripe")?;
        let kind_fits = event.kind.len() <= 100 && event.kind.bytes().all(|b| b.is_ascii_graphic());
        if is_id(&event.id) && kind_fits { Ok(event) } else { Err("the event's id or type cannot be one") }
    }

    /// What it says of a payment; `None` when it is about something else, or cannot be understood.
    pub fn said(&self) -> Option<Said> {
        match self.kind.as_str() {
            "payment_intent.succeeded"
            | "payment_intent.payment_failed"
            | "payment_intent.requires_action"
            | "payment_intent.processing"
            | "payment_intent.canceled" => {
                let intent: Intent = serde_json::from_value(self.data.object.clone()).ok()?;
                let payment =
                    intent.metadata.get(METADATA).and_then(Value::as_str).and_then(|id| id.parse().ok());
                let report = intent.report();
                Some(Said {
                    payment,
                    amount: intent.amount,
                    currency: intent.currency,
                    intent: intent.id,
                    report,
                })
            }
            "charge.refunded" => {
                let charge: Charge = serde_json::from_value(self.data.object.clone()).ok()?;
                // A part that went back leaves the booking paid.
                let intent = charge.payment_intent.filter(|_| charge.amount_refunded == charge.amount)?;
                let refund = charge.refunds.and_then(|refunds| refunds.data.into_iter().next());
                let refund = refund.map(|refund| refund.id).filter(|id| is_id(id));
                let report = Report { intent: Some(intent.clone()), fate: Fate::Refunded(refund) };
                Some(Said { intent, payment: None, amount: charge.amount, currency: charge.currency, report })
            }
            _ => None,
        }
        .filter(|said| is_id(&said.intent))
    }
}
