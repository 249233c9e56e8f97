//! Bookings, launches and users are shown alike: a table that the daemon filters, orders and pages, and the file
//! of one of them beside it. [`Entities`] is that screen; a [`Kind`] says what is particular.
//!
//! To add one: a type that implements [`Kind`], a field in `app.rs`, and its rows in `keys/table.rs`.

mod lines;
mod list;
mod pane;
mod reason;
mod words;

use std::{collections::HashSet, fmt::Display, str::FromStr, sync::Arc, time::Duration};

use astrops_api::{auth::User, ids::EntityId, vocabulary::EntityType};
use ratatui::{buffer::Buffer, layout::Rect};
use serde::Serialize;

use self::pane::Pane;
pub use self::{
    lines::{
        Lines, booking_lines, booking_style, capacity_lines, heading, history_lines, id_lines, line,
        payment_style, shown, sides_lines, verdict_line,
    },
    list::{List, Listed, Slice, Sort},
    reason::Reason,
    words::{next_in_turn, read, read_bool, split, time},
};
use crate::{
    format,
    keys::{Action, Scope},
    layers::{Ask, Layer, Page, Prompt},
    message::{Change, LinkState, Request, Update},
    screen::{Context, Due, Effect, Place, Screen},
    text,
    widgets::{panel, split::Split, table::Row},
};

/// Asked again after this while nothing tells of changes.
const CALM: Duration = Duration::from_secs(20);

