//! What is sold in the demo, and by whom.

use astrops_api::{launches::NewLaunch, money::Money};
use chrono::{DateTime, TimeDelta, Utc};

/// Suppliers: name, and the part of the address before the @.
pub const SUPPLIERS: &[(&str, &str)] = &[
    ("Helios Flights", "desk.helios"),
    ("Selene Tours", "bookings.selene"),
    ("Kiwi Orbital", "crew.kiwi"),
    ("Hoshi Travel", "front.hoshi"),
    ("Polar Sky", "hello.polar"),
];

/// A launch as its supplier plans it.
pub struct Offer {
    /// Its title.
    pub title: &'static str,
    /// Where it lifts off.
    pub venue: &'static str,
    /// Its kind.
    pub category: &'static str,
    /// The number of its supplier.
    pub supplier: usize,
    /// In cents.
    pub price: i64,
    /// Seats in all.
    pub seats: u32,
    /// Seats that are taken when the demo begins.
    pub taken: u32,
    /// Minutes until it starts.
    pub starts: i64,
    /// Seconds until its sale starts; on sale at once when 0.
    pub sale: i64,
}

const DAY: i64 = 24 * 60;

/// On sale from the beginning: one is sold out, two nearly, one starts its sale within the first minute, one starts in
/// a few minutes, one comes into the day of its reminders, one is more than a year away.
pub const OFFERS: &[Offer] = &[
    offer("Falcon Dawn", "Pad 39A, Cape Canaveral", "orbital", 0, 42_000, (40, 9), (DAY + 3, 0)),
    offer("Lunar Picnic", "Kourou ELA-4", "lunar flyby", 1, 198_000, (12, 11), (21 * DAY, 0)),
    offer("Perseids from Above", "Mahia LC-1", "suborbital", 2, 24_050, (24, 0), (60 * DAY, 45)),
    offer("東京 Night Arc", "Tanegashima", "suborbital", 3, 31_000, (30, 6), (9 * DAY, 0)),
    offer("Aurora Crossing", "Esrange", "suborbital", 4, 27_500, (8, 8), (33 * DAY, 0)),
    offer("Station Weekend", "Baikonur Site 31", "station", 0, 5_400_000, (4, 3), (120 * DAY, 0)),
    offer("Sunrise Hop", "Spaceport Cornwall", "suborbital", 2, 15_000, (16, 4), (6, 0)),
    offer(
        "Eclipse Chaser",
        "Pad 39A, Cape Canaveral",
        "orbital",
        0,
        89_000,
        (60, 0),
        (430 * DAY, 90 * 86_400),
    ),
];

/// Announced while the demo goes on.
pub const LATER: &[Offer] = &[
    offer("Comet Watch", "Mahia LC-1", "orbital", 2, 36_500, (20, 0), (45 * DAY, 120)),
    offer("Equator Sprint", "San Marco Platform", "suborbital", 1, 19_900, (18, 0), (14 * DAY, 0)),
    offer("Midnight Sun Loop", "Esrange", "suborbital", 4, 26_000, (10, 0), (75 * DAY, 0)),
    offer("Sakura Orbit", "Tanegashima", "orbital", 3, 64_000, (36, 0), (200 * DAY, 300)),
];

const fn offer(
    title: &'static str,
    venue: &'static str,
    category: &'static str,
    supplier: usize,
    price: i64,
    (seats, taken): (u32, u32),
    (starts, sale): (i64, i64),
) -> Offer {
    Offer { title, venue, category, supplier, price, seats, taken, starts, sale }
}

impl Offer {
    /// As it is put on sale at `now`.
    pub fn launch(&self, now: DateTime<Utc>) -> NewLaunch {
        let start = now + TimeDelta::minutes(self.starts);
        NewLaunch {
            title: self.title.to_owned(),
            description: Some(format!(
                "From {}. Training on the day before, breakfast included.",
                self.venue
            )),
            venue: Some(self.venue.to_owned()),
            category: Some(self.category.to_owned()),
            start_date_time: start,
            // A quarter of an hour for the shortest.
            end_date_time: start + TimeDelta::minutes(if self.starts < DAY { 9 } else { 95 }),
            capacity: self.seats,
            price: Money::of_minor(self.price).unwrap_or_default(),
            sales_start_at: (self.sale > 0).then(|| now + TimeDelta::seconds(self.sale)),
            host_id: None,
        }
    }
}

/// Cards of the sandbox, as often as they are used: most pay, one is declined, one has no money left.
pub const CARDS: &[&str] = &[
    "4242424242424242",
    "4242424242424242",
    "4242424242424242",
    "4242424242424242",
    "4242424242424242",
    "5555555555554444",
    "4000000000000002",
    "4000000000009995",
];

/// On sale at partners only, until a sweep finds them: title, venue, days until it starts.
pub const ELSEWHERE: &[(&str, &str, i64)] = &[
    ("Partner Flight Vega", "Azores Pad 2", 52),
    ("Partner Flight Rigel", "Andøya", 81),
    ("Partner Flight Deneb", "Alcântara", 97),
];

/// What the web editors make of descriptions.
pub const REWORDED: &[&str] = &[
    "Window seats for everybody. Training and breakfast included.",
    "Three minutes of weightlessness, or your money back.",
    "Now with live commentary from mission control.",
    "Bring a friend: every second seat at half the price in our shop.",
];

/// What suppliers make of them at the same time.
pub const WORDS_OF_SUPPLIERS: &[&str] = &[
    "Training on two days before; please bring a medical certificate.",
    "A second flight director is on board. No luggage.",
    "Subject to range clearance; a replacement date is guaranteed.",
];

/// Why customers cancel.
pub const REGRETS: &[&str] = &[
    "could not get time off",
    "booked the wrong date",
    "my doctor says no",
    "flying with friends on another launch",
    "price went down elsewhere",
];

/// Why suppliers cancel.
pub const SCRUBS: &[&str] =
    &["upper winds out of limits", "range not available", "engine inspection", "too few seats sold"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_offer_is_one_that_can_be_sold() {
        let now = "2026-08-01T10:00:00Z".parse().unwrap();
        for offer in OFFERS.iter().chain(LATER) {
            let launch = offer.launch(now);
            assert!(
                launch.start_date_time > now && launch.end_date_time > launch.start_date_time,
                "{}",
                offer.title
            );
            assert!(
                launch.sales_start_at.is_none_or(|sale| sale < launch.start_date_time),
                "{}",
                offer.title
            );
            assert!(offer.taken <= offer.seats && offer.supplier < SUPPLIERS.len(), "{}", offer.title);
            assert!(offer.taken == 0 || offer.sale == 0, "{}: nobody books before the sale", offer.title);
        }
    }
}
