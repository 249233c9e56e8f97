//! Where both databases differ: the open differences, the conflicts that wait for a person, and the sweeps, in three
//! views of one screen; and, for one entity, both sides field by field ([`resolve`]) and what was changed of it
//! ([`history`]).
//!
//! A decision is tried first (dry run), shown, asked about, and then held for some seconds in which `u` takes it back
//! ([`holds`]). To add a view: a type that implements `Listed`, a field here, and an arm of the `list!` macro.

/// Does the same with whichever list is shown.
macro_rules! list {
    ($self:ident, $list:ident => $does:expr) => {
        match $self.view {
            View::Open => {
                let $list = &mut $self.open;
                $does
            }
            View::Conflicts => {
                let $list = &mut $self.conflicts;
                $does
            }
            View::Sweeps => {
                let $list = &mut $self.sweeps;
                $does
            }
        }
    };
    (&$self:ident, $list:ident => $does:expr) => {
        match $self.view {
            View::Open => {
                let $list = &$self.open;
                $does
            }
            View::Conflicts => {
                let $list = &$self.conflicts;
                $does
            }
            View::Sweeps => {
                let $list = &$self.sweeps;
                $does
            }
        }
    };
}

mod acts;
mod conflicts;
mod decisions;
mod draw;
mod hints;
mod history;
mod holds;
mod open;
mod resolve;
mod selection;
mod sweeps;
mod words;

use std::{sync::Arc, time::Duration};

use astrops_api::{
    drift::Agreement,
    reconciliation::Mappings,
    vocabulary::{EntityType, JobType, SweepStatus},
};
use chrono::{DateTime, Utc};
use ratatui::{buffer::Buffer, layout::Rect};

use self::{
    conflicts::Conflicts, history::History, holds::Holds, open::Open, resolve::Resolve, sweeps::Sweeps,
    words::Subject,
};
use super::entities::List;
use crate::{
    format,
    keys::{Action, Scope},
    layers::{Ask, Layer, Prompt},
    message::{LinkState, Request, Update},
    screen::{Context, Due, Effect, Place, Screen},
    text,
    widgets::{panel, scroll::Window, split::Split},
};

/// Asked again after this while nothing tells of changes.
const CALM: Duration = Duration::from_secs(10);

/// The same while a sweep runs: its progress is watched.
const BUSY: Duration = Duration::from_secs(2);

/// Which list is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum View {
    #[default]
    Open,
    Conflicts,
    Sweeps,
}

impl View {
    const ALL: [Self; 3] = [Self::Open, Self::Conflicts, Self::Sweeps];

    fn step(self, by: usize) -> Self {
        let place = Self::ALL.iter().position(|view| *view == self).unwrap_or(0);
        Self::ALL[(place + by) % Self::ALL.len()]
    }
}

/// The screen.
#[derive(Default)]
pub struct Drift {
    view: View,
    open: List<Open>,
    conflicts: List<Conflicts>,
    sweeps: List<Sweeps>,
    split: Split,
    /// Both sides were asked for by another screen, which is where closing them leads.
    visited: bool,
    resolve: Resolve,
    /// Shown in place of both sides.
    history: Option<History>,
    /// Over the detail of a sweep.
    window: Window,
    holds: Holds,
    agreement: Option<Agreement>,
    mappings: Option<Arc<Mappings>>,
    /// Who wins may have been configured anew since the fields were read: the daemon was away.
    rules_old: bool,
    status_due: Due,
    pane_due: Due,
    /// The number of the latest dry run, and what it is about when that is not the pane.
    tries: u64,
    trying: Option<Vec<Subject>>,
}

impl Drift {
    /// What was decided and is about to be written; `here` says whether this is the screen that is shown.
    pub fn pending(&self, here: bool, context: &Context<'_>) -> Option<String> {
        self.holds.words(here, context.link.is_live(), context.now)
    }

    /// What to know before the console is left.
    pub fn before_leaving(&self, now: DateTime<Utc>) -> Option<String> {
        self.holds.before_leaving(now)
    }

    fn mappings(&self) -> Option<&Mappings> {
        self.mappings.as_deref()
    }

