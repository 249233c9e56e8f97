//! The customer document database: five collections that other services write.
//!
//! Limits first:
//! - ids are `ObjectId`s; documents of a MongoDB with other ids are counted ([`Tally::foreign`]) and never read;
//! - a page is as large as its documents: 1,000 documents of 16 MiB do not fit, 1,000 of the usual kilobyte do;
//! - every call ends within [`Limits`]; a write that ran out of time may have been done (read again);
//! - a write batch is not one transaction: each document stands for itself, on both engines;
//! - [`Documents::changed_since`] only nominates. It sees what has a time (in UTC, 1970 or later) where the collection
//!   keeps it, so a writer that does not touch `updatedAt` is seen by a full read only.
//!
//! Two engines, one contract (`tests.rs` runs on both): `sqlite.rs` keeps one file with extended JSON, `mongo.rs` asks a
//! server through the official driver and can be left out of the build (cargo feature `mongodb`).

mod collection;
mod error;
#[cfg(feature = "mongodb")]
mod mongo;
mod row;
mod sqlite;
#[cfg(test)]
mod tests;
pub mod transfer;
mod value;

use std::time::Duration;

use bson::{Bson, Document, oid::ObjectId};
use chrono::{DateTime, Utc};

pub use collection::{Collection, Index, IndexKind};
pub use error::DocumentsError;
pub use row::{Malformed, Raw, Row};
pub use value::{Form, at, from_json, same, to_json};

/// How long a call may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Any but the next.
    pub call: Duration,
    /// Counting, making indexes and cleaning up, which look at every document.
    pub whole: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { call: Duration::from_secs(10), whole: Duration::from_mins(2) }
    }
}

/// The document database. Cheap to clone.
#[derive(Clone)]
pub struct Documents {
    engine: Engine,
    limits: Limits,
}

#[derive(Clone)]
enum Engine {
    Sqlite(sqlite::Sqlite),
    #[cfg(feature = "mongodb")]
    Mongo(mongo::Mongo),
}

/// Some documents, ascending by `_id`.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The documents, as they are stored.
    pub rows: Vec<Row>,
    /// What to ask for next; `None` at the end.
    pub next: Option<ObjectId>,
}

/// Some documents, ascending by the time of their last change and `_id`.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// The documents, as they are stored.
    pub rows: Vec<Row>,
    /// What to ask for next: the last document's time and id; `None` when there was none.
    pub next: Option<Watermark>,
}

/// How far changes were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermark {
    /// The time of a change.
    pub at: DateTime<Utc>,
    /// The last document of that time that was read.
    pub id: ObjectId,
}

/// How many documents there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Tally {
    /// Documents that we can read.
    pub documents: u64,
    /// Documents whose `_id` is no `ObjectId`; nothing of ours sees them.
    pub foreign: u64,
}

/// What became of an insert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// It is there now.
    Done,
    /// A document with this id was there already; it was not touched.
    Exists,
    /// Another document has what must be unique; the index is named as MongoDB names it: `email_1`.
    Taken(String),
    /// It cannot be stored.
    Refused(String),
}

/// A change of one document, made only if the document still says what was seen.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Which document.
    pub id: ObjectId,
    /// What must be at these paths; `None` and null both mean nothing there, or null. Numbers are equal by value.
    pub expected: Vec<(String, Option<Bson>)>,
    /// What to put at these paths.
    pub set: Vec<(String, Bson)>,
    /// What to remove.
    pub unset: Vec<String>,
}

/// What became of a [`Change`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It was made.
    Done,
    /// The document is gone or says something else by now; nothing was written.
    Stale,
    /// Another document has what must be unique; nothing was written.
    Taken(String),
    /// It cannot be made; nothing was written.
    Refused(String),
}

/// One thing that [`Documents::init`] looked after.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Step {
    /// Collection, index or validator.
    pub what: String,
    /// `made`, `there`, or `kept`: somebody else's differs and was not touched.
    pub done: &'static str,
    /// Why it was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// One arm per engine.
macro_rules! ask {
    ($self:expr, $limit:expr, $what:expr, |$engine:ident| $call:expr) => {{
        let limit = $limit;
        let answer = match &$self.engine {
            Engine::Sqlite($engine) => tokio::time::timeout(limit, $call).await,
            #[cfg(feature = "mongodb")]
            Engine::Mongo($engine) => tokio::time::timeout(limit, $call).await,
        };
        answer.unwrap_or_else(|_| Err($self.late($what, limit)))
    }};
}

impl Documents {
    /// Opens `sqlite:PATH`, which is made with its tables when it is missing, or names a MongoDB, which is connected to
    /// when it is first asked: one that is away is no error here.
    pub async fn open(url: &str) -> Result<Self, DocumentsError> {
        let engine = if url.starts_with("sqlite:") {
            Engine::Sqlite(sqlite::Sqlite::open(url).await?)
        } else if url.starts_with("mongodb:") || url.starts_with("mongodb+srv:") {
            Self::mongo(url)?
        } else {
            return Err(DocumentsError::Url("it must begin with sqlite: or mongodb://".to_owned()));
        };
        Ok(Self { engine, limits: Limits::default() })
    }

    #[cfg(feature = "mongodb")]
    fn mongo(url: &str) -> Result<Engine, DocumentsError> {
        Ok(Engine::Mongo(mongo::Mongo::new(url)?))
    }

    #[cfg(not(feature = "mongodb"))]
    fn mongo(_: &str) -> Result<Engine, DocumentsError> {
        Err(DocumentsError::Url(
            "this astrops was built without MongoDB (cargo feature mongodb); use sqlite:PATH or another build"
                .to_owned(),
        ))
    }

