//! What a row must keep as a whole. A decision that is right for each field can be wrong for the row: such a row becomes
//! one conflict and nothing of it is written, on neither side.

use astrops_api::vocabulary::EntityType;

use super::{
    mapping::{Authority, Mapping},
    plan::{Conflict, Reason},
    value::{Id, Pair, Record, Side, Value},
};
use crate::store::users::ERASED;

/// What the rules need to know besides the two rows. The caller looks it up in the same breath as the rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Of a launch: the seats that active bookings hold. `None`: not looked up, so counters are left alone.
    pub seats: Option<i64>,
    /// Of a booking: the seats that its launch has for it, its own included. `None`: not looked up.
    pub free_seats: Option<i64>,
    /// Of a booking: another active one of the same customer and launch.
    pub twin: Option<Id>,
    /// References that lead nowhere, by the side that lacks them.
    pub dangling: Vec<(Side, Id)>,
    /// The relational side has cancelled the launch, or that of a booking.
    pub cancelled: bool,
    /// Active bookings that refer to the row; of a user also the launches on sale.
    pub dependents: u64,
    /// It has been missing for long enough, and was looked for again.
    pub grace_over: bool,
}

/// Who wins whatever is configured. What is erased stays erased, and no document locks an employee out: a stale copy that
/// some service saves again would.
pub fn owner(mapping: &Mapping, name: &str, relational: &Record) -> Option<Authority> {
    if mapping.entity != EntityType::User {
        return None;
    }
    let ours = |name: &str| mapping.index(name).map(|index| relational.at(index));
    let is_employee = ours("role").and_then(Value::word) == Some("admin");
    let is_ours =
        ours("email").is_some_and(is_erased) || (is_employee && matches!(name, "email" | "isActive"));
    is_ours.then_some(Authority::RelAlways)
}

fn is_erased(email: &Value) -> bool {
    matches!(email, Value::Text(email) if email.ends_with(ERASED))
}

/// Why one field must not be written by itself. `from` is what the side to be written holds.
pub fn veto(name: &str, side: Side, from: &Value, to: &Value, facts: &Facts) -> Option<Reason> {
    match (name, from.word(), to.word()) {
        ("paymentStatus", Some(from @ "paid"), Some(to)) if !matches!(to, "paid" | "refunded") => {
            Some(Reason::PaymentRegression { from, to })
        }
        ("paymentStatus", Some(from @ "refunded"), Some(to)) if to != "refunded" => {
            Some(Reason::PaymentRegression { from, to })
        }
        ("isActive", ..) if side == Side::Relational && facts.cancelled && *to == Value::Bool(true) => {
            Some(Reason::Cancelled)
        }
        _ => None,
    }
}

/// Why not even a person's decision writes one field: the write would not bring it about (a cancelled launch stays
/// inactive whatever its column says), or it is a right that is given elsewhere.
pub fn bars(name: &str, side: Side, from: &Value, to: &Value, facts: &Facts) -> Option<Reason> {
    match name {
        _ if from == to => None,
        "isActive" => veto(name, side, from, to, facts),
        "role" if side == Side::Relational => Some(Reason::Role),
        _ => None,
    }
}

/// Why a row must not be deleted by itself: it is `record` on the side that still has it.
pub fn keeps(mapping: &Mapping, record: &Record, missing: Side, facts: &Facts) -> Option<Reason> {
    let is = |name: &str, word| mapping.index(name).and_then(|index| record.at(index).word()) == Some(word);
    if is("paymentStatus", "paid") {
        Some(Reason::DeletedPaid(missing))
    } else if missing == Side::Document && is("role", "admin") {
        Some(Reason::DeletedEmployee)
    } else {
        booked(missing, facts)
    }
}

/// Why nobody deletes a row: bookings would lead nowhere.
pub fn booked(missing: Side, facts: &Facts) -> Option<Reason> {
    (facts.dependents > 0).then_some(Reason::DeletedBooked(missing))
}

/// What of the whole row would be wrong with `after` on both sides, in the order of the change log.
pub fn check(
    mapping: &Mapping,
    before: &Pair<Option<&Record>>,
    after: &Pair<Option<&Record>>,
    facts: &Facts,
) -> Vec<Conflict> {
    let row = Row { mapping, before, after };
    let mut found = Vec::new();
    match mapping.entity {
        EntityType::Launch => {
            found.extend(row.capacity(facts));
            found.extend(row.end());
        }
        EntityType::Booking => {
            found.extend(row.twin(facts));
            found.extend(row.seats(facts));
            found.extend(row.cancelled(facts));
        }
        EntityType::User => {
            found.extend(row.new_admin());
            found.extend(row.reserved());
        }
    }
    found.extend(row.references(facts));
    found
}

