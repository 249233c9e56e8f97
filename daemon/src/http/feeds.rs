//! What the streams tell: log entries, jobs as they stand, domain events.

use astrops_api::{
    events::EventStreamQuery,
    ids::{EntityId, JobId, UserId},
    logs::{LogEntry, LogStreamQuery},
    vocabulary::{EntityType, EventType, Severity},
};
use axum::response::sse::Event;

use super::{
    App, Caller, Shared,
    jobs::shown,
    stream::{Feed, event},
};
use crate::{
    auth::Principal,
    jobs::view,
    store::{cursor::Cursor, jobs, outbox::Happening},
    tail::Tail,
};

/// Log entries.
pub struct LogFeed {
    event_type: Option<EventType>,
    min_severity: Option<Severity>,
    job_id: Option<JobId>,
    text: Option<String>,
}

impl From<LogStreamQuery> for LogFeed {
    fn from(query: LogStreamQuery) -> Self {
        Self {
            event_type: query.event_type,
            min_severity: query.min_severity,
            job_id: query.job_id,
            text: query.q.map(|text| text.to_lowercase()),
        }
    }
}

impl LogFeed {
    fn admits(&self, entry: &LogEntry) -> bool {
        self.event_type.is_none_or(|wanted| entry.event_type == wanted)
            && self.min_severity.is_none_or(|least| entry.severity >= least)
            && self.job_id.is_none_or(|wanted| entry.job_id == Some(wanted))
            && self.text.as_ref().is_none_or(|text| entry.message.to_lowercase().contains(text))
    }
}

impl Feed for LogFeed {
    type Row = LogEntry;

    fn tail(app: &Shared) -> &Tail<LogEntry> {
        &app.log_tail
    }

    async fn events<'a>(
        &'a self,
        _: &'a App,
        rows: Vec<&'a (Cursor, LogEntry)>,
    ) -> Result<Vec<Event>, sqlx::Error> {
        let admitted = rows.into_iter().filter(|(_, entry)| self.admits(entry));
        Ok(admitted.map(|(cursor, entry)| event(*cursor, entry)).collect())
    }
}

/// Jobs as they stand for this caller, whenever something about them was logged.
pub struct JobFeed(pub Principal);

impl Feed for JobFeed {
    type Row = LogEntry;

    fn tail(app: &Shared) -> &Tail<LogEntry> {
        &app.log_tail
    }

    async fn events<'a>(
        &'a self,
        app: &'a App,
        rows: Vec<&'a (Cursor, LogEntry)>,
    ) -> Result<Vec<Event>, sqlx::Error> {
        let mut changed: Vec<(JobId, Cursor)> =
            rows.into_iter().filter_map(|(cursor, entry)| entry.job_id.map(|id| (id, *cursor))).collect();
        changed.reverse();
        changed.sort_by_key(|(id, _)| *id);
        changed.dedup_by_key(|(id, _)| *id);
        changed.sort_by_key(|(_, cursor)| *cursor);
        let ids: Vec<JobId> = changed.iter().map(|(id, _)| *id).collect();
        let mut tx = app.db.read().await?;
        let stored = jobs::find_all(&mut tx, &ids).await?;
        tx.rollback().await?;
        let now = app.clock.now();
        let told = |(id, cursor): &(JobId, Cursor)| {
            let job = stored.iter().find(|job| job.id == id.0)?;
            Some(event(*cursor, &view::job(job, shown(&self.0, false), now)))
        };
        Ok(changed.iter().filter_map(told).collect())
    }
}

/// Domain events that the caller may know of.
pub struct EventFeed {
    /// Set for who is not told everything.
    only_of: Option<UserId>,
    entity_type: Option<EntityType>,
    entity_id: Option<EntityId>,
}

impl EventFeed {
    /// Everything for employees and programs; for others what is public or theirs.
    pub fn new(caller: &Caller, query: &EventStreamQuery) -> Self {
        let user = caller.principal.user().filter(|_| !caller.principal.is_employee());
        Self { only_of: user.map(|user| user.id), entity_type: query.entity_type, entity_id: query.entity_id }
    }

    fn admits(&self, happening: &Happening) -> bool {
        self.only_of.is_none_or(|user| happening.concerns(user))
            && self.entity_type.is_none_or(|wanted| happening.event.entity_type == wanted)
            && self.entity_id.is_none_or(|wanted| happening.event.entity_id == wanted)
    }
}

impl Feed for EventFeed {
    type Row = Happening;

    fn tail(app: &Shared) -> &Tail<Happening> {
        &app.event_tail
    }

    async fn events<'a>(
        &'a self,
        _: &'a App,
        rows: Vec<&'a (Cursor, Happening)>,
    ) -> Result<Vec<Event>, sqlx::Error> {
        let admitted = rows.into_iter().filter(|(_, happening)| self.admits(happening));
        Ok(admitted.map(|(cursor, happening)| event(*cursor, &happening.event)).collect())
    }
}
