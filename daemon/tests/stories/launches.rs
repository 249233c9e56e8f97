//! Launches: made, found, changed, cancelled, and who is told.

use astrops_api::{
    bookings::NewBooking,
    ids::{LaunchId, UserId},
    launches::{CancelLaunch, CapacityLogQuery, EditLaunch, LaunchQuery, NewLaunch},
    vocabulary::{BookingStatus, CapacityOperation, LaunchStatus, Order, Role},
};
use chrono::TimeDelta;
use serde_json::json;

use crate::{
    stories,
    support::{TestDaemon, http::has_fields_of, refusal},
};

stories!(
    a_supplier_makes_a_launch_that_everybody_finds,
    events_are_launches_under_another_name,
    what_cannot_be_is_refused_field_by_field,
    only_the_supplier_and_operators_change_a_launch,
    another_time_or_place_is_told_to_everybody_booked,
    a_cancelled_launch_cancels_its_bookings_and_tells_everybody,
    the_interested_are_told_once_when_the_sale_starts,
    customers_are_reminded_a_day_before_and_of_a_new_date_again,
    a_launch_that_is_over_is_completed,
);

async fn a_supplier_makes_a_launch_that_everybody_finds(daemon: TestDaemon) {
    let sue = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let launch = sue.create_launch(&daemon.new_launch(60)).await.unwrap();
    assert_eq!((launch.capacity, launch.available_tickets, launch.number_of_attendees), (60, 60, 0));
    assert_eq!(launch.status, LaunchStatus::Scheduled);
    let mut later = NewLaunch { title: "Borealis".to_owned(), ..daemon.new_launch(10) };
    later.start_date_time += TimeDelta::days(10);
    later.end_date_time += TimeDelta::days(10);
    later.sales_start_at = Some(daemon.now() + TimeDelta::days(1));
    later.category = Some("Suborbital".into());
    let later = sue.create_launch(&later).await.unwrap();

    let find = |query: LaunchQuery| {
        let anyone = daemon.anyone.clone();
        async move {
            anyone
                .launches(&query)
                .await
                .unwrap()
                .launches
                .into_iter()
                .map(|one| one.id)
                .collect::<Vec<LaunchId>>()
        }
    };
    let all = LaunchQuery::default();
    assert_eq!(find(all.clone()).await, [launch.id, later.id]);
    assert_eq!(find(LaunchQuery { order: Some(Order::Desc), ..all.clone() }).await, [later.id, launch.id]);
    assert_eq!(find(LaunchQuery { available: Some(true), ..all.clone() }).await, [launch.id]);
    assert_eq!(find(LaunchQuery { available: Some(false), ..all.clone() }).await, [later.id]);
    assert_eq!(find(LaunchQuery { category: Some("suborbital".into()), ..all.clone() }).await, [later.id]);
    assert_eq!(find(LaunchQuery { q: Some("AURORA".into()), ..all.clone() }).await, [launch.id]);
    assert_eq!(find(LaunchQuery { q: Some("%".into()), ..all.clone() }).await, []);
    assert_eq!(find(LaunchQuery { from: Some(later.start_date_time), ..all.clone() }).await, [later.id]);
    assert_eq!(find(LaunchQuery { host_id: Some(launch.host_id), ..all.clone() }).await.len(), 2);
    assert_eq!(find(LaunchQuery { status: Some(LaunchStatus::Cancelled), ..all.clone() }).await, []);
    assert_eq!(find(LaunchQuery { sort: Some("title".into()), ..all.clone() }).await, [launch.id, later.id]);
    assert_eq!(find(LaunchQuery { limit: Some(1), offset: Some(1), ..all.clone() }).await, [later.id]);
    let wrong = daemon.anyone.launches(&LaunchQuery { sort: Some("colour".into()), ..all }).await;
    assert!(refusal(wrong).contains("sort: must be one of date, title, createdAt, occupancy"));
    daemon.stop().await;
}

