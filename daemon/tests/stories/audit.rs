//! The audit log: no mutation without a row, and rows that can be found.

use astrops_api::{
    Client,
    audit::{AuditEntry, AuditQuery},
    auth::{ChangePassword, Refresh, Register},
    bookings::{CancelBooking, NewBooking},
    ids::{BookingId, JobId, KeyId, LaunchId, UserId},
    jobs::{Delay, NewJob, NewMail, PauseTypes},
    keys::NewKey,
    launches::{CancelLaunch, EditLaunch},
    schedules::EditSchedule,
    sweeps::{NewSweep, SweepQuery},
    users::EditUser,
    vocabulary::{JobType, Order, Right, Role, Scope, SweepMode, SweepStatus},
};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::{
    stories,
    support::{PASSWORD, TestDaemon, http::has_fields_of, login, refusal},
};

stories!(nothing_changes_without_an_audit_row, rows_are_found_by_actor_action_target_and_time);

/// What only looks like a mutation; webhooks are Stripe's, and `stripe.rs` looks at their rows.
const CHANGES_NOTHING: &[&str] = &["POST /notifications/preview", "POST /payments/webhook"];

/// Who acts in the walk, and on what.
struct World {
    daemon: TestDaemon,
    carl: Client,
    sue: Client,
    /// For names that must differ.
    count: u32,
}

impl World {
    /// The latest row of the audit log.
    async fn latest(&self) -> AuditEntry {
        let query = AuditQuery { page_size: Some(1), ..AuditQuery::default() };
        self.daemon.operator.audit(&query).await.unwrap().entries.remove(0)
    }

    /// A request of the operator that must succeed.
    async fn post(&self, path: &str, body: Value) {
        let answer = self.daemon.raw().await.send("POST", path, Some(&body.to_string())).await;
        assert!((200..300).contains(&answer.status), "{path}: {answer:?}");
    }

    fn address(&mut self) -> String {
        self.count += 1;
        format!("somebody{}@example.com", self.count)
    }

    /// A job whose time has not come.
    async fn job(&self) -> JobId {
        let notification = NewMail {
            recipient_email: "c@example.com".to_owned(),
            subject: "Launch".to_owned(),
            message: "At noon.".to_owned(),
        };
        let new = NewJob {
            kind: JobType::Notification,
            notification: Some(notification),
            reconciliation: None,
            maintenance: None,
            run_at: Some(self.daemon.now() + TimeDelta::hours(1)),
            priority: None,
            max_attempts: None,
            unique_key: None,
        };
        self.daemon.operator.create_job(&new).await.unwrap().id
    }

    async fn launch(&self) -> LaunchId {
        self.sue.create_launch(&self.daemon.new_launch(10)).await.unwrap().id
    }

    /// A launch whose sale has not started.
    async fn upcoming(&self) -> LaunchId {
        let mut new = self.daemon.new_launch(10);
        new.sales_start_at = Some(self.daemon.now() + TimeDelta::days(1));
        self.sue.create_launch(&new).await.unwrap().id
    }

    async fn booking(&self) -> BookingId {
        let launch_id = Some(self.launch().await);
        let new = NewBooking { launch_id, event_id: None, ticket_quantity: 1, user_id: None };
        self.carl.book(&new).await.unwrap().id
    }

    async fn key(&mut self) -> KeyId {
        self.count += 1;
        let new = NewKey { name: format!("program-{}", self.count), scopes: vec![Scope::Read] };
        self.daemon.operator.create_key(&new).await.unwrap().key.id
    }

    async fn user(&mut self, role: Role) -> (Client, UserId) {
        let address = self.address();
        let client = self.daemon.sign_in(&address, role, None).await;
        let id = client.me().await.unwrap().user.id;
        (client, id)
    }

