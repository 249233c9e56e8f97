//! The sandbox: behaves like Stripe's published test cards, in this process, always the same way.
//!
//! Customers of the sandbox confirm 3-D Secure by the time that anybody looks again. Everything follows from the payment
//! itself, so a payment means the same after a restart and on every daemon.

use super::{
    cards::{self, Behaviour},
    provider::Report,
    state::Fate,
};
use crate::store::payments::StoredPayment;

/// Takes the money, or says why not.
pub fn charge(payment: &StoredPayment) -> Report {
    let behaviour = cards::of_method(&payment.method).map(|card| card.behaviour);
    let fate = match behaviour {
        Some(Behaviour::Pays) => Fate::Succeeded,
        Some(Behaviour::Declines(code, text)) => Fate::Declined(code.to_owned(), text.to_owned()),
        Some(Behaviour::ConfirmsThenPays | Behaviour::ConfirmsThenDeclines) => {
            Fate::RequiresAction(Some(format!("https://sandbox.invalid/confirm/{}", intent(payment))))
        }
        None => Fate::Declined(
            "resource_missing".to_owned(),
            "The sandbox has no such payment method.".to_owned(),
        ),
    };
    Report { intent: Some(intent(payment)), fate }
}

/// What became of a payment that was charged: meanwhile its customer has confirmed.
pub fn look(payment: &StoredPayment) -> Report {
    let fate = match cards::of_method(&payment.method).map(|card| card.behaviour) {
        Some(Behaviour::ConfirmsThenPays) => Fate::Succeeded,
        Some(Behaviour::ConfirmsThenDeclines) => {
            Fate::Declined("card_declined".to_owned(), "Your card was declined.".to_owned())
        }
        _ => return charge(payment),
    };
    Report { intent: Some(intent(payment)), fate }
}

/// Gives up a payment that waits for its customer.
pub fn abandon(payment: &StoredPayment) -> Report {
    Report { intent: Some(intent(payment)), fate: super::abandoned() }
}

/// Sends the money back.
pub fn refund(payment: &StoredPayment) -> String {
    format!("re_sandbox_{}", payment.id.simple())
}

fn intent(payment: &StoredPayment) -> String {
    format!("pi_sandbox_{}", payment.id.simple())
}