async fn events_are_launches_under_another_name(daemon: TestDaemon) {
    let sue = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let body = json!({ "title": "Aurora 7", "startDateTime": "2026-06-01T10:00:00Z", "endDateTime": "2026-06-01T12:00:00Z", "capacity": 3 });
    let answer = sue.raw_request("POST".parse().unwrap(), "/events").json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 201);
    let made: serde_json::Value = answer.json().await.unwrap();
    has_fields_of(&made, &body, &["title", "capacity", "startDateTime", "endDateTime"], "event");
    assert_eq!((&made["numberOfAttendees"], &made["price"]), (&json!(0), &json!(0)));
    let anyone = daemon.raw_anyone();
    let id = made["id"].as_str().unwrap();
    assert_eq!(anyone.send("GET", &format!("/events/{id}"), None).await.json(), made);
    assert_eq!(anyone.send("GET", &format!("/launches/{id}"), None).await.json(), made);
    let list = anyone.send("GET", "/events?limit=10&offset=0&sort=date&order=asc", None).await.json();
    assert_eq!(list, json!({ "events": [made], "total": 1, "page": 1, "pageSize": 10 }));
    // A 24-hex id is the same launch.
    let hex = astrops_api::ids::object_hex(id.parse::<LaunchId>().unwrap().0).unwrap();
    assert_eq!(anyone.send("GET", &format!("/events/{hex}"), None).await.json(), made);
    assert_eq!(anyone.send("GET", "/events/507f1f77bcf86cd799439011", None).await.status, 404);
    assert_eq!(anyone.send("GET", "/events/nonsense", None).await.status, 404);
    daemon.stop().await;
}

async fn what_cannot_be_is_refused_field_by_field(daemon: TestDaemon) {
    let sue = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let good = json!({ "title": "Aurora 7", "startDateTime": "2026-06-01T10:00:00Z", "endDateTime": "2026-06-01T12:00:00Z", "capacity": 3 });
    let cases = [
        ("capacity", json!(0)),
        ("capacity", json!(-1)),
        ("capacity", json!(1_000_001)),
        ("capacity", json!(5_000_000_000_u64)),
        ("capacity", json!(1.5)),
        ("price", json!(0.001)),
        ("price", json!(-1)),
        ("price", json!("12")),
        ("startDateTime", json!("2026-03-01T10:00:00Z")),
        ("startDateTime", json!("tomorrow")),
        ("endDateTime", json!("2026-06-01T10:00:00Z")),
        ("endDateTime", json!("2026-05-01T10:00:00Z")),
        ("salesStartAt", json!("2026-06-01T10:00:00Z")),
        ("title", json!("")),
        ("title", json!("two\nlines")),
        ("venue", json!("x".repeat(201))),
        ("description", json!("x".repeat(5_001))),
        ("hostId", json!("507f1f77bcf86cd799439011")),
        ("colour", json!("red")),
    ];
    for (field, value) in cases {
        let mut body = good.clone();
        body[field] = value.clone();
        let answer = sue.raw_request("POST".parse().unwrap(), "/launches").json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 422, "{field} {value}");
        let problem: astrops_api::Problem = answer.json().await.unwrap();
        assert!(
            problem.errors.iter().any(|error| error.pointer == format!("/{field}")),
            "{field}: {problem:?}"
        );
    }
    assert_eq!(daemon.anyone.launches(&LaunchQuery::default()).await.unwrap().total, 0);
    let nobody =
        UserId::from(astrops_api::ids::EntityId("507f1f77bcf86cd799439011".parse::<UserId>().unwrap().0));
    let new = NewLaunch { host_id: Some(nobody), ..daemon.new_launch(3) };
    assert!(
        refusal(daemon.operator.create_launch(&new).await).contains("/hostId: must be an active supplier")
    );
    let new = daemon.new_launch(3);
    assert!(refusal(daemon.operator.create_launch(&new).await).contains("/hostId: is missing"));
    daemon.stop().await;
}

