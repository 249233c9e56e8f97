//! Bookings: seats are sold exactly once, given back, and shown to those whom they concern.

use astrops_api::{
    Client,
    auth::Register,
    bookings::{BookingQuery, CancelBooking, NewBooking},
    ids::LaunchId,
    jobs::JobQuery,
    launches::{CapacityLogQuery, NewLaunch},
    money::Money,
    vocabulary::{BookingStatus, PaymentStatus, Right, Role},
};
use chrono::TimeDelta;
use futures::{StreamExt as _, stream};
use serde_json::json;

use crate::{
    stories,
    support::{PASSWORD, TestDaemon, refusal},
};

stories!(
    a_customer_books_and_both_sides_are_told,
    one_active_booking_per_customer_and_launch,
    duplicates_sent_at_once_make_one_booking,
    two_hundred_customers_want_a_hundred_seats,
    a_cancelled_booking_frees_its_seats,
    everybody_sees_what_concerns_them,
    what_cannot_be_booked_is_refused_and_nothing_changes,
    operators_book_and_cancel_for_somebody,
);

fn seats(launch: LaunchId, quantity: u32) -> NewBooking {
    NewBooking { launch_id: Some(launch), event_id: None, ticket_quantity: quantity, user_id: None }
}

async fn a_customer_books_and_both_sides_are_told(daemon: TestDaemon) {
    let sue = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let carl = daemon.sign_in("carl@example.com", Role::Customer, None).await;
    let launch = sue.create_launch(&daemon.new_launch(10)).await.unwrap();
    let booking = carl.book(&seats(launch.id, 3)).await.unwrap();
    assert_eq!((booking.status, booking.payment_status), (BookingStatus::Confirmed, PaymentStatus::Pending));
    assert_eq!((booking.ticket_quantity, booking.total_amount), (3, Money::of_minor(36_150).unwrap()));
    assert_eq!(booking.launch.title, "Aurora 7");
    let after = daemon.launch(launch.id).await;
    assert_eq!((after.number_of_attendees, after.available_tickets), (3, 7));
    let detail = carl.booking(booking.id).await.unwrap();
    assert_eq!(detail.booking, booking);
    assert_eq!(detail.capacity_log.len(), 1);
    daemon.settled().await;
    assert_eq!(daemon.subjects_to("carl@example.com"), ["Your booking is confirmed: Aurora 7"]);
    assert_eq!(daemon.subjects_to("sue@example.com").len(), 1);
    assert!(daemon.mails_to("carl@example.com")[0].contains("361.50 USD"));
    // Its jobs are found by its id.
    let ops = daemon.sign_in("ops@example.com", Role::Employee, Some(Right::Operator)).await;
    let about = |id: String| JobQuery { q: Some(id), ..JobQuery::default() };
    let jobs = ops.jobs(&about(booking.id.to_string())).await.unwrap();
    assert_eq!(jobs.total, 2, "to the customer and to the supplier");
    assert!(ops.jobs(&about(launch.id.to_string())).await.unwrap().total >= 2);
    // Nothing to pay is paid.
    let free = NewLaunch { price: Money::default(), ..daemon.new_launch(1) };
    let free = sue.create_launch(&free).await.unwrap();
    assert_eq!(carl.book(&seats(free.id, 1)).await.unwrap().payment_status, PaymentStatus::Paid);
    daemon.settled().await;
    daemon.stop().await;
}

async fn one_active_booking_per_customer_and_launch(daemon: TestDaemon) {
    let sue = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let carl = daemon.sign_in("carl@example.com", Role::Customer, None).await;
    let launch = sue.create_launch(&daemon.new_launch(10)).await.unwrap();
    let first = carl.book(&seats(launch.id, 1)).await.unwrap();
    let second = refusal(carl.book(&seats(launch.id, 1)).await);
    assert!(second.starts_with("409 already-booked") && second.contains(&first.id.to_string()), "{second}");
    carl.cancel_booking(first.id, &CancelBooking::default()).await.unwrap();
    carl.book(&seats(launch.id, 2)).await.unwrap();
    assert_eq!(daemon.launch(launch.id).await.number_of_attendees, 2);
    daemon.settled().await;
    daemon.stop().await;
}

