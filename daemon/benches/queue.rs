//! The queue beside its peers: what it drains with default settings, and how soon an idle queue starts a job.
//!
//! `cargo bench -p astrops-daemon --bench queue -- pg|sqlite` prints two lines of JSON, in the words of
//! `benches/peers/peer.mjs`. `BENCH_URL` is a PostgreSQL server (its database `bench_astrops` is made anew),
//! `BENCH_DIR` the folder of the SQLite file; `N`, `SAMPLES` and `GAP_MS` as for the peers.
//!
//! Every job leaves what it leaves in production: its row, an attempt and a log entry. A drain ends when the *table*
//! says that every completion is committed, read through a connection that the queue does not know.

use std::{
    collections::HashMap,
    env,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context as _;
use astrops_api::{
    ids::{JobId, NodeId},
    status::Node,
    vocabulary::JobType,
};
use astrops_daemon::{
    Clock,
    internals::{Context, Db, Handler, LEASE, Outcome, Queue, Run, Verdict, jobs, nodes},
};
use futures::future::BoxFuture;
use serde_json::json;
use sqlx::{Connection as _, PgConnection, SqliteConnection};
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

/// Jobs at a time: the default of `jobs.workers`.
const WORKERS: usize = 16;
/// Jobs per enqueue call.
const BATCH: usize = 1000;
const LEFT: &str = "SELECT COUNT(*) FROM jobs WHERE status <> 'completed'";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // Cargo adds `--bench`.
    let engine = env::args().skip(1).find(|word| !word.starts_with("--")).unwrap_or_else(|| "sqlite".into());
    let (n, samples, gap) = (number("N", 20_000)?, number("SAMPLES", 300)?, number("GAP_MS", 20)?);
    let folder = match env::var_os("BENCH_DIR") {
        Some(folder) => tempfile::tempdir_in(folder)?,
        None => tempfile::tempdir()?,
    };
    let (url, mut watcher) = match engine.as_str() {
        "pg" => postgres().await?,
        "sqlite" => (format!("sqlite:{}/queue.db", folder.path().display()), Watcher::None),
        other => anyhow::bail!("the engine is pg or sqlite, not {other}"),
    };
    let db = Db::open(&url).await?;
    if let Watcher::None = watcher {
        watcher = Watcher::Sqlite(SqliteConnection::connect(&url).await?);
    }
    let bench = Bench::new(db, n).await?;

    let begin = Instant::now();
    for first in (0..n).step_by(BATCH) {
        bench.enqueue(first..(first + BATCH).min(n)).await?;
    }
    let enqueued = begin.elapsed().as_secs_f64();

    let begin = Instant::now();
    let stop = CancellationToken::new();
    let queue = Queue::new(bench.context.clone(), vec![(JobType::Maintenance, bench.noop.clone())], WORKERS);
    let running = tokio::spawn(queue.run(bench.node.clone(), stop.clone()));
    bench.noop.all.notified().await;
    while watcher.left().await? > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let drained = begin.elapsed().as_secs_f64();
    let rate = |seconds: f64| (count(n) / seconds).round();
    println!(
        "{}",
        json!({ "lib": "astrops", "mode": engine, "n": n, "enqueue_per_s": rate(enqueued),
            "drain_s": round(drained), "jobs_per_s": rate(drained) })
    );

    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut latencies = Vec::with_capacity(samples);
    for sample in 0..samples {
        latencies.push(bench.latency(n + sample).await?);
        tokio::time::sleep(Duration::from_millis(gap as u64)).await;
    }
    latencies.sort_unstable();
    let at = |percent: usize| {
        let place = (latencies.len() * percent).div_ceil(100).saturating_sub(1);
        latencies.get(place).map(|time| round(time.as_secs_f64() * 1000.0))
    };
    println!(
        "{}",
        json!({ "lib": "astrops", "mode": engine, "latency": "before enqueue -> handler entry, idle",
            "samples": samples, "p50_ms": at(50), "p95_ms": at(95), "p99_ms": at(99), "max_ms": at(100) })
    );
    stop.cancel();
    running.await?;
    bench.context.db.close().await;
    Ok(())
}

/// What enqueues, and what the handler tells.
struct Bench {
    context: Context,
    node: Node,
    noop: Arc<Noop>,
}

