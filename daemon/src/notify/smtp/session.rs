//! The commands of one session, and what each answer means for the mail.

use std::{fmt::Display, time::Duration};

use lettre::{
    Message,
    transport::smtp::{
        authentication::{Credentials, Mechanism},
        client::AsyncSmtpConnection,
        commands::{Auth, Data, Mail as MailFrom, Quit, Rcpt},
        extension::{Extension, MailBodyParameter, MailParameter, ServerInfo},
        response::Response,
    },
};
use tokio::time::timeout;

use super::{
    TimeLimits,
    failure::{Failure, expect, is_completion, said, told, within},
    wire::Wire,
};
use crate::notify::{Delivered, address::tame};

/// How long a server that has taken the mail may think about QUIT.
const FAREWELL_LIMIT: Duration = Duration::from_secs(1);

/// A connection on which the server waits for commands.
pub(super) struct Session {
    pub connection: AsyncSmtpConnection,
    pub wire: Wire,
    /// What the server offers.
    pub server: ServerInfo,
}

impl Session {
    /// A command about the session, which wants a 2yz: its refusal says nothing about the mail.
    pub async fn command(
        &mut self,
        phase: &str,
        command: impl Display,
        limit: Duration,
    ) -> Result<Response, Failure> {
        let reply = within(limit, phase, self.connection.command(command)).await?;
        let reply = reply.map_err(|error| Failure::passing(told(phase, &error)))?;
        expect(phase, reply, is_completion)
    }

    /// AUTH, where there are credentials.
    pub async fn sign_in(
        &mut self,
        credentials: Option<&Credentials>,
        limit: Duration,
    ) -> Result<(), Failure> {
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
                return expect(phase, reply, is_completion).map(|_| ());
            }
            command = Auth::new_from_response(mechanism, credentials.clone(), &reply).map_err(of_session)?;
        }
        Err(Failure::passing("AUTH: the server asks without end"))
    }

    /// MAIL, RCPT, DATA.
    pub async fn offer(&mut self, message: &Message, limits: &TimeLimits) -> Result<(), Failure> {
        let envelope = message.envelope();
        let addresses = envelope.from().into_iter().chain(envelope.to());
        let mut parameters = Vec::new();
        if !addresses.map(AsRef::<str>::as_ref).all(str::is_ascii) {
            if !self.server.supports_feature(Extension::SmtpUtfEight) {
                let error = "the address has letters beyond ASCII and the server has no SMTPUTF8";
                return Err(Failure::for_good(error));
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
        command: impl Display,
        limit: Duration,
        is_right: impl Fn(&Response) -> bool,
    ) -> Result<(), Failure> {
        let reply = within(limit, phase, self.connection.command(command)).await?;
        let reply = reply.map_err(|error| Failure::of_mail(phase, &error))?;
        expect(phase, reply, is_right).map(|_| ())
    }

    /// Content and final dot. From here on nothing is cancelled.
    pub async fn finish(mut self, content: &[u8], limits: &TimeLimits) -> Delivered {
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
                Delivered::Unknown { error: tame(&format!("{later}, after {response}")) }
            }
            _ => Delivered::Sent { response },
        }
    }
}
