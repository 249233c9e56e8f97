//! The schedules: when each fires next and how it went last; triggered, paused and edited here.

use std::time::Duration;

use astrops_api::{
    schedules::{Schedule, ScheduleRun},
    vocabulary::FireOutcome,
};
use ratatui::{buffer::Buffer, layout::Rect, style::Style};
use regex::Regex;

use crate::{
    format,
    keys::{Action, Scope},
    layers::{Ask, Confirm, FormLayer, Layer, Page, Prompt, page::wrapped},
    message::{Change, Request, Update},
    screen::{Context, Due, Effect, Place, Screen},
    text,
    widgets::{
        panel,
        scroll::Window,
        split::Split,
        table::{Column, Row, Table},
    },
};

const CALM: Duration = Duration::from_secs(15);

/// The hints while the detail has the keys.
const IN_DETAIL: &[(Action, &str)] = &[
    (Action::Close, "back"),
    (Action::Trigger, "trigger"),
    (Action::PauseSchedule, "pause/resume"),
    (Action::EditSchedule, "edit"),
    (Action::Follow, "jobs"),
    (Action::Json, "raw"),
    (Action::Down, "scroll"),
    (Action::Help, "help"),
];

impl Row for Schedule {
    type Key = String;

    fn key(&self) -> String {
        self.name.clone()
    }
}

/// The schedules.
pub struct Schedules {
    table: Table<Schedule>,
    all: Vec<Schedule>,
    filter: String,
    due: Due,
    loaded: bool,
    error: Option<String>,
    /// The runs of the schedule with this name.
    runs: Option<(String, Vec<ScheduleRun>)>,
    runs_wanted: Option<String>,
    window: Window,
    split: Split,
}

impl Default for Schedules {
    fn default() -> Self {
        Self {
            table: Table::new(columns()),
            all: Vec::new(),
            filter: String::new(),
            due: Due::default(),
            loaded: false,
            error: None,
            runs: None,
            runs_wanted: None,
            window: Window::default(),
            split: Split::default(),
        }
    }
}

impl Schedules {
    fn set_filter(&mut self, typed: &str) -> Result<(), String> {
        let pattern =
            Regex::new(&format!("(?i){typed}")).map_err(|_| "this pattern is not complete".to_owned())?;
        typed.clone_into(&mut self.filter);
        let rows = self
            .all
            .iter()
            .filter(|schedule| pattern.is_match(&schedule.name) || pattern.is_match(&schedule.description));
        self.table.set_rows(rows.cloned().collect());
        Ok(())
    }

    /// Asks for the runs of the schedule under the cursor, when they are shown.
    fn follow_cursor(&mut self) -> Vec<Effect> {
        let Some(schedule) = self.table.current().filter(|_| self.split.is_open()) else { return Vec::new() };
        if self.runs_wanted.as_ref() == Some(&schedule.name) {
            return Vec::new();
        }
        self.runs_wanted = Some(schedule.name.clone());
        self.window = Window::default();
        vec![Effect::Ask(Request::Runs(schedule.name.clone()))]
    }

    fn confirm(&self, action: Action, context: &Context<'_>) -> Vec<Effect> {
        let Some(schedule) = self.table.current() else { return Vec::new() };
        let name = schedule.name.clone();
        let (title, line, change) = match action {
            Action::Trigger => {
                let line = format!("Makes a {} job now. {}", schedule.job_type, schedule.description);
                (format!("Trigger {name}?"), line, Change::Trigger(name))
            }
            _ if schedule.paused => {
                let line = format!("It fires again: {}.", schedule.cron_text.trim_end_matches('.'));
                (format!("Resume {name}?"), line, Change::ResumeSchedule(name))
            }
            _ => {
                let line = "It does not fire until somebody resumes it. Jobs already made go on.".to_owned();
                (format!("Pause {name}?"), line, Change::PauseSchedule(name))
            }
        };
        vec![Effect::Open(Layer::Confirm(Confirm::change(title, vec![line], 1, change, context)))]
    }

