//! What no document does to our side, however it was changed: every sweep asks, refuses or puts it back, and says so.

use astrops_api::{
    bookings::NewBooking,
    drift::DriftQuery,
    ids::{EntityId, UserId},
    launches::CancelLaunch,
    reconciliation::ConflictQuery,
    users::UserQuery,
    vocabulary::{DriftKind, Role, SweepMode},
};
use astrops_daemon::documents::Collection;
use bson::doc;
use chrono::TimeDelta;

use crate::{
    stories_on_both_sides,
    support::{
        TestDaemon,
        documents::{Behind, object},
    },
    sweeps::swept,
};

stories_on_both_sides!(
    who_was_erased_does_not_come_back,
    no_document_takes_the_place_of_an_erased_person,
    no_document_locks_an_employee_out,
    a_supplier_is_needed_while_launches_are_on_sale,
    nobody_books_a_cancelled_launch_by_a_document,
    what_our_side_refuses_is_told,
    a_time_that_is_none_stops_no_sweep,
);

/// Differences need not settle.
async fn impatient(daemon: TestDaemon) -> (TestDaemon, Behind) {
    let daemon = daemon.restarted(|config| config.reconcile.settle_seconds = 0).await;
    let behind = Behind::of(&daemon).await;
    (daemon, behind)
}

async fn id_of(daemon: &TestDaemon, email: &str) -> UserId {
    let query = UserQuery { q: Some(email.to_owned()), ..UserQuery::default() };
    daemon.again("ana@example.com").await.users(&query).await.unwrap().users[0].user.id
}

/// What the open conflicts say.
async fn asked(daemon: &TestDaemon) -> Vec<String> {
    let operator = daemon.again("ana@example.com").await;
    let found = operator.recon_conflicts(&ConflictQuery::default()).await.unwrap().conflicts;
    found.into_iter().map(|conflict| serde_json::to_string(&conflict.fields).unwrap()).collect()
}

async fn who_was_erased_does_not_come_back(daemon: TestDaemon) {
    let (daemon, behind) = impatient(daemon).await;
    daemon.sign_in("carl@example.com", Role::Customer, None).await;
    let carl = id_of(&daemon, "carl@example.com").await;
    swept(&daemon, SweepMode::Full).await;
    let stale = behind.get(Collection::Users, carl.into()).await.unwrap();
    daemon.again("ana@example.com").await.delete_user(carl).await.unwrap();
    daemon.settled().await;
    swept(&daemon, SweepMode::Full).await;
    // A service that knew the person saves its copy once more.
    let copy = doc! { "email": stale.get("email").cloned(), "name": "Carl", "isActive": true };
    behind.set(Collection::Users, carl.into(), copy).await;
    let sweep = swept(&daemon, SweepMode::Full).await;
    assert_eq!((sweep.counts.repaired, sweep.counts.conflicts), (1, 0), "{sweep:#?}");
    let left = "SELECT COUNT(*) FROM users WHERE email LIKE 'carl%' OR name = 'Carl'";
    assert_eq!(daemon.count(left).await, 0);
    let document = behind.get(Collection::Users, carl.into()).await.unwrap();
    assert!(document.get_str("email").unwrap().ends_with("@deleted.invalid"), "{document:?}");
    assert!(document.get_str("name").is_err() && !document.get_bool("isActive").unwrap(), "{document:?}");
    daemon.stop().await;
}

async fn no_document_takes_the_place_of_an_erased_person(daemon: TestDaemon) {
    let (daemon, behind) = impatient(daemon).await;
    daemon.sign_in("carl@example.com", Role::Customer, None).await;
    let carl = id_of(&daemon, "carl@example.com").await;
    swept(&daemon, SweepMode::Full).await;
    behind
        .set(Collection::Users, carl.into(), doc! { "email": "x@deleted.invalid", "name": "Mallory" })
        .await;
    let sweep = swept(&daemon, SweepMode::Full).await;
    assert_eq!((sweep.counts.repaired, sweep.counts.conflicts), (0, 1), "{sweep:#?}");
    assert!(
        asked(&daemon).await[0].contains("kept for people who were erased"),
        "{:?}",
        asked(&daemon).await
    );
    assert_eq!(daemon.count("SELECT COUNT(*) FROM users WHERE email = 'carl@example.com'").await, 1);
    daemon.stop().await;
}

async fn no_document_locks_an_employee_out(daemon: TestDaemon) {
    let (daemon, behind) = impatient(daemon).await;
    let ana = id_of(&daemon, "ana@example.com").await;
    swept(&daemon, SweepMode::Full).await;
    let before = behind.get(Collection::Users, ana.into()).await.unwrap();
    behind
        .set(Collection::Users, ana.into(), doc! { "email": "mallory@example.com", "isActive": false })
        .await;
    let sweep = swept(&daemon, SweepMode::Full).await;
    assert_eq!((sweep.counts.repaired, sweep.counts.conflicts), (1, 0), "{sweep:#?}");
    let after = behind.get(Collection::Users, ana.into()).await.unwrap();
    let account =
        |document: &bson::Document| (document.get("email").cloned(), document.get("isActive").cloned());
    assert_eq!(account(&after), account(&before));
    behind.remove(Collection::Users, Some(ana.into())).await;
    swept(&daemon, SweepMode::Full).await;
    daemon.pass(TimeDelta::minutes(11));
    let sweep = swept(&daemon, SweepMode::Full).await;
    assert_eq!((sweep.counts.repaired, sweep.counts.conflicts), (0, 1), "{sweep:#?}");
    assert!(asked(&daemon).await[0].contains("whose account is ours"), "{:?}", asked(&daemon).await);
    daemon.stop().await;
}

