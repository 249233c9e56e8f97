//! The rows of one kind: filtered, ordered and paged by the daemon, refreshed as it tells of changes.
//!
//! A refresh asks for the rows around the cursor: at the top they join what was loaded further on, elsewhere they
//! replace rows in place, so that nothing moves under whoever reads them. Limit: [`MOST`] rows are held.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
    time::Duration,
};

use astrops_api::vocabulary::Order;
use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::{
    format,
    keys::Action,
    message::Request,
    screen::{Due, Effect},
    text,
    widgets::table::{Column, Row, Table},
};

/// Rows held at most.
const MOST: usize = 5_000;

/// Rows asked for at once: the largest page.
const PAGE: u32 = 200;

/// One order of a list.
#[derive(Clone, Copy, Debug)]
pub struct Sort {
    /// The daemon's word for it.
    pub word: &'static str,
    /// The place of the column that shows it, when one does.
    pub column: usize,
    /// The direction to begin with.
    pub order: Order,
}

/// Which rows of a list are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Slice {
    /// The order's word.
    pub sort: &'static str,
    /// Its direction.
    pub order: Order,
    /// So many.
    pub limit: u32,
    /// Behind so many others.
    pub offset: u64,
}

/// What is particular about the rows of one list.
pub trait Listed: Sized + 'static {
    /// A row.
    type Row: Row<Key = Self::Id> + Clone + Serialize;
    /// What tells one from the others.
    type Id: Copy + Eq + Hash;
    /// What the list is narrowed by.
    type Query: Clone + Default;

    /// One of them: "booking".
    const NOUN: &'static str;
    /// Several, as a title: "Bookings".
    const TITLE: &'static str;
    /// What an empty list says when nothing narrows it.
    const EMPTY: &'static str;
    /// The orders; the first to begin with.
    const SORTS: &'static [Sort];

    /// The columns.
    fn columns() -> Vec<Column<Self::Row>>;

    /// What typed words mean.
    fn parse(typed: &str, now: DateTime<Utc>) -> Result<Self::Query, String>;

    /// The question for rows.
    fn page(number: u64, query: &Self::Query, slice: Slice) -> Request;
}

/// Which rows are on their way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fetching {
    #[default]
    Nothing,
    /// The first rows, because something changed.
    Head,
    /// Rows around the cursor, because something changed.
    Around,
    /// The first rows, instead of everything that is held.
    Anew,
    /// The rows behind the last one held.
    Behind,
}

/// The rows, and what is known about those that are not held.
pub struct List<K: Listed> {
    /// The rows.
    pub table: Table<K::Row>,
    /// Rows that fit the filter; unknown before the first answer.
    total: Option<u64>,
    filter: String,
    query: K::Query,
    /// Which of [`Listed::SORTS`], and in which direction.
    sort: usize,
    order: Order,
    /// The number of the question whose answer is awaited: older answers are of no use.
    asked: u64,
    fetching: Fetching,
    /// Rows are loaded in order to mark all of them.
    marking_all: bool,
    /// So many rows are new that they do not join those held, and the operator reads those.
    newer: bool,
    error: Option<String>,
    due: Due,
}

impl<K: Listed> Default for List<K> {
    fn default() -> Self {
        let first = K::SORTS[0];
        Self {
            table: Table::ordered_by_daemon(K::columns(), first.column, first.order == Order::Desc),
            total: None,
            filter: String::new(),
            query: K::Query::default(),
            sort: 0,
            order: first.order,
            asked: 0,
            fetching: Fetching::Nothing,
            marking_all: false,
            newer: false,
            error: None,
            due: Due::default(),
        }
    }
}

impl<K: Listed> List<K> {
    /// What narrows it.
    pub fn filter(&self) -> &str {
        &self.filter
    }

    /// Rows that fit the filter, once that is known.
    pub const fn total(&self) -> Option<u64> {
        self.total
    }

