//! What surrounds a screen: header, tabs, status line, hints; and the layers over it.

use astrops_api::drift::Agreement;
use chrono::{DateTime, Utc};
use ratatui::{
    buffer::Buffer,
    layout::{Constraint, Layout, Rect},
    style::{Modifier, Style},
    text::{Line, Span},
};

use super::App;
use crate::{
    format,
    keys::{Action, Scope, binding, bindings},
    layers::Layer,
    message::LinkState,
    screen::{Context, Screen, Tab, Tone},
    text,
    widgets::panel,
};

/// A hint: what it does, its key, its word.
type Hint = (Action, &'static str, &'static str);

/// Below this nothing sensible can be shown.
const SMALLEST: (u16, u16) = (24, 8);

/// How far both databases agree: `drift 12 !1` where there is little room.
fn drift_spans(agreement: &Agreement, wide: bool, context: &Context<'_>) -> Vec<Span<'static>> {
    let look = context.look;
    let count = format::count;
    let style = if agreement.conflicts > 0 { look.warning } else { Style::new() };
    let mut spans = vec![Span::styled(format!("drift {}", count(agreement.drift)), style)];
    if wide && agreement.conflicts > 0 {
        spans.push(Span::styled(format!(" conflicts {}", count(agreement.conflicts)), look.warning));
    }
    if agreement.critical > 0 {
        spans.push(Span::raw(" "));
        spans.push(Span::styled(format!("!{}", count(agreement.critical)), look.critical));
    }
    if let Some(through) = agreement.verified_through.filter(|_| wide) {
        let age = format::age(context.now - through);
        spans.push(Span::styled(format!(" verified {age} ago"), look.dim));
    }
    spans.push(Span::raw("  "));
    spans
}

/// `words` as one harmless line.
fn one_line(words: &str, room: usize, style: Style) -> Line<'static> {
    let words = text::fit(&text::neutral(words), room).into_owned();
    Line::from(vec![Span::raw(" "), Span::styled(words, style)])
}

