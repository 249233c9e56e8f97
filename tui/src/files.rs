//! Everything that is known about one booking, launch or user: what several calls of the daemon answer, gathered
//! by the link for one detail.

use astrops_api::{
    audit::AuditEntry,
    auth::Session,
    bookings::{BookingDetail, BookingPage},
    drift::Drift,
    launches::{CapacityLogPage, Launch},
    reconciliation::{Conflict, Diff},
    users::Account,
};
use serde::Serialize;

/// Rows of each list in a file; the totals tell how many more there are.
pub const ROWS: u32 = 20;

/// Who did what to something.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum History {
    /// Newest first.
    Known(Vec<AuditEntry>),
    /// The daemon does not tell, and why: that must not hide the rest.
    Refused(String),
}

/// What both databases say of something.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Sides {
    /// Field by field.
    Known(Box<Diff>),
    /// They cannot be compared now, and why: that must not hide the rest.
    Refused(String),
}

/// One entity on both sides.
#[derive(Clone, Debug, Serialize)]
pub struct SidesFile {
    /// Both sides, the base and the verdicts now.
    pub diff: Diff,
    /// What waits for a person, a snoozed one too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conflict: Option<Conflict>,
    /// What is known to differ, and why it was not mended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known: Option<Drift>,
}

/// A booking.
#[derive(Clone, Debug, Serialize)]
pub struct BookingFile {
    /// It, with payments and seats.
    pub detail: BookingDetail,
    /// Both sides.
    pub sides: Sides,
    /// Who did what to it.
    pub history: History,
}

/// A launch.
#[derive(Clone, Debug, Serialize)]
pub struct LaunchFile {
    /// It.
    pub launch: Launch,
    /// Its latest bookings.
    pub bookings: BookingPage,
    /// The latest changes of the seats that are held.
    pub capacity: CapacityLogPage,
    /// Both sides.
    pub sides: Sides,
    /// Who did what to it.
    pub history: History,
}

/// What was sold since midnight (UTC), for the dashboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Today {
    /// Bookings that were made.
    pub booked: u64,
    /// Of those, the cancelled ones.
    pub cancelled: u64,
    /// Bookings of any day that hold seats and are not paid.
    pub unpaid: u64,
}

/// A user.
#[derive(Clone, Debug, Serialize)]
pub struct UserFile {
    /// The account.
    pub account: Account,
    /// Where it is signed in; `None` for those who may not see that.
    pub sessions: Option<Vec<Session>>,
    /// Its latest bookings.
    pub bookings: BookingPage,
    /// Who did what to it.
    pub history: History,
}
