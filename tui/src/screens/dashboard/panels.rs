//! The panels of the dashboard.

use astrops_api::drift::Agreement;
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::{Dashboard, Focus};
use crate::{
    format,
    screen::Context,
    text,
    theme::severity_word,
    widgets::{log_line::LogLine, panel, sparkline},
};

impl Dashboard {
    pub(super) fn draw_health(&self, buffer: &mut Buffer, area: Rect, context: &Context<'_>) {
        let look = context.look;
        let nodes = self.status.as_ref().map_or(0, |status| status.nodes.len());
        let title = match (&self.status, nodes) {
            (None, _) => "Health".to_owned(),
            (Some(status), 1) => format!("Health  astrops {}", status.version),
            (Some(status), nodes) => format!("Health  astrops {}  {nodes} nodes", status.version),
        };
        let inner = panel::panel(buffer, area, look, &title, false);
        let Some(status) = &self.status else {
            panel::paint(buffer, inner, [Line::styled(" loading", look.dim)]);
            return;
        };
        // What is down comes first: a low screen shows only some.
        let mut parts: Vec<_> = status.parts.iter().collect();
        parts.sort_by_key(|part| part.ok);
        let lines = parts.into_iter().map(|part| {
            let (word, style) = if part.ok { ("ok  ", look.good) } else { ("DOWN", look.critical) };
            let latency = part.latency_ms.filter(|_| part.ok && inner.width >= 34);
            let latency = latency.map(|ms| format!("{ms:.1} ms ")).unwrap_or_default();
            let room = usize::from(inner.width).saturating_sub(16 + latency.len());
            Line::from(vec![
                Span::raw(" "),
                Span::styled(word, style),
                Span::raw(format!(" {:<9} ", text::fit(&text::neutral(&part.name), 9))),
                Span::styled(latency, look.dim),
                Span::styled(text::fit(&text::neutral(&part.detail), room).into_owned(), look.dim),
            ])
        });
        let lines = status
            .agreement
            .iter()
            .map(|agreement| agreement_line(agreement, inner.width, context))
            .chain(lines);
        panel::paint(buffer, inner, lines);
    }

