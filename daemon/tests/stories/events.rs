//! Following what happens to users, launches and bookings.

use std::time::Duration;

use astrops_api::{
    Client,
    bookings::{CancelBooking, NewBooking},
    events::{DomainEvent, EventStreamQuery},
    ids::LaunchId,
    launches::{CancelLaunch, EditLaunch},
    sse::{EventStream, StreamItem},
    users::EditUser,
    vocabulary::{DomainEventKind, EntityType, Right, Role},
};
use chrono::TimeDelta;
use futures::StreamExt as _;

use crate::{
    stories,
    support::{DEADLINE, Engine, TestDaemon, login, refusal},
};

stories!(
    everybody_is_told_what_concerns_them,
    a_stream_resumes_without_a_gap,
    a_stream_tells_what_was_asked_for,
    pruned_events_are_told_as_a_gap,
);

fn seats(launch: LaunchId, quantity: u32) -> NewBooking {
    NewBooking { launch_id: Some(launch), event_id: None, ticket_quantity: quantity, user_id: None }
}

fn capacity(seats: u32) -> EditLaunch {
    EditLaunch { capacity: Some(seats), ..EditLaunch::default() }
}

async fn next(stream: &mut EventStream<DomainEvent>) -> StreamItem<DomainEvent> {
    tokio::time::timeout(DEADLINE, stream.next())
        .await
        .expect("an event")
        .expect("the stream goes on")
        .unwrap()
}

async fn next_event(stream: &mut EventStream<DomainEvent>) -> (String, DomainEvent) {
    match next(stream).await {
        StreamItem::Value { id, value } => (id, value),
        other => panic!("{other:?}"),
    }
}

/// The next one that is not about a user. On PostgreSQL what was written just before a stream was opened may come first:
/// it tells a row once nothing older can appear.
async fn next_launch_event(stream: &mut EventStream<DomainEvent>) -> (String, DomainEvent) {
    loop {
        let (id, event) = next_event(stream).await;
        if event.entity_type != EntityType::User {
            return (id, event);
        }
    }
}

/// What the stream tells up to and with the first `last`.
async fn until(stream: &mut EventStream<DomainEvent>, last: DomainEventKind) -> Vec<&'static str> {
    let mut kinds = Vec::new();
    loop {
        let (_, event) = next_event(stream).await;
        if event.kind != DomainEventKind::UserCreated {
            kinds.push(event.kind.as_str());
        }
        if event.kind == last {
            return kinds;
        }
    }
}

async fn everybody_is_told_what_concerns_them(daemon: TestDaemon) {
    let sue = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let other_supplier = daemon.sign_in("sam@example.com", Role::Supplier, None).await;
    let carl = daemon.sign_in("carl@example.com", Role::Customer, None).await;
    let other_customer = daemon.sign_in("cleo@example.com", Role::Customer, None).await;
    let viewer = daemon.sign_in("vera@example.com", Role::Employee, Some(Right::Viewer)).await;
    assert!(refusal(daemon.anyone.event_stream(None).await.map(drop)).starts_with("401 sign-in-required"));
    let open = async |client: &Client| client.event_stream(None).await.unwrap();
    let mut streams = [
        (open(&sue).await, true),
        (open(&other_supplier).await, false),
        (open(&carl).await, true),
        (open(&other_customer).await, false),
        (open(&viewer).await, true),
    ];
    let mut everything = open(&daemon.operator).await;

    let launch = sue.create_launch(&daemon.new_launch(10)).await.unwrap();
    let booking = carl.book(&seats(launch.id, 2)).await.unwrap();
    carl.cancel_booking(booking.id, &CancelBooking::default()).await.unwrap();
    let rename = EditUser { name: Some(Some("Vera".to_owned())), ..EditUser::default() };
    let vera = viewer.me().await.unwrap().user.id;
    viewer.edit_user(vera, &rename).await.unwrap();
    sue.cancel_launch(launch.id, &CancelLaunch::default()).await.unwrap();

    for (stream, of_the_booking) in &mut streams[..4] {
        let told = until(stream, DomainEventKind::LaunchCancelled).await;
        let expected: &[&str] = if *of_the_booking {
            &[
                "launch.created",
                "booking.created",
                "launch.updated",
                "booking.cancelled",
                "launch.updated",
                "launch.cancelled",
            ]
        } else {
            &["launch.created", "launch.updated", "launch.updated", "launch.cancelled"]
        };
        assert_eq!(told, expected);
    }
    for stream in [&mut streams[4].0, &mut everything] {
        let told = until(stream, DomainEventKind::LaunchCancelled).await;
        assert_eq!(
            told,
            [
                "launch.created",
                "booking.created",
                "launch.updated",
                "booking.cancelled",
                "launch.updated",
                "user.updated",
                "launch.cancelled"
            ]
        );
    }
    // A new user is told of to employees; nothing in it says who it is.
    daemon.sign_in("nina@example.com", Role::Customer, None).await;
    let (_, event) = next_event(&mut everything).await;
    assert_eq!((event.kind, event.entity_type), (DomainEventKind::UserCreated, EntityType::User));
    assert!(!event.data.to_string().contains("nina"), "{event:?}");
    drop((streams, everything));
    daemon.settled().await;
    daemon.stop().await;
}

