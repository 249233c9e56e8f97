//! The server engine: a MongoDB through its official driver.
//!
//! Limits: needs MongoDB 6.0 or later. The client is made at the first question, so a server that is away, or a
//! `mongodb+srv` name that does not resolve, is an error of that question and not of the start. Reads and writes are of
//! the majority unless the URL says otherwise; a write that lost its connection is tried once more by the driver, never
//! done twice (retryable writes need a replica set or a sharded cluster).

use std::{sync::Arc, time::Duration};

use bson::{Bson, Document, RawDocumentBuf, doc, oid::ObjectId};
use futures::{StreamExt as _, TryStreamExt as _};
use mongodb::{
    Client, Database, IndexModel,
    error::{Error, ErrorKind, WriteFailure},
    options::{
        ClientOptions, ConnectionString, HostInfo, IndexOptions, ReadConcern, ValidationAction, WriteConcern,
    },
};
use tokio::sync::OnceCell;

use super::{
    Change, Changed, Changes, DocumentsError, Inserted, Raw, Row, Step, Tally, Watermark,
    collection::{ACTIVE, Collection, Index, IndexKind},
};

/// A server must be found and connected to within this time.
const CONNECT: Duration = Duration::from_secs(5);
/// Changes under way at the same time in one call.
const TOGETHER: usize = 8;
/// Two documents would share what must be unique.
const DUPLICATE: i32 = 11_000;

#[derive(Clone)]
pub struct Mongo(Arc<Inner>);

struct Inner {
    url: secrecy::SecretString,
    name: String,
    at: String,
    database: OnceCell<Database>,
}

impl Mongo {
    pub fn new(url: &str) -> Result<Self, DocumentsError> {
        let parsed =
            ConnectionString::parse(url).map_err(|error| DocumentsError::Url(refusal(url, &error)))?;
        let Some(name) = parsed.default_database.filter(|name| !name.is_empty()) else {
            return Err(DocumentsError::Url(
                "it names no database: mongodb://HOST/NAME, options after it (mongodb://HOST/NAME?replicaSet=rs0)"
                    .to_owned(),
            ));
        };
        let hosts = match &parsed.host_info {
            HostInfo::HostIdentifiers(hosts) => {
                hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
            }
            HostInfo::DnsRecord(host) => host.clone(),
            _ => "somewhere".to_owned(),
        };
        let at = format!("{hosts}/{name}");
        let inner = Inner { url: url.into(), name, at, database: OnceCell::new() };
        Ok(Self(Arc::new(inner)))
    }

    pub fn at(&self) -> &str {
        &self.0.at
    }

    pub async fn close(&self) {
        if let Some(database) = self.0.database.get() {
            database.client().clone().shutdown().immediate(true).await;
        }
    }

    async fn database(&self) -> Result<&Database, Error> {
        use secrecy::ExposeSecret as _;
        let connect = || async {
            let mut options = ClientOptions::parse(self.0.url.expose_secret()).await?;
            options.app_name.get_or_insert_with(|| "astrops".to_owned());
            options.server_selection_timeout.get_or_insert(CONNECT);
            options.connect_timeout.get_or_insert(CONNECT);
            options.max_pool_size.get_or_insert(8);
            options.read_concern.get_or_insert_with(ReadConcern::majority);
            options.write_concern.get_or_insert_with(WriteConcern::majority);
            Ok(Client::with_options(options)?.database(&self.0.name))
        };
        self.0.database.get_or_try_init(connect).await
    }

    async fn collection<T: Send + Sync>(&self, of: Collection) -> Result<mongodb::Collection<T>, Error> {
        Ok(self.database().await?.collection(of.name()))
    }

    pub async fn ping(&self) -> Result<(), DocumentsError> {
        let ping = async { self.database().await?.run_command(doc! { "ping": 1 }).await };
        ping.await.map(|_| ()).map_err(self.failed("ping"))
    }

