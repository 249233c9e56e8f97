//! What an operator wants to see first: is everything up, does the queue flow, what needs a person, what went
//! wrong last. Enter on a line goes to where it is mended.

mod attention;
mod panels;

use std::{collections::VecDeque, time::Duration};

use astrops_api::{
    drift::Agreement,
    jobs::{JobStats, PauseTypes, TypeStats},
    logs::{Histogram, LogEntry},
    schedules::Schedule,
    status::Status,
    vocabulary::Severity,
};
use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use ratatui::{
    buffer::Buffer,
    layout::{Constraint, Layout, Rect},
};

use crate::{
    files::Today,
    format,
    keys::{Action, Scope},
    layers::{Confirm, Layer, Page},
    message::{Change, LogItem, Request, Update},
    screen::{Context, Due, Effect, Place, Screen},
    text,
    widgets::scroll::Scroll,
};
use attention::Need;

/// Errors held for the tail.
const ERRORS: usize = 50;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Focus {
    #[default]
    Needs,
    Queue,
    Errors,
}

/// The dashboard.
#[derive(Debug, Default)]
pub struct Dashboard {
    status: Option<Status>,
    stats: Option<JobStats>,
    histogram: Option<Histogram>,
    schedules: Vec<Schedule>,
    errors: VecDeque<LogEntry>,
    needs: Vec<Need>,
    today: Option<Today>,
    /// How far the daemon's clock was from ours when it last told.
    skew: TimeDelta,
    focus: Focus,
    needs_scroll: Scroll,
    queue_scroll: Scroll,
    errors_scroll: Scroll,
    status_due: Due,
    stats_due: Due,
    slow_due: Due,
    today_due: Due,
    /// When the histogram was asked for last, and whether an error has come since.
    histogram_asked: Option<DateTime<Utc>>,
    histogram_old: bool,
}

impl Dashboard {
    /// Counts of queued, processing and failed jobs, for the header.
    pub fn counts(&self) -> Option<(u64, u64, u64)> {
        let types = &self.stats.as_ref()?.types;
        let sum = |count: fn(&TypeStats) -> u64| types.iter().map(count).sum();
        Some((sum(|row| row.queued), sum(|row| row.processing), sum(|row| row.failed)))
    }

    /// How far both databases agree, for the header.
    pub fn agreement(&self) -> Option<&Agreement> {
        self.status.as_ref()?.agreement.as_ref()
    }

    fn types(&self) -> &[TypeStats] {
        self.stats.as_ref().map_or(&[], |stats| &stats.types)
    }

    fn recount(&mut self, context: &Context<'_>) {
        self.needs = attention::needs(
            self.status.as_ref(),
            self.stats.as_ref(),
            &self.schedules,
            self.skew,
            context.now,
        );
    }

    fn target(&self) -> Option<Place> {
        match self.focus {
            Focus::Needs => self.needs.get(self.needs_scroll.cursor)?.place.clone(),
            Focus::Queue => {
                let row = self.types().get(self.queue_scroll.cursor)?;
                Some(Place::Jobs(format!("type:{}", row.kind)))
            }
            Focus::Errors => {
                let entry = self.errors.get(self.errors_scroll.cursor)?;
                Some(Place::LogAt(entry.id, entry.timestamp))
            }
        }
    }

    /// What leads nowhere in the console is at least shown in full.
    fn explain(&self) -> Option<Effect> {
        let need = self.needs.get(self.needs_scroll.cursor).filter(|_| self.focus == Focus::Needs)?;
        Some(Effect::Open(Layer::Page(Page::plain("Needs attention", &need.words))))
    }

    fn lines(&self) -> Vec<String> {
        match self.focus {
            Focus::Needs => self.needs.iter().map(|need| need.words.clone()).collect(),
            Focus::Queue => self
                .types()
                .iter()
                .map(|row| format!("{} queued {} failed {}", row.kind, row.queued, row.failed))
                .collect(),
            Focus::Errors => self
                .errors
                .iter()
                .map(|entry| {
                    format!("{} {} {}", format::full(entry.timestamp), entry.severity, entry.message)
                })
                .collect(),
        }
    }

