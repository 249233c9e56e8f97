//! People decide what the rules do not: what is written, what is refused, and what can be taken back.

use std::collections::BTreeMap;

use astrops_api::{
    Client,
    bookings::NewBooking,
    ids::{EntityId, LaunchId},
    launches::{EditLaunch, Launch},
    reconciliation::{ChangeQuery, Conflict, ConflictQuery},
    resolution::{Choice, Resolve, ResolveMany, Revert, Snooze, Take},
    vocabulary::{EntityType, JobStatus, Right, Role, Severity},
};
use astrops_daemon::documents::Collection;
use bson::doc;
use chrono::TimeDelta;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    reconciliation::{agreed_launch, reconcile},
    stories_on_both_sides,
    support::{
        TestDaemon,
        documents::{Behind, object},
        refusal,
    },
};

stories_on_both_sides!(
    a_person_decides_and_both_sides_follow,
    a_decision_can_be_taken_back_while_it_is_held,
    a_decision_about_what_changed_since_is_refused,
    what_makes_no_sense_is_refused_and_writes_nothing,
    a_value_solves_what_no_side_can,
    a_row_that_is_missing_is_deleted_or_made_again_as_decided,
    a_conflict_is_put_off_until_it_matters,
    many_are_decided_at_once_each_by_itself,
    a_change_is_taken_back_unless_somebody_built_on_it,
    viewers_see_and_decide_nothing_personal,
    a_booking_goes_to_another_launch_only_where_there_are_seats,
    a_decision_that_was_torn_away_behind_its_end_is_not_made_twice,
);

/// A launch of `supplier` whose titles differ at the first meeting, and its conflict.
pub async fn torn(daemon: &TestDaemon, supplier: &Client) -> (Launch, Uuid) {
    let launch = supplier.create_launch(&daemon.new_launch(10)).await.unwrap();
    let (behind, id) = (Behind::of(daemon).await, EntityId::from(launch.id));
    let start = bson::DateTime::from_millis(launch.start_date_time.timestamp_millis());
    let document = doc! { "_id": object(id), "name": "Aurora 9", "description": "Three orbits", "venue": "Kourou",
    "category": "orbital", "dateTime": start, "capacity": 10, "availableTickets": 10, "price": 120.5,
    "organizerId": object(launch.host_id.into()) };
    behind.insert(Collection::Events, document).await;
    assert_eq!(reconcile(daemon, EntityType::Launch, id).await, "1 conflict: title");
    (launch, conflict_of(daemon, id).await.unwrap().id)
}

/// A launch whose document had another price, which was overwritten by ours; and that change.
pub async fn overwritten(daemon: &TestDaemon, supplier: &Client) -> (Launch, Uuid) {
    let launch = supplier.create_launch(&daemon.new_launch(10)).await.unwrap();
    let id = EntityId::from(launch.id);
    // The organizer first: another job may be making that document at this moment.
    reconcile(daemon, EntityType::User, launch.host_id.into()).await;
    assert_eq!(reconcile(daemon, EntityType::Launch, id).await, "Created on document");
    Behind::of(daemon).await.set(Collection::Events, id, doc! { "price": 99.5 }).await;
    assert_eq!(reconcile(daemon, EntityType::Launch, id).await, "Updated 1 field: price");
    (launch, latest(daemon, id).await)
}

async fn supplier(daemon: &TestDaemon) -> Client {
    daemon.sign_in("sue@example.com", Role::Supplier, None).await
}

async fn conflict_of(daemon: &TestDaemon, id: EntityId) -> Option<Conflict> {
    let query = ConflictQuery { entity_id: Some(id), snoozed: Some(true), ..ConflictQuery::default() };
    daemon.operator.recon_conflicts(&query).await.unwrap().conflicts.pop()
}

/// The latest change of an entity.
async fn latest(daemon: &TestDaemon, id: EntityId) -> Uuid {
    let query = ChangeQuery { entity_id: Some(id), ..ChangeQuery::default() };
    daemon.operator.recon_changes(&query).await.unwrap().changes[0].id
}

fn choose(field: &str, choice: Choice) -> Resolve {
    Resolve {
        choices: BTreeMap::from([(field.to_owned(), choice)]),
        reason: "the supplier said so".to_owned(),
        dry_run: false,
        seen: None,
        hold_seconds: 0,
    }
}

