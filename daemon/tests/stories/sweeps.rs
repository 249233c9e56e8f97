//! Whole databases are compared, and what differs is repaired, asked about, or left alone.

use astrops_api::{
    Client,
    bookings::NewBooking,
    drift::DriftQuery,
    ids::{BookingId, EntityId, LaunchId, UserId},
    launches::{EditLaunch, Launch},
    reconciliation::{ChangeQuery, ConflictQuery},
    sweeps::{NewSweep, Sweep, SweepCounts, SweepQuery},
    vocabulary::{BookingStatus, DriftKind, EntityType, Right, Role, SweepMode, SweepStage, SweepStatus},
};
use astrops_daemon::documents::Collection;
use bson::{Bson, doc};
use chrono::TimeDelta;
use uuid::Uuid;

use crate::{
    stories_on_both_sides,
    support::{
        DEADLINE, TestDaemon,
        documents::{Behind, object},
        refusal,
    },
};

stories_on_both_sides!(
    a_sweep_finds_everything_repairs_what_it_may_and_asks_about_the_rest,
    what_is_deleted_on_one_side_is_deleted_on_the_other_after_the_grace_time,
    a_side_that_lost_its_rows_is_not_believed,
    a_sweep_that_would_change_too_much_asks_first,
    an_incremental_sweep_sees_what_changed_since,
    an_incremental_sweep_is_judged_by_all_rows,
    an_incremental_sweep_that_waits_for_a_person_looks_again,
    a_sweep_is_paused_resumed_and_cancelled,
    a_sweep_goes_on_behind_its_last_page_after_a_restart,
    a_dry_run_tells_and_writes_nothing,
);

/// The same daemon with another time for differences to settle.
async fn adjusted(daemon: TestDaemon, settle_seconds: u32) -> TestDaemon {
    daemon.restarted(|config| config.reconcile.settle_seconds = settle_seconds).await
}

/// The sweep once `holds` does.
async fn when(daemon: &TestDaemon, id: Uuid, holds: impl Fn(&Sweep) -> bool) -> Sweep {
    let operator = daemon.again("ana@example.com").await;
    let mut last = None;
    let watch = async {
        loop {
            let sweep = operator.find_sweep(id).await.unwrap();
            if holds(&sweep) {
                return sweep;
            }
            last = Some(sweep);
            tokio::task::yield_now().await;
        }
    };
    let Ok(sweep) = tokio::time::timeout(DEADLINE, watch).await else {
        panic!("the sweep did not come so far: {last:#?}");
    };
    sweep
}

async fn begin(daemon: &TestDaemon, mode: SweepMode) -> Sweep {
    let operator = daemon.again("ana@example.com").await;
    operator.sweep(&NewSweep { mode, entity_type: None, dry_run: false }).await.unwrap()
}

/// Sweeps, and answers what became of it; what it has nominated is done, too.
pub async fn swept(daemon: &TestDaemon, mode: SweepMode) -> Sweep {
    let begun = begin(daemon, mode).await;
    let done = when(daemon, begun.id, |sweep| sweep.status != SweepStatus::Running).await;
    assert_eq!(done.status, SweepStatus::Completed, "{done:#?}");
    daemon.settled().await;
    done
}

/// A supplier's launch and somebody's booking of it, known to our side only.
async fn business(daemon: &TestDaemon) -> (Client, Launch, BookingId) {
    let supplier = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let launch = supplier.create_launch(&daemon.new_launch(10)).await.unwrap();
    let carl = daemon.sign_in("carl@example.com", Role::Customer, None).await;
    let new = NewBooking { launch_id: Some(launch.id), event_id: None, ticket_quantity: 2, user_id: None };
    let booking = carl.book(&new).await.unwrap();
    daemon.settled().await;
    (supplier, launch, booking.id)
}

