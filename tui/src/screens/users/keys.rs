//! The service keys: which programs may call, and with what. A new key's secret is shown once.

use std::time::Duration;

use astrops_api::{
    ids::KeyId,
    keys::{KeyMade, NewKey, ServiceKey},
    vocabulary::Scope as KeyScope,
};
use ratatui::{buffer::Buffer, layout::Rect, style::Style};
use regex::Regex;

use crate::{
    format,
    keys::{Action, Scope},
    layers::{Ask, Confirm, FormLayer, Layer, Page, Prompt, Purpose},
    message::{Change, Request, Update},
    screen::{Context, Due, Effect, Screen},
    text,
    widgets::{
        form::{Field, Form},
        panel,
        table::{Column, Row, Table},
    },
};

/// Asked again after this: nothing tells of changes.
const CALM: Duration = Duration::from_secs(15);

impl Row for ServiceKey {
    type Key = KeyId;

    fn key(&self) -> KeyId {
        self.id
    }
}

/// The service keys.
pub struct Keys {
    table: Table<ServiceKey>,
    all: Vec<ServiceKey>,
    filter: String,
    loaded: bool,
    error: Option<String>,
    due: Due,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            table: Table::new(columns()),
            all: Vec::new(),
            filter: String::new(),
            loaded: false,
            error: None,
            due: Due::default(),
        }
    }
}

impl Keys {
    fn set_filter(&mut self, typed: &str) -> Result<(), String> {
        let pattern =
            Regex::new(&format!("(?i){typed}")).map_err(|_| "this pattern is not complete".to_owned())?;
        typed.clone_into(&mut self.filter);
        let fits = |key: &&ServiceKey| pattern.is_match(&key.name) || pattern.is_match(&scopes(key));
        self.table.set_rows(self.all.iter().filter(fits).cloned().collect());
        Ok(())
    }
}

impl Screen for Keys {
    fn scope(&self) -> Scope {
        Scope::Keys
    }

    fn available(&self, action: Action, _context: &Context<'_>) -> Result<(), String> {
        match (action, self.table.current()) {
            (Action::Delete | Action::Json | Action::Copy, None) => {
                Err("there is no key under the cursor".into())
            }
            (Action::Delete, Some(key)) if key.revoked_at.is_some() => Err("it is revoked already".into()),
            _ => Ok(()),
        }
    }

    fn act(&mut self, action: Action, context: &Context<'_>) -> Vec<Effect> {
        match action {
            Action::New => return vec![Effect::Open(Layer::Form(Box::new(new_key())))],
            Action::Delete => {
                let Some(key) = self.table.current() else { return Vec::new() };
                let used = match key.last_used_at {
                    Some(at) => format!("Its last use was {}.", format::relative(at, context.now)),
                    None => "It was never used.".to_owned(),
                };
                let lines = vec![used, "Whatever calls with it is refused at once, for good.".to_owned()];
                let change = Change::RevokeKey(key.id, key.name.clone());
                let title = format!("Revoke key {}?", key.name);
                return vec![Effect::Open(Layer::Confirm(Confirm::change(title, lines, 1, change, context)))];
            }
            Action::Filter => {
                return vec![Effect::Open(Layer::Prompt(Prompt::new(Ask::Filter, &self.filter)))];
            }
            Action::Json => {
                let json = self.table.current().and_then(|row| serde_json::to_string_pretty(row).ok());
                let page = json.map(|json| Page::plain("The key as JSON", &json));
                return page.map(|page| Effect::Open(Layer::Page(page))).into_iter().collect();
            }
            Action::Copy | Action::CopyAll => {
                let rows: Vec<&ServiceKey> = match action {
                    Action::Copy => self.table.current().into_iter().collect(),
                    _ => self.table.visible().iter().collect(),
                };
                let lines = rows.into_iter().map(|row| format!("{} {} {}", row.id, row.name, scopes(row)));
                let lines: Vec<String> = lines.map(|line| text::neutral(&line).into_owned()).collect();
                return vec![Effect::Copy(lines.join("\n"))];
            }
            Action::Refresh => return vec![Effect::Ask(Request::Keys)],
            action => {
                self.table.act(action);
            }
        }
        Vec::new()
    }

    fn update(&mut self, update: &Update, context: &Context<'_>) -> Vec<Effect> {
        match update {
            Update::Keys(keys) => {
                self.loaded = true;
                self.error = None;
                self.all.clone_from(keys);
                let filter = self.filter.clone();
                return self.set_filter(&filter).err().map(Effect::trouble).into_iter().collect();
            }
            Update::KeyMade(made) => return vec![Effect::Open(Layer::Page(secret_page(made, context)))],
            Update::Done(..) => self.due.hurry(),
            Update::Failed(request, reason) if matches!(**request, Request::Keys) => {
                self.error = Some(reason.clone());
            }
            _ => {}
        }
        Vec::new()
    }

