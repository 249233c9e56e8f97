//! `[reconcile]`: who wins, how long is waited, how much may change without a person.
//!
//! Authorities are set in the file only. They are checked by the mapping itself when the configuration is read, so that
//! whoever reconciles gets ready [`Mapping`]s.

use std::collections::BTreeMap;

use astrops_api::vocabulary::EntityType;
use serde::{Deserialize, Deserializer, de::Error as _};

use super::{Refusal, refusal::none_of};
use crate::reconcile::core::mapping::{Authority, BadOverride, Mapping};

/// The table of authorities.
pub(super) const AUTHORITY: &str = "reconcile.authority";

/// `[reconcile]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReconcileConfig {
    /// What is missing on one side is deleted on the other when it has been missing for so long.
    pub grace_minutes: u32,
    /// What a sweep finds to differ is looked at again so much later, before anything is planned.
    pub settle_seconds: u32,
    /// A sweep that would delete more of the rows than this waits for a person.
    pub max_delete_percent: u32,
    /// A sweep that would change more of the rows than this waits for a person.
    pub max_change_percent: u32,
    /// So many rows a sweep may always delete or change.
    pub brake_floor: u32,
    /// By entity and field, as it was given.
    #[serde(default)]
    authority: BTreeMap<String, BTreeMap<String, Given>>,
    #[serde(skip)]
    ready: BTreeMap<EntityType, Mapping>,
}

/// An authority in the file.
#[derive(Clone, Copy, Debug)]
struct Given(Authority);

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map(Self).map_err(D::Error::custom)
    }
}

impl ReconcileConfig {
    /// The fields of `kind` with the authorities that are in force.
    pub fn mapping(&self, kind: EntityType) -> Mapping {
        self.ready.get(&kind).cloned().unwrap_or_else(|| Mapping::of(kind))
    }

    /// Checks what was given and makes the mappings; `source_of` names where a key's value came from.
    pub(super) fn settle_authorities(
        &mut self,
        source_of: impl Fn(&str) -> String,
    ) -> Result<(), super::ConfigError> {
        let mut refusals = Vec::new();
        for (name, fields) in &self.authority {
            let table = format!("{AUTHORITY}.{name}");
            // Synonyms would let one entity be there twice.
            let Some(&kind) = EntityType::ALL.iter().find(|kind| kind.as_str() == name) else {
                let words: Vec<_> = EntityType::ALL.iter().map(|kind| kind.as_str()).collect();
                let wrong = format!("{} is no kind of entity", table.escape_debug());
                refusals.push(Refusal::new(source_of(AUTHORITY), wrong, words.join(", ")));
                continue;
            };
            let given = fields.iter().map(|(field, given)| (field.clone(), given.0)).collect();
            match Mapping::with(kind, &given) {
                Ok(mapping) => drop(self.ready.insert(kind, mapping)),
                Err(error) => {
                    let at = match &error {
                        BadOverride::Unknown { field, .. } => field,
                        BadOverride::Pinned { field, .. } | BadOverride::Divided { field, .. } => *field,
                    };
                    let wrong = format!("{}: {error}", format!("{table}.{at}").escape_debug());
                    refusals.push(Refusal::new(source_of(&table), wrong, ""));
                }
            }
        }
        none_of(refusals)
    }

    /// Every authority that can be configured, by the key that sets it: a field, or one of a group.
    pub(super) fn authorities(&self) -> Vec<(String, Authority)> {
        let mut all = Vec::new();
        for &kind in EntityType::ALL {
            let mapping = self.mapping(kind);
            let given = self.authority.get(kind.as_str());
            for unit in mapping.units() {
                let fields = &mapping.fields()[unit.clone()];
                let named = fields.iter().find(|field| given.is_some_and(|g| g.contains_key(field.name)));
                let field = named.unwrap_or(&fields[0]);
                if !field.pinned && mapping.authority(unit.start) != Authority::Derived {
                    all.push((format!("{AUTHORITY}.{kind}.{}", field.name), mapping.authority(unit.start)));
                }
            }
        }
        all
    }
}
