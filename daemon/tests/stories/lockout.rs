//! Wrong passwords: counted, locked, and told to nobody but the owner and the operators.

use std::{
    fmt::Debug,
    sync::{Arc, Mutex},
    thread::ThreadId,
};

use astrops_api::{
    Client, Secret,
    auth::{ChangePassword, Login},
    jobs::JobQuery,
    logs::LogQuery,
    users::Account,
    vocabulary::{EventType, JobStatus, JobType, Role, Severity},
};
use chrono::TimeDelta;
use serde_json::json;
use tracing::{
    field::Visit,
    span::{Attributes, Id},
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt as _},
    registry::LookupSpan,
};

use crate::{
    stories,
    support::{Engine, PASSWORD, TestDaemon, login, refusal},
};

stories!(
    each_lock_is_longer_and_a_session_lives_on,
    the_owner_of_a_locked_account_gets_one_mail,
    an_operator_unlocks,
    addresses_that_nobody_has_are_locked_too,
    guesses_at_once_count_like_guesses_in_a_row,
    guessing_the_current_password_locks_too,
    what_is_past_is_forgotten_by_schedule,
    every_refusal_costs_the_same_hashes,
);

async fn guess(daemon: &TestDaemon, email: &str) -> String {
    refusal(daemon.anyone.login(&Login::new(email, Secret::from("not the password"))).await)
}

async fn guess_often(daemon: &TestDaemon, email: &str, times: u32) {
    for _ in 0..times {
        assert!(guess(daemon, email).await.starts_with("401 invalid-credentials"));
    }
}

/// The minutes that are left of the lock, as its owner sees it in a session that was open before.
async fn minutes(daemon: &TestDaemon, owner: &Client) -> Option<i64> {
    let Account { is_locked, locked_until, .. } = owner.me().await.unwrap();
    assert_eq!(is_locked, locked_until.is_some());
    locked_until.map(|until| (until - daemon.now()).num_minutes())
}

async fn each_lock_is_longer_and_a_session_lives_on(daemon: TestDaemon) {
    let zoe = daemon.sign_in("zoe@example.com", Role::Customer, None).await;
    for length in [1, 2, 4, 8, 15, 15] {
        guess_often(&daemon, "zoe@example.com", 4).await;
        assert_eq!(minutes(&daemon, &zoe).await, None);
        guess_often(&daemon, "zoe@example.com", 1).await;
        assert_eq!(minutes(&daemon, &zoe).await, Some(length), "and the session lives on");
        assert_eq!(zoe.me().await.unwrap().failed_login_attempts, 5);
        // Neither guesses nor the right password change anything while it is locked.
        daemon.pass(TimeDelta::seconds(30));
        guess_often(&daemon, "zoe@example.com", 3).await;
        assert!(refusal(daemon.anyone.login(&login("zoe@example.com")).await).starts_with("401"));
        assert_eq!(minutes(&daemon, &zoe).await, Some(length - 1), "no longer than it was");
        daemon.pass(TimeDelta::minutes(length) - TimeDelta::seconds(30));
    }
    daemon.anyone.login(&login("zoe@example.com")).await.expect("the lock has ended");
    assert_eq!(zoe.me().await.unwrap().failed_login_attempts, 0);
    guess_often(&daemon, "zoe@example.com", 5).await;
    assert_eq!(minutes(&daemon, &zoe).await, Some(1), "a success forgets the locks before it");
    // Four in a quarter of an hour, again and again, lock nothing.
    daemon.operator.unlock_user(zoe.me().await.unwrap().user.id).await.expect("within the hour");
    guess_often(&daemon, "zoe@example.com", 4).await;
    daemon.pass(TimeDelta::minutes(15));
    let zoe = daemon.anyone.with_token(daemon.anyone.login(&login("zoe@example.com")).await.unwrap().token);
    guess_often(&daemon, "zoe@example.com", 4).await;
    daemon.pass(TimeDelta::minutes(15));
    guess_often(&daemon, "zoe@example.com", 4).await;
    assert_eq!(minutes(&daemon, &zoe).await, None);
    daemon.stop_leaving_jobs().await;
}

