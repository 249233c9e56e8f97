//! The console without a terminal and without a network: keys and updates go in, [`Command`]s come out, and it
//! draws into a buffer. It owns the screens, the stack of layers, the session and the status line, nothing else.

mod chrome;
mod diagnostics;
mod messages;
mod session;

use std::collections::VecDeque;

use astrops_api::{
    auth::SignedIn,
    ids::{EntityId, UserId, object_hex},
};
use chrono::{DateTime, Utc};
use crossterm::event::KeyEvent;

pub use diagnostics::Figures;
pub use session::{Session, Settings};

use self::messages::{Cause, Messages};
use crate::{
    format,
    keys::{Action, Chord, KeyMap, Scope, binding},
    layers::{Ask, Confirm, Layer, Menu, Page, Prompt, menu::Kind},
    message::{Change, LinkState, Outcome, Request, Update},
    screen::{Effect, Place, Screen, Tab, Tone},
    screens::{
        bookings::Bookings, dashboard::Dashboard, drift::Drift, entities::Entities, jobs::Jobs,
        launches::Launches, login::Login, logs::Logs, schedules::Schedules, users::Users,
    },
};

/// What the app wants from the outside.
#[derive(Debug)]
pub enum Command {
    /// Hand this to the link.
    Ask(Request),
    /// Put this on the clipboard.
    Copy(String),
    /// Somebody signed in: the token may be kept.
    SignedIn(Box<SignedIn>),
    /// To the shell.
    Suspend,
    /// Draw every cell again.
    Redraw,
    /// Take the mouse, or not.
    Mouse(bool),
    /// End.
    Quit,
}

/// Texts that each prompt remembers.
const HISTORY: usize = 50;

/// Which prompt of which tab.
type Remembered = (Tab, std::mem::Discriminant<Ask>);

#[derive(Default)]
struct Screens {
    dashboard: Dashboard,
    logs: Logs,
    jobs: Jobs,
    bookings: Entities<Bookings>,
    launches: Entities<Launches>,
    users: Users,
    drift: Drift,
    schedules: Schedules,
}

impl Screens {
    fn get(&mut self, tab: Tab) -> &mut dyn Screen {
        match tab {
            Tab::Dashboard => &mut self.dashboard,
            Tab::Logs => &mut self.logs,
            Tab::Jobs => &mut self.jobs,
            Tab::Bookings => &mut self.bookings,
            Tab::Launches => &mut self.launches,
            Tab::Users => &mut self.users,
            Tab::Drift => &mut self.drift,
            Tab::Schedules => &mut self.schedules,
        }
    }
}

impl Screens {
    /// The way to what `typed` names: a whole id, or the eight digits shown of a loaded row.
    fn place_of(&self, typed: &str) -> Result<Effect, String> {
        let shown = self.bookings.known(typed).map(Place::Booking);
        let shown = shown.or_else(|| self.launches.known(typed).map(Place::Launch));
        let shown = shown.or_else(|| self.users.accounts.known(typed).map(Place::User));
        if let Some(place) = shown {
            return Ok(Effect::Visit(place));
        }
        match typed.parse::<EntityId>() {
            // Bookings, launches and users have ids of one form: the daemon knows which it is.
            Ok(id) if object_hex(id.0).is_some() => Ok(Effect::Ask(Request::Find(id))),
            _ => match self.jobs.known(typed) {
                Some(id) => Ok(Effect::Visit(Place::Job(id))),
                None => Err("nothing loaded has these last 8 digits, and it is not a whole id".to_owned()),
            },
        }
    }
}

/// The console.
pub struct App {
    keys: KeyMap,
    session: Session,
    login: Login,
    screens: Screens,
    tab: Tab,
    /// Tabs that were left, the latest last.
    trail: Vec<Tab>,
    layers: Vec<Layer>,
    messages: Messages,
    /// What was typed into each prompt of each tab, oldest first.
    history: Vec<(Remembered, Vec<String>)>,
    /// Who was signed in last: another person starts with empty screens.
    last_user: Option<UserId>,
    mouse: bool,
    figures: Figures,
}