async fn duplicates_sent_at_once_make_one_booking(daemon: TestDaemon) {
    let sue = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let carl = daemon.sign_in("carl@example.com", Role::Customer, None).await;
    let launch = sue.create_launch(&daemon.new_launch(10)).await.unwrap();
    let order = seats(launch.id, 1);
    let answers = futures::future::join_all((0..10).map(|_| carl.book(&order))).await;
    let (booked, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(booked.len(), 1);
    for one in refused {
        assert!(refusal(one).starts_with("409 already-booked"));
    }
    assert_eq!(daemon.launch(launch.id).await.number_of_attendees, 1);
    daemon.settled().await;
    daemon.stop().await;
}

async fn two_hundred_customers_want_a_hundred_seats(daemon: TestDaemon) {
    let sue = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let launch = sue.create_launch(&daemon.new_launch(100)).await.unwrap();
    let register = |n: u32| {
        let anyone = daemon.anyone.clone();
        async move {
            let body = Register {
                email: format!("customer{n}@example.com"),
                password: PASSWORD.into(),
                role: None,
                name: None,
                right: None,
            };
            anyone.with_token(anyone.register(&body).await.unwrap().token.unwrap())
        }
    };
    let customers: Vec<Client> = stream::iter(0..200).map(register).buffer_unordered(8).collect().await;
    let order = seats(launch.id, 1);
    let answers = futures::future::join_all(customers.iter().map(|one| one.book(&order))).await;
    let (booked, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    for one in refused {
        let told = refusal(one);
        assert!(told.starts_with("409 sold-out"), "{told}");
    }
    assert_eq!(booked.len(), 100);
    let after = daemon.launch(launch.id).await;
    assert_eq!((after.number_of_attendees, after.available_tickets), (100, 0));
    let log =
        sue.capacity_log(launch.id, &CapacityLogQuery { page_size: Some(200), ..Default::default() }).await;
    assert_eq!(log.unwrap().changes.iter().map(|change| change.quantity).sum::<u32>(), 100);
    assert_eq!(sue.launch_bookings(launch.id, &BookingQuery::default()).await.unwrap().total, 100);
    daemon.settled().await;
    assert_eq!(daemon.mails_to("sue@example.com").len(), 100);
    daemon.stop().await;
}

async fn a_cancelled_booking_frees_its_seats(daemon: TestDaemon) {
    let sue = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let carl = daemon.sign_in("carl@example.com", Role::Customer, None).await;
    let cora = daemon.sign_in("cora@example.com", Role::Customer, None).await;
    let launch = sue.create_launch(&daemon.new_launch(2)).await.unwrap();
    let booking = carl.book(&seats(launch.id, 2)).await.unwrap();
    assert!(refusal(cora.book(&seats(launch.id, 1)).await).ends_with(": 0 seats are left"));
    let reason = CancelBooking { reason: Some("cannot fly".into()) };
    let cancelled = carl.cancel_booking(booking.id, &reason).await.unwrap();
    assert_eq!(cancelled.status, BookingStatus::Cancelled);
    assert_eq!(cancelled.cancellation_reason.as_deref(), Some("cannot fly"));
    assert_eq!(cancelled.cancelled_at, Some(daemon.now()));
    assert!(refusal(carl.cancel_booking(booking.id, &reason).await).starts_with("409 conflict"));
    cora.book(&seats(launch.id, 2)).await.unwrap();
    let wrong = CancelBooking { reason: Some("two\nlines".into()) };
    assert!(refusal(carl.cancel_booking(booking.id, &wrong).await).contains("/reason"));
    daemon.settled().await;
    let mails = daemon.mails_to("carl@example.com");
    assert_eq!(mails.iter().filter(|mail| mail.contains("cannot fly")).count(), 1);
    // After the start it is for the office.
    daemon.pass(TimeDelta::days(30) + TimeDelta::hours(1));
    let cora = daemon.again("cora@example.com").await;
    let hers = cora.bookings(&BookingQuery::default()).await.unwrap().bookings[0].id;
    assert!(refusal(cora.cancel_booking(hers, &reason).await).starts_with("409 launch-ended"));
    let operator = daemon.again("ana@example.com").await;
    operator.cancel_booking(hers, &reason).await.unwrap();
    daemon.settled().await;
    daemon.stop().await;
}

async fn everybody_sees_what_concerns_them(daemon: TestDaemon) {
    let sue = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let sam = daemon.sign_in("sam@example.com", Role::Supplier, None).await;
    let carl = daemon.sign_in("carl@example.com", Role::Customer, None).await;
    let cora = daemon.sign_in("cora@example.com", Role::Customer, None).await;
    let vera = daemon.sign_in("vera@example.com", Role::Employee, Some(Right::Viewer)).await;
    let launch = sue.create_launch(&daemon.new_launch(10)).await.unwrap();
    let booking = carl.book(&seats(launch.id, 1)).await.unwrap();
    cora.book(&seats(launch.id, 2)).await.unwrap();
    let all = BookingQuery::default();
    assert_eq!(carl.bookings(&all).await.unwrap().total, 1);
    assert_eq!(sue.bookings(&all).await.unwrap().total, 2);
    assert_eq!(sam.bookings(&all).await.unwrap().total, 0);
    assert_eq!(daemon.operator.bookings(&all).await.unwrap().total, 2);
    for other in [&cora, &sam] {
        assert!(refusal(other.booking(booking.id).await).starts_with("404 not-found"));
        assert!(refusal(other.cancel_booking(booking.id, &CancelBooking::default()).await).starts_with("40"));
    }
    assert_eq!(
        carl.booking(booking.id).await.unwrap().booking.user.email.as_deref(),
        Some("carl@example.com")
    );
    assert_eq!(sue.booking(booking.id).await.unwrap().booking.user.email, None);
    assert_eq!(
        vera.booking(booking.id).await.unwrap().booking.user.email.as_deref(),
        Some("c***@example.com")
    );
    let find = |query: BookingQuery| {
        let operator = daemon.operator.clone();
        async move { operator.bookings(&query).await.unwrap().total }
    };
    assert_eq!(find(BookingQuery { q: Some("CARL@".into()), ..all.clone() }).await, 1);
    assert_eq!(find(BookingQuery { user_id: Some(booking.user_id), ..all.clone() }).await, 1);
    assert_eq!(find(BookingQuery { event_id: Some(launch.id), ..all.clone() }).await, 2);
    assert_eq!(find(BookingQuery { payment_status: Some(PaymentStatus::Paid), ..all.clone() }).await, 0);
    assert_eq!(find(BookingQuery { status: Some(BookingStatus::Confirmed), ..all.clone() }).await, 2);
    assert_eq!(find(BookingQuery { to: Some(daemon.now() - TimeDelta::days(1)), ..all.clone() }).await, 0);
    let by_address = BookingQuery { q: Some("carl@".into()), ..all };
    assert_eq!(sue.bookings(&by_address).await.unwrap().total, 0, "suppliers cannot search addresses");
    assert!(refusal(vera.bookings(&by_address).await).starts_with("422"));
    daemon.settled().await;
    daemon.stop().await;
}

async fn what_cannot_be_booked_is_refused_and_nothing_changes(daemon: TestDaemon) {
    let sue = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let carl = daemon.sign_in("carl@example.com", Role::Customer, None).await;
    let launch = sue.create_launch(&daemon.new_launch(10)).await.unwrap();
    let cases = [
        (json!({ "launchId": launch.id, "ticketQuantity": 0 }), 422, "/ticketQuantity"),
        (json!({ "launchId": launch.id, "ticketQuantity": -1 }), 422, "/ticketQuantity"),
        (json!({ "launchId": launch.id, "ticketQuantity": 2_147_483_648_u64 }), 422, "/ticketQuantity"),
        (json!({ "launchId": launch.id, "ticketQuantity": 4_294_967_296_u64 }), 422, "/ticketQuantity"),
        (json!({ "launchId": launch.id, "ticketQuantity": 1.5 }), 422, "/ticketQuantity"),
        (json!({ "launchId": launch.id, "ticketQuantity": 11 }), 409, ""),
        (json!({ "ticketQuantity": 1 }), 422, "/launchId"),
        (json!({ "launchId": launch.id, "eventId": launch.id }), 422, "/eventId"),
        (json!({ "launchId": "nonsense" }), 422, "/launchId"),
        (json!({ "launchId": "507f1f77bcf86cd799439011" }), 404, ""),
        (json!({ "launchId": launch.id, "userId": launch.host_id }), 422, "/userId"),
        (json!({ "launchId": launch.id, "discount": 100 }), 422, "/discount"),
    ];
    for (body, status, pointer) in cases {
        let answer = carl.raw_request("POST".parse().unwrap(), "/bookings").json(&body).send().await.unwrap();
        assert_eq!(answer.status(), status, "{body}");
        let problem: astrops_api::Problem = answer.json().await.unwrap();
        let named = pointer.is_empty() || problem.errors.iter().any(|error| error.pointer == pointer);
        assert!(named, "{body}: {problem:?}");
    }
    assert!(refusal(sue.book(&seats(launch.id, 1)).await).starts_with("403"));
    assert_eq!(daemon.launch(launch.id).await, launch);
    assert_eq!(daemon.operator.bookings(&BookingQuery::default()).await.unwrap().total, 0);
    daemon.stop().await;
}

async fn operators_book_and_cancel_for_somebody(daemon: TestDaemon) {
    let sue = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let carl = daemon.sign_in("carl@example.com", Role::Customer, None).await;
    let launch = sue.create_launch(&daemon.new_launch(10)).await.unwrap();
    let carl_id = carl.me().await.unwrap().user.id;
    assert!(refusal(daemon.operator.book(&seats(launch.id, 1)).await).contains("/userId: is missing"));
    let for_sue = NewBooking { user_id: Some(launch.host_id), ..seats(launch.id, 1) };
    assert!(refusal(daemon.operator.book(&for_sue).await).contains("/userId: must be an active customer"));
    let for_carl = NewBooking { user_id: Some(carl_id), ..seats(launch.id, 1) };
    let booking = daemon.operator.book(&for_carl).await.unwrap();
    assert_eq!(carl.bookings(&BookingQuery::default()).await.unwrap().bookings[0].id, booking.id);
    let reason = CancelBooking { reason: Some("asked by phone".into()) };
    daemon.operator.cancel_booking(booking.id, &reason).await.unwrap();
    daemon.settled().await;
    daemon.stop().await;
}
