//! Sends one mail over one connection, phase by phase. Never a pool.
//!
//! Rules, each of which stands for a failure that was reproduced (lettre 0.11.23):
//! - every phase has its own time limit, and a connection that ran into one is dropped, never used again;
//! - sent is only a 2yz after the final dot; lettre's own `is_positive()` takes 3yz, too;
//! - 4yz and 5yz mean not sent wherever they stand. 5yz is for good when it is about this mail (MAIL, RCPT, DATA,
//!   after the dot); about the session (greeting, EHLO, TLS, sign-in) it is the relay's trouble, which passes, and
//!   the mail is tried again, as Postfix does;
//! - silence, loss and nonsense once the dot was given to the socket mean unknown.

use std::{fs, path::Path, sync::Arc, time::Duration};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use lettre::{
    Message,
    transport::smtp::{
        authentication::{Credentials, Mechanism},
        client::AsyncSmtpConnection,
        commands::{Auth, Data, Ehlo, Mail as MailFrom, Quit, Rcpt, Starttls},
        extension::{ClientId, Extension, MailBodyParameter, MailParameter, ServerInfo},
        response::{Response, Severity},
    },
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use secrecy::ExposeSecret;
use tokio::{net::TcpStream, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{Delivered, Mail, Stages, address::tame, wire::Wire};
use crate::config::{SmtpConfig, SmtpTimeouts, TlsMode};

/// How long GET /status waits for the relay.
const CHECK_LIMIT: Duration = Duration::from_secs(3);

/// How long a relay that has taken the mail may think about QUIT.
const FAREWELL_LIMIT: Duration = Duration::from_secs(1);

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

/// Why a mail was not sent.
struct Failure {
    error: String,
    permanent: bool,
}

impl From<Failure> for Delivered {
    fn from(failure: Failure) -> Self {
        Self::NotSent { error: failure.error, permanent: failure.permanent }
    }
}

impl Failure {
    fn passing(error: impl Into<String>) -> Self {
        Self { error: error.into(), permanent: false }
    }

    /// Of a command about this mail.
    fn of_mail(phase: &str, error: &lettre::transport::smtp::Error) -> Self {
        Self { error: told(phase, error), permanent: error.is_permanent() }
    }
}

/// A connection on which the server waits for commands.
struct Session {
    connection: AsyncSmtpConnection,
    wire: Wire,
    server: ServerInfo,
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
        let session = unless(cancel, async {
            let mut session = self.open().await?;
            session.sign_in(self.credentials.as_ref(), self.limits.command).await?;
            session.offer(message, &self.limits).await?;
            Ok(session)
        })
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
            Err(error) => Err(Failure::passing(format!("connection lost before the content: {error}"))),
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
        match timeout(CHECK_LIMIT, visit).await {
            Ok(Ok(_)) => Ok(format!("{server} answers")),
            Ok(Err(failure)) => Err(format!("{server}: {}", failure.error)),
            Err(_) => Err(format!("{server}: no answer within {CHECK_LIMIT:?}")),
        }
    }
}

impl Session {
    /// A command about the session, which wants a 2yz: its refusal says nothing about the mail.
    async fn command(
        &mut self,
        phase: &str,
        command: impl std::fmt::Display,
        limit: Duration,
    ) -> Result<Response, Failure> {
        let reply = within(limit, phase, self.connection.command(command)).await?;
        let reply = reply.map_err(|error| Failure::passing(told(phase, &error)))?;
        expect(phase, reply, |reply| is_completion(reply))
    }

    async fn sign_in(&mut self, credentials: Option<&Credentials>, limit: Duration) -> Result<(), Failure> {
        let Some(credentials) = credentials else { return Ok(()) };
        let phase = "AUTH";
        let Some(mechanism) = self.server.get_auth_mechanism(&[Mechanism::Plain, Mechanism::Login]) else {
            return Err(Failure::passing("the server offers neither AUTH PLAIN nor AUTH LOGIN"));
        };
        let of_session = |error| Failure::passing(told(phase, &error));
        let mut command = Auth::new(mechanism, credentials.clone(), None).map_err(of_session)?;
        // LOGIN asks twice, PLAIN at most once.
        for _ in 0..3 {
            let reply = within(limit, phase, self.connection.command(command)).await?.map_err(of_session)?;
            if !reply.has_code(334) {
                return expect(phase, reply, |reply| is_completion(reply)).map(|_| ());
            }
            command = Auth::new_from_response(mechanism, credentials.clone(), &reply).map_err(of_session)?;
        }
        Err(Failure::passing("AUTH: the server asks without end"))
    }

    /// MAIL, RCPT, DATA.
    async fn offer(&mut self, message: &Message, limits: &TimeLimits) -> Result<(), Failure> {
        let envelope = message.envelope();
        let addresses = envelope.from().into_iter().chain(envelope.to());
        let mut parameters = Vec::new();
        if !addresses.map(AsRef::<str>::as_ref).all(str::is_ascii) {
            if !self.server.supports_feature(Extension::SmtpUtfEight) {
                let error = "the address has letters beyond ASCII and the server has no SMTPUTF8".to_owned();
                return Err(Failure { error, permanent: true });
            }
            // The To header holds the address as it is.
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
            parameters.push(MailParameter::SmtpUtfEight);
        }
        let from = MailFrom::new(envelope.from().cloned(), parameters);
        self.ask("MAIL", from, limits.command, is_completion).await?;
        for to in envelope.to() {
            self.ask("RCPT", Rcpt::new(to.clone(), Vec::new()), limits.command, is_completion).await?;
        }
        self.ask("DATA", Data, limits.data, |reply| reply.has_code(354)).await
    }

    /// A command about this mail.
    async fn ask(
        &mut self,
        phase: &str,
        command: impl std::fmt::Display,
        limit: Duration,
        is_right: impl Fn(&Response) -> bool,
    ) -> Result<(), Failure> {
        let reply = within(limit, phase, self.connection.command(command)).await?;
        let reply = reply.map_err(|error| Failure::of_mail(phase, &error))?;
        expect(phase, reply, is_right).map(|_| ())
    }

    /// Content and final dot. From here on nothing is cancelled.
    async fn finish(mut self, content: &[u8], limits: &TimeLimits) -> Delivered {
        let (phase, limit) = ("final dot", limits.verdict);
        let error = match timeout(limit, self.connection.message(content)).await {
            Ok(Ok(reply)) if is_completion(&reply) => {
                return self.part(&reply, limits.command.min(FAREWELL_LIMIT)).await;
            }
            Ok(Ok(reply)) => format!("{phase}: unexpected {}", said(&reply)),
            Ok(Err(error)) if error.status().is_some() => return Failure::of_mail(phase, &error).into(),
            Ok(Err(error)) => told(phase, &error),
            Err(_) => format!("{phase}: no verdict within {limit:?}"),
        };
        if self.wire.dot_was_offered() { Delivered::Unknown { error } } else { Delivered::not_sent(error) }
    }

    /// Says goodbye to a server that has taken the mail. A refusal in answer to QUIT is the true verdict of a server
    /// whose replies are one too many, so that nobody knows what became of the mail. Silence changes nothing.
    async fn part(mut self, verdict: &Response, limit: Duration) -> Delivered {
        let response = said(verdict);
        match timeout(limit, self.connection.command(Quit)).await {
            Ok(Err(error)) if error.status().is_some() => {
                let later = told("QUIT", &error);
                Delivered::Unknown { error: format!("the server said {response:?} and then {later:?}") }
            }
            _ => Delivered::Sent { response },
        }
    }
}

/// Runs `work` until it is done or cancelled; dropping it drops the connection.
async fn unless<T>(
    cancel: &CancellationToken,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(cancelled()),
        done = work => done,
    }
}

