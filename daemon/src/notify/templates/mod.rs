//! Renders a mail from its kind and data.
//!
//! `data` is hostile: strings are opaque, HTML escapes them, line breaks in them become spaces, and none of them
//! can make a second header line. A template that names a field which does not exist fails in the tests, because
//! undefined is strict and every known field is there (as none when it was not given).

mod definitions;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt};

use astrops_api::{notifications::NotificationTypeInfo, problem::FieldError, vocabulary::NotificationType};
use chrono::{DateTime, Utc};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, syntax::SyntaxConfig, value::Serde};
use serde_json::Value;

use self::definitions::{DEFINITIONS, DETAILS, Definition, LAYOUTS};
use super::address::{MAX_LINE, check_line, is_hostile};

/// A rendered mail. `Debug` gives sizes only: mails are private.
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    /// One line of at most 200 characters.
    pub subject: String,
    /// The plain text body, lines end in `\n`.
    pub text: String,
    /// The HTML body.
    pub html: Option<String>,
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let html = self.html.as_ref().map_or(0, String::len);
        write!(f, "Content(subject {}, text {}, html {html} bytes)", self.subject.len(), self.text.len())
    }
}

/// The templates, compiled in.
pub struct Templates(Environment<'static>);

impl Templates {
    /// Compiles every template; fails only when one of them is wrong, which a test rules out.
    pub fn new() -> Result<Self, minijinja::Error> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
        environment.set_auto_escape_callback(|name| {
            if name.rsplit('.').next() == Some("html") { AutoEscape::Html } else { AutoEscape::None }
        });
        for (name, source) in LAYOUTS {
            environment.add_template(name, source)?;
        }
        for definition in DEFINITIONS {
            for (name, source) in [definition.subject, definition.text, definition.html] {
                environment.add_template(name, source)?;
            }
        }
        Ok(Self(environment))
    }

    /// What GET /notifications/types answers.
    #[must_use]
    pub fn types(&self) -> Vec<NotificationTypeInfo> {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        DEFINITIONS
            .iter()
            .map(|definition| NotificationTypeInfo {
                kind: definition.kind,
                description: definition.description.to_owned(),
                required: owned(definition.required),
                optional: owned(definition.optional),
            })
            .collect()
    }

    /// The mail of `kind` with `data`, or every field at fault (pointers into the request: `/data/seats`).
    /// Fields that the kind does not know are ignored; null counts as not given.
    pub fn render(&self, kind: NotificationType, data: &Value) -> Result<Content, Vec<FieldError>> {
        let definition =
            Definition::of(kind).ok_or_else(|| vec![at("type", "has no template".to_owned())])?;
        let given = read(definition, data)?;
        let subject = self.fill(definition.subject.0, &context(&given, str::to_owned))?;
        check_subject(&subject, &given)?;
        let context = context(&given, one_line);
        Ok(Content {
            subject: shorten(&subject),
            text: tidy(&self.fill(definition.text.0, &context)?),
            html: Some(self.fill(definition.html.0, &context)?),
        })
    }

    fn fill(&self, template: &str, context: &BTreeMap<&str, Value>) -> Result<String, Vec<FieldError>> {
        self.0
            .get_template(template)
            .and_then(|template| template.render(Serde(context)))
            .map_err(|error| vec![at("data", format!("{template} cannot be filled: {error}"))])
    }
}

/// The value of one field as text.
enum Given {
    One(String),
    /// The lines of `changes`.
    Many(Vec<String>),
}

fn at(pointer: &str, detail: String) -> FieldError {
    FieldError { pointer: format!("/{pointer}"), detail }
}

