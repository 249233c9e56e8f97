//! Stripe: a small typed client of `PaymentIntents` and `Refunds`.
//!
//! - Every POST carries an `Idempotency-Key` made from our payment's id, so that asking twice never charges twice.
//! - What Stripe refuses for certain (4xx) is [`Fate::Declined`]; whatever else goes wrong is [`Unknown`], and is asked
//!   again with the same key.
//! - A test card travels as the name of its payment method: no number leaves this process.
//! - Texts from Stripe are cut to one short line and never hold a number.
//!
//! Limits: one charge in full, one refund in full, cards only.

use futures::StreamExt as _;
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::{
    cards::without_numbers,
    provider::{RefundError, Report, Unknown},
    state::Fate,
};
use crate::{config::StripeConfig, store::payments::StoredPayment};

/// The largest answer that is read.
const ANSWER: usize = 256 * 1024;
/// Where our payment's id stands in Stripe's metadata.
pub const METADATA: &str = "astrops_payment";

/// Asks Stripe. The client brings the time limit; it must follow no redirect and use no proxy.
pub struct Stripe {
    http: reqwest::Client,
    base: String,
    key: SecretString,
    return_url: Option<String>,
}

/// A `PaymentIntent`, as answers and webhooks have it.
#[derive(Deserialize)]
pub struct Intent {
    /// `pi_..`
    pub id: String,
    /// In minor units.
    pub amount: i64,
    /// In lower case.
    pub currency: String,
    status: String,
    next_action: Option<NextAction>,
    last_payment_error: Option<CardError>,
    /// What we have attached.
    #[serde(default)]
    pub metadata: serde_json::Value,
}

#[derive(Deserialize)]
struct NextAction {
    redirect_to_url: Option<Redirect>,
}

#[derive(Deserialize)]
struct Redirect {
    url: Option<String>,
}

#[derive(Deserialize, Default)]
struct CardError {
    code: Option<String>,
    decline_code: Option<String>,
    message: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    payment_intent: Option<Named>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

#[derive(Deserialize)]
struct Refusal {
    error: CardError,
}

#[derive(Deserialize)]
struct Refund {
    id: String,
    status: Option<String>,
    failure_reason: Option<String>,
}

/// An answer that is not 2xx, but certain.
struct Refused(StatusCode, CardError);

impl Stripe {
    /// A client for `config`; `None` without a key.
    pub fn new(http: reqwest::Client, config: &StripeConfig) -> Option<Self> {
        Some(Self {
            http,
            base: config.api_base.trim_end_matches('/').to_owned(),
            key: config.secret_key.clone()?,
            return_url: config.return_url.clone(),
        })
    }

    /// Creates and confirms the intent of `payment`.
    pub async fn charge(&self, payment: &StoredPayment) -> Result<Report, Unknown> {
        let (id, amount) = (payment.id.to_string(), payment.amount.minor().to_string());
        let metadata = format!("metadata[{METADATA}]");
        let booking = payment.booking.to_string();
        let mut form = vec![
            ("amount", amount.as_str()),
            ("currency", &payment.currency),
            ("payment_method", &payment.method),
            ("payment_method_types[]", "card"),
            ("confirm", "true"),
            (&metadata, &id),
            ("metadata[astrops_booking]", &booking),
        ];
        if let Some(url) = &self.return_url {
            form.push(("return_url", url));
        }
        match self
            .send::<Intent>(Method::POST, "/v1/payment_intents", &form, Some(&format!("pay-{id}")))
            .await?
        {
            Ok(intent) => checked(payment, &intent),
            Err(refused) => {
                let intent = refused.1.payment_intent.as_ref().map(|named| named.id.clone());
                Ok(Report { intent: intent.filter(|id| is_id(id)), fate: declined(Some(&refused.1)) })
            }
        }
    }

    /// What became of an intent.
    pub async fn look(&self, payment: &StoredPayment, intent: &str) -> Result<Report, Unknown> {
        match self.send::<Intent>(Method::GET, &format!("/v1/payment_intents/{intent}"), &[], None).await? {
            Ok(intent) => checked(payment, &intent),
            Err(refused) => Err(refused.into_unknown("has no answer about the payment")),
        }
    }

    /// Gives up an intent that waits for its customer. One that has succeeded at this moment is not given up.
    pub async fn cancel(&self, payment: &StoredPayment, intent: &str) -> Result<Report, Unknown> {
        let path = format!("/v1/payment_intents/{intent}/cancel");
        match self.send::<Intent>(Method::POST, &path, &[], Some(&format!("abandon-{}", payment.id))).await? {
            Ok(intent) => checked(payment, &intent),
            Err(_) => self.look(payment, intent).await,
        }
    }

    /// Sends all of it back.
    pub async fn refund(&self, payment: &StoredPayment, intent: &str) -> Result<Option<String>, RefundError> {
        let key = format!("refund-{}", payment.id);
        match self
            .send::<Refund>(Method::POST, "/v1/refunds", &[("payment_intent", intent)], Some(&key))
            .await?
        {
            Ok(refund) => match refund.status.as_deref() {
                Some("succeeded" | "pending") => Ok(Some(refund.id).filter(|id| is_id(id))),
                Some("failed" | "canceled") => Err(RefundError::Refused(format!(
                    "Stripe's refund {} failed: {}",
                    line(&refund.id),
                    line(refund.failure_reason.as_deref().unwrap_or("no reason given"))
                ))),
                other => Err(Unknown::Unclear(format!(
                    "Stripe's refund is {:?}",
                    line(other.unwrap_or("without a status"))
                ))
                .into()),
            },
            // Somebody was faster, in Stripe's own console.
            Err(Refused(_, error)) if error.code.as_deref() == Some("charge_already_refunded") => Ok(None),
            Err(Refused(status, error)) => {
                let text = line(error.message.as_deref().unwrap_or("no reason given"));
                Err(RefundError::Refused(format!("Stripe refused the refund ({}): {text}", status.as_u16())))
            }
        }
    }

