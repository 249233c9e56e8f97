//! Digests: equal for equal rows in any order, different for whatever differs.

use proptest::prelude::*;

use super::super::digest::{Digest, Hasher, Segment, VERSION, bytes};
use super::*;

fn hasher() -> Hasher {
    Hasher::new(&[42; 32])
}

fn of(rows: &[([u8; 12], Record)]) -> Digest {
    let (mapping, hasher) = (Mapping::of(LAUNCH), hasher());
    let mut digest = Digest::default();
    digest.extend(rows.iter().map(|(id, record)| hasher.row(&mapping, id, record)));
    digest
}

/// Rows that differ in title and price.
fn rows(seeds: &[u8]) -> Vec<([u8; 12], Record)> {
    let changes =
        |seed: u8| [("title", text(&"x".repeat(seed.into()))), ("price", Value::Money(seed.into()))];
    seeds.iter().map(|&seed| ([seed; 12], row(Side::Document, LAUNCH, &changes(seed)))).collect()
}

#[test]
fn both_sides_of_a_row_in_sync_have_one_hash_and_counters_do_not_matter() {
    for entity in [LAUNCH, BOOKING, USER] {
        let mapping = Mapping::of(entity);
        let hash = |side| hasher().row(&mapping, &[1; 12], &row(side, entity, &[]));
        assert_eq!(hash(Side::Document), hash(Side::Relational));
    }
}

#[test]
fn each_compared_field_matters_and_so_do_id_entity_and_key() {
    for entity in [LAUNCH, BOOKING, USER] {
        let mapping = Mapping::of(entity);
        let record = row(Side::Document, entity, &[]);
        let hash = hasher().row(&mapping, &[1; 12], &record);
        for index in mapping.compared() {
            let mutants = [
                Value::Null,
                text(""),
                text("0"),
                Value::Int(0),
                Value::Money(0),
                Value::Time(0),
                Value::Id([0; 12]),
            ];
            for mutant in mutants.into_iter().filter(|mutant| mutant != record.at(index)) {
                let other = record.clone().with(index, mutant.clone());
                assert_ne!(hasher().row(&mapping, &[1; 12], &other), hash, "{entity} {index} {mutant}");
            }
        }
        assert_ne!(hasher().row(&mapping, &[2; 12], &record), hash);
        assert_ne!(Hasher::new(&[43; 32]).row(&mapping, &[1; 12], &record), hash);
    }
}

#[test]
fn neighbours_do_not_run_into_each_other() {
    let mapping = Mapping::of(LAUNCH);
    let with = |description: Value, venue: Value| {
        bytes(
            &mapping,
            &[1; 12],
            &row(Side::Document, LAUNCH, &[("description", description), ("venue", venue)]),
        )
    };
    let all = [
        with(text("ab"), text("c")),
        with(text("a"), text("bc")),
        with(text("abc"), Value::Null),
        with(Value::Null, text("abc")),
        // Texts that imitate what stands between two fields: only the lengths tell these apart.
        with(text("a\u{2}\u{2}b"), text("c")),
        with(text("a"), text("b\u{2}\u{2}c")),
    ];
    for (at, one) in all.iter().enumerate() {
        assert!(all[at + 1..].iter().all(|other| other != one));
    }
}

#[test]
fn a_row_that_is_there_twice_does_not_vanish() {
    // With the exclusive or these three ranges are all alike: pairs cancel out.
    let (none, twice, other) = (of(&[]), of(&rows(&[7, 7])), of(&rows(&[9, 9])));
    let hash = |seed: u8| hasher().row(&Mapping::of(LAUNCH), &[seed; 12], &rows(&[seed])[0].1);
    assert_eq!(hash(7) ^ hash(7), hash(9) ^ hash(9));
    assert!(none != twice && twice != other && other != none);
    assert!(twice.sum != other.sum && twice.sum != none.sum, "the sum alone tells them apart");
}

#[test]
fn digests_of_different_versions_never_meet() {
    let (now, mut old) = (of(&rows(&[1])), of(&rows(&[1])));
    old.version = VERSION - 1;
    assert_ne!(now, old);
    assert_eq!(now.join(old), None);
}

#[test]
fn the_version_is_raised_when_a_mapping_moves() {
    // Golden: whoever changes a table or the bytes raises VERSION and writes the new numbers here.
    let hash = |entity| hasher().row(&Mapping::of(entity), &[1; 12], &row(Side::Document, entity, &[])) >> 64;
    assert_eq!(
        (VERSION, hash(LAUNCH), hash(BOOKING), hash(USER)),
        (2, 5_864_577_886_897_730_210, 6_295_495_728_269_185_498, 2_519_102_233_242_997_623)
    );
}

#[test]
fn segments_are_half_open() {
    let (low, high) = Segment::ALL.split([8; 12]).unwrap();
    assert!(low.contains(&[0; 12]) && low.contains(&[7; 12]) && !low.contains(&[8; 12]));
    assert!(high.contains(&[8; 12]) && high.contains(&[255; 12]) && !high.contains(&[7; 12]));
    assert_eq!((Segment::ALL.split([0; 12]), low.split([8; 12])), (None, None));
}

proptest! {
    #[test]
    fn order_and_history_do_not_matter_and_every_mutation_does(
        seeds in proptest::collection::vec(any::<u8>(), 1..20), at in any::<prop::sample::Index>(), other in any::<u8>(),
    ) {
        let digest = of(&rows(&seeds));
        let mut reversed = seeds.clone();
        reversed.reverse();
        prop_assert_eq!(of(&rows(&reversed)), digest);

        // Split anywhere, the halves join to the whole.
        let (left, right) = seeds.split_at(at.index(seeds.len()));
        prop_assert_eq!(of(&rows(left)).join(of(&rows(right))), Some(digest));

        // One row more, one less, one changed; and back again.
        let hash = |seed: u8| hasher().row(&Mapping::of(LAUNCH), &[seed; 12], &rows(&[seed])[0].1);
        let (gone, mut moved) = (seeds[at.index(seeds.len())], digest);
        moved.add(hash(other));
        prop_assert_ne!(moved, digest);
        moved.remove(hash(gone));
        prop_assert_eq!(moved == digest, gone == other);
        let mut changed = seeds.clone();
        changed[at.index(seeds.len())] = other;
        prop_assert_eq!(of(&rows(&changed)), moved);
        moved.add(hash(gone));
        moved.remove(hash(other));
        prop_assert_eq!(moved, digest);
    }
}
