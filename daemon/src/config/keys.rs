//! The table of keys.

use std::net::SocketAddr;

use figment::value::Value;
use lettre::message::Mailbox;

/// One key of the configuration.
pub(super) struct Key {
    /// `section.key`.
    pub path: &'static str,
    /// What its value may be.
    pub kind: Kind,
    /// The default as text; `None` where there is none or where it depends on `data.dir`.
    pub default: Option<&'static str>,
    /// Whether its value may be printed.
    pub privacy: Privacy,
}

/// What a value may be.
pub(super) enum Kind {
    /// Text for which the function holds, and that rule in words.
    Text(fn(&str) -> bool, &'static str),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number, both ends included.
    Number(u64, u64),
    /// True or false.
    Flag,
}

/// Whether a value may be printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Privacy {
    /// As it is.
    Open,
    /// With the password in it masked.
    MaskedUrl,
    /// Never.
    Secret,
}

use Kind::{Flag, Number, Text, Word};
use Privacy::{MaskedUrl, Open, Secret};

const PATH: Kind = Text(is_filled, "a path");
const DAYS: Kind = Number(1, 36_500);
const SECONDS: Kind = Number(1, 3_600);

/// Every key except `[[schedules]]` and `[reconcile.authority.*]`, in the order of `config/astrops.toml`.
pub(super) const KEYS: &[Key] = &[
    key("server.bind", Text(is_socket, "an address and a port, such as 127.0.0.1:7700"), "127.0.0.1:7700"),
    key("server.behind_proxy", Flag, "false"),
    optional("data.dir", PATH, Open),
    optional(
        "database.url",
        Text(is_database, "sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME"),
        MaskedUrl,
    ),
    optional("documents.url", Text(is_documents, "sqlite:PATH or mongodb://HOST/NAME"), MaskedUrl),
    key("documents.follow", Flag, "true"),
    key("mail.transport", Word(&["file", "smtp"]), "file"),
    optional("mail.dir", PATH, Open),
    key(
        "mail.from",
        Text(is_mailbox, "an address such as AstroBookings <noreply@astrobookings.example>"),
        "AstroBookings <noreply@astrobookings.example>",
    ),
    optional("mail.smtp.host", Text(is_host, "a host name or an address, without a port"), Open),
    key("mail.smtp.port", Number(1, 65_535), "587"),
    key("mail.smtp.tls", Word(&["starttls", "implicit", "none"]), "starttls"),
    optional("mail.smtp.username", Text(is_line, "one line of text"), Open),
    optional("mail.smtp.password", Text(is_line, "one line of text"), Secret),
    key("mail.smtp.allow_plain_text", Flag, "false"),
    optional("mail.smtp.ca_file", PATH, Open),
    key("mail.smtp.timeouts.connect_seconds", SECONDS, "10"),
    key("mail.smtp.timeouts.command_seconds", SECONDS, "30"),
    key("mail.smtp.timeouts.data_seconds", SECONDS, "120"),
    key("mail.smtp.timeouts.final_seconds", SECONDS, "600"),
    key("jobs.workers", Number(1, 1_024), "16"),
    key("jobs.max_attempts", Number(1, 100), "5"),
    key("jobs.completed_retention_days", DAYS, "14"),
    key("jobs.failed_retention_days", DAYS, "90"),
    key("logs.retention_days", DAYS, "30"),
    optional("logs.file", PATH, Open),
    key("logs.keep_files", Number(1, 1_000), "14"),
    key("auth.rate_limit", Word(&["on", "off"]), "on"),
    key("auth.token_seconds", Number(60, 86_400), "3600"),
    optional("auth.key", Text(is_key, "64 hexadecimal digits"), Secret),
    key("payments.provider", Word(&["sandbox", "stripe"]), "sandbox"),
    key("payments.currency", Text(is_currency, "a currency with two decimals, such as usd or eur"), "usd"),
    key("payments.stripe.api_base", Text(is_base, "https://HOST, without a path"), "https://api.stripe.com"),
    optional("payments.stripe.secret_key", Text(is_token, "letters, digits and underscores"), Secret),
    optional("payments.stripe.return_url", Text(is_page, "https://HOST/PATH"), Open),
    optional("payments.stripe.webhook_secret", Text(is_token, "letters, digits and underscores"), Secret),
    key("reconcile.grace_minutes", Number(0, 43_200), "10"),
    key("reconcile.settle_seconds", Number(0, 300), "5"),
    key("reconcile.max_delete_percent", Number(0, 100), "1"),
    key("reconcile.max_change_percent", Number(0, 100), "5"),
    key("reconcile.brake_floor", Number(0, 1_000_000), "20"),
];

const fn key(path: &'static str, kind: Kind, default: &'static str) -> Key {
    Key { path, kind, default: Some(default), privacy: Open }
}

const fn optional(path: &'static str, kind: Kind, privacy: Privacy) -> Key {
    Key { path, kind, default: None, privacy }
}