    fn detail(&self, context: &Context<'_>) -> Vec<(String, Style)> {
        let look = context.look;
        let plain = Style::new();
        let Some(schedule) = self.table.current() else { return vec![("no schedule".to_owned(), look.dim)] };
        let mut lines = vec![
            (schedule.description.clone(), plain),
            (String::new(), plain),
            (format!("cron     {}  ({})", schedule.cron, schedule.cron_text.trim_end_matches('.')), plain),
            (format!("zone     {}", schedule.time_zone), plain),
            (format!("job      {}", schedule.job_type), plain),
            (format!("missed   {}   still running: {}", schedule.missed, schedule.overlap), plain),
            (format!("changed  {}", format::full(schedule.updated_at)), look.dim),
            (String::new(), plain),
        ];
        let paused = if schedule.paused { " - PAUSED: these would be the times, P resumes" } else { "" };
        lines.push((format!("Next fires (UTC){paused}"), look.title));
        lines.extend(
            schedule.next_fires.iter().map(|at| {
                (format!("  {}  {}", format::full(*at), format::relative(*at, context.now)), plain)
            }),
        );
        lines.push((String::new(), plain));
        lines.push(("Last runs".to_owned(), look.title));
        match self.runs.as_ref().filter(|(name, _)| *name == schedule.name) {
            None => lines.push(("  loading".to_owned(), look.dim)),
            Some((_, runs)) if runs.is_empty() => lines.push(("  none yet".to_owned(), look.dim)),
            Some((_, runs)) => lines.extend(runs.iter().map(|run| {
                let job = run.job_id.map(|id| format!("job {} ", id.short())).unwrap_or_default();
                let status = run.job_status.map(|status| status.to_string()).unwrap_or_default();
                let at = format::moment(run.scheduled_for, context.now);
                (format!("  {at}  {:<10} {job}{status}", run.outcome), look.fire(run.outcome))
            })),
        }
        lines
    }

    fn title(&self) -> String {
        let paused = self.all.iter().filter(|schedule| schedule.paused).count();
        let parts = [
            Some(if self.loaded {
                format!("Schedules {}", self.table.rows().len())
            } else {
                "Schedules".to_owned()
            }),
            (!self.filter.is_empty()).then(|| format!("/{}", text::neutral(&self.filter))),
            (paused > 0).then(|| format!("{paused} paused")),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join("  ")
    }
}

impl Screen for Schedules {
    fn scope(&self) -> Scope {
        Scope::Schedules
    }

    fn available(&self, action: Action, _context: &Context<'_>) -> Result<(), String> {
        match action {
            Action::Trigger
            | Action::PauseSchedule
            | Action::EditSchedule
            | Action::Open
            | Action::Json
            | Action::Follow
            | Action::Copy
                if self.table.current().is_none() =>
            {
                Err("there is no schedule under the cursor".into())
            }
            _ => Ok(()),
        }
    }

    fn act(&mut self, action: Action, context: &Context<'_>) -> Vec<Effect> {
        match action {
            Action::Trigger | Action::PauseSchedule => return self.confirm(action, context),
            Action::EditSchedule => {
                let form = self.table.current().map(FormLayer::schedule);
                return form.map(|form| Effect::Open(Layer::Form(Box::new(form)))).into_iter().collect();
            }
            Action::Filter => {
                return vec![Effect::Open(Layer::Prompt(Prompt::new(Ask::Filter, &self.filter)))];
            }
            Action::Open => {
                self.split.open();
                return self.follow_cursor();
            }
            Action::Focus | Action::FocusBack => self.split.switch(),
            Action::Zoom => self.split.zoom(),
            Action::Close if self.split.is_open() => self.split.close(),
            Action::Close if !self.filter.is_empty() => {
                return self.set_filter("").err().map(Effect::trouble).into_iter().collect();
            }
            Action::Follow => {
                let name = self.table.current().map(|schedule| format!("schedule:{}", schedule.name));
                return name.map(|filter| Effect::Visit(Place::Jobs(filter))).into_iter().collect();
            }
            Action::Json => {
                let json = self.table.current().and_then(|row| serde_json::to_string_pretty(row).ok());
                return json
                    .map(|json| Effect::Open(Layer::Page(Page::plain("Schedule as JSON", &json))))
                    .into_iter()
                    .collect();
            }
            Action::Copy | Action::CopyAll => {
                let rows: Vec<&Schedule> = match action {
                    Action::Copy => self.table.current().into_iter().collect(),
                    _ => self.table.visible().iter().collect(),
                };
                let lines =
                    rows.into_iter().map(|row| format!("{} {} {}", row.name, row.cron, row.time_zone));
                let lines: Vec<String> = lines.map(|line| text::neutral(&line).into_owned()).collect();
                return vec![Effect::Copy(lines.join("\n"))];
            }
            Action::Refresh => {
                self.runs_wanted = None;
                let mut effects = vec![Effect::Ask(Request::Schedules)];
                effects.extend(self.follow_cursor());
                return effects;
            }
            action if self.split.in_detail() => {
                self.window.act(action);
            }
            action => {
                self.table.act(action);
                return self.follow_cursor();
            }
        }
        Vec::new()
    }

    fn update(&mut self, update: &Update, _context: &Context<'_>) -> Vec<Effect> {
        match update {
            Update::Schedules(schedules) => {
                self.loaded = true;
                self.error = None;
                self.all.clone_from(schedules);
                let filter = self.filter.clone();
                return self.set_filter(&filter).err().map(Effect::trouble).into_iter().collect();
            }
            Update::Runs(name, runs) => self.runs = Some((name.clone(), runs.clone())),
            Update::JobsChanged(jobs) if jobs.iter().any(|job| job.schedule.is_some()) => {
                self.due.hurry();
                self.runs_wanted = None;
            }
            Update::JobsMissed | Update::Done(..) => {
                self.due.hurry();
                self.runs_wanted = None;
            }
            Update::Failed(request, reason) => match **request {
                Request::Schedules => self.error = Some(reason.clone()),
                Request::Runs(_) => self.runs_wanted = None,
                _ => {}
            },
            _ => {}
        }
        Vec::new()
    }