fn cancelled() -> Failure {
    Failure::passing("cancelled before anything was sent")
}

/// Waits for a reply no longer than `limit`. The caller drops the connection on any failure.
async fn within<T>(limit: Duration, phase: &str, work: impl Future<Output = T>) -> Result<T, Failure> {
    timeout(limit, work).await.map_err(|_| Failure::passing(format!("{phase}: no answer within {limit:?}")))
}

fn expect(phase: &str, reply: Response, is_right: impl Fn(&Response) -> bool) -> Result<Response, Failure> {
    if is_right(&reply) {
        Ok(reply)
    } else {
        Err(Failure::passing(format!("{phase}: unexpected {}", said(&reply))))
    }
}

fn is_completion(reply: &Response) -> bool {
    reply.code().severity == Severity::PositiveCompletion
}

/// A reply in one tame line.
fn said(reply: &Response) -> String {
    let text = reply.message().collect::<Vec<_>>().join(" ");
    tame(&format!("{} {text}", reply.code()))
}

/// An error in one tame line: the server's own words when it has said some.
fn told(phase: &str, error: &lettre::transport::smtp::Error) -> String {
    let source = std::error::Error::source(error).map(ToString::to_string);
    tame(&match (error.status(), source) {
        (Some(code), Some(text)) => format!("{phase}: {code} {text}"),
        (Some(code), None) => format!("{phase}: {code}"),
        (None, Some(source)) => format!("{phase}: {source}"),
        (None, None) => format!("{phase}: {error}"),
    })
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

#[cfg(test)]
#[path = "smtp_tests.rs"]
mod tests;
