//! What each verb promises.

use std::collections::HashSet;

use super::*;

contract!(
    what_is_unique_is_a_named_outcome,
    of_two_writers_exactly_one_wins,
    of_many_changes_each_is_made_for_itself,
    a_change_that_cannot_be_made_writes_nothing,
    pages_hold_every_document_once,
    changes_come_in_order_with_equal_times,
    documents_are_got_by_id,
    nothing_is_asked_for_nothing,
);

async fn what_is_unique_is_a_named_outcome(documents: Documents) {
    let ana = user(1, "ana@example.com");
    let insert = async |collection, all: &[Document]| documents.insert(collection, all).await.unwrap();
    assert_eq!(insert(Collection::Users, std::slice::from_ref(&ana)).await, [Inserted::Done]);
    let outcomes = insert(
        Collection::Users,
        &[
            user(1, "other@example.com"),
            user(2, "ana@example.com"),
            doc! { "email": "no@example.com" },
            user(3, "leo@example.com"),
            doc! { "_id": "text", "email": "text@example.com" },
        ],
    )
    .await;
    let refused = Inserted::Refused("its _id is no ObjectId".to_owned());
    let expected =
        [Inserted::Exists, Inserted::Taken("email_1".to_owned()), refused.clone(), Inserted::Done, refused];
    assert_eq!(outcomes, expected);
    assert_eq!(read(&documents, Collection::Users, 1).await, ana, "what is there is not touched");
    assert_eq!(documents.count(Collection::Users).await.unwrap(), Tally { documents: 2, foreign: 0 });
    let taken = documents
        .compare_and_set(Collection::Users, &[change(3, "email", "leo@example.com", "ana@example.com")])
        .await
        .unwrap();
    assert_eq!(taken, [Changed::Taken("email_1".to_owned())]);

    // One active booking for a person on an event; cancelled ones do not count.
    let all = [
        booking(1, 7, "cancelled"),
        booking(2, 7, "confirmed"),
        booking(3, 7, "cancelled"),
        booking(4, 8, "pending"),
    ];
    assert_eq!(insert(Collection::Bookings, &all).await, vec![Inserted::Done; 4]);
    let taken = Inserted::Taken("userId_1_eventId_1".to_owned());
    assert_eq!(insert(Collection::Bookings, &[booking(5, 7, "pending")]).await, [taken]);
    let confirm = change(1, "status", "cancelled", "confirmed");
    let outcomes =
        documents.compare_and_set(Collection::Bookings, std::slice::from_ref(&confirm)).await.unwrap();
    assert_eq!(outcomes, [Changed::Taken("userId_1_eventId_1".to_owned())]);
    let cancel = change(2, "status", "confirmed", "cancelled");
    for change in [cancel, confirm] {
        assert_eq!(
            documents.compare_and_set(Collection::Bookings, &[change]).await.unwrap(),
            [Changed::Done]
        );
    }
}

async fn of_many_changes_each_is_made_for_itself(documents: Documents) {
    let names = ["ana@example.com", "leo@example.com", "eva@example.com", "tom@example.com"];
    let users: Vec<_> = (1..).zip(names).map(|(n, email)| user(n, email)).collect();
    assert_eq!(documents.insert(Collection::Users, &users).await.unwrap(), vec![Inserted::Done; 4]);
    let changes = [
        change(4, "email", names[3], "new@example.com"),
        change(2, "email", names[1], names[0]),
        change(3, "email", "other@example.com", "never@example.com"),
        change(1, "email", names[0], "first@example.com"),
    ];
    let outcomes = documents.compare_and_set(Collection::Users, &changes).await.unwrap();
    let [done, taken, stale, last] = outcomes.as_slice() else { panic!("{outcomes:?}") };
    assert_eq!((done, stale, last), (&Changed::Done, &Changed::Stale, &Changed::Done));
    assert!(matches!(taken, Changed::Done | Changed::Taken(_)), "by who came first: {taken:?}");
    let second = if *taken == Changed::Done { names[0] } else { names[1] };
    for (n, email) in (1..).zip(["first@example.com", second, names[2], "new@example.com"]) {
        let stored = read(&documents, Collection::Users, n).await;
        assert_eq!(stored.get_str("email").ok(), Some(email));
    }
}

async fn of_two_writers_exactly_one_wins(documents: Documents) {
    documents.insert(Collection::Events, &[event(1)]).await.unwrap();
    let seats = async |documents: Documents| {
        let mut won = 0;
        for left in (0..100).rev() {
            let take = change(1, "availableTickets", left + 1, left);
            won += usize::from(
                documents.compare_and_set(Collection::Events, &[take]).await.unwrap() == [Changed::Done],
            );
        }
        won
    };
    let (one, other) = (tokio::spawn(seats(documents.clone())), tokio::spawn(seats(documents.clone())));
    let (one, other) = (one.await.unwrap(), other.await.unwrap());
    assert_eq!(one + other, 100, "{one} and {other}");
    assert_eq!(read(&documents, Collection::Events, 1).await.get("availableTickets"), Some(&Bson::Int32(0)));
}

