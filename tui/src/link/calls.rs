//! From a request to its call and from the answer to updates.

mod both;

use std::{future::Future, sync::Arc, time::Duration};

use astrops_api::{
    Client, ClientError,
    audit::AuditQuery,
    auth::{Login, SignedIn},
    bookings::BookingQuery,
    client::{ExecuteAnswer, http_client},
    ids::{BookingId, EntityId, JobId, LaunchId, UserId},
    keys::NewKey,
    launches::CapacityLogQuery,
    logs::{HistogramQuery, LogQuery},
    reconciliation::{ChangeQuery, NewReconciliation},
    vocabulary::{BookingStatus, EntityType, PaymentStatus, Severity},
};
use chrono::{DateTime, Utc};
use futures::{FutureExt, StreamExt, future::BoxFuture};
use tokio::time::Instant;
use uuid::Uuid;

use self::both::{decide, sides, sides_file, take};
use super::{Finished, reason::reason, session_over};
use crate::{
    files::{BookingFile, History, LaunchFile, ROWS, Today, UserFile},
    message::{Change, Outcome, Request, SweepAct, Update},
    screen::Place,
};

/// Calls of one change that run at once.
const SIDE_BY_SIDE: usize = 8;

/// How long an operator waits in front of `run now`; the job goes on in any case.
const EXECUTE_WAIT: Duration = Duration::from_secs(30);

/// Changes of one entity that are shown.
const CHANGES: u32 = 100;

/// Does what `request` asks.
pub fn call(client: Client, request: Request) -> BoxFuture<'static, Finished> {
    match request {
        Request::Change(change) => self::change(client, change).boxed(),
        request => read(client, request).boxed(),
    }
}

/// Asks whether the daemon is there.
pub fn heartbeat(client: Client) -> BoxFuture<'static, Finished> {
    read(client, Request::Stats).boxed()
}

async fn read(client: Client, request: Request) -> Finished {
    let began = Instant::now();
    let answer = answer(&client, &request).await;
    let took = began.elapsed();
    match answer {
        Ok(update) => {
            let took = is_light(&request).then_some(took);
            Finished { updates: vec![update], took, fault: None }
        }
        Err(error) => Finished {
            updates: vec![Update::Failed(Box::new(request), reason(&error))],
            took: None,
            fault: is_fault(&error).then_some(error),
        },
    }
}

/// Whether the time of the call says something about the connection, and not about the work behind it.
const fn is_light(request: &Request) -> bool {
    matches!(request, Request::Stats | Request::Job(..) | Request::Schedules)
}

async fn answer(client: &Client, request: &Request) -> Result<Update, ClientError> {
    Ok(match request {
        Request::Status => Update::Status(Box::new(client.status().await?)),
        Request::Stats => Update::Stats(client.job_stats().await?),
        Request::Histogram => Update::Histogram(client.histogram(&HistogramQuery::default()).await?),
        Request::Errors => {
            let query =
                LogQuery { min_severity: Some(Severity::Error), page_size: Some(50), ..LogQuery::default() };
            Update::Errors(client.logs(&query).await?.logs)
        }
        Request::OlderLogs(query) => Update::OlderLogs(query.job_id, client.logs(query).await?),
        Request::Jobs(number, query) => Update::Jobs(*number, client.jobs(query).await?),
        Request::Job(id, reveal) => Update::Job(Arc::new(client.job(*id, *reveal).await?)),
        Request::Schedules => Update::Schedules(client.schedules().await?.schedules),
        Request::Runs(name) => Update::Runs(name.clone(), client.schedule_runs(name, 20).await?.runs),
        Request::NotificationTypes => Update::NotificationTypes(client.notification_types().await?.types),
        Request::Preview(mail) => {
            Update::Preview(mail.clone(), client.preview(&Request::preview_of(mail)).await?)
        }
        Request::Bookings(number, query) => Update::Bookings(*number, client.bookings(query).await?),
        Request::Booking(id) => Update::Booking(Arc::new(booking(client, *id).await?)),
        Request::Launches(number, query) => Update::Launches(*number, client.launches(query).await?),
        Request::Launch(id) => Update::Launch(Arc::new(launch(client, *id).await?)),
        Request::Users(number, query) => Update::Users(*number, client.users(query).await?),
        Request::User(id, sessions) => Update::User(Arc::new(user(client, *id, *sessions).await?)),
        Request::Keys => Update::Keys(client.keys().await?.keys),
        Request::Find(id) => Update::Found(*id, find(client, *id).await?),
        Request::Today(midnight) => Update::Today(today(client, *midnight).await?),
        Request::Drift(number, query) => Update::Drift(*number, client.drift(query).await?),
        Request::Conflicts(number, query) => Update::Conflicts(*number, client.recon_conflicts(query).await?),
        Request::Sweeps(number, query) => Update::Sweeps(*number, client.sweeps(query).await?),
        Request::Sides(kind, id) => Update::Sides(Arc::new(sides_file(client, *kind, *id).await?)),
        Request::Mapping => Update::Mapping(Arc::new(client.recon_mapping().await?)),
        Request::Changes(kind, id) => {
            let query = ChangeQuery {
                entity_type: Some(*kind),
                entity_id: Some(*id),
                page_size: Some(CHANGES),
                ..ChangeQuery::default()
            };
            Update::Changes(*kind, *id, Arc::new(client.recon_changes(&query).await?))
        }
        Request::Try(number, decision) => {
            Update::Tried(*number, decision.clone(), decide(client, decision, true).await?)
        }
        // The link answers these itself and never hands them on.
        Request::SignIn(_) | Request::SignOut | Request::Change(_) => {
            return Err(ClientError::Unexpected("not a question".into()));
        }
    })
}

