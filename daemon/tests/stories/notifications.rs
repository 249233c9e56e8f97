//! From a request to a mail.

use astrops_api::{
    jobs::JobQuery,
    notifications::{NewNotification, NewPreview},
    vocabulary::{AttemptOutcome, Delivery, JobPhase, JobStatus, NotificationType, Right, Role},
};
use chrono::TimeDelta;
use serde_json::json;

use crate::{
    stories,
    support::{TestDaemon, refusal},
};

stories!(
    a_mail_is_delivered_once_with_the_jobs_id,
    every_type_can_be_previewed_and_sent,
    what_cannot_be_filled_is_refused_and_nothing_is_stored,
    a_mail_for_later_waits_for_its_time,
    the_same_key_gets_the_same_answer,
    twins_sent_at_once_are_one_job,
    a_viewer_sees_masked_mails_and_sends_none,
);

fn booking(recipient: &str) -> NewNotification {
    NewNotification {
        kind: NotificationType::NewBooking,
        recipient: recipient.to_owned(),
        data: json!({ "bookingId": "booking123", "launchId": "launch456", "seats": 2 }),
        run_at: None,
    }
}

async fn a_mail_is_delivered_once_with_the_jobs_id(daemon: TestDaemon) {
    let queued = daemon.operator.notify(&booking("supplier@example.com")).await.unwrap();
    assert_eq!(queued.status, JobStatus::Queued);
    let job = daemon.ended(queued.job_id).await;
    assert_eq!(
        (job.job.status, job.job.phase, job.job.delivery),
        (JobStatus::Completed, JobPhase::Done, Some(Delivery::Sent))
    );
    assert_eq!(job.attempts.iter().map(|attempt| attempt.outcome).collect::<Vec<_>>(), [AttemptOutcome::Ok]);
    let told: Vec<&str> = job.logs.iter().map(|entry| entry.message.as_str()).collect();
    assert!(told[0].contains("accepted") && told[1].contains("sent"), "{told:?}");
    assert!(told.iter().all(|text| !text.contains("supplier@")), "addresses are masked in logs: {told:?}");
    let mail = daemon.mail(queued.job_id).unwrap();
    assert!(mail.contains(&format!("Message-ID: <{}@astrobookings.example>", queued.job_id)), "{mail}");
    assert!(mail.contains("To: supplier@example.com") && mail.contains("booking123"));
    assert_eq!(std::fs::read_dir(daemon.mail_dir()).unwrap().count(), 1);
    daemon.stop().await;
}

async fn every_type_can_be_previewed_and_sent(daemon: TestDaemon) {
    let types = daemon.operator.notification_types().await.unwrap().types;
    assert_eq!(types.len(), NotificationType::ALL.len());
    for info in types {
        let data: serde_json::Map<_, _> =
            info.required.iter().map(|field| (field.clone(), json!("2026-05-01"))).collect();
        let preview = daemon
            .operator
            .preview(&NewPreview { kind: info.kind, data: data.clone().into() })
            .await
            .unwrap();
        assert!(!preview.subject.is_empty() && !preview.text.is_empty() && preview.html.contains("<html"));
        let new = NewNotification {
            kind: info.kind,
            recipient: "c@example.com".to_owned(),
            data: data.into(),
            run_at: None,
        };
        let queued = daemon.operator.notify(&new).await.unwrap();
        assert_eq!(daemon.ended(queued.job_id).await.job.status, JobStatus::Completed, "{}", info.kind);
    }
    daemon.stop().await;
}

async fn what_cannot_be_filled_is_refused_and_nothing_is_stored(daemon: TestDaemon) {
    let without = NewNotification { data: json!({ "bookingId": "b" }), ..booking("supplier@example.com") };
    let refused = refusal(daemon.operator.notify(&without).await);
    assert!(
        refused.starts_with("422 invalid")
            && refused.contains("/data/launchId")
            && refused.contains("/data/seats"),
        "{refused}"
    );
    for address in [
        "",
        "nobody",
        "a@b@c",
        "a@example.com\r\nBcc: all@example.com",
        "Ana <ana@example.com>",
        "a@ex ample.com",
    ] {
        let refused = refusal(daemon.operator.notify(&booking(address)).await);
        assert!(
            refused.starts_with("422 invalid") && refused.contains("/recipient"),
            "{address:?}: {refused}"
        );
    }
    assert_eq!(daemon.operator.jobs(&JobQuery::default()).await.unwrap().total, 0);
    daemon.stop().await;
}

