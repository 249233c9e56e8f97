//! When a sweep stops and asks. A side that lost its rows, or a rule that was configured wrongly, would otherwise be
//! repaired onto the side that is right.

use crate::{reconcile::rules::Brakes, store::sweeps::Amount};

/// How much may be changed of `rows` rows without a person; as much as a person allowed.
pub fn limits(brakes: &Brakes, rows: u64, allowed: Option<Amount>) -> Amount {
    let share = |percent: f64| {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a count is a count"
        )]
        let share = (rows as f64 * percent / 100.0) as u64;
        share.max(brakes.floor)
    };
    let allowed = allowed.unwrap_or_default();
    Amount {
        changes: share(brakes.changes).max(allowed.changes),
        deletes: share(brakes.deletes).max(allowed.deletes),
    }
}

/// Why so much must not be changed.
pub fn too_much(amount: Amount, limits: Amount) -> Option<String> {
    let Amount { changes, deletes } = amount;
    if deletes > limits.deletes {
        Some(format!("it would delete {deletes} rows, more than {} at a time", limits.deletes))
    } else if changes > limits.changes {
        Some(format!("it would change {changes} rows, more than {} at a time", limits.changes))
    } else {
        None
    }
}

/// Why a side that answered so many rows is not believed; `before` is what it answered last time.
pub fn too_few(side: &str, rows: u64, before: u64, brakes: &Brakes) -> Option<String> {
    (before > brakes.floor && rows < before.div_ceil(2))
        .then(|| format!("the {side} side has {rows} rows, and had {before} the last time"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_databases_are_not_asked_about_and_large_ones_by_percent() {
        let brakes = Brakes::default();
        assert_eq!(limits(&brakes, 30, None), Amount { changes: 20, deletes: 20 });
        let large = limits(&brakes, 100_000, None);
        assert_eq!(large, Amount { changes: 5_000, deletes: 1_000 });
        assert_eq!(too_much(Amount { changes: 5_000, deletes: 1_000 }, large), None);
        let over = too_much(Amount { changes: 1_200, deletes: 1_001 }, large).unwrap();
        assert_eq!(over, "it would delete 1001 rows, more than 1000 at a time");
        assert!(too_much(Amount { changes: 5_001, deletes: 0 }, large).unwrap().contains("change 5001 rows"));
    }

    #[test]
    fn what_a_person_allowed_is_allowed_and_no_more() {
        let allowed = Some(Amount { changes: 60, deletes: 0 });
        let limits = limits(&Brakes::default(), 30, allowed);
        assert_eq!(limits, Amount { changes: 60, deletes: 20 });
        assert!(too_much(Amount { changes: 61, deletes: 0 }, limits).is_some());
    }

    #[test]
    fn a_side_that_lost_half_of_its_rows_is_not_believed() {
        let brakes = Brakes::default();
        assert!(too_few("document", 0, 100, &brakes).is_some());
        assert!(too_few("document", 49, 100, &brakes).is_some());
        assert!(too_few("document", 50, 100, &brakes).is_none());
        assert!(too_few("document", 0, 20, &brakes).is_none(), "a handful may come and go");
    }
}