    /// The word of the order that it is in.
    pub const fn order(&self) -> &'static str {
        K::SORTS[self.sort].word
    }

    fn ask(&mut self, fetching: Fetching, offset: usize) -> Vec<Effect> {
        self.asked += 1;
        self.fetching = fetching;
        let sort = K::SORTS[self.sort].word;
        let slice = Slice { sort, order: self.order, limit: PAGE, offset: offset as u64 };
        vec![Effect::Ask(K::page(self.asked, &self.query, slice))]
    }

    /// Asks for the first rows instead of everything held.
    pub fn refresh(&mut self) -> Vec<Effect> {
        self.ask(Fetching::Anew, 0)
    }

    /// Asks for what is shown when something changed or `calm` has passed.
    pub fn tick(&mut self, now: DateTime<Utc>, calm: Duration) -> Vec<Effect> {
        if self.fetching != Fetching::Nothing || !self.due.is_now(now, calm) {
            return Vec::new();
        }
        let half = PAGE as usize / 2;
        match self.table.cursor().saturating_sub(half) {
            offset if offset > half => self.ask(Fetching::Around, offset),
            _ => self.ask(Fetching::Head, 0),
        }
    }

    /// Something changed that only the daemon can tell.
    pub const fn hurry(&mut self) {
        self.due.hurry();
    }

    /// Whatever was asked before is not answered any more.
    pub fn forget(&mut self) {
        self.fetching = Fetching::Nothing;
        self.marking_all = false;
    }

    /// Asks for other rows: the ones there are go.
    fn restart(&mut self) -> Vec<Effect> {
        self.table.set_rows(Vec::new());
        self.table.show_order(K::SORTS[self.sort].column, self.order == Order::Desc);
        self.total = None;
        self.error = None;
        self.marking_all = false;
        self.refresh()
    }

    /// Shows what `typed` means.
    pub fn set_filter(&mut self, typed: &str, now: DateTime<Utc>) -> Vec<Effect> {
        match K::parse(typed, now) {
            Ok(_) if typed == self.filter && self.total.is_some() => Vec::new(),
            Ok(query) => {
                self.query = query;
                typed.clone_into(&mut self.filter);
                self.table.unmark();
                self.restart()
            }
            Err(reason) => vec![Effect::trouble(reason)],
        }
    }

    /// Shows the next order.
    pub fn next_order(&mut self) -> Vec<Effect> {
        if let [only] = K::SORTS {
            return vec![Effect::note(format!(
                "{}s are ordered by {} only; O turns it round",
                K::NOUN,
                only.word
            ))];
        }
        self.sort = (self.sort + 1) % K::SORTS.len();
        self.order = K::SORTS[self.sort].order;
        self.reordered()
    }

    /// Shows the other direction.
    pub fn reverse(&mut self) -> Vec<Effect> {
        self.order = if self.order == Order::Asc { Order::Desc } else { Order::Asc };
        self.reordered()
    }

    fn reordered(&mut self) -> Vec<Effect> {
        let direction = if self.order == Order::Asc { "upwards" } else { "downwards" };
        let mut effects = self.restart();
        effects.push(Effect::note(format!("ordered by {}, {direction}", K::SORTS[self.sort].word)));
        effects
    }

    /// Whether the daemon has rows behind the last one, and there is room for them.
    fn has_more(&self) -> bool {
        let rows = self.table.rows().len();
        (rows as u64) < self.total.unwrap_or(0) && rows < MOST
    }

    /// Asks for the rows behind the last one when the cursor comes near it.
    pub fn more(&mut self) -> Vec<Effect> {
        if self.table.remaining() < 30 { self.load_behind() } else { Vec::new() }
    }

    fn load_behind(&mut self) -> Vec<Effect> {
        if self.fetching != Fetching::Nothing || !self.has_more() {
            return Vec::new();
        }
        self.ask(Fetching::Behind, self.table.rows().len())
    }

    /// Marks everything that fits the filter, not what happens to be loaded: the rest is loaded first.
    pub fn mark_all(&mut self) -> Vec<Effect> {
        self.marking_all = self.has_more();
        if self.marking_all {
            let total =
                format::things(usize::try_from(self.total.unwrap_or(0)).unwrap_or(usize::MAX), K::NOUN);
            let mut effects = vec![Effect::note(format!("loading all {total} to mark them; Esc stops"))];
            effects.extend(self.load_behind());
            return effects;
        }
        self.table.act(Action::MarkAll);
        Vec::new()
    }

    /// Gives [`List::mark_all`] up; answers whether it was under way.
    pub fn stop_marking(&mut self) -> bool {
        std::mem::take(&mut self.marking_all)
    }

    fn go_on_marking(&mut self, progress: bool) -> Vec<Effect> {
        if !self.marking_all {
            return Vec::new();
        }
        if progress && self.has_more() {
            return self.load_behind();
        }
        self.marking_all = false;
        self.table.mark_all();
        let (marked, total) = (self.table.marked() as u64, self.total.unwrap_or(0));
        if marked < total {
            let (marked, total) = (format::count(marked), format::count(total));
            return vec![Effect::trouble(format!("only {marked} of {total} are marked: more are not held"))];
        }
        vec![Effect::note(format!("all {} marked", format::count(marked)))]
    }

    /// Takes the answer to question `number` in.
    pub fn take(&mut self, number: u64, rows: &[K::Row], total: u64) -> Vec<Effect> {
        if number != self.asked {
            return Vec::new();
        }
        let held = self.table.rows().len();
        self.error = None;
        self.total = Some(total);
        let fetched = std::mem::take(&mut self.fetching);
        match fetched {
            Fetching::Behind => self.table.append(rows.to_vec()),
            Fetching::Around => {
                let mut latest: HashMap<<K::Row as Row>::Key, &K::Row> =
                    rows.iter().map(|row| (row.key(), row)).collect();
                for row in self.table.rows_mut() {
                    if let Some(news) = latest.remove(&row.key()) {
                        row.clone_from(news);
                    }
                }
            }
            _ => self.take_head(rows, fetched == Fetching::Anew),
        }
        self.go_on_marking(fetched != Fetching::Behind || self.table.rows().len() > held)
    }

    /// Puts the first rows before those that were loaded further on, if they join.
    fn take_head(&mut self, head: &[K::Row], anew: bool) {
        let mut rows = head.to_vec();
        let before = self.table.rows();
        if let Some(last) = head.last().filter(|_| !anew && head.len() >= PAGE as usize && !before.is_empty())
        {
            let Some(place) = before.iter().position(|row| row.key() == last.key()) else {
                // Rows must not be pulled away from under whoever reads them.
                self.newer = self.table.is_scrolled();
                if !self.newer {
                    self.table.set_rows(rows);
                }
                return;
            };
            let there: HashSet<<K::Row as Row>::Key> = head.iter().map(Row::key).collect();
            rows.extend(before[place..].iter().filter(|row| !there.contains(&row.key())).cloned());
        }
        self.newer = false;
        self.table.set_rows(rows);
    }

    /// Takes a refusal of question `number` in.
    pub fn fail(&mut self, number: u64, reason: &str) {
        if number == self.asked {
            self.forget();
            self.error = Some(reason.to_owned());
        }
    }

    /// What stands over it.
    pub fn title(&self) -> String {
        let rows = self.table.rows().len() as u64;
        let total = self.total.unwrap_or(rows);
        let parts = [
            // A list that was never loaded is not an empty one.
            Some(if self.total.is_none() && rows == 0 {
                K::TITLE.to_owned()
            } else {
                format!("{} {}", K::TITLE, format::count(total))
            }),
            (rows < total).then(|| format!("{} loaded", format::count(rows))),
            (!self.filter.is_empty()).then(|| format!("/{}", text::neutral(&self.filter))),
            (self.table.marked() > 0).then(|| format!("{} marked", self.table.marked())),
            self.newer.then(|| "NEWER above: ctrl-r".to_owned()),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join("  ")
    }

    /// What is said when it is empty.
    pub fn empty(&self) -> String {
        match (&self.error, self.total.is_some(), self.filter.is_empty()) {
            (Some(error), ..) => error.clone(),
            (None, false, _) => "loading".to_owned(),
            (None, true, true) => K::EMPTY.to_owned(),
            (None, true, false) => format!("No {} fits the filter. Esc shows all.", K::NOUN),
        }
    }
}
