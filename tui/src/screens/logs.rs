//! The system logs, live. Following shows the newest rows; moving up holds still while new ones arrive behind.

mod ring;

use astrops_api::{
    ids::{JobId, LogId},
    logs::LogQuery,
    vocabulary::{Order, Severity},
};
use chrono::{DateTime, Utc};
use ratatui::{buffer::Buffer, layout::Rect, style::Style, text::Line};
use regex::Regex;
use ring::{Narrow, Ring, Row};
use serde_json::Value;

use crate::{
    format,
    keys::{Action, Scope},
    layers::{Ask, Layer, Page, Prompt},
    message::{LinkState, LogItem, Request, Update},
    screen::{Context, Effect, Place, Screen},
    text,
    widgets::{log_line::LogLine, panel, scroll::Scroll},
};

/// Older entries asked for at once: the largest page.
const OLDER: u32 = 200;

/// Pages asked for to reach a time before giving up.
const SEEK_PAGES: u32 = 50;

/// The logs.
#[derive(Debug, Default)]
pub struct Logs {
    ring: Ring,
    /// Whether the newest row is kept in sight.
    frozen: bool,
    /// Numbers of the row under the cursor and of the first row shown, while frozen.
    cursor: u64,
    top: u64,
    scroll: Scroll,
    filter: String,
    /// The last pattern looked for: `n` and `N` go on with it when the filter is gone.
    last: Option<Regex>,
    /// A request for older entries is under way.
    fetching: bool,
    /// The daemon has nothing older.
    complete: bool,
    /// A time to go to, and pages still to ask for.
    seek: Option<(DateTime<Utc>, u32)>,
    arrived: u64,
    lagged: u64,
    /// While only one job is looked at: which, and all the rows meanwhile.
    lens: Option<(JobId, Ring)>,
}

impl Logs {
    /// Rows held, arrived and late, for the diagnostics.
    pub fn figures(&self) -> (usize, u64, u64) {
        let all = self.lens.as_ref().map_or(&self.ring, |(_, all)| all);
        (all.held(), self.arrived, self.lagged)
    }

    fn current(&self) -> Option<&Row> {
        self.ring.get(self.scroll.cursor)
    }

    /// Puts the cursor at `place` and holds still.
    fn go(&mut self, place: usize) {
        self.scroll.cursor = place.min(self.ring.len().saturating_sub(1));
        self.frozen = true;
        self.hold();
    }

    /// Notes the cursor's number, so that it stays on its row.
    fn hold(&mut self) {
        self.cursor = self.ring.number(self.scroll.cursor).unwrap_or(0);
        self.top = self.ring.number(self.scroll.offset).unwrap_or(self.cursor);
    }

    /// Finds the cursor's row again after rows came or went.
    fn settle(&mut self, height: usize) {
        let len = self.ring.len();
        if self.frozen {
            self.scroll.cursor = self.ring.place(self.cursor);
            self.scroll.offset = self.ring.place(self.top);
        } else {
            self.scroll.cursor = len.saturating_sub(1);
        }
        self.scroll.settle(len, height);
        self.hold();
    }

    fn narrow(&mut self, narrow: Narrow) {
        self.ring.narrow(narrow);
        self.settle(self.scroll.height);
    }

    /// Looks at one job: its entries come from the daemon, however old they are, and go on arriving.
    fn look_at(&mut self, job: JobId) -> Vec<Effect> {
        self.look_at_all();
        let all = std::mem::take(&mut self.ring);
        self.lens = Some((job, all));
        self.complete = false;
        self.fetching = true;
        self.frozen = false;
        vec![Effect::Ask(Request::OlderLogs(self.older_query(None)))]
    }

    /// Looks at everything again.
    fn look_at_all(&mut self) {
        self.filter.clear();
        if let Some((_, all)) = self.lens.take() {
            self.ring = all;
            (self.complete, self.fetching, self.frozen) = (false, false, false);
        }
        self.narrow(Narrow::default());
    }

    fn push(&mut self, row: Row) {
        if let Some((job, all)) = &mut self.lens {
            let about = row.job == Some(*job) || row.severity.is_none();
            if about {
                self.ring.push(row.clone());
            }
            all.push(row);
        } else {
            self.ring.push(row);
        }
    }