impl Bench {
    async fn new(db: Db, n: usize) -> anyhow::Result<Self> {
        let clock = Clock::system();
        let now = clock.now();
        let node = Node {
            id: NodeId(clock.new_id()),
            name: "bench".into(),
            version: "0".into(),
            started_at: now,
            lease_until: now + LEASE,
        };
        let mut tx = db.write().await?;
        nodes::renew(&mut tx, &node).await?;
        tx.commit().await?;
        let noop = Noop { left: AtomicUsize::new(n), all: Notify::new(), waiting: Mutex::default() };
        Ok(Self { context: Context { db, clock, node: node.id }, node, noop: Arc::new(noop) })
    }

    async fn enqueue(&self, range: std::ops::Range<usize>) -> anyhow::Result<()> {
        let now = self.context.clock.now();
        let jobs: Vec<jobs::NewJob> = range
            .map(|i| jobs::NewJob {
                id: JobId(self.context.clock.new_id()),
                kind: JobType::Maintenance,
                payload: json!({ "i": i }),
                run_at: now,
                priority: 0,
                max_attempts: 5,
                unique_key: None,
                created_by: "key:bench".into(),
                schedule: None,
                created_at: now,
            })
            .collect();
        let mut tx = self.context.db.write().await?;
        jobs::enqueue(&mut tx, &jobs).await?;
        Ok(tx.commit().await?)
    }

    /// From before the enqueue call to the first line of the handler.
    async fn latency(&self, i: usize) -> anyhow::Result<Duration> {
        let (entered, entry) = oneshot::channel();
        self.noop.waiting().insert(i, entered);
        let begin = Instant::now();
        self.enqueue(i..i + 1).await?;
        Ok(entry.await?.duration_since(begin))
    }
}

/// Does nothing, and tells when.
struct Noop {
    left: AtomicUsize,
    all: Notify,
    waiting: Mutex<HashMap<usize, oneshot::Sender<Instant>>>,
}

impl Noop {
    fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<usize, oneshot::Sender<Instant>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handler for Noop {
    fn run<'a>(&'a self, run: &'a Run) -> BoxFuture<'a, Outcome> {
        let entered = Instant::now();
        if self.left.load(Ordering::Relaxed) > 0 {
            if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
                self.all.notify_one();
            }
        } else if let Some(i) = run.claim.payload["i"].as_u64().and_then(|i| usize::try_from(i).ok())
            && let Some(waiting) = self.waiting().remove(&i)
        {
            let _ = waiting.send(entered);
        }
        Box::pin(async { Outcome::new(Verdict::Done, "done") })
    }
}

/// Reads the table from outside.
enum Watcher {
    None,
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

impl Watcher {
    async fn left(&mut self) -> anyhow::Result<i64> {
        Ok(match self {
            Self::None => anyhow::bail!("nobody looks at the table"),
            Self::Postgres(connection) => sqlx::query_scalar(LEFT).fetch_one(connection).await?,
            Self::Sqlite(connection) => sqlx::query_scalar(LEFT).fetch_one(connection).await?,
        })
    }
}

/// A database of its own on the server that `BENCH_URL` names.
async fn postgres() -> anyhow::Result<(String, Watcher)> {
    let server = env::var("BENCH_URL").context("BENCH_URL names no PostgreSQL server")?;
    let mut connection = PgConnection::connect(&server).await?;
    for statement in
        ["DROP DATABASE IF EXISTS bench_astrops WITH (FORCE)", "CREATE DATABASE bench_astrops", "CHECKPOINT"]
    {
        sqlx::query(statement).execute(&mut connection).await?;
    }
    connection.close().await?;
    let (host, _) = server.rsplit_once('/').context("BENCH_URL has no database")?;
    let url = format!("{host}/bench_astrops");
    let watcher = PgConnection::connect(&url).await?;
    Ok((url, Watcher::Postgres(watcher)))
}

fn number(name: &str, default: usize) -> anyhow::Result<usize> {
    match env::var(name) {
        Ok(text) => text.parse().with_context(|| format!("{name} is no number")),
        Err(_) => Ok(default),
    }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn count(n: usize) -> f64 {
    n as f64
}

fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