    async fn send<T: serde::de::DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        form: &[(&str, &str)],
        key: Option<&str>,
    ) -> Result<Result<T, Refused>, Unknown> {
        let mut request =
            self.http.request(method, format!("{}{path}", self.base)).bearer_auth(self.key.expose_secret());
        if let Some(key) = key {
            let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
            request = request
                .header("idempotency-key", key)
                .header("content-type", "application/x-www-form-urlencoded")
                .body(body);
        }
        let response = request.send().await.map_err(|error| unreachable_because(&error))?;
        let status = response.status();
        let mut body = Vec::new();
        let mut stream = response.bytes_stream();
        while let Some(part) = stream.next().await {
            let part = part.map_err(|error| unreachable_because(&error))?;
            if body.len() + part.len() > ANSWER {
                return Err(Unknown::Unclear(format!(
                    "Stripe's answer ({}) is larger than {ANSWER} bytes",
                    status.as_u16()
                )));
            }
            body.extend_from_slice(&part);
        }
        if status.is_success() {
            let read = serde_json::from_slice(&body);
            return read
                .map(Ok)
                .map_err(|_| Unknown::Unclear("Stripe's answer cannot be understood".to_owned()));
        }
        let error = serde_json::from_slice::<Refusal>(&body).map(|refusal| refusal.error).unwrap_or_default();
        // A twin that runs (409), too many requests (429), a key that is not accepted (401, 403) and Stripe's own
        // failures say nothing about the payment; neither does a reused idempotency key.
        let certain =
            matches!(status, StatusCode::BAD_REQUEST | StatusCode::PAYMENT_REQUIRED | StatusCode::NOT_FOUND)
                && error
                    .kind
                    .as_deref()
                    .is_some_and(|kind| kind != "idempotency_error" && kind != "api_error");
        let refused = Refused(status, error);
        if certain { Ok(Err(refused)) } else { Err(refused.into_unknown("did not do it")) }
    }
}

impl Refused {
    fn into_unknown(self, what: &str) -> Unknown {
        let text = line(self.1.message.as_deref().unwrap_or("no reason given"));
        let why = format!("Stripe {what} ({}): {text}", self.0.as_u16());
        if self.0.is_server_error() || self.0 == StatusCode::TOO_MANY_REQUESTS {
            Unknown::Silent(why)
        } else {
            Unknown::Unclear(why)
        }
    }
}

impl Intent {
    /// What Stripe says of the payment.
    pub fn report(&self) -> Report {
        let fate = match self.status.as_str() {
            "succeeded" => Fate::Succeeded,
            "requires_action" => {
                let redirect = self.next_action.as_ref().and_then(|action| action.redirect_to_url.as_ref());
                // What the customer is sent to must be a page, not a script.
                let url = redirect.and_then(|redirect| redirect.url.clone());
                Fate::RequiresAction(url.filter(|url| url.starts_with("https://") && url.len() <= 2_000))
            }
            "requires_payment_method" => declined(self.last_payment_error.as_ref()),
            "canceled" => super::abandoned(),
            _ => Fate::Processing,
        };
        Report { intent: Some(self.id.clone()), fate }
    }

    /// Whether this is the money that `payment` asks for.
    pub fn fits(&self, payment: &StoredPayment) -> bool {
        is_id(&self.id)
            && self.amount == payment.amount.minor()
            && self.currency == payment.currency
            && payment.intent.as_ref().is_none_or(|intent| *intent == self.id)
    }
}

/// Whether a text can be one of Stripe's ids: ours are put into paths.
pub fn is_id(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn checked(payment: &StoredPayment, intent: &Intent) -> Result<Report, Unknown> {
    if intent.fits(payment) {
        Ok(intent.report())
    } else {
        Err(Unknown::Unclear("Stripe's answer is about another payment, amount or currency".to_owned()))
    }
}

fn declined(error: Option<&CardError>) -> Fate {
    let code = error.and_then(|error| match (error.code.as_deref(), error.decline_code.as_deref()) {
        (Some("card_declined"), Some(why)) if why != "generic_decline" => Some(why),
        (code, _) => code,
    });
    let fits = |code: &&str| {
        (1..=60).contains(&code.len())
            && code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    let text = error.and_then(|error| error.message.as_deref()).unwrap_or("The payment was refused.");
    Fate::Declined(code.filter(fits).unwrap_or("declined").to_owned(), line(text))
}

/// One short line without numbers: what others write is shown to operators and mailed to customers.
fn line(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect();
    without_numbers(plain.trim())
}

/// The innermost cause is what helps; the address holds nothing secret, but says nothing either.
fn unreachable_because(error: &reqwest::Error) -> Unknown {
    if error.is_timeout() {
        return Unknown::Silent("Stripe did not answer in time".to_owned());
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    Unknown::Silent(format!("Stripe cannot be reached: {}", line(&cause.to_string())))
}
