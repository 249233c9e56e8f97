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

/// From this width the choice or verdict has a column of its own.
const WIDE: u16 = 68;

/// Columns of that column.
const TAKE: usize = 14;

/// How wide the columns are.
struct Widths {
    label: usize,
    value: usize,
    take: usize,
}

impl Widths {
    fn of(width: u16) -> Self {
        let take = if width >= WIDE { TAKE } else { 0 };
        let room = usize::from(width).saturating_sub(3 + take);
        let label = (room / 4).clamp(6, 18);
        Self { label, value: room.saturating_sub(label + 3) / 3, take }
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
        let (words, style) = self.head(context);
        let words = text::neutral(&words);
        let room = usize::from(inner.width);
        buffer.set_stringn(
            inner.x,
            inner.y,
            format!(" {}", text::fit(&words, room.saturating_sub(2))),
            room,
            style,
        );
        if self.file.is_none() {
            return;
        }
        let inner = Rect { y: inner.y + 1, height: inner.height - 1, ..inner };
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
            None => (format!("{there}a job would say: {}", file.diff.changes_log), look.active),
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
        let mut head = format!(
            "   {}{}{}{}",
            cell("FIELD", widths.label),
            cell("BASE", widths.value),
            cell("DOCUMENT", widths.value),
            cell("RELATIONAL", widths.value)
        );
        if widths.take > 0 {
            head.push_str("TAKE");
        }
        buffer.set_stringn(area.x, area.y, head, usize::from(area.width), look.title);
        let rows = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
        self.scroll.settle(self.fields.len(), usize::from(rows.height));
        let lines = self.fields.iter().skip(self.scroll.offset).take(usize::from(rows.height)).map(|field| {
            let choice = decided(field, &self.fields, &self.choices);
            let style = match field.verdict {
                Verdict::Conflict => look.warning,
                Verdict::Differs => look.active,
                Verdict::Equal | Verdict::NotCompared => look.dim,
            };
            let mark = match (choice.is_some(), field.verdict) {
                (true, _) => "+ ",
                (false, Verdict::Conflict) => "! ",
                (false, Verdict::Differs) => "~ ",
                (false, _) => "  ",
            };
            let value = |value: Option<&Value>, side: &Choice| {
                let words = value.map_or_else(|| "-".to_owned(), |value| words::brief(value, context.now));
                let words = text::neutral(&words).into_owned();
                let chosen = choice.is_some_and(|(choice, _)| choice == side);
                let star = if value.is_some_and(|value| field.moved(value)) { "*" } else { "" };
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
                None => field.words.replace("write ", "-> "),
            };
            let mut spans = vec![
                Span::styled(mark, style),
                Span::styled(cell(&text::neutral(&field.label), widths.label), style),
                value(field.base.as_ref(), &Choice::Base),
                value(Some(&field.document), &Choice::Document),
                value(Some(&field.relational), &Choice::Relational),
            ];
            if widths.take > 0 {
                let style = if choice.is_some() { look.key } else { style };
                spans.push(Span::styled(text::fit(&text::neutral(&take), widths.take).into_owned(), style));
            }
            Line::from(spans)
        });
        let cursor = (!self.fields.is_empty()).then(|| self.scroll.row());
        panel::paint_rows(buffer, rows, look, lines.collect::<Vec<_>>(), cursor);
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
    let value = |name: &str, value: Option<&Value>| {
        let moved = value.is_some_and(|value| field.moved(value));
        let moved = if moved { "  changed" } else { "" };
        let held = value.map_or_else(|| "never agreed".to_owned(), words::shown);
        (format!("  {name:<11}{held}{moved}"), plain)
    };
    lines.push(value("base", field.base.as_ref()));
    lines.push(value("document", Some(&field.document)));
    lines.push(value("relational", Some(&field.relational)));
    if let Some(authority) = &field.authority {
        let mapping = pane.mapping(mappings);
        let [document, relational] =
            ["document", "relational"].map(|side| words::place(mapping, side, &field.key));
        let group = field.group.as_ref().map(|group| format!(", one group {group}")).unwrap_or_default();
        lines.push((format!("{document} = {relational}, authority {authority}{group}"), look.dim));
    }
    lines
}
