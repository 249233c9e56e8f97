//! System logs: what happened, for operators.
//!
//! - A significant act writes its entry in its own transaction ([`Entry`] + [`crate::store::logs::insert`]).
//! - What has no transaction (entries that callers post, refusals) goes through the [`Recorder`]: many in one commit.
//! - A [`crate::tail::Tail`] reads new rows once for all streams.

mod recorder;

use astrops_api::{
    ids::{JobId, LogId, UserId},
    logs::LogEntry,
    vocabulary::{EventType, Severity},
};
use serde_json::Value;

pub use recorder::Recorder;

use crate::clock::Clock;

/// An entry of the daemon itself.
pub struct Entry(LogEntry);

impl Entry {
    /// Something that happened now.
    pub fn new(clock: &Clock, event_type: EventType, severity: Severity, message: impl Into<String>) -> Self {
        Self(LogEntry {
            id: LogId(clock.new_id()),
            timestamp: clock.now(),
            event_type,
            severity,
            message: message.into(),
            user_id: None,
            ip_address: None,
            job_id: None,
            additional_data: None,
            recorded_by: "daemon".to_owned(),
        })
    }

    /// About this job.
    #[must_use]
    pub fn job(mut self, id: JobId) -> Self {
        self.0.job_id = Some(id);
        self
    }

    /// About this user.
    #[must_use]
    pub fn user(mut self, id: UserId) -> Self {
        self.0.user_id = Some(id);
        self
    }

    /// From this address.
    #[must_use]
    pub fn address(mut self, ip: Option<&str>) -> Self {
        self.0.ip_address = ip.map(ToOwned::to_owned);
        self
    }

    /// With more to it.
    #[must_use]
    pub fn data(mut self, data: Value) -> Self {
        self.0.additional_data = Some(data);
        self
    }
}

impl From<Entry> for LogEntry {
    fn from(entry: Entry) -> Self {
        entry.0
    }
}
