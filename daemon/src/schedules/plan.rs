//! When a cron line fires, and what is done about fires that are late. Pure: no clock, no database.

use std::{collections::VecDeque, str::FromStr as _};

use astrops_api::vocabulary::{FireOutcome, MissedPolicy};
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use croner::{
    Cron,
    parser::{CronParser, Seconds},
};

/// A fire that is later than this counts as missed: a daemon that runs is never that late.
const LATE: TimeDelta = TimeDelta::seconds(60);
/// Fires that are walked through one by one; behind more of them only the latest are looked for.
const WALK: usize = 20_000;
/// The most that [`MissedPolicy::All`] catches up.
const CATCH_UP: usize = 100;

/// A cron line in its time zone. Daylight saving: a local time that does not exist fires at the first valid minute
/// after it, one that exists twice fires once.
pub struct Timing {
    cron: Cron,
    zone: Tz,
}

/// Why a cron line or time zone is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimingError {
    /// The line.
    #[error(
        "cron line {0:?} cannot be read: {1}; write minute hour day month weekday, such as 30 8 * * MON-FRI"
    )]
    Cron(String, String),
    /// It parses and never fires (`0 0 30 2 *`).
    #[error("cron line {0:?} never fires")]
    Never(String),
    /// The zone.
    #[error("{0:?} is not an IANA time zone such as UTC or Europe/Madrid")]
    Zone(String),
}

impl Timing {
    /// Reads a cron line and its zone; asks for the first fire after `now` to be sure that there is one.
    pub fn parse(cron: &str, zone: &str, now: DateTime<Utc>) -> Result<Self, TimingError> {
        let zone = Tz::from_str(zone).map_err(|_| TimingError::Zone(zone.to_owned()))?;
        let parser = CronParser::builder().seconds(Seconds::Optional).build();
        let parsed =
            parser.parse(cron).map_err(|error| TimingError::Cron(cron.to_owned(), error.to_string()))?;
        let timing = Self { cron: parsed, zone };
        if timing.next_after(now).is_none() {
            return Err(TimingError::Never(cron.to_owned()));
        }
        Ok(timing)
    }

    /// The first fire after `time`.
    pub fn next_after(&self, time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let next = self.cron.find_next_occurrence(&time.with_timezone(&self.zone), false).ok()?;
        Some(next.with_timezone(&Utc))
    }

    /// The next `count` fires after `time`.
    pub fn upcoming(&self, time: DateTime<Utc>, count: usize) -> Vec<DateTime<Utc>> {
        std::iter::successors(self.next_after(time), |last| self.next_after(*last)).take(count).collect()
    }

    /// The line in words.
    pub fn describe(&self) -> String {
        let words = self.cron.describe();
        if self.zone == Tz::UTC { words } else { format!("{words} ({})", self.zone) }
    }

    /// What to write down at `now` for a schedule that was due at `first`: each fire with its outcome, oldest first.
    /// Only [`FireOutcome::Fired`] and [`FireOutcome::CaughtUp`] make a job.
    pub fn settle(
        &self,
        first: DateTime<Utc>,
        now: DateTime<Utc>,
        missed: MissedPolicy,
    ) -> Vec<(DateTime<Utc>, FireOutcome)> {
        let mut late = VecDeque::new();
        let mut fires = Vec::new();
        let mut at = Some(first);
        let mut steps = 0;
        while let Some(time) = at.filter(|time| *time <= now) {
            steps += 1;
            if steps > WALK {
                // A line of every second, left alone for long: only the latest fires matter, found from the other end.
                late = self.latest_before(now - LATE);
                at = self.next_after(now - LATE - TimeDelta::microseconds(1));
                steps = 0;
                continue;
            }
            if now - time > LATE {
                late.push_back(time);
                if late.len() > CATCH_UP {
                    late.pop_front();
                }
            } else {
                fires.push((time, FireOutcome::Fired));
            }
            at = self.next_after(time);
        }
        let settled: Vec<(DateTime<Utc>, FireOutcome)> = match missed {
            MissedPolicy::All => late.into_iter().map(|time| (time, FireOutcome::CaughtUp)).collect(),
            // A fire that is on time stands for the late ones as well.
            MissedPolicy::Coalesce => {
                let outcome = if fires.is_empty() { FireOutcome::CaughtUp } else { FireOutcome::Missed };
                late.back().map(|time| (*time, outcome)).into_iter().collect()
            }
            MissedPolicy::Skip => late.back().map(|time| (*time, FireOutcome::Missed)).into_iter().collect(),
        };
        settled.into_iter().chain(fires).collect()
    }

