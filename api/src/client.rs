//! The typed client: what the console, the command line and the tests speak to the daemon with.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, StatusCode, header};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Problem, Secret,
    audit::{AuditPage, AuditQuery},
    auth::{ChangePassword, Login, Refresh, Refreshed, Register, Registered, Sessions, SignedIn},
    bookings::{Booking, BookingDetail, BookingPage, BookingQuery, CancelBooking, NewBooking, Paid, Pay},
    events::{DomainEvent, EventStreamQuery},
    ids::{BookingId, EntityId, JobId, KeyId, LaunchId, SessionId, UserId},
    jobs::{Delay, Execute, Executed, Job, JobDetail, JobPage, JobQuery, JobStats, NewJob, PauseTypes},
    keys::{KeyMade, NewKey, ServiceKey, ServiceKeys},
    launches::{
        CancelLaunch, CapacityLogPage, CapacityLogQuery, EditLaunch, Launch, LaunchPage, LaunchQuery,
        NewLaunch,
    },
    logs::{Histogram, HistogramQuery, LogEntry, LogPage, LogQuery, LogStreamQuery, NewLog, OneOrMany},
    notifications::{NewNotification, NewPreview, NotificationQueued, NotificationTypes, Preview},
    reconciliation::{
        ChangePage, ChangeQuery, ConflictPage, ConflictQuery, Diff, EventQueued, Mappings, NewEvent,
        NewReconciliation, ReconEvent, ReconJob, ReconJobPage, ReconJobQuery,
    },
    schedules::{EditSchedule, Schedule, ScheduleRun, ScheduleRuns, Schedules},
    sse::{self, EventStream},
    status::{Health, Status},
    users::{Account, EditUser, FollowerPage, FollowerQuery, UserPage, UserQuery},
    vocabulary::EntityType,
};

/// Why a call gave no answer of its type.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ClientError {
    /// No connection, or it broke: the daemon may be down. Safe to try again for reads.
    #[error("the daemon cannot be reached: {0}")]
    Unreachable(String),
    /// The daemon refused, and says why.
    #[error(transparent)]
    Refused(Box<Problem>),
    /// An answer that is not of the contract: another program, or another version.
    #[error("unexpected answer: {0}")]
    Unexpected(String),
}

impl ClientError {
    /// The problem, when the daemon refused.
    #[must_use]
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refused(problem) => Some(problem),
            _ => None,
        }
    }
}

/// How long a call may take from the request to the end of its answer. Streams and `execute` have their own.
const CALL: Duration = Duration::from_secs(20);