impl App {
    /// A console with these settings; an error when the key table contradicts itself.
    pub fn new(settings: Settings) -> Result<Self, String> {
        Ok(Self {
            keys: KeyMap::new()?,
            login: Login::new(&settings.base, settings.email.as_deref()),
            session: Session::new(settings),
            screens: Screens::default(),
            tab: Tab::Dashboard,
            trail: Vec::new(),
            layers: Vec::new(),
            messages: Messages::default(),
            history: Vec::new(),
            last_user: None,
            mouse: false,
            figures: Figures::default(),
        })
    }

    /// Figures of the run loop, for `:diag`.
    pub const fn figures(&mut self) -> &mut Figures {
        &mut self.figures
    }

    fn scope(&mut self) -> Scope {
        if !self.session.is_signed_in() {
            return Scope::Login;
        }
        match self.layers.last() {
            Some(layer) => layer.scope(),
            None => self.screens.get(self.tab).scope(),
        }
    }

    /// Takes a key press.
    pub fn key(&mut self, event: KeyEvent, now: DateTime<Utc>) -> Vec<Command> {
        let scope = self.scope();
        let action = self.keys.action(scope, Chord::from(event));
        self.messages.pressed(matches!(action, Some(Action::Close | Action::No)));
        if action == Some(Action::Quit) {
            return vec![Command::Quit];
        }
        let context = self.session.context(now);
        let effects = if scope == Scope::Login {
            if action.is_none() {
                self.login.typed(event);
            }
            action.map(|action| self.login.act(action, &context)).unwrap_or_default()
        } else if let Some(layer) = self.layers.last_mut() {
            match action.filter(|action| layer.wants(*action)) {
                Some(action) => layer.act(action, &context),
                None => layer.typed(event),
            }
        } else {
            action.map(Effect::Act).into_iter().collect()
        };
        self.carry_out(effects, Cause::Key, now)
    }

    /// Takes pasted text: only where there is something to type into.
    pub fn pasted(&mut self, text: &str, now: DateTime<Utc>) -> Vec<Command> {
        let effects = if !self.session.is_signed_in() {
            self.login.pasted(text);
            Vec::new()
        } else if let Some(layer) = self.layers.last_mut() {
            layer.pasted(text)
        } else {
            vec![Effect::note("nothing was pasted: a list takes no text")]
        };
        self.carry_out(effects, Cause::Key, now)
    }

    /// Turns the mouse wheel.
    pub fn wheel(&mut self, up: bool, now: DateTime<Utc>) -> Vec<Command> {
        let action = if up { Action::Up } else { Action::Down };
        let mut commands = Vec::new();
        for _ in 0..3 {
            let context = self.session.context(now);
            let effects = match self.layers.last_mut() {
                Some(layer) => layer.act(action, &context),
                None => vec![Effect::Act(action)],
            };
            commands.extend(self.carry_out(effects, Cause::Key, now));
        }
        commands
    }

