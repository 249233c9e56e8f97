//! A unit of work on behalf of a caller: one transaction that cannot be committed without its audit row.

use astrops_api::logs::LogEntry;
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use super::{ApiError, ApiResult, App, Caller, error::Kind, extract::Fingerprint};
use crate::{
    db::Tx,
    store::{
        audit::{self, AuditRow},
        idempotency::{self, Repeated},
        logs,
    },
};

/// What was done, for the audit log.
pub struct Audit<'a> {
    /// `job.retry`, `user.register`, ...
    pub action: &'static str,
    /// The id or filter that it was about.
    pub target: &'a str,
    /// Whatever tells the change; never a secret.
    pub details: Value,
}

/// The open transaction.
pub struct Work {
    /// For the store.
    pub tx: Tx,
    /// The time of the work.
    pub now: DateTime<Utc>,
    app: App,
    caller: Caller,
    /// Why, in the caller's words.
    reason: Option<String>,
    /// Set when the answer is to be remembered.
    fingerprint: Option<(String, Fingerprint)>,
}

impl Work {
    /// Begins a mutation.
    pub async fn begin(app: &App, caller: &Caller) -> ApiResult<Self> {
        let (tx, now) = (app.db.write().await?, app.clock.now());
        Ok(Self { tx, now, app: app.clone(), caller: caller.clone(), reason: None, fingerprint: None })
    }

    /// Begins a creating mutation: a request with an `Idempotency-Key` that was answered before is answered so again
    /// ([`ApiError::Replay`]). A twin that runs at this moment is waited for, since both write the same row.
    pub async fn create(app: &App, caller: &Caller, fingerprint: Fingerprint) -> ApiResult<Self> {
        let mut work = Self::begin(app, caller).await?;
        if fingerprint.key.is_none() {
            return Ok(work);
        }
        let principal = caller.principal.name();
        if let Some(first) =
            idempotency::take(&mut work.tx, &repeated(&principal, &fingerprint), work.now).await?
        {
            if first.body_hash != fingerprint.body_hash {
                return Err(ApiError::new(Kind::KeyReused, "send a new key for a new request"));
            }
            // Begun by an earlier transaction of the same request, which was not answered: it goes on.
            if first.status == 0 {
                work.fingerprint = Some((principal, fingerprint));
                return Ok(work);
            }
            let status =
                u16::try_from(first.status).ok().and_then(|status| StatusCode::from_u16(status).ok());
            let answer = json(status.unwrap_or(StatusCode::OK), first.answer);
            return Err(ApiError::Replay(Box::new(answer)));
        }
        work.fingerprint = Some((principal, fingerprint));
        Ok(work)
    }

    /// Remembers why the caller wants it.
    #[must_use]
    pub fn because(mut self, reason: Option<String>) -> Self {
        self.reason = reason;
        self
    }

    /// Adds a system log entry to the transaction.
    pub async fn log(&mut self, entry: impl Into<LogEntry>) -> ApiResult<()> {
        let mut entry: LogEntry = entry.into();
        if let Value::Object(data) =
            entry.additional_data.get_or_insert_with(|| Value::Object(serde_json::Map::new()))
        {
            data.insert("requestId".to_owned(), self.caller.request_id.clone().into());
        }
        Ok(logs::insert(&mut self.tx, &[entry]).await?)
    }

    /// Writes the audit row, makes everything durable and answers `body`.
    pub async fn answer<T: Serialize>(
        mut self,
        status: StatusCode,
        audit: Audit<'_>,
        body: &T,
    ) -> ApiResult<Response> {
        let text = serde_json::to_string(body).map_err(anyhow::Error::from)?;
        if let Some((principal, fingerprint)) = &self.fingerprint {
            idempotency::answer(&mut self.tx, &repeated(principal, fingerprint), status.as_u16(), &text)
                .await?;
        }
        self.commit(audit).await?;
        Ok(json(status, text))
    }

    /// Writes the audit row and makes everything durable.
    pub async fn commit(mut self, audit: Audit<'_>) -> ApiResult<()> {
        let row = AuditRow {
            id: self.app.clock.new_id(),
            at: self.now,
            actor: &self.caller.principal.name(),
            action: audit.action,
            target: audit.target,
            reason: self.reason.as_deref(),
            details: &audit.details,
            request_id: &self.caller.request_id,
            ip_address: self.caller.ip.as_deref(),
        };
        audit::insert(&mut self.tx, &row).await?;
        Ok(self.tx.commit().await?)
    }
}

fn repeated<'a>(principal: &'a str, fingerprint: &'a Fingerprint) -> Repeated<'a> {
    Repeated {
        principal,
        request: &fingerprint.request,
        key: fingerprint.key.as_deref().unwrap_or_default(),
        body_hash: &fingerprint.body_hash,
    }
}

fn json(status: StatusCode, text: String) -> Response {
    (status, [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], text).into_response()
}
