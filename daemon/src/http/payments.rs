//! /bookings/{id}/payment and the webhook of Stripe.

use astrops_api::{
    bookings::{Paid, Pay, Payment},
    ids::BookingId,
    vocabulary::{EventType, PaymentState, Provider, Severity},
};
use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde_json::json;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    ApiError, ApiResult, App, Caller,
    bookings::{check_visible, seen_by},
    docs::Problems,
    error::Kind,
    extract::{Body, Path},
    work::{Audit, Work},
};
use crate::{
    auth::Principal,
    booking::{Act, Refusal},
    logs::Entry,
    payments::{
        cards, next_action,
        provider::{Report, Unknown},
        webhook,
    },
    store::{
        bookings,
        payments::{self, StoredPayment},
    },
};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(pay))
}

/// Apart, because Stripe's events may be larger than other bodies.
pub fn webhook_route() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(webhook))
}

/// A payment as the API shows it.
pub fn view(payment: StoredPayment) -> Payment {
    let method = cards::public_name(&payment.method);
    payment.view(method)
}

/// Pay a booking
///
/// With the number of a published test card, or a payment method of the provider. Sending it again is harmless: a payment
/// that is open is asked about, and nobody is charged twice.
#[utoipa::path(post, path = "/bookings/{id}/payment", tag = "bookings", params(("id" = BookingId, Path,)),
    request_body = Pay, responses((status = 200, body = Paid), (status = 202, body = Paid), Problems))]
async fn pay(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<BookingId>,
    body: Result<Body<Pay>, ApiError>,
) -> ApiResult<Response> {
    let Body(body, fingerprint) = body.map_err(ApiError::without_numbers)?;
    let method = cards::chosen(&body).map_err(|error| ApiError::fields(vec![error]))?;
    let (by, target) = (caller.principal.name(), id.to_string());

    let mut work = Work::create(&app, &caller, fingerprint.clone()).await?;
    let stored = bookings::lock(&mut work.tx, id).await?.ok_or(Refusal::NoBooking(id))?;
    check_visible(&caller.principal, &stored)?;
    let act = Act { by: &by, now: work.now };
    let payment = app.cashier.begin(&mut work.tx, act, &stored, method).await?;
    let details = json!({ "paymentId": payment.id, "amount": payment.amount, "method": payment.method });
    work.commit(Audit { action: "payment.begin", target: &target, details }).await?;

    // No transaction is open while the provider thinks. Whatever goes wrong from here on, `check-payments` or the same
    // request finds the payment and asks again.
    let answer = app.cashier.providers().ask(&payment).await;

    let mut work = Work::create(&app, &caller, fingerprint).await?;
    let payment = match &answer {
        Ok(report) => {
            let act = Act { by: &by, now: work.now };
            app.cashier.settle(&mut work.tx, act, payment.id, report).await?
        }
        Err(why) => {
            tracing::warn!(payment.id = %payment.id, "a payment is open: {why}");
            let told = format!("payment {} is open: {why}", payment.id);
            let data = json!({ "entityType": "booking", "entityId": id, "paymentId": payment.id });
            let entry = Entry::new(&app.clock, EventType::Booking, Severity::Warning, told).data(data);
            work.log(entry).await?;
            payments::find(&mut work.tx, payment.id).await?
        }
    };
    let payment = payment.ok_or_else(|| anyhow::anyhow!("the payment just begun is not there"))?;
    let stored = bookings::find(&mut work.tx, id).await?.ok_or(Refusal::NoBooking(id))?;
    let details =
        json!({ "paymentId": payment.id, "status": payment.status, "errorCode": payment.error_code });
    let audit = Audit { action: "payment.ask", target: &target, details };
    let status = match payment.status {
        PaymentState::Paid => StatusCode::OK,
        PaymentState::RequiresAction => StatusCode::ACCEPTED,
        PaymentState::Pending if answer.is_ok() => StatusCode::ACCEPTED,
        _ => {
            work.commit(audit).await?;
            return Err(refusal(&payment, answer));
        }
    };
    let paid = Paid {
        booking: seen_by(&caller.principal, stored.booking),
        next_action: next_action(&payment),
        payment: view(payment),
    };
    work.answer(status, audit, &paid).await
}

