//! Random key sets on every pair of engines, against a brute force over maps.

use std::{collections::BTreeMap, sync::Arc};

use astrops_api::{ids, vocabulary::EntityType};
use bson::{Bson, Document, doc, oid::ObjectId};
use proptest::prelude::*;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::super::{Comparer, Differing, Kind, Segment, detail};

use crate::{
    db::{Db, Tx, on},
    documents::{Change, Changed, Collection, Documents, Inserted},
    reconcile::{
        core::{
            codec::{self, Columns, Links, RelValue},
            digest::{Digest, Hasher},
            mapping::Mapping,
            value::{Id, Record, Side},
        },
        relational,
    },
    testing::{self, noon},
};

const LAUNCH: EntityType = EntityType::Launch;

/// Both databases, empty but for the host of every launch.
struct Sides {
    db: Db,
    documents: Documents,
    _folders: [tempfile::TempDir; 2],
}

impl Sides {
    /// `None`, out loud, when a server is missing.
    async fn new(postgres: bool, mongodb: bool) -> Option<Self> {
        let (db, folder) = if postgres { testing::postgres().await? } else { testing::sqlite().await? };
        let other = tempfile::tempdir().unwrap();
        let url = if mongodb {
            let Ok(server) = std::env::var("ASTROPS_TEST_MONGODB_URL") else {
                assert!(std::env::var("CI").as_deref() != Ok("true"), "no MongoDB: run scripts/test");
                eprintln!("SKIPPED on MongoDB: ASTROPS_TEST_MONGODB_URL is not set, run scripts/test");
                return None;
            };
            server.replacen("/astrops?", &format!("/story_{}?", Uuid::new_v4().simple()), 1)
        } else {
            format!("sqlite:{}", other.path().join("customer.db").display())
        };
        let documents = Documents::open(&url).await.unwrap();
        let sides = Self { db, documents, _folders: [folder, other] };
        sides
            .write(|mut tx| async move {
                for host in [[9; 12], [8; 12]] {
                    let email = RelValue::Text(format!("{}@example.com", host[0]));
                    let role = RelValue::Text("supplier".to_owned());
                    let columns = Columns::from([("email", email), ("role", role)]);
                    store(&mut tx, EntityType::User, ids::embed(host), &columns).await;
                }
                tx
            })
            .await;
        Some(sides)
    }

    async fn write<F: Future<Output = Tx>>(&self, what: impl FnOnce(Tx) -> F) {
        what(self.db.write().await.unwrap()).await.commit().await.unwrap();
    }

    fn comparer(&self, after: Option<Id>) -> Comparer {
        let hasher = Arc::new(Hasher::new(&[1; 32]));
        Comparer::new(self.db.clone(), self.documents.clone(), Mapping::of(LAUNCH), hasher, after)
            .with_equal(true)
    }

    async fn segments(&self, rows: u32, after: Option<Id>) -> Vec<Segment> {
        let mut comparer = self.comparer(after).with_rows(rows..=rows);
        let mut segments = Vec::new();
        while let Some(segment) = comparer.next().await.unwrap() {
            segments.push(segment);
        }
        assert!(comparer.next().await.unwrap().is_none(), "the end is the end");
        segments
    }

    async fn run(&self, sql: &str) {
        let text = sql.to_owned();
        self.write(|mut tx| async move {
            on!(tx, |conn| sqlx::raw_sql(AssertSqlSafe(text)).execute(conn).await.map(drop)).unwrap();
            tx
        })
        .await;
    }
}

async fn store(tx: &mut Tx, kind: EntityType, id: Uuid, columns: &Columns) {
    let columns = columns.clone();
    let row = relational::Written { id, before: None, after: Record::new(Vec::new()), columns };
    relational::write(tx, kind, &[row], noon()).await.unwrap();
}

fn id(n: u32) -> Id {
    let mut id = [0x65; 12];
    id[8..].copy_from_slice(&n.to_be_bytes());
    id
}

