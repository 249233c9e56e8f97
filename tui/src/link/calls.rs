//! From a request to its call and from the answer to updates.

use std::{future::Future, sync::Arc, time::Duration};

use astrops_api::{
    Client, ClientError,
    auth::{Login, SignedIn},
    client::{ExecuteAnswer, http_client},
    ids::JobId,
    logs::{HistogramQuery, LogQuery},
    vocabulary::Severity,
};
use futures::{FutureExt, StreamExt, future::BoxFuture};
use tokio::time::Instant;

use super::{Finished, session_over};
use crate::message::{Change, Outcome, Request, Update};

/// Calls of one change that run at once.
const SIDE_BY_SIDE: usize = 8;

/// How long an operator waits in front of `run now`; the job goes on in any case.
const EXECUTE_WAIT: Duration = Duration::from_secs(30);

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
            updates: vec![Update::Failed(Box::new(request), error.to_string())],
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
        // The link answers these itself and never hands them on.
        Request::SignIn(_) | Request::SignOut | Request::Change(_) => {
            return Err(ClientError::Unexpected("not a question".into()));
        }
    })
}

async fn change(client: Client, change: Change) -> Finished {
    let (outcomes, faults): (Vec<Outcome>, Vec<Option<ClientError>>) =
        perform(&client, &change).await.into_iter().unzip();
    Finished {
        updates: vec![Update::Done(change, outcomes)],
        took: None,
        fault: faults.into_iter().flatten().next(),
    }
}

type Performed = (Outcome, Option<ClientError>);

async fn perform(client: &Client, change: &Change) -> Vec<Performed> {
    match change {
        Change::Retry(ids) => each(ids, |id| async move { client.retry_job(id).await.map(drop) }).await,
        Change::Cancel(ids) => each(ids, |id| async move { client.cancel_job(id).await.map(drop) }).await,
        Change::Delete(ids) => each(ids, |id| client.delete_job(id)).await,
        Change::Delay(ids, delay) => {
            each(ids, |id| async move { client.delay_job(id, delay).await.map(drop) }).await
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

async fn each<F>(ids: &[JobId], act: impl Fn(JobId) -> F + Send) -> Vec<Performed>
where
    F: Future<Output = Result<(), ClientError>> + Send,
{
    let acting: Vec<_> = ids
        .iter()
        .map(|id| {
            let (target, acting) = (id.short(), act(*id));
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
                other => other.to_string(),
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
