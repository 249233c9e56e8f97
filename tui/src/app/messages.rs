//! What the status line says, and what it said before: nothing that went wrong is gone because a key was pressed.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};
use ratatui::style::Style;

use crate::{format, layers::Page, screen::Tone, theme::Look};

/// How long a message stays.
const STAY: TimeDelta = TimeDelta::seconds(12);

/// Messages that are remembered.
const MOST: usize = 100;

/// What made somebody say something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A key: the next one takes the message away.
    Key,
    /// Something that happened meanwhile: trouble then stays its time, whatever is typed.
    News,
}

#[derive(Debug)]
struct Message {
    tone: Tone,
    words: String,
    at: DateTime<Utc>,
    cause: Cause,
}

/// The messages, the latest last.
#[derive(Debug, Default)]
pub struct Messages {
    said: VecDeque<Message>,
    /// The latest one is not shown any more.
    hidden: bool,
}

impl Messages {
    /// Says something.
    pub fn say(&mut self, tone: Tone, words: String, cause: Cause, at: DateTime<Utc>) {
        // What is said again and again is remembered once.
        if self.said.back().is_some_and(|last| last.words == words) {
            self.said.pop_back();
        } else if self.said.len() == MOST {
            self.said.pop_front();
        }
        self.said.push_back(Message { tone, words, at, cause });
        self.hidden = false;
    }

    /// A key was pressed; `back` backs out of things, and of every message.
    pub fn pressed(&mut self, back: bool) {
        let stays =
            self.said.back().is_some_and(|last| last.cause == Cause::News && last.tone == Tone::Trouble);
        self.hidden |= back || !stays;
    }

    /// What is said now.
    pub fn current(&self, now: DateTime<Utc>) -> Option<(Tone, &str)> {
        let last = self.said.back().filter(|last| !self.hidden && now - last.at < STAY)?;
        Some((last.tone, &last.words))
    }

    /// Everything that was said, the latest first.
    pub fn page(&self, look: &Look, now: DateTime<Utc>) -> Page {
        let lines = self.said.iter().rev().map(|message| {
            let (mark, style) =
                if message.tone == Tone::Trouble { ("! ", look.bad) } else { ("", Style::new()) };
            (format!("{}  {mark}{}", format::moment(message.at, now), message.words), style)
        });
        let mut lines: Vec<_> = lines.collect();
        if lines.is_empty() {
            lines.push(("Nothing was said yet.".to_owned(), look.dim));
        }
        Page::new("Messages, the latest first", lines)
    }
}