    /// The latest fires before `time`, at most [`CATCH_UP`], oldest first.
    fn latest_before(&self, time: DateTime<Utc>) -> VecDeque<DateTime<Utc>> {
        let mut fires = VecDeque::new();
        let mut at = time.with_timezone(&self.zone);
        while let (true, Ok(previous)) =
            (fires.len() < CATCH_UP, self.cron.find_previous_occurrence(&at, false))
        {
            fires.push_front(previous.with_timezone(&Utc));
            at = previous;
        }
        fires
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn timing(cron: &str, zone: &str) -> Timing {
        Timing::parse(cron, zone, at("2026-01-01T00:00:00Z")).unwrap()
    }

    #[test]
    fn half_past_eight_in_madrid_stays_half_past_eight_when_summer_time_begins() {
        let madrid = timing("30 8 * * *", "Europe/Madrid");
        let fires = madrid.upcoming(at("2026-03-28T00:00:00Z"), 3);
        assert_eq!(
            fires,
            [at("2026-03-28T07:30:00Z"), at("2026-03-29T06:30:00Z"), at("2026-03-30T06:30:00Z")]
        );
    }

    #[test]
    fn a_local_time_that_does_not_exist_fires_once_and_one_that_exists_twice_fires_once() {
        let madrid = timing("30 2 * * *", "Europe/Madrid");
        let spring = madrid.upcoming(at("2026-03-28T12:00:00Z"), 2);
        assert_eq!(spring[0], at("2026-03-29T01:00:00Z"), "03:00 is the first valid minute after the gap");
        let autumn = madrid.upcoming(at("2026-10-24T12:00:00Z"), 2);
        assert_eq!(autumn, [at("2026-10-25T00:30:00Z"), at("2026-10-26T01:30:00Z")]);
    }

    #[test]
    fn lines_that_cannot_be_or_never_fire_are_refused() {
        let now = at("2026-01-01T00:00:00Z");
        let refusal = |cron, zone| {
            Timing::parse(cron, zone, now).err().map(|error| error.to_string()).unwrap_or_default()
        };
        assert!(refusal("61 * * * *", "UTC").contains("cannot be read"));
        assert!(refusal("0 0 30 2 *", "UTC").contains("never fires"));
        assert!(refusal("0 0 * * *", "Mars/Olympus").contains("not an IANA time zone"));
        assert!(refusal("", "UTC").contains("cannot be read"));
    }

    #[test]
    fn a_fire_on_time_fires_and_late_ones_follow_the_policy() {
        let hourly = timing("0 * * * *", "UTC");
        let (first, now) = (at("2026-02-01T10:00:00Z"), at("2026-02-01T13:30:00Z"));
        assert_eq!(hourly.settle(first, first, MissedPolicy::Skip), [(first, FireOutcome::Fired)]);
        assert_eq!(
            hourly.settle(first, now, MissedPolicy::Coalesce),
            [(at("2026-02-01T13:00:00Z"), FireOutcome::CaughtUp)]
        );
        assert_eq!(
            hourly.settle(first, now, MissedPolicy::Skip),
            [(at("2026-02-01T13:00:00Z"), FireOutcome::Missed)]
        );
        let all = hourly.settle(first, now, MissedPolicy::All);
        assert_eq!(all.len(), 4);
        assert!(all.iter().all(|(_, outcome)| *outcome == FireOutcome::CaughtUp));
    }

    #[test]
    fn irregular_lines_catch_up_their_latest_hundred() {
        let mornings = timing("* 8 * * *", "UTC");
        let settled =
            mornings.settle(at("2026-02-01T08:10:00Z"), at("2026-02-02T07:00:00Z"), MissedPolicy::All);
        assert_eq!((settled.len(), settled[0].0), (50, at("2026-02-01T08:10:00Z")));
        let often = timing("*/4 * * * *", "UTC");
        let settled = often.settle(at("2026-02-01T08:00:00Z"), at("2026-02-01T12:02:00Z"), MissedPolicy::All);
        assert_eq!(settled.len(), 61);
    }

    #[test]
    fn a_line_of_every_second_left_alone_for_a_year_is_settled_at_once() {
        let eager = timing("* * * * * *", "UTC");
        let now = at("2026-02-01T00:00:00Z");
        let settled = eager.settle(now - TimeDelta::days(365), now, MissedPolicy::All);
        assert!(settled.len() <= CATCH_UP + 61, "{}", settled.len());
        assert_eq!(settled.last(), Some(&(now, FireOutcome::Fired)));
        assert!(settled.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
