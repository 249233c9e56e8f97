//! The bytes that are made without a record equal exactly where the codec's records do.

use astrops_api::vocabulary::EntityType;
use bson::{Bson, Document, doc, oid::ObjectId};
use proptest::prelude::*;

use super::super::{
    json,
    page::{Layout, Page},
};
use crate::{
    documents::{Form, Raw, to_json},
    reconcile::core::{
        codec, digest,
        mapping::{Codec, Field, Mapping},
        value::{Record, Side},
    },
};

const ID: [u8; 12] = [7; 12];

/// A page of one document, made as `documents::read` makes it; whether the fast way understood it.
fn page(mapping: &Mapping, raw: Raw<'_>) -> (Vec<u8>, bool, bool) {
    let layout = Layout::new(mapping, Side::Document);
    let mut page = Page::default();
    let fast = super::super::documents::row(&mut page, mapping, &layout, ObjectId::from_bytes(ID), raw);
    let row = page.rows[0];
    (page.bytes(row).to_vec(), page.is_readable(row), fast)
}

fn exact(mapping: &Mapping, text: &[u8]) -> Option<Record> {
    let document = Raw::Json(text).to_row(ObjectId::from_bytes(ID)).document().ok()?;
    codec::from_document(mapping, &document).ok()
}

fn expected(mapping: &Mapping, record: &Record) -> Vec<u8> {
    let mut out = Vec::new();
    digest::fields(mapping, record, &mut out);
    out
}

/// What a field may hold: mostly what belongs there, often at its edges, sometimes anything.
fn content(field: &Field) -> BoxedStrategy<Bson> {
    let decimal = |text: &str| Bson::Decimal128(text.parse().unwrap());
    let fitting = match field.codec {
        Codec::Text => prop_oneof![
            "\\PC{0,20}".prop_map(Bson::String),
            "[ \t\u{a0}\u{1f}\u{1e}\u{0}\"\\\\a]{0,4}".prop_map(Bson::String),
        ]
        .boxed(),
        Codec::Email => "[ aA@.\u{130}ß\u{0}]{0,6}".prop_map(Bson::String).boxed(),
        Codec::Time => prop_oneof![
            any::<i64>().prop_map(|at| Bson::DateTime(bson::DateTime::from_millis(at))),
            (-62_135_596_800_001i64..=253_402_300_800_000)
                .prop_map(|at| Bson::DateTime(bson::DateTime::from_millis(at))),
            Just(Bson::DateTime(bson::DateTime::from_millis(0))),
        ]
        .boxed(),
        Codec::Money | Codec::Int { .. } => prop_oneof![
            (0i32..200).prop_map(Bson::Int32),
            any::<i64>().prop_map(Bson::Int64),
            (0i32..100_000).prop_map(|cents| Bson::Double(f64::from(cents) / 100.0)),
            (0i32..200).prop_map(|whole| Bson::Double(whole.into())),
            any::<f64>().prop_map(Bson::Double),
            proptest::sample::select(vec![
                decimal("19.990"),
                decimal("5"),
                decimal("NaN"),
                Bson::Double(-0.0),
                Bson::Double(f64::NAN),
                Bson::Double(f64::INFINITY),
                Bson::Double(1e12),
                Bson::Double(19.990_000_000_1),
                Bson::Int64(1_000_001),
            ]),
        ]
        .boxed(),
        Codec::Bool => any::<bool>().prop_map(Bson::Boolean).boxed(),
        Codec::Id => any::<[u8; 12]>().prop_map(|id| Bson::ObjectId(ObjectId::from_bytes(id))).boxed(),
        Codec::Word { .. } => proptest::sample::select(
            [
                "confirmed",
                "Confirmed",
                "canceled",
                "pending",
                "paid",
                "stripe",
                "user",
                "admin",
                "customer",
                "boss",
                "",
            ]
            .map(Bson::from)
            .to_vec(),
        )
        .boxed(),
    };
    let anything = proptest::sample::select(vec![
        Bson::Null,
        Bson::Undefined,
        Bson::Boolean(true),
        Bson::Int32(1),
        Bson::String("1".to_owned()),
        Bson::from(doc! { "a": [1, { "$b": 2 }] }),
        Bson::from(vec![1]),
        Bson::Symbol("a".to_owned()),
        Bson::MaxKey,
    ]);
    prop_oneof![12 => fitting, 1 => anything].boxed()
}

/// A document of an entity, its fields in any order and some missing, with fields that nobody mapped.
fn document(entity: EntityType) -> BoxedStrategy<Document> {
    let fields: Vec<_> = Mapping::of(entity)
        .fields()
        .iter()
        .filter_map(|field| {
            let name = field.document?;
            let content = proptest::option::weighted(0.95, content(field));
            Some(content.prop_map(move |value| value.map(|value| (name.to_owned(), value))))
        })
        .collect();
    let extra = prop_oneof![
        4 => Just(None),
        1 => any::<f64>().prop_map(|number| Some(("extra".to_owned(), Bson::Double(number)))),
        1 => Just(Some(("extra".to_owned(), Bson::from(doc! { "a": [1, "x\n", { "b": null }], "c": {} })))),
        1 => Just(Some(("$extra".to_owned(), Bson::from(1)))),
    ];
    (fields, extra, any::<bool>())
        .prop_flat_map(|(fields, extra, with_id)| {
            let id = with_id.then(|| ("_id".to_owned(), Bson::ObjectId(ObjectId::from_bytes(ID))));
            Just(fields.into_iter().flatten().chain(extra).chain(id).collect::<Vec<_>>()).prop_shuffle()
        })
        .prop_map(|fields| fields.into_iter().collect())
        .boxed()
}