/// A launch as both sides hold it; `seed` makes the difference.
fn columns(seed: u8) -> Columns {
    let time = |hours| RelValue::Time(noon() + chrono::TimeDelta::hours(hours));
    Columns::from([
        ("title", RelValue::Text(format!("Launch {}", seed % 3))),
        ("description", if seed.is_multiple_of(5) { RelValue::Null } else { RelValue::Text("é".to_owned()) }),
        ("starts_at", time(1)),
        ("ends_at", time(3)),
        ("capacity", RelValue::Int(10 + i64::from(seed % 2))),
        ("price", RelValue::Int(1_999)),
        ("host_id", RelValue::Id(ids::embed([9; 12]))),
        ("is_active", RelValue::Bool(true)),
    ])
}

fn record(columns: &Columns) -> Record {
    codec::from_columns(&Mapping::of(LAUNCH), columns, &Links::default()).unwrap()
}

fn document(n: u32, seed: u8) -> Document {
    let (mapping, record) = (Mapping::of(LAUNCH), record(&columns(seed)));
    let capacity = 10 + i32::from(seed % 2);
    let mut document =
        doc! { "_id": ObjectId::from_bytes(id(n)), "availableTickets": capacity, "extra": ["x"] };
    for (index, field) in mapping.fields().iter().enumerate().filter(|(_, field)| field.is_shared()) {
        document.insert(field.document.unwrap(), codec::to_bson(record.at(index), None));
    }
    document
}

/// Puts rows there, by number and seed.
async fn fill(sides: &Sides, left: &BTreeMap<u32, u8>, right: &BTreeMap<u32, u8>) {
    let documents: Vec<Document> = left.iter().map(|(&n, &seed)| document(n, seed)).collect();
    let done = sides.documents.insert(Collection::Events, &documents).await.unwrap();
    assert!(done.iter().all(|done| *done == Inserted::Done));
    sides
        .write(|mut tx| async move {
            for (&n, &seed) in right {
                store(&mut tx, LAUNCH, ids::embed(id(n)), &columns(seed)).await;
            }
            tx
        })
        .await;
}

/// What a comparison of two maps must find.
fn brute(
    left: &BTreeMap<u32, u8>,
    right: &BTreeMap<u32, u8>,
    after: Option<Id>,
) -> (Vec<Differing>, Vec<(Id, u128)>) {
    let (mapping, hasher) = (Mapping::of(LAUNCH), Hasher::new(&[1; 32]));
    let (mut differing, mut equal) = (Vec::new(), Vec::new());
    let numbers: std::collections::BTreeSet<u32> = left.keys().chain(right.keys()).copied().collect();
    for n in numbers.into_iter().filter(|&n| after.is_none_or(|after| id(n) > after)) {
        let of = |side: &BTreeMap<u32, u8>| side.get(&n).map(|&seed| record(&columns(seed)));
        let kind = match (of(left), of(right)) {
            (Some(one), Some(other)) if one == other => {
                equal.push((id(n), hasher.row(&mapping, &id(n), &one)));
                continue;
            }
            (Some(_), Some(_)) => Kind::Differs,
            (Some(_), None) => Kind::MissingRelational,
            (None, _) => Kind::MissingDocument,
        };
        differing.push(Differing { id: id(n), kind });
    }
    (differing, equal)
}

fn digest(side: &BTreeMap<u32, u8>) -> Digest {
    let (mapping, hasher) = (Mapping::of(LAUNCH), Hasher::new(&[1; 32]));
    let mut digest = Digest::default();
    digest.extend(side.iter().map(|(&n, &seed)| hasher.row(&mapping, &id(n), &record(&columns(seed)))));
    digest
}

fn joined(segments: &[Segment], side: Side) -> Digest {
    let digests = segments.iter().map(|segment| *segment.digests.of(side));
    digests.fold(Digest::default(), |sum, one| sum.join(one).unwrap())
}