/// The HTTP client that [`Client::new`] wants: 5 s to connect, no proxy, no redirects (we speak to one daemon).
///
/// # Errors
/// [`ClientError::Unexpected`] when TLS cannot be set up: the process must install a crypto provider first.
pub fn http_client() -> Result<reqwest::Client, ClientError> {
    reqwest::Client::builder()
        // What the list of one's sessions shows.
        .user_agent(concat!("astrops/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(5))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .tcp_nodelay(true)
        .build()
        .map_err(|error| ClientError::Unexpected(error.to_string()))
}

/// A connection to one daemon. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    base: String,
    http: reqwest::Client,
    token: Option<Secret>,
}

/// The answer to POST /jobs/{id}/execute: did the job end within the wait?
#[derive(Clone, Debug, PartialEq)]
pub enum ExecuteAnswer {
    /// 200: it ended.
    Ended(Executed),
    /// 202: it is still running.
    Running(Executed),
}

type Answer<T> = Result<T, ClientError>;

impl Client {
    /// A client of the daemon at `base` (`http://127.0.0.1:7700`) over `http`, signed in by nobody.
    #[must_use]
    pub fn new(base: &str, http: reqwest::Client) -> Self {
        Self { base: base.trim_end_matches('/').to_owned(), http, token: None }
    }

    /// The same client on behalf of the owner of `token`.
    #[must_use]
    pub fn with_token(&self, token: Secret) -> Self {
        Self { token: Some(token), ..self.clone() }
    }

    /// The address it was made for.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// A request to `path` on behalf of the signed-in user, for what has no method here.
    pub fn raw_request(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token.expose()),
            None => request,
        }
    }

    /// A request without a body, answered without one.
    async fn order(&self, method: Method, path: &str) -> Answer<()> {
        Self::send(self.request(method, path).timeout(CALL)).await.map(drop)
    }

    /// A POST without a body.
    async fn act<T: DeserializeOwned>(&self, path: &str) -> Answer<T> {
        Self::read(Self::send(self.request(Method::POST, path).timeout(CALL)).await?).await
    }

    async fn send(request: RequestBuilder) -> Answer<reqwest::Response> {
        let response = request.send().await.map_err(|error| unreachable_because(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let text = response.text().await.map_err(|error| unreachable_because(&error))?;
        Err(match serde_json::from_str::<Problem>(&text) {
            Ok(problem) => ClientError::Refused(Box::new(problem)),
            Err(_) => {
                ClientError::Unexpected(format!("{status}: {}", text.chars().take(200).collect::<String>()))
            }
        })
    }

    async fn read<T: DeserializeOwned>(response: reqwest::Response) -> Answer<T> {
        let bytes = response.bytes().await.map_err(|error| unreachable_because(&error))?;
        serde_json::from_slice(&bytes).map_err(|error| ClientError::Unexpected(error.to_string()))
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, query: &(impl Serialize + Sync)) -> Answer<T> {
        Self::read(Self::send(self.request(Method::GET, path).timeout(CALL).query(query)).await?).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Answer<T> {
        Self::read(Self::send(self.request(method, path).timeout(CALL).json(body)).await?).await
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, body: &(impl Serialize + Sync)) -> Answer<T> {
        self.call(Method::POST, path, body).await
    }

    async fn stream<T: DeserializeOwned + Send + 'static>(
        &self,
        path: &str,
        query: &(impl Serialize + Sync),
    ) -> Answer<EventStream<T>> {
        let request =
            self.request(Method::GET, path).query(query).header(header::ACCEPT, "text/event-stream");
        Ok(sse::read(Self::send(request).await?))
    }

    /// POST /auth/register.
    pub async fn register(&self, body: &Register) -> Answer<Registered> {
        self.post("/auth/register", body).await
    }

    /// POST /auth/login.
    pub async fn login(&self, body: &Login) -> Answer<SignedIn> {
        self.post("/auth/login", body).await
    }

    /// POST /auth/refresh.
    pub async fn refresh(&self, body: &Refresh) -> Answer<Refreshed> {
        self.post("/auth/refresh", body).await
    }

    /// GET /auth/me.
    pub async fn me(&self) -> Answer<Account> {
        self.get("/auth/me", &()).await
    }

    /// POST /auth/logout.
    pub async fn logout(&self) -> Answer<()> {
        self.order(Method::POST, "/auth/logout").await
    }

    /// PUT /auth/password.
    pub async fn change_password(&self, body: &ChangePassword) -> Answer<()> {
        Self::send(self.request(Method::PUT, "/auth/password").timeout(CALL).json(body)).await.map(drop)
    }

    /// GET /auth/sessions: one's own.
    pub async fn sessions(&self) -> Answer<Sessions> {
        self.get("/auth/sessions", &()).await
    }

    /// DELETE /auth/sessions/{id}: one's own.
    pub async fn revoke_session(&self, id: SessionId) -> Answer<()> {
        self.order(Method::DELETE, &format!("/auth/sessions/{id}")).await
    }

    /// POST /auth/keys.
    pub async fn create_key(&self, body: &NewKey) -> Answer<KeyMade> {
        self.post("/auth/keys", body).await
    }

    /// GET /auth/keys.
    pub async fn keys(&self) -> Answer<ServiceKeys> {
        self.get("/auth/keys", &()).await
    }

    /// GET /auth/keys/{id}.
    pub async fn key(&self, id: KeyId) -> Answer<ServiceKey> {
        self.get(&format!("/auth/keys/{id}"), &()).await
    }

    /// DELETE /auth/keys/{id}.
    pub async fn revoke_key(&self, id: KeyId) -> Answer<()> {
        self.order(Method::DELETE, &format!("/auth/keys/{id}")).await
    }

    /// GET /users.
    pub async fn users(&self, query: &UserQuery) -> Answer<UserPage> {
        self.get("/users", query).await
    }

    /// GET /users/{id}.
    pub async fn user(&self, id: UserId) -> Answer<Account> {
        self.get(&format!("/users/{id}"), &()).await
    }

    /// PUT /users/{id}.
    pub async fn edit_user(&self, id: UserId, body: &EditUser) -> Answer<Account> {
        self.call(Method::PUT, &format!("/users/{id}"), body).await
    }

    /// DELETE /users/{id}: cancels what is the user's and erases the person.
    pub async fn delete_user(&self, id: UserId) -> Answer<()> {
        self.order(Method::DELETE, &format!("/users/{id}")).await
    }

    /// POST /users/{id}/unlock.
    pub async fn unlock_user(&self, id: UserId) -> Answer<Account> {
        self.act(&format!("/users/{id}/unlock")).await
    }

    /// GET /users/{id}/sessions.
    pub async fn user_sessions(&self, id: UserId) -> Answer<Sessions> {
        self.get(&format!("/users/{id}/sessions"), &()).await
    }

    /// DELETE /users/{id}/sessions: ends every session of the user.
    pub async fn revoke_user_sessions(&self, id: UserId) -> Answer<()> {
        self.order(Method::DELETE, &format!("/users/{id}/sessions")).await
    }

    /// PUT /users/{id}/follow.
    pub async fn follow(&self, supplier: UserId) -> Answer<()> {
        self.order(Method::PUT, &format!("/users/{supplier}/follow")).await
    }

    /// DELETE /users/{id}/follow.
    pub async fn unfollow(&self, supplier: UserId) -> Answer<()> {
        self.order(Method::DELETE, &format!("/users/{supplier}/follow")).await
    }

    /// GET /users/{id}/followers.
    pub async fn followers(&self, supplier: UserId, query: &FollowerQuery) -> Answer<FollowerPage> {
        self.get(&format!("/users/{supplier}/followers"), query).await
    }

    /// GET /launches.
    pub async fn launches(&self, query: &LaunchQuery) -> Answer<LaunchPage> {
        self.get("/launches", query).await
    }

    /// GET /launches/{id}.
    pub async fn launch(&self, id: LaunchId) -> Answer<Launch> {
        self.get(&format!("/launches/{id}"), &()).await
    }

    /// POST /launches.
    pub async fn create_launch(&self, body: &NewLaunch) -> Answer<Launch> {
        self.post("/launches", body).await
    }

    /// PUT /launches/{id}.
    pub async fn edit_launch(&self, id: LaunchId, body: &EditLaunch) -> Answer<Launch> {
        self.call(Method::PUT, &format!("/launches/{id}"), body).await
    }

    /// DELETE /launches/{id}: cancels it and every booking.
    pub async fn cancel_launch(&self, id: LaunchId, body: &CancelLaunch) -> Answer<Launch> {
        self.call(Method::DELETE, &format!("/launches/{id}"), body).await
    }

    /// PUT /launches/{id}/interest.
    pub async fn express_interest(&self, id: LaunchId) -> Answer<()> {
        self.order(Method::PUT, &format!("/launches/{id}/interest")).await
    }

    /// DELETE /launches/{id}/interest.
    pub async fn withdraw_interest(&self, id: LaunchId) -> Answer<()> {
        self.order(Method::DELETE, &format!("/launches/{id}/interest")).await
    }

    /// GET /launches/{id}/capacity-log.
    pub async fn capacity_log(&self, id: LaunchId, query: &CapacityLogQuery) -> Answer<CapacityLogPage> {
        self.get(&format!("/launches/{id}/capacity-log"), query).await
    }

    /// GET /launches/{id}/bookings.
    pub async fn launch_bookings(&self, id: LaunchId, query: &BookingQuery) -> Answer<BookingPage> {
        self.get(&format!("/launches/{id}/bookings"), query).await
    }

    /// GET /bookings.
    pub async fn bookings(&self, query: &BookingQuery) -> Answer<BookingPage> {
        self.get("/bookings", query).await
    }

    /// GET /bookings/{id}.
    pub async fn booking(&self, id: BookingId) -> Answer<BookingDetail> {
        self.get(&format!("/bookings/{id}"), &()).await
    }

    /// POST /bookings.
    pub async fn book(&self, body: &NewBooking) -> Answer<Booking> {
        self.post("/bookings", body).await
    }

    /// DELETE /bookings/{id}.
    pub async fn cancel_booking(&self, id: BookingId, body: &CancelBooking) -> Answer<Booking> {
        self.call(Method::DELETE, &format!("/bookings/{id}"), body).await
    }

    /// POST /bookings/{id}/payment.
    pub async fn pay(&self, id: BookingId, body: &Pay) -> Answer<Paid> {
        self.post(&format!("/bookings/{id}/payment"), body).await
    }

    /// GET /stream: domain events; `after` resumes behind an event's id.
    pub async fn event_stream(&self, after: Option<&str>) -> Answer<EventStream<DomainEvent>> {
        let query = EventStreamQuery { after: after.map(ToOwned::to_owned), ..EventStreamQuery::default() };
        self.event_stream_of(&query).await
    }

    /// GET /stream: domain events that `query` asks for.
    pub async fn event_stream_of(&self, query: &EventStreamQuery) -> Answer<EventStream<DomainEvent>> {
        self.stream("/stream", query).await
    }

    /// GET /audit.
    pub async fn audit(&self, query: &AuditQuery) -> Answer<AuditPage> {
        self.get("/audit", query).await
    }

    /// POST /reconciliation.
    pub async fn reconcile(&self, body: &NewReconciliation) -> Answer<ReconJob> {
        self.post("/reconciliation", body).await
    }

    /// POST /reconciliation/events.
    pub async fn nominate(&self, body: &NewEvent) -> Answer<EventQueued> {
        self.post("/reconciliation/events", body).await
    }

    /// GET /reconciliation/events/{id}.
    pub async fn recon_event(&self, id: uuid::Uuid) -> Answer<ReconEvent> {
        self.get(&format!("/reconciliation/events/{id}"), &()).await
    }

    /// GET /reconciliation/jobs.
    pub async fn recon_jobs(&self, query: &ReconJobQuery) -> Answer<ReconJobPage> {
        self.get("/reconciliation/jobs", query).await
    }

    /// GET /reconciliation/diff/{entityType}/{entityId}.
    pub async fn recon_diff(&self, kind: EntityType, id: EntityId) -> Answer<Diff> {
        self.get(&format!("/reconciliation/diff/{kind}/{id}"), &()).await
    }

    /// GET /reconciliation/mapping.
    pub async fn recon_mapping(&self) -> Answer<Mappings> {
        self.get("/reconciliation/mapping", &()).await
    }

    /// GET /reconciliation/conflicts.
    pub async fn recon_conflicts(&self, query: &ConflictQuery) -> Answer<ConflictPage> {
        self.get("/reconciliation/conflicts", query).await
    }

    /// GET /reconciliation/changes.
    pub async fn recon_changes(&self, query: &ChangeQuery) -> Answer<ChangePage> {
        self.get("/reconciliation/changes", query).await
    }

    /// POST /logs with one entry.
    pub async fn write_log(&self, entry: &NewLog) -> Answer<LogEntry> {
        self.post("/logs", entry).await
    }

    /// POST /logs with several entries, at most 1,000.
    pub async fn write_logs(&self, entries: &[NewLog]) -> Answer<Vec<LogEntry>> {
        match self.post("/logs", &entries).await? {
            OneOrMany::Many(entries) => Ok(entries),
            OneOrMany::One(entry) => Ok(vec![entry]),
        }
    }

    /// GET /logs.
    pub async fn logs(&self, query: &LogQuery) -> Answer<LogPage> {
        self.get("/logs", query).await
    }

    /// GET /logs/stream.
    pub async fn log_stream(&self, query: &LogStreamQuery) -> Answer<EventStream<LogEntry>> {
        self.stream("/logs/stream", query).await
    }

    /// GET /logs/histogram.
    pub async fn histogram(&self, query: &HistogramQuery) -> Answer<Histogram> {
        self.get("/logs/histogram", query).await
    }

    /// POST /jobs.
    pub async fn create_job(&self, body: &NewJob) -> Answer<Job> {
        self.post("/jobs", body).await
    }

    /// GET /jobs.
    pub async fn jobs(&self, query: &JobQuery) -> Answer<JobPage> {
        self.get("/jobs", query).await
    }

    /// GET /jobs/{id}; `reveal` shows private fields and is audited.
    pub async fn job(&self, id: JobId, reveal: bool) -> Answer<JobDetail> {
        let query: &[(&str, &str)] = if reveal { &[("reveal", "true")] } else { &[] };
        self.get(&format!("/jobs/{id}"), &query).await
    }

    /// GET /jobs/stats.
    pub async fn job_stats(&self) -> Answer<JobStats> {
        self.get("/jobs/stats", &()).await
    }

    /// GET /jobs/stream: jobs as they change; `after` resumes behind an event's id.
    pub async fn job_stream(&self, after: Option<&str>) -> Answer<EventStream<Job>> {
        let query: Vec<(&str, &str)> = after.map(|id| ("after", id)).into_iter().collect();
        self.stream("/jobs/stream", &query).await
    }

    /// PUT /jobs/{id}: delay a queued job.
    pub async fn delay_job(&self, id: JobId, body: &Delay) -> Answer<Job> {
        self.call(Method::PUT, &format!("/jobs/{id}"), body).await
    }

    /// PUT /jobs/{id}/execute: run now and wait up to `wait` (the daemon's default is 30 s, most 300 s).
    pub async fn execute_job(&self, id: JobId, wait: Option<Duration>) -> Answer<ExecuteAnswer> {
        let wait = wait.unwrap_or(Duration::from_secs(30));
        let request = self
            .request(Method::PUT, &format!("/jobs/{id}/execute"))
            .header("prefer", format!("wait={}", wait.as_secs()))
            .timeout(wait + Duration::from_secs(15))
            .json(&Execute { job_id: Some(id) });
        let response = Self::send(request).await?;
        let ended = response.status() == StatusCode::OK;
        let executed = Self::read(response).await?;
        Ok(if ended { ExecuteAnswer::Ended(executed) } else { ExecuteAnswer::Running(executed) })
    }

    /// POST /jobs/{id}/retry.
    pub async fn retry_job(&self, id: JobId) -> Answer<Job> {
        self.act(&format!("/jobs/{id}/retry")).await
    }

    /// POST /jobs/{id}/cancel.
    pub async fn cancel_job(&self, id: JobId) -> Answer<Job> {
        self.act(&format!("/jobs/{id}/cancel")).await
    }

    /// DELETE /jobs/{id}: only ended jobs.
    pub async fn delete_job(&self, id: JobId) -> Answer<()> {
        self.order(Method::DELETE, &format!("/jobs/{id}")).await
    }

    /// POST /jobs/pause.
    pub async fn pause_jobs(&self, body: &PauseTypes) -> Answer<JobStats> {
        self.post("/jobs/pause", body).await
    }

    /// POST /jobs/resume.
    pub async fn resume_jobs(&self, body: &PauseTypes) -> Answer<JobStats> {
        self.post("/jobs/resume", body).await
    }

    /// POST /notifications.
    pub async fn notify(&self, body: &NewNotification) -> Answer<NotificationQueued> {
        self.post("/notifications", body).await
    }

    /// GET /notifications/types.
    pub async fn notification_types(&self) -> Answer<NotificationTypes> {
        self.get("/notifications/types", &()).await
    }

    /// POST /notifications/preview.
    pub async fn preview(&self, body: &NewPreview) -> Answer<Preview> {
        self.post("/notifications/preview", body).await
    }

    /// GET /schedules.
    pub async fn schedules(&self) -> Answer<Schedules> {
        self.get("/schedules", &()).await
    }

    /// GET /schedules/{name}.
    pub async fn schedule(&self, name: &str) -> Answer<Schedule> {
        self.get(&format!("/schedules/{}", segment(name)), &()).await
    }

    /// GET /schedules/{name}/runs, the latest `page_size`.
    pub async fn schedule_runs(&self, name: &str, page_size: u32) -> Answer<ScheduleRuns> {
        self.get(&format!("/schedules/{}/runs", segment(name)), &[("pageSize", page_size)]).await
    }

    /// PUT /schedules/{name}.
    pub async fn edit_schedule(&self, name: &str, body: &EditSchedule) -> Answer<Schedule> {
        self.call(Method::PUT, &format!("/schedules/{}", segment(name)), body).await
    }

    /// POST /schedules/{name}/trigger.
    pub async fn trigger_schedule(&self, name: &str) -> Answer<ScheduleRun> {
        self.act(&format!("/schedules/{}/trigger", segment(name))).await
    }

    /// POST /schedules/{name}/pause.
    pub async fn pause_schedule(&self, name: &str) -> Answer<Schedule> {
        self.act(&format!("/schedules/{}/pause", segment(name))).await
    }

    /// POST /schedules/{name}/resume.
    pub async fn resume_schedule(&self, name: &str) -> Answer<Schedule> {
        self.act(&format!("/schedules/{}/resume", segment(name))).await
    }

    /// GET /status.
    pub async fn status(&self) -> Answer<Status> {
        self.get("/status", &()).await
    }

    /// GET /health/ready; a daemon that is not ready is an error that says why.
    pub async fn ready(&self) -> Answer<Health> {
        self.get("/health/ready", &()).await
    }
}

/// `name` as one path segment: everything but letters, digits, `-`, `_` and `.` is percent-encoded.
fn segment(name: &str) -> String {
    name.bytes().fold(String::new(), |path, byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
            path + char::from(byte).encode_utf8(&mut [0; 4])
        }
        _ => path + &format!("%{byte:02X}"),
    })
}

/// The innermost cause is what helps ("Connection refused"); the address is said by the caller.
fn unreachable_because(error: &reqwest::Error) -> ClientError {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    ClientError::Unreachable(if error.is_timeout() {
        "no answer in time".to_owned()
    } else {
        cause.to_string()
    })
}