/// What was done to the thing with this id, newest first.
async fn history(client: &Client, id: EntityId) -> Result<History, ClientError> {
    let query = AuditQuery { target: Some(id.to_string()), page_size: Some(ROWS), ..AuditQuery::default() };
    match client.audit(&query).await {
        Ok(page) => Ok(History::Known(page.entries)),
        Err(error) if is_fault(&error) => Err(error),
        Err(error) => Ok(History::Refused(reason(&error))),
    }
}

async fn booking(client: &Client, id: BookingId) -> Result<BookingFile, ClientError> {
    let (detail, sides, history) = tokio::try_join!(
        client.booking(id),
        sides(client, EntityType::Booking, id.into()),
        history(client, id.into())
    )?;
    Ok(BookingFile { detail, sides, history })
}

async fn launch(client: &Client, id: LaunchId) -> Result<LaunchFile, ClientError> {
    let latest = BookingQuery { page_size: Some(ROWS), ..BookingQuery::default() };
    let seats = CapacityLogQuery { page_size: Some(ROWS), ..CapacityLogQuery::default() };
    let (launch, bookings, capacity, sides, history) = tokio::try_join!(
        client.launch(id),
        client.launch_bookings(id, &latest),
        client.capacity_log(id, &seats),
        sides(client, EntityType::Launch, id.into()),
        history(client, id.into())
    )?;
    Ok(LaunchFile { launch, bookings, capacity, sides, history })
}

async fn user(client: &Client, id: UserId, with_sessions: bool) -> Result<UserFile, ClientError> {
    let latest = BookingQuery { user_id: Some(id), page_size: Some(ROWS), ..BookingQuery::default() };
    let sessions = async {
        if !with_sessions {
            return Ok(None);
        }
        client.user_sessions(id).await.map(|answer| Some(answer.sessions))
    };
    let (account, sessions, bookings, history) =
        tokio::try_join!(client.user(id), sessions, client.bookings(&latest), history(client, id.into()))?;
    Ok(UserFile { account, sessions, bookings, history })
}

/// How much was sold since `midnight`: counts only, one row each travels.
async fn today(client: &Client, midnight: DateTime<Utc>) -> Result<Today, ClientError> {
    let one = BookingQuery { page_size: Some(1), ..BookingQuery::default() };
    let booked = BookingQuery { from: Some(midnight), ..one.clone() };
    let cancelled = BookingQuery { status: Some(BookingStatus::Cancelled), ..booked.clone() };
    let unpaid = BookingQuery {
        status: Some(BookingStatus::Confirmed),
        payment_status: Some(PaymentStatus::Pending),
        ..one
    };
    let (booked, cancelled, unpaid) =
        tokio::try_join!(client.bookings(&booked), client.bookings(&cancelled), client.bookings(&unpaid))?;
    Ok(Today { booked: booked.total, cancelled: cancelled.total, unpaid: unpaid.total })
}

/// Where in the console the thing with this id is: its id does not say what it is.
async fn find(client: &Client, id: EntityId) -> Result<Option<Place>, ClientError> {
    if is_there(client.booking(id.into()).await)? {
        return Ok(Some(Place::Booking(id.into())));
    }
    if is_there(client.launch(id.into()).await)? {
        return Ok(Some(Place::Launch(id.into())));
    }
    Ok(is_there(client.user(id.into()).await)?.then(|| Place::User(id.into())))
}

