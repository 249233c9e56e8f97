//! One key press, as text and back: `j`, `R`, `ctrl-d`, `PageDown`, `F2`.

use std::{fmt, str::FromStr};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A key with its modifiers. Shift is part of a letter, never a modifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Chord {
    code: KeyCode,
    control: bool,
}

const NAMES: [(&str, KeyCode); 17] = [
    ("Enter", KeyCode::Enter),
    ("Esc", KeyCode::Esc),
    ("Tab", KeyCode::Tab),
    ("BackTab", KeyCode::BackTab),
    ("Up", KeyCode::Up),
    ("Down", KeyCode::Down),
    ("Left", KeyCode::Left),
    ("Right", KeyCode::Right),
    ("Home", KeyCode::Home),
    ("End", KeyCode::End),
    ("PageUp", KeyCode::PageUp),
    ("PageDown", KeyCode::PageDown),
    ("Space", KeyCode::Char(' ')),
    ("Delete", KeyCode::Delete),
    ("Backspace", KeyCode::Backspace),
    ("F1", KeyCode::F(1)),
    ("F2", KeyCode::F(2)),
];

impl Chord {
    /// The key event that makes it.
    #[cfg(test)]
    pub const fn event(self) -> KeyEvent {
        let modifiers = if self.control { KeyModifiers::CONTROL } else { KeyModifiers::NONE };
        KeyEvent::new(self.code, modifiers)
    }

    /// Rule 1 of the console: only these may begin a change.
    #[cfg(test)]
    pub const fn is_upper_case(self) -> bool {
        matches!(self.code, KeyCode::Char(letter) if letter.is_ascii_uppercase()) && !self.control
    }
}

impl From<KeyEvent> for Chord {
    fn from(event: KeyEvent) -> Self {
        let control = event.modifiers.contains(KeyModifiers::CONTROL);
        let code = match event.code {
            KeyCode::Char(letter) if control => KeyCode::Char(letter.to_ascii_lowercase()),
            KeyCode::Tab if event.modifiers.contains(KeyModifiers::SHIFT) => KeyCode::BackTab,
            code => code,
        };
        Self { code, control }
    }
}

impl FromStr for Chord {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (control, name) = match text.strip_prefix("ctrl-") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let mut letters = name.chars();
        let code = match (letters.next(), letters.next()) {
            (Some(letter), None) => Some(KeyCode::Char(letter)),
            _ => NAMES.iter().find(|(known, _)| *known == name).map(|(_, code)| *code),
        };
        code.map(|code| Self { code, control }).ok_or_else(|| format!("{text:?} is not a key"))
    }
}

impl fmt::Display for Chord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.control {
            f.write_str("ctrl-")?;
        }
        match NAMES.iter().find(|(_, code)| *code == self.code) {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "{}", self.code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chord_reads_as_it_is_written() {
        for text in ["j", "R", "ctrl-d", "PageDown", "F2", "Space", "?", "-", "\\", "BackTab"] {
            assert_eq!(text.parse::<Chord>().unwrap().to_string(), text);
        }
        assert!("hyper-x".parse::<Chord>().is_err());
    }

    #[test]
    fn terminals_that_report_shift_mean_the_same() {
        let shifted = KeyEvent::new(KeyCode::Char('R'), KeyModifiers::SHIFT);
        assert_eq!(Chord::from(shifted), "R".parse().unwrap());
        assert_eq!(Chord::from(KeyEvent::new(KeyCode::Tab, KeyModifiers::SHIFT)), "BackTab".parse().unwrap());
    }
}
