//! The three ways out, and what became of a mail.

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::{FileTransport, Mail, MemoryTransport, SmtpTransport};
use crate::config::{MailConfig, MailTransport};

/// What became of a mail in one attempt. Texts of servers in here are tamed: one line without control characters,
/// at most about 500 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// The server has taken it, or the file is there.
    Sent {
        /// What the server said.
        response: String,
    },
    /// It certainly did not leave.
    NotSent {
        /// Why.
        error: String,
        /// Another attempt would end the same: the server refused this mail for good, or the mail is wrong.
        permanent: bool,
    },
    /// Contact was lost when the server may have had all of it.
    Unknown {
        /// What happened.
        error: String,
    },
}

/// Durable marks that the caller commits while a mail is delivered, so that a crash tells where it struck. An error
/// stops the delivery: it ends as not sent, and nothing was sent.
pub trait Stages: Send + Sync {
    /// Before connecting. A crash after this mark and before the next one sent nothing.
    fn dialling(&self) -> BoxFuture<'_, anyhow::Result<()>>;

    /// When the server waits for the content, before its first byte. A crash after this mark leaves it unknown
    /// whether the mail was sent.
    fn at_the_dot(&self) -> BoxFuture<'_, anyhow::Result<()>>;
}

/// How mail leaves.
#[derive(Clone)]
pub enum Transport {
    /// One `.eml` file per mail, exactly once.
    File(FileTransport),
    /// An SMTP server.
    Smtp(SmtpTransport),
    /// Kept in memory, for tests.
    Memory(MemoryTransport),
}

impl Transport {
    /// The configured one. Reads the certificates of `mail.smtp.ca_file`; connects to nothing.
    pub fn new(config: &MailConfig) -> anyhow::Result<Self> {
        Ok(match config.transport {
            MailTransport::File => Self::File(FileTransport::new(config.dir.clone())),
            MailTransport::Smtp => Self::Smtp(SmtpTransport::new(&config.smtp).context("mail.smtp")?),
        })
    }

    /// Delivers `mail`, dated `now`. `cancel` is honoured until the final dot may have been written and ends as not
    /// sent; it never tears a mail in two. The file transport makes no marks: its second attempt finds the file.
    pub async fn deliver(
        &self,
        mail: &Mail,
        now: DateTime<Utc>,
        stages: &dyn Stages,
        cancel: &CancellationToken,
    ) -> Delivered {
        if cancel.is_cancelled() {
            return Delivered::not_sent("cancelled before anything was sent");
        }
        match self {
            Self::File(file) => file.deliver(mail, now).await,
            Self::Smtp(smtp) => Box::pin(smtp.deliver(mail, now, stages, cancel)).await,
            Self::Memory(memory) => memory.deliver(mail, now, stages).await,
        }
    }

    /// A quick look whether mail can leave, for GET /status: one line, good or bad.
    pub async fn check(&self) -> Result<String, String> {
        match self {
            Self::File(file) => file.check().await,
            Self::Smtp(smtp) => Box::pin(smtp.check()).await,
            Self::Memory(_) => Ok("kept in memory".to_owned()),
        }
    }
}

impl Delivered {
    /// Not sent; another attempt may do better.
    pub(super) fn not_sent(error: impl Into<String>) -> Self {
        Self::NotSent { error: error.into(), permanent: false }
    }

    /// Not sent; no attempt will do better.
    pub(super) fn refused(error: impl Into<String>) -> Self {
        Self::NotSent { error: error.into(), permanent: true }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Writes down the marks; fails at the one named `broken`.
    #[derive(Clone, Default)]
    pub struct Marks {
        pub made: Arc<Mutex<Vec<&'static str>>>,
        pub broken: &'static str,
    }

    impl Marks {
        fn mark(&self, stage: &'static str) -> BoxFuture<'_, anyhow::Result<()>> {
            Box::pin(async move {
                anyhow::ensure!(self.broken != stage, "the database is away");
                self.made.lock().unwrap().push(stage);
                Ok(())
            })
        }
    }

    impl Stages for Marks {
        fn dialling(&self) -> BoxFuture<'_, anyhow::Result<()>> {
            self.mark("dialling")
        }

        fn at_the_dot(&self) -> BoxFuture<'_, anyhow::Result<()>> {
            self.mark("at the dot")
        }
    }
}
