//! What a screen is: state of its own, changed by actions and updates, drawn into a buffer. It never awaits and
//! never holds the client: it returns [`Effect`]s and the app carries them out.

use std::time::Duration;

use astrops_api::{
    auth::User,
    ids::{BookingId, EntityId, JobId, LaunchId, UserId},
    vocabulary::EntityType,
};
use chrono::{DateTime, Utc};
use ratatui::{buffer::Buffer, layout::Rect};

use crate::{
    keys::{Action, Scope},
    layers::{Ask, Layer},
    message::{LinkState, Request, Update},
    theme::Look,
};

/// The tabs, in order, with the digits that choose them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tab {
    /// `1`
    Dashboard,
    /// `2`
    Logs,
    /// `3`
    Jobs,
    /// `4`
    Bookings,
    /// `5`
    Launches,
    /// `6`
    Users,
    /// `7`
    Drift,
    /// `8`
    Schedules,
}

impl Tab {
    /// Every tab, from left to right.
    pub const ALL: [Self; 8] = [
        Self::Dashboard,
        Self::Logs,
        Self::Jobs,
        Self::Bookings,
        Self::Launches,
        Self::Users,
        Self::Drift,
        Self::Schedules,
    ];

    /// Its digit and name.
    pub const fn label(self) -> (char, &'static str) {
        match self {
            Self::Dashboard => ('1', "Dashboard"),
            Self::Logs => ('2', "Logs"),
            Self::Jobs => ('3', "Jobs"),
            Self::Bookings => ('4', "Bookings"),
            Self::Launches => ('5', "Launches"),
            Self::Users => ('6', "Users"),
            Self::Drift => ('7', "Drift"),
            Self::Schedules => ('8', "Schedules"),
        }
    }

    /// Its name where there is little room.
    pub const fn short(self) -> &'static str {
        match self {
            Self::Dashboard => "Dash",
            Self::Bookings => "Book",
            Self::Launches => "Launch",
            Self::Schedules => "Sched",
            other => other.label().1,
        }
    }
}

/// What every screen may know when it acts or draws.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The time.
    pub now: DateTime<Utc>,
    /// What things look like.
    pub look: &'a Look,
    /// Who is signed in.
    pub user: Option<&'a User>,
    /// How the connection is.
    pub link: &'a LinkState,
    /// Since when data is not fresh; `None` while connected.
    pub stale_since: Option<DateTime<Utc>>,
    /// Whether this profile never changes anything.
    pub read_only: bool,
    /// Whether this profile asks for the number of items before every change.
    pub production: bool,
}

impl Context<'_> {
    /// Whether changes are possible at all, or why not.
    pub fn may_change(&self) -> Result<(), String> {
        if self.read_only {
            return Err("this profile is read-only".into());
        }
        if !self.link.is_live() {
            return Err("not connected: commands are refused, not queued".into());
        }
        match self.user {
            Some(user) if user.is_operator() => Ok(()),
            Some(user) => {
                let right = user.right.map_or(user.role.as_str(), |right| right.as_str());
                Err(format!("it needs the operator right; you are a {right}"))
            }
            None => Err("nobody is signed in".into()),
        }
    }

    /// Items in a question above which the operator types their number.
    pub const fn needs_count(&self, items: usize) -> bool {
        self.production || items > 20
    }
}

/// How a message sounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Something went well or is good to know.
    Note,
    /// Something did not happen.
    Trouble,
}

/// A place of the console to go to.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// A tab as it stands.
    Tab(Tab),
    /// The detail of a job.
    Job(JobId),
    /// The jobs, narrowed.
    Jobs(String),
    /// The logs of one job.
    LogsOf(JobId),
    /// The logs at one entry.
    LogAt(astrops_api::ids::LogId, DateTime<Utc>),
    /// A schedule.
    Schedule(String),
    /// The detail of a booking.
    Booking(BookingId),
    /// The bookings, narrowed.
    Bookings(String),
    /// The detail of a launch.
    Launch(LaunchId),
    /// The launches, narrowed.
    Launches(String),
    /// The detail of a user.
    User(UserId),
    /// Both sides of an entity.
    Sides(EntityType, EntityId),
    /// The conflicts.
    Conflicts,
    /// The sweeps, narrowed.
    Sweeps(String),
}