    /// Takes in what the link tells.
    pub fn update(&mut self, update: &Update, now: DateTime<Utc>) -> Vec<Command> {
        let mut commands = Vec::new();
        let mut effects = Vec::new();
        match update {
            Update::Link(state) => {
                let came_back = state.is_live() && !self.session.link().is_live();
                self.session.set_link(state.clone(), now);
                if let LinkState::Live(latency) = state {
                    self.figures.latency = *latency;
                }
                if came_back {
                    commands.extend(self.tick(now));
                }
            }
            Update::SignedIn(signed_in) => {
                self.welcome(&signed_in.user);
                commands.push(Command::SignedIn(signed_in.clone()));
            }
            Update::Welcome(user) => self.welcome(user),
            Update::SessionEnded(_) => {
                self.session.sign_out();
                // What was written into a form is kept until somebody is back.
                self.layers.retain(|layer| matches!(layer, Layer::Form(_)));
            }
            Update::Done(change, outcomes) => effects.extend(report(change, outcomes)),
            Update::Found(_, Some(place)) => effects.push(Effect::Visit(place.clone())),
            Update::Found(id, None) => {
                effects.push(Effect::trouble(format!("no booking, launch or user has the id {id}")));
            }
            // While the connection is away the header says so; each refused question need not.
            Update::Failed(request, reason)
                if self.session.link().is_live() && !matches!(**request, Request::Preview(_)) =>
            {
                effects.push(Effect::trouble(reason.clone()));
            }
            _ => {}
        }
        let context = self.session.context(now);
        effects.extend(self.login.update(update, &context));
        for tab in Tab::ALL {
            effects.extend(self.screens.get(tab).update(update, &context));
        }
        for layer in &mut self.layers {
            effects.extend(layer.update(update, &context));
        }
        self.layers.retain(|layer| !layer.is_over());
        commands.extend(self.carry_out(effects, Cause::News, now));
        commands
    }

    fn welcome(&mut self, user: &astrops_api::auth::User) {
        if self.last_user.is_some_and(|last| last != user.id) {
            self.screens = Screens::default();
            self.layers.clear();
        }
        self.last_user = Some(user.id);
        self.session.sign_in(user.clone());
    }

    /// Lets screens ask for what is due. Called every second.
    pub fn tick(&mut self, now: DateTime<Utc>) -> Vec<Command> {
        if !self.session.is_signed_in() {
            return Vec::new();
        }
        let context = self.session.context(now);
        let mut effects = Vec::new();
        for tab in Tab::ALL {
            effects.extend(self.screens.get(tab).tick(tab == self.tab, &context));
        }
        self.carry_out(effects, Cause::News, now)
    }

    fn carry_out(&mut self, effects: Vec<Effect>, cause: Cause, now: DateTime<Utc>) -> Vec<Command> {
        let mut queue = VecDeque::from(effects);
        let mut commands = Vec::new();
        while let Some(effect) = queue.pop_front() {
            let more = match effect {
                Effect::Ask(request) => {
                    match self.session.permits(&request) {
                        Ok(()) => commands.push(Command::Ask(request)),
                        Err(reason) => self.messages.say(Tone::Trouble, reason, cause, now),
                    }
                    Vec::new()
                }
                Effect::Open(layer) => {
                    self.open(layer);
                    Vec::new()
                }
                Effect::Close => {
                    self.layers.pop();
                    Vec::new()
                }
                Effect::Say(tone, words) => {
                    self.messages.say(tone, words, cause, now);
                    Vec::new()
                }
                Effect::Visit(place) => self.visit(&place, now),
                Effect::Act(action) => self.act(action, now, &mut commands),
                Effect::Prompted(ask, text, done) => self.prompted(&ask, &text, done, now),
                Effect::Copy(text) => {
                    let size = format::things(text.lines().count(), "line");
                    let words = format!("copied {size} to your terminal's clipboard");
                    self.messages.say(Tone::Note, words, cause, now);
                    commands.push(Command::Copy(text));
                    Vec::new()
                }
                Effect::SignOut => {
                    commands.push(Command::Ask(Request::SignOut));
                    Vec::new()
                }
                Effect::Quit => {
                    commands.push(Command::Quit);
                    Vec::new()
                }
            };
            // What an effect leads to comes before what follows it.
            for effect in more.into_iter().rev() {
                queue.push_front(effect);
            }
        }
        commands
    }

    fn open(&mut self, mut layer: Layer) {
        if let Layer::Prompt(prompt) = &mut layer {
            let kind = (self.tab, std::mem::discriminant(&prompt.ask));
            let known = self.history.iter().find(|(known, _)| *known == kind);
            prompt.remember(known.map(|(_, texts)| texts.clone()).unwrap_or_default());
        }
        self.layers.push(layer);
    }

