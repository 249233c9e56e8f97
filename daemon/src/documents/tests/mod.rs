//! One contract, two engines: every case runs on a SQLite file and on a real MongoDB.

#[cfg(feature = "mongodb")]
mod away;
mod files;
mod hand;
mod init;
mod values;
mod verbs;

use bson::{Document, doc, oid::ObjectId};

use super::*;

/// The MongoDB for tests, from `scripts/services env`.
#[cfg(feature = "mongodb")]
const SERVER: &str = "ASTROPS_TEST_MONGODB_URL";

/// Every case on both engines.
macro_rules! contract {
    ($($case:ident),+ $(,)?) => {
        mod on_sqlite { $(#[tokio::test] async fn $case() {
            let (documents, _dir) = super::super::sqlite().await;
            super::$case(documents).await
        })+ }
        #[cfg(feature = "mongodb")]
        mod on_mongodb { $(#[tokio::test] async fn $case() {
            if let Some((documents, database)) = super::super::mongodb("").await {
                super::$case(documents).await;
                database.drop().await.unwrap();
            }
        })+ }
    };
}
use contract;

/// A new file in a folder of its own.
async fn sqlite() -> (Documents, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let documents =
        Documents::open(&format!("sqlite:{}", dir.path().join("customer.db").display())).await.unwrap();
    (documents, dir)
}

/// A new database with its collections; `None`, out loud, when there is no server. With `CI=true` that is a failure.
#[cfg(feature = "mongodb")]
async fn mongodb(options: &str) -> Option<(Documents, mongodb::Database)> {
    let url = mongodb_url(options)?;
    let documents = Documents::open(&url).await.unwrap();
    documents.init().await.unwrap();
    let client = mongodb::Client::with_uri_str(url.replace(options, "")).await.unwrap();
    Some((documents, client.default_database().unwrap()))
}

/// The URL of a database that is not there yet.
#[cfg(feature = "mongodb")]
fn mongodb_url(options: &str) -> Option<String> {
    let Ok(server) = std::env::var(SERVER) else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{SERVER} is not set: run scripts/test");
        eprintln!("SKIPPED on MongoDB: {SERVER} is not set, run scripts/test");
        return None;
    };
    let name = format!("story_{}", uuid::Uuid::new_v4().simple());
    Some(format!("{}{options}", server.replacen("/astrops?", &format!("/{name}?"), 1)))
}

/// The n-th id.
fn id(n: u32) -> ObjectId {
    let mut bytes = [0x65; 12];
    bytes[8..].copy_from_slice(&n.to_be_bytes());
    ObjectId::from_bytes(bytes)
}

fn time(text: &str) -> bson::DateTime {
    bson::DateTime::parse_rfc3339_str(text).unwrap()
}

/// An event as the customer-facing services write them.
fn event(n: u32) -> Document {
    doc! {
        "_id": id(n), "name": format!("Launch {n}"), "description": "Ein Flug – mit Ümläuten 🚀", "venue": "Pad 39A",
        "dateTime": time("2026-09-01T10:00:00Z"), "capacity": 100, "availableTickets": 100, "price": 19.99,
        "category": "moon", "organizerId": id(9_000), "isActive": true,
        "createdAt": time("2026-03-01T00:00:00Z"), "updatedAt": time("2026-03-02T12:00:00.123Z"),
    }
}

fn user(n: u32, email: &str) -> Document {
    doc! {
        "_id": id(n), "email": email, "password": "$2b$", "name": "Ana", "role": "user",
        "updatedAt": time("2026-03-02T12:00:00Z"),
    }
}

fn booking(n: u32, user: u32, status: &str) -> Document {
    doc! {
        "_id": id(n), "eventId": id(1), "userId": id(user), "ticketQuantity": 2, "totalAmount": 39.98,
        "status": status, "paymentStatus": "pending", "updatedAt": time("2026-03-02T12:00:00Z"),
    }
}

/// A change of one field that was seen to hold a value.
fn change(n: u32, path: &str, seen: impl Into<Bson>, new: impl Into<Bson>) -> Change {
    Change {
        id: id(n),
        expected: vec![(path.to_owned(), Some(seen.into()))],
        set: vec![(path.to_owned(), new.into())],
        unset: Vec::new(),
    }
}

async fn read(documents: &Documents, collection: Collection, n: u32) -> Document {
    documents.get(collection, &[id(n)]).await.unwrap()[0].document().unwrap()
}
