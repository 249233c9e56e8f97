//! Bookings, launches, users and service keys of the sample world.

use std::sync::Arc;

use astrops_api::{
    bookings::{Booking, BookingPage},
    keys::{KeyMade, ServiceKey},
    launches::{Launch, LaunchPage},
    users::{Account, UserPage},
};
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{drift_answer_of, id, now, operator, sides, typed};
use crate::{
    files::{BookingFile, History, LaunchFile, Sides, Today, UserFile},
    message::{Request, Update},
};

/// The 24-hex id of entity `number` of a kind: 1 launch, 2 booking, 3 user.
pub fn entity(kind: u8, number: usize) -> String {
    format!("66ba{kind:02}00000000000000{number:04x}")
}

/// Seats of launch `number`, and how many of them are held.
fn seats(number: usize) -> (usize, usize) {
    (60, [37, 60, 0, 1, 59][number % 5])
}

/// A launch.
pub fn launch(number: usize) -> Launch {
    let (capacity, held) = seats(number);
    let status = ["scheduled", "scheduled", "scheduled", "cancelled", "completed"][number % 5];
    let start = now() + TimeDelta::days(i64::try_from(number).unwrap()) + TimeDelta::hours(5);
    typed(json!({
        "id": entity(1, number), "hostId": entity(3, 1), "title": format!("Lunar Orbit {number}"),
        "description": "Once around the Moon.\nBring a camera.", "venue": "Cape Canaveral",
        "category": number.is_multiple_of(2).then_some("orbital"), "startDateTime": start,
        "endDateTime": start + TimeDelta::hours(3), "capacity": capacity, "numberOfAttendees": held,
        "availableTickets": capacity - held, "price": 120.5, "isActive": number % 7 != 6,
        "status": status,
        "createdAt": now() - TimeDelta::days(9), "updatedAt": now() - TimeDelta::hours(1),
    }))
}

/// The first launches, the next one first.
pub fn launches(count: usize) -> LaunchPage {
    LaunchPage { launches: (0..count).map(launch).collect(), total: count as u64, page: 1, page_size: 200 }
}

/// A booking.
pub fn booking(number: usize) -> Booking {
    let (status, payment) =
        [("confirmed", "pending"), ("confirmed", "paid"), ("cancelled", "refunded")][number % 3];
    let at = now() - TimeDelta::minutes(i64::try_from(1_000 - number).unwrap());
    let cancelled = status == "cancelled";
    typed(json!({
        "id": entity(2, number), "launchId": entity(1, number % 5), "userId": entity(3, number),
        "launch": {"title": format!("Lunar Orbit {}", number % 5), "startDateTime": now() + TimeDelta::days(2)},
        "user": {"id": entity(3, number), "name": format!("Customer {number}"), "email": format!("customer{number}@example.com")},
        "ticketQuantity": number % 4 + 1, "totalAmount": 120.5, "status": status, "bookingDate": at,
        "paymentStatus": payment, "paymentMethod": (payment == "paid").then_some("credit_card"),
        "paymentTransactionId": (payment != "pending").then_some("pi_3Oa"),
        "cancellationReason": cancelled.then_some("plans changed"), "cancelledAt": cancelled.then_some(now()),
        "createdAt": at, "updatedAt": at,
    }))
}

/// The bookings from newest to oldest.
pub fn bookings(count: usize) -> BookingPage {
    BookingPage {
        bookings: (0..count).rev().map(booking).collect(),
        total: count as u64,
        page: 1,
        page_size: 200,
    }
}

fn seat_change(number: usize, operation: &str) -> Value {
    json!({"id": id(number), "launchId": entity(1, 0), "operation": operation, "quantity": 2,
        "bookingId": entity(2, number), "timestamp": now() - TimeDelta::minutes(3)})
}

fn history(action: &str) -> Value {
    json!([
        {"id": id(1), "at": now() - TimeDelta::minutes(1), "actor": "user:1", "actorEmail": "ana@astrobookings.example",
            "action": action, "target": "x", "reason": "weather", "details": {}, "requestId": "r-1"},
        {"id": id(2), "at": now() - TimeDelta::days(1), "actor": "key:customer-api", "action": "booking.create",
            "target": "x", "details": {}, "requestId": "r-2"},
    ])
}

/// Everything about a booking.
pub fn booking_file(number: usize) -> Arc<BookingFile> {
    let mut detail = serde_json::to_value(booking(number)).unwrap();
    let payment = |status: &str, error: Option<&str>| {
        json!({"id": id(7), "provider": "sandbox", "intent": "pi_3Oa", "amount": 120.5, "currency": "eur",
            "status": status, "method": "visa 4242", "errorCode": error.map(|_| "card_declined"), "error": error,
            "createdAt": now() - TimeDelta::minutes(4), "updatedAt": now()})
    };
    let payments = [payment("failed", Some("Your card was declined.")), payment("paid", None)];
    let more = json!({"payments": payments, "capacityLog": [seat_change(number, "reserve")]});
    detail.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Arc::new(BookingFile {
        detail: typed(detail),
        sides: Sides::Known(Box::new(sides(0, 480.0).diff.clone())),
        history: History::Known(typed(history("booking.cancel"))),
    })
}

