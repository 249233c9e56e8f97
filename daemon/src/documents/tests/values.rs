//! A document comes back equal by value.

use super::*;

contract!(every_value_comes_back_equal, numbers_are_compared_by_value, absent_and_null_are_the_same);

/// Every type, with the values that are easily lost.
fn everything() -> Document {
    let decimal = |text: &str| Bson::Decimal128(text.parse().unwrap());
    doc! {
        "_id": id(1),
        "int32": [0, -1, i32::MIN, i32::MAX],
        "int64": [5_i64, -5_i64, i64::MIN, i64::MAX, (1_i64 << 53) + 1],
        "double": [19.99, 0.1 + 0.2, 20.0, -0.0, 1e300, 5e-324, f64::MAX, f64::INFINITY, f64::NEG_INFINITY, f64::NAN],
        "decimal": [decimal("19.99"), decimal("-1.20E+10"), decimal("NaN")],
        "dates": [
            time("1969-12-31T23:59:59.999Z"), time("0001-01-01T00:00:00Z"), time("1970-01-01T00:00:00Z"),
            time("2026-03-02T12:00:00.500Z"), time("9999-12-31T23:59:59.999Z"),
            bson::DateTime::from_millis(253_402_300_800_000),
        ],
        "null": Bson::Null,
        "yes": true,
        "text": ["", "Ümläut 🚀 \u{1e} \u{0} \"quoted\" \\ \n", "{\"$oid\": \"no\"}"],
        "deviceInfo": { "z": "last letter first", "userAgent": "curl/8", "ip": "::1", "deviceId": { "a": { "b": [] } } },
        "binary": bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: vec![0, 255] },
        "uuid": bson::Uuid::from_bytes([7; 16]),
        "timestamp": bson::Timestamp { time: 4_000_000_000, increment: 1 },
        "id": id(2),
        "min": Bson::MinKey,
        "empty": {},
        "none": [],
    }
}

async fn every_value_comes_back_equal(documents: Documents) {
    let written = everything();
    assert_eq!(
        documents.insert(Collection::Events, std::slice::from_ref(&written)).await.unwrap(),
        [Inserted::Done]
    );
    let read = read(&documents, Collection::Events, 1).await;
    for ((name, written), (place, read)) in written.iter().zip(&read) {
        assert_eq!(name, place, "the fields keep their order");
        assert!(same(written, read), "{name}: {written} {read}");
    }
    assert_eq!(read.len(), written.len());
    assert!(!read.contains_key("missing") && read.get("null") == Some(&Bson::Null));
    // And through a file in either form.
    for form in [Form::Relaxed, Form::Canonical] {
        let again = from_json(to_json(&read, form).as_bytes()).unwrap();
        assert!(same(&read.clone().into(), &again.into()), "{form:?}");
    }
}

async fn numbers_are_compared_by_value(documents: Documents) {
    documents.insert(Collection::Events, &[event(1)]).await.unwrap();
    let set =
        async |change| documents.compare_and_set(Collection::Events, &[change]).await.unwrap().remove(0);
    assert_eq!(set(change(1, "capacity", 100.0, 101_i64)).await, Changed::Done);
    assert_eq!(set(change(1, "capacity", "101", 1)).await, Changed::Stale);
    let decimal = Bson::Decimal128("101".parse().unwrap());
    assert_eq!(set(change(1, "capacity", decimal, 102)).await, Changed::Done);
    assert_eq!(set(change(1, "price", 19.99, f64::NAN)).await, Changed::Done);
    assert_eq!(set(change(1, "price", f64::NAN, 20.5)).await, Changed::Done);
    assert_eq!(set(change(1, "price", 20.5, vec![Bson::from(1), Bson::from(2)])).await, Changed::Done);
    assert_eq!(
        set(change(1, "price", 1, 2)).await,
        Changed::Stale,
        "an array is not the value that it holds"
    );
    let list = vec![Bson::from(1.0), Bson::from(2_i64)];
    assert_eq!(set(change(1, "price", list, 2)).await, Changed::Done);
    let moved = change(1, "dateTime", time("2026-09-01T10:00:00Z"), time("1960-01-01T00:00:00.001Z"));
    assert_eq!(set(moved).await, Changed::Done);
    let back = change(1, "dateTime", time("1960-01-01T00:00:00.001Z"), Bson::Null);
    assert_eq!(set(back).await, Changed::Done);
}

async fn absent_and_null_are_the_same(documents: Documents) {
    let mut session = doc! {
        "_id": id(1), "sessionId": "s", "refreshToken": "r", "userId": id(2),
        "deviceInfo": { "ip": "::1", "deviceId": Bson::Null }, "updatedAt": time("2026-03-02T12:00:00Z"),
    };
    documents.insert(Collection::Sessions, &[session.clone()]).await.unwrap();
    let change = Change {
        id: id(1),
        expected: vec![
            ("deviceInfo.deviceId".to_owned(), None),
            ("deviceInfo.os".to_owned(), Some(Bson::Null)),
            ("deviceInfo.ip".to_owned(), Some("::1".into())),
            ("isRevoked".to_owned(), None),
        ],
        set: vec![("deviceInfo.os.name".to_owned(), "Linux".into()), ("isRevoked".to_owned(), true.into())],
        unset: vec!["deviceInfo.deviceId".to_owned(), "never.there".to_owned()],
    };
    let outcomes = documents.compare_and_set(Collection::Sessions, &[change.clone(), change]).await.unwrap();
    // On MongoDB both are under way at the same time.
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Changed::Done).count(), 1, "{outcomes:?}");
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Changed::Stale).count(), 1, "{outcomes:?}");
    session.insert("deviceInfo", doc! { "ip": "::1", "os": { "name": "Linux" } });
    session.insert("isRevoked", true);
    assert_eq!(read(&documents, Collection::Sessions, 1).await, session);
}
