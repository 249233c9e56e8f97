//! The merge written a second time, from the design's prose and by brute force: instead of deciding a field it tries the
//! three things that can be made of it (leave it, both hold D, both hold R) and keeps the one that the prose allows.
//! It shares the vocabulary of the core and none of its decisions.

use std::collections::BTreeSet;

use super::super::mapping::{Authority, Mapping};
use super::*;

/// What may be made of a field or group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Both sides hold the same already.
    Same,
    /// Both hold what the document says.
    Document,
    /// Both hold what the relational row says.
    Relational,
    /// Nothing is written; a person decides.
    Person,
}

/// A field or group on all sides; members in a fixed order.
pub struct Field<'a> {
    pub authority: Authority,
    pub base: Option<Vec<Value>>,
    pub document: Vec<Value>,
    pub relational: Vec<Value>,
    pub updated: Option<(i64, i64)>,
    pub names: Vec<&'a str>,
    pub immutable: bool,
    pub cancelled: bool,
}

impl Field<'_> {
    /// The one outcome that the prose allows.
    pub fn outcome(&self) -> Outcome {
        let allowed: BTreeSet<Outcome> =
            [Outcome::Same, Outcome::Document, Outcome::Relational, Outcome::Person]
                .into_iter()
                .filter(|outcome| self.allows(*outcome))
                .collect();
        assert_eq!(allowed.len(), 1, "the prose must allow exactly one outcome: {allowed:?}");
        *allowed.first().unwrap()
    }

    fn allows(&self, outcome: Outcome) -> bool {
        let differ = self.document != self.relational;
        match outcome {
            Outcome::Same => !differ,
            _ if !differ => false,
            // Each winner must be the one that the authority names and its write must not be forbidden.
            Outcome::Document => {
                self.winner() == Some("document") && !self.forbidden(&self.relational, &self.document, true)
            }
            Outcome::Relational => {
                self.winner() == Some("relational")
                    && !self.forbidden(&self.document, &self.relational, false)
            }
            Outcome::Person => !self.allows(Outcome::Document) && !self.allows(Outcome::Relational),
        }
    }

    /// Who wins, by the prose; nobody when a person decides.
    fn winner(&self) -> Option<&'static str> {
        if self.immutable {
            return None;
        }
        let name = self.authority.to_string();
        let (side, kind) = name.split_once('_').unwrap_or((name.as_str(), ""));
        let named = if side == "doc" { "document" } else { "relational" };
        if kind == "always" {
            return Some(named);
        }
        let only_document_moved = self.base.as_ref() == Some(&self.relational);
        let only_relational_moved = self.base.as_ref() == Some(&self.document);
        if only_document_moved {
            return Some("document");
        }
        if only_relational_moved {
            return Some("relational");
        }
        // Both moved, or there is no base.
        let says_less = |less: &[Value], more: &[Value]| {
            less.iter().zip(more).all(|(less, more)| less == more || *less == Value::Null)
        };
        let fuller = if says_less(&self.document, &self.relational) {
            Some("relational")
        } else if says_less(&self.relational, &self.document) {
            Some("document")
        } else {
            None
        };
        let is_newest = name.starts_with("newest");
        let blank_counts = kind == "prefer" || (is_newest && self.base.is_none());
        if blank_counts && fuller.is_some() {
            return fuller;
        }
        if kind == "prefer" && self.base.is_some() {
            return Some(named);
        }
        if let (Authority::Newest { threshold }, Some((document, relational)), true) =
            (self.authority, self.updated, fuller.is_none() || self.base.is_some())
        {
            let apart = i128::from(document) - i128::from(relational);
            if apart.unsigned_abs() > u128::from(threshold.unsigned_abs()) {
                return Some(if apart > 0 { "document" } else { "relational" });
            }
        }
        None
    }

    fn forbidden(&self, held: &[Value], written: &[Value], to_relational: bool) -> bool {
        let rank = |value: &Value| match value {
            Value::Word("refunded") => 2,
            Value::Word("paid") => 1,
            _ => 0,
        };
        self.names.iter().zip(held.iter().zip(written)).any(|(name, (held, written))| match *name {
            "paymentStatus" => rank(written) < rank(held),
            "isActive" => to_relational && self.cancelled && *written == Value::Bool(true),
            _ => false,
        })
    }
}

/// Whether no document changes it: it belongs to an employee, or to somebody who was erased.
fn is_ours(mapping: &Mapping, name: &str, relational: &Record) -> bool {
    let holds = |field: &str, found: &str| {
        let value = mapping.index(field).map(|at| relational.at(at).to_string());
        value.is_some_and(|value| value.trim_matches('"').ends_with(found))
    };
    mapping.entity == astrops_api::vocabulary::EntityType::User
        && (holds("email", "@deleted.invalid")
            || (["email", "isActive"].contains(&name) && holds("role", "admin")))
}

/// What both sides hold afterwards and the topics of conflicts, when no guard speaks.
pub fn expected(mapping: &Mapping, situation: &Situation) -> (Record, Record, Vec<Vec<usize>>) {
    let (document, relational) =
        (record(&situation.seen.document).unwrap(), record(&situation.seen.relational).unwrap());
    let (mut left, mut right, mut people) = (document.clone(), relational.clone(), Vec::new());
    let fields = mapping.fields();
    let mut done = BTreeSet::new();
    for start in 0..fields.len() {
        let shared = fields[start].document.is_some() && fields[start].relational.is_some();
        if done.contains(&start) || !shared || mapping.authority(start) == Authority::Ignore {
            continue;
        }
        let members: Vec<usize> = (0..fields.len())
            .filter(|&other| {
                other == start
                    || (fields[start].group.is_some() && fields[other].group == fields[start].group)
            })
            .collect();
        done.extend(members.iter().copied());
        let pick =
            |record: &Record| -> Vec<Value> { members.iter().map(|&at| record.at(at).clone()).collect() };
        let base = match &situation.history {
            History::Agreed(base) => {
                members.iter().map(|&at| base.at(at).cloned()).collect::<Option<Vec<_>>>()
            }
            _ => None,
        };
        let updated = |seen: &Seen| if let Seen::Row { updated_at, .. } = seen { *updated_at } else { None };
        let field = Field {
            authority: if is_ours(mapping, fields[start].name, &relational) {
                Authority::RelAlways
            } else {
                mapping.authority(start)
            },
            base,
            document: pick(&document),
            relational: pick(&relational),
            updated: updated(&situation.seen.document).zip(updated(&situation.seen.relational)),
            names: members.iter().map(|&at| fields[at].name).collect(),
            immutable: fields[start].immutable,
            cancelled: situation.facts.cancelled,
        };
        match field.outcome() {
            Outcome::Same => {}
            Outcome::Person => people.push(members),
            Outcome::Document => {
                right = members.iter().fold(right, |record, &at| record.with(at, document.at(at).clone()));
            }
            Outcome::Relational => {
                left = members.iter().fold(left, |record, &at| record.with(at, relational.at(at).clone()));
            }
        }
    }
    (left, right, people)
}