    /// Calls `route` with a request that is right, and says what the audit log must call it.
    async fn act(&mut self, route: &str) -> &'static str {
        if let Some(action) = self.of_accounts(route).await {
            return action;
        }
        if let Some(action) = self.of_jobs(route).await {
            return action;
        }
        if route.starts_with("POST /reconciliation/sweeps") {
            return self.of_sweeps(route).await.unwrap_or_else(|| panic!("no case for {route}"));
        }
        if let Some(action) = self.of_reconciliation(route).await {
            return action;
        }
        let action = self.of_business(route).await;
        action.unwrap_or_else(|| {
            panic!("no case for {route}: say here what a right request is and what the audit log calls it")
        })
    }

    async fn of_accounts(&mut self, route: &str) -> Option<&'static str> {
        let operator = self.daemon.operator.clone();
        Some(match route {
            "POST /auth/register" => {
                let email = self.address();
                let body = Register { email, password: PASSWORD.into(), role: None, name: None, right: None };
                self.daemon.anyone.register(&body).await.unwrap();
                "user.register"
            }
            "POST /auth/login" => {
                self.daemon.anyone.login(&login("carl@example.com")).await.unwrap();
                "auth.login"
            }
            "POST /auth/logout" => {
                self.daemon.again("carl@example.com").await.logout().await.unwrap();
                "auth.logout"
            }
            "POST /auth/refresh" => {
                let signed_in = self.daemon.anyone.login(&login("carl@example.com")).await.unwrap();
                let refresh_token = signed_in.refresh_token;
                self.daemon.anyone.refresh(&Refresh { refresh_token }).await.unwrap();
                "auth.refresh"
            }
            "PUT /auth/password" => {
                let (client, _) = self.user(Role::Customer).await;
                let (current_password, new_password) = (PASSWORD.into(), "another good day".into());
                client.change_password(&ChangePassword { current_password, new_password }).await.unwrap();
                "auth.password"
            }
            "DELETE /auth/sessions/{id}" => {
                let carl = self.daemon.again("carl@example.com").await;
                let mut sessions = carl.sessions().await.unwrap().sessions;
                sessions.retain(|session| session.is_current);
                carl.revoke_session(sessions[0].id).await.unwrap();
                "auth.session-revoke"
            }
            "POST /auth/keys" => {
                self.key().await;
                "key.create"
            }
            "DELETE /auth/keys/{id}" => {
                operator.revoke_key(self.key().await).await.unwrap();
                "key.revoke"
            }
            "POST /users/{id}/unlock" => {
                let (_, id) = self.user(Role::Customer).await;
                operator.unlock_user(id).await.unwrap();
                "user.unlock"
            }
            "DELETE /users/{id}/sessions" => {
                let (_, id) = self.user(Role::Customer).await;
                operator.revoke_user_sessions(id).await.unwrap();
                "user.sessions-revoke"
            }
            "PUT /users/{id}" => {
                let (_, id) = self.user(Role::Customer).await;
                let edit = EditUser { name: Some(Some("Cleo".to_owned())), ..EditUser::default() };
                operator.edit_user(id, &edit).await.unwrap();
                "user.edit"
            }
            "DELETE /users/{id}" => {
                let (_, id) = self.user(Role::Customer).await;
                operator.delete_user(id).await.unwrap();
                "user.delete"
            }
            "PUT /users/{id}/follow" => {
                let (_, id) = self.user(Role::Supplier).await;
                self.carl.follow(id).await.unwrap();
                "user.follow"
            }
            "DELETE /users/{id}/follow" => {
                let (_, id) = self.user(Role::Supplier).await;
                self.carl.follow(id).await.unwrap();
                self.carl.unfollow(id).await.unwrap();
                "user.unfollow"
            }
            _ => return None,
        })
    }

    async fn of_jobs(&self, route: &str) -> Option<&'static str> {
        let operator = self.daemon.operator.clone();
        let types = PauseTypes { kind: Some(JobType::Reconciliation) };
        let schedule = "prune-jobs";
        Some(match route {
            "POST /logs" => {
                let body = json!({ "eventType": "SYSTEM", "severity": "info", "message": "one" });
                let headers = [("content-type", "application/json"), ("idempotency-key", "one")];
                let raw = self.daemon.raw().await;
                let answer = raw.send_with("POST", "/logs", &headers, body.to_string().into_bytes()).await;
                assert_eq!(answer.status, 201, "{answer:?}");
                "log.write"
            }
            "POST /jobs" => {
                self.job().await;
                "job.create"
            }
            "PUT /jobs/{id}" => {
                let run_at = self.daemon.now() + TimeDelta::hours(2);
                operator.delay_job(self.job().await, &Delay { run_at }).await.unwrap();
                "job.delay"
            }
            "DELETE /jobs/{id}" => {
                let id = self.job().await;
                operator.cancel_job(id).await.unwrap();
                operator.delete_job(id).await.unwrap();
                "job.delete"
            }
            "PUT /jobs/{id}/execute" => {
                operator.execute_job(self.job().await, None).await.unwrap();
                "job.execute"
            }
            "POST /jobs/{id}/retry" => {
                let id = self.job().await;
                operator.cancel_job(id).await.unwrap();
                operator.retry_job(id).await.unwrap();
                "job.retry"
            }
            "POST /jobs/{id}/cancel" => {
                operator.cancel_job(self.job().await).await.unwrap();
                "job.cancel"
            }
            "POST /jobs/pause" => {
                operator.pause_jobs(&types).await.unwrap();
                "job.pause"
            }
            "POST /jobs/resume" => {
                operator.resume_jobs(&types).await.unwrap();
                "job.resume"
            }
            "POST /notifications" => {
                let data = json!({ "name": "Carl" });
                self.post(
                    "/notifications",
                    json!({ "type": "WELCOME", "recipient": "c@example.com", "data": data }),
                )
                .await;
                "notification.create"
            }
            "PUT /schedules/{name}" => {
                let edit = EditSchedule { cron: Some("0 4 * * *".to_owned()), ..EditSchedule::default() };
                operator.edit_schedule(schedule, &edit).await.unwrap();
                "schedule.edit"
            }
            "POST /schedules/{name}/trigger" => {
                operator.trigger_schedule(schedule).await.unwrap();
                "schedule.trigger"
            }
            "POST /schedules/{name}/pause" => {
                operator.pause_schedule(schedule).await.unwrap();
                "schedule.pause"
            }
            "POST /schedules/{name}/resume" => {
                operator.resume_schedule(schedule).await.unwrap();
                "schedule.resume"
            }
            _ => return None,
        })
    }

    async fn of_reconciliation(&self, route: &str) -> Option<&'static str> {
        Some(match route {
            "POST /reconciliation" => {
                let body = json!({ "entityType": "launch", "entityId": self.launch().await });
                self.post("/reconciliation", body).await;
                "reconciliation.create"
            }
            "POST /reconciliation/conflicts/{id}/resolve" => {
                let (_, id) = crate::conflicts::torn(&self.daemon, &self.sue).await;
                let body = json!({ "choices": { "title": "document" }, "reason": "theirs is right" });
                self.post(&format!("/reconciliation/conflicts/{id}/resolve"), body).await;
                "conflict.resolve"
            }
            "POST /reconciliation/conflicts/{id}/snooze" => {
                let (_, id) = crate::conflicts::torn(&self.daemon, &self.sue).await;
                let until = self.daemon.now() + TimeDelta::days(1);
                let body = json!({ "until": until, "reason": "asked the supplier" });
                self.post(&format!("/reconciliation/conflicts/{id}/snooze"), body).await;
                "conflict.snooze"
            }
            "POST /reconciliation/conflicts/bulk" => {
                let (_, id) = crate::conflicts::torn(&self.daemon, &self.sue).await;
                let body = json!({ "ids": [id], "take": "relational", "reason": "ours are right" });
                self.post("/reconciliation/conflicts/bulk", body).await;
                "conflict.resolve_many"
            }
            "POST /reconciliation/changes/{id}/revert" => {
                let (_, id) = crate::conflicts::overwritten(&self.daemon, &self.sue).await;
                let body = json!({ "reason": "the price was right" });
                self.post(&format!("/reconciliation/changes/{id}/revert"), body).await;
                "change.revert"
            }
            "POST /reconciliation/events" => {
                let body =
                    json!({ "entityType": "launch", "entityId": self.launch().await, "action": "update" });
                self.post("/reconciliation/events", body).await;
                "reconciliation.event"
            }
            _ => return None,
        })
    }

    async fn of_sweeps(&self, route: &str) -> Option<&'static str> {
        let operator = self.daemon.again("ana@example.com").await;
        let open = operator.sweeps(&SweepQuery::default()).await.unwrap().sweeps;
        for sweep in open.into_iter().filter(|sweep| !sweep.status.is_final()) {
            operator.cancel_sweep(sweep.id).await.unwrap();
        }
        let new = NewSweep { mode: SweepMode::Full, entity_type: None, dry_run: false };
        // Something differs, so it waits until the clock moves.
        self.launch().await;
        let begin = async || operator.sweep(&new).await.unwrap().id;
        Some(match route {
            "POST /reconciliation/sweeps" => {
                begin().await;
                "sweep.create"
            }
            "POST /reconciliation/sweeps/{id}/pause" => {
                operator.pause_sweep(begin().await).await.unwrap();
                "sweep.pause"
            }
            "POST /reconciliation/sweeps/{id}/resume" => {
                let id = begin().await;
                operator.pause_sweep(id).await.unwrap();
                operator.resume_sweep(id).await.unwrap();
                "sweep.resume"
            }
            "POST /reconciliation/sweeps/{id}/cancel" => {
                operator.cancel_sweep(begin().await).await.unwrap();
                "sweep.cancel"
            }
            "POST /reconciliation/sweeps/{id}/approve" => {
                let id = begin().await;
                let asks = async || {
                    self.daemon.pass(TimeDelta::seconds(6));
                    operator.find_sweep(id).await.unwrap().status == SweepStatus::NeedsApproval
                };
                self.daemon.until(asks).await;
                operator.approve_sweep(id).await.unwrap();
                "sweep.approve"
            }
            _ => return None,
        })
    }

    async fn of_business(&self, route: &str) -> Option<&'static str> {
        Some(match route {
            "POST /launches" => {
                self.launch().await;
                "launch.create"
            }
            "PUT /launches/{id}" => {
                let edit = EditLaunch { capacity: Some(20), ..EditLaunch::default() };
                self.sue.edit_launch(self.launch().await, &edit).await.unwrap();
                "launch.edit"
            }
            "DELETE /launches/{id}" => {
                self.sue.cancel_launch(self.launch().await, &CancelLaunch::default()).await.unwrap();
                "launch.cancel"
            }
            "PUT /launches/{id}/interest" => {
                self.carl.express_interest(self.upcoming().await).await.unwrap();
                "launch.interest"
            }
            "DELETE /launches/{id}/interest" => {
                let id = self.upcoming().await;
                self.carl.express_interest(id).await.unwrap();
                self.carl.withdraw_interest(id).await.unwrap();
                "launch.no-interest"
            }
            "POST /bookings" => {
                self.booking().await;
                "booking.create"
            }
            "DELETE /bookings/{id}" => {
                self.carl.cancel_booking(self.booking().await, &CancelBooking::default()).await.unwrap();
                "booking.cancel"
            }
            "POST /bookings/{id}/payment" => {
                let visa = crate::payments::by("pm_card_visa");
                self.carl.pay(self.booking().await, &visa).await.unwrap();
                "payment.ask"
            }
            _ => return None,
        })
    }
}

