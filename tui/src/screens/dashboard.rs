//! What an operator wants to see first: is everything up, does the queue flow, what needs a person, what went
//! wrong last. Enter on a line goes to where it is mended.

mod attention;

use std::{collections::VecDeque, time::Duration};

use astrops_api::{
    jobs::{JobStats, PauseTypes, TypeStats},
    logs::{Histogram, LogEntry},
    schedules::Schedule,
    status::Status,
    vocabulary::Severity,
};
use ratatui::{
    buffer::Buffer,
    layout::{Constraint, Layout, Rect},
    style::Style,
    text::{Line, Span},
};

use crate::{
    format,
    keys::{Action, Scope},
    layers::{Confirm, Layer},
    message::{Change, LogItem, Request, Update},
    screen::{Context, Due, Effect, Place, Screen},
    text,
    widgets::{log_line::LogLine, panel, scroll::Scroll, sparkline},
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
    focus: Focus,
    needs_scroll: Scroll,
    queue_scroll: Scroll,
    errors_scroll: Scroll,
    status_due: Due,
    stats_due: Due,
    slow_due: Due,
}

impl Dashboard {
    /// Counts of queued, processing and failed jobs, for the header.
    pub fn counts(&self) -> Option<(u64, u64, u64)> {
        let types = &self.stats.as_ref()?.types;
        let sum = |count: fn(&TypeStats) -> u64| types.iter().map(count).sum();
        Some((sum(|row| row.queued), sum(|row| row.processing), sum(|row| row.failed)))
    }

    fn types(&self) -> &[TypeStats] {
        self.stats.as_ref().map_or(&[], |stats| &stats.types)
    }