/// Title and price on both sides.
async fn sides(daemon: &TestDaemon, id: LaunchId) -> (String, String) {
    let document = Behind::of(daemon).await.get(Collection::Events, id.into()).await.unwrap();
    let ours = daemon.launch(id).await;
    let price = f64::from(u32::try_from(ours.price.minor()).unwrap()) / 100.0;
    let theirs = format!("{} {:?}", document.get_str("name").unwrap(), document.get_f64("price").unwrap());
    (theirs, format!("{} {price:?}", ours.title))
}

fn both(text: &str) -> (String, String) {
    (text.to_owned(), text.to_owned())
}

async fn a_person_decides_and_both_sides_follow(daemon: TestDaemon) {
    let (launch, id) = torn(&daemon, &supplier(&daemon).await).await;
    let detail = daemon.operator.recon_conflict(id).await.unwrap();
    assert_eq!(detail.conflict.fields[0].topic, "title");
    let title = detail.diff.fields.iter().find(|field| field.field == "title").unwrap();
    assert_eq!((title.document.clone(), title.relational.clone()), (json!("Aurora 9"), json!("Aurora 7")));

    // A preview writes nothing: no job, no audit row.
    let counted = "SELECT (SELECT COUNT(*) FROM jobs) + (SELECT COUNT(*) FROM audit_log)";
    let rows = daemon.count(counted).await;
    let preview = Resolve { dry_run: true, reason: String::new(), ..choose("title", Choice::Document) };
    let seen = daemon.operator.resolve_conflict(id, &preview).await.unwrap();
    assert_eq!(
        (seen.dry_run, seen.job_id, seen.changes_log.as_str()),
        (true, None, "Updated 1 field: title")
    );
    let change = &seen.changes[0];
    assert_eq!((change.written.as_str(), change.rule.as_str()), ("relational", "decision"));
    assert_eq!((change.relational.clone(), change.after.clone()), (json!("Aurora 7"), json!("Aurora 9")));
    assert!(seen.conflicts.is_empty());
    assert_eq!(daemon.count(counted).await, rows);
    assert_eq!(sides(&daemon, launch.id).await, ("Aurora 9 120.5".into(), "Aurora 7 120.5".into()));

    let decision = Resolve { seen: Some(seen.seen), ..choose("title", Choice::Document) };
    let queued = daemon.operator.resolve_conflict(id, &decision).await.unwrap();
    let job = daemon.ended(queued.job_id.unwrap()).await.job;
    assert_eq!(job.status, JobStatus::Completed, "{job:?}");
    let told = serde_json::to_string(&job).unwrap();
    assert!(told.contains("Updated 1 field: title") && !told.contains("decision"), "{told}");
    assert_eq!(sides(&daemon, launch.id).await, both("Aurora 9 120.5"));
    assert_eq!(reconcile(&daemon, EntityType::Launch, launch.id.into()).await, "No changes");

    assert!(conflict_of(&daemon, launch.id.into()).await.is_none(), "it is over");
    let over = refusal(daemon.operator.recon_conflict(id).await);
    assert!(over.starts_with("404") && over.contains("is over since"), "{over}");
    let over = refusal(daemon.operator.resolve_conflict(id, &decision).await);
    assert!(over.starts_with("409") && over.contains("nothing is to be decided"), "{over}");
    let query = ChangeQuery { job_id: queued.job_id, ..ChangeQuery::default() };
    let change = daemon.operator.recon_changes(&query).await.unwrap().changes.remove(0);
    assert!(change.actor.starts_with("user:"), "{change:?}");
    assert_eq!(change.actor_email.as_deref(), Some("ana@example.com"));
    assert_eq!(change.reason.as_deref(), Some("the supplier said so"));
    let chain = daemon.operator.verify_changes().await.unwrap();
    assert!(chain.ok && chain.rows >= 1, "{chain:?}");
    daemon.change("UPDATE recon_changes SET actor = 'nobody'").await;
    assert!(!daemon.operator.verify_changes().await.unwrap().ok);
    daemon.stop().await;
}

