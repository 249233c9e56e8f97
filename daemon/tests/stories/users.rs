//! Accounts: seen, changed and closed by those who may; followers.

use astrops_api::{
    Client,
    audit::AuditQuery,
    bookings::NewBooking,
    ids::{LaunchId, UserId},
    launches::{CancelLaunch, LaunchQuery, NewLaunch},
    users::{EditUser, FollowerQuery, UserQuery},
    vocabulary::{BookingStatus, LaunchStatus, Order, Right, Role},
};
use chrono::TimeDelta;
use serde_json::json;

use crate::{
    stories,
    support::{TestDaemon, login, refusal},
};

stories!(
    lists_filter_sort_and_page,
    everybody_sees_and_changes_their_own,
    an_operator_changes_what_somebody_may_do,
    the_last_operator_stays,
    a_closed_account_leaves_no_person_behind,
    a_supplier_who_leaves_cancels_what_is_to_come,
    who_leaves_at_the_same_moment_holds_nothing,
    followers_are_told_of_new_launches,
);

async fn id_of(client: &Client) -> UserId {
    client.me().await.unwrap().user.id
}

fn seats(launch: LaunchId, quantity: u32) -> NewBooking {
    NewBooking { launch_id: Some(launch), event_id: None, ticket_quantity: quantity, user_id: None }
}

fn name(name: &str) -> EditUser {
    EditUser { name: Some(Some(name.to_owned())), ..EditUser::default() }
}

fn email(email: &str) -> EditUser {
    EditUser { email: Some(email.to_owned()), ..EditUser::default() }
}

fn active(is_active: bool) -> EditUser {
    EditUser { is_active: Some(is_active), ..EditUser::default() }
}

async fn lists_filter_sort_and_page(daemon: TestDaemon) {
    for (address, role) in [
        ("carl@example.com", Role::Customer),
        ("cleo@example.com", Role::Customer),
        ("sue@example.com", Role::Supplier),
    ] {
        daemon.pass(TimeDelta::seconds(1));
        let client = daemon.sign_in(address, role, None).await;
        let called = address.split('@').next().unwrap().to_uppercase();
        client.edit_user(id_of(&client).await, &name(&called)).await.unwrap();
    }
    let found = async |by: &Client, query: UserQuery| -> Vec<String> {
        by.users(&query).await.unwrap().users.into_iter().map(|account| account.user.email).collect()
    };
    let operator = &daemon.operator;
    let all = UserQuery::default();
    assert_eq!(
        found(operator, all.clone()).await,
        ["sue@example.com", "cleo@example.com", "carl@example.com", "ana@example.com"],
        "newest first"
    );
    // As the documents write it.
    let query = UserQuery {
        limit: Some(2),
        offset: Some(1),
        sort: Some("date".into()),
        order: Some(Order::Asc),
        ..all.clone()
    };
    let page = operator.users(&query).await.unwrap();
    assert_eq!((page.total, page.page, page.page_size), (4, 1, 2));
    assert_eq!(found(operator, query).await, ["carl@example.com", "cleo@example.com"]);
    let raw = daemon.raw().await.send("GET", "/users?limit=10&offset=0&sort=date&order=asc", None).await;
    assert_eq!((raw.status, raw.json()["total"].clone()), (200, json!(4)), "{}", raw.text);
    assert!(!raw.text.contains("hash"));

    let customers = UserQuery { role: Some(Role::Customer), ..all.clone() };
    assert_eq!(found(operator, customers).await.len(), 2);
    assert_eq!(
        found(operator, UserQuery { q: Some("SUE".into()), ..all.clone() }).await,
        ["sue@example.com"]
    );
    assert_eq!(
        found(operator, UserQuery { q: Some("E@ex".into()), ..all.clone() }).await,
        ["sue@example.com"]
    );
    assert!(found(operator, UserQuery { q: Some("%".into()), ..all.clone() }).await.is_empty());
    assert!(found(operator, UserQuery { is_active: Some(false), ..all.clone() }).await.is_empty());
    assert!(found(operator, UserQuery { is_locked: Some(true), ..all.clone() }).await.is_empty());
    assert_eq!(found(operator, UserQuery { is_locked: Some(false), ..all.clone() }).await.len(), 4);
    let sorted =
        |sort: &str, order| UserQuery { sort: Some(sort.into()), order: Some(order), ..UserQuery::default() };
    assert_eq!(found(operator, sorted("email", Order::Asc)).await[0], "ana@example.com");
    let by_name = found(operator, sorted("name", Order::Asc)).await;
    assert_eq!(by_name.last().unwrap(), "ana@example.com", "who has no name comes last: {by_name:?}");
    assert_eq!(found(operator, sorted("lastLoginAt", Order::Asc)).await.len(), 4);
    assert!(refusal(operator.users(&sorted("password", Order::Asc)).await).contains("sort"));
    assert!(
        refusal(operator.users(&UserQuery { page: Some(1), limit: Some(1), ..all.clone() }).await)
            .contains("limit")
    );

    // Viewers see masked addresses and cannot find out more by searching or sorting.
    let viewer = daemon.sign_in("vera@example.com", Role::Employee, Some(Right::Viewer)).await;
    let seen = found(&viewer, UserQuery { role: Some(Role::Supplier), ..all.clone() }).await;
    assert_eq!(seen, ["s***@example.com"]);
    assert!(found(&viewer, UserQuery { q: Some("example".into()), ..all.clone() }).await.is_empty());
    assert_eq!(found(&viewer, UserQuery { q: Some("Sue".into()), ..all }).await.len(), 1);
    assert!(refusal(viewer.users(&sorted("email", Order::Asc)).await).starts_with("422 invalid"));
    daemon.stop().await;
}

