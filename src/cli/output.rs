//! What reaches the terminal: JSON for programs, text for people, and nothing that acts on a terminal.

use std::{
    env,
    io::{self, IsTerminal, Write},
};

use astrops_tui::text::acts;
use serde::Serialize;

pub use astrops_tui::text::neutral;

use super::failure::Failure;

/// How and how much a command says.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// The API's JSON instead of text.
    pub json: bool,
    /// Only ids, one per line; nothing about success.
    pub quiet: bool,
    /// Columns of the terminal; `None` when nobody looks and nothing must be cut.
    pub width: Option<usize>,
    /// Whether colours are wanted.
    pub colour: bool,
}

/// What a text means; the terminal's own 16 colours, so that light themes work too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// As it is.
    #[default]
    Plain,
    /// Less important.
    Dim,
    /// A heading.
    Strong,
    /// Well.
    Good,
    /// Under way.
    Busy,
    /// Worth a look.
    Warn,
    /// Wrong.
    Bad,
}

impl Tone {
    const fn sgr(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Dim => Some("2"),
            Self::Strong => Some("1"),
            Self::Good => Some("32"),
            Self::Busy => Some("36"),
            Self::Warn => Some("33"),
            Self::Bad => Some("31"),
        }
    }

    /// `text` in this tone.
    pub fn paint(self, text: &str, colour: bool) -> String {
        match self.sgr() {
            Some(sgr) if colour => format!("\x1b[{sgr}m{text}\x1b[0m"),
            _ => text.to_owned(),
        }
    }
}

impl Output {
    /// As the flags, the terminal and `NO_COLOR` say.
    pub fn new(json: bool, quiet: bool) -> Self {
        let terminal = io::stdout().is_terminal();
        let width = terminal.then(|| crossterm::terminal::size().map_or(80, |(width, _)| usize::from(width)));
        let plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { json, quiet, width, colour: terminal && !plain }
    }

    /// One line on stdout. `text` must be neutral already.
    #[expect(clippy::unused_self, reason = "everything that is said goes through the output")]
    pub fn line(self, text: &str) -> Result<(), Failure> {
        Ok(writeln!(io::stdout().lock(), "{text}")?)
    }

    /// One JSON document on stdout.
    pub fn document(self, value: &impl Serialize) -> Result<(), Failure> {
        self.line(&json_text(value, true))
    }

    /// One line of JSON of a stream on stdout.
    pub fn record(self, value: &impl Serialize) -> Result<(), Failure> {
        self.line(&json_text(value, false))
    }

    /// The answer as JSON, or else as `people` write it.
    pub fn answer(
        self,
        value: &impl Serialize,
        people: impl FnOnce(Self) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if self.json { self.document(value) } else { people(self) }
    }

    /// Tells a person that it is done; silent for programs and with `--quiet`.
    pub fn done(self, words: &str) -> Result<(), Failure> {
        if self.json || self.quiet { Ok(()) } else { self.line(&neutral(words)) }
    }

    /// A remark beside the output, on stderr.
    pub fn note(self, words: &str) {
        if !self.quiet {
            eprintln!("{}", neutral(words));
        }
    }

    /// `text` in a tone, if colours are wanted.
    pub fn paint(self, tone: Tone, text: &str) -> String {
        tone.paint(text, self.colour)
    }
}

/// `value` as JSON with whatever acts on a terminal escaped: the same document to every parser.
pub fn json_text(value: &impl Serialize, pretty: bool) -> String {
    let text = if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
    // The types of the contract have text keys and no failing serializer.
    let text = text.unwrap_or_else(|error| format!("{{\"error\":{:?}}}", error.to_string()));
    safe_json(&text)
}

/// JSON text with whatever acts on a terminal escaped: the same document to every parser.
pub fn safe_json(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut safe, c| {
        if c != '\n' && acts(c) {
            let mut units = [0; 2];
            let escapes = c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}"));
            safe.extend(escapes);
        } else {
            safe.push(c);
        }
        safe
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_escaped_for_the_terminal_and_means_the_same() {
        let value = serde_json::json!({ "message": "\x1b[2J\u{9b}1m\u{202e}\u{e0041} é" });
        for pretty in [true, false] {
            let text = json_text(&value, pretty);
            assert!(!text.chars().any(|c| c != '\n' && acts(c)), "{text}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
        }
    }

    #[test]
    fn colours_are_only_there_when_wanted() {
        assert_eq!(Tone::Bad.paint("failed", true), "\x1b[31mfailed\x1b[0m");
        assert_eq!(Tone::Bad.paint("failed", false), "failed");
        assert_eq!(Tone::Plain.paint("x", true), "x");
    }
}