    /// The same with other limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// `sqlite` or `mongodb`.
    pub fn kind(&self) -> &'static str {
        match self.engine {
            Engine::Sqlite(_) => "sqlite",
            #[cfg(feature = "mongodb")]
            Engine::Mongo(_) => "mongodb",
        }
    }

    /// Where it is, for a person: the path, or hosts and database. Holds no password.
    pub fn at(&self) -> String {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.at().to_owned(),
            #[cfg(feature = "mongodb")]
            Engine::Mongo(mongo) => mongo.at().to_owned(),
        }
    }

    /// Whether it answers.
    pub async fn ping(&self) -> Result<(), DocumentsError> {
        ask!(self, self.limits.call, "ping", |engine| engine.ping())
    }

    /// Makes collections, indexes and validators that are missing. What somebody else made differently stays.
    pub async fn init(&self) -> Result<Vec<Step>, DocumentsError> {
        ask!(self, self.limits.whole, "making collections and indexes", |engine| engine.init())
    }

    /// How many documents there are.
    pub async fn count(&self, collection: Collection) -> Result<Tally, DocumentsError> {
        ask!(self, self.limits.whole, "counting documents", |engine| engine.count(collection))
    }

    /// The documents with these ids that are there, ascending by id.
    pub async fn get(&self, collection: Collection, ids: &[ObjectId]) -> Result<Vec<Row>, DocumentsError> {
        ask!(self, self.limits.call, "reading documents", |engine| engine.get(collection, ids))
    }

    /// The next documents after an id. `fields` are all that the caller needs: the others may be left out, `_id` never is.
    pub async fn page(
        &self,
        collection: Collection,
        after: Option<ObjectId>,
        limit: u32,
        fields: Option<&[&str]>,
    ) -> Result<Page, DocumentsError> {
        let keep = |rows: &mut Vec<Row>, id: ObjectId, raw: Raw<'_>| rows.push(raw.to_row(id));
        let rows = self.scan(collection, after, limit, fields, Vec::new(), keep).await?;
        let full = rows.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(Page { next: rows.last().filter(|_| full).map(|row| row.id), rows })
    }

    /// [`Documents::page`] without a copy of each document: calls `each` with every document of the page, ascending by
    /// `_id`, and gives `state` back. `each` may run on a thread of its own.
    pub async fn scan<S: Send + 'static>(
        &self,
        collection: Collection,
        after: Option<ObjectId>,
        limit: u32,
        fields: Option<&[&str]>,
        state: S,
        each: impl FnMut(&mut S, ObjectId, Raw<'_>) + Send + 'static,
    ) -> Result<S, DocumentsError> {
        ask!(self, self.limits.call, "reading a page", |engine| engine
            .scan(collection, after, limit, fields, state, each))
    }

    /// The next documents that changed after a watermark: later, or at the same time with a greater id.
    pub async fn changed_since(
        &self,
        collection: Collection,
        after: Watermark,
        limit: u32,
    ) -> Result<Changes, DocumentsError> {
        ask!(self, self.limits.call, "reading changes", |engine| engine
            .changed_since(collection, after, limit))
    }

    /// Stores new documents, each for itself; what became of each, in their order.
    pub async fn insert(
        &self,
        collection: Collection,
        documents: &[Document],
    ) -> Result<Vec<Inserted>, DocumentsError> {
        if documents.is_empty() {
            return Ok(Vec::new());
        }
        ask!(self, self.limits.call, "inserting documents", |engine| engine.insert(collection, documents))
    }

    /// Makes changes, each by itself and only if its document still says what was expected; what became of each.
    pub async fn compare_and_set(
        &self,
        collection: Collection,
        changes: &[Change],
    ) -> Result<Vec<Changed>, DocumentsError> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        ask!(self, self.limits.call, "changing documents", |engine| engine
            .compare_and_set(collection, changes))
    }

    /// Removes at most `most` sessions and capacity log entries whose time has come, and says how many. A MongoDB does
    /// it by itself (its TTL indexes): 0.
    pub async fn expire(&self, now: DateTime<Utc>, most: u32) -> Result<u64, DocumentsError> {
        let limit = self.limits.whole;
        match &self.engine {
            Engine::Sqlite(sqlite) => tokio::time::timeout(limit, sqlite.expire(now, most))
                .await
                .unwrap_or_else(|_| Err(self.late("removing expired documents", limit))),
            #[cfg(feature = "mongodb")]
            Engine::Mongo(_) => Ok(0),
        }
    }

    fn late(&self, what: &'static str, limit: Duration) -> DocumentsError {
        DocumentsError::Timeout { at: self.at(), what, seconds: limit.as_secs_f64() }
    }

    /// Ends every connection.
    pub async fn close(&self) {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.close().await,
            #[cfg(feature = "mongodb")]
            Engine::Mongo(mongo) => mongo.close().await,
        }
    }
}

impl Change {
    /// Why no engine could make it.
    fn refusal(&self) -> Option<String> {
        let written = || self.set.iter().map(|(path, _)| path).chain(&self.unset);
        let named = || written().chain(self.expected.iter().map(|(path, _)| path));
        if written().any(|path| path == "_id" || path.starts_with("_id.")) {
            return Some("the _id of a document never changes".to_owned());
        }
        if self.set.is_empty() && self.unset.is_empty() {
            return Some("there is nothing to change".to_owned());
        }
        let wrong =
            named().find(|path| path.split('.').any(|name| name.is_empty() || name.starts_with('$')))?;
        Some(format!("{wrong:?} is no path"))
    }
}
