//! The samples of the source documents, stories 1 to 6, sent as they are written.

use serde_json::{Value, json};

use crate::{
    stories,
    support::{TestDaemon, http::has_fields_of},
};

stories!(every_sample_is_accepted_as_written);

async fn every_sample_is_accepted_as_written(daemon: TestDaemon) {
    let anyone = daemon.raw_anyone();
    let operator = daemon.raw().await;

    // 1. Secure user registration
    let sample = r#"{ "email": "newuser@example.com", "password": "SecurePass123!", "role": "customer" }"#;
    let answer = anyone.send("POST", "/auth/register", Some(sample)).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let expected = json!({ "id": "507f1f77bcf86cd799439011", "email": "newuser@example.com", "role": "customer", "createdAt": "2024-08-12T10:00:00Z" });
    has_fields_of(&answer.json(), &expected, &["email", "role"], "register");

    // 2. User authentication
    let sample = r#"{ "email": "newuser@example.com", "password": "SecurePass123!" }"#;
    let answer = anyone.send("POST", "/auth/login", Some(sample)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let expected = json!({ "token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9...", "expiresIn": 3600,
        "user": { "id": "507f1f77bcf86cd799439011", "email": "newuser@example.com", "role": "customer" } });
    has_fields_of(&answer.json(), &expected, &["expiresIn", "email", "role"], "login");

    // 3. System event logging
    let sample = r#"{ "eventType": "AUTH", "severity": "error", "message": "Failed login attempt", "userId": "507f1f77bcf86cd799439011",
        "ipAddress": "192.168.1.1", "additionalData": { "reason": "Invalid password" } }"#;
    let answer = operator.send("POST", "/logs", Some(sample)).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let mut expected: Value = serde_json::from_str(sample).unwrap();
    expected["id"] = json!("507f1f77bcf86cd799439013");
    expected["timestamp"] = json!("2024-08-12T10:15:30Z");
    let words = ["eventType", "severity", "message", "ipAddress", "additionalData"];
    has_fields_of(&answer.json(), &expected, &words, "log");

    // 4. Retrieve system logs
    let path = "/logs?from=2026-03-02T00:00:00Z&to=2026-03-02T23:59:59Z&eventType=AUTH&severity=error";
    let answer = operator.send("GET", path, None).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let expected = json!({ "logs": [expected], "total": 1, "page": 1, "pageSize": 10 });
    has_fields_of(&answer.json(), &expected, &["total", "page", "pageSize", "message"], "logs");

    // 5. Trigger e-mail notifications
    let sample = r#"{ "type": "NEW_BOOKING", "recipient": "supplier@example.com",
        "data": { "bookingId": "booking123", "launchId": "launch456", "seats": 2 } }"#;
    let answer = operator.send("POST", "/notifications", Some(sample)).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let expected = json!({ "jobId": "507f1f77bcf86cd799439014", "status": "queued" });
    has_fields_of(&answer.json(), &expected, &["status"], "notification");
    let first = answer.json()["jobId"].as_str().unwrap().parse().unwrap();

    // 6. Process notification jobs
    let sample = r#"{ "type": "NOTIFICATION", "notification": { "recipientEmail": "customer@example.com",
        "subject": "Booking Confirmation", "message": "Your booking has been confirmed." } }"#;
    let answer = operator.send("POST", "/jobs", Some(sample)).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let expected = json!({ "id": "507f1f77bcf86cd799439015", "type": "NOTIFICATION", "status": "queued",
        "createdAt": "2024-08-12T12:00:00Z", "updatedAt": "2024-08-12T12:00:00Z" });
    has_fields_of(&answer.json(), &expected, &["type", "status"], "job");
    let second = answer.json()["id"].as_str().unwrap().parse().unwrap();

    for id in [first, second] {
        assert_eq!(daemon.ended(id).await.job.status.as_str(), "completed");
    }
    let mail = daemon.mail(second).unwrap();
    assert!(
        mail.contains("Subject: Booking Confirmation") && mail.contains("Your booking has been confirmed."),
        "{mail}"
    );

    // The ids of the samples are accepted as written: they name nothing here.
    for path in ["/jobs/507f1f77bcf86cd799439015", "/logs?userId=507f1f77bcf86cd799439099"] {
        let answer = operator.send("GET", path, None).await;
        assert!(answer.status == 404 || answer.json()["total"] == 0, "{answer:?}");
    }
    let body = r#"{ "jobId": "507f1f77bcf86cd799439017" }"#;
    let answer = operator.send("PUT", "/jobs/507f1f77bcf86cd799439017/execute", Some(body)).await;
    assert_eq!(answer.problem().status, 404);
    daemon.stop().await;
}
