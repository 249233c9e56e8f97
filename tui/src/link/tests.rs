//! The link against a daemon that comes and goes.

mod server;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use astrops_api::{
    Client,
    auth::Login,
    bookings::CancelBooking,
    ids::JobId,
    keys::NewKey,
    resolution::{Choice, Resolve, ResolveMany, Take},
    vocabulary::Scope,
};
use futures::FutureExt;
use server::{HELD, Server, problem};
use tokio::sync::mpsc;

use super::{Held, Link, Renew};
use crate::{
    message::{Change, Decision, LinkState, LogItem, Request, Update},
    screen::Place,
    testing,
};

/// Everything in these tests happens within this, or never.
const DEADLINE: Duration = Duration::from_secs(10);

struct Console {
    requests: mpsc::Sender<Request>,
    updates: mpsc::Receiver<Update>,
}

impl Console {
    fn of(server: &Server, token: Option<&str>) -> Self {
        Self::with(server.client(), token)
    }

    fn with(client: Client, token: Option<&str>) -> Self {
        Self::renewing(client, token, None)
    }

    fn renewing(client: Client, token: Option<&str>, renew: Option<Renew>) -> Self {
        let (requests, inbox) = mpsc::channel(8);
        let (outbox, updates) = mpsc::channel(8);
        tokio::spawn(Link::new(client, token.map(Into::into), renew, inbox, outbox, || 0.5).run());
        Self { requests, updates }
    }

    /// Waits for an update that `wanted` takes.
    async fn wait<T>(&mut self, wanted: impl Fn(&Update) -> Option<T>) -> T {
        let waiting = async {
            loop {
                let update = self.updates.recv().await.expect("the link runs");
                if let Some(found) = wanted(&update) {
                    return found;
                }
            }
        };
        tokio::time::timeout(DEADLINE, waiting).await.expect("it happens in time")
    }

    async fn live(&mut self) {
        self.wait(|update| matches!(update, Update::Link(LinkState::Live(_))).then_some(())).await;
    }

    /// Waits until entry `last` came; answers all that came, by number, gaps as `None`.
    async fn logs_until(&mut self, last: u64) -> Vec<Option<u64>> {
        let mut numbers = Vec::new();
        while numbers.last() != Some(&Some(last)) {
            numbers.extend(self.wait(numbers_of).await);
        }
        numbers
    }
}

fn numbers_of(update: &Update) -> Option<Vec<Option<u64>>> {
    let Update::Logs(items) = update else { return None };
    let number = |item: &LogItem| match item {
        LogItem::Entry(entry) => {
            entry.message.split([' ', ':']).nth(1).and_then(|number| number.parse().ok())
        }
        LogItem::Gap(_) => None,
    };
    Some(items.iter().map(number).collect())
}

#[tokio::test]
async fn after_an_outage_the_stream_goes_on_behind_the_last_entry() {
    let server = Server::start().await;
    (1..=3).for_each(|number| server.log(number));
    let mut console = Console::of(&server, Some("t"));
    console.live().await;
    assert_eq!(console.logs_until(3).await, [Some(1), Some(2), Some(3)]);
    server.log(4);
    assert_eq!(console.logs_until(4).await, [Some(4)]);

    server.set(|script| script.down = true);
    let attempt = |update: &Update| match update {
        Update::Link(LinkState::Waiting { attempt, .. }) => Some(*attempt),
        _ => None,
    };
    assert_eq!(console.wait(attempt).await, 1);
    assert_eq!(console.wait(attempt).await, 2, "it tries again and again");
    server.log(5);
    server.log(6);
    server.set(|script| script.down = false);
    console.live().await;
    assert_eq!(console.logs_until(6).await, [Some(5), Some(6)], "nothing is lost or doubled");
    assert!(server.seen("GET /logs/stream").last().unwrap().contains("after=4"));
}

#[tokio::test]
async fn what_was_pruned_meanwhile_is_a_gap() {
    let server = Server::start().await;
    server.set(|script| script.logs.push((0, "event: gap\ndata: 1234\n\n".into())));
    server.log(9);
    let mut console = Console::of(&server, Some("t"));
    let gap = console
        .wait(|update| match update {
            Update::Logs(items) => items.iter().find_map(|item| match item {
                LogItem::Gap(count) => Some(*count),
                LogItem::Entry(_) => None,
            }),
            _ => None,
        })
        .await;
    assert_eq!(gap, Some(1234));
}