async fn a_sweep_finds_everything_repairs_what_it_may_and_asks_about_the_rest(daemon: TestDaemon) {
    let daemon = adjusted(daemon, 0).await;
    let behind = Behind::of(&daemon).await;
    let (_, launch, booking) = business(&daemon).await;
    let first = swept(&daemon, SweepMode::Full).await;
    // Ana, Sue and Carl, the launch and the booking.
    assert_eq!(
        (first.counts.relational, first.counts.documents, first.counts.repaired),
        (5, 0, 5),
        "{first:#?}"
    );
    assert_ne!(first.digest_document, first.digest_relational);
    let again = swept(&daemon, SweepMode::Full).await;
    let expected = SweepCounts { relational: 5, documents: 5, ..SweepCounts::default() };
    assert_eq!(again.counts, expected, "a second sweep finds nothing");
    assert_eq!(again.digest_document, again.digest_relational);

    // Behind our back: a field of each authority, a whole new booking of a new customer, something nobody can read.
    let id = EntityId::from(launch.id);
    behind
        .set(Collection::Events, id, doc! { "capacity": 4, "venue": "Baikonur", "availableTickets": 77 })
        .await;
    let paid = doc! { "paymentStatus": "paid", "paymentMethod": "cash" };
    behind.set(Collection::Bookings, booking.into(), paid).await;
    let (new_user, new_booking) = ("65000000000000000000aa01", "65000000000000000000bb01");
    let person = |text: &str| text.parse::<EntityId>().unwrap();
    let dora = doc! { "_id": object(person(new_user)), "email": "Dora@example.com ", "password": "x", "name": "Dora",
    "role": "user" };
    behind.insert(Collection::Users, dora).await;
    let date = bson::DateTime::from_millis(1_772_000_000_000);
    let seats = doc! { "_id": object(person(new_booking)), "eventId": object(id), "userId": object(person(new_user)),
    "ticketQuantity": Bson::Int64(3), "totalAmount": 361.5, "status": "confirmed", "bookingDate": date,
    "paymentStatus": "pending" };
    behind.insert(Collection::Bookings, seats).await;
    let odd = doc! { "_id": object(person("65000000000000000000aa02")), "email": 7, "password": "x", "name": "Odd",
    "role": "emperor" };
    behind.insert(Collection::Users, odd).await;
    let third = swept(&daemon, SweepMode::Full).await;
    let found = (third.counts.differing, third.counts.repaired, third.counts.conflicts, third.counts.failed);
    assert_eq!(found, (5, 4, 1, 0), "{third:#?}");
    let event = behind.get(Collection::Events, id).await.unwrap();
    assert_eq!(event.get("capacity"), Some(&Bson::Int32(10)), "{event}");
    assert_eq!(event.get("availableTickets"), Some(&Bson::Int32(5)), "{event}");
    let ours = daemon.launch(launch.id).await;
    assert_eq!((ours.venue.as_deref(), ours.available_tickets), (Some("Baikonur"), 5));
    let made = daemon.operator.booking(BookingId(person(new_booking).0)).await.unwrap().booking;
    assert_eq!((made.ticket_quantity, made.total_amount.minor()), (3, 36_150));
    let dora = daemon.operator.user(UserId(person(new_user).0)).await.unwrap().user;
    assert_eq!((dora.email.as_str(), dora.role), ("dora@example.com", Role::Customer));

    // The row that nobody can read waits for a person, however often it is swept, and nothing else is found.
    let fourth = swept(&daemon, SweepMode::Full).await;
    let found = (fourth.counts.differing, fourth.counts.repaired, fourth.counts.conflicts);
    assert_eq!(found, (1, 0, 1), "{fourth:#?}");
    let drift = daemon.operator.drift(&DriftQuery::default()).await.unwrap();
    assert_eq!((drift.total, drift.drift[0].kind), (1, DriftKind::Conflict), "{drift:#?}");
    let conflicts = daemon.operator.recon_conflicts(&ConflictQuery::default()).await.unwrap();
    assert_eq!(drift.drift[0].conflict_id, Some(conflicts.conflicts[0].id));
    let status = daemon.operator.status().await.unwrap().agreement.unwrap();
    assert_eq!((status.drift, status.conflicts, status.critical), (1, 1, 0));
    assert_eq!(status.verified_through, Some(daemon.now()));
    // It is over when the document is right.
    let right = doc! { "email": "odd@example.com", "role": "user" };
    behind.set(Collection::Users, person("65000000000000000000aa02"), right).await;
    assert_eq!(swept(&daemon, SweepMode::Full).await.counts.repaired, 1);
    assert_eq!(daemon.operator.recon_conflicts(&ConflictQuery::default()).await.unwrap().total, 0);
    assert_eq!(daemon.operator.drift(&DriftQuery::default()).await.unwrap().total, 0);
    daemon.stop().await;
}

