//! The accounts: who may sign in, from where they did, and what they booked.

use astrops_api::{
    auth::Session,
    ids::UserId,
    users::{Account, EditUser, UserQuery},
    vocabulary::{EntityType, Order, Role},
};
use chrono::{DateTime, Utc};
use ratatui::style::Style;

use super::role;
use crate::{
    files::UserFile,
    format,
    keys::{Action, Scope},
    layers::{Confirm, Layer},
    message::{Change, Request, Update},
    screen::{Context, Effect, Place},
    screens::entities::{
        Aim, Kind, Lines, Listed, News, Slice, Sort, booking_lines, heading, history_lines, id_lines, line,
        read, read_bool, split,
    },
    theme::Look,
    widgets::table::{Column, Row},
};

/// The users.
pub enum Accounts {}

impl Row for Account {
    type Key = UserId;

    fn key(&self) -> UserId {
        self.user.id
    }
}

impl Listed for Accounts {
    type Row = Account;
    type Id = UserId;
    type Query = UserQuery;

    const NOUN: &'static str = "user";
    const TITLE: &'static str = "Users";
    const EMPTY: &'static str = "No users. astrops users add makes the first.";
    const SORTS: &'static [Sort] = &[
        Sort { word: "date", column: 5, order: Order::Desc },
        Sort { word: "email", column: 0, order: Order::Asc },
        Sort { word: "name", column: 1, order: Order::Asc },
        Sort { word: "lastLoginAt", column: 4, order: Order::Desc },
    ];

    fn columns() -> Vec<Column<Account>> {
        let column =
            |title, width, rank, cell| Column { title, width, rank, right: false, cell, order: None };
        vec![
            column("E-MAIL", 0, 0, |row: &Account, _| (row.user.email.clone(), Style::new())),
            column("NAME", 0, 4, |row, _| (row.user.name.clone().unwrap_or_default(), Style::new())),
            column("ROLE", 9, 1, |row, _| (role_of(row).to_owned(), Style::new())),
            column("STATE", 8, 0, |row, context| state(row, context.look)),
            column("SIGNED IN", 11, 2, |row, context| match row.last_login_at {
                Some(at) => (format::moment(at, context.now), Style::new()),
                None => ("never".to_owned(), context.look.dim),
            }),
            column("CREATED", 11, 3, |row, context| {
                (format::moment(row.user.created_at, context.now), Style::new())
            }),
        ]
    }

    fn parse(typed: &str, _now: DateTime<Utc>) -> Result<UserQuery, String> {
        let (named, words) = split(typed, &["role", "active", "locked"])?;
        let mut query = UserQuery { q: words, ..UserQuery::default() };
        for (field, value) in named {
            match field {
                "role" => query.role = read(value)?,
                "active" => query.is_active = read_bool(value)?,
                _ => query.is_locked = read_bool(value)?,
            }
        }
        Ok(query)
    }

    fn page(number: u64, query: &UserQuery, slice: Slice) -> Request {
        let query = UserQuery {
            sort: Some(slice.sort.to_owned()),
            order: Some(slice.order),
            limit: Some(slice.limit),
            offset: Some(slice.offset),
            ..query.clone()
        };
        Request::Users(number, Box::new(query))
    }
}

impl Kind for Accounts {
    type File = UserFile;

