//! Refusals: every answer that is not 2xx is a problem (RFC 9457), and its status is decided here, once.

use astrops_api::problem::{FieldError, Problem};
use axum::{
    body::Body,
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{auth::password::PasswordError, booking::Refusal, payments, payments::cards::without_numbers};

/// The kinds of problem; each has one `type`, status and title, listed in docs/API.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    BadRequest,
    SignInRequired,
    InvalidCredentials,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    Conflict,
    EmailTaken,
    DuplicateJob,
    SoldOut,
    AlreadyBooked,
    SalesNotStarted,
    SalesStarted,
    LaunchCancelled,
    LaunchEnded,
    CardDeclined,
    TooManyRequests,
    PayloadTooLarge,
    UnsupportedMediaType,
    Invalid,
    KeyReused,
    TooManyStreams,
    Internal,
    Unavailable,
    TimedOut,
    PaymentOpen,
    DiskFull,
}

impl Kind {
    /// Every kind, for the documentation and its test.
    pub const ALL: &'static [Self] = &[
        Self::BadRequest,
        Self::SignInRequired,
        Self::InvalidCredentials,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Conflict,
        Self::EmailTaken,
        Self::DuplicateJob,
        Self::SoldOut,
        Self::AlreadyBooked,
        Self::SalesNotStarted,
        Self::SalesStarted,
        Self::LaunchCancelled,
        Self::LaunchEnded,
        Self::CardDeclined,
        Self::TooManyRequests,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::Invalid,
        Self::KeyReused,
        Self::TooManyStreams,
        Self::Internal,
        Self::Unavailable,
        Self::TimedOut,
        Self::PaymentOpen,
        Self::DiskFull,
    ];

    /// Status, last part of the type, title.
    pub const fn facts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::BadRequest => (StatusCode::BAD_REQUEST, "bad-request", "The request cannot be read"),
            Self::SignInRequired => (StatusCode::UNAUTHORIZED, "sign-in-required", "Sign in first"),
            Self::InvalidCredentials => {
                (StatusCode::UNAUTHORIZED, "invalid-credentials", "E-mail or password is wrong")
            }
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden", "You may not do this"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "There is no such thing"),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "This path does not take that method")
            }
            Self::Conflict => (StatusCode::CONFLICT, "conflict", "Its state does not allow this"),
            Self::EmailTaken => (StatusCode::CONFLICT, "email-taken", "The e-mail address is taken"),
            Self::DuplicateJob => {
                (StatusCode::CONFLICT, "duplicate-job", "A job with this unique key waits or runs")
            }
            Self::SoldOut => (StatusCode::CONFLICT, "sold-out", "There are not that many seats left"),
            Self::AlreadyBooked => {
                (StatusCode::CONFLICT, "already-booked", "The customer has a booking of this launch")
            }
            Self::SalesNotStarted => {
                (StatusCode::CONFLICT, "sales-not-started", "The sale of this launch has not started")
            }
            Self::SalesStarted => {
                (StatusCode::CONFLICT, "sales-started", "The sale of this launch has started")
            }
            Self::LaunchCancelled => (StatusCode::CONFLICT, "launch-cancelled", "The launch does not happen"),
            Self::LaunchEnded => (StatusCode::CONFLICT, "launch-ended", "The launch has started or is over"),
            Self::CardDeclined => (StatusCode::PAYMENT_REQUIRED, "card-declined", "The payment was refused"),
            Self::TooManyRequests => {
                (StatusCode::TOO_MANY_REQUESTS, "too-many-requests", "Too many requests in a short time")
            }
            Self::PayloadTooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "payload-too-large", "The body is too large")
            }
            Self::UnsupportedMediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-media-type",
                "The body must be sent as application/json",
            ),
            Self::Invalid => (StatusCode::UNPROCESSABLE_ENTITY, "invalid", "The request is not valid"),
            Self::KeyReused => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency-key-reused",
                "The Idempotency-Key was used with another body",
            ),
            Self::TooManyStreams => {
                (StatusCode::SERVICE_UNAVAILABLE, "too-many-streams", "Too many streams are open")
            }
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something unplanned happened"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The daemon is busy"),
            Self::TimedOut => (StatusCode::SERVICE_UNAVAILABLE, "timed-out", "The request took too long"),
            Self::PaymentOpen => (
                StatusCode::SERVICE_UNAVAILABLE,
                "payment-open",
                "The provider has not said what became of the payment",
            ),
            Self::DiskFull => (StatusCode::INSUFFICIENT_STORAGE, "disk-full", "The disk is full"),
        }
    }

    /// The kind of an answer that a library made.
    fn of_status(status: StatusCode) -> Self {
        Self::ALL
            .iter()
            .copied()
            .find(|kind| kind.facts().0 == status)
            .unwrap_or(if status.is_client_error() { Self::BadRequest } else { Self::Internal })
    }
}

