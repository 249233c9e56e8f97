//! The jobs: a table that the daemon filters, orders and pages, and the detail of one of them.
//!
//! Rows that change are replaced as the stream tells; new rows and totals come with a refresh that follows
//! changes at most once a second. Limits: the daemon orders by creation only; [`MOST`] rows are held.

mod acts;
mod columns;
mod query;

use std::{collections::HashMap, time::Duration};

use astrops_api::{
    ids::JobId,
    jobs::{Job, JobPage, JobQuery},
    notifications::NotificationTypeInfo,
};
use ratatui::{buffer::Buffer, layout::Rect};

use super::job_detail::JobDetailView;
use crate::{
    format,
    keys::{Action, Scope},
    layers::{Ask, Confirm, FormLayer, Layer, Page, Prompt},
    message::{Change, LinkState, Request, Update},
    screen::{Context, Due, Effect, Place, Screen},
    text,
    widgets::{
        panel,
        split::Split,
        table::{Row, Table},
    },
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
    /// The first page, again or for the first time.
    First,
    /// The rows behind the last one held.
    Behind,
}

/// The jobs.
pub struct Jobs {
    table: Table<Job>,
    /// Jobs that fit the filter; unknown before the first answer.
    total: Option<u64>,
    filter: String,
    oldest_first: bool,
    /// The number of the question whose answer is on the screen or on its way.
    asked: u64,
    fetching: Fetching,
    error: Option<String>,
    due: Due,
    detail: JobDetailView,
    detail_due: Due,
    split: Split,
    types: Option<Vec<NotificationTypeInfo>>,
    /// The form opens when the types arrive.
    form_wanted: bool,
}

impl Default for Jobs {
    fn default() -> Self {
        Self {
            table: Table::ordered_by_daemon(columns::columns(), columns::CREATED, true),
            total: None,
            filter: String::new(),
            oldest_first: false,
            asked: 0,
            fetching: Fetching::Nothing,
            error: None,
            due: Due::default(),
            detail: JobDetailView::default(),
            detail_due: Due::default(),
            split: Split::default(),
            types: None,
            form_wanted: false,
        }
    }
}

impl Jobs {
    fn query(&self) -> Result<JobQuery, String> {
        query::parse(&self.filter, self.oldest_first)
    }

    /// Asks for the first page.
    fn refresh(&mut self) -> Vec<Effect> {
        let Ok(query) = self.query() else { return Vec::new() };
        self.asked += 1;
        self.fetching = Fetching::First;
        vec![Effect::Ask(Request::Jobs(self.asked, Box::new(query)))]
    }

    /// Asks for other rows: the ones there are go.
    fn restart(&mut self) -> Vec<Effect> {
        self.table.set_rows(Vec::new());
        self.table.show_order(!self.oldest_first);
        self.total = None;
        self.error = None;
        self.refresh()
    }

    /// Asks for the rows behind the last one when the cursor comes near it.
    fn more(&mut self) -> Vec<Effect> {
        let rows = self.table.rows().len();
        let near = self.table.remaining() < 30;
        if self.fetching != Fetching::Nothing
            || !near
            || rows as u64 >= self.total.unwrap_or(0)
            || rows >= MOST
        {
            return Vec::new();
        }
        let (Ok(query), Some(last)) = (self.query(), self.table.rows().last()) else { return Vec::new() };
        let (before, after) = if self.oldest_first { (None, Some(last.id)) } else { (Some(last.id), None) };
        self.asked += 1;
        self.fetching = Fetching::Behind;
        vec![Effect::Ask(Request::Jobs(self.asked, Box::new(JobQuery { before, after, ..query })))]
    }

