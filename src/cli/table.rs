//! Tables and lists of facts for people: aligned, cut to the terminal, neutral.
//!
//! Columns that matter less are left out first, then wide texts are cut with an ellipsis; ids never are,
//! because they are copied. Without a terminal nothing is cut or left out.

use unicode_width::UnicodeWidthStr;

use super::{
    failure::Failure,
    output::{Output, Tone, neutral},
};

/// No column is cut below this.
const LEAST: usize = 8;
const SPACE: usize = 2;

/// How a column behaves when there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// Always whole.
    Whole,
    /// Whole, right-aligned.
    Number,
    /// May be cut.
    Cut,
    /// Left out when there is no room, those with the highest rank first; before that it may be cut.
    Optional(u8),
}

/// A text with a meaning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// `text`, made neutral, in a tone.
    pub fn new(text: &str, tone: Tone) -> Self {
        Self { text: neutral(text).into_owned(), tone }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(&text.into(), Tone::Plain)
    }
}

/// Rows under headings.
pub struct Table<const N: usize> {
    columns: [(&'static str, Fit); N],
    rows: Vec<[Cell; N]>,
}

impl<const N: usize> Table<N> {
    /// An empty table.
    pub const fn new(columns: [(&'static str, Fit); N]) -> Self {
        Self { columns, rows: Vec::new() }
    }

    /// One more row.
    pub fn row(&mut self, cells: [Cell; N]) {
        self.rows.push(cells);
    }

    /// Writes it.
    pub fn write(&self, out: Output) -> Result<(), Failure> {
        self.lines(out.width, out.colour).iter().try_for_each(|line| out.line(line))
    }

    /// Each line, headings first, no wider than `width` if the columns allow.
    fn lines(&self, width: Option<usize>, colour: bool) -> Vec<String> {
        let widths = self.widths(width);
        let headings = self.columns.map(|(name, _)| Cell::new(name, Tone::Strong));
        std::iter::once(&headings).chain(&self.rows).map(|row| self.line(row, &widths, colour)).collect()
    }

    fn line(&self, row: &[Cell; N], widths: &[Option<usize>; N], colour: bool) -> String {
        let mut line = String::new();
        let mut gap = 0;
        for ((cell, width), (_, fit)) in row.iter().zip(widths).zip(&self.columns) {
            let Some(width) = *width else { continue };
            let text = cut(&cell.text, width);
            let pad = width - text.width().min(width);
            let (before, after) = if *fit == Fit::Number { (pad, 0) } else { (0, pad) };
            if text.is_empty() {
                gap += before;
            } else {
                line += &" ".repeat(gap + before);
                line += &cell.tone.paint(&text, colour);
                gap = 0;
            }
            gap += after + SPACE;
        }
        line
    }

    /// The width of each column; `None` for those left out.
    fn widths(&self, room: Option<usize>) -> [Option<usize>; N] {
        let mut widths = std::array::from_fn(|n| {
            let cells = self.rows.iter().map(|row| row[n].text.width());
            Some(cells.chain([self.columns[n].0.width()]).max().unwrap_or(0))
        });
        let Some(room) = room else { return widths };
        let total = |widths: &[Option<usize>; N]| {
            widths.iter().flatten().map(|width| width + SPACE).sum::<usize>().saturating_sub(SPACE)
        };
        while let Some(last) = self.dispensable(&widths) {
            let least = std::array::from_fn(|n| widths[n].map(|width| self.least(n, width)));
            if total(&least) <= room {
                break;
            }
            widths[last] = None;
        }
        while total(&widths) > room {
            let widest = (0..N)
                .filter(|&n| widths[n].is_some_and(|width| width > self.least(n, width)))
                .max_by_key(|&n| widths[n]);
            let Some(width) = widest.and_then(|n| widths[n].as_mut()) else { break };
            *width -= 1;
        }
        widths
    }

    fn least(&self, column: usize, width: usize) -> usize {
        match self.columns[column].1 {
            Fit::Whole | Fit::Number => width,
            Fit::Cut | Fit::Optional(_) => width.min(LEAST),
        }
    }

    /// The column to leave out next.
    fn dispensable(&self, widths: &[Option<usize>; N]) -> Option<usize> {
        let rank = |n: usize| match self.columns[n].1 {
            Fit::Optional(rank) if widths[n].is_some() => Some(rank),
            _ => None,
        };
        (0..N).filter(|&n| rank(n).is_some()).max_by_key(|&n| rank(n))
    }
}

/// `text` in at most `width` columns, with an ellipsis where it was cut.
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut short = String::new();
    for c in text.chars() {
        short.push(c);
        if short.width() >= width {
            short.pop();
            break;
        }
    }
    short + "…"
}

/// Facts about one thing, one per line; a value of several lines is indented under its label.
#[derive(Default)]
pub struct Facts(Vec<(&'static str, String, Tone)>);

impl Facts {
    /// One more fact.
    pub fn add(&mut self, label: &'static str, value: impl Into<String>) {
        self.0.push((label, value.into(), Tone::Plain));
    }

    /// One more fact in a tone.
    pub fn toned(&mut self, label: &'static str, value: impl Into<String>, tone: Tone) {
        self.0.push((label, value.into(), tone));
    }

    /// One more fact if there is one.
    pub fn maybe(&mut self, label: &'static str, value: Option<impl Into<String>>) {
        if let Some(value) = value {
            self.add(label, value);
        }
    }

    /// Writes them.
    pub fn write(&self, out: Output) -> Result<(), Failure> {
        let width = self.0.iter().map(|(label, ..)| label.len()).max().unwrap_or(0);
        for (label, value, tone) in &self.0 {
            let mut label = *label;
            for line in value.lines() {
                let line = if line.is_empty() { String::new() } else { out.paint(*tone, &neutral(line)) };
                out.line(format!("{label:width$}  {line}").trim_end())?;
                label = "";
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table<4> {
        let mut table = Table::new([
            ("ID", Fit::Whole),
            ("TRY", Fit::Number),
            ("TARGET", Fit::Cut),
            ("ERROR", Fit::Optional(1)),
        ]);
        table.row(["0190-1".into(), "1/5".into(), "somebody@example.com".into(), "451 mailbox busy".into()]);
        table.row([
            "0190-2".into(),
            "10/10".into(),
            Cell::new("東京@example.com\x1b[2J", Tone::Bad),
            "".into(),
        ]);
        table
    }

    #[test]
    fn columns_are_aligned_by_what_is_seen() {
        let lines = sample().lines(None, false);
        assert_eq!(lines[0], "ID        TRY  TARGET                ERROR");
        assert_eq!(lines[1], "0190-1    1/5  somebody@example.com  451 mailbox busy");
        assert_eq!(lines[2], "0190-2  10/10  東京@example.com␛[2J");
    }

    #[test]
    fn a_narrow_terminal_cuts_texts_then_leaves_columns_out_but_never_cuts_an_id() {
        for width in [45, 30, 26, 23] {
            let lines = sample().lines(Some(width), false);
            assert!(lines.iter().all(|line| line.width() <= width), "{width}: {lines:?}");
            assert!(lines[1].starts_with("0190-1    1/5  some"), "{lines:?}");
            assert_eq!(lines[0].contains("ERROR"), width >= 31, "{lines:?}");
        }
        assert_eq!(sample().lines(Some(23), false)[1], "0190-1    1/5  somebod…");
        assert_eq!(sample().lines(Some(5), false)[2], "0190-2  10/10  東京@ex…");
    }

    #[test]
    fn colours_do_not_shift_columns() {
        let lines = sample().lines(None, true);
        assert_eq!(lines[2], "0190-2  10/10  \x1b[31m東京@example.com␛[2J\x1b[0m");
    }
}
