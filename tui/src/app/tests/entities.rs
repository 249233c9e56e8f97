//! What an operator does with bookings, launches, users and service keys, key by key.

use std::time::Duration;

use astrops_api::{
    bookings::{BookingPage, BookingQuery, CancelBooking},
    launches::CancelLaunch,
    users::EditUser,
    vocabulary::{BookingStatus, Order, PaymentStatus, Right, Role, Scope},
};
use chrono::TimeDelta;
use serde_json::json;

use crate::{
    app::Settings,
    files::History,
    message::{Change, LinkState, Outcome, Request, Update},
    screen::Place,
    testing::{
        Harness, account, booking, booking_file, bookings, entity, job, key_made, launch, launch_file, now,
        operator, own_account, user_file, users,
    },
};

fn at(way: &str) -> Harness {
    let mut harness = Harness::new(Settings::default());
    harness.screen(120, 24);
    harness.press(way).answer_all();
    harness.screen(120, 24);
    harness.asked.clear();
    harness
}

fn last_query(harness: &Harness) -> BookingQuery {
    let query = harness.asked.iter().rev().find_map(|request| match request {
        Request::Bookings(_, query) => Some((**query).clone()),
        _ => None,
    });
    query.expect("bookings were asked for")
}

#[test]
fn bookings_are_narrowed_by_fields_and_words() {
    let mut harness = at("4");
    let (launch, user) = (entity(1, 3), entity(3, 9));
    let typed = format!("status:confirmed payment:paid launch:{launch} user:{user} from:-2d to:14:00 ana");
    harness.press("/").write(&typed).press("Enter");
    let query = last_query(&harness);
    assert_eq!(query.status, Some(BookingStatus::Confirmed));
    assert_eq!(query.payment_status, Some(PaymentStatus::Paid));
    assert_eq!(query.launch_id, Some(launch.parse().unwrap()));
    assert_eq!(query.user_id, Some(user.parse().unwrap()));
    assert_eq!(query.from, Some(now() - TimeDelta::days(2)));
    assert_eq!(query.to.unwrap().to_rfc3339(), "2026-11-20T14:00:00+00:00");
    assert_eq!(query.q.as_deref(), Some("ana"));
    harness.asked.clear();
    harness.press("/").write("status:sold").press("Enter");
    assert!(harness.screen(120, 24).contains("confirmed, cancelled, pending"));
    harness.press("/").write("state:confirmed").press("Enter");
    assert!(harness.screen(120, 24).contains("is not one of: status, payment, launch, user, from, to"));
    assert!(harness.asked.is_empty(), "what is not understood is not asked");
    harness.press("Esc s s");
    assert_eq!(last_query(&harness).status, Some(BookingStatus::Confirmed));
}

#[test]
fn the_daemon_orders_and_pages_and_the_cursor_stays() {
    let mut harness = at("4");
    harness.press("o");
    assert_eq!(
        (last_query(&harness).sort.as_deref(), last_query(&harness).order),
        (Some("amount"), Some(Order::Desc))
    );
    harness.press("O");
    assert_eq!(last_query(&harness).order, Some(Order::Asc));
    let Some(Request::Bookings(number, _)) = harness.asked.pop() else { panic!("not asked") };
    harness.tell(&Update::Bookings(number, BookingPage { total: 400, ..bookings(200) }));
    harness.press("G");
    assert_eq!(last_query(&harness).offset, Some(200));
    let Some(Request::Bookings(number, _)) = harness.asked.pop() else { panic!("not asked") };
    let more = (200..400).map(booking).collect();
    harness.tell(&Update::Bookings(number, BookingPage { bookings: more, total: 400, ..bookings(0) }));
    assert!(harness.screen(120, 24).contains("Bookings 400 "));
    // Far from the top a refresh is about the rows around the cursor, and nothing moves.
    harness.press("G");
    harness.asked.clear();
    harness.tell(&Update::EventsMissed);
    let before = harness.screen(120, 24);
    harness.tick(now() + TimeDelta::seconds(2));
    let answer = harness
        .asked
        .iter()
        .position(|request| matches!(request, Request::Bookings(_, query) if query.offset > Some(100)));
    let Some(Request::Bookings(number, _)) = answer.map(|place| harness.asked.remove(place)) else {
        panic!("{:?}", harness.asked)
    };
    let mut changed = booking(399);
    changed.status = BookingStatus::Pending;
    harness
        .tell(&Update::Bookings(number, BookingPage { bookings: vec![changed], total: 400, ..bookings(0) }));
    let after = harness.screen(120, 24);
    assert!(after.contains("pending    pending") || after.contains("pending    refunded"), "{after}");
    assert_eq!(before.lines().count(), after.lines().count());
    assert!(after.contains("0000018f"), "the cursor's row is still there: {after}");
}

