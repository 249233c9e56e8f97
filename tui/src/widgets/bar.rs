//! How much of a whole there is, as a bar.

use crate::theme::Look;

/// A bar of `width` columns. What is there is seen as at least one of them, and only all of it as a full bar.
pub fn bar(look: &Look, part: u64, whole: u64, width: u64) -> String {
    let full = match u128::from(part) * u128::from(width) / u128::from(whole.max(1)) {
        0 if part > 0 => 1,
        columns => u64::try_from(columns).unwrap_or(width).min(width),
    };
    let (on, off) = if look.ascii { ("#", ".") } else { ("█", "░") };
    let columns = |count: u64| usize::try_from(count).unwrap_or(0);
    format!("{}{}", on.repeat(columns(full)), off.repeat(columns(width - full)))
}
