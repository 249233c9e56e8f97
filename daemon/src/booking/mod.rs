//! The rules of launches and bookings: what may be sold to whom, and who is told.
//!
//! The [`Desk`] works inside the caller's transaction, so that seats, capacity log, booking, domain event and the jobs
//! that tell people are there together or not at all. Locks are taken in one order everywhere: customer, launch, booking.
//!
//! - [`launches`]: make, change and cancel a launch.
//! - [`seats`]: book and cancel.
//! - [`upkeep`]: what time brings about (sales that start, reminders, launches that are over).
//! - [`notices`]: the mails of all of it.
//!
//! Limits: an active booking per customer and launch, at most 1,000,000 seats per launch, one currency.

mod checks;
pub mod launches;
pub mod notices;
pub mod seats;
pub mod upkeep;

use std::sync::Arc;

use astrops_api::{
    ids::{BookingId, LaunchId},
    problem::FieldError,
};
use chrono::{DateTime, Utc};

use crate::{clock::Clock, jobs::Mailroom};

/// Everything that the rules need to know besides the database. Cheap to clone.
#[derive(Clone)]
pub struct Desk {
    clock: Clock,
    mailroom: Arc<Mailroom>,
    /// ISO 4217, as mails show it.
    currency: Arc<str>,
    /// Of the jobs that tell people.
    max_attempts: u32,
}

/// Who acts, and when.
#[derive(Clone, Copy)]
pub struct Act<'a> {
    /// As jobs and logs name it: `user:<id>`, `key:<name>`, `schedule:<name>`.
    pub by: &'a str,
    /// The time of the transaction.
    pub now: DateTime<Utc>,
}

/// Why the rules say no.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// No such launch, or none that the caller may know of.
    #[error("there is no launch {0}")]
    NoLaunch(LaunchId),
    /// No such booking.
    #[error("there is no booking {0}")]
    NoBooking(BookingId),
    /// Fewer seats are left.
    #[error("{0} seats are left")]
    SoldOut(u32),
    /// One active booking per customer and launch.
    #[error("the customer has booking {0} for this launch; cancel it first to book other seats")]
    AlreadyBooked(BookingId),
    /// Not on sale yet.
    #[error("the sale starts at {0}; PUT /launches/{{id}}/interest to be told")]
    SalesNotStarted(DateTime<Utc>),
    /// On sale already.
    #[error("the sale has started; book instead")]
    SalesStarted,
    /// The launch does not happen.
    #[error("the launch is cancelled")]
    LaunchCancelled,
    /// The launch has started or is over.
    #[error("the launch started at {0}")]
    LaunchStarted(DateTime<Utc>),
    /// The booking was cancelled before.
    #[error("the booking was cancelled before; nothing was changed")]
    AlreadyCancelled,
    /// Seats that are held cannot vanish.
    #[error("{0} seats are held by bookings; cancel some first or keep a capacity of {0}")]
    CapacityBelowSeats(u32),
    /// Fields that cannot be.
    #[error("see errors for each field")]
    Fields(Vec<FieldError>),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl Refusal {
    /// About one field.
    pub fn field(pointer: &str, detail: impl Into<String>) -> Self {
        Self::Fields(vec![FieldError { pointer: pointer.to_owned(), detail: detail.into() }])
    }
}

impl Desk {
    /// A desk whose mails are made by `mailroom` and say amounts in `currency`.
    pub fn new(clock: Clock, mailroom: Arc<Mailroom>, currency: &str, max_attempts: u32) -> Self {
        Self { clock, mailroom, currency: currency.into(), max_attempts }
    }
}
