//! One entity field by field: what waits for a person first, then what would be written, then what is the same.

use std::collections::BTreeMap;

use astrops_api::{
    reconciliation::{ConflictField, EntityMapping},
    resolution::Choice,
};
use serde_json::Value;

use crate::files::SidesFile;

/// The topic of a row that is missing on one side: whether it goes or comes back is decided by a side.
const DELETION: &str = "deletion";

/// What would happen to a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// A person decides.
    Conflict,
    /// It would be written.
    Differs,
    /// It differs and waits with the row: for a person, or for another side that can be read.
    Held,
    /// Both sides hold the same.
    Equal,
    /// Nobody compares it.
    NotCompared,
}

/// One line of the pane.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// What a choice names: the canonical field, or the topic of a conflict about the whole row.
    pub key: String,
    /// As people call it.
    pub label: String,
    /// What both last agreed on, when they did.
    pub base: Option<Value>,
    /// What the document says.
    pub document: Value,
    /// What the relational row says.
    pub relational: Value,
    /// What would happen.
    pub verdict: Verdict,
    /// The same in the daemon's words.
    pub words: String,
    /// By which rule, or why not.
    pub why: Option<String>,
    /// Who wins, and where it is.
    pub authority: Option<String>,
    /// Decided together with others of this group.
    pub group: Option<String>,
    /// What a person may do.
    pub proposals: Vec<String>,
    /// It is about the row as a whole, and only a side can be chosen.
    pub whole_row: bool,
}

impl Field {
    /// Whether `choice` can be made here, or why not.
    pub fn takes(&self, choice: &Choice) -> Result<(), String> {
        let derived = self.authority.as_deref() == Some("derived");
        match (self.verdict, choice) {
            (Verdict::NotCompared, _) => Err(format!("{} is not compared", self.label)),
            _ if self.whole_row && self.key != DELETION => {
                Err(format!("{} is not decided by itself: see what could be done", self.label))
            }
            _ if derived => Err(format!("{} is counted from bookings: nobody chooses it", self.label)),
            (Verdict::Equal, Choice::Document | Choice::Relational) => {
                Err(format!("both sides hold the same {}", self.label))
            }
            (_, Choice::Base | Choice::Value(_)) if self.whole_row => {
                Err(format!("of a {} a side is chosen: < or >", self.label))
            }
            (_, Choice::Base) if self.base.is_none() => {
                Err(format!("both sides never agreed on {}", self.label))
            }
            _ => Ok(()),
        }
    }

    /// Whether `side` has moved since both last agreed.
    pub fn moved(&self, side: &Value) -> bool {
        self.base.as_ref().is_some_and(|base| base != side)
    }
}

/// The lines of an entity.
pub fn fields(file: &SidesFile, mapping: Option<&EntityMapping>) -> Vec<Field> {
    let diff = &file.diff;
    let about_row = |conflict: &&ConflictField| {
        conflict.topic == DELETION
            || !conflict.fields.iter().any(|name| diff.fields.iter().any(|field| field.field == *name))
    };
    let rows = diff.conflicts.iter().filter(about_row).map(|conflict| Field {
        key: conflict.topic.clone(),
        label: conflict.topic.clone(),
        base: None,
        document: Value::String(diff.document.clone()),
        relational: Value::String(diff.relational.clone()),
        verdict: Verdict::Conflict,
        words: "conflict".to_owned(),
        why: Some(conflict.reason.clone()),
        authority: None,
        group: None,
        proposals: conflict.proposals.clone(),
        whole_row: true,
    });
    let mut fields: Vec<Field> = rows.collect();
    // A base of nothing travels like no base; that the row has one shows in its other fields.
    let agreed = diff.fields.iter().any(|field| field.base.is_some());
    let base = |base: &Option<Value>| base.clone().or_else(|| agreed.then_some(Value::Null));
    // A row that is made or deleted is not written field by field.
    let missing = [&diff.document, &diff.relational].iter().any(|state| *state == "missing");
    let whole = missing && diff.conflicts.is_empty();
    fields.extend(diff.fields.iter().map(|field| {
        let known = mapping.and_then(|entity| entity.fields.iter().find(|row| row.field == field.field));
        let verdict = match field.verdict.as_str() {
            "conflict" => Verdict::Conflict,
            "equal" => Verdict::Equal,
            "not compared" => Verdict::NotCompared,
            "held back" => Verdict::Held,
            _ => Verdict::Differs,
        };
        let conflicts = diff.conflicts.iter().filter(|conflict| conflict.fields.contains(&field.field));
        Field {
            key: field.field.clone(),
            label: field.label.clone(),
            base: base(&field.base).filter(|_| verdict != Verdict::NotCompared),
            document: field.document.clone(),
            relational: field.relational.clone(),
            verdict,
            words: match verdict {
                Verdict::Held if whole => "with the row".to_owned(),
                _ => field.verdict.clone(),
            },
            why: field.why.clone(),
            authority: known.map(|row| row.authority.clone()),
            group: known.and_then(|row| row.group.clone()),
            proposals: conflicts.flat_map(|conflict| conflict.proposals.clone()).collect(),
            whole_row: false,
        }
    }));
    fields.sort_by_key(|field| field.verdict);
    fields
}

/// The choice that decides `field`: its own, or that of another member of its group, which then is named.
pub fn decided<'a>(
    field: &Field,
    fields: &'a [Field],
    choices: &'a BTreeMap<String, Choice>,
) -> Option<(&'a Choice, Option<&'a str>)> {
    if let Some(choice) = choices.get(&field.key) {
        return Some((choice, None));
    }
    let group = field.group.as_ref()?;
    let other = fields.iter().find(|other| {
        let side = choices.get(&other.key).is_some_and(|choice| !matches!(choice, Choice::Value(_)));
        other.group.as_ref() == Some(group) && side
    })?;
    Some((choices.get(&other.key)?, Some(other.label.as_str())))
}
