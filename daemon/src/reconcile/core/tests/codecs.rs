//! To and from both databases: equal by value, written in the type that was there, and faults instead of guesses.

use astrops_api::{ids, vocabulary::Role};
use bson::{Bson, Decimal128, Document, doc, oid::ObjectId};
use chrono::{DateTime, Utc};
use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::super::{
    codec::{
        Columns, Fault, Links, RelValue, document_id, from_columns, from_document, from_json, to_bson,
        to_column,
    },
    number::{BadNumber, minor, whole, write_minor, write_whole},
};
use super::*;

fn decimal(text: &str) -> Bson {
    Bson::Decimal128(text.parse::<Decimal128>().unwrap())
}

fn event() -> Document {
    doc! {
        "_id": ObjectId::from_bytes([5; 12]),
        "name": "Moon",
        "dateTime": bson::DateTime::from_millis(100 * HOUR),
        "capacity": 100.0,
        "availableTickets": 100,
        "price": 19.99,
        "organizerId": ObjectId::from_bytes([7; 12]),
        "__v": 3,
    }
}

fn time(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap()
}

fn launch() -> Columns {
    Columns::from([
        ("title", RelValue::Text("Moon".into())),
        ("description", RelValue::Null),
        ("starts_at", RelValue::Time(time(100 * HOUR) + chrono::TimeDelta::microseconds(999))),
        ("ends_at", RelValue::Time(time(103 * HOUR))),
        ("capacity", RelValue::Int(100)),
        ("price", RelValue::Int(1_999)),
        ("host_id", RelValue::Id(ids::embed([7; 12]))),
        ("is_active", RelValue::Bool(true)),
        ("status", RelValue::Text("scheduled".into())),
        ("number_of_attendees", RelValue::Int(0)),
    ])
}

#[test]
fn both_sides_say_the_same_in_their_own_way() {
    let mapping = Mapping::of(LAUNCH);
    let document = from_document(&mapping, &event()).unwrap();
    let relational = from_columns(&mapping, &launch(), &Links::default()).unwrap();
    assert_eq!(document, row(Side::Document, LAUNCH, &[]));
    assert_eq!(relational, row(Side::Relational, LAUNCH, &[]));
    assert_eq!(document_id(&event()), Ok([5; 12]));
    let situation = Situation {
        seen: Pair { document: seen(document), relational: seen(relational) },
        ..Situation::default()
    };
    assert!(merge(&mapping, &situation).is_quiet());
}

#[test]
fn a_cancelled_launch_is_inactive_for_customers() {
    let mut columns = launch();
    columns.insert("status", RelValue::Text("cancelled".into()));
    let record = from_columns(&Mapping::of(LAUNCH), &columns, &Links::default()).unwrap();
    assert_eq!(record, row(Side::Relational, LAUNCH, &[("isActive", Value::Bool(false))]));
}

#[test]
fn numbers_are_equal_by_value() {
    for number in [
        Bson::Int32(120),
        Bson::Int64(120),
        Bson::Double(120.0),
        decimal("120"),
        decimal("1.2E+2"),
        decimal("120.00"),
    ] {
        assert_eq!(whole(&number), Ok(120), "{number}");
        assert_eq!(minor(&number), Ok(12_000), "{number}");
    }
    for number in [Bson::Double(19.99), decimal("19.99"), decimal("19.990000"), decimal("1999E-2")] {
        assert_eq!(minor(&number), Ok(1_999), "{number}");
        assert_eq!(whole(&number), Err(BadNumber::Decimals), "{number}");
    }
    assert_eq!(minor(&Bson::Double(0.1 + 0.2)), Ok(30));
    assert_eq!(minor(&Bson::Double(9_999_999_999.99)), Ok(999_999_999_999));
    assert_eq!(minor(&Bson::Double(-0.0)), Ok(0));
    assert_eq!(whole(&decimal("0E+6000")), Ok(0));
    assert_eq!(whole(&decimal("-7")), Ok(-7));
    for (number, problem) in [
        (Bson::Double(f64::NAN), BadNumber::Finite),
        (Bson::Double(f64::INFINITY), BadNumber::Finite),
        (decimal("NaN"), BadNumber::Finite),
        (decimal("-Infinity"), BadNumber::Finite),
        (Bson::Double(19.999), BadNumber::Decimals),
        (Bson::Double(19.990_001), BadNumber::Decimals),
        (decimal("19.999"), BadNumber::Decimals),
        (decimal("1E-6000"), BadNumber::Decimals),
        (decimal("1E+6000"), BadNumber::Large),
        (Bson::Double(1e300), BadNumber::Large),
        (Bson::Int64(i64::MAX), BadNumber::Large),
        (Bson::String("19.99".into()), BadNumber::Kind),
        (Bson::Boolean(true), BadNumber::Kind),
    ] {
        assert_eq!(minor(&number), Err(problem), "{number}");
    }
}