async fn a_decision_can_be_taken_back_while_it_is_held(daemon: TestDaemon) {
    let (launch, id) = torn(&daemon, &supplier(&daemon).await).await;
    let held = Resolve { hold_seconds: 10, ..choose("title", Choice::Document) };
    let first = daemon.operator.resolve_conflict(id, &held).await.unwrap();
    assert_eq!(first.run_at, Some(daemon.now() + TimeDelta::seconds(10)));
    let job = first.job_id.unwrap();
    let second = refusal(daemon.operator.resolve_conflict(id, &held).await);
    assert!(second.starts_with("409 duplicate-job"), "{second}");
    for part in [
        "ana@example.com has decided",
        "title=document: the supplier said so",
        "jobs cancel",
        &job.to_string(),
    ] {
        assert!(second.contains(part), "{part}: {second}");
    }
    // Whoever comes next sees it before deciding.
    let waits = daemon.operator.recon_conflict(id).await.unwrap().conflict.decision.unwrap();
    assert_eq!((waits.job_id, Some(waits.run_at)), (job, first.run_at));
    assert_eq!(conflict_of(&daemon, launch.id.into()).await.unwrap().decision, Some(waits.clone()));
    let dry = Resolve { dry_run: true, ..choose("title", Choice::Relational) };
    assert_eq!(daemon.operator.resolve_conflict(id, &dry).await.unwrap().decision, Some(waits.clone()));
    let shown = daemon.operator.job(job, false).await.unwrap();
    assert_eq!(shown.created_by_email.as_deref(), Some("ana@example.com"));
    assert_eq!((shown.decision, shown.masked), (Some(waits), false), "what the job does is no secret");
    // Somebody who reconciles at this moment does not join the decision, and does not carry it out.
    assert_eq!(reconcile(&daemon, EntityType::Launch, launch.id.into()).await, "1 conflict: title");
    daemon.operator.cancel_job(job).await.unwrap();
    // What was taken back stays so.
    for refused in
        [refusal(daemon.operator.retry_job(job).await), refusal(daemon.operator.execute_job(job, None).await)]
    {
        assert!(refused.starts_with("409") && refused.contains("decide anew"), "{refused}");
    }
    assert!(conflict_of(&daemon, launch.id.into()).await.unwrap().decision.is_none());
    daemon.pass(TimeDelta::seconds(11));
    assert_eq!(daemon.ended(job).await.job.status, JobStatus::Cancelled);
    assert_eq!(sides(&daemon, launch.id).await, ("Aurora 9 120.5".into(), "Aurora 7 120.5".into()));
    let again = daemon.operator.resolve_conflict(id, &held).await.unwrap();
    daemon.pass(TimeDelta::seconds(11));
    assert_eq!(daemon.ended(again.job_id.unwrap()).await.job.status, JobStatus::Completed);
    assert_eq!(sides(&daemon, launch.id).await, both("Aurora 9 120.5"));
    daemon.stop().await;
}

async fn a_decision_about_what_changed_since_is_refused(daemon: TestDaemon) {
    let (launch, id) = torn(&daemon, &supplier(&daemon).await).await;
    let behind = Behind::of(&daemon).await;
    let preview = Resolve { dry_run: true, ..choose("title", Choice::Document) };
    let seen = daemon.operator.resolve_conflict(id, &preview).await.unwrap().seen;
    let held = Resolve { hold_seconds: 10, ..choose("title", Choice::Document) };
    let queued = daemon.operator.resolve_conflict(id, &held).await.unwrap();
    behind.set(Collection::Events, launch.id.into(), doc! { "name": "Hijacked" }).await;

    let stale = Resolve { seen: Some(seen), ..held };
    let refused = refusal(daemon.operator.resolve_conflict(id, &stale).await);
    assert!(refused.starts_with("409") && refused.contains("changed since you looked"), "{refused}");
    daemon.pass(TimeDelta::seconds(11));
    let job = daemon.ended(queued.job_id.unwrap()).await.job;
    assert_eq!((job.status, job.attempt), (JobStatus::Failed, 1), "no second attempt: {job:?}");
    assert!(job.error_message.unwrap().contains("changed since this was decided"));
    assert_eq!(sides(&daemon, launch.id).await, ("Hijacked 120.5".into(), "Aurora 7 120.5".into()));
    // What nobody decided on may move: a counter does not spoil a decision.
    let queued = daemon.operator.resolve_conflict(id, &Resolve { seen: None, ..stale }).await.unwrap();
    behind.set(Collection::Events, launch.id.into(), doc! { "availableTickets": 3 }).await;
    daemon.pass(TimeDelta::seconds(11));
    assert_eq!(daemon.ended(queued.job_id.unwrap()).await.job.status, JobStatus::Completed);
    assert_eq!(sides(&daemon, launch.id).await, both("Hijacked 120.5"));
    daemon.stop().await;
}