    fn older_query(&self, before: Option<LogId>) -> LogQuery {
        let job_id = self.lens.as_ref().map(|(job, _)| *job);
        LogQuery { before, job_id, page_size: Some(OLDER), order: Some(Order::Desc), ..LogQuery::default() }
    }

    fn set_filter(&mut self, typed: &str) -> Result<(), String> {
        let (pattern, inverse) = Narrow::parse(typed)?;
        if pattern.is_some() && !inverse {
            self.last.clone_from(&pattern);
        }
        typed.clone_into(&mut self.filter);
        self.narrow(Narrow { pattern, inverse, ..self.ring.narrowed().clone() });
        Ok(())
    }

    fn jump(&mut self, forward: bool, what: &str, wanted: impl Fn(&Row) -> bool) -> Vec<Effect> {
        if let Some(place) = self.ring.find(self.scroll.cursor, forward, wanted) {
            self.go(place);
            return Vec::new();
        }
        let side = if forward { "below" } else { "above" };
        vec![Effect::note(format!("no {what} {side} among the rows held"))]
    }

    fn jump_match(&mut self, forward: bool) -> Vec<Effect> {
        match self.last.clone() {
            Some(pattern) => self.jump(forward, "match", |row| ring::holds(row, &pattern)),
            None => vec![Effect::note("nothing was looked for yet: / asks")],
        }
    }

    /// Asks for what is older than everything held, unless that is under way or there is nothing.
    fn older(&mut self) -> Vec<Effect> {
        let Some(oldest) = self.ring.oldest().and_then(|row| row.id) else { return Vec::new() };
        if self.fetching || self.complete || self.ring.held() >= Ring::CAPACITY {
            return Vec::new();
        }
        self.fetching = true;
        vec![Effect::Ask(Request::OlderLogs(self.older_query(Some(oldest))))]
    }

    fn goto_time(&mut self, time: DateTime<Utc>, pages: u32) -> Vec<Effect> {
        let held = self.ring.oldest().is_some_and(|row| row.at() <= time);
        if !held && !self.complete && pages > 0 {
            self.seek = Some((time, pages - 1));
            return self.older();
        }
        self.seek = None;
        self.go(self.ring.at_time(time));
        if !held && !self.complete {
            return vec![Effect::note("this is as far as the rows held go; k at the top loads more")];
        }
        Vec::new()
    }

    fn detail(&self, context: &Context<'_>) -> Option<Page> {
        let row = self.current()?;
        let look = context.look;
        let severity = row.severity.map_or("gap", Severity::as_str);
        let style = row.severity.map_or(look.warning, |severity| look.severity(severity));
        let mut lines = vec![(format!("{}  {severity}  {}", format::full(row.at()), row.event()), style)];
        lines.push((String::new(), Style::new()));
        lines.extend(text::lines(row.message()).map(|line| (line, Style::new())));
        lines.push((String::new(), Style::new()));
        if let Value::Object(fields) = row.json() {
            let known = ["timestamp", "eventType", "severity", "message"];
            for (name, value) in fields.iter().filter(|(name, _)| !known.contains(&name.as_str())) {
                lines.extend(field(name, value).into_iter().map(|line| (line, look.dim)));
            }
        }
        Some(Page::new("Log entry", lines))
    }

    fn title(&self) -> String {
        let narrowed = self.ring.narrowed();
        let shown = format::count(self.ring.len() as u64);
        let parts = [
            Some(match &self.lens {
                Some((job, _)) => format!("Logs of job {}: {shown}", job.short()),
                None => format!("Logs {shown}"),
            }),
            (!narrowed.is_empty()).then(|| format!("of {}", format::count(self.ring.held() as u64))),
            narrowed.severity.map(|severity| format!("{severity} and worse")),
            (!self.filter.is_empty()).then(|| format!("/{}", text::neutral(&self.filter))),
            Some(if self.frozen { "FROZEN (f follows)" } else { "following" }.to_owned()),
            self.fetching.then(|| "loading older".to_owned()),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join("  ")
    }
}

/// A field of an entry as lines: text as it is, anything else as JSON.
fn field(name: &str, value: &Value) -> Vec<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        other => serde_json::to_string_pretty(other).unwrap_or_default(),
    };
    let mut lines: Vec<String> = text::lines(&text).collect();
    match lines.len() {
        0 | 1 => vec![format!("{name}: {}", lines.pop().unwrap_or_default())],
        _ => std::iter::once(format!("{name}:"))
            .chain(lines.into_iter().map(|line| format!("  {line}")))
            .collect(),
    }
}

