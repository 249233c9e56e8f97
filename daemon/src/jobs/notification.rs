//! NOTIFICATION: one mail to one recipient.

use astrops_api::{
    jobs::{NewMail, Notification},
    notifications::NewNotification,
    problem::FieldError,
    vocabulary::{Delivery, NotificationType, Severity},
};
use futures::{FutureExt as _, future::BoxFuture};
use lettre::message::Mailbox;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Payload;
use crate::{
    clock::Clock,
    notify::{
        Content, Delivered, Mail, Stages, Templates, Transport,
        address::{check_address, check_line},
    },
    queue::{Handler, Outcome, Run, Verdict},
};

/// A mail as its job keeps it: a template with its data, or the text itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredMail {
    /// One address.
    pub recipient_email: String,
    /// One line; of a template, as rendered when it was accepted.
    pub subject: String,
    /// The text, when it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<NotificationType>,
    /// What fills it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

/// Makes and delivers mails.
pub struct Mailroom {
    /// The texts.
    pub templates: Templates,
    /// How mails leave.
    pub transport: Transport,
    from: Mailbox,
    clock: Clock,
}

impl Mailroom {
    /// Mails from `from` by `transport`.
    pub fn new(templates: Templates, transport: Transport, from: Mailbox, clock: Clock) -> Self {
        Self { templates, transport, from, clock }
    }

    /// Checks a request for a mail from a template, down to rendering it.
    pub fn accept(&self, new: &NewNotification) -> Result<StoredMail, Vec<FieldError>> {
        let mut errors = Vec::new();
        if let Err(detail) = check_address(&new.recipient) {
            errors.push(FieldError { pointer: "/recipient".to_owned(), detail });
        }
        match self.templates.render(new.kind, &new.data) {
            Ok(content) if errors.is_empty() => {
                return Ok(StoredMail {
                    recipient_email: new.recipient.clone(),
                    subject: content.subject,
                    message: None,
                    template: Some(new.kind),
                    data: Some(new.data.clone()),
                });
            }
            Ok(_) => {}
            Err(more) => errors.extend(more),
        }
        Err(errors)
    }

    /// Checks a request for a mail with its text given.
    pub fn accept_text(new: &NewMail) -> Result<StoredMail, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut check = |field: &str, checked: Result<(), String>| {
            if let Err(detail) = checked {
                errors.push(FieldError { pointer: format!("/notification/{field}"), detail });
            }
        };
        check("recipientEmail", check_address(&new.recipient_email));
        check("subject", check_line(&new.subject));
        let length = new.message.chars().count();
        check(
            "message",
            if (1..=20_000).contains(&length) {
                Ok(())
            } else {
                Err(format!("must have 1 to 20000 characters, not {length}"))
            },
        );
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(StoredMail {
            recipient_email: new.recipient_email.clone(),
            subject: new.subject.clone(),
            message: Some(new.message.clone()),
            template: None,
            data: None,
        })
    }

    /// The mail's texts.
    pub fn content(&self, mail: &StoredMail) -> Result<Content, String> {
        let Some(kind) = mail.template else {
            return Ok(Content {
                subject: mail.subject.clone(),
                text: mail.message.clone().unwrap_or_default(),
                html: None,
            });
        };
        let empty = Value::Object(serde_json::Map::new());
        self.templates.render(kind, mail.data.as_ref().unwrap_or(&empty)).map_err(|errors| {
            let details: Vec<String> =
                errors.iter().map(|error| format!("{}: {}", error.pointer, error.detail)).collect();
            format!("the template {kind} cannot be filled: {}", details.join("; "))
        })
    }

    async fn send(&self, run: &Run) -> Outcome {
        let Ok(Payload::Notification(stored)) = serde_json::from_value(run.claim.payload.clone()) else {
            return Outcome::new(Verdict::Fail, "the job holds no mail").mail(Delivery::NotSent);
        };
        let what = stored.template.map_or_else(|| "mail".to_owned(), |kind| format!("{kind} mail"));
        let to = mask(&stored.recipient_email);
        let content = match self.content(&stored) {
            Ok(content) => content,
            Err(error) => return Outcome::new(Verdict::Fail, error).mail(Delivery::NotSent),
        };
        let address = stored.recipient_email.clone();
        // A server that names the recipient in its answer must not unmask it in logs and errors.
        let masked = |text: String| replace_ignoring_case(&text, &address, &to);
        let mail = Mail { job: run.claim.id, from: self.from.clone(), to: stored.recipient_email, content };
        match self.transport.deliver(&mail, self.clock.now(), &Marks(run), &run.cancel).await {
            Delivered::Sent { response } => {
                Outcome::new(Verdict::Done, format!("{what} to {to} sent: {}", masked(response))).mail(Delivery::Sent)
            }
            Delivered::NotSent { error, .. } if run.cancel.is_cancelled() => {
                Outcome::new(Verdict::Cancelled, format!("{what} to {to} stopped before it was sent: {}", masked(error))).mail(Delivery::NotSent)
            }
            Delivered::NotSent { error, permanent } => {
                let verdict = if permanent { Verdict::Fail } else { Verdict::Retry };
                Outcome::new(verdict, format!("{what} to {to} not sent: {}", masked(error))).mail(Delivery::NotSent)
            }
            Delivered::Unknown { error } => Outcome {
                severity: Some(Severity::Critical),
                ..Outcome::new(
                    Verdict::Fail,
                    format!("{what} to {to} may or may not have been sent: {}. Ask the recipient or the mail server, then retry or delete the job",
                        masked(error)),
                )
                .mail(Delivery::Unknown)
            },
        }
    }
}