async fn agrees(sides: Sides) {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let map = || proptest::collection::btree_map(0u32..40, any::<u8>(), 0..25);
    for round in 0..6u32 {
        // Small numbers first, so that ranges with nothing in them occur on either side.
        let (mut left, mut right) = (map(), map())
            .new_tree(&mut runner)
            .map(|tree| proptest::strategy::ValueTree::current(&tree))
            .unwrap();
        if round == 1 {
            left.clear();
        }
        if round == 2 {
            right.clear();
        }
        if round > 3 {
            right.clone_from(&left);
            right.retain(|n, _| n % 7 != 3);
            left.values_mut().step_by(9).for_each(|seed| *seed = seed.wrapping_add(1));
        }
        fill(&sides, &left, &right).await;
        for rows in [1, 2, 3, 100] {
            let segments = sides.segments(rows, None).await;
            let (differing, equal) = brute(&left, &right, None);
            let found: Vec<Differing> =
                segments.iter().flat_map(|segment| segment.differing.clone()).collect();
            assert_eq!(found, differing, "pages of {rows}");
            let same: Vec<_> = segments.iter().flat_map(|segment| segment.equal.clone()).collect();
            assert_eq!(same, equal);
            assert_eq!(joined(&segments, Side::Document), digest(&left));
            assert_eq!(joined(&segments, Side::Relational), digest(&right));
            let counted = |side| segments.iter().map(|segment| *segment.rows.of(side)).sum::<u64>();
            assert_eq!(
                (counted(Side::Document), counted(Side::Relational)),
                (left.len() as u64, right.len() as u64)
            );
            let (last, before) = segments.split_last().unwrap();
            assert_eq!(last.through, None);
            // Whoever stops behind a segment goes on there.
            for segment in before.iter().step_by(3) {
                let rest = sides.segments(rows, segment.through).await;
                let found: Vec<Differing> =
                    rest.iter().flat_map(|segment| segment.differing.clone()).collect();
                assert_eq!(found, brute(&left, &right, segment.through).0);
            }
        }
        sides.run("DELETE FROM launches").await;
        clear(&sides, &left).await;
    }
}

/// Documents are never removed by us; they move out of the way of the next round.
async fn clear(sides: &Sides, left: &BTreeMap<u32, u8>) {
    if sides.documents.kind() == "sqlite" {
        let path = sides.documents.at();
        let mut file =
            <sqlx::SqliteConnection as sqlx::Connection>::connect(&format!("sqlite:{path}")).await.unwrap();
        sqlx::raw_sql("DELETE FROM events").execute(&mut file).await.unwrap();
        return;
    }
    #[cfg(feature = "mongodb")]
    {
        let (host, name) =
            sides.documents.at().split_once('/').map(|(h, n)| (h.to_owned(), n.to_owned())).unwrap();
        let client =
            mongodb::Client::with_uri_str(format!("mongodb://{host}/?directConnection=true")).await.unwrap();
        let done =
            client.database(&name).collection::<Document>("events").delete_many(doc! {}).await.unwrap();
        assert_eq!(done.deleted_count, left.len() as u64);
    }
}

macro_rules! every_pair {
    ($($case:ident),+ $(,)?) => { $(
        mod $case {
            #[tokio::test]
            async fn sqlite_and_sqlite() {
                super::$case(super::Sides::new(false, false).await.unwrap()).await;
            }
            #[tokio::test]
            async fn postgres_and_sqlite() {
                if let Some(sides) = super::Sides::new(true, false).await { super::$case(sides).await }
            }
            #[cfg(feature = "mongodb")]
            #[tokio::test]
            async fn sqlite_and_mongodb() {
                if let Some(sides) = super::Sides::new(false, true).await { super::$case(sides).await }
            }
            #[cfg(feature = "mongodb")]
            #[tokio::test]
            async fn postgres_and_mongodb() {
                if let Some(sides) = super::Sides::new(true, true).await { super::$case(sides).await }
            }
        }
    )+ };
}

