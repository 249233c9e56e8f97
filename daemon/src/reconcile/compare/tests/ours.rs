//! The fast reading of our own rows against the codec, on both engines: whatever a row holds, and whoever wrote it there.

use std::sync::Arc;

use astrops_api::{ids, vocabulary::EntityType};
use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};
use uuid::Uuid;

use super::super::{page::Layout, relational as fast};
use crate::{
    db::Db,
    reconcile::{
        core::{
            codec::{self, Links},
            digest,
            mapping::{Codec, Mapping},
            value::{Id, Side},
        },
        relational,
    },
    testing,
};

/// Rows of a round.
const ROWS: usize = 60;
const ROUNDS: usize = 20;

fn id(n: usize) -> Id {
    let mut id = [0x65; 12];
    id[4..].copy_from_slice(&n.to_be_bytes());
    id
}

/// A text as a literal that no character of it can end.
fn text(value: &str, is_sqlite: bool) -> String {
    let hex = value.bytes().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    if is_sqlite { format!("CAST(x'{hex}' AS TEXT)") } else { format!("convert_from('\\x{hex}', 'UTF8')") }
}

/// What a column may hold, as a literal: mostly what belongs there, often at its edges.
fn content(codec: Codec, is_sqlite: bool) -> BoxedStrategy<String> {
    let words = |words: Vec<&'static str>| proptest::sample::select(words);
    let texts = |pattern: &'static str| {
        pattern.prop_map(move |value| {
            // Only SQLite keeps a zero in a text.
            let value = if is_sqlite { value } else { value.replace('\0', "=") };
            text(&value, is_sqlite)
        })
    };
    match codec {
        Codec::Text => {
            // Only SQLite keeps what is no UTF-8.
            let broken = if is_sqlite { "CAST(x'41ff' AS TEXT)" } else { "'A'" };
            prop_oneof![
                40 => texts("\\PC{0,20}"),
                10 => texts("[ \t\u{a0}\u{1f}\u{1e}\u{0}=\"\\\\a]{0,4}"),
                1 => Just(broken.to_owned()),
            ]
            .boxed()
        }
        Codec::Email => texts("[ aA@.=\u{130}ß\u{1f}\u{0}]{0,6}").boxed(),
        Codec::Time if is_sqlite => {
            let odd = words(vec![
                "",
                "zzz",
                "=",
                "2026-02-30T00:00:00Z",
                "2026-03-02 12:00:00",
                "10000-01-01T00:00:00Z",
            ]);
            let rough =
                "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{1,9})?(Z|\\+01:00)";
            let right = "(1[0-9]|20)[0-9]{2}-0[1-9]-[12][0-8]T[01][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?(Z|\\+00:00)";
            prop_oneof![20 => texts(right), 1 => texts(rough), 1 => odd.prop_map(|odd| text(odd, true))]
                .boxed()
        }
        Codec::Time => {
            let odd = words(vec![
                "infinity",
                "-infinity",
                "4713-01-01 BC",
                "0001-01-01Z",
                "294276-12-31Z",
                "9999-12-31T23:59:59.999999Z",
                "1969-12-31T23:59:59.999999Z",
            ]);
            let micros = -62_135_596_800_000_000i64..253_402_300_800_000_000;
            let written =
                micros.prop_map(|at| chrono::DateTime::from_timestamp_micros(at).unwrap().to_rfc3339());
            prop_oneof![20 => written, 1 => odd.prop_map(str::to_owned)]
                .prop_map(|time| format!("'{time}'::timestamptz"))
                .boxed()
        }
        Codec::Money | Codec::Int { .. } => {
            // The least number of all is no literal.
            prop_oneof![20 => 1i64..200, 1 => (i64::MIN + 1)..=i64::MAX, 1 => 999_990i64..1_000_010]
                .prop_map(|number| number.to_string())
                .boxed()
        }
        Codec::Bool if is_sqlite => {
            prop_oneof![20 => 0i64..2, 1 => -1i64..4].prop_map(|n| n.to_string()).boxed()
        }
        Codec::Bool => any::<bool>().prop_map(|yes| yes.to_string()).boxed(),
        Codec::Id => (any::<u128>(), any::<[u8; 12]>(), 0..20)
            .prop_map(move |(any, object, kind)| {
                let id = if kind == 0 { Uuid::from_u128(any) } else { ids::embed(object) }.simple();
                if is_sqlite { format!("x'{id}'") } else { format!("'{id}'") }
            })
            .boxed(),
        Codec::Word { read, .. } => {
            let all = [
                "confirmed",
                "Cancelled",
                "cancelled",
                "paid",
                "Paid",
                "stripe",
                "customer",
                "employee",
                "",
                "=",
            ];
            let fitting = all.into_iter().filter(|word| read(word).is_ok()).collect();
            prop_oneof![20 => words(fitting), 1 => words(all.to_vec())]
                .prop_map(move |word| text(word, is_sqlite))
                .boxed()
        }
    }
}

