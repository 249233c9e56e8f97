//! What is configured about reconciliation, in the form that the engine asks for.

use std::{fmt, sync::Arc};

use astrops_api::vocabulary::EntityType;
use chrono::TimeDelta;

use super::core::{digest::Hasher, mapping::Mapping};
use crate::config::ReconcileConfig;

const KINDS: [EntityType; 3] = [EntityType::Launch, EntityType::Booking, EntityType::User];

/// The rules in force. Cheap to clone.
#[derive(Clone)]
pub struct Rules {
    mappings: Arc<[Mapping; 3]>,
    /// What is missing on one side for so long is deleted on the other.
    pub grace: TimeDelta,
    /// A sweep looks again so long after it found a difference.
    pub settle: TimeDelta,
    /// How much a sweep may change without a person.
    pub brakes: Brakes,
    /// Keys the digests.
    pub hasher: Arc<Hasher>,
}

/// How much a sweep may change without a person.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Brakes {
    /// Rows that are changed, in percent of all.
    pub changes: f64,
    /// Rows that are deleted, in percent of all.
    pub deletes: f64,
    /// So many may be changed, and so many deleted, whatever the percentage.
    pub floor: u64,
}

impl Default for Brakes {
    fn default() -> Self {
        Self { changes: 5.0, deletes: 1.0, floor: 20 }
    }
}

impl Rules {
    /// With the mappings of launches, bookings and users.
    pub fn new(mappings: [Mapping; 3], hasher: Hasher) -> Self {
        Self {
            mappings: Arc::new(mappings),
            grace: TimeDelta::minutes(10),
            settle: TimeDelta::seconds(5),
            brakes: Brakes::default(),
            hasher: Arc::new(hasher),
        }
    }

    /// As it is configured.
    pub fn configured(config: &ReconcileConfig, hasher: Hasher) -> Self {
        Self {
            grace: TimeDelta::minutes(config.grace_minutes.into()),
            settle: TimeDelta::seconds(config.settle_seconds.into()),
            brakes: Brakes {
                changes: config.max_change_percent.into(),
                deletes: config.max_delete_percent.into(),
                floor: config.brake_floor.into(),
            },
            ..Self::new(KINDS.map(|kind| config.mapping(kind)), hasher)
        }
    }

    /// The fields of an entity and who wins.
    pub fn mapping(&self, kind: EntityType) -> &Mapping {
        let at = match kind {
            EntityType::Launch => 0,
            EntityType::Booking => 1,
            EntityType::User => 2,
        };
        &self.mappings[at]
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { grace, settle, brakes, .. } = self;
        f.debug_struct("Rules").field("grace", grace).field("settle", settle).field("brakes", brakes).finish()
    }
}