async fn only_the_supplier_and_operators_change_a_launch(daemon: TestDaemon) {
    let sue = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let sam = daemon.sign_in("sam@example.com", Role::Supplier, None).await;
    let carl = daemon.sign_in("carl@example.com", Role::Customer, None).await;
    let launch = sue.create_launch(&daemon.new_launch(10)).await.unwrap();
    let edit = EditLaunch { title: Some("Mine".into()), ..EditLaunch::default() };
    for other in [&sam, &carl] {
        assert!(refusal(other.edit_launch(launch.id, &edit).await).starts_with("403 forbidden"));
        assert!(refusal(other.cancel_launch(launch.id, &CancelLaunch::default()).await).starts_with("403"));
        assert!(
            refusal(other.capacity_log(launch.id, &CapacityLogQuery::default()).await).starts_with("403")
        );
    }
    assert_eq!(daemon.launch(launch.id).await, launch);
    let edited = daemon.operator.edit_launch(launch.id, &edit).await.unwrap();
    assert_eq!(edited.title, "Mine");
    let emptied = json!({ "venue": null, "salesStartAt": null });
    let answer =
        sue.raw_request("PUT".parse().unwrap(), &format!("/launches/{}", launch.id)).json(&emptied).send();
    assert_eq!(answer.await.unwrap().status(), 200);
    assert_eq!(daemon.launch(launch.id).await.venue, None);
    let order = NewBooking { launch_id: Some(launch.id), event_id: None, ticket_quantity: 4, user_id: None };
    carl.book(&order).await.unwrap();
    let smaller = EditLaunch { capacity: Some(3), ..EditLaunch::default() };
    assert!(refusal(sue.edit_launch(launch.id, &smaller).await).contains("4 seats are held by bookings"));
    let fitting = EditLaunch { capacity: Some(4), ..EditLaunch::default() };
    assert_eq!(sue.edit_launch(launch.id, &fitting).await.unwrap().available_tickets, 0);
    daemon.settled().await;
    daemon.stop().await;
}

async fn another_time_or_place_is_told_to_everybody_booked(daemon: TestDaemon) {
    let sue = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let carl = daemon.sign_in("carl@example.com", Role::Customer, None).await;
    let launch = sue.create_launch(&daemon.new_launch(10)).await.unwrap();
    let order = NewBooking { launch_id: Some(launch.id), event_id: None, ticket_quantity: 1, user_id: None };
    carl.book(&order).await.unwrap();
    let quiet = EditLaunch { description: Some(Some("Four orbits".into())), ..EditLaunch::default() };
    sue.edit_launch(launch.id, &quiet).await.unwrap();
    let moved = EditLaunch { venue: Some(Some("Wallops".into())), ..EditLaunch::default() };
    sue.edit_launch(launch.id, &moved).await.unwrap();
    daemon.settled().await;
    let told: Vec<String> =
        daemon.mails_to("carl@example.com").into_iter().filter(|mail| mail.contains("Wallops")).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(daemon.mails_to("carl@example.com").len(), 2, "the booking, the new place");
    daemon.stop().await;
}

async fn a_cancelled_launch_cancels_its_bookings_and_tells_everybody(daemon: TestDaemon) {
    let sue = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let launch = sue.create_launch(&daemon.new_launch(10)).await.unwrap();
    let mut bookings = Vec::new();
    for (name, seats) in [("carl", 2), ("cora", 3)] {
        let customer = daemon.sign_in(&format!("{name}@example.com"), Role::Customer, None).await;
        let order =
            NewBooking { launch_id: Some(launch.id), event_id: None, ticket_quantity: seats, user_id: None };
        bookings.push(customer.book(&order).await.unwrap().id);
    }
    let reason = CancelLaunch { reason: Some("valve leak".into()) };
    let cancelled = sue.cancel_launch(launch.id, &reason).await.unwrap();
    assert_eq!((cancelled.status, cancelled.available_tickets), (LaunchStatus::Cancelled, 10));
    for id in bookings {
        let booking = daemon.operator.booking(id).await.unwrap().booking;
        assert_eq!(booking.status, BookingStatus::Cancelled);
        assert_eq!(booking.cancellation_reason.as_deref(), Some("the launch is cancelled: valve leak"));
    }
    let log = sue.capacity_log(launch.id, &CapacityLogQuery::default()).await.unwrap();
    let sum = |operation| -> u32 {
        log.changes.iter().filter(|change| change.operation == operation).map(|change| change.quantity).sum()
    };
    assert_eq!((sum(CapacityOperation::Reserve), sum(CapacityOperation::Release)), (5, 5));
    assert!(refusal(sue.cancel_launch(launch.id, &reason).await).starts_with("409 launch-cancelled"));
    let edit = EditLaunch { title: Some("Again".into()), ..EditLaunch::default() };
    assert!(refusal(sue.edit_launch(launch.id, &edit).await).starts_with("409 launch-cancelled"));
    daemon.settled().await;
    for name in ["carl", "cora"] {
        let mails = daemon.mails_to(&format!("{name}@example.com"));
        assert_eq!(mails.iter().filter(|mail| mail.contains("valve leak")).count(), 1, "{mails:?}");
    }
    daemon.stop().await;
}

