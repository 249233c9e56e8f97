//! Both sides of one entity. The operator chooses field by field, sees exactly what that would write, and writes it:
//! nothing is written that was not previewed, and the preview's `seen` goes with it, so that the daemon refuses when
//! either side says something else by then.

mod fields;
mod view;

use std::{collections::BTreeMap, sync::Arc};

use astrops_api::{
    reconciliation::{EntityMapping, Mappings},
    resolution::{Choice, Resolution, Resolve as Body},
};
use serde_json::Value;

use self::fields::{Field, Verdict, decided, fields};
use super::words::{self, Subject};
use crate::{
    files::SidesFile,
    keys::Action,
    layers::{Ask, Layer, Page, Prompt},
    message::{Decision, Request},
    screen::{Context, Effect},
    text,
    widgets::scroll::Scroll,
};

/// What being deleted means.
pub const DELETES: &str = ": what is left becomes inactive, a booking is cancelled";

/// What a dry run gives as its reason: nothing keeps it.
pub const TRYING: &str = "preview";

/// What is about both sides, and off while they are not known.
const OWN: &[Action] = &[
    Action::TakeDocument,
    Action::TakeRelational,
    Action::TakeBase,
    Action::EditValue,
    Action::Preview,
    Action::Write,
    Action::Snooze,
    Action::Open,
    Action::Json,
    Action::Copy,
];

/// What the choices would write.
#[derive(Debug)]
struct Preview {
    choices: BTreeMap<String, Choice>,
    resolution: Resolution,
}

/// The pane.
#[derive(Debug, Default)]
pub struct Resolve {
    wanted: Option<Subject>,
    file: Option<Arc<SidesFile>>,
    fields: Vec<Field>,
    fetching: bool,
    error: Option<String>,
    scroll: Scroll,
    choices: BTreeMap<String, Choice>,
    preview: Option<Preview>,
    /// The number of the dry run that is awaited, and the choices that it is about.
    trying: Option<(u64, BTreeMap<String, Choice>)>,
    /// Why, as typed last: a refused decision is not typed again.
    pub reason: String,
}

impl Resolve {
    /// What is shown or on its way, with the conflict that is known of it now.
    pub fn subject(&self) -> Option<Subject> {
        let mut subject = self.wanted?;
        if let Some(file) = &self.file {
            subject.conflict = file.conflict.as_ref().map(|conflict| conflict.id);
        }
        Some(subject)
    }

    /// Everything that is known.
    pub fn file(&self) -> Option<&SidesFile> {
        self.file.as_deref()
    }