#[test]
fn a_document_is_written_in_the_types_it_has() {
    let price = |like: &Bson| to_bson(&Value::Money(2_000), Some(like));
    assert_eq!(price(&Bson::Double(19.99)), Bson::Double(20.0));
    assert_eq!(price(&Bson::Int32(19)), Bson::Int32(20));
    assert_eq!(price(&Bson::Int64(19)), Bson::Int64(20));
    assert_eq!(price(&decimal("19.99")).to_string(), "20.00");
    assert_eq!(to_bson(&Value::Money(1_999), Some(&Bson::Int32(19))), Bson::Double(19.99));
    assert_eq!(to_bson(&Value::Money(1_999), None), Bson::Double(19.99));
    let seats = |like: Option<&Bson>| to_bson(&Value::Int(120), like);
    assert_eq!(seats(Some(&Bson::Int32(100))), Bson::Int32(120));
    assert_eq!(seats(Some(&Bson::Int64(100))), Bson::Int64(120));
    assert_eq!(seats(Some(&Bson::Double(100.0))), Bson::Double(120.0));
    assert_eq!(seats(Some(&decimal("100"))).to_string(), "120");
    assert_eq!(seats(None), Bson::Int32(120));
    assert_eq!(to_bson(&Value::Int(1 << 40), Some(&Bson::Int32(1))), Bson::Int64(1 << 40));
}

fn refused(mapping: EntityType, document: &Document) -> Vec<String> {
    let faults = from_document(&Mapping::of(mapping), document).unwrap_err();
    faults.iter().map(|fault: &Fault| fault.to_string()).collect()
}

#[test]
fn every_fault_of_a_document_is_told_and_none_is_guessed_away() {
    let broken = doc! {
        "name": "  ",
        "venue": "a\0b",
        "dateTime": "2026-01-01",
        "capacity": 0,
        "availableTickets": f64::NAN,
        "price": 19.999,
        "organizerId": "507f1f77bcf86cd799439011",
        "isActive": 1,
    };
    assert_eq!(
        refused(LAUNCH, &broken),
        [
            "name of the document side holds nothing, expected a text",
            "venue of the document side holds a text with a zero character, expected a text without one",
            r#"dateTime of the document side holds the text "2026-01-01", expected a date from year 1 to 9999"#,
            "capacity of the document side holds 0, expected a whole number from 1 to 1000000",
            "price of the document side holds the number 19.999, expected an amount from 0 to 10000000000 with at most two decimals",
            r#"organizerId of the document side holds the text "507f1f77bcf86cd799439011", expected an id"#,
            "isActive of the document side holds the number 1, expected true or false",
            "availableTickets of the document side holds the number NaN, expected a whole number",
        ]
    );
    assert_eq!(refused(LAUNCH, &Document::new()).len(), 5);
    let mut late = event();
    late.insert("dateTime", bson::DateTime::from_millis(i64::MAX));
    late.insert("price", -1);
    assert_eq!(refused(LAUNCH, &late).len(), 2);
    let user = doc! { "email": "a@b.c", "role": "root".repeat(40), "isActive": Bson::Null };
    let clipped = "root".repeat(10);
    assert_eq!(
        refused(USER, &user),
        [format!(
            "role of the document side holds {clipped:?}.., expected one of: customer, supplier, employee"
        )]
    );
    assert!(document_id(&doc! { "_id": "x" }).is_err() && document_id(&Document::new()).is_err());
}