/// What an update means to a screen.
pub enum News<'a, K: Kind> {
    /// A page of rows and how many there are in all, with the number of the question.
    Page(u64, &'a [K::Row], u64),
    /// A file.
    File(&'a Arc<K::File>),
    /// A page was refused.
    NoPage(u64, &'a str),
    /// A file was refused.
    NoFile(K::Id, &'a str),
    /// Something else.
    Other,
}

/// Where a place of the console is on a screen.
pub enum Aim<K: Kind> {
    /// The file of one.
    One(K::Id),
    /// The list, narrowed.
    Filter(String),
}

/// What is particular about one kind of entity.
pub trait Kind: Listed<Id: Display + FromStr + From<EntityId>> {
    /// Everything about one.
    type File: Serialize;

    /// Whose keys hold.
    const SCOPE: Scope;
    /// What the daemon's events call it.
    const ENTITY: EntityType;
    /// The field that `s` turns, and its words.
    const TURN: (&'static str, &'static [&'static str]);
    /// What can be done to rows and where they lead; each needs at least one.
    const ACTIONS: &'static [Action];
    /// The hints while the file has the keys.
    const IN_DETAIL: &'static [(Action, &'static str)];

    /// The question for everything about one.
    fn file(id: Self::Id, context: &Context<'_>) -> Request;

    /// The row that a file is about.
    fn row(file: &Self::File) -> &Self::Row;

    /// One in eight digits.
    fn short(id: Self::Id) -> String;

    /// A row in one line of text, to be copied.
    fn plain(row: &Self::Row) -> String;

    /// A file in lines.
    fn lines(file: &Self::File, context: &Context<'_>) -> Lines;

    /// What `update` means here.
    fn news(update: &Update) -> News<'_, Self>;

    /// Which one `place` is about, if it is here.
    fn aim(place: &Place) -> Option<Aim<Self>>;

    /// Why one of [`Kind::ACTIONS`] is off for these rows, of which there is at least one.
    fn available(action: Action, rows: &[&Self::Row], context: &Context<'_>) -> Result<(), String>;

    /// Does one of [`Kind::ACTIONS`].
    fn act(action: Action, rows: &[&Self::Row], context: &Context<'_>) -> Vec<Effect>;

    /// Whether `change` is about rows that were marked for it.
    fn unmarks(_change: &Change) -> bool {
        false
    }
}

/// The screen of one kind.
pub struct Entities<K: Kind> {
    list: List<K>,
    pane: Pane<K>,
    pane_due: Due,
    split: Split,
}

impl<K: Kind> Default for Entities<K> {
    fn default() -> Self {
        Self {
            list: List::default(),
            pane: Pane::default(),
            pane_due: Due::default(),
            split: Split::default(),
        }
    }
}

impl<K: Kind> Entities<K> {
    /// Lets the file beside the table follow the cursor.
    fn follow_cursor(&mut self, context: &Context<'_>) -> Vec<Effect> {
        match self.list.table.current() {
            Some(row) if self.split.follows() => self.pane.show(row.key(), context),
            _ => Vec::new(),
        }
    }

    /// The rows that an action is about: the open one when its file has the keys, else the marked ones or the one
    /// under the cursor.
    pub fn chosen(&self) -> Vec<&K::Row> {
        if self.split.in_detail() {
            return self.pane.file().map(K::row).into_iter().collect();
        }
        self.list.table.chosen()
    }

    /// The loaded row that shows these eight digits.
    pub fn known(&self, typed: &str) -> Option<K::Id> {
        let typed = typed.to_ascii_lowercase();
        self.list.table.rows().iter().map(Row::key).find(|id| K::short(*id) == typed)
    }

    fn close(&mut self, context: &Context<'_>) -> Vec<Effect> {
        if self.split.is_open() {
            self.split.close();
        } else if self.list.table.marked() > 0 {
            self.list.table.unmark();
        } else if !self.list.filter().is_empty() {
            return self.list.set_filter("", context.now);
        }
        Vec::new()
    }

    fn copy(&self, all: bool, context: &Context<'_>) -> String {
        if self.split.in_detail() {
            return self.pane.plain(context);
        }
        let rows: Vec<&K::Row> =
            if all { self.list.table.visible().iter().collect() } else { self.list.table.chosen() };
        let lines = rows.into_iter().map(|row| text::neutral(&K::plain(row)).into_owned());
        lines.collect::<Vec<_>>().join("\n")
    }

    fn json(&self) -> Option<Page> {
        let text = match self.pane.file().filter(|_| self.split.in_detail()) {
            Some(file) => serde_json::to_string_pretty(file),
            None => serde_json::to_string_pretty(self.list.table.current()?),
        };
        Some(Page::plain(format!("The {} as JSON", K::NOUN), &text.ok()?))
    }

    fn narrow(&mut self, typed: &str, context: &Context<'_>) -> Vec<Effect> {
        // An id is not a word that the daemon looks for.
        if let Ok(id) = typed.parse::<K::Id>() {
            self.split.open_alone();
            return self.pane.show(id, context);
        }
        match self.known(typed) {
            Some(id) => {
                self.list.table.select(&id);
                let mut effects = self.follow_cursor(context);
                effects.push(Effect::note(format!("{} {typed}: the filter is as before", K::NOUN)));
                effects
            }
            None => self.list.set_filter(typed, context.now),
        }
    }

    /// Takes in that something happened to these, or to nobody knows which.
    fn changed(&mut self, ids: Option<&HashSet<K::Id>>) {
        if ids.is_none_or(|ids| !ids.is_empty()) {
            self.list.hurry();
        }
        if self.pane.wanted().is_some_and(|id| ids.is_none_or(|ids| ids.contains(&id))) {
            self.pane_due.hurry();
        }
    }
}

impl<K: Kind> Screen for Entities<K> {
    fn scope(&self) -> Scope {
        K::SCOPE
    }

    fn available(&self, action: Action, context: &Context<'_>) -> Result<(), String> {
        let own = K::ACTIONS.contains(&action);
        if !own && !matches!(action, Action::Open | Action::Json | Action::Copy) {
            return Ok(());
        }
        match &self.chosen()[..] {
            [] if self.split.in_detail() => Err(format!("the {} is not loaded", K::NOUN)),
            [] => Err(format!("there is no {} under the cursor", K::NOUN)),
            // Searching a masked address letter by letter would unmask it: the daemon refuses.
            _ if action == Action::Follow && !context.user.is_some_and(User::is_operator) => {
                Err("only operators look for jobs by a word or an id".into())
            }
            rows if own => K::available(action, rows, context),
            _ => Ok(()),
        }
    }

    fn act(&mut self, action: Action, context: &Context<'_>) -> Vec<Effect> {
        match action {
            action if K::ACTIONS.contains(&action) => return K::act(action, &self.chosen(), context),
            Action::Filter => {
                return vec![Effect::Open(Layer::Prompt(Prompt::new(Ask::Filter, self.list.filter())))];
            }
            Action::Status => {
                let next = next_in_turn(self.list.filter(), K::TURN.0, K::TURN.1);
                return self.list.set_filter(&next, context.now);
            }
            Action::Order => return self.list.next_order(),
            Action::Reverse => return self.list.reverse(),
            Action::Open => {
                if let Some(id) = self.list.table.current().map(Row::key).filter(|_| !self.split.in_detail())
                {
                    self.split.open();
                    return self.pane.show(id, context);
                }
            }
            Action::Focus | Action::FocusBack => self.split.switch(),
            Action::Zoom => self.split.zoom(),
            Action::Close if self.list.stop_marking() => {}
            Action::Close => return self.close(context),
            Action::MarkAll => return self.list.mark_all(),
            Action::Json => {
                return self.json().map(|page| Effect::Open(Layer::Page(page))).into_iter().collect();
            }
            Action::Copy | Action::CopyAll => {
                return vec![Effect::Copy(self.copy(action == Action::CopyAll, context))];
            }
            Action::Refresh => {
                let mut effects = self.list.refresh();
                effects.extend(self.pane.fetch(context));
                return effects;
            }
            action if self.split.in_detail() => self.pane.act(action),
            action => {
                self.list.table.act(action);
                let mut effects = self.follow_cursor(context);
                effects.extend(self.list.more());
                return effects;
            }
        }
        Vec::new()
    }

    fn update(&mut self, update: &Update, context: &Context<'_>) -> Vec<Effect> {
        match K::news(update) {
            News::Page(number, rows, total) => {
                let mut effects = self.list.take(number, rows, total);
                effects.extend(self.follow_cursor(context));
                return effects;
            }
            News::File(file) => return self.pane.take(file, context),
            News::NoPage(number, reason) => self.list.fail(number, reason),
            News::NoFile(id, reason) => self.pane.fail(id, reason),
            News::Other => {}
        }
        match update {
            Update::Events(events) => {
                let ours = events.iter().filter(|event| event.entity_type == K::ENTITY);
                let ids: HashSet<K::Id> = ours.map(|event| event.entity_id.into()).collect();
                self.changed(Some(&ids));
            }
            Update::EventsMissed => self.changed(None),
            Update::Done(change, outcomes) => {
                self.changed(None);
                if K::unmarks(change) && outcomes.iter().all(|outcome| outcome.result.is_ok()) {
                    self.list.table.unmark();
                }
            }
            // Whatever was asked before is not answered any more.
            Update::Link(LinkState::Connecting) => {
                self.list.forget();
                self.pane.forget();
            }
            _ => {}
        }
        Vec::new()
    }

    fn tick(&mut self, visible: bool, context: &Context<'_>) -> Vec<Effect> {
        if !visible || !context.link.is_live() {
            return Vec::new();
        }
        let mut effects = self.list.tick(context.now, CALM);
        if self.split.is_open() && self.pane_due.is_now(context.now, CALM) {
            effects.extend(self.pane.fetch(context));
        }
        effects
    }

    fn prompted(&mut self, ask: &Ask, text: &str, done: bool, context: &Context<'_>) -> Vec<Effect> {
        match ask {
            Ask::Filter if done => self.narrow(text.trim(), context),
            _ => Vec::new(),
        }
    }

    fn visit(&mut self, place: &Place, context: &Context<'_>) -> Vec<Effect> {
        match K::aim(place) {
            Some(Aim::One(id)) => {
                // The table may not hold it; the file then stands alone.
                self.list.table.select(&id);
                self.split.open_alone();
                self.pane.show(id, context)
            }
            Some(Aim::Filter(filter)) => {
                self.split.close();
                self.list.set_filter(&filter, context.now)
            }
            None => Vec::new(),
        }
    }

    fn is_nested(&self) -> bool {
        self.split.is_open()
    }

    fn hints(&self, _context: &Context<'_>) -> &'static [(Action, &'static str)] {
        if self.split.in_detail() { K::IN_DETAIL } else { &[] }
    }

    fn remark(&self, context: &Context<'_>) -> Option<String> {
        let marked = self.list.table.marked();
        if marked == 0 || self.split.in_detail() {
            return None;
        }
        let marked = format::things(marked, K::NOUN);
        Some(match context.may_change() {
            Ok(()) => format!("{marked} marked: C means these (and asks); Esc unmarks"),
            Err(reason) => format!("{marked} marked; {reason}"),
        })
    }

    fn draw(&mut self, buffer: &mut Buffer, area: Rect, context: &Context<'_>) {
        let (list, pane) = self.split.areas(area);
        if let Some(pane) = pane {
            self.pane.draw(buffer, pane, context, self.split.in_detail());
        }
        let Some(list) = list else { return };
        let inner = panel::panel(buffer, list, context.look, &self.list.title(), !self.split.in_detail());
        let empty = text::neutral(&self.list.empty()).into_owned();
        self.list.table.draw(buffer, inner, context, &empty);
    }
}
