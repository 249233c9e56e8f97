//! From a request to a mail server, good or bad.

use astrops_api::{
    ids::JobId,
    notifications::NewNotification,
    vocabulary::{Delivery, JobPhase, JobStatus, NotificationType, Severity},
};
use astrops_daemon::config::{MailTransport, TlsMode};
use chrono::TimeDelta;
use serde_json::json;

use crate::support::{Engine, TestDaemon, smtp};

async fn send(daemon: &TestDaemon, recipient: &str) -> JobId {
    let data = json!({ "bookingId": "booking123", "launchId": "launch456", "seats": 2 });
    let kind = NotificationType::NewBooking;
    let new = NewNotification { kind, recipient: recipient.to_owned(), data, run_at: None };
    daemon.operator.notify(&new).await.unwrap().job_id
}

async fn every_answer_of_the_mail_server_ends_as_it_should(engine: Engine) {
    let (address, taken) = smtp::serve().await;
    let daemon = TestDaemon::start_with(engine, |config| {
        config.mail.transport = MailTransport::Smtp;
        config.mail.smtp.host = Some(address.ip().to_string());
        config.mail.smtp.port = address.port();
        config.mail.smtp.tls = TlsMode::None;
    })
    .await;
    let Some(daemon) = daemon else { return };

    let good = send(&daemon, "supplier@example.com").await;
    let job = daemon.ended(good).await.job;
    assert_eq!((job.status, job.delivery), (JobStatus::Completed, Some(Delivery::Sent)));

    let refused = send(&daemon, "reject@example.com").await;
    let job = daemon.ended(refused).await.job;
    assert_eq!((job.status, job.delivery, job.attempt), (JobStatus::Failed, Some(Delivery::NotSent), 1));
    assert!(job.error_message.unwrap().contains("550 5.1.1 No such user"));

    let greylisted = send(&daemon, "greylist@example.com").await;
    let waiting = daemon.when(greylisted, |job| job.job.phase == JobPhase::Retrying).await;
    assert_eq!(waiting.job.delivery, Some(Delivery::NotSent));
    daemon.pass(TimeDelta::seconds(13));
    let job = daemon.ended(greylisted).await;
    assert_eq!((job.job.status, job.attempts.len()), (JobStatus::Completed, 2));

    let vanished = send(&daemon, "vanish@example.com").await;
    let job = daemon.ended(vanished).await;
    assert_eq!(
        (job.job.status, job.job.phase, job.job.delivery),
        (JobStatus::Failed, JobPhase::Dead, Some(Delivery::Unknown))
    );
    assert!(job.logs.iter().any(|entry| entry.severity == Severity::Critical), "somebody must act");

    let received = taken.lock().unwrap().clone();
    let recipients: Vec<&str> = received.iter().map(|(recipient, _)| recipient.as_str()).collect();
    assert_eq!(recipients, ["supplier@example.com", "greylist@example.com"], "exactly one message each");
    assert!(
        received[1].1.contains(&format!("<{greylisted}@")),
        "the Message-ID is the job's in every attempt"
    );
    daemon.stop().await;
}

#[tokio::test]
async fn every_answer_of_the_mail_server_ends_as_it_should_on_sqlite() {
    every_answer_of_the_mail_server_ends_as_it_should(Engine::Sqlite).await;
}

#[tokio::test]
async fn every_answer_of_the_mail_server_ends_as_it_should_on_postgres() {
    every_answer_of_the_mail_server_ends_as_it_should(Engine::Postgres).await;
}
