//! Times and ids as both engines of text write them; anything else is `None` and left to the codec.

use crate::reconcile::core::value::Id;

/// `2026-03-02T12:00:00Z`, with 3, 6 or 9 decimals, with `Z` or `+00:00`: milliseconds since 1970, rounded down.
pub fn millis(text: &[u8]) -> Option<i64> {
    let (clock, rest) = text.split_at_checked(19)?;
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', i1, i2, b':', s1, s2] = *clock
    else {
        return None;
    };
    // Judged once, at the end: a branch for each digit costs more than all of them.
    let mut are_digits = true;
    let mut number = |digits: &[u8]| {
        digits.iter().fold(0, |sum, digit| {
            are_digits &= digit.is_ascii_digit();
            sum * 10 + i64::from(digit.wrapping_sub(b'0'))
        })
    };
    let (year, month, day) = (number(&[y1, y2, y3, y4]), number(&[m1, m2]), number(&[d1, d2]));
    let (hour, minute, second) = (number(&[h1, h2]), number(&[i1, i2]), number(&[s1, s2]));
    let zone = rest.strip_suffix(b"Z").or_else(|| rest.strip_suffix(b"+00:00"))?;
    let fraction = match *zone {
        [] => 0,
        // Smaller parts than milliseconds are dropped, as the codec drops them.
        [b'.', a, b, c] => number(&[a, b, c]),
        [b'.', a, b, c, ref smaller @ ..] if matches!(smaller.len(), 3 | 6) => {
            number(smaller);
            number(&[a, b, c])
        }
        _ => return None,
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    let valid =
        are_digits && year > 0 && (1..=last).contains(&day) && hour < 24 && minute < 60 && second < 60;
    valid.then(|| (days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second) * 1_000 + fraction)
}

/// Days since 1970 of a date of the Gregorian calendar: years begin in March, so that a leap day is the last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The bytes that hexadecimal digits stand for.
pub fn unhex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    const BAD: u8 = u8::MAX;
    const DIGITS: [u8; 256] = {
        let mut digits = [BAD; 256];
        let mut at: u8 = 0;
        while at < 16 {
            digits[b"0123456789abcdef"[at as usize] as usize] = at;
            digits[b"0123456789ABCDEF"[at as usize] as usize] = at;
            at += 1;
        }
        digits
    };
    if text.len() != 2 * N {
        return None;
    }
    let (mut bytes, mut seen) = ([0; N], 0);
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let (high, low) = (DIGITS[pair[0] as usize], DIGITS[pair[1] as usize]);
        seen |= high | low;
        *byte = high << 4 | low & 0x0f;
    }
    (seen < 16).then_some(bytes)
}

/// The twelve bytes of an `ObjectId` from its digits.
pub fn object_id(text: &[u8]) -> Option<Id> {
    unhex(text)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_time_that_is_understood_is_the_one_that_the_library_reads(
            text in "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9](\\.[0-9]{1,9})?(Z|\\+00:00|\\+01:00)",
        ) {
            let library = DateTime::parse_from_rfc3339(&text).ok().map(|time| time.timestamp_millis());
            if let Some(at) = millis(text.as_bytes()) {
                prop_assert_eq!(Some(at), library, "{}", text);
            }
        }

        #[test]
        fn every_time_that_the_databases_write_is_understood(at in -62_135_596_800_000i64..=253_402_300_799_999) {
            let time = DateTime::from_timestamp_millis(at).unwrap();
            for text in [
                time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, false),
                time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
                time.to_rfc3339_opts(chrono::SecondsFormat::Nanos, false),
            ] {
                prop_assert_eq!(millis(text.as_bytes()), Some(at), "{}", text);
            }
        }

        #[test]
        fn ids_come_back_and_nothing_else_is_one(id: [u8; 12], place in 0usize..24, byte: u8) {
            let mut text = crate::reconcile::core::value::hex(&id).into_bytes();
            prop_assert_eq!(object_id(&text), Some(id));
            text[place] = byte;
            prop_assert_eq!(object_id(&text).is_some(), byte.is_ascii_hexdigit());
        }
    }
}
