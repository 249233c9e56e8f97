//! Comparing a million launches on both sides: what one process of ours costs, and a bare cursor beside it.
//!
//! `scripts/bench-reconcile` starts the servers, calls this and the floors in turn, and prints medians. By hand, with
//! `RELATIONAL` and `DOCUMENTS` as the daemon's `database.url` and `documents.url`, and `N` launches (1,000,000):
//! - `load` fills both databases, which must be empty, with 1,000 mixed differences for each million;
//! - `compare` prints a line of JSON per differing launch, and one about what it cost on stderr;
//! - `cursor` reads every document through the bare driver.

use std::{
    env,
    io::Write as _,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use astrops_api::{
    ids,
    vocabulary::{EntityType, Role},
};
use astrops_daemon::{
    documents::{Collection, Documents, Inserted},
    internals::{Db, compare::Comparison, reconcile_core::mapping::Mapping},
};
use bson::{Document, doc, oid::ObjectId};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use sqlx::{Connection as _, PgConnection, SqliteConnection};

/// Launches to a write.
const BATCH: u32 = 1_000;
const HOSTS: u32 = 100;
const VENUES: [&str; 6] = ["Kourou", "Canaveral", "Baikonur", "Vandenberg", "Wallops", "Tanegashima"];
const CATEGORIES: [&str; 4] = ["orbital", "suborbital", "lunar", "cargo"];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // Cargo adds `--bench`.
    let what = env::args().skip(1).find(|word| !word.starts_with("--")).unwrap_or_default();
    let n = env::var("N").map_or(Ok(1_000_000), |text| text.parse()).context("N is no number")?;
    match what.as_str() {
        "load" => load(n).await,
        "compare" => compare().await,
        "cursor" => cursor().await,
        other => anyhow::bail!("load, compare or cursor, not {other:?}"),
    }
}

fn url(name: &str) -> anyhow::Result<String> {
    env::var(name).with_context(|| format!("{name} names no database"))
}

/// A launch, as both sides would hold it.
struct Launch {
    id: [u8; 12],
    host: [u8; 12],
    title: String,
    description: String,
    venue: &'static str,
    category: &'static str,
    date: DateTime<Utc>,
    capacity: i32,
    price: u32,
    is_active: bool,
    changed: DateTime<Utc>,
}

fn object(seconds: u32, number: u32) -> [u8; 12] {
    let (mut id, head, tail) = ([0x42; 12], seconds.to_be_bytes(), number.to_be_bytes());
    id[..4].copy_from_slice(&head);
    id[8..].copy_from_slice(&tail);
    id
}

impl Launch {
    fn new(g: u32) -> Self {
        let words = |salt: &str| {
            let hash = Sha256::digest(format!("{salt}{g}"));
            hash[..16].iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
        };
        let at = |seconds: i64| DateTime::from_timestamp(1_767_225_600 + seconds, 0).unwrap_or_default();
        let (pick, long) = (g as usize, i64::from(g));
        Self {
            id: object(0x6500_0000 + g / 40, g),
            host: object(0x6400_0000, g % HOSTS),
            title: format!("Launch {g} {}", &words("t")[..8]),
            description: format!("Mission {} {} {}", words("a"), words("b"), words("c")),
            venue: VENUES[pick % VENUES.len()],
            category: CATEGORIES[pick % CATEGORIES.len()],
            date: at(long * 61 % 300_000_000),
            capacity: i32::try_from(20 + u64::from(g) * 7_919 % 480).unwrap_or(20),
            price: 1_000 + u32::try_from(u64::from(g) * 15_485_863 % 900_000).unwrap_or(0),
            is_active: !g.is_multiple_of(17),
            changed: at(long % 10_000_000),
        }
    }