async fn nothing_changes_without_an_audit_row(daemon: TestDaemon) {
    // Any sweep that finds something asks first.
    let daemon = daemon.restarted(|config| config.reconcile.brake_floor = 0).await;
    let document = daemon.raw_anyone().send("GET", "/openapi.json", None).await.json();
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let methods = item
            .as_object()
            .unwrap()
            .keys()
            .filter(|key| ["post", "put", "delete", "patch"].contains(&key.as_str()));
        routes.extend(methods.map(|method| format!("{} {path}", method.to_uppercase())));
    }
    // The same handlers as those of /launches.
    routes.retain(|route| !route.contains(" /events") && !CHANGES_NOTHING.contains(&route.as_str()));
    assert!(routes.len() > 20, "{routes:?}");

    let carl = daemon.sign_in("carl@example.com", Role::Customer, None).await;
    let sue = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let mut world = World { daemon, carl, sue, count: 0 };
    for route in &routes {
        let before = world.latest().await;
        let action = world.act(route).await;
        let after = world.latest().await;
        assert!(after.id > before.id, "{route} left no audit row");
        assert_eq!(after.action, action, "{route}");
        assert!(
            !after.actor.is_empty() && !after.target.is_empty() && !after.request_id.is_empty(),
            "{after:?}"
        );
        let told = serde_json::to_string(&after.details).unwrap();
        assert!(!told.contains('@') && !told.contains(PASSWORD), "{route} tells what is private: {told}");
    }
    world.daemon.settled().await;
    world.daemon.stop_leaving_jobs().await;
}