async fn the_owner_of_a_locked_account_gets_one_mail(daemon: TestDaemon) {
    daemon.sign_in("zoe@example.com", Role::Customer, None).await;
    guess_often(&daemon, "zoe@example.com", 9).await;
    let query = JobQuery { kind: Some(JobType::Notification), ..JobQuery::default() };
    let page = daemon.operator.jobs(&query).await.unwrap();
    assert_eq!(page.total, 1, "{page:?}");
    let job = daemon.ended(page.jobs[0].id).await;
    assert_eq!((job.job.status, job.job.created_by.as_str()), (JobStatus::Completed, "daemon"));
    let mail = daemon.mail(job.job.id).unwrap();
    assert!(mail.contains("To: zoe@example.com") && mail.contains("127.0.0.1"), "{mail}");
    let query = LogQuery {
        event_type: Some(EventType::Auth),
        severity: Some(Severity::Error),
        ..LogQuery::default()
    };
    let page = daemon.operator.logs(&query).await.unwrap();
    assert_eq!(page.total, 1);
    let told = &page.logs[0].message;
    assert!(told.contains("z***@example.com") && told.contains("1 min"), "{told}");
    assert!(page.logs[0].user_id.is_some());
    assert_eq!(daemon.count("SELECT COUNT(*) FROM audit_log WHERE action = 'auth.lock'").await, 1);
    // Who may not sign in anyway gets none.
    daemon.sign_in("carl@example.com", Role::Customer, None).await;
    daemon.change("UPDATE users SET is_active = (1 = 0) WHERE email = 'carl@example.com'").await;
    guess_often(&daemon, "carl@example.com", 5).await;
    let query = JobQuery { kind: Some(JobType::Notification), ..JobQuery::default() };
    assert_eq!(daemon.operator.jobs(&query).await.unwrap().total, 1);
    daemon.stop().await;
}

async fn an_operator_unlocks(daemon: TestDaemon) {
    let zoe = daemon.sign_in("zoe@example.com", Role::Customer, None).await;
    let id = zoe.me().await.unwrap().user.id;
    for _ in 0..2 {
        guess_often(&daemon, "zoe@example.com", 5).await;
        daemon.pass(TimeDelta::minutes(1));
    }
    assert_eq!(minutes(&daemon, &zoe).await, Some(1), "of two");
    assert!(refusal(zoe.unlock_user(id).await).starts_with("403"));
    let account = daemon.operator.unlock_user(id).await.unwrap();
    assert!(!account.is_locked && account.failed_login_attempts == 0, "{account:?}");
    daemon.anyone.login(&login("zoe@example.com")).await.unwrap();
    assert_eq!(daemon.count("SELECT COUNT(*) FROM audit_log WHERE action = 'user.unlock'").await, 1);
    let nobody = "507f1f77bcf86cd799439011".parse().unwrap();
    assert!(refusal(daemon.operator.unlock_user(nobody).await).starts_with("404"));
    daemon.stop_leaving_jobs().await;
}

async fn addresses_that_nobody_has_are_locked_too(daemon: TestDaemon) {
    let wrong = guess(&daemon, "ana@example.com").await;
    for _ in 0..7 {
        assert_eq!(guess(&daemon, "Nobody@example.com").await, wrong);
    }
    assert_eq!(daemon.count("SELECT COUNT(*) FROM login_failures WHERE locked_until IS NOT NULL").await, 1);
    assert_eq!(
        daemon.count("SELECT COUNT(*) FROM login_failures WHERE account LIKE '%nobody%'").await,
        0,
        "the table is no list of whom somebody tried"
    );
    assert_eq!(daemon.operator.jobs(&JobQuery::default()).await.unwrap().total, 0, "nobody gets a mail");
    let query = LogQuery { q: Some("is locked for".to_owned()), ..LogQuery::default() };
    let page = daemon.operator.logs(&query).await.unwrap();
    assert_eq!((page.total, page.logs[0].severity), (1, Severity::Warning), "{page:?}");
    assert!(page.logs[0].message.contains("nobody's"), "{page:?}");
    daemon.stop().await;
}

