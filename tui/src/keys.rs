//! ONE table of actions. Key dispatch, the hint bar, `?` help, the `:` palette, the `x` menu and docs/KEYS.md
//! are all made from [`TABLE`](table::TABLE).
//!
//! To add an action: a variant in [`Action`], a row in `keys/table.rs`, and an arm where the screen acts. Tests
//! fail for a variant without a row, for two rows that fight over a key, and for a lowercase key that changes data.

mod chord;
mod document;
mod table;

use std::collections::HashMap;

pub use chord::Chord;
pub use document::document;
pub use table::TABLE;

/// Where a key has a meaning. Layers take every key; screens share [`Scope::Everywhere`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// On every screen.
    Everywhere,
    /// On the dashboard.
    Dashboard,
    /// On the logs.
    Logs,
    /// On the jobs and a job's detail.
    Jobs,
    /// On the bookings and a booking's file.
    Bookings,
    /// On the launches and a launch's file.
    Launches,
    /// On the users and a user's file.
    Users,
    /// On the service keys.
    Keys,
    /// On the list of what differs and of the conflicts.
    Drift,
    /// On the sweeps.
    Sweeps,
    /// On both sides of one entity.
    Resolve,
    /// On the changes of one entity.
    History,
    /// On the schedules.
    Schedules,
    /// In the sign-in form.
    Login,
    /// In help, the palette and the actions menu.
    Menu,
    /// In a question.
    Confirm,
    /// In a form.
    Form,
    /// In the line that asks for a filter, a time or an id.
    Prompt,
    /// In a page of text.
    Page,
}

impl Scope {
    /// The name as a heading.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Everywhere => "Everywhere",
            Self::Dashboard => "Dashboard",
            Self::Logs => "Logs",
            Self::Jobs => "Jobs",
            Self::Bookings => "Bookings",
            Self::Launches => "Launches",
            Self::Users => "Users",
            Self::Keys => "Service keys",
            Self::Drift => "Drift",
            Self::Sweeps => "Sweeps",
            Self::Resolve => "Both sides",
            Self::History => "Changes",
            Self::Schedules => "Schedules",
            Self::Login => "Sign in",
            Self::Menu => "Menus",
            Self::Confirm => "Questions",
            Self::Form => "Forms",
            Self::Prompt => "Filter and other lines",
            Self::Page => "Pages of text",
        }
    }

    /// Every scope, in the order of the documents.
    pub const ALL: [Self; 19] = [
        Self::Everywhere,
        Self::Dashboard,
        Self::Logs,
        Self::Jobs,
        Self::Bookings,
        Self::Launches,
        Self::Users,
        Self::Keys,
        Self::Drift,
        Self::Sweeps,
        Self::Resolve,
        Self::History,
        Self::Schedules,
        Self::Login,
        Self::Menu,
        Self::Confirm,
        Self::Form,
        Self::Prompt,
        Self::Page,
    ];

    /// Whether it is a screen, where [`Scope::Everywhere`] holds too.
    pub const fn is_screen(self) -> bool {
        !matches!(
            self,
            Self::Everywhere
                | Self::Login
                | Self::Menu
                | Self::Confirm
                | Self::Form
                | Self::Prompt
                | Self::Page
        )
    }
}

