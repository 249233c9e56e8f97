//! Sessions: refreshed, listed and ended.

use astrops_api::{
    Client, Secret,
    auth::{ChangePassword, Login, Refresh, SignedIn},
    logs::{LogQuery, LogStreamQuery},
    vocabulary::{EventType, Right, Role, Severity},
};
use chrono::TimeDelta;
use futures::StreamExt as _;

use crate::{
    stories,
    support::{DEADLINE, PASSWORD, TestDaemon, login, refusal},
};

stories!(
    a_refresh_token_is_good_once_and_a_lost_answer_is_given_again,
    a_spent_refresh_token_ends_the_session_of_both_who_have_it,
    refreshes_at_once_get_the_same_successor,
    a_session_slides_to_its_thirtieth_day,
    what_is_no_living_refresh_token_gets_nothing,
    sessions_are_told_apart_and_ended_by_their_owner,
    a_new_password_ends_the_other_sessions,
    a_disabled_user_and_a_changed_role_act_at_the_next_request,
    an_operator_ends_the_sessions_of_a_user_and_their_streams,
);

fn with(token: &Secret) -> Refresh {
    Refresh { refresh_token: token.clone() }
}

/// Zoe signs in on a device.
async fn on(daemon: &TestDaemon, device: &str) -> (Client, SignedIn) {
    let body = Login { device_id: Some(device.to_owned()), ..login("zoe@example.com") };
    let signed_in = daemon.anyone.login(&body).await.unwrap();
    (daemon.anyone.with_token(signed_in.token.clone()), signed_in)
}

async fn a_refresh_token_is_good_once_and_a_lost_answer_is_given_again(daemon: TestDaemon) {
    daemon.sign_in("zoe@example.com", Role::Customer, None).await;
    let (_, first) = on(&daemon, "phone").await;
    daemon.pass(TimeDelta::minutes(61));
    let second = daemon.anyone.refresh(&with(&first.refresh_token)).await.unwrap();
    assert_eq!(second.expires_in, 3600);
    assert_ne!(second.refresh_token, first.refresh_token);
    let zoe = daemon.anyone.with_token(second.token.clone());
    assert_eq!(zoe.me().await.unwrap().user, first.user);
    // The answer was lost on its way: the same successor, and it is still good.
    daemon.pass(TimeDelta::seconds(10));
    let again = daemon.anyone.refresh(&with(&first.refresh_token)).await.unwrap();
    assert_eq!(again.refresh_token, second.refresh_token);
    daemon.anyone.with_token(again.token).me().await.unwrap();
    let third = daemon.anyone.refresh(&with(&second.refresh_token)).await.unwrap();
    assert_ne!(third.refresh_token, second.refresh_token);
    // It is one session all along.
    let devices: Vec<_> =
        zoe.sessions().await.unwrap().sessions.into_iter().filter_map(|s| s.device_info.device_id).collect();
    assert_eq!(devices, ["phone"]);
    assert_eq!(daemon.count("SELECT COUNT(*) FROM audit_log WHERE action = 'auth.refresh'").await, 2);
    zoe.logout().await.unwrap();
    assert!(refusal(daemon.anyone.refresh(&with(&third.refresh_token)).await).starts_with("401"));
    daemon.stop_leaving_jobs().await;
}

async fn a_spent_refresh_token_ends_the_session_of_both_who_have_it(daemon: TestDaemon) {
    daemon.sign_in("zoe@example.com", Role::Customer, None).await;
    let (_, stolen) = on(&daemon, "phone").await;
    let (other, _) = on(&daemon, "laptop").await;
    let owners = daemon.anyone.refresh(&with(&stolen.refresh_token)).await.unwrap();
    daemon.pass(TimeDelta::milliseconds(10_001));
    assert!(
        refusal(daemon.anyone.refresh(&with(&stolen.refresh_token)).await)
            .starts_with("401 sign-in-required")
    );
    let zoe = daemon.anyone.with_token(owners.token);
    assert!(refusal(zoe.me().await).starts_with("401"), "the access token ends at once");
    assert!(refusal(daemon.anyone.refresh(&with(&owners.refresh_token)).await).starts_with("401"));
    other.me().await.expect("another session of hers goes on");
    let query = LogQuery {
        event_type: Some(EventType::Auth),
        severity: Some(Severity::Critical),
        ..LogQuery::default()
    };
    let page = daemon.operator.logs(&query).await.unwrap();
    assert_eq!(page.total, 1, "once, however often it is tried");
    assert_eq!(page.logs[0].user_id, Some(stolen.user.id));
    assert!(page.logs[0].message.contains("zoe@example.com"), "{:?}", page.logs[0]);
    assert_eq!(daemon.count("SELECT COUNT(*) FROM audit_log WHERE action = 'auth.refresh-reuse'").await, 1);
    daemon.stop().await;
}

