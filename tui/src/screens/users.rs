//! The users and, behind `a`, the service keys of other programs.

mod accounts;
mod keys;
mod role;

use ratatui::{buffer::Buffer, layout::Rect};

use self::{accounts::Accounts, keys::Keys};
use super::entities::Entities;
use crate::{
    keys::{Action, Scope},
    layers::Ask,
    message::Update,
    screen::{Context, Effect, Place, Screen},
};

/// Both lists, of which one is shown.
#[derive(Default)]
pub struct Users {
    /// The users.
    pub accounts: Entities<Accounts>,
    keys: Keys,
    at_keys: bool,
}

impl Users {
    fn shown(&self) -> &dyn Screen {
        if self.at_keys { &self.keys } else { &self.accounts }
    }

    fn shown_mut(&mut self) -> &mut dyn Screen {
        if self.at_keys { &mut self.keys } else { &mut self.accounts }
    }
}

impl Screen for Users {
    fn scope(&self) -> Scope {
        self.shown().scope()
    }

    fn available(&self, action: Action, context: &Context<'_>) -> Result<(), String> {
        match action {
            Action::ServiceKeys if !context.user.is_some_and(astrops_api::auth::User::is_operator) => {
                Err("only operators see service keys".into())
            }
            _ => self.shown().available(action, context),
        }
    }

    fn act(&mut self, action: Action, context: &Context<'_>) -> Vec<Effect> {
        match action {
            Action::ServiceKeys => {
                self.at_keys = !self.at_keys;
                self.shown_mut().tick(true, context)
            }
            Action::Close if self.at_keys => {
                self.at_keys = false;
                self.accounts.tick(true, context)
            }
            action => self.shown_mut().act(action, context),
        }
    }

    fn update(&mut self, update: &Update, context: &Context<'_>) -> Vec<Effect> {
        let mut effects = self.accounts.update(update, context);
        effects.extend(self.keys.update(update, context));
        effects
    }

    fn tick(&mut self, visible: bool, context: &Context<'_>) -> Vec<Effect> {
        self.shown_mut().tick(visible, context)
    }

    fn prompted(&mut self, ask: &Ask, text: &str, done: bool, context: &Context<'_>) -> Vec<Effect> {
        self.shown_mut().prompted(ask, text, done, context)
    }

    fn visit(&mut self, place: &Place, context: &Context<'_>) -> Vec<Effect> {
        if matches!(place, Place::User(_)) {
            self.at_keys = false;
        }
        self.accounts.visit(place, context)
    }

    fn is_nested(&self) -> bool {
        self.at_keys || self.accounts.is_nested()
    }

    fn hints(&self, context: &Context<'_>) -> &'static [(Action, &'static str)] {
        self.shown().hints(context)
    }

    fn remark(&self, context: &Context<'_>) -> Option<String> {
        self.shown().remark(context)
    }

    fn draw(&mut self, buffer: &mut Buffer, area: Rect, context: &Context<'_>) {
        self.shown_mut().draw(buffer, area, context);
    }
}