async fn guesses_at_once_count_like_guesses_in_a_row(daemon: TestDaemon) {
    let zoe = daemon.sign_in("zoe@example.com", Role::Customer, None).await;
    futures::future::join_all((0..20).map(|_| guess_often(&daemon, "zoe@example.com", 1))).await;
    assert_eq!(minutes(&daemon, &zoe).await, Some(1));
    assert_eq!(zoe.me().await.unwrap().failed_login_attempts, 5);
    assert_eq!(daemon.count("SELECT COUNT(*) FROM audit_log WHERE action = 'auth.lock'").await, 1);
    daemon.stop_leaving_jobs().await;
}

async fn guessing_the_current_password_locks_too(daemon: TestDaemon) {
    let zoe = daemon.sign_in("zoe@example.com", Role::Customer, None).await;
    let body = |current: &str| ChangePassword {
        current_password: current.into(),
        new_password: "an even better launch day".into(),
    };
    let wrong = refusal(zoe.change_password(&body("not the password")).await);
    for _ in 0..4 {
        assert_eq!(refusal(zoe.change_password(&body("not the password")).await), wrong);
    }
    assert_eq!(refusal(zoe.change_password(&body(PASSWORD)).await), wrong, "not even the right one");
    assert_eq!(minutes(&daemon, &zoe).await, Some(1));
    daemon.pass(TimeDelta::minutes(1));
    zoe.change_password(&body(PASSWORD)).await.unwrap();
    daemon.stop_leaving_jobs().await;
}

async fn expire_locks(daemon: &TestDaemon) {
    let job = json!({ "type": "MAINTENANCE", "maintenance": { "task": "expire-locks" } });
    let id = daemon.operator.create_job(&serde_json::from_value(job).unwrap()).await.unwrap().id;
    assert_eq!(daemon.ended(id).await.job.status, JobStatus::Completed);
}

async fn what_is_past_is_forgotten_by_schedule(mut daemon: TestDaemon) {
    daemon.operator.schedule("expire-locks").await.expect("it is there from the start");
    daemon.sign_in("zoe@example.com", Role::Customer, None).await;
    daemon.sign_in("mia@example.com", Role::Customer, None).await;
    guess_often(&daemon, "nobody@example.com", 5).await;
    guess_often(&daemon, "zoe@example.com", 5).await;
    guess_often(&daemon, "mia@example.com", 2).await;
    daemon.pass(TimeDelta::minutes(2));
    expire_locks(&daemon).await;
    assert_eq!(daemon.count("SELECT COUNT(*) FROM login_failures").await, 3, "the next lock is longer");
    let shown = "SELECT COUNT(*) FROM users WHERE failed_login_attempts > 0 OR locked_until IS NOT NULL";
    assert_eq!(daemon.count(shown).await, 1, "no lock is shown that is past; what counts is");
    daemon.pass(TimeDelta::minutes(62));
    guess_often(&daemon, "carl@example.com", 1).await;
    let token = daemon.anyone.login(&login("ana@example.com")).await.unwrap().token;
    daemon.operator = daemon.anyone.with_token(token);
    expire_locks(&daemon).await;
    assert_eq!(daemon.count("SELECT COUNT(*) FROM login_failures").await, 1, "the last one is young");
    assert_eq!(daemon.count(shown).await, 0);
    daemon.stop_leaving_jobs().await;
}