async fn what_is_deleted_on_one_side_is_deleted_on_the_other_after_the_grace_time(daemon: TestDaemon) {
    let daemon = adjusted(daemon, 0).await;
    let behind = Behind::of(&daemon).await;
    let (supplier, launch, booking) = business(&daemon).await;
    swept(&daemon, SweepMode::Full).await;
    let event = behind.get(Collection::Events, launch.id.into()).await.unwrap();
    behind.remove(Collection::Bookings, Some(booking.into())).await;
    behind.remove(Collection::Events, Some(launch.id.into())).await;
    let waiting = swept(&daemon, SweepMode::Full).await;
    assert_eq!((waiting.counts.waiting, waiting.counts.repaired), (2, 0), "{waiting:#?}");
    daemon.pass(TimeDelta::minutes(9));
    assert_eq!(swept(&daemon, SweepMode::Incremental).await.counts.waiting, 2);
    daemon.pass(TimeDelta::minutes(2));
    let deleted = swept(&daemon, SweepMode::Incremental).await;
    // The launch is in use until its booking is gone: bookings come first.
    assert_eq!(
        (deleted.counts.waiting, deleted.counts.repaired, deleted.counts.conflicts),
        (0, 2, 0),
        "{deleted:#?}"
    );
    let operator = daemon.again("ana@example.com").await;
    let cancelled = operator.booking(booking).await.unwrap().booking;
    assert_eq!(cancelled.status, BookingStatus::Cancelled);
    assert_eq!(cancelled.cancellation_reason.as_deref(), Some("deleted on the document side"));
    let inactive = operator.launch(launch.id).await.unwrap();
    assert!(!inactive.is_active && inactive.available_tickets == 10, "{inactive:?}");
    let quiet = swept(&daemon, SweepMode::Full).await;
    assert_eq!((quiet.counts.differing, quiet.counts.repaired), (0, 0), "what is deleted is no difference");

    // It comes back: then nothing is agreed on, and our side, which is inactive, meets an active document.
    behind.insert(Collection::Events, event).await;
    let back = swept(&daemon, SweepMode::Full).await;
    assert_eq!((back.counts.differing, back.counts.conflicts), (1, 1), "{back:#?}");

    // Deleted on one side and edited on the other: a person decides.
    let other = daemon.again("sue@example.com").await.create_launch(&daemon.new_launch(5)).await.unwrap();
    drop(supplier);
    swept(&daemon, SweepMode::Full).await;
    behind.remove(Collection::Events, Some(other.id.into())).await;
    swept(&daemon, SweepMode::Full).await;
    let sue = daemon.again("sue@example.com").await;
    let edit = EditLaunch { title: Some("Aurora 8".to_owned()), ..EditLaunch::default() };
    sue.edit_launch(other.id, &edit).await.unwrap();
    daemon.pass(TimeDelta::minutes(11));
    let asked = swept(&daemon, SweepMode::Full).await;
    assert_eq!((asked.counts.conflicts, asked.counts.repaired), (2, 0), "{asked:#?}");
    assert!(daemon.launch(other.id).await.is_active, "nothing was deleted");
    daemon.stop().await;
}