/// Why `payment` has not paid.
fn refusal(payment: &StoredPayment, answer: Result<Report, Unknown>) -> ApiError {
    match (payment.status, answer) {
        (PaymentState::Failed, _) => ApiError::new(
            Kind::CardDeclined,
            format!(
                "{}: {} Nothing was charged; try again, perhaps with another card",
                payment.error_code.as_deref().unwrap_or("declined"),
                payment.error_text.as_deref().unwrap_or_default()
            ),
        ),
        (PaymentState::Pending, Err(why)) => ApiError::new(
            Kind::PaymentOpen,
            format!(
                "{why}. Payment {} stays open: send this again, or wait until check-payments asks; nobody is charged twice",
                payment.id
            ),
        ),
        _ => ApiError::new(
            Kind::Conflict,
            format!("the booking was cancelled or paid meanwhile; payment {} goes back", payment.id),
        ),
    }
}

/// What Stripe tells by itself
///
/// For Stripe only: the body is an event that `Stripe-Signature` signs. Told twice or out of order it does no harm.
#[utoipa::path(post, path = "/payments/webhook", tag = "bookings", security(()),
    request_body(content = Object, description = "An event of Stripe"),
    responses((status = 200, description = "Heard"), Problems))]
async fn webhook(
    State(app): State<App>,
    mut caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> ApiResult<StatusCode> {
    let Some(secret) = app.cashier.webhook_secret() else {
        let told = "this daemon takes no webhooks: payments.provider is not \"stripe\"";
        return Err(ApiError::new(Kind::NotFound, told));
    };
    let signature = headers.get("stripe-signature").and_then(|value| value.to_str().ok());
    let signed = signature
        .ok_or("is missing or not text")
        .and_then(|header| webhook::verify(header, &body, secret, app.clock.now()))
        .map_err(|wrong| format!("Stripe-Signature {wrong}"));
    let event = match signed.and_then(|()| webhook::Event::read(&body).map_err(ToOwned::to_owned)) {
        Ok(event) => event,
        Err(wrong) => return Err(unheard(&app, &caller, wrong)),
    };
    caller.principal = Principal::Provider(Provider::Stripe);
    let mut work = Work::begin(&app, &caller).await?;
    if !payments::see_event(&mut work.tx, Provider::Stripe, &event.id, &event.kind, work.now).await? {
        return Ok(StatusCode::OK);
    }
    let Some(said) = event.said() else {
        work.tx.commit().await?;
        return Ok(StatusCode::OK);
    };
    let mut known = payments::by_intent(&mut work.tx, Provider::Stripe, &said.intent).await?;
    if let (None, Some(id)) = (&known, said.payment) {
        known = payments::find(&mut work.tx, id).await?;
    }
    let known = known.filter(|payment| payment.provider == Provider::Stripe && said.fits(payment));
    let Some(payment) = known else {
        // Another program's payment, or somebody's mistake: Stripe would only repeat it.
        let told =
            format!("{} of {} is about no payment of ours, or another amount", event.kind, said.intent);
        work.log(Entry::new(&app.clock, EventType::Booking, Severity::Warning, told)).await?;
        work.tx.commit().await?;
        return Ok(StatusCode::OK);
    };
    let by = caller.principal.name();
    let act = Act { by: &by, now: work.now };
    let now = app.cashier.settle(&mut work.tx, act, payment.id, &said.report).await?;
    let target = payment.booking.to_string();
    let details = json!({
        "event": event.id, "type": event.kind, "paymentId": payment.id,
        "from": payment.status, "to": now.map(|now| now.status),
    });
    work.commit(Audit { action: "payment.webhook", target: &target, details }).await?;
    Ok(StatusCode::OK)
}

/// 400, told in the system log once per address and second.
fn unheard(app: &App, caller: &Caller, wrong: String) -> ApiError {
    let address = caller.ip.as_deref();
    if app.refusals.is_first(&format!("webhook {}", address.unwrap_or_default()), app.clock.now()) {
        let told = format!("POST /payments/webhook refused: {wrong}");
        let entry = Entry::new(&app.clock, EventType::Auth, Severity::Warning, told)
            .address(address)
            .data(json!({ "requestId": caller.request_id }));
        app.recorder.record_soon(entry.into());
    }
    ApiError::new(Kind::BadRequest, wrong)
}
