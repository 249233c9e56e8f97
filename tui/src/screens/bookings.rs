//! The bookings: who holds which seats, how they are paid, and what happened to them.

use astrops_api::{
    bookings::{Booking, BookingQuery, CancelBooking, Payment},
    ids::BookingId,
    vocabulary::{BookingStatus, EntityType, Order, PaymentState, PaymentStatus},
};
use chrono::{DateTime, Utc};
use ratatui::style::Style;

use super::entities::{
    Aim, Kind, Lines, Listed, News, Reason, Slice, Sort, booking_style, capacity_lines, heading,
    history_lines, id_lines, line, payment_style, read, sides_lines, split, time, verdict_line,
};
use crate::{
    files::BookingFile,
    format,
    keys::{Action, Scope},
    message::{Change, Request, Update},
    screen::{Context, Effect, Place},
    widgets::table::{Column, Row},
};

/// The bookings.
pub enum Bookings {}

impl Row for Booking {
    type Key = BookingId;

    fn key(&self) -> BookingId {
        self.id
    }
}

impl Listed for Bookings {
    type Row = Booking;
    type Id = BookingId;
    type Query = BookingQuery;

    const NOUN: &'static str = "booking";
    const TITLE: &'static str = "Bookings";
    const EMPTY: &'static str =
        "No bookings yet. Customers make them: POST /bookings, astrops demo shows some.";
    const SORTS: &'static [Sort] = &[
        Sort { word: "date", column: 7, order: Order::Desc },
        Sort { word: "amount", column: 4, order: Order::Desc },
        Sort { word: "seats", column: 3, order: Order::Desc },
    ];

    fn columns() -> Vec<Column<Booking>> {
        let column =
            |title, width, rank, cell| Column { title, width, rank, right: false, cell, order: None };
        vec![
            column("ID", 8, 0, |row: &Booking, context| (row.id.short(), context.look.dim)),
            column("LAUNCH", 0, 1, |row, _| (row.launch.title.clone(), Style::new())),
            column("CUSTOMER", 0, 2, |row, _| (customer(row), Style::new())),
            Column {
                right: true,
                ..column("SEATS", 7, 4, |row, _| (row.ticket_quantity.to_string(), Style::new()))
            },
            Column {
                right: true,
                ..column("AMOUNT", 9, 2, |row, _| (row.total_amount.to_string(), Style::new()))
            },
            column("STATUS", 10, 0, |row, context| {
                (row.status.to_string(), booking_style(row.status, context.look))
            }),
            column("PAYMENT", 8, 0, |row, context| {
                (row.payment_status.to_string(), payment_style(row, context.look))
            }),
            column("BOOKED", 11, 3, |row, context| {
                (format::moment(row.booking_date, context.now), Style::new())
            }),
        ]
    }

    fn parse(typed: &str, now: DateTime<Utc>) -> Result<BookingQuery, String> {
        let fields = ["status", "payment", "launch", "user", "from", "to"];
        let (named, words) = split(typed, &fields)?;
        let mut query = BookingQuery { q: words, ..BookingQuery::default() };
        for (field, value) in named {
            match field {
                "status" => query.status = read(value)?,
                "payment" => query.payment_status = read(value)?,
                "launch" => query.launch_id = read(value)?,
                "user" => query.user_id = read(value)?,
                "from" => query.from = time(value, now)?,
                _ => query.to = time(value, now)?,
            }
        }
        Ok(query)
    }

    fn page(number: u64, query: &BookingQuery, slice: Slice) -> Request {
        let query = BookingQuery {
            sort: Some(slice.sort.to_owned()),
            order: Some(slice.order),
            limit: Some(slice.limit),
            offset: Some(slice.offset),
            ..query.clone()
        };
        Request::Bookings(number, Box::new(query))
    }
}

impl Kind for Bookings {
    type File = BookingFile;