/// The known fields of `data` as text, or every field at fault.
fn read(definition: &Definition, data: &Value) -> Result<BTreeMap<&'static str, Given>, Vec<FieldError>> {
    let needs = format!("{} needs {}", definition.kind, definition.required.join(", "));
    let Value::Object(data) = data else {
        return Err(vec![at("data", format!("must be an object; {needs}"))]);
    };
    let mut given = BTreeMap::new();
    let mut errors = Vec::new();
    for field in definition.fields() {
        match data.get(field) {
            None | Some(Value::Null) if definition.required.contains(&field) => {
                errors.push(at(&format!("data/{field}"), format!("is missing; {needs}")));
            }
            None | Some(Value::Null) => {}
            Some(value) if field == "changes" => {
                given.insert(field, Given::Many(lines_of(value)));
            }
            Some(value) => match scalar(value) {
                Some(text) => {
                    given.insert(field, Given::One(present(field, text, data)));
                }
                None => {
                    errors.push(at(&format!("data/{field}"), "must be text, a number or a flag".to_owned()));
                }
            },
        }
    }
    if errors.is_empty() { Ok(given) } else { Err(errors) }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(true) => Some("yes".to_owned()),
        Value::Bool(false) => Some("no".to_owned()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A field as people read it: amounts with two decimals and their currency, RFC 3339 times in words. Whatever is
/// neither stays as it was given.
fn present(field: &str, text: String, data: &serde_json::Map<String, Value>) -> String {
    match field {
        "amount" | "price" => {
            let number = data.get(field).and_then(Value::as_f64).map(|amount| format!("{amount:.2}"));
            let currency = data.get("currency").and_then(Value::as_str).unwrap_or_default();
            format!("{} {}", number.unwrap_or(text), currency.to_uppercase()).trim_end().to_owned()
        }
        "startDateTime" | "salesStartAt" | "until" => match text.parse::<DateTime<Utc>>() {
            Ok(time) => time.format("%-d %B %Y, %H:%M UTC").to_string(),
            Err(_) => text,
        },
        _ => text,
    }
}

/// `changes` as lines: a text, a list of texts, or an object of `field: new value` or `field: {from, to}`.
fn lines_of(changes: &Value) -> Vec<String> {
    let text = |value: &Value| scalar(value).unwrap_or_else(|| value.to_string());
    match changes {
        Value::Array(items) => items.iter().map(text).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(field, value)| match (value.get("from"), value.get("to")) {
                (Some(from), Some(to)) => format!("{field}: {} → {}", text(from), text(to)),
                _ => format!("{field}: {}", text(value)),
            })
            .collect(),
        other => vec![text(other)],
    }
}

/// What the templates see: every field that any mail knows, none when not given, and the list of details.
fn context(
    given: &BTreeMap<&'static str, Given>,
    clean: impl Fn(&str) -> String,
) -> BTreeMap<&'static str, Value> {
    let every = DEFINITIONS.iter().flat_map(Definition::fields).map(|field| (field, Value::Null));
    let mut context: BTreeMap<_, _> = every.collect();
    let mut details = Vec::new();
    for (&field, value) in given {
        let value = match value {
            Given::One(text) => clean(text).into(),
            Given::Many(lines) => lines.iter().map(|line| clean(line)).collect::<Vec<_>>().into(),
        };
        context.insert(field, value);
    }
    for (field, label) in DETAILS {
        match context.get(field) {
            Some(Value::String(text)) if !text.is_empty() => details.push(vec![*label, text.as_str()].into()),
            _ => {}
        }
    }
    let details = Value::Array(details);
    context.insert("details", details);
    context
}

/// A subject with a line break would be a second header. The fields that hold one are to blame.
fn check_subject(subject: &str, given: &BTreeMap<&'static str, Given>) -> Result<(), Vec<FieldError>> {
    let Err(detail) = check_line(&shorten(subject)) else { return Ok(()) };
    let to_blame = given.iter().filter(|(_, value)| match value {
        Given::One(text) => text.contains(is_hostile),
        Given::Many(_) => false,
    });
    let errors: Vec<_> = to_blame
        .map(|(field, _)| at(&format!("data/{field}"), format!("{detail}; it is part of the subject")))
        .collect();
    Err(if errors.is_empty() { vec![at("data", format!("makes a subject that {detail}"))] } else { errors })
}

/// A long title must not cost the mail: the subject is cut, the body tells all.
fn shorten(subject: &str) -> String {
    if subject.chars().count() <= MAX_LINE {
        return subject.to_owned();
    }
    subject.chars().take(MAX_LINE - 1).chain(['…']).collect()
}

/// A value in a body stays within its line, so that data cannot pretend to be our own paragraphs.
fn one_line(text: &str) -> String {
    text.replace(is_hostile, " ").trim().to_owned()
}

/// No more than one empty line in a row, none at the ends, one line break at the end.
fn tidy(text: &str) -> String {
    let mut tidy = String::with_capacity(text.len());
    let mut empty = 0;
    for line in text.trim().lines().map(str::trim_end) {
        empty = if line.is_empty() { empty + 1 } else { 0 };
        if empty <= 1 {
            tidy.push_str(line);
            tidy.push('\n');
        }
    }
    tidy
}
