//! What an action is about, and what can be copied of it.

use astrops_api::{
    drift::Drift as Difference,
    reconciliation::Conflict,
    vocabulary::{DriftKind, Severity, SweepStatus},
};

use super::{Drift, View, acts, conflicts, hints, open, sweeps, words::Subject};
use crate::{keys::Action, layers::Page, screen::Context, text};

impl Drift {
    /// The entity under the cursor of the list.
    pub(super) fn under_cursor(&self) -> Option<Subject> {
        match self.view {
            View::Open => self.open.table.current().map(open::subject),
            View::Conflicts => self.conflicts.table.current().map(conflicts::subject),
            View::Sweeps => None,
        }
    }

    /// The entities that an action is about: the open one when its pane has the keys, else the marked ones or the one
    /// under the cursor.
    pub(super) fn chosen(&self) -> Vec<Subject> {
        match self.view {
            _ if self.split.in_detail() && self.view != View::Sweeps => {
                self.resolve.subject().into_iter().collect()
            }
            View::Open => self.open.table.chosen().into_iter().map(open::subject).collect(),
            View::Conflicts => self.conflicts.table.chosen().into_iter().map(conflicts::subject).collect(),
            View::Sweeps => Vec::new(),
        }
    }

    /// `typed` with whole ids in place of the eight digits that rows show.
    pub(super) fn with_whole_ids(&self, typed: &str) -> String {
        let subjects: Vec<Subject> = match self.view {
            View::Open => self.open.table.rows().iter().map(open::subject).collect(),
            View::Conflicts => self.conflicts.table.rows().iter().map(conflicts::subject).collect(),
            View::Sweeps => Vec::new(),
        };
        let words = typed.split_whitespace().map(|word| {
            let digits = word.strip_prefix("id:").unwrap_or(word).to_ascii_lowercase();
            let shown = subjects.iter().find(|subject| subject.id.short() == digits);
            shown.map_or_else(|| word.to_owned(), |subject| format!("id:{}", subject.id))
        });
        words.collect::<Vec<_>>().join(" ")
    }

    /// What can be done to the sweep under the cursor.
    pub(super) fn sweep_hints(&self) -> &'static [(Action, &'static str)] {
        let waits = self.sweeps.table.current().is_some_and(|row| row.status == SweepStatus::NeedsApproval);
        match (self.split.in_detail(), waits) {
            (true, true) => hints::IN_WAITING_SWEEP,
            (true, false) => hints::IN_SWEEP,
            (false, true) => hints::WAITING_SWEEP,
            (false, false) => &[],
        }
    }

    /// Whether one of [`Self::chosen`] is known to be missing on a side.
    pub(super) fn is_missing(&self) -> bool {
        let missing = |kind| matches!(kind, DriftKind::MissingDocument | DriftKind::MissingRelational);
        match self.view {
            _ if self.split.in_detail() => self.resolve.is_missing(),
            View::Open => self.open.table.chosen().iter().any(|row| missing(row.kind)),
            View::Conflicts | View::Sweeps => false,
        }
    }

    /// How many conflicts of [`Self::chosen`] are known to be critical, and how many are snoozed.
    pub(super) fn critical_and_snoozed(&self, context: &Context<'_>) -> (usize, usize) {
        let known = self.resolve.file().and_then(|file| file.conflict.as_ref());
        let known: Vec<&Conflict> = known.into_iter().chain(self.conflicts.table.rows()).collect();
        let conflicts = self.chosen().into_iter().filter_map(|subject| subject.conflict);
        let conflicts: Vec<&Conflict> =
            conflicts.filter_map(|id| known.iter().copied().find(|conflict| conflict.id == id)).collect();
        let count = |is: &dyn Fn(&Conflict) -> bool| conflicts.iter().filter(|conflict| is(conflict)).count();
        let snoozed = |conflict: &Conflict| conflict.snoozed_until.is_some_and(|until| until > context.now);
        (count(&|conflict| conflict.severity == Severity::Critical), count(&snoozed))
    }

    pub(super) fn json(&self) -> Option<Page> {
        let text = match (&self.history, self.split.in_detail(), self.view) {
            (Some(history), true, _) => serde_json::to_string_pretty(history.current()?),
            (None, true, View::Open | View::Conflicts) => serde_json::to_string_pretty(self.resolve.file()?),
            (_, _, View::Open) => serde_json::to_string_pretty(self.open.table.current()?),
            (_, _, View::Conflicts) => serde_json::to_string_pretty(self.conflicts.table.current()?),
            (_, _, View::Sweeps) => serde_json::to_string_pretty(self.sweeps.table.current()?),
        };
        Some(Page::plain("As JSON", &text.ok()?))
    }

    pub(super) fn copy(&self, all: bool, context: &Context<'_>) -> String {
        if self.split.in_detail() && self.view != View::Sweeps {
            return match &self.history {
                Some(history) => history.plain(all),
                None => self.resolve.plain(self.mappings(), context),
            };
        }
        let rows: Vec<String> = match self.view {
            View::Open => {
                let rows =
                    if all { self.open.table.visible().iter().collect() } else { self.open.table.chosen() };
                let line = |row: &&Difference| {
                    format!("{} {} {} {}", row.entity_type, row.entity_id, row.kind, row.text)
                };
                rows.iter().map(line).collect()
            }
            View::Conflicts => {
                let table = &self.conflicts.table;
                let rows = if all { table.visible().iter().collect() } else { table.chosen() };
                let line = |row: &&Conflict| {
                    format!("{} {} {} {} {}", row.id, row.severity, row.entity_type, row.entity_id, row.text)
                };
                rows.iter().map(line).collect()
            }
            View::Sweeps => {
                let table = &self.sweeps.table;
                let rows = if all { table.visible().iter().collect() } else { table.chosen() };
                rows.into_iter().map(sweeps::plain).collect()
            }
        };
        rows.iter().map(|row| text::neutral(row)).collect::<Vec<_>>().join("\n")
    }

    pub(super) fn available_in_lists(&self, action: Action) -> Result<(), String> {
        let subjects = self.chosen();
        let conflicts = subjects.iter().filter(|subject| subject.conflict.is_some()).count();
        match action {
            Action::Reconcile
            | Action::TakeAll
            | Action::Snooze
            | Action::ToSubject
            | Action::History
            | Action::Open
            | Action::Json
            | Action::Copy
                if subjects.is_empty() =>
            {
                Err("there is nothing under the cursor".into())
            }
            Action::TakeAll | Action::Snooze if conflicts == 0 => {
                Err("only conflicts; this differs and the rules decide it: R".into())
            }
            Action::TakeAll if conflicts > acts::MOST => {
                Err(format!("at most {} conflicts at once; {conflicts} are marked", acts::MOST))
            }
            _ => Ok(()),
        }
    }
}
