//! Asking the operator: a password without echo, a name to confirm.

use std::io::{self, BufRead, IsTerminal, Read, Write};

use astrops_api::Secret;
use crossterm::{
    event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers},
    terminal,
};

use super::failure::{Failure, code};

/// Longer is not a password, and a pipe that never ends must not fill memory.
const LONGEST: usize = 1024;

/// The password: the first line of stdin if `from_stdin`, or else asked for.
pub fn password(from_stdin: bool) -> Result<Secret, Failure> {
    secret("Password", from_stdin)
}

/// A password to be: as [`password`], but asked for twice.
pub fn new_password(from_stdin: bool) -> Result<Secret, Failure> {
    let password = password(from_stdin)?;
    if !from_stdin {
        again(&password)?;
    }
    Ok(password)
}

/// What must not be seen and is called `what`: the next line of stdin if `from_stdin`, or else asked for.
pub fn secret(what: &str, from_stdin: bool) -> Result<Secret, Failure> {
    let text =
        if from_stdin { first_line(what, io::stdin().lock())? } else { ask_hidden(&format!("{what}: "))? };
    if text.is_empty() {
        return Err(Failure::Usage(format!("the {} is empty: nothing was done", what.to_lowercase())));
    }
    Ok(text.into())
}

/// Asks for a new password once more.
pub fn again(password: &Secret) -> Result<(), Failure> {
    if ask_hidden("The same again: ")? == password.expose() {
        return Ok(());
    }
    Err(Failure::Usage("the two passwords differ: nothing was done".to_owned()))
}

fn first_line(what: &str, input: impl BufRead) -> Result<String, Failure> {
    let what = what.to_lowercase();
    let mut line = String::new();
    let most = u64::try_from(LONGEST + 2).unwrap_or(u64::MAX);
    input
        .take(most)
        .read_line(&mut line)
        .map_err(|error| Failure::Usage(format!("cannot read the {what} from stdin: {error}")))?;
    let text = line.strip_suffix('\n').map_or(line.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
    if text.len() > LONGEST {
        return Err(Failure::Usage(format!("the {what} is longer than {LONGEST} bytes: nothing was done")));
    }
    Ok(text.to_owned())
}

/// The terminal without echo, until dropped.
struct Raw;

impl Raw {
    fn enter() -> io::Result<Self> {
        terminal::enable_raw_mode().map(|()| Self)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // Nothing can be done about a terminal that is gone.
        drop(terminal::disable_raw_mode());
        eprintln!();
    }
}

fn ask_hidden(question: &str) -> Result<String, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::Usage(
            "there is no terminal to ask for the password\npipe it in and say --password-stdin".to_owned(),
        ));
    }
    let lost = |error: io::Error| Failure::Usage(format!("cannot ask for the password: {error}"));
    // Before the question, so that not even a fast answer is shown.
    let raw = Raw::enter().map_err(lost)?;
    eprint!("{question}");
    io::stderr().flush().map_err(lost)?;
    let mut typed = String::new();
    loop {
        let Event::Key(key) = event::read().map_err(lost)? else { continue };
        match press(key, &mut typed) {
            Press::More => {}
            Press::Done => break,
            Press::Stop => {
                drop(raw);
                return Err(Failure::Told(code::INTERRUPTED));
            }
        }
    }
    Ok(typed)
}

#[derive(Debug, PartialEq, Eq)]
enum Press {
    More,
    Done,
    Stop,
}

fn press(key: KeyEvent, typed: &mut String) -> Press {
    if key.kind == KeyEventKind::Release {
        return Press::More;
    }
    let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Enter => return Press::Done,
        KeyCode::Esc => return Press::Stop,
        KeyCode::Char('c' | 'd') if ctrl => return Press::Stop,
        // How a terminal in raw mode reads a line feed, as in a password that is pasted with its line end.
        KeyCode::Char('j') if ctrl => return Press::Done,
        KeyCode::Char('u') if ctrl => typed.clear(),
        KeyCode::Char(c) if !ctrl && typed.len() < LONGEST => typed.push(c),
        KeyCode::Backspace => drop(typed.pop()),
        _ => {}
    }
    Press::More
}

/// Asks the operator to type `name` before `deed` is done.
pub fn confirm(name: &str, deed: &str) -> Result<(), Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::Usage(format!(
            "{name} is in production and there is no terminal to ask on: nothing was done\n\
             this would {deed}; to do it, say --yes"
        )));
    }
    eprint!("{name} is in production. About to {deed}.\nType {name} to go on: ");
    let mut typed = String::new();
    let read = io::stderr().flush().and_then(|()| io::stdin().lock().take(256).read_line(&mut typed));
    match read {
        Ok(_) if typed.trim() == name => Ok(()),
        _ => Err(Failure::Failed("not confirmed: nothing was done".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piped_password_is_the_first_line_as_it_is() {
        let first_line = |text: &str| first_line("Password", text.as_bytes());
        assert_eq!(first_line("  hunter 2 \r\nmore").unwrap(), "  hunter 2 ");
        assert_eq!(first_line("no newline").unwrap(), "no newline");
        let long = "x".repeat(LONGEST + 1);
        assert!(first_line(&long).is_err());
        assert_eq!(first_line(&format!("{}\n", &long[1..])).unwrap().len(), LONGEST);
    }

    #[test]
    fn typing_can_be_corrected_and_stopped() {
        let mut typed = String::new();
        for key in [KeyCode::Char('a'), KeyCode::Char('b'), KeyCode::Backspace] {
            assert_eq!(press(key.into(), &mut typed), Press::More);
        }
        assert_eq!(typed, "a");
        let stop = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(press(stop, &mut typed), Press::Stop);
        assert_eq!(press(KeyCode::Enter.into(), &mut typed), Press::Done);
    }
}
