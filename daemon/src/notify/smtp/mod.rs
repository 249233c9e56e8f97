//! Sends one mail over one connection, phase by phase. Never a pool.
//!
//! Rules, each of which stands for a failure that was reproduced (lettre 0.11.23):
//! - every phase has its own time limit, and a connection that ran into one is dropped, never used again;
//! - sent is only a 2yz after the final dot; lettre's own `is_positive()` takes 3yz, too;
//! - 4yz and 5yz mean not sent wherever they stand. 5yz is for good when it is about this mail (MAIL, RCPT, DATA,
//!   after the dot); about the session (greeting, EHLO, TLS, sign-in) it is the relay's trouble, which passes, and
//!   the mail is tried again, as Postfix does;
//! - silence, loss and nonsense once the dot was given to the socket mean unknown.

mod failure;
mod session;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tls_tests;
#[cfg(test)]
mod villain;
mod wire;

use std::{fs, path::Path, sync::Arc, time::Duration};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use lettre::{
    Message,
    transport::smtp::{
        authentication::Credentials,
        client::AsyncSmtpConnection,
        commands::{Ehlo, Quit, Starttls},
        extension::{ClientId, Extension, ServerInfo},
    },
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use secrecy::ExposeSecret;
use tokio::{net::TcpStream, time::timeout};
use tokio_util::sync::CancellationToken;

use self::{
    failure::{Failure, cancelled, told, unless, within},
    session::Session,
    wire::Wire,
};
use super::{Delivered, Mail, Stages, address::tame};
use crate::config::{SmtpConfig, SmtpTimeouts, TlsMode};

/// How long GET /status waits for the relay.
const CHECK_LIMIT: Duration = Duration::from_secs(3);

/// The time limit of each phase.
#[derive(Clone, Copy, Debug)]
pub struct TimeLimits {
    /// Name look-up and TCP connect.
    pub connect: Duration,
    /// TLS handshake, greeting with EHLO, STARTTLS, AUTH, MAIL, RCPT: each.
    pub command: Duration,
    /// DATA until its 354.
    pub data: Duration,
    /// Content and final dot until the verdict.
    pub verdict: Duration,
}

impl From<SmtpTimeouts> for TimeLimits {
    fn from(timeouts: SmtpTimeouts) -> Self {
        Self {
            connect: Duration::from_secs(timeouts.connect_seconds),
            command: Duration::from_secs(timeouts.command_seconds),
            data: Duration::from_secs(timeouts.data_seconds),
            verdict: Duration::from_secs(timeouts.final_seconds),
        }
    }
}

/// A mail server and how to talk to it. No `Debug`: it holds the password.
#[derive(Clone)]
pub struct SmtpTransport {
    host: String,
    port: u16,
    tls: TlsMode,
    trust: Arc<ClientConfig>,
    name: Option<ServerName<'static>>,
    credentials: Option<Credentials>,
    limits: TimeLimits,
    hello: ClientId,
}

impl SmtpTransport {
    /// Reads `ca_file`; connects to nothing. The configuration has judged everything else already.
    pub fn new(config: &SmtpConfig) -> anyhow::Result<Self> {
        let host = config.host.clone().context("host is missing")?;
        // `[::1]` is how people write it; the resolver and the certificate want it bare.
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&host).to_owned();
        let name = match config.tls {
            TlsMode::None => None,
            TlsMode::StartTls | TlsMode::Implicit => {
                let name = ServerName::try_from(host.clone());
                Some(name.with_context(|| format!("host {host:?} cannot be in a certificate"))?)
            }
        };
        let credentials = match (&config.username, &config.password) {
            (Some(username), Some(password)) => {
                Some(Credentials::new(username.clone(), password.expose_secret().to_owned()))
            }
            _ => None,
        };
        Ok(Self {
            host,
            port: config.port,
            tls: config.tls,
            trust: Arc::new(trust(config.ca_file.as_deref())?),
            name,
            credentials,
            limits: config.timeouts.into(),
            hello: ClientId::default(),
        })
    }

    /// The same server with other time limits, for tests.
    #[must_use]
    pub fn with_limits(self, limits: TimeLimits) -> Self {
        Self { limits, ..self }
    }

    pub(super) async fn deliver(
        &self,
        mail: &Mail,
        now: DateTime<Utc>,
        stages: &dyn Stages,
        cancel: &CancellationToken,
    ) -> Delivered {
        let message = match mail.message(now) {
            Ok(message) => message,
            Err(error) => return Delivered::refused(error),
        };
        match self.reach_the_dot(&message, stages, cancel).await {
            Ok(session) => session.finish(&message.formatted(), &self.limits).await,
            Err(failure) => failure.into(),
        }
    }

    /// Everything before the content. Nothing in here can send a mail.
    async fn reach_the_dot(
        &self,
        message: &Message,
        stages: &dyn Stages,
        cancel: &CancellationToken,
    ) -> Result<Session, Failure> {
        let uncommitted =
            |error: anyhow::Error| Failure::passing(format!("the mark was not committed: {error:#}"));
        stages.dialling().await.map_err(uncommitted)?;
        // The marks are not cancelled half-way: each is committed or not when the caller goes on.
        let session = unless(
            cancel,
            Box::pin(async {
                let mut session = self.open().await?;
                session.sign_in(self.credentials.as_ref(), self.limits.command).await?;
                session.offer(message, &self.limits).await?;
                Ok(session)
            }),
        )
        .await?;
        if cancel.is_cancelled() {
            return Err(cancelled());
        }
        stages.at_the_dot().await.map_err(uncommitted)?;
        match session.wire.is_quiet().await {
            Ok(true) => Ok(session),
            Ok(false) => {
                Err(Failure::passing("the server spoke before it had the mail: replies are out of step"))
            }
            Err(error) => Err(Failure::passing(format!("DATA: {error}"))),
        }
    }

    /// Connects, greets, protects.
    async fn open(&self) -> Result<Session, Failure> {
        let phase = "connect";
        let socket = within(self.limits.connect, phase, TcpStream::connect((self.host.as_str(), self.port)))
            .await?
            .and_then(Wire::new);
        let wire = socket.map_err(|error| Failure::passing(format!("{phase}: {error}")))?;
        if self.tls == TlsMode::Implicit {
            self.secure(&wire).await?;
        }
        let hello = AsyncSmtpConnection::connect_with_transport(Box::new(wire.clone()), &self.hello);
        let connection = within(self.limits.command, "greeting", hello)
            .await?
            .map_err(|error| Failure::passing(told("greeting", &error)))?;
        let server = connection.server_info().clone();
        let mut session = Session { connection, wire, server };
        if self.tls == TlsMode::StartTls {
            if !session.server.supports_feature(Extension::StartTls) {
                return Err(Failure::passing(
                    "the server offers no STARTTLS, and nothing is sent in plain text",
                ));
            }
            session.command("STARTTLS", Starttls, self.limits.command).await?;
            self.secure(&session.wire).await?;
            let reply = session.command("EHLO", Ehlo::new(self.hello.clone()), self.limits.command).await?;
            // What the server said in plain text may have been said by somebody else (RFC 3207 section 4.2).
            session.server =
                ServerInfo::from_response(&reply).map_err(|error| Failure::passing(told("EHLO", &error)))?;
        }
        Ok(session)
    }

    async fn secure(&self, wire: &Wire) -> Result<(), Failure> {
        let Some(name) = self.name.clone() else { return Err(Failure::passing("TLS: no server name")) };
        within(self.limits.command, "TLS", wire.secure(Arc::clone(&self.trust), name))
            .await?
            .map_err(|error| Failure::passing(format!("TLS: {}", tame(&error.to_string()))))
    }

    /// Connects, greets and says goodbye, within three seconds.
    pub(super) async fn check(&self) -> Result<String, String> {
        let server = format!("{}:{}", self.host, self.port);
        let visit = async {
            let mut session = self.open().await?;
            session.command("QUIT", Quit, self.limits.command).await
        };
        match timeout(CHECK_LIMIT, Box::pin(visit)).await {
            Ok(Ok(_)) => Ok(format!("{server} answers")),
            Ok(Err(failure)) => Err(format!("{server}: {}", failure.error)),
            Err(_) => Err(format!("{server}: no answer within {CHECK_LIMIT:?}")),
        }
    }
}

/// The roots that certificates are checked against: the built-in ones and those of `ca_file`.
fn trust(ca_file: Option<&Path>) -> anyhow::Result<ClientConfig> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(file) = ca_file {
        let of_file = || format!("ca_file {}", file.display());
        let pem = fs::read(file).with_context(of_file)?;
        let before = roots.len();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            roots.add(certificate.with_context(of_file)?).with_context(of_file)?;
        }
        anyhow::ensure!(roots.len() > before, "{} holds no certificate", of_file());
    }
    // Named here and not taken from the process, so that a library user need not install a provider.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
