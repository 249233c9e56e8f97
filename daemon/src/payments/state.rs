//! What becomes of a payment: a pure table, drawn in docs/PAYMENTS.md.

use astrops_api::vocabulary::PaymentState::{
    self, Failed, Paid, Pending, Refunded, Refunding, RequiresAction,
};

/// What a provider says of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The money is here.
    Succeeded,
    /// The customer has to confirm (3-D Secure), there if the provider has said where.
    RequiresAction(Option<String>),
    /// The provider is at it.
    Processing,
    /// It was refused, with code and words.
    Declined(String, String),
    /// The money went back; the provider's id of the refund.
    Refunded(Option<String>),
}

/// The state after `fate`, or `None` when it changes nothing: said twice, late or out of order. `wanted` says whether
/// the booking still stands and no other payment pays it; what succeeds unwanted goes back.
pub fn next(state: PaymentState, fate: &Fate, wanted: bool) -> Option<PaymentState> {
    match (state, fate) {
        (Pending | RequiresAction | Failed, Fate::Succeeded) => Some(if wanted { Paid } else { Refunding }),
        (Pending, Fate::RequiresAction(_)) => Some(RequiresAction),
        (Pending | RequiresAction, Fate::Declined(..)) => Some(Failed),
        // Before we heard of the success, or by somebody in the provider's own console.
        (Pending | RequiresAction | Failed | Paid | Refunding, Fate::Refunded(_)) => Some(Refunded),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_table() {
        let declined = Fate::Declined("card_declined".to_owned(), String::new());
        // Fates across: succeeded, requires action, processing, declined, refunded.
        let fates =
            [Fate::Succeeded, Fate::RequiresAction(None), Fate::Processing, declined, Fate::Refunded(None)];
        let table = [
            (Pending, [Some(Paid), Some(RequiresAction), None, Some(Failed), Some(Refunded)]),
            (RequiresAction, [Some(Paid), None, None, Some(Failed), Some(Refunded)]),
            (Failed, [Some(Paid), None, None, None, Some(Refunded)]),
            (Paid, [None, None, None, None, Some(Refunded)]),
            (Refunding, [None, None, None, None, Some(Refunded)]),
            (Refunded, [None; 5]),
        ];
        assert_eq!(table.len(), PaymentState::ALL.len());
        for (state, row) in table {
            for (fate, expected) in fates.iter().zip(row) {
                assert_eq!(next(state, fate, true), expected, "{state} {fate:?}");
                let unwanted = if expected == Some(Paid) { Some(Refunding) } else { expected };
                assert_eq!(next(state, fate, false), unwanted, "{state} {fate:?} unwanted");
            }
        }
    }

    #[test]
    fn money_that_is_here_only_ever_goes_back() {
        for fate in [
            Fate::Succeeded,
            Fate::Processing,
            Fate::RequiresAction(None),
            Fate::Declined(String::new(), String::new()),
        ] {
            for state in [Paid, Refunding, Refunded] {
                assert_eq!(next(state, &fate, false), None, "{state} {fate:?}");
            }
        }
    }
}