/// What a screen or layer wants done.
#[derive(Debug)]
pub enum Effect {
    /// Ask the daemon.
    Ask(Request),
    /// Put a layer on top.
    Open(Layer),
    /// Take the top layer off.
    Close,
    /// Say something in the status line.
    Say(Tone, String),
    /// Go somewhere.
    Visit(Place),
    /// Do what an action of the current place does.
    Act(Action),
    /// Hand the screen a text that a prompt asked for; `true` when it is final.
    Prompted(Ask, String, bool),
    /// Put text on the clipboard.
    Copy(String),
    /// End the session.
    SignOut,
    /// End the console.
    Quit,
}

impl Effect {
    /// Something to know.
    pub fn note(text: impl Into<String>) -> Self {
        Self::Say(Tone::Note, text.into())
    }

    /// Something that did not happen.
    pub fn trouble(text: impl Into<String>) -> Self {
        Self::Say(Tone::Trouble, text.into())
    }
}

/// A screen.
pub trait Screen {
    /// Whose keys hold.
    fn scope(&self) -> Scope;

    /// Whether `action` is possible now, or why not. Asked before every [`Screen::act`].
    fn available(&self, _action: Action, _context: &Context<'_>) -> Result<(), String> {
        Ok(())
    }

    /// Does `action`.
    fn act(&mut self, action: Action, context: &Context<'_>) -> Vec<Effect>;

    /// Takes in news; also while another screen is shown.
    fn update(&mut self, update: &Update, context: &Context<'_>) -> Vec<Effect>;

    /// Called every second and when the screen comes to the front: asks for what is due.
    fn tick(&mut self, _visible: bool, _context: &Context<'_>) -> Vec<Effect> {
        Vec::new()
    }

    /// A text that a prompt asked for, as it is typed and (`done`) when it is final.
    fn prompted(&mut self, _ask: &Ask, _text: &str, _done: bool, _context: &Context<'_>) -> Vec<Effect> {
        Vec::new()
    }

    /// Goes to `place`, which is on this screen.
    fn visit(&mut self, _place: &Place, _context: &Context<'_>) -> Vec<Effect> {
        Vec::new()
    }

    /// Whether `q` has something to close here before it asks to quit.
    fn is_nested(&self) -> bool {
        false
    }

    /// The hints of the part of the screen that has the keys, when they are not those of its scope.
    fn hints(&self, _context: &Context<'_>) -> &'static [(Action, &'static str)] {
        &[]
    }

    /// What the status line says while nothing else is to be said.
    fn remark(&self, _context: &Context<'_>) -> Option<String> {
        None
    }

    /// Draws itself.
    fn draw(&mut self, buffer: &mut Buffer, area: Rect, context: &Context<'_>);
}

/// Asks again when the last time is long enough ago.
#[derive(Clone, Copy, Debug, Default)]
pub struct Due {
    last: Option<DateTime<Utc>>,
    soon: bool,
}

impl Due {
    /// Something changed: ask at the next tick, though not twice within a second.
    pub const fn hurry(&mut self) {
        self.soon = true;
    }

    /// Whether to ask now; `every` holds while nothing hurries.
    pub fn is_now(&mut self, now: DateTime<Utc>, every: Duration) -> bool {
        let wait = if self.soon { Duration::from_millis(900) } else { every };
        let due = self.last.is_none_or(|last| (now - last).to_std().unwrap_or_default() >= wait);
        if due {
            *self = Self { last: Some(now), soon: false };
        }
        due
    }
}