async fn what_makes_no_sense_is_refused_and_writes_nothing(daemon: TestDaemon) {
    let (launch, id) = torn(&daemon, &supplier(&daemon).await).await;
    let raw = daemon.raw().await;
    let path = format!("/reconciliation/conflicts/{id}/resolve");
    for (choices, reason, hold, pointer, why) in [
        (json!({}), "r", 0, "/choices", "at least one field"),
        (json!({ "shoe": "document" }), "r", 0, "/choices/shoe", "is no field of a launch"),
        (json!({ "availableTickets": "document" }), "r", 0, "/choices/availableTickets", "never decided"),
        (json!({ "price": { "value": "cheap" } }), "r", 0, "/choices/price", "expected an amount"),
        (json!({ "title": "base" }), "r", 0, "/choices/title", "never agreed"),
        (json!({ "title": "theirs" }), "r", 0, "/choices/title", "must be \"document\""),
        (json!({ "price": { "value": 1, "x": 2 } }), "r", 0, "/choices/price", "nothing besides"),
        (json!({ "deletion": "document" }), "r", 0, "/choices/deletion", "there on both sides"),
        (json!({ "price": "document" }), "r", 0, "/choices", "both sides hold that already"),
        (json!({ "title": "document" }), "", 0, "/reason", "is empty"),
        (json!({ "title": "document" }), "r", 61, "/holdSeconds", "0 to 60"),
    ] {
        let body = json!({ "choices": choices, "reason": reason, "holdSeconds": hold }).to_string();
        let answer = raw.send("POST", &path, Some(&body)).await;
        let problem = answer.problem();
        assert_eq!(answer.status, 422, "{body}: {answer:?}");
        let error = problem.errors.iter().find(|error| error.pointer == pointer);
        assert!(error.is_some_and(|error| error.detail.contains(why)), "{body}: {problem:?}");
        // Whoever is shown one line reads why, and no pointers.
        let line = problem.sentence();
        assert!(line.contains(why) && !line.contains("not valid") && !line.contains("/choices"), "{line}");
    }
    let nobody = "/reconciliation/conflicts/507f1f77-bcf8-6cd7-9943-901100000000/resolve";
    let body = json!({ "choices": { "title": "document" }, "reason": "r" }).to_string();
    assert_eq!(raw.send("POST", nobody, Some(&body)).await.status, 404);
    // Nobody slips a decision into a plain job.
    let plain = json!({ "type": "RECONCILIATION", "reconciliation": { "entityType": "launch", "entityId": launch.id,
        "decision": { "choices": { "title": "document" }, "reason": "r" } } });
    assert_eq!(raw.send("POST", "/jobs", Some(&plain.to_string())).await.status, 422);
    assert_eq!(sides(&daemon, launch.id).await, ("Aurora 9 120.5".into(), "Aurora 7 120.5".into()));
    // The same request twice is one decision.
    let headers = [("idempotency-key", "once"), ("content-type", "application/json")];
    let first = raw.send_with("POST", &path, &headers, body.clone().into_bytes()).await;
    assert_eq!(first.status, 202, "{first:?}");
    daemon.settled().await;
    let second = raw.send_with("POST", &path, &headers, body.clone().into_bytes()).await;
    assert_eq!((second.status, second.json()), (202, first.json()));
    daemon.stop().await;
}