    /// Lets the pane beside the list follow the cursor.
    fn follow_cursor(&mut self) -> Vec<Effect> {
        match self.under_cursor() {
            Some(subject) if self.split.follows() => self.show(subject),
            _ => Vec::new(),
        }
    }

    fn show(&mut self, subject: Subject) -> Vec<Effect> {
        let mut effects = self.resolve.show(subject);
        if self.history.as_ref().is_some_and(|history| history.subject.id != subject.id) {
            self.history = None;
        }
        if !effects.is_empty() {
            effects.extend(self.ask_rules());
        }
        effects
    }

    /// Asks for the fields and who wins, unless they are known.
    fn ask_rules(&mut self) -> Option<Effect> {
        let wanted = std::mem::take(&mut self.rules_old) || self.mappings.is_none();
        wanted.then_some(Effect::Ask(Request::Mapping))
    }

    fn turn(&mut self, view: View, context: &Context<'_>) -> Vec<Effect> {
        self.view = view;
        self.visited = false;
        self.split.close();
        self.history = None;
        self.tick(true, context)
    }

    fn close(&mut self, context: &Context<'_>) -> Vec<Effect> {
        if self.split.is_open() && self.history.is_none() && std::mem::take(&mut self.visited) {
            self.split.close();
            return vec![Effect::Act(Action::PreviousPlace)];
        }
        if self.history.is_some() && self.split.is_open() {
            self.history = None;
        } else if self.split.is_open() {
            self.split.close();
        } else if list!(&self, list => list.table.marked() > 0) {
            list!(self, list => list.table.unmark());
        } else if !list!(&self, list => list.filter().is_empty()) {
            return list!(self, list => list.set_filter("", context.now));
        }
        Vec::new()
    }

    fn hurry(&mut self) {
        self.open.hurry();
        self.conflicts.hurry();
        self.sweeps.hurry();
        self.status_due.hurry();
        self.pane_due.hurry();
    }

    fn open_history(&mut self) -> Vec<Effect> {
        let Some(subject) = self.chosen().into_iter().next() else { return Vec::new() };
        let mut effects = Vec::new();
        if !self.split.in_detail() {
            self.split.open_alone();
            effects.extend(self.show(subject));
        }
        let (history, ask) = History::of(subject);
        self.history = Some(history);
        effects.push(ask);
        effects
    }

    fn narrow(&mut self, typed: &str, context: &Context<'_>) -> Vec<Effect> {
        let typed = self.with_whole_ids(typed);
        list!(self, list => list.set_filter(&typed, context.now))
    }

    fn is_sweeping(&self) -> bool {
        self.sweeps.table.rows().iter().any(|row| row.status == SweepStatus::Running)
    }

    fn act_in_detail(&mut self, action: Action, context: &Context<'_>) -> Vec<Effect> {
        if self.view == View::Sweeps {
            self.window.act(action);
            return Vec::new();
        }
        let mappings = self.mappings.clone();
        if let Some(history) = &mut self.history {
            return history.act(action, mappings.as_deref(), context);
        }
        self.tries += 1;
        self.resolve.act(action, self.tries, mappings.as_deref(), context)
    }

    /// Takes in what leads to nothing but another picture.
    fn take_in(&mut self, update: &Update, context: &Context<'_>) {
        match update {
            Update::Mapping(mappings) => {
                self.mappings = Some(Arc::clone(mappings));
                self.resolve.arrange(self.mappings.as_deref());
            }
            Update::Changes(kind, id, page) => {
                if let Some(history) = &mut self.history
                    && (history.subject.kind, history.subject.id) == (*kind, *id)
                {
                    history.take(page);
                }
            }
            Update::Status(status) => self.agreement.clone_from(&status.agreement),
            Update::Held(held) => self.holds.add(held, context.now),
            Update::Events(events) => {
                self.open.hurry();
                let subject = self.resolve.subject();
                if subject.is_some_and(|subject| events.iter().any(|event| event.entity_id == subject.id)) {
                    self.pane_due.hurry();
                }
            }
            Update::EventsMissed => self.hurry(),
            // Whatever was asked before is not answered any more.
            Update::Link(LinkState::Connecting) => {
                self.open.forget();
                self.conflicts.forget();
                self.sweeps.forget();
                self.resolve.forget();
                self.trying = None;
                self.rules_old = true;
            }
            Update::Failed(request, reason) => match &**request {
                Request::Drift(number, _) => self.open.fail(*number, reason),
                Request::Conflicts(number, _) => self.conflicts.fail(*number, reason),
                Request::Sweeps(number, _) => self.sweeps.fail(*number, reason),
                Request::Changes(..) => {
                    if let Some(history) = &mut self.history {
                        history.fail(reason);
                    }
                }
                Request::Mapping => self.rules_old = true,
                request => self.resolve.fail(request, reason),
            },
            _ => {}
        }
    }
}