/// So many launches that both sides know.
async fn many(daemon: &TestDaemon, count: usize) -> Vec<LaunchId> {
    let supplier = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(supplier.create_launch(&daemon.new_launch(10)).await.unwrap().id);
    }
    let first = begin(daemon, SweepMode::Full).await;
    let asked = when(daemon, first.id, |sweep| sweep.status != SweepStatus::Running).await;
    assert_eq!(asked.status, SweepStatus::NeedsApproval, "so many new rows at once: {asked:#?}");
    daemon.again("ana@example.com").await.approve_sweep(first.id).await.unwrap();
    let done = when(daemon, first.id, |sweep| sweep.status != SweepStatus::Running).await;
    assert_eq!(done.status, SweepStatus::Completed, "{done:#?}");
    ids
}

async fn a_side_that_lost_its_rows_is_not_believed(daemon: TestDaemon) {
    let daemon = adjusted(daemon, 0).await;
    let behind = Behind::of(&daemon).await;
    let ids = many(&daemon, 24).await;
    assert_eq!(swept(&daemon, SweepMode::Full).await.counts.documents, 26);
    behind.remove(Collection::Events, None).await;
    let begun = begin(&daemon, SweepMode::Full).await;
    let asked = when(&daemon, begun.id, |sweep| sweep.status != SweepStatus::Running).await;
    assert_eq!(asked.status, SweepStatus::NeedsApproval, "{asked:#?}");
    assert!(asked.text.contains("the document side has 0 rows, and had 24"), "{}", asked.text);
    let refused = refusal(
        daemon.operator.sweep(&NewSweep { mode: SweepMode::Full, entity_type: None, dry_run: false }).await,
    );
    assert!(refused.starts_with("409") && refused.contains(&begun.id.to_string()), "{refused}");
    daemon.operator.cancel_sweep(begun.id).await.unwrap();
    assert!(daemon.launch(ids[0]).await.is_active);
    let refused = refusal(daemon.operator.approve_sweep(begun.id).await);
    assert!(refused.starts_with("409"), "{refused}");

    // Who only looks at what changed does not decide it, however long it lasts.
    for _ in 0..2 {
        daemon.pass(TimeDelta::minutes(11));
        let passed = swept(&daemon, SweepMode::Incremental).await;
        assert!(passed.text.contains("launches passed over"), "{}", passed.text);
        assert_eq!((passed.counts.repaired, passed.counts.waiting), (0, 0), "{passed:#?}");
    }
    // Nor does one that writes nothing.
    let operator = daemon.again("ana@example.com").await;
    for dry_run in [true, false] {
        let begun =
            operator.sweep(&NewSweep { mode: SweepMode::Full, entity_type: None, dry_run }).await.unwrap();
        let asked = when(&daemon, begun.id, |sweep| sweep.status != SweepStatus::Running).await;
        assert!(asked.text.contains("the document side has 0 rows, and had 24"), "{}", asked.text);
        operator.approve_sweep(begun.id).await.unwrap();
        let done = when(&daemon, begun.id, |sweep| sweep.status != SweepStatus::Running).await;
        let counts = (done.status, done.counts.relational, done.counts.waiting);
        assert_eq!(counts, (SweepStatus::Completed, 26, 24), "{done:#?}");
    }
    // It is believed now, and still more than may be deleted without asking.
    daemon.pass(TimeDelta::minutes(11));
    let begun = begin(&daemon, SweepMode::Incremental).await;
    let asked = when(&daemon, begun.id, |sweep| sweep.status != SweepStatus::Running).await;
    assert!(asked.text.contains("it would delete 24 launches, more than 20 at a time"), "{}", asked.text);
    assert!(daemon.launch(ids[0]).await.is_active);
    daemon.settled().await;
    daemon.stop().await;
}

