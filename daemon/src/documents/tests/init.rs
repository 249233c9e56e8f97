//! Collections, indexes and validators are made once, and never over somebody else's.

use super::*;

contract!(a_second_init_finds_everything);

async fn a_second_init_finds_everything(documents: Documents) {
    let steps = documents.init().await.unwrap();
    assert!(steps.iter().all(|step| step.done == "there" && step.why.is_none()), "{steps:?}");
    let names: Vec<&str> = steps.iter().map(|step| step.what.as_str()).collect();
    for name in
        ["users", "sessions index expiresAt_1", "bookings index userId_1_eventId_1", "eventcapacitylogs"]
    {
        assert!(names.contains(&name), "{names:?}");
    }
}

#[cfg(feature = "mongodb")]
mod on_a_foreign_mongodb {
    use futures::TryStreamExt as _;
    use mongodb::{Client, IndexModel, options::IndexOptions};

    use super::*;

    #[tokio::test]
    async fn what_is_there_is_kept_and_a_wrong_document_is_taken_with_a_warning() {
        let Some(url) = mongodb_url("") else { return };
        let database = Client::with_uri_str(&url).await.unwrap().default_database().unwrap();
        let theirs = doc! { "name": { "$type": "string" } };
        database.create_collection("events").validator(theirs.clone()).await.unwrap();
        let users = database.collection::<Document>("users");
        let plain = IndexModel::builder().keys(doc! { "email": 1 }).options(IndexOptions::default()).build();
        users.create_index(plain).await.unwrap();
        let twins = [booking(1, 7, "confirmed"), booking(2, 7, "pending")];
        database.collection::<Document>("bookings").insert_many(twins).await.unwrap();
        database
            .collection::<Document>("events")
            .insert_one(doc! { "_id": "text", "name": "x" })
            .await
            .unwrap();

        let documents = Documents::open(&url).await.unwrap();
        assert_eq!(
            documents.count(Collection::Sessions).await.unwrap(),
            Tally::default(),
            "opening makes nothing"
        );
        let steps = documents.init().await.unwrap();
        let of = |what: &str| steps.iter().find(|step| step.what == what).unwrap();
        for kept in ["events validator", "users index email_1", "bookings index userId_1_eventId_1"] {
            assert!(of(kept).done == "kept" && of(kept).why.is_some(), "{:?}", of(kept));
        }
        for made in
            ["users validator", "sessions", "sessions index expiresAt_1", "events index organizerId_1"]
        {
            assert_eq!(of(made).done, "made", "{made}");
        }
        let specs: Vec<_> = database.list_collections().await.unwrap().try_collect().await.unwrap();
        let events = specs.iter().find(|spec| spec.name == "events").unwrap();
        assert_eq!(events.options.validator, Some(theirs));

        // Foreign ids are counted and never read.
        assert_eq!(documents.count(Collection::Events).await.unwrap(), Tally { documents: 0, foreign: 1 });
        assert!(documents.page(Collection::Events, None, 10, None).await.unwrap().rows.is_empty());
        // Their validator refuses, ours would only warn.
        let refused =
            documents.insert(Collection::Events, &[doc! { "_id": id(1), "name": 5 }]).await.unwrap();
        assert!(matches!(refused[0], Inserted::Refused(_)), "{refused:?}");
        let odd = doc! { "_id": id(1), "sessionId": 5, "refreshToken": 5 };
        assert_eq!(documents.insert(Collection::Sessions, &[odd]).await.unwrap(), [Inserted::Done]);

        let ttl = |name: &'static str| {
            let database = database.clone();
            async move {
                let all: Vec<IndexModel> = database
                    .collection::<Document>(name)
                    .list_indexes()
                    .await
                    .unwrap()
                    .try_collect()
                    .await
                    .unwrap();
                all.into_iter()
                    .filter(|index| {
                        index.options.as_ref().is_some_and(|options| options.expire_after.is_some())
                    })
                    .map(|index| index.keys)
                    .collect::<Vec<_>>()
            }
        };
        assert_eq!(ttl("sessions").await, [doc! { "expiresAt": 1 }]);
        assert_eq!(ttl("eventcapacitylogs").await, [doc! { "timestamp": 1 }]);
        assert!(ttl("users").await.is_empty(), "a TTL on lockedUntil would delete the user");
        database.drop().await.unwrap();
    }
}
