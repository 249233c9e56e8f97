//! What lies over a screen: menus, questions, forms, lines to type in, pages of text. They form a stack; the top
//! one has every key.

pub mod confirm;
pub mod form;
pub mod menu;
pub mod page;
pub mod prompt;

use crossterm::event::KeyEvent;
use ratatui::{buffer::Buffer, layout::Rect};

pub use confirm::Confirm;
pub use form::{FormLayer, Purpose};
pub use menu::Menu;
pub use page::Page;
pub use prompt::{Ask, Prompt};

use crate::{
    keys::{Action, Scope},
    message::Update,
    screen::{Context, Effect},
};

/// One layer.
#[derive(Debug)]
pub enum Layer {
    /// Help, palette or actions.
    Menu(Menu),
    /// A question.
    Confirm(Confirm),
    /// A form.
    Form(Box<FormLayer>),
    /// A line to type in, at the bottom.
    Prompt(Prompt),
    /// A page of text.
    Page(Page),
    /// The page about the console itself, made anew at each drawing.
    Diagnostics(Page),
}

impl Layer {
    /// Whose keys hold.
    pub const fn scope(&self) -> Scope {
        match self {
            Self::Menu(_) => Scope::Menu,
            Self::Confirm(_) => Scope::Confirm,
            Self::Form(_) => Scope::Form,
            Self::Prompt(_) => Scope::Prompt,
            Self::Page(_) | Self::Diagnostics(_) => Scope::Page,
        }
    }

    /// Whether the layer lets the operator type: then keys that are text are text.
    pub fn wants(&self, action: Action) -> bool {
        match self {
            // Left and right move in a text, and choose on a choice.
            Self::Form(form) if matches!(action, Action::ChoiceBack | Action::ChoiceNext) => {
                form.form.on_choice()
            }
            _ => true,
        }
    }

    /// Does `action`.
    pub fn act(&mut self, action: Action, context: &Context<'_>) -> Vec<Effect> {
        match self {
            Self::Menu(menu) => menu.act(action),
            Self::Confirm(confirm) => confirm.act(action, context),
            Self::Form(form) => form.act(action, context),
            Self::Prompt(prompt) => prompt.act(action),
            Self::Page(page) | Self::Diagnostics(page) => page.act(action),
        }
    }

    /// Takes a key that starts no action.
    pub fn typed(&mut self, key: KeyEvent) -> Vec<Effect> {
        match self {
            Self::Menu(menu) => menu.typed(key),
            Self::Confirm(confirm) => confirm.typed(key),
            Self::Form(form) => form.typed(key),
            Self::Prompt(prompt) => return prompt.typed(key),
            Self::Page(_) | Self::Diagnostics(_) => {}
        }
        Vec::new()
    }

    /// Takes pasted text. A question never does.
    pub fn pasted(&mut self, text: &str) -> Vec<Effect> {
        match self {
            Self::Menu(menu) => menu.pasted(text),
            Self::Form(form) => form.form.pasted(text),
            Self::Prompt(prompt) => return prompt.pasted(text),
            Self::Confirm(_) | Self::Page(_) | Self::Diagnostics(_) => {}
        }
        Vec::new()
    }

    /// Takes in news.
    pub fn update(&mut self, update: &Update, context: &Context<'_>) -> Vec<Effect> {
        match self {
            Self::Form(form) => form.update(update, context),
            _ => Vec::new(),
        }
    }

    /// Whether it has done its work and can go.
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Form(form) if form.is_over())
    }

    /// Draws itself over `area`; a prompt takes the last line of it.
    pub fn draw(&mut self, buffer: &mut Buffer, area: Rect, context: &Context<'_>) {
        match self {
            Self::Menu(menu) => menu.draw(buffer, area, context),
            Self::Confirm(confirm) => confirm.draw(buffer, area, context),
            Self::Form(form) => form.draw(buffer, area, context),
            Self::Prompt(prompt) => prompt.draw(buffer, area, context),
            Self::Page(page) | Self::Diagnostics(page) => page.draw(buffer, area, context),
        }
    }
}