    fn prompted(&mut self, ask: &Ask, text: &str, done: bool, now: DateTime<Utc>) -> Vec<Effect> {
        if done && !text.is_empty() {
            let kind = (self.tab, std::mem::discriminant(ask));
            let place = self.history.iter().position(|(known, _)| *known == kind);
            let place = place.unwrap_or_else(|| {
                self.history.push((kind, Vec::new()));
                self.history.len() - 1
            });
            let texts = &mut self.history[place].1;
            texts.retain(|known| known != text);
            texts.push(text.to_owned());
            if texts.len() > HISTORY {
                texts.remove(0);
            }
        }
        match ask {
            Ask::Id if done && !text.trim().is_empty() => match self.screens.place_of(text.trim()) {
                Ok(effect) => vec![effect],
                Err(reason) => Prompt::again(ask, text, reason),
            },
            Ask::Id => Vec::new(),
            _ => {
                let context = self.session.context(now);
                self.screens.get(self.tab).prompted(ask, text, done, &context)
            }
        }
    }

    fn go(&mut self, tab: Tab) {
        if tab != self.tab {
            self.trail.push(self.tab);
            self.trail.drain(..self.trail.len().saturating_sub(20));
            self.tab = tab;
        }
    }

    fn visit(&mut self, place: &Place, now: DateTime<Utc>) -> Vec<Effect> {
        self.layers.clear();
        self.go(match place {
            Place::Tab(tab) => *tab,
            Place::Job(_) | Place::Jobs(_) => Tab::Jobs,
            Place::LogsOf(_) | Place::LogAt(..) => Tab::Logs,
            Place::Schedule(_) => Tab::Schedules,
            Place::Booking(_) | Place::Bookings(_) => Tab::Bookings,
            Place::Launch(_) | Place::Launches(_) => Tab::Launches,
            Place::User(_) => Tab::Users,
            Place::Sides(..) | Place::Conflicts | Place::Sweeps(_) => Tab::Drift,
        });
        let context = self.session.context(now);
        let screen = self.screens.get(self.tab);
        let mut effects = screen.visit(place, &context);
        effects.extend(screen.tick(true, &context));
        effects
    }

    fn neighbour(&self, step: usize) -> Tab {
        let place = Tab::ALL.iter().position(|tab| *tab == self.tab).unwrap_or(0);
        Tab::ALL[(place + step) % Tab::ALL.len()]
    }

    /// Whether `action` is possible now, or why not.
    fn available(&mut self, action: Action, now: DateTime<Utc>) -> Result<(), String> {
        let context = self.session.context(now);
        let screen = self.screens.get(self.tab);
        if binding(action, screen.scope()).is_some_and(|row| row.mutating) {
            context.may_change()?;
        }
        match action {
            Action::PreviousPlace if self.trail.is_empty() => Err("this is where you began".into()),
            _ => screen.available(action, &context),
        }
    }

    fn menu(&mut self, kind: Kind, now: DateTime<Utc>) -> Vec<Effect> {
        let scope = self.screens.get(self.tab).scope();
        let this = std::cell::RefCell::new(self);
        let menu = Menu::new(kind, scope, |action| this.borrow_mut().available(action, now));
        vec![Effect::Open(Layer::Menu(menu))]
    }