/// Columns and literals of a row.
fn row(mapping: &Mapping, is_sqlite: bool) -> BoxedStrategy<Vec<(&'static str, String)>> {
    let words = |word: &str| text(word, is_sqlite);
    let mut columns: Vec<BoxedStrategy<Option<(&'static str, String)>>> = Vec::new();
    for field in mapping.fields() {
        if let Some(name) = field.relational {
            let is_optional = field.absent == crate::reconcile::core::mapping::Absent::Null
                && !matches!(field.codec, Codec::Int { .. });
            let content = content(field.codec, is_sqlite);
            let content = if is_optional {
                proptest::option::weighted(0.8, content).boxed()
            } else {
                content.prop_map(Some).boxed()
            };
            columns.push(content.prop_map(move |value| value.map(|value| (name, value))).boxed());
        }
        if let Some((name, word)) = field.hidden_by {
            let word = proptest::sample::select(vec![words(word), words("scheduled"), words("Cancelled")]);
            columns.push(word.prop_map(move |word| Some((name, word))).boxed());
        }
    }
    columns.prop_map(|columns| columns.into_iter().flatten().collect()).boxed()
}

async fn agrees(db: Db, path: Option<String>) {
    let is_sqlite = path.is_some();
    let mut hand = Hand::new(&db, path).await;
    let mut runner = TestRunner::deterministic();
    let (mut readable, mut unreadable) = (0, 0);
    for round in 0..ROUNDS {
        for &entity in EntityType::ALL {
            let mapping = Mapping::of(entity);
            let rows = proptest::collection::vec(row(&mapping, is_sqlite), ROWS);
            let table = relational::table(entity);
            let mut sql = format!("DELETE FROM {table};");
            for (n, row) in rows.new_tree(&mut runner).unwrap().current().into_iter().enumerate() {
                let key = ids::embed(id(n)).simple();
                let key = if is_sqlite { format!("x'{key}'") } else { format!("'{key}'") };
                let (names, values): (Vec<_>, Vec<_>) = row.into_iter().unzip();
                let (names, values) = (names.join(", "), values.join(", "));
                let at = "'2026-01-01T00:00:00+00:00'";
                // What must be unique and is not stays away.
                let insert = format!(
                    "INSERT INTO {table} (id, created_at, updated_at, {names}) VALUES ({key}, {at}, {at}, {values})
                     ON CONFLICT DO NOTHING;"
                );
                sql += &insert;
            }
            hand.run(&format!("BEGIN; {sql} COMMIT")).await;
            let layout = Arc::new(Layout::new(&mapping, Side::Relational));
            let page = fast::read(&db, &mapping, &layout, None, 1_000).await.unwrap();
            let keys: Vec<Uuid> = (0..ROWS).map(|n| ids::embed(id(n))).collect();
            let mut tx = db.read().await.unwrap();
            let exact = relational::read_many(&mut tx, &mapping, &keys).await.unwrap();
            tx.rollback().await.unwrap();
            assert_eq!(page.rows.len(), exact.len());
            for (row, (key, columns, _)) in page.rows.iter().zip(exact) {
                assert_eq!(ids::embed(row.id), key);
                match codec::from_columns(&mapping, &columns, &Links::default()) {
                    Ok(record) => {
                        let mut expected = Vec::new();
                        digest::fields(&mapping, &record, &mut expected);
                        assert_eq!(page.bytes(*row), expected, "round {round}: {columns:?}");
                        readable += 1;
                    }
                    Err(faults) => {
                        assert!(!page.is_readable(*row), "round {round}: {columns:?} {faults:?}");
                        unreadable += 1;
                    }
                }
            }
        }
    }
    assert!(readable > 500 && unreadable > 500, "{readable} and {unreadable}");
}

/// Writes what no constraint of ours allows.
enum Hand {
    Sqlite(SqliteConnection),
    Postgres(Db),
}

impl Hand {
    async fn new(db: &Db, path: Option<String>) -> Self {
        let mut hand = match path {
            Some(path) => Self::Sqlite(SqliteConnection::connect(&format!("sqlite:{path}")).await.unwrap()),
            None => Self::Postgres(db.clone()),
        };
        hand.run(match hand {
            Self::Sqlite(_) => "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON",
            Self::Postgres(_) => {
                "DO $$ DECLARE c record; BEGIN
                     FOR c IN SELECT conrelid::regclass AS t, conname AS n FROM pg_constraint
                              WHERE contype IN ('c', 'f') AND conrelid <> 0 AND connamespace = current_schema()::regnamespace
                     LOOP EXECUTE format('ALTER TABLE %s DROP CONSTRAINT IF EXISTS %I CASCADE', c.t, c.n); END LOOP;
                 END $$"
            }
        })
        .await;
        hand
    }

    async fn run(&mut self, sql: &str) {
        let text = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite(file) => drop(sqlx::raw_sql(text).execute(file).await.unwrap()),
            Self::Postgres(db) => drop(sqlx::raw_sql(text).execute(db.listen_pool().unwrap()).await.unwrap()),
        }
    }
}

#[tokio::test]
async fn a_row_of_sqlite_has_the_bytes_of_its_record() {
    let (db, folder) = testing::sqlite().await.unwrap();
    agrees(db, Some(folder.path().join("contract.db").display().to_string())).await;
}

#[tokio::test]
async fn a_row_of_postgres_has_the_bytes_of_its_record() {
    if let Some((db, _folder)) = testing::postgres().await {
        agrees(db, None).await;
    }
}