async fn a_mail_for_later_waits_for_its_time(daemon: TestDaemon) {
    let at = daemon.now() + TimeDelta::minutes(30);
    let queued = daemon
        .operator
        .notify(&NewNotification { run_at: Some(at), ..booking("s@example.com") })
        .await
        .unwrap();
    let job = daemon.operator.job(queued.job_id, false).await.unwrap().job;
    assert_eq!((job.status, job.phase, job.next_run_at), (JobStatus::Queued, JobPhase::Scheduled, Some(at)));
    daemon.pass(TimeDelta::minutes(31));
    assert_eq!(daemon.ended(queued.job_id).await.job.status, JobStatus::Completed);
    daemon.stop().await;
}

async fn the_same_key_gets_the_same_answer(daemon: TestDaemon) {
    let raw = daemon.raw().await;
    let body = serde_json::to_vec(&booking("s@example.com")).unwrap();
    let headers = [("content-type", "application/json"), ("idempotency-key", "order-7")];
    let first = raw.send_with("POST", "/notifications", &headers, body.clone()).await;
    let again = raw.send_with("POST", "/notifications", &headers, body).await;
    assert_eq!((first.status, &first.text), (again.status, &again.text));
    let other = serde_json::to_vec(&booking("t@example.com")).unwrap();
    assert_eq!(
        raw.send_with("POST", "/notifications", &headers, other).await.problem().slug(),
        "idempotency-key-reused"
    );
    assert_eq!(daemon.operator.jobs(&JobQuery::default()).await.unwrap().total, 1);
    daemon.ended(first.json()["jobId"].as_str().unwrap().parse().unwrap()).await;
    daemon.stop().await;
}

async fn twins_sent_at_once_are_one_job(daemon: TestDaemon) {
    let raw = daemon.raw().await;
    let body = serde_json::to_vec(&booking("s@example.com")).unwrap();
    let headers = [("content-type", "application/json"), ("idempotency-key", "order-8")];
    let send = || raw.send_with("POST", "/notifications", &headers, body.clone());
    let answers = futures::future::join_all((0..8).map(|_| send())).await;
    assert!(
        answers.iter().all(|answer| answer.status == 202 && answer.text == answers[0].text),
        "{answers:#?}"
    );
    assert_eq!(daemon.operator.jobs(&JobQuery::default()).await.unwrap().total, 1);
    daemon.ended(answers[0].json()["jobId"].as_str().unwrap().parse().unwrap()).await;
    daemon.stop().await;
}

async fn a_viewer_sees_masked_mails_and_sends_none(daemon: TestDaemon) {
    let viewer = daemon.sign_in("vera@example.com", Role::Employee, Some(Right::Viewer)).await;
    let queued = daemon.operator.notify(&booking("supplier@example.com")).await.unwrap();
    daemon.ended(queued.job_id).await;
    assert!(refusal(viewer.notify(&booking("x@example.com")).await).starts_with("403"));
    let seen = viewer.job(queued.job_id, false).await.unwrap();
    let mail = seen.job.notification.unwrap();
    assert_eq!(
        (mail.recipient_email.as_str(), mail.message.as_deref(), mail.data),
        ("s***@example.com", Some("[private]"), None)
    );
    assert!(refusal(viewer.job(queued.job_id, true).await).starts_with("403"));
    let shown = daemon.operator.job(queued.job_id, true).await.unwrap();
    assert!(!shown.masked && shown.job.notification.unwrap().message.unwrap().contains("booking123"));
    daemon.stop().await;
}
