//! The HTTP API: one file per resource, thin handlers (extract -> store or domain -> api type).
//!
//! Layers, outermost first: request id -> [`error::complete`] (every refusal becomes a problem) -> trace -> panic to
//! problem -> body limit -> [`caller::guard`] (token or key, rate limit, access table) -> time limit -> handler.
//!
//! To add a route: a handler with `#[utoipa::path]`, a line in its file's `routes()`, a row in
//! [`crate::auth::access::TABLE`], a method of the typed client. A test fails for what is forgotten.

mod audit;
mod auth;
mod bookings;
mod caller;
mod changes;
mod conflicts;
mod credentials;
mod decisions;
mod docs;
mod error;
mod events;
mod extract;
mod feeds;
mod follows;
mod health;
mod jobs;
mod keys;
mod launches;
mod logs;
mod notifications;
mod paging;
mod parameters;
mod payments;
mod reconciliation;
mod refusals;
mod schedules;
mod sessions;
mod stream;
mod sweeps;
mod users;
mod work;

use std::{sync::Arc, time::Duration};

use astrops_api::logs::LogEntry;
use axum::{
    Router,
    extract::{DefaultBodyLimit, MatchedPath, Request},
    http::{HeaderName, HeaderValue, Method, StatusCode},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower_http::{catch_panic::CatchPanicLayer, request_id::SetRequestIdLayer, trace::TraceLayer};
use utoipa_axum::router::OpenApiRouter;

pub use caller::Caller;
pub use error::{ApiError, ApiResult};
pub use refusals::Refusals;

use crate::{
    auth::{limits::Limits, password::Passwords, refresh::RefreshTokens, token::Tokens},
    booking::Desk,
    clock::Clock,
    config::Config,
    db::Db,
    documents::Documents,
    jobs::Mailroom,
    logs::Recorder,
    payments::Cashier,
    queue::QueueHandle,
    reconcile::engine::Engine,
    schedules::tick::Scheduler,
    store::outbox::Happening,
    tail::Tail,
};

/// The header of the request id.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// What a request may take, streams and `execute` apart.
const REQUEST: Duration = Duration::from_secs(15);
/// Streams at once.
const STREAMS: usize = 64;
/// The largest body, batches of log entries apart.
const BODY: usize = 64 * 1024;
/// The largest batch of log entries.
const LOG_BODY: usize = 256 * 1024;

/// What handlers work with. Cheap to clone.
pub type App = Arc<Shared>;

/// The parts behind [`App`].
pub struct Shared {
    pub config: Config,
    pub db: Db,
    pub documents: Documents,
    pub clock: Clock,
    pub tokens: Tokens,
    pub refresh_tokens: RefreshTokens,
    pub passwords: Passwords,
    pub limits: Limits,
    pub mailroom: Arc<Mailroom>,
    pub desk: Desk,
    pub cashier: Cashier,
    pub engine: Engine,
    pub queue: QueueHandle,
    pub scheduler: Scheduler,
    pub recorder: Recorder,
    pub log_tail: Tail<LogEntry>,
    pub event_tail: Tail<Happening>,
    pub refusals: Refusals,
    pub streams: Arc<Semaphore>,
    pub node: astrops_api::status::Node,
    pub metrics: crate::daemon::Metrics,
    /// Cancelled when the daemon begins to stop: streams end.
    pub stopping: CancellationToken,
}

/// An empty set of open streams.
pub fn stream_permits() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(STREAMS))
}

/// Every route with its documentation.
fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(docs::frame())
        .merge(auth::routes())
        .merge(credentials::routes())
        .merge(sessions::routes())
        .merge(keys::routes())
        .merge(logs::routes().layer(DefaultBodyLimit::max(LOG_BODY)))
        .merge(jobs::routes())
        .merge(notifications::routes())
        .merge(reconciliation::routes())
        .merge(conflicts::routes())
        .merge(changes::routes())
        .merge(sweeps::routes())
        .merge(schedules::routes())
        .merge(launches::routes())
        .merge(bookings::routes())
        .merge(users::routes())
        .merge(follows::routes())
        .merge(audit::routes())
        .merge(events::routes())
        .merge(payments::routes())
        .merge(payments::webhook_route().layer(DefaultBodyLimit::max(LOG_BODY)))
        .merge(health::routes())
        .merge(docs::routes())
}

/// The whole API.
pub fn router(app: App) -> Router {
    let (router, mut openapi) = routes().split_for_parts();
    docs::describe_aliases(&mut openapi);
    router
        .merge(launches::aliases())
        .route_layer(middleware::from_fn(time_limit))
        .route_layer(middleware::from_fn(parameters::check))
        .route_layer(middleware::from_fn_with_state(app.clone(), caller::guard))
        .method_not_allowed_fallback(|| async {
            ApiError::new(error::Kind::MethodNotAllowed, "see /docs for the methods of this path")
                .into_response()
        })
        .fallback(|| async {
            ApiError::new(error::Kind::NotFound, "there is no such path; see /docs").into_response()
        })
        .layer(axum::Extension(Arc::new(openapi)))
        .layer(DefaultBodyLimit::max(BODY))
        .layer(CatchPanicLayer::custom(on_panic))
        .layer(TraceLayer::new_for_http().make_span_with(|request: &Request| {
            let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
            tracing::info_span!("request", method = %request.method(), path = request.uri().path(), id)
        }))
        .layer(middleware::from_fn(error::complete))
        .layer(middleware::from_fn_with_state(app.clone(), measure))
        .layer(SetRequestIdLayer::new(REQUEST_ID, RequestIds(app.clock.clone())))
        .with_state(app)
}

/// Request ids are ours: a caller's own could be anything.
#[derive(Clone)]
struct RequestIds(Clock);

impl tower_http::request_id::MakeRequestId for RequestIds {
    fn make_request_id<B>(
        &mut self,
        _: &axum::http::Request<B>,
    ) -> Option<tower_http::request_id::RequestId> {
        HeaderValue::from_str(&self.0.new_id().to_string()).ok().map(tower_http::request_id::RequestId::new)
    }
}

/// Streams and `execute` end by their own rules; everything else within [`REQUEST`].
async fn time_limit(request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    if matches!(path, "/logs/stream" | "/jobs/stream" | "/stream" | "/jobs/{id}/execute") {
        return next.run(request).await;
    }
    match tokio::time::timeout(REQUEST, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            ApiError::new(error::Kind::TimedOut, "nothing that was not answered was promised; try again")
                .into_response()
        }
    }
}

/// Counts requests and measures how long they took, by route.
async fn measure(
    axum::extract::State(app): axum::extract::State<App>,
    request: Request,
    next: Next,
) -> Response {
    let began = std::time::Instant::now();
    // Anybody can invent methods; each would be a time series for ever.
    let method = match *request.method() {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        _ => "other",
    };
    let response = next.run(request).await;
    app.metrics.request(method, response.status(), began.elapsed());
    response
}

#[expect(clippy::needless_pass_by_value, reason = "the layer's signature")]
fn on_panic(panic: Box<dyn std::any::Any + Send>) -> Response {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    tracing::error!("a request panicked: {text}");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}