fn entity() -> impl Strategy<Value = EntityType> {
    proptest::sample::select(EntityType::ALL.to_vec())
}

/// A text of a document, and the same with some bytes somebody's hand changed.
fn text() -> impl Strategy<Value = (EntityType, Vec<u8>)> {
    let form = any::<bool>().prop_map(|relaxed| if relaxed { Form::Relaxed } else { Form::Canonical });
    let hand = proptest::collection::vec((any::<prop::sample::Index>(), edits()), 0..3);
    (entity().prop_flat_map(|entity| (Just(entity), document(entity))), form, any::<bool>(), hand).prop_map(
        |((entity, document), form, touched, hand)| {
            let mut text = to_json(&document, form).into_bytes();
            for (place, edit) in hand.into_iter().filter(|_| touched) {
                let at = place.index(text.len());
                text.splice(at..(at + edit.0).min(text.len()), edit.1);
            }
            (entity, text)
        },
    )
}

/// So many bytes go, these come.
fn edits() -> impl Strategy<Value = (usize, Vec<u8>)> {
    let texts = [
        " ",
        "\n",
        "\"",
        "\\",
        "\\u0000",
        "\\ud800",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "0",
        "-",
        "1e",
        ".",
        "$",
        "\u{1}",
        "é",
        "\"name\":\"x\",",
        "\"_id\":1,",
        "null",
        "{\"$oid\":\"\"}",
        "{\"$date\":5}",
        "{\"$date\":\"2026-02-30T00:00:00Z\"}",
    ];
    let bytes = texts.iter().map(|text| text.as_bytes().to_vec()).chain([vec![0xff], vec![0xc3], Vec::new()]);
    (0usize..3, proptest::sample::select(bytes.collect::<Vec<_>>()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn a_text_has_the_bytes_of_its_record((entity, text) in text()) {
        let mapping = Mapping::of(entity);
        let (bytes, readable, _) = page(&mapping, Raw::Json(&text));
        match exact(&mapping, &text) {
            Some(record) => prop_assert_eq!(bytes, expected(&mapping, &record), "{}", String::from_utf8_lossy(&text)),
            None => prop_assert!(!readable, "{}", String::from_utf8_lossy(&text)),
        }
    }

    #[cfg(feature = "mongodb")]
    #[test]
    fn a_bson_document_has_the_bytes_of_its_record((entity, document) in
        entity().prop_flat_map(|entity| (Just(entity), document(entity)))) {
        let mapping = Mapping::of(entity);
        let raw = bson::RawDocumentBuf::try_from(&document).unwrap();
        let (bytes, readable, _) = page(&mapping, Raw::Bson(&raw));
        match codec::from_document(&mapping, &document) {
            Ok(record) => prop_assert_eq!(bytes, expected(&mapping, &record), "{}", document),
            Err(_) => prop_assert!(!readable, "{}", document),
        }
    }
}

/// The fast way is taken, or nothing was gained: what we write ourselves never is odd.
#[test]
fn what_the_services_write_is_understood_at_once() {
    let launch = doc! {
        "_id": ObjectId::from_bytes(ID), "name": "Ümläut \"quoted\"\n🚀", "description": "", "venue": Bson::Null,
        "dateTime": bson::DateTime::from_millis(1_767_225_600_123), "capacity": 100, "availableTickets": 100,
        "price": 19.99, "category": "moon", "organizerId": ObjectId::from_bytes([9; 12]), "isActive": true,
        "createdAt": bson::DateTime::from_millis(0), "tags": ["a", 1.5, { "b": false }], "more": {},
    };
    let mapping = Mapping::of(EntityType::Launch);
    let (bytes, _, fast) = page(&mapping, Raw::Json(to_json(&launch, Form::Relaxed).as_bytes()));
    let record = codec::from_document(&mapping, &launch).unwrap();
    assert!(fast && bytes == expected(&mapping, &record));
    #[cfg(feature = "mongodb")]
    {
        let raw = bson::RawDocumentBuf::try_from(&launch).unwrap();
        let (bytes, _, fast) = page(&mapping, Raw::Bson(&raw));
        assert!(fast && bytes == expected(&mapping, &record));
    }
}

#[test]
fn what_json_forbids_is_left_to_the_library() {
    let layout = Layout::new(&Mapping::of(EntityType::User), Side::Document);
    let right = r#"{"email":"a@b.c","role":"user"}"#;
    assert!(json::read(&layout, &ID, right.as_bytes()).is_ok());
    for wrong in [
        r#"{"email":"a@b.c","role":"user"} "#,
        r#"{"email":"a@b.c","role":"user","email":"x@y.z"}"#,
        r#"{"_id":{"$oid":"000000000000000000000000"},"email":"a@b.c","role":"user"}"#,
        r#"{"email":"a@b.c","role":"user","x":01}"#,
        r#"{"email":"a@b.c","role":"user","x":1.}"#,
        r#"{"email":"a@b.c","role":"user","x":-}"#,
        r#"{"email":"a@b.c","role":"user","x":1e999}"#,
        r#"{"email":"a@b.c","role":"user","x":{"$date":"yesterday"}}"#,
        r#"{"email":"a@b.c","role":"user","x":[1}"#,
        r#"{"email":"a@b.c","role":"user",}"#,
        "{\"email\":\"a@b.c\",\"role\":\"user\",\"x\":\"\u{1}\"}",
        "",
        "{",
    ] {
        assert!(json::read(&layout, &ID, wrong.as_bytes()).is_err(), "{wrong}");
    }
}