#[test]
fn an_event_asks_for_what_it_is_about_and_for_nothing_else() {
    let mut harness = at("4");
    harness.press("Enter").answer_all();
    harness.tick(now() + TimeDelta::seconds(1));
    harness.answer_all();
    harness.asked.clear();
    let event = |kind: &str, entity_type: &str, id: String| {
        let event = json!({"id": crate::testing::id(5), "at": now(), "type": kind, "entityType": entity_type,
            "entityId": id, "data": {}});
        Update::Events(vec![serde_json::from_value(event).unwrap()])
    };
    let ours = |harness: &Harness| {
        let ours = |request: &&Request| matches!(request, Request::Bookings(..) | Request::Booking(_));
        harness.asked.iter().filter(ours).count()
    };
    harness.tell(&event("launch.updated", "launch", entity(1, 2)));
    harness.tick(now() + TimeDelta::seconds(3));
    assert_eq!(ours(&harness), 0);
    harness.tell(&event("booking.cancelled", "booking", entity(2, 39)));
    harness.tick(now() + TimeDelta::seconds(5));
    assert_eq!(ours(&harness), 2, "the list and the open booking: {:?}", harness.asked);
}

#[test]
fn cancelling_a_booking_takes_a_reason_and_a_yes() {
    let mut harness = at("4");
    // 39 is confirmed, 38 is cancelled.
    harness.press("C").write("the rocket is late").press("Enter");
    let screen = harness.screen(120, 24);
    assert!(
        screen.contains("Cancel 1 booking?") && screen.contains("Reason: the rocket is late"),
        "{screen}"
    );
    harness.press("Enter");
    assert!(harness.changes().is_empty(), "Enter is no");
    assert!(harness.screen(120, 24).contains("the rocket is late"), "the form is still there");
    harness.press("ctrl-s y");
    let body = CancelBooking { reason: Some("the rocket is late".into()) };
    let ids = vec![entity(2, 39).parse().unwrap()];
    assert_eq!(harness.changes(), [&Change::CancelBookings(ids.clone(), body.clone())]);
    let refused = Outcome { target: "00000027".into(), result: Err("it has started".into()) };
    harness.tell(&Update::Done(Change::CancelBookings(ids.clone(), body.clone()), vec![refused]));
    let screen = harness.screen(120, 24);
    assert!(screen.contains("it has started") && screen.contains("the rocket is late"), "{screen}");
    let done = Outcome { target: "00000027".into(), result: Ok(String::new()) };
    harness.tell(&Update::Done(Change::CancelBookings(ids, body), vec![done]));
    assert!(harness.screen(120, 24).contains("00000027 cancelled"));
    harness.press("j C");
    assert!(harness.screen(120, 24).contains("cancel: it is cancelled already"));
}

#[test]
fn marked_bookings_are_cancelled_together_and_above_twenty_the_count_is_typed() {
    let mut harness = at("4");
    harness.press("ctrl-a C ctrl-s");
    let screen = harness.screen(120, 30);
    assert!(
        screen.contains("Cancel 27 bookings?") && screen.contains("13 marked bookings left out"),
        "{screen}"
    );
    assert!(screen.contains("13 paid bookings refunded"), "{screen}");
    harness.press("y").write("27").press("Enter");
    let changes = harness.changes();
    let [Change::CancelBookings(ids, CancelBooking { reason: None })] = changes[..] else {
        panic!("{changes:?}")
    };
    assert_eq!(ids.len(), 27);
}

