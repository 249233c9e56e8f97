//! A plan in one line, as the sample of the requirements has it: `Updated 3 fields: capacity, price, date`.
//!
//! Capacity, price and date come first, then the mapping's order. Derived fields are written and not counted; a group
//! counts its fields when they are written and itself when it is a conflict.

use super::plan::{Action, Plan, Rule};
use super::value::Side;

/// The line for a plan that was carried out.
pub fn text(plan: &Plan) -> String {
    let mut parts = Vec::new();
    for side in [Side::Relational, Side::Document] {
        match plan.actions.of(side) {
            Action::Create(_) => parts.push(format!("Created on {side}")),
            Action::Delete(_) => parts.push(format!("Deleted on {side}")),
            Action::Keep | Action::Update(_) => {}
        }
    }
    let labels = |derived: bool| -> Vec<&str> {
        let wanted =
            |rule| !matches!(rule, Rule::Create | Rule::Delete) && (rule == Rule::Derived) == derived;
        let mut labels: Vec<_> =
            plan.changes.iter().filter(|change| wanted(change.rule)).map(|change| change.label).collect();
        // A person's value may be written on both sides.
        labels.dedup();
        labels
    };
    let (counted, derived) = (labels(false), labels(true));
    if !counted.is_empty() {
        parts.push(format!("Updated {}", counting("field", &counted)));
    } else if !derived.is_empty() {
        parts.push(format!("Updated counters: {}", derived.join(", ")));
    }
    let mut topics: Vec<&str> = Vec::new();
    for conflict in &plan.conflicts {
        if !topics.contains(&conflict.topic) {
            topics.push(conflict.topic);
        }
    }
    if !topics.is_empty() {
        parts.push(counting("conflict", &topics));
    }
    if let Some(side) = plan.waits {
        parts.push(format!("Missing on {side}, waiting"));
    }
    if parts.is_empty() { "No changes".to_owned() } else { parts.join("; ") }
}

fn counting(noun: &str, names: &[&str]) -> String {
    let plural = if names.len() == 1 { "" } else { "s" };
    format!("{} {noun}{plural}: {}", names.len(), names.join(", "))
}
