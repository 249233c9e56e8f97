//! The document database, opened beside the daemon as another service would.

use astrops_api::ids::{EntityId, extract};
use astrops_daemon::documents::{Change, Changed, Collection, Documents, Inserted};
use bson::{Document, oid::ObjectId};
use secrecy::ExposeSecret as _;
use sqlx::Connection as _;

use super::{Engine, TestDaemon};

/// The MongoDB for tests, from `scripts/services env`.
const SERVER: &str = "ASTROPS_TEST_MONGODB_URL";

/// A story on both engines, each with documents in a file and in a MongoDB.
#[macro_export]
macro_rules! stories_on_both_sides {
    ($($story:ident),+ $(,)?) => {
        $crate::stories!($($story),+);
        mod on_sqlite_with_mongodb { $(#[tokio::test] async fn $story() {
            if let Some(daemon) = $crate::support::documents::on_mongodb($crate::support::Engine::Sqlite).await {
                super::$story(daemon).await;
            }
        })+ }
        mod on_postgres_with_mongodb { $(#[tokio::test] async fn $story() {
            if let Some(daemon) = $crate::support::documents::on_mongodb($crate::support::Engine::Postgres).await {
                super::$story(daemon).await;
            }
        })+ }
    };
}

/// A daemon whose documents are in a new MongoDB database; `None`, out loud, when there is no server.
pub async fn on_mongodb(engine: Engine) -> Option<TestDaemon> {
    let Ok(server) = std::env::var(SERVER) else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{SERVER} is not set: run scripts/test");
        eprintln!("SKIPPED on MongoDB: {SERVER} is not set, run scripts/test");
        return None;
    };
    let name = format!("story_{}", uuid::Uuid::new_v4().simple());
    // By its name the server's faults are this daemon's alone.
    let url = format!("{}&appName={name}", server.replacen("/astrops?", &format!("/{name}?"), 1));
    Documents::open(&url).await.unwrap().init().await.unwrap();
    TestDaemon::start_with(engine, |config| config.documents.url = url.into()).await
}

pub fn object(id: EntityId) -> ObjectId {
    ObjectId::from_bytes(extract(id.0).unwrap())
}

/// The documents.
pub struct Behind {
    documents: Documents,
    url: String,
}

impl Behind {
    pub async fn of(daemon: &TestDaemon) -> Self {
        let url = daemon.config.documents.url.expose_secret().to_owned();
        Self { documents: Documents::open(&url).await.unwrap(), url }
    }

    pub async fn get(&self, collection: Collection, id: EntityId) -> Option<Document> {
        let rows = self.documents.get(collection, &[object(id)]).await.unwrap();
        rows.first().map(|row| row.document().unwrap())
    }

    pub async fn insert(&self, collection: Collection, document: Document) {
        let done = self.documents.insert(collection, &[document]).await.unwrap();
        assert_eq!(done, [Inserted::Done]);
    }

    pub async fn set(&self, collection: Collection, id: EntityId, fields: Document) {
        let change = Change { id: object(id), set: fields.into_iter().collect(), ..Change::default() };
        assert_eq!(self.documents.compare_and_set(collection, &[change]).await.unwrap(), [Changed::Done]);
    }

    /// From now on no document of the daemon can be changed, until they can be again.
    pub async fn refuse_changes(&self, refuse: bool) {
        if self.url.starts_with("mongodb") {
            let client = mongodb::Client::with_uri_str(&self.url).await.unwrap();
            let app = client.default_database().unwrap().name().to_owned();
            let mode = if refuse { "alwaysOn" } else { "off" };
            let data = bson::doc! { "failCommands": ["update"], "errorCode": 96, "appName": app };
            let fault = bson::doc! { "configureFailPoint": "failCommand", "mode": mode, "data": data };
            client.database("admin").run_command(fault).await.unwrap();
            return;
        }
        let mut conn = sqlx::SqliteConnection::connect(&self.url).await.unwrap();
        let text = if refuse {
            "CREATE TRIGGER refuse BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'the disk is sick'); END"
        } else {
            "DROP TRIGGER refuse"
        };
        sqlx::query(text).execute(&mut conn).await.unwrap();
    }

    /// Deletes what the port never does; everything of the collection without an id.
    pub async fn remove(&self, collection: Collection, id: Option<EntityId>) {
        if self.url.starts_with("mongodb") {
            let client = mongodb::Client::with_uri_str(&self.url).await.unwrap();
            let documents = client.default_database().unwrap().collection::<Document>(collection.name());
            let filter = id.map_or_else(Document::new, |id| bson::doc! { "_id": object(id) });
            documents.delete_many(filter).await.unwrap();
            return;
        }
        let mut conn = sqlx::SqliteConnection::connect(&self.url).await.unwrap();
        let text = format!("DELETE FROM {} WHERE _id LIKE $1", collection.name());
        let like = id.map_or_else(|| "%".to_owned(), |id| object(id).to_hex());
        sqlx::query(sqlx::AssertSqlSafe(text)).bind(like).execute(&mut conn).await.unwrap();
    }
}
