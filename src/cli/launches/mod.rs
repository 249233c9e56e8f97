//! `launches`: what people book.
//!
//! - [`list`], [`show`]: reading; also who booked one, and how its seats came and went.
//! - [`change`]: a new one, other facts, the end.

mod change;
mod list;
pub mod show;

use astrops_api::{launches::Launch, vocabulary::LaunchStatus};
use chrono::{DateTime, Utc};

use super::{context::Context, failure::Failure, output::Tone};

/// What can be done about launches.
#[derive(clap::Subcommand)]
pub enum Command {
    /// List launches by start, the next first.
    List(list::Args),
    /// Show one launch.
    Show(show::Args),
    /// Put a launch on sale.
    Create(change::Create),
    /// Change a launch; everybody booked is told of another date or venue.
    Edit(change::Edit),
    /// Cancel a launch with its bookings, give the money back, and tell everybody booked.
    Cancel(change::Cancel),
    /// List the bookings of a launch, newest first.
    Bookings(show::Bookings),
    /// Show the seats of a launch that were taken and given back, latest first.
    CapacityLog(show::CapacityLog),
}

impl Command {
    /// Does it.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List(args) => args.run(context).await,
            Self::Show(args) => args.run(context).await,
            Self::Create(args) => args.run(context).await,
            Self::Edit(args) => args.run(context).await,
            Self::Cancel(args) => args.run(context).await,
            Self::Bookings(args) => args.run(context).await,
            Self::CapacityLog(args) => args.run(context).await,
        }
    }
}

/// Whether somebody can book it now, in one or two words; else why not.
fn state(launch: &Launch, now: DateTime<Utc>) -> (&'static str, Tone) {
    match launch.status {
        LaunchStatus::Cancelled => ("cancelled", Tone::Warn),
        LaunchStatus::Completed => ("completed", Tone::Dim),
        LaunchStatus::Scheduled if !launch.is_active => ("hidden", Tone::Warn),
        LaunchStatus::Scheduled if launch.sales_start_at.is_some_and(|time| time > now) => {
            ("not on sale", Tone::Plain)
        }
        LaunchStatus::Scheduled if launch.available_tickets == 0 => ("sold out", Tone::Busy),
        LaunchStatus::Scheduled => ("on sale", Tone::Good),
    }
}