macro_rules! actions {
    ($($(#[$meta:meta])* $name:ident),+ $(,)?) => {
        /// Everything that a key, the palette or a menu can start.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Action { $($(#[$meta])* $name),+ }

        impl Action {
            /// Every action.
            #[cfg(test)]
            pub const ALL: &'static [Self] = &[$(Self::$name),+];
        }
    };
}

actions! {
    /// Screen 1.
    GoDashboard,
    /// Screen 2.
    GoLogs,
    /// Screen 3.
    GoJobs,
    /// Screen 4.
    GoBookings,
    /// Screen 5.
    GoLaunches,
    /// Screen 6.
    GoUsers,
    /// Screen 7.
    GoDrift,
    /// Screen 8.
    GoSchedules,
    /// The screen to the right.
    NextScreen,
    /// The screen to the left.
    PreviousScreen,
    /// The screen before this one.
    PreviousPlace,
    /// The list of all actions.
    Palette,
    /// To whatever has an id.
    GoToId,
    /// The keys of this screen.
    Help,
    /// What can be done here, and why not.
    Menu,
    /// One row down.
    Down,
    /// One row up.
    Up,
    /// To the first row.
    Top,
    /// To the last row.
    Bottom,
    /// Half a page down.
    HalfDown,
    /// Half a page up.
    HalfUp,
    /// A page down.
    PageDown,
    /// A page up.
    PageUp,
    /// Open, run, accept.
    Open,
    /// Back out of the innermost thing.
    Close,
    /// Close, or ask to leave.
    Leave,
    /// End the console.
    Quit,
    /// To the next panel or field.
    Focus,
    /// To the previous panel or field.
    FocusBack,
    /// Let the panel fill the screen.
    Zoom,
    /// Ask the daemon again.
    Refresh,
    /// Draw everything again.
    Redraw,
    /// Take the mouse or leave it to the terminal.
    Mouse,
    /// To the shell; `fg` comes back.
    Suspend,
    /// What the status line said.
    Messages,
    /// Figures about the console itself.
    Diagnostics,
    /// End the session.
    SignOut,
    /// Narrow the list.
    Filter,
    /// To the next row that the filter finds.
    NextMatch,
    /// To the previous one.
    PreviousMatch,
    /// Another column, or direction.
    Order,
    /// The other direction.
    Reverse,
    /// Mark a row.
    Mark,
    /// Mark up to the cursor.
    MarkRange,
    /// Mark every row that is loaded.
    MarkAll,
    /// Marked becomes unmarked.
    MarkInvert,
    /// Copy the row.
    Copy,
    /// Copy what is on the screen.
    CopyAll,
    /// The object as JSON.
    Json,
    /// From a job to its logs, from a log entry to its job, from a schedule to its jobs.
    Follow,
    /// Let new entries scroll, or hold still.
    Freeze,
    /// To a time.
    Time,
    /// The least severity that is shown.
    Severity,
    /// To the next error.
    NextError,
    /// To the previous error.
    PreviousError,
    /// To the next warning.
    NextWarning,
    /// To the previous warning.
    PreviousWarning,
    /// Which status, role or view is shown.
    Status,
    /// Retry jobs.
    Retry,
    /// Cancel jobs, bookings, a launch, a sweep.
    Cancel,
    /// Delay jobs.
    Delay,
    /// Run a job now.
    Execute,
    /// A new notification, a new service key, a new sweep.
    New,
    /// Delete ended jobs, revoke a service key.
    Delete,
    /// Show private fields.
    Reveal,
    /// Pause or resume claiming of a job type.
    PauseType,
    /// Fire a schedule now.
    Trigger,
    /// Pause or resume a schedule.
    PauseSchedule,
    /// Edit a schedule.
    EditSchedule,
    /// From a booking to its launch, from a supplier to the launches.
    ToLaunch,
    /// From a booking to its customer, from a launch to its supplier.
    ToUser,
    /// From a launch or a user to the bookings.
    ToBookings,
    /// From a job to the booking, launch or user that it is about.
    ToSubject,
    /// From a booking, launch or user to both sides of it.
    Compare,
    /// Make entities agree now.
    Reconcile,
    /// Do not list conflicts for a while.
    Snooze,
    /// Let one side win in whole conflicts.
    TakeAll,
    /// Let the document win in a field.
    TakeDocument,
    /// Let the relational row win in a field.
    TakeRelational,
    /// Let what both last agreed on win in a field.
    TakeBase,
    /// Give a field another value.
    EditValue,
    /// What the choices would write.
    Preview,
    /// Write the choices.
    Write,
    /// Take back what is not written yet; offer to revert what is.
    Undo,
    /// The changes of an entity.
    History,
    /// Take back what a change wrote.
    Revert,
    /// Pause or resume a sweep.
    PauseSweep,
    /// Let a sweep change as much as it found.
    Approve,
    /// Between users and service keys.
    ServiceKeys,
    /// Let a locked user sign in again.
    Unlock,
    /// End every session of a user.
    RevokeSessions,
    /// Keep a user from signing in, or let the user sign in again.
    Disable,
    /// Give a user another role or right.
    ChangeRole,
    /// Answer a question with yes.
    Yes,
    /// Answer a question with no.
    No,
    /// The previous choice of a field.
    ChoiceBack,
    /// The next choice of a field.
    ChoiceNext,
    /// Go on from any field of a form.
    Submit,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    /// What is done.
    pub action: Action,
    /// In a few words.
    pub name: &'static str,
    /// In a sentence.
    pub help: &'static str,
    /// As texts that [`Chord`] reads.
    pub keys: &'static [&'static str],
    /// Where.
    pub scopes: &'static [Scope],
    /// Whether it changes data, and therefore asks first.
    pub mutating: bool,
    /// The same from the command line.
    pub twin: Option<&'static str>,
    /// In the hint bar, with this short word; in the order of the table.
    pub hint: Option<&'static str>,
    /// Whether the `x` menu offers it.
    pub menu: bool,
}

impl Binding {
    /// The keys as shown: `j Down`.
    pub fn keys_text(&self) -> String {
        self.keys.join(" ")
    }

    /// Whether it has a meaning in `scope`.
    pub fn holds_in(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope) || (scope.is_screen() && self.scopes.contains(&Scope::Everywhere))
    }
}

