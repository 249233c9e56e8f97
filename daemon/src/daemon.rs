//! The daemon as a whole: opens everything, serves, drains.

mod lock;
mod metrics;
mod systemd;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use astrops_api::{
    ids::NodeId,
    status::Node,
    vocabulary::{EventType, Severity},
};
use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use lock::make_folder;
pub use metrics::Metrics;

use crate::{
    auth::{limits::Limits, password::Passwords, refresh::RefreshTokens, token},
    booking::Desk,
    clock::Clock,
    config::Config,
    db::{CHANNEL, Db},
    documents::Documents,
    http::{self, App, Shared},
    jobs::{self, Mailroom},
    logs::{Entry, Recorder},
    notify::{Templates, Transport},
    payments::Cashier,
    queue::{self, Queue},
    reconcile::{
        core::digest::Hasher,
        engine::Engine,
        follow::{self, Follower},
        rules::Rules,
    },
    schedules::{self, tick::Scheduler},
    store::{logs, nodes},
    tail::Tail,
};

/// How long answers under way may take at shutdown; streams are ended at once.
const ANSWERS: Duration = Duration::from_secs(5);
/// What the other end leaves unread for so long ends its connection; accepted connections inherit it.
const UNREAD_MILLIS: u32 = 60_000;
/// How long everything but the last rows may take.
const DRAIN: Duration = Duration::from_secs(21);

/// An open daemon that does not serve yet.
pub struct Daemon {
    app: App,
    addr: SocketAddr,
    listener: TcpListener,
    queue: Queue,
    context: queue::Context,
    recorders: TaskTracker,
    _lock: lock::DataLock,
}

impl Daemon {
    /// Opens the data folder and the database, takes back what an earlier run left, and binds the address.
    ///
    /// # Errors
    /// Another daemon uses the data folder; the database, the mail transport or the address is not there.
    pub async fn build(config: Config, clock: Clock) -> anyhow::Result<Self> {
        let url = config.database.url.expose_secret();
        let lock = lock::DataLock::take(&config.data.dir, url)?;
        let db = Db::open(url).await?;
        // A MongoDB that is away is no reason not to start: /status says so.
        let documents = Documents::open(config.documents.url.expose_secret()).await?;
        let key = token::signing_key(config.auth.key.as_ref(), &config.data.dir)?;
        let now = clock.now();
        let node = Node {
            id: NodeId(clock.new_id()),
            name: format!("{} pid {}", host_name(), std::process::id()),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: now,
            lease_until: now + queue::LEASE,
        };
        let mut tx = db.write().await?;
        nodes::renew(&mut tx, &node).await?;
        if db.listen_pool().is_none() {
            // The lock says that no other daemon uses this file: whoever held jobs is dead, whatever its lease says.
            nodes::bury_others(&mut tx, node.id).await?;
        }
        schedules::seed(&mut tx, &config.schedules, now).await?;
        if config.documents.follow {
            follow::begin(&mut tx).await?;
        }
        let told = format!("daemon {} started as {}", node.version, node.name);
        logs::insert(&mut tx, &[Entry::new(&clock, EventType::System, Severity::Info, told).into()]).await?;
        tx.commit().await?;
        let context = queue::Context { db: db.clone(), clock: clock.clone(), node: node.id };
        queue::reap(&context).await?;

        let transport = Transport::new(&config.mail).context("cannot set up the mail transport")?;
        let mailroom =
            Arc::new(Mailroom::new(Templates::new()?, transport, config.mail.from.clone(), clock.clone()));
        let desk =
            Desk::new(clock.clone(), mailroom.clone(), &config.payments.currency, config.jobs.max_attempts);
        let cashier = Cashier::new(clock.clone(), desk.clone(), &config.payments)?;
        let rules = Rules::configured(&config.reconcile, Hasher::new(&token::derived(&key, "digests")));
        let engine = Engine::new(context.clone(), documents.clone(), rules, config.jobs.max_attempts);
        let handlers = jobs::handlers(
            &context,
            mailroom.clone(),
            desk.clone(),
            cashier.clone(),
            engine.clone(),
            config.jobs,
            &config.logs,
        );
        let queue = Queue::new(context.clone(), handlers, config.jobs.workers);
        let listener = TcpListener::bind(config.server.bind).await.with_context(|| {
            format!("cannot listen on {}: is another daemon running there?", config.server.bind)
        })?;
        // A reader that stops reading would keep its connection, its place among the streams and what waits for it.
        rustix::net::sockopt::set_tcp_user_timeout(&listener, UNREAD_MILLIS)
            .context("cannot limit unread answers")?;
        let addr = listener.local_addr()?;
        std::fs::write(config.data.dir.join("daemon.addr"), format!("http://{addr}\n"))?;
        let recorders = TaskTracker::new();
        let app = Arc::new(Shared {
            tokens: token::Tokens::new(&key, config.auth.token_seconds),
            refresh_tokens: RefreshTokens::new(&key),
            passwords: Passwords::default(),
            limits: Limits::new(&clock, config.auth.rate_limit.is_on()),
            mailroom,
            desk,
            cashier,
            engine,
            queue: queue.handle(),
            scheduler: Scheduler::new(db.clone(), clock.clone(), config.jobs.max_attempts),
            recorder: Recorder::start(db.clone(), &recorders),
            log_tail: Tail::default(),
            event_tail: Tail::default(),
            refusals: http::Refusals::default(),
            streams: http::stream_permits(),
            node,
            metrics: Metrics::default(),
            stopping: CancellationToken::new(),
            config,
            db,
            documents,
            clock,
        });
        Ok(Self { app, addr, listener, queue, context, recorders, _lock: lock })
    }

