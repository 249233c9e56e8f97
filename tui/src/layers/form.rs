//! Forms over a screen: a new notification, an edited schedule. Enter goes to the next field and, from the last,
//! on to the question; a notification is shown as it will be mailed before it is queued.

use astrops_api::{
    notifications::{NewNotification, NotificationTypeInfo},
    schedules::{EditSchedule, Schedule},
    vocabulary::{MissedPolicy, OverlapPolicy},
};
use crossterm::event::KeyEvent;
use ratatui::{buffer::Buffer, layout::Rect};
use serde_json::{Map, Value};

use super::{Confirm, Layer};
use crate::{
    keys::Action,
    message::{Change, Outcome, Request, Update},
    screen::{Context, Effect},
    text,
    widgets::{
        form::{Field, Form},
        panel,
    },
};

/// What a form of one screen is for.
pub trait Purpose: std::fmt::Debug {
    /// What stands over the form.
    fn title(&self) -> String;

    /// What is to be known before it is filled.
    fn note(&self) -> String;

    /// What what was typed leads to, mostly a question, or which field is wrong and why.
    fn submit(&self, form: &Form, context: &Context<'_>) -> Result<Effect, (&'static str, String)>;

    /// Whether `change` is what it was for.
    fn is_met_by(&self, change: &Change) -> bool;

    /// Whether it is over even when its change was refused: what it was about is not so any more.
    fn ends_refused(&self) -> bool {
        false
    }
}

#[derive(Debug)]
enum Kind {
    Mail(Vec<NotificationTypeInfo>),
    Schedule(Box<Schedule>),
    For(Box<dyn Purpose>),
}

/// A form with its purpose.
#[derive(Debug)]
pub struct FormLayer {
    kind: Kind,
    /// The fields.
    pub form: Form,
    error: Option<String>,
    over: bool,
}

impl FormLayer {
    /// A new notification of one of these types.
    pub fn mail(types: Vec<NotificationTypeInfo>) -> Self {
        let mut layer = Self { kind: Kind::Mail(types), form: Form::default(), error: None, over: false };
        layer.rebuild();
        layer
    }

    /// A schedule to edit.
    pub fn schedule(schedule: &Schedule) -> Self {
        let missed: Vec<&str> = MissedPolicy::ALL.iter().map(|word| word.as_str()).collect();
        let overlap: Vec<&str> = OverlapPolicy::ALL.iter().map(|word| word.as_str()).collect();
        let form = Form::new(vec![
            Field::text("cron", "cron line", true, &schedule.cron),
            Field::text("timeZone", "time zone", true, &schedule.time_zone),
            Field::choice("missed", "missed fires", &missed, schedule.missed.as_str()),
            Field::choice("overlap", "still running", &overlap, schedule.overlap.as_str()),
        ]);
        Self { kind: Kind::Schedule(Box::new(schedule.clone())), form, error: None, over: false }
    }

    /// A form of a screen with these fields.
    pub fn of(purpose: impl Purpose + 'static, fields: Vec<Field>) -> Self {
        Self { kind: Kind::For(Box::new(purpose)), form: Form::new(fields), error: None, over: false }
    }

    /// Whether what it is for has happened.
    pub const fn is_over(&self) -> bool {
        self.over
    }

    /// The fields that the chosen type of mail needs; what was typed stays.
    fn rebuild(&mut self) {
        let Kind::Mail(types) = &self.kind else { return };
        let names: Vec<&str> = types.iter().map(|info| info.kind.as_str()).collect();
        let chosen = self.form.get("type").to_owned();
        let info = types.iter().find(|info| info.kind.as_str() == chosen).or(types.first());
        let old = std::mem::take(&mut self.form);
        let mut fields = vec![
            Field::choice("type", "type", &names, info.map_or("", |info| info.kind.as_str())),
            Field::text("recipient", "recipient", true, old.get("recipient")),
        ];
        if let Some(info) = info {
            let data = info.required.iter().map(|name| (name, true));
            let data = data.chain(info.optional.iter().map(|name| (name, false)));
            fields.extend(data.map(|(name, required)| Field::text(name, name, required, old.get(name))));
        }
        self.form = Form::new(fields);
    }

    /// Moves between fields, sends or closes.
    pub fn act(&mut self, action: Action, context: &Context<'_>) -> Vec<Effect> {
        match action {
            Action::Close => vec![Effect::Close],
            Action::Submit => self.submit(context),
            Action::Open if self.form.at_end() => self.submit(context),
            Action::Open => {
                self.form.act(Action::Focus);
                Vec::new()
            }
            _ => {
                if self.form.act(action) {
                    self.rebuild();
                }
                Vec::new()
            }
        }
    }

