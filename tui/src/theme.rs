//! What things look like: roles, not colours.
//!
//! Only the 16 ANSI colours and `Reset` are used, so the operator's own palette, light or dark, decides.
//! Nothing is told by colour alone: marks, words and brackets say the same.

use astrops_api::vocabulary::{FireOutcome, JobStatus, Severity};
use ratatui::{
    style::{Color, Modifier, Style},
    symbols::border,
};

/// Which colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// For dark terminals.
    #[default]
    Default,
    /// For light terminals.
    Light,
    /// No colours at all; also taken when `NO_COLOR` is set.
    Mono,
}

impl std::str::FromStr for Theme {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "default" => Ok(Self::Default),
            "light" => Ok(Self::Light),
            "mono" => Ok(Self::Mono),
            _ => Err(format!("{text:?} is not one of: default, light, mono")),
        }
    }
}

/// The styles of one theme, and the characters of lines and bars.
#[derive(Clone, Debug)]
pub struct Look {
    /// Less important text.
    pub dim: Style,
    /// Names of columns, panels and fields.
    pub title: Style,
    /// What can be pressed.
    pub key: Style,
    /// The row under the cursor.
    pub cursor: Style,
    /// A marked row.
    pub marked: Style,
    /// The lines around panels.
    pub border: Style,
    /// The lines around the panel that has the keys.
    pub focus: Style,
    /// What works.
    pub good: Style,
    /// What needs a look.
    pub warning: Style,
    /// What failed.
    pub bad: Style,
    /// What somebody must act on.
    pub critical: Style,
    /// What is under way.
    pub active: Style,
    /// What a filter found.
    pub found: Style,
    /// A banner across the screen: connection lost, production.
    pub banner: Style,
    /// The characters of borders.
    pub lines: border::Set<'static>,
    /// Bars from empty to full.
    pub bars: &'static [&'static str],
    /// Whether only ASCII is drawn by us.
    pub ascii: bool,
}

const ASCII_LINES: border::Set<'static> = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

impl Look {
    /// The look of `theme`.
    pub fn new(theme: Theme, ascii: bool) -> Self {
        let plain = Style::new();
        let bold = plain.add_modifier(Modifier::BOLD);
        let dim = plain.add_modifier(Modifier::DIM);
        let reversed = plain.add_modifier(Modifier::REVERSED);
        let lines = if ascii { ASCII_LINES } else { border::PLAIN };
        let bars: &[&str] = if ascii {
            &[" ", ".", ":", "-", "=", "+", "*", "#", "@"]
        } else {
            &[" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
        };
        let mono = Self {
            dim,
            title: bold,
            key: bold,
            // One colour over the whole row: reversed cells of many colours cannot be read.
            cursor: reversed.fg(Color::Reset).bg(Color::Reset),
            marked: bold.remove_modifier(Modifier::DIM),
            border: dim,
            focus: bold,
            good: plain,
            warning: plain.add_modifier(Modifier::UNDERLINED),
            bad: bold,
            critical: reversed.add_modifier(Modifier::BOLD),
            active: plain,
            found: plain.add_modifier(Modifier::UNDERLINED | Modifier::BOLD),
            banner: reversed.add_modifier(Modifier::BOLD),
            lines,
            bars,
            ascii,
        };
        // Yellow and cyan cannot be read on white, blue not on black.
        let (warning, accent) = match theme {
            Theme::Mono => return mono,
            Theme::Default => (Color::Yellow, Color::Cyan),
            Theme::Light => (Color::Magenta, Color::Blue),
        };
        let grey = if theme == Theme::Light { plain.fg(Color::DarkGray) } else { dim };
        Self {
            dim: grey,
            title: bold,
            key: bold.fg(accent),
            marked: bold.fg(accent).remove_modifier(Modifier::DIM),
            border: grey,
            focus: plain.fg(accent),
            good: plain.fg(Color::Green),
            warning: plain.fg(warning),
            bad: plain.fg(Color::Red),
            critical: bold.fg(Color::White).bg(Color::Red),
            active: plain.fg(accent),
            found: bold.fg(warning).add_modifier(Modifier::UNDERLINED),
            banner: bold.fg(Color::White).bg(Color::Red),
            ..mono
        }
    }

    /// How bad, as a style.
    pub const fn severity(&self, severity: Severity) -> Style {
        match severity {
            Severity::Info => self.dim,
            Severity::Warning => self.warning,
            Severity::Error => self.bad,
            Severity::Critical => self.critical,
        }
    }

    /// Where a job stands, as a style.
    pub const fn job(&self, status: JobStatus) -> Style {
        match status {
            JobStatus::Queued => Style::new(),
            JobStatus::Processing => self.active,
            JobStatus::Completed => self.good,
            JobStatus::Failed => self.bad,
            JobStatus::Cancelled => self.dim,
        }
    }

    /// What became of a fire, as a style.
    pub const fn fire(&self, outcome: FireOutcome) -> Style {
        match outcome {
            FireOutcome::Fired | FireOutcome::Triggered => self.good,
            FireOutcome::CaughtUp | FireOutcome::Overlapped => self.warning,
            FireOutcome::Missed => self.bad,
        }
    }
}

/// How bad, in four letters for narrow columns.
pub const fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "WARN",
        Severity::Error => "ERR ",
        Severity::Critical => "CRIT",
    }
}
