//! Payments in the sandbox: what customers see, and what never leaves their fingers.

use astrops_api::{
    Client, Secret,
    bookings::{Booking, CancelBooking, NewBooking, Pay},
    jobs::{JobQuery, Maintenance, NewJob},
    launches::{CancelLaunch, NewLaunch},
    logs::LogQuery,
    money::Money,
    vocabulary::{
        JobStatus, JobType, MaintenanceTask, PaymentMethod, PaymentState, PaymentStatus, Provider, Right,
        Role,
    },
};
use chrono::TimeDelta;
use serde_json::json;

use crate::{
    stories,
    support::{TestDaemon, refusal},
};

stories!(
    a_customer_pays_and_is_told,
    a_refused_card_keeps_the_seats_and_another_one_pays,
    a_customer_confirms_before_the_card_pays,
    who_does_not_confirm_has_not_paid,
    what_was_paid_goes_back_with_the_booking,
    a_cancelled_launch_sends_everything_back,
    nobody_pays_what_is_not_theirs_or_not_owed,
    no_other_number_is_taken_repeated_or_kept,
    a_repeated_payment_gets_its_first_answer,
    refunds_are_not_for_asking,
);

/// Two seats of Aurora 7 for Carl: 241.00.
pub async fn booked(daemon: &TestDaemon) -> (Client, Booking) {
    let sue = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let carl = daemon.sign_in("carl@example.com", Role::Customer, None).await;
    let launch = sue.create_launch(&daemon.new_launch(10)).await.unwrap();
    let order = NewBooking { launch_id: Some(launch.id), event_id: None, ticket_quantity: 2, user_id: None };
    let booking = carl.book(&order).await.unwrap();
    (carl, booking)
}

pub fn card(number: &str) -> Pay {
    Pay { card: Some(Secret::from(number)), payment_method_id: None }
}

/// Fails unless `told` is a refusal of this kind that says so.
pub fn says(told: &str, kind: &str, what: &str) {
    assert!(told.starts_with(kind) && told.contains(what), "{told}");
}

pub fn by(method: &str) -> Pay {
    Pay { card: None, payment_method_id: Some(method.to_owned()) }
}

/// Lets the daemon ask about payments that wait, and waits until it has.
pub async fn check_payments(daemon: &TestDaemon) -> String {
    // A schedule fires once at a time.
    daemon.pass(TimeDelta::seconds(1));
    let operator = daemon.again("ana@example.com").await;
    let run = operator.trigger_schedule("check-payments").await.unwrap();
    daemon.settled().await;
    let job = daemon.again("ana@example.com").await.job(run.job_id.unwrap(), false).await.unwrap().job;
    assert_eq!(job.status, JobStatus::Completed, "{job:?}");
    job.maintenance.unwrap().result.unwrap()
}

async fn a_customer_pays_and_is_told(daemon: TestDaemon) {
    let (carl, booking) = booked(&daemon).await;
    let paid = carl.pay(booking.id, &card("4242 4242 4242 4242")).await.unwrap();
    assert_eq!(paid.booking.payment_status, PaymentStatus::Paid);
    assert_eq!(paid.booking.payment_method, Some(PaymentMethod::CreditCard));
    assert_eq!(paid.booking.payment_transaction_id, paid.payment.intent);
    assert_eq!((paid.payment.provider, paid.payment.status), (Provider::Sandbox, PaymentState::Paid));
    assert_eq!(
        (paid.payment.amount, paid.payment.currency.as_str()),
        (Money::of_minor(24_100).unwrap(), "usd")
    );
    assert_eq!(paid.payment.method.as_deref(), Some("visa 4242"));
    assert_eq!(paid.next_action, None);
    assert_eq!(carl.booking(booking.id).await.unwrap().payments, [paid.payment]);
    says(
        &refusal(carl.pay(booking.id, &card("4242424242424242")).await),
        "409 conflict",
        "the booking is paid",
    );
    daemon.settled().await;
    let mails = daemon.mails_to("carl@example.com");
    assert_eq!(mails.iter().filter(|mail| mail.contains("we have received 241.00 USD")).count(), 1);
    daemon.stop().await;
}

