//! How long to wait before connecting again.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);

/// One operator's console is no burden to a daemon, and nobody likes to wait for it: never longer than this.
const LONGEST: Duration = Duration::from_secs(1);

/// The pause before attempt `attempt` (from 1): doubling from 100 ms to at most 1 s, then between half and all
/// of that as `jitter` (0 to 1) says, so that many consoles do not come back in step.
pub fn pause(attempt: u32, jitter: f64) -> Duration {
    let doubled = FIRST.saturating_mul(1 << attempt.saturating_sub(1).min(10));
    doubled.min(LONGEST).mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_second_and_no_further() {
        let pauses: Vec<u128> = [1, 2, 3, 4, 5, 6, 60, u32::MAX].map(|n| pause(n, 1.0).as_millis()).to_vec();
        assert_eq!(pauses, [100, 200, 400, 800, 1000, 1000, 1000, 1000]);
        assert_eq!(pause(5, 0.0), Duration::from_millis(500));
        assert_eq!(pause(5, f64::INFINITY), Duration::from_secs(1));
    }
}
