//! A change made through our own API names its entity at once, so that the documents follow without a sweep.
//!
//! The outbox tells what was changed. How far it was read is one row in the database, moved in the transaction that makes
//! the jobs: whatever dies, no change is passed over, and of several daemons on one database one names it.
//!
//! Limits: what was changed while `[documents] follow` was off is named when it is on again, as far as the outbox is
//! kept; sweeps find the rest.

use std::{collections::HashSet, time::Duration};

use astrops_api::ids;
use tokio_util::sync::CancellationToken;

use super::nominate::{Nomination, SETTLE, nominate};
use crate::{
    db::Tx,
    queue::Context,
    store::{
        cursor::{self, Told as _},
        outbox::Happening,
    },
    tail::Tail,
};

/// The name of its cursor, and of itself where it asks for jobs.
const NAME: &str = "follower";
/// Events of one transaction.
const BATCH: i64 = 200;
/// How often to look although nothing was told: another program may have written to the same file.
const POLL: Duration = Duration::from_secs(1);

/// Begins behind the last event, unless it has begun before.
pub async fn begin(tx: &mut Tx) -> Result<(), sqlx::Error> {
    cursor::begin::<Happening>(tx, NAME).await
}

/// Names what was changed.
pub struct Follower {
    /// Where it works.
    pub context: Context,
    /// What tells it at once.
    pub tail: Tail<Happening>,
    /// Attempts of the jobs that it makes.
    pub max_attempts: u32,
}

impl Follower {
    /// Until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut told = self.tail.subscribe(&self.context.db);
        loop {
            match stop.run_until_cancelled(self.catch_up()).await {
                None => return,
                Some(Ok(())) => {}
                Some(Err(error)) => {
                    tracing::warn!(%error, "cannot name what was changed; it is tried again, and nothing is lost");
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                _ = told.recv() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    async fn catch_up(&self) -> Result<(), sqlx::Error> {
        while self.is_behind().await? && self.step().await? > 0 {}
        Ok(())
    }

    /// Whether there is anything to do; disturbs no writer.
    async fn is_behind(&self) -> Result<bool, sqlx::Error> {
        let mut tx = self.context.db.read().await?;
        let Some(cursor) = cursor::kept(&mut tx, NAME, false).await? else { return Ok(false) };
        let rows = Happening::behind(&mut tx, cursor, 1).await?;
        tx.rollback().await?;
        Ok(!rows.is_empty())
    }

    /// Names the entities of the next events; answers how many events those were.
    async fn step(&self) -> Result<usize, sqlx::Error> {
        let mut tx = self.context.db.write().await?;
        let Some(cursor) = cursor::kept(&mut tx, NAME, true).await? else { return Ok(0) };
        let rows = Happening::behind(&mut tx, cursor, BATCH).await?;
        let Some((last, _)) = rows.last() else { return Ok(0) };
        let now = self.context.clock.now();
        let mut named = HashSet::new();
        for event in rows.iter().map(|(_, happening)| &happening.event) {
            let (kind, id) = (event.entity_type, event.entity_id);
            // What reconciliation wrote is known to it, and a foreign id names no document.
            if event.data["by"] == "reconciliation"
                || ids::extract(id.0).is_none()
                || !named.insert((kind, id))
            {
                continue;
            }
            let (run_at, max_attempts) = (now + SETTLE, self.max_attempts);
            let nomination = Nomination { kind, id, run_at, by: NAME, max_attempts, now };
            nominate(&mut tx, &self.context.clock, &nomination).await?;
        }
        cursor::keep(&mut tx, NAME, *last).await?;
        tx.commit().await?;
        Ok(rows.len())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        ops::Range,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use astrops_api::{ids::LaunchId, vocabulary::DomainEventKind};
    use serde_json::json;

    use super::*;
    use crate::{
        clock::Clock,
        db::{Db, on},
        store::outbox::{self, NewEvent},
        testing::{contract, noon},
    };

    contract!(of_two_followers_one_reads_an_event_and_a_first_start_begins_at_the_end);

    /// Something happened to the launches with these numbers.
    async fn tell(context: &Context, launches: Range<u128>) {
        let event = |number: u128| {
            let mut object = [0; 12];
            object.copy_from_slice(&number.to_be_bytes()[4..]);
            NewEvent::launch(DomainEventKind::LaunchUpdated, LaunchId(ids::embed(object)), json!({}))
        };
        let events: Vec<_> = launches.map(event).collect();
        let mut tx = context.db.write().await.unwrap();
        outbox::insert(&mut tx, &context.clock, noon(), &events).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn of_two_followers_one_reads_an_event_and_a_first_start_begins_at_the_end(db: Db) {
        let clock = Clock::mock(noon());
        let context = Context { db: db.clone(), node: astrops_api::ids::NodeId(clock.new_id()), clock };
        tell(&context, 0..3).await;
        let follower = || Follower { context: context.clone(), tail: Tail::default(), max_attempts: 5 };
        assert_eq!(follower().step().await.unwrap(), 0, "it has not begun");
        for launches in [1000..1700, 2000..2700] {
            let mut tx = db.write().await.unwrap();
            begin(&mut tx).await.unwrap();
            tx.commit().await.unwrap();
            tell(&context, launches).await;
        }
        // On PostgreSQL what was written becomes readable when older transactions have ended, those of other tests too.
        let read = AtomicUsize::new(0);
        let reading = async |follower: Follower| {
            while read.load(Ordering::SeqCst) < 1400 {
                read.fetch_add(follower.step().await.unwrap(), Ordering::SeqCst);
            }
        };
        let both = async { tokio::join!(reading(follower()), reading(follower())) };
        tokio::time::timeout(Duration::from_mins(1), both).await.expect("1400 events");
        assert_eq!(read.into_inner(), 1400);
        let mut tx = db.read().await.unwrap();
        let jobs: i64 = on!(&mut tx, |conn| {
            sqlx::query_scalar("SELECT COUNT(*) FROM jobs WHERE created_by = 'follower'")
                .fetch_one(conn)
                .await
        })
        .unwrap();
        assert_eq!(jobs, 1400);
    }
}