impl Screen for Drift {
    fn scope(&self) -> Scope {
        match (self.view, self.split.in_detail(), &self.history) {
            (View::Sweeps, ..) => Scope::Sweeps,
            (_, false, _) => Scope::Drift,
            (_, true, None) => Scope::Resolve,
            (_, true, Some(_)) => Scope::History,
        }
    }

    fn available(&self, action: Action, context: &Context<'_>) -> Result<(), String> {
        if action == Action::Undo {
            return match (self.holds.take_back(context.now), &self.history) {
                (Ok(_), _) => context.may_change(),
                (Err(_), Some(history)) => {
                    context.may_change()?;
                    history.available(Action::Revert)
                }
                (Err(reason), None) => Err(reason),
            };
        }
        match self.scope() {
            Scope::Resolve => self.resolve.available(action, context),
            Scope::History => self.history.as_ref().map_or(Ok(()), |history| history.available(action)),
            Scope::Sweeps => match (self.sweeps.table.current(), action) {
                (Some(row), _) => sweeps::available(action, row),
                (
                    None,
                    Action::PauseSweep
                    | Action::Cancel
                    | Action::Approve
                    | Action::Follow
                    | Action::Open
                    | Action::Json
                    | Action::Copy,
                ) => Err("there is no sweep under the cursor".into()),
                (None, _) => Ok(()),
            },
            _ => self.available_in_lists(action),
        }
    }

    fn act(&mut self, action: Action, context: &Context<'_>) -> Vec<Effect> {
        let in_detail = self.split.in_detail();
        match action {
            Action::Undo => return self.undo(context),
            Action::New => return vec![acts::sweep()],
            Action::Reconcile => return vec![acts::reconcile(&self.chosen(), self.is_missing(), context)],
            Action::Snooze => {
                let (critical, snoozed) = self.critical_and_snoozed(context);
                return vec![acts::snooze(&self.chosen(), critical, snoozed)];
            }
            Action::TakeAll => {
                let subjects = self.chosen();
                let number = self.next_try(subjects.clone());
                // The question names columns and paths.
                let rules = self.ask_rules();
                return std::iter::once(acts::take_all(&subjects, number)).chain(rules).collect();
            }
            Action::Write => return self.write(),
            Action::Revert => return self.revert(),
            Action::Follow if self.history.is_some() => {
                let change = self.history.as_ref().and_then(History::current);
                return change.map(|change| Effect::Visit(Place::Job(change.job_id))).into_iter().collect();
            }
            Action::PauseSweep | Action::Cancel | Action::Approve | Action::Follow => {
                return self.act_on_sweeps(action, context);
            }
            Action::History if self.history.is_some() && in_detail => self.history = None,
            Action::History => return self.open_history(),
            Action::ToSubject => {
                return self
                    .chosen()
                    .first()
                    .map(|subject| Effect::Visit(place_of(*subject)))
                    .into_iter()
                    .collect();
            }
            Action::Filter => {
                let filter = list!(&self, list => list.filter().to_owned());
                return vec![Effect::Open(Layer::Prompt(Prompt::new(Ask::Filter, &filter)))];
            }
            Action::Status => return self.turn(self.view.step(1), context),
            Action::Focus if !self.split.is_open() => return self.turn(self.view.step(1), context),
            Action::FocusBack if !self.split.is_open() => return self.turn(self.view.step(2), context),
            Action::Focus | Action::FocusBack => self.split.switch(),
            Action::Zoom => self.split.zoom(),
            Action::Reverse
                if self.view == View::Conflicts && self.conflicts.order() == conflicts::BY_SEVERITY =>
            {
                return vec![Effect::note(
                    "the critical stand first, then the oldest; o orders by age alone",
                )];
            }
            Action::Order => return list!(self, list => list.next_order()),
            Action::Reverse => return list!(self, list => list.reverse()),
            Action::Open if !in_detail => {
                if self.view == View::Sweeps {
                    self.split.open();
                } else {
                    self.split.open_focused();
                }
                self.visited = false;
                self.window = Window::default();
                return self.under_cursor().map(|subject| self.show(subject)).unwrap_or_default();
            }
            Action::Close if list!(self, list => list.stop_marking()) => {}
            Action::Close => return self.close(context),
            Action::MarkAll => return list!(self, list => list.mark_all()),
            Action::Json => {
                return self.json().map(|page| Effect::Open(Layer::Page(page))).into_iter().collect();
            }
            Action::Copy | Action::CopyAll => {
                return vec![Effect::Copy(self.copy(action == Action::CopyAll, context))];
            }
            Action::Refresh => {
                let mut effects = list!(self, list => list.refresh());
                effects.push(Effect::Ask(Request::Status));
                effects.extend(self.resolve.fetch());
                effects.extend(self.history.as_ref().map(History::fetch));
                return effects;
            }
            action if in_detail => return self.act_in_detail(action, context),
            action => {
                list!(self, list => list.table.act(action));
                let mut effects = self.follow_cursor();
                effects.extend(list!(self, list => list.more()));
                return effects;
            }
        }
        Vec::new()
    }