impl Screen for Logs {
    fn scope(&self) -> Scope {
        Scope::Logs
    }

    fn available(&self, action: Action, _context: &Context<'_>) -> Result<(), String> {
        match action {
            Action::Follow if self.current().is_none_or(|row| row.job.is_none()) => {
                Err("the entry is not about a job".into())
            }
            Action::Open | Action::Copy | Action::Json if self.ring.len() == 0 => {
                Err("there is no entry".into())
            }
            _ => Ok(()),
        }
    }

    fn act(&mut self, action: Action, context: &Context<'_>) -> Vec<Effect> {
        match action {
            Action::Freeze => {
                self.frozen = !self.frozen;
                self.settle(self.scroll.height);
            }
            Action::Filter => {
                return vec![Effect::Open(Layer::Prompt(Prompt::new(Ask::Filter, &self.filter)))];
            }
            Action::Time => return vec![Effect::Open(Layer::Prompt(Prompt::new(Ask::Time, "")))],
            Action::Severity => {
                let all = Severity::ALL;
                // Info and worse is everything: the same as no limit.
                let next = match self.ring.narrowed().severity {
                    None => Some(all[1]),
                    Some(now) => all.iter().copied().find(|severity| *severity > now),
                };
                self.narrow(Narrow { severity: next, ..self.ring.narrowed().clone() });
            }
            Action::NextMatch => return self.jump_match(true),
            Action::PreviousMatch => return self.jump_match(false),
            Action::NextError | Action::PreviousError => {
                let bad = |row: &Row| row.severity.is_none_or(|severity| severity >= Severity::Error);
                return self.jump(action == Action::NextError, "error", bad);
            }
            Action::NextWarning | Action::PreviousWarning => {
                let warns = |row: &Row| row.severity == Some(Severity::Warning);
                return self.jump(action == Action::NextWarning, "warning", warns);
            }
            Action::Open => {
                return self
                    .detail(context)
                    .map(|page| Effect::Open(Layer::Page(page)))
                    .into_iter()
                    .collect();
            }
            Action::Json => {
                let json =
                    self.current().map(|row| serde_json::to_string_pretty(&row.json()).unwrap_or_default());
                return json
                    .map(|json| Effect::Open(Layer::Page(Page::plain("Log entry as JSON", &json))))
                    .into_iter()
                    .collect();
            }
            Action::Follow => {
                let job = self.current().and_then(|row| row.job);
                return job.map(|job| Effect::Visit(Place::Job(job))).into_iter().collect();
            }
            Action::Copy => return self.current().map(|row| Effect::Copy(plain(row))).into_iter().collect(),
            Action::CopyAll => {
                let rows = self.scroll.offset..self.scroll.offset + self.scroll.height;
                let rows: Vec<String> = rows.filter_map(|place| self.ring.get(place)).map(plain).collect();
                return vec![Effect::Copy(rows.join("\n"))];
            }
            Action::Refresh => return vec![Effect::note("the logs are live: there is nothing to ask for")],
            Action::Close => {
                if self.ring.narrowed().is_empty() && self.lens.is_none() {
                    self.frozen = false;
                } else if self.ring.narrowed().is_empty() {
                    self.look_at_all();
                } else {
                    self.filter.clear();
                    self.narrow(Narrow::default());
                }
            }
            Action::Bottom => {
                self.frozen = false;
                self.settle(self.scroll.height);
            }
            _ => {
                let before = self.scroll.cursor;
                if self.scroll.act(action, self.ring.len()) {
                    self.frozen = self.frozen || self.scroll.cursor != before;
                    self.hold();
                    if self.scroll.cursor == 0 {
                        return self.older();
                    }
                }
            }
        }
        Vec::new()
    }

