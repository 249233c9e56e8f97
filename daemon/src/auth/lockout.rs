//! Lockout: [`MOST`] wrong passwords for one address within [`WINDOW`] lock it for 1 minute, the next time for 2, 4, 8,
//! and from then on 15. Known and unknown addresses are counted alike. A right password makes everything forgotten; so
//! does [`QUIET`] after the end of the last lock. While it is locked nothing is counted and no password is looked at,
//! so nobody can keep an address locked for longer than its time by trying on.

use chrono::{DateTime, TimeDelta, Utc};

/// Wrong passwords that lock.
pub const MOST: i64 = 5;
/// They count for so long after the first of them.
pub const WINDOW: TimeDelta = TimeDelta::minutes(15);
/// After so long without a lock the next one is short again.
pub const QUIET: TimeDelta = TimeDelta::hours(1);
/// The longest lock, in minutes.
const LONGEST: i64 = 15;

/// What was counted for one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Tally {
    /// Wrong passwords since [`Tally::window_from`].
    pub failures: i64,
    /// Locks in a row.
    pub lockouts: i64,
    /// The first of the wrong passwords.
    pub window_from: DateTime<Utc>,
    /// The end of the last lock.
    pub locked_until: Option<DateTime<Utc>>,
}

impl Tally {
    /// Nothing was counted.
    pub const fn new(now: DateTime<Utc>) -> Self {
        Self { failures: 0, lockouts: 0, window_from: now, locked_until: None }
    }

    /// Whether it is locked at `now`.
    pub fn is_locked(&self, now: DateTime<Utc>) -> bool {
        self.locked_until.is_some_and(|until| until > now)
    }

    /// With one more wrong password at `now`. Nothing changes while it is locked.
    #[must_use]
    pub fn with_failure(mut self, now: DateTime<Utc>) -> Self {
        if self.is_locked(now) {
            return self;
        }
        if self.locked_until.is_some_and(|until| now - until >= QUIET) {
            self = Self::new(now);
        } else if self.failures == 0 || self.failures >= MOST || now - self.window_from >= WINDOW {
            (self.failures, self.window_from) = (0, now);
        }
        self.failures += 1;
        if self.failures >= MOST {
            let minutes = 1_i64.checked_shl(u32::try_from(self.lockouts).unwrap_or(u32::MAX));
            let minutes = minutes.filter(|minutes| (1..LONGEST).contains(minutes)).unwrap_or(LONGEST);
            self.lockouts += 1;
            self.locked_until = Some(now + TimeDelta::minutes(minutes));
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> DateTime<Utc> {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    /// Fails until it is locked; how many failures that took, and for how many minutes.
    fn lock(tally: &mut Tally, now: DateTime<Utc>) -> (i64, i64) {
        for failures in 1.. {
            *tally = tally.with_failure(now);
            if tally.is_locked(now) {
                return (failures, (tally.locked_until.unwrap() - now).num_minutes());
            }
        }
        unreachable!()
    }

    #[test]
    fn each_lock_in_a_row_is_twice_as_long_up_to_a_quarter_of_an_hour() {
        let (mut tally, mut now) = (Tally::new(noon()), noon());
        let mut locks = Vec::new();
        for _ in 0..70 {
            let (failures, minutes) = lock(&mut tally, now);
            assert_eq!(failures, MOST);
            locks.push(minutes);
            now += TimeDelta::minutes(minutes);
            assert!(!tally.is_locked(now), "it ends by itself");
        }
        assert_eq!(locks[..6], [1, 2, 4, 8, 15, 15]);
        assert!(locks[5..].iter().all(|minutes| *minutes == 15));
        assert_eq!(lock(&mut tally, now + QUIET), (MOST, 1), "after a quiet hour it is short again");
    }

    #[test]
    fn old_failures_do_not_count_and_a_lock_is_not_made_longer() {
        let mut tally = Tally::new(noon());
        for minute in [0, 1, 2, 14, 15, 16, 17, 29] {
            tally = tally.with_failure(noon() + TimeDelta::minutes(minute));
            assert_eq!(tally.locked_until, None, "at {minute}");
        }
        let now = noon() + TimeDelta::minutes(29);
        tally = tally.with_failure(now);
        assert!(tally.is_locked(now), "the fifth within the second quarter of an hour");
        assert_eq!(tally.with_failure(now), tally);
    }
}
