//! Counts over time as one row of bars.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use crate::theme::Look;

/// Draws the latest `counts` right-aligned, the highest as a full bar.
pub fn draw(buffer: &mut Buffer, area: Rect, look: &Look, counts: &[u64], style: Style) {
    let top = counts.iter().copied().max().unwrap_or(0).max(1);
    let full = look.bars.len() as u64 - 1;
    let shown = counts.len().min(usize::from(area.width));
    for (x, count) in (area.left()..area.right()).zip(&counts[counts.len() - shown..]) {
        // Anything above nothing is seen.
        let level = if *count == 0 { 0 } else { (count * full / top).max(1) };
        let bar = look.bars[usize::try_from(level).unwrap_or(0)];
        buffer.set_string(x, area.y, bar, style);
    }
}
