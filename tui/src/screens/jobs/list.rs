//! The rows of the jobs: filtered, ordered and paged by the daemon, refreshed as it tells of changes.
//!
//! Rows that change are replaced as the stream tells; new rows and totals come with a refresh. Limits: the daemon
//! orders by creation only; [`MOST`] rows are held.

use std::{collections::HashMap, time::Duration};

use astrops_api::{
    ids::JobId,
    jobs::{Job, JobPage, JobQuery},
};
use chrono::{DateTime, Utc};

use super::{columns, query};
use crate::{
    format,
    keys::Action,
    message::Request,
    screen::{Due, Effect},
    text,
    widgets::table::{Row, Table},
};

/// Rows held at most.
const MOST: usize = 5_000;

/// Asked again after this while nothing tells of changes.
const CALM: Duration = Duration::from_secs(30);

impl Row for Job {
    type Key = JobId;

    fn key(&self) -> JobId {
        self.id
    }
}

/// Which rows are on their way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fetching {
    #[default]
    Nothing,
    /// The first page, because something changed.
    Head,
    /// The first page, instead of everything that is held.
    Anew,
    /// The rows behind the last one held.
    Behind,
}

/// The rows, and what is known about those that are not held.
pub struct List {
    /// The rows.
    pub table: Table<Job>,
    /// Jobs that fit the filter; unknown before the first answer.
    total: Option<u64>,
    filter: String,
    oldest_first: bool,
    /// The number of the question whose answer is awaited: older answers are of no use.
    asked: u64,
    fetching: Fetching,
    /// Rows are loaded in order to mark all of them.
    marking_all: bool,
    /// So many jobs are new that they do not join those held, and the operator reads those.
    newer: bool,
    error: Option<String>,
    due: Due,
}

impl Default for List {
    fn default() -> Self {
        Self {
            table: Table::ordered_by_daemon(columns::columns(), columns::CREATED, true),
            total: None,
            filter: String::new(),
            oldest_first: false,
            asked: 0,
            fetching: Fetching::Nothing,
            marking_all: false,
            newer: false,
            error: None,
            due: Due::default(),
        }
    }
}

impl List {
    /// What narrows it.
    pub fn filter(&self) -> &str {
        &self.filter
    }

    fn ask(&mut self, fetching: Fetching, query: JobQuery) -> Vec<Effect> {
        self.asked += 1;
        self.fetching = fetching;
        vec![Effect::Ask(Request::Jobs(self.asked, Box::new(query)))]
    }

    fn query(&self) -> Result<JobQuery, String> {
        query::parse(&self.filter, self.oldest_first)
    }

    /// Asks for the first page instead of everything held.
    pub fn refresh(&mut self) -> Vec<Effect> {
        let Ok(query) = self.query() else { return Vec::new() };
        self.ask(Fetching::Anew, query)
    }