    fn document(&self) -> Document {
        let (date, changed) =
            (bson::DateTime::from_chrono(self.date), bson::DateTime::from_chrono(self.changed));
        doc! {
            "_id": ObjectId::from_bytes(self.id), "name": &self.title, "description": &self.description,
            "venue": self.venue, "dateTime": date, "capacity": self.capacity, "availableTickets": self.capacity,
            "price": f64::from(self.price) / 100.0, "category": self.category,
            "organizerId": ObjectId::from_bytes(self.host), "isActive": self.is_active, "createdAt": changed,
            "updatedAt": changed,
        }
    }

    fn row(&self) -> serde_json::Value {
        let text = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::AutoSi, false);
        json!({
            "id": ids::embed(self.id).simple().to_string(), "host_id": ids::embed(self.host).simple().to_string(),
            "title": self.title, "description": self.description, "venue": self.venue, "category": self.category,
            "starts_at": text(self.date), "ends_at": text(self.date + TimeDelta::hours(2)), "capacity": self.capacity,
            "price": self.price, "is_active": u8::from(self.is_active), "at": text(self.changed),
        })
    }
}

/// Each thousandth launch differs: 3 in 10 in the capacity, 3 in the price, 2 in date and title; 1 is missing on each
/// side.
fn both(g: u32) -> (Option<Document>, Option<serde_json::Value>) {
    let mut launch = Launch::new(g);
    let document = launch.document();
    if g % 1_000 != 500 {
        return (Some(document), Some(launch.row()));
    }
    match g / 1_000 % 10 {
        0..=2 => launch.capacity += 1,
        3..=5 => launch.price += 50,
        6 | 7 => {
            launch.date += TimeDelta::hours(1);
            launch.title.push('*');
        }
        8 => return (Some(document), None),
        _ => return (None, Some(launch.row())),
    }
    (Some(document), Some(launch.row()))
}

async fn load(n: u32) -> anyhow::Result<()> {
    let (url, documents) = (url("RELATIONAL")?, Documents::open(&url("DOCUMENTS")?).await?);
    documents.init().await?;
    Db::open(&url).await?.close().await;
    let mut ours = Ours::open(&url).await?;
    ours.hosts().await?;
    for first in (0..n).step_by(BATCH as usize) {
        let (mut left, mut right) = (Vec::new(), Vec::new());
        for g in first..(first + BATCH).min(n) {
            let (document, row) = both(g);
            left.extend(document);
            right.extend(row);
        }
        let done = documents.insert(Collection::Events, &left).await?;
        anyhow::ensure!(done.iter().all(|done| *done == Inserted::Done), "the documents are not empty");
        ours.launches(serde_json::Value::from(right)).await?;
    }
    ours.settle().await?;
    documents.close().await;
    Ok(())
}

/// The relational side, filled directly.
enum Ours {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Ours {
    async fn open(url: &str) -> anyhow::Result<Self> {
        Ok(if url.starts_with("sqlite:") {
            Self::Sqlite(SqliteConnection::connect(url).await?)
        } else {
            Self::Postgres(PgConnection::connect(url).await?)
        })
    }

    async fn run(
        &mut self,
        sqlite: &'static str,
        postgres: &'static str,
        rows: serde_json::Value,
    ) -> anyhow::Result<()> {
        match self {
            Self::Sqlite(connection) => {
                sqlx::query(sqlite).bind(rows).execute(connection).await?;
            }
            Self::Postgres(connection) => {
                sqlx::query(postgres).bind(rows).execute(connection).await?;
            }
        }
        Ok(())
    }

    async fn hosts(&mut self) -> anyhow::Result<()> {
        let hosts = (0..HOSTS).map(|host| {
            json!({ "id": ids::embed(object(0x6400_0000, host)).simple().to_string(),
                "email": format!("host{host}@example.com"), "role": Role::Supplier })
        });
        self.run(
            "INSERT INTO users (id, email, role, created_at, updated_at)
             SELECT unhex(value->>'id'), value->>'email', value->>'role', '2026-01-01T00:00:00+00:00',
                 '2026-01-01T00:00:00+00:00' FROM json_each($1)",
            "INSERT INTO users (id, email, role, created_at, updated_at)
             SELECT id, email, role, '2026-01-01Z', '2026-01-01Z'
             FROM jsonb_to_recordset($1) AS d (id UUID, email TEXT, role TEXT)",
            hosts.collect(),
        )
        .await
    }

