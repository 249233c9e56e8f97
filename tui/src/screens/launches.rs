//! The launches: how full they are, who booked, and what happened to their seats.

use astrops_api::{
    ids::LaunchId,
    launches::{CancelLaunch, Launch, LaunchQuery},
    vocabulary::{EntityType, LaunchStatus, Order},
};
use chrono::{DateTime, Utc};
use ratatui::style::Style;

use super::entities::{
    Aim, Kind, Lines, Listed, News, Reason, Slice, Sort, booking_lines, capacity_lines, heading,
    history_lines, id_lines, line, read, read_bool, sides_lines, split, time, verdict_line,
};
use crate::{
    files::LaunchFile,
    format,
    keys::{Action, Scope},
    message::{Change, Request, Update},
    screen::{Context, Effect, Place},
    text,
    theme::Look,
    widgets::{
        bar,
        table::{Cell, Column, Row},
    },
};

/// Columns of an occupancy bar.
const BAR: u64 = 6;

/// The launches.
pub enum Launches {}

impl Row for Launch {
    type Key = LaunchId;

    fn key(&self) -> LaunchId {
        self.id
    }
}

impl Listed for Launches {
    type Row = Launch;
    type Id = LaunchId;
    type Query = LaunchQuery;

    const NOUN: &'static str = "launch";
    const TITLE: &'static str = "Launches";
    const EMPTY: &'static str =
        "No launches yet. Suppliers offer them: POST /launches, astrops demo shows some.";
    const SORTS: &'static [Sort] = &[
        Sort { word: "date", column: 3, order: Order::Asc },
        Sort { word: "occupancy", column: 2, order: Order::Desc },
        Sort { word: "title", column: 1, order: Order::Asc },
        Sort { word: "createdAt", column: 0, order: Order::Desc },
    ];

    fn columns() -> Vec<Column<Launch>> {
        let column =
            |title, width, rank, cell| Column { title, width, rank, right: false, cell, order: None };
        vec![
            column("ID", 8, 4, |row: &Launch, context| (row.id.short(), context.look.dim)),
            column("TITLE", 0, 0, |row, _| (row.title.clone(), Style::new())),
            column("OCCUPANCY", 14, 0, occupancy),
            column("STARTS", 11, 1, |row, context| {
                (format::moment(row.start_date_time, context.now), Style::new())
            }),
            column("STATUS", 10, 1, status),
            Column { right: true, ..column("PRICE", 10, 3, |row, _| (row.price.to_string(), Style::new())) },
            column("CATEGORY", 14, 6, |row, context| {
                (row.category.clone().unwrap_or_default(), context.look.dim)
            }),
            column("HOST", 8, 5, |row, context| (row.host_id.short(), context.look.dim)),
        ]
    }

    fn parse(typed: &str, now: DateTime<Utc>) -> Result<LaunchQuery, String> {
        let fields = ["status", "host", "category", "available", "from", "to"];
        let (named, words) = split(typed, &fields)?;
        let mut query = LaunchQuery { q: words, ..LaunchQuery::default() };
        for (field, value) in named {
            match field {
                "status" => query.status = read(value)?,
                "host" => query.host_id = read(value)?,
                "category" => query.category = Some(value.to_owned()),
                "available" => query.available = read_bool(value)?,
                "from" => query.from = time(value, now)?,
                _ => query.to = time(value, now)?,
            }
        }
        Ok(query)
    }

    fn page(number: u64, query: &LaunchQuery, slice: Slice) -> Request {
        let query = LaunchQuery {
            sort: Some(slice.sort.to_owned()),
            order: Some(slice.order),
            limit: Some(slice.limit),
            offset: Some(slice.offset),
            ..query.clone()
        };
        Request::Launches(number, Box::new(query))
    }
}

impl Kind for Launches {
    type File = LaunchFile;

    const SCOPE: Scope = Scope::Launches;
    const ENTITY: EntityType = EntityType::Launch;
    const TURN: (&'static str, &'static [&'static str]) =
        ("status", &["scheduled", "cancelled", "completed"]);
    const ACTIONS: &'static [Action] =
        &[Action::Cancel, Action::ToBookings, Action::ToUser, Action::Follow, Action::Compare];
    const IN_DETAIL: &'static [(Action, &'static str)] = &[
        (Action::Close, "back"),
        (Action::Cancel, "cancel"),
        (Action::ToBookings, "bookings"),
        (Action::ToUser, "host"),
        (Action::Compare, "both sides"),
        (Action::Follow, "jobs"),
        (Action::Json, "raw"),
        (Action::Down, "scroll"),
        (Action::Help, "help"),
    ];

    fn file(id: LaunchId, _context: &Context<'_>) -> Request {
        Request::Launch(id)
    }

    fn row(file: &LaunchFile) -> &Launch {
        &file.launch
    }

    fn short(id: LaunchId) -> String {
        id.short()
    }

    fn plain(row: &Launch) -> String {
        let (held, capacity) = (row.number_of_attendees, row.capacity);
        let start = format::full(row.start_date_time);
        format!("{} {} {held}/{capacity} {start} {} {}", row.id, row.title, row.status, row.price)
    }