    pub async fn init(&self) -> Result<Vec<Step>, DocumentsError> {
        let failed = self.failed("making collections and indexes");
        let database = self.database().await.map_err(&failed)?;
        let there: Vec<_> =
            database.list_collections().await.map_err(&failed)?.try_collect().await.map_err(&failed)?;
        let mut steps = Vec::new();
        for collection in Collection::ALL {
            let name = collection.name();
            let validator = collection.validator();
            match there.iter().find(|there| there.name == name) {
                None => {
                    database
                        .create_collection(name)
                        .validator(validator)
                        .validation_action(ValidationAction::Warn)
                        .await
                        .map_err(&failed)?;
                    steps.push(step(name.to_owned(), "made", None));
                    steps.push(step(format!("{name} validator"), "made", None));
                }
                Some(there) => {
                    steps.push(step(name.to_owned(), "there", None));
                    let (done, why) = match there
                        .options
                        .validator
                        .as_ref()
                        .filter(|validator| !validator.is_empty())
                    {
                        Some(other) if *other == validator => ("there", None),
                        Some(_) => ("kept", Some("the collection has another validator".to_owned())),
                        None => {
                            let change =
                                doc! { "collMod": name, "validator": validator, "validationAction": "warn" };
                            database.run_command(change).await.map_err(&failed)?;
                            ("made", None)
                        }
                    };
                    steps.push(step(format!("{name} validator"), done, why));
                }
            }
            let documents = database.collection::<Document>(name);
            let before = documents.list_index_names().await.map_err(&failed)?;
            for index in collection.indexes() {
                let what = format!("{name} index {}", index.name());
                steps.push(match documents.create_index(model(index)).await {
                    Ok(made) if before.contains(&made.index_name) => step(what, "there", None),
                    Ok(_) => step(what, "made", None),
                    // The same paths with other options, or documents that already share a value: not ours to change.
                    Err(error) => match *error.kind {
                        ErrorKind::Command(ref error) if [85, 86, DUPLICATE].contains(&error.code) => {
                            step(what, "kept", Some(error.message.clone()))
                        }
                        _ => return Err(failed(error)),
                    },
                });
            }
        }
        Ok(steps)
    }

    pub async fn count(&self, collection: Collection) -> Result<Tally, DocumentsError> {
        let count = async {
            let collection = self.collection::<Document>(collection).await?;
            let ours = doc! { "_id": { "$gte": ObjectId::from_bytes([0; 12]) } };
            let documents = collection.count_documents(ours).await?;
            let all = collection.count_documents(doc! {}).await?;
            Ok(Tally { documents, foreign: all.saturating_sub(documents) })
        };
        count.await.map_err(self.failed("counting documents"))
    }

    pub async fn get(&self, collection: Collection, ids: &[ObjectId]) -> Result<Vec<Row>, DocumentsError> {
        let filter = doc! { "_id": { "$in": ids } };
        self.find(collection, filter, doc! { "_id": 1 }, None).await.map_err(self.failed("reading documents"))
    }