async fn a_value_solves_what_no_side_can(daemon: TestDaemon) {
    let (_, launch) = agreed_launch(&daemon).await;
    let (behind, id) = (Behind::of(&daemon).await, "507f1f77bcf86cd799439018".parse::<EntityId>().unwrap());
    let user = doc! { "_id": object("507f1f77bcf86cd799439011".parse().unwrap()), "email": "carl@example.com",
    "password": "x", "role": "user" };
    let user_id = user.get("_id").cloned();
    behind.insert(Collection::Users, user).await;
    let seats = doc! { "_id": object(id), "eventId": object(launch.id.into()), "userId": user_id, "ticketQuantity": 12,
    "totalAmount": 39.98, "status": "confirmed", "bookingDate": bson::DateTime::from_millis(0),
    "paymentStatus": "pending" };
    behind.insert(Collection::Bookings, seats).await;
    assert_eq!(reconcile(&daemon, EntityType::Booking, id).await, "1 conflict: quantity");
    let conflict = conflict_of(&daemon, id).await.unwrap();
    assert_eq!(conflict.severity, Severity::Critical);
    // The rules hold for people: twelve seats do not fit, whoever says so.
    let still =
        refusal(daemon.operator.resolve_conflict(conflict.id, &choose("quantity", Choice::Document)).await);
    assert!(still.starts_with("422") && still.contains("12 seats and 10 are left"), "{still}");
    let ten = choose("quantity", Choice::Value(json!(10)));
    let queued = daemon.operator.resolve_conflict(conflict.id, &ten).await.unwrap();
    assert_eq!(queued.changes_log, "Created on relational; Updated 1 field: quantity");
    assert_eq!(daemon.ended(queued.job_id.unwrap()).await.job.status, JobStatus::Completed);
    assert_eq!(daemon.launch(launch.id).await.available_tickets, 0);
    let document = behind.get(Collection::Bookings, id).await.unwrap();
    assert_eq!(document.get_i32("ticketQuantity").unwrap(), 10);
    assert!(conflict_of(&daemon, id).await.is_none());
    daemon.stop().await;
}

async fn a_row_that_is_missing_is_deleted_or_made_again_as_decided(daemon: TestDaemon) {
    let supplier = supplier(&daemon).await;
    for (side, expected) in
        [(Choice::Relational, "Created on document"), (Choice::Document, "Deleted on relational")]
    {
        let launch = supplier.create_launch(&daemon.new_launch(10)).await.unwrap();
        let id = EntityId::from(launch.id);
        reconcile(&daemon, EntityType::Launch, id).await;
        Behind::of(&daemon).await.remove(Collection::Events, Some(id)).await;
        let edit = EditLaunch { title: Some("Aurora 8".to_owned()), ..EditLaunch::default() };
        supplier.edit_launch(launch.id, &edit).await.unwrap();
        reconcile(&daemon, EntityType::Launch, id).await;
        // As if the grace time were over.
        daemon.change("UPDATE recon_drift SET missing_since = '2026-03-01T00:00:00+00:00'").await;
        assert_eq!(reconcile(&daemon, EntityType::Launch, id).await, "1 conflict: deletion");
        let conflict = conflict_of(&daemon, id).await.unwrap().id;
        let queued =
            daemon.operator.resolve_conflict(conflict, &choose("deletion", side.clone())).await.unwrap();
        assert_eq!(queued.changes_log, expected);
        assert!(!queued.changes.is_empty(), "the preview names what is written: {queued:?}");
        let job = daemon.ended(queued.job_id.unwrap()).await.job;
        assert_eq!(job.reconciliation.unwrap().changes_log.as_deref(), Some(expected));
        let document = Behind::of(&daemon).await.get(Collection::Events, id).await;
        assert_eq!(document.is_some(), side == Choice::Relational);
        // The first of the two stays.
        assert_eq!(daemon.count("SELECT COUNT(*) FROM launches WHERE is_active").await, 1);
        assert!(conflict_of(&daemon, id).await.is_none());
        assert_eq!(reconcile(&daemon, EntityType::Launch, id).await, "No changes");
    }
    daemon.stop().await;
}