#[test]
fn what_is_missing_is_null_or_the_documents_default() {
    let mapping = Mapping::of(USER);
    let user = |extra: Document| {
        let mut document = doc! { "email": "  Ada@Example.COM ", "role": "attendee", "password": "$2b$10$" };
        document.extend(extra);
        from_document(&mapping, &document).unwrap()
    };
    let expected = row(Side::Document, USER, &[]);
    assert_eq!(user(doc! {}), expected);
    assert_eq!(user(doc! { "name": Bson::Null, "isActive": Bson::Undefined }), expected);
    assert_eq!(user(doc! { "name": " \t" }), expected);
    assert_ne!(user(doc! { "isActive": false }), expected);
}

#[test]
fn a_new_user_is_a_customer_and_an_id_may_be_linked() {
    let mapping = Mapping::of(USER);
    let role = &mapping.fields()[mapping.index("role").unwrap()];
    let mut links = Links::default();
    assert_eq!(to_column(role, &Value::Word("user"), &links), RelValue::Text(Role::Customer.to_string()));
    for (word, canonical) in [("customer", "user"), ("supplier", "user"), ("employee", "admin")] {
        let columns = Columns::from([
            ("email", RelValue::Text("a@b.c".into())),
            ("is_active", RelValue::Bool(true)),
            ("role", RelValue::Text(word.into())),
        ]);
        let record = from_columns(&mapping, &columns, &links).unwrap();
        assert_eq!(record.at(3), &Value::Word(canonical));
    }
    let foreign = Uuid::from_u128(0x0190_0000_0000_4000_8000_0000_0000_0001);
    let mut columns = launch();
    columns.insert("host_id", RelValue::Id(foreign));
    let faults = from_columns(&Mapping::of(LAUNCH), &columns, &links).unwrap_err();
    assert_eq!((faults.len(), faults[0].place), (1, "host_id"));
    links.link([7; 12], foreign);
    assert_eq!(from_columns(&Mapping::of(LAUNCH), &columns, &links), Ok(row(Side::Relational, LAUNCH, &[])));
    assert_eq!(links.row([7; 12]), foreign);
    assert_eq!(links.row([8; 12]), ids::embed([8; 12]));
}

#[test]
fn wrong_columns_are_faults_too() {
    let mut columns = launch();
    columns.insert("title", RelValue::Int(3));
    columns.insert("price", RelValue::Int(-1));
    columns.remove("ends_at");
    let faults = from_columns(&Mapping::of(LAUNCH), &columns, &Links::default()).unwrap_err();
    let places: Vec<_> = faults.iter().map(|fault| fault.place).collect();
    assert_eq!(places, ["title", "ends_at", "price"]);
}

#[test]
fn a_value_survives_json() {
    for entity in [LAUNCH, BOOKING, USER] {
        for (index, field) in Mapping::of(entity).fields().iter().enumerate() {
            for side in [Side::Document, Side::Relational] {
                let value = row(side, entity, &[]).at(index).clone();
                if !value.is_blank() {
                    assert_eq!(from_json(field, &value.to_json()), Ok(value), "{}", field.name);
                }
            }
        }
    }
    let mapping = Mapping::of(LAUNCH);
    let field = |name: &str| &mapping.fields()[mapping.index(name).unwrap()];
    assert_eq!(Value::Money(1_999).to_json(), json!(19.99));
    assert_eq!(Value::Time(0).to_json(), json!("1970-01-01T00:00:00.000Z"));
    assert_eq!(from_json(field("venue"), &json!(null)), Ok(Value::Null));
    for (name, wrong) in [
        ("title", json!(null)),
        ("title", json!(3)),
        ("date", json!("tomorrow")),
        ("price", json!(-1)),
        ("price", json!(1.999)),
        ("capacity", json!(1.5)),
        ("organizer", json!("x")),
        ("isActive", json!("yes")),
    ] {
        assert!(from_json(field(name), &wrong).is_err(), "{name}: {wrong}");
    }
}

