//! What differs between both databases of the sample world.

use std::sync::Arc;

use astrops_api::{
    drift::{Agreement, DriftPage},
    jobs::Job,
    reconciliation::{ChangePage, Conflict, ConflictPage, Diff, Mappings},
    resolution::Resolution,
    sweeps::{Sweep, SweepPage},
    vocabulary::EntityType,
};
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{entity, id, job, now, typed};
use crate::{
    files::SidesFile,
    message::{Decision, Request, Update},
};

/// How far both databases agree.
pub fn agreement() -> Agreement {
    typed(json!({"drift": 12, "conflicts": 4, "critical": 1, "oldest": now() - TimeDelta::minutes(18),
        "verifiedThrough": now() - TimeDelta::minutes(4), "sweep": id(70), "sweepStatus": "running"}))
}

/// The kind of every sample and its number in [`entity`].
fn kind(number: usize) -> (&'static str, u8) {
    [("booking", 2), ("launch", 1), ("user", 3)][number % 3]
}

/// The open differences, the oldest first.
pub fn drift(count: usize) -> DriftPage {
    let row = |number: usize| {
        let (name, digit) = kind(number);
        let (kind, text) = [
            ("conflict", "1 conflict: amount"),
            ("differs", "Updated 3 fields: capacity, price, date"),
            ("missing_relational", "Created on relational"),
            ("missing_document", "Missing on document, waiting"),
        ][number % 4];
        let since = now() - TimeDelta::minutes(i64::try_from(60 - number.min(59)).unwrap());
        json!({"entityType": name, "entityId": entity(digit, number), "kind": kind, "text": text,
            "firstSeen": since, "lastSeen": now(), "conflictId": (kind == "conflict").then(|| id(500 + number))})
    };
    let rows: Vec<Value> = (0..count).map(row).collect();
    typed(json!({"drift": rows, "total": count, "page": 1, "pageSize": 200}))
}

/// A conflict about sample `number`; every fourth is critical, every fifth snoozed.
pub fn conflict(number: usize) -> Conflict {
    let (name, digit) = kind(number);
    let critical = number.is_multiple_of(4) && number > 0;
    let snoozed = (number % 5 == 4).then(|| now() + TimeDelta::hours(3));
    typed(
        json!({"id": id(500 + number), "entityType": name, "entityId": entity(digit, number), "jobId": id(5),
        "text": "1 conflict: amount", "severity": if critical { "critical" } else { "warning" },
        "fields": [{"topic": "amount", "fields": ["totalAmount"], "reason": "both sides changed it since they agreed",
            "wholeRow": false, "proposals": ["take the document's 480", "take the relational 420.5"]}],
        "firstSeen": now() - TimeDelta::minutes(18), "lastSeen": now(), "snoozedUntil": snoozed}),
    )
}

/// The conflicts.
pub fn conflicts(count: usize) -> ConflictPage {
    ConflictPage {
        conflicts: (0..count).map(conflict).collect(),
        total: count as u64,
        page: 1,
        page_size: 200,
    }
}

/// A sweep: running, waiting for approval, completed, paused, failed in turn.
pub fn sweep(number: usize) -> Sweep {
    let (status, stage) = [
        ("running", "compare"),
        ("needs_approval", "apply"),
        ("completed", "done"),
        ("paused", "recheck"),
        ("failed", "compare"),
    ][number % 5];
    let text = [
        "comparing launches",
        "it would change 312 rows, more than 50 at a time",
        "2 conflicts, 7 repaired",
        "paused by ana@astrobookings.example",
        "the document database cannot be reached",
    ][number % 5];
    let running = status == "running";
    let at = now() - TimeDelta::minutes(i64::try_from(number * 5).unwrap());
    typed(
        json!({"id": id(70 + number), "mode": if number.is_multiple_of(2) { "full" } else { "incremental" },
        "dryRun": number == 2, "status": status, "stage": stage,
        "text": text,
        "counts": {"documents": 61_000, "relational": 60_998, "differing": 345, "repaired": 7, "conflicts": 2, "waiting": 1},
        "done": 61_000, "total": 100_000, "rate": running.then_some(20_345.6), "etaSeconds": running.then_some(2),
        "digestDocument": (status == "completed").then_some("1000:7f3a"), "digestRelational": (status == "completed").then_some("1000:7f3a"),
        "jobId": id(5), "createdBy": "schedule:reconcile-full", "createdAt": at, "updatedAt": at}),
    )
}

/// The sweeps, the newest first.
pub fn sweeps(count: usize) -> SweepPage {
    SweepPage { sweeps: (0..count).map(sweep).collect(), total: count as u64, page: 1, page_size: 200 }
}

