//! Stripe as it answers, does not answer, and answers nonsense; webhooks as Stripe and others sign them.

use std::{sync::Once, time::Duration};

use astrops_api::{
    ids::BookingId,
    money::Money,
    vocabulary::{PaymentState, Provider},
};
use ring::hmac;
use secrecy::SecretString;
use serde_json::{Value, json};
use uuid::Uuid;
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{body_string_contains, header, method, path},
};

use super::{
    provider::{RefundError, Report, Unknown},
    state::Fate,
    stripe::Stripe,
    webhook::{Event, verify},
};
use crate::{auth::digest::hex, config::StripeConfig, store::payments::StoredPayment, testing::noon};

pub fn payment() -> StoredPayment {
    StoredPayment {
        id: Uuid::from_u128(7),
        booking: BookingId(Uuid::from_u128(8)),
        provider: Provider::Stripe,
        intent: None,
        amount: Money::of_minor(12_050).unwrap(),
        currency: "usd".to_owned(),
        status: PaymentState::Pending,
        method: "pm_card_visa".to_owned(),
        error_code: None,
        error_text: None,
        action_url: None,
        refund: None,
        created_at: noon(),
        updated_at: noon(),
    }
}

fn stripe(server: &MockServer) -> Stripe {
    stripe_at(server.uri())
}

fn stripe_at(api_base: String) -> Stripe {
    static CRYPTO: Once = Once::new();
    CRYPTO.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    let http = reqwest::Client::builder()
        .timeout(Duration::from_millis(500))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .unwrap();
    let config = StripeConfig {
        api_base,
        secret_key: Some("sk_test_s3cret".into()),
        return_url: Some("https://astro.test/paid".to_owned()),
        webhook_secret: None,
    };
    Stripe::new(http, &config).unwrap()
}

fn intent(status: &str) -> Value {
    json!({ "id": "pi_1", "object": "payment_intent", "amount": 12_050, "currency": "usd", "status": status })
}

/// What the client makes of one answer to a charge.
async fn charged(answer: ResponseTemplate) -> Result<Report, Unknown> {
    let server = MockServer::start().await;
    Mock::given(method("POST")).and(path("/v1/payment_intents")).respond_with(answer).mount(&server).await;
    stripe(&server).charge(&payment()).await
}

fn said(fate: Fate) -> Report {
    Report { intent: Some("pi_1".to_owned()), fate }
}

fn refused(status: u16, error: &Value) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(json!({ "error": error }))
}

#[tokio::test]
async fn a_charge_carries_our_id_as_its_key_and_no_number() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/v1/payment_intents"))
        .and(header("idempotency-key", "pay-00000000-0000-0000-0000-000000000007"))
        .and(header("authorization", "Bearer sk_test_s3cret"))
        .and(body_string_contains("amount=12050&currency=usd&payment_method=pm_card_visa"))
        .and(body_string_contains("metadata%5Bastrops_payment%5D=00000000-0000-0000-0000-000000000007"))
        .and(body_string_contains("return_url=https%3A%2F%2Fastro.test%2Fpaid"))
        .respond_with(ResponseTemplate::new(200).set_body_json(intent("succeeded")))
        .expect(2)
        .mount(&server)
        .await;
    let stripe = stripe(&server);
    assert_eq!(stripe.charge(&payment()).await, Ok(said(Fate::Succeeded)));
    assert_eq!(stripe.charge(&payment()).await, Ok(said(Fate::Succeeded)));
    for request in server.received_requests().await.unwrap() {
        assert!(!String::from_utf8_lossy(&request.body).contains("4242"));
    }
}

#[tokio::test]
async fn every_status_of_an_intent_means_something() {
    let ok = |body: Value| ResponseTemplate::new(200).set_body_json(body);
    let mut action = intent("requires_action");
    action["next_action"] =
        json!({ "type": "redirect_to_url", "redirect_to_url": { "url": "https://hooks.stripe.test/3ds" } });
    assert_eq!(
        charged(ok(action.clone())).await,
        Ok(said(Fate::RequiresAction(Some("https://hooks.stripe.test/3ds".to_owned()))))
    );
    action["next_action"]["redirect_to_url"]["url"] = json!("javascript:alert(1)");
    assert_eq!(charged(ok(action)).await, Ok(said(Fate::RequiresAction(None))));
    assert_eq!(charged(ok(intent("processing"))).await, Ok(said(Fate::Processing)));
    assert_eq!(charged(ok(intent("a_word_of_tomorrow"))).await, Ok(said(Fate::Processing)));
    assert_eq!(charged(ok(intent("canceled"))).await, Ok(said(super::abandoned())));
    let mut failed = intent("requires_payment_method");
    failed["last_payment_error"] = json!({ "code": "authentication_failure", "message": "no" });
    assert_eq!(
        charged(ok(failed)).await,
        Ok(said(Fate::Declined("authentication_failure".to_owned(), "no".to_owned())))
    );
}