    fn update(&mut self, update: &Update, context: &Context<'_>) -> Vec<Effect> {
        let mut effects = match update {
            Update::Drift(number, page) => self.open.take(*number, &page.drift, page.total),
            Update::Conflicts(number, page) => self.conflicts.take(*number, &page.conflicts, page.total),
            Update::Sweeps(number, page) => self.sweeps.take(*number, &page.sweeps, page.total),
            Update::Sides(file) => return self.resolve.take(file, self.mappings.as_deref()),
            Update::Tried(number, decision, results) => {
                return self.tried(*number, decision, results, context);
            }
            Update::Done(change, outcomes) => {
                let taken = !outcomes.is_empty() && outcomes.iter().all(|outcome| outcome.result.is_ok());
                return self.done(change, taken);
            }
            Update::JobsChanged(jobs) => {
                let ours = |kind| matches!(kind, JobType::Reconciliation | JobType::Maintenance);
                if jobs.iter().any(|job| ours(job.kind) && job.status.is_ended()) {
                    self.hurry();
                }
                return self.holds.update(jobs);
            }
            Update::Job(detail) => return self.holds.update([&detail.job]),
            Update::JobsMissed => {
                self.hurry();
                return self.holds.ask();
            }
            other => {
                self.take_in(other, context);
                return Vec::new();
            }
        };
        effects.extend(self.follow_cursor());
        effects
    }

    fn tick(&mut self, visible: bool, context: &Context<'_>) -> Vec<Effect> {
        let mut effects = self.holds.tick(context.now);
        self.visited &= visible;
        if !visible || !context.link.is_live() {
            return effects;
        }
        let calm = if self.view == View::Sweeps && self.is_sweeping() { BUSY } else { CALM };
        effects.extend(list!(self, list => list.tick(context.now, calm)));
        if self.status_due.is_now(context.now, CALM) {
            effects.push(Effect::Ask(Request::Status));
        }
        if self.split.is_open() && self.view != View::Sweeps && self.pane_due.is_now(context.now, CALM) {
            effects.extend(self.resolve.fetch());
            effects.extend(self.history.as_ref().map(History::fetch));
            if self.rules_old {
                effects.extend(self.ask_rules());
            }
        }
        effects
    }