#[test]
fn a_reason_that_the_daemon_would_refuse_is_refused_here() {
    let mut harness = at("4");
    harness.press("C").write(&"x".repeat(201)).press("Enter");
    assert!(harness.screen(120, 24).contains("at most 200 characters"));
}

#[test]
fn a_launch_is_cancelled_by_typing_how_many_seats_are_held() {
    let mut harness = at("5");
    harness.press("C").write("storm").press("Enter y").write("36").press("Enter");
    assert!(harness.changes().is_empty());
    harness.press("Esc ctrl-s").write("37").press("Enter");
    let body = CancelLaunch { reason: Some("storm".into()) };
    assert_eq!(harness.changes(), [&Change::CancelLaunch(entity(1, 0).parse().unwrap(), body)]);
    harness.press("Esc j j j C");
    assert!(harness.screen(120, 24).contains("only scheduled launches; this one is cancelled"));
}

#[test]
fn bookings_launches_users_and_jobs_lead_to_each_other_and_back() {
    let mut harness = at("4");
    harness.press("e");
    let asked = harness.asked.clone();
    assert!(asked.iter().any(|request| matches!(request, Request::Launch(id) if *id == launch(4).id)));
    harness.answer_all();
    assert!(harness.screen(120, 24).contains("Launch 00000004"));
    harness.press("b");
    assert_eq!(last_query(&harness).launch_id, Some(launch(4).id));
    harness.press("- -");
    harness.answer_all();
    harness.press("u").answer_all();
    assert!(harness.screen(120, 24).contains("User 00000027"));
    harness.press("- l");
    let jobs = harness.asked.iter().find_map(|request| match request {
        Request::Jobs(_, query) => query.q.clone(),
        _ => None,
    });
    assert!(jobs.is_some_and(|q| q.len() == 36), "{:?}", harness.asked);
}

#[test]
fn a_job_leads_to_what_it_is_about() {
    let mut harness = Harness::new(Settings::default());
    harness.press("3");
    let mut page = crate::testing::jobs(3);
    page.jobs[0].unique_key = Some(format!("booking-confirmed:{}", booking(7).id));
    page.jobs[1].reconciliation =
        Some(serde_json::from_value(json!({"entityType": "event", "entityId": entity(1, 2)})).unwrap());
    page.jobs[2] = job(0);
    harness.answer_jobs(page);
    harness.press("b");
    assert!(matches!(harness.asked.last(), Some(Request::Find(id)) if *id == booking(7).id.into()));
    harness.tell(&Update::Found(booking(7).id.into(), Some(Place::Booking(booking(7).id))));
    harness.answer_all();
    assert!(harness.screen(120, 24).contains("Booking 00000007"));
    harness.press("- j b").answer_all();
    assert!(harness.screen(120, 24).contains("Launch 00000002"));
    harness.press("- G b");
    assert!(harness.screen(120, 24).contains("it names no booking, launch or user"));
}

#[test]
fn whatever_has_an_id_is_found_by_it() {
    let mut harness = at("4");
    harness.press("1 ctrl-k").write("00000027").press("Enter").answer_all();
    assert!(harness.screen(120, 24).contains("Booking 00000027"), "eight digits of a loaded row");
    harness.press("ctrl-k").write(&entity(1, 9)).press("Enter");
    assert!(matches!(harness.asked.last(), Some(Request::Find(id)) if *id == launch(9).id.into()));
    harness.tell(&Update::Found(launch(9).id.into(), None));
    assert!(harness.screen(120, 24).contains("no booking, launch or user has the id"));
}