    const SCOPE: Scope = Scope::Users;
    const ENTITY: EntityType = EntityType::User;
    const TURN: (&'static str, &'static [&'static str]) = ("role", &["employee", "supplier", "customer"]);
    const ACTIONS: &'static [Action] = &[
        Action::Unlock,
        Action::RevokeSessions,
        Action::Disable,
        Action::ChangeRole,
        Action::ToBookings,
        Action::ToLaunch,
        Action::Follow,
        Action::Compare,
    ];
    const IN_DETAIL: &'static [(Action, &'static str)] = &[
        (Action::Close, "back"),
        (Action::Unlock, "unlock"),
        (Action::RevokeSessions, "sign out"),
        (Action::Disable, "disable"),
        (Action::ChangeRole, "role"),
        (Action::ToBookings, "bookings"),
        (Action::Compare, "both sides"),
        (Action::Down, "scroll"),
        (Action::Help, "help"),
    ];

    fn file(id: UserId, context: &Context<'_>) -> Request {
        Request::User(id, context.user.is_some_and(astrops_api::auth::User::is_operator))
    }

    fn row(file: &UserFile) -> &Account {
        &file.account
    }

    fn short(id: UserId) -> String {
        id.short()
    }

    fn plain(row: &Account) -> String {
        format!("{} {} {} {}", row.user.id, row.user.email, role_of(row), state_word(row))
    }

    fn lines(file: &UserFile, context: &Context<'_>) -> Lines {
        let look = context.look;
        let mut lines = head(&file.account, context);
        match &file.sessions {
            None => {
                heading(&mut lines, "Signed in on", look);
                lines.push(("  only operators see this".to_owned(), look.dim));
            }
            Some(sessions) => {
                heading(&mut lines, format!("Signed in on ({})", sessions.len()), look);
                if sessions.is_empty() {
                    lines.push(("  nothing".to_owned(), look.dim));
                }
                lines.extend(sessions.iter().flat_map(|session| session_lines(session, context)));
            }
        }
        lines.extend(booking_lines(&file.bookings, |booking| booking.launch.title.clone(), context));
        lines.extend(history_lines(&file.history, context));
        lines
    }

    fn news(update: &Update) -> News<'_, Self> {
        match update {
            Update::Users(number, page) => News::Page(*number, &page.users, page.total),
            Update::User(file) => News::File(file),
            Update::Failed(request, reason) => match **request {
                Request::Users(number, _) => News::NoPage(number, reason),
                Request::User(id, _) => News::NoFile(id, reason),
                _ => News::Other,
            },
            _ => News::Other,
        }
    }

    fn aim(place: &Place) -> Option<Aim<Self>> {
        match place {
            Place::User(id) => Some(Aim::One(*id)),
            _ => None,
        }
    }

    fn available(action: Action, rows: &[&Account], context: &Context<'_>) -> Result<(), String> {
        let Some(account) = rows.first() else { return Ok(()) };
        let own = context.user.is_some_and(|user| user.id == account.user.id);
        match action {
            Action::Unlock if !account.is_locked => Err("it is not locked".into()),
            Action::Disable | Action::ChangeRole if own => {
                Err("nobody does this to their own account: ask another operator".into())
            }
            Action::ToLaunch if account.user.role != Role::Supplier => {
                Err(format!("only suppliers have launches; this is a {}", account.user.role))
            }
            _ => Ok(()),
        }
    }

    fn act(action: Action, rows: &[&Account], context: &Context<'_>) -> Vec<Effect> {
        let Some(account) = rows.first() else { return Vec::new() };
        let id = account.user.id;
        match action {
            Action::ChangeRole => role::ask(account),
            Action::ToBookings => vec![Effect::Visit(Place::Bookings(format!("user:{id}")))],
            Action::ToLaunch => vec![Effect::Visit(Place::Launches(format!("host:{id}")))],
            Action::Compare => vec![Effect::Visit(Place::Sides(Self::ENTITY, id.into()))],
            // Mails are found by their address.
            Action::Follow => vec![Effect::Visit(Place::Jobs(account.user.email.clone()))],
            action => vec![confirm(action, account, context)],
        }
    }
}

