//! The kinds of job, and the ONE list that registers them.
//!
//! To add a kind: a variant of [`Payload`], a file with its handler, a line in [`handlers`].

pub mod maintenance;
pub mod notification;
mod reconciliation;
pub mod view;

use std::sync::Arc;

use astrops_api::{
    jobs::{Maintenance, Reconciliation},
    vocabulary::JobType,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use notification::{Mailroom, StoredMail};

use crate::{
    booking::Desk,
    config::{JobsConfig, LogsConfig},
    payments::Cashier,
    queue::{Context, Handlers},
    reconcile::{decision::Decision, engine::Engine, sweep::Sweeper},
};

/// What a job's handler reads, as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Payload {
    /// A mail.
    Notification(StoredMail),
    /// An entity to make agree.
    Reconciliation(StoredPair),
    /// Housekeeping.
    Maintenance(Maintenance),
}

/// An entity to make agree, and what a person decided about it. Only the routes of conflicts put a decision into a job,
/// and only `http/decisions.rs` shows it, as far as the caller may see it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredPair {
    /// The entity.
    #[serde(flatten)]
    pub pair: Reconciliation,
    /// What is to become of it; else the rules decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
}

impl From<Reconciliation> for StoredPair {
    fn from(pair: Reconciliation) -> Self {
        Self { pair, decision: None }
    }
}

impl Payload {
    /// The type of a job that carries it.
    pub fn kind(&self) -> JobType {
        match self {
            Self::Notification(_) => JobType::Notification,
            Self::Reconciliation(_) => JobType::Reconciliation,
            Self::Maintenance(_) => JobType::Maintenance,
        }
    }

    /// As it is stored.
    pub fn to_json(&self) -> Value {
        // Plain structs with text keys always can be.
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// Every kind of job that this daemon can do.
pub fn handlers(
    context: &Context,
    mailroom: Arc<Mailroom>,
    desk: Desk,
    cashier: Cashier,
    engine: Engine,
    jobs: JobsConfig,
    logs: &LogsConfig,
) -> Handlers {
    let documents = engine.documents().clone();
    vec![
        (JobType::Reconciliation, Arc::new(reconciliation::Reconciler(engine.clone()))),
        (JobType::Notification, mailroom),
        (
            JobType::Maintenance,
            Arc::new(maintenance::Caretaker::new(
                context.clone(),
                desk,
                cashier,
                Sweeper::new(engine),
                documents,
                jobs,
                logs.retention_days,
            )),
        ),
    ]
}
