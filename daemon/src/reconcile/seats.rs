//! The seats that bookings hold, and the counters of launches, which follow from them.

use std::collections::{BTreeMap, BTreeSet};

use astrops_api::{
    ids::{self, BookingId, EntityId, LaunchId, UserId},
    launches::CapacityChange,
    vocabulary::CapacityOperation,
};
use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{
    core::{
        mapping::Mapping,
        value::{Record, Side, Value},
    },
    relational::Written,
};
use crate::{
    clock::Clock,
    db::{Tx, on},
    store::{AMONG, capacity, launches, listed},
};

/// A booking that is written.
#[derive(Debug)]
pub struct Booked {
    id: BookingId,
    /// Whose it is.
    pub user: Option<UserId>,
    /// For which launch.
    pub launch: Option<LaunchId>,
    /// What becomes of it.
    pub status: Option<&'static str>,
    /// Launch and seats that it held and that it will hold.
    seats: [Option<(LaunchId, i64)>; 2],
}

impl Booked {
    /// As our side is written.
    pub fn of(mapping: &Mapping, row: &Written<'_>) -> Self {
        let id = |name: &str| {
            if let Some(Value::Id(id)) = at(mapping, &row.after, name) { Some(ids::embed(*id)) } else { None }
        };
        Self {
            id: BookingId(row.id),
            user: id("user").map(UserId),
            launch: id("launch").map(LaunchId),
            status: at(mapping, &row.after, "status").and_then(Value::word),
            seats: [row.before.and_then(|before| taken(mapping, before)), taken(mapping, &row.after)],
        }
    }

    /// What it takes from each launch, or gives back when negative.
    fn moves(&self) -> impl Iterator<Item = (LaunchId, i64)> {
        let [before, after] = self.seats;
        let is_same = before == after;
        let given = before.map(|(launch, seats)| (launch, -seats));
        given.into_iter().chain(after).filter(move |_| !is_same)
    }
}

fn at<'a>(mapping: &Mapping, record: &'a Record, name: &str) -> Option<&'a Value> {
    Some(record.at(mapping.index(name)?))
}

/// The launch of an active booking and the seats that it takes.
pub fn taken(mapping: &Mapping, booking: &Record) -> Option<(LaunchId, i64)> {
    let Value::Id(launch) = at(mapping, booking, "launch")? else { return None };
    let is_active = matches!(at(mapping, booking, "status")?.word(), Some("confirmed" | "pending"));
    let seats = at(mapping, booking, "quantity")?.int()?;
    is_active.then_some((LaunchId(ids::embed(*launch)), seats))
}

/// How a field counts among the seats that a launch has left: each side keeps another counter.
pub const fn weight(side: Side, field: &str) -> i64 {
    match (side, field.as_bytes()) {
        (Side::Document, b"availableTickets") | (Side::Relational, b"capacity") => 1,
        (Side::Relational, b"numberOfAttendees") => -1,
        _ => 0,
    }
}

/// What is left with a number more; nothing when one is missing.
pub fn add(left: Option<i64>, weight: i64, number: Option<i64>) -> Option<i64> {
    left?.checked_add(number?.checked_mul(weight)?)
}

/// The seats that a launch has left by the counter of a side; zero for what has none.
pub fn left(mapping: &Mapping, side: Side, record: &Record) -> Option<i64> {
    let weighed = mapping.fields().iter().enumerate().map(|(index, field)| (index, weight(side, field.name)));
    let mut weighed = weighed.filter(|(_, weight)| *weight != 0);
    weighed.try_fold(0, |left, (index, weight)| add(Some(left), weight, record.at(index).int()))
}