#[test]
fn what_a_plan_writes_is_read_back_as_planned() {
    let links = Links::default();
    for entity in [LAUNCH, BOOKING, USER] {
        let mapping = Mapping::of(entity);
        for from in [Side::Document, Side::Relational] {
            let mut situation = Situation::default();
            situation.facts.seats = Some(0);
            *situation.seen.of_mut(from) = seen(row(from, entity, &[]));
            let plan = merge(&mapping, &situation);
            let made = plan.after(from.other(), None).unwrap();
            if from == Side::Relational {
                let document = plan.document_fields(&mapping, &Document::new());
                assert!(document.values().all(|value| *value != Bson::Null));
                assert_eq!(from_document(&mapping, &document), Ok(made));
            } else {
                assert_eq!(from_columns(&mapping, &plan.columns(&mapping, &links), &links), Ok(made));
            }
        }
    }
    // An update touches what the plan says and keeps the types of the document.
    let changed = [("capacity", Value::Int(120)), ("price", Value::Money(2_000)), ("venue", text("Pad 39A"))];
    let mapping = Mapping::of(LAUNCH);
    let plan = merge(&mapping, &met(LAUNCH, agreed(LAUNCH, &[]), &[], &changed));
    let fields = plan.document_fields(&mapping, &event());
    assert_eq!(fields, doc! { "capacity": 120.0, "price": 20.0, "venue": "Pad 39A" });
    let plan = merge(&mapping, &met(LAUNCH, agreed(LAUNCH, &[]), &changed[2..], &[]));
    assert_eq!(plan.columns(&mapping, &links), Columns::from([("venue", RelValue::Text("Pad 39A".into()))]));
}

fn any_bson() -> BoxedStrategy<Bson> {
    prop_oneof![
        any::<i32>().prop_map(Bson::Int32),
        any::<i64>().prop_map(Bson::Int64),
        any::<f64>().prop_map(Bson::Double),
        any::<[u8; 16]>().prop_map(|bytes| Bson::Decimal128(Decimal128::from_bytes(bytes))),
        ".{0,8}".prop_map(Bson::String),
        any::<bool>().prop_map(Bson::Boolean),
        any::<i64>().prop_map(|at| Bson::DateTime(bson::DateTime::from_millis(at))),
        any::<[u8; 12]>().prop_map(|id| Bson::ObjectId(ObjectId::from_bytes(id))),
        Just(Bson::Null),
        Just(Bson::Array(vec![])),
        Just(Bson::MaxKey),
    ]
    .boxed()
}

proptest! {
    #[test]
    fn amounts_and_counts_survive_in_every_kind(cents in 0i64..=1_000_000_000_000, count in -(1i64 << 53)..(1 << 53)) {
        for like in [None, Some(Bson::Double(1.0)), Some(Bson::Int32(1)), Some(Bson::Int64(1)), Some(decimal("1"))] {
            prop_assert_eq!(minor(&write_minor(cents, like.as_ref())), Ok(cents));
            prop_assert_eq!(whole(&write_whole(count, like.as_ref())), Ok(count));
        }
    }

    #[test]
    fn whatever_a_field_holds_it_is_read_or_refused_and_reads_back_as_it_was_written(
        found in any_bson(), index in 0usize..13, entity in 0usize..3,
    ) {
        let mapping = Mapping::of([LAUNCH, BOOKING, USER][entity]);
        let Some(field) = mapping.fields().get(index) else { return Ok(()) };
        let Some(path) = field.document else { return Ok(()) };
        let mut document = Document::new();
        document.insert(path, found.clone());
        match from_document(&mapping, &document) {
            Err(faults) if faults.iter().any(|fault| fault.place == path) => {}
            other => {
                // The other fields are missing, so read this one by making the rest whole.
                let mut complete = Document::new();
                for (at, field) in mapping.fields().iter().enumerate() {
                    let value = row(Side::Document, mapping.entity, &[]).at(at).clone();
                    if let Some(path) = field.document { complete.insert(path, to_bson(&value, None)); }
                }
                complete.insert(path, found.clone());
                let record = from_document(&mapping, &complete).unwrap();
                let written = to_bson(record.at(index), Some(&found));
                complete.insert(path, written);
                prop_assert_eq!(from_document(&mapping, &complete), Ok(record), "{:?}", other);
            }
        }
    }
}