async fn everybody_sees_and_changes_their_own(daemon: TestDaemon) {
    let carl = daemon.sign_in("carl@example.com", Role::Customer, None).await;
    let cleo = daemon.sign_in("cleo@example.com", Role::Customer, None).await;
    let sue = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let viewer = daemon.sign_in("vera@example.com", Role::Employee, Some(Right::Viewer)).await;
    let (me, other) = (id_of(&carl).await, id_of(&cleo).await);
    assert_eq!(carl.user(me).await.unwrap(), carl.me().await.unwrap());
    for stranger in [&carl, &sue] {
        assert!(refusal(stranger.user(other).await).starts_with("404 not-found"));
        assert!(refusal(stranger.edit_user(other, &name("Eve")).await).starts_with("404 not-found"));
        assert!(refusal(stranger.delete_user(other).await).starts_with("404 not-found"));
    }
    assert_eq!(viewer.user(other).await.unwrap().user.email, "c***@example.com");
    assert_eq!(viewer.me().await.unwrap(), viewer.user(id_of(&viewer).await).await.unwrap());
    assert!(refusal(viewer.edit_user(other, &name("Eve")).await).starts_with("403 forbidden"));
    assert!(refusal(viewer.delete_user(other).await).starts_with("403 forbidden"));

    assert_eq!(carl.edit_user(me, &name("Carl")).await.unwrap().user.name.as_deref(), Some("Carl"));
    assert_eq!(carl.edit_user(me, &EditUser::default()).await.unwrap().user.name.as_deref(), Some("Carl"));
    let nobody = EditUser { name: Some(None), ..EditUser::default() };
    assert_eq!(carl.edit_user(me, &nobody).await.unwrap().user.name, None);
    assert!(refusal(carl.edit_user(me, &name("two\nlines")).await).contains("/name"));
    assert!(refusal(carl.edit_user(me, &email("nobody")).await).contains("/email"));
    assert!(refusal(carl.edit_user(me, &email("x@deleted.invalid")).await).contains("/email"));
    assert!(refusal(carl.edit_user(me, &email("CLEO@example.com")).await).starts_with("409 email-taken"));
    // Another address acts at once; the session goes on.
    assert_eq!(
        carl.edit_user(me, &email("Carlo@example.com")).await.unwrap().user.email,
        "carlo@example.com"
    );
    daemon.anyone.login(&login("carlo@example.com")).await.unwrap();
    assert!(refusal(daemon.anyone.login(&login("carl@example.com")).await).starts_with("401"));
    // What one may do is not one's own to say.
    for edit in [
        EditUser { role: Some(Role::Supplier), ..EditUser::default() },
        EditUser { role: Some(Role::Employee), right: Some(Right::Operator), ..EditUser::default() },
        active(false),
    ] {
        assert!(refusal(carl.edit_user(me, &edit).await).starts_with("403 forbidden"));
    }
    let up = EditUser { right: Some(Right::Operator), ..EditUser::default() };
    assert!(refusal(viewer.edit_user(id_of(&viewer).await, &up).await).starts_with("403 forbidden"));
    assert_eq!(carl.me().await.unwrap().user.role, Role::Customer);
    daemon.stop().await;
}