async fn a_conflict_is_put_off_until_it_matters(daemon: TestDaemon) {
    let (launch, id) = torn(&daemon, &supplier(&daemon).await).await;
    let listed = async || daemon.operator.recon_conflicts(&ConflictQuery::default()).await.unwrap().total;
    let snooze = |time: TimeDelta| Snooze { until: daemon.now() + time, reason: "asked the supplier".into() };
    let put_off = daemon.operator.snooze_conflict(id, &snooze(TimeDelta::days(1))).await.unwrap();
    assert_eq!(put_off.snoozed_until, Some(daemon.now() + TimeDelta::days(1)));
    assert_eq!(listed().await, 0);
    assert_eq!(conflict_of(&daemon, launch.id.into()).await.unwrap().snoozed_until, put_off.snoozed_until);
    // Seen again it stays put off; a past time puts it back.
    reconcile(&daemon, EntityType::Launch, launch.id.into()).await;
    assert_eq!(listed().await, 0);
    let back = daemon.operator.snooze_conflict(id, &snooze(TimeDelta::seconds(-1))).await.unwrap();
    assert_eq!((back.snoozed_until, listed().await), (None, 1));
    daemon.operator.snooze_conflict(id, &snooze(TimeDelta::minutes(5))).await.unwrap();
    daemon.pass(TimeDelta::minutes(5));
    assert_eq!(listed().await, 1, "its time is over");
    // One that becomes critical wakes.
    daemon.operator.snooze_conflict(id, &snooze(TimeDelta::minutes(5))).await.unwrap();
    daemon.change("UPDATE recon_conflicts SET severity = 'warning'").await;
    daemon.change("UPDATE launches SET capacity = 1").await;
    let insert = "INSERT INTO bookings (id, launch_id, user_id, ticket_quantity, total_amount, status, booking_date,
                                        payment_status, created_at, updated_at)
                  SELECT id, id, host_id, 5, 0, 'confirmed', created_at, 'pending', created_at, updated_at FROM launches";
    daemon.change(insert).await;
    reconcile(&daemon, EntityType::Launch, launch.id.into()).await;
    assert_eq!(listed().await, 1, "critical");
    let far = refusal(daemon.operator.snooze_conflict(id, &snooze(TimeDelta::days(400))).await);
    assert!(far.starts_with("422") && far.contains("a year"), "{far}");
    daemon.stop().await;
}

async fn many_are_decided_at_once_each_by_itself(daemon: TestDaemon) {
    let supplier = supplier(&daemon).await;
    let (one, first) = torn(&daemon, &supplier).await;
    let (two, second) = torn(&daemon, &supplier).await;
    let nobody = Uuid::from_u128(7);
    let many = ResolveMany {
        ids: vec![first, nobody, second],
        take: Take::Document,
        reason: "theirs are right".to_owned(),
        dry_run: true,
        hold_seconds: 0,
    };
    let preview = daemon.operator.resolve_conflicts(&many).await.unwrap().results;
    assert_eq!(preview.iter().map(|one| one.id).collect::<Vec<_>>(), many.ids);
    assert_eq!(preview[0].resolution.as_ref().unwrap().changes_log, "Updated 1 field: title");
    assert!(preview[1].refused.as_deref().unwrap().contains("there is no conflict"), "{preview:?}");
    assert_eq!(sides(&daemon, one.id).await.1, "Aurora 7 120.5");
    let base = ResolveMany { take: Take::Base, ..many.clone() };
    let refused = daemon.operator.resolve_conflicts(&base).await.unwrap().results;
    assert!(refused[0].refused.as_deref().unwrap().contains("never agreed"), "{refused:?}");

    let done =
        daemon.operator.resolve_conflicts(&ResolveMany { dry_run: false, ..many.clone() }).await.unwrap();
    for place in [0, 2] {
        let job = done.results[place].resolution.as_ref().unwrap().job_id.unwrap();
        assert_eq!(daemon.ended(job).await.job.status, JobStatus::Completed);
    }
    assert_eq!(
        (sides(&daemon, one.id).await, sides(&daemon, two.id).await),
        (both("Aurora 9 120.5"), both("Aurora 9 120.5"))
    );
    for ids in [vec![], vec![first, first], vec![first; 101]] {
        let refused = refusal(daemon.operator.resolve_conflicts(&ResolveMany { ids, ..many.clone() }).await);
        assert!(refused.starts_with("422") && refused.contains("/ids"), "{refused}");
    }
    daemon.stop().await;
}