every_pair!(agrees, odd_rows_are_read_exactly, foreign_ids_are_counted, mutants_are_noticed);

/// Texts with control characters, blanks, times with microseconds, a reference that carries no document's id.
async fn odd_rows_are_read_exactly(sides: Sides) {
    let all: BTreeMap<u32, u8> = (0..8).map(|n| (n, 1)).collect();
    fill(&sides, &all, &all).await;
    let key = |n| match sides.db.kind() {
        "sqlite" => format!("x'{}'", ids::embed(id(n)).simple()),
        _ => format!("'{}'", ids::embed(id(n))),
    };
    let foreign = Uuid::from_u128(7);
    let host =
        if sides.db.kind() == "sqlite" { format!("x'{}'", foreign.simple()) } else { format!("'{foreign}'") };
    sides
        .run(&format!(
            "UPDATE launches SET title = 'a\u{1f}b\u{1e}c' WHERE id = {};
             UPDATE launches SET description = ' \u{a0} ' WHERE id = {};
             UPDATE launches SET starts_at = '2026-03-02T13:00:00.000999+00:00' WHERE id = {};
             INSERT INTO users (id, email, role, created_at, updated_at) VALUES ({host}, 'f@x.y', 'supplier',
                 '2026-03-02T13:00:00+00:00', '2026-03-02T13:00:00+00:00');
             UPDATE launches SET host_id = {host} WHERE id = {}",
            key(0),
            key(1),
            key(2),
            key(3),
        ))
        .await;
    set(&sides, 0, "name", "a\u{1f}b\u{1e}c".into()).await;
    set(&sides, 1, "description", Bson::Null).await;
    set(&sides, 4, "availableTickets", "many".into()).await;
    set(&sides, 5, "capacity", Bson::Double(11.0)).await;
    set(&sides, 6, "price", Bson::Decimal128("19.990".parse().unwrap())).await;
    let kinds = |segments: Vec<Segment>| {
        let found = segments.into_iter().flat_map(|segment| segment.differing);
        found.map(|found| (found.id, found.kind)).collect::<Vec<_>>()
    };
    let expected = vec![(id(3), Kind::Unreadable), (id(4), Kind::Unreadable)];
    for rows in [1, 3, 100] {
        assert_eq!(kinds(sides.segments(rows, None).await), expected);
    }
    if sides.db.kind() == "sqlite" {
        sides.run(&format!("UPDATE launches SET ends_at = 'zzz' WHERE id = {}", key(7))).await;
    } else {
        sides.run(&format!("UPDATE launches SET ends_at = 'infinity' WHERE id = {}", key(7))).await;
    }
    let differing: Vec<Differing> =
        sides.segments(100, None).await.into_iter().flat_map(|segment| segment.differing).collect();
    assert_eq!(differing.last().unwrap(), &Differing { id: id(7), kind: Kind::Unreadable });
    let details = detail(&sides.db, &sides.documents, &Mapping::of(LAUNCH), &differing).await.unwrap();
    let faults: Vec<&str> = details.iter().flat_map(|detail| &detail.faults).map(String::as_str).collect();
    assert_eq!(faults.len(), 3, "{faults:?}");
    assert!(faults[0].contains("host_id") && faults[1].contains("\"many\"") && faults[2].contains("ends_at"));
}

async fn set(sides: &Sides, n: u32, path: &str, value: Bson) {
    let change =
        Change { id: ObjectId::from_bytes(id(n)), set: vec![(path.to_owned(), value)], ..Change::default() };
    let done = sides.documents.compare_and_set(Collection::Events, &[change]).await.unwrap();
    assert_eq!(done, [Changed::Done]);
}