    /// Asks for the first page when something changed or enough time passed.
    pub fn tick(&mut self, now: DateTime<Utc>) -> Vec<Effect> {
        match self.query() {
            Ok(query) if self.fetching == Fetching::Nothing && self.due.is_now(now, CALM) => {
                self.ask(Fetching::Head, query)
            }
            _ => Vec::new(),
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
        self.table.show_order(columns::CREATED, !self.oldest_first);
        self.total = None;
        self.error = None;
        self.marking_all = false;
        self.refresh()
    }

    /// Shows what `typed` means.
    pub fn set_filter(&mut self, typed: &str) -> Vec<Effect> {
        match query::parse(typed, self.oldest_first) {
            Ok(_) if typed == self.filter && self.total.is_some() => Vec::new(),
            Ok(_) => {
                typed.clone_into(&mut self.filter);
                self.table.unmark();
                self.restart()
            }
            Err(reason) => vec![Effect::trouble(reason)],
        }
    }

    /// Shows the next status in turn.
    pub fn next_status(&mut self) -> Vec<Effect> {
        let next = query::next_status(&self.filter);
        self.set_filter(&next)
    }

    /// Shows the other order.
    pub fn reverse(&mut self) -> Vec<Effect> {
        self.oldest_first = !self.oldest_first;
        let order = if self.oldest_first { "oldest" } else { "newest" };
        let mut effects = self.restart();
        effects.push(Effect::note(format!("{order} first; the daemon orders jobs by creation only")));
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
        let (Ok(query), Some(last)) = (self.query(), self.table.rows().last()) else { return Vec::new() };
        let (before, after) = if self.oldest_first { (None, Some(last.id)) } else { (Some(last.id), None) };
        self.ask(Fetching::Behind, JobQuery { before, after, ..query })
    }

    /// Marks everything that fits the filter, not what happens to be loaded: the rest is loaded first.
    pub fn mark_all(&mut self) -> Vec<Effect> {
        self.marking_all = self.has_more();
        if self.marking_all {
            let total = format::count(self.total.unwrap_or(0));
            let mut effects = vec![Effect::note(format!("loading all {total} jobs to mark them; Esc stops"))];
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
    pub fn take(&mut self, number: u64, page: &JobPage) -> Vec<Effect> {
        if number != self.asked {
            return Vec::new();
        }
        let held = self.table.rows().len();
        let fetched = std::mem::take(&mut self.fetching);
        self.error = None;
        if fetched == Fetching::Behind {
            self.table.append(page.jobs.clone());
        } else {
            self.total = Some(page.total);
            self.take_head(&page.jobs, fetched == Fetching::Anew);
        }
        self.go_on_marking(self.table.rows().len() > held)
    }

    /// Puts the first page before the rows that were loaded further on, if they join.
    fn take_head(&mut self, head: &[Job], anew: bool) {
        let mut rows = head.to_vec();
        if let Some(last) = head.last().filter(|_| !anew && head.len() >= query::PAGE as usize) {
            let behind = |job: &&Job| if self.oldest_first { job.id > last.id } else { job.id < last.id };
            let before = self.table.rows();
            let joins = before.is_empty() || before.iter().any(|job| !behind(&job));
            if !joins && self.table.is_scrolled() {
                // Rows must not be pulled away from under whoever reads them.
                self.newer = true;
                return;
            }
            let kept: Vec<Job> = before.iter().filter(behind).filter(|_| joins).cloned().collect();
            rows.extend(kept);
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

    /// Takes changes in as the stream tells them: a busy queue tells of thousands a second.
    pub fn changed(&mut self, latest: &HashMap<JobId, &Job>) {
        for row in self.table.rows_mut() {
            if let Some(job) = latest.get(&row.id) {
                row.clone_from(job);
            }
        }
        if !latest.is_empty() {
            self.due.hurry();
        }
    }

    /// What stands over it.
    pub fn title(&self) -> String {
        let rows = self.table.rows().len() as u64;
        let total = self.total.unwrap_or(rows);
        let parts = [
            // A list that was never loaded is not an empty one.
            Some(if self.total.is_none() && rows == 0 {
                "Jobs".to_owned()
            } else {
                format!("Jobs {}", format::count(total))
            }),
            (rows < total).then(|| format!("{} loaded", format::count(rows))),
            (!self.filter.is_empty()).then(|| format!("/{}", text::neutral(&self.filter))),
            (self.table.marked() > 0).then(|| format!("{} marked", self.table.marked())),
            self.newer.then(|| "NEWER above: ctrl-r".to_owned()),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join("  ")
    }

    /// What is said when it is empty.
    pub fn empty(&self) -> &str {
        match (&self.error, self.total.is_some(), self.filter.is_empty()) {
            (Some(error), ..) => error,
            (None, false, _) => "loading",
            (None, true, true) => "No jobs yet. N writes a notification; schedules make their own.",
            (None, true, false) => "No job fits the filter. Esc shows all.",
        }
    }
}
