//! What a person decided about a row: what a field is to hold on both sides, and what becomes of a row that is missing on
//! one of them. A decision is read against the situation that it is about, so that whatever makes no sense there is
//! refused in words, and the merge has values only.
//!
//! Who decides overrules authorities, vetoes and that a field never changes. What a whole row must keep
//! ([`super::guards`]) holds for people too, and so does what no write of a field can bring about ([`super::guards::bars`]).

use std::collections::BTreeMap;

use astrops_api::resolution::Choice;
use serde_json::Value as Json;

use super::{
    codec,
    mapping::{Authority, Codec, Mapping},
    merge::{Seen, Situation},
    plan::History,
    value::{Base, Id, Pair, Record, Side, Value},
};
use crate::notify::address::check_address;

/// The topic of a row that is missing on one side.
pub const DELETION: &str = "deletion";
/// Characters of the longest text that a person may decide on; a description has as many.
const LONGEST: usize = 5_000;

/// What is to become of a row, read and judged. The default decides nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choices {
    /// What both sides are to hold, by the place in the mapping; all members of a group or none.
    values: BTreeMap<usize, Value>,
    /// The side whose presence or absence counts.
    deletion: Option<Side>,
}

/// Why a choice is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {why}")]
pub struct BadChoice {
    /// The field or topic as it was given, clipped.
    pub field: String,
    /// What is wrong and what would be right.
    pub why: String,
}

impl Choices {
    /// Reads what a person chose by field or topic.
    pub fn of(
        mapping: &Mapping,
        situation: &Situation,
        given: &BTreeMap<String, Choice>,
    ) -> Result<Self, BadChoice> {
        let Some((first, _)) = given.first_key_value() else { return Ok(Self::default()) };
        let reader = Reader { mapping, situation, given };
        reader.can_be_read(first)?;
        let deletion = given.get(DELETION).map(|choice| reader.deletion(choice)).transpose()?;
        let mut values = BTreeMap::new();
        for (name, choice) in given.iter().filter(|(name, _)| *name != DELETION) {
            reader.may_hold_fields(name, deletion)?;
            let index = reader.index(name)?;
            values.insert(index, reader.value(name, index, choice)?);
        }
        reader.complete_groups(&mut values)?;
        Ok(Self { values, deletion })
    }

    /// What both sides are to hold at a place of the mapping.
    pub fn at(&self, index: usize) -> Option<&Value> {
        self.values.get(&index)
    }

    /// The side whose presence or absence counts when the row is missing on one.
    pub const fn deletion(&self) -> Option<Side> {
        self.deletion
    }

    /// The rows that chosen values refer to, by field: the rules must know of them.
    pub fn references(&self, mapping: &Mapping) -> Vec<(&'static str, Id)> {
        let id = |(&index, value): (&usize, &Value)| match value {
            Value::Id(id) => Some((mapping.fields()[index].name, *id)),
            _ => None,
        };
        self.values.iter().filter_map(id).collect()
    }

    /// `record` with the chosen values.
    pub(super) fn over(&self, record: &Record) -> Record {
        self.values.iter().fold(record.clone(), |record, (&index, value)| record.with(index, value.clone()))
    }
}

struct Reader<'a> {
    mapping: &'a Mapping,
    situation: &'a Situation,
    given: &'a BTreeMap<String, Choice>,
}

