//! A trickle of what customers, suppliers and the Customer API do, through the public API.
//!
//! At most a few acts a second. What the daemon refuses is part of the story; what fails because the operator of
//! the demo paused or deleted something is nobody's concern.

use std::time::Duration;

use astrops_api::{
    Client, ClientError,
    auth::Login,
    jobs::{Maintenance, NewJob, NewMail},
    logs::NewLog,
    notifications::NewNotification,
    vocabulary::{JobType, MaintenanceTask, NotificationType},
};
use astrops_daemon::{Clock, documents::Documents};
use chrono::TimeDelta;
use rand::{RngExt, rngs::StdRng, seq::IndexedRandom};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{
    customer_side::CustomerSide,
    market::{Market, noted},
    sample,
    staff::{self, Account},
};

/// Random acts before the first pause, so that no screen is empty.
const OPENING: usize = 25;

/// Who does it.
pub struct Traffic {
    /// Signed in by nobody.
    public: Client,
    /// With the key of the Customer API.
    service: Client,
    operator: Account,
    market: Market,
    customer_side: CustomerSide,
    dice: StdRng,
    clock: Clock,
}

impl Traffic {
    /// Traffic on the daemon of `client`; everything random comes from `dice`.
    pub fn new(client: Client, operator: Account, documents: Documents, dice: StdRng) -> Self {
        let (service, clock) = (client.clone(), Clock::system());
        let market = Market::new(client.clone(), clock.clone());
        let customer_side = CustomerSide::new(documents, clock.clone());
        Self { public: client, service, operator, market, customer_side, dice, clock }
    }

    /// Goes on until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        stop.run_until_cancelled(async {
            self.open().await;
            loop {
                tokio::time::sleep(Duration::from_millis(self.dice.random_range(300..2_500))).await;
                self.act().await;
            }
        })
        .await;
    }

    async fn open(&mut self) {
        match staff::service(&self.public, &self.operator).await {
            Ok(service) => self.service = service,
            Err(error) => noted(Err(error)),
        }
        // Each type once, to each kind of recipient in turn: something is delivered, retried and dead at once.
        for (number, &kind) in NotificationType::ALL.iter().enumerate() {
            let (name, recipient) = sample::customer(number);
            let data = sample::data(&mut self.dice, kind, name);
            // What is refused here is missing in the demo, and nothing else depends on it.
            drop(self.service.notify(&NewNotification { kind, recipient, data, run_at: None }).await);
        }
        noted(self.market.open(&mut self.dice).await);
        for _ in 0..OPENING {
            self.act().await;
        }
    }

    async fn act(&mut self) {
        let done = match self.dice.random_range(0..100) {
            0..36 => self.market.act(&mut self.dice).await,
            36..50 => return self.drift().await,
            50..66 => self.notification().await,
            66..80 => self.story().await,
            80..86 => self.visit(true).await,
            86..91 => self.visit(false).await,
            91..94 => self.later().await,
            94..97 => self.upkeep().await,
            _ => self.odd().await,
        };
        noted(done);
    }

    async fn drift(&mut self) {
        let Self { customer_side, market, service, dice, .. } = self;
        if let Err(error) = customer_side.act(market, service, dice).await {
            tracing::debug!(%error, "the customer side of the demo did not write");
        }
    }

    fn somebody(&mut self) -> (&'static str, String) {
        sample::customer(self.dice.random_range(0..sample::CUSTOMERS.len()))
    }

    fn some_kind(&mut self) -> NotificationType {
        NotificationType::ALL.choose(&mut self.dice).copied().unwrap_or(NotificationType::Welcome)
    }

    async fn notification(&mut self) -> Result<(), ClientError> {
        let (name, recipient) = self.somebody();
        let kind = self.some_kind();
        let data = sample::data(&mut self.dice, kind, name);
        self.service.notify(&NewNotification { kind, recipient, data, run_at: None }).await.map(drop)
    }

    async fn story(&mut self) -> Result<(), ClientError> {
        let (event_type, severity, message) = sample::story(&mut self.dice);
        let entry = NewLog {
            event_type,
            severity,
            message: message.to_owned(),
            user_id: None,
            ip_address: Some(format!("203.0.113.{}", self.dice.random_range(1..255))),
            additional_data: Some(
                json!({ "service": "customer-api", "requestId": sample::object_id(&mut self.dice) }),
            ),
        };
        self.service.write_log(&entry).await.map(drop)
    }

    /// A customer signs in, or somebody tries a password.
    async fn visit(&mut self, good: bool) -> Result<(), ClientError> {
        let Some(customer) = self.market.regular(&mut self.dice) else { return Ok(()) };
        let guess = if good { customer.password.clone() } else { staff::password(&mut self.dice) };
        match self.public.login(&Login::new(&customer.email, guess)).await {
            Ok(signed_in) => self.public.with_token(signed_in.token).logout().await,
            // A wrong password is what was meant; a right one is refused while the wrong ones have locked the account.
            Err(ClientError::Refused(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// A mail for later, with its text given.
    async fn later(&mut self) -> Result<(), ClientError> {
        let (name, recipient_email) = self.somebody();
        let minutes = self.dice.random_range(2..600);
        let mail = NewMail {
            recipient_email,
            subject: "How was your flight?".to_owned(),
            message: format!("Dear {name},\n\nplease tell us how you liked it.\n"),
        };
        let run_at = self.clock.now() + TimeDelta::minutes(minutes);
        let job = NewJob { notification: Some(mail), run_at: Some(run_at), ..blank(JobType::Notification) };
        self.service.create_job(&job).await.map(drop)
    }

    async fn upkeep(&mut self) -> Result<(), ClientError> {
        let maintenance = Maintenance::of(MaintenanceTask::ExpireSessions);
        let job = NewJob {
            maintenance: Some(maintenance),
            unique_key: Some("demo-upkeep".to_owned()),
            ..blank(JobType::Maintenance)
        };
        self.service.create_job(&job).await.map(drop)
    }

    /// What a careless program sends: an address that is none, or data with a field missing.
    async fn odd(&mut self) -> Result<(), ClientError> {
        let (name, recipient) = self.somebody();
        let kind = self.some_kind();
        let data = sample::data(&mut self.dice, kind, name);
        let whole = self.dice.random_bool(0.5);
        let recipient = if whole { "somebody at example".to_owned() } else { recipient };
        let data = if whole { data } else { json!({ "nmae": name }) };
        match self.service.notify(&NewNotification { kind, recipient, data, run_at: None }).await {
            Err(ClientError::Refused(problem)) if problem.status == 422 => Ok(()),
            other => other.map(drop),
        }
    }
}

/// A job without work.
const fn blank(kind: JobType) -> NewJob {
    NewJob {
        kind,
        notification: None,
        reconciliation: None,
        maintenance: None,
        run_at: None,
        priority: None,
        max_attempts: None,
        unique_key: None,
    }
}