struct Row<'a> {
    mapping: &'a Mapping,
    before: &'a Pair<Option<&'a Record>>,
    after: &'a Pair<Option<&'a Record>>,
}

impl Row<'_> {
    fn before(&self, side: Side, name: &str) -> Option<&Value> {
        Some(self.before.of(side).as_ref()?.at(self.mapping.index(name)?))
    }

    fn after(&self, side: Side, name: &str) -> Option<&Value> {
        Some(self.after.of(side).as_ref()?.at(self.mapping.index(name)?))
    }

    fn conflict(&self, topic: &'static str, fields: &[&str], reason: Reason) -> Conflict {
        let fields = fields.iter().filter_map(|name| self.mapping.index(name)).collect();
        Conflict { topic, fields, reason, whole_row: true }
    }

    /// Bookings are the truth: fewer seats than they hold are an operator's, whether they are so or would become so.
    fn capacity(&self, facts: &Facts) -> Option<Conflict> {
        let seats = facts.seats?;
        let low =
            |side| self.after(side, "capacity").and_then(Value::int).filter(|&capacity| capacity < seats);
        let side = [Side::Relational, Side::Document].into_iter().find(|&side| low(side).is_some())?;
        let capacity = low(side)?;
        let was_low = self.before(side, "capacity").and_then(Value::int).is_some_and(|before| before < seats);
        let reason = if was_low {
            Reason::Oversold { capacity, seats }
        } else {
            Reason::CapacityBelowSeats { capacity, seats }
        };
        Some(self.conflict("capacity", &["capacity"], reason))
    }

    fn end(&self) -> Option<Conflict> {
        let moved = ["date", "end"]
            .iter()
            .any(|name| self.before(Side::Relational, name) != self.after(Side::Relational, name));
        let start = self.after(Side::Relational, "date")?.time()?;
        let end = self.after(Side::Relational, "end")?.time()?;
        (moved && end <= start).then(|| self.conflict("date", &["date", "end"], Reason::EndNotAfterStart))
    }

    fn is_active(status: Option<&Value>) -> bool {
        matches!(status.and_then(Value::word), Some("confirmed" | "pending"))
    }

    /// Active where it was not: another status, or, by a person's decision, another launch or customer.
    fn becomes_active(&self, side: Side) -> bool {
        let moved = ["launch", "user"].iter().any(|name| self.before(side, name) != self.after(side, name));
        Self::is_active(self.after(side, "status"))
            && (moved || !Self::is_active(self.before(side, "status")))
    }

    fn twin(&self, facts: &Facts) -> Option<Conflict> {
        let twin = facts.twin?;
        let becomes = [Side::Document, Side::Relational].into_iter().any(|side| self.becomes_active(side));
        becomes.then(|| self.conflict("status", &["status"], Reason::SecondBooking(twin)))
    }

    fn seats(&self, facts: &Facts) -> Option<Conflict> {
        let free = facts.free_seats?;
        let seats = self.after(Side::Relational, "quantity")?.int()?;
        let grows = self
            .before(Side::Relational, "quantity")
            .and_then(Value::int)
            .is_some_and(|before| seats > before);
        let takes = self.becomes_active(Side::Relational)
            || (grows && Self::is_active(self.after(Side::Relational, "status")));
        (takes && seats > free)
            .then(|| self.conflict("quantity", &["quantity", "status"], Reason::NoSeats { seats, free }))
    }

    /// Nobody travels with a launch that does not fly.
    fn cancelled(&self, facts: &Facts) -> Option<Conflict> {
        let books = facts.cancelled && self.becomes_active(Side::Relational);
        books.then(|| self.conflict("launch", &["launch", "status"], Reason::LaunchCancelled))
    }

    /// An address that says that its owner was erased is ours to give: the change log keeps no values of such a person.
    fn reserved(&self) -> Option<Conflict> {
        let was = self.before(Side::Relational, "email").is_some_and(is_erased);
        let is = self.after(Side::Relational, "email").is_some_and(is_erased);
        (is && !was).then(|| self.conflict("email", &["email"], Reason::Reserved))
    }

    fn new_admin(&self) -> Option<Conflict> {
        let is_new = self.before.relational.is_none();
        let role = self.after(Side::Relational, "role")?.word()?;
        (is_new && role == "admin").then(|| self.conflict("role", &["role"], Reason::NewAdmin))
    }

    fn references(&self, facts: &Facts) -> Vec<Conflict> {
        let mut found = Vec::new();
        for field in self.mapping.fields() {
            for &(side, id) in &facts.dangling {
                let after = self.after(side, field.name);
                if after == Some(&Value::Id(id)) && self.before(side, field.name) != after {
                    let reason = Reason::Dangling { field: field.name, id, side };
                    found.push(self.conflict(field.label, &[field.name], reason));
                }
            }
        }
        found
    }
}
