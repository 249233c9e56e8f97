//! Launches, bookings and domain events from the command line.

use serde_json::{Value, json};

use crate::support::{Answer, Daemon, Operator, Process, problem, told};

const LAUNCH: &str = "66ba0100-0000-8000-8000-000004000000";
const BOOKING: &str = "66bb0200-0000-8000-8000-000004000000";
const LEO: &str = "507f1f77-bcf8-86cd-9e65-0e4044000000";

fn launch(status: &str) -> Value {
    json!({
        "id": LAUNCH, "hostId": LEO, "title": "Falcon Dawn\u{1b}[2J", "venue": "Pad 39A",
        "startDateTime": "2999-08-01T10:00:00Z", "endDateTime": "2999-08-01T12:00:00Z", "capacity": 12,
        "numberOfAttendees": 12, "availableTickets": 0, "price": 120.5, "status": status, "isActive": true,
        "createdAt": "2026-08-01T10:00:00Z", "updatedAt": "2026-08-01T10:00:00Z",
    })
}

fn booking(status: &str, payment: &str) -> Value {
    json!({
        "id": BOOKING, "launchId": LAUNCH, "userId": LEO,
        "launch": { "title": "Falcon Dawn", "startDateTime": "2999-08-01T10:00:00Z" },
        "user": { "id": LEO, "name": "Leo", "email": "leo@example.com" }, "ticketQuantity": 2,
        "totalAmount": 241, "status": status, "bookingDate": "2026-08-01T10:00:00Z", "paymentStatus": payment,
        "createdAt": "2026-08-01T10:00:00Z", "updatedAt": "2026-08-01T10:00:00Z",
    })
}

fn payment(status: &str) -> Value {
    json!({
        "id": "0198f000-0000-7000-8000-00000000000c", "provider": "sandbox", "intent": "pi_1", "amount": 241,
        "currency": "usd", "status": status, "method": "visa 4242", "createdAt": "2026-08-01T10:00:00Z",
        "updatedAt": "2026-08-01T10:00:00Z",
    })
}

fn change() -> Value {
    json!({
        "id": "0198f000-0000-7000-8000-00000000000d", "launchId": LAUNCH, "operation": "reserve",
        "quantity": 2, "bookingId": BOOKING, "timestamp": "2026-08-01T10:00:00Z",
    })
}

fn page(plural: &str, row: &Value) -> Answer {
    Answer::Json(200, json!({ plural: [row], "total": 1, "page": 1, "pageSize": 20 }))
}

fn daemon() -> Daemon {
    Daemon::new(|line| match line.split_once(' ').unwrap() {
        ("GET", path) if path.contains("/capacity-log") => page("changes", &change()),
        ("GET", path) if path.contains("bookings?") => page("bookings", &booking("confirmed", "paid")),
        ("GET", path) if path.starts_with("/launches?") => page("launches", &launch("scheduled")),
        ("GET", path) if path.starts_with("/bookings/") => {
            let mut detail = booking("cancelled", "refunded");
            let mut failed = payment("failed");
            failed["error"] = json!("insufficient funds");
            let more = json!({ "payments": [failed, payment("refunded")], "capacityLog": [change()],
                "cancellationReason": "the weather", "cancelledAt": "2026-08-02T10:00:00Z" });
            detail.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            Answer::Json(200, detail)
        }
        ("POST", "/launches") => Answer::Json(201, launch("scheduled")),
        ("POST", "/bookings") => Answer::Json(201, booking("confirmed", "pending")),
        ("DELETE", path) if path.starts_with("/bookings") => Answer::Json(200, booking("cancelled", "paid")),
        ("DELETE", _) => Answer::Json(200, launch("cancelled")),
        ("GET" | "PUT", path) if path.starts_with("/launches/") => Answer::Json(200, launch("scheduled")),
        ("POST", path) if path.ends_with("/payment") => {
            let paid = json!({ "booking": booking("confirmed", "paid"), "payment": payment("paid") });
            Answer::Json(200, paid)
        }
        _ => problem(404, "not-found", line),
    })
}

#[test]
fn launches_are_listed_by_every_filter_and_shown() {
    let daemon = daemon();
    let operator = Operator::at(&daemon.url());
    let list = told(&mut operator.says(&format!(
        "launches list --status scheduled --available --host {LEO} --category moon --from 2026-08-01 \
         --to 2027-08-01 --query dawn --sort occupancy --order desc --page 1 --page-size 20"
    )));
    assert_eq!(
        daemon.lines(),
        [format!(
            "GET /launches?from=2026-08-01T00%3A00%3A00Z&to=2027-08-01T00%3A00%3A00Z&hostId={LEO}&category=moon\
             &q=dawn&status=scheduled&available=true&sort=occupancy&page=1&pageSize=20&order=desc"
        )]
    );
    assert!(list.out.contains("Falcon Dawn␛[2J  Pad 39A") && list.out.contains("12/12"), "{}", list.out);
    assert!(list.out.contains("  120.50  sold out") && list.err == "1 in all\n", "{}{}", list.out, list.err);
    let shown = told(&mut operator.says("launches show 66ba01000000000000000001")).out;
    assert!(shown.contains("seats     12 of 12 held, 0 left"), "{shown}");
    assert_eq!(daemon.lines().pop().unwrap(), format!("GET /launches/{LAUNCH}"));
    let changes = told(&mut operator.says(&format!("launches capacity-log {LAUNCH}"))).out;
    assert!(changes.contains("+2  reserve    66bb02"), "{changes}");
    let booked =
        told(&mut operator.says(&format!("launches bookings {LAUNCH} --payment-status paid -q"))).out;
    assert_eq!(booked, format!("{BOOKING}\n"));
    assert!(daemon.lines().pop().unwrap().contains("/bookings?paymentStatus=paid&page"));
}