/// Everything about a launch.
pub fn launch_file(number: usize) -> Arc<LaunchFile> {
    let changes = [seat_change(2, "release"), seat_change(1, "reserve")];
    let capacity = json!({"changes": changes, "total": 42, "page": 1, "pageSize": 20});
    Arc::new(LaunchFile {
        launch: launch(number),
        bookings: BookingPage { total: 37, ..bookings(3) },
        capacity: typed(capacity),
        sides: Sides::Refused("the document database did not answer in 3 s".into()),
        history: History::Known(typed(history("launch.update"))),
    })
}

/// The account of [`operator`].
pub fn own_account() -> Account {
    Account { user: operator(), is_locked: false, failed_login_attempts: 0, ..account(0) }
}

/// A user: a viewer, a supplier, then customers; some locked or disabled.
pub fn account(number: usize) -> Account {
    let (role, right) =
        [("employee", Some("viewer")), ("supplier", None)].get(number).copied().unwrap_or(("customer", None));
    let locked = number % 4 == 2;
    typed(json!({
        "id": entity(3, number), "email": format!("person{number}@example.com"), "name": format!("Person {number}"),
        "role": role, "right": right, "createdAt": now() - TimeDelta::days(30), "isActive": number % 4 != 3,
        "isLocked": locked, "lockedUntil": locked.then(|| now() + TimeDelta::minutes(4)),
        "failedLoginAttempts": if locked { 5 } else { 0 },
        "lastLoginAt": number.is_multiple_of(2).then(|| now() - TimeDelta::hours(2)), "updatedAt": now(),
    }))
}

/// The users.
pub fn users(count: usize) -> UserPage {
    UserPage { users: (0..count).map(account).collect(), total: count as u64, page: 1, page_size: 200 }
}

/// Everything about a user.
pub fn user_file(number: usize) -> Arc<UserFile> {
    let session = json!({"id": id(3), "isCurrent": false, "createdAt": now() - TimeDelta::days(2),
        "lastUsedAt": now() - TimeDelta::minutes(2), "expiresAt": now() + TimeDelta::days(28),
        "deviceInfo": {"userAgent": "Mozilla/5.0", "ip": "203.0.113.7", "deviceId": "phone"}});
    Arc::new(UserFile {
        account: account(number),
        sessions: Some(typed(json!([session]))),
        bookings: bookings(2),
        history: History::Known(typed(history("user.unlock"))),
    })
}

/// The service keys.
pub fn service_keys() -> Vec<ServiceKey> {
    let key = |number: usize, name: &str, revoked: bool| {
        json!({"id": id(number), "name": name, "scopes": ["logs:write", "notifications:write"],
            "createdBy": entity(3, 0), "createdAt": now() - TimeDelta::days(3),
            "lastUsedAt": (!revoked).then(|| now() - TimeDelta::minutes(1)), "revokedAt": revoked.then(now)})
    };
    typed(json!([key(61, "customer-api", false), key(62, "admin-api", true)]))
}

/// A key that was just made.
pub fn key_made() -> KeyMade {
    KeyMade { key: service_keys().remove(0), secret: "ak_0123456789abcdefghijklmnopqrstuvwxyzABCDEF".into() }
}

/// What a daemon would answer to a question about bookings, launches, users or keys.
pub fn answer_of(request: &Request) -> Option<Update> {
    Some(match request {
        Request::Bookings(number, _) => Update::Bookings(*number, bookings(40)),
        Request::Booking(id) => {
            let number = (0..40).find(|number| booking(*number).id == *id).unwrap_or(1);
            Update::Booking(booking_file(number))
        }
        Request::Launches(number, _) => Update::Launches(*number, launches(40)),
        Request::Launch(id) => {
            let number = (0..40).find(|number| launch(*number).id == *id).unwrap_or(1);
            Update::Launch(launch_file(number))
        }
        Request::Users(number, _) => Update::Users(*number, users(40)),
        Request::User(id, _) => {
            let number = (0..40).find(|number| account(*number).user.id == *id).unwrap_or(1);
            Update::User(user_file(number))
        }
        Request::Today(_) => Update::Today(Today { booked: 25, cancelled: 4, unpaid: 21 }),
        Request::Keys => Update::Keys(service_keys()),
        other => return drift_answer_of(other),
    })
}