#[tokio::test]
async fn a_reader_that_lagged_resumes_at_once() {
    let server = Server::start().await;
    server.log(1);
    server.log(2);
    server.set(|script| script.logs.push((2, "event: lagged\ndata: 40\n\n".into())));
    let mut console = Console::of(&server, Some("t"));
    let lagged =
        console.wait(|update| if let Update::Lagged(count) = update { Some(*count) } else { None }).await;
    assert_eq!(lagged, 40);
    server.log(3);
    assert_eq!(console.logs_until(3).await, [Some(3)]);
    assert!(server.seen("GET /logs/stream").last().unwrap().contains("after=2"));
    assert_eq!(server.seen("GET /auth/me").len(), 1, "the connection as such was never lost");
}

#[tokio::test]
async fn a_cursor_of_another_database_starts_over_with_a_gap() {
    let server = Server::start().await;
    server.log(1);
    let mut console = Console::of(&server, Some("t"));
    console.logs_until(1).await;
    server.set(|script| {
        script.down = true;
        script.answers.push(("GET /logs/stream?after=", 422, problem(422, "no such cursor")));
    });
    console.wait(|update| matches!(update, Update::Link(LinkState::Waiting { .. })).then_some(())).await;
    server.set(|script| {
        script.down = false;
        script.logs.clear();
    });
    server.log(7);
    assert_eq!(console.logs_until(7).await, [None, Some(7)]);
}

#[tokio::test]
async fn while_there_is_no_connection_changes_are_refused() {
    let server = Server::start().await;
    server.set(|script| script.down = true);
    let mut console = Console::of(&server, Some("t"));
    console.wait(|update| matches!(update, Update::Link(LinkState::Waiting { .. })).then_some(())).await;
    let retry = Change::Retry(vec![testing::id(1).parse::<JobId>().unwrap()]);
    console.requests.send(Request::Change(retry)).await.unwrap();
    let refused = console.wait(refusal).await;
    assert_eq!(refused, "not connected");
    server.set(|script| script.down = false);
    console.live().await;
    assert!(server.seen("POST").is_empty(), "and not queued");
}

#[tokio::test]
async fn a_change_whose_answer_is_lost_says_that_it_may_have_happened() {
    let server = Server::start().await;
    server.set(|script| script.answers.push(("POST /jobs/", 0, String::new())));
    let mut console = Console::of(&server, Some("t"));
    console.live().await;
    let retry = Change::Retry(vec![testing::id(1).parse::<JobId>().unwrap()]);
    console.requests.send(Request::Change(retry)).await.unwrap();
    let refused = console.wait(refusal).await;
    assert!(refused.contains("it may have happened, look before you repeat it"), "{refused}");
    assert_eq!(server.seen("POST /jobs/").len(), 1, "it is not repeated behind the operator's back");
    console.live().await;
}

#[tokio::test]
async fn a_change_under_way_is_answered_although_the_streams_broke_meanwhile() {
    let server = Server::start().await;
    server.set(|script| script.answers.push(("POST /schedules/", HELD, problem(409, "already running"))));
    let mut console = Console::of(&server, Some("t"));
    console.live().await;
    console.requests.send(Request::Change(Change::Trigger("nightly".into()))).await.unwrap();
    let arrived = async {
        while server.seen("POST /schedules/").is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, arrived).await.unwrap();
    server.set(|script| script.down = true);
    console.wait(|update| matches!(update, Update::Link(LinkState::Waiting { .. })).then_some(())).await;
    server.set(|script| script.answers.clear());
    assert!(console.wait(refusal).await.contains("already running"));
}

fn refusal(update: &Update) -> Option<String> {
    match update {
        Update::Done(_, outcomes) => outcomes.first().and_then(|outcome| outcome.result.clone().err()),
        _ => None,
    }
}

