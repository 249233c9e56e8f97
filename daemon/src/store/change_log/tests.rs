//! Whatever is done to the log shows, and what may be done to it does not.

use serde_json::json;
use sqlx::AssertSqlSafe;

use super::*;
use crate::{
    clock::Clock,
    db::Db,
    testing::{contract, noon},
};

contract!(
    the_log_tells_what_was_done,
    whatever_is_changed_is_named,
    whatever_is_removed_or_added_is_named,
    an_erased_person_leaves_the_chain_whole,
    what_is_older_joins_the_chain,
    two_who_write_at_once_make_one_chain,
);

fn entity(number: u8) -> EntityId {
    EntityId(astrops_api::ids::embed([number; 12]))
}

/// Adds rows about these entities in one batch; their ids.
async fn add(db: &Db, clock: &Clock, kind: EntityType, entities: &[u8]) -> Vec<Uuid> {
    let fields = json!([{ "field": "name", "label": "name", "document": "Ada", "relational": null, "after": "Ada",
                          "written": "relational", "rule": "mirror", "overridden": false }]);
    let ids: Vec<Uuid> = entities.iter().map(|_| clock.new_id()).collect();
    let done = entities.iter().zip(&ids).map(|(&number, &id)| Done {
        id,
        kind,
        entity: entity(number),
        job: JobId(clock.new_id()),
        text: "Updated 1 field: name",
        fields: &fields,
        at: clock.now(),
    });
    let mut tx = db.write().await.unwrap();
    append(&mut tx, &done.collect::<Vec<_>>()).await.unwrap();
    tx.commit().await.unwrap();
    ids
}

/// Does something behind our back.
async fn tamper(db: &Db, sql: &str, id: Uuid) -> u64 {
    let literal = if db.kind() == "sqlite" { format!("x'{}'", id.simple()) } else { format!("'{id}'") };
    let sql = sql.replace("$id", &literal);
    let mut tx = db.write().await.unwrap();
    let rows = on!(tx, |conn| sqlx::query(AssertSqlSafe(sql)).execute(conn).await.unwrap().rows_affected());
    tx.commit().await.unwrap();
    rows
}

async fn rows(db: &Db) -> Vec<Change> {
    let mut tx = db.read().await.unwrap();
    let slice = Slice { limit: 100, offset: 0 };
    changes(&mut tx, &ChangeQuery { order: Some(Order::Asc), ..ChangeQuery::default() }, slice)
        .await
        .unwrap()
        .0
}

async fn the_log_tells_what_was_done(db: Db) {
    let clock = Clock::mock(noon());
    let empty = verify(&db).await.unwrap();
    assert_eq!((empty.ok, empty.rows, empty.head), (true, 0, "00".repeat(32)));
    let ids = add(&db, &clock, EntityType::Launch, &[1, 2]).await;
    let first = verify(&db).await.unwrap();
    let more = add(&db, &clock, EntityType::Booking, &[3]).await;
    let rows = rows(&db).await;
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [ids, more].concat());
    assert_eq!((rows[0].entity_id, rows[0].actor.as_str(), rows[0].at), (entity(1), "daemon", noon()));
    assert_eq!((rows[0].fields[0].after.clone(), rows[0].reason.clone()), (json!("Ada"), None));
    let report = verify(&db).await.unwrap();
    assert_eq!((report.ok, report.rows, report.erased), (true, 3, 0), "{report:?}");
    assert_ne!(report.head, first.head);
    let mut tx = db.read().await.unwrap();
    let one = change(&mut tx, rows[2].id).await.unwrap().unwrap();
    assert_eq!(one, rows[2]);
    assert_eq!(texts_of(&mut tx, one.job_id, one.entity_id).await.unwrap(), ["Updated 1 field: name"]);
    assert!(texts_of(&mut tx, one.job_id, entity(9)).await.unwrap().is_empty());
    assert!(change(&mut tx, clock.new_id()).await.unwrap().is_none());
}