async fn a_refused_card_keeps_the_seats_and_another_one_pays(daemon: TestDaemon) {
    let (carl, booking) = booked(&daemon).await;
    for (number, code) in [
        ("4000000000000002", "card_declined"),
        ("4000000000009995", "insufficient_funds"),
        ("4000000000009987", "lost_card"),
        ("4000000000009979", "stolen_card"),
        ("4000000000000069", "expired_card"),
        ("4000000000000127", "incorrect_cvc"),
        ("4000000000000119", "processing_error"),
    ] {
        let told = refusal(carl.pay(booking.id, &card(number)).await);
        says(&told, "402 card-declined", &format!(": {code}: "));
    }
    let detail = carl.booking(booking.id).await.unwrap();
    assert_eq!(detail.booking.payment_status, PaymentStatus::Failed);
    assert_eq!(detail.booking.payment_method, None);
    assert_eq!(detail.payments.len(), 7);
    assert_eq!(detail.payments[1].error_code.as_deref(), Some("insufficient_funds"));
    assert_eq!(daemon.launch(booking.launch_id).await.number_of_attendees, 2);
    let paid = carl.pay(booking.id, &by("pm_card_visa_debit")).await.unwrap();
    assert_eq!(paid.booking.payment_status, PaymentStatus::Paid);
    assert_eq!(paid.booking.payment_method, Some(PaymentMethod::DebitCard));
    daemon.settled().await;
    let mails = daemon.mails_to("carl@example.com");
    assert_eq!(mails.iter().filter(|mail| mail.contains("was refused")).count(), 7, "one for each attempt");
    daemon.stop().await;
}

async fn a_customer_confirms_before_the_card_pays(daemon: TestDaemon) {
    let (carl, booking) = booked(&daemon).await;
    let asked = carl.pay(booking.id, &card("4000002500003155")).await.unwrap();
    assert_eq!(asked.payment.status, PaymentState::RequiresAction);
    assert_eq!(asked.booking.payment_status, PaymentStatus::Pending);
    let action = asked.next_action.unwrap();
    assert_eq!(action.kind, "redirect");
    assert!(action.url.unwrap().starts_with("https://sandbox.invalid/confirm/pi_sandbox_"));
    // Asking again asks about the same payment.
    let paid = carl.pay(booking.id, &card("4000002500003155")).await.unwrap();
    assert_eq!((paid.payment.id, paid.payment.status), (asked.payment.id, PaymentState::Paid));
    assert_eq!(carl.booking(booking.id).await.unwrap().payments.len(), 1);
    daemon.settled().await;
    daemon.stop().await;
}

async fn who_does_not_confirm_has_not_paid(daemon: TestDaemon) {
    let (carl, booking) = booked(&daemon).await;
    carl.pay(booking.id, &card("4000008400001629")).await.unwrap();
    let told = refusal(carl.pay(booking.id, &card("4000008400001629")).await);
    says(&told, "402 card-declined", ": card_declined: ");
    carl.pay(booking.id, &card("4000002760003184")).await.unwrap();
    // Nobody looks before it is a minute old; after an hour it is given up.
    let asked = check_payments(&daemon).await;
    assert!(asked.contains("0 payments looked at"), "{asked}");
    daemon.pass(TimeDelta::minutes(61));
    daemon
        .until(async || {
            let detail = daemon.again("carl@example.com").await.booking(booking.id).await.unwrap();
            detail.payments[1].status != PaymentState::RequiresAction
        })
        .await;
    let carl = daemon.again("carl@example.com").await;
    let detail = carl.booking(booking.id).await.unwrap();
    assert_eq!(detail.payments[1].error_code.as_deref(), Some("abandoned"));
    assert_eq!(detail.booking.payment_status, PaymentStatus::Failed);
    assert_eq!(
        carl.pay(booking.id, &card("378282246310005")).await.unwrap().payment.status,
        PaymentState::Paid
    );
    daemon.settled().await;
    daemon.stop().await;
}

