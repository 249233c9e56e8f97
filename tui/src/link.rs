//! The one task that owns the client. Requests come in over one bounded channel and updates go out over another;
//! no screen ever waits for the network.
//!
//! While somebody is signed in the link keeps three streams open, logs, jobs and events, and resumes them behind
//! the last event it saw: nothing is lost or doubled over a reconnect, and what the daemon had pruned by then
//! comes as a gap. When the connection breaks it tries again after [`backoff::pause`] for as long as it takes.
//!
//! The next access token comes from [`Renew`], before the old one ends or when the daemon refuses it; the streams go on
//! meanwhile, since they belong to the session.
//!
//! Limits: changes are refused, not queued, while there is no connection. A screen that does not keep up makes
//! the link wait, the daemon then drops the stream (`lagged`), and it is resumed by its last id.

pub mod backoff;
mod calls;
mod reason;
mod streams;

use std::{collections::VecDeque, future::pending, sync::Arc, time::Duration};

use astrops_api::{Client, ClientError, Secret, vocabulary::Role};
use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::{
    sync::mpsc::{Receiver, Sender},
    time::Instant,
};

use crate::message::{LinkState, Outcome, Request, Update};
use streams::{News, Streams};

/// How often the daemon is asked whether it is there while nothing else is asked.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// A token and how long it is good.
pub struct Held {
    /// The access token.
    pub token: Secret,
    /// From now.
    pub good_for: Duration,
}

/// Gets the token to go on with, another one than `spent`; `None` when there is no other.
pub type Renew = Arc<dyn Fn(Option<Secret>) -> Renewal + Send + Sync>;

/// The answer of [`Renew`].
type Renewal = BoxFuture<'static, Result<Option<Held>, ClientError>>;

/// How a finished call reaches the loop: what to tell, how long it took when that says something about the
/// connection, and whether the connection or the session broke over it.
struct Finished {
    updates: Vec<Update>,
    took: Option<Duration>,
    fault: Option<ClientError>,
}

/// The calls under way.
type Running = FuturesUnordered<BoxFuture<'static, Finished>>;

/// Why the connected part of the loop ended.
enum Ended {
    /// The console is gone.
    Closed,
    /// Somebody signed in.
    SignedIn,
    /// The connection broke.
    Lost(String),
    /// The session is over.
    SignedOut(String),
    /// The daemon does not take the token: the session is over unless there is a newer one.
    Refused(String),
}

/// The task's state.
pub struct Link<Jitter> {
    client: Client,
    token: Option<Secret>,
    renew: Option<Renew>,
    /// When the next token is asked for; `None` while nobody knows how long this one is good.
    renew_at: Option<Instant>,
    requests: Receiver<Request>,
    updates: Sender<Update>,
    /// A number from 0 to 1: randomness is a parameter.
    jitter: Jitter,
    cursor: streams::Cursor,
}

impl<Jitter: FnMut() -> f64 + Send> Link<Jitter> {
    /// A link over `client`, signed in with `token` when there is one.
    pub fn new(
        client: Client,
        token: Option<Secret>,
        renew: Option<Renew>,
        requests: Receiver<Request>,
        updates: Sender<Update>,
        jitter: Jitter,
    ) -> Self {
        let cursor = streams::Cursor::default();
        Self { client, token, renew, renew_at: None, requests, updates, jitter, cursor }
    }

    /// Runs until the console is gone.
    pub async fn run(mut self) {
        loop {
            let ended = match self.token.clone() {
                None => self.signed_out().await,
                Some(token) => {
                    let client = self.client.with_token(token);
                    self.signed_in(client).await
                }
            };
            match ended {
                Ended::Closed => return,
                Ended::SignedIn | Ended::Lost(_) => {}
                Ended::SignedOut(reason) | Ended::Refused(reason) => {
                    self.token = None;
                    if !self.tell(Update::SessionEnded(reason)).await {
                        return;
                    }
                }
            }
        }
    }

    /// `false` when nobody listens any more.
    async fn tell(&self, update: Update) -> bool {
        self.updates.send(update).await.is_ok()
    }

    /// Waits for somebody to sign in.
    async fn signed_out(&mut self) -> Ended {
        if !self.tell(Update::Link(LinkState::SignedOut)).await {
            return Ended::Closed;
        }
        while let Some(request) = self.requests.recv().await {
            let answer = match request {
                Request::SignIn(login) => match calls::sign_in(&self.client, &login).await {
                    Ok(signed_in) => {
                        self.hold(&Held {
                            token: signed_in.token.clone(),
                            good_for: Duration::from_secs(signed_in.expires_in),
                        });
                        // Another person may see other rows: start from what is new.
                        self.cursor = streams::Cursor::default();
                        let told = self.tell(Update::SignedIn(Box::new(signed_in))).await;
                        return if told { Ended::SignedIn } else { Ended::Closed };
                    }
                    Err(error) => Update::SignInFailed(calls::sign_in_sentence(&error, self.client.base())),
                },
                request => refuse(request, "nobody is signed in"),
            };
            if !self.tell(answer).await {
                return Ended::Closed;
            }
        }
        Ended::Closed
    }

