//! Text from outside never acts on the terminal.
//!
//! A log message, a mail address or a schedule's name may hold escape sequences, direction overrides or hidden
//! letters. Everything that is drawn passes through [`neutral`] (one line) or [`lines`] (several): control
//! characters become visible marks, what cannot be seen becomes `�`, and a pile of combining marks is cut.
//! Ordinary ASCII is borrowed, so the common case costs one scan.

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar;

/// Marks on one letter beyond which the rest is dropped: no living language needs more.
const MARKS: usize = 3;

/// What a newline is shown as where only one line is free.
const NEWLINE: char = '↵';

/// What a character that hides or steers is shown as.
const HIDDEN: char = '\u{FFFD}';

/// `text` as one harmless line.
pub fn neutral(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| (0x20..0x7F).contains(&byte)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut marks = 0;
    let mut hidden = false;
    for letter in text.chars() {
        let shown = visible(letter);
        // A run of hidden characters is one mark, or a smuggled sentence would push the rest off the screen.
        let repeats = shown == Some(HIDDEN) && hidden;
        hidden = shown == Some(HIDDEN) || (hidden && shown.is_none());
        let Some(shown) = shown else { continue };
        marks = if shown.width() == Some(0) { marks + 1 } else { 0 };
        if marks <= MARKS && !repeats {
            out.push(shown);
        }
    }
    Cow::Owned(out)
}

/// The lines of `text`, each harmless. A tab is four spaces.
pub fn lines(text: &str) -> impl Iterator<Item = String> + '_ {
    text.lines().map(|line| neutral(&line.replace('\t', "    ")).into_owned())
}

/// Whether `letter` acts on a terminal, or hides or steers what is read.
pub fn acts(letter: char) -> bool {
    visible(letter) != Some(letter)
}

/// What stands for `letter` on the screen; `None` for what is left out without loss.
fn visible(letter: char) -> Option<char> {
    match letter {
        '\n' | '\u{2028}' | '\u{2029}' | '\u{85}' => Some(NEWLINE),
        '\t' => Some(' '),
        // A carriage return says nothing beside its newline; variation selectors change widths behind the
        // terminal's back and can carry hidden bytes.
        '\r' | '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}' => None,
        // The control pictures show which one it was.
        '\0'..='\u{1F}' => char::from_u32(0x2400 + u32::from(letter)),
        '\u{7F}' => Some('␡'),
        '\u{80}'..='\u{9F}'
        | '\u{AD}'
        | '\u{34F}'
        | '\u{61C}'
        | '\u{115F}'..='\u{1160}'
        | '\u{17B4}'..='\u{17B5}'
        | '\u{180B}'..='\u{180F}'
        | '\u{200B}'..='\u{200F}'
        | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}'
        | '\u{3164}'
        | '\u{FEFF}'
        | '\u{FFA0}'
        | '\u{FFF0}'..='\u{FFFB}'
        | '\u{1D173}'..='\u{1D17A}'
        | '\u{E0000}'..='\u{E00FF}'
        | '\u{E01F0}'..='\u{E0FFF}' => Some(HIDDEN),
        other => Some(other),
    }
}

/// Columns that `text` takes: each letter for itself, as a terminal puts it into cells. (A width of the whole counts
/// some pairs of Arabic letters as one.)
pub fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().map(|letter| letter.width().unwrap_or(0)).sum() }
}

/// `text` cut to `columns`, the cut shown by `~`.
pub fn fit(text: &str, columns: usize) -> Cow<'_, str> {
    if text.len() <= columns || width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let mut used = 0;
    let mut out = String::with_capacity(columns);
    for letter in text.chars() {
        let more = letter.width().unwrap_or(0);
        if used + more + 1 > columns {
            break;
        }
        used += more;
        out.push(letter);
    }
    if columns > 0 {
        out.push('~');
    }
    Cow::Owned(out)
}

/// `text` broken into lines of at most `columns`, at spaces where there are any.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut out = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split_inclusive(' ') {
        let wide = width(word.trim_end());
        if used > 0 && used + wide > columns {
            out.push(std::mem::take(&mut line).trim_end().to_owned());
            used = 0;
        }
        for letter in word.chars() {
            let more = letter.width().unwrap_or(0);
            if used + more > columns && letter != ' ' {
                out.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push(letter);
            used += more;
        }
    }
    out.push(line.trim_end().to_owned());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_text_is_borrowed_and_foreign_letters_survive() {
        assert!(matches!(neutral("mail sent to ana@example.com"), Cow::Borrowed(_)));
        assert_eq!(neutral("señal ✓ 東京 עברית é"), "señal ✓ 東京 עברית é");
    }

    #[test]
    fn nothing_that_acts_on_a_terminal_survives() {
        let hostile = "\u{1B}]0;owned\u{7}\u{1B}[2J\u{9B}31m\u{90}q\u{202E}gpj.exe\u{2066}\u{200B}\u{E0041}\u{E0042}\u{FEFF}\r\n\0end";
        let shown = neutral(hostile);
        assert!(shown.chars().all(|c| !c.is_control()), "{shown:?}");
        assert!(!shown.contains(['\u{202E}', '\u{2066}', '\u{200B}', '\u{E0041}', '\u{FEFF}']), "{shown:?}");
        assert_eq!(shown, "␛]0;owned␇␛[2J�31m�q�gpj.exe�↵␀end");
    }

    #[test]
    fn a_pile_of_marks_is_cut_and_newlines_are_seen() {
        let pile = format!("a{}b", "\u{301}".repeat(200));
        assert_eq!(neutral(&pile).chars().count(), 2 + MARKS);
        assert_eq!(neutral("one\ntwo\r\nthree\u{2028}four"), "one↵two↵three↵four");
        assert_eq!(lines("a\tb\nc\u{1B}d").collect::<Vec<_>>(), ["a    b", "c␛d"]);
    }

    #[test]
    fn text_is_cut_and_wrapped_by_columns_not_by_bytes() {
        assert_eq!(fit("東京東京", 5), "東京~");
        assert_eq!(fit("short", 5), "short");
        assert_eq!(fit("longer", 0), "");
        // Lam and alef are two cells, though they are written as one letter.
        assert_eq!((width("\u{644}\u{627}"), width("e\u{301}"), width("東")), (2, 1, 2));
        assert_eq!(wrap("the quick brown fox", 9), ["the quick", "brown fox"]);
        assert_eq!(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("", 4), [""]);
    }
}
