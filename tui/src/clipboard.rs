//! Copying through the terminal (OSC 52), which works over ssh because the terminal is where the operator is.
//!
//! Inside tmux the sequence would stop at tmux in its usual configuration, so tmux itself is asked first
//! (`load-buffer -w` hands the text on to the terminal). Inside screen the sequence is wrapped.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use crossterm::{Command as _, clipboard::CopyToClipboard};

/// Terminals drop longer sequences: about 100,000 characters of base64.
const LONGEST: usize = 74_000;

/// What lies between us and the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Between {
    /// Nothing, or ssh.
    Nothing,
    /// tmux.
    Tmux,
    /// GNU screen.
    Screen,
}

impl Between {
    /// As the environment says: `tmux` and `sty` are TMUX and STY.
    pub const fn from_environment(tmux: bool, sty: bool) -> Self {
        match (tmux, sty) {
            (true, _) => Self::Tmux,
            (false, true) => Self::Screen,
            (false, false) => Self::Nothing,
        }
    }
}

/// Puts `text` on the clipboard by way of `terminal`.
pub fn copy(text: &str, between: Between, terminal: &mut impl Write) -> std::io::Result<()> {
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = &text[..end];
    if between == Between::Tmux && ask_tmux(text).unwrap_or(false) {
        return Ok(());
    }
    terminal.write_all(sequence(text, between).as_bytes())?;
    terminal.flush()
}

fn sequence(text: &str, between: Between) -> String {
    let mut plain = String::new();
    // Writing to a text cannot fail.
    let _ = CopyToClipboard::to_clipboard_from(text).write_ansi(&mut plain);
    match between {
        Between::Nothing => plain,
        Between::Tmux => format!("{plain}\u{1B}Ptmux;{}\u{1B}\\", plain.replace('\u{1B}', "\u{1B}\u{1B}")),
        // screen passes at most 768 bytes at a time.
        Between::Screen => plain
            .as_bytes()
            .chunks(700)
            .flat_map(|chunk| ["\u{1B}P".into(), String::from_utf8_lossy(chunk), "\u{1B}\\".into()])
            .collect(),
    }
}

fn ask_tmux(text: &str) -> std::io::Result<bool> {
    let mut tmux = Command::new("tmux")
        .args(["load-buffer", "-w", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    if let Some(mut stdin) = tmux.stdin.take() {
        stdin.write_all(text.as_bytes())?;
    }
    Ok(tmux.wait()?.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_carries_base64_and_is_wrapped_for_multiplexers() {
        assert!(sequence("hello", Between::Nothing).starts_with("\u{1B}]52;c;aGVsbG8="));
        assert!(sequence("hello", Between::Tmux).contains("\u{1B}Ptmux;\u{1B}\u{1B}]52;c;aGVsbG8="));
        let screen = sequence(&"x".repeat(3_000), Between::Screen);
        assert!(screen.split("\u{1B}P").all(|part| part.len() < 768), "each part fits");
    }

    #[test]
    fn too_long_a_text_is_cut_between_letters() {
        let mut out = Vec::new();
        copy(&"ñ".repeat(LONGEST), Between::Nothing, &mut out).unwrap();
        assert!(out.len() < 100_000);
    }
}