async fn a_sweep_that_would_change_too_much_asks_first(daemon: TestDaemon) {
    let daemon = adjusted(daemon, 0).await;
    let behind = Behind::of(&daemon).await;
    let ids = many(&daemon, 21).await;
    for id in &ids {
        behind.set(Collection::Events, (*id).into(), doc! { "price": 1 }).await;
    }
    let begun = begin(&daemon, SweepMode::Full).await;
    let asked = when(&daemon, begun.id, |sweep| sweep.status != SweepStatus::Running).await;
    assert_eq!((asked.status, asked.counts.repaired), (SweepStatus::NeedsApproval, 0), "{asked:#?}");
    assert!(asked.text.contains("it would change 21 rows, more than 20 at a time"), "{}", asked.text);
    let price = behind.get(Collection::Events, ids[0].into()).await.unwrap().get("price").cloned();
    assert_eq!(price, Some(Bson::Int32(1)), "nothing was written");
    // A viewer may look, and not decide.
    let viewer = daemon.sign_in("vera@example.com", Role::Employee, Some(Right::Viewer)).await;
    assert_eq!(viewer.find_sweep(begun.id).await.unwrap().status, SweepStatus::NeedsApproval);
    assert!(refusal(viewer.approve_sweep(begun.id).await).starts_with("403"));
    daemon.operator.approve_sweep(begun.id).await.unwrap();
    let done = when(&daemon, begun.id, |sweep| sweep.status != SweepStatus::Running).await;
    assert_eq!((done.status, done.counts.repaired), (SweepStatus::Completed, 21), "{done:#?}");
    daemon.settled().await;
    daemon.stop().await;
}

async fn an_incremental_sweep_sees_what_changed_since(daemon: TestDaemon) {
    let daemon = adjusted(daemon, 0).await;
    let behind = Behind::of(&daemon).await;
    let (_, launch, booking) = business(&daemon).await;
    daemon.pass(TimeDelta::minutes(5));
    assert_eq!(
        swept(&daemon, SweepMode::Incremental).await.counts.repaired,
        5,
        "the first one compares everything"
    );
    let first = daemon.operator.status().await.unwrap().agreement.unwrap().verified_through.unwrap();
    assert_eq!(first, daemon.now());
    // What the first one wrote is looked at once more, because writers' clocks differ.
    daemon.pass(TimeDelta::minutes(5));
    assert_eq!(swept(&daemon, SweepMode::Incremental).await.counts.differing, 0);
    daemon.pass(TimeDelta::minutes(10));
    let touched = bson::DateTime::from_millis(daemon.now().timestamp_millis());
    behind
        .set(Collection::Events, launch.id.into(), doc! { "venue": "Vandenberg", "updatedAt": touched })
        .await;
    behind.set(Collection::Bookings, booking.into(), doc! { "totalAmount": 99.5 }).await;
    let sue = daemon.again("sue@example.com").await;
    let edit = EditLaunch { title: Some("Aurora 8".to_owned()), ..EditLaunch::default() };
    sue.edit_launch(launch.id, &edit).await.unwrap();
    let sweep = swept(&daemon, SweepMode::Incremental).await;
    assert_eq!((sweep.counts.differing, sweep.counts.repaired), (1, 1), "{sweep:#?}");
    let document = behind.get(Collection::Events, launch.id.into()).await.unwrap();
    assert_eq!(document.get_str("name").ok(), Some("Aurora 8"));
    assert_eq!(daemon.launch(launch.id).await.venue.as_deref(), Some("Vandenberg"));
    let status = daemon.again("ana@example.com").await.status().await.unwrap().agreement.unwrap();
    assert_eq!(status.verified_through, Some(daemon.now()));
    // A writer that does not touch `updatedAt` is seen by the full sweep.
    let full = swept(&daemon, SweepMode::Full).await;
    assert_eq!((full.counts.differing, full.counts.repaired), (1, 1), "{full:#?}");
    let operator = daemon.again("ana@example.com").await;
    assert_eq!(operator.booking(booking).await.unwrap().booking.total_amount.minor(), 9_950);
    let query = ChangeQuery { entity_type: Some(EntityType::Launch), ..ChangeQuery::default() };
    let changes = operator.recon_changes(&query).await.unwrap();
    assert_eq!(changes.changes[0].changes_log, "Updated 2 fields: title, venue");
    daemon.stop().await;
}