    fn recount(&mut self, context: &Context<'_>) {
        self.needs =
            attention::needs(self.status.as_ref(), self.stats.as_ref(), &self.schedules, context.now);
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
            let line = format!("{} queued jobs start to run.", format::count(row.queued));
            (format!("Resume {} jobs?", row.kind), line, Change::ResumeJobs(types))
        } else {
            let line = "No more of them start until somebody resumes; running ones end.".to_owned();
            (format!("Pause {} jobs?", row.kind), line, Change::PauseJobs(types))
        };
        vec![Effect::Open(Layer::Confirm(Confirm::change(title, vec![line], 1, change, context)))]
    }

    fn draw_health(&self, buffer: &mut Buffer, area: Rect, context: &Context<'_>) {
        let look = context.look;
        let nodes = self.status.as_ref().map_or(0, |status| status.nodes.len());
        let title = match (&self.status, nodes) {
            (None, _) => "Health".to_owned(),
            (Some(status), 1) => format!("Health  astrops {}", status.version),
            (Some(status), nodes) => format!("Health  astrops {}  {nodes} nodes", status.version),
        };
        let inner = panel::panel(buffer, area, look, &title, false);
        let Some(status) = &self.status else {
            panel::paint(buffer, inner, [Line::styled(" loading", look.dim)]);
            return;
        };
        // What is down comes first: a low screen shows only some.
        let mut parts: Vec<_> = status.parts.iter().collect();
        parts.sort_by_key(|part| part.ok);
        let lines = parts.into_iter().map(|part| {
            let (word, style) = if part.ok { ("ok  ", look.good) } else { ("DOWN", look.critical) };
            let latency = part.latency_ms.filter(|_| part.ok && inner.width >= 34);
            let latency = latency.map(|ms| format!("{ms:.1} ms ")).unwrap_or_default();
            let room = usize::from(inner.width).saturating_sub(16 + latency.len());
            Line::from(vec![
                Span::raw(" "),
                Span::styled(word, style),
                Span::raw(format!(" {:<9} ", text::fit(&text::neutral(&part.name), 9))),
                Span::styled(latency, look.dim),
                Span::styled(text::fit(&text::neutral(&part.detail), room).into_owned(), look.dim),
            ])
        });
        panel::paint(buffer, inner, lines);
    }

    fn draw_queue(&mut self, buffer: &mut Buffer, area: Rect, context: &Context<'_>) {
        let look = context.look;
        let focused = self.focus == Focus::Queue;
        let inner = panel::panel(buffer, area, look, "Queue", focused);
        let head = format!(
            " {:<14} {:>6} {:>4} {:>6} {:>5} {:>7}",
            "TYPE", "queued", "run", "failed", "/min", "p95"
        );
        panel::paint(buffer, inner, [Line::styled(head, look.title)]);
        let rows = Rect { y: inner.y + 1.min(inner.height), height: inner.height.saturating_sub(1), ..inner };
        let mut scroll = self.queue_scroll;
        scroll.settle(self.types().len(), usize::from(rows.height));
        let lines = self.types().iter().enumerate().skip(scroll.offset).map(|(place, row)| {
            let under = focused && place == scroll.cursor;
            let p95 = row.p95_ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.0} ms"));
            let failed = if row.failed > 0 { look.bad } else { Style::new() };
            let line = Line::from(vec![
                Span::raw(format!("{}{:<14} ", if under { ">" } else { " " }, row.kind)),
                Span::raw(format!("{:>6} {:>4} ", format::count(row.queued), row.processing)),
                Span::styled(format!("{:>6}", format::count(row.failed)), failed),
                if row.paused {
                    Span::styled(" PAUSED", look.warning)
                } else {
                    Span::raw(format!(" {:>5} {p95:>7}", row.per_minute))
                },
            ]);
            if under { line.style(look.cursor) } else { line }
        });
        panel::paint(buffer, rows, lines.collect::<Vec<_>>());
        self.queue_scroll = scroll;
    }

    fn draw_needs(&mut self, buffer: &mut Buffer, area: Rect, context: &Context<'_>) {
        let look = context.look;
        let focused = self.focus == Focus::Needs;
        let title = format!("Needs attention {}", self.needs.len());
        let inner = panel::panel(buffer, area, look, &title, focused);
        if self.needs.is_empty() {
            let known = self.status.is_some() && self.stats.is_some();
            let words = if known { " Nothing. All is well." } else { " loading" };
            panel::paint(buffer, inner, [Line::styled(words, if known { look.good } else { look.dim })]);
        }
        self.needs_scroll.settle(self.needs.len(), usize::from(inner.height));
        let lines = self.needs.iter().enumerate().skip(self.needs_scroll.offset).map(|(place, need)| {
            let under = focused && place == self.needs_scroll.cursor;
            let room = usize::from(inner.width).saturating_sub(7);
            let words = text::neutral(&need.words);
            let line = Line::from(vec![
                Span::raw(if under { ">" } else { " " }),
                Span::styled(crate::theme::severity_word(need.severity), look.severity(need.severity)),
                Span::raw(format!(" {}", text::fit(&words, room))),
            ]);
            if under { line.style(look.cursor) } else { line }
        });
        panel::paint(buffer, inner, lines.collect::<Vec<_>>());
    }

    fn draw_next(&self, buffer: &mut Buffer, area: Rect, context: &Context<'_>) {
        let look = context.look;
        let inner = panel::panel(buffer, area, look, "Next schedules", false);
        let mut next: Vec<(chrono::DateTime<chrono::Utc>, &str)> =
            self.schedules.iter().filter_map(|row| Some((row.next_fire_at?, row.name.as_str()))).collect();
        next.sort();
        let lines = next.into_iter().map(|(at, name)| {
            let room = usize::from(inner.width).saturating_sub(15);
            let name = text::neutral(name);
            Line::from(vec![
                Span::styled(format!(" {:<13} ", format::relative(at, context.now)), look.dim),
                Span::raw(text::fit(&name, room).into_owned()),
            ])
        });
        panel::paint(buffer, inner, lines);
    }

    fn draw_errors(&mut self, buffer: &mut Buffer, area: Rect, context: &Context<'_>) {
        let look = context.look;
        let focused = self.focus == Focus::Errors;
        let inner = panel::panel(buffer, area, look, "Errors, newest first", focused);
        if let Some(histogram) = &self.histogram {
            let counts: Vec<u64> = histogram.buckets.iter().map(|at| at.error + at.critical).collect();
            let all: u64 = counts.iter().sum();
            let words = format!(" {} in the last hour ", format::count(all));
            let wide = u16::try_from(words.len()).unwrap_or(0);
            let bars = u16::try_from(counts.len()).unwrap_or(60).min(area.width.saturating_sub(wide + 30));
            if bars > 10 {
                let x = area.right().saturating_sub(bars + wide + 2);
                buffer.set_string(x, area.y, &words, look.dim);
                let place = Rect { x: x + wide, y: area.y, width: bars, height: 1 };
                buffer.set_string(place.x, place.y, " ".repeat(usize::from(bars)), Style::new());
                sparkline::draw(buffer, place, look, &counts, look.bad);
            }
        }
        if self.errors.is_empty() {
            panel::paint(buffer, inner, [Line::styled(" No errors are known.", look.dim)]);
        }
        self.errors_scroll.settle(self.errors.len(), usize::from(inner.height));
        let width = usize::from(inner.width.saturating_sub(1));
        let lines = self.errors.iter().enumerate().skip(self.errors_scroll.offset).map(|(place, entry)| {
            let under = focused && place == self.errors_scroll.cursor;
            let mut line = LogLine::from(entry).line(width, context, None);
            line.spans.insert(0, Span::styled(if under { ">" } else { " " }, look.key));
            if under { line.style(look.cursor) } else { line }
        });
        panel::paint(buffer, inner, lines.collect::<Vec<_>>());
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
            Action::Open if self.target().is_none() => Err("this line leads nowhere".into()),
            _ => Ok(()),
        }
    }

    fn act(&mut self, action: Action, context: &Context<'_>) -> Vec<Effect> {
        match action {
            Action::PauseType => return self.pause_type(context),
            Action::Open => return self.target().map(Effect::Visit).into_iter().collect(),
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
            Update::Status(status) => self.status = Some((**status).clone()),
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
            Update::Logs(items) => {
                for item in items {
                    if let LogItem::Entry(entry) = item
                        && entry.severity >= Severity::Error
                        && self.errors.iter().all(|known| known.id != entry.id)
                    {
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
        if visible && self.status_due.is_now(context.now, Duration::from_secs(5)) {
            effects.push(Effect::Ask(Request::Status));
        }
        if visible && self.slow_due.is_now(context.now, Duration::from_secs(20)) {
            effects.extend([Request::Histogram, Request::Errors, Request::Schedules].map(Effect::Ask));
        }
        effects
    }

    fn draw(&mut self, buffer: &mut Buffer, area: Rect, context: &Context<'_>) {
        let parts = self.status.as_ref().map_or(3, |status| status.parts.len());
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
            vec![Constraint::Fill(1), Constraint::Length(50.min(area.width * 2 / 3))]
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