    fn update(&mut self, update: &Update, context: &Context<'_>) -> Vec<Effect> {
        match update {
            Update::Logs(items) => {
                self.arrived += items.len() as u64;
                for item in items {
                    self.push(match item {
                        LogItem::Entry(entry) => Row::entry(entry),
                        LogItem::Gap(count) => Row::gap(*count, context.now),
                    });
                }
                self.settle(self.scroll.height);
            }
            Update::Lagged(count) => self.lagged += count,
            // An answer about another job than is looked at now, or about all, comes too late.
            Update::OlderLogs(job, page) if *job == self.lens.as_ref().map(|(job, _)| *job) => {
                self.fetching = false;
                // What arrived live while the answer was on its way is there already.
                let oldest = self.ring.oldest().and_then(|row| row.id);
                let older = page.logs.iter().filter(|entry| oldest.is_none_or(|oldest| entry.id < oldest));
                let pushed = older.take_while(|entry| self.ring.push_older(Row::entry(entry))).count();
                self.complete = page.logs.len() < OLDER as usize;
                self.settle(self.scroll.height);
                if let Some((time, pages)) = self.seek {
                    return self.goto_time(time, if pushed == 0 { 0 } else { pages });
                }
            }
            Update::Link(LinkState::Connecting) => {
                self.fetching = false;
                self.seek = None;
            }
            Update::Failed(request, _) if matches!(**request, Request::OlderLogs(_)) => {
                self.fetching = false;
                self.seek = None;
            }
            _ => {}
        }
        Vec::new()
    }

    fn prompted(&mut self, ask: &Ask, text: &str, done: bool, context: &Context<'_>) -> Vec<Effect> {
        match ask {
            Ask::Filter => match self.set_filter(text) {
                Ok(()) => Vec::new(),
                // Half a pattern is normal while typing.
                Err(reason) if done => vec![Effect::trouble(reason)],
                Err(reason) => vec![Effect::note(reason)],
            },
            Ask::Time if done && !text.trim().is_empty() => match format::parse_time(text, context.now) {
                Ok(time) => self.goto_time(time, SEEK_PAGES),
                Err(reason) => Prompt::again(ask, text, reason),
            },
            _ => Vec::new(),
        }
    }

    fn visit(&mut self, place: &Place, _context: &Context<'_>) -> Vec<Effect> {
        match place {
            Place::LogsOf(job) => self.look_at(*job),
            Place::LogAt(id, at) => {
                self.look_at_all();
                match self.ring.find(self.ring.len(), false, |row| row.id == Some(*id)) {
                    Some(found) => {
                        self.go(found);
                        Vec::new()
                    }
                    None => self.goto_time(*at, SEEK_PAGES),
                }
            }
            _ => Vec::new(),
        }
    }

    fn remark(&self, _context: &Context<'_>) -> Option<String> {
        let behind = self.ring.len().saturating_sub(self.scroll.cursor + 1);
        (self.frozen && behind > 0)
            .then(|| format!("{} newer below: f or G follows", format::count(behind as u64)))
    }

    fn draw(&mut self, buffer: &mut Buffer, area: Rect, context: &Context<'_>) {
        let inner = panel::panel(buffer, area, context.look, &self.title(), true);
        self.settle(usize::from(inner.height));
        let narrowed = self.ring.narrowed();
        let found = narrowed.pattern.as_ref().filter(|_| !narrowed.inverse);
        let width = usize::from(inner.width.saturating_sub(1));
        for (place, y) in (self.scroll.offset..self.ring.len()).zip(inner.top()..inner.bottom()) {
            let Some(row) = self.ring.get(place) else { break };
            let line = match row.severity {
                Some(severity) => {
                    LogLine { at: row.at(), severity, event: row.event(), message: row.message() }
                        .line(width, context, found)
                }
                None => Line::styled(format!("---- {} ----", row.message()), context.look.warning),
            };
            let under = self.frozen && place == self.scroll.cursor;
            buffer.set_string(inner.x, y, if under { ">" } else { " " }, context.look.key);
            buffer.set_line(inner.x + 1, y, &line, inner.width.saturating_sub(1));
            if under {
                buffer.set_style(Rect { y, height: 1, ..inner }, context.look.cursor);
            }
        }
        if self.ring.len() == 0 {
            let words = if self.fetching {
                "loading"
            } else if self.ring.held() == 0 {
                "No entries yet. They appear here as they are written."
            } else {
                "No row held fits the filter. Esc shows all; k at the top loads older ones."
            };
            let words = text::fit(words, width);
            buffer.set_stringn(inner.x + 1, inner.y, words, width, context.look.dim);
        }
    }
}

/// An entry as one line of plain text.
fn plain(row: &Row) -> String {
    let severity = row.severity.map_or("gap", Severity::as_str);
    format!("{} {severity} {} {}", format::full(row.at()), row.event(), text::neutral(row.message()))
}
