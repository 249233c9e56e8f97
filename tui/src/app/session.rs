//! Who uses the console, under which settings, over which connection.

use astrops_api::auth::User;
use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    message::{LinkState, Request},
    screen::Context,
    theme::{Look, Theme},
};

/// What the console was started with.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The profile's name, for the header.
    pub profile: String,
    /// The daemon's address, for the sign-in form.
    pub base: String,
    /// Who signs in, when that is known.
    pub email: Option<String>,
    /// Never change anything.
    pub read_only: bool,
    /// Ask for numbers before every change.
    pub production: bool,
    /// Colours.
    pub theme: Theme,
    /// Borders and bars of ASCII.
    pub ascii: bool,
}

/// The session.
#[derive(Debug)]
pub struct Session {
    pub(super) settings: Settings,
    look: Look,
    user: Option<User>,
    link: LinkState,
    /// When the link tries again.
    retry_at: Option<DateTime<Utc>>,
    stale_since: Option<DateTime<Utc>>,
}

impl Session {
    /// A session of nobody.
    pub fn new(settings: Settings) -> Self {
        Self {
            look: Look::new(settings.theme, settings.ascii),
            settings,
            user: None,
            link: LinkState::Connecting,
            retry_at: None,
            stale_since: None,
        }
    }

    /// What screens may know.
    pub const fn context(&self, now: DateTime<Utc>) -> Context<'_> {
        Context {
            now,
            look: &self.look,
            user: self.user.as_ref(),
            link: &self.link,
            stale_since: self.stale_since,
            read_only: self.settings.read_only,
            production: self.settings.production,
        }
    }

    /// Whether somebody is signed in.
    pub const fn is_signed_in(&self) -> bool {
        self.user.is_some()
    }

    /// How the connection is.
    pub const fn link(&self) -> &LinkState {
        &self.link
    }

    /// When the link tries again.
    pub const fn retry_at(&self) -> Option<DateTime<Utc>> {
        self.retry_at
    }

    /// The connection changed.
    pub fn set_link(&mut self, state: LinkState, now: DateTime<Utc>) {
        self.retry_at = match &state {
            LinkState::Waiting { retry_in, .. } => {
                Some(now + TimeDelta::from_std(*retry_in).unwrap_or_default())
            }
            _ => None,
        };
        if state.is_live() {
            self.stale_since = None;
        } else if self.link.is_live() {
            self.stale_since = Some(now);
        }
        // "Connecting" between two attempts would make the header flicker.
        let quiet = matches!((&self.link, &state), (LinkState::Waiting { .. }, LinkState::Connecting));
        if !quiet {
            self.link = state;
        }
    }

    /// Somebody signed in.
    pub fn sign_in(&mut self, user: User) {
        self.user = Some(user);
    }

    /// The session is over.
    pub fn sign_out(&mut self) {
        self.user = None;
        self.link = LinkState::SignedOut;
        self.stale_since = None;
    }

    /// The last gate: whether `request` may leave the console, or why not.
    pub fn permits(&self, request: &Request) -> Result<(), String> {
        if request.is_mutating() && self.settings.read_only {
            return Err("nothing was done: this profile is read-only".into());
        }
        if request.is_mutating() && !self.link.is_live() {
            return Err("nothing was done: not connected, and commands are not queued".into());
        }
        Ok(())
    }
}