    fn set_filter(&mut self, typed: &str) -> Vec<Effect> {
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

    fn take(&mut self, page: &JobPage) -> Vec<Effect> {
        let rows = page.jobs.clone();
        let fetched = std::mem::take(&mut self.fetching);
        self.error = None;
        if fetched == Fetching::Behind {
            self.table.append(rows);
        } else {
            self.total = Some(page.total);
            let mut rows = rows;
            // What was loaded further on stays, and is told about by the stream.
            if rows.len() >= query::PAGE as usize
                && let Some(last) = rows.last().map(|job| job.id)
            {
                let behind = |job: &&Job| if self.oldest_first { job.id > last } else { job.id < last };
                let kept: Vec<Job> = self.table.rows().iter().filter(behind).cloned().collect();
                rows.extend(kept);
            }
            self.table.set_rows(rows);
        }
        self.follow_cursor()
    }

    /// Lets the detail beside the table follow the cursor.
    fn follow_cursor(&mut self) -> Vec<Effect> {
        match self.table.current() {
            Some(job) if self.split.follows() => self.detail.show(job.id),
            _ => Vec::new(),
        }
    }

    fn changed(&mut self, jobs: &[Job]) {
        // The latest word on each job: a busy queue tells of thousands a second.
        let latest: HashMap<JobId, &Job> = jobs.iter().map(|job| (job.id, job)).collect();
        for row in self.table.rows_mut() {
            if let Some(job) = latest.get(&row.id) {
                row.clone_from(job);
            }
        }
        if self.detail.wanted().is_some_and(|id| latest.contains_key(&id)) {
            self.detail_due.hurry();
        }
        if !jobs.is_empty() {
            self.due.hurry();
        }
    }

    /// The jobs that an action is about: the open one when the detail has the keys, else the marked ones or the
    /// one under the cursor.
    fn chosen(&self) -> Vec<&Job> {
        if self.split.in_detail() {
            return self.detail.detail().map(|detail| &detail.job).into_iter().collect();
        }
        self.table.chosen()
    }

    fn open_form(&mut self) -> Vec<Effect> {
        if let Some(types) = &self.types {
            return vec![Effect::Open(Layer::Form(Box::new(FormLayer::mail(types.clone()))))];
        }
        self.form_wanted = true;
        vec![Effect::Ask(Request::NotificationTypes)]
    }

    fn close(&mut self) -> Vec<Effect> {
        if self.split.is_open() {
            self.split.close();
        } else if self.table.marked() > 0 {
            self.table.unmark();
        } else if !self.filter.is_empty() {
            return self.set_filter("");
        }
        Vec::new()
    }

    fn copy(&self, all: bool, context: &Context<'_>) -> String {
        if self.split.in_detail() {
            return self.detail.plain(context);
        }
        let jobs = if all { self.table.visible().iter().collect() } else { self.table.chosen() };
        jobs.into_iter()
            .map(|job| {
                text::neutral(&format!("{} {} {} {}", job.id, job.kind, job.status, job.target()))
                    .into_owned()
            })
            .collect::<Vec<_>>()
            .join("\n")
    }

    fn json(&self) -> Option<Page> {
        let text = match self.detail.detail().filter(|_| self.split.in_detail()) {
            Some(detail) => serde_json::to_string_pretty(detail),
            None => serde_json::to_string_pretty(self.table.current()?),
        };
        Some(Page::plain("Job as JSON", &text.ok()?))
    }

    fn title(&self) -> String {
        let rows = self.table.rows().len() as u64;
        let total = self.total.unwrap_or(rows);
        let parts = [
            Some(format!("Jobs {}", format::count(total))),
            (rows < total).then(|| format!("{} loaded", format::count(rows))),
            (!self.filter.is_empty()).then(|| format!("/{}", text::neutral(&self.filter))),
            (self.table.marked() > 0).then(|| format!("{} marked", self.table.marked())),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join("  ")
    }
}

impl Screen for Jobs {
    fn scope(&self) -> Scope {
        Scope::Jobs
    }

    fn available(&self, action: Action, context: &Context<'_>) -> Result<(), String> {
        match action {
            Action::Retry | Action::Cancel | Action::Delay | Action::Execute | Action::Delete => {
                acts::available(action, &self.chosen())
            }
            Action::Reveal if !context.user.is_some_and(astrops_api::auth::User::is_operator) => {
                Err("only operators see private fields".into())
            }
            Action::Reveal if !self.split.is_open() => Err("open the job first: Enter".into()),
            Action::Open | Action::Follow | Action::Json | Action::Copy if self.chosen().is_empty() => {
                Err("there is no job under the cursor".into())
            }
            _ => Ok(()),
        }
    }

    fn act(&mut self, action: Action, context: &Context<'_>) -> Vec<Effect> {
        match action {
            Action::Retry | Action::Cancel | Action::Delay | Action::Execute | Action::Delete => {
                acts::ask(action, &self.chosen(), context)
            }
            Action::New => self.open_form(),
            Action::Filter => vec![Effect::Open(Layer::Prompt(Prompt::new(Ask::Filter, &self.filter)))],
            Action::Status => {
                let next = query::next_status(&self.filter);
                self.set_filter(&next)
            }
            Action::Order | Action::Reverse => {
                self.oldest_first = !self.oldest_first;
                let order = if self.oldest_first { "oldest" } else { "newest" };
                let mut effects = self.restart();
                effects.push(Effect::note(format!("{order} first; the daemon orders jobs by creation only")));
                effects
            }
            Action::Open => match self.table.current().map(|job| job.id) {
                Some(id) if !self.split.in_detail() => {
                    self.split.open();
                    self.detail.show(id)
                }
                _ => Vec::new(),
            },
            Action::Focus | Action::FocusBack => {
                self.split.switch();
                Vec::new()
            }
            Action::Zoom => {
                self.split.zoom();
                Vec::new()
            }
            Action::Close => self.close(),
            Action::Reveal => {
                let Some(id) = self.detail.wanted() else { return Vec::new() };
                let lines = vec!["The daemon records that you looked.".to_owned()];
                let title = format!("Show the private fields of job {}?", id.short());
                let reveal = Effect::Ask(Request::Job(id, true));
                vec![Effect::Open(Layer::Confirm(Confirm::new(title, lines, reveal)))]
            }
            Action::Follow => match self.chosen().first() {
                Some(job) => vec![Effect::Visit(Place::LogsOf(job.id))],
                None => Vec::new(),
            },
            Action::Json => self.json().map(|page| Effect::Open(Layer::Page(page))).into_iter().collect(),
            Action::Copy | Action::CopyAll => {
                vec![Effect::Copy(self.copy(action == Action::CopyAll, context))]
            }
            Action::Refresh => {
                let mut effects = self.refresh();
                effects.extend(self.detail.fetch());
                effects
            }
            action if self.split.in_detail() => {
                self.detail.act(action);
                Vec::new()
            }
            action => {
                self.table.act(action);
                let mut effects = self.follow_cursor();
                effects.extend(self.more());
                if action == Action::MarkAll && (self.table.rows().len() as u64) < self.total.unwrap_or(0) {
                    let rows = format::count(self.table.rows().len() as u64);
                    let total = format::count(self.total.unwrap_or(0));
                    effects
                        .push(Effect::note(format!("these are the {rows} loaded of {total}; G loads more")));
                }
                effects
            }
        }
    }

    fn update(&mut self, update: &Update, _context: &Context<'_>) -> Vec<Effect> {
        match update {
            Update::Jobs(number, page) if *number == self.asked => {
                return self.take(page);
            }
            Update::Job(detail) => return self.detail.take(detail),
            Update::JobsChanged(jobs) => self.changed(jobs),
            // Whatever was asked before is not answered any more.
            Update::Link(LinkState::Connecting) => {
                self.fetching = Fetching::Nothing;
                self.detail.forget();
            }
            Update::JobsMissed => {
                self.due.hurry();
                self.detail_due.hurry();
            }
            Update::Done(change, outcomes) => {
                self.due.hurry();
                self.detail_due.hurry();
                let jobs = matches!(
                    change,
                    Change::Retry(_) | Change::Cancel(_) | Change::Delete(_) | Change::Delay(..)
                );
                if jobs && outcomes.iter().all(|outcome| outcome.result.is_ok()) {
                    self.table.unmark();
                }
                if let Change::Delete(ids) = change
                    && self.detail.wanted().is_some_and(|id| ids.contains(&id))
                {
                    self.split.close();
                }
            }
            Update::NotificationTypes(types) => {
                self.types = Some(types.clone());
                if std::mem::take(&mut self.form_wanted) {
                    return self.open_form();
                }
            }
            Update::Failed(request, reason) => match &**request {
                Request::Jobs(number, _) if *number == self.asked => {
                    self.fetching = Fetching::Nothing;
                    self.error = Some(reason.clone());
                }
                Request::Job(id, _) => self.detail.fail(*id, reason),
                Request::NotificationTypes => self.form_wanted = false,
                _ => {}
            },
            _ => {}
        }
        Vec::new()
    }

    fn tick(&mut self, visible: bool, context: &Context<'_>) -> Vec<Effect> {
        let mut effects = Vec::new();
        if !visible || !context.link.is_live() {
            return effects;
        }
        if self.fetching == Fetching::Nothing && self.due.is_now(context.now, CALM) {
            effects.extend(self.refresh());
        }
        if self.split.is_open() && self.detail_due.is_now(context.now, CALM) {
            effects.extend(self.detail.fetch());
        }
        effects
    }

    fn prompted(&mut self, ask: &Ask, text: &str, done: bool, context: &Context<'_>) -> Vec<Effect> {
        match ask {
            Ask::Filter if done => self.set_filter(text.trim()),
            Ask::Delay(ids) if done && !text.trim().is_empty() => match format::parse_time(text, context.now)
            {
                Ok(until) => vec![acts::delay(ids, until, context)],
                Err(reason) => vec![Effect::trouble(reason)],
            },
            _ => Vec::new(),
        }
    }

    fn visit(&mut self, place: &Place, _context: &Context<'_>) -> Vec<Effect> {
        match place {
            Place::Job(id) => {
                // The table may not hold it; the detail then stands alone.
                self.table.select(id);
                self.split.open_alone();
                self.detail.show(*id)
            }
            Place::Jobs(filter) => {
                self.split.close();
                self.set_filter(filter)
            }
            _ => Vec::new(),
        }
    }

    fn is_nested(&self) -> bool {
        self.split.is_open()
    }

    fn remark(&self, context: &Context<'_>) -> Option<String> {
        let marked = self.table.marked();
        if marked == 0 || self.split.in_detail() {
            return None;
        }
        let marked = format::things(marked, "job");
        Some(match context.may_change() {
            Ok(()) => format!("{marked} marked: R, C, D and X mean these (and ask); Esc unmarks"),
            Err(reason) => format!("{marked} marked; {reason}"),
        })
    }

    fn draw(&mut self, buffer: &mut Buffer, area: Rect, context: &Context<'_>) {
        let (list, detail) = self.split.areas(area);
        if let Some(detail) = detail {
            self.detail.draw(buffer, detail, context, self.split.in_detail());
        }
        let Some(list) = list else { return };
        let inner = panel::panel(buffer, list, context.look, &self.title(), !self.split.in_detail());
        let empty = match (&self.error, self.total.is_some(), self.filter.is_empty()) {
            (Some(error), ..) => error.as_str(),
            (None, false, _) => "loading",
            (None, true, true) => "No jobs yet. N writes a notification; schedules make their own.",
            (None, true, false) => "No job fits the filter. Esc shows all.",
        };
        self.table.draw(buffer, inner, context, &text::neutral(empty));
    }
}
