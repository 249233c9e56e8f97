//! The run loop: terminal, keys, updates, frames.
//!
//! Input is painted at once; data at most [`FRAME`] apart, so a burst of log rows costs frames, not rows; and
//! when nothing changes but the clock, only its digits are written.

use std::{
    io::{IsTerminal, stdout},
    time::Duration,
};

use anyhow::{Context as _, bail};
use astrops_api::{Client, Secret, auth::SignedIn};
use chrono::{DateTime, Utc};
use crossterm::event::{Event, EventStream, KeyEventKind, MouseEventKind};
use futures::StreamExt;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc::{self, error::TrySendError},
    time::{Instant, MissedTickBehavior},
};

use crate::{
    app::{App, Command, Settings},
    clipboard::{self, Between},
    link::{self, Link, Renew},
    message::{Request, Update},
    terminal::Screen,
    theme::Theme,
};

/// Data is painted at most so often: 30 frames a second.
const FRAME: Duration = Duration::from_millis(33);

/// Questions that may wait for the link. A full queue means that it does not get through: more would not help.
const REQUESTS: usize = 64;

/// Updates that may wait for the screen. When they do, the link waits too, and the daemon in turn.
const UPDATES: usize = 256;

/// What is called with the answer to a sign-in.
type OnSignedIn = Box<dyn Fn(&SignedIn) + Send>;

/// How the console is started.
#[derive(Default)]
pub struct Options {
    /// The profile's name, shown in the header.
    pub profile_name: String,
    /// The token of a session that may still hold.
    pub token: Option<Secret>,
    /// Who signs in, to spare the typing.
    pub email: Option<String>,
    /// Never change anything.
    pub read_only: bool,
    /// Ask for the number of items before every change.
    pub production: bool,
    /// Colours.
    pub theme: Theme,
    /// Draw borders and bars with ASCII only.
    pub ascii: bool,
    /// Where the next token comes from; without it the console asks for the password when the token ends.
    pub renew: Option<Renew>,
    /// Called when somebody signed in, so that the tokens can be kept.
    pub on_signed_in: Option<OnSignedIn>,
}

/// The console of one daemon.
pub struct Console {
    client: Client,
    options: Options,
}

impl Console {
    /// A console for the daemon that `client` speaks to.
    #[must_use]
    pub const fn new(client: Client, options: Options) -> Self {
        Self { client, options }
    }

    /// Runs until the operator leaves, the terminal is closed, or SIGTERM comes.
    ///
    /// # Errors
    /// When there is no terminal, or it cannot be drawn on.
    pub async fn run(self) -> anyhow::Result<()> {
        if !stdout().is_terminal() {
            bail!("the console needs a terminal; in scripts use the commands, such as `astrops jobs list`");
        }
        let Options { profile_name, token, email, read_only, production, theme, ascii, renew, on_signed_in } =
            self.options;
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let settings = Settings {
            profile: profile_name,
            base: self.client.base().to_owned(),
            email,
            read_only,
            production,
            theme: if no_colour { Theme::Mono } else { theme },
            ascii,
        };
        let title = format!("astrops {}", crate::text::neutral(&settings.profile));
        let app = App::new(settings).map_err(anyhow::Error::msg).context("the key table is broken")?;
        let (requests, inbox) = mpsc::channel(REQUESTS);
        let (outbox, updates) = mpsc::channel(UPDATES);
        let link = tokio::spawn(Link::new(self.client, token, renew, inbox, outbox, random).run());
        let between =
            Between::from_environment(std::env::var_os("TMUX").is_some(), std::env::var_os("STY").is_some());
        let screen = Screen::take(&title).context("the terminal cannot be taken over")?;
        let ended = Running { app, screen, requests, updates, between, on_signed_in }.run().await;
        link.abort();
        ended
    }
}

/// The one place where the console reads the clock.
#[expect(clippy::disallowed_methods, reason = "the edge: everything inside gets the time as a parameter")]
fn now() -> DateTime<Utc> {
    Utc::now()
}

