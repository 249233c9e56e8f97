//! The customer documents and our database are made to agree, one entity at a time.

use astrops_api::{
    Client,
    bookings::NewBooking,
    ids::{BookingId, EntityId, LaunchId},
    launches::{EditLaunch, Launch},
    reconciliation::{ChangeQuery, ConflictQuery, NewEvent, NewReconciliation, ReconJobQuery},
    vocabulary::{EntityType, JobPhase, JobStatus, ReconAction, Right, Role, Severity},
};
use astrops_daemon::documents::Collection;
use bson::{Bson, doc, oid::ObjectId};
use chrono::TimeDelta;
use serde_json::json;

use crate::{
    stories_on_both_sides,
    support::{
        Engine, TestDaemon,
        documents::{Behind, object},
        http::has_fields_of,
        refusal,
    },
};

stories_on_both_sides!(
    every_sample_of_reconciliation_is_accepted_as_written,
    what_was_changed_behind_our_back_is_put_right,
    a_booking_that_changed_in_the_documents_changes_here,
    what_differs_at_the_first_meeting_waits_for_a_person,
    what_cannot_be_read_is_told_and_nothing_is_written,
    an_entity_that_nobody_knows_fails_for_good,
    what_was_begun_is_finished_later_and_logged_once,
    events_of_one_entity_become_one_job,
    viewers_see_no_addresses,
);

/// Reconciles, and answers what the job says.
pub async fn reconcile(daemon: &TestDaemon, entity_type: EntityType, entity_id: EntityId) -> String {
    let job = daemon.operator.reconcile(&NewReconciliation { entity_type, entity_id }).await.unwrap();
    let done = daemon.ended(job.job_id).await.job;
    assert_eq!(done.status, JobStatus::Completed, "{done:?}");
    done.reconciliation.unwrap().changes_log.unwrap()
}

/// A launch that both sides know.
pub async fn agreed_launch(daemon: &TestDaemon) -> (Client, Launch) {
    let supplier = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let launch = supplier.create_launch(&daemon.new_launch(10)).await.unwrap();
    assert_eq!(reconcile(daemon, EntityType::Launch, launch.id.into()).await, "Created on document");
    (supplier, launch)
}

