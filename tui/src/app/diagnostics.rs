//! Figures about the console itself, for `:diag`.

use std::time::Duration;

use ratatui::style::Style;

use crate::format;

/// What the run loop and the link measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Of the last call.
    pub latency: Duration,
    /// Frames drawn.
    pub frames: u64,
    /// Time to draw and write the last frame.
    pub frame: Duration,
    /// The longest of those.
    pub longest: Duration,
    /// Updates taken in.
    pub updates: u64,
    /// Requests that found the link's queue full and were dropped.
    pub dropped: u64,
}

impl Figures {
    /// A frame was drawn.
    pub fn drew(&mut self, took: Duration) {
        self.frames += 1;
        self.frame = took;
        self.longest = self.longest.max(took);
    }

    /// The figures as lines, with those of the logs: rows held, arrived and late.
    pub fn lines(&self, logs: (usize, u64, u64), size: (u16, u16)) -> Vec<(String, Style)> {
        let milliseconds = |time: Duration| format!("{:.2} ms", time.as_secs_f64() * 1000.0);
        let (held, arrived, lagged) = logs;
        [
            format!("version         {}", env!("CARGO_PKG_VERSION")),
            format!("screen          {} x {}", size.0, size.1),
            format!("latency         {}", milliseconds(self.latency)),
            format!("frames          {}", format::count(self.frames)),
            format!("last frame      {}", milliseconds(self.frame)),
            format!("longest frame   {}", milliseconds(self.longest)),
            format!("updates         {}", format::count(self.updates)),
            format!("requests lost   {}", format::count(self.dropped)),
            format!("log rows held   {}", format::count(held as u64)),
            format!("log rows seen   {}", format::count(arrived)),
            format!("log rows late   {} (came by resuming)", format::count(lagged)),
        ]
        .map(|line| (line, Style::new()))
        .into()
    }
}