async fn foreign_ids_are_counted(sides: Sides) {
    let all: BTreeMap<u32, u8> = (0..4).map(|n| (n, 1)).collect();
    fill(&sides, &all, &all).await;
    let foreign = [Uuid::nil(), Uuid::from_u128(1), Uuid::new_v4(), Uuid::max()];
    sides
        .write(|mut tx| async move {
            for key in foreign {
                store(&mut tx, LAUNCH, key, &columns(1)).await;
            }
            tx
        })
        .await;
    for rows in [1, 2, 100] {
        let segments = sides.segments(rows, None).await;
        assert_eq!(segments.iter().map(|segment| segment.foreign).sum::<u64>(), 4);
        assert_eq!(segments.iter().map(|segment| segment.rows.relational).sum::<u64>(), 4);
        assert!(segments.iter().all(|segment| segment.differing.is_empty()));
    }
}

/// Each compared field, changed alone, changes one digest and is told with both values.
async fn mutants_are_noticed(sides: Sides) {
    let all: BTreeMap<u32, u8> = (0..3).map(|n| (n, 1)).collect();
    fill(&sides, &all, &all).await;
    let before = sides.segments(2, None).await;
    assert_eq!(joined(&before, Side::Document), joined(&before, Side::Relational));
    let mutants: [(&str, &str, Bson); 9] = [
        ("title", "name", "Launch".into()),
        ("description", "description", "e\u{301}".into()),
        ("venue", "venue", "Pad".into()),
        ("category", "category", "moon".into()),
        ("date", "dateTime", bson::DateTime::from_millis(noon().timestamp_millis() + 3_600_001).into()),
        ("capacity", "capacity", 12.into()),
        ("price", "price", 19.98.into()),
        ("organizer", "organizerId", ObjectId::from_bytes([8; 12]).into()),
        ("isActive", "isActive", false.into()),
    ];
    let mapping = Mapping::of(LAUNCH);
    assert_eq!(mapping.compared().count(), mutants.len(), "a mutant for each field");
    let original = document(1, 1);
    for (field, path, value) in mutants {
        set(&sides, 1, path, value).await;
        let segments = sides.segments(2, None).await;
        assert_ne!(joined(&segments, Side::Document), joined(&before, Side::Document), "{field}");
        assert_eq!(joined(&segments, Side::Relational), joined(&before, Side::Relational));
        let differing: Vec<Differing> = segments.into_iter().flat_map(|segment| segment.differing).collect();
        assert_eq!(differing, [Differing { id: id(1), kind: Kind::Differs }], "{field}");
        let details = detail(&sides.db, &sides.documents, &mapping, &differing).await.unwrap();
        let [found] = &details[0].fields[..] else { panic!("{details:?}") };
        assert_eq!(found.field, field);
        assert_ne!(found.document, found.relational);
        set(&sides, 1, path, original.get(path).cloned().unwrap_or(Bson::Null)).await;
    }
    let digest = async || joined(&sides.segments(2, None).await, Side::Document);
    assert_eq!(digest().await, joined(&before, Side::Document));
    // The seats that are left are no field, and differ by what each side counts.
    set(&sides, 1, "availableTickets", 3.into()).await;
    sides.run("UPDATE launches SET number_of_attendees = 4").await;
    let segments = sides.segments(2, None).await;
    let differing: Vec<Differing> = segments.into_iter().flat_map(|segment| segment.differing).collect();
    assert_eq!(differing, [0, 1, 2].map(|n| Differing { id: id(n), kind: Kind::Differs }));
    let details = detail(&sides.db, &sides.documents, &mapping, &differing[1..2]).await.unwrap();
    let [found] = &details[0].fields[..] else { panic!("{details:?}") };
    let told = (found.field, found.document.clone(), found.relational.clone());
    assert_eq!(told, ("availableTickets", Some(3.into()), Some(7.into())));
    assert_eq!(digest().await, joined(&before, Side::Document), "it is in no digest");
}