/// Why a request gets no 2xx.
#[derive(Debug)]
pub enum ApiError {
    /// A problem.
    Problem(Kind, String, Vec<FieldError>),
    /// Not an error: the answer that the same request got the first time (`Idempotency-Key`).
    Replay(Box<Response>),
}

/// The result of a handler.
pub type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    /// A problem with its detail.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self::Problem(kind, detail.into(), Vec::new())
    }

    /// 422 about one field (a JSON pointer or the name of a query parameter).
    pub fn field(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::fields(vec![FieldError { pointer: pointer.into(), detail: detail.into() }])
    }

    /// 422 about several fields; the detail says it all, for those who show nothing else.
    pub fn fields(errors: Vec<FieldError>) -> Self {
        let told: Vec<String> = errors.iter().map(FieldError::sentence).collect();
        Self::Problem(Kind::Invalid, told.join("; "), errors)
    }

    /// The same without anything that could be a card number: what a caller sent by mistake is not repeated.
    pub fn without_numbers(self) -> Self {
        match self {
            Self::Problem(kind, detail, errors) => {
                let errors = errors.into_iter().map(|error| FieldError {
                    pointer: without_numbers(&error.pointer),
                    detail: without_numbers(&error.detail),
                });
                Self::Problem(kind, without_numbers(&detail), errors.collect())
            }
            Self::Replay(response) => Self::Replay(response),
        }
    }

    /// 404 about something with an id.
    pub fn no_such(what: &str, id: impl std::fmt::Display) -> Self {
        Self::new(Kind::NotFound, format!("there is no {what} {id}"))
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error::{Database, Io, PoolClosed, PoolTimedOut, Protocol, Tls, WorkerCrashed};
        let busy = "the database does not answer in time; nothing was changed, try again in a moment";
        match &error {
            PoolTimedOut | PoolClosed | Io(_) | Protocol(_) | Tls(_) | WorkerCrashed => {
                tracing::warn!(error = %error, "the database is not available");
                Self::new(Kind::Unavailable, busy)
            }
            Database(inner) => match inner.code().as_deref().unwrap_or_default() {
                // SQLITE_FULL; PostgreSQL disk_full.
                "13" | "53100" => {
                    tracing::error!(error = %error, "the disk is full");
                    Self::new(Kind::DiskFull, "nothing was changed; free space on the database's disk")
                }
                // SQLITE_BUSY; lock_timeout, statement_timeout, serialization, deadlock, too many connections, shutdowns.
                "5" | "517" | "55P03" | "57014" | "40001" | "40P01" | "53300" | "57P01" | "57P02"
                | "57P03" => {
                    tracing::warn!(error = %error, "the database is busy");
                    Self::new(Kind::Unavailable, busy)
                }
                // Two retries, or a retry and a new job, took one unique key at the same moment.
                "23505" | "2067" => {
                    Self::new(Kind::DuplicateJob, "another request took the same unique key at this moment")
                }
                _ => Self::internal(&error),
            },
            _ => Self::internal(&error),
        }
    }
}