async fn an_operator_changes_what_somebody_may_do(daemon: TestDaemon) {
    let viewer = daemon.sign_in("vera@example.com", Role::Employee, Some(Right::Viewer)).await;
    let vera = id_of(&viewer).await;
    let right = |right| EditUser { right: Some(right), ..EditUser::default() };
    let role = |role| EditUser { role: Some(role), ..EditUser::default() };
    // The same session may more, and less, at the next request.
    assert!(refusal(viewer.pause_schedule("prune-logs").await).starts_with("403"));
    daemon.operator.edit_user(vera, &right(Right::Operator)).await.unwrap();
    viewer.pause_schedule("prune-logs").await.unwrap();
    daemon.operator.edit_user(vera, &right(Right::Viewer)).await.unwrap();
    assert!(refusal(viewer.resume_schedule("prune-logs").await).starts_with("403"));

    // Who is disabled is out at once, and stays out until somebody says otherwise.
    let off = daemon.operator.edit_user(vera, &active(false)).await.unwrap();
    assert!(!off.is_active);
    let inactive = UserQuery { is_active: Some(false), ..UserQuery::default() };
    assert_eq!(daemon.operator.users(&inactive).await.unwrap().users, [off]);
    assert!(refusal(viewer.me().await).starts_with("401"));
    assert!(
        refusal(daemon.anyone.login(&login("vera@example.com")).await).starts_with("401 invalid-credentials")
    );
    daemon.operator.edit_user(vera, &active(true)).await.unwrap();
    assert!(refusal(viewer.me().await).starts_with("401"), "the old session does not come back");
    daemon.again("vera@example.com").await.me().await.unwrap();

    let sue = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let id = id_of(&sue).await;
    assert!(refusal(daemon.operator.edit_user(id, &right(Right::Viewer)).await).contains("/right"));
    let launch = sue.create_launch(&daemon.new_launch(5)).await.unwrap();
    let tied = refusal(daemon.operator.edit_user(id, &role(Role::Customer)).await);
    assert!(tied.starts_with("409 conflict") && tied.contains("1 launches"), "{tied}");
    sue.cancel_launch(launch.id, &CancelLaunch::default()).await.unwrap();
    daemon.operator.edit_user(id, &role(Role::Customer)).await.unwrap();
    assert!(refusal(sue.create_launch(&daemon.new_launch(5)).await).starts_with("403"));
    // Who becomes an employee may look; who is none any more has no right.
    let made = daemon.operator.edit_user(id, &role(Role::Employee)).await.unwrap();
    assert_eq!(made.user.right, Some(Right::Viewer));
    assert_eq!(daemon.operator.edit_user(id, &role(Role::Supplier)).await.unwrap().user.right, None);
    daemon.settled().await;
    daemon.stop().await;
}

async fn the_last_operator_stays(daemon: TestDaemon) {
    let ana = id_of(&daemon.operator).await;
    let last = refusal(daemon.operator.delete_user(ana).await);
    assert!(last.starts_with("409 conflict") && last.contains("last active operator"), "{last}");
    let own = EditUser { right: Some(Right::Viewer), ..EditUser::default() };
    assert!(refusal(daemon.operator.edit_user(ana, &own).await).starts_with("403 forbidden"));
    // Two who want to be rid of each other: one is.
    for n in 0..5 {
        let address = format!("olga{n}@example.com");
        let second = daemon.sign_in(&address, Role::Employee, Some(Right::Operator)).await;
        let olga = id_of(&second).await;
        let demote = EditUser { right: Some(Right::Viewer), ..EditUser::default() };
        let (one, two) =
            tokio::join!(daemon.operator.edit_user(olga, &demote), second.edit_user(ana, &demote));
        let operators = [one.is_ok(), two.is_ok()].into_iter().filter(|done| *done).count();
        assert_eq!(operators, 1, "{one:?} {two:?}");
        let won = one.is_ok();
        let loser = if won { refusal(two) } else { refusal(one) };
        assert!(loser.starts_with("409") || loser.starts_with("403"), "{loser}");
        // The one who is left makes the other an operator again.
        let restore = EditUser { right: Some(Right::Operator), ..EditUser::default() };
        if !won {
            second.edit_user(ana, &restore).await.unwrap();
        }
        daemon.operator.delete_user(olga).await.unwrap();
    }
    daemon.stop().await;
}