impl Key {
    /// The key with this path.
    pub fn find(path: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.path == path)
    }

    /// What is allowed, in words.
    pub fn allowed(&self) -> String {
        match self.kind {
            Text(_, words) => words.to_owned(),
            Word(words) => words.join(", "),
            Number(low, high) => format!("a whole number from {low} to {high}"),
            Flag => "true, false".to_owned(),
        }
    }

    /// The value that `text` stands for where everything is text: environment, credentials, defaults. Text that
    /// is no number stays text, so that [`Key::judge`] refuses it with its source.
    pub fn read(&self, text: &str) -> Value {
        match self.kind {
            Number(..) => text.parse::<i64>().map_or_else(|_| text.into(), Value::from),
            Flag => text.parse::<bool>().map_or_else(|_| text.into(), Value::from),
            Text(..) | Word(_) => text.into(),
        }
    }

    /// What is wrong with `value`, if anything. Never says a secret.
    pub fn judge(&self, value: &Value) -> Option<String> {
        let right = match self.kind {
            Text(holds, _) => value.as_str().is_some_and(holds),
            Word(words) => value.as_str().is_some_and(|word| words.contains(&word)),
            Number(low, high) => {
                value.to_i128().is_some_and(|n| i128::from(low) <= n && n <= i128::from(high))
            }
            Flag => value.to_bool().is_some(),
        };
        if right {
            return None;
        }
        Some(match (self.privacy, value) {
            (_, Value::String(_, text)) if text.is_empty() => format!("{} is empty", self.path),
            (Open, value) => format!("{} is {}", self.path, in_short(value)),
            _ => format!("{} has a wrong value", self.path),
        })
    }
}

/// A value as TOML would write it, cut to one short line.
pub(super) fn in_short(value: &Value) -> String {
    let text = match value {
        Value::String(_, text) => format!("{text:?}"),
        Value::Char(_, c) => format!("{:?}", c.to_string()),
        Value::Bool(_, flag) => flag.to_string(),
        Value::Num(..) => match (value.to_i128(), value.to_u128(), value.to_f64()) {
            (Some(number), ..) => number.to_string(),
            (_, Some(number), _) => number.to_string(),
            (.., Some(number)) => number.to_string(),
            _ => "a number".to_owned(),
        },
        Value::Dict(..) => "a table".to_owned(),
        Value::Array(..) => "a list".to_owned(),
        Value::Empty(..) => "empty".to_owned(),
    };
    if text.chars().count() <= 80 { text } else { text.chars().take(79).chain(['…']).collect() }
}

fn is_filled(text: &str) -> bool {
    !text.trim().is_empty() && !text.contains('\0')
}

fn is_line(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(char::is_control)
}

fn is_socket(text: &str) -> bool {
    text.parse::<SocketAddr>().is_ok()
}

fn is_mailbox(text: &str) -> bool {
    is_line(text) && text.parse::<Mailbox>().is_ok_and(|from| from.email.to_string().len() <= 254)
}

fn is_host(text: &str) -> bool {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let name = |text: &str| {
        text.len() <= 253
            && !text.is_empty()
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b))
    };
    bare.parse::<std::net::Ipv6Addr>().is_ok() || name(text)
}

fn is_key(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Three lower-case letters of a currency whose minor unit is a hundredth, as our amounts are: 100 "minor units" of a
/// currency without decimals would be a hundred times the price.
fn is_currency(text: &str) -> bool {
    const NOT_HUNDREDTHS: &[&str] = &[
        "bif", "clp", "djf", "gnf", "isk", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv",
        "xaf", "xof", "xpf", "bhd", "iqd", "jod", "kwd", "lyd", "omr", "tnd",
    ];
    text.len() == 3 && text.bytes().all(|b| b.is_ascii_lowercase()) && !NOT_HUNDREDTHS.contains(&text)
}

fn is_base(text: &str) -> bool {
    ["https://", "http://"].iter().any(|scheme| {
        text.strip_prefix(scheme).is_some_and(|rest| {
            let authority = rest.strip_suffix('/').unwrap_or(rest);
            !authority.is_empty() && !authority.contains(['/', '?', '#', '@', '\\']) && is_visible(authority)
        })
    })
}

fn is_page(text: &str) -> bool {
    text.strip_prefix("https://")
        .is_some_and(|rest| !rest.is_empty() && text.len() <= 500 && is_visible(rest))
}

fn is_token(text: &str) -> bool {
    (1..=500).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn is_visible(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_graphic())
}

fn is_database(text: &str) -> bool {
    is_line(text) && starts_with_one_of(text, &["sqlite:", "postgres://", "postgresql://"])
}

fn is_documents(text: &str) -> bool {
    is_line(text) && starts_with_one_of(text, &["sqlite:", "mongodb://", "mongodb+srv://"])
}

/// Whether something follows one of these beginnings.
fn starts_with_one_of(text: &str, beginnings: &[&str]) -> bool {
    beginnings.iter().any(|beginning| text.strip_prefix(beginning).is_some_and(|rest| !rest.is_empty()))
}