#[test]
fn an_account_is_unlocked_signed_out_disabled_and_given_another_right() {
    let mut harness = at("6");
    harness.press("U");
    assert!(harness.screen(120, 24).contains("unlock: it is not locked"));
    // 2 is locked, 0 is a viewer.
    harness.press("j j U");
    assert!(harness.screen(120, 24).contains("After 5 wrong passwords in a row"));
    harness.press("y K y D y k k E Tab Right Enter y");
    let name = |number: usize| account(number).user.email;
    let id = |number: usize| account(number).user.id;
    let disable = EditUser { is_active: Some(false), ..EditUser::default() };
    let promote = EditUser { right: Some(Right::Operator), ..EditUser::default() };
    let wanted = [
        Change::UnlockUser(id(2), name(2)),
        Change::RevokeSessions(id(2), name(2)),
        Change::EditUser(id(2), name(2), disable),
        Change::EditUser(id(0), name(0), promote),
    ];
    assert_eq!(harness.changes(), wanted.iter().collect::<Vec<_>>());
}

#[test]
fn a_role_form_says_when_nothing_was_changed() {
    let mut harness = at("6");
    harness.press("E ctrl-s");
    assert!(harness.screen(120, 24).contains("nothing was changed"));
    harness.press("Left ctrl-s");
    harness.screen(120, 24);
    harness.press("y");
    let changes = harness.changes();
    let [Change::EditUser(_, _, edit)] = changes[..] else { panic!("{changes:?}") };
    assert_eq!((edit.role, edit.right), (Some(Role::Supplier), None), "only employees have a right");
}

#[test]
fn nobody_disables_themselves() {
    let mut harness = Harness::new(Settings::default());
    harness.press("6");
    let Some(Request::Users(number, _)) = harness.asked.pop() else { panic!("not asked") };
    let page = astrops_api::users::UserPage { users: vec![own_account()], ..users(1) };
    harness.tell(&Update::Users(number, page));
    harness.press("D");
    assert!(harness.screen(120, 24).contains("nobody does this to their own account"));
    harness.press("K");
    assert!(harness.screen(120, 24).contains("This is you"));
}

#[test]
fn a_key_is_made_with_what_it_may_do_and_its_secret_is_shown_once() {
    let mut harness = at("6 a");
    harness.press("N").write("Scheduler").press("ctrl-s");
    assert!(harness.screen(120, 24).contains("lower-case letters, digits and hyphens"));
    harness.press("ctrl-u").write("scheduler").press("ctrl-s");
    assert!(harness.screen(120, 24).contains("at least one thing"));
    harness.press("Right ctrl-s y");
    let changes: Vec<Change> = harness.changes().into_iter().cloned().collect();
    let [Change::CreateKey(key)] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!((key.name.as_str(), &key.scopes[..]), ("scheduler", &[Scope::LogsWrite][..]));
    let done = Outcome { target: "scheduler".into(), result: Ok(String::new()) };
    harness.tell(&Update::Done(changes[0].clone(), vec![done]));
    harness.tell(&Update::KeyMade(Box::new(key_made())));
    assert!(harness.screen(120, 24).contains("ak_0123456789"));
    harness.press("Esc");
    assert!(
        harness.screen(120, 24).contains("nothing shows it again"),
        "closing asks while it is not copied"
    );
    harness.press("n y");
    assert_eq!(harness.copied.as_deref(), Some(key_made().secret.expose()));
    harness.press("Esc");
    assert!(!harness.screen(120, 24).contains("ak_"));
    harness.press("X");
    assert!(harness.screen(120, 24).contains("Revoke key"));
    harness.press("y");
    assert!(
        matches!(harness.changes().last(), Some(Change::RevokeKey(_, name)) if name == "admin-api" || name == "customer-api")
    );
}

