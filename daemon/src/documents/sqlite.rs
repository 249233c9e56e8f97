//! The embedded engine: one SQLite file, one table per collection with `_id` (24 hex digits) and `doc` (relaxed extended
//! JSON), one writer and readers beside it, as in [`crate::db`].
//!
//! Limits: whoever edits the file by hand may write any text into `doc`; such a document is reported when it is decoded
//! and never breaks a page or an index. Index expressions use only functions that every SQLite since 3.38 computes
//! alike, because an older `sqlite3` may write here too. Times that are not `YYYY-MM-DDTHH:MM:SS[.mmm]Z` are read well,
//! but are in no index of times.

use std::collections::BTreeMap;

use bson::{Document, oid::ObjectId};
use chrono::{DateTime, Utc};
use rusqlite::{ErrorCode, types::Type};
use sqlx::{
    AssertSqlSafe, QueryBuilder, Row as _, SqliteConnection, SqliteExecutor, SqlitePool, sqlite::SqliteRow,
};

use super::{
    Change, Changed, Changes, DocumentsError, Inserted, Malformed, Raw, Row, Step, Tally, Watermark,
    collection::{ACTIVE, Collection, Index, IndexKind},
    value::{self, Form},
};
use crate::{db, scan::Scans};

/// Documents to a statement.
const TOGETHER: usize = 500;
/// `SQLITE_BUSY` and its kin: of a recovery, a snapshot, a time limit.
const BUSY: [&str; 4] = ["5", "261", "517", "773"];

#[derive(Clone)]
pub struct Sqlite {
    at: String,
    writer: SqlitePool,
    readers: SqlitePool,
    scans: Scans,
}

impl Sqlite {
    pub async fn open(url: &str) -> Result<Self, DocumentsError> {
        let path = url.strip_prefix("sqlite:").unwrap_or(url);
        let path = path.strip_prefix("//").unwrap_or(path);
        let at = path.split('?').next().unwrap_or_default().to_owned();
        let unreachable = |why: String| DocumentsError::Unreachable { at: at.clone(), why };
        let (writer, readers) = db::open_sqlite(url).await.map_err(|error| match error {
            db::OpenError::Connect(_, error) => unreachable(error.to_string()),
            other => unreachable(other.to_string()),
        })?;
        let scans = Scans::new(&readers);
        let opened = Self { at: at.clone(), writer, readers, scans };
        opened.init().await?;
        Ok(opened)
    }

    pub fn at(&self) -> &str {
        &self.at
    }

    pub async fn close(&self) {
        self.readers.close().await;
        self.scans.close();
        self.writer.close().await;
    }

    pub async fn ping(&self) -> Result<(), DocumentsError> {
        sqlx::query("SELECT 1 FROM users LIMIT 1")
            .fetch_optional(&self.readers)
            .await
            .map_err(self.failed("ping"))?;
        Ok(())
    }

    /// Every start does it: the file is ours.
    pub async fn init(&self) -> Result<Vec<Step>, DocumentsError> {
        let failed = self.failed("making tables and indexes");
        let mut steps = Vec::new();
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(&failed)?;
        for collection in Collection::ALL {
            let table = collection.name();
            let columns: Vec<String> =
                sqlx::query_scalar("SELECT name FROM pragma_table_info($1) ORDER BY cid")
                    .bind(table)
                    .fetch_all(&mut *tx)
                    .await
                    .map_err(&failed)?;
            if !columns.is_empty() && columns != ["_id", "doc"] {
                return Err(DocumentsError::Url(format!(
                    "{} holds another database: its table {table} has the columns {}; name another file",
                    self.at,
                    columns.join(", ")
                )));
            }
            let made = sql(&mut tx, format!("CREATE TABLE IF NOT EXISTS {table} ({COLUMNS})"));
            made.await.map_err(&failed)?;
            steps.push(step(table.to_owned(), columns.is_empty()));
            for index in collection.indexes() {
                let name = format!("{table}_{}", index.name());
                let there: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM sqlite_schema WHERE name = $1")
                    .bind(&name)
                    .fetch_one(&mut *tx)
                    .await
                    .map_err(&failed)?;
                if there == 0 {
                    sql(&mut tx, index_sql(collection, index, &name)).await.map_err(&failed)?;
                }
                steps.push(step(format!("{table} index {}", index.name()), there == 0));
            }
        }
        tx.commit().await.map_err(&failed)?;
        Ok(steps)
    }

    pub async fn count(&self, collection: Collection) -> Result<Tally, DocumentsError> {
        let count: i64 =
            sqlx::query_scalar(AssertSqlSafe(format!("SELECT COUNT(*) FROM {}", collection.name())))
                .fetch_one(&self.readers)
                .await
                .map_err(self.failed("counting documents"))?;
        Ok(Tally { documents: count.unsigned_abs(), foreign: 0 })
    }