    fn tick(&mut self, visible: bool, context: &Context<'_>) -> Vec<Effect> {
        let mut effects = Vec::new();
        // A fire that has passed is news although nothing told of it.
        let passed = |schedule: &Schedule| schedule.next_fire_at.is_some_and(|at| at < context.now);
        if visible && self.all.iter().any(passed) {
            self.due.hurry();
        }
        if visible && context.link.is_live() && self.due.is_now(context.now, CALM) {
            effects.push(Effect::Ask(Request::Schedules));
            effects.extend(self.follow_cursor());
        }
        effects
    }

    fn prompted(&mut self, ask: &Ask, text: &str, done: bool, _context: &Context<'_>) -> Vec<Effect> {
        match (ask, self.filter == text) {
            (Ask::Filter, false) => match self.set_filter(text) {
                Err(reason) if done => vec![Effect::trouble(reason)],
                _ => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    fn visit(&mut self, place: &Place, _context: &Context<'_>) -> Vec<Effect> {
        if let Place::Schedule(name) = place {
            self.table.select(name);
        }
        Vec::new()
    }

    fn hints(&self, _context: &Context<'_>) -> &'static [(Action, &'static str)] {
        if self.split.in_detail() { IN_DETAIL } else { &[] }
    }

    fn is_nested(&self) -> bool {
        self.split.is_open()
    }

    fn draw(&mut self, buffer: &mut Buffer, area: Rect, context: &Context<'_>) {
        let (list, detail) = self.split.areas(area);
        if let Some(area) = list {
            let inner = panel::panel(buffer, area, context.look, &self.title(), !self.split.in_detail());
            let empty = match (&self.error, self.loaded, self.filter.is_empty()) {
                (Some(error), ..) => error.as_str(),
                (None, false, _) => "loading",
                (None, true, true) => "No schedules. The daemon makes its own at the first start.",
                (None, true, false) => "No schedule fits the filter. Esc shows all.",
            };
            self.table.draw(buffer, inner, context, &text::neutral(empty));
        }
        if let Some(area) = detail {
            let name = self.table.current().map_or("Schedule", |schedule| schedule.name.as_str());
            let inner =
                panel::panel(buffer, area, context.look, &text::neutral(name), self.split.in_detail());
            let lines = wrapped(&self.detail(context), usize::from(inner.width));
            self.window.settle(lines.len(), usize::from(inner.height));
            panel::paint(buffer, inner, lines.into_iter().skip(self.window.offset));
        }
    }
}

fn columns() -> Vec<Column<Schedule>> {
    vec![
        Column {
            title: "NAME",
            width: 20,
            rank: 0,
            right: false,
            cell: |schedule, _| (schedule.name.clone(), Style::new()),
            order: Some(|a, b| a.name.cmp(&b.name)),
        },
        Column {
            title: "NEXT",
            width: 13,
            rank: 0,
            right: false,
            cell: |schedule, context| match schedule.next_fire_at {
                Some(at) if !schedule.paused => (format::relative(at, context.now), Style::new()),
                _ => ("PAUSED".to_owned(), context.look.warning),
            },
            order: Some(|a, b| {
                (a.next_fire_at.is_none(), a.next_fire_at).cmp(&(b.next_fire_at.is_none(), b.next_fire_at))
            }),
        },
        Column {
            title: "LAST",
            width: 11,
            rank: 2,
            right: false,
            cell: |schedule, context| match &schedule.last_run {
                Some(run) => (format::moment(run.fired_at, context.now), Style::new()),
                None => ("never".to_owned(), context.look.dim),
            },
            order: Some(|a, b| fired(b).cmp(&fired(a))),
        },
        Column {
            title: "RESULT",
            width: 10,
            rank: 1,
            right: false,
            cell: |schedule, context| match &schedule.last_run {
                Some(ScheduleRun {
                    outcome: FireOutcome::Fired | FireOutcome::Triggered,
                    job_status: Some(status),
                    ..
                }) => (status.to_string(), context.look.job(*status)),
                Some(run) => (run.outcome.to_string(), context.look.fire(run.outcome)),
                None => (String::new(), Style::new()),
            },
            order: None,
        },
        Column {
            title: "WHEN",
            width: 0,
            rank: 3,
            right: false,
            cell: |schedule, context| {
                (
                    format!("{} ({})", schedule.cron_text.trim_end_matches('.'), schedule.time_zone),
                    context.look.dim,
                )
            },
            order: None,
        },
    ]
}

fn fired(schedule: &Schedule) -> Option<chrono::DateTime<chrono::Utc>> {
    schedule.last_run.as_ref().map(|run| run.fired_at)
}
