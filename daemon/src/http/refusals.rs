//! Refusals are logged once per caller and second, so that an outsider cannot keep the writer busy.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use chrono::{DateTime, Utc};

/// Callers remembered at once.
const MOST: usize = 1024;

/// When each caller was last refused.
#[derive(Default)]
pub struct Refusals(Mutex<HashMap<String, i64>>);

impl Refusals {
    /// Whether this refusal of `caller` is the first within its second.
    pub fn is_first(&self, caller: &str, now: DateTime<Utc>) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() >= MOST {
            last.retain(|_, second| *second == now.timestamp());
        }
        last.len() < MOST && last.insert(caller.to_owned(), now.timestamp()) != Some(now.timestamp())
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn a_flood_of_refusals_is_one_entry_a_second() {
        let refusals = Refusals::default();
        let now: DateTime<Utc> = "2026-03-01T12:00:00Z".parse().unwrap();
        assert!(refusals.is_first("user:1", now));
        assert!((0..1000).all(|_| !refusals.is_first("user:1", now)));
        assert!(refusals.is_first("user:2", now));
        assert!(refusals.is_first("user:1", now + TimeDelta::seconds(1)));
    }
}
