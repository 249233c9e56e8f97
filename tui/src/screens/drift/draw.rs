//! The title of the lists, and the pane beside them.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{Drift, View, sweeps, words};
use crate::{format, layers::page::wrapped, screen::Context, widgets::panel};

impl Drift {
    /// The views with what is known of each; the shown one in brackets.
    pub(super) fn title(&self) -> String {
        let agreement = self.agreement.clone().unwrap_or_default();
        let parts = View::ALL.map(|view| {
            let snoozed = match self.snoozed() {
                count if count > 0 && view == View::Conflicts => {
                    format!(", {} snoozed", format::count(count))
                }
                _ => String::new(),
            };
            if view == self.view {
                return format!("[{}{snoozed}]", list!(&self, list => list.title()));
            }
            match view {
                View::Open => format!("Open differences {}", format::count(agreement.drift)),
                View::Conflicts => {
                    let waiting = agreement.conflicts.saturating_sub(self.snoozed());
                    format!("Conflicts {}{snoozed}", format::count(waiting))
                }
                View::Sweeps => {
                    let status =
                        agreement.sweep_status.map(|status| format!(" {status}")).unwrap_or_default();
                    format!("Sweeps{status}")
                }
            }
        });
        parts.join("  ")
    }

    /// Conflicts that are known and not in the list, while nothing else narrows it: they are snoozed.
    pub(super) fn snoozed(&self) -> u64 {
        let listed = self.conflicts.total().filter(|_| self.conflicts.filter().is_empty());
        let known = self.agreement.as_ref().map_or(0, |agreement| agreement.conflicts);
        listed.map_or(0, |listed| known.saturating_sub(listed))
    }

    pub(super) fn draw_pane(
        &mut self,
        buffer: &mut Buffer,
        area: Rect,
        focused: bool,
        context: &Context<'_>,
    ) {
        if self.view == View::Sweeps {
            let row = self.sweeps.table.current();
            let title =
                row.map_or_else(|| "Sweep".to_owned(), |row| format!("Sweep {}", words::short(row.id)));
            let inner = panel::panel(buffer, area, context.look, &title, focused);
            let inner =
                Rect { x: inner.x + 1.min(inner.width), width: inner.width.saturating_sub(2), ..inner };
            let lines = row.map(|row| sweeps::lines(row, inner.width, context)).unwrap_or_default();
            let lines = wrapped(&lines, usize::from(inner.width));
            self.window.settle(lines.len(), usize::from(inner.height));
            panel::paint(buffer, inner, lines.into_iter().skip(self.window.offset));
            return;
        }
        let mappings = self.mappings.as_deref();
        match &mut self.history {
            Some(history) => history.draw(buffer, area, mappings, focused, context),
            None => self.resolve.draw(buffer, area, mappings, focused, context),
        }
    }
}