async fn a_supplier_is_needed_while_launches_are_on_sale(daemon: TestDaemon) {
    let (daemon, behind) = impatient(daemon).await;
    let supplier = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let launch = supplier.create_launch(&daemon.new_launch(5)).await.unwrap();
    let sue = id_of(&daemon, "sue@example.com").await;
    swept(&daemon, SweepMode::Full).await;
    behind.remove(Collection::Users, Some(sue.into())).await;
    swept(&daemon, SweepMode::Full).await;
    daemon.pass(TimeDelta::minutes(11));
    let sweep = swept(&daemon, SweepMode::Full).await;
    assert_eq!((sweep.counts.repaired, sweep.counts.conflicts), (0, 1), "{sweep:#?}");
    assert!(asked(&daemon).await[0].contains("launches refer to it"), "{:?}", asked(&daemon).await);
    let sue = daemon.again("sue@example.com").await;
    sue.cancel_launch(launch.id, &CancelLaunch::default()).await.unwrap();
    daemon.settled().await;
    let sweep = swept(&daemon, SweepMode::Full).await;
    assert_eq!(sweep.counts.conflicts, 0, "{sweep:#?}");
    assert_eq!(
        daemon.count("SELECT COUNT(*) FROM users WHERE email = 'sue@example.com' AND is_active").await,
        0
    );
    daemon.stop().await;
}

async fn nobody_books_a_cancelled_launch_by_a_document(daemon: TestDaemon) {
    let (daemon, behind) = impatient(daemon).await;
    let supplier = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let launch = supplier.create_launch(&daemon.new_launch(5)).await.unwrap();
    daemon.sign_in("carl@example.com", Role::Customer, None).await;
    let carl = id_of(&daemon, "carl@example.com").await;
    supplier.cancel_launch(launch.id, &CancelLaunch::default()).await.unwrap();
    swept(&daemon, SweepMode::Full).await;
    let late: EntityId = "65000000000000000000bb01".parse().unwrap();
    let booking = doc! { "_id": object(late), "eventId": object(launch.id.into()), "userId": object(carl.into()),
    "ticketQuantity": 2, "totalAmount": 240.0, "status": "confirmed", "paymentStatus": "pending",
    "bookingDate": bson::DateTime::from_millis(1_772_000_000_000) };
    behind.insert(Collection::Bookings, booking).await;
    let sweep = swept(&daemon, SweepMode::Full).await;
    assert_eq!((sweep.counts.repaired, sweep.counts.conflicts), (0, 1), "{sweep:#?}");
    assert!(asked(&daemon).await[0].contains("the launch is cancelled"), "{:?}", asked(&daemon).await);
    assert_eq!(daemon.count("SELECT COUNT(*) FROM bookings").await, 0);
    daemon.stop().await;
}

async fn what_our_side_refuses_is_told(daemon: TestDaemon) {
    let (daemon, behind) = impatient(daemon).await;
    for email in ["carl@example.com", "dora@example.com"] {
        daemon.sign_in(email, Role::Customer, None).await;
    }
    swept(&daemon, SweepMode::Full).await;
    // The documents swapped their addresses, one after the other.
    let (carl, dora) = (id_of(&daemon, "carl@example.com").await, id_of(&daemon, "dora@example.com").await);
    behind.set(Collection::Users, carl.into(), doc! { "email": "nobody@example.com" }).await;
    behind.set(Collection::Users, dora.into(), doc! { "email": "carl@example.com" }).await;
    behind.set(Collection::Users, carl.into(), doc! { "email": "dora@example.com" }).await;
    let sweep = swept(&daemon, SweepMode::Full).await;
    assert_eq!(sweep.counts.failed, 2, "{sweep:#?}");
    let operator = daemon.again("ana@example.com").await;
    let drift = operator.drift(&DriftQuery::default()).await.unwrap();
    let told: Vec<_> =
        drift.drift.iter().map(|drift| (drift.kind, drift.text.contains("an address"))).collect();
    assert_eq!(told, [(DriftKind::Differs, true); 2], "{drift:#?}");
    daemon.stop().await;
}

async fn a_time_that_is_none_stops_no_sweep(daemon: TestDaemon) {
    let (daemon, behind) = impatient(daemon).await;
    let supplier = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let launch = supplier.create_launch(&daemon.new_launch(5)).await.unwrap();
    let carl = daemon.sign_in("carl@example.com", Role::Customer, None).await;
    let new = NewBooking { launch_id: Some(launch.id), event_id: None, ticket_quantity: 2, user_id: None };
    carl.book(&new).await.unwrap();
    daemon.settled().await;
    for mode in [SweepMode::Full, SweepMode::Incremental, SweepMode::Full] {
        for change in
            ["UPDATE launches SET updated_at = 'infinity'", "UPDATE bookings SET updated_at = 'infinity'"]
        {
            daemon.change(change).await;
        }
        let venue = format!("{mode} pad");
        behind_or_not(&behind, &launch, &venue).await;
        let sweep = swept(&daemon, mode).await;
        assert_eq!(sweep.counts.failed, 0, "{sweep:#?}");
    }
    assert_eq!(daemon.count("SELECT COUNT(*) FROM launches WHERE venue = 'full pad'").await, 1);
    daemon.stop().await;
}

/// Changes the document once there is one.
async fn behind_or_not(behind: &Behind, launch: &astrops_api::launches::Launch, venue: &str) {
    if behind.get(Collection::Events, launch.id.into()).await.is_some() {
        behind.set(Collection::Events, launch.id.into(), doc! { "venue": venue }).await;
    }
}
