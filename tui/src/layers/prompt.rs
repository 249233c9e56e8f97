//! A line to type in, at the bottom: a filter, a time, an id.

use astrops_api::ids::JobId;
use crossterm::event::KeyEvent;
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    widgets::{Clear, Widget},
};
use tui_input::Input;

use super::Layer;
use crate::{
    keys::Action,
    screen::{Context, Effect},
    widgets::input,
};

/// What is asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// What to narrow the list to.
    Filter,
    /// A time to go to.
    Time,
    /// What to go to.
    Id,
    /// Until when to delay these jobs.
    Delay(Vec<JobId>),
    /// Another value for this field of an entity.
    Value(String),
}

impl Ask {
    /// What stands before the line.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Filter => "filter (Enter on nothing shows all, Up recalls)",
            Self::Time => "go to time (14:02, -15m, 2026-11-20 14:02)",
            Self::Id => "go to (whole id, or the 8 digits shown)",
            Self::Value(_) => "value on both sides (Enter takes it; none: no value)",
            Self::Delay(_) => "delay until (HH:MM, +15m, YYYY-MM-DD HH:MM; UTC)",
        }
    }
}

/// The line.
#[derive(Debug)]
pub struct Prompt {
    /// What is asked for.
    pub ask: Ask,
    typed: Input,
    /// What was typed before, oldest first, and where recalling stands.
    history: Vec<String>,
    recalled: usize,
    /// What stood there before: Esc brings it back.
    before: String,
}

impl Prompt {
    /// Asks anew; `before` is what holds now, and comes back with Esc.
    pub fn new(ask: Ask, before: &str) -> Self {
        Self { ask, typed: Input::default(), history: Vec::new(), recalled: 0, before: before.to_owned() }
    }

    /// Asks for another text than `typed`, which is there to be edited.
    pub fn filled(ask: Ask, typed: &str) -> Self {
        Self { typed: Input::new(typed.to_owned()), ..Self::new(ask, "") }
    }

    /// Asks once more after a refusal: what was typed is still there to be mended.
    pub fn again(ask: &Ask, typed: &str, reason: String) -> Vec<Effect> {
        vec![Effect::Open(Layer::Prompt(Self::filled(ask.clone(), typed))), Effect::trouble(reason)]
    }

    /// With what was typed before.
    pub fn remember(&mut self, history: Vec<String>) {
        self.recalled = history.len();
        self.history = history;
    }

    fn say(&self, done: bool) -> Effect {
        Effect::Prompted(self.ask.clone(), self.typed.value().to_owned(), done)
    }

    /// Accepts, gives up or recalls.
    pub fn act(&mut self, action: Action) -> Vec<Effect> {
        match action {
            Action::Open => vec![Effect::Close, self.say(true)],
            Action::Close => {
                let before = std::mem::take(&mut self.before);
                vec![Effect::Close, Effect::Prompted(self.ask.clone(), before, false)]
            }
            Action::Up | Action::Down => {
                self.recalled = if action == Action::Up {
                    self.recalled.saturating_sub(1)
                } else {
                    (self.recalled + 1).min(self.history.len())
                };
                let text = self.history.get(self.recalled).cloned().unwrap_or_default();
                self.typed = Input::new(text);
                vec![self.say(false)]
            }
            _ => Vec::new(),
        }
    }

    /// Takes a letter.
    pub fn typed(&mut self, key: KeyEvent) -> Vec<Effect> {
        if input::typed(&mut self.typed, key) { vec![self.say(false)] } else { Vec::new() }
    }

    /// Takes pasted text.
    pub fn pasted(&mut self, pasted: &str) -> Vec<Effect> {
        input::pasted(&mut self.typed, pasted);
        vec![self.say(false)]
    }

    /// Draws itself on the last line of `area`.
    pub fn draw(&self, buffer: &mut Buffer, area: Rect, context: &Context<'_>) {
        let line = Rect { y: area.bottom().saturating_sub(1), height: 1.min(area.height), ..area };
        Clear.render(line, buffer);
        let label = format!(" {}: ", self.ask.label());
        let (x, _) = buffer.set_stringn(line.x, line.y, label, usize::from(line.width), context.look.key);
        let room = Rect { x, width: line.right().saturating_sub(x), ..line };
        input::draw(buffer, room, &self.typed, Style::new(), true, false);
    }
}