    pub async fn get(&self, collection: Collection, ids: &[ObjectId]) -> Result<Vec<Row>, DocumentsError> {
        select(&self.readers, collection, ids).await.map_err(self.failed("reading documents"))
    }

    pub async fn scan<S: Send + 'static>(
        &self,
        collection: Collection,
        after: Option<ObjectId>,
        limit: u32,
        _fields: Option<&[&str]>,
        state: S,
        mut each: impl FnMut(&mut S, ObjectId, Raw<'_>) + Send + 'static,
    ) -> Result<S, DocumentsError> {
        let after = after.map(ObjectId::to_hex).unwrap_or_default();
        let table = collection.name();
        let text = format!("SELECT _id, doc FROM {table} WHERE _id > ?1 ORDER BY _id LIMIT ?2");
        let scanned = self.scans.each(text, (after, limit), state, move |state, row| {
            let id = row.get_ref(0)?.as_str()?;
            let id = ObjectId::parse_str(id)
                .map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, error.into()))?;
            // Whoever ignored the constraint of the column put no document there.
            each(state, id, Raw::Json(row.get_ref(1)?.as_bytes().unwrap_or_default()));
            Ok(())
        });
        scanned.await.map_err(|error| self.unread(&error))
    }

    pub async fn changed_since(
        &self,
        collection: Collection,
        after: Watermark,
        limit: u32,
    ) -> Result<Changes, DocumentsError> {
        let failed = self.failed("reading changes");
        let (table, key) = (collection.name(), time_key(collection.changed_at()));
        // What is not a time (a 45th day) has no julianday and is passed over.
        let select = |range: &str, order: &str| {
            format!(
                "SELECT _id, CAST(doc AS BLOB) AS doc,
                        CAST(round((julianday({key}) - 2440587.5) * 86400000.0) AS INTEGER) AS at
                 FROM {table} WHERE {range} AND julianday({key}) IS NOT NULL ORDER BY {order} LIMIT $3"
            )
        };
        // Two ranges of the index; `(time, _id) > ($1, $2)` would be none, because the time is an expression.
        let ranges = [
            select(&format!("{key} = $1 AND _id > $2"), "_id"),
            select(&format!("{key} > $1 AND $2 IS NOT NULL"), &format!("{key}, _id")),
        ];
        let mut rows: Vec<SqliteRow> = Vec::new();
        let mut tx = self.readers.begin().await.map_err(&failed)?;
        for range in ranges {
            let left = i64::from(limit) - i64::try_from(rows.len()).unwrap_or(i64::MAX);
            let some = sqlx::query(AssertSqlSafe(range))
                .bind(time_text(after.at))
                .bind(after.id.to_hex())
                .bind(left)
                .fetch_all(&mut *tx)
                .await;
            rows.extend(some.map_err(&failed)?);
        }
        tx.rollback().await.map_err(&failed)?;
        let next = match rows.last() {
            None => None,
            Some(last) => {
                let at = DateTime::from_timestamp_millis(last.try_get("at").map_err(&failed)?);
                Some(Watermark { at: at.unwrap_or(after.at), id: row(last).map_err(&failed)?.id })
            }
        };
        let rows = rows.iter().map(row).collect::<Result<_, _>>().map_err(failed)?;
        Ok(Changes { rows, next })
    }

    pub async fn insert(
        &self,
        collection: Collection,
        documents: &[Document],
    ) -> Result<Vec<Inserted>, DocumentsError> {
        let failed = self.failed("inserting documents");
        let text = format!(
            "INSERT INTO {} (_id, doc) VALUES ($1, $2) ON CONFLICT (_id) DO NOTHING",
            collection.name()
        );
        let mut outcomes = Vec::with_capacity(documents.len());
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(&failed)?;
        for document in documents {
            let Ok(id) = document.get_object_id("_id") else {
                outcomes.push(Inserted::Refused("its _id is no ObjectId".to_owned()));
                continue;
            };
            let done = sqlx::query(AssertSqlSafe(text.clone()))
                .bind(id.to_hex())
                .bind(value::to_json(document, Form::Relaxed))
                .execute(&mut *tx)
                .await;
            outcomes.push(match done {
                Ok(done) if done.rows_affected() == 1 => Inserted::Done,
                Ok(_) => Inserted::Exists,
                Err(error) => Inserted::Taken(taken(collection, &error).ok_or_else(|| failed(error))?),
            });
        }
        tx.commit().await.map_err(failed)?;
        Ok(outcomes)
    }

    pub async fn compare_and_set(
        &self,
        collection: Collection,
        changes: &[Change],
    ) -> Result<Vec<Changed>, DocumentsError> {
        let failed = self.failed("changing documents");
        // Nobody else writes between the look and the write: the transaction holds the write lock from its beginning.
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(&failed)?;
        let mut outcomes = Vec::with_capacity(changes.len());
        for some in changes.chunks(TOGETHER) {
            match change(&mut tx, collection, some).await {
                Ok(done) => outcomes.extend(done),
                Err(error) if taken(collection, &error).is_none() => return Err(failed(error)),
                // A statement that fails has written nothing: now each by itself.
                Err(_) => {
                    for one in some {
                        outcomes.extend(match change(&mut tx, collection, std::slice::from_ref(one)).await {
                            Ok(done) => done,
                            Err(error) => {
                                vec![Changed::Taken(taken(collection, &error).ok_or_else(|| failed(error))?)]
                            }
                        });
                    }
                }
            }
        }
        tx.commit().await.map_err(failed)?;
        Ok(outcomes)
    }

    pub async fn expire(&self, now: DateTime<Utc>, limit: u32) -> Result<u64, DocumentsError> {
        let failed = self.failed("removing expired documents");
        let mut removed = 0;
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(&failed)?;
        for collection in Collection::ALL {
            let Some((path, seconds)) = collection.expires() else { continue };
            let (table, key) = (collection.name(), time_key(path));
            let text = format!(
                "DELETE FROM {table} WHERE _id IN (
                     SELECT _id FROM {table} WHERE {key} < $1 ORDER BY {key} LIMIT $2)"
            );
            let done = sqlx::query(AssertSqlSafe(text))
                .bind(time_text(now - chrono::TimeDelta::seconds(seconds.into())))
                .bind(i64::from(limit) - i64::try_from(removed).unwrap_or(i64::MAX))
                .execute(&mut *tx)
                .await
                .map_err(&failed)?;
            removed += done.rows_affected();
        }
        tx.commit().await.map_err(failed)?;
        Ok(removed)
    }

    fn unread(&self, error: &rusqlite::Error) -> DocumentsError {
        let (at, what) = (self.at.clone(), "reading a page");
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy) => {
                DocumentsError::Timeout { at, what, seconds: db::ACQUIRE.as_secs_f64() }
            }
            Some(ErrorCode::CannotOpen) => DocumentsError::Unreachable { at, why: error.to_string() },
            _ => DocumentsError::Refused { at, what, why: error.to_string() },
        }
    }

    fn failed(&self, what: &'static str) -> impl Fn(sqlx::Error) -> DocumentsError {
        let at = self.at.clone();
        let late = DocumentsError::Timeout { at: at.clone(), what, seconds: db::ACQUIRE.as_secs_f64() };
        move |error| match error {
            // Somebody else writes and does not end: SQLITE_BUSY and its kin.
            sqlx::Error::Database(error) if error.code().is_some_and(|code| BUSY.contains(&&*code)) => {
                late.clone()
            }
            sqlx::Error::Database(error) => {
                DocumentsError::Refused { at: at.clone(), what, why: error.message().to_owned() }
            }
            sqlx::Error::PoolTimedOut => late.clone(),
            other => DocumentsError::Unreachable { at: at.clone(), why: other.to_string() },
        }
    }
}

