//! The typed client: what the console, the command line and the tests speak to the daemon with.
//!
//! How a call is made is here; the calls are in one file per kind of thing.

mod business;
mod operations;
mod people;
mod reconciliation;

use std::time::Duration;

use reqwest::{Method, RequestBuilder, header};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Problem, Secret,
    jobs::Executed,
    sse::{self, EventStream},
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
