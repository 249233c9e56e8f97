//! What was changed of one entity, newest first: which field on which side, by which rule, who asked, which job.

use std::sync::Arc;

use astrops_api::reconciliation::{Change, ChangePage, Mappings};
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::words::{self, Subject};
use crate::{
    format,
    keys::Action,
    layers::{Layer, Page, page::wrapped},
    message::Request,
    screen::{Context, Effect},
    screens::entities::Lines,
    text,
    widgets::{panel, scroll::Scroll},
};

/// The list of changes, and the one under the cursor in full.
#[derive(Debug)]
pub struct History {
    /// Whose changes.
    pub subject: Subject,
    page: Option<Arc<ChangePage>>,
    error: Option<String>,
    scroll: Scroll,
}

impl History {
    /// That of `subject`, and the question for it.
    pub fn of(subject: Subject) -> (Self, Effect) {
        let history = Self { subject, page: None, error: None, scroll: Scroll::default() };
        let ask = history.fetch();
        (history, ask)
    }

    /// Asks again.
    pub const fn fetch(&self) -> Effect {
        Effect::Ask(Request::Changes(self.subject.kind, self.subject.id))
    }

    fn changes(&self) -> &[Change] {
        self.page.as_ref().map_or(&[], |page| &page.changes)
    }

    /// The change under the cursor.
    pub fn current(&self) -> Option<&Change> {
        self.changes().get(self.scroll.cursor)
    }

    /// Takes an answer in.
    pub fn take(&mut self, page: &Arc<ChangePage>) {
        let at = self.current().map(|change| change.id);
        self.error = None;
        self.page = Some(Arc::clone(page));
        let place = self.changes().iter().position(|change| Some(change.id) == at);
        self.scroll.cursor = place.unwrap_or(0);
    }

    /// Takes a refusal in.
    pub fn fail(&mut self, reason: &str) {
        self.error = Some(reason.to_owned());
    }

    /// Why `action` is off.
    pub fn available(&self, action: Action) -> Result<(), String> {
        let about_one =
            matches!(action, Action::Revert | Action::Follow | Action::Open | Action::Json | Action::Copy);
        match self.current() {
            None if about_one => Err("there is no change under the cursor".into()),
            Some(change) if action == Action::Revert && change.fields.is_empty() => {
                Err("its values are not kept any more: choose the right ones on both sides".into())
            }
            _ => Ok(()),
        }
    }

    /// Moves or shows.
    pub fn act(&mut self, action: Action, mappings: Option<&Mappings>, context: &Context<'_>) -> Vec<Effect> {
        if action == Action::Open {
            let lines = self.current().map(|change| lines(change, mappings, context));
            let page = lines.map(|lines| Page::new(format!("Change of {}", self.subject.name()), lines));
            return page.map(|page| Effect::Open(Layer::Page(page))).into_iter().collect();
        }
        let len = self.changes().len();
        self.scroll.act(action, len);
        Vec::new()
    }

    /// The change under the cursor, or all of them, as plain text.
    pub fn plain(&self, all: bool) -> String {
        let changes: Vec<&Change> =
            if all { self.changes().iter().collect() } else { self.current().into_iter().collect() };
        let lines = changes.into_iter().map(|change| {
            let line = format!(
                "{} {} {} job {}",
                format::full(change.at),
                change.changes_log,
                by(change),
                change.job_id
            );
            text::neutral(&line).into_owned()
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Draws itself.
    pub fn draw(
        &mut self,
        buffer: &mut Buffer,
        area: Rect,
        mappings: Option<&Mappings>,
        focused: bool,
        context: &Context<'_>,
    ) {
        let look = context.look;
        let known = self.changes().len() as u64;
        let total = self.page.as_ref().map_or(0, |page| page.total);
        let of = if known < total { format!(", latest {known}") } else { String::new() };
        let title = format!("Changes of {}  {}{of}", self.subject.name(), format::count(total));
        let inner = panel::panel(buffer, area, look, &title, focused);
        if self.changes().is_empty() {
            let (words, style) = match (&self.error, &self.page) {
                (Some(error), _) => (error.as_str(), look.bad),
                (None, None) => ("loading", look.dim),
                (None, Some(_)) => ("Reconciliation never changed it.", look.dim),
            };
            let lines = wrapped(&[(words.to_owned(), style)], usize::from(inner.width.saturating_sub(2)));
            panel::paint(buffer, Rect { x: inner.x + 1, ..inner }, lines);
            return;
        }
        let width = usize::from(inner.width.saturating_sub(2));
        let detail = self.current().map(|change| wrapped(&lines(change, mappings, context), width));
        let detail = detail.unwrap_or_default();
        let least = u16::try_from(detail.len() + 1).unwrap_or(u16::MAX).min(inner.height * 2 / 3);
        let wanted = u16::try_from(known).unwrap_or(u16::MAX);
        let rows = Rect { height: wanted.min(inner.height - least), ..inner };
        self.scroll.settle(self.changes().len(), usize::from(rows.height));
        let list =
            self.changes().iter().skip(self.scroll.offset).take(usize::from(rows.height)).map(|change| {
                let at = format!("{:<11} ", format::moment(change.at, context.now));
                let log = text::neutral(&change.changes_log);
                let room = width.saturating_sub(at.len());
                Line::from(vec![Span::styled(at, look.dim), Span::raw(text::fit(&log, room).into_owned())])
            });
        let cursor = Some(self.scroll.row());
        panel::paint_rows(buffer, rows, look, list.collect::<Vec<_>>(), cursor);
        let below = Rect {
            x: inner.x + 1,
            y: rows.bottom(),
            width: inner.width.saturating_sub(2),
            height: inner.bottom() - rows.bottom(),
        };
        if below.height > 1 {
            let rule = look.lines.horizontal_top.repeat(usize::from(below.width));
            buffer.set_stringn(below.x, below.y, rule, usize::from(below.width), look.dim);
            let place = Rect { y: below.y + 1, height: below.height - 1, ..below };
            panel::paint(buffer, place, detail);
        }
    }
}

/// One change in full.
fn lines(change: &Change, mappings: Option<&Mappings>, context: &Context<'_>) -> Lines {
    let look = context.look;
    let mapping = words::mapping(mappings, change.entity_type);
    let mut lines = vec![
        (change.changes_log.clone(), look.title),
        (format!("{}  by {}", format::full(change.at), by(change)), Style::new()),
        (format!("job {} - l shows it", change.job_id), look.dim),
    ];
    lines.extend(change.reason.iter().map(|reason| (format!("because {reason}"), Style::new())));
    lines.extend(change.fields.iter().map(|field| (words::written(field, mapping), look.active)));
    if change.fields.is_empty() {
        lines.push((
            "Its values are not kept: the person was erased, or no field was written.".to_owned(),
            look.dim,
        ));
    }
    lines
}

/// Who caused it, by address while that is known.
fn by(change: &Change) -> &str {
    change.actor_email.as_deref().unwrap_or(&change.actor)
}