impl Reader<'_> {
    fn can_be_read(&self, first: &str) -> Result<(), BadChoice> {
        for side in [Side::Document, Side::Relational] {
            if let Seen::Unreadable(faults) = self.situation.seen.of(side) {
                let what = faults.first().map(ToString::to_string).unwrap_or_default();
                return refuse(first, format!("cannot be decided: {what}; correct it in that database"));
            }
        }
        if self.situation.seen == Pair::default() {
            return refuse(first, "cannot be decided: the row is on neither side");
        }
        Ok(())
    }

    fn record(&self, side: Side) -> Option<&Record> {
        if let Seen::Row { record, .. } = self.situation.seen.of(side) { Some(record) } else { None }
    }

    fn missing(&self) -> Option<Side> {
        [Side::Document, Side::Relational].into_iter().find(|&side| self.record(side).is_none())
    }

    fn base(&self) -> Option<&Base> {
        if let History::Agreed(base) = &self.situation.history { Some(base) } else { None }
    }

    fn deletion(&self, choice: &Choice) -> Result<Side, BadChoice> {
        let side = match choice {
            Choice::Document => Side::Document,
            Choice::Relational => Side::Relational,
            Choice::Base | Choice::Value(_) => {
                return refuse(DELETION, "is decided by a side: \"document\" or \"relational\"");
            }
        };
        match (self.missing(), &self.situation.history) {
            (None, _) => refuse(DELETION, "cannot be decided: the row is there on both sides"),
            (Some(missing), History::New) if missing == side => refuse(
                DELETION,
                format!("cannot be decided so: the row is new, it was never on the {missing} side"),
            ),
            _ => Ok(side),
        }
    }

    /// Whether the row will be there on both sides, so that a field can be decided.
    fn may_hold_fields(&self, name: &str, deletion: Option<Side>) -> Result<(), BadChoice> {
        let Some(missing) = self.missing() else { return Ok(()) };
        match (&self.situation.history, deletion) {
            (History::New, _) => Ok(()),
            (_, Some(side)) if side == missing => {
                refuse(name, "cannot be decided: the row is to be deleted, so it will hold nothing")
            }
            (_, Some(_)) => Ok(()),
            (_, None) => refuse(
                name,
                format!(
                    "cannot be decided: the row is missing on the {missing} side; decide {DELETION:?} first"
                ),
            ),
        }
    }

    fn index(&self, name: &str) -> Result<usize, BadChoice> {
        let entity = self.mapping.entity;
        let fields = self.mapping.fields();
        let Some(index) = self.mapping.index(name) else {
            let compared = self.mapping.compared().map(|index| fields[index].name);
            let names = compared.collect::<Vec<_>>().join(", ");
            let why =
                format!("is no field of a {entity}; these are: {names}; or {DELETION} of a missing row");
            return refuse(name, why);
        };
        match self.mapping.authority(index) {
            Authority::Derived => refuse(name, "follows from other fields and is never decided by itself"),
            Authority::Ignore => refuse(name, "is ignored by the configuration, on both sides"),
            _ if !fields[index].is_shared() => refuse(name, "is on one side only"),
            _ => Ok(index),
        }
    }

    fn value(&self, name: &str, index: usize, choice: &Choice) -> Result<Value, BadChoice> {
        let held = |side: Side| match self.record(side) {
            Some(record) => Ok(record.at(index).clone()),
            None => refuse(name, format!("cannot be taken from the {side} side: the row is not there")),
        };
        match choice {
            Choice::Document => held(Side::Document),
            Choice::Relational => held(Side::Relational),
            Choice::Base => match self.base().and_then(|base| base.at(index)) {
                Some(value) => Ok(value.clone()),
                None => refuse(name, "has no base: both sides never agreed on it; take a side or a value"),
            },
            Choice::Value(json) => self.spoken(name, index, json),
        }
    }

    /// A value that a person gave: what the databases would take is judged by stricter rules than what they hold.
    fn spoken(&self, name: &str, index: usize, json: &Json) -> Result<Value, BadChoice> {
        let field = &self.mapping.fields()[index];
        let value = codec::from_json(field, json)
            .or_else(|expected| refuse(name, format!("cannot hold that; expected {expected}")))?;
        match (&value, field.codec) {
            (Value::Text(text), Codec::Email) => check_address(text).or_else(|why| refuse(name, why))?,
            (Value::Text(text), _) if text.chars().count() > LONGEST => {
                return refuse(name, format!("is too long; at most {LONGEST} characters"));
            }
            (Value::Text(text), _) if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') => {
                return refuse(name, "has a control character");
            }
            _ => {}
        }
        Ok(value)
    }

    /// Whoever decides a member decides its group: a side or the base counts for all of them, and with values alone a
    /// member stays as it is where that is clear.
    fn complete_groups(&self, values: &mut BTreeMap<usize, Value>) -> Result<(), BadChoice> {
        let fields = self.mapping.fields();
        for unit in self.mapping.units() {
            let choices = || unit.clone().filter_map(|index| self.given.get_key_value(fields[index].name));
            let Some((named, _)) = choices().next() else { continue };
            let whole: Vec<&Choice> = choices()
                .map(|(_, choice)| choice)
                .filter(|choice| !matches!(choice, Choice::Value(_)))
                .collect();
            if whole.iter().any(|choice| *choice != whole[0]) {
                return refuse(named, "and its group are decided together: take one side for all of them");
            }
            for index in unit.clone() {
                if values.contains_key(&index) {
                    continue;
                }
                let name = fields[index].name;
                let value = match (whole.first(), self.clear(index)) {
                    (Some(choice), _) => self.value(name, index, choice)?,
                    (None, Some(value)) => value,
                    (None, None) => {
                        let why = format!(
                            "is decided together with {name}, which differs: say what that is to hold"
                        );
                        return refuse(named, why);
                    }
                };
                values.insert(index, value);
            }
        }
        Ok(())
    }

    /// What a field holds, where that is clear: on both sides, or on the only one that has the row.
    fn clear(&self, index: usize) -> Option<Value> {
        match (self.record(Side::Document), self.record(Side::Relational)) {
            (Some(document), Some(relational)) if document.at(index) != relational.at(index) => None,
            (Some(record), _) | (None, Some(record)) => Some(record.at(index).clone()),
            (None, None) => None,
        }
    }
}

fn refuse<T>(field: &str, why: impl Into<String>) -> Result<T, BadChoice> {
    Err(BadChoice { field: field.chars().take(64).collect(), why: why.into() })
}