async fn a_closed_account_leaves_no_person_behind(daemon: TestDaemon) {
    let sue = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let carl = daemon.sign_in("carl@example.com", Role::Customer, None).await;
    let id = id_of(&carl).await;
    carl.edit_user(id, &name("Carl Sagan")).await.unwrap();
    carl.follow(id_of(&sue).await).await.unwrap();
    let soon = NewLaunch {
        start_date_time: daemon.now() + TimeDelta::minutes(10),
        end_date_time: daemon.now() + TimeDelta::hours(20),
        ..daemon.new_launch(10)
    };
    let soon = sue.create_launch(&soon).await.unwrap();
    let later = sue.create_launch(&daemon.new_launch(10)).await.unwrap();
    let flown = carl.book(&seats(soon.id, 1)).await.unwrap();
    let to_come = carl.book(&seats(later.id, 3)).await.unwrap();
    daemon.settled().await;
    daemon.pass(TimeDelta::minutes(20));

    carl.delete_user(id).await.unwrap();
    assert!(refusal(carl.me().await).starts_with("401"));
    assert!(
        refusal(daemon.anyone.login(&login("carl@example.com")).await).starts_with("401 invalid-credentials")
    );
    let left = daemon.operator.user(id).await.unwrap();
    assert_eq!(left.user.email, format!("deleted-{id}@deleted.invalid"));
    assert_eq!((left.user.name, left.is_active, left.last_login_at), (None, false, None));
    // What has begun is history, what is to come is cancelled and told.
    let booking = async |id| daemon.operator.booking(id).await.unwrap().booking;
    assert_eq!(booking(flown.id).await.status, BookingStatus::Confirmed);
    assert_eq!(booking(to_come.id).await.status, BookingStatus::Cancelled);
    assert_eq!(daemon.launch(later.id).await.available_tickets, 10);
    daemon.settled().await;
    let subjects = daemon.subjects_to("carl@example.com");
    assert!(subjects.iter().any(|subject| subject.contains("cancelled")), "{subjects:?}");
    let supplier = id_of(&sue).await;
    assert_eq!(sue.followers(supplier, &FollowerQuery::default()).await.unwrap().total, 0);
    // The audit log knows the number and not the person.
    let about = AuditQuery { target: Some(id.to_string()), page_size: Some(200), ..AuditQuery::default() };
    let entries = daemon.operator.audit(&about).await.unwrap().entries;
    assert_eq!(entries[0].action, "user.delete");
    assert_eq!((entries[0].actor.clone(), &entries[0].actor_email), (format!("user:{id}"), &None));
    assert_eq!(entries[0].details["bookings"], 1);
    let told = serde_json::to_string(&entries).unwrap().to_lowercase();
    assert!(!told.contains("carl") && !told.contains("sagan"), "{told}");
    // It stays so, and the address is free again.
    assert!(refusal(daemon.operator.delete_user(id).await).starts_with("409 conflict"));
    assert!(refusal(daemon.operator.edit_user(id, &active(true)).await).starts_with("409 conflict"));
    daemon.sign_in("carl@example.com", Role::Customer, None).await;
    daemon.stop_leaving_jobs().await;
}

async fn a_supplier_who_leaves_cancels_what_is_to_come(daemon: TestDaemon) {
    let sue = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let carl = daemon.sign_in("carl@example.com", Role::Customer, None).await;
    let id = id_of(&sue).await;
    carl.follow(id).await.unwrap();
    let one = sue.create_launch(&daemon.new_launch(10)).await.unwrap();
    let two = sue.create_launch(&daemon.new_launch(10)).await.unwrap();
    let booking = carl.book(&seats(one.id, 2)).await.unwrap();
    daemon.operator.delete_user(id).await.unwrap();
    for launch in [one.id, two.id] {
        assert_eq!(daemon.launch(launch).await.status, LaunchStatus::Cancelled);
    }
    assert_eq!(carl.booking(booking.id).await.unwrap().booking.status, BookingStatus::Cancelled);
    daemon.settled().await;
    let subjects = daemon.subjects_to("carl@example.com");
    assert!(subjects.iter().any(|subject| subject.contains("cancelled")), "{subjects:?}");
    assert!(refusal(carl.follow(id).await).starts_with("404"));
    let query = FollowerQuery::default();
    assert_eq!(daemon.operator.followers(id, &query).await.unwrap().total, 0);
    daemon.stop().await;
}