    fn lines(file: &LaunchFile, context: &Context<'_>) -> Lines {
        let mut lines = head(&file.launch, context);
        lines.insert(2, verdict_line(&file.sides, context.look));
        lines.extend(sides_lines(&file.sides, context));
        let whose = |booking: &astrops_api::bookings::Booking| {
            booking.user.name.clone().or_else(|| booking.user.email.clone()).unwrap_or_default()
        };
        lines.extend(booking_lines(&file.bookings, whose, context));
        lines.extend(capacity_lines(&file.capacity.changes, file.capacity.total, context));
        lines.extend(history_lines(&file.history, context));
        lines
    }

    fn news(update: &Update) -> News<'_, Self> {
        match update {
            Update::Launches(number, page) => News::Page(*number, &page.launches, page.total),
            Update::Launch(file) => News::File(file),
            Update::Failed(request, reason) => match **request {
                Request::Launches(number, _) => News::NoPage(number, reason),
                Request::Launch(id) => News::NoFile(id, reason),
                _ => News::Other,
            },
            _ => News::Other,
        }
    }

    fn aim(place: &Place) -> Option<Aim<Self>> {
        match place {
            Place::Launch(id) => Some(Aim::One(*id)),
            Place::Launches(filter) => Some(Aim::Filter(filter.clone())),
            _ => None,
        }
    }

    fn available(action: Action, rows: &[&Launch], _context: &Context<'_>) -> Result<(), String> {
        match (action, rows) {
            (Action::Cancel, [row]) if row.status != LaunchStatus::Scheduled => {
                Err(format!("only scheduled launches; this one is {}", row.status))
            }
            _ => Ok(()),
        }
    }

    fn act(action: Action, rows: &[&Launch], _context: &Context<'_>) -> Vec<Effect> {
        let Some(launch) = rows.first() else { return Vec::new() };
        match action {
            Action::Cancel => cancel(launch),
            Action::ToBookings => vec![Effect::Visit(Place::Bookings(format!("launch:{}", launch.id)))],
            Action::ToUser => vec![Effect::Visit(Place::User(launch.host_id))],
            Action::Compare => vec![Effect::Visit(Place::Sides(Self::ENTITY, launch.id.into()))],
            _ => vec![Effect::Visit(Place::Jobs(launch.id.to_string()))],
        }
    }
}

/// How full it is: a bar and figures.
fn bar(row: &Launch, look: &Look) -> String {
    let (held, capacity) = (u64::from(row.number_of_attendees), u64::from(row.capacity));
    format!("{} {held}/{capacity}", bar::bar(look, held, capacity, BAR))
}

fn occupancy(row: &Launch, context: &Context<'_>) -> Cell {
    let look = context.look;
    let style = match (row.status, row.available_tickets) {
        (LaunchStatus::Cancelled | LaunchStatus::Completed, _) => look.dim,
        (LaunchStatus::Scheduled, 0) => look.active,
        (LaunchStatus::Scheduled, _) => Style::new(),
    };
    (bar(row, look), style)
}

fn status(row: &Launch, context: &Context<'_>) -> Cell {
    let look = context.look;
    match row.status {
        LaunchStatus::Scheduled if !row.is_active => ("hidden".to_owned(), look.warning),
        LaunchStatus::Scheduled => (row.status.to_string(), look.good),
        LaunchStatus::Cancelled => (row.status.to_string(), look.warning),
        LaunchStatus::Completed => (row.status.to_string(), look.dim),
    }
}

fn head(launch: &Launch, context: &Context<'_>) -> Lines {
    let look = context.look;
    let when = |name: &str, at: DateTime<Utc>| {
        line(name, format!("{}  ({})", format::full(at), format::relative(at, context.now)))
    };
    let (status, style) = status(launch, context);
    let mut lines = vec![
        (launch.title.clone(), look.title),
        (format!("{}  {status}", bar(launch, look)), style),
        line("seats", format!("{} left of {}", launch.available_tickets, launch.capacity)),
        line("price", launch.price),
        when("starts", launch.start_date_time),
        when("ends", launch.end_date_time),
    ];
    lines.extend(launch.sales_start_at.map(|at| when("on sale", at)));
    if !launch.is_active {
        lines.push((
            "hidden    it is not in the public list, and its sale is closed".to_owned(),
            look.warning,
        ));
    }
    lines.extend(launch.venue.as_ref().map(|venue| line("venue", venue)));
    lines.extend(launch.category.as_ref().map(|category| line("category", category)));
    lines.push(line("host", launch.host_id));
    lines.extend(id_lines(launch.id.into(), look));
    lines.push(when("made", launch.created_at));
    lines.push(when("changed", launch.updated_at));
    if let Some(description) = &launch.description {
        heading(&mut lines, "Description", look);
        lines.extend(text::lines(description).map(|line| (format!("  {line}"), Style::new())));
    }
    lines
}

/// The form before a launch is cancelled. Its seats are what is typed: that many people lose them.
fn cancel(launch: &Launch) -> Vec<Effect> {
    let held = launch.number_of_attendees as usize;
    let mut lines = vec![format!("{} on {}.", launch.title, format::full(launch.start_date_time))];
    lines.push(if held == 0 {
        "Nobody has booked it.".to_owned()
    } else {
        let seats = format::things(held, "seat");
        format!("{seats} held: every booking is cancelled, what was paid goes back, and everybody is told.")
    });
    lines.push("Nobody can undo it.".to_owned());
    let title = format!("Cancel launch {}?", launch.id.short());
    let change = Change::CancelLaunch(launch.id, CancelLaunch::default());
    Reason { title, lines, items: held.max(1), change }.ask()
}
