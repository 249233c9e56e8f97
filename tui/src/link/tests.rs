//! The link against a daemon that comes and goes.

mod server;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use astrops_api::{Client, auth::Login, ids::JobId};
use futures::FutureExt;
use server::{HELD, Server, problem};
use tokio::sync::mpsc;

use super::{Held, Link, Renew};
use crate::message::{Change, LinkState, LogItem, Request, Update};

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
    let retry = Change::Retry(vec![crate::testing::id(1).parse::<JobId>().unwrap()]);
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
    let retry = Change::Retry(vec![crate::testing::id(1).parse::<JobId>().unwrap()]);
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

    let user = serde_json::to_string(&crate::testing::operator()).unwrap();
    let answer = format!(r#"{{"token":"new","expiresIn":3600,"refreshToken":"next","user":{user}}}"#);
    server.set(|script| script.answers = vec![("POST /auth/login", 200, answer)]);
    console.requests.send(login()).await.unwrap();
    console.live().await;
}

/// Gives these tokens, one after the other; what was spent comes out of the channel.
fn renewals(held: Vec<Option<Held>>) -> (Renew, mpsc::UnboundedReceiver<Option<String>>) {
    let (asked, questions) = mpsc::unbounded_channel();
    let held = Mutex::new(held.into_iter());
    let renew: Renew = Arc::new(move |spent| {
        asked.send(spent.map(|spent| spent.expose().to_owned())).unwrap();
        let next = held.lock().unwrap().next().expect("no more renewals than these");
        futures::future::ready(Ok(next)).boxed()
    });
    (renew, questions)
}

fn held(token: &str, millis: u64) -> Option<Held> {
    Some(Held { token: token.into(), good_for: Duration::from_millis(millis) })
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
        let next = spent.and_then(|_| {
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
    let mut user = crate::testing::operator();
    user.role = astrops_api::vocabulary::Role::Customer;
    let user = serde_json::to_string(&user).unwrap();
    server.set(|script| script.answers.push(("GET /auth/me", 200, user)));
    let mut console = Console::of(&server, Some("t"));
    let ended =
        |update: &Update| if let Update::SessionEnded(why) = update { Some(why.clone()) } else { None };
    assert!(console.wait(ended).await.contains("is for employees"));
}