async fn select(
    from: impl SqliteExecutor<'_>,
    collection: Collection,
    ids: &[ObjectId],
) -> Result<Vec<Row>, sqlx::Error> {
    let ids = serde_json::Value::from(ids.iter().map(|id| id.to_hex()).collect::<Vec<_>>());
    let table = collection.name();
    let text = format!(
        "SELECT _id, CAST(doc AS BLOB) AS doc FROM {table}
         WHERE _id IN (SELECT value FROM json_each($1)) ORDER BY _id"
    );
    sqlx::query(AssertSqlSafe(text)).bind(ids).fetch_all(from).await?.iter().map(row).collect()
}

/// Makes changes in one statement.
async fn change(
    tx: &mut SqliteConnection,
    collection: Collection,
    changes: &[Change],
) -> Result<Vec<Changed>, sqlx::Error> {
    let ids: Vec<_> = changes.iter().map(|change| change.id).collect();
    let found = select(&mut *tx, collection, &ids).await?;
    let mut current: BTreeMap<_, _> = found.into_iter().map(|row| (row.id, row.document())).collect();
    let mut written = BTreeMap::new();
    let mut outcomes = Vec::with_capacity(changes.len());
    for change in changes {
        let made = changed(change, current.get(&change.id));
        outcomes.push(made.as_ref().map_or_else(Clone::clone, |_| Changed::Done));
        if let Ok(document) = made {
            written.insert(change.id, value::to_json(&document, Form::Relaxed));
            current.insert(change.id, Ok(document));
        }
    }
    if !written.is_empty() {
        let mut query = QueryBuilder::<sqlx::Sqlite>::new("WITH made (id, doc) AS (");
        query.push_values(written, |mut row, (id, text)| {
            row.push_bind(id.to_hex()).push_bind(text);
        });
        let table = collection.name();
        // Without the plus it might read the whole table and look for each of its rows among these.
        query.push(format!(") UPDATE {table} SET doc = made.doc FROM made WHERE _id = +made.id"));
        query.build().execute(&mut *tx).await?;
    }
    Ok(outcomes)
}