async fn who_leaves_at_the_same_moment_holds_nothing(daemon: TestDaemon) {
    let sue = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let launch = sue.create_launch(&daemon.new_launch(10)).await.unwrap();
    for n in 0..5 {
        let carl = daemon.sign_in(&format!("carl{n}@example.com"), Role::Customer, None).await;
        let id = id_of(&carl).await;
        let order = seats(launch.id, 1);
        let (_, closed) = tokio::join!(carl.book(&order), daemon.operator.delete_user(id));
        closed.unwrap();
        assert_eq!(daemon.launch(launch.id).await.number_of_attendees, 0);

        let sam = daemon.sign_in(&format!("sam{n}@example.com"), Role::Supplier, None).await;
        let id = id_of(&sam).await;
        let new = daemon.new_launch(10);
        let (_, closed) = tokio::join!(sam.create_launch(&new), daemon.operator.delete_user(id));
        closed.unwrap();
        let query = LaunchQuery { host_id: Some(id), ..LaunchQuery::default() };
        let launches = daemon.operator.launches(&query).await.unwrap().launches;
        assert!(launches.iter().all(|one| one.status == LaunchStatus::Cancelled), "{launches:?}");
    }
    daemon.settled().await;
    daemon.stop().await;
}

async fn followers_are_told_of_new_launches(daemon: TestDaemon) {
    let sue = daemon.sign_in("sue@example.com", Role::Supplier, None).await;
    let sam = daemon.sign_in("sam@example.com", Role::Supplier, None).await;
    let carl = daemon.sign_in("carl@example.com", Role::Customer, None).await;
    let cleo = daemon.sign_in("cleo@example.com", Role::Customer, None).await;
    let supplier = id_of(&sue).await;
    carl.edit_user(id_of(&carl).await, &name("Carl")).await.unwrap();
    carl.follow(supplier).await.unwrap();
    carl.follow(supplier).await.unwrap();
    daemon.pass(TimeDelta::seconds(5));
    cleo.follow(supplier).await.unwrap();
    assert!(refusal(carl.follow(id_of(&cleo).await).await).starts_with("404"), "only suppliers are followed");
    assert!(refusal(sam.follow(supplier).await).starts_with("403"));

    let list = async |by: &Client| by.followers(supplier, &FollowerQuery::default()).await;
    let page = list(&sue).await.unwrap();
    assert_eq!((page.total, page.followers[1].name.as_deref()), (2, Some("Carl")), "the latest first");
    assert_eq!(page.followers[0].since - page.followers[1].since, TimeDelta::seconds(5));
    assert_eq!(list(&daemon.operator).await.unwrap(), page);
    assert!(refusal(list(&sam).await).starts_with("404"), "of another supplier");
    assert!(refusal(list(&carl).await).starts_with("403"));
    let customer = daemon.operator.followers(id_of(&carl).await, &FollowerQuery::default()).await;
    assert!(refusal(customer).starts_with("404"));

    cleo.unfollow(supplier).await.unwrap();
    cleo.unfollow(supplier).await.unwrap();
    sue.create_launch(&daemon.new_launch(10)).await.unwrap();
    daemon.settled().await;
    assert_eq!(daemon.mails_to("carl@example.com").len(), 1);
    assert!(daemon.mails_to("cleo@example.com").is_empty());
    // Who is disabled is neither followed nor told.
    daemon.operator.edit_user(id_of(&carl).await, &active(false)).await.unwrap();
    assert_eq!(list(&sue).await.unwrap().total, 0);
    daemon.operator.edit_user(supplier, &active(false)).await.unwrap();
    assert!(refusal(cleo.follow(supplier).await).starts_with("404"));
    daemon.stop().await;
}