    /// The address it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves until `shutdown`, then drains: no new request or claim, streams end, answers and running jobs finish,
    /// what was claimed ahead goes back. At most 25 s.
    ///
    /// # Errors
    /// When the listening socket fails, or the last rows cannot be written.
    pub async fn run(self, shutdown: CancellationToken) -> anyhow::Result<()> {
        let Self { app, listener, queue, context, recorders, .. } = self;
        let stopping = app.stopping.clone();
        let tailing = tokio::spawn(app.log_tail.clone().run(app.db.clone(), stopping.clone()));
        let telling = tokio::spawn(app.event_tail.clone().run(app.db.clone(), stopping.clone()));
        let follower = Follower {
            context: context.clone(),
            tail: app.event_tail.clone(),
            max_attempts: app.config.jobs.max_attempts,
        };
        let following = app.config.documents.follow.then(|| tokio::spawn(follower.run(stopping.clone())));
        let listening = tokio::spawn(listen(app.db.clone(), stopping.clone()));
        let scheduling = tokio::spawn(app.scheduler.clone().run(stopping.clone()));
        let watching = tokio::spawn(systemd::watch(app.clone(), stopping.clone()));
        let queueing = tokio::spawn(queue.run(app.node.clone(), stopping.clone()));
        let service = http::router(app.clone()).into_make_service_with_connect_info::<SocketAddr>();
        let serving = tokio::spawn({
            let stopping = stopping.clone();
            async move { axum::serve(listener, service).with_graceful_shutdown(stopping.cancelled_owned()).await }
        });
        systemd::ready();
        tracing::info!("ready");

        shutdown.cancelled().await;
        systemd::stopping();
        tracing::info!("stopping: running jobs may finish, a second signal ends at once");
        let deadline = tokio::time::Instant::now() + DRAIN;
        stopping.cancel();
        let abort = serving.abort_handle();
        if let Ok(served) = tokio::time::timeout(ANSWERS, serving).await {
            served.context("the HTTP server panicked")?.context("the HTTP server failed")?;
        } else {
            tracing::warn!("some answers were not taken in time; their connections are closed");
            abort.abort();
        }
        let rest = async {
            let _ = queueing.await;
            let _ = tokio::join!(tailing, telling, listening, scheduling, watching);
            if let Some(following) = following {
                let _ = following.await;
            }
        };
        if tokio::time::timeout_at(deadline, rest).await.is_err() {
            tracing::error!("not everything ended in time; the next start takes back what was left");
        }
        let (db, documents, clock) = (app.db.clone(), app.documents.clone(), app.clock.clone());
        let addr_file = app.config.data.dir.join("daemon.addr");
        drop(app);
        recorders.close();
        let _ = tokio::time::timeout(Duration::from_secs(1), recorders.wait()).await;
        let leave = async {
            let mut tx = db.write().await?;
            nodes::leave(&mut tx, context.node).await?;
            let told = Entry::new(&clock, EventType::System, Severity::Info, "daemon stopped");
            logs::insert(&mut tx, &[told.into()]).await?;
            tx.commit().await?;
            db.close().await;
            documents.close().await;
            Ok::<(), sqlx::Error>(())
        };
        // A query of somebody who has gone may still run, and a database that is away must not hold up the end.
        if let Ok(left) = tokio::time::timeout(Duration::from_secs(2), leave).await {
            left.context("cannot write the last rows")?;
        } else {
            tracing::warn!("the database was not closed in time; it is safe all the same");
        }
        let _ = std::fs::remove_file(addr_file);
        tracing::info!("stopped");
        Ok(())
    }
}

/// Passes on the hints of other daemons. LISTEN dies silently, so this is never the only wake-up.
async fn listen(db: Db, stop: CancellationToken) {
    let Some(pool) = db.listen_pool().cloned() else { return };
    let hear = async {
        loop {
            let connected = async {
                let mut listener = sqlx::postgres::PgListener::connect_with(&pool).await?;
                listener.listen(CHANNEL).await?;
                loop {
                    // A connection that says nothing for a minute is made anew: it may be dead.
                    let heard = tokio::time::timeout(Duration::from_mins(1), listener.recv()).await;
                    let Ok(heard) = heard else { return Ok::<(), sqlx::Error>(()) };
                    for word in heard?.payload().split(' ') {
                        match word {
                            "jobs" => {
                                db.signals().jobs.notify_one();
                                db.signals().ended.notify_waiters();
                            }
                            "events" => db.signals().events.notify_one(),
                            _ => db.signals().logs.notify_one(),
                        }
                    }
                }
            };
            if let Err(error) = connected.await {
                tracing::warn!(error = %error, "hints of other daemons are not heard; polling goes on");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    };
    stop.run_until_cancelled(hear).await;
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