#[test]
fn a_launch_is_made_changed_and_cancelled() {
    let daemon = daemon();
    let operator = Operator::at(&daemon.url());
    let made = told(
        operator
            .says(
                "launches create --start 2999-08-01T10:00:00Z --end 2999-08-01T12:00:00Z \
        --capacity 12 --price 120.5 --sales-start 2999-07-01 -q --host",
            )
            .args([LEO, "--title", "Falcon Dawn"]),
    );
    assert_eq!((made.code, made.out), (0, format!("{LAUNCH}\n")));
    let body: Value = serde_json::from_str(&daemon.seen()[0].body).unwrap();
    let whole = json!({
        "title": "Falcon Dawn", "startDateTime": "2999-08-01T10:00:00Z", "endDateTime": "2999-08-01T12:00:00Z",
        "capacity": 12, "price": 120.5, "salesStartAt": "2999-07-01T00:00:00Z", "hostId": LEO,
    });
    assert_eq!(body, whole);
    assert_eq!(told(operator.says(&format!("launches edit {LAUNCH} --sale-now --venue")).arg("")).code, 0);
    assert_eq!(daemon.seen()[1].body, r#"{"venue":null,"salesStartAt":null}"#);
    let cancelled = told(operator.says(&format!("launches cancel {LAUNCH} --reason")).arg("high winds"));
    assert!(cancelled.out.contains("everybody booked is told"), "{}", cancelled.out);
    assert_eq!(daemon.seen()[2].body, r#"{"reason":"high winds"}"#);
    for wrong in ["launches create --title x", "launches edit 66ba01000000000000000001"] {
        assert_eq!(told(&mut operator.says(wrong)).code, 2, "{wrong}");
    }
    let third = "launches edit 66ba01000000000000000001 --price 1.005";
    assert!(told(&mut operator.says(third)).err.contains("at most two decimals"));
}

#[test]
fn bookings_are_listed_and_shown_with_what_became_of_the_money() {
    let daemon = daemon();
    let operator = Operator::at(&daemon.url());
    let list = told(&mut operator.says(&format!(
        "bookings list --status confirmed --payment-status paid --launch {LAUNCH} --user {LEO} \
         --since 2026-08-01 --search leo --sort amount"
    )));
    assert_eq!(
        daemon.lines(),
        [format!(
            "GET /bookings?status=confirmed&paymentStatus=paid&launchId={LAUNCH}&userId={LEO}\
             &from=2026-08-01T00%3A00%3A00Z&q=leo&sort=amount&pageSize=20"
        )]
    );
    assert!(
        list.out.contains("leo@example.com  Falcon Dawn      2    241.00  confirmed  paid"),
        "{}",
        list.out
    );
    let shown = told(&mut operator.says(&format!("bookings show {BOOKING}"))).out;
    for words in
        ["reason     the weather", "insufficient funds", "refunded", "Leo, leo@example.com", "+2  reserve"]
    {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let json: Value =
        serde_json::from_str(&told(&mut operator.says(&format!("bookings show {BOOKING} --json"))).out)
            .unwrap();
    assert_eq!(json["payments"][0]["error"], "insufficient funds");
}

#[test]
fn an_operator_books_pays_and_cancels_for_a_customer() {
    let daemon = daemon();
    let operator = Operator::at(&daemon.url());
    let booked =
        told(&mut operator.says(&format!("bookings create --launch {LAUNCH} --user {LEO} --seats 2")));
    assert_eq!(booked.out, format!("{BOOKING}: 2 seats of Falcon Dawn for 241.00\n"), "{}", booked.err);
    let body: Value = serde_json::from_str(&daemon.seen()[0].body).unwrap();
    assert_eq!(body, json!({ "launchId": LAUNCH, "ticketQuantity": 2, "userId": LEO }));

    let card = told(
        operator.says(&format!("bookings pay {BOOKING} --card-stdin")).write_stdin("4242424242424242\n"),
    );
    assert_eq!(card.out, format!("{BOOKING}: 241.00 usd paid with visa 4242\n"), "{}", card.err);
    assert_eq!(daemon.seen()[1].body, r#"{"card":"4242424242424242"}"#);
    assert_eq!(
        told(&mut operator.says(&format!("bookings pay {BOOKING} --payment-method pm_card_visa"))).code,
        0
    );
    assert_eq!(daemon.seen()[2].body, r#"{"paymentMethodId":"pm_card_visa"}"#);
    assert_eq!(told(&mut operator.says(&format!("bookings pay {BOOKING}"))).code, 2);

    let cancelled = told(operator.says(&format!("bookings cancel {BOOKING} --reason")).arg("ill"));
    assert!(
        cancelled.out.contains("2 seats of Falcon Dawn free again; the money goes back"),
        "{}",
        cancelled.out
    );
    assert_eq!(daemon.seen()[3].body, r#"{"reason":"ill"}"#);
    let several =
        told(&mut operator.says(&format!("bookings cancel {BOOKING} 66bb02000000000000000002 --json")));
    let json: Value = serde_json::from_str(&several.out).unwrap();
    assert_eq!((&json[0]["booking"]["status"], &json[1]["ok"]), (&json!("cancelled"), &json!(true)));
}

#[test]
fn what_is_not_paid_yet_is_a_failure_that_says_what_comes_next() {
    let daemon = Daemon::new(|_| {
        let action = json!({ "type": "redirect", "url": "http://127.0.0.1:7700/sandbox/3ds/1" });
        let booking = booking("confirmed", "pending");
        Answer::Json(
            202,
            json!({ "booking": booking, "payment": payment("requires_action"), "nextAction": action }),
        )
    });
    let operator = Operator::at(&daemon.url());
    let pay = format!("bookings pay {BOOKING} --payment-method pm_card_threeDSecure2Required");
    let waiting = told(&mut operator.says(&pay));
    assert!(
        waiting.code == 1 && waiting.err.contains("has to confirm it: http://127.0.0.1:7700/"),
        "{}",
        waiting.err
    );
    let json = told(&mut operator.says(&format!("{pay} --json")));
    let value: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((json.code, &value["payment"]["status"]), (1, &json!("requires_action")));

    let declined =
        Daemon::new(|_| problem(402, "card-declined", "insufficient_funds: the card has no money left"));
    let refused = told(&mut Operator::at(&declined.url()).says(&pay));
    assert!(refused.code == 4 && refused.err.contains("insufficient_funds"), "{}", refused.err);
}

#[test]
fn a_profile_protects_launches_and_bookings_too() {
    let daemon = daemon();
    let operator = Operator::at(&daemon.url());
    let commands = [
        format!("launches create --title x --start 2d --end 3d --capacity 1 --host {LEO}"),
        format!("launches edit {LAUNCH} --capacity 1"),
        format!("launches cancel {LAUNCH}"),
        format!("bookings create --launch {LAUNCH} --user {LEO}"),
        format!("bookings cancel {BOOKING}"),
        format!("bookings pay {BOOKING} --payment-method pm_card_visa"),
    ];
    for (protection, words) in [("read_only", "profile prod"), ("production", "say --yes")] {
        operator.profiles(&format!("[profiles.prod]\nurl = '{}'\n{protection} = true", daemon.url()));
        for command in &commands {
            let refused = told(&mut operator.says(command));
            assert!(refused.code == 2 && refused.err.contains(words), "{command}: {}", refused.err);
        }
    }
    assert!(daemon.seen().is_empty());
}

static EVENTS: &str = concat!(
    "id: e1\ndata: {\"id\":\"0198f000-0000-7000-8000-00000000000e\",\"at\":\"2026-08-01T10:00:00Z\",",
    "\"type\":\"user.created\",\"entityType\":\"user\",\"entityId\":\"507f1f77bcf86cd799439011\",\"data\":{}}\n\n",
    "id: e2\ndata: {\"id\":\"0198f000-0000-7000-8000-00000000000f\",\"at\":\"2026-08-01T10:00:01Z\",",
    "\"type\":\"booking.created\",\"entityType\":\"booking\",\"entityId\":\"66bb02000000000000000001\",",
    "\"data\":{\"seats\":2}}\n\n",
);

#[test]
fn events_are_followed_over_a_broken_connection() {
    let daemon = Daemon::new(|line| match line {
        "GET /stream" | "GET /stream?entityType=booking" => Answer::Broken(EVENTS),
        "GET /stream?after=e2" => Answer::Open("event: gap\ndata: 3\n\n"),
        _ => problem(404, "not-found", line),
    });
    let operator = Operator::at(&daemon.url());
    let lines = Process::start(&operator, "events -f --json".split(' ')).lines(3);
    let events: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&events[0]["type"], &events[1]["data"]["seats"]), (&json!("user.created"), &json!(2)));
    assert_eq!(events[2], json!({ "gap": 3 }));
    let only = "events --entity-type booking --type booking.created";
    let only = Process::start(&operator, only.split(' ')).lines(1);
    assert_eq!(only, [format!("2026-08-01 10:00:01.000Z  booking.created      {BOOKING}  {{\"seats\":2}}")]);
}
