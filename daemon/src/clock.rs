//! Time is a parameter: the system's clock, or a mock one that a test advances.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use tokio::sync::watch;
use uuid::{ContextV7, Timestamp, Uuid};

/// Tells the time and makes time-ordered ids. Cheap to clone; clones share one time.
#[derive(Clone)]
pub struct Clock(Arc<Inner>);

struct Inner {
    /// `Some` for a mock clock.
    mock: Option<watch::Sender<DateTime<Utc>>>,
    began: (DateTime<Utc>, Instant),
    ids: std::sync::Mutex<ContextV7>,
}

impl Clock {
    fn make(mock: Option<watch::Sender<DateTime<Utc>>>) -> Self {
        let began = (mock.as_ref().map_or_else(DateTime::default, |mock| *mock.borrow()), Instant::now());
        Self(Arc::new(Inner { mock, began, ids: std::sync::Mutex::new(ContextV7::new()) }))
    }

    /// The computer's clock.
    pub fn system() -> Self {
        Self::make(None)
    }

    /// A clock that stands at `start` until [`Clock::advance`] moves it.
    pub fn mock(start: DateTime<Utc>) -> Self {
        Self::make(Some(watch::Sender::new(microseconds(start))))
    }

    /// Now, to the microsecond: what both databases keep.
    pub fn now(&self) -> DateTime<Utc> {
        if let Some(mock) = &self.0.mock {
            return *mock.borrow();
        }
        #[expect(clippy::disallowed_methods, reason = "the one place that asks the computer")]
        let now = Utc::now();
        microseconds(now)
    }

    /// The time since this clock was made. It never goes back, whatever becomes of the computer's clock.
    pub fn elapsed(&self) -> Duration {
        let (start, began) = self.0.began;
        match &self.0.mock {
            Some(mock) => (*mock.borrow() - start).to_std().unwrap_or_default(),
            None => began.elapsed(),
        }
    }

    /// Moves a mock clock on and wakes all who sleep until a time that has come. No effect on the system's clock.
    pub fn advance(&self, by: TimeDelta) {
        if let Some(mock) = &self.0.mock {
            mock.send_modify(|now| *now += by);
        }
    }

    /// Returns when `time` has come.
    pub async fn sleep_until(&self, time: DateTime<Utc>) {
        let Some(mock) = &self.0.mock else {
            while let Ok(wait) = (time - self.now()).to_std() {
                if wait.is_zero() {
                    return;
                }
                // In slices, so that a step of the computer's clock is noticed.
                tokio::time::sleep(wait.min(std::time::Duration::from_secs(5))).await;
            }
            return;
        };
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = mock.subscribe().wait_for(|now| *now >= time).await;
    }

    /// A new `UUIDv7` of this moment, larger than every earlier one of this clock.
    pub fn new_id(&self) -> Uuid {
        let now = self.now();
        let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
        let ids = self.0.ids.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Uuid::new_v7(Timestamp::from_unix(&*ids, seconds, now.timestamp_subsec_nanos()))
    }
}

fn microseconds(time: DateTime<Utc>) -> DateTime<Utc> {
    time.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(time)
}

/// The smallest `UUIDv7` of the millisecond of `time`: a lower bound for ids made at or after it.
pub fn first_id_of(time: DateTime<Utc>) -> Uuid {
    let millis = u128::try_from(time.timestamp_millis()).unwrap_or_default();
    Uuid::from_u128(millis << 80)
}

/// Larger than every `UUIDv7` of the millisecond of `time`.
pub fn last_id_of(time: DateTime<Utc>) -> Uuid {
    Uuid::from_u128(first_id_of(time).as_u128() | ((1 << 80) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_moment_rise_and_lie_between_its_bounds() {
        let clock = Clock::mock("2026-03-01T12:00:00.123456Z".parse().unwrap());
        let ids: Vec<Uuid> = (0..1000).map(|_| clock.new_id()).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(ids.iter().all(|id| first_id_of(clock.now()) <= *id && *id <= last_id_of(clock.now())));
    }

    #[tokio::test]
    async fn a_sleeper_wakes_when_the_mock_clock_reaches_its_time() {
        let clock = Clock::mock("2026-03-01T12:00:00Z".parse().unwrap());
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            let until = clock.now() + TimeDelta::hours(1);
            async move { clock.sleep_until(until).await }
        });
        clock.advance(TimeDelta::minutes(59));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.advance(TimeDelta::minutes(1));
        sleeper.await.unwrap();
    }
}