async fn refreshes_at_once_get_the_same_successor(daemon: TestDaemon) {
    daemon.sign_in("zoe@example.com", Role::Customer, None).await;
    let (_, first) = on(&daemon, "phone").await;
    let body = with(&first.refresh_token);
    let answers = futures::future::join_all((0..8).map(|_| daemon.anyone.refresh(&body))).await;
    let successors: Vec<_> = answers.into_iter().map(|answer| answer.unwrap().refresh_token).collect();
    assert!(successors.iter().all(|one| *one == successors[0]));
    assert_eq!(daemon.count("SELECT COUNT(*) FROM sessions WHERE generation = 1").await, 1);
    daemon.anyone.refresh(&with(&successors[0])).await.unwrap();
    daemon.stop().await;
}

async fn a_session_slides_to_its_thirtieth_day(daemon: TestDaemon) {
    daemon.sign_in("zoe@example.com", Role::Customer, None).await;
    let (_, mut first) = on(&daemon, "phone").await;
    let (_, idle) = on(&daemon, "laptop").await;
    let began = daemon.now();
    let mut ends = Vec::new();
    for _ in 0..3 {
        daemon.pass(TimeDelta::days(13) - TimeDelta::hours(3));
        let next = daemon.anyone.refresh(&with(&first.refresh_token)).await.unwrap();
        let zoe = daemon.anyone.with_token(next.token);
        let sessions = zoe.sessions().await.unwrap().sessions;
        let current = sessions.iter().find(|session| session.is_current).unwrap();
        ends.push(current.expires_at - daemon.now());
        first.refresh_token = next.refresh_token;
        if current.expires_at - began == TimeDelta::days(30) {
            break;
        }
    }
    assert_eq!(ends[0], TimeDelta::days(14));
    assert_eq!(ends.len(), 2, "{ends:?}");
    assert!(refusal(daemon.anyone.refresh(&with(&idle.refresh_token)).await).starts_with("401"));
    // The last access token says when it really ends.
    daemon.pass(ends[1] - TimeDelta::minutes(10));
    let last = daemon.anyone.refresh(&with(&first.refresh_token)).await.unwrap();
    assert_eq!(last.expires_in, 600);
    daemon.pass(TimeDelta::minutes(10));
    assert!(refusal(daemon.anyone.refresh(&with(&last.refresh_token)).await).starts_with("401"));
    assert!(refusal(daemon.anyone.with_token(last.token).me().await).starts_with("401"));
    daemon.stop_leaving_jobs().await;
}

async fn what_is_no_living_refresh_token_gets_nothing(daemon: TestDaemon) {
    daemon.sign_in("zoe@example.com", Role::Customer, None).await;
    let (_, signed_in) = on(&daemon, "phone").await;
    let token = signed_in.refresh_token.expose();
    // A flipped last digit, the next generation, an access token, nothing.
    let flipped = format!("{}{}", &token[..token.len() - 1], if token.ends_with('0') { '1' } else { '0' });
    let next = format!("{}0000000000000001{}", &token[..35], &token[51..]);
    for forged in [flipped.as_str(), &next, signed_in.token.expose(), "", "ar_"] {
        let answer = daemon.anyone.refresh(&Refresh { refresh_token: forged.into() }).await;
        assert!(refusal(answer).starts_with("401 sign-in-required"), "{forged}");
    }
    assert!(refusal(daemon.anyone.with_token(signed_in.refresh_token.clone()).me().await).starts_with("401"));
    daemon.anyone.refresh(&with(&signed_in.refresh_token)).await.expect("forgeries end nothing");
    daemon.stop().await;
}

async fn sessions_are_told_apart_and_ended_by_their_owner(daemon: TestDaemon) {
    let carl = daemon.sign_in("carl@example.com", Role::Customer, None).await;
    daemon.sign_in("zoe@example.com", Role::Customer, None).await;
    let (phone, _) = on(&daemon, "Zoë's phone").await;
    daemon.pass(TimeDelta::minutes(5));
    let (laptop, _) = on(&daemon, "laptop").await;
    let sessions = laptop.sessions().await.unwrap().sessions;
    assert_eq!(sessions.len(), 3, "the one of her first sign-in has no name");
    assert_eq!(sessions[0].device_info.device_id.as_deref(), Some("laptop"), "the last used first");
    assert!(sessions[0].is_current && sessions[1..].iter().all(|session| !session.is_current));
    assert!(sessions.iter().all(|session| session.device_info.ip.as_deref() == Some("127.0.0.1")));
    assert_eq!(sessions[0].expires_at - sessions[0].created_at, TimeDelta::days(14));
    let of_phone =
        sessions.iter().find(|s| s.device_info.device_id.as_deref() == Some("Zoë's phone")).unwrap();
    assert!(refusal(carl.revoke_session(of_phone.id).await).starts_with("404"), "another's is not there");
    phone.me().await.unwrap();
    laptop.revoke_session(of_phone.id).await.unwrap();
    assert!(refusal(phone.me().await).starts_with("401"));
    assert!(refusal(laptop.revoke_session(of_phone.id).await).starts_with("404"), "it has ended");
    assert_eq!(laptop.sessions().await.unwrap().sessions.len(), 2);
    for device in ["", "two\nlines", &"x".repeat(101)] {
        let body = Login { device_id: Some(device.to_owned()), ..login("zoe@example.com") };
        assert!(refusal(daemon.anyone.login(&body).await).contains("/deviceId"));
    }
    daemon.stop().await;
}