impl ApiError {
    fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(error = %error, "a request failed for an unplanned reason");
        Self::new(Kind::Internal, "the daemon's log tells more under the request id; please report it")
    }
}

impl From<anyhow::Error> for ApiError {
    fn from(error: anyhow::Error) -> Self {
        Self::internal(&format!("{error:#}"))
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let kind = match refusal {
            Refusal::Database(error) => return error.into(),
            Refusal::Fields(errors) => return Self::fields(errors),
            Refusal::NoLaunch(_) | Refusal::NoBooking(_) => Kind::NotFound,
            Refusal::SoldOut(_) => Kind::SoldOut,
            Refusal::AlreadyBooked(_) => Kind::AlreadyBooked,
            Refusal::SalesNotStarted(_) => Kind::SalesNotStarted,
            Refusal::SalesStarted => Kind::SalesStarted,
            Refusal::LaunchCancelled => Kind::LaunchCancelled,
            Refusal::LaunchStarted(_) => Kind::LaunchEnded,
            Refusal::AlreadyCancelled | Refusal::CapacityBelowSeats(_) => Kind::Conflict,
        };
        Self::new(kind, refusal.to_string())
    }
}

impl From<payments::Refusal> for ApiError {
    fn from(refusal: payments::Refusal) -> Self {
        match refusal {
            payments::Refusal::Database(error) => error.into(),
            payments::Refusal::Field(error) => Self::fields(vec![error]),
            payments::Refusal::Cancelled | payments::Refusal::Paid => {
                Self::new(Kind::Conflict, refusal.to_string())
            }
        }
    }
}

impl From<PasswordError> for ApiError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Busy => {
                Self::new(Kind::Unavailable, "too many sign-ins at once; try again in a moment")
            }
            PasswordError::Hashing(_) => Self::internal(&error),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        match self {
            Self::Replay(response) => *response,
            Self::Problem(kind, detail, errors) => {
                let (status, slug, title) = kind.facts();
                let problem = Problem {
                    kind: format!("/problems/{slug}"),
                    title: title.to_owned(),
                    status: status.as_u16(),
                    detail,
                    instance: String::new(),
                    errors,
                    request_id: String::new(),
                };
                // `complete` writes the body when it knows path and request id.
                (status, axum::Extension(problem)).into_response()
            }
        }
    }
}

/// The outermost layer: gives every refusal its problem body, whoever made it, and every answer its request id.
pub async fn complete(request: Request, next: Next) -> Response {
    let instance = request.uri().path().to_owned();
    let request_id = request.headers().get(super::REQUEST_ID).cloned();
    let mut response = next.run(request).await;
    if let Some(id) = &request_id {
        response.headers_mut().insert(super::REQUEST_ID, id.clone());
    }
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let problem = response.extensions_mut().remove::<Problem>();
    if problem.is_none()
        && response.headers().get(header::CONTENT_TYPE).is_some_and(|t| t == "application/problem+json")
    {
        return response;
    }
    let mut problem = problem.unwrap_or_else(|| {
        let kind = Kind::of_status(status);
        let (_, slug, title) = kind.facts();
        Problem {
            kind: format!("/problems/{slug}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: String::new(),
            instance: String::new(),
            errors: Vec::new(),
            request_id: String::new(),
        }
    });
    problem.instance = instance;
    problem.request_id =
        request_id.and_then(|id| id.to_str().ok().map(ToOwned::to_owned)).unwrap_or_default();
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
        parts.headers.entry(header::RETRY_AFTER).or_insert(HeaderValue::from_static("1"));
    }
    if status == StatusCode::UNAUTHORIZED {
        parts.headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    Response::from_parts(parts, Body::from(serde_json::to_vec(&problem).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_problem_is_documented() {
        let page = include_str!("../../../docs/API.md");
        for kind in Kind::ALL {
            let (status, slug, _) = kind.facts();
            assert!(
                page.contains(&format!("| /problems/{slug} | {} |", status.as_u16())),
                "{slug} is not in docs/API.md"
            );
        }
    }
}