    /// Takes a letter.
    pub fn typed(&mut self, key: KeyEvent) {
        self.error = None;
        if self.form.typed(key) {
            self.rebuild();
        }
    }

    /// Whether what was typed has the shape that the daemon asks for; says so where it has not.
    fn is_well_formed(&mut self) -> bool {
        let (name, fault) = match &self.kind {
            Kind::Mail(_) => ("recipient", address_fault(self.form.get("recipient"))),
            Kind::Schedule(_) => ("cron", cron_fault(self.form.get("cron"))),
            Kind::For(_) => return true,
        };
        let Some(fault) = fault else { return true };
        self.refuse(name, fault);
        false
    }

    /// Says what is wrong with the field `name`, and goes there.
    fn refuse(&mut self, name: &str, fault: String) {
        if let Some(place) = self.form.fields.iter().position(|field| field.name == name) {
            self.form.focus = place;
        }
        self.error = Some(fault);
    }

    fn submit(&mut self, context: &Context<'_>) -> Vec<Effect> {
        self.error = None;
        if !self.form.is_complete() || !self.is_well_formed() {
            return Vec::new();
        }
        match &self.kind {
            Kind::Mail(types) => {
                let chosen = self.form.get("type");
                let Some(info) = types.iter().find(|info| info.kind.as_str() == chosen) else {
                    return Vec::new();
                };
                let names = info.required.iter().chain(&info.optional);
                let data: Map<String, Value> = names
                    .map(|name| (name.clone(), datum(self.form.get(name))))
                    .filter(|(_, value)| value != "")
                    .collect();
                let recipient = self.form.get("recipient").to_owned();
                let mail = NewNotification { kind: info.kind, recipient, data: data.into(), run_at: None };
                vec![Effect::Ask(Request::Preview(Box::new(mail)))]
            }
            Kind::For(purpose) => match purpose.submit(&self.form, context) {
                Ok(effect) => vec![effect],
                Err((name, fault)) => {
                    self.refuse(name, fault);
                    Vec::new()
                }
            },
            Kind::Schedule(schedule) => {
                let edit = edited(schedule, &self.form);
                if edit == EditSchedule::default() {
                    self.error = Some("nothing was changed".into());
                    return Vec::new();
                }
                let lines = changes(schedule, &edit);
                let change = Change::EditSchedule(schedule.name.clone(), edit);
                let title = format!("Edit {}?", schedule.name);
                vec![Effect::Open(Layer::Confirm(Confirm::change(title, lines, 1, change, context)))]
            }
        }
    }

    /// Takes in the preview, a refusal, or that it is done.
    pub fn update(&mut self, update: &Update, context: &Context<'_>) -> Vec<Effect> {
        match (&self.kind, update) {
            (Kind::Mail(_), Update::Preview(mail, preview)) => {
                let mut lines = vec![
                    format!("To {}", mail.recipient),
                    format!("Subject: {}", preview.subject),
                    String::new(),
                ];
                lines.extend(preview.text.lines().map(|line| format!("  {line}")));
                let change = Change::Notify(mail.clone());
                let confirm = Confirm::change("Queue this mail?", lines, 1, change, context);
                return vec![Effect::Open(Layer::Confirm(confirm))];
            }
            (Kind::Mail(_), Update::Failed(request, reason)) if matches!(**request, Request::Preview(_)) => {
                self.error = Some(reason.clone());
            }
            (Kind::Mail(_), Update::Done(Change::Notify(_), outcomes))
            | (Kind::Schedule(_), Update::Done(Change::EditSchedule(..), outcomes)) => {
                self.finish(outcomes);
            }
            (Kind::For(purpose), Update::Done(change, outcomes)) if purpose.is_met_by(change) => {
                self.finish(outcomes);
            }
            _ => {}
        }
        Vec::new()
    }

    /// Its change was made, or refused: then what was typed is still there to be mended.
    fn finish(&mut self, outcomes: &[Outcome]) {
        let refusals = outcomes.iter().filter_map(|outcome| outcome.result.as_ref().err());
        let ends = matches!(&self.kind, Kind::For(purpose) if purpose.ends_refused());
        match refusals.clone().next().filter(|_| !ends) {
            // What was done to some of many cannot be repeated for those.
            Some(reason) if refusals.count() == outcomes.len() => self.error = Some(reason.clone()),
            _ => self.over = true,
        }
    }

