//! [`TestDaemon`]: a real daemon on a free port with a mock clock and a file mailbox.

pub mod behind;
pub mod database;
pub mod desk;
pub mod documents;
pub mod http;
pub mod smtp;

use std::{path::PathBuf, sync::Once, time::Duration};

use astrops_api::{
    Client, Secret,
    auth::Login,
    ids::JobId,
    jobs::{JobDetail, JobQuery},
    logs::{LogPage, LogQuery},
    vocabulary::{JobStatus, Right, Role},
};
use astrops_daemon::{
    Clock, Daemon, admin,
    config::{Config, Switch},
};
use chrono::{DateTime, TimeDelta, Utc};
use futures::StreamExt as _;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Where every mock clock starts.
pub const START: &str = "2026-03-02T10:00:00Z";
/// Nothing in a story takes longer than this.
pub const DEADLINE: Duration = Duration::from_secs(20);
pub const PASSWORD: &str = "a good launch day";

/// Which engine a story runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// A story on both engines: `story!(name, |daemon| { .. })`.
#[macro_export]
macro_rules! stories {
    ($($story:ident),+ $(,)?) => {
        mod on_sqlite { $(#[tokio::test] async fn $story() {
            let daemon = $crate::support::TestDaemon::start($crate::support::Engine::Sqlite).await;
            super::$story(daemon.unwrap()).await;
        })+ }
        mod on_postgres { $(#[tokio::test] async fn $story() {
            if let Some(daemon) = $crate::support::TestDaemon::start($crate::support::Engine::Postgres).await {
                super::$story(daemon).await;
            }
        })+ }
    };
}

/// A running daemon. End it with [`TestDaemon::stop`], which fails a test that leaves jobs behind.
pub struct TestDaemon {
    pub clock: Clock,
    pub config: Config,
    /// Nobody signed in.
    pub anyone: Client,
    /// An employee with the operator right.
    pub operator: Client,
    dir: Option<tempfile::TempDir>,
    shutdown: CancellationToken,
    running: Option<JoinHandle<anyhow::Result<()>>>,
}

impl TestDaemon {
    /// Starts a daemon with default settings; `None` when there is no server for the engine.
    pub async fn start(engine: Engine) -> Option<Self> {
        Self::start_with(engine, |_| {}).await
    }

    /// Starts a daemon whose configuration `adjust` has changed.
    pub async fn start_with(engine: Engine, adjust: impl FnOnce(&mut Config)) -> Option<Self> {
        Self::start_at(engine, Clock::mock(START.parse().unwrap()), adjust).await
    }