async fn what_was_paid_goes_back_with_the_booking(daemon: TestDaemon) {
    let (carl, booking) = booked(&daemon).await;
    carl.pay(booking.id, &card("4242424242424242")).await.unwrap();
    let reason = CancelBooking { reason: Some("cannot fly".into()) };
    let cancelled = carl.cancel_booking(booking.id, &reason).await.unwrap();
    assert_eq!(cancelled.payment_status, PaymentStatus::Paid, "a job sends the money back");
    daemon.settled().await;
    let detail = carl.booking(booking.id).await.unwrap();
    assert_eq!(detail.booking.payment_status, PaymentStatus::Refunded);
    assert_eq!(detail.payments[0].status, PaymentState::Refunded);
    assert!(detail.payments[0].refund.as_ref().unwrap().starts_with("re_sandbox_"));
    let mails = daemon.mails_to("carl@example.com");
    assert_eq!(mails.iter().filter(|mail| mail.contains("We have sent 241.00 USD back to you")).count(), 1);
    says(
        &refusal(carl.pay(booking.id, &card("4242424242424242")).await),
        "409 conflict",
        "the booking is cancelled",
    );
    let jobs = daemon
        .operator
        .jobs(&JobQuery { kind: Some(JobType::Maintenance), ..JobQuery::default() })
        .await
        .unwrap()
        .jobs;
    let refund: Vec<_> = jobs
        .iter()
        .filter_map(|job| job.maintenance.as_ref())
        .filter(|care| care.subject.is_some())
        .collect();
    assert_eq!((refund.len(), refund[0].subject), (1, Some(detail.payments[0].id)));
    daemon.stop().await;
}

async fn a_cancelled_launch_sends_everything_back(daemon: TestDaemon) {
    let (carl, first) = booked(&daemon).await;
    let cora = daemon.sign_in("cora@example.com", Role::Customer, None).await;
    let order =
        NewBooking { launch_id: Some(first.launch_id), event_id: None, ticket_quantity: 1, user_id: None };
    let second = cora.book(&order).await.unwrap();
    carl.pay(first.id, &card("4242424242424242")).await.unwrap();
    assert!(cora.pay(second.id, &card("4000000000000002")).await.is_err());
    daemon.operator.cancel_launch(first.launch_id, &CancelLaunch::default()).await.unwrap();
    daemon.settled().await;
    let status = async |caller: &Client, booking: &Booking| {
        caller.booking(booking.id).await.unwrap().booking.payment_status
    };
    assert_eq!(status(&carl, &first).await, PaymentStatus::Refunded);
    assert_eq!(status(&cora, &second).await, PaymentStatus::Failed);
    daemon.stop().await;
}

async fn nobody_pays_what_is_not_theirs_or_not_owed(daemon: TestDaemon) {
    let (carl, booking) = booked(&daemon).await;
    let cora = daemon.sign_in("cora@example.com", Role::Customer, None).await;
    let vera = daemon.sign_in("vera@example.com", Role::Employee, Some(Right::Viewer)).await;
    let sue = daemon.again("sue@example.com").await;
    let visa = card("4242424242424242");
    assert!(refusal(cora.pay(booking.id, &visa).await).starts_with("404 not-found"));
    assert!(refusal(vera.pay(booking.id, &visa).await).starts_with("403"));
    assert!(refusal(sue.pay(booking.id, &visa).await).starts_with("403"));
    assert!(refusal(daemon.anyone.pay(booking.id, &visa).await).starts_with("401"));
    let told = refusal(carl.pay(booking.id, &by("pm_1MqLiJLkdIwHu7ixUEgbFdYF")).await);
    says(&told, "422 invalid", "/paymentMethodId: the sandbox knows: pm_card_visa,");
    assert_eq!(carl.booking(booking.id).await.unwrap().payments, []);
    // An operator pays for somebody on the phone.
    assert_eq!(daemon.operator.pay(booking.id, &visa).await.unwrap().booking.user_id, booking.user_id);
    let free = NewLaunch { price: Money::default(), ..daemon.new_launch(1) };
    let free = sue.create_launch(&free).await.unwrap();
    let order = NewBooking { launch_id: Some(free.id), event_id: None, ticket_quantity: 1, user_id: None };
    let free = carl.book(&order).await.unwrap();
    says(&refusal(carl.pay(free.id, &visa).await), "409 conflict", "the booking is paid");
    daemon.settled().await;
    daemon.stop().await;
}

