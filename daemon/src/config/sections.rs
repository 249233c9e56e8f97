//! The sections as plain structs. `Debug` prints no secret because secrets are `SecretString`.

use std::{net::SocketAddr, path::PathBuf};

use astrops_api::vocabulary::Provider;
use lettre::message::Mailbox;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de::Error as _};

use super::{reconcile::ReconcileConfig, schedules::ScheduleConfig};

/// Every effective value.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the API listens.
    pub server: ServerConfig,
    /// Where files are kept.
    pub data: DataConfig,
    /// The admin relational database.
    pub database: DatabaseConfig,
    /// The customer document database.
    pub documents: DocumentsConfig,
    /// How mail leaves.
    pub mail: MailConfig,
    /// How jobs run and how long they are kept.
    pub jobs: JobsConfig,
    /// System logs and the diagnostic log.
    pub logs: LogsConfig,
    /// Tokens and limits.
    pub auth: AuthConfig,
    /// Who moves the money.
    pub payments: PaymentsConfig,
    /// How both databases are made to agree.
    pub reconcile: ReconcileConfig,
    /// What seeds the schedules: the built-in ones and those of the file, by name.
    #[serde(default)]
    pub schedules: Vec<ScheduleConfig>,
}

/// `[server]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// The address to listen on; port 0 takes a free one.
    pub bind: SocketAddr,
    /// A proxy with TLS stands in front: any address is allowed, the rightmost `X-Forwarded-For` is the caller.
    pub behind_proxy: bool,
}

/// `[data]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// The folder of everything that is kept.
    pub dir: PathBuf,
}

/// `[database]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseConfig {
    /// `sqlite:<path>` or `postgres://...`; may hold a password.
    pub url: SecretString,
}

/// `[documents]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentsConfig {
    /// `sqlite:<path>` or `mongodb://...`; may hold a password.
    pub url: SecretString,
    /// What our own API changes is reconciled at once.
    pub follow: bool,
}

/// `[mail]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailConfig {
    /// Whether mails become files or go to a server.
    pub transport: MailTransport,
    /// The folder of the file transport.
    pub dir: PathBuf,
    /// The sender of every mail; its domain ends every Message-ID.
    #[serde(deserialize_with = "mailbox")]
    pub from: Mailbox,
    /// The server of the SMTP transport.
    pub smtp: SmtpConfig,
}

/// How mail leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTransport {
    /// One `.eml` file per mail.
    File,
    /// An SMTP server.
    Smtp,
}

/// `[mail.smtp]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmtpConfig {
    /// The server's name or address; there when the transport is `smtp`.
    pub host: Option<String>,
    /// 587 for submission, 465 with implicit TLS.
    pub port: u16,
    /// How the connection is protected.
    pub tls: TlsMode,
    /// Who signs in; there exactly when the password is.
    pub username: Option<String>,
    /// The password of `username`.
    pub password: Option<SecretString>,
    /// Lets `tls = "none"` reach a host that is not loopback.
    pub allow_plain_text: bool,
    /// PEM certificates to trust besides the built-in roots.
    pub ca_file: Option<PathBuf>,
    /// The time limit of each phase.
    pub timeouts: SmtpTimeouts,
}

/// How the connection to the mail server is protected. There is no opportunistic mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsMode {
    /// Plain at first, then STARTTLS or nothing is sent.
    StartTls,
    /// TLS from the first byte.
    Implicit,
    /// None.
    None,
}

/// `[mail.smtp.timeouts]`: RFC 5321 section 4.5.3.2 asks for patience at the end, less before.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmtpTimeouts {
    /// TCP connect and name look-up.
    pub connect_seconds: u64,
    /// Greeting, TLS, EHLO, AUTH, MAIL, RCPT: each.
    pub command_seconds: u64,
    /// DATA until its 354.
    pub data_seconds: u64,
    /// Content and final dot until the verdict.
    pub final_seconds: u64,
}

/// `[jobs]`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobsConfig {
    /// How many jobs run at once on this node.
    pub workers: usize,
    /// Attempts of a job that does not say its own number.
    pub max_attempts: u32,
    /// Completed jobs are deleted after so many days.
    pub completed_retention_days: u32,
    /// Failed and cancelled jobs are deleted after so many days.
    pub failed_retention_days: u32,
}

/// `[logs]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogsConfig {
    /// System logs are deleted after so many days.
    pub retention_days: u32,
    /// The JSON diagnostic log, rotated daily; stderr only when absent.
    pub file: Option<PathBuf>,
    /// How many rotated diagnostic files are kept.
    pub keep_files: usize,
}

/// `[auth]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthConfig {
    /// Whether callers are rate limited.
    pub rate_limit: Switch,
    /// How long an access token lives.
    pub token_seconds: u64,
    /// The key that signs tokens, 64 hexadecimal digits; made at first start when absent.
    pub key: Option<SecretString>,
}

/// `[payments]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaymentsConfig {
    /// Who moves the money.
    pub provider: Provider,
    /// ISO 4217 in lower case; its minor unit is a hundredth.
    pub currency: String,
    /// Where and as whom Stripe is asked.
    pub stripe: StripeConfig,
}

/// `[payments.stripe]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StripeConfig {
    /// The API's address, without a path.
    pub api_base: String,
    /// The API key; there when the provider is `stripe`.
    pub secret_key: Option<SecretString>,
    /// Where Stripe sends a customer who has confirmed (3-D Secure).
    pub return_url: Option<String>,
    /// Signs what Stripe tells us; there when the provider is `stripe`.
    pub webhook_secret: Option<SecretString>,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// It is done.
    On,
    /// It is not done.
    Off,
}

impl Switch {
    /// Whether it is done.
    pub fn is_on(self) -> bool {
        self == Self::On
    }
}

fn mailbox<'de, D: Deserializer<'de>>(from: D) -> Result<Mailbox, D::Error> {
    String::deserialize(from)?.parse().map_err(D::Error::custom)
}