async fn an_incremental_sweep_is_judged_by_all_rows(daemon: TestDaemon) {
    let daemon = adjusted(daemon, 0).await;
    let behind = Behind::of(&daemon).await;
    let (_, launch, _) = business(&daemon).await;
    swept(&daemon, SweepMode::Full).await;
    // Half of five rows may change, and one does.
    let daemon = daemon
        .restarted(|config| (config.reconcile.brake_floor, config.reconcile.max_change_percent) = (0, 50))
        .await;
    behind.set(Collection::Events, launch.id.into(), doc! { "venue": "Vandenberg" }).await;
    assert_eq!(swept(&daemon, SweepMode::Incremental).await.counts.repaired, 1);
    daemon.stop().await;
}

async fn an_incremental_sweep_that_waits_for_a_person_looks_again(daemon: TestDaemon) {
    let daemon = adjusted(daemon, 0).await;
    let behind = Behind::of(&daemon).await;
    let ids = many(&daemon, 22).await;
    let right = behind.get(Collection::Events, ids[0].into()).await.unwrap().get("price").unwrap().clone();
    let price = async |id: &LaunchId, price: Bson| {
        let touched = bson::DateTime::from_millis(daemon.now().timestamp_millis());
        behind.set(Collection::Events, (*id).into(), doc! { "price": price, "updatedAt": touched }).await;
    };
    for id in &ids[1..] {
        price(id, Bson::Int32(1)).await;
    }
    let begun = begin(&daemon, SweepMode::Incremental).await;
    let asks = async |text: &str| {
        let asked = |sweep: &Sweep| sweep.status == SweepStatus::NeedsApproval && sweep.text.contains(text);
        when(&daemon, begun.id, asked).await
    };
    asks("it would change 21 rows").await;
    // The schedule goes on with the same sweep, which tells what is so by now.
    price(&ids[0], Bson::Int32(1)).await;
    daemon.operator.trigger_schedule("reconcile-incremental").await.unwrap();
    let asked = asks("it would change 22 rows").await;
    assert_eq!(asked.counts.repaired, 0, "{asked:#?}");
    // Somebody put most of them right: the rest may be repaired without asking.
    for id in &ids[..20] {
        price(id, right.clone()).await;
    }
    daemon.pass(TimeDelta::seconds(1));
    daemon.operator.trigger_schedule("reconcile-incremental").await.unwrap();
    let done = when(&daemon, begun.id, |sweep| sweep.status.is_final()).await;
    assert_eq!((done.status, done.counts.repaired), (SweepStatus::Completed, 2), "{done:#?}");
    daemon.settled().await;
    daemon.stop().await;
}