async fn rows_are_found_by_actor_action_target_and_time(daemon: TestDaemon) {
    let sue = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let carl = daemon.sign_in("carl@example.com", Role::Customer, None).await;
    let viewer = daemon.sign_in("vera@example.com", Role::Employee, Some(Right::Viewer)).await;
    let noon = daemon.now();
    daemon.pass(TimeDelta::minutes(10));
    let launch = sue.create_launch(&daemon.new_launch(10)).await.unwrap();
    let new = NewBooking { launch_id: Some(launch.id), event_id: None, ticket_quantity: 1, user_id: None };
    let booking = carl.book(&new).await.unwrap();
    daemon.pass(TimeDelta::minutes(10));
    let because = CancelBooking { reason: Some("a cold".to_owned()) };
    carl.cancel_booking(booking.id, &because).await.unwrap();
    let me = carl.me().await.unwrap().user.id;

    let find = async |query: AuditQuery| daemon.operator.audit(&query).await.unwrap().entries;
    let actions = async |query: AuditQuery| -> Vec<String> {
        find(query).await.into_iter().map(|row| row.action).collect()
    };
    let any = AuditQuery::default();
    let of_carl = AuditQuery { actor: Some(format!("user:{me}")), ..any.clone() };
    assert_eq!(actions(of_carl.clone()).await, ["booking.cancel", "booking.create"]);
    assert_eq!(
        actions(AuditQuery { order: Some(Order::Asc), ..of_carl.clone() }).await,
        ["booking.create", "booking.cancel"]
    );
    let kind = |action: &str| AuditQuery { action: Some(action.to_owned()), ..AuditQuery::default() };
    assert_eq!(actions(kind("booking")).await, ["booking.cancel", "booking.create"]);
    assert_eq!(actions(kind("booking.create")).await, ["booking.create"]);
    assert!(actions(kind("book")).await.is_empty(), "a kind is the whole word before the dot");
    assert!(actions(kind("booking%")).await.is_empty());
    let target = |target: String| AuditQuery { target: Some(target), ..AuditQuery::default() };
    assert_eq!(actions(target(launch.id.to_string())).await, ["launch.create"]);
    assert_eq!(actions(target(launch.id.to_string().to_uppercase())).await, ["launch.create"]);
    let late = AuditQuery { from: Some(daemon.now() - TimeDelta::minutes(1)), ..any.clone() };
    assert_eq!(actions(late).await, ["booking.cancel"]);
    let between = AuditQuery {
        from: Some(noon + TimeDelta::minutes(1)),
        to: Some(noon + TimeDelta::minutes(15)),
        ..any.clone()
    };
    assert_eq!(actions(between).await, ["booking.create", "launch.create"]);
    let page = daemon
        .operator
        .audit(&AuditQuery { limit: Some(1), offset: Some(1), ..of_carl.clone() })
        .await
        .unwrap();
    assert_eq!((page.total, page.page, page.entries[0].action.as_str()), (2, 2, "booking.create"));

    let row = find(of_carl.clone()).await.remove(0);
    assert_eq!(
        (row.actor_email.as_deref(), row.reason.as_deref()),
        (Some("carl@example.com"), Some("a cold"))
    );
    assert!(row.ip_address.is_some() && !row.request_id.is_empty());
    let sample = json!({ "id": row.id, "at": row.at, "actor": row.actor, "actorEmail": "carl@example.com",
        "action": "booking.cancel", "target": booking.id, "reason": "a cold", "details": {}, "requestId": row.request_id });
    has_fields_of(&json!(row), &sample, &["actorEmail", "action", "target", "reason"], "row");
    // The one who was made on the machine itself was made by nobody with an account.
    let made = find(kind("user.add")).await;
    assert_eq!((made[0].actor.as_str(), &made[0].actor_email), ("cli:test", &None));

    // Viewers read it, addresses masked; nobody else does.
    let seen = viewer.audit(&of_carl).await.unwrap().entries.remove(0);
    assert_eq!(seen.actor_email.as_deref(), Some("c***@example.com"));
    for other in [&carl, &sue] {
        assert!(refusal(other.audit(&any).await).starts_with("403"));
    }
    let long = AuditQuery { actor: Some("x".repeat(301)), ..any };
    assert!(refusal(daemon.operator.audit(&long).await).contains("actor"));
    daemon.settled().await;
    daemon.stop().await;
}
