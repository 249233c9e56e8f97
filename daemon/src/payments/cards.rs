//! The published Stripe test cards, by number and by the payment method that stands for each.
//!
//! A number is looked up here and forgotten: what is stored and sent is the name of the payment method. Any other number
//! is refused without being repeated.

use astrops_api::{bookings::Pay, problem::FieldError, vocabulary::PaymentMethod};

/// What a test card does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Pays.
    Pays,
    /// Is refused, with code and words.
    Declines(&'static str, &'static str),
    /// Asks the customer to confirm (3-D Secure), then pays.
    ConfirmsThenPays,
    /// Asks the customer to confirm (3-D Secure), then is refused.
    ConfirmsThenDeclines,
}

/// One published test card.
#[derive(Debug)]
pub struct TestCard {
    number: &'static str,
    /// The payment method that stands for it.
    pub method: &'static str,
    brand: &'static str,
    /// What it does.
    pub behaviour: Behaviour,
}

use Behaviour::{ConfirmsThenDeclines, ConfirmsThenPays, Declines, Pays};

const fn card(
    number: &'static str,
    method: &'static str,
    brand: &'static str,
    behaviour: Behaviour,
) -> TestCard {
    TestCard { number, method, brand, behaviour }
}

/// Source: <https://docs.stripe.com/testing>, cards by brand, declined payments, 3D Secure.
pub const TEST_CARDS: &[TestCard] = &[
    card("4242424242424242", "pm_card_visa", "visa", Pays),
    card("4000056655665556", "pm_card_visa_debit", "visa debit", Pays),
    card("5555555555554444", "pm_card_mastercard", "mastercard", Pays),
    card("5200828282828210", "pm_card_mastercard_debit", "mastercard debit", Pays),
    card("5105105105105100", "pm_card_mastercard_prepaid", "mastercard prepaid", Pays),
    card("378282246310005", "pm_card_amex", "amex", Pays),
    card("6011111111111117", "pm_card_discover", "discover", Pays),
    card("3056930009020004", "pm_card_diners", "diners", Pays),
    card("3566002020360505", "pm_card_jcb", "jcb", Pays),
    card("6200000000000005", "pm_card_unionpay", "unionpay", Pays),
    card(
        "4000000000000002",
        "pm_card_visa_chargeDeclined",
        "visa",
        Declines("card_declined", "Your card was declined."),
    ),
    card(
        "4000000000009995",
        "pm_card_visa_chargeDeclinedInsufficientFunds",
        "visa",
        Declines("insufficient_funds", "Your card has insufficient funds."),
    ),
    card(
        "4000000000009987",
        "pm_card_visa_chargeDeclinedLostCard",
        "visa",
        Declines("lost_card", "Your card was declined."),
    ),
    card(
        "4000000000009979",
        "pm_card_visa_chargeDeclinedStolenCard",
        "visa",
        Declines("stolen_card", "Your card was declined."),
    ),
    card(
        "4000000000000069",
        "pm_card_chargeDeclinedExpiredCard",
        "visa",
        Declines("expired_card", "Your card has expired."),
    ),
    card(
        "4000000000000127",
        "pm_card_chargeDeclinedIncorrectCvc",
        "visa",
        Declines("incorrect_cvc", "Your card's security code is incorrect."),
    ),
    card(
        "4000000000000119",
        "pm_card_chargeDeclinedProcessingError",
        "visa",
        Declines(
            "processing_error",
            "An error occurred while processing your card. Try again in a little bit.",
        ),
    ),
    card("4000002500003155", "pm_card_authenticationRequiredOnSetup", "visa", ConfirmsThenPays),
    card("4000002760003184", "pm_card_authenticationRequired", "visa", ConfirmsThenPays),
    card("4000000000003220", "pm_card_threeDSecure2Required", "visa", ConfirmsThenPays),
    card("4000008400001629", "pm_card_threeDSecureRequiredChargeDeclined", "visa", ConfirmsThenDeclines),
];

/// The test card that a payment method stands for.
pub fn of_method(method: &str) -> Option<&'static TestCard> {
    TEST_CARDS.iter().find(|card| card.method == method)
}

/// What a payment method is called before people: `visa 4242`, or its own name.
pub fn public_name(method: &str) -> String {
    of_method(method).map_or_else(
        || method.to_owned(),
        |card| format!("{} {}", card.brand, &card.number[card.number.len() - 4..]),
    )
}

/// What a booking says of a payment method.
pub fn kind_of(method: &str) -> PaymentMethod {
    match of_method(method) {
        Some(card) if card.brand.ends_with(" debit") => PaymentMethod::DebitCard,
        Some(_) => PaymentMethod::CreditCard,
        None => PaymentMethod::Stripe,
    }
}

/// The payment method that the customer has chosen.
pub fn chosen(pay: &Pay) -> Result<String, FieldError> {
    let refuse = |pointer: &str, detail: String| Err(FieldError { pointer: pointer.to_owned(), detail });
    match (&pay.card, &pay.payment_method_id) {
        (Some(_), Some(_)) => refuse("/paymentMethodId", "send it or card, not both".to_owned()),
        (None, None) => {
            refuse("/card", "is missing: the number of a test card, or send paymentMethodId".to_owned())
        }
        (Some(given), None) => {
            let digits: String = given.expose().chars().filter(|c| !matches!(c, ' ' | '-')).collect();
            match TEST_CARDS.iter().find(|card| card.number == digits) {
                Some(card) => Ok(card.method.to_owned()),
                None => refuse(
                    "/card",
                    format!("must be the number of a published test card and no other: {}", allowed()),
                ),
            }
        }
        (None, Some(method)) => {
            let rest = method.strip_prefix("pm_").unwrap_or_default();
            let fits = (1..=97).contains(&rest.len())
                && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
                && without_numbers(rest) == rest;
            if fits {
                Ok(method.clone())
            } else {
                refuse(
                    "/paymentMethodId",
                    "must be pm_ and letters, digits or underscores, such as pm_card_visa".to_owned(),
                )
            }
        }
    }
}