/// What a document becomes, or why it does not.
fn changed(change: &Change, current: Option<&Result<Document, Malformed>>) -> Result<Document, Changed> {
    if let Some(why) = change.refusal() {
        return Err(Changed::Refused(why));
    }
    let current = current.ok_or(Changed::Stale)?;
    let mut document = current.clone().map_err(|malformed| Changed::Refused(malformed.to_string()))?;
    if !change.expected.iter().all(|(path, expected)| value::same_at(&document, path, expected.as_ref())) {
        return Err(Changed::Stale);
    }
    for path in &change.unset {
        value::unset(&mut document, path);
    }
    for (path, new) in &change.set {
        value::set(&mut document, path, new.clone()).map_err(Changed::Refused)?;
    }
    Ok(document)
}

/// The ids sort as the documents' own; nothing but an id gets in, so that every row can be named and paged over.
const COLUMNS: &str = "_id TEXT NOT NULL PRIMARY KEY CHECK (length(_id) = 24 AND NOT _id GLOB '*[^0-9a-f]*'),
                       doc TEXT NOT NULL CHECK (typeof(doc) = 'text')";

/// What is at a path, for an index: NULL in a text that is no JSON, instead of an error.
fn key(path: &str) -> String {
    if path == "_id" {
        path.to_owned()
    } else {
        format!("CASE WHEN json_valid(doc) THEN json_extract(doc, '$.{path}') END")
    }
}

/// A time at a path as text that sorts: see [`value::sortable`].
pub(super) fn time_key(path: &str) -> String {
    let text = format!("json_extract(doc, '$.{path}.\"$date\"')");
    format!(
        "CASE WHEN json_valid(doc) THEN CASE WHEN {text} GLOB '[12]*Z' THEN
             CASE length({text}) WHEN 24 THEN substr({text}, 1, 23) WHEN 20 THEN substr({text}, 1, 19) || '.000' END
         END END"
    )
}

fn time_text(at: DateTime<Utc>) -> String {
    // Before 1970 every time is later.
    value::sortable(bson::DateTime::from_millis(at.timestamp_millis())).unwrap_or_default()
}

fn index_sql(collection: Collection, index: &Index, name: &str) -> String {
    let is_time = |path: &str| {
        path == collection.changed_at()
            || ["dateTime", "bookingDate", "expiresAt", "lockedUntil"].contains(&path)
    };
    let keys: Vec<String> = index
        .keys
        .iter()
        .map(|(path, order)| {
            let key = if is_time(path) { time_key(path) } else { key(path) };
            format!("{key}{}", if *order < 0 { " DESC" } else { "" })
        })
        .collect();
    let unique = matches!(index.kind, IndexKind::Unique | IndexKind::UniqueWhileActive);
    let only = if index.kind == IndexKind::UniqueWhileActive {
        format!(" WHERE {} IN ('{}')", key("status"), ACTIVE.join("', '"))
    } else {
        String::new()
    };
    let unique = if unique { "UNIQUE " } else { "" };
    format!("CREATE {unique}INDEX \"{name}\" ON {} ({}){only}", collection.name(), keys.join(", "))
}

/// The index that a unique violation names.
fn taken(collection: Collection, error: &sqlx::Error) -> Option<String> {
    let error = error.as_database_error().filter(|error| error.is_unique_violation())?;
    let name = error.message().split('\'').nth(1).unwrap_or(error.message());
    let prefix = format!("{}_", collection.name());
    Some(name.strip_prefix(&prefix).unwrap_or(name).to_owned())
}

fn row(row: &SqliteRow) -> Result<Row, sqlx::Error> {
    Ok(Row::json(id(row)?, row.try_get("doc")?))
}

fn id(row: &SqliteRow) -> Result<ObjectId, sqlx::Error> {
    let id: &str = row.try_get("_id")?;
    ObjectId::parse_str(id).map_err(|error| sqlx::Error::Decode(error.into()))
}

fn step(what: String, made: bool) -> Step {
    Step { what, done: if made { "made" } else { "there" }, why: None }
}

async fn sql(tx: &mut SqliteConnection, text: String) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(text)).execute(tx).await.map(|_| ())
}