    const SCOPE: Scope = Scope::Bookings;
    const ENTITY: EntityType = EntityType::Booking;
    const TURN: (&'static str, &'static [&'static str]) = ("status", &["pending", "confirmed", "cancelled"]);
    const ACTIONS: &'static [Action] =
        &[Action::Cancel, Action::ToLaunch, Action::ToUser, Action::Follow, Action::Compare];
    const IN_DETAIL: &'static [(Action, &'static str)] = &[
        (Action::Close, "back"),
        (Action::Cancel, "cancel"),
        (Action::ToLaunch, "launch"),
        (Action::ToUser, "customer"),
        (Action::Compare, "both sides"),
        (Action::Follow, "jobs"),
        (Action::Json, "raw"),
        (Action::Down, "scroll"),
        (Action::Help, "help"),
    ];

    fn file(id: BookingId, _context: &Context<'_>) -> Request {
        Request::Booking(id)
    }

    fn row(file: &BookingFile) -> &Booking {
        &file.detail.booking
    }

    fn short(id: BookingId) -> String {
        id.short()
    }

    fn plain(row: &Booking) -> String {
        let seats = format::things(row.ticket_quantity as usize, "seat");
        let (status, payment) = (row.status, row.payment_status);
        format!(
            "{} {} {} {seats} {} {status} {payment}",
            row.id,
            row.launch.title,
            customer(row),
            row.total_amount
        )
    }

    fn lines(file: &BookingFile, context: &Context<'_>) -> Lines {
        let detail = &file.detail;
        let mut lines = head(&detail.booking, context);
        lines.insert(2, verdict_line(&file.sides, context.look));
        lines.extend(sides_lines(&file.sides, context));
        heading(&mut lines, format!("Payments ({})", detail.payments.len()), context.look);
        if detail.payments.is_empty() {
            lines.push(("  nobody has tried to pay".to_owned(), context.look.dim));
        }
        for payment in &detail.payments {
            lines.extend(payment_lines(payment, context));
        }
        lines.extend(capacity_lines(&detail.capacity_log, detail.capacity_log.len() as u64, context));
        lines.extend(history_lines(&file.history, context));
        lines
    }

    fn news(update: &Update) -> News<'_, Self> {
        match update {
            Update::Bookings(number, page) => News::Page(*number, &page.bookings, page.total),
            Update::Booking(file) => News::File(file),
            Update::Failed(request, reason) => match **request {
                Request::Bookings(number, _) => News::NoPage(number, reason),
                Request::Booking(id) => News::NoFile(id, reason),
                _ => News::Other,
            },
            _ => News::Other,
        }
    }

    fn aim(place: &Place) -> Option<Aim<Self>> {
        match place {
            Place::Booking(id) => Some(Aim::One(*id)),
            Place::Bookings(filter) => Some(Aim::Filter(filter.clone())),
            _ => None,
        }
    }

    fn available(action: Action, rows: &[&Booking], _context: &Context<'_>) -> Result<(), String> {
        match action {
            Action::Cancel if rows.iter().all(|row| row.status == BookingStatus::Cancelled) => {
                let which = if rows.len() == 1 { "it is" } else { "all of these are" };
                Err(format!("{which} cancelled already"))
            }
            _ => Ok(()),
        }
    }

    fn act(action: Action, rows: &[&Booking], _context: &Context<'_>) -> Vec<Effect> {
        let Some(first) = rows.first() else { return Vec::new() };
        match action {
            Action::Cancel => cancel(rows),
            Action::ToLaunch => vec![Effect::Visit(Place::Launch(first.launch_id))],
            Action::ToUser => vec![Effect::Visit(Place::User(first.user_id))],
            Action::Compare => vec![Effect::Visit(Place::Sides(Self::ENTITY, first.id.into()))],
            _ => vec![Effect::Visit(Place::Jobs(first.id.to_string()))],
        }
    }

    fn unmarks(change: &Change) -> bool {
        matches!(change, Change::CancelBookings(..))
    }
}

/// What to call the customer.
fn customer(row: &Booking) -> String {
    row.user.name.clone().or_else(|| row.user.email.clone()).unwrap_or_else(|| row.user_id.short())
}