fn is_there<T>(answer: Result<T, ClientError>) -> Result<bool, ClientError> {
    match answer {
        Ok(_) => Ok(true),
        Err(error) if error.problem().is_some_and(|problem| problem.status == 404) => Ok(false),
        Err(error) => Err(error),
    }
}

async fn change(client: Client, change: Change) -> Finished {
    if let Change::CreateKey(key) = change {
        return create_key(&client, key).await;
    }
    if let Change::Decide(decision, names) = change {
        return take(&client, decision, names).await;
    }
    let (outcomes, faults): (Vec<Outcome>, Vec<Option<ClientError>>) =
        perform(&client, &change).await.into_iter().unzip();
    Finished {
        updates: vec![Update::Done(change, outcomes)],
        took: None,
        fault: faults.into_iter().flatten().next(),
    }
}

/// Makes a service key: the answer holds what no [`Outcome`] may.
async fn create_key(client: &Client, key: NewKey) -> Finished {
    let (name, answer) = (key.name.clone(), client.create_key(&key).await);
    let (made, answer) = match answer {
        Ok(made) => (Some(Update::KeyMade(Box::new(made))), Ok(String::new())),
        Err(error) => (None, Err(error)),
    };
    let (outcome, fault) = outcome(name, answer);
    let mut updates = vec![Update::Done(Change::CreateKey(key), vec![outcome])];
    updates.extend(made);
    Finished { updates, took: None, fault }
}

type Performed = (Outcome, Option<ClientError>);

async fn perform(client: &Client, change: &Change) -> Vec<Performed> {
    match change {
        Change::Retry(ids) => {
            each(ids, JobId::short, |id| async move { client.retry_job(id).await.map(drop) }).await
        }
        Change::Cancel(ids) => {
            each(ids, JobId::short, |id| async move { client.cancel_job(id).await.map(drop) }).await
        }
        Change::Delete(ids) => each(ids, JobId::short, |id| client.delete_job(id)).await,
        Change::CancelBookings(ids, body) => {
            each(ids, BookingId::short, |id| async move { client.cancel_booking(id, body).await.map(drop) })
                .await
        }
        Change::CancelLaunch(id, body) => {
            let answer = client.cancel_launch(*id, body).await;
            vec![outcome(format!("launch {}", id.short()), answer.map(|launch| launch.title))]
        }
        Change::UnlockUser(id, name) => {
            vec![outcome(name.clone(), client.unlock_user(*id).await.map(|_| String::new()))]
        }
        Change::RevokeSessions(id, name) => {
            vec![outcome(name.clone(), client.revoke_user_sessions(*id).await.map(|()| String::new()))]
        }
        Change::EditUser(id, name, edit) => {
            vec![outcome(name.clone(), client.edit_user(*id, edit).await.map(|_| String::new()))]
        }
        Change::RevokeKey(id, name) => {
            vec![outcome(name.clone(), client.revoke_key(*id).await.map(|()| String::new()))]
        }
        // They have ways of their own: see `create_key` and `take`.
        Change::CreateKey(_) | Change::Decide(..) => Vec::new(),
        Change::Reconcile(entities) => {
            let name = |one: &NewReconciliation| format!("{} {}", one.entity_type, one.entity_id.short());
            each(entities, name, |one| async move { client.reconcile(&one).await.map(drop) }).await
        }
        Change::SnoozeConflicts(conflicts, body) | Change::WakeConflicts(conflicts, body) => {
            let targets: Vec<(Uuid, &str)> =
                conflicts.iter().map(|(id, name)| (*id, name.as_str())).collect();
            let snooze = |(id, _)| async move { client.snooze_conflict(id, body).await.map(drop) };
            each(&targets, |(_, name)| (*name).to_owned(), snooze).await
        }
        Change::StartSweep(sweep) => {
            let answer = client.sweep(sweep).await;
            vec![outcome(format!("{} sweep", sweep.mode), answer.map(|sweep| sweep.text))]
        }
        Change::SteerSweep(id, name, act) => {
            let answer = match act {
                SweepAct::Pause => client.pause_sweep(*id).await,
                SweepAct::Resume => client.resume_sweep(*id).await,
                SweepAct::Cancel => client.cancel_sweep(*id).await,
                SweepAct::Approve => client.approve_sweep(*id).await,
            };
            vec![outcome(name.clone(), answer.map(|sweep| sweep.text))]
        }
        Change::Delay(ids, delay) => {
            each(ids, JobId::short, |id| async move { client.delay_job(id, delay).await.map(drop) }).await
        }
        Change::Execute(id) => {
            let answer = client.execute_job(*id, Some(EXECUTE_WAIT)).await;
            vec![outcome(id.short(), answer.map(|answer| executed(&answer)))]
        }
        Change::Notify(mail) => {
            let answer = client.notify(mail).await;
            vec![outcome(
                mail.recipient.clone(),
                answer.map(|queued| format!("job {}", queued.job_id.short())),
            )]
        }
        Change::PauseJobs(types) => {
            vec![outcome(type_name(types.kind), client.pause_jobs(types).await.map(|_| String::new()))]
        }
        Change::ResumeJobs(types) => {
            vec![outcome(type_name(types.kind), client.resume_jobs(types).await.map(|_| String::new()))]
        }
        Change::Trigger(name) => {
            let answer = client.trigger_schedule(name).await;
            let made =
                answer.map(|run| run.job_id.map(|id| format!("job {}", id.short())).unwrap_or_default());
            vec![outcome(name.clone(), made)]
        }
        Change::PauseSchedule(name) => {
            vec![outcome(name.clone(), client.pause_schedule(name).await.map(|_| String::new()))]
        }
        Change::ResumeSchedule(name) => {
            vec![outcome(name.clone(), client.resume_schedule(name).await.map(|_| String::new()))]
        }
        Change::EditSchedule(name, edit) => {
            let answer = client.edit_schedule(name, edit).await;
            vec![outcome(name.clone(), answer.map(|schedule| schedule.cron_text))]
        }
    }
}