#[test]
fn who_may_only_look_is_told_why() {
    let mut harness = at("4");
    let mut viewer = operator();
    viewer.right = Some(Right::Viewer);
    harness.tell(&Update::Welcome(viewer));
    harness.press("C");
    assert!(harness.screen(120, 24).contains("it needs the operator right; you are a viewer"));
    harness.press("l");
    assert!(harness.screen(120, 24).contains("only operators look for jobs by a word or an id"));
    harness.press("6").answer_all();
    harness.press("a");
    assert!(harness.screen(120, 24).contains("only operators see service keys"));
    harness.press("Enter");
    assert!(matches!(harness.asked.last(), Some(Request::User(_, false))), "sessions are not asked for");
    harness.press("j D K E U y");
    assert!(harness.changes().is_empty());
}

#[test]
fn while_disconnected_nothing_is_cancelled() {
    let mut harness = at("4");
    harness.press("C").write("late").press("ctrl-s");
    harness.tell(&Update::Link(LinkState::Waiting {
        retry_in: Duration::from_millis(500),
        attempt: 1,
        reason: "gone".into(),
    }));
    harness.press("y");
    assert!(harness.changes().is_empty());
    assert!(harness.screen(120, 24).contains("not connected"));
}

#[test]
fn a_refused_list_says_why_and_a_missing_file_too() {
    let mut harness = Harness::new(Settings::default());
    harness.press("4");
    let question =
        harness.asked.iter().find(|request| matches!(request, Request::Bookings(..))).unwrap().clone();
    harness.tell(&Update::Failed(Box::new(question), "the daemon is on fire".into()));
    assert!(harness.screen(80, 24).matches("the daemon is on fire").count() >= 2);
    harness.press("/").write(&entity(2, 3)).press("Enter");
    harness.tell(&Update::Failed(Box::new(Request::Booking(booking(3).id)), "no such booking".into()));
    assert!(harness.screen(80, 24).contains("│ no such booking"));
}

#[test]
fn hostile_names_reach_no_cell_and_no_clipboard() {
    let hostile = "\u{1B}[2J\u{9B}31m\u{202E}\u{200B}\u{E0041}\u{7}\r\nx";
    let bad = |letter: char| letter.is_control() || matches!(letter, '\u{202E}' | '\u{200B}' | '\u{E0041}');
    let mut harness = at("4");
    harness.press("ctrl-r");
    let mut page = bookings(3);
    for row in &mut page.bookings {
        row.user.name = Some(hostile.into());
        row.launch.title = hostile.into();
    }
    let Some(Request::Bookings(number, _)) = harness.asked.pop() else { panic!("not asked") };
    harness.tell(&Update::Bookings(number, page));
    let mut file = (*booking_file(2)).clone();
    file.detail.booking.user.email = Some(hostile.into());
    file.detail.booking.cancellation_reason = Some(hostile.into());
    file.detail.payments[0].error = Some(hostile.into());
    let History::Known(history) = &mut file.history else { panic!("the sample has a history") };
    history[0].reason = Some(hostile.into());
    let mut launched = (*launch_file(0)).clone();
    launched.launch.title = hostile.into();
    launched.launch.description = Some(hostile.into());
    let mut person = (*user_file(2)).clone();
    person.account.user.email = hostile.into();
    person.sessions.as_mut().unwrap()[0].device_info.user_agent = Some(hostile.into());
    harness.tell(&Update::Booking(file.into()));
    let ways = [
        "",
        "C",
        "Esc Enter",
        "y",
        "z J",
        "Esc Esc 5",
        "Enter",
        "y",
        "C",
        "Esc 6",
        "j j Enter",
        "y",
        "U",
        "Esc E",
    ];
    for way in ways {
        harness.press(way);
        harness.tell(&Update::Launch(launched.clone().into()));
        harness.tell(&Update::User(person.clone().into()));
        harness.answer_all();
        for (width, height) in [(80, 24), (120, 40)] {
            let buffer = harness.buffer(width, height);
            for cell in buffer.content() {
                assert!(!cell.symbol().contains(bad), "after {way}: {:?}", cell.symbol());
            }
        }
        let copied = harness.copied.take().unwrap_or_default();
        assert!(copied.chars().all(|letter| letter == '\n' || !bad(letter)), "{copied:?}");
    }
}