    fn prompted(&mut self, ask: &Ask, text: &str, done: bool, context: &Context<'_>) -> Vec<Effect> {
        match ask {
            Ask::Filter if done => self.narrow(text.trim(), context),
            Ask::Value(field) if done => self.resolve.edited(field, text),
            _ => Vec::new(),
        }
    }

    fn visit(&mut self, place: &Place, context: &Context<'_>) -> Vec<Effect> {
        match place {
            Place::Sides(kind, id) => {
                if self.view == View::Sweeps {
                    self.view = View::Open;
                }
                self.history = None;
                // The list may not hold it; both sides then stand alone.
                self.open.table.select(&(*kind, *id));
                self.split.open_alone();
                self.visited = true;
                self.show(Subject { kind: *kind, id: *id, conflict: None })
            }
            Place::Conflicts => {
                let mut effects = self.turn(View::Conflicts, context);
                // Who counts conflicts counts those that are snoozed.
                effects.extend(self.conflicts.set_filter("snoozed:yes", context.now));
                effects
            }
            Place::Sweeps(filter) => {
                let mut effects = self.turn(View::Sweeps, context);
                effects.extend(self.sweeps.set_filter(filter, context.now));
                effects
            }
            _ => Vec::new(),
        }
    }

    fn is_nested(&self) -> bool {
        self.split.is_open()
    }

    fn hints(&self, context: &Context<'_>) -> &'static [(Action, &'static str)] {
        let held = context.link.is_live() && !self.holds.is_empty(context.now);
        match (self.scope(), held) {
            (Scope::Resolve | Scope::History, true) => hints::WHILE_HELD,
            (Scope::Drift | Scope::Sweeps, true) => hints::LISTS_WHILE_HELD,
            (Scope::Resolve, false) if self.resolve.decides(context) => hints::IN_RESOLVE,
            (Scope::Resolve, false) if self.resolve.waits() => hints::STUCK,
            (Scope::Resolve, false) => hints::READING,
            (Scope::Drift, false) if self.split.is_open() => hints::BESIDE,
            (Scope::History, false) => hints::IN_HISTORY,
            (Scope::Sweeps, _) => self.sweep_hints(),
            _ => &[],
        }
    }

    fn remark(&self, context: &Context<'_>) -> Option<String> {
        let marked = list!(&self, list => list.table.marked());
        if marked > 0 && !self.split.in_detail() {
            let marked = format::things(marked, "row");
            return Some(match context.may_change() {
                Ok(()) => format!("{marked} marked: R, T and Z mean these (and ask); Esc unmarks"),
                Err(reason) => format!("{marked} marked; {reason}"),
            });
        }
        let agreement = self.agreement.as_ref()?;
        Some(match agreement.verified_through {
            Some(at) => {
                format!(
                    "verified through {} ({})",
                    format::moment(at, context.now),
                    format::relative(at, context.now)
                )
            }
            None => "never verified yet: N starts the first sweep".to_owned(),
        })
    }

    fn draw(&mut self, buffer: &mut Buffer, area: Rect, context: &Context<'_>) {
        let (list, pane) = self.split.areas(area);
        let focused = self.split.in_detail();
        if let Some(pane) = pane {
            self.draw_pane(buffer, pane, focused, context);
        }
        let Some(place) = list else { return };
        let inner = panel::panel(buffer, place, context.look, &self.title(), !focused);
        let snoozed = if self.view == View::Conflicts { self.snoozed() } else { 0 };
        list!(self, list => {
            let empty = match snoozed {
                0 => list.empty(),
                _ => format!("Nothing else waits for a person. Snoozed: {snoozed}; /snoozed:yes shows them."),
            };
            let empty = text::neutral(&empty).into_owned();
            list.table.draw(buffer, inner, context, &empty);
        });
    }
}

/// Where an entity itself is shown.
fn place_of(subject: Subject) -> Place {
    match subject.kind {
        EntityType::Booking => Place::Booking(subject.id.into()),
        EntityType::Launch => Place::Launch(subject.id.into()),
        EntityType::User => Place::User(subject.id.into()),
    }
}