    /// Goes on with this token, until a tenth of its time is left.
    fn hold(&mut self, held: &Held) -> Client {
        self.renew_at = Some(Instant::now() + held.good_for.mul_f64(0.9));
        self.token = Some(held.token.clone());
        self.client.with_token(held.token.clone())
    }

    /// Asks for the next token when it is time: this one was refused, it ends soon, or nobody knows when.
    async fn renewed(&mut self, client: &mut Client, refused: bool) -> Result<(), Ended> {
        let Some(renew) = &self.renew else { return Ok(()) };
        if !refused && self.renew_at.is_some_and(|at| at > Instant::now()) {
            return Ok(());
        }
        let spent = self.token.clone().filter(|_| refused || self.renew_at.is_some());
        if let Some(held) = renew(spent).await.map_err(|error| ended(&error, client.base()))? {
            *client = self.hold(&held);
        }
        Ok(())
    }

    /// Connects, serves, and connects again, until the session or the console ends.
    async fn signed_in(&mut self, mut client: Client) -> Ended {
        let mut attempt = 0;
        let mut welcomed = false;
        // The token that the daemon did not take, and why.
        let mut refused: Option<(Option<Secret>, String)> = None;
        // Calls outlive the streams: a change under way must not vanish without a word.
        let mut running = Running::new();
        loop {
            if !self.tell(Update::Link(LinkState::Connecting)).await {
                return Ended::Closed;
            }
            let began = Instant::now();
            let connected = match self.renewed(&mut client, refused.is_some()).await {
                Ok(()) => match &refused {
                    Some((token, reason)) if *token == self.token => {
                        return Ended::SignedOut(reason.clone());
                    }
                    _ => self.connect(&client, &mut welcomed).await,
                },
                Err(Ended::Refused(reason)) => return Ended::SignedOut(reason),
                Err(ended) => Err(ended),
            };
            let lost = match connected {
                Ok((streams, latency)) => {
                    refused = None;
                    match self.serve(&mut client, streams, latency, &mut running).await {
                        Ended::Lost(reason) => {
                            // Whoever was connected for a while may try again at once.
                            if began.elapsed() > Duration::from_secs(2) {
                                attempt = 0;
                            }
                            reason
                        }
                        Ended::Refused(reason) if self.renew.is_some() => {
                            refused = Some((self.token.clone(), reason));
                            continue;
                        }
                        ended => return ended,
                    }
                }
                Err(Ended::Lost(reason)) => reason,
                // Once: a token that was just got and is refused is the end.
                Err(Ended::Refused(reason)) if self.renew.is_some() && refused.is_none() => {
                    refused = Some((self.token.clone(), reason));
                    continue;
                }
                Err(ended) => return ended,
            };
            attempt += 1;
            let pause = backoff::pause(attempt, (self.jitter)());
            let state = LinkState::Waiting { retry_in: pause, attempt, reason: lost };
            if !self.tell(Update::Link(state)).await {
                return Ended::Closed;
            }
            if let Some(ended) = self.wait(pause, &mut running).await {
                return ended;
            }
        }
    }

    /// Asks who we are and opens the streams behind what was seen last.
    async fn connect(&mut self, client: &Client, welcomed: &mut bool) -> Result<(Streams, Duration), Ended> {
        let began = Instant::now();
        let user = client.me().await.map_err(|error| ended(&error, client.base()))?.user;
        let latency = began.elapsed();
        if user.role != Role::Employee {
            return Err(Ended::SignedOut(format!(
                "{} is a {}: the console is for employees",
                user.email, user.role
            )));
        }
        if !*welcomed {
            *welcomed = self.tell(Update::Welcome(user)).await;
        }
        let (streams, news) =
            Streams::open(client, &mut self.cursor).await.map_err(|error| ended(&error, client.base()))?;
        for update in news {
            self.tell(update).await;
        }
        Ok((streams, latency))
    }

