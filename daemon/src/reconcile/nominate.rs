//! One job for each entity that waits: whoever names it again while that job waits joins it.

use astrops_api::{
    ids::{EntityId, JobId},
    jobs::Reconciliation,
    vocabulary::{EntityType, JobStatus, JobType},
};
use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    clock::Clock,
    db::Tx,
    jobs::Payload,
    store::jobs::{self, NewJob},
};

/// A writer often changes an entity several times in a row: one job looks at all of it.
pub const SETTLE: TimeDelta = TimeDelta::milliseconds(500);

/// Who wants what, and when.
pub struct Nomination<'a> {
    /// The kind of entity.
    pub kind: EntityType,
    /// Which.
    pub id: EntityId,
    /// Not before this time.
    pub run_at: DateTime<Utc>,
    /// `user:<id>`, `key:<name>`, ..
    pub by: &'a str,
    /// Attempts of a new job.
    pub max_attempts: u32,
    /// Now.
    pub now: DateTime<Utc>,
}

/// The job that will look at the entity: the one that waits already, or a new one (true). A job that runs may have looked
/// before the change, so it is not joined; a second one waits beside it under the next key.
pub async fn nominate(
    tx: &mut Tx,
    clock: &Clock,
    nomination: &Nomination<'_>,
) -> Result<(JobId, bool), sqlx::Error> {
    let Nomination { kind, id, run_at, by, max_attempts, now } = *nomination;
    let pair = Reconciliation { entity_type: kind, entity_id: id, changes_log: None };
    let payload = Payload::Reconciliation(pair.into());
    let mut turn = 1u32;
    loop {
        let key = match turn {
            1 => format!("reconcile:{kind}:{id}"),
            turn => format!("reconcile:{kind}:{id}:{turn}"),
        };
        let job = NewJob {
            id: JobId(clock.new_id()),
            kind: JobType::Reconciliation,
            payload: payload.to_json(),
            run_at,
            priority: 0,
            max_attempts,
            unique_key: Some(key.clone()),
            created_by: by.to_owned(),
            schedule: None,
            created_at: now,
        };
        let new = job.id;
        if !jobs::enqueue(tx, &[job]).await?.is_empty() {
            return Ok((new, true));
        }
        if let Some(holder) = jobs::holder_of(tx, &key).await?
            && let Some(holder) = jobs::find(tx, holder).await?
            && holder.status == JobStatus::Queued
        {
            return Ok((JobId(holder.id), false));
        }
        turn += 1;
    }
}