    async fn launches(&mut self, rows: serde_json::Value) -> anyhow::Result<()> {
        self.run(
            "INSERT INTO launches (id, host_id, title, description, venue, category, starts_at, ends_at, capacity, price,
                 status, is_active, created_at, updated_at)
             SELECT unhex(value->>'id'), unhex(value->>'host_id'), value->>'title', value->>'description',
                 value->>'venue', value->>'category', value->>'starts_at', value->>'ends_at', value->>'capacity',
                 value->>'price', 'scheduled', value->>'is_active', value->>'at', value->>'at' FROM json_each($1)",
            "INSERT INTO launches (id, host_id, title, description, venue, category, starts_at, ends_at, capacity, price,
                 status, is_active, created_at, updated_at)
             SELECT id, host_id, title, description, venue, category, starts_at, ends_at, capacity, price, 'scheduled',
                 is_active = 1, at, at
             FROM jsonb_to_recordset($1) AS d (id UUID, host_id UUID, title TEXT, description TEXT, venue TEXT,
                 category TEXT, starts_at TIMESTAMPTZ, ends_at TIMESTAMPTZ, capacity BIGINT, price BIGINT,
                 is_active INT, at TIMESTAMPTZ)",
            rows,
        )
        .await
    }

    /// So that no run pays for what loading left to do.
    async fn settle(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Sqlite(connection) => {
                sqlx::raw_sql("ANALYZE; PRAGMA wal_checkpoint(TRUNCATE)").execute(connection).await?;
            }
            Self::Postgres(connection) => {
                sqlx::raw_sql("VACUUM (FREEZE, ANALYZE) launches").execute(&mut *connection).await?;
                sqlx::raw_sql("CHECKPOINT").execute(connection).await?;
            }
        }
        Ok(())
    }
}

async fn compare() -> anyhow::Result<()> {
    let db = Db::open(&url("RELATIONAL")?).await?;
    let documents = Documents::open(&url("DOCUMENTS")?).await?;
    let mapping = Mapping::of(EntityType::Launch);
    let begin = Instant::now();
    let mut comparison = Comparison::new(db.clone(), documents.clone(), mapping);
    let mut differing = 0;
    let mut out = std::io::stdout().lock();
    while let Some(details) = comparison.next().await? {
        differing += details.len();
        for found in details {
            writeln!(out, "{}", serde_json::to_string(&found)?)?;
        }
    }
    let rows = [comparison.rows.document, comparison.rows.relational];
    let cost = json!({ "rows": rows, "differing": differing, "wall_s": seconds(begin.elapsed()), "peak_mib": peak()? });
    eprintln!("{cost}");
    documents.close().await;
    db.close().await;
    Ok(())
}

/// Every document in the order of its id, as fast as the official driver gives them.
async fn cursor() -> anyhow::Result<()> {
    use futures::TryStreamExt as _;
    let client = mongodb::Client::with_uri_str(url("DOCUMENTS")?).await?;
    let database = client.default_database().context("DOCUMENTS has no database")?;
    let events = database.collection::<bson::RawDocumentBuf>("events");
    let mut documents = events.find(doc! {}).sort(doc! { "_id": 1 }).await?;
    let (mut count, mut bytes) = (0u64, 0);
    while let Some(document) = documents.try_next().await? {
        (count, bytes) = (count + 1, bytes + document.as_bytes().len());
    }
    eprintln!("{}", json!({ "documents": count, "bytes": bytes, "peak_mib": peak()? }));
    Ok(())
}

/// The most memory that this process ever held, in MiB.
fn peak() -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok((kib / 102.4).round() / 10.0)
}

fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}