fn allowed() -> String {
    let one = |card: &TestCard| match card.behaviour {
        Pays => format!("{} ({})", card.number, card.brand),
        Declines(code, _) => format!("{} ({code})", card.number),
        ConfirmsThenPays => format!("{} (3-D Secure)", card.number),
        ConfirmsThenDeclines => format!("{} (3-D Secure, then declined)", card.number),
    };
    TEST_CARDS.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// `text` with whatever could be a card number taken out: 12 digits or more, also with blanks or hyphens between.
pub fn without_numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut run = String::new();
    let end = |run: &mut String, out: &mut String| {
        let digits = run.bytes().filter(u8::is_ascii_digit).count();
        out.push_str(if digits >= 12 { "[number]" } else { run });
        if digits >= 12 && run.ends_with(' ') {
            out.push(' ');
        }
        run.clear();
    };
    for letter in text.chars() {
        if letter.is_ascii_digit() || (matches!(letter, ' ' | '-') && !run.is_empty()) {
            run.push(letter);
        } else {
            end(&mut run, &mut out);
            out.push(letter);
        }
    }
    end(&mut run, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use astrops_api::Secret;

    use super::*;

    fn by_number(number: &str) -> Result<String, FieldError> {
        chosen(&Pay { card: Some(Secret::from(number)), payment_method_id: None })
    }

    fn by_method(method: &str) -> Result<String, FieldError> {
        chosen(&Pay { card: None, payment_method_id: Some(method.to_owned()) })
    }

    #[test]
    fn a_published_number_becomes_the_payment_method_that_stands_for_it() {
        for card in TEST_CARDS {
            assert_eq!(by_number(card.number).unwrap(), card.method);
            assert_eq!(by_method(card.method).unwrap(), card.method);
        }
        assert_eq!(by_number("4242 4242-4242 4242").unwrap(), "pm_card_visa");
        assert_eq!(by_method("pm_1MqLiJLkdIwHu7ixUEgbFdYF").unwrap(), "pm_1MqLiJLkdIwHu7ixUEgbFdYF");
    }

    #[test]
    fn every_other_number_is_refused_with_the_allowed_ones_and_never_repeated() {
        for wrong in ["4111111111111111", "4242424242424241", "", "4242٤242424242424242"] {
            let refusal = by_number(wrong).unwrap_err();
            assert_eq!(refusal.pointer, "/card");
            assert!(refusal.detail.contains("4242424242424242 (visa)"), "{refusal:?}");
            assert!(wrong.is_empty() || !refusal.detail.contains(wrong), "{refusal:?}");
        }
        for wrong in [
            "pm_4111111111111111",
            "4111111111111111",
            "pm_",
            "pm_a b",
            "pm_a/../b",
            &format!("pm_{}", "a".repeat(98)),
        ] {
            let refusal = by_method(wrong).unwrap_err();
            assert_eq!(refusal.pointer, "/paymentMethodId");
            assert!(!refusal.detail.contains("4111"), "{refusal:?}");
        }
        let both =
            Pay { card: Some(Secret::from("4242424242424242")), payment_method_id: Some("pm_x".to_owned()) };
        assert_eq!(chosen(&both).unwrap_err().pointer, "/paymentMethodId");
        assert_eq!(chosen(&Pay { card: None, payment_method_id: None }).unwrap_err().pointer, "/card");
    }

    #[test]
    fn numbers_are_taken_out_of_every_text() {
        assert_eq!(without_numbers("integer `4111111111111111`, expected"), "integer `[number]`, expected");
        assert_eq!(without_numbers("4111 1111-1111 1111 was declined"), "[number] was declined");
        assert_eq!(without_numbers("at most 64 KiB, 2 of 3"), "at most 64 KiB, 2 of 3");
        assert_eq!(without_numbers(""), "");
    }

    #[test]
    fn people_see_brand_and_last_digits() {
        assert_eq!(public_name("pm_card_visa"), "visa 4242");
        assert_eq!(public_name("pm_card_amex"), "amex 0005");
        assert_eq!(public_name("pm_1Mq"), "pm_1Mq");
        assert_eq!(kind_of("pm_card_mastercard_debit"), PaymentMethod::DebitCard);
        assert_eq!(kind_of("pm_card_visa"), PaymentMethod::CreditCard);
        assert_eq!(kind_of("pm_1Mq"), PaymentMethod::Stripe);
    }

    #[test]
    fn every_published_number_passes_luhn() {
        for card in TEST_CARDS {
            let sum: u32 = (card.number.bytes().rev().enumerate())
                .map(|(place, digit)| {
                    let digit = u32::from(digit - b'0');
                    let digit = if place % 2 == 1 { digit * 2 } else { digit };
                    digit / 10 + digit % 10
                })
                .sum();
            assert_eq!(sum % 10, 0, "{}", card.method);
        }
    }
}