/// What each kind of refusal is called, and the address that gets it.
async fn refusals(daemon: &TestDaemon) -> [(&'static str, &'static str); 4] {
    for email in ["zoe@example.com", "locked@example.com", "gone@example.com"] {
        daemon.sign_in(email, Role::Customer, None).await;
    }
    daemon.change("UPDATE users SET is_active = (1 = 0) WHERE email = 'gone@example.com'").await;
    guess_often(daemon, "locked@example.com", 5).await;
    [
        ("wrong", "zoe@example.com"),
        ("unknown", "nobody@example.com"),
        ("inactive", "gone@example.com"),
        ("locked", "locked@example.com"),
    ]
}

async fn every_refusal_costs_the_same_hashes(daemon: TestDaemon) {
    let hashes = async || {
        let text = daemon.raw_anyone().send("GET", "/metrics", None).await.text;
        let line = text.lines().find_map(|line| line.strip_prefix("astrops_password_hashes_total "));
        line.unwrap_or_else(|| panic!("{text}")).parse::<u64>().unwrap()
    };
    for (kind, email) in refusals(&daemon).await {
        for password in ["not the password", PASSWORD] {
            if (kind, password) == ("wrong", PASSWORD) {
                continue;
            }
            let before = hashes().await;
            assert!(
                refusal(daemon.anyone.login(&Login::new(email, password.into())).await)
                    .starts_with("401 invalid-credentials")
            );
            assert_eq!(hashes().await - before, 1, "{kind}");
        }
    }
    daemon.stop_leaving_jobs().await;
}

/// Every statement that requests to sign in have made on this thread, where this story and its daemon run.
#[derive(Clone)]
struct Statements(Arc<Mutex<Vec<String>>>, ThreadId);

impl Statements {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// The text of one field of a span or an event.
struct Field(&'static str, String);

impl Visit for Field {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn Debug) {
        if field.name() == self.0 {
            self.1 = format!("{value:?}");
        }
    }
}

struct IsLogin(bool);

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Statements {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut path = Field("path", String::new());
        attributes.record(&mut path);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(IsLogin(path.1.contains("/auth/login")));
        }
    }

    fn on_event(&self, event: &tracing::Event<'_>, context: Context<'_, S>) {
        let mut spans = context.event_scope(event).into_iter().flatten();
        let of_login = spans.any(|span| span.extensions().get::<IsLogin>().is_some_and(|login| login.0));
        if of_login && std::thread::current().id() == self.1 && event.metadata().target() == "sqlx::query" {
            let mut statement = Field("summary", String::new());
            event.record(&mut statement);
            self.0.lock().unwrap().push(statement.1);
        }
    }
}

/// On PostgreSQL, whose driver runs its statements in the request's own task, where they can be told apart.
#[tokio::test]
async fn every_refusal_costs_the_same_statements() {
    let Some(daemon) = TestDaemon::start(Engine::Postgres).await else { return };
    let kinds = refusals(&daemon).await;
    let statements = Statements(Arc::default(), std::thread::current().id());
    // For the whole process: of one thread only, what other stories have met first would stay switched off.
    let subscriber = tracing_subscriber::registry().with(statements.clone());
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let mut seen: Vec<(&str, Vec<String>)> = Vec::new();
    for (kind, email) in kinds {
        guess_often(&daemon, email, 1).await;
        seen.push((kind, statements.take()));
    }
    let (_, wrong) = &seen[0];
    assert!(wrong.len() >= 5, "{wrong:?}");
    for (kind, made) in &seen {
        assert_eq!(made, wrong, "{kind}");
    }
    // The guess that locks costs the same for an address that nobody has, but for the mail's job being none.
    let mut locks = Vec::new();
    for email in ["zoe@example.com", "nobody@example.com", "gone@example.com"] {
        guess_often(&daemon, email, 3).await;
        statements.take();
        guess_often(&daemon, email, 1).await;
        locks.push(statements.take());
    }
    assert!(locks[0].len() > wrong.len(), "{:?}", locks[0]);
    assert_eq!(locks[0], locks[1]);
    assert_eq!(locks[0], locks[2]);
    daemon.stop_leaving_jobs().await;
}