async fn a_stream_resumes_without_a_gap(daemon: TestDaemon) {
    let sue = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let mut stream = daemon.operator.event_stream(None).await.unwrap();
    let launch = sue.create_launch(&daemon.new_launch(10)).await.unwrap();
    let (id, event) = next_launch_event(&mut stream).await;
    assert_eq!((event.kind, event.entity_id), (DomainEventKind::LaunchCreated, launch.id.into()));
    drop(stream);
    for seats in [11, 12] {
        sue.edit_launch(launch.id, &capacity(seats)).await.unwrap();
    }
    let mut stream = daemon.operator.event_stream(Some(&id)).await.unwrap();
    let told = async |stream: &mut EventStream<DomainEvent>| {
        next_event(stream).await.1.data["capacity"]["to"].clone()
    };
    assert_eq!(told(&mut stream).await, 11);
    sue.edit_launch(launch.id, &capacity(13)).await.unwrap();
    assert_eq!(told(&mut stream).await, 12);
    assert_eq!(told(&mut stream).await, 13);
    let wrong = daemon.operator.event_stream(Some("yesterday")).await.map(drop);
    assert!(refusal(wrong).contains("after"));
    drop(stream);
    daemon.settled().await;
    daemon.stop().await;
}

async fn a_stream_tells_what_was_asked_for(daemon: TestDaemon) {
    let sue = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let carl = daemon.sign_in("carl@example.com", Role::Customer, None).await;
    let one = sue.create_launch(&daemon.new_launch(10)).await.unwrap();
    let two = sue.create_launch(&daemon.new_launch(10)).await.unwrap();
    let open = async |query: EventStreamQuery| daemon.operator.event_stream_of(&query).await.unwrap();
    let of_two = EventStreamQuery { entity_id: Some(two.id.into()), ..EventStreamQuery::default() };
    let of_bookings =
        EventStreamQuery { entity_type: Some(EntityType::Booking), ..EventStreamQuery::default() };
    let (mut of_two, mut of_bookings) = (open(of_two).await, open(of_bookings).await);
    sue.edit_launch(one.id, &capacity(20)).await.unwrap();
    let booking = carl.book(&seats(one.id, 1)).await.unwrap();
    sue.edit_launch(two.id, &capacity(30)).await.unwrap();
    // Its making may come first, see `next_launch_event`.
    let mut event = next_event(&mut of_two).await.1;
    if event.kind == DomainEventKind::LaunchCreated {
        assert_eq!(event.entity_id, two.id.into());
        event = next_event(&mut of_two).await.1;
    }
    assert_eq!((event.entity_id, &event.data["capacity"]["to"]), (two.id.into(), &30.into()));
    let (_, event) = next_event(&mut of_bookings).await;
    assert_eq!((event.kind, event.entity_id), (DomainEventKind::BookingCreated, booking.id.into()));
    drop((of_two, of_bookings));
    daemon.settled().await;
    daemon.stop().await;
}

async fn pruned_events_are_told_as_a_gap(daemon: TestDaemon) {
    let sue = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let mut launch = daemon.new_launch(10);
    // Nothing happens to it meanwhile.
    launch.start_date_time += TimeDelta::days(30);
    launch.end_date_time += TimeDelta::days(30);
    let mut stream = sue.event_stream(None).await.unwrap();
    let launch = sue.create_launch(&launch).await.unwrap();
    let (id, _) = next_launch_event(&mut stream).await;
    drop(stream);
    for seats in [11, 12, 13, 14] {
        sue.edit_launch(launch.id, &capacity(seats)).await.unwrap();
    }
    daemon.settled().await;
    daemon.pass(TimeDelta::days(31));
    let daemon = daemon.restart().await;
    let run = daemon.operator.trigger_schedule("prune-logs").await.unwrap();
    daemon.ended(run.job_id.unwrap()).await;
    let mut stream = daemon.operator.event_stream(Some(&id)).await.unwrap();
    // The latest one stays, so that the others can be counted.
    assert_eq!(next(&mut stream).await, StreamItem::Gap(3));
    assert_eq!(next_event(&mut stream).await.1.data["capacity"]["to"], 14);
    drop(stream);
    daemon.stop_leaving_jobs().await;
}

#[tokio::test]
async fn a_stream_ends_soon_after_its_session_does() {
    let daemon = TestDaemon::start(Engine::Sqlite).await.unwrap();
    let other = daemon.anyone.login(&login("ana@example.com")).await.unwrap();
    let other = daemon.anyone.with_token(other.token);
    let mut stream = other.event_stream(None).await.unwrap();
    other.logout().await.unwrap();
    let end = async { while stream.next().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(6), end).await.expect("the stream ends within 5 s");
    daemon.stop().await;
}

#[tokio::test]
async fn what_one_daemon_does_is_told_by_the_other() {
    let Some(first) = TestDaemon::start(Engine::Postgres).await else { return };
    let second = TestDaemon::start_beside(&first).await;
    let sue = first.sign_in("sue@example.com", Role::Supplier, None).await;
    let mut stream = second.operator.event_stream(None).await.unwrap();
    let launch = sue.create_launch(&first.new_launch(10)).await.unwrap();
    assert_eq!(next_launch_event(&mut stream).await.1.entity_id, launch.id.into());
    drop(stream);
    let folder = second.mail_dir();
    first.settled().await;
    second.stop().await;
    first.stop().await;
    std::fs::remove_dir_all(folder.parent().unwrap()).unwrap();
}