/// Both sides of sample `number`, whose document holds this amount.
pub fn sides(number: usize, amount: f64) -> Arc<SidesFile> {
    let (name, digit) = kind(number);
    let field = |field: &str, label: &str, document: Value, relational: Value, base: Value, verdict: &str| {
        let why = match verdict {
            "conflict" => Some("both sides changed it since they agreed"),
            "write relational" => Some("mirror"),
            _ => None,
        };
        json!({"field": field, "label": label, "document": document, "relational": relational, "base": base,
            "verdict": verdict, "why": why})
    };
    let fields = [
        field(
            "bookingDate",
            "booked",
            json!("2026-11-19T21:59:11Z"),
            json!("2026-11-19T21:59:11Z"),
            json!("2026-11-19T21:59:11Z"),
            "equal",
        ),
        field("ticketQuantity", "quantity", json!(4), json!(3), json!(3), "write relational"),
        field("totalAmount", "amount", json!(amount), json!(420.5), json!(360), "conflict"),
        field("status", "status", json!("cancelled"), json!("confirmed"), json!("confirmed"), "held back"),
        field(
            "cancellationReason",
            "reason",
            json!("weather, and a very long story about it"),
            Value::Null,
            Value::Null,
            "held back",
        ),
        field("host", "host", json!("x"), Value::Null, Value::Null, "not compared"),
    ];
    let conflict = conflict(number);
    let diff: Diff = typed(
        json!({"entityType": name, "entityId": entity(digit, number), "document": "there", "relational": "there",
        "changesLog": "Updated 1 field: quantity; 1 conflict: amount", "fields": fields, "conflicts": conflict.fields}),
    );
    Arc::new(SidesFile { diff, conflict: Some(conflict), known: None })
}

/// Which document field is which column.
pub fn mappings() -> Arc<Mappings> {
    let field = |name: &str, label: &str, column: &str, authority: &str, group: Option<&str>| {
        json!({"field": name, "label": label, "document": name, "relational": column, "authority": authority,
            "group": group, "immutable": false})
    };
    let fields = [
        field("ticketQuantity", "quantity", "ticket_quantity", "doc_always", None),
        field("totalAmount", "amount", "total_amount", "manual", None),
        field("status", "status", "status", "doc_prefer", Some("status")),
        field("cancellationReason", "reason", "cancellation_reason", "doc_prefer", Some("status")),
    ];
    let entities = EntityType::ALL.iter().map(|kind| {
        json!({"entityType": kind, "collection": format!("{kind}s"), "table": format!("{kind}s"), "fields": fields})
    });
    Arc::new(typed(json!({"entities": entities.collect::<Vec<_>>()})))
}

/// What a decision about the amount writes; `job` when it is taken.
pub fn resolution(job: Option<usize>) -> Resolution {
    typed(json!({"dryRun": job.is_none(), "changesLog": "Updated 2 fields: quantity, amount",
        "changes": [
            {"field": "ticketQuantity", "label": "quantity", "document": 4, "relational": 3, "base": 3, "after": 4,
                "written": "relational", "rule": "mirror", "overridden": false},
            {"field": "totalAmount", "label": "amount", "document": 480, "relational": 420.5, "base": 360, "after": 480,
                "written": "relational", "rule": "decision", "overridden": true},
        ],
        "conflicts": [], "seen": "5eed", "jobId": job.map(id), "runAt": job.map(|_| now() + TimeDelta::seconds(10))}))
}

/// The changes of sample `number`, newest first.
pub fn changes(number: usize) -> Arc<ChangePage> {
    let (name, digit) = kind(number);
    let resolution = resolution(None);
    let change = |place: usize, log: &str, fields: Value| {
        json!({"id": id(800 + place), "at": now() - TimeDelta::minutes(i64::try_from(place * 7).unwrap()),
            "entityType": name, "entityId": entity(digit, number), "jobId": id(5), "actor": "ana@astrobookings.example",
            "changesLog": log, "fields": fields, "reason": (place == 0).then_some("the customer paid for four")})
    };
    let rows = [
        change(0, "Updated 2 fields: quantity, amount", json!(resolution.changes)),
        change(1, "Created on relational", json!([])),
    ];
    Arc::new(typed(json!({"changes": rows, "total": 2, "page": 1, "pageSize": 100})))
}

/// The job of a decision, ended like this.
pub fn decided_job(number: usize, status: &str, error: Option<&str>) -> Job {
    let mut value = serde_json::to_value(job(1)).unwrap();
    let more = json!({"id": id(number), "type": "RECONCILIATION", "status": status, "errorMessage": error,
        "notification": null, "uniqueKey": format!("decide:booking:{}", entity(2, 0)),
        "reconciliation": {"entityType": "booking", "entityId": entity(2, 0), "changesLog": "Updated 2 fields: quantity, amount"}});
    value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    typed(value)
}

/// What a daemon would answer to a question about reconciliation.
pub fn drift_answer_of(request: &Request) -> Option<Update> {
    let number = |wanted: &str| {
        (0..40).find(|number| {
            entity(kind(*number).1, *number)
                .parse::<astrops_api::ids::EntityId>()
                .is_ok_and(|id| id.to_string() == wanted)
        })
    };
    Some(match request {
        Request::Drift(asked, _) => Update::Drift(*asked, drift(12)),
        Request::Conflicts(asked, _) => Update::Conflicts(*asked, conflicts(8)),
        Request::Sweeps(asked, _) => Update::Sweeps(*asked, sweeps(5)),
        Request::Sides(_, id) => Update::Sides(sides(number(&id.to_string()).unwrap_or(0), 480.0)),
        Request::Mapping => Update::Mapping(mappings()),
        Request::Changes(kind, id) => {
            Update::Changes(*kind, *id, changes(number(&id.to_string()).unwrap_or(0)))
        }
        Request::Try(asked, decision) => {
            let ids = match &**decision {
                Decision::Resolve(id, _) | Decision::Revert(id, _) => vec![*id],
                Decision::ResolveMany(many) => many.ids.clone(),
            };
            let results = ids.iter().enumerate().map(|(place, id)| match place {
                1 => json!({"id": id, "refused": "the document cannot be read"}),
                _ => json!({"id": id, "resolution": resolution(None)}),
            });
            Update::Tried(*asked, decision.clone(), results.map(typed).collect())
        }
        _ => return None,
    })
}