    pub(super) fn draw_queue(&mut self, buffer: &mut Buffer, area: Rect, context: &Context<'_>) {
        let look = context.look;
        let focused = self.focus == Focus::Queue;
        let inner = panel::panel(buffer, area, look, "Queue", focused);
        // Where there is no room for every column, the slowness of attempts is what can wait.
        let wide = inner.width >= 47;
        let p95 = |shown: &str| if wide { format!(" {shown:>7}") } else { String::new() };
        let head = format!(
            " {:<14} {:>6} {:>4} {:>6} {:>5}{}",
            "TYPE",
            "queued",
            "run",
            "failed",
            "/min",
            p95("p95")
        );
        panel::paint(buffer, inner, [Line::styled(head, look.title)]);
        let rows = Rect { y: inner.y + 1.min(inner.height), height: inner.height.saturating_sub(1), ..inner };
        let len = self.types().len();
        self.queue_scroll.settle(len, usize::from(rows.height));
        let lines = self.types().iter().skip(self.queue_scroll.offset).map(|row| {
            let slow = row.p95_ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.0} ms"));
            let failed = if row.failed > 0 { look.bad } else { Style::new() };
            Line::from(vec![
                Span::raw(format!("{:<14} ", row.kind)),
                Span::raw(format!("{:>6} {:>4} ", format::count(row.queued), row.processing)),
                Span::styled(format!("{:>6}", format::count(row.failed)), failed),
                if row.paused {
                    Span::styled(" PAUSED", look.warning)
                } else {
                    Span::raw(format!(" {:>5}{}", row.per_minute, p95(&slow)))
                },
            ])
        });
        let cursor = (focused && len > 0).then(|| self.queue_scroll.row());
        panel::paint_rows(buffer, rows, look, lines, cursor);
    }

    pub(super) fn draw_needs(&mut self, buffer: &mut Buffer, area: Rect, context: &Context<'_>) {
        let look = context.look;
        let focused = self.focus == Focus::Needs;
        let title = format!("Needs attention {}", self.needs.len());
        let inner = panel::panel(buffer, area, look, &title, focused);
        self.draw_today(buffer, area, context, title.len());
        if self.needs.is_empty() {
            let known = self.status.is_some() && self.stats.is_some();
            let words = if known { " Nothing. All is well." } else { " loading" };
            panel::paint(buffer, inner, [Line::styled(words, if known { look.good } else { look.dim })]);
        }
        self.needs_scroll.settle(self.needs.len(), usize::from(inner.height));
        let room = usize::from(inner.width).saturating_sub(6);
        let lines = self.needs.iter().skip(self.needs_scroll.offset).map(|need| {
            let words = text::neutral(&need.words);
            Line::from(vec![
                Span::styled(severity_word(need.severity), look.severity(need.severity)),
                Span::raw(format!(" {}", text::fit(&words, room))),
            ])
        });
        let cursor = (focused && !self.needs.is_empty()).then(|| self.needs_scroll.row());
        panel::paint_rows(buffer, inner, look, lines, cursor);
    }

    /// What is sold, in the border: it needs nobody.
    fn draw_today(&self, buffer: &mut Buffer, area: Rect, context: &Context<'_>, title: usize) {
        let Some(today) = self.today else { return };
        let count = format::count;
        let words = format!(
            " today {} booked, {} cancelled; {} unpaid ",
            count(today.booked),
            count(today.cancelled),
            count(today.unpaid)
        );
        if words.len() + title + 6 <= usize::from(area.width) {
            let wide = u16::try_from(words.len()).unwrap_or(0);
            buffer.set_string(area.right() - wide - 1, area.y, words, context.look.dim);
        }
    }

    pub(super) fn draw_next(&self, buffer: &mut Buffer, area: Rect, context: &Context<'_>) {
        let look = context.look;
        let inner = panel::panel(buffer, area, look, "Next schedules", false);
        let mut next: Vec<(chrono::DateTime<chrono::Utc>, &str)> =
            self.schedules.iter().filter_map(|row| Some((row.next_fire_at?, row.name.as_str()))).collect();
        next.sort();
        let lines = next.into_iter().map(|(at, name)| {
            let room = usize::from(inner.width).saturating_sub(15);
            let name = text::neutral(name);
            Line::from(vec![
                Span::styled(format!(" {:<13} ", format::relative(at, context.now)), look.dim),
                Span::raw(text::fit(&name, room).into_owned()),
            ])
        });
        panel::paint(buffer, inner, lines);
    }

    pub(super) fn draw_errors(&mut self, buffer: &mut Buffer, area: Rect, context: &Context<'_>) {
        let look = context.look;
        let focused = self.focus == Focus::Errors;
        let inner = panel::panel(buffer, area, look, "Errors, newest first", focused);
        if let Some(histogram) = &self.histogram {
            let counts: Vec<u64> = histogram.buckets.iter().map(|at| at.error + at.critical).collect();
            // Entries come as they happen, counts a little later: never say fewer than are shown.
            let since = context.now - chrono::TimeDelta::hours(1);
            let shown = self.errors.iter().filter(|entry| entry.timestamp >= since).count() as u64;
            let all = counts.iter().sum::<u64>().max(shown);
            let words = format!(" {} in the last hour ", format::count(all));
            let wide = u16::try_from(words.len()).unwrap_or(0);
            let bars = u16::try_from(counts.len()).unwrap_or(60).min(area.width.saturating_sub(wide + 30));
            if bars > 10 {
                let x = area.right().saturating_sub(bars + wide + 2);
                buffer.set_string(x, area.y, &words, look.dim);
                let place = Rect { x: x + wide, y: area.y, width: bars, height: 1 };
                buffer.set_string(place.x, place.y, " ".repeat(usize::from(bars)), Style::new());
                sparkline::draw(buffer, place, look, &counts, look.bad);
            }
        }
        if self.errors.is_empty() {
            panel::paint(buffer, inner, [Line::styled(" No errors are known.", look.dim)]);
        }
        self.errors_scroll.settle(self.errors.len(), usize::from(inner.height));
        let width = usize::from(inner.width.saturating_sub(1));
        let lines = self.errors.iter().skip(self.errors_scroll.offset);
        let lines = lines.map(|entry| LogLine::from(entry).line(width, context, None));
        let cursor = (focused && !self.errors.is_empty()).then(|| self.errors_scroll.row());
        panel::paint_rows(buffer, inner, look, lines, cursor);
    }
}

/// How far both databases agree, in `room` columns.
fn agreement_line(agreement: &Agreement, room: u16, context: &Context<'_>) -> Line<'static> {
    let look = context.look;
    let (word, style) = match (agreement.critical, agreement.conflicts, agreement.drift) {
        (1.., ..) => ("CRIT", look.critical),
        (0, 1.., _) => ("ASK ", look.warning),
        (0, 0, 1..) => ("DIFF", look.active),
        (0, 0, 0) => ("ok  ", look.good),
    };
    let (drift, conflicts) = (format::count(agreement.drift), format::count(agreement.conflicts));
    let age = agreement.verified_through.map(|at| format::age(context.now - at));
    let ways = match age {
        None => [format!("drift {drift}, never verified"), format!("drift {drift}, unverified")],
        Some(age) if agreement.conflicts > 0 => [
            format!("drift {drift}, conflicts {conflicts}, verified {age} ago"),
            format!("drift {drift}, {conflicts} wait, {age} ago"),
        ],
        Some(age) => [format!("drift {drift}, verified {age} ago"), format!("drift {drift}, {age} ago")],
    };
    let room = usize::from(room).saturating_sub(7);
    let words = ways.iter().find(|words| words.len() <= room).unwrap_or(&ways[1]);
    Line::from(vec![
        Span::raw(" "),
        Span::styled(word, style),
        Span::raw(format!(" {}", text::fit(words, room))),
    ])
}
