//! Text from outside that goes into a mail's envelope or headers, or comes back from a server.

use lettre::Address;

/// Most bytes of an address (RFC 5321 section 4.5.3.1.3 allows a path of 256 with its brackets).
pub const MAX_ADDRESS: usize = 254;

/// Most characters of a subject.
pub const MAX_LINE: usize = 200;

/// Most characters that are kept of what a server says.
const MAX_REPLY: usize = 500;

/// Whether `text` is one bare address such as `ada@example.org`. The error says what is wrong without repeating
/// the address, which may be private.
pub fn check_address(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("is empty; it must be one address such as ada@example.org".to_owned());
    }
    if text.len() > MAX_ADDRESS {
        return Err(format!("has {} bytes; an address has at most {MAX_ADDRESS}", text.len()));
    }
    if text.chars().any(is_hostile) {
        return Err("has a line break or another control character".to_owned());
    }
    match text.parse::<Address>() {
        Ok(_) => Ok(()),
        Err(_) => Err("is not an address; it must be one such as ada@example.org, without a name".to_owned()),
    }
}

/// Whether `text` can be a subject: one line, not empty, at most [`MAX_LINE`] characters.
pub fn check_line(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err("is empty".to_owned());
    }
    if text.chars().any(is_hostile) {
        return Err("has a line break or another control character".to_owned());
    }
    match text.chars().count() {
        count if count > MAX_LINE => Err(format!("has {count} characters; at most {MAX_LINE} are allowed")),
        _ => Ok(()),
    }
}

/// What a server said, fit for a log, a database and a terminal: no control characters, at most 500 characters.
pub(super) fn tame(text: &str) -> String {
    let text = text.replace(is_hostile, " ");
    let mut tame = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if tame.chars().count() > MAX_REPLY {
        tame = tame.chars().take(MAX_REPLY - 1).chain(['…']).collect();
    }
    tame
}

/// Control characters, line separators, and those that reorder or hide what follows them.
pub(super) fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_addresses_pass() {
        for fine in [
            "ada@example.org",
            "a+b.c@mail.example.co.uk",
            "ops@localhost",
            "\"odd one\"@example.org",
            "josé@example.org",
            "ada@bücher.example",
            "ada@[192.0.2.1]",
        ] {
            assert_eq!(check_address(fine), Ok(()), "{fine}");
        }
    }

    #[test]
    fn what_could_reach_a_header_or_another_reader_is_refused() {
        for bad in [
            "",
            "ada",
            "@example.org",
            "ada@",
            " ada@example.org",
            "Ada <ada@example.org>",
            "ada@example.org, bob@example.org",
            "ada@example.org\r\nBcc: bob@example.org",
            "ada@example.org\0",
            "a\u{1b}[2Jda@example.org",
            "ada\u{202e}@example.org",
            "<ada@example.org>",
        ] {
            assert!(check_address(bad).is_err(), "{bad:?}");
        }
        let long =
            format!("{}@{}.example", "a".repeat(64), "b".repeat(60)).replace(".ex", &".bbb".repeat(40));
        assert!(check_address(&long).is_err_and(|error| error.contains("at most 254")));
    }

    #[test]
    fn a_subject_is_one_line() {
        assert_eq!(check_line("Your booking is confirmed ✓"), Ok(()));
        for bad in ["", "  ", "a\rb", "a\nb", "a\0b", "a\u{7f}b", &"x".repeat(201)] {
            assert!(check_line(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_hostile_reply_is_tamed() {
        assert_eq!(
            tame("550 \u{1b}[2J\u{1b}]0;owned\u{7}no\r\n such\tuser"),
            "550 [2J ]0;owned no such user"
        );
        assert_eq!(tame(&"x".repeat(9_000)).chars().count(), 500);
    }
}
