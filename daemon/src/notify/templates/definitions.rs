//! The mails that can be sent: for whom, with which data, from which templates.
//!
//! To add one: a word in the contract's `NotificationType`, one entry here, three files in `config/mail`.

use astrops_api::vocabulary::NotificationType;

/// One kind of mail.
pub(super) struct Definition {
    pub kind: NotificationType,
    /// Who gets it and when.
    pub description: &'static str,
    /// Fields that `data` must have.
    pub required: &'static [&'static str],
    /// Fields that `data` may have, shown when given.
    pub optional: &'static [&'static str],
    /// Template names with their sources.
    pub subject: (&'static str, &'static str),
    pub text: (&'static str, &'static str),
    pub html: (&'static str, &'static str),
}

/// A template's name and source, compiled in.
macro_rules! template {
    ($file:literal, $ending:literal) => {
        (concat!($file, $ending), include_str!(concat!("../../../../config/mail/", $file, $ending)))
    };
}

macro_rules! definition {
    ($kind:ident, $file:literal, $description:literal, needs $required:expr, shows $optional:expr) => {
        Definition {
            kind: NotificationType::$kind,
            description: $description,
            required: &$required,
            optional: &$optional,
            subject: template!($file, ".subject"),
            text: template!($file, ".text"),
            html: template!($file, ".html"),
        }
    };
}

/// What the others build upon.
pub(super) const LAYOUTS: &[(&str, &str)] = &[template!("layout", ".text"), template!("layout", ".html")];

/// Every kind, in the order of the contract.
pub(super) const DEFINITIONS: &[Definition] = &[
    definition!(NewBooking, "new_booking", "To a supplier when somebody has booked",
        needs ["bookingId", "launchId", "seats"],
        shows ["name", "title", "startDateTime", "venue", "customerName", "amount", "currency"]),
    definition!(BookingConfirmed, "booking_confirmed", "To a customer when the seats are theirs",
        needs ["bookingId", "launchId"],
        shows ["name", "title", "startDateTime", "venue", "seats", "amount", "currency"]),
    definition!(BookingCancelled, "booking_cancelled", "To a customer when the booking is cancelled",
        needs ["bookingId", "launchId"],
        shows ["name", "title", "startDateTime", "venue", "seats", "amount", "currency", "reason"]),
    definition!(PaymentReceived, "payment_received", "To a customer when the money has arrived",
        needs ["bookingId", "amount"],
        shows ["name", "currency", "launchId", "title", "startDateTime", "venue", "seats", "paymentMethod", "transactionId"]),
    definition!(PaymentFailed, "payment_failed", "To a customer when the payment was refused",
        needs ["bookingId", "amount"],
        shows ["name", "currency", "launchId", "title", "startDateTime", "venue", "seats", "paymentMethod", "reason"]),
    definition!(RefundIssued, "refund_issued", "To a customer when the money goes back",
        needs ["bookingId", "amount"],
        shows ["name", "currency", "launchId", "title", "seats", "paymentMethod", "transactionId", "reason"]),
    definition!(LaunchUpdated, "launch_updated", "To everybody booked when a launch has changed",
        needs ["launchId", "changes"],
        shows ["name", "title", "startDateTime", "venue", "bookingId", "seats"]),
    definition!(LaunchCancelled, "launch_cancelled", "To everybody booked when a launch does not happen",
        needs ["launchId"],
        shows ["name", "title", "startDateTime", "venue", "bookingId", "seats", "amount", "currency", "reason"]),
    definition!(SaleStarted, "sale_started", "To the interested when seats are on sale",
        needs ["launchId"],
        shows ["name", "title", "startDateTime", "venue", "hostName", "price", "currency", "seats"]),
    definition!(NewLaunch, "new_launch", "To a supplier's followers when there is a new launch",
        needs ["launchId"],
        shows ["name", "title", "startDateTime", "venue", "hostName", "price", "currency", "salesStartAt"]),
    definition!(LaunchReminder, "launch_reminder", "To a customer, a day before the launch",
        needs ["bookingId", "launchId"],
        shows ["name", "title", "startDateTime", "venue", "seats"]),
    definition!(AccountLocked, "account_locked", "To a user whose account is locked after wrong passwords",
        needs ["until"],
        shows ["name", "email", "ipAddress", "reason"]),
    definition!(Welcome, "welcome", "To a new user",
        needs ["name"],
        shows ["email", "role"]),
];

/// The fields that the list of details shows, in its order, with their labels.
pub(super) const DETAILS: &[(&str, &str)] = &[
    ("title", "Launch"),
    ("launchId", "Launch number"),
    ("startDateTime", "Starts"),
    ("venue", "Venue"),
    ("hostName", "By"),
    ("bookingId", "Booking number"),
    ("customerName", "Booked by"),
    ("seats", "Seats"),
    ("amount", "Amount"),
    ("price", "Price"),
    ("paymentMethod", "Payment method"),
    ("transactionId", "Payment reference"),
    ("salesStartAt", "On sale from"),
    ("email", "Sign-in"),
    ("role", "Account"),
    ("until", "Locked until"),
    ("ipAddress", "Tried from"),
    ("reason", "Reason"),
];

impl Definition {
    /// The definition of `kind`; a test checks that there is one of each.
    pub fn of(kind: NotificationType) -> Option<&'static Self> {
        DEFINITIONS.iter().find(|definition| definition.kind == kind)
    }

    /// Every field that the mail knows.
    pub fn fields(&self) -> impl Iterator<Item = &'static str> {
        self.required.iter().chain(self.optional).copied()
    }
}