async fn no_other_number_is_taken_repeated_or_kept(daemon: TestDaemon) {
    let (carl, booking) = booked(&daemon).await;
    let real = "4111111111111111";
    let path = format!("/bookings/{}/payment", booking.id);
    for body in [
        json!({ "card": real }),
        json!({ "card": 4_111_111_111_111_111_i64 }),
        json!({ "card": { "number": real } }),
        json!({ "card": [real] }),
        json!({ "number": real }),
        json!({ real: 1 }),
        json!({ "paymentMethodId": real }),
        json!({ "paymentMethodId": format!("pm_{real}") }),
        json!({ "paymentMethodId": 4_111_111_111_111_111_i64 }),
        json!({ "card": "4242424242424242", "paymentMethodId": "pm_card_visa" }),
        json!({}),
    ] {
        let answer = carl.raw_request("POST".parse().unwrap(), &path).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 422, "{body}");
        let text = answer.text().await.unwrap();
        assert!(!text.contains(real), "{text}");
    }
    let broken = carl.raw_request("POST".parse().unwrap(), &path).header("content-type", "application/json");
    let broken = broken.body(format!("{{\"card\": \"{real}\" \"{real}\"}}")).send().await.unwrap();
    assert_eq!(broken.status(), 400);
    assert!(!broken.text().await.unwrap().contains(real));
    assert!(carl.pay(booking.id, &card("4000000000009995")).await.is_err());
    daemon.settled().await;
    let logs = daemon.operator.logs(&LogQuery { page_size: Some(200), ..LogQuery::default() }).await.unwrap();
    let said = format!("{logs:?} {:?}", carl.booking(booking.id).await.unwrap());
    assert!(said.contains("visa 9995"), "{said}");
    assert!(!said.contains(real) && !said.contains("4000000000009995"), "{said}");
    // Nor in any byte that was kept.
    for folder in [daemon.config.data.dir.clone(), daemon.mail_dir()] {
        for file in
            std::fs::read_dir(folder).unwrap().map(Result::unwrap).filter(|file| file.path().is_file())
        {
            let bytes = std::fs::read(file.path()).unwrap();
            for number in [real, "4000000000009995"] {
                let kept = bytes.windows(number.len()).any(|window| window == number.as_bytes());
                assert!(!kept, "{number} is in {}", file.path().display());
            }
        }
    }
    daemon.stop().await;
}

async fn a_repeated_payment_gets_its_first_answer(daemon: TestDaemon) {
    let (carl, booking) = booked(&daemon).await;
    let send = async |body: serde_json::Value| {
        let path = format!("/bookings/{}/payment", booking.id);
        let request = carl.raw_request("POST".parse().unwrap(), &path).header("idempotency-key", "once");
        let answer = request.json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let first = send(json!({ "paymentMethodId": "pm_card_visa" })).await;
    assert_eq!(first.0, 200, "{}", first.1);
    assert_eq!(send(json!({ "paymentMethodId": "pm_card_visa" })).await, first);
    assert_eq!(send(json!({ "paymentMethodId": "pm_card_amex" })).await.0, 422);
    let visa = card("4242424242424242");
    let twins = futures::future::join_all((0..5).map(|_| carl.pay(booking.id, &visa)));
    assert!(twins.await.into_iter().all(|twin| refusal(twin).starts_with("409")));
    assert_eq!(carl.booking(booking.id).await.unwrap().payments.len(), 1);
    daemon.settled().await;
    daemon.stop().await;
}

async fn refunds_are_not_for_asking(daemon: TestDaemon) {
    let care = |task, subject| NewJob {
        kind: JobType::Maintenance,
        notification: None,
        reconciliation: None,
        maintenance: Some(Maintenance { subject, ..Maintenance::of(task) }),
        run_at: None,
        priority: None,
        max_attempts: None,
        unique_key: None,
    };
    let id = Some(uuid::Uuid::from_u128(7));
    for subject in [None, id] {
        let told = refusal(daemon.operator.create_job(&care(MaintenanceTask::RefundPayment, subject)).await);
        says(&told, "422 invalid", "/maintenance/task: refund-payment comes from");
    }
    let told = refusal(daemon.operator.create_job(&care(MaintenanceTask::PruneLogs, id)).await);
    says(&told, "422 invalid", "/maintenance/subject");
    // Webhooks are Stripe's, and nobody here is Stripe.
    let answer = daemon.raw_anyone().send("POST", "/payments/webhook", Some("{}")).await;
    assert_eq!(answer.status, 404);
    assert!(answer.problem().detail.contains("payments.provider is not"));
    daemon.stop().await;
}
