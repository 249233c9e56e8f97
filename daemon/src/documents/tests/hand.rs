//! What somebody writes into the file by hand, and what only the file needs.

use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};

use super::*;

/// Another program's hand on the file.
async fn hand(dir: &tempfile::TempDir, text: String) -> Result<(), sqlx::Error> {
    let path = dir.path().join("customer.db");
    let mut connection = SqliteConnection::connect(&format!("sqlite:{}", path.display())).await?;
    sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut connection).await?;
    connection.close().await
}

#[tokio::test]
async fn a_hand_edited_document_is_read_and_a_malformed_one_is_named_without_breaking_its_page() {
    let (documents, dir) = sqlite().await;
    documents.insert(Collection::Events, &(1..=6).map(event).collect::<Vec<_>>()).await.unwrap();
    for (n, text) in [
        (1, "json_set(doc, '$.capacity', 7, '$.price', 5)"),
        (2, "'{not json'"),
        (3, "json_set(doc, '$.updatedAt.\"$date\"', 'yesterday')"),
        (4, "'with a ' || char(30) || ' separator'"),
        (5, "json_set(doc, '$._id.\"$oid\"', '000000000000000000000000')"),
        (6, "json_remove(doc, '$._id')"),
    ] {
        hand(&dir, format!("UPDATE events SET doc = {text} WHERE _id = '{}'", id(n))).await.unwrap();
    }
    let page = documents.page(Collection::Events, None, 10, None).await.unwrap();
    assert_eq!(page.rows.iter().map(|row| row.id).collect::<Vec<_>>(), (1..=6).map(id).collect::<Vec<_>>());
    let read: Vec<_> = page.rows.iter().map(Row::document).collect();
    let first = read[0].as_ref().unwrap();
    assert_eq!((first.get_i32("capacity").unwrap(), first.get_i32("price").unwrap()), (7, 5));
    for (place, why) in
        [(1, "character 2"), (2, "yesterday"), (3, "character 1"), (4, "000000000000000000000000")]
    {
        let malformed = read[place].as_ref().unwrap_err();
        assert!(malformed.id == page.rows[place].id && malformed.why.contains(why), "{malformed}");
    }
    assert_eq!(*read[5].as_ref().unwrap(), event(6), "a missing _id is the row's");
    let outcome =
        documents.compare_and_set(Collection::Events, &[change(2, "name", "x", "y")]).await.unwrap();
    assert!(matches!(&outcome[0], Changed::Refused(why) if why.contains(&id(2).to_hex())), "{outcome:?}");

    let since = Watermark { at: DateTime::UNIX_EPOCH, id: id(0) };
    let changes = documents.changed_since(Collection::Events, since, 10).await.unwrap();
    let ids: Vec<_> = changes.rows.iter().map(|row| row.id).collect();
    assert_eq!(ids, [id(1), id(5), id(6)], "what has no readable time is in no index of times");
    hand(&dir, "INSERT INTO events VALUES ('ABC', '{}')".to_owned()).await.unwrap_err();
    let odd = format!(
        "UPDATE events SET doc = json_set(doc, '$.updatedAt.\"$date\"', '2026-13-45T00:00:00.000Z') WHERE _id = '{}'",
        id(1)
    );
    hand(&dir, odd).await.unwrap();
    assert_eq!(documents.changed_since(Collection::Events, since, 10).await.unwrap().rows.len(), 2);
}

#[tokio::test]
async fn the_file_is_for_its_owner_and_opened_again_as_it_was() {
    use std::os::unix::fs::PermissionsExt as _;
    let (documents, dir) = sqlite().await;
    let path = dir.path().join("customer.db");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    documents.insert(Collection::Events, &[event(1)]).await.unwrap();
    documents.close().await;
    let again = Documents::open(&format!("sqlite:{}", path.display())).await.unwrap();
    assert_eq!(read(&again, Collection::Events, 1).await, event(1));
    assert!(again.init().await.unwrap().iter().all(|step| step.done == "there"));
}

#[tokio::test]
async fn another_database_is_refused_and_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", dir.path().join("astrops.db").display());
    let db = crate::db::Db::open(&url).await.unwrap();
    let refused = Documents::open(&url).await.err().unwrap().to_string();
    assert!(refused.contains("holds another database") && refused.contains("name another file"), "{refused}");
    db.close().await;
    crate::db::Db::open(&url).await.unwrap().close().await;

    std::fs::write(dir.path().join("text.db"), "this is no database, it is a text of some length").unwrap();
    let refused =
        Documents::open(&format!("sqlite:{}", dir.path().join("text.db").display())).await.err().unwrap();
    assert!(refused.to_string().contains("not a database"), "{refused}");
    let wrong = Documents::open("postgres://u:s3cret@h/x").await.err().unwrap().to_string();
    assert!(wrong.contains("sqlite:") && !wrong.contains("s3cret"), "{wrong}");
}