/// A number from 0 to 1. Hash keys are random per process and call; better chance is not needed for a pause.
fn random() -> f64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let bits = RandomState::new().build_hasher().finish();
    f64::from(u32::try_from(bits >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}

struct Running {
    app: App,
    screen: Screen,
    requests: mpsc::Sender<Request>,
    updates: mpsc::Receiver<Update>,
    between: Between,
    on_signed_in: Option<OnSignedIn>,
}

impl Running {
    async fn run(mut self) -> anyhow::Result<()> {
        let mut events = EventStream::new();
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        let mut second = tokio::time::interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut drawn = Instant::now();
        self.draw()?;
        let mut dirty = false;
        loop {
            let next_frame = drawn + FRAME;
            let commands = tokio::select! {
                event = events.next() => match event {
                    Some(Ok(event)) => {
                        let commands = self.input(&event);
                        // Painted at once: an operator feels it.
                        drawn = Instant::now().checked_sub(FRAME).unwrap_or(drawn);
                        dirty = true;
                        commands
                    }
                    Some(Err(error)) => return Err(error).context("the terminal cannot be read"),
                    None => return Ok(()),
                },
                update = self.updates.recv() => {
                    let Some(update) = update else { bail!("the connection task has ended; please report this") };
                    dirty = true;
                    self.take_updates(&update)
                }
                () = tokio::time::sleep_until(next_frame), if dirty => Vec::new(),
                _ = second.tick() => {
                    dirty = true;
                    self.app.tick(now())
                }
                _ = terminate.recv() => return Ok(()),
                _ = hang_up.recv() => return Ok(()),
            };
            for command in commands {
                if self.carry_out(command)? {
                    return Ok(());
                }
            }
            if dirty && drawn.elapsed() >= FRAME {
                self.draw()?;
                drawn = Instant::now();
                dirty = false;
            }
        }
    }

    fn input(&mut self, event: &Event) -> Vec<Command> {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => self.app.key(*key, now()),
            Event::Paste(text) => self.app.pasted(text, now()),
            Event::Mouse(mouse) => match mouse.kind {
                MouseEventKind::ScrollUp => self.app.wheel(true, now()),
                MouseEventKind::ScrollDown => self.app.wheel(false, now()),
                _ => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    /// Takes in this update and what else is there, though not so much that a frame is late.
    fn take_updates(&mut self, first: &Update) -> Vec<Command> {
        let mut commands = self.app.update(first, now());
        let mut taken = 1;
        while taken < 32
            && let Ok(update) = self.updates.try_recv()
        {
            commands.extend(self.app.update(&update, now()));
            taken += 1;
        }
        self.app.figures().updates += taken;
        commands
    }

    /// Does what the app wants; `true` ends the console.
    fn carry_out(&mut self, command: Command) -> anyhow::Result<bool> {
        match command {
            Command::Ask(request) => {
                if let Err(TrySendError::Full(request) | TrySendError::Closed(request)) =
                    self.requests.try_send(request)
                {
                    self.app.figures().dropped += 1;
                    let refusal =
                        link::refuse(request, "the daemon is slow to answer; try again in a moment");
                    self.app.update(&refusal, now());
                }
            }
            Command::Copy(text) => clipboard::copy(&text, self.between, &mut stdout())?,
            Command::SignedIn(signed_in) => {
                if let Some(tell) = &self.on_signed_in {
                    tell(&signed_in);
                }
            }
            Command::Suspend => self.screen.suspend()?,
            Command::Redraw => self.screen.terminal.clear()?,
            Command::Mouse(on) => self.screen.mouse(on)?,
            Command::Quit => return Ok(true),
        }
        Ok(false)
    }

    fn draw(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        let app = &mut self.app;
        self.screen
            .terminal
            .draw(|frame| {
                let area = frame.area();
                app.draw(frame.buffer_mut(), area, now());
            })
            .context("the terminal cannot be drawn on")?;
        self.app.figures().drew(began.elapsed());
        Ok(())
    }
}
