//! Token buckets per caller's address, against floods from one place. What one account may take is [`super::lockout`]'s.
//!
//! Addresses are hashed into [`BUCKETS`] places, so memory is bounded and nothing has to be swept; two callers share a
//! bucket only by accident, since the hash has a random key. Limits: the buckets are this node's own and are full again
//! after a restart.

use std::{
    hash::{BuildHasher as _, RandomState},
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    time::Duration,
};

use governor::{Quota, RateLimiter, clock, middleware::NoOpMiddleware, state::keyed::HashMapStateStore};

use crate::clock::Clock;

/// Buckets of each kind.
const BUCKETS: u64 = 1 << 16;
/// Requests at once, and per second after that, on the routes that cost a password hash or look for a secret.
const SIGN_IN: (u32, u32) = (30, 1);
/// The same for everything else that nobody has signed in for.
const ANONYMOUS: (u32, u32) = (600, 20);

type Limiter = RateLimiter<u64, HashMapStateStore<u64>, Clock, NoOpMiddleware<Duration>>;

impl clock::Clock for Clock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.elapsed()
    }
}

/// What a request is charged to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charge {
    /// Signing in, registering, refreshing.
    SignIn,
    /// Anything else without a living token.
    Anonymous,
}

/// The buckets.
pub struct Limits {
    clock: Clock,
    places: RandomState,
    sign_in: Limiter,
    anonymous: Limiter,
    on: bool,
}

impl Limits {
    /// Full buckets; nobody is refused unless `on`.
    pub fn new(clock: &Clock, on: bool) -> Self {
        let limiter = |(burst, per_second)| {
            let count = |n| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
            let quota = Quota::per_second(count(per_second)).allow_burst(count(burst));
            RateLimiter::new(quota, HashMapStateStore::default(), clock.clone())
        };
        let (sign_in, anonymous) = (limiter(SIGN_IN), limiter(ANONYMOUS));
        Self { clock: clock.clone(), places: RandomState::new(), sign_in, anonymous, on }
    }

    /// Takes one from the bucket of the caller at `ip`, or says after how many seconds there is one again.
    pub fn take(&self, charge: Charge, ip: Option<&str>) -> Result<(), u64> {
        if !self.on {
            return Ok(());
        }
        let limiter = match charge {
            Charge::SignIn => &self.sign_in,
            Charge::Anonymous => &self.anonymous,
        };
        let place = self.places.hash_one(neighbourhood(ip)) % BUCKETS;
        limiter.check_key(&place).map_err(|until| {
            let wait = until.wait_time_from(self.clock.elapsed());
            (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
        })
    }
}

/// Who shares a bucket: an IPv4 address, or the /64 that one IPv6 subscriber has; and those without an address.
fn neighbourhood(ip: Option<&str>) -> Option<IpAddr> {
    match ip?.parse::<IpAddr>().ok()?.to_canonical() {
        IpAddr::V6(ip) => Some(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into()),
        ip @ IpAddr::V4(_) => Some(ip),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn takes(limits: &Limits, charge: Charge, ip: &str) -> u32 {
        (0..1000).find(|_| limits.take(charge, Some(ip)).is_err()).unwrap()
    }

    #[test]
    fn a_bucket_is_empty_after_its_burst_and_fills_again() {
        let clock = Clock::mock("2026-03-01T12:00:00Z".parse().unwrap());
        let limits = Limits::new(&clock, true);
        assert_eq!(takes(&limits, Charge::SignIn, "192.0.2.1"), SIGN_IN.0);
        assert_eq!(limits.take(Charge::SignIn, Some("192.0.2.1")), Err(1));
        assert_eq!(limits.take(Charge::Anonymous, Some("192.0.2.1")), Ok(()), "another kind");
        clock.advance(TimeDelta::seconds(3));
        assert_eq!(takes(&limits, Charge::SignIn, "192.0.2.1"), 3 * SIGN_IN.1);
        let off = Limits::new(&clock, false);
        assert!((0..1000).all(|_| off.take(Charge::SignIn, None).is_ok()));
    }

    #[test]
    fn a_neighbourhood_is_an_address_or_the_half_of_one() {
        let of = |ip| neighbourhood(Some(ip));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("nonsense"), None);
    }

    #[test]
    fn memory_is_bounded_whoever_calls() {
        let clock = Clock::mock("2026-03-01T12:00:00Z".parse().unwrap());
        let limits = Limits::new(&clock, true);
        for n in 0..100_000_u32 {
            let _ = limits.take(Charge::SignIn, Some(&std::net::Ipv4Addr::from(n).to_string()));
        }
        assert!(u64::try_from(limits.sign_in.len()).unwrap() <= BUCKETS);
    }
}
