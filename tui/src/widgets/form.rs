//! A form: fields of text, secrets and choices, each with its own error.

use crossterm::event::KeyEvent;
use ratatui::{buffer::Buffer, layout::Rect, style::Style, text::Line};
use tui_input::Input;

use super::input;
use crate::{keys::Action, text, theme::Look};

/// What a field holds.
#[derive(Clone, Debug)]
pub enum Value {
    /// Text.
    Text(Input),
    /// Text that is not shown.
    Secret(Input),
    /// One of several words.
    Choice {
        /// The words.
        options: Vec<String>,
        /// Which one.
        chosen: usize,
    },
}

/// One field.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name for the program.
    pub name: String,
    /// Its name for the operator.
    pub label: String,
    /// Whether it may be empty.
    pub required: bool,
    /// What it holds.
    pub value: Value,
    /// What is wrong with it.
    pub error: Option<String>,
}

impl Field {
    /// A field of text.
    pub fn text(name: &str, label: &str, required: bool, value: &str) -> Self {
        Self::new(name, label, required, Value::Text(Input::new(value.to_owned())))
    }

    /// A field of hidden text.
    pub fn secret(name: &str, label: &str) -> Self {
        Self::new(name, label, true, Value::Secret(Input::default()))
    }

    /// A field of words to choose from.
    pub fn choice(name: &str, label: &str, options: &[&str], chosen: &str) -> Self {
        let place = options.iter().position(|option| *option == chosen).unwrap_or(0);
        let options = options.iter().map(|&option| option.to_owned()).collect();
        Self::new(name, label, true, Value::Choice { options, chosen: place })
    }

    fn new(name: &str, label: &str, required: bool, value: Value) -> Self {
        Self { name: name.to_owned(), label: label.to_owned(), required, value, error: None }
    }

    /// What it holds, without blanks around it. Secrets are as typed.
    pub fn get(&self) -> &str {
        match &self.value {
            Value::Text(input) => input.value().trim(),
            Value::Secret(input) => input.value(),
            Value::Choice { options, chosen } => options.get(*chosen).map_or("", String::as_str),
        }
    }
}

/// Fields, one of which has the keys.
#[derive(Clone, Debug, Default)]
pub struct Form {
    /// From top to bottom.
    pub fields: Vec<Field>,
    /// Which one has the keys.
    pub focus: usize,
}

impl Form {
    /// A form of these fields.
    pub const fn new(fields: Vec<Field>) -> Self {
        Self { fields, focus: 0 }
    }

    /// What the field `name` holds.
    pub fn get(&self, name: &str) -> &str {
        self.fields.iter().find(|field| field.name == name).map_or("", Field::get)
    }

    /// Whether every required field is filled; marks those that are not and goes to the first.
    pub fn is_complete(&mut self) -> bool {
        let mut first = None;
        for (place, field) in self.fields.iter_mut().enumerate() {
            let missing = field.required && field.get().is_empty();
            field.error = missing.then(|| "needed".to_owned());
            if missing && first.is_none() {
                first = Some(place);
            }
        }
        if let Some(place) = first {
            self.focus = place;
        }
        first.is_none()
    }

    /// Whether the last field has the keys: Enter then sends.
    pub const fn at_end(&self) -> bool {
        self.focus + 1 >= self.fields.len()
    }

    /// Moves between fields and choices; answers whether a choice changed.
    pub fn act(&mut self, action: Action) -> bool {
        let count = self.fields.len().max(1);
        match action {
            Action::Focus => self.focus = (self.focus + 1) % count,
            Action::FocusBack => self.focus = (self.focus + count - 1) % count,
            Action::ChoiceBack | Action::ChoiceNext => {
                if let Some(Field { value: Value::Choice { options, chosen }, .. }) =
                    self.fields.get_mut(self.focus)
                {
                    let step = if action == Action::ChoiceNext { 1 } else { options.len().max(1) - 1 };
                    *chosen = (*chosen + step) % options.len().max(1);
                    return true;
                }
            }
            _ => {}
        }
        false
    }

    /// Whether the field with the keys is a choice: left and right then choose instead of moving in the text.
    pub fn on_choice(&self) -> bool {
        matches!(self.fields.get(self.focus), Some(Field { value: Value::Choice { .. }, .. }))
    }

    /// Types into the field with the keys. On a choice a letter goes to the next word that begins with it.
    /// Answers whether a choice changed.
    pub fn typed(&mut self, key: KeyEvent) -> bool {
        let Some(field) = self.fields.get_mut(self.focus) else { return false };
        match &mut field.value {
            Value::Text(input) | Value::Secret(input) => {
                if input::typed(input, key) {
                    field.error = None;
                }
                false
            }
            Value::Choice { options, chosen } => {
                let crossterm::event::KeyCode::Char(letter) = key.code else { return false };
                let found = (1..=options.len()).map(|step| (*chosen + step) % options.len()).find(|place| {
                    options[*place].chars().next().is_some_and(|first| first.eq_ignore_ascii_case(&letter))
                });
                if let Some(place) = found {
                    *chosen = place;
                }
                found.is_some()
            }
        }
    }

    /// Pastes into the field with the keys.
    pub fn pasted(&mut self, pasted: &str) {
        if let Some(Field { value: Value::Text(input) | Value::Secret(input), error, .. }) =
            self.fields.get_mut(self.focus)
        {
            input::pasted(input, pasted);
            *error = None;
        }
    }

    /// Draws a line per field, scrolled so that the one with the keys is seen.
    pub fn draw(&self, buffer: &mut Buffer, area: Rect, look: &Look) {
        let labels = self.fields.iter().map(|field| text::width(&field.label)).max().unwrap_or(0) + 3;
        let labels = u16::try_from(labels).unwrap_or(u16::MAX).min(area.width / 2);
        let first = (self.focus + 1).saturating_sub(usize::from(area.height));
        for ((place, field), y) in self.fields.iter().enumerate().skip(first).zip(area.top()..area.bottom()) {
            let focused = place == self.focus;
            let mark = if focused { ">" } else { " " };
            let star = if field.required { " " } else { "?" };
            let label = format!("{mark}{}{star}", text::neutral(&field.label));
            buffer.set_stringn(
                area.x,
                y,
                label,
                usize::from(labels),
                if focused { look.title } else { look.dim },
            );
            let room = Rect { x: area.x + labels, y, width: area.width.saturating_sub(labels), height: 1 };
            let error = field.error.as_ref().map(|error| format!(" ! {}", text::neutral(error)));
            let taken = error.as_ref().map_or(0, |error| text::width(error)).min(usize::from(room.width) / 2);
            let taken = u16::try_from(taken).unwrap_or(0);
            let value = Rect { width: room.width.saturating_sub(taken), ..room };
            match &field.value {
                Value::Text(typed) => {
                    input::draw(buffer, value, typed, Style::new(), focused, false);
                }
                Value::Secret(typed) => {
                    input::draw(buffer, value, typed, Style::new(), focused, true);
                }
                Value::Choice { .. } => {
                    let shown = format!("< {} >", text::neutral(field.get()));
                    let style = if focused { look.cursor } else { Style::new() };
                    buffer.set_stringn(value.x, y, shown, usize::from(value.width), style);
                }
            }
            if let Some(error) = error {
                let error = Line::styled(error, look.bad);
                buffer.set_line(value.right(), y, &error, taken);
            }
        }
    }
}