    /// Refuses what is asked for while there is no connection.
    async fn wait(&mut self, pause: Duration, running: &mut Running) -> Option<Ended> {
        let until = Instant::now() + pause;
        loop {
            let request = tokio::select! {
                () = tokio::time::sleep_until(until) => return None,
                Some(finished) = running.next(), if !running.is_empty() => {
                    for update in finished.updates {
                        self.tell(update).await;
                    }
                    continue;
                }
                request = self.requests.recv() => request,
            };
            let Some(request) = request else { return Some(Ended::Closed) };
            if matches!(request, Request::SignOut) {
                return Some(Ended::SignedOut("signed out".into()));
            }
            if !self.tell(refuse(request, "not connected")).await {
                return Some(Ended::Closed);
            }
        }
    }

    /// Streams and answers until something ends.
    async fn serve(
        &mut self,
        client: &mut Client,
        mut streams: Streams,
        latency: Duration,
        running: &mut Running,
    ) -> Ended {
        if !self.tell(Update::Link(LinkState::Live(latency))).await {
            return Ended::Closed;
        }
        let mut heartbeat = Instant::now() + HEARTBEAT;
        let mut outbox: VecDeque<Update> = VecDeque::new();
        let mut fault: Option<ClientError> = None;
        let mut renewal: Option<Renewal> = None;
        loop {
            while let Some(update) = outbox.pop_front() {
                if !self.tell(update).await {
                    return Ended::Closed;
                }
            }
            if let Some(fault) = fault.take() {
                return ended(&fault, client.base());
            }
            tokio::select! {
                request = self.requests.recv() => match request {
                    None => return Ended::Closed,
                    Some(Request::SignOut) => {
                        let reason = match client.logout().await {
                            Ok(()) => "signed out".to_owned(),
                            Err(error) => format!("signed out here; the daemon did not hear it: {error}"),
                        };
                        return Ended::SignedOut(reason);
                    }
                    Some(request) => running.push(calls::call(client.clone(), request)),
                },
                Some(finished) = running.next(), if !running.is_empty() => {
                    heartbeat = Instant::now() + HEARTBEAT;
                    outbox.extend(finished.updates);
                    outbox.extend(finished.took.map(|took| Update::Link(LinkState::Live(took))));
                    fault = finished.fault;
                }
                news = streams.next(client, &mut self.cursor) => match news {
                    News::Updates(updates) => outbox.extend(updates),
                    News::Broken(error) => fault = Some(error),
                },
                () = when(self.renew_at), if self.renew.is_some() && renewal.is_none() => {
                    renewal = self.renew.as_ref().map(|renew| renew(self.token.clone()));
                }
                renewed = result_of(&mut renewal) => {
                    renewal = None;
                    match renewed {
                        Ok(Some(held)) => *client = self.hold(&held),
                        // There is a tenth of the token's time to try again in.
                        Ok(None) => self.renew_at = None,
                        Err(error) if session_over(&error).is_some() => fault = Some(error),
                        Err(_) => self.renew_at = Some(Instant::now() + HEARTBEAT),
                    }
                }
                () = tokio::time::sleep_until(heartbeat) => {
                    heartbeat = Instant::now() + HEARTBEAT;
                    running.push(calls::heartbeat(client.clone()));
                }
            }
        }
    }
}

/// Returns at `at`; never when there is no such time.
async fn when(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => pending().await,
    }
}

/// The end of the renewal under way; never when there is none.
async fn result_of(renewal: &mut Option<Renewal>) -> Result<Option<Held>, ClientError> {
    match renewal {
        Some(renewal) => renewal.await,
        None => pending().await,
    }
}

/// The answer to a request that is not even tried.
pub fn refuse(request: Request, reason: &str) -> Update {
    match request {
        Request::Change(change) => {
            let target = "nothing was done".to_owned();
            Update::Done(change, vec![Outcome { target, result: Err(reason.to_owned()) }])
        }
        request => Update::Failed(Box::new(request), reason.to_owned()),
    }
}

/// What `error` of the daemon at `base` ends.
fn ended(error: &ClientError, base: &str) -> Ended {
    let address = base.trim_start_matches("http://").trim_start_matches("https://");
    let lost = || match error {
        // What matters comes first: a narrow screen cuts the rest. The number of the error helps nobody.
        ClientError::Unreachable(cause) => {
            let cause = cause.split(" (os error").next().unwrap_or_default();
            Ended::Lost(format!("the daemon at {address} does not answer; trying again by itself ({cause})"))
        }
        error => Ended::Lost(format!("{error}; trying {address} again by itself")),
    };
    session_over(error).map_or_else(lost, Ended::Refused)
}

/// Why the session is over, when that is what `error` says.
fn session_over(error: &ClientError) -> Option<String> {
    let problem = error.problem().filter(|problem| problem.status == 401)?;
    Some(if problem.detail.is_empty() { problem.title.clone() } else { problem.detail.clone() })
}

#[cfg(test)]
mod tests;