impl App {
    /// Draws everything.
    pub fn draw(&mut self, buffer: &mut Buffer, area: Rect, now: DateTime<Utc>) {
        if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
            let words = format!("needs {} x {}", SMALLEST.0, SMALLEST.1);
            panel::paint(buffer, area, [Line::raw(words)]);
            return;
        }
        let status_lines = self.status_lines((area.width, area.height), now);
        let status = u16::try_from(status_lines.len()).unwrap_or(1).max(1);
        let rows = [1, 1, 0, status, 1]
            .map(|rows| if rows == 0 { Constraint::Fill(1) } else { Constraint::Length(rows) });
        let [header, tabs, body, status, hints] = Layout::vertical(rows).areas(area);
        self.draw_header(buffer, header, now);
        let context = self.session.context(now);
        if self.session.is_signed_in() {
            self.draw_tabs(buffer, tabs, &context);
            self.screens.get(self.tab).draw(buffer, body, &context);
            if context.stale_since.is_some() {
                buffer.set_style(body, Style::new().add_modifier(Modifier::DIM));
            }
        } else {
            self.login.draw(buffer, body, &context);
        }
        panel::paint(buffer, status, status_lines);
        self.draw_hints(buffer, hints, now);
        if self.session.is_signed_in() {
            let context = self.session.context(now);
            let logs = self.screens.logs.figures();
            for layer in &mut self.layers {
                if let Layer::Diagnostics(page) = layer {
                    page.set_lines(self.figures.lines(logs, (area.width, area.height)));
                }
                let room = if matches!(layer, Layer::Prompt(_)) { area } else { body };
                layer.draw(buffer, room, &context);
            }
        }
    }

    fn draw_header(&self, buffer: &mut Buffer, area: Rect, now: DateTime<Utc>) {
        let context = self.session.context(now);
        let look = context.look;
        let settings = &self.session.settings;
        let wide = area.width >= 100;
        let mut right = Vec::new();
        if let Some((queued, running, failed)) =
            self.screens.dashboard.counts().filter(|_| context.link.is_live())
        {
            right.push(Span::raw(format!("q{} r{} ", format::count(queued), format::count(running))));
            let style = if failed > 0 { look.bad } else { Style::new() };
            right.push(Span::styled(format!("f{}", format::count(failed)), style));
            right.push(Span::raw("  "));
        }
        if let Some(agreement) = self.screens.dashboard.agreement().filter(|_| context.link.is_live()) {
            right.extend(drift_spans(agreement, wide, &context));
        }
        right.push(Span::raw(format!("{}Z ", format::clock(now))));
        let count = Line::from(right);
        let mut left = vec![Span::styled(" astrops ", look.title)];
        let address = settings.base.trim_start_matches("http://").trim_start_matches("https://");
        // Without a profile the address says which daemon it is.
        let name = if settings.profile.is_empty() { address } else { &settings.profile };
        left.push(Span::raw(format!(" {} ", text::neutral(name))));
        if settings.production {
            left.push(Span::styled("PRODUCTION", look.banner));
            left.push(Span::raw(" "));
        }
        if settings.read_only {
            left.push(Span::styled("READ-ONLY ", look.warning));
        }
        if wide && !settings.profile.is_empty() {
            left.push(Span::styled(format!("{} ", text::neutral(address)), look.dim));
        }
        left.push(self.link_span(&context, wide));
        if let Some(user) = context.user {
            let right = user.right.map_or("", |right| right.as_str());
            let brief = user.email.split('@').next().unwrap_or_default();
            let names = if wide { [user.email.as_str(), brief] } else { [brief, brief] };
            // Half a name helps nobody.
            let taken: usize = left.iter().map(Span::width).sum();
            let room = usize::from(area.width).saturating_sub(taken + count.width() + 1);
            let users = names.map(|name| Span::raw(format!("  {} ({right})", text::neutral(name))));
            left.extend(users.into_iter().find(|user| user.width() <= room));
        }
        let right = count;
        let taken = u16::try_from(right.width()).unwrap_or(0).min(area.width);
        buffer.set_line(area.x, area.y, &Line::from(left), area.width.saturating_sub(taken + 1));
        buffer.set_line(area.right() - taken, area.y, &right, taken);
    }

    fn link_span(&self, context: &Context<'_>, wide: bool) -> Span<'static> {
        let look = context.look;
        match context.link {
            LinkState::Live(latency) => {
                let dot = if look.ascii { "*" } else { "●" };
                Span::styled(format!("{dot} LIVE {} ms", latency.as_millis()), look.good)
            }
            LinkState::Connecting => Span::styled("connecting", look.warning),
            LinkState::SignedOut => Span::styled("signed out", look.dim),
            LinkState::Waiting { attempt, .. } => {
                let left = self
                    .session
                    .retry_at()
                    .map_or(0.0, |at| (at - context.now).to_std().unwrap_or_default().as_secs_f64());
                let age = context.stale_since.map(|since| format::coarse(context.now - since));
                let words = match age.map(|age| format!("data {age} old, ")).unwrap_or_default() {
                    age if wide => {
                        format!(" RECONNECTING: {age}next try in {left:.1} s (attempt {attempt}) ")
                    }
                    age => format!(" {age}next try in {left:.1} s "),
                };
                Span::styled(words, look.banner)
            }
        }
    }

    fn draw_tabs(&self, buffer: &mut Buffer, area: Rect, context: &Context<'_>) {
        let full = |tab: Tab| tab.label().1;
        let alone = |tab: Tab| if tab == self.tab { tab.short() } else { "" };
        // Every tab's digit is always there; its name shrinks with the room.
        let ways = [
            self.tabs(full, " ", context),
            self.tabs(full, "", context),
            self.tabs(Tab::short, "", context),
            self.tabs(alone, "", context),
        ];
        let width = usize::from(area.width);
        let line = ways.iter().find(|line| line.width() <= width).unwrap_or(&ways[3]);
        buffer.set_line(area.x, area.y, line, area.width);
    }

    fn tabs(&self, name: impl Fn(Tab) -> &'static str, gap: &str, context: &Context<'_>) -> Line<'static> {
        let look = context.look;
        let mut spans = vec![Span::raw(gap.to_owned())];
        for tab in Tab::ALL {
            let (digit, name) = (tab.label().0, name(tab));
            if tab == self.tab {
                spans
                    .push(Span::styled(format!("[{digit} {name}]"), look.focus.add_modifier(Modifier::BOLD)));
            } else {
                spans.push(Span::styled(format!(" {digit}"), look.key));
                let between = if name.is_empty() { "" } else { " " };
                spans.push(Span::raw(format!("{between}{name}{}", if gap.is_empty() { "" } else { " " })));
            }
            spans.push(Span::raw(gap.to_owned()));
        }
        Line::from(spans)
    }

    /// What is about to be written, and below it the message. Long messages take more lines, of which the body keeps
    /// most.
    fn status_lines(&mut self, (width, height): (u16, u16), now: DateTime<Utc>) -> Vec<Line<'static>> {
        let context = self.session.context(now);
        let look = context.look;
        let room = usize::from(width.saturating_sub(2));
        let pending = self.screens.drift.pending(self.tab == Tab::Drift, &context);
        let mut lines: Vec<Line<'static>> =
            pending.iter().map(|words| one_line(words, room, look.banner)).collect();
        let (words, style) = match (self.messages.current(now), context.link, context.stale_since) {
            (Some((Tone::Note, words)), ..) => (words.to_owned(), look.active),
            (Some((Tone::Trouble, words)), ..) => (format!("! {words}"), look.bad),
            (None, LinkState::Waiting { reason, .. }, Some(since)) => {
                let age = format::coarse(now - since);
                (format!("! Data is {age} old; commands are refused: {reason}"), look.bad)
            }
            (None, LinkState::Waiting { reason, .. }, None) => (format!("! {reason}"), look.bad),
            _ if context.user.is_none() => return lines,
            _ => {
                let remark = self.screens.get(self.tab).remark(&context);
                lines.extend(remark.map(|words| one_line(&words, room, look.dim)));
                return lines;
            }
        };
        let most = usize::from(height.saturating_sub(5) / 3).clamp(1, 6);
        let all = text::wrap(&text::neutral(&words), room);
        let cut = all.len() > most;
        let shown = all.iter().take(most).enumerate().map(|(place, line)| {
            if cut && place + 1 == most {
                format!("{}... m: all", text::fit(line, room.saturating_sub(10)))
            } else {
                line.clone()
            }
        });
        lines.extend(shown.map(|line| one_line(&line, room, style)));
        lines
    }

    /// The hints of this place: action, key, word.
    fn hints(&mut self, now: DateTime<Utc>) -> Vec<Hint> {
        let scope = self.scope();
        if let Some(Layer::Confirm(confirm)) = self.layers.last().filter(|_| scope == Scope::Confirm)
            && confirm.wants_count()
        {
            return vec![(Action::Open, "Enter", "yes"), (Action::No, "Esc", "no")];
        }
        let own = if scope.is_screen() {
            self.screens.get(self.tab).hints(&self.session.context(now))
        } else {
            &[]
        };
        let listed = own
            .iter()
            .filter_map(|(action, word)| Some((*action, *binding(*action, scope)?.keys.first()?, *word)));
        let table = bindings(scope).filter_map(|row| Some((row.action, *row.keys.first()?, row.hint?)));
        let mut hints: Vec<Hint> = match own {
            [] => table.collect(),
            _ => listed.collect(),
        };
        // Who may never do it here is not offered it; `x` says why. What is only off right now is dim.
        let context = self.session.context(now);
        let never = context.read_only || context.user.is_some_and(|user| !user.is_operator());
        if scope.is_screen() && never {
            hints.retain(|(action, ..)| {
                *action != Action::Reveal && !binding(*action, scope).is_some_and(|row| row.mutating)
            });
        }
        hints
    }

    fn draw_hints(&mut self, buffer: &mut Buffer, area: Rect, now: DateTime<Utc>) {
        let screen = self.scope().is_screen();
        let wide = |(_, key, word): &Hint| u16::try_from(key.len() + word.len() + 3).unwrap_or(u16::MAX);
        let (help, others): (Vec<Hint>, Vec<Hint>) =
            self.hints(now).into_iter().partition(|(action, ..)| *action == Action::Help);
        // Whatever else has room: the way to all the others is always shown.
        let reserved: u16 = help.iter().map(wide).sum();
        let edge = (area.right() + 2).saturating_sub(reserved);
        let mut taken = area.x + 1;
        let fitting = others.into_iter().take_while(|hint| {
            taken = taken.saturating_add(wide(hint));
            taken <= edge
        });
        let shown: Vec<Hint> = fitting.chain(help).collect();
        let mut x = area.x + 1;
        for (action, key, word) in shown {
            let off = screen && self.available(action, now).is_err();
            let look = self.session.context(now).look;
            let (key_style, word_style) = if off { (look.dim, look.dim) } else { (look.key, Style::new()) };
            let (next, _) = buffer.set_stringn(x, area.y, key, usize::from(area.right() - x), key_style);
            x = (next + 1).min(area.right());
            let (next, _) = buffer.set_stringn(x, area.y, word, usize::from(area.right() - x), word_style);
            x = (next + 2).min(area.right());
        }
    }
}
