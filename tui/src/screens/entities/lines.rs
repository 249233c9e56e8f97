//! What several files show: bookings, seats taken and given back, who did what.

use std::fmt::Display;

use astrops_api::{
    bookings::{Booking, BookingPage},
    ids::{EntityId, object_hex},
    launches::CapacityChange,
    vocabulary::{BookingStatus, CapacityOperation, PaymentStatus},
};
use ratatui::style::Style;
use serde_json::Value;

use crate::{
    files::{History, Sides},
    format,
    screen::Context,
    theme::Look,
};

/// Text with its style, one line each.
pub type Lines = Vec<(String, Style)>;

/// A name and its value.
pub fn line(name: &str, value: impl Display) -> (String, Style) {
    (format!("{name:<9} {value}"), Style::new())
}

/// A heading with an empty line before it.
pub fn heading(lines: &mut Lines, words: impl Into<String>, look: &Look) {
    lines.push((String::new(), Style::new()));
    lines.push((words.into(), look.title));
}

/// The id, and how the document database writes it.
pub fn id_lines(id: EntityId, look: &Look) -> Lines {
    let document = object_hex(id.0).map(|hex| (format!("document  {hex}"), look.dim));
    std::iter::once((format!("id        {id}"), look.dim)).chain(document).collect()
}

/// Where a booking stands, as a style.
pub const fn booking_style(status: BookingStatus, look: &Look) -> Style {
    match status {
        BookingStatus::Confirmed => look.good,
        BookingStatus::Pending => look.warning,
        BookingStatus::Cancelled => look.dim,
    }
}

/// Where its payment stands, as a style. Nobody waits for the payment of what is cancelled.
pub fn payment_style(booking: &Booking, look: &Look) -> Style {
    match booking.payment_status {
        PaymentStatus::Pending if booking.status == BookingStatus::Cancelled => look.dim,
        PaymentStatus::Paid => look.good,
        PaymentStatus::Pending => look.warning,
        PaymentStatus::Failed => look.bad,
        PaymentStatus::Refunded => look.dim,
    }
}

/// The latest bookings of a launch or user; `whose` says what each is called here.
pub fn booking_lines(page: &BookingPage, whose: impl Fn(&Booking) -> String, context: &Context<'_>) -> Lines {
    let mut lines = Lines::new();
    let look = context.look;
    heading(&mut lines, format!("Bookings ({}) - b shows them all", format::count(page.total)), look);
    if page.bookings.is_empty() {
        lines.push(("  none".to_owned(), look.dim));
    }
    lines.extend(page.bookings.iter().map(|booking| {
        let at = format::moment(booking.booking_date, context.now);
        let seats = format::things(booking.ticket_quantity as usize, "seat");
        let (status, payment) = (booking.status, booking.payment_status);
        let words = format!(
            "  {at}  {}  {seats}  {}  {status}, {payment}  {}",
            booking.id.short(),
            booking.total_amount,
            whose(booking)
        );
        (words, booking_style(status, look))
    }));
    lines
}

/// Seats taken and given back.
pub fn capacity_lines(changes: &[CapacityChange], total: u64, context: &Context<'_>) -> Lines {
    let mut lines = Lines::new();
    let look = context.look;
    heading(&mut lines, format!("Seats taken and given back ({})", format::count(total)), look);
    if changes.is_empty() {
        lines.push(("  none".to_owned(), look.dim));
    }
    lines.extend(changes.iter().map(|change| {
        let at = format::moment(change.timestamp, context.now);
        let sign = if change.operation == CapacityOperation::Reserve { '+' } else { '-' };
        let booking = change.booking_id.map(|id| format!("booking {}", id.short())).unwrap_or_default();
        (format!("  {at}  {:<7} {sign}{:<4} {booking}", change.operation, change.quantity), Style::new())
    }));
    lines
}

/// Whether both databases agree about it, in one line.
pub fn verdict_line(sides: &Sides, look: &Look) -> (String, Style) {
    let (words, style) = match sides {
        Sides::Refused(_) => ("not compared", look.warning),
        Sides::Known(diff) if diff.changes_log == "No changes" => ("they agree", look.good),
        // Nothing was done yet: it is what a job would do.
        Sides::Known(diff) => {
            let style = if diff.conflicts.is_empty() { look.active } else { look.warning };
            return (line("sides", format!("would be: {}", diff.changes_log)).0, style);
        }
    };
    (line("sides", words).0, style)
}

/// What both databases say of it, where that is not the same.
pub fn sides_lines(sides: &Sides, context: &Context<'_>) -> Lines {
    let mut lines = Lines::new();
    let look = context.look;
    heading(&mut lines, "Both sides - c compares and decides", look);
    let diff = match sides {
        Sides::Known(diff) => diff,
        Sides::Refused(reason) => {
            lines.push((format!("  not compared: {reason}"), look.bad));
            return lines;
        }
    };
    lines.push((format!("  document {}, relational {}", diff.document, diff.relational), Style::new()));
    let same = |verdict: &str| matches!(verdict, "equal" | "not compared");
    let both = diff.document == "there" && diff.relational == "there";
    lines.extend(diff.fields.iter().filter(|field| both && !same(&field.verdict)).map(|field| {
        let why = field.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let (document, relational) = (shown(&field.document), shown(&field.relational));
        let style = if field.verdict == "conflict" { look.warning } else { look.active };
        let words = format!(
            "  {}  document {document}  relational {relational}  {}{why}",
            field.label, field.verdict
        );
        (words, style)
    }));
    lines
}

/// A value of either database as people read it; it may hold anything.
pub fn shown(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) if text.is_empty() => "\"\"".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Who did what, newest first.
pub fn history_lines(history: &History, context: &Context<'_>) -> Lines {
    let mut lines = Lines::new();
    let look = context.look;
    heading(&mut lines, "History, newest first", look);
    let entries = match history {
        History::Known(entries) => entries,
        History::Refused(reason) => {
            lines.push((format!("  {reason}"), look.bad));
            return lines;
        }
    };
    if entries.is_empty() {
        lines.push(("  nothing is recorded".to_owned(), look.dim));
    }
    lines.extend(entries.iter().map(|entry| {
        let at = format::moment(entry.at, context.now);
        let actor = entry.actor_email.as_deref().unwrap_or(&entry.actor);
        let reason = entry.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        (format!("  {at}  {}  {actor}{reason}", entry.action), Style::new())
    }));
    lines
}