async fn a_change_that_cannot_be_made_writes_nothing(documents: Documents) {
    documents.insert(Collection::Events, &[event(1), event(2)]).await.unwrap();
    let mut both = change(1, "name.first", Bson::Null, "x");
    both.set.push(("capacity".to_owned(), 1.into()));
    let nothing = Change { id: id(1), ..Change::default() };
    let changes = [
        both,
        change(1, "_id", id(1), id(5)),
        change(1, "$where", Bson::Null, 1),
        nothing,
        change(77, "name", "x", "y"),
        change(2, "capacity", 100, 7),
    ];
    let outcomes = documents.compare_and_set(Collection::Events, &changes).await.unwrap();
    for outcome in &outcomes[..4] {
        assert!(matches!(outcome, Changed::Refused(_)), "{outcomes:?}");
    }
    assert_eq!(outcomes[4..], [Changed::Stale, Changed::Done], "the others are made");
    assert_eq!(read(&documents, Collection::Events, 1).await, event(1));
    assert_eq!(read(&documents, Collection::Events, 2).await.get("capacity"), Some(&Bson::Int32(7)));
}

async fn pages_hold_every_document_once(documents: Documents) {
    let mut numbers: Vec<u32> = (0..10_000).collect();
    // Not in the order of the ids.
    numbers.sort_by_key(|n| n.wrapping_mul(2_654_435_761));
    for some in numbers.chunks(1_000) {
        let some: Vec<Document> = some.iter().map(|n| event(*n)).collect();
        assert_eq!(documents.insert(Collection::Events, &some).await.unwrap(), vec![Inserted::Done; 1_000]);
    }
    assert_eq!(documents.count(Collection::Events).await.unwrap().documents, 10_000);
    let (mut after, mut seen, mut pages) = (None, Vec::new(), 0);
    loop {
        let page = documents.page(Collection::Events, after, 999, Some(&["name", "price"])).await.unwrap();
        assert!(page.rows.len() <= 999);
        for row in &page.rows {
            let document = row.document().unwrap();
            assert_eq!(
                (document.get_f64("price").unwrap(), document.get_object_id("_id").unwrap()),
                (19.99, row.id)
            );
            assert!(!row.bytes().is_empty());
        }
        seen.extend(page.rows.iter().map(|row| row.id));
        pages += 1;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, (0..10_000).map(id).collect::<Vec<_>>());
    assert_eq!(pages, 11);
    let last = documents.page(Collection::Events, Some(id(9_999)), 10, None).await.unwrap();
    assert!(last.rows.is_empty() && last.next.is_none());
}

async fn changes_come_in_order_with_equal_times(documents: Documents) {
    let mut all: Vec<Document> = (0..30).map(event).collect();
    for (place, event) in all.iter_mut().enumerate() {
        // Three times with ten documents each, the first of them without milliseconds.
        let at = ["2026-03-02T12:00:00Z", "2026-03-02T12:00:00.001Z", "2026-03-02T12:00:01Z"][place % 3];
        event.insert("updatedAt", time(at));
    }
    all[28].insert("updatedAt", "yesterday");
    all[29].remove("updatedAt");
    documents.insert(Collection::Events, &all).await.unwrap();
    let mut after = Watermark { at: "2026-03-02T12:00:00Z".parse().unwrap(), id: id(2) };
    let (mut seen, mut expected) = (Vec::new(), Vec::new());
    for rest in 0..3 {
        expected.extend((0..28).filter(|n| n % 3 == rest && (rest > 0 || *n > 2)).map(id));
    }
    loop {
        let changes = documents.changed_since(Collection::Events, after, 4).await.unwrap();
        seen.extend(changes.rows.iter().map(|row| row.id));
        let Some(next) = changes.next else { break };
        assert_eq!(next.id, *seen.last().unwrap());
        after = next;
    }
    assert_eq!(seen, expected);
    assert_eq!(after.at, "2026-03-02T12:00:01Z".parse::<DateTime<Utc>>().unwrap());
    let from_the_beginning = Watermark { at: DateTime::UNIX_EPOCH - chrono::TimeDelta::days(1), id: id(0) };
    let changes = documents.changed_since(Collection::Events, from_the_beginning, 100).await.unwrap();
    assert_eq!(changes.rows.len(), 28);
    let log = doc! { "_id": id(1), "eventId": id(1), "operation": "reserve", "quantity": 1, "timestamp": time("2026-03-02T12:00:00Z") };
    documents.insert(Collection::EventCapacityLogs, &[log]).await.unwrap();
    let changes =
        documents.changed_since(Collection::EventCapacityLogs, from_the_beginning, 100).await.unwrap();
    assert_eq!(changes.next.unwrap().at, "2026-03-02T12:00:00Z".parse::<DateTime<Utc>>().unwrap());
}

async fn documents_are_got_by_id(documents: Documents) {
    documents.insert(Collection::Events, &[event(3), event(1), event(2)]).await.unwrap();
    let rows = documents.get(Collection::Events, &[id(3), id(1), id(99), id(3)]).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [id(1), id(3)]);
    let different: HashSet<&[u8]> = rows.iter().map(Row::bytes).collect();
    assert_eq!(different.len(), 2);
    documents.ping().await.unwrap();
}

async fn nothing_is_asked_for_nothing(documents: Documents) {
    assert!(documents.insert(Collection::Users, &[]).await.unwrap().is_empty());
    assert!(documents.compare_and_set(Collection::Users, &[]).await.unwrap().is_empty());
    assert!(documents.get(Collection::Users, &[]).await.unwrap().is_empty());
    assert!(documents.page(Collection::Users, None, 10, None).await.unwrap().rows.is_empty());
    assert_eq!(documents.count(Collection::Users).await.unwrap(), Tally::default());
}