async fn the_interested_are_told_once_when_the_sale_starts(daemon: TestDaemon) {
    let sue = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let carl = daemon.sign_in("carl@example.com", Role::Customer, None).await;
    let open = sue.create_launch(&daemon.new_launch(10)).await.unwrap();
    assert!(refusal(carl.express_interest(open.id).await).starts_with("409 sales-started"));
    let mut new = daemon.new_launch(10);
    new.sales_start_at = Some(daemon.now() + TimeDelta::minutes(30));
    let launch = sue.create_launch(&new).await.unwrap();
    let order = NewBooking { launch_id: Some(launch.id), event_id: None, ticket_quantity: 1, user_id: None };
    assert!(refusal(carl.book(&order).await).starts_with("409 sales-not-started"));
    carl.express_interest(launch.id).await.unwrap();
    carl.express_interest(launch.id).await.unwrap();
    assert!(refusal(sue.express_interest(launch.id).await).starts_with("403"));
    let cora = daemon.sign_in("cora@example.com", Role::Customer, None).await;
    cora.express_interest(launch.id).await.unwrap();
    cora.withdraw_interest(launch.id).await.unwrap();
    daemon.pass(TimeDelta::minutes(31));
    daemon.until(async || daemon.mails_to("carl@example.com").len() == 1).await;
    carl.book(&order).await.unwrap();
    daemon.pass(TimeDelta::minutes(5));
    daemon.settled().await;
    assert_eq!(daemon.mails_to("carl@example.com").len(), 2, "the sale once, then the booking");
    assert_eq!(daemon.mails_to("cora@example.com").len(), 0);
    daemon.stop().await;
}

async fn customers_are_reminded_a_day_before_and_of_a_new_date_again(daemon: TestDaemon) {
    let sue = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let carl = daemon.sign_in("carl@example.com", Role::Customer, None).await;
    let launch = sue.create_launch(&daemon.new_launch(10)).await.unwrap();
    let order = NewBooking { launch_id: Some(launch.id), event_id: None, ticket_quantity: 1, user_id: None };
    carl.book(&order).await.unwrap();
    let reminders = || {
        let reminds = |subject: &&String| subject.to_lowercase().contains("tomorrow");
        daemon.subjects_to("carl@example.com").iter().filter(reminds).count()
    };
    daemon.pass(TimeDelta::days(28));
    daemon.settled().await;
    assert_eq!(reminders(), 0);
    daemon.pass(TimeDelta::days(1) + TimeDelta::minutes(10));
    daemon.until(async || reminders() == 1).await;
    let sue = daemon.again("sue@example.com").await;
    let start = launch.start_date_time + TimeDelta::days(5);
    let moved = EditLaunch {
        start_date_time: Some(start),
        end_date_time: Some(start + TimeDelta::hours(3)),
        ..EditLaunch::default()
    };
    sue.edit_launch(launch.id, &moved).await.unwrap();
    daemon.pass(TimeDelta::days(5));
    daemon.until(async || reminders() == 2).await;
    // Who books within the last day needs no reminder.
    daemon.sign_in("cora@example.com", Role::Customer, None).await;
    let cora = daemon.again("cora@example.com").await;
    cora.book(&order).await.unwrap();
    daemon.pass(TimeDelta::minutes(10));
    daemon.settled().await;
    assert_eq!(daemon.mails_to("cora@example.com").len(), 1);
    daemon.stop().await;
}

async fn a_launch_that_is_over_is_completed(daemon: TestDaemon) {
    let sue = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let launch = sue.create_launch(&daemon.new_launch(10)).await.unwrap();
    daemon.pass(TimeDelta::days(30) + TimeDelta::hours(4));
    daemon.until(async || daemon.launch(launch.id).await.status == LaunchStatus::Completed).await;
    daemon.sign_in("carl@example.com", Role::Customer, None).await;
    let carl = daemon.again("carl@example.com").await;
    let order = NewBooking { launch_id: None, event_id: Some(launch.id), ticket_quantity: 1, user_id: None };
    assert!(refusal(carl.book(&order).await).starts_with("409 launch-ended"));
    daemon.stop().await;
}