    /// The same by another clock, for servers that tell the time.
    pub async fn start_at(engine: Engine, clock: Clock, adjust: impl FnOnce(&mut Config)) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::defaults(dir.path()).unwrap();
        config.server.bind = "127.0.0.1:0".parse().unwrap();
        // Every story comes from one address, and time stands still.
        config.auth.rate_limit = Switch::Off;
        // Stories count jobs; those of reconciliation let it name their own.
        config.documents.follow = false;
        // Its sweeps do not come as the clock moves; on a 29 February they would.
        for schedule in config.schedules.iter_mut().filter(|one| one.name.starts_with("reconcile-")) {
            "0 0 29 2 *".clone_into(&mut schedule.cron);
        }
        if engine == Engine::Postgres {
            config.database.url = database::new_postgres().await?.into();
        }
        adjust(&mut config);
        Some(Self::run(config, clock, Some(dir)).await)
    }

    /// Starts a second daemon on the database of `first`, with a folder of its own that stays when it stops.
    pub async fn start_beside(first: &Self) -> Self {
        let mut config = Config::defaults(&tempfile::tempdir().unwrap().keep()).unwrap();
        config.server.bind = first.config.server.bind;
        config.auth = first.config.auth.clone();
        config.documents.follow = first.config.documents.follow;
        config.database.url = first.config.database.url.clone();
        Self::run(config, first.clock.clone(), None).await
    }

    async fn run(config: Config, clock: Clock, dir: Option<tempfile::TempDir>) -> Self {
        static CRYPTO: Once = Once::new();
        CRYPTO.call_once(|| {
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        let daemon = Daemon::build(config.clone(), clock.clone()).await.unwrap();
        let anyone =
            Client::new(&format!("http://{}", daemon.addr()), astrops_api::client::http_client().unwrap());
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(daemon.run(shutdown.clone()));
        // Made once; a daemon that starts again on the same folder has it already.
        let new = admin::NewUser {
            email: "ana@example.com".to_owned(),
            password: PASSWORD.into(),
            role: Role::Employee,
            right: Some(Right::Operator),
            name: None,
            by: "test".to_owned(),
        };
        let _ = admin::add_user(&config, &clock, new).await;
        let signed_in = anyone.login(&login("ana@example.com")).await.unwrap();
        Self {
            clock,
            config,
            operator: anyone.with_token(signed_in.token),
            anyone,
            dir,
            shutdown,
            running: Some(running),
        }
    }

    /// A client signed in as a new user.
    pub async fn sign_in(&self, email: &str, role: Role, right: Option<Right>) -> Client {
        let body = astrops_api::auth::Register {
            email: email.to_owned(),
            password: PASSWORD.into(),
            role: Some(role),
            name: None,
            right,
        };
        self.operator.register(&body).await.unwrap();
        let token = self.anyone.login(&login(email)).await.unwrap().token;
        self.anyone.with_token(token)
    }

    /// The mails that were delivered, by job.
    pub fn mail(&self, job: JobId) -> Option<String> {
        std::fs::read_to_string(self.mail_dir().join(format!("{job}.eml"))).ok()
    }

    pub fn mail_dir(&self) -> PathBuf {
        self.config.mail.dir.clone()
    }

    /// The job once it has ended; watches the stream of jobs.
    pub async fn ended(&self, id: JobId) -> JobDetail {
        self.when(id, |job| job.job.status.is_ended()).await
    }

    /// The job once `holds` does.
    pub async fn when(&self, id: JobId, holds: impl Fn(&JobDetail) -> bool) -> JobDetail {
        let mut last = None;
        let watch = async {
            let mut stream = self.operator.job_stream(None).await.unwrap();
            loop {
                let job = self.operator.job(id, false).await.unwrap();
                if holds(&job) {
                    return job;
                }
                last = Some(job);
                // An event, or a look now and then: a claim is not an event.
                let _ = tokio::time::timeout(Duration::from_millis(100), stream.next()).await;
            }
        };
        let Ok(job) = tokio::time::timeout(DEADLINE, watch).await else {
            panic!("the job did not come so far: {last:#?}");
        };
        job
    }

    /// Log entries like this, once there are some: refusals are written behind the answer.
    pub async fn logged(&self, query: &LogQuery, holds: impl Fn(&LogPage) -> bool) -> LogPage {
        let look = async {
            loop {
                let page = self.operator.logs(query).await.unwrap();
                if holds(&page) {
                    return page;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(DEADLINE, look).await.expect("the entries that were waited for")
    }

    /// Moves the clock on.
    pub fn pass(&self, time: TimeDelta) {
        self.clock.advance(time);
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Ends the daemon in the ordinary way and starts another one on the same folder and database.
    pub async fn restart(self) -> Self {
        self.restarted(|_| {}).await
    }

    /// The same with another configuration.
    pub async fn restarted(mut self, adjust: impl FnOnce(&mut Config)) -> Self {
        self.end().await;
        adjust(&mut self.config);
        let (config, clock, dir) = (self.config.clone(), self.clock.clone(), self.dir.take());
        Self::run(config, clock, dir).await
    }

    /// Ends the daemon and fails when jobs were left in the queue; those of schedules come as the clock moves.
    pub async fn stop(self) {
        // The clock may have left the first session behind.
        let operator = self.again("ana@example.com").await;
        for status in [JobStatus::Queued, JobStatus::Processing] {
            let query = JobQuery { status: Some(status), page_size: Some(200), ..JobQuery::default() };
            let mut left = operator.jobs(&query).await.unwrap().jobs;
            left.retain(|job| job.schedule.is_none());
            assert!(left.is_empty(), "jobs were left {status}: {left:#?}");
        }
        self.stop_leaving_jobs().await;
    }

    /// Ends the daemon; the story knows which jobs it leaves.
    pub async fn stop_leaving_jobs(mut self) {
        self.end().await;
    }

    async fn end(&mut self) {
        self.shutdown.cancel();
        if let Some(running) = self.running.take() {
            tokio::time::timeout(DEADLINE, running).await.expect("the daemon did not stop").unwrap().unwrap();
        }
    }
}

impl Drop for TestDaemon {
    fn drop(&mut self) {
        assert!(self.running.is_none() || std::thread::panicking(), "end the story with daemon.stop().await");
    }
}

pub fn login(email: &str) -> Login {
    Login::new(email, Secret::from(PASSWORD))
}

/// What the daemon refused with, as `status slug: sentence`, and each field at fault as `/pointer: detail`.
pub fn refusal<T: std::fmt::Debug>(answer: Result<T, astrops_api::ClientError>) -> String {
    let error = answer.expect_err("should have been refused");
    let problem = error.problem().unwrap_or_else(|| panic!("not a problem: {error:?}"));
    assert!(!problem.request_id.is_empty() && !problem.instance.is_empty(), "{problem:?}");
    let fields = problem.errors.iter().map(|error| format!("; {}: {}", error.pointer, error.detail));
    format!("{} {}: {}{}", problem.status, problem.slug(), problem.sentence(), fields.collect::<String>())
}
