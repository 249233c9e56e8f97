//! Keeps mails in memory, for tests: marks like SMTP, answers what it was told to.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};

use super::{Delivered, Mail, Stages};

/// Mails that were "sent". Clones share them.
#[derive(Clone, Default)]
pub struct MemoryTransport(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    sent: Vec<Mail>,
    answers: VecDeque<Delivered>,
}

impl MemoryTransport {
    /// The mails that were sent, in order.
    #[must_use]
    pub fn sent(&self) -> Vec<Mail> {
        self.lock().sent.clone()
    }

    /// Answers the next mail that nothing was planned for yet with `answer`; without a plan every mail is sent.
    pub fn plan(&self, answer: Delivered) {
        self.lock().answers.push_back(answer);
    }

    pub(super) async fn deliver(&self, mail: &Mail, now: DateTime<Utc>, stages: &dyn Stages) -> Delivered {
        if let Err(error) = mail.message(now) {
            return Delivered::refused(error);
        }
        for mark in [stages.dialling(), stages.at_the_dot()] {
            if let Err(error) = mark.await {
                return Delivered::not_sent(format!("{error:#}"));
            }
        }
        let mut state = self.lock();
        let sent = Delivered::Sent { response: "kept in memory".to_owned() };
        let answer = state.answers.pop_front().unwrap_or(sent);
        if matches!(answer, Delivered::Sent { .. }) {
            state.sent.push(mail.clone());
        }
        answer
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::notify::{
        Transport,
        mail::tests::{mail_to, noon},
        transport::tests::Marks,
    };

    #[tokio::test]
    async fn mails_are_kept_and_answers_come_as_planned() {
        let memory = MemoryTransport::default();
        let transport = Transport::Memory(memory.clone());
        let (marks, cancel) = (Marks::default(), CancellationToken::new());
        memory.plan(Delivered::Unknown { error: "gone".to_owned() });
        let mail = mail_to("ada@example.org");
        let first = transport.deliver(&mail, noon(), &marks, &cancel).await;
        assert_eq!(first, Delivered::Unknown { error: "gone".to_owned() });
        assert!(memory.sent().is_empty());
        transport.deliver(&mail, noon(), &marks, &cancel).await;
        assert_eq!(memory.sent()[0].to, "ada@example.org");
        assert_eq!(*marks.made.lock().unwrap(), ["dialling", "at the dot", "dialling", "at the dot"]);
    }

    #[tokio::test]
    async fn a_cancelled_mail_is_not_sent() {
        let transport = Transport::Memory(MemoryTransport::default());
        let cancel = CancellationToken::new();
        cancel.cancel();
        let end = transport.deliver(&mail_to("ada@example.org"), noon(), &Marks::default(), &cancel).await;
        assert_eq!(end, Delivered::not_sent("cancelled before anything was sent"));
    }
}