async fn a_sweep_is_paused_resumed_and_cancelled(daemon: TestDaemon) {
    let daemon = adjusted(daemon, 5).await;
    let behind = Behind::of(&daemon).await;
    let (_, launch, _) = business(&daemon).await;
    let begun = begin(&daemon, SweepMode::Full).await;
    // It waits for differences to settle until the clock moves.
    when(&daemon, begun.id, |sweep| sweep.stage == SweepStage::Recheck).await;
    let paused = daemon.operator.pause_sweep(begun.id).await.unwrap();
    assert_eq!((paused.status, paused.text.as_str()), (SweepStatus::Paused, "paused by ana@example.com"));
    let viewer = daemon.sign_in("vera@example.com", Role::Employee, Some(Right::Viewer)).await;
    let masked = viewer.find_sweep(begun.id).await.unwrap();
    assert_eq!(
        (masked.text.as_str(), masked.created_by_email.as_deref()),
        ("paused by a***@example.com", Some("a***@example.com"))
    );
    daemon.pass(TimeDelta::seconds(6));
    daemon.ended(begun.job_id.unwrap()).await;
    assert!(behind.get(Collection::Events, launch.id.into()).await.is_none(), "nothing was written");
    assert!(refusal(daemon.operator.pause_sweep(begun.id).await).starts_with("409"));
    let resumed = daemon.operator.resume_sweep(begun.id).await.unwrap();
    assert_ne!(resumed.job_id, begun.job_id);
    daemon.pass(TimeDelta::seconds(6));
    // Its wait begins when its job does, which may be behind the first step of the clock.
    let done = when_passing(&daemon, begun.id).await;
    assert_eq!((done.status, done.counts.repaired), (SweepStatus::Completed, 5), "{done:#?}");

    let begun = begin(&daemon, SweepMode::Full).await;
    behind.set(Collection::Events, launch.id.into(), doc! { "price": 1 }).await;
    let cancelled = daemon.operator.cancel_sweep(begun.id).await.unwrap();
    assert_eq!(cancelled.status, SweepStatus::Cancelled);
    daemon.pass(TimeDelta::seconds(6));
    daemon.ended(begun.job_id.unwrap()).await;
    let after = daemon.operator.find_sweep(begun.id).await.unwrap();
    assert_eq!((after.status, after.counts.repaired), (SweepStatus::Cancelled, 0));
    let query = SweepQuery { status: Some(SweepStatus::Cancelled), ..SweepQuery::default() };
    assert_eq!(daemon.operator.sweeps(&query).await.unwrap().total, 1);
    let unknown = refusal(daemon.operator.resume_sweep(Uuid::nil()).await);
    assert!(unknown.starts_with("404"), "{unknown}");
    daemon.settled().await;
    daemon.stop().await;
}

/// The sweep at its end, while the clock goes on.
async fn when_passing(daemon: &TestDaemon, id: Uuid) -> Sweep {
    when(daemon, id, |sweep| {
        if sweep.stage == SweepStage::Recheck {
            daemon.pass(TimeDelta::seconds(6));
        }
        sweep.status != SweepStatus::Running
    })
    .await
}

async fn a_sweep_goes_on_behind_its_last_page_after_a_restart(daemon: TestDaemon) {
    let daemon = adjusted(daemon, 5).await;
    business(&daemon).await;
    let begun = begin(&daemon, SweepMode::Full).await;
    when(&daemon, begun.id, |sweep| sweep.stage == SweepStage::Recheck).await;
    let daemon = daemon.restart().await;
    let done = when_passing(&daemon, begun.id).await;
    assert_eq!((done.status, done.job_id), (SweepStatus::Completed, begun.job_id), "{done:#?}");
    assert_eq!(
        (done.counts.relational, done.counts.repaired),
        (5, 5),
        "nothing was counted twice: {done:#?}"
    );
    daemon.settled().await;
    daemon.stop().await;
}

async fn a_dry_run_tells_and_writes_nothing(daemon: TestDaemon) {
    let daemon = adjusted(daemon, 0).await;
    let behind = Behind::of(&daemon).await;
    let (_, launch, _) = business(&daemon).await;
    let new = NewSweep { mode: SweepMode::Full, entity_type: Some(EntityType::Launch), dry_run: true };
    let begun = daemon.operator.sweep(&new).await.unwrap();
    let done = when(&daemon, begun.id, |sweep| sweep.status != SweepStatus::Running).await;
    assert_eq!(done.text, "1 compared, 1 differed, 1 would be written (0 deleted)", "{done:#?}");
    assert!(behind.get(Collection::Events, launch.id.into()).await.is_none());
    let drift = daemon.operator.drift(&DriftQuery::default()).await.unwrap();
    assert_eq!((drift.total, drift.drift[0].kind), (1, DriftKind::MissingDocument));
    assert!(
        daemon.operator.status().await.unwrap().agreement.unwrap().verified_through.is_none(),
        "launches only"
    );
    daemon.settled().await;
    daemon.stop().await;
}