async fn a_change_is_taken_back_unless_somebody_built_on_it(daemon: TestDaemon) {
    let supplier = supplier(&daemon).await;
    let (launch, change) = overwritten(&daemon, &supplier).await;
    let id = EntityId::from(launch.id);
    let revert = Revert { reason: "theirs was right".to_owned(), dry_run: false, hold_seconds: 0 };
    let preview = Revert { dry_run: true, ..revert.clone() };
    let told = daemon.operator.revert_change(change, &preview).await.unwrap();
    assert_eq!((told.changes.len(), told.changes_log.as_str()), (2, "Updated 1 field: price"), "{told:?}");
    assert_eq!(sides(&daemon, launch.id).await, both("Aurora 7 120.5"));
    let queued = daemon.operator.revert_change(change, &revert).await.unwrap();
    assert_eq!(daemon.ended(queued.job_id.unwrap()).await.job.status, JobStatus::Completed);
    assert_eq!(sides(&daemon, launch.id).await, both("Aurora 7 99.5"));
    assert_eq!(reconcile(&daemon, EntityType::Launch, id).await, "No changes");
    // It is taken back already; and the taking back is a change like any other.
    let twice = refusal(daemon.operator.revert_change(change, &revert).await);
    assert!(twice.starts_with("409") && twice.contains("no longer holds"), "{twice}");
    let reverted = latest(&daemon, id).await;
    let queued = daemon.operator.revert_change(reverted, &revert).await.unwrap();
    assert_eq!(daemon.ended(queued.job_id.unwrap()).await.job.status, JobStatus::Completed);
    assert_eq!(sides(&daemon, launch.id).await, both("Aurora 7 120.5"));

    Behind::of(&daemon).await.set(Collection::Events, id, doc! { "price": 5.0 }).await;
    let built = refusal(daemon.operator.revert_change(latest(&daemon, id).await, &revert).await);
    assert!(built.starts_with("409") && built.contains("price of the document side"), "{built}");
    let query = ChangeQuery {
        entity_id: Some(id),
        order: Some(astrops_api::vocabulary::Order::Asc),
        ..ChangeQuery::default()
    };
    let made = daemon.operator.recon_changes(&query).await.unwrap().changes[0].id;
    let made = refusal(daemon.operator.revert_change(made, &revert).await);
    assert!(made.starts_with("409") && made.contains("it made the row"), "{made}");
    let unknown = refusal(daemon.operator.revert_change(Uuid::from_u128(7), &revert).await);
    assert!(unknown.starts_with("404"), "{unknown}");
    // Values that were erased with a person do not come back.
    let user = supplier.me().await.unwrap().user.id;
    reconcile(&daemon, EntityType::User, user.into()).await;
    let about = latest(&daemon, user.into()).await;
    daemon.operator.delete_user(user).await.unwrap();
    let erased = refusal(daemon.operator.revert_change(about, &revert).await);
    assert!(erased.starts_with("409") && erased.contains("erased"), "{erased}");
    // What is mirrored of the erased account later has no values either.
    reconcile(&daemon, EntityType::User, user.into()).await;
    let changes = daemon.operator.recon_changes(&ChangeQuery::default()).await.unwrap();
    assert!(!format!("{changes:?}").contains("sue@example.com"), "{changes:?}");
    let chain = daemon.operator.verify_changes().await.unwrap();
    assert!(chain.ok && chain.erased >= 2, "{chain:?}");
    daemon.stop().await;
}

async fn viewers_see_and_decide_nothing_personal(daemon: TestDaemon) {
    let supplier = supplier(&daemon).await;
    let viewer = daemon.sign_in("vera@example.com", Role::Employee, Some(Right::Viewer)).await;
    let user = supplier.me().await.unwrap().user.id;
    let other =
        doc! { "_id": object(user.into()), "email": "susan@example.com", "password": "x", "role": "user" };
    Behind::of(&daemon).await.insert(Collection::Users, other).await;
    assert_eq!(reconcile(&daemon, EntityType::User, user.into()).await, "1 conflict: email");
    let id = conflict_of(&daemon, user.into()).await.unwrap().id;
    let detail = format!("{:?}", viewer.recon_conflict(id).await.unwrap());
    assert!(detail.contains("[private]") && !detail.contains("susan@"), "{detail}");
    let decision = Resolve {
        reason: "susan@example.com wrote".to_owned(),
        hold_seconds: 10,
        ..choose("email", Choice::Value(json!("sue@new.example.com")))
    };
    let snooze = Snooze { until: daemon.now(), reason: "r".to_owned() };
    let revert = Revert { reason: "r".to_owned(), dry_run: true, hold_seconds: 0 };
    for refused in [
        refusal(viewer.resolve_conflict(id, &Resolve { dry_run: true, ..decision.clone() }).await),
        refusal(viewer.snooze_conflict(id, &snooze).await),
        refusal(viewer.revert_change(id, &revert).await),
    ] {
        assert!(refused.starts_with("403"), "{refused}");
    }
    let job = daemon.operator.resolve_conflict(id, &decision).await.unwrap().job_id.unwrap();
    let detail = format!("{:?}", viewer.job(job, false).await.unwrap());
    daemon.pass(TimeDelta::seconds(11));
    assert_eq!(daemon.ended(job).await.job.status, JobStatus::Completed);
    let query = ChangeQuery { entity_id: Some(user.into()), ..ChangeQuery::default() };
    let told = [
        detail,
        format!("{:?}", viewer.job(job, false).await.unwrap()),
        format!("{:?}", viewer.recon_changes(&query).await.unwrap()),
    ];
    assert!(told.iter().all(|told| !told.contains("susan@") && !told.contains("sue@")), "{told:?}");
    let operator = daemon.operator.recon_changes(&query).await.unwrap();
    assert!(operator.changes.iter().any(|change| change.reason.is_some()), "{operator:?}");
    assert!(
        !operator.changes.iter().any(|change| change.fields.iter().any(|field| field.after == Value::Null))
    );
    daemon.stop().await;
}