#[tokio::test]
async fn what_stripe_refuses_for_certain_is_declined_with_its_code() {
    let error = json!({
        "type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds",
        "message": "Your card\n4111 1111 1111 1111 has insufficient funds.", "payment_intent": { "id": "pi_1" },
    });
    let expected = Fate::Declined(
        "insufficient_funds".to_owned(),
        "Your card [number] has insufficient funds.".to_owned(),
    );
    assert_eq!(charged(refused(402, &error)).await, Ok(said(expected)));
    for (error, code) in [
        (
            json!({ "type": "card_error", "code": "card_declined", "decline_code": "generic_decline" }),
            "card_declined",
        ),
        (json!({ "type": "card_error", "code": "expired_card" }), "expired_card"),
        (json!({ "type": "invalid_request_error", "code": "resource_missing" }), "resource_missing"),
        (json!({ "type": "card_error", "code": "<script>" }), "declined"),
        (json!({ "type": "card_error" }), "declined"),
    ] {
        let report = charged(refused(402, &error)).await.unwrap();
        assert!(matches!(&report.fate, Fate::Declined(said, _) if said == code), "{report:?}");
        assert_eq!(report.intent, None);
    }
}

#[tokio::test]
async fn whatever_else_goes_wrong_is_unknown_and_says_no_secret() {
    let invalid = json!({ "type": "invalid_request_error", "message": "Invalid API Key provided" });
    let mut other_amount = intent("succeeded");
    other_amount["amount"] = json!(1);
    let mut other_currency = intent("succeeded");
    other_currency["currency"] = json!("eur");
    let mut strange_id = intent("succeeded");
    strange_id["id"] = json!("../refunds");
    let ok = |body: &Value| ResponseTemplate::new(200).set_body_json(body);
    for (answer, told) in [
        (refused(500, &json!({ "type": "api_error" })), "(500)"),
        (refused(400, &json!({ "type": "idempotency_error" })), "(400)"),
        (refused(409, &json!({ "type": "invalid_request_error" })), "(409)"),
        (refused(429, &json!({ "type": "invalid_request_error" })), "(429)"),
        (refused(401, &invalid), "(401): Invalid API Key provided"),
        (ResponseTemplate::new(404).set_body_string("<html>not here</html>"), "(404)"),
        (ResponseTemplate::new(302).insert_header("location", "https://elsewhere.test/"), "(302)"),
        (ResponseTemplate::new(200).set_body_string("{\"id\": \"pi_1\""), "cannot be understood"),
        (ResponseTemplate::new(200).set_body_string("[]"), "cannot be understood"),
        (ResponseTemplate::new(200).set_body_bytes(vec![b' '; 300 * 1024]), "larger than"),
        (ok(&other_amount), "another payment, amount or currency"),
        (ok(&other_currency), "another payment, amount or currency"),
        (ok(&strange_id), "another payment, amount or currency"),
        (ok(&intent("succeeded")).set_delay(Duration::from_secs(30)), "did not answer in time"),
    ] {
        let why = charged(answer).await.unwrap_err().to_string();
        assert!(why.contains(told), "{why} has not: {told}");
        assert!(!why.contains("s3cret"), "{why}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unknown() {
    let freed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = stripe_at(format!("http://{freed}")).look(&payment(), "pi_1").await.unwrap_err();
    let Unknown::Silent(why) = error else { panic!("{error}") };
    assert!(why.starts_with("Stripe cannot be reached: "), "{why}");
}

#[tokio::test]
async fn a_payment_that_has_succeeded_meanwhile_is_not_given_up() {
    let server = MockServer::start().await;
    let error = json!({ "type": "invalid_request_error", "code": "payment_intent_unexpected_state" });
    Mock::given(path("/v1/payment_intents/pi_1/cancel"))
        .respond_with(refused(400, &error))
        .mount(&server)
        .await;
    Mock::given(method("GET"))
        .and(path("/v1/payment_intents/pi_1"))
        .respond_with(ResponseTemplate::new(200).set_body_json(intent("succeeded")))
        .mount(&server)
        .await;
    assert_eq!(stripe(&server).cancel(&payment(), "pi_1").await, Ok(said(Fate::Succeeded)));
}

#[tokio::test]
async fn a_refund_succeeds_waits_or_is_refused() {
    let refunded = async |answer: ResponseTemplate| {
        let server = MockServer::start().await;
        Mock::given(path("/v1/refunds"))
            .and(header("idempotency-key", "refund-00000000-0000-0000-0000-000000000007"))
            .and(body_string_contains("payment_intent=pi_1"))
            .respond_with(answer)
            .expect(1)
            .mount(&server)
            .await;
        stripe(&server).refund(&payment(), "pi_1").await
    };
    let status =
        |status: &str| ResponseTemplate::new(200).set_body_json(json!({ "id": "re_1", "status": status }));
    assert_eq!(refunded(status("succeeded")).await, Ok(Some("re_1".to_owned())));
    assert_eq!(refunded(status("pending")).await, Ok(Some("re_1".to_owned())));
    assert!(matches!(refunded(status("failed")).await, Err(RefundError::Refused(_))));
    let error = |code: &str| json!({ "type": "invalid_request_error", "code": code, "message": "no" });
    assert_eq!(refunded(refused(400, &error("charge_already_refunded"))).await, Ok(None));
    assert_eq!(
        refunded(refused(400, &error("charge_disputed"))).await,
        Err(RefundError::Refused("Stripe refused the refund (400): no".to_owned()))
    );
    assert!(matches!(refunded(refused(503, &error("x"))).await, Err(RefundError::Unknown(_))));
}

fn signature(secret: &str, time: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hex(hmac::sign(&key, format!("{time}.{body}").as_bytes()).as_ref())
}

#[test]
fn a_signature_holds_for_one_body_one_secret_and_five_minutes() {
    let (body, secret, now) = ("{\"id\": \"evt_1\"}", SecretString::from("whsec_1"), noon().timestamp());
    let judge = |header: &str, body: &str| verify(header, body.as_bytes(), &secret, noon());
    let good = signature("whsec_1", now, body);
    assert_eq!(judge(&format!("t={now},v1={good}"), body), Ok(()));
    assert_eq!(
        judge(&format!("t={now}, v0=00, v1=00ff, v1=zz, v1={good}"), body),
        Ok(()),
        "while secrets change"
    );
    for off in [-300, 300] {
        let time = now + off;
        assert_eq!(judge(&format!("t={time},v1={}", signature("whsec_1", time, body)), body), Ok(()));
    }
    for (header, told) in [
        (format!("t={},v1={}", now - 301, signature("whsec_1", now - 301, body)), "300 seconds"),
        (format!("t={},v1={}", now + 301, signature("whsec_1", now + 301, body)), "300 seconds"),
        (format!("t={now},v1={}", signature("whsec_2", now, body)), "does not sign"),
        (format!("t={},v1={good}", now + 1), "does not sign"),
        (format!("t={now},v1={}", &good[1..]), "does not sign"),
        (format!("t={now},v1="), "does not sign"),
        (format!("t={now}"), "does not sign"),
        (format!("v1={good}"), "has no time"),
        (format!("t=soon,v1={good}"), "no number"),
        (format!("t={now}9999999999999999999,v1={good}"), "no number"),
        (String::new(), "has no time"),
        ("é=ü,,=,t".to_owned(), "has no time"),
    ] {
        let wrong = judge(&header, body).unwrap_err();
        assert!(wrong.contains(told), "{header}: {wrong}");
    }
    assert!(judge(&format!("t={now},v1={good}"), "{\"id\": \"evt_2\"}").is_err(), "another body");
    let overflow = format!("t={},v1={}", i64::MIN, signature("whsec_1", i64::MIN, body));
    assert!(judge(&overflow, body).is_err());
}

#[test]
fn an_event_says_what_became_of_which_money() {
    let event = |kind: &str, object: Value| {
        let body = json!({ "id": "evt_1", "type": kind, "data": { "object": object } }).to_string();
        Event::read(body.as_bytes()).unwrap().said()
    };
    let mut paid = intent("succeeded");
    paid["metadata"] = json!({ "astrops_payment": Uuid::from_u128(7) });
    let heard = event("payment_intent.succeeded", paid).unwrap();
    assert_eq!((heard.intent.as_str(), heard.payment), ("pi_1", Some(Uuid::from_u128(7))));
    assert_eq!(heard.report.fate, Fate::Succeeded);
    assert!(heard.fits(&payment()));
    for other in [
        StoredPayment { amount: Money::of_minor(1).unwrap(), ..payment() },
        StoredPayment { currency: "eur".to_owned(), ..payment() },
        StoredPayment { intent: Some("pi_2".to_owned()), ..payment() },
    ] {
        assert!(!heard.fits(&other), "{other:?}");
    }
    let charge = |refunded: i64| {
        json!({ "id": "ch_1", "payment_intent": "pi_1", "amount": 12_050, "amount_refunded": refunded, "currency": "usd",
                "refunds": { "data": [{ "id": "re_1" }] } })
    };
    let back = event("charge.refunded", charge(12_050)).unwrap();
    assert_eq!(back.report.fate, Fate::Refunded(Some("re_1".to_owned())));
    assert!(event("charge.refunded", charge(1)).is_none(), "a part that went back leaves it paid");
    assert!(event("customer.created", json!({ "id": "cus_1" })).is_none());
    assert!(event("payment_intent.succeeded", json!({ "id": "pi_1" })).is_none());
    for wrong in ["", "{}", "[1]", "{\"id\": \"../\", \"type\": \"x\", \"data\": {\"object\": {}}}"] {
        assert!(Event::read(wrong.as_bytes()).is_err(), "{wrong}");
    }
}