async fn whatever_is_changed_is_named(db: Db) {
    let clock = Clock::mock(noon());
    let ids = add(&db, &clock, EntityType::Launch, &[1, 2, 3]).await;
    let id = ids[1];
    for (column, other) in [
        ("text", "'Updated 1 field: price'"),
        ("actor", "'user:somebody'"),
        ("entity_type", "'user'"),
        ("at", "'2026-03-02T12:00:00.000001+00:00'"),
        ("entity_id", "job_id"),
        ("job_id", "entity_id"),
        ("digest", "hash"),
        ("hash", "digest"),
    ] {
        tamper(&db, "CREATE TABLE kept AS SELECT * FROM recon_changes", id).await;
        let changed =
            tamper(&db, &format!("UPDATE recon_changes SET {column} = {other} WHERE id = $id"), id).await;
        let report = verify(&db).await.unwrap();
        assert_eq!((changed, report.ok, report.broken_at), (1, false, Some(id)), "{column}: {report:?}");
        tamper(&db, "DELETE FROM recon_changes", id).await;
        tamper(&db, "INSERT INTO recon_changes SELECT * FROM kept", id).await;
        tamper(&db, "DROP TABLE kept", id).await;
        assert!(verify(&db).await.unwrap().ok, "put back: {column}");
    }
    let body = "UPDATE recon_change_values SET body = replace(body, 'Ada', 'Eve') WHERE change_id = $id";
    assert_eq!(tamper(&db, body, id).await, 1);
    let report = verify(&db).await.unwrap();
    assert_eq!((report.broken_at, report.why.as_deref()), (Some(id), Some("its values were changed")));
    // Two rows that change places.
    tamper(&db, &body.replace("'Ada', 'Eve'", "'Eve', 'Ada'"), id).await;
    tamper(&db, "UPDATE recon_changes SET seq = -seq WHERE seq > 1", id).await;
    tamper(&db, "UPDATE recon_changes SET seq = 5 + seq WHERE seq < 0", id).await;
    let report = verify(&db).await.unwrap();
    assert_eq!((report.ok, report.broken_at, report.rows), (false, Some(ids[2]), 1), "{report:?}");
}

async fn whatever_is_removed_or_added_is_named(db: Db) {
    let clock = Clock::mock(noon());
    let ids = add(&db, &clock, EntityType::Launch, &[1, 2, 3]).await;
    let keep = "CREATE TABLE kept AS SELECT * FROM recon_changes";
    let back = "INSERT INTO recon_changes SELECT * FROM kept WHERE id = $id";
    let remove = "DELETE FROM recon_changes WHERE id = $id";
    tamper(&db, keep, ids[0]).await;
    for (gone, named) in [(0, Some(ids[1])), (1, Some(ids[2])), (2, None)] {
        tamper(&db, remove, ids[gone]).await;
        let report = verify(&db).await.unwrap();
        assert_eq!((report.ok, report.broken_at), (false, named), "{report:?}");
        tamper(&db, back, ids[gone]).await;
        assert!(verify(&db).await.unwrap().ok);
    }
    for (seq, named) in [("NULL", "no place in the chain"), ("4", "not as it was written"), ("-1", "row -1")]
    {
        let copy = format!(
            "INSERT INTO recon_changes (id, at, entity_type, entity_id, job_id, actor, text, seq, digest, hash)
             SELECT $id, at, entity_type, entity_id, job_id, actor, text, {seq}, digest, hash FROM kept WHERE seq = 1"
        );
        let id = clock.new_id();
        tamper(&db, &copy, id).await;
        let report = verify(&db).await.unwrap();
        assert_eq!(report.broken_at, Some(id), "{report:?}");
        assert!(report.why.unwrap().contains(named), "{seq}");
        tamper(&db, remove, id).await;
    }
    // An end that was moved.
    tamper(&db, "UPDATE recon_chain SET seq = 2", ids[2]).await;
    assert!(!verify(&db).await.unwrap().ok, "the end is not where the rows end");
    tamper(&db, "UPDATE recon_chain SET seq = 3", ids[2]).await;
    // Values of nobody, and values that are gone.
    let stray = clock.new_id();
    let copy = "INSERT INTO recon_change_values SELECT $id, salt, body FROM recon_change_values LIMIT 1";
    tamper(&db, copy, stray).await;
    assert_eq!(verify(&db).await.unwrap().broken_at, Some(stray));
    tamper(&db, "DELETE FROM recon_change_values WHERE change_id = $id", stray).await;
    tamper(&db, "DELETE FROM recon_change_values WHERE change_id = $id", ids[1]).await;
    let report = verify(&db).await.unwrap();
    assert_eq!(report.broken_at, Some(ids[1]));
    assert_eq!(report.why.as_deref(), Some("its values are gone, and nobody was erased"));
}

