//! What is changed through our own API reaches the documents without anybody asking for it.

use astrops_api::{
    bookings::{CancelBooking, NewBooking},
    ids::EntityId,
    launches::EditLaunch,
    reconciliation::{NewReconciliation, ReconJobQuery},
    vocabulary::{EntityType, JobStatus, Role},
};
use astrops_daemon::documents::Collection;
use bson::{Bson, Document, doc};
use chrono::TimeDelta;

use crate::{
    stories,
    support::{
        TestDaemon,
        documents::{Behind, object},
    },
};

stories!(
    the_documents_follow_what_is_changed_here,
    while_it_is_off_nothing_is_named_and_it_begins_at_the_end,
    what_happened_while_no_daemon_followed_is_named_later,
    what_reconciliation_wrote_names_nothing,
);

/// The daemon, started anew with the follower on or off.
async fn following(mut daemon: TestDaemon, follow: bool) -> TestDaemon {
    daemon.config.documents.follow = follow;
    daemon.restart().await
}

/// How many jobs there were for the entity, whoever asked for them.
async fn jobs(daemon: &TestDaemon, id: EntityId) -> u64 {
    let query = ReconJobQuery { entity_id: Some(id), ..ReconJobQuery::default() };
    daemon.again("ana@example.com").await.recon_jobs(&query).await.unwrap().total
}

/// The document once `holds`; the clock moves when a job waits for it to.
async fn document(
    daemon: &TestDaemon,
    collection: Collection,
    id: EntityId,
    holds: impl Fn(&Document) -> bool,
) -> Document {
    let (behind, operator) = (Behind::of(daemon).await, daemon.again("ana@example.com").await);
    let found = std::cell::RefCell::new(None);
    let query = ReconJobQuery { status: Some(JobStatus::Queued), ..ReconJobQuery::default() };
    daemon
        .until(async || {
            if operator.recon_jobs(&query).await.unwrap().total > 0 {
                daemon.pass(TimeDelta::milliseconds(500));
            }
            let document = behind.get(collection, id).await;
            let there = document.as_ref().is_some_and(&holds);
            found.replace(document);
            there
        })
        .await;
    found.into_inner().unwrap()
}

async fn the_documents_follow_what_is_changed_here(daemon: TestDaemon) {
    let daemon = following(daemon, true).await;
    let supplier = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let launch = supplier.create_launch(&daemon.new_launch(10)).await.unwrap();
    let made = document(&daemon, Collection::Events, launch.id.into(), |_| true).await;
    assert_eq!(made.get_str("name").ok(), Some("Aurora 7"));

    let edit = EditLaunch { title: Some("Aurora 8".to_owned()), ..EditLaunch::default() };
    supplier.edit_launch(launch.id, &edit).await.unwrap();
    let named = |document: &Document| document.get_str("name").is_ok_and(|name| name == "Aurora 8");
    document(&daemon, Collection::Events, launch.id.into(), named).await;

    let carl = daemon.sign_in("carl@example.com", Role::Customer, None).await;
    let new = NewBooking { launch_id: Some(launch.id), event_id: None, ticket_quantity: 3, user_id: None };
    let booking = carl.book(&new).await.unwrap();
    document(&daemon, Collection::Bookings, booking.id.into(), |_| true).await;
    let left = |seats| move |launch: &Document| launch.get("availableTickets") == Some(&Bson::Int32(seats));
    document(&daemon, Collection::Events, launch.id.into(), left(7)).await;

    let cancel = CancelBooking { reason: Some("ill".to_owned()) };
    carl.cancel_booking(booking.id, &cancel).await.unwrap();
    let cancelled =
        |document: &Document| document.get_str("status").is_ok_and(|status| status == "cancelled");
    let document_of = document(&daemon, Collection::Bookings, booking.id.into(), cancelled).await;
    assert_eq!(document_of.get_str("cancellationReason").ok(), Some("ill"));
    document(&daemon, Collection::Events, launch.id.into(), left(10)).await;
    daemon.pass(TimeDelta::seconds(1));
    daemon.settled().await;
    daemon.stop().await;
}

async fn while_it_is_off_nothing_is_named_and_it_begins_at_the_end(daemon: TestDaemon) {
    let supplier = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let before = supplier.create_launch(&daemon.new_launch(10)).await.unwrap();
    let daemon = following(daemon, true).await;
    // It names in the order in which things happened: had it named the first one, that was before the second one.
    let supplier = daemon.again("sue@example.com").await;
    let behind = supplier.create_launch(&daemon.new_launch(10)).await.unwrap();
    document(&daemon, Collection::Events, behind.id.into(), |_| true).await;
    assert_eq!(jobs(&daemon, before.id.into()).await, 0);
    assert_eq!(jobs(&daemon, behind.id.into()).await, 1);
    daemon.settled().await;
    daemon.stop().await;
}

async fn what_happened_while_no_daemon_followed_is_named_later(daemon: TestDaemon) {
    let daemon = following(following(daemon, true).await, false).await;
    let supplier = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let launch = supplier.create_launch(&daemon.new_launch(10)).await.unwrap();
    assert_eq!(jobs(&daemon, launch.id.into()).await, 0);
    let daemon = following(daemon, true).await;
    document(&daemon, Collection::Events, launch.id.into(), |_| true).await;
    daemon.pass(TimeDelta::seconds(1));
    daemon.settled().await;
    daemon.stop().await;
}

async fn what_reconciliation_wrote_names_nothing(daemon: TestDaemon) {
    let daemon = following(daemon, true).await;
    let supplier = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let first = supplier.create_launch(&daemon.new_launch(10)).await.unwrap();
    document(&daemon, Collection::Events, first.id.into(), |_| true).await;
    let born = "507f1f77bcf86cd799439016".parse().unwrap();
    let event = doc! { "_id": object(born), "name": "Moonrise", "dateTime": bson::DateTime::from_millis(1_800_000_000_000),
    "capacity": 5, "price": 19.99, "availableTickets": 5, "organizerId": object(first.host_id.into()) };
    Behind::of(&daemon).await.insert(Collection::Events, event).await;
    let asked = NewReconciliation { entity_type: EntityType::Launch, entity_id: born };
    let job = daemon.again("ana@example.com").await.reconcile(&asked).await.unwrap().job_id;
    daemon.ended(job).await;
    // Whatever it would have named is named before this one.
    let last = supplier.create_launch(&daemon.new_launch(10)).await.unwrap();
    document(&daemon, Collection::Events, last.id.into(), |_| true).await;
    assert_eq!(jobs(&daemon, born).await, 1, "the one that was asked for");
    daemon.settled().await;
    daemon.stop().await;
}
