//! A MongoDB that is away, slow, or says no.

use mongodb::Client;

use super::*;

const SHORT: Limits = Limits { call: Duration::from_millis(400), whole: Duration::from_millis(400) };

#[tokio::test]
async fn a_server_that_is_away_is_an_error_of_the_question_and_not_of_the_start() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("mongodb://ops:s3cret@127.0.0.1:{port}/astro?serverSelectionTimeoutMS=300");
    let documents = Documents::open(&url).await.unwrap();
    assert_eq!(documents.at(), format!("127.0.0.1:{port}/astro"));
    let since = Watermark { at: DateTime::UNIX_EPOCH, id: id(0) };
    let errors = [
        documents.ping().await.unwrap_err(),
        documents.init().await.unwrap_err(),
        documents.count(Collection::Users).await.unwrap_err(),
        documents.get(Collection::Users, &[id(1)]).await.unwrap_err(),
        documents.page(Collection::Users, None, 1, None).await.unwrap_err(),
        documents.changed_since(Collection::Users, since, 1).await.unwrap_err(),
        documents.insert(Collection::Users, &[user(1, "a@example.com")]).await.unwrap_err(),
        documents.compare_and_set(Collection::Users, &[change(1, "name", "a", "b")]).await.unwrap_err(),
    ];
    for error in errors {
        let words = error.to_string();
        assert!(matches!(error, DocumentsError::Unreachable { .. }), "{words}");
        assert!(words.contains(&format!("127.0.0.1:{port}/astro")) && !words.contains("s3cret"), "{words}");
    }
}

#[tokio::test]
async fn a_url_is_refused_in_words_without_its_password() {
    for (url, why) in [
        ("mongodb://h:27017", "names no database"),
        ("mongodb://ops:s3cr@et@h/astro", "percent-encoded"),
        ("mongodb://h/astro?serverSelectionTimeoutMS=soon", "serverselectiontimeoutms"),
        ("mongodb://ops:s3cret@h:x/astro", "port"),
    ] {
        let error = Documents::open(url).await.err().unwrap_or_else(|| panic!("{url}")).to_string();
        assert!(error.to_lowercase().contains(why) && !error.contains("s3cr"), "{error}");
    }
}

/// Failpoints are the server's, one at a time; ours hit one application name only. So all of it is one story.
#[tokio::test]
async fn failures_of_the_server_are_told_apart_and_a_lost_answer_is_asked_for_again() {
    let name = format!("story{}", uuid::Uuid::new_v4().simple());
    let Some((documents, database)) = mongodb(&format!("&appName={name}")).await else { return };
    let admin = Client::with_uri_str(std::env::var(SERVER).unwrap()).await.unwrap().database("admin");
    let fail = async |mode: Bson, commands: &[&str], mut data: Document| {
        data.insert("failCommands", commands.to_vec());
        data.insert("appName", &name);
        admin
            .run_command(doc! { "configureFailPoint": "failCommand", "mode": mode, "data": data })
            .await
            .unwrap();
    };
    let once = || Bson::from(doc! { "times": 1 });
    let always = || Bson::from("alwaysOn");
    let insert = async |n| documents.insert(Collection::Events, &[event(n)]).await;

    // One lost connection, one lost answer: the driver asks again, and nothing is done twice.
    fail(once(), &["insert"], doc! { "closeConnection": true }).await;
    assert_eq!(insert(1).await.unwrap(), [Inserted::Done]);
    fail(once(), &["update"], doc! { "errorCode": 89, "errorLabels": ["RetryableWriteError"] }).await;
    let rename = |seen: &str, new: &str| [change(1, "name", seen, new)];
    let done = documents.compare_and_set(Collection::Events, &rename("Launch 1", "x")).await.unwrap();
    assert_eq!(done, [Changed::Done]);
    fail(once(), &["find"], doc! { "closeConnection": true }).await;
    assert_eq!(documents.page(Collection::Events, None, 10, None).await.unwrap().rows.len(), 1);

    // It stays away.
    fail(always(), &["find", "insert"], doc! { "closeConnection": true }).await;
    let lost = documents.get(Collection::Events, &[id(1)]).await.unwrap_err();
    assert!(matches!(lost, DocumentsError::Unreachable { .. }), "{lost}");
    let lost = insert(2).await.unwrap_err();
    assert!(matches!(lost, DocumentsError::Unreachable { .. }), "{lost}");
    fail(always(), &["find"], doc! { "errorCode": 9001 }).await;
    let lost = documents.get(Collection::Events, &[id(1)]).await.unwrap_err();
    assert!(matches!(lost, DocumentsError::Unreachable { .. }), "{lost}");

    // It says no.
    fail(always(), &["find", "update", "aggregate"], doc! { "errorCode": 13 }).await;
    for refused in [
        documents.page(Collection::Events, None, 1, None).await.unwrap_err(),
        documents.count(Collection::Events).await.unwrap_err(),
        documents.compare_and_set(Collection::Events, &rename("x", "y")).await.unwrap_err(),
    ] {
        assert!(matches!(refused, DocumentsError::Refused { .. }), "{refused}");
    }

    // The write was done, the majority did not say so: not known to be kept, so an error.
    let unsure = doc! { "writeConcernError": { "code": 64, "errmsg": "waiting for replication timed out" } };
    fail(once(), &["insert"], unsure.clone()).await;
    let error = insert(3).await.unwrap_err();
    assert!(error.to_string().contains("waiting for replication"), "{error}");
    assert_eq!(insert(3).await.unwrap(), [Inserted::Exists]);
    fail(once(), &["update"], unsure).await;
    let error = documents.compare_and_set(Collection::Events, &rename("x", "y")).await.unwrap_err();
    assert!(error.to_string().contains("waiting for replication"), "{error}");

    // It hangs: the caller is told within the limit, and the server answers again afterwards.
    let hurried = documents.clone().with_limits(SHORT);
    fail(once(), &["find"], doc! { "blockConnection": true, "blockTimeMS": 3_000 }).await;
    let late = hurried.page(Collection::Events, None, 1, None).await.unwrap_err();
    assert!(matches!(late, DocumentsError::Timeout { .. }) && late.to_string().contains("0.4 s"), "{late}");
    fail(Bson::from("off"), &[], doc! {}).await;
    assert_eq!(documents.page(Collection::Events, None, 10, None).await.unwrap().rows.len(), 2);
    database.drop().await.unwrap();
}