async fn every_sample_of_reconciliation_is_accepted_as_written(daemon: TestDaemon) {
    let (raw, behind) = (daemon.raw().await, Behind::of(&daemon).await);
    let id = |text: &str| text.parse::<EntityId>().unwrap();
    let (launch, booking) = (id("507f1f77bcf86cd799439016"), id("507f1f77bcf86cd799439018"));
    let user = ObjectId::parse_str("507f1f77bcf86cd799439011").unwrap();
    let date = bson::DateTime::parse_rfc3339_str("2026-05-01T12:00:00Z").unwrap();
    let person =
        doc! { "_id": user, "email": "Host@Example.com", "password": "x", "name": "Hosting", "role": "user" };
    behind.insert(Collection::Users, person).await;
    let event = doc! { "_id": object(launch), "name": "Moonrise", "dateTime": date, "capacity": 5, "price": 19.99,
    "availableTickets": 5, "organizerId": user };
    behind.insert(Collection::Events, event).await;
    assert_eq!(reconcile(&daemon, EntityType::Launch, launch).await, "Created on relational");
    let made = daemon.launch(LaunchId(launch.0)).await;
    assert_eq!((made.title.as_str(), made.capacity, made.price.minor()), ("Moonrise", 5, 1999));
    let wrong = doc! { "capacity": 6, "price": 1, "dateTime": bson::DateTime::from_millis(0) };
    behind.set(Collection::Events, launch, wrong).await;

    // 7. Initiate reconciliation process
    let sample = r#"{ "entityType": "launch", "entityId": "507f1f77bcf86cd799439016" }"#;
    let answer = raw.send("POST", "/reconciliation", Some(sample)).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let expected = json!({ "jobId": "507f1f77bcf86cd799439017", "type": "RECONCILIATION", "status": "queued",
        "createdAt": "2024-08-12T13:00:00Z", "updatedAt": "2024-08-12T13:00:00Z",
        "reconciliation": { "entityType": "launch", "entityId": "507f1f77bcf86cd799439016" } });
    has_fields_of(&answer.json(), &expected, &["type", "status", "entityType"], "reconciliation");
    let job = answer.json()["jobId"].as_str().unwrap().to_owned();

    // 9. Execute reconciliation jobs
    let body = json!({ "jobId": job }).to_string();
    let answer = raw.send("PUT", &format!("/jobs/{job}/execute"), Some(&body)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let done = json!({ "jobId": job, "type": "RECONCILIATION", "status": "completed",
        "startedAt": "2024-08-12T13:05:00Z", "completedAt": "2024-08-12T13:10:00Z",
        "reconciliation": { "entityType": "launch", "entityId": "507f1f77bcf86cd799439016",
            "changesLog": "Updated 3 fields: capacity, price, date" } });
    let words = ["jobId", "type", "status", "entityType", "changesLog"];
    has_fields_of(&answer.json(), &done, &words, "execute");

    // 8. Trigger reconciliation event
    let seat = doc! { "_id": object(booking), "eventId": object(launch), "userId": user, "ticketQuantity": 2,
    "totalAmount": 39.98, "status": "confirmed", "bookingDate": date, "paymentStatus": "pending" };
    behind.insert(Collection::Bookings, seat).await;
    let sample = r#"{ "entityType": "booking", "entityId": "507f1f77bcf86cd799439018", "action": "update" }"#;
    let answer = raw.send("POST", "/reconciliation/events", Some(sample)).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let expected = json!({ "eventId": "507f1f77bcf86cd799439019", "status": "queued" });
    has_fields_of(&answer.json(), &expected, &["status"], "event");
    let event = answer.json()["eventId"].as_str().unwrap().parse().unwrap();
    daemon.pass(TimeDelta::seconds(1));
    let event = daemon.operator.recon_event(event).await.unwrap();
    let ended = daemon.ended(event.job_id).await.job;
    assert_eq!(ended.reconciliation.unwrap().changes_log.as_deref(), Some("Created on relational"));
    let booked = daemon.operator.booking(BookingId(booking.0)).await.unwrap();
    assert_eq!((booked.booking.ticket_quantity, booked.booking.total_amount.minor()), (2, 3998));
    daemon.settled().await;
    let document = behind.get(Collection::Events, launch).await.unwrap();
    assert_eq!(document.get("availableTickets"), Some(&Bson::Int32(3)), "the launch followed its booking");

    // 10. Monitor reconciliation process
    let path = "/reconciliation/jobs?from=2026-03-02T00:00:00Z&to=2026-03-02T23:59:59Z&status=completed\
                &entityType=launch&entityId=507f1f77bcf86cd799439016&pageSize=10";
    let answer = raw.send("GET", path, None).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let page = answer.json();
    assert_eq!((&page["total"], &page["page"], &page["pageSize"]), (&json!(3), &json!(1), &json!(10)));
    let listed =
        page["jobs"].as_array().unwrap().iter().find(|listed| listed["jobId"] == json!(job)).unwrap();
    has_fields_of(listed, &done, &words, "jobs");
    daemon.stop().await;
}

async fn what_was_changed_behind_our_back_is_put_right(daemon: TestDaemon) {
    let (supplier, launch) = agreed_launch(&daemon).await;
    let (behind, id) = (Behind::of(&daemon).await, EntityId::from(launch.id));
    let before = behind.get(Collection::Events, id).await.unwrap();
    assert_eq!(before.get_str("name").ok(), Some("Aurora 7"));
    assert!(
        behind.get(Collection::Users, launch.host_id.into()).await.is_some(),
        "its organizer came with it"
    );

    let wrong = doc! { "capacity": 99, "price": 1, "dateTime": bson::DateTime::from_millis(0) };
    behind.set(Collection::Events, id, wrong).await;
    let diff = daemon.operator.recon_diff(EntityType::Launch, id).await.unwrap();
    let capacity = diff.fields.iter().find(|field| field.field == "capacity").unwrap();
    assert_eq!((capacity.verdict.as_str(), capacity.why.as_deref()), ("write document", Some("rel_always")));
    assert_eq!((&capacity.document, &capacity.relational), (&json!(99), &json!(10)));
    let text = "Updated 3 fields: capacity, price, date";
    assert_eq!(reconcile(&daemon, EntityType::Launch, id).await, text);
    let after = behind.get(Collection::Events, id).await.unwrap();
    assert_eq!(after.get("capacity"), Some(&Bson::Int32(10)));
    assert_eq!(after.get("dateTime"), before.get("dateTime"));
    assert!(astrops_daemon::documents::same(after.get("price").unwrap(), &Bson::Double(120.5)));
    assert_eq!(reconcile(&daemon, EntityType::Launch, id).await, "No changes");

    let query = ChangeQuery { entity_id: Some(id), ..ChangeQuery::default() };
    let changes = daemon.operator.recon_changes(&query).await.unwrap();
    assert_eq!(changes.total, 2, "the creation and the repair; No changes leaves no row");
    assert_eq!(changes.changes[0].changes_log, text);
    assert!(changes.changes[0].fields.iter().all(|field| field.overridden && field.written == "document"));

    // What the supplier changes here reaches the document.
    let edit = EditLaunch { capacity: Some(12), ..Default::default() };
    supplier.edit_launch(launch.id, &edit).await.unwrap();
    let text = reconcile(&daemon, EntityType::Launch, id).await;
    assert_eq!(text, "Updated 1 field: capacity");
    let after = behind.get(Collection::Events, id).await.unwrap();
    assert_eq!(after.get("availableTickets"), Some(&Bson::Int32(12)), "{after}");
    // A title that changed in the documents alone is taken over.
    behind.set(Collection::Events, id, doc! { "name": "Aurora 8" }).await;
    assert_eq!(reconcile(&daemon, EntityType::Launch, id).await, "Updated 1 field: title");
    assert_eq!(daemon.launch(launch.id).await.title, "Aurora 8");
    daemon.settled().await;
    daemon.stop().await;
}

async fn a_booking_that_changed_in_the_documents_changes_here(daemon: TestDaemon) {
    let (_, launch) = agreed_launch(&daemon).await;
    let carl = daemon.sign_in("carl@example.com", Role::Customer, None).await;
    let new = NewBooking { launch_id: Some(launch.id), event_id: None, ticket_quantity: 2, user_id: None };
    let booking = carl.book(&new).await.unwrap();
    let (behind, id) = (Behind::of(&daemon).await, EntityId::from(booking.id));
    assert_eq!(reconcile(&daemon, EntityType::Booking, id).await, "Created on document");
    behind.set(Collection::Bookings, id, doc! { "ticketQuantity": 3, "totalAmount": 361.5 }).await;
    let text = reconcile(&daemon, EntityType::Booking, id).await;
    assert_eq!(text, "Updated 2 fields: quantity, amount");
    assert_eq!(carl.booking(booking.id).await.unwrap().booking.ticket_quantity, 3);
    assert_eq!(daemon.launch(launch.id).await.available_tickets, 7);
    daemon.settled().await;
    let document = behind.get(Collection::Events, launch.id.into()).await.unwrap();
    assert_eq!(document.get("availableTickets"), Some(&Bson::Int32(7)), "the launch follows its booking");

    // More than there are seats: critical, and nothing is written.
    behind.set(Collection::Bookings, id, doc! { "ticketQuantity": 30 }).await;
    assert_eq!(reconcile(&daemon, EntityType::Booking, id).await, "1 conflict: quantity");
    assert_eq!(carl.booking(booking.id).await.unwrap().booking.ticket_quantity, 3);
    let conflicts = daemon.operator.recon_conflicts(&ConflictQuery::default()).await.unwrap();
    assert_eq!((conflicts.total, conflicts.conflicts[0].severity), (1, Severity::Critical), "{conflicts:?}");
    daemon.stop().await;
}

async fn what_differs_at_the_first_meeting_waits_for_a_person(daemon: TestDaemon) {
    let supplier = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let launch = supplier.create_launch(&daemon.new_launch(10)).await.unwrap();
    let (behind, id) = (Behind::of(&daemon).await, EntityId::from(launch.id));
    let start = bson::DateTime::from_millis(launch.start_date_time.timestamp_millis());
    let document = doc! { "_id": object(id), "name": "Aurora 9", "description": "Three orbits", "venue": "Kourou",
    "category": "orbital", "dateTime": start, "capacity": 10, "availableTickets": 10, "price": 120.5,
    "organizerId": object(launch.host_id.into()) };
    behind.insert(Collection::Events, document).await;
    assert_eq!(reconcile(&daemon, EntityType::Launch, id).await, "1 conflict: title");
    assert_eq!(reconcile(&daemon, EntityType::Launch, id).await, "1 conflict: title");
    let open = daemon.operator.recon_conflicts(&ConflictQuery::default()).await.unwrap();
    assert_eq!(
        (open.total, open.conflicts[0].fields[0].topic.as_str()),
        (1, "title"),
        "one row, however often"
    );
    assert!(!open.conflicts[0].fields[0].proposals.is_empty());
    behind.set(Collection::Events, id, doc! { "name": "Aurora 7" }).await;
    assert_eq!(reconcile(&daemon, EntityType::Launch, id).await, "No changes");
    let open = daemon.operator.recon_conflicts(&ConflictQuery::default()).await.unwrap();
    assert_eq!(open.total, 0, "it is over");
    daemon.stop().await;
}

async fn what_cannot_be_read_is_told_and_nothing_is_written(daemon: TestDaemon) {
    let (_, launch) = agreed_launch(&daemon).await;
    let (behind, id) = (Behind::of(&daemon).await, EntityId::from(launch.id));
    behind.set(Collection::Events, id, doc! { "price": "cheap", "name": "Other" }).await;
    assert_eq!(reconcile(&daemon, EntityType::Launch, id).await, "1 conflict: price");
    assert_eq!(daemon.launch(launch.id).await.title, "Aurora 7", "nothing of the row is written");
    assert_eq!(behind.get(Collection::Events, id).await.unwrap().get_str("price").ok(), Some("cheap"));
    let open = daemon.operator.recon_conflicts(&ConflictQuery::default()).await.unwrap();
    assert!(open.conflicts[0].fields[0].reason.contains("cheap"), "{open:?}");
    daemon.stop().await;
}

async fn what_was_begun_is_finished_later_and_logged_once(daemon: TestDaemon) {
    let (supplier, launch) = agreed_launch(&daemon).await;
    let (behind, id) = (Behind::of(&daemon).await, EntityId::from(launch.id));
    // One change for each side; our side is written, then the documents fail.
    behind.set(Collection::Events, id, doc! { "name": "Aurora 8" }).await;
    let edit = EditLaunch { capacity: Some(12), ..EditLaunch::default() };
    supplier.edit_launch(launch.id, &edit).await.unwrap();
    behind.refuse_changes(true).await;
    let body = NewReconciliation { entity_type: EntityType::Launch, entity_id: id };
    let job = daemon.operator.reconcile(&body).await.unwrap().job_id;
    daemon.when(job, |job| job.job.phase == JobPhase::Retrying).await;
    assert_eq!(daemon.launch(launch.id).await.title, "Aurora 8", "our side was written");
    assert_eq!(daemon.count("SELECT COUNT(*) FROM recon_intents").await, 1);
    let query = ChangeQuery { entity_id: Some(id), ..ChangeQuery::default() };
    let changes = daemon.operator.recon_changes(&query).await.unwrap();
    assert_eq!(changes.total, 1, "the creation; what is under way is not in the log yet");
    // Another service goes on meanwhile, with another field.
    behind.refuse_changes(false).await;
    behind.set(Collection::Events, id, doc! { "venue": "Vandenberg" }).await;

    daemon.pass(TimeDelta::minutes(1));
    let done = daemon.ended(job).await.job;
    let text = done.reconciliation.unwrap().changes_log.unwrap();
    assert_eq!(text, "Updated 2 fields: capacity, title; Updated 1 field: venue", "{:?}", done.error_message);
    let document = behind.get(Collection::Events, id).await.unwrap();
    assert_eq!(document.get("capacity"), Some(&Bson::Int32(12)));
    assert_eq!(daemon.launch(launch.id).await.venue.as_deref(), Some("Vandenberg"));
    assert_eq!(daemon.count("SELECT COUNT(*) FROM recon_intents").await, 0);
    let changes = daemon.operator.recon_changes(&query).await.unwrap();
    let logged: Vec<_> = changes.changes.iter().map(|change| change.changes_log.as_str()).collect();
    assert_eq!(
        logged,
        ["Updated 1 field: venue", "Updated 2 fields: capacity, title", "Created on document"]
    );
    assert!(daemon.operator.verify_changes().await.unwrap().ok);
    assert_eq!(reconcile(&daemon, EntityType::Launch, id).await, "No changes");
    daemon.settled().await;
    daemon.stop().await;
}

async fn an_entity_that_nobody_knows_fails_for_good(daemon: TestDaemon) {
    let entity_id: EntityId = "507f1f77bcf86cd799439099".parse().unwrap();
    let body = NewReconciliation { entity_type: EntityType::Launch, entity_id };
    let job = daemon.operator.reconcile(&body).await.unwrap().job_id;
    let job = daemon.ended(job).await.job;
    assert_eq!((job.status, job.attempt), (JobStatus::Failed, 1), "no second attempt");
    assert!(job.error_message.as_deref().unwrap().contains("on neither side"), "{job:?}");
    let refused = refusal(daemon.operator.recon_diff(EntityType::Launch, entity_id).await);
    assert!(refused.starts_with("404 not-found"), "{refused}");
    let foreign = NewReconciliation { entity_id: EntityId(uuid::Uuid::from_u128(7)), ..body };
    let refused = refusal(daemon.operator.reconcile(&foreign).await);
    assert!(refused.starts_with("422 invalid") && refused.contains("entityId"), "{refused}");
    daemon.stop().await;
}

async fn events_of_one_entity_become_one_job(daemon: TestDaemon) {
    let (_, launch) = agreed_launch(&daemon).await;
    let entity_id = launch.id.into();
    let event = NewEvent { entity_type: EntityType::Launch, entity_id, action: ReconAction::Update };
    let mut jobs = Vec::new();
    for _ in 0..5 {
        let queued = daemon.operator.nominate(&event).await.unwrap();
        jobs.push(daemon.operator.recon_event(queued.event_id).await.unwrap().job_id);
    }
    assert!(jobs.iter().all(|job| *job == jobs[0]), "{jobs:?}");
    // Whoever asks at once gets the job that waits, moved to the front.
    let body = NewReconciliation { entity_type: EntityType::Launch, entity_id };
    assert_eq!(daemon.operator.reconcile(&body).await.unwrap().job_id, jobs[0]);
    daemon.ended(jobs[0]).await;
    let query = ReconJobQuery { entity_id: Some(entity_id), ..ReconJobQuery::default() };
    assert_eq!(daemon.operator.recon_jobs(&query).await.unwrap().total, 2);
    daemon.stop().await;
}

async fn viewers_see_no_addresses(daemon: TestDaemon) {
    let (_, launch) = agreed_launch(&daemon).await;
    let viewer = daemon.sign_in("vera@example.com", Role::Employee, Some(Right::Viewer)).await;
    let diff = viewer.recon_diff(EntityType::User, launch.host_id.into()).await.unwrap();
    let changes = viewer.recon_changes(&ChangeQuery::default()).await.unwrap();
    assert!(!format!("{diff:?}{changes:?}").contains("sue@"), "{diff:?} {changes:?}");
    let changes = daemon.operator.recon_changes(&ChangeQuery::default()).await.unwrap();
    assert!(format!("{changes:?}").contains("sue@"), "operators do: {changes:?}");
    let mapping = viewer.recon_mapping().await.unwrap();
    assert_eq!(mapping.entities.len(), 3);
    daemon.stop().await;
}

#[tokio::test]
async fn a_document_database_that_is_away_delays_and_loses_nothing() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("mongodb://127.0.0.1:{port}/astro?serverSelectionTimeoutMS=200");
    let daemon =
        TestDaemon::start_with(Engine::Sqlite, |config| config.documents.url = url.into()).await.unwrap();
    let entity_id = "507f1f77bcf86cd799439016".parse().unwrap();
    let body = NewReconciliation { entity_type: EntityType::Launch, entity_id };
    let job = daemon.operator.reconcile(&body).await.unwrap().job_id;
    let job = daemon.when(job, |job| job.job.phase == JobPhase::Retrying).await.job;
    assert!(job.error_message.as_deref().unwrap().contains("cannot be reached"), "{job:?}");
    let refused = refusal(daemon.operator.recon_diff(EntityType::Launch, entity_id).await);
    assert!(refused.starts_with("503"), "{refused}");
    daemon.stop_leaving_jobs().await;
}
