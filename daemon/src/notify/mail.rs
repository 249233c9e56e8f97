//! One mail to one recipient, as the bytes that leave.

use std::fmt;

use astrops_api::ids::JobId;
use chrono::{DateTime, Utc};
use lettre::{
    Address, Message,
    message::{
        Mailbox, MultiPart, SinglePart,
        header::{ContentType, HeaderName, HeaderValue},
    },
};

use super::{
    address::{check_address, check_line},
    templates::Content,
};

/// A mail. `Debug` names the job only: recipient and content are private.
#[derive(Clone)]
pub struct Mail {
    /// The job that sends it; the Message-ID is made of it, so every attempt is the same mail.
    pub job: JobId,
    /// The sender.
    pub from: Mailbox,
    /// One bare address.
    pub to: String,
    /// What it says.
    pub content: Content,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mail({})", self.job)
    }
}

impl Mail {
    /// `<job id@domain of the sender>`: by this a receiver recognises a mail that is sent again.
    #[must_use]
    pub fn message_id(&self) -> String {
        format!("<{}@{}>", self.job, self.from.email.domain())
    }

    /// The message, dated `now`. Apart from the date it has the same bytes in every attempt. The error says what
    /// of the mail is wrong, without repeating it; no later attempt will do better.
    pub fn message(&self, now: DateTime<Utc>) -> Result<Message, String> {
        check_address(&self.to).map_err(|wrong| format!("the recipient {wrong}"))?;
        check_line(&self.content.subject).map_err(|wrong| format!("the subject {wrong}"))?;
        let to: Address = self.to.parse().map_err(|_| "the recipient is not an address".to_owned())?;
        let message = Message::builder()
            .message_id(Some(self.message_id()))
            .date(now.into())
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(self.content.subject.clone())
            // RFC 3834: vacation replies and other robots must not answer.
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ));
        let part = |kind, body: &str| SinglePart::builder().header(kind).body(plain_lines(body));
        let text = part(ContentType::TEXT_PLAIN, &self.content.text);
        match &self.content.html {
            None => message.singlepart(text),
            Some(html) => message.multipart(
                // The builder's own boundary is random, and every attempt is to be the same mail.
                MultiPart::alternative()
                    .boundary(format!("=_{}", self.job.0.simple()))
                    .singlepart(text)
                    .singlepart(part(ContentType::TEXT_HTML, html)),
            ),
        }
        .map_err(|error| format!("the message cannot be built: {error}"))
    }
}

/// A body with `\n` as the only line break and without control characters: a lone CR or LF before a dot would be
/// a second mail to some servers (SMTP smuggling).
fn plain_lines(body: &str) -> String {
    let unified = body.replace("\r\n", "\n").replace('\r', "\n");
    unified.chars().filter(|&c| c == '\n' || c == '\t' || !c.is_control()).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A mail of job `…0007` to `to`.
    pub fn mail_to(to: &str) -> Mail {
        Mail {
            job: "01890a5d-ac96-774b-bcce-b302099a8007".parse().unwrap(),
            from: "AstroBookings <noreply@astrobookings.example>".parse().unwrap(),
            to: to.to_owned(),
            content: Content {
                subject: "Your booking is confirmed ✓".to_owned(),
                text: "Hello,\n.\nit is yours.\n".to_owned(),
                html: Some("<p>Hello,</p>\n<p>it is yours.</p>\n".to_owned()),
            },
        }
    }

    /// 2026-08-01 10:30 UTC.
    pub fn noon() -> DateTime<Utc> {
        "2026-08-01T10:30:00Z".parse().unwrap()
    }

    fn bytes(mail: &Mail) -> String {
        String::from_utf8(mail.message(noon()).unwrap().formatted()).unwrap()
    }

    #[test]
    fn the_mail_has_the_headers_that_robots_and_receivers_need() {
        insta::assert_snapshot!(bytes(&mail_to("ada@example.org")).replace('\r', ""));
    }

    #[test]
    fn every_attempt_is_the_same_mail_but_for_its_date() {
        let mail = mail_to("ada@example.org");
        assert_eq!(bytes(&mail), bytes(&mail));
        let later = mail.message(noon() + chrono::TimeDelta::hours(1)).unwrap().formatted();
        let later = String::from_utf8(later).unwrap();
        assert_eq!(later.replace("11:30:00", "10:30:00"), bytes(&mail));
        assert_eq!(mail.message_id(), "<01890a5d-ac96-774b-bcce-b302099a8007@astrobookings.example>");
    }

    #[test]
    fn a_mail_without_html_is_one_part() {
        let mut mail = mail_to("ada@example.org");
        mail.content.html = None;
        assert!(bytes(&mail).contains("Content-Type: text/plain; charset=utf-8\r\n"));
        assert!(!bytes(&mail).contains("multipart"));
    }

    #[test]
    fn nothing_in_a_mail_can_make_a_header_or_a_second_mail() {
        let mut mail = mail_to("ada@example.org\r\nBcc: bob@example.org");
        assert_eq!(
            mail.message(noon()).unwrap_err(),
            "the recipient has a line break or another control character"
        );
        mail = mail_to("ada@example.org");
        mail.content.subject = "Hello\r\nBcc: bob@example.org".to_owned();
        assert_eq!(
            mail.message(noon()).unwrap_err(),
            "the subject has a line break or another control character"
        );
        mail.content.subject = "Hello".to_owned();
        mail.content.text = "one\r.\rMAIL FROM:<x@y>\r\ntwo\n.\nthree\0\u{1b}[2J".to_owned();
        let bytes = bytes(&mail);
        assert!(!bytes.replace("\r\n", "").contains(['\r', '\n', '\0', '\u{1b}']), "{bytes:?}");
    }

    #[test]
    fn debug_keeps_the_mail_private() {
        let text = format!("{:?}", mail_to("ada@example.org"));
        assert_eq!(text, "Mail(01890a5d-ac96-774b-bcce-b302099a8007)");
    }
}