#[tokio::test]
async fn sessions_and_capacity_logs_go_when_their_time_has_come() {
    let (documents, _dir) = sqlite().await;
    let session =
        |n: u32, at: &str| doc! { "_id": id(n), "sessionId": n, "refreshToken": n, "expiresAt": time(at) };
    let log = |n: u32, at: &str| doc! { "_id": id(n), "eventId": id(1), "timestamp": time(at) };
    let sessions = [
        session(1, "2026-03-01T00:00:00Z"),
        session(2, "2026-03-03T00:00:00Z"),
        session(3, "2026-02-01T00:00:00Z"),
    ];
    documents.insert(Collection::Sessions, &sessions).await.unwrap();
    documents
        .insert(
            Collection::EventCapacityLogs,
            &[log(1, "2025-01-01T00:00:00Z"), log(2, "2026-01-01T00:00:00Z")],
        )
        .await
        .unwrap();
    let mut locked = user(1, "ana@example.com");
    locked.insert("lockedUntil", time("2020-01-01T00:00:00Z"));
    documents.insert(Collection::Users, &[locked]).await.unwrap();

    let now = "2026-03-02T12:00:00Z".parse().unwrap();
    assert_eq!(documents.expire(now, 1).await.unwrap(), 1, "the oldest first");
    assert_eq!(documents.expire(now, 100).await.unwrap(), 2);
    assert_eq!(documents.expire(now, 100).await.unwrap(), 0);
    let left = documents.page(Collection::Sessions, None, 10, None).await.unwrap();
    assert_eq!(left.rows.iter().map(|row| row.id).collect::<Vec<_>>(), [id(2)]);
    assert_eq!(documents.count(Collection::EventCapacityLogs).await.unwrap().documents, 1);
    assert_eq!(
        documents.count(Collection::Users).await.unwrap().documents,
        1,
        "a lock that ends takes nobody away"
    );
}

#[tokio::test]
async fn pages_and_changes_are_found_by_an_index() {
    let (_documents, dir) = sqlite().await;
    let path = dir.path().join("customer.db");
    let mut connection = SqliteConnection::connect(&format!("sqlite:{}", path.display())).await.unwrap();
    let key = super::super::sqlite::time_key("updatedAt");
    for range in
        [format!("{key} = '2026' AND _id > 'a' ORDER BY _id"), format!("{key} > '2026' ORDER BY {key}, _id")]
    {
        let text = format!("EXPLAIN QUERY PLAN SELECT doc FROM events WHERE {range} LIMIT 5");
        let plan: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(AssertSqlSafe(text)).fetch_all(&mut connection).await.unwrap();
        let plan: Vec<String> = plan.into_iter().map(|row| row.3).collect();
        assert!(
            plan.len() == 1 && plan[0].contains("SEARCH") && plan[0].contains("updatedAt_1__id_1"),
            "{plan:?}"
        );
    }
}

#[tokio::test]
async fn a_writer_that_does_not_end_keeps_nobody_from_reading_and_is_not_waited_for_long() {
    let (documents, dir) = sqlite().await;
    documents.insert(Collection::Events, &[event(1)]).await.unwrap();
    let path = dir.path().join("customer.db");
    let mut other = SqliteConnection::connect(&format!("sqlite:{}", path.display())).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();

    let call = Duration::from_millis(200);
    let hurried = documents.clone().with_limits(Limits { call, ..Limits::default() });
    let late = hurried.insert(Collection::Events, &[event(2)]).await.unwrap_err();
    assert!(matches!(late, DocumentsError::Timeout { .. }) && late.to_string().contains("0.2 s"), "{late}");
    assert_eq!(read(&documents, Collection::Events, 1).await, event(1));
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    // What was given up was not done, and the next writer is not held up by it.
    assert_eq!(documents.insert(Collection::Events, &[event(2)]).await.unwrap(), [Inserted::Done]);
}

#[cfg(not(feature = "mongodb"))]
#[tokio::test]
async fn a_build_without_mongodb_says_so() {
    let refused = Documents::open("mongodb://ops:s3cret@h/astro").await.err().unwrap().to_string();
    assert!(refused.contains("built without MongoDB") && !refused.contains("s3cret"), "{refused}");
}