async fn a_booking_goes_to_another_launch_only_where_there_are_seats(daemon: TestDaemon) {
    let supplier = supplier(&daemon).await;
    let carl = daemon.sign_in("carl@example.com", Role::Customer, None).await;
    let (from, to) = (daemon.new_launch(10), daemon.new_launch(1));
    let (from, to) =
        (supplier.create_launch(&from).await.unwrap().id, supplier.create_launch(&to).await.unwrap().id);
    let new = NewBooking { launch_id: Some(from), event_id: None, ticket_quantity: 2, user_id: None };
    let id = EntityId::from(carl.book(&new).await.unwrap().id);
    reconcile(&daemon, EntityType::Booking, id).await;
    reconcile(&daemon, EntityType::Launch, to.into()).await;
    let behind = Behind::of(&daemon).await;
    behind.set(Collection::Bookings, id, doc! { "eventId": object(to.into()) }).await;
    assert_eq!(reconcile(&daemon, EntityType::Booking, id).await, "1 conflict: launch");
    let conflict = conflict_of(&daemon, id).await.unwrap().id;
    let theirs = choose("launch", Choice::Document);
    let full = refusal(daemon.operator.resolve_conflict(conflict, &theirs).await);
    assert!(full.starts_with("422") && full.contains("2 seats and 1 are left"), "{full}");
    let nowhere = choose("launch", Choice::Value(json!("507f1f77bcf86cd799439099")));
    let nowhere = refusal(daemon.operator.resolve_conflict(conflict, &nowhere).await);
    assert!(nowhere.starts_with("422") && nowhere.contains("does not exist"), "{nowhere}");

    let edit = EditLaunch { capacity: Some(5), ..EditLaunch::default() };
    supplier.edit_launch(to, &edit).await.unwrap();
    let queued = daemon.operator.resolve_conflict(conflict, &theirs).await.unwrap();
    let job = daemon.ended(queued.job_id.unwrap()).await.job;
    assert_eq!(job.status, JobStatus::Completed, "{job:?}");
    daemon.settled().await;
    let left = [daemon.launch(from).await.available_tickets, daemon.launch(to).await.available_tickets];
    assert_eq!(left, [10, 3], "both launches counted anew");
    assert_eq!(reconcile(&daemon, EntityType::Booking, id).await, "No changes");
    daemon.stop().await;
}

async fn a_decision_that_was_torn_away_behind_its_end_is_not_made_twice(daemon: TestDaemon) {
    let (launch, id) = torn(&daemon, &supplier(&daemon).await).await;
    let queued = daemon.operator.resolve_conflict(id, &choose("title", Choice::Document)).await.unwrap();
    let job = queued.job_id.unwrap();
    assert_eq!(daemon.ended(job).await.job.status, JobStatus::Completed);
    // As if the daemon had died before it could say that the job was done.
    let back = "UPDATE jobs SET status = 'queued', completed_at = NULL, result = NULL
                 WHERE created_by LIKE 'user:%' AND unique_key LIKE 'decide:%'";
    daemon.change(back).await;
    let daemon = daemon.restart().await;
    let again = daemon.ended(job).await.job;
    assert_eq!(again.status, JobStatus::Completed, "{again:?}");
    assert_eq!(again.reconciliation.unwrap().changes_log.as_deref(), Some("Updated 1 field: title"));
    let query = ChangeQuery { entity_id: Some(launch.id.into()), ..ChangeQuery::default() };
    assert_eq!(daemon.operator.recon_changes(&query).await.unwrap().total, 1);
    daemon.stop().await;
}