    /// The side that cannot be read, when one cannot.
    fn unreadable(&self) -> Option<&'static str> {
        let diff = &self.file()?.diff;
        let sides = [("document", &diff.document), ("relational", &diff.relational)];
        sides.into_iter().find(|(_, state)| *state == "unreadable").map(|(side, _)| side)
    }

    /// Whether a side has no such row.
    pub fn is_missing(&self) -> bool {
        self.file().is_some_and(|file| {
            [&file.diff.document, &file.diff.relational].iter().any(|state| *state == "missing")
        })
    }

    /// Whether it waits for a person.
    pub fn waits(&self) -> bool {
        self.subject().is_some_and(|subject| subject.conflict.is_some())
    }

    /// Whether there is something here that this person may decide.
    pub fn decides(&self, context: &Context<'_>) -> bool {
        let may = !context.read_only && context.user.is_some_and(astrops_api::auth::User::is_operator);
        may && self.waits() && self.unreadable().is_none()
    }

    fn field(&self) -> Option<&Field> {
        self.fields.get(self.scroll.cursor)
    }

    /// Shows another entity. At most one question is under way, however fast the cursor moves.
    pub fn show(&mut self, subject: Subject) -> Vec<Effect> {
        let same = self.wanted.is_some_and(|known| (known.kind, known.id) == (subject.kind, subject.id));
        if same && self.error.is_none() {
            return Vec::new();
        }
        *self = Self { wanted: Some(subject), fetching: self.fetching, ..Self::default() };
        self.fetch()
    }

    /// Asks again.
    pub fn fetch(&mut self) -> Vec<Effect> {
        match self.wanted {
            Some(subject) if !self.fetching => {
                self.fetching = true;
                vec![Effect::Ask(Request::Sides(subject.kind, subject.id))]
            }
            _ => Vec::new(),
        }
    }

    /// Takes an answer in. A preview of what is not so any more is dropped, and that is said.
    pub fn take(&mut self, file: &Arc<SidesFile>, mappings: Option<&Mappings>) -> Vec<Effect> {
        self.fetching = false;
        let Some(subject) = self.wanted else { return Vec::new() };
        if (file.diff.entity_type, file.diff.entity_id) != (subject.kind, subject.id) {
            return self.fetch();
        }
        let moved = self.file.as_ref().is_some_and(|before| before.diff.fields != file.diff.fields);
        self.error = None;
        self.file = Some(Arc::clone(file));
        self.arrange(mappings);
        let mut effects = Vec::new();
        if moved && (self.preview.take().is_some() || !self.choices.is_empty()) {
            let name = subject.name();
            effects.push(Effect::trouble(format!("{name} changed meanwhile: look at it again, then p")));
        }
        effects
    }

    /// Lays the fields out again; the cursor stays on its field.
    pub fn arrange(&mut self, mappings: Option<&Mappings>) {
        let (Some(file), Some(subject)) = (&self.file, self.wanted) else { return };
        let at = self.field().map(|field| field.key.clone());
        self.fields = fields(file, words::mapping(mappings, subject.kind));
        let place = self.fields.iter().position(|field| Some(&field.key) == at.as_ref());
        self.scroll.cursor = place.unwrap_or(0);
        self.choices.retain(|key, _| self.fields.iter().any(|field| field.key == *key));
    }

    /// Takes a refusal in.
    pub fn fail(&mut self, request: &Request, reason: &str) {
        match request {
            Request::Sides(kind, id) => {
                self.fetching = false;
                if self.wanted.is_some_and(|subject| (subject.kind, subject.id) == (*kind, *id)) {
                    self.error = Some(reason.to_owned());
                }
            }
            Request::Try(number, _) if self.trying.as_ref().is_some_and(|(awaited, _)| awaited == number) => {
                self.trying = None;
            }
            _ => {}
        }
    }

    /// What was asked is not answered any more.
    pub fn forget(&mut self) {
        self.fetching = false;
        self.trying = None;
    }

    /// A decision about it was taken or refused: what was previewed is history.
    pub fn settled(&mut self, taken: bool) -> Vec<Effect> {
        self.preview = None;
        if taken {
            self.choices.clear();
            self.reason.clear();
        }
        self.fetch()
    }

    /// What the choices write, when they are still the ones of the preview.
    fn previewed(&self) -> Option<&Resolution> {
        let preview = self.preview.as_ref().filter(|preview| preview.choices == self.choices)?;
        Some(&preview.resolution)
    }

    /// Why `action` is off.
    pub fn available(&self, action: Action, context: &Context<'_>) -> Result<(), String> {
        if self.file.is_none() && OWN.contains(&action) {
            return Err("both sides are not loaded".into());
        }
        let waits = self.subject().and_then(|subject| subject.conflict);
        let chooses = matches!(
            action,
            Action::TakeDocument | Action::TakeRelational | Action::TakeBase | Action::EditValue
        );
        if let Some(side) = self.unreadable().filter(|_| chooses) {
            return Err(format!("the {side} side cannot be read: correct it there, then R"));
        }
        let choice = match action {
            Action::TakeDocument => Choice::Document,
            Action::TakeRelational => Choice::Relational,
            Action::TakeBase => Choice::Base,
            Action::EditValue => Choice::Value(Value::Null),
            Action::Preview | Action::Write if waits.is_none() => {
                return Err("nothing waits for a decision: R reconciles by the rules".into());
            }
            Action::Preview if !context.user.is_some_and(astrops_api::auth::User::is_operator) => {
                return Err("only operators decide, and only they preview a decision".into());
            }
            Action::Preview | Action::Write if self.choices.is_empty() => {
                return Err("choose first: < document, > relational, b base, e another value".into());
            }
            Action::Write if self.previewed().is_none() => {
                return Err("look first at what it writes: p".into());
            }
            Action::Snooze if waits.is_none() => return Err("nothing waits for a decision here".into()),
            _ => return Ok(()),
        };
        if waits.is_none() {
            return Err("nothing waits for a decision: R reconciles by the rules".into());
        }
        match self.field() {
            Some(field) => field.takes(&choice),
            None => Err("there is no field".into()),
        }
    }

    /// Makes `choice` for the field under the cursor, or leaves the field open when that was its choice.
    fn choose(&mut self, choice: Choice) {
        let Some(field) = self.field().cloned() else { return };
        if self.choices.get(&field.key) == Some(&choice) {
            self.choices.remove(&field.key);
            return;
        }
        // A side is taken for a group as a whole.
        if let Some(group) = field.group.as_ref().filter(|_| !matches!(choice, Choice::Value(_))) {
            let members = self.fields.iter().filter(|other| other.group.as_ref() == Some(group));
            for member in members {
                self.choices.remove(&member.key);
            }
        }
        self.choices.insert(field.key, choice);
    }

    /// Moves, chooses, previews. `number` is that of the next dry run.
    pub fn act(
        &mut self,
        action: Action,
        number: u64,
        mappings: Option<&Mappings>,
        context: &Context<'_>,
    ) -> Vec<Effect> {
        match action {
            Action::TakeDocument => self.choose(Choice::Document),
            Action::TakeRelational => self.choose(Choice::Relational),
            Action::TakeBase => self.choose(Choice::Base),
            Action::EditValue => {
                let Some(field) = self.field() else { return Vec::new() };
                let held = match self.choices.get(&field.key) {
                    Some(Choice::Value(value)) => value,
                    _ => &field.document,
                };
                let ask = Ask::Value(field.key.clone());
                return vec![Effect::Open(Layer::Prompt(Prompt::filled(ask, &words::shown(held))))];
            }
            Action::Preview => {
                if self.previewed().is_some() {
                    return self.page(self.preview_lines(mappings, context), "What is written").into();
                }
                let Some(conflict) = self.subject().and_then(|subject| subject.conflict) else {
                    return Vec::new();
                };
                self.trying = Some((number, self.choices.clone()));
                let body = self.body(TRYING.to_owned(), None);
                return vec![Effect::Ask(Request::Try(number, Box::new(Decision::Resolve(conflict, body))))];
            }
            Action::Open => {
                let Some(field) = self.field() else { return Vec::new() };
                let mut lines = self.head_lines(context);
                lines.extend(view::field_lines(field, self, mappings, context));
                return self.page(lines, &field.label).into();
            }
            _ => {
                self.scroll.act(action, self.fields.len());
            }
        }
        Vec::new()
    }

    fn page(&self, lines: crate::screens::entities::Lines, title: &str) -> [Effect; 1] {
        let name = self.wanted.map(|subject| subject.name()).unwrap_or_default();
        [Effect::Open(Layer::Page(Page::new(format!("{}: {name}", text::neutral(title)), lines)))]
    }

    /// Takes the value that was typed for the field `key`, or asks once more for one that can be.
    pub fn edited(&mut self, key: &str, typed: &str) -> Vec<Effect> {
        let Some(field) = self.fields.iter().find(|field| field.key == key) else { return Vec::new() };
        let like = [&field.document, &field.relational];
        match words::typed(typed.trim(), &like) {
            Ok(value) => {
                self.choices.insert(key.to_owned(), Choice::Value(value));
                Vec::new()
            }
            Err(reason) => {
                Prompt::again(&Ask::Value(key.to_owned()), typed, format!("{}: {reason}", field.label))
            }
        }
    }

    fn body(&self, reason: String, seen: Option<String>) -> Body {
        Body { choices: self.choices.clone(), reason, dry_run: false, seen, hold_seconds: 0 }
    }

    /// Takes what dry run `number` told; `false` when it is about something else.
    pub fn tried(&mut self, number: u64, resolution: &Resolution) -> bool {
        let Some((_, choices)) = self.trying.take_if(|(awaited, _)| *awaited == number) else { return false };
        self.preview = Some(Preview { choices, resolution: resolution.clone() });
        true
    }

    /// The decision as previewed, without its reason, and what it writes.
    pub fn decision(&self) -> Option<(Subject, Decision, Resolution)> {
        let subject = self.subject()?;
        let resolution = self.previewed()?.clone();
        let body = self.body(String::new(), Some(resolution.seen.clone()));
        Some((subject, Decision::Resolve(subject.conflict?, body), resolution))
    }

    /// What stands below the fields: what would be written, or how to learn that.
    fn preview_lines(
        &self,
        mappings: Option<&Mappings>,
        context: &Context<'_>,
    ) -> crate::screens::entities::Lines {
        let look = context.look;
        let mapping = self.mapping(mappings);
        if let Some(resolution) = self.previewed() {
            return words::resolution(resolution, mapping, look);
        }
        let words = match (&self.trying, self.choices.is_empty(), &self.preview) {
            (Some(_), ..) => "working out what would be written",
            (None, true, _) => return Vec::new(),
            (None, false, Some(_)) => "The choices changed: p shows what they write now.",
            (None, false, None) => "p shows exactly what these choices write.",
        };
        vec![(words.to_owned(), look.warning)]
    }

    fn mapping<'a>(&self, mappings: Option<&'a Mappings>) -> Option<&'a EntityMapping> {
        words::mapping(mappings, self.wanted?.kind)
    }

    /// Everything as plain text.
    pub fn plain(&self, mappings: Option<&Mappings>, context: &Context<'_>) -> String {
        let mut lines: Vec<String> = self
            .fields
            .iter()
            .map(|field| {
                let [base, document, relational] =
                    [field.base.as_ref(), Some(&field.document), Some(&field.relational)]
                        .map(|value| value.map_or_else(|| "never agreed".to_owned(), words::shown));
                format!(
                    "{} base {base} document {document} relational {relational} {}",
                    field.label, field.words
                )
            })
            .collect();
        lines.extend(self.preview_lines(mappings, context).into_iter().map(|(line, _)| line));
        lines.iter().map(|line| text::neutral(line)).collect::<Vec<_>>().join("\n")
    }
}