async fn an_erased_person_leaves_the_chain_whole(db: Db) {
    let clock = Clock::mock(noon());
    add(&db, &clock, EntityType::User, &[1, 2, 1]).await;
    let insert = "INSERT INTO users (id, email, role, password_hash, is_active, created_at, updated_at)
                  VALUES ($id, 'ada@example.com', 'customer', '-', TRUE, '2026-03-02T12:00:00+00:00', '2026-03-02T12:00:00+00:00')";
    tamper(&db, insert, entity(1).0).await;
    let mut tx = db.write().await.unwrap();
    forget_user(&mut tx, entity(1)).await.unwrap();
    tx.commit().await.unwrap();
    // The values are gone although the person is not: somebody removed them.
    assert!(!verify(&db).await.unwrap().ok);
    tamper(&db, "UPDATE users SET email = 'deleted-1@deleted.invalid' WHERE id = $id", entity(1).0).await;
    let report = verify(&db).await.unwrap();
    assert_eq!((report.ok, report.rows, report.erased), (true, 3, 2), "{report:?}");
    // What still happens to the documents of that person is told without values.
    add(&db, &clock, EntityType::User, &[1, 2]).await;
    let rows = rows(&db).await;
    let told: Vec<usize> = rows.iter().map(|row| row.fields.len()).collect();
    assert_eq!(told, [0, 1, 0, 0, 1]);
    let report = verify(&db).await.unwrap();
    assert_eq!((report.ok, report.rows, report.erased), (true, 5, 3), "{report:?}");
}

async fn what_is_older_joins_the_chain(db: Db) {
    let clock = Clock::mock(noon());
    let ids = add(&db, &clock, EntityType::Launch, &[1, 2]).await;
    // As the migration leaves rows of the version before.
    tamper(&db, "UPDATE recon_changes SET seq = NULL, digest = NULL, hash = NULL", ids[0]).await;
    let zeros = if db.kind() == "sqlite" { "zeroblob(32)" } else { "decode(repeat('00', 32), 'hex')" };
    tamper(&db, &format!("UPDATE recon_chain SET seq = 0, hash = {zeros}"), ids[0]).await;
    assert_eq!(verify(&db).await.map(|report| (report.ok, report.rows)).unwrap(), (true, 0));
    add(&db, &clock, EntityType::Launch, &[3]).await;
    assert_eq!(verify(&db).await.map(|report| (report.ok, report.rows)).unwrap(), (true, 3));
    tamper(&db, "UPDATE recon_changes SET text = 'No changes' WHERE id = $id", ids[0]).await;
    assert_eq!(verify(&db).await.unwrap().broken_at, Some(ids[0]));
}

async fn two_who_write_at_once_make_one_chain(db: Db) {
    let clock = Clock::mock(noon());
    let writers = (0..4u8).map(|number| {
        let (db, clock) = (db.clone(), clock.clone());
        tokio::spawn(async move {
            for _ in 0..10 {
                add(&db, &clock, EntityType::Launch, &[number, number]).await;
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let report = verify(&db).await.unwrap();
    assert_eq!((report.ok, report.rows), (true, 80), "{report:?}");
}