    /// Does what every screen shares, and hands the rest to the screen.
    fn act(&mut self, action: Action, now: DateTime<Utc>, commands: &mut Vec<Command>) -> Vec<Effect> {
        if let Err(reason) = self.available(action, now) {
            let scope = self.screens.get(self.tab).scope();
            let name = binding(action, scope).map_or("this", |row| row.name);
            return vec![Effect::trouble(format!("{name}: {reason}"))];
        }
        let to = |tab| vec![Effect::Visit(Place::Tab(tab))];
        match action {
            Action::GoDashboard => return to(Tab::Dashboard),
            Action::GoLogs => return to(Tab::Logs),
            Action::GoJobs => return to(Tab::Jobs),
            Action::GoBookings => return to(Tab::Bookings),
            Action::GoLaunches => return to(Tab::Launches),
            Action::GoUsers => return to(Tab::Users),
            Action::GoDrift => return to(Tab::Drift),
            Action::GoSchedules => return to(Tab::Schedules),
            Action::NextScreen => return to(self.neighbour(1)),
            Action::PreviousScreen => return to(self.neighbour(Tab::ALL.len() - 1)),
            Action::PreviousPlace => {
                if let Some(tab) = self.trail.pop() {
                    self.tab = tab;
                    let context = self.session.context(now);
                    return self.screens.get(tab).tick(true, &context);
                }
            }
            Action::Palette => return self.menu(Kind::Palette, now),
            Action::Help => return self.menu(Kind::Help, now),
            Action::Menu => return self.menu(Kind::Actions, now),
            Action::GoToId => return vec![Effect::Open(Layer::Prompt(Prompt::new(Ask::Id, "")))],
            Action::Diagnostics => {
                return vec![Effect::Open(Layer::Diagnostics(Page::plain(
                    "Diagnostics of this console",
                    "",
                )))];
            }
            Action::Messages => {
                let context = self.session.context(now);
                return vec![Effect::Open(Layer::Page(self.messages.page(context.look, now)))];
            }
            Action::SignOut => {
                let mut lines = vec!["Other sessions of yours go on.".to_owned()];
                lines.extend(self.screens.drift.before_leaving(now));
                let confirm = Confirm::new("Sign out?", lines, Effect::SignOut);
                return vec![Effect::Open(Layer::Confirm(confirm))];
            }
            Action::Leave if self.screens.get(self.tab).is_nested() => {
                return vec![Effect::Act(Action::Close)];
            }
            Action::Leave => {
                // The daemon of the demo lives inside this very process.
                let lines = if self.session.settings.profile == "demo" {
                    vec!["This is the demo: the daemon and its data end with it.".to_owned()]
                } else {
                    let pending = self.screens.drift.before_leaving(now);
                    std::iter::once("Jobs go on: the daemon runs them.".to_owned()).chain(pending).collect()
                };
                let confirm = Confirm::new("Leave the console?", lines, Effect::Quit);
                return vec![Effect::Open(Layer::Confirm(confirm))];
            }
            Action::Redraw => commands.push(Command::Redraw),
            Action::Suspend => commands.push(Command::Suspend),
            Action::Mouse => {
                self.mouse = !self.mouse;
                commands.push(Command::Mouse(self.mouse));
                let words = if self.mouse {
                    "the wheel scrolls; hold shift to select with the mouse"
                } else {
                    "the mouse is your terminal's again"
                };
                return vec![Effect::note(words)];
            }
            action => {
                let context = self.session.context(now);
                return self.screens.get(self.tab).act(action, &context);
            }
        }
        Vec::new()
    }
}

/// What the status line says about a change, and a page when several items were refused.
fn report(change: &Change, outcomes: &[Outcome]) -> Vec<Effect> {
    let refused: Vec<String> = outcomes
        .iter()
        .filter_map(|outcome| {
            outcome.result.as_ref().err().map(|reason| format!("{}: {reason}", outcome.target))
        })
        .collect();
    let done = outcomes.len() - refused.len();
    let verb = change.done();
    let words = match outcomes {
        [Outcome { target, result: Ok(more) }] if more.is_empty() => format!("{target} {verb}"),
        [Outcome { target, result: Ok(more) }] => format!("{target} {verb}: {more}"),
        [Outcome { target, result: Err(reason) }] => format!("{target}: {reason}"),
        _ if refused.is_empty() => format!("{done} {verb}"),
        _ => format!("{done} {verb}, {} refused", refused.len()),
    };
    if refused.is_empty() {
        return vec![Effect::note(words)];
    }
    let mut effects = vec![Effect::trouble(words)];
    if outcomes.len() > 1 {
        let title = format!("{done} {verb}, {} refused", refused.len());
        effects.push(Effect::Open(Layer::Page(Page::plain(title, &refused.join("\n")))));
    }
    effects
}

#[cfg(test)]
mod tests;