    /// Straight from the server's answer: nothing is copied.
    pub async fn scan<S>(
        &self,
        collection: Collection,
        after: Option<ObjectId>,
        limit: u32,
        fields: Option<&[&str]>,
        mut state: S,
        mut each: impl FnMut(&mut S, ObjectId, Raw<'_>),
    ) -> Result<S, DocumentsError> {
        let failed = self.failed("reading a page");
        // A comparison with an ObjectId finds ObjectIds only.
        let first = doc! { "_id": { "$gte": ObjectId::from_bytes([0; 12]) } };
        let filter = after.map_or(first, |after| doc! { "_id": { "$gt": after } });
        let documents = self.collection::<RawDocumentBuf>(collection).await.map_err(&failed)?;
        // One answer for the page, if its documents fit.
        let mut find = documents.find(filter).sort(doc! { "_id": 1 }).limit(limit.into()).batch_size(limit);
        if let Some(fields) = fields {
            find =
                find.projection(fields.iter().map(|field| ((*field).to_owned(), Bson::Int32(1))).collect());
        }
        let mut answers = find.batch().await.map_err(&failed)?;
        while let Some(answer) = answers.try_next().await.map_err(&failed)? {
            for document in answer.doc_slices().map_err(&failed)? {
                let document = document.map_err(|error| failed(error.into()))?;
                let document = document.as_document().ok_or_else(|| failed(Error::custom("no document")))?;
                let id = document.get_object_id("_id").map_err(|error| failed(Error::custom(error)))?;
                each(&mut state, id, Raw::Bson(document));
            }
        }
        Ok(state)
    }

    pub async fn changed_since(
        &self,
        collection: Collection,
        after: Watermark,
        limit: u32,
    ) -> Result<Changes, DocumentsError> {
        let (path, at) = (collection.changed_at(), bson::DateTime::from_chrono(after.at));
        let oldest = bson::DateTime::from_millis(0);
        let filter = doc! { "$or": [
            // Earlier times are not changes but mistakes; the embedded engine does not see them either.
            { path: { "$gt": at, "$gte": oldest } },
            { path: { "$eq": at, "$gte": oldest }, "_id": { "$gt": after.id } },
        ] };
        let rows = self.find(collection, filter, doc! { path: 1, "_id": 1 }, Some(limit)).await;
        let rows = rows.map_err(self.failed("reading changes"))?;
        let next = rows.last().map(|last| {
            let at = last.time(path).map_or(after.at, bson::DateTime::to_chrono);
            Watermark { at, id: last.id }
        });
        Ok(Changes { rows, next })
    }

    async fn find(
        &self,
        collection: Collection,
        filter: Document,
        sort: Document,
        limit: Option<u32>,
    ) -> Result<Vec<Row>, Error> {
        let collection = self.collection::<RawDocumentBuf>(collection).await?;
        let mut find = collection.find(filter).sort(sort);
        if let Some(limit) = limit {
            // One answer for the page, if its documents fit.
            find = find.limit(limit.into()).batch_size(limit);
        }
        let rows: Vec<RawDocumentBuf> = find.await?.try_collect().await?;
        // Ids of other types are foreign to us.
        Ok(rows.into_iter().filter_map(|raw| Some(Row::bson(raw.get_object_id("_id").ok()?, raw))).collect())
    }

    pub async fn insert(
        &self,
        collection: Collection,
        documents: &[Document],
    ) -> Result<Vec<Inserted>, DocumentsError> {
        let failed = self.failed("inserting documents");
        let (mut outcomes, mut sent, mut places) =
            (vec![Inserted::Done; documents.len()], Vec::new(), Vec::new());
        for (place, document) in documents.iter().enumerate() {
            if document.get_object_id("_id").is_ok() {
                sent.push(document);
                places.push(place);
            } else {
                outcomes[place] = Inserted::Refused("its _id is no ObjectId".to_owned());
            }
        }
        if sent.is_empty() {
            return Ok(outcomes);
        }
        let collection = self.collection::<Document>(collection).await.map_err(&failed)?;
        // Unordered: one that is refused keeps no other from being stored.
        let Err(error) = collection.insert_many(sent).ordered(false).await else { return Ok(outcomes) };
        match *error.kind {
            ErrorKind::InsertMany(ref many) if many.write_concern_error.is_none() => {
                for error in many.write_errors.iter().flatten() {
                    let Some(place) = places.get(error.index) else { continue };
                    outcomes[*place] = match duplicate(error.code, &error.message) {
                        Some(index) if index == "_id_" => Inserted::Exists,
                        Some(index) => Inserted::Taken(index),
                        None => Inserted::Refused(error.message.clone()),
                    };
                }
                Ok(outcomes)
            }
            _ => Err(failed(error)),
        }
    }

    pub async fn compare_and_set(
        &self,
        collection: Collection,
        changes: &[Change],
    ) -> Result<Vec<Changed>, DocumentsError> {
        let failed = self.failed("changing documents");
        let collection = self.collection::<Document>(collection).await.map_err(&failed)?;
        // An update command of many would say how many matched, not which.
        let done = futures::stream::iter(changes.to_vec()).map(|change| {
            let collection = collection.clone();
            async move { compare_and_set(&collection, change).await }
        });
        done.buffered(TOGETHER).try_collect().await.map_err(failed)
    }

    fn failed(&self, what: &'static str) -> impl Fn(Error) -> DocumentsError {
        let at = self.0.at.clone();
        move |error| {
            // Without the labels and the raw answer of the server.
            let why = error.kind.to_string();
            match *error.kind {
                ErrorKind::Command(ref error) if error.code == 50 => {
                    DocumentsError::Timeout { at: at.clone(), what, seconds: 0.0 }
                }
                ErrorKind::Io(_)
                | ErrorKind::ServerSelection { .. }
                | ErrorKind::DnsResolve { .. }
                | ErrorKind::ConnectionPoolCleared { .. }
                | ErrorKind::Shutdown => DocumentsError::Unreachable { at: at.clone(), why },
                // A member that steps down, shuts down or recovers.
                ErrorKind::Command(ref error) if AWAY.contains(&error.code) => {
                    DocumentsError::Unreachable { at: at.clone(), why }
                }
                _ => DocumentsError::Refused { at: at.clone(), what, why },
            }
        }
    }
}

/// Codes of a server that is not, or no longer, the one to ask.
const AWAY: [i32; 9] = [6, 7, 89, 91, 189, 9001, 10_107, 11_600, 13_435];

async fn compare_and_set(
    collection: &mongodb::Collection<Document>,
    change: Change,
) -> Result<Changed, Error> {
    if let Some(why) = change.refusal() {
        return Ok(Changed::Refused(why));
    }
    // As an expression: `{path: value}` would also match an array that holds the value.
    let seen: Vec<Bson> = change
        .expected
        .into_iter()
        .map(|(path, expected)| {
            let expected = expected.unwrap_or(Bson::Null);
            doc! { "$eq": [{ "$ifNull": [format!("${path}"), Bson::Null] }, { "$literal": expected }] }.into()
        })
        .collect();
    let mut update = Document::new();
    if !change.set.is_empty() {
        update.insert("$set", change.set.into_iter().collect::<Document>());
    }
    if !change.unset.is_empty() {
        let unset = change.unset.into_iter().map(|path| (path, Bson::from("")));
        update.insert("$unset", unset.collect::<Document>());
    }
    let filter = doc! { "_id": change.id, "$expr": { "$and": seen } };
    match collection.update_one(filter, update).await {
        Ok(done) if done.matched_count == 1 => Ok(Changed::Done),
        Ok(_) => Ok(Changed::Stale),
        Err(error) => match *error.kind {
            ErrorKind::Write(WriteFailure::WriteError(ref write)) => {
                Ok(match duplicate(write.code, &write.message) {
                    Some(index) => Changed::Taken(index),
                    None => Changed::Refused(write.message.clone()),
                })
            }
            _ => Err(error),
        },
    }
}

/// The index in `E11000 duplicate key error collection: astro.users index: email_1 dup key: { .. }`.
fn duplicate(code: i32, message: &str) -> Option<String> {
    let name =
        message.split_once("index: ").map_or("", |(_, rest)| rest.split(' ').next().unwrap_or_default());
    (code == DUPLICATE).then(|| name.to_owned())
}

fn model(index: &Index) -> IndexModel {
    let keys: Document =
        index.keys.iter().map(|(path, order)| ((*path).to_owned(), Bson::Int32(*order))).collect();
    let mut options = IndexOptions::default();
    match index.kind {
        IndexKind::Plain => {}
        IndexKind::Unique => options.unique = Some(true),
        IndexKind::UniqueWhileActive => {
            options.unique = Some(true);
            options.partial_filter_expression = Some(doc! { "status": { "$in": ACTIVE.to_vec() } });
        }
        IndexKind::Expires(seconds) => options.expire_after = Some(Duration::from_secs(seconds.into())),
    }
    IndexModel::builder().keys(keys).options(options).build()
}

/// Why a URL is refused, without what may be a password in it.
fn refusal(url: &str, error: &Error) -> String {
    let Some((before, host)) = url.rsplit_once('@') else { return error.to_string() };
    let scheme = before.split_once("://").map_or("mongodb", |(scheme, _)| scheme);
    match ConnectionString::parse(format!("{scheme}://{host}")) {
        Err(error) => error.to_string(),
        Ok(_) => "the user name or the password in it must be percent-encoded (@ is %40, : is %3A, / is %2F)"
            .to_owned(),
    }
}

fn step(what: String, done: &'static str, why: Option<String>) -> Step {
    Step { what, done, why }
}