/// Whose launches are counted.
#[derive(Clone, Copy, Debug)]
pub enum Whose<'a> {
    /// All.
    All,
    /// These.
    Launches(&'a [EntityId]),
    /// Those of these bookings.
    Bookings(&'a [EntityId]),
}

/// The launches whose counter on our side is not what their bookings hold.
pub async fn miscounted(tx: &mut Tx, whose: Whose<'_>) -> Result<Vec<LaunchId>, sqlx::Error> {
    let (among, ids) = match whose {
        Whose::All => (String::new(), &[][..]),
        Whose::Launches(ids) => (format!("AND l.id {}", tx.text(&AMONG)), ids),
        Whose::Bookings(ids) => {
            (format!("AND l.id IN (SELECT launch_id FROM bookings WHERE id {})", tx.text(&AMONG)), ids)
        }
    };
    let text = format!(
        "SELECT l.id FROM launches l WHERE l.number_of_attendees <>
             (SELECT CAST(COALESCE(SUM(b.ticket_quantity), 0) AS BIGINT) FROM bookings b
               WHERE b.launch_id = l.id AND b.status IN ('confirmed', 'pending')) {among}"
    );
    let found: Vec<Uuid> = on!(tx, |conn| {
        let mut query = sqlx::query_scalar(AssertSqlSafe(text));
        if !matches!(whose, Whose::All) {
            query = query.bind(listed(ids.iter().map(|id| id.0)));
        }
        query.fetch_all(conn).await
    })?;
    Ok(found.into_iter().map(LaunchId).collect())
}

/// How many active bookings each launch has, and their seats.
pub async fn held(tx: &mut Tx, launches: &BTreeSet<Uuid>) -> Result<BTreeMap<Uuid, (u64, i64)>, sqlx::Error> {
    if launches.is_empty() {
        return Ok(BTreeMap::new());
    }
    let text = format!(
        "SELECT launch_id, COUNT(*), CAST(SUM(ticket_quantity) AS BIGINT) FROM bookings
          WHERE launch_id {} AND status IN ('confirmed', 'pending') GROUP BY launch_id",
        tx.text(&AMONG)
    );
    let found: Vec<(Uuid, i64, i64)> = on!(tx, |conn| sqlx::query_as(AssertSqlSafe(text))
        .bind(listed(launches.iter().copied()))
        .fetch_all(conn)
        .await)?;
    Ok(found.into_iter().map(|(id, count, seats)| (id, (count.unsigned_abs(), seats))).collect())
}

/// What is known of a launch with bookings.
#[derive(Debug)]
pub struct Host {
    /// Its supplier.
    pub supplier: UserId,
    capacity: i64,
    attendees: i64,
}

/// The launches of bookings, before and after.
pub async fn launches_of(tx: &mut Tx, bookings: &[Booked]) -> Result<BTreeMap<LaunchId, Host>, sqlx::Error> {
    let named = bookings.iter().flat_map(|one| one.moves().map(|(launch, _)| launch).chain(one.launch));
    let named: BTreeSet<_> = named.map(|launch| launch.0).collect();
    let text = format!(
        "SELECT id, host_id, capacity, number_of_attendees FROM launches WHERE id {}",
        tx.text(&AMONG)
    );
    let found: Vec<(Uuid, Uuid, i64, i64)> =
        on!(tx, |conn| sqlx::query_as(AssertSqlSafe(text)).bind(listed(named)).fetch_all(conn).await)?;
    let host = |(id, supplier, capacity, attendees)| {
        (LaunchId(id), Host { supplier: UserId(supplier), capacity, attendees })
    };
    Ok(found.into_iter().map(host).collect())
}

/// Counts the seats of the launches whose bookings were written anew; the launches are locked. The capacity log says
/// because of which booking, and what of it was wrong before because of none. Answers the launches whose counters moved,
/// each with the seats that are left.
pub async fn count(
    tx: &mut Tx,
    clock: &Clock,
    launches: &BTreeMap<LaunchId, Host>,
    bookings: &[Booked],
    now: DateTime<Utc>,
) -> Result<Vec<(LaunchId, i64)>, sqlx::Error> {
    let mut moves: BTreeMap<LaunchId, Vec<(Option<BookingId>, i64)>> = BTreeMap::new();
    for booking in bookings {
        for (launch, seats) in booking.moves() {
            moves.entry(launch).or_default().push((Some(booking.id), seats));
        }
    }
    let held = held(tx, &moves.keys().map(|launch| launch.0).collect()).await?;
    let (mut counted, mut told) = (Vec::new(), Vec::new());
    for (id, mut reasons) in moves {
        let Some(launch) = launches.get(&id) else { continue };
        let (_, mut seats) = held.get(&id.0).copied().unwrap_or_default();
        if reasons.iter().map(|(_, seats)| seats).sum::<i64>() <= 0 {
            // An oversold launch can count no more seats than it has, and seats that are given back are welcome.
            seats = seats.min(launch.capacity);
        }
        let delta = seats - launch.attendees;
        if delta == 0 {
            continue;
        }
        launches::take_seats(tx, id, delta, now).await?;
        counted.push((id, (launch.capacity - seats).max(0)));
        reasons.push((None, delta - reasons.iter().map(|(_, seats)| seats).sum::<i64>()));
        told.extend(reasons.into_iter().filter(|(_, seats)| *seats != 0).map(|(booking_id, seats)| {
            CapacityChange {
                id: clock.new_id(),
                launch_id: id,
                operation: if seats > 0 { CapacityOperation::Reserve } else { CapacityOperation::Release },
                quantity: u32::try_from(seats.unsigned_abs()).unwrap_or(u32::MAX),
                booking_id,
                timestamp: now,
            }
        }));
    }
    if !told.is_empty() {
        capacity::insert(tx, &told).await?;
    }
    Ok(counted)
}
