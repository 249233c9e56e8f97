//! Stripe: a server that fails when a story wants it to, and localstripe, which behaves like the real one.

use astrops_api::{
    audit::AuditQuery,
    bookings::{Booking, BookingDetail, CancelBooking},
    jobs::{Job, JobQuery},
    logs::LogQuery,
    vocabulary::{
        JobStatus, JobType, MaintenanceTask, Order, PaymentMethod, PaymentState, PaymentStatus, Provider,
        Severity,
    },
};
use astrops_daemon::{Clock, config::Config};
use chrono::{DateTime, TimeDelta, Utc};
use ring::hmac;
use serde_json::{Value, json};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{body_string_contains, method, path},
};

use crate::{
    payments::{booked, by, card, check_payments, says},
    support::{Engine, TestDaemon, refusal},
};

const SECRET: &str = "whsec_of_the_story";

macro_rules! on_both {
    ($($story:ident),+ $(,)?) => {
        mod on_sqlite { $(#[tokio::test] async fn $story() { super::$story(super::Engine::Sqlite).await; })+ }
        mod on_postgres { $(#[tokio::test] async fn $story() { super::$story(super::Engine::Postgres).await; })+ }
    };
}

on_both!(
    an_answer_that_was_lost_charges_nobody_twice,
    a_job_asks_again,
    a_payment_that_was_given_up_and_succeeded_all_the_same_is_sorted_out,
    webhooks_do_no_harm_twice_or_out_of_order,
    webhooks_that_stripe_did_not_sign_are_refused,
    what_succeeds_after_the_cancellation_goes_back,
    a_refund_is_tried_again_and_refused_out_loud,
    localstripe_pays_declines_and_refunds,
    localstripe_tells_of_a_confirmed_payment,
);

fn stripe_at(config: &mut Config, base: &str) {
    config.payments.provider = Provider::Stripe;
    base.clone_into(&mut config.payments.stripe.api_base);
    config.payments.stripe.secret_key = Some("sk_test_12345".into());
    config.payments.stripe.webhook_secret = Some(SECRET.into());
}

/// A daemon that pays at a server of the story's making.
async fn start(engine: Engine) -> Option<(TestDaemon, MockServer)> {
    let server = MockServer::start().await;
    let daemon = TestDaemon::start_with(engine, |config| stripe_at(config, &server.uri())).await?;
    Some((daemon, server))
}

fn intent(id: &str, status: &str, payment: Option<uuid::Uuid>) -> Value {
    json!({ "id": id, "amount": 24_100, "currency": "usd", "status": status, "metadata": { "astrops_payment": payment } })
}

/// The next `times` answers to charges.
async fn charges(server: &MockServer, times: u64, status: u16, body: Value) {
    Mock::given(method("POST"))
        .and(path("/v1/payment_intents"))
        .respond_with(ResponseTemplate::new(status).set_body_json(body))
        .up_to_n_times(times)
        .mount(server)
        .await;
}

async fn refunds(server: &MockServer, times: u64, status: u16, body: Value) {
    Mock::given(path("/v1/refunds"))
        .respond_with(ResponseTemplate::new(status).set_body_json(body))
        .up_to_n_times(times)
        .mount(server)
        .await;
}

/// The idempotency keys that the server has seen, in order.
async fn keys(server: &MockServer) -> Vec<String> {
    let seen = server.received_requests().await.unwrap();
    seen.iter()
        .filter_map(|one| Some(one.headers.get("idempotency-key")?.to_str().unwrap().to_owned()))
        .collect()
}

fn sign(secret: &str, at: DateTime<Utc>, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{}.{body}", at.timestamp()).as_bytes());
    let hex = tag.as_ref().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    format!("t={},v1={hex}", at.timestamp())
}

async fn deliver(daemon: &TestDaemon, signature: &str, body: &str) -> u16 {
    let headers = [("stripe-signature", signature), ("content-type", "application/json")];
    let raw = daemon.raw_anyone();
    raw.send_with("POST", "/payments/webhook", &headers, body.as_bytes().to_vec()).await.status
}

/// Stripe tells of an event.
async fn hears(daemon: &TestDaemon, id: &str, kind: &str, object: Value) {
    let body = json!({ "id": id, "type": kind, "data": { "object": object } }).to_string();
    assert_eq!(deliver(daemon, &sign(SECRET, daemon.now(), &body), &body).await, 200, "{body}");
}

async fn now(daemon: &TestDaemon, booking: &Booking) -> BookingDetail {
    daemon.again("ana@example.com").await.booking(booking.id).await.unwrap()
}

fn mails(daemon: &TestDaemon, saying: &str) -> usize {
    daemon.mails_to("carl@example.com").iter().filter(|mail| mail.contains(saying)).count()
}

async fn refund_job(daemon: &TestDaemon) -> Job {
    let query = JobQuery { kind: Some(JobType::Maintenance), page_size: Some(200), ..JobQuery::default() };
    let jobs = daemon.again("ana@example.com").await.jobs(&query).await.unwrap().jobs;
    let is_refund =
        |job: &Job| job.maintenance.as_ref().is_some_and(|care| care.task == MaintenanceTask::RefundPayment);
    let mut refunds: Vec<Job> = jobs.into_iter().filter(is_refund).collect();
    assert_eq!(refunds.len(), 1);
    refunds.remove(0)
}

async fn an_answer_that_was_lost_charges_nobody_twice(engine: Engine) {
    let Some((daemon, server)) = start(engine).await else { return };
    let (carl, booking) = booked(&daemon).await;
    charges(&server, 2, 500, json!({ "error": { "type": "api_error" } })).await;
    charges(&server, 1, 200, intent("pi_1", "succeeded", None)).await;
    for _ in 0..2 {
        let told = refusal(carl.pay(booking.id, &card("4242424242424242")).await);
        says(&told, "503 payment-open", "nobody is charged twice");
    }
    let open = now(&daemon, &booking).await;
    assert_eq!((open.payments.len(), open.payments[0].status), (1, PaymentState::Pending));
    let paid = carl.pay(booking.id, &card("4242424242424242")).await.unwrap();
    assert_eq!((paid.payment.id, paid.payment.status), (open.payments[0].id, PaymentState::Paid));
    let key = format!("pay-{}", paid.payment.id);
    assert_eq!(keys(&server).await, [key.clone(), key.clone(), key]);
    assert!(refusal(carl.pay(booking.id, &card("4242424242424242")).await).starts_with("409"));
    daemon.settled().await;
    daemon.stop().await;
}

async fn a_job_asks_again(engine: Engine) {
    let Some((daemon, server)) = start(engine).await else { return };
    let (carl, booking) = booked(&daemon).await;
    charges(&server, 2, 503, json!({ "error": { "type": "api_error" } })).await;
    charges(&server, 1, 200, intent("pi_1", "processing", None)).await;
    assert!(carl.pay(booking.id, &by("pm_1Mq")).await.is_err());
    daemon.pass(TimeDelta::seconds(61));
    let told = check_payments(&daemon).await;
    assert!(told.contains("0 payments looked at, 0 have changed; stripe does not answer"), "{told}");
    let told = check_payments(&daemon).await;
    assert!(told.contains("1 payments looked at, 0 have changed"), "{told}");
    // From now on it is looked up by Stripe's id, not charged.
    Mock::given(method("GET"))
        .and(path("/v1/payment_intents/pi_1"))
        .respond_with(ResponseTemplate::new(200).set_body_json(intent("pi_1", "succeeded", None)))
        .mount(&server)
        .await;
    let told = check_payments(&daemon).await;
    assert!(told.contains("1 payments looked at, 1 have changed"), "{told}");
    assert_eq!(keys(&server).await.len(), 3);
    let detail = now(&daemon, &booking).await;
    assert_eq!(detail.booking.payment_status, PaymentStatus::Paid);
    assert_eq!(detail.booking.payment_method, Some(PaymentMethod::Stripe));
    assert_eq!(detail.booking.payment_transaction_id.as_deref(), Some("pi_1"));
    assert_eq!(mails(&daemon, "we have received 241.00 USD"), 1);
    daemon.stop().await;
}

async fn a_payment_that_was_given_up_and_succeeded_all_the_same_is_sorted_out(engine: Engine) {
    let Some((daemon, server)) = start(engine).await else { return };
    let (carl, booking) = booked(&daemon).await;
    Mock::given(body_string_contains("payment_method=pm_card_amex"))
        .respond_with(ResponseTemplate::new(200).set_body_json(intent("pi_2", "succeeded", None)))
        .mount(&server)
        .await;
    refunds(&server, 1, 200, json!({ "id": "re_1", "status": "succeeded" })).await;
    // Everything else is 404 without a word of Stripe: unknown.
    assert!(carl.pay(booking.id, &card("4242424242424242")).await.is_err());
    daemon.pass(TimeDelta::minutes(61));
    daemon.until(async || now(&daemon, &booking).await.payments[0].status == PaymentState::Failed).await;
    let given_up = now(&daemon, &booking).await.payments.remove(0);
    assert_eq!(given_up.error_code.as_deref(), Some("provider_unreachable"));
    let carl = daemon.again("carl@example.com").await;
    carl.pay(booking.id, &card("378282246310005")).await.unwrap();
    // The first charge had arrived after all, and nobody wants both.
    hears(&daemon, "evt_1", "payment_intent.succeeded", intent("pi_1", "succeeded", Some(given_up.id))).await;
    daemon.settled().await;
    let detail = now(&daemon, &booking).await;
    assert_eq!((detail.booking.payment_status, detail.payments.len()), (PaymentStatus::Paid, 2));
    assert_eq!(
        (detail.payments[0].status, detail.payments[0].intent.as_deref()),
        (PaymentState::Refunded, Some("pi_1"))
    );
    assert_eq!(detail.payments[1].status, PaymentState::Paid);
    assert_eq!(detail.booking.payment_transaction_id.as_deref(), Some("pi_2"));
    daemon.stop().await;
}

async fn webhooks_do_no_harm_twice_or_out_of_order(engine: Engine) {
    let Some((daemon, server)) = start(engine).await else { return };
    let (carl, booking) = booked(&daemon).await;
    charges(&server, 1, 200, intent("pi_1", "requires_action", None)).await;
    let asked = carl.pay(booking.id, &card("4000002500003155")).await.unwrap();
    assert_eq!(asked.next_action.unwrap().kind, "use_stripe_sdk");
    let status = async || now(&daemon, &booking).await.booking.payment_status;
    // Money that is not ours, or not this much.
    hears(&daemon, "evt_0", "payment_intent.succeeded", intent("pi_9", "succeeded", None)).await;
    let mut other = intent("pi_1", "succeeded", None);
    other["amount"] = json!(1);
    hears(&daemon, "evt_1", "payment_intent.succeeded", other).await;
    hears(&daemon, "evt_2", "payment_intent.succeeded", intent("pi_8", "succeeded", Some(asked.payment.id)))
        .await;
    assert_eq!(status().await, PaymentStatus::Pending);
    hears(&daemon, "evt_3", "payment_intent.succeeded", intent("pi_1", "succeeded", None)).await;
    assert_eq!(status().await, PaymentStatus::Paid);
    for (id, kind, word) in [
        ("evt_3", "payment_intent.succeeded", "succeeded"),
        ("evt_4", "payment_intent.succeeded", "succeeded"),
        ("evt_5", "payment_intent.requires_action", "requires_action"),
        ("evt_6", "payment_intent.payment_failed", "requires_payment_method"),
        ("evt_7", "payment_intent.canceled", "canceled"),
        ("evt_8", "a.kind.of.tomorrow", "succeeded"),
    ] {
        hears(&daemon, id, kind, intent("pi_1", word, None)).await;
        assert_eq!(status().await, PaymentStatus::Paid, "{kind}");
    }
    let query = AuditQuery {
        actor: Some("provider:stripe".to_owned()),
        order: Some(Order::Asc),
        ..AuditQuery::default()
    };
    let first = daemon.operator.audit(&query).await.unwrap().entries.remove(0);
    assert_eq!((first.action.as_str(), first.target), ("payment.webhook", booking.id.to_string()));
    assert_eq!((&first.details["from"], &first.details["to"]), (&json!("requires_action"), &json!("paid")));
    daemon.settled().await;
    assert_eq!((mails(&daemon, "we have received"), mails(&daemon, "was refused")), (1, 0));
    // Refunded in Stripe's own console: first a part, then all of it.
    let charge = |back: i64| json!({ "payment_intent": "pi_1", "amount": 24_100, "amount_refunded": back, "currency": "usd" });
    hears(&daemon, "evt_9", "charge.refunded", charge(100)).await;
    assert_eq!(status().await, PaymentStatus::Paid);
    hears(&daemon, "evt_10", "charge.refunded", charge(24_100)).await;
    assert_eq!(status().await, PaymentStatus::Refunded);
    daemon.settled().await;
    assert_eq!(mails(&daemon, "We have sent 241.00 USD back"), 1);
    daemon.stop().await;
}

async fn webhooks_that_stripe_did_not_sign_are_refused(engine: Engine) {
    let Some((daemon, server)) = start(engine).await else { return };
    let (carl, booking) = booked(&daemon).await;
    charges(&server, 1, 200, intent("pi_1", "processing", None)).await;
    carl.pay(booking.id, &card("4242424242424242")).await.unwrap();
    let body = json!({ "id": "evt_1", "type": "payment_intent.succeeded", "data": { "object": intent("pi_1", "succeeded", None) } });
    let body = body.to_string();
    let old = daemon.now() - TimeDelta::seconds(301);
    for signature in [
        "",
        "t=1,v1=00",
        &sign("another", daemon.now(), &body),
        &sign(SECRET, old, &body),
        &sign(SECRET, daemon.now(), "{}"),
    ] {
        assert_eq!(deliver(&daemon, signature, &body).await, 400, "{signature}");
    }
    assert_eq!(deliver(&daemon, &sign(SECRET, daemon.now(), "nonsense"), "nonsense").await, 400);
    assert_eq!(daemon.raw_anyone().send("POST", "/payments/webhook", Some(&body)).await.status, 400);
    assert_eq!(now(&daemon, &booking).await.payments[0].status, PaymentState::Pending);
    daemon
        .until(async || {
            daemon.operator.logs(&LogQuery::default()).await.unwrap().logs.iter().any(|entry| {
                entry.severity == Severity::Warning && entry.message.contains("/payments/webhook refused")
            })
        })
        .await;
    let two = format!("{},{}", sign(SECRET, daemon.now(), &body), "v1=00ff");
    assert_eq!(deliver(&daemon, &two, &body).await, 200, "one of two secrets is enough");
    assert_eq!(now(&daemon, &booking).await.payments[0].status, PaymentState::Paid);
    daemon.settled().await;
    daemon.stop().await;
}

async fn what_succeeds_after_the_cancellation_goes_back(engine: Engine) {
    let Some((daemon, server)) = start(engine).await else { return };
    let (carl, booking) = booked(&daemon).await;
    charges(&server, 1, 500, json!({})).await;
    refunds(&server, 1, 200, json!({ "id": "re_1", "status": "pending" })).await;
    assert!(carl.pay(booking.id, &card("4242424242424242")).await.is_err());
    carl.cancel_booking(booking.id, &CancelBooking::default()).await.unwrap();
    let payment = now(&daemon, &booking).await.payments[0].id;
    // Nobody charges for seats that are free again.
    daemon.pass(TimeDelta::minutes(2));
    assert!(check_payments(&daemon).await.contains("0 payments looked at"));
    assert_eq!(keys(&server).await.len(), 1);
    hears(&daemon, "evt_1", "payment_intent.succeeded", intent("pi_1", "succeeded", Some(payment))).await;
    daemon.settled().await;
    let detail = now(&daemon, &booking).await;
    assert_eq!(detail.booking.payment_status, PaymentStatus::Refunded);
    assert_eq!(
        (detail.payments[0].status, detail.payments[0].refund.as_deref()),
        (PaymentState::Refunded, Some("re_1"))
    );
    assert_eq!(keys(&server).await[1], format!("refund-{payment}"));
    assert_eq!((mails(&daemon, "we have received"), mails(&daemon, "We have sent")), (0, 1));
    daemon.stop().await;
}

async fn a_refund_is_tried_again_and_refused_out_loud(engine: Engine) {
    let Some((daemon, server)) = start(engine).await else { return };
    let (carl, booking) = booked(&daemon).await;
    charges(&server, 1, 200, intent("pi_1", "succeeded", None)).await;
    refunds(&server, 1, 500, json!({})).await;
    let disputed = json!({ "error": { "type": "invalid_request_error", "code": "charge_disputed", "message": "It is disputed." } });
    refunds(&server, 1, 400, disputed).await;
    refunds(&server, 1, 200, json!({ "id": "re_1", "status": "succeeded" })).await;
    carl.pay(booking.id, &card("4242424242424242")).await.unwrap();
    carl.cancel_booking(booking.id, &CancelBooking::default()).await.unwrap();
    let id = refund_job(&daemon).await.id;
    let job = daemon.when(id, |job| job.job.attempt == 1 && job.job.status == JobStatus::Queued).await;
    assert!(job.job.error_message.unwrap().contains("not sent back yet"));
    daemon.pass(TimeDelta::seconds(15));
    let job = daemon.ended(id).await;
    assert_eq!(job.job.status, JobStatus::Failed);
    assert!(job.job.error_message.as_ref().unwrap().contains("It is disputed."), "{job:?}");
    assert!(job.logs.iter().any(|entry| entry.severity == Severity::Critical), "somebody must act");
    assert_eq!(now(&daemon, &booking).await.booking.payment_status, PaymentStatus::Paid);
    daemon.operator.retry_job(id).await.unwrap();
    daemon.settled().await;
    assert_eq!(now(&daemon, &booking).await.booking.payment_status, PaymentStatus::Refunded);
    let key = format!("refund-{}", now(&daemon, &booking).await.payments[0].id);
    assert_eq!(keys(&server).await[1..], [key.clone(), key.clone(), key]);
    daemon.stop().await;
}

/// A daemon that pays at localstripe and hears its webhooks, by the real clock as localstripe does; `None`, out loud, when
/// there is no such server.
async fn start_at_localstripe(engine: Engine) -> Option<(TestDaemon, String)> {
    const SERVER: &str = "ASTROPS_TEST_STRIPE";
    let Ok(base) = std::env::var(SERVER) else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{SERVER} is not set: run scripts/test");
        eprintln!("SKIPPED at localstripe: {SERVER} is not set, run scripts/test");
        return None;
    };
    let daemon = TestDaemon::start_at(engine, Clock::system(), |config| stripe_at(config, &base)).await?;
    let hook = format!("{base}/_config/webhooks/{}", uuid::Uuid::new_v4().simple());
    let webhook = json!({ "url": format!("{}/payments/webhook", daemon.anyone.base()), "secret": SECRET });
    let http = astrops_api::client::http_client().unwrap();
    assert!(http.post(hook).json(&webhook).send().await.unwrap().status().is_success());
    Some((daemon, base))
}

/// Asks localstripe itself, as a customer's browser would.
async fn ask(request: reqwest::RequestBuilder) -> Value {
    request.bearer_auth("sk_test_12345").send().await.unwrap().json().await.unwrap()
}

async fn localstripe_pays_declines_and_refunds(engine: Engine) {
    let Some((daemon, base)) = start_at_localstripe(engine).await else { return };
    let (carl, booking) = booked(&daemon).await;
    let told = refusal(carl.pay(booking.id, &by("pm_card_chargeCustomerFail")).await);
    says(&told, "402 card-declined", ": card_declined: Your card was declined.");
    let told = refusal(carl.pay(booking.id, &by("pm_nobody_has_this")).await);
    says(&told, "402 card-declined", "");
    let paid = carl.pay(booking.id, &card("4242424242424242")).await.unwrap();
    assert_eq!(paid.booking.payment_status, PaymentStatus::Paid);
    let http = astrops_api::client::http_client().unwrap();
    let there = ask(http.get(format!("{base}/v1/payment_intents/{}", paid.payment.intent.unwrap()))).await;
    assert_eq!((&there["amount"], &there["status"]), (&json!(24_100), &json!("succeeded")));
    assert_eq!(there["metadata"]["astrops_payment"], json!(paid.payment.id));
    carl.cancel_booking(booking.id, &CancelBooking::default()).await.unwrap();
    daemon.settled().await;
    let detail = now(&daemon, &booking).await;
    assert_eq!(detail.booking.payment_status, PaymentStatus::Refunded);
    let refund = detail.payments[2].refund.clone().unwrap();
    let there = ask(http.get(format!("{base}/v1/refunds/{refund}"))).await;
    assert_eq!((&there["amount"], &there["status"]), (&json!(24_100), &json!("succeeded")));
    daemon.stop().await;
}

async fn localstripe_tells_of_a_confirmed_payment(engine: Engine) {
    let Some((daemon, base)) = start_at_localstripe(engine).await else { return };
    let (carl, booking) = booked(&daemon).await;
    let http = astrops_api::client::http_client().unwrap();
    // What Stripe's script in a browser does with a card that asks for 3-D Secure.
    let number = json!({ "number": "4000002500003155", "exp_month": "12", "exp_year": "2030", "cvc": "123" });
    let body = json!({ "type": "card", "card": number });
    let method = ask(http.post(format!("{base}/v1/payment_methods")).json(&body)).await;
    let asked = carl.pay(booking.id, &by(method["id"].as_str().unwrap())).await.unwrap();
    assert_eq!(asked.payment.status, PaymentState::RequiresAction);
    let url = format!("{base}/v1/payment_intents/{}", asked.payment.intent.unwrap());
    let secret = ask(http.get(&url)).await["client_secret"].clone();
    ask(http.post(format!("{url}/_authenticate")).json(&json!({ "client_secret": secret, "success": true })))
        .await;
    // Nobody asks; the signed webhook tells.
    daemon.until(async || now(&daemon, &booking).await.booking.payment_status == PaymentStatus::Paid).await;
    daemon.settled().await;
    assert_eq!(mails(&daemon, "we have received 241.00 USD"), 1);
    daemon.stop().await;
}
