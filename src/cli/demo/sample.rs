//! What the traffic is made of.

use astrops_api::vocabulary::{EventType, NotificationType, Severity};
use rand::{RngExt, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};

use super::catalogue::{OFFERS, SUPPLIERS};

/// Customers, and what their mail provider makes of them: `busy`, `gone`, `full` and `slow` are known to the
/// post office.
pub const CUSTOMERS: &[(&str, &str)] = &[
    ("Leo Marín", "leo"),
    ("Ines Ott", "ines"),
    ("Sam O'Hara", "sam"),
    ("Mia Sørensen", "mia"),
    ("Yuki Abe", "yuki"),
    ("Bruno Keller", "busy.bruno"),
    ("Sol Vidal", "slow.sol"),
    ("Ada Gone", "gone.ada"),
    ("Fay Full", "full.fay"),
    ("Noor Haddad", "noor"),
    ("Tomás Reyes", "tomas"),
    ("Greta Lind", "greta"),
    ("Kofi Mensah", "busy.kofi"),
    ("Ana-Lucía Prado", "analucia"),
    ("Wei Zhang", "wei"),
    ("Ola Nowak", "slow.ola"),
];

/// What the Customer API tells: kind, severity, words.
const STORIES: &[(EventType, Severity, &str)] = &[
    (EventType::Booking, Severity::Info, "search for launches took 38 ms"),
    (EventType::Booking, Severity::Info, "seat map opened"),
    (EventType::Booking, Severity::Info, "booking started"),
    (EventType::Booking, Severity::Info, "checkout completed"),
    (EventType::Booking, Severity::Warning, "checkout abandoned after 15 minutes"),
    (EventType::Booking, Severity::Warning, "payment provider answered after 4.2 s"),
    (EventType::System, Severity::Info, "cache warmed: 5 launches"),
    (EventType::System, Severity::Warning, "connection pool at 90 %"),
    (
        EventType::Error,
        Severity::Error,
        "payment provider: 502 Bad Gateway; the customer was asked to try again",
    ),
    (EventType::Error, Severity::Error, "ticket PDF could not be rendered: font not found"),
    (EventType::Error, Severity::Critical, "document database: no primary; bookings are read-only"),
    // What somebody types into a search box must not act on the operator's terminal.
    (
        EventType::Error,
        Severity::Warning,
        "search refused: \u{1b}[2J\u{1b}[31m' OR 1=1 --\u{202e}\nsecond line",
    ),
];

/// The customer with this number, counted round: name and address.
pub fn customer(number: usize) -> (&'static str, String) {
    let (name, local) = CUSTOMERS[number % CUSTOMERS.len()];
    (name, format!("{local}@customers.example"))
}

/// A story of the Customer API.
pub fn story(dice: &mut StdRng) -> (EventType, Severity, &'static str) {
    STORIES.choose(dice).copied().unwrap_or(STORIES[0])
}

/// 24 hexadecimal digits.
pub fn object_id(dice: &mut StdRng) -> String {
    format!("66bb02{:018x}", dice.random_range(0..u64::MAX))
}

/// Believable data for a notification to `name`.
pub fn data(dice: &mut StdRng, kind: NotificationType, name: &str) -> Value {
    let offer = OFFERS.choose(dice).unwrap_or(&OFFERS[0]);
    let (launch, supplier) = (object_id(dice), SUPPLIERS[offer.supplier].0);
    let (booking, seats) = (object_id(dice), dice.random_range(1..5));
    let amount = format!("{}.00", seats * dice.random_range(90..400));
    let launch = json!({ "launchId": launch, "title": offer.title, "venue": offer.venue, "name": name });
    let more = match kind {
        NotificationType::NewBooking => {
            json!({ "bookingId": booking, "seats": seats, "customerName": name, "name": supplier })
        }
        NotificationType::BookingConfirmed | NotificationType::LaunchReminder => {
            json!({ "bookingId": booking, "seats": seats })
        }
        NotificationType::BookingCancelled => {
            json!({ "bookingId": booking, "reason": "asked by the customer" })
        }
        NotificationType::PaymentReceived => {
            json!({ "bookingId": booking, "amount": amount, "paymentMethod": "credit_card" })
        }
        NotificationType::PaymentFailed => {
            json!({ "bookingId": booking, "amount": amount, "reason": "insufficient funds" })
        }
        NotificationType::RefundIssued => json!({ "bookingId": booking, "amount": amount }),
        NotificationType::LaunchUpdated => json!({ "changes": "starts two hours later: wind" }),
        NotificationType::LaunchCancelled => json!({ "reason": "weather" }),
        NotificationType::SaleStarted | NotificationType::NewLaunch => {
            json!({ "hostName": supplier, "price": amount })
        }
        NotificationType::AccountLocked => {
            return json!({ "until": "2030-01-01T12:15:00Z", "name": name });
        }
        NotificationType::Welcome => return json!({ "name": name }),
    };
    merged(launch, more)
}

fn merged(mut whole: Value, more: Value) -> Value {
    if let (Value::Object(whole), Value::Object(more)) = (&mut whole, more) {
        whole.extend(more);
    }
    whole
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_data() {
        let some = |seed| {
            let mut dice = StdRng::seed_from_u64(seed);
            NotificationType::ALL.iter().map(|&kind| data(&mut dice, kind, "Leo")).collect::<Vec<_>>()
        };
        assert_eq!(some(7), some(7));
        assert_ne!(some(7), some(8));
    }
}