/// The question before an account is changed.
fn confirm(action: Action, account: &Account, context: &Context<'_>) -> Effect {
    let (id, name) = (account.user.id, account.user.email.clone());
    let (title, line, change) = match action {
        Action::Unlock => {
            let wrong = format::things(account.failed_login_attempts as usize, "wrong password");
            let line = format!("After {wrong} in a row. Make sure that it was the owner who typed them.");
            (format!("Unlock {name}?"), line, Change::UnlockUser(id, name))
        }
        Action::RevokeSessions => {
            let own = context.user.is_some_and(|user| user.id == id);
            let line = if own {
                "This is you: the console signs you out too."
            } else {
                "Every session ends within seconds; the password stays as it is."
            };
            (format!("Sign {name} out everywhere?"), line.to_owned(), Change::RevokeSessions(id, name))
        }
        _ => {
            let edit = EditUser { is_active: Some(!account.is_active), ..EditUser::default() };
            let (title, line) = if account.is_active {
                (
                    format!("Disable {name}?"),
                    "Every session ends, and nobody can sign in with it. Bookings stay.",
                )
            } else {
                (format!("Enable {name}?"), "Its owner can sign in again.")
            };
            (title, line.to_owned(), Change::EditUser(id, name, edit))
        }
    };
    Effect::Open(Layer::Confirm(Confirm::change(title, vec![line], 1, change, context)))
}

/// What it may do, in one word: the right says more than "employee".
fn role_of(account: &Account) -> &'static str {
    account.user.right.map_or(account.user.role.as_str(), astrops_api::vocabulary::Right::as_str)
}

fn state_word(account: &Account) -> &'static str {
    match (account.is_active, account.is_locked) {
        (false, _) => "disabled",
        (true, true) => "locked",
        (true, false) => "active",
    }
}

fn state(account: &Account, look: &Look) -> (String, Style) {
    let style = match (account.is_active, account.is_locked) {
        (false, _) => look.dim,
        (true, true) => look.warning,
        (true, false) => look.good,
    };
    (state_word(account).to_owned(), style)
}

fn head(account: &Account, context: &Context<'_>) -> Lines {
    let look = context.look;
    let when = |name: &str, at: DateTime<Utc>| {
        line(name, format!("{}  ({})", format::full(at), format::relative(at, context.now)))
    };
    let (state, style) = state(account, look);
    let mut lines = vec![(account.user.email.clone(), look.title)];
    let right = account.user.right.map(|right| format!(" ({right})")).unwrap_or_default();
    lines.push((format!("{}{right}  {state}", account.user.role), style));
    lines.extend(account.user.name.as_ref().map(|name| line("name", name)));
    lines.extend(id_lines(account.user.id.into(), look));
    if let Some(until) = account.locked_until.filter(|_| account.is_locked) {
        let words =
            format!("locked    until {}  ({})", format::full(until), format::relative(until, context.now));
        lines.push((words, look.warning));
    }
    if account.failed_login_attempts > 0 {
        let words = format!("passwords {} wrong in a row", account.failed_login_attempts);
        lines.push((words, look.warning));
    }
    lines.push(match account.last_login_at {
        Some(at) => when("signed in", at),
        None => line("signed in", "never"),
    });
    lines.push(when("created", account.user.created_at));
    lines.push(when("changed", account.updated_at));
    lines
}

fn session_lines(session: &Session, context: &Context<'_>) -> Lines {
    let look = context.look;
    let device = &session.device_info;
    let name = device.device_id.as_deref().or(device.user_agent.as_deref()).unwrap_or("unnamed device");
    let ip = device.ip.as_deref().unwrap_or("address unknown");
    let this = if session.is_current { "  (this session)" } else { "" };
    let mut lines = vec![(format!("  {name}  {ip}{this}"), Style::new())];
    if let (Some(_), Some(agent)) = (&device.device_id, &device.user_agent) {
        lines.push((format!("    {agent}"), look.dim));
    }
    let used = format::relative(session.last_used_at, context.now);
    let since = format::moment(session.created_at, context.now);
    let ends = format::relative(session.expires_at, context.now);
    lines.push((format!("    used {used}, since {since}, ends {ends}"), look.dim));
    lines
}