async fn each<Id: Copy, F>(
    ids: &[Id],
    short: impl Fn(&Id) -> String + Send,
    act: impl Fn(Id) -> F + Send,
) -> Vec<Performed>
where
    F: Future<Output = Result<(), ClientError>> + Send,
{
    let acting: Vec<_> = ids
        .iter()
        .map(|id| {
            let (target, acting) = (short(id), act(*id));
            async move { outcome(target, acting.await.map(|()| String::new())) }
        })
        .collect();
    futures::stream::iter(acting).buffered(SIDE_BY_SIDE).collect().await
}

fn executed(answer: &ExecuteAnswer) -> String {
    match answer {
        ExecuteAnswer::Ended(job) => match &job.error_message {
            Some(error) => format!("{}: {error}", job.status),
            None => job.status.to_string(),
        },
        ExecuteAnswer::Running(job) => format!("still {}; it goes on", job.status),
    }
}

fn type_name(kind: Option<astrops_api::vocabulary::JobType>) -> String {
    kind.map_or_else(|| "every type".to_owned(), |kind| kind.to_string())
}

fn outcome(target: String, answer: Result<String, ClientError>) -> Performed {
    match answer {
        Ok(more) => (Outcome { target, result: Ok(more) }, None),
        Err(error) => {
            let reason = match &error {
                // The request may have arrived: saying "failed" would invite a second one.
                ClientError::Unreachable(cause) => {
                    format!("no answer ({cause}): it may have happened, look before you repeat it")
                }
                other => super::reason::reason(other),
            };
            (Outcome { target, result: Err(reason) }, is_fault(&error).then_some(error))
        }
    }
}

/// Whether `error` is about the connection or the session, and not about the question.
fn is_fault(error: &ClientError) -> bool {
    matches!(error, ClientError::Unreachable(_)) || session_over(error).is_some()
}

/// Signs in on behalf of nobody: the client that the console was given may carry the token of last time, and an
/// old token has no business with a new session.
pub async fn sign_in(client: &Client, login: &Login) -> Result<SignedIn, ClientError> {
    Client::new(client.base(), http_client()?).login(login).await
}

/// What the sign-in form says.
pub fn sign_in_sentence(error: &ClientError, base: &str) -> String {
    match error {
        ClientError::Unreachable(cause) => {
            format!("No daemon answers at {base} ({cause}). Is it running? Try: astrops status")
        }
        ClientError::Refused(problem) if problem.detail.is_empty() => format!("{}.", problem.title),
        ClientError::Refused(problem) => problem.detail.clone(),
        ClientError::Unexpected(_) => error.to_string(),
    }
}
