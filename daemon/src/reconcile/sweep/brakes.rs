//! When a sweep stops and asks. A side that lost its rows, or a rule that was configured wrongly, would otherwise be
//! repaired onto the side that is right.

use std::collections::BTreeMap;

use astrops_api::vocabulary::EntityType;

use crate::{
    reconcile::{relational::table, rules::Brakes},
    store::sweeps::Amount,
};

/// How much may be changed of so many rows of each kind without a person; as much as a person allowed. Changes go by all
/// rows, deletions by those of their kind.
pub fn limits(brakes: &Brakes, rows: &BTreeMap<EntityType, u64>, allowed: Option<&Amount>) -> Amount {
    let share = |rows: u64, percent: f64| {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a count is a count"
        )]
        let share = (rows as f64 * percent / 100.0) as u64;
        share.max(brakes.floor)
    };
    let deleted = |kind| {
        let rows = rows.get(&kind).copied().unwrap_or_default();
        (kind, share(rows, brakes.deletes).max(allowed.map_or(0, |allowed| allowed.deleted_of(kind))))
    };
    Amount {
        changes: share(rows.values().sum(), brakes.changes).max(allowed.map_or(0, |allowed| allowed.changes)),
        deleted: EntityType::ALL.iter().copied().map(deleted).collect(),
    }
}

/// Why so much must not be changed.
pub fn too_much(amount: &Amount, limits: &Amount) -> Option<String> {
    let mut deleted = amount.deleted.iter();
    if let Some((&kind, many)) = deleted.find(|&(&kind, &many)| many > limits.deleted_of(kind)) {
        let (rows, most) = (table(kind), limits.deleted_of(kind));
        return Some(format!("it would delete {many} {rows}, more than {most} at a time"));
    }
    let Amount { changes, .. } = amount;
    (*changes > limits.changes)
        .then(|| format!("it would change {changes} rows, more than {} at a time", limits.changes))
}

/// Why a side that answered so many rows is not believed; `before` is what it answered last time.
pub fn too_few(side: &str, rows: u64, before: u64, brakes: &Brakes) -> Option<String> {
    (before > brakes.floor && rows < before.div_ceil(2))
        .then(|| format!("the {side} side has {rows} rows, and had {before} the last time"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(changes: u64, kind: EntityType, deleted: u64) -> Amount {
        Amount { changes, deleted: BTreeMap::from([(kind, deleted)]) }
    }

    #[test]
    fn small_databases_are_not_asked_about_and_large_ones_by_percent() {
        use EntityType::{Booking, Launch};
        let brakes = Brakes::default();
        let small = limits(&brakes, &BTreeMap::from([(Launch, 30)]), None);
        assert_eq!((small.changes, small.deleted_of(Launch), small.deleted_of(Booking)), (20, 20, 20));
        let large = limits(&brakes, &BTreeMap::from([(Booking, 99_940), (Launch, 60)]), None);
        assert_eq!((large.changes, large.deleted_of(Booking)), (5_000, 999));
        assert_eq!(too_much(&amount(5_000, Booking, 999), &large), None);
        let over = too_much(&amount(1_200, Booking, 1_000), &large).unwrap();
        assert_eq!(over, "it would delete 1000 bookings, more than 999 at a time");
        assert!(too_much(&amount(5_001, Booking, 0), &large).unwrap().contains("change 5001 rows"));
        let few = too_much(&amount(60, Launch, 60), &large).unwrap();
        assert_eq!(
            few, "it would delete 60 launches, more than 20 at a time",
            "however many bookings there are"
        );
    }

    #[test]
    fn what_a_person_allowed_is_allowed_and_no_more() {
        let allowed = amount(60, EntityType::User, 0);
        let limits = limits(&Brakes::default(), &BTreeMap::from([(EntityType::User, 30)]), Some(&allowed));
        assert_eq!((limits.changes, limits.deleted_of(EntityType::User)), (60, 20));
        assert!(too_much(&amount(61, EntityType::User, 0), &limits).is_some());
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
