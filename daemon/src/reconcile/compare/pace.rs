//! How large the next page is, and how long to rest before it. Pure: the caller measures.

use std::{ops::RangeInclusive, time::Duration};

/// A page takes about this long: a pause or a cancelled sweep is noticed soon, and no snapshot grows old.
const PAGE: Duration = Duration::from_millis(100);
/// A page is about this large at most: two of each side are in memory.
pub const EMBEDDED: usize = 1 << 20;
/// The same of a server, which has to find its place for each page anew.
pub const SERVER: usize = 2 << 20;
/// A database that answers this many times slower than at its best has something better to do.
const SLOW: f64 = 3.0;
/// Rest no longer at a time.
const REST: Duration = Duration::from_secs(1);

/// The pace of reading one side.
#[derive(Clone, Debug)]
pub struct Pace {
    bounds: RangeInclusive<u32>,
    bytes: usize,
    rows: u32,
    /// Seconds for each row of the fastest page so far: the idle baseline.
    best: f64,
}

impl Default for Pace {
    fn default() -> Self {
        Self::new(EMBEDDED, 100..=20_000)
    }
}

impl Pace {
    /// With pages of about so many bytes at most, and of so many rows.
    pub fn new(bytes: usize, bounds: RangeInclusive<u32>) -> Self {
        // Few at first: nobody knows yet how large they are.
        let rows = *bounds.start();
        Self { bytes, bounds, rows, best: f64::INFINITY }
    }

    /// How many rows the next page has at most.
    pub const fn rows(&self) -> u32 {
        self.rows
    }

    /// A page of so many rows and bytes took this long; how long to rest now. Only full pages tell: what a call costs by
    /// itself falls on few rows else.
    pub fn took(&mut self, rows: usize, bytes: usize, took: Duration) -> Duration {
        if rows < self.rows as usize {
            return Duration::ZERO;
        }
        let seconds = took.as_secs_f64().max(1e-9);
        let each = seconds / f64::from(self.rows);
        self.best = self.best.min(each);
        let step = f64::from(self.rows);
        let by_time = (PAGE.as_secs_f64() / each).clamp(step / 2.0, step * 2.0);
        let by_time = by_time.clamp(f64::from(*self.bounds.start()), f64::from(*self.bounds.end()));
        // Memory comes first: of huge documents a page has fewer than the bounds say.
        let next = by_time.min(step * ratio(self.bytes, bytes)).max(1.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from 1 to a bound that is one"
        )]
        let next = next as u32;
        self.rows = next;
        let late = seconds - self.best * step;
        if each > SLOW * self.best { Duration::from_secs_f64(late).min(REST) } else { Duration::ZERO }
    }
}

#[expect(clippy::cast_precision_loss, reason = "sizes of pages")]
fn ratio(wanted: usize, is: usize) -> f64 {
    wanted as f64 / is.max(1) as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The size of pages after many of them, when a row takes so many nanoseconds and bytes.
    fn settled(pace: &mut Pace, nanos: u64, bytes: usize) -> u32 {
        for _ in 0..40 {
            let rows = pace.rows();
            pace.took(rows as usize, rows as usize * bytes, Duration::from_nanos(u64::from(rows) * nanos));
        }
        pace.rows()
    }

    #[test]
    fn a_page_takes_a_tenth_of_a_second_within_its_bounds() {
        assert_eq!(settled(&mut Pace::default(), 50_000, 100), 2_000);
        assert_eq!(settled(&mut Pace::default(), 1, 10), 20_000);
        assert_eq!(settled(&mut Pace::default(), 10_000_000, 100), 100);
    }

    #[test]
    fn a_page_stays_small_in_memory_however_large_its_rows() {
        assert_eq!(settled(&mut Pace::default(), 1, 1_024), 1_024);
        assert_eq!(settled(&mut Pace::default(), 1, EMBEDDED), 1);
        let mut pace = Pace::default();
        settled(&mut pace, 1, EMBEDDED);
        assert_eq!(settled(&mut pace, 1, 10), 20_000, "and grows again");
    }

    #[test]
    fn a_slow_database_is_left_alone_for_a_while_and_never_for_long() {
        let mut pace = Pace::new(EMBEDDED, 1_000..=1_000);
        let mut after = |millis| pace.took(1_000, 1, Duration::from_millis(millis));
        assert_eq!([after(10), after(20), after(30)], [Duration::ZERO; 3]);
        assert_eq!(after(31), Duration::from_millis(21));
        assert_eq!(after(60_000), Duration::from_secs(1));
        assert_eq!(after(10), Duration::ZERO);
    }

    #[test]
    fn a_page_that_is_not_full_tells_nothing() {
        let mut pace = Pace::default();
        assert_eq!(pace.took(3, 1, Duration::from_nanos(1)), Duration::ZERO);
        assert_eq!(pace.rows(), 100, "few at first");
        assert_eq!(pace.took(100, 1, Duration::from_millis(100)), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn pages_have_at_least_one_row_and_rests_an_end(
            steps in proptest::collection::vec((0usize..30_000, 0usize..1 << 40, 0u64..1 << 50), 1..50),
        ) {
            let mut pace = Pace::default();
            for (rows, bytes, nanos) in steps {
                prop_assert!(pace.took(rows, bytes, Duration::from_nanos(nanos)) <= REST);
                prop_assert!((1..=20_000).contains(&pace.rows()));
            }
        }
    }
}
