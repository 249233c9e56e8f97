//! Registering, signing in and out.

use astrops_api::{
    Secret,
    auth::{Login, Register},
    jobs::JobQuery,
    logs::LogQuery,
    vocabulary::{EventType, Right, Role, Severity},
};

use crate::{
    stories,
    support::{PASSWORD, TestDaemon, login, refusal},
};

stories!(
    a_customer_registers_and_is_known_until_they_sign_out,
    nobody_makes_themselves_an_employee,
    unknown_wrong_and_right_look_as_they_should,
    a_token_ends_with_its_hour,
);

fn register(email: &str, role: Option<Role>) -> Register {
    Register {
        email: email.to_owned(),
        password: PASSWORD.into(),
        role,
        name: Some("Zoë".to_owned()),
        right: None,
    }
}

async fn a_customer_registers_and_is_known_until_they_sign_out(daemon: TestDaemon) {
    let registered = daemon.anyone.register(&register("Zoe@Example.com", None)).await.unwrap();
    assert_eq!((registered.user.email.as_str(), registered.user.role), ("zoe@example.com", Role::Customer));
    let zoe = daemon.anyone.with_token(registered.token.unwrap());
    assert_eq!(zoe.me().await.unwrap().user, registered.user);
    assert!(
        refusal(daemon.anyone.register(&register("ZOE@example.com", None)).await)
            .starts_with("409 email-taken")
    );
    assert!(refusal(zoe.jobs(&JobQuery::default()).await).starts_with("403 forbidden"));
    zoe.logout().await.unwrap();
    assert!(refusal(zoe.me().await).starts_with("401 sign-in-required"));
    daemon.stop().await;
}

async fn nobody_makes_themselves_an_employee(daemon: TestDaemon) {
    let employee = register("eve@example.com", Some(Role::Employee));
    assert!(refusal(daemon.anyone.register(&employee).await).starts_with("403 forbidden"));
    let customer = daemon.sign_in("carl@example.com", Role::Customer, None).await;
    assert!(refusal(customer.register(&employee).await).starts_with("403 forbidden"));
    let with_right =
        Register { right: Some(Right::Operator), ..register("carla@example.com", Some(Role::Customer)) };
    assert!(refusal(daemon.anyone.register(&with_right).await).contains("/right"));
    // An operator does, and gets no token of the new one; without a word it is a viewer.
    let made = daemon.operator.register(&employee).await.unwrap();
    assert!(made.token.is_none());
    assert_eq!(made.user.right, Some(Right::Viewer));
    daemon.stop().await;
}

async fn unknown_wrong_and_right_look_as_they_should(daemon: TestDaemon) {
    let wrong = Login::new("ana@example.com", Secret::from("not the password"));
    let unknown = Login { email: "nobody@example.com".to_owned(), ..wrong.clone() };
    let first = refusal(daemon.anyone.login(&wrong).await);
    assert_eq!(first, refusal(daemon.anyone.login(&unknown).await));
    assert!(first.starts_with("401 invalid-credentials"));
    daemon.anyone.login(&login(" ANA@example.com ")).await.unwrap();
    let query = LogQuery {
        event_type: Some(EventType::Auth),
        severity: Some(Severity::Warning),
        ..LogQuery::default()
    };
    let page = daemon.logged(&query, |page| page.total == 2).await;
    assert!(page.logs.iter().all(|entry| entry.message.starts_with("sign-in failed for ")));
    daemon.stop().await;
}

async fn a_token_ends_with_its_hour(daemon: TestDaemon) {
    let zoe = daemon.sign_in("zoe@example.com", Role::Customer, None).await;
    daemon.pass(chrono::TimeDelta::minutes(59));
    zoe.me().await.unwrap();
    daemon.pass(chrono::TimeDelta::minutes(2));
    assert!(refusal(zoe.me().await).starts_with("401 sign-in-required"));
    // The token that has run out does not keep her from signing in again.
    zoe.login(&login("zoe@example.com")).await.unwrap();
    daemon.stop_leaving_jobs().await;
}