/// The rows that hold in `scope`, its own before those of every screen.
pub fn bindings(scope: Scope) -> impl Iterator<Item = &'static Binding> {
    let own = TABLE.iter().filter(move |row| row.scopes.contains(&scope));
    let shared = TABLE
        .iter()
        .filter(move |row| scope.is_screen() && !row.scopes.contains(&scope) && row.holds_in(scope));
    own.chain(shared)
}

/// The row of `action` that holds in `scope`, or any of its rows.
pub fn binding(action: Action, scope: Scope) -> Option<&'static Binding> {
    bindings(scope).find(|row| row.action == action).or_else(|| TABLE.iter().find(|row| row.action == action))
}

/// From a key to an action, by scope.
#[derive(Debug)]
pub struct KeyMap(HashMap<(Scope, Chord), Action>);

impl KeyMap {
    /// The map of the table; an error names two actions that want the same key of a screen.
    pub fn new() -> Result<Self, String> {
        let mut map: HashMap<(Scope, Chord), Action> = HashMap::new();
        for scope in Scope::ALL {
            for row in bindings(scope) {
                for key in row.keys {
                    let chord = key.parse::<Chord>()?;
                    if let Some(other) = map.insert((scope, chord), row.action)
                        && other != row.action
                    {
                        return Err(format!(
                            "key {chord} means {other:?} and {:?} in {}",
                            row.action,
                            scope.name()
                        ));
                    }
                }
            }
        }
        Ok(Self(map))
    }

    /// What `chord` means in `scope`.
    pub fn action(&self, scope: Scope, chord: Chord) -> Option<Action> {
        self.0.get(&(scope, chord)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_actions_fight_over_a_key() {
        KeyMap::new().unwrap();
    }

    #[test]
    fn every_action_is_in_the_table_and_says_what_it_does() {
        for action in Action::ALL {
            let rows: Vec<_> = TABLE.iter().filter(|row| row.action == *action).collect();
            assert!(!rows.is_empty(), "{action:?} has no row");
            for row in rows {
                assert!(!row.name.is_empty() && row.help.ends_with('.'), "{action:?} is not documented");
                assert!(!row.scopes.is_empty(), "{action:?} holds nowhere");
            }
        }
    }

    #[test]
    fn only_upper_case_begins_a_change_and_each_change_has_its_command() {
        for row in TABLE.iter().filter(|row| row.mutating) {
            for key in row.keys {
                assert!(key.parse::<Chord>().unwrap().is_upper_case(), "{:?} is on {key}", row.action);
            }
            assert!(row.twin.is_some(), "{:?} has no command-line twin", row.action);
            assert!(row.menu, "{:?} is not in the x menu", row.action);
        }
    }
}
