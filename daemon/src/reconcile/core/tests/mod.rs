//! The core against its tables, against an oracle, and against hostile input.

mod choices;
mod codecs;
mod digests;
mod interleavings;
mod merge_table;
mod oracle;
mod properties;
mod rows;

use astrops_api::vocabulary::EntityType;

use super::{
    guards::Facts,
    mapping::Mapping,
    merge::{Seen, Situation, merge},
    plan::{History, Plan},
    value::{Base, Pair, Record, Side, Value},
};

const HOUR: i64 = 3_600_000;
const LAUNCH: EntityType = EntityType::Launch;
const BOOKING: EntityType = EntityType::Booking;
const USER: EntityType = EntityType::User;

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// What both sides hold of a sample row, but for the fields that only one side has.
fn sample(entity: EntityType) -> Vec<(&'static str, Value)> {
    match entity {
        EntityType::Launch => vec![
            ("title", text("Moon")),
            ("date", Value::Time(100 * HOUR)),
            ("capacity", Value::Int(100)),
            ("price", Value::Money(1_999)),
            ("organizer", Value::Id([7; 12])),
            ("isActive", Value::Bool(true)),
        ],
        EntityType::Booking => vec![
            ("launch", Value::Id([1; 12])),
            ("user", Value::Id([2; 12])),
            ("bookingDate", Value::Time(HOUR)),
            ("quantity", Value::Int(2)),
            ("amount", Value::Money(3_998)),
            ("status", Value::Word("confirmed")),
            ("paymentStatus", Value::Word("pending")),
        ],
        EntityType::User => vec![
            ("email", text("ada@example.com")),
            ("isActive", Value::Bool(true)),
            ("role", Value::Word("user")),
        ],
    }
}

/// A sample row as one side holds it, with other values for some fields.
fn row(side: Side, entity: EntityType, changes: &[(&str, Value)]) -> Record {
    let mapping = Mapping::of(entity);
    let mut values = sample(entity);
    if entity == LAUNCH {
        values.push(match side {
            Side::Document => ("availableTickets", Value::Int(100)),
            Side::Relational => ("numberOfAttendees", Value::Int(0)),
        });
        if side == Side::Relational {
            values.push(("end", Value::Time(103 * HOUR)));
        }
    }
    let empty = Record::new(vec![Value::Null; mapping.fields().len()]);
    values
        .iter()
        .map(|(name, value)| (*name, value.clone()))
        .chain(changes.iter().cloned())
        .fold(empty, |record, (name, value)| {
            record.with(mapping.index(name).expect("a field of the mapping"), value)
        })
}

fn seen(record: Record) -> Seen {
    Seen::Row { record, updated_at: None }
}

/// The base of a sample row that was in sync.
fn agreed(entity: EntityType, changes: &[(&str, Value)]) -> History {
    let mapping = Mapping::of(entity);
    let record = row(Side::Document, entity, changes);
    History::Agreed(Base::new(
        (0..mapping.fields().len())
            .map(|index| mapping.fields()[index].is_shared().then(|| record.at(index).clone()))
            .collect(),
    ))
}

/// Both sides are there; each holds the sample with some changes.
fn met(
    entity: EntityType,
    history: History,
    document: &[(&str, Value)],
    relational: &[(&str, Value)],
) -> Situation {
    let seen = Pair {
        document: seen(row(Side::Document, entity, document)),
        relational: seen(row(Side::Relational, entity, relational)),
    };
    Situation { history, seen, ..Situation::default() }
}

fn record(seen: &Seen) -> Option<Record> {
    if let Seen::Row { record, .. } = seen { Some(record.clone()) } else { None }
}

/// The situation after the plan was carried out, when nobody decides anything more.
fn carried_out(situation: &Situation, plan: &Plan) -> Situation {
    let again = |side: Side| {
        let was = situation.seen.of(side);
        let updated_at = if let Seen::Row { updated_at, .. } = was { *updated_at } else { None };
        match was {
            Seen::Unreadable(_) => was.clone(),
            _ => {
                plan.after(side, record(was)).map_or(Seen::Missing, |record| Seen::Row { record, updated_at })
            }
        }
    };
    let seen = Pair { document: again(Side::Document), relational: again(Side::Relational) };
    Situation { history: plan.history.clone(), seen, facts: situation.facts.clone(), ..Situation::default() }
}

/// The log of a plan, and the value of a field on both sides afterwards.
fn outcome(situation: &Situation, entity: EntityType, field: &str) -> (String, Value, Value) {
    let mapping = Mapping::of(entity);
    let plan = merge(&mapping, situation);
    let index = mapping.index(field).expect("a field of the mapping");
    let after = |side: Side| {
        plan.after(side, record(situation.seen.of(side)))
            .map_or(Value::Null, |record| record.at(index).clone())
    };
    (super::changes_log::text(&plan), after(Side::Document), after(Side::Relational))
}
