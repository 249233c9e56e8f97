//! Signing in. Shown whenever nobody is; the other screens keep their state behind it.

use astrops_api::auth::Login as Credentials;
use crossterm::event::KeyEvent;
use ratatui::{buffer::Buffer, layout::Rect};

use crate::{
    keys::{Action, Scope},
    message::{LinkState, Request, Update},
    screen::{Context, Effect, Screen},
    text,
    widgets::{
        form::{Field, Form},
        panel,
    },
};

/// The form.
#[derive(Debug)]
pub struct Login {
    form: Form,
    /// Where this console connects to.
    base: String,
    message: Option<String>,
    waiting: bool,
}

impl Login {
    /// A form for the daemon at `base`, with the address filled in when it is known.
    pub fn new(base: &str, email: Option<&str>) -> Self {
        Self { form: fields(email.unwrap_or_default()), base: base.to_owned(), message: None, waiting: false }
    }

    /// Types into the field with the keys.
    pub fn typed(&mut self, key: KeyEvent) {
        self.form.typed(key);
    }

    /// Pastes into the field with the keys.
    pub fn pasted(&mut self, pasted: &str) {
        self.form.pasted(pasted);
    }
}

fn fields(email: &str) -> Form {
    let mut form =
        Form::new(vec![Field::text("email", "e-mail", true, email), Field::secret("password", "password")]);
    form.focus = usize::from(!email.is_empty());
    form
}

impl Screen for Login {
    fn scope(&self) -> Scope {
        Scope::Login
    }

    fn act(&mut self, action: Action, _context: &Context<'_>) -> Vec<Effect> {
        match action {
            Action::Open if !self.form.at_end() => {
                self.form.act(Action::Focus);
            }
            Action::Open if self.form.is_complete() && !self.waiting => {
                self.waiting = true;
                self.message = None;
                let credentials = Credentials::new(self.form.get("email"), self.form.get("password").into());
                return vec![Effect::Ask(Request::SignIn(credentials))];
            }
            action => {
                self.form.act(action);
            }
        }
        Vec::new()
    }

    fn update(&mut self, update: &Update, _context: &Context<'_>) -> Vec<Effect> {
        match update {
            Update::SignInFailed(reason) => {
                self.waiting = false;
                self.message = Some(reason.clone());
                self.form = fields(self.form.get("email"));
            }
            Update::SessionEnded(reason) => {
                self.waiting = false;
                self.message = Some(format!("Signed out: {reason}"));
                self.form = fields(self.form.get("email"));
            }
            Update::SignedIn(signed_in) => {
                self.waiting = false;
                self.message = None;
                // The password is not kept a moment longer than needed.
                self.form = fields(&signed_in.user.email);
            }
            Update::Failed(request, reason) if matches!(**request, Request::SignIn(_)) => {
                self.waiting = false;
                self.message = Some(reason.clone());
            }
            _ => {}
        }
        Vec::new()
    }

    fn draw(&mut self, buffer: &mut Buffer, area: Rect, context: &Context<'_>) {
        let look = context.look;
        let width = area.width.saturating_sub(8).clamp(20, 64);
        let columns = usize::from(width);
        let words = match (&self.message, self.waiting, context.link) {
            (_, true, _) => "signing in ...".to_owned(),
            (Some(message), ..) => message.clone(),
            (None, _, LinkState::Connecting | LinkState::Waiting { .. }) => {
                "Trying the session of last time ...".to_owned()
            }
            _ => "Your AstroBookings operator account.".to_owned(),
        };
        let words = text::wrap(&text::neutral(&words), columns);
        let height = u16::try_from(words.len()).unwrap_or(3) + 6;
        let inner = panel::dialog(buffer, area, look, "astrops - sign in", (width, height));
        let style = if self.message.is_some() && !self.waiting { look.bad } else { look.dim };
        let mut lines =
            vec![ratatui::text::Line::styled(format!("to {}", text::neutral(&self.base)), look.dim)];
        lines.extend(words.into_iter().map(|line| ratatui::text::Line::styled(line, style)));
        let taken = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(1).min(inner.height);
        panel::paint(buffer, inner, lines);
        let fields = Rect { y: inner.y + taken, height: inner.height - taken, ..inner };
        self.form.draw(buffer, Rect { height: fields.height.min(2), ..fields }, look);
        if fields.height > 3 {
            let hint = text::fit("Tab next field   Enter signs in   ctrl-c quits", columns).into_owned();
            buffer.set_stringn(inner.x, inner.bottom() - 1, hint, columns, look.dim);
        }
    }
}