#[tokio::test]
async fn signing_in_after_the_session_ended() {
    let server = Server::start().await;
    server.set(|script| script.answers.push(("GET /auth/me", 401, problem(401, "the session has expired"))));
    let old = server.client().with_token("old".into());
    let mut console = Console::with(old, Some("old"));
    let ended =
        |update: &Update| if let Update::SessionEnded(why) = update { Some(why.clone()) } else { None };
    assert_eq!(console.wait(ended).await, "the session has expired");

    server.set(|script| {
        script.answers = vec![("POST /auth/login", 401, problem(401, "E-mail or password is wrong."))];
    });
    let login = || Request::SignIn(Login::new("ana@example.com", "secret".into()));
    console.requests.send(login()).await.unwrap();
    let failed =
        |update: &Update| if let Update::SignInFailed(why) = update { Some(why.clone()) } else { None };
    assert_eq!(console.wait(failed).await, "E-mail or password is wrong.");
    server.set(|script| assert!(!script.signed.iter().any(|line| line.contains("login")), "an old token"));

    let user = serde_json::to_string(&testing::operator()).unwrap();
    let answer = format!(r#"{{"token":"new","expiresIn":3600,"refreshToken":"next","user":{user}}}"#);
    server.set(|script| script.answers = vec![("POST /auth/login", 200, answer)]);
    console.requests.send(login()).await.unwrap();
    console.live().await;
}

/// Gives these tokens, one after the other; what was spent comes out of the channel.
fn renewals(held: Vec<Held>) -> (Renew, mpsc::UnboundedReceiver<Option<String>>) {
    let (asked, questions) = mpsc::unbounded_channel();
    let held = Mutex::new(held.into_iter());
    let renew: Renew = Arc::new(move |spent| {
        asked.send(spent.map(|spent| spent.expose().to_owned())).unwrap();
        let next = held.lock().unwrap().next().expect("no more renewals than these");
        futures::future::ready(Ok(Some(next))).boxed()
    });
    (renew, questions)
}

fn held(token: &str, millis: u64) -> Held {
    Held { token: token.into(), good_for: Duration::from_millis(millis) }
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends_and_the_streams_go_on() {
    let server = Server::start().await;
    let (renew, mut questions) = renewals(vec![held("kept", 100), held("next", 3_600_000)]);
    let mut console = Console::renewing(server.client(), Some("kept"), Some(renew));
    console.live().await;
    assert_eq!(questions.recv().await.unwrap(), None, "is it still good?");
    assert_eq!(questions.recv().await.unwrap().as_deref(), Some("kept"), "another one than this");
    server.log(7);
    console.logs_until(7).await;
    assert_eq!(server.seen("GET /logs/stream").len(), 1);
}

#[tokio::test]
async fn a_token_that_is_refused_is_renewed_once() {
    let server = Server::start().await;
    server.set(|script| script.answers.push(("GET /auth/me", 401, problem(401, "the token has ended"))));
    let (renew, mut questions) = renewals(vec![held("kept", 3_600_000), held("next", 3_600_000)]);
    let mut console = Console::renewing(server.client(), Some("kept"), Some(renew));
    let ended =
        |update: &Update| if let Update::SessionEnded(why) = update { Some(why.clone()) } else { None };
    assert_eq!(console.wait(ended).await, "the token has ended", "the next one was refused, too");
    let asked = [questions.recv().await.unwrap(), questions.recv().await.unwrap()];
    assert_eq!(asked, [None, Some("kept".to_owned())]);
}

#[tokio::test]
async fn a_refused_token_makes_place_for_the_next_one() {
    let server = Arc::new(Server::start().await);
    server.set(|script| script.answers.push(("GET /auth/me", 401, problem(401, "the token has ended"))));
    let daemon = server.clone();
    let renew: Renew = Arc::new(move |spent| {
        // Nobody knows of another one until this one was refused; the next one is taken.
        let next = spent.map(|_| {
            daemon.set(|script| script.answers.clear());
            held("next", 3_600_000)
        });
        futures::future::ready(Ok(next)).boxed()
    });
    let mut console = Console::renewing(server.client(), Some("kept"), Some(renew));
    console.live().await;
    assert_eq!(server.seen("GET /auth/me").len(), 2);
}

#[tokio::test]
async fn the_console_is_for_employees() {
    let server = Server::start().await;
    let mut own = testing::own_account();
    own.user.role = astrops_api::vocabulary::Role::Customer;
    let user = serde_json::to_string(&own).unwrap();
    server.set(|script| script.answers.push(("GET /auth/me", 200, user)));
    let mut console = Console::of(&server, Some("t"));
    let ended =
        |update: &Update| if let Update::SessionEnded(why) = update { Some(why.clone()) } else { None };
    assert!(console.wait(ended).await.contains("is for employees"));
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

#[tokio::test]
async fn the_file_of_a_booking_is_gathered_from_its_calls() {
    let server = Server::start().await;
    let file = testing::booking_file(7);
    let id = file.detail.booking.id;
    let audit = serde_json::json!({"entries": &file.history, "total": 2, "page": 1, "pageSize": 20});
    server.set(|script| {
        script.answers.push(("GET /bookings/", 200, json(&file.detail)));
        script.answers.push(("GET /audit", 200, audit.to_string()));
        script.answers.push(("GET /reconciliation/diff/booking/", 200, json(&file.sides)));
    });
    let mut console = Console::of(&server, Some("t"));
    console.live().await;
    console.requests.send(Request::Booking(id)).await.unwrap();
    let booking =
        |update: &Update| if let Update::Booking(file) = update { Some(json(&**file)) } else { None };
    assert_eq!(console.wait(booking).await, json(&*file));
    assert!(server.seen("GET /audit")[0].contains(&format!("target={id}")));
}

#[tokio::test]
async fn a_decision_is_tried_without_writing_and_taken_with_time_to_take_it_back() {
    let server = Server::start().await;
    server.set(|script| {
        let answer = json(&testing::resolution(Some(600)));
        script.answers.push(("POST /reconciliation/conflicts/bulk", 200, bulk_answer()));
        script.answers.push(("POST /reconciliation/conflicts/", 200, answer));
    });
    let mut console = Console::of(&server, Some("t"));
    console.live().await;
    let id = testing::conflict(0).id;
    let body = Resolve {
        choices: [("totalAmount".to_owned(), Choice::Document)].into(),
        reason: "paid".into(),
        // Whatever it says: asking what would be written writes nothing.
        dry_run: false,
        seen: Some("5eed".into()),
        hold_seconds: 0,
    };
    let decision = Box::new(Decision::Resolve(id, body));
    console.requests.send(Request::Try(7, decision.clone())).await.unwrap();
    let tried = |update: &Update| match update {
        Update::Tried(number, _, results) => Some((*number, results.len())),
        _ => None,
    };
    assert_eq!(console.wait(tried).await, (7, 1));
    let take = Change::Decide(decision, vec![(id, "booking 00000000".into())]);
    console.requests.send(Request::Change(take)).await.unwrap();
    assert_eq!(console.wait(held_jobs).await, ["booking 00000000"]);
    let many = ResolveMany {
        ids: vec![id, testing::conflict(1).id],
        take: Take::Base,
        reason: "paid".into(),
        dry_run: false,
        hold_seconds: 0,
    };
    let names = vec![(id, "booking 00000000".into()), (testing::conflict(1).id, "launch 00000001".into())];
    let take = Change::Decide(Box::new(Decision::ResolveMany(many)), names);
    console.requests.send(Request::Change(take)).await.unwrap();
    let outcomes = |update: &Update| match update {
        Update::Done(_, outcomes) => Some(outcomes.clone()),
        _ => None,
    };
    let outcomes = console.wait(outcomes).await;
    assert_eq!(outcomes[1].target, "launch 00000001");
    assert_eq!(outcomes[1].result, Err("it is closed".into()));
    assert_eq!(console.wait(held_jobs).await, ["booking 00000000"], "what was refused is not waited for");
    server.set(|script| {
        let sent: Vec<serde_json::Value> =
            script.bodies.iter().map(|body| serde_json::from_str(body).unwrap()).collect();
        let told: Vec<_> =
            sent.iter().map(|body| (body["dryRun"] == true, body["holdSeconds"].as_u64())).collect();
        assert_eq!(told, [(true, Some(0)), (false, Some(10)), (false, Some(10))]);
        assert_eq!((sent[1]["seen"].as_str(), sent[1]["reason"].as_str()), (Some("5eed"), Some("paid")));
    });
}

fn bulk_answer() -> String {
    let ids = [0, 1].map(|number| testing::conflict(number).id);
    let resolution = testing::resolution(Some(600));
    serde_json::json!({"results": [{"id": ids[0], "resolution": resolution}, {"id": ids[1], "refused": "it is closed"}]})
        .to_string()
}

fn held_jobs(update: &Update) -> Option<Vec<String>> {
    match update {
        Update::Held(held) => Some(held.iter().map(|(name, _)| name.clone()).collect()),
        _ => None,
    }
}

#[tokio::test]
async fn sessions_are_asked_for_only_on_behalf_of_those_who_may_see_them() {
    let server = Server::start().await;
    let file = testing::user_file(2);
    let id = file.account.user.id;
    let none = serde_json::json!({"entries": [], "total": 0, "page": 1, "pageSize": 20});
    let sessions = serde_json::json!({"sessions": file.sessions});
    server.set(|script| {
        script.answers.push(("GET /audit", 200, none.to_string()));
        script.answers.push(("GET /bookings", 200, json(&file.bookings)));
        script.answers.push((
            "GET /users/66ba0300-0000-8000-8000-000008000000/sessions",
            200,
            sessions.to_string(),
        ));
        script.answers.push(("GET /users/", 200, json(&file.account)));
    });
    let mut console = Console::of(&server, Some("t"));
    console.live().await;
    for (may, wanted) in [(false, None), (true, Some(1))] {
        console.requests.send(Request::User(id, may)).await.unwrap();
        let shown = |update: &Update| match update {
            Update::User(file) => Some(file.sessions.as_ref().map(Vec::len)),
            _ => None,
        };
        assert_eq!(console.wait(shown).await, wanted);
    }
    assert_eq!(server.seen("GET /users/").iter().filter(|line| line.ends_with("/sessions")).count(), 1);
}

#[tokio::test]
async fn an_id_is_looked_for_among_bookings_launches_and_users() {
    let server = Server::start().await;
    let launch = testing::launch(3);
    server.set(|script| script.answers.push(("GET /launches/", 200, json(&launch))));
    let mut console = Console::of(&server, Some("t"));
    console.live().await;
    console.requests.send(Request::Find(launch.id.into())).await.unwrap();
    let found =
        |update: &Update| if let Update::Found(_, place) = update { Some(place.clone()) } else { None };
    assert_eq!(console.wait(found).await, Some(Place::Launch(launch.id)));
    server.set(|script| script.answers.clear());
    console.requests.send(Request::Find(launch.id.into())).await.unwrap();
    assert_eq!(console.wait(found).await, None, "the daemon knows none of the three");
}

#[tokio::test]
async fn a_new_key_brings_its_secret_and_each_cancelled_booking_its_outcome() {
    let server = Server::start().await;
    let made = testing::key_made();
    let cancelled = testing::booking(2);
    server.set(|script| {
        script.answers.push(("POST /auth/keys", 200, json(&made)));
        script.answers.push(("DELETE /bookings/66ba0200-0000-8000-8000-000008000000", 200, json(&cancelled)));
        script.answers.push(("DELETE /bookings/", 409, problem(409, "it is cancelled already")));
    });
    let mut console = Console::of(&server, Some("t"));
    console.live().await;
    let key = NewKey { name: "customer-api".into(), scopes: vec![Scope::LogsWrite] };
    console.requests.send(Request::Change(Change::CreateKey(key))).await.unwrap();
    let secret = |update: &Update| match update {
        Update::KeyMade(made) => Some(made.secret.expose().to_owned()),
        _ => None,
    };
    assert_eq!(console.wait(secret).await, made.secret.expose());
    let ids = vec![cancelled.id, testing::booking(3).id];
    let change = Change::CancelBookings(ids, CancelBooking { reason: Some("late".into()) });
    console.requests.send(Request::Change(change)).await.unwrap();
    let outcomes = |update: &Update| match update {
        Update::Done(Change::CancelBookings(..), outcomes) => Some(outcomes.clone()),
        _ => None,
    };
    let outcomes = console.wait(outcomes).await;
    assert_eq!((outcomes[0].target.as_str(), &outcomes[0].result), ("00000002", &Ok(String::new())));
    assert!(outcomes[1].result.as_ref().is_err_and(|reason| reason.contains("cancelled already")));
}

#[tokio::test]
async fn events_are_told_and_resumed_and_a_daemon_without_them_is_no_reason_to_stop() {
    let server = Server::start().await;
    let event = |number: u64| {
        let event = serde_json::json!({"id": testing::id(1), "at": testing::now(), "type": "booking.created",
            "entityType": "booking", "entityId": testing::entity(2, 1), "data": {}});
        (number, format!("id: {number}\ndata: {event}\n\n"))
    };
    server.set(|script| script.events.push(event(1)));
    let mut console = Console::of(&server, Some("t"));
    let told = |update: &Update| if let Update::Events(events) = update { Some(events.len()) } else { None };
    assert_eq!(console.wait(told).await, 1);
    server.set(|script| script.events.push((1, "event: lagged\ndata: 3\n\n".into())));
    let missed = |update: &Update| matches!(update, Update::EventsMissed).then_some(());
    console.wait(missed).await;
    server.set(|script| script.events.push(event(2)));
    assert_eq!(console.wait(told).await, 1);
    assert!(server.seen("GET /stream").last().unwrap().contains("after=1"));

    let old = Server::start().await;
    old.set(|script| script.answers.push(("GET /stream", 404, problem(404, "unknown"))));
    Console::of(&old, Some("t")).live().await;
}
