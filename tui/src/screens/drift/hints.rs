//! What the last line offers where a part of the screen has the keys.

use crate::keys::Action;

/// The hints on both sides of an entity.
pub const IN_RESOLVE: &[(Action, &str)] = &[
    (Action::Close, "back"),
    (Action::TakeDocument, "document"),
    (Action::TakeRelational, "relational"),
    (Action::Preview, "preview"),
    (Action::Write, "write"),
    (Action::TakeBase, "base"),
    (Action::EditValue, "edit"),
    (Action::History, "changes"),
    (Action::Reconcile, "reconcile"),
    (Action::Snooze, "snooze"),
    (Action::Focus, "list"),
    (Action::Help, "help"),
];

/// The hints on both sides of an entity that waits for nobody.
pub const READING: &[(Action, &str)] = &[
    (Action::Close, "back"),
    (Action::Open, "field"),
    (Action::History, "changes"),
    (Action::Reconcile, "reconcile"),
    (Action::Json, "raw"),
    (Action::Help, "help"),
];

/// The hints on both sides of a conflict that this person cannot decide here.
pub const STUCK: &[(Action, &str)] = &[
    (Action::Close, "back"),
    (Action::Open, "field"),
    (Action::History, "changes"),
    (Action::Reconcile, "reconcile"),
    (Action::Snooze, "snooze"),
    (Action::Json, "raw"),
    (Action::Help, "help"),
];

/// The hints of a list beside which both sides follow its cursor.
pub const BESIDE: &[(Action, &str)] = &[
    (Action::Focus, "to the sides"),
    (Action::Close, "close"),
    (Action::Reconcile, "reconcile"),
    (Action::TakeAll, "take side"),
    (Action::Snooze, "snooze"),
    (Action::Help, "help"),
];

/// The hints of the lists while a decision can be taken back.
pub const LISTS_WHILE_HELD: &[(Action, &str)] =
    &[(Action::Undo, "TAKE BACK"), (Action::Open, "sides"), (Action::Status, "view"), (Action::Help, "help")];

/// The hints beside the lists while a decision can be taken back.
pub const WHILE_HELD: &[(Action, &str)] = &[
    (Action::Undo, "TAKE BACK"),
    (Action::Close, "back"),
    (Action::History, "changes"),
    (Action::Help, "help"),
];

/// The hints on the changes of an entity.
pub const IN_HISTORY: &[(Action, &str)] = &[
    (Action::Close, "back"),
    (Action::Revert, "revert"),
    (Action::Open, "in full"),
    (Action::Follow, "job"),
    (Action::Json, "raw"),
    (Action::Help, "help"),
];

/// The hints on a sweep.
pub const IN_SWEEP: &[(Action, &str)] = &[
    (Action::Close, "back"),
    (Action::PauseSweep, "pause/resume"),
    (Action::Cancel, "cancel"),
    (Action::Follow, "job"),
    (Action::Down, "scroll"),
    (Action::Help, "help"),
];

/// The hints on a sweep that waits for approval.
pub const IN_WAITING_SWEEP: &[(Action, &str)] = &[
    (Action::Close, "back"),
    (Action::Approve, "approve"),
    (Action::Cancel, "cancel"),
    (Action::Follow, "job"),
    (Action::Down, "scroll"),
    (Action::Help, "help"),
];

/// The hints of the list on a sweep that waits for approval.
pub const WAITING_SWEEP: &[(Action, &str)] = &[
    (Action::Open, "detail"),
    (Action::Approve, "approve"),
    (Action::Cancel, "cancel"),
    (Action::Status, "view"),
    (Action::Filter, "filter"),
    (Action::New, "new sweep"),
    (Action::Help, "help"),
];