    fn scroll(&mut self) -> (&mut Scroll, usize) {
        let lens = (self.needs.len(), self.types().len(), self.errors.len());
        match self.focus {
            Focus::Needs => (&mut self.needs_scroll, lens.0),
            Focus::Queue => (&mut self.queue_scroll, lens.1),
            Focus::Errors => (&mut self.errors_scroll, lens.2),
        }
    }

    fn pause_type(&self, context: &Context<'_>) -> Vec<Effect> {
        let Some(row) = self.types().get(self.queue_scroll.cursor) else { return Vec::new() };
        let types = PauseTypes { kind: Some(row.kind) };
        let (title, line, change) = if row.paused {
            let queued = format::things(usize::try_from(row.queued).unwrap_or(usize::MAX), "queued job");
            let line = format!("{queued} may run when due.");
            (format!("Resume {} jobs?", row.kind), line, Change::ResumeJobs(types))
        } else {
            let line = "No more of them start until somebody resumes; running ones end.".to_owned();
            (format!("Pause {} jobs?", row.kind), line, Change::PauseJobs(types))
        };
        vec![Effect::Open(Layer::Confirm(Confirm::change(title, vec![line], 1, change, context)))]
    }
}

impl Screen for Dashboard {
    fn scope(&self) -> Scope {
        Scope::Dashboard
    }

    fn available(&self, action: Action, _context: &Context<'_>) -> Result<(), String> {
        match action {
            Action::PauseType if self.focus != Focus::Queue => Err("go to the queue first: Tab".into()),
            Action::PauseType if self.types().is_empty() => Err("no type has jobs yet".into()),
            Action::Open if self.lines().is_empty() => Err("there is no line".into()),
            _ => Ok(()),
        }
    }

    fn act(&mut self, action: Action, context: &Context<'_>) -> Vec<Effect> {
        match action {
            Action::PauseType => return self.pause_type(context),
            Action::Open => {
                let leads = self.target().map(Effect::Visit);
                return leads.or_else(|| self.explain()).into_iter().collect();
            }
            Action::Focus | Action::FocusBack => {
                let order = [Focus::Needs, Focus::Queue, Focus::Errors];
                let place = order.iter().position(|focus| *focus == self.focus).unwrap_or(0);
                let step = if action == Action::Focus { 1 } else { 2 };
                self.focus = order[(place + step) % 3];
            }
            Action::Copy => {
                let place = self.scroll().0.cursor;
                let line = self.lines().into_iter().nth(place);
                return line
                    .map(|line| Effect::Copy(text::neutral(&line).into_owned()))
                    .into_iter()
                    .collect();
            }
            Action::CopyAll => {
                let lines = self.lines();
                let lines: Vec<_> = lines.iter().map(|line| text::neutral(line)).collect();
                return vec![Effect::Copy(lines.join("\n"))];
            }
            Action::Refresh => {
                return [
                    Request::Status,
                    Request::Stats,
                    Request::Histogram,
                    Request::Errors,
                    Request::Schedules,
                ]
                .map(Effect::Ask)
                .into();
            }
            action => {
                let (scroll, len) = self.scroll();
                scroll.act(action, len);
            }
        }
        Vec::new()
    }