async fn a_new_password_ends_the_other_sessions(daemon: TestDaemon) {
    let first = daemon.sign_in("zoe@example.com", Role::Customer, None).await;
    let (phone, signed_in) = on(&daemon, "phone").await;
    let change = |current: &str, new: &str| ChangePassword {
        current_password: current.into(),
        new_password: new.into(),
    };
    let new = "an even better launch day";
    for (body, why) in [
        (change("not my password", new), "/currentPassword"),
        (change(PASSWORD, "short"), "/newPassword"),
        (change(PASSWORD, "Summer2026!"), "guessed first"),
        (change(PASSWORD, "ZOE@example.com"), "e-mail"),
    ] {
        let refused = refusal(phone.change_password(&body).await);
        assert!(refused.starts_with("422 invalid") && refused.contains(why), "{refused}");
    }
    assert_eq!(phone.me().await.unwrap().failed_login_attempts, 1, "a wrong current password counts");
    first.me().await.expect("nothing was changed");
    phone.change_password(&change(PASSWORD, new)).await.unwrap();
    assert_eq!(phone.me().await.expect("this session goes on").failed_login_attempts, 0);
    assert!(refusal(first.me().await).starts_with("401"));
    daemon.anyone.refresh(&with(&signed_in.refresh_token)).await.unwrap();
    assert!(refusal(daemon.anyone.login(&login("zoe@example.com")).await).starts_with("401"));
    daemon.anyone.login(&Login::new("zoe@example.com", new.into())).await.unwrap();
    assert_eq!(daemon.count("SELECT COUNT(*) FROM audit_log WHERE action = 'auth.password'").await, 1);
    daemon.stop().await;
}

async fn a_disabled_user_and_a_changed_role_act_at_the_next_request(daemon: TestDaemon) {
    let vera = daemon.sign_in("vera@example.com", Role::Employee, Some(Right::Viewer)).await;
    daemon.sign_in("zoe@example.com", Role::Customer, None).await;
    let (zoe, signed_in) = on(&daemon, "phone").await;
    vera.job_stats().await.unwrap();
    assert!(refusal(vera.keys().await).starts_with("403"));
    daemon.change(r#"UPDATE users SET "right" = 'operator' WHERE email = 'vera@example.com'"#).await;
    vera.keys().await.expect("more at once");
    daemon
        .change(r#"UPDATE users SET role = 'customer', "right" = NULL WHERE email = 'vera@example.com'"#)
        .await;
    assert!(refusal(vera.job_stats().await).starts_with("403"), "less at once");
    daemon.change("UPDATE users SET is_active = (1 = 0) WHERE email = 'zoe@example.com'").await;
    assert!(refusal(zoe.me().await).starts_with("401"));
    assert!(refusal(daemon.anyone.refresh(&with(&signed_in.refresh_token)).await).starts_with("401"));
    let wrong = refusal(daemon.anyone.login(&Login::new("nobody@example.com", PASSWORD.into())).await);
    assert_eq!(refusal(daemon.anyone.login(&login("zoe@example.com")).await), wrong);
    daemon.stop().await;
}

async fn an_operator_ends_the_sessions_of_a_user_and_their_streams(daemon: TestDaemon) {
    let vera = daemon.sign_in("vera@example.com", Role::Employee, Some(Right::Viewer)).await;
    let id = vera.me().await.unwrap().user.id;
    let mut stream = vera.log_stream(&LogStreamQuery::default()).await.unwrap();
    let sessions = daemon.operator.user_sessions(id).await.unwrap().sessions;
    assert_eq!(sessions.iter().map(|session| session.is_current).collect::<Vec<_>>(), [false]);
    daemon.operator.revoke_user_sessions(id).await.unwrap();
    assert!(refusal(vera.me().await).starts_with("401"));
    assert!(daemon.operator.user_sessions(id).await.unwrap().sessions.is_empty());
    let ended = async { while stream.next().await.is_some_and(|item| item.is_ok()) {} };
    tokio::time::timeout(DEADLINE, ended).await.expect("the stream ends with the session");
    let nobody = "507f1f77bcf86cd799439011".parse().unwrap();
    assert!(refusal(daemon.operator.user_sessions(nobody).await).starts_with("404"));
    assert!(refusal(daemon.operator.revoke_user_sessions(nobody).await).starts_with("404"));
    daemon.stop().await;
}