impl Handler for Mailroom {
    fn run<'a>(&'a self, run: &'a Run) -> BoxFuture<'a, Outcome> {
        self.send(run).boxed()
    }
}

/// The durable marks of a mail: what a crash from here on would mean.
struct Marks<'a>(&'a Run);

impl Stages for Marks<'_> {
    fn dialling(&self) -> BoxFuture<'_, anyhow::Result<()>> {
        self.0.mark(Some(Delivery::NotSent)).boxed()
    }

    fn at_the_dot(&self) -> BoxFuture<'_, anyhow::Result<()>> {
        self.0.mark(Some(Delivery::Unknown)).boxed()
    }
}

impl StoredMail {
    /// As the API shows it. `text` is the rendered message, when it may be seen.
    pub fn view(&self, shown: Shown) -> Notification {
        Notification {
            recipient_email: if shown.recipient {
                self.recipient_email.clone()
            } else {
                mask(&self.recipient_email)
            },
            subject: self.subject.clone(),
            message: None,
            kind: self.template,
            data: self.data.clone().filter(|_| shown.private),
        }
    }
}

/// Which parts of a mail the caller may see.
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    /// The address.
    pub recipient: bool,
    /// Message and data.
    pub private: bool,
}

/// `customer@example.com` as `c***@example.com`: enough to recognise, too little to write to.
pub fn mask(address: &str) -> String {
    let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
    let first: String = local.chars().take(1).collect();
    format!("{first}***@{domain}")
}

/// `text` with every `from` (ASCII, whatever the case) as `to`.
fn replace_ignoring_case(text: &str, from: &str, to: &str) -> String {
    let (lower, from) = (text.to_ascii_lowercase(), from.to_ascii_lowercase());
    let mut out = String::with_capacity(text.len());
    let mut rest = 0;
    while let Some(at) = lower[rest..].find(&from).filter(|_| !from.is_empty()) {
        out.push_str(&text[rest..rest + at]);
        out.push_str(to);
        rest += at + from.len();
    }
    out.push_str(&text[rest..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_masked_wherever_a_server_repeats_it() {
        let told = "550 <Ada@Example.org>: no such user ada@example.org é";
        assert_eq!(
            replace_ignoring_case(told, "ada@example.org", "a***@example.org"),
            "550 <a***@example.org>: no such user a***@example.org é"
        );
        assert_eq!(replace_ignoring_case("é", "", "x"), "é");
        assert_eq!(mask("nobody"), "n***@");
    }
}