fn head(booking: &Booking, context: &Context<'_>) -> Lines {
    let look = context.look;
    let seats = format::things(booking.ticket_quantity as usize, "seat");
    let mut lines = vec![
        (
            format!("{seats}  {}  {}", booking.total_amount, booking.status),
            booking_style(booking.status, look),
        ),
        (format!("payment   {}", booking.payment_status), payment_style(booking, look)),
    ];
    lines.extend(id_lines(booking.id.into(), look));
    lines.extend(
        booking.cancellation_reason.iter().map(|reason| (format!("because   {reason}"), look.warning)),
    );
    let when = |name: &str, at: DateTime<Utc>| {
        line(name, format!("{}  ({})", format::full(at), format::relative(at, context.now)))
    };
    lines.push(when("booked", booking.booking_date));
    lines.extend(booking.cancelled_at.map(|at| when("cancelled", at)));
    lines.push(when("changed", booking.updated_at));
    lines.extend(booking.payment_method.map(|method| line("paid by", method)));
    lines.extend(booking.payment_transaction_id.as_ref().map(|reference| line("reference", reference)));
    heading(&mut lines, "Launch - e shows it", look);
    lines.push(line("title", &booking.launch.title));
    lines.push(when("starts", booking.launch.start_date_time));
    lines.push((format!("id        {}", booking.launch_id), look.dim));
    heading(&mut lines, "Customer - u shows the account", look);
    lines.extend(booking.user.name.as_ref().map(|name| line("name", name)));
    lines.extend(booking.user.email.as_ref().map(|email| line("e-mail", email)));
    lines.push((format!("id        {}", booking.user_id), look.dim));
    lines
}

fn payment_lines(payment: &Payment, context: &Context<'_>) -> Lines {
    let look = context.look;
    let style = match payment.status {
        PaymentState::Paid => look.good,
        PaymentState::Failed => look.bad,
        PaymentState::Pending | PaymentState::RequiresAction | PaymentState::Refunding => look.warning,
        PaymentState::Refunded => look.dim,
    };
    let at = format::moment(payment.created_at, context.now);
    let method = payment.method.as_deref().unwrap_or("no card yet");
    let mut lines = vec![(
        format!(
            "  {at}  {}  {} {}  {method}  {}",
            payment.status,
            payment.amount,
            payment.currency.to_uppercase(),
            payment.provider
        ),
        style,
    )];
    let more = [
        payment.error.as_ref().map(|error| {
            let code = payment.error_code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default();
            format!("refused: {error}{code}")
        }),
        payment.intent.as_ref().map(|intent| format!("reference {intent}")),
        payment.refund.as_ref().map(|refund| format!("refund {refund}")),
    ];
    lines.extend(more.into_iter().flatten().map(|words| (format!("     {words}"), look.dim)));
    lines
}

/// The form before bookings are cancelled.
fn cancel(rows: &[&Booking]) -> Vec<Effect> {
    const SHOWN: usize = 5;
    let fit: Vec<&Booking> =
        rows.iter().copied().filter(|row| row.status != BookingStatus::Cancelled).collect();
    let seats: u64 = fit.iter().map(|row| u64::from(row.ticket_quantity)).sum();
    let paid = fit.iter().filter(|row| row.payment_status == PaymentStatus::Paid).count();
    let mut lines = Vec::new();
    if fit.len() < rows.len() {
        let left = format::things(rows.len() - fit.len(), "marked booking");
        lines.push(format!("{left} left out: cancelled already."));
    }
    let seats = format::things(usize::try_from(seats).unwrap_or(usize::MAX), "seat");
    lines.push(format!("{seats} given back; nobody can undo it."));
    if paid > 0 {
        lines.push(format!(
            "{} refunded: the money goes back by itself.",
            format::things(paid, "paid booking")
        ));
    }
    lines.extend(fit.iter().take(SHOWN).map(|row| {
        format!("  {} {} {} {}", row.id.short(), customer(row), row.launch.title, row.total_amount)
    }));
    if fit.len() > SHOWN {
        lines.push(format!("  and {} more", fit.len() - SHOWN));
    }
    let title = format!("Cancel {}?", format::things(fit.len(), "booking"));
    let ids: Vec<BookingId> = fit.iter().map(|row| row.id).collect();
    let change = Change::CancelBookings(ids, CancelBooking::default());
    Reason { title, lines, items: fit.len(), change }.ask()
}
