//! The counters of launches follow from bookings, whatever either side says.

use astrops_api::{
    bookings::NewBooking,
    ids::BookingId,
    launches::Launch,
    reconciliation::ConflictQuery,
    sweeps::Sweep,
    vocabulary::{Role, Severity, SweepMode},
};
use astrops_daemon::documents::Collection;
use bson::{Document, doc};
use chrono::TimeDelta;

use crate::{
    stories_on_both_sides,
    support::{TestDaemon, documents::Behind},
    sweeps::swept,
};

stories_on_both_sides!(
    wrong_counters_are_found_and_put_right,
    an_oversold_launch_is_found_and_brought_down,
    a_booking_is_judged_by_the_launch_that_it_keeps,
);

/// A launch with so many bookings of two seats each; both sides know them.
async fn booked(daemon: &TestDaemon, capacity: u32, bookings: usize) -> (Launch, Vec<BookingId>) {
    let supplier = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let launch = supplier.create_launch(&daemon.new_launch(capacity)).await.unwrap();
    let mut ids = Vec::new();
    for customer in 0..bookings {
        let customer = daemon.sign_in(&format!("c{customer}@example.com"), Role::Customer, None).await;
        let new =
            NewBooking { launch_id: Some(launch.id), event_id: None, ticket_quantity: 2, user_id: None };
        ids.push(customer.book(&new).await.unwrap().id);
    }
    daemon.settled().await;
    swept(daemon, SweepMode::Full).await;
    (launch, ids)
}

async fn impatient(daemon: TestDaemon) -> TestDaemon {
    daemon.restarted(|config| config.reconcile.settle_seconds = 0).await
}

fn found(sweep: &Sweep) -> (u64, u64, u64, u64) {
    let counts = &sweep.counts;
    (counts.differing, counts.repaired, counts.conflicts, counts.failed)
}

async fn wrong_counters_are_found_and_put_right(daemon: TestDaemon) {
    let daemon = impatient(daemon).await;
    let behind = Behind::of(&daemon).await;
    let (launch, _) = booked(&daemon, 10, 1).await;
    let id = launch.id.into();
    let left = async || {
        let event = behind.get(Collection::Events, id).await.unwrap();
        let document =
            event.get("availableTickets").and_then(|left| left.as_i64().or(left.as_i32().map(Into::into)));
        (document.unwrap(), daemon.launch(launch.id).await.available_tickets)
    };
    assert_eq!(left().await, (8, 8));
    behind.set(Collection::Events, id, doc! { "availableTickets": 4 }).await;
    let sweep = swept(&daemon, SweepMode::Full).await;
    assert_eq!((found(&sweep), left().await), ((1, 1, 0, 0), (8, 8)), "{sweep:#?}");

    // Both sides agree on what is wrong.
    let wrong = async |touched: Document| {
        daemon.change("UPDATE launches SET number_of_attendees = 9").await;
        let mut fields = doc! { "availableTickets": 1 };
        fields.extend(touched);
        behind.set(Collection::Events, id, fields).await;
        assert_eq!(left().await, (1, 1));
    };
    wrong(doc! {}).await;
    let sweep = swept(&daemon, SweepMode::Full).await;
    assert_eq!((found(&sweep), left().await), ((1, 1, 0, 0), (8, 8)), "{sweep:#?}");
    daemon.pass(TimeDelta::minutes(10));
    wrong(doc! { "updatedAt": bson::DateTime::from_millis(daemon.now().timestamp_millis()) }).await;
    let sweep = swept(&daemon, SweepMode::Incremental).await;
    assert_eq!((found(&sweep), left().await), ((1, 1, 0, 0), (8, 8)), "{sweep:#?}");
    let quiet = swept(&daemon, SweepMode::Full).await;
    assert_eq!(found(&quiet), (0, 0, 0, 0), "{quiet:#?}");
    daemon.stop().await;
}

async fn an_oversold_launch_is_found_and_brought_down(daemon: TestDaemon) {
    let daemon = impatient(daemon).await;
    let behind = Behind::of(&daemon).await;
    let (launch, bookings) = booked(&daemon, 10, 3).await;
    daemon.change("UPDATE launches SET capacity = 3, number_of_attendees = 3").await;
    behind.set(Collection::Events, launch.id.into(), doc! { "capacity": 3, "availableTickets": 0 }).await;
    let sweep = swept(&daemon, SweepMode::Full).await;
    assert_eq!(found(&sweep), (1, 0, 1, 0), "{sweep:#?}");
    let asked =
        daemon.again("ana@example.com").await.recon_conflicts(&ConflictQuery::default()).await.unwrap();
    assert_eq!(asked.conflicts[0].severity, Severity::Critical, "{asked:#?}");

    // Customers give seats back: four are held of three, then two.
    for (booking, conflicts) in bookings.iter().zip([1, 0]) {
        behind.set(Collection::Bookings, (*booking).into(), doc! { "status": "cancelled" }).await;
        let sweep = swept(&daemon, SweepMode::Full).await;
        assert_eq!((sweep.counts.failed, sweep.counts.conflicts), (0, conflicts), "{sweep:#?}");
    }
    assert_eq!(daemon.launch(launch.id).await.available_tickets, 1);
    assert_eq!(found(&swept(&daemon, SweepMode::Full).await), (0, 0, 0, 0));
    daemon.stop().await;
}

async fn a_booking_is_judged_by_the_launch_that_it_keeps(daemon: TestDaemon) {
    let daemon = impatient(daemon).await;
    let behind = Behind::of(&daemon).await;
    let (small, bookings) = booked(&daemon, 3, 1).await;
    let sue = daemon.again("sue@example.com").await;
    let (one, other) = (
        sue.create_launch(&daemon.new_launch(100)).await.unwrap(),
        sue.create_launch(&daemon.new_launch(1)).await.unwrap(),
    );
    swept(&daemon, SweepMode::Full).await;
    // The document names another launch, which a person decides, and one seat more, for which there is room.
    for (elsewhere, quantity) in [(&one, 3), (&other, 2)] {
        let object = crate::support::documents::object(elsewhere.id.into());
        let fields = doc! { "eventId": object, "ticketQuantity": quantity };
        behind.set(Collection::Bookings, bookings[0].into(), fields).await;
        let sweep = swept(&daemon, SweepMode::Full).await;
        assert_eq!((sweep.counts.conflicts, sweep.counts.failed), (1, 0), "{sweep:#?}");
        let asked =
            daemon.again("ana@example.com").await.recon_conflicts(&ConflictQuery::default()).await.unwrap();
        assert_eq!(asked.conflicts[0].severity, Severity::Warning, "{asked:#?}");
        assert_eq!(daemon.launch(small.id).await.available_tickets, 3 - quantity);
    }
    daemon.stop().await;
}