    /// Draws itself.
    pub fn draw(&self, buffer: &mut Buffer, area: Rect, context: &Context<'_>) {
        let (title, note) = match &self.kind {
            Kind::Mail(types) => {
                let chosen = self.form.get("type");
                let info = types.iter().find(|info| info.kind.as_str() == chosen);
                let note = info.map(|info| info.description.clone()).unwrap_or_default();
                ("New notification".to_owned(), note)
            }
            Kind::Schedule(schedule) => (format!("Edit {}", schedule.name), schedule.cron_text.clone()),
            Kind::For(purpose) => (purpose.title(), purpose.note()),
        };
        let width = area.width.saturating_sub(8).clamp(20, 80);
        let error = self.error.as_deref().map(|error| text::wrap(&text::neutral(error), usize::from(width)));
        let error = error.unwrap_or_default();
        let fields = u16::try_from(self.form.fields.len()).unwrap_or(u16::MAX);
        let errors = u16::try_from(error.len()).unwrap_or(0);
        let note = text::wrap(&text::neutral(&note), usize::from(width));
        let notes = u16::try_from(note.len()).unwrap_or(1);
        let height = fields.saturating_add(notes + 2).saturating_add(errors);
        let inner = panel::dialog(buffer, area, context.look, &title, (width, height));
        if inner.height == 0 {
            return;
        }
        // Where there is no room for all of it, fields come first.
        let notes = notes.min(inner.height.saturating_sub(fields + errors + 1)).max(1);
        for (line, y) in note.iter().zip(inner.y..inner.y + notes) {
            let line = text::fit(line, usize::from(inner.width));
            buffer.set_stringn(inner.x, y, line, usize::from(inner.width), context.look.dim);
        }
        let below = (errors + 1).min(inner.height - notes);
        let fields = Rect { y: inner.y + notes, height: inner.height - notes - below, ..inner };
        self.form.draw(buffer, fields, context.look);
        for (line, y) in error.iter().zip(fields.bottom()..inner.bottom()) {
            buffer.set_stringn(inner.x, y, line, usize::from(inner.width), context.look.bad);
        }
        let hint = "Enter next field   ctrl-s go on (asks)   Left/Right choose   Esc closes";
        let hint = text::fit(hint, usize::from(inner.width));
        buffer.set_stringn(inner.x, inner.bottom() - 1, hint, usize::from(inner.width), context.look.dim);
    }
}

/// What is obviously wrong with an address; the daemon knows the rest.
fn address_fault(address: &str) -> Option<String> {
    let whole = |(name, host): (&str, &str)| !name.is_empty() && !host.is_empty() && !host.contains('@');
    let fine = !address.contains(char::is_whitespace) && address.split_once('@').is_some_and(whole);
    (!fine).then(|| format!("{address:?} is not an e-mail address: name@example.com"))
}

/// What is obviously wrong with a cron line; the daemon knows the rest.
fn cron_fault(line: &str) -> Option<String> {
    const NAMES: [&str; 20] = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", "mon", "tue",
        "wed", "thu", "fri", "sat", "sun", "",
    ];
    // @daily and its like stand for a whole line.
    if line.starts_with('@') {
        return None;
    }
    let fields = line.split_whitespace().count();
    if fields != 5 && fields != 6 {
        return Some(format!("a cron line has 5 or 6 fields (30 3 * * *), and this one has {fields}"));
    }
    let lower = line.to_lowercase();
    let words = lower.split(|letter: char| !letter.is_alphabetic());
    // L and W are the last day and the nearest weekday.
    let stranger = words.into_iter().find(|word| !NAMES.contains(word) && !matches!(*word, "l" | "w" | "lw"));
    stranger.map(|word| format!("{word:?} is no day and no month: MON to SUN, JAN to DEC"))
}

/// A number when it is written as one, else text.
fn datum(text: &str) -> Value {
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Number(number)) if number.to_string() == text => number.into(),
        _ => Value::String(text.to_owned()),
    }
}

fn edited(schedule: &Schedule, form: &Form) -> EditSchedule {
    let differs = |name: &str, old: &str| Some(form.get(name)).filter(|new| *new != old).map(str::to_owned);
    EditSchedule {
        cron: differs("cron", &schedule.cron),
        time_zone: differs("timeZone", &schedule.time_zone),
        missed: differs("missed", schedule.missed.as_str()).and_then(|word| word.parse().ok()),
        overlap: differs("overlap", schedule.overlap.as_str()).and_then(|word| word.parse().ok()),
    }
}

fn changes(schedule: &Schedule, edit: &EditSchedule) -> Vec<String> {
    let line = |name: &str, old: &str, new: Option<&str>| new.map(|new| format!("{name}: {old} -> {new}"));
    [
        line("cron line", &schedule.cron, edit.cron.as_deref()),
        line("time zone", &schedule.time_zone, edit.time_zone.as_deref()),
        line("missed fires", schedule.missed.as_str(), edit.missed.map(MissedPolicy::as_str)),
        line("still running", schedule.overlap.as_str(), edit.overlap.map(OverlapPolicy::as_str)),
    ]
    .into_iter()
    .flatten()
    .collect()
}
