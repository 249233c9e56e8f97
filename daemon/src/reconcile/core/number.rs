//! BSON's four kinds of numbers, equal by value: whole numbers and amounts are read from any of them and written in the
//! kind that the document already uses.

use bson::{Bson, Decimal128};

/// Above this a double no longer holds every whole number.
const EXACT: f64 = 9_007_199_254_740_992.0;
/// How far from a whole cent a double may be: sums and products of amounts are off by less.
const CENT: f64 = 1e-6;

/// Why a number is none that we can keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadNumber {
    /// Not one of the four kinds.
    #[error("not a number")]
    Kind,
    /// NaN or infinite.
    #[error("not a finite number")]
    Finite,
    /// More decimals than allowed.
    #[error("too many decimals")]
    Decimals,
    /// Larger than 64 bits, or than a double holds exactly.
    #[error("too large")]
    Large,
}

/// The whole number that a BSON number stands for.
pub fn whole(number: &Bson) -> Result<i64, BadNumber> {
    match number {
        Bson::Double(double) => whole_double(*double),
        other => scaled(other, 0),
    }
}

/// The minor units that a BSON number stands for.
pub fn minor(number: &Bson) -> Result<i64, BadNumber> {
    match number {
        Bson::Double(double) => minor_double(*double),
        other => scaled(other, 2),
    }
}

/// The whole number that a double stands for.
pub fn whole_double(double: f64) -> Result<i64, BadNumber> {
    if !double.is_finite() {
        return Err(BadNumber::Finite);
    }
    if double.fract() != 0.0 {
        return Err(BadNumber::Decimals);
    }
    narrow(double)
}

/// The minor units that a double stands for.
pub fn minor_double(double: f64) -> Result<i64, BadNumber> {
    if !double.is_finite() {
        return Err(BadNumber::Finite);
    }
    let cents = (double * 100.0).round();
    // Either the nearest double of that amount, however large, or next to it.
    #[expect(clippy::float_cmp, reason = "the nearest double of an amount is one exact value")]
    let is_amount = cents / 100.0 == double || (double * 100.0 - cents).abs() <= CENT;
    if is_amount { narrow(cents) } else { Err(BadNumber::Decimals) }
}

/// A whole number, in the kind of `like` where that can hold it.
pub fn write_whole(number: i64, like: Option<&Bson>) -> Bson {
    match like {
        Some(Bson::Double(_)) if fits_double(number) => Bson::Double(widen(number)),
        Some(Bson::Int64(_)) => Bson::Int64(number),
        Some(Bson::Decimal128(_)) => decimal(number, 0),
        _ => i32::try_from(number).map_or(Bson::Int64(number), Bson::Int32),
    }
}

/// An amount in minor units, in the kind of `like` where that can hold it; as a double when nothing is known.
pub fn write_minor(minor: i64, like: Option<&Bson>) -> Bson {
    match like {
        Some(Bson::Int32(_) | Bson::Int64(_)) if minor % 100 == 0 => write_whole(minor / 100, like),
        Some(Bson::Decimal128(_)) => decimal(minor, 2),
        _ => Bson::Double(widen(minor) / 100.0),
    }
}

fn scaled(number: &Bson, places: i32) -> Result<i64, BadNumber> {
    let factor = 10i64.pow(places.unsigned_abs());
    match number {
        Bson::Int32(number) => i64::from(*number).checked_mul(factor).ok_or(BadNumber::Large),
        Bson::Int64(number) => number.checked_mul(factor).ok_or(BadNumber::Large),
        Bson::Decimal128(number) => shift(&number.to_string(), places),
        _ => Err(BadNumber::Kind),
    }
}

/// A decimal's text times ten to the power of `places`, exactly.
fn shift(text: &str, places: i32) -> Result<i64, BadNumber> {
    let (sign, unsigned) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (mantissa, exponent) = unsigned.split_once('E').unwrap_or((unsigned, "0"));
    let (head, tail) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{head}{tail}");
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(BadNumber::Finite);
    }
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Ok(0);
    }
    let exponent: i32 = exponent.parse().map_err(|_| BadNumber::Large)?;
    let decimals = i32::try_from(tail.len()).map_err(|_| BadNumber::Large)?;
    let zeros = exponent.saturating_sub(decimals).saturating_add(places);
    let count = usize::try_from(zeros.unsigned_abs()).unwrap_or(usize::MAX);
    let whole = if zeros >= 0 {
        if count > 19 {
            return Err(BadNumber::Large);
        }
        format!("{digits}{}", "0".repeat(count))
    } else {
        let kept = digits.trim_end_matches('0');
        if digits.len() - kept.len() < count {
            return Err(BadNumber::Decimals);
        }
        digits[..digits.len() - count].to_owned()
    };
    whole.parse::<i64>().map(|number| sign * number).map_err(|_| BadNumber::Large)
}

/// The coefficient and exponent of a Decimal128 hold any i64 exactly, so this falls back to a double never.
fn decimal(number: i64, places: u32) -> Bson {
    let text = if places == 0 { number.to_string() } else { format!("{number}E-{places}") };
    text.parse::<Decimal128>()
        .map_or_else(|_| Bson::Double(widen(number) / 10f64.powf(f64::from(places))), Bson::Decimal128)
}

fn fits_double(number: i64) -> bool {
    number.unsigned_abs() <= 1 << 53
}

#[expect(
    clippy::cast_precision_loss,
    reason = "callers keep to what a double holds: 2^53, or amounts below 1e12"
)]
const fn widen(number: i64) -> f64 {
    number as f64
}

fn narrow(double: f64) -> Result<i64, BadNumber> {
    if double.abs() > EXACT {
        return Err(BadNumber::Large);
    }
    #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
    Ok(double as i64)
}
