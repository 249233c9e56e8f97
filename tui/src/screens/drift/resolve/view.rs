//! How both sides of an entity are drawn: three columns, then what is known of the field and what would be written.

use astrops_api::{reconciliation::Mappings, resolution::Choice, vocabulary::Severity};
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};
use serde_json::Value;

use super::{Field, Resolve, Verdict, decided, words};
use crate::{format, layers::page::wrapped, screen::Context, screens::entities::Lines, text, widgets::panel};

/// From this width the base has a column of its own; below it, both sides and what is taken matter more.
const WIDE: u16 = 68;

/// How wide the columns are.
struct Widths {
    label: usize,
    /// 0 where there is no room.
    base: usize,
    value: usize,
    take: usize,
}

impl Widths {
    fn of(width: u16) -> Self {
        let wide = width >= WIDE;
        let (take, values) = if wide { (14, 3) } else { (10, 2) };
        let room = usize::from(width).saturating_sub(3 + take);
        let label = (room / 4).clamp(6, 18);
        let value = room.saturating_sub(label + 1 + values) / values;
        Self { label, base: if wide { value } else { 0 }, value, take }
    }
}

impl Resolve {
    /// Draws itself.
    pub fn draw(
        &mut self,
        buffer: &mut Buffer,
        area: Rect,
        mappings: Option<&Mappings>,
        focused: bool,
        context: &Context<'_>,
    ) {
        let look = context.look;
        let name = self.wanted.map_or_else(|| "Both sides".to_owned(), |subject| subject.name());
        let inner = panel::panel(buffer, area, look, &format!("Both sides of {name}"), focused);
        if inner.height < 2 {
            return;
        }
        let room = usize::from(inner.width);
        let head = wrapped(&self.head_lines(context), room.saturating_sub(2));
        // Fields must be seen too: Enter shows all of what does not fit here.
        let rows = u16::try_from(head.len()).unwrap_or(u16::MAX).min((inner.height / 3).max(1));
        let place = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), height: rows, ..inner };
        let cut = head.len() > usize::from(rows);
        panel::paint(buffer, place, head);
        if cut {
            let words = "... Enter";
            let x = place.right().saturating_sub(u16::try_from(words.len()).unwrap_or(0));
            buffer.set_string(x.max(place.x), place.bottom() - 1, words, look.dim);
        }
        if self.file.is_none() {
            return;
        }
        let inner = Rect { y: inner.y + rows, height: inner.height - rows, ..inner };
        let below = self.below_lines(mappings, context);
        let below = wrapped(&below, room.saturating_sub(2));
        // The fields get what they need, but never so much that nothing can be said about them.
        let least = u16::try_from(below.len() + 1).unwrap_or(u16::MAX).min(inner.height / 2);
        let rows = u16::try_from(self.fields.len() + 1).unwrap_or(u16::MAX);
        let table = Rect { height: rows.min(inner.height - least), ..inner };
        self.draw_fields(buffer, table, context);
        let place = Rect {
            x: inner.x + 1,
            y: table.bottom(),
            width: inner.width.saturating_sub(2),
            height: inner.bottom() - table.bottom(),
        };
        if place.height > 1 {
            let rule = look.lines.horizontal_top.repeat(usize::from(place.width));
            buffer.set_stringn(place.x, place.y, rule, usize::from(place.width), look.dim);
            let place = Rect { y: place.y + 1, height: place.height - 1, ..place };
            let fits = usize::from(place.height);
            let cut = below.len() > fits;
            let shown = if cut { fits - 1 } else { fits };
            panel::paint(buffer, place, below.into_iter().take(shown));
            if cut {
                let words = if self.previewed().is_some() {
                    "... p shows all of it"
                } else {
                    "... Enter shows all of it"
                };
                buffer.set_stringn(place.x, place.bottom() - 1, words, usize::from(place.width), look.dim);
            }
        }
    }

    /// How the entity stands, what keeps a side from being read, and why a difference that is known was not mended.
    pub fn head_lines(&self, context: &Context<'_>) -> Lines {
        let look = context.look;
        let mut lines = vec![self.head(context)];
        let Some(file) = &self.file else { return lines };
        if let Some(side) = self.unreadable() {
            let why: Vec<&str> =
                file.diff.conflicts.iter().map(|conflict| conflict.reason.as_str()).collect();
            lines.push((format!("The {side} side cannot be read: {}", why.join("; ")), look.bad));
        }
        // Of this console's own decisions the line of what is held tells.
        if let Some(decision) = file.conflict.as_ref().and_then(|conflict| conflict.decision.as_ref()) {
            let at = format::moment(decision.run_at, context.now);
            let words = format!(
                "Decided by {}: {}; written at {at}. {}",
                decision.by(),
                decision.chosen(),
                decision.reason
            );
            lines.push((words, look.warning));
        }
        // What is only waited for, or is about to be written, says so already.
        let known = file.known.as_ref().filter(|_| file.conflict.is_none());
        if let Some(known) = known.filter(|known| known.text != file.diff.changes_log) {
            let age = format::age(context.now - known.first_seen);
            lines.push((format!("Differs for {age}: {}", known.text), look.warning));
        }
        lines
    }

    /// How the entity stands, in one line.
    fn head(&self, context: &Context<'_>) -> (String, Style) {
        let look = context.look;
        let Some(file) = &self.file else {
            let words = self.error.clone().unwrap_or_else(|| "loading".to_owned());
            return (words, if self.error.is_some() { look.bad } else { look.dim });
        };
        let there = match (file.diff.document.as_str(), file.diff.relational.as_str()) {
            ("there", "there") => String::new(),
            (document, relational) => format!("document {document}, relational {relational}; "),
        };
        match &file.conflict {
            None if file.diff.changes_log == "No changes" => (format!("{there}both sides agree"), look.good),
            None => {
                let log = &file.diff.changes_log;
                let deletes = if log.starts_with("Deleted on") { super::DELETES } else { "" };
                (format!("{there}a job would say: {log}{deletes}"), look.active)
            }
            Some(conflict) => {
                let critical = conflict.severity == Severity::Critical;
                let mark = if critical { "CRITICAL " } else { "" };
                let snoozed = conflict.snoozed_until.filter(|until| *until > context.now);
                let snoozed = snoozed
                    .map(|until| format!(", snoozed until {}", format::moment(until, context.now)))
                    .unwrap_or_default();
                let age = format::age(context.now - conflict.first_seen);
                let style = if critical { look.bad } else { look.warning };
                (format!("{mark}{there}{}, for {age}{snoozed}", conflict.text), style)
            }
        }
    }

    fn draw_fields(&mut self, buffer: &mut Buffer, area: Rect, context: &Context<'_>) {
        let look = context.look;
        let widths = Widths::of(area.width);
        let cell = |words: &str, width: usize| {
            let words = text::fit(words, width).into_owned();
            let blanks = width.saturating_sub(text::width(&words)) + 1;
            format!("{words}{}", " ".repeat(blanks))
        };
        let base = if widths.base > 0 { cell("BASE", widths.base) } else { String::new() };
        let head = format!(
            "   {}{base}{}{}TAKE",
            cell("FIELD", widths.label),
            cell("DOCUMENT", widths.value),
            cell("RELATIONAL", widths.value)
        );
        buffer.set_stringn(area.x, area.y, head, usize::from(area.width), look.title);
        let rows = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
        self.scroll.settle(self.fields.len(), usize::from(rows.height));
        let lines = self.fields.iter().skip(self.scroll.offset).take(usize::from(rows.height)).map(|field| {
            let choice = decided(field, &self.fields, &self.choices);
            let style = match field.verdict {
                Verdict::Conflict => look.warning,
                Verdict::Differs => look.active,
                Verdict::Held => Style::new(),
                Verdict::Equal | Verdict::NotCompared => look.dim,
            };
            let mark = match (choice.is_some(), field.verdict) {
                (true, _) => "+ ",
                (false, Verdict::Conflict) => "! ",
                (false, Verdict::Differs) => "~ ",
                (false, Verdict::Held) => "- ",
                (false, _) => "  ",
            };
            let value = |value: Option<&Value>, side: &Choice| {
                let absent = self.absent(side);
                let words = match (absent, value) {
                    (Some(state), _) => state.to_owned(),
                    (None, None) => "-".to_owned(),
                    (None, Some(value)) => words::brief(value, context.now),
                };
                let words = text::neutral(&words).into_owned();
                let chosen = choice.is_some_and(|(choice, _)| choice == side);
                let moved = absent.is_none() && value.is_some_and(|value| field.moved(value));
                let star = if moved { "*" } else { "" };
                let room = widths.value.saturating_sub(star.len());
                if chosen {
                    let words = text::fit(&words, room.saturating_sub(2)).into_owned();
                    return Span::styled(cell(&format!("[{words}]{star}"), widths.value), look.key);
                }
                let words = text::fit(&words, room).into_owned();
                Span::styled(cell(&format!("{words}{star}"), widths.value), style)
            };
            let take = match choice {
                Some((_, Some(with))) => format!("with {with}"),
                Some((choice, None)) => words::choice(choice),
                None if widths.base == 0 => {
                    field.words.replace("write document", "-> doc").replace("write relational", "-> rel")
                }
                None => field.words.replace("write ", "-> "),
            };
            let mut spans = vec![
                Span::styled(mark, style),
                Span::styled(cell(&text::neutral(&field.label), widths.label), style),
            ];
            if widths.base > 0 {
                spans.push(value(field.base.as_ref(), &Choice::Base));
            }
            spans.push(value(Some(&field.document), &Choice::Document));
            spans.push(value(Some(&field.relational), &Choice::Relational));
            let style = if choice.is_some() { look.key } else { style };
            spans.push(Span::styled(text::fit(&text::neutral(&take), widths.take).into_owned(), style));
            Line::from(spans)
        });
        let cursor = (!self.fields.is_empty()).then(|| self.scroll.row());
        panel::paint_rows(buffer, rows, look, lines.collect::<Vec<_>>(), cursor);
    }

    /// How the side of `choice` stands when it has no row that can be read.
    fn absent(&self, choice: &Choice) -> Option<&str> {
        let diff = &self.file()?.diff;
        let state = match choice {
            Choice::Document => &diff.document,
            Choice::Relational => &diff.relational,
            Choice::Base | Choice::Value(_) => return None,
        };
        Some(state.as_str()).filter(|state| *state != "there")
    }

    /// What is known of the field under the cursor, below what would be written.
    fn below_lines(&self, mappings: Option<&Mappings>, context: &Context<'_>) -> Lines {
        let mut lines = self.preview_lines(mappings, context);
        if let Some(field) = self.field().filter(|_| self.previewed().is_none()) {
            lines.extend(field_lines(field, self, mappings, context));
        }
        lines
    }
}