    fn update(&mut self, update: &Update, context: &Context<'_>) -> Vec<Effect> {
        match update {
            Update::Status(status) => {
                self.skew = status.now - context.now;
                self.status = Some((**status).clone());
            }
            Update::Stats(stats) => self.stats = Some(stats.clone()),
            Update::Histogram(histogram) => self.histogram = Some(histogram.clone()),
            Update::Schedules(schedules) => self.schedules.clone_from(schedules),
            Update::Errors(errors) => self.errors = errors.iter().cloned().collect(),
            Update::JobsChanged(_) | Update::Done(..) => {
                self.stats_due.hurry();
                return Vec::new();
            }
            Update::JobsMissed => {
                self.stats_due.hurry();
                self.status_due.hurry();
                self.slow_due.hurry();
                return Vec::new();
            }
            Update::Today(today) => self.today = Some(*today),
            Update::Logs(items) => {
                for item in items {
                    if let LogItem::Entry(entry) = item
                        && entry.severity >= Severity::Error
                        && self.errors.iter().all(|known| known.id != entry.id)
                    {
                        self.histogram_old = true;
                        self.errors.push_front(entry.clone());
                        self.errors.truncate(ERRORS);
                    }
                }
                return Vec::new();
            }
            _ => return Vec::new(),
        }
        self.recount(context);
        Vec::new()
    }

    fn tick(&mut self, visible: bool, context: &Context<'_>) -> Vec<Effect> {
        let mut effects = Vec::new();
        if !context.link.is_live() {
            return effects;
        }
        // The counts are in the header of every screen; the rest only matters here.
        if self.stats_due.is_now(context.now, Duration::from_secs(if visible { 5 } else { 30 })) {
            effects.push(Effect::Ask(Request::Stats));
        }
        // How far both databases agree is in the header, too.
        if self.status_due.is_now(context.now, Duration::from_secs(if visible { 5 } else { 30 })) {
            effects.push(Effect::Ask(Request::Status));
        }
        if visible && self.slow_due.is_now(context.now, Duration::from_secs(20)) {
            effects.extend([Request::Errors, Request::Schedules].map(Effect::Ask));
            self.histogram_old = true;
            self.histogram_asked = None;
        }
        if visible && self.today_due.is_now(context.now, Duration::from_secs(10)) {
            let midnight = context.now.date_naive().and_time(NaiveTime::MIN).and_utc();
            effects.push(Effect::Ask(Request::Today(midnight)));
        }
        // A flood of errors must not become a flood of questions.
        let rested = self.histogram_asked.is_none_or(|at| context.now - at >= TimeDelta::seconds(5));
        if visible && self.histogram_old && rested {
            self.histogram_old = false;
            self.histogram_asked = Some(context.now);
            effects.push(Effect::Ask(Request::Histogram));
        }
        effects
    }

    fn draw(&mut self, buffer: &mut Buffer, area: Rect, context: &Context<'_>) {
        let lines = |status: &Status| status.parts.len() + usize::from(status.agreement.is_some());
        let parts = self.status.as_ref().map_or(3, lines);
        let rows = self.types().len() + 1;
        let top = u16::try_from(parts.max(rows)).unwrap_or(6).clamp(3, 8) + 2;
        let top = top.min(area.height / 2);
        let below = area.height - top;
        let needs = u16::try_from(self.needs.len().max(1)).unwrap_or(u16::MAX).saturating_add(2);
        let needs = needs.clamp(3, (below / 2).max(3)).min(below);
        let [top, needs, errors] =
            Layout::vertical([Constraint::Length(top), Constraint::Length(needs), Constraint::Min(0)])
                .areas(area);
        let columns = if area.width >= 116 {
            vec![Constraint::Fill(1), Constraint::Length(50), Constraint::Length(34)]
        } else {
            vec![Constraint::Fill(1), Constraint::Length(43.min(area.width * 2 / 3))]
        };
        let columns = Layout::horizontal(columns).split(top);
        self.draw_health(buffer, columns[0], context);
        self.draw_queue(buffer, columns[1], context);
        if let Some(place) = columns.get(2) {
            self.draw_next(buffer, *place, context);
        }
        self.draw_needs(buffer, needs, context);
        if errors.height >= 3 {
            self.draw_errors(buffer, errors, context);
        }
    }
}
