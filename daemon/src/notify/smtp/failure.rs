//! Why a mail was not sent, in one tame line; and the ways in which waiting for a reply ends.

use std::{error::Error as _, time::Duration};

use lettre::transport::smtp::{
    Error,
    response::{Response, Severity},
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::notify::{Delivered, address::tame};

/// Why a mail was not sent.
pub(super) struct Failure {
    pub error: String,
    /// No attempt will do better.
    pub permanent: bool,
}

impl From<Failure> for Delivered {
    fn from(failure: Failure) -> Self {
        Self::NotSent { error: failure.error, permanent: failure.permanent }
    }
}

impl Failure {
    /// Another attempt may do better.
    pub fn passing(error: impl Into<String>) -> Self {
        Self { error: error.into(), permanent: false }
    }

    /// No attempt will do better.
    pub fn for_good(error: impl Into<String>) -> Self {
        Self { error: error.into(), permanent: true }
    }

    /// Of a command about this mail: 5yz is for good.
    pub fn of_mail(phase: &str, error: &Error) -> Self {
        Self { error: told(phase, error), permanent: error.is_permanent() }
    }
}

/// Runs `work` until it is done or cancelled; dropping it drops the connection.
pub(super) async fn unless<T>(
    cancel: &CancellationToken,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(cancelled()),
        done = work => done,
    }
}

/// Of a mail that an operator stopped in time.
pub(super) fn cancelled() -> Failure {
    Failure::passing("cancelled before anything was sent")
}

/// Waits for a reply no longer than `limit`. The caller drops the connection on any failure.
pub(super) async fn within<T>(
    limit: Duration,
    phase: &str,
    work: impl Future<Output = T>,
) -> Result<T, Failure> {
    timeout(limit, work).await.map_err(|_| Failure::passing(format!("{phase}: no answer within {limit:?}")))
}

/// The reply, when it is the right one.
pub(super) fn expect(
    phase: &str,
    reply: Response,
    is_right: impl Fn(&Response) -> bool,
) -> Result<Response, Failure> {
    if is_right(&reply) {
        Ok(reply)
    } else {
        Err(Failure::passing(format!("{phase}: unexpected {}", said(&reply))))
    }
}

/// 2yz; lettre's `is_positive()` takes 3yz, too.
pub(super) fn is_completion(reply: &Response) -> bool {
    reply.code().severity == Severity::PositiveCompletion
}

/// A reply in one tame line.
pub(super) fn said(reply: &Response) -> String {
    let text = reply.message().collect::<Vec<_>>().join(" ");
    tame(&format!("{} {text}", reply.code()))
}

/// An error in one tame line: the server's own words when it has said some.
pub(super) fn told(phase: &str, error: &Error) -> String {
    let source = error.source().map(ToString::to_string);
    tame(&match (error.status(), source) {
        (Some(code), Some(text)) => format!("{phase}: {code} {text}"),
        (Some(code), None) => format!("{phase}: {code}"),
        (None, Some(source)) => format!("{phase}: {source}"),
        (None, None) => format!("{phase}: {error}"),
    })
}