/// Everything about one field.
pub fn field_lines(
    field: &Field,
    pane: &Resolve,
    mappings: Option<&Mappings>,
    context: &Context<'_>,
) -> Lines {
    let look = context.look;
    let plain = Style::new();
    let mut lines = Lines::new();
    if let Some(Choice::Value(value)) = pane.choices.get(&field.key) {
        lines.push((format!("takes the value {}", words::shown(value)), look.key));
    }
    let style = if field.verdict == Verdict::Conflict { look.warning } else { plain };
    let why = field.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    lines.push((format!("{}: {}{why}", field.label, field.words), style));
    lines.extend(field.proposals.iter().map(|proposal| (format!("  could be: {proposal}"), plain)));
    let value = |name: &str, value: Option<&Value>, side: &Choice| {
        let words = match (pane.absent(side), value) {
            (Some(state), _) => state.to_owned(),
            (None, None) => "never agreed".to_owned(),
            (None, Some(value)) if field.moved(value) => format!("{}  changed", words::shown(value)),
            (None, Some(value)) => words::shown(value),
        };
        (format!("  {name:<11}{words}"), plain)
    };
    lines.push(value("base", field.base.as_ref(), &Choice::Base));
    lines.push(value("document", Some(&field.document), &Choice::Document));
    lines.push(value("relational", Some(&field.relational), &Choice::Relational));
    if let Some(authority) = &field.authority {
        let mapping = pane.mapping(mappings);
        let [document, relational] =
            ["document", "relational"].map(|side| words::place(mapping, side, &field.key));
        let group = field.group.as_ref().map(|group| format!(", one group {group}")).unwrap_or_default();
        lines.push((format!("{document} = {relational}, authority {authority}{group}"), look.dim));
    }
    lines
}