    fn tick(&mut self, visible: bool, context: &Context<'_>) -> Vec<Effect> {
        if visible && context.link.is_live() && self.due.is_now(context.now, CALM) {
            return vec![Effect::Ask(Request::Keys)];
        }
        Vec::new()
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

    fn draw(&mut self, buffer: &mut Buffer, area: Rect, context: &Context<'_>) {
        let living = self.all.iter().filter(|key| key.revoked_at.is_none()).count();
        let filter = text::neutral(&self.filter);
        let title = match (self.loaded, self.filter.is_empty()) {
            (false, _) => "Service keys".to_owned(),
            (true, true) => format!("Service keys {living}"),
            (true, false) => format!("Service keys {living}  /{filter}"),
        };
        let inner = panel::panel(buffer, area, context.look, &title, true);
        let empty = match (&self.error, self.loaded, self.filter.is_empty()) {
            (Some(error), ..) => error.as_str(),
            (None, false, _) => "loading",
            (None, true, true) => "No service keys. N makes one for a program that calls.",
            (None, true, false) => "No key fits the filter.",
        };
        self.table.draw(buffer, inner, context, &text::neutral(empty));
    }
}

fn scopes(key: &ServiceKey) -> String {
    key.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ")
}

fn columns() -> Vec<Column<ServiceKey>> {
    let column = |title, width, rank, cell| Column { title, width, rank, right: false, cell, order: None };
    vec![
        Column {
            order: Some(|a, b| a.name.cmp(&b.name)),
            ..column("NAME", 20, 0, |row: &ServiceKey, _| (row.name.clone(), Style::new()))
        },
        column("STATE", 8, 0, |row, context| match row.revoked_at {
            None => ("living".to_owned(), context.look.good),
            Some(_) => ("revoked".to_owned(), context.look.dim),
        }),
        column("MAY", 0, 1, |row, _| (scopes(row), Style::new())),
        Column {
            order: Some(|a, b| b.last_used_at.cmp(&a.last_used_at)),
            ..column("LAST USED", 11, 2, |row, context| match row.last_used_at {
                Some(at) => (format::moment(at, context.now), Style::new()),
                None => ("never".to_owned(), context.look.dim),
            })
        },
        Column {
            order: Some(|a, b| b.created_at.cmp(&a.created_at)),
            ..column("CREATED", 11, 3, |row, context| {
                (format::moment(row.created_at, context.now), Style::new())
            })
        },
    ]
}

/// The one time that the secret is seen.
fn secret_page(made: &KeyMade, context: &Context<'_>) -> Page {
    let plain = Style::new();
    let lines = vec![
        (format!("It may: {}.", scopes(&made.key)), plain),
        ("The program sends it as: Authorization: Bearer <secret>".to_owned(), context.look.dim),
        ("This is the only time that it is shown: y copies it, Esc closes.".to_owned(), context.look.warning),
        (String::new(), plain),
    ];
    Page::secret(format!("The secret of key {}", made.key.name), lines, made.secret.clone())
}

/// What a new key is asked for.
#[derive(Debug)]
struct Making;

fn new_key() -> FormLayer {
    let mut fields = vec![Field::text("name", "name", true, "")];
    fields.extend(
        KeyScope::ALL.iter().map(|scope| Field::choice(scope.as_str(), scope.as_str(), &["no", "yes"], "no")),
    );
    FormLayer::of(Making, fields)
}

impl Purpose for Making {
    fn title(&self) -> String {
        "New service key".to_owned()
    }

    fn note(&self) -> String {
        "Name the program; let it do no more than it needs.".to_owned()
    }

    fn submit(&self, form: &Form, context: &Context<'_>) -> Result<Effect, (&'static str, String)> {
        let name = form.get("name").to_owned();
        let fine = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
        if name.len() > 64 || !name.chars().all(fine) {
            return Err(("name", "a name has 1 to 64 lower-case letters, digits and hyphens".to_owned()));
        }
        let chosen = KeyScope::ALL.iter().copied().filter(|scope| form.get(scope.as_str()) == "yes");
        let scopes: Vec<KeyScope> = chosen.collect();
        if scopes.is_empty() {
            let first = KeyScope::ALL[0].as_str();
            return Err((first, "say yes to at least one thing that it may do".to_owned()));
        }
        let words: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
        let lines = vec![format!("It may: {}.", words.join(" "))];
        let title = format!("Make key {name}?");
        let change = Change::CreateKey(NewKey { name, scopes });
        Ok(Effect::Open(Layer::Confirm(Confirm::change(title, lines, 1, change, context))))
    }

    fn is_met_by(&self, change: &Change) -> bool {
        matches!(change, Change::CreateKey(_))
    }
}
