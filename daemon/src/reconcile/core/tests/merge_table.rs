//! Every row of the merge table under every authority, field by field.

use std::collections::BTreeMap;

use super::super::{
    mapping::Authority,
    plan::{Reason, Rule},
};
use super::*;

/// What becomes of `description` with base, document and relational row as given; `-` is nothing, `?` no base.
/// Answers both sides afterwards, or `conflict`.
fn decided(authority: &str, situation: &str) -> String {
    let overrides = BTreeMap::from([("description".to_owned(), authority.parse::<Authority>().unwrap())]);
    let mapping = Mapping::with(LAUNCH, &overrides).unwrap();
    let index = mapping.index("description").unwrap();
    let value = |letter: &str| if letter == "-" { Value::Null } else { text(letter) };
    let [base, document, relational]: [&str; 3] =
        situation.split(' ').collect::<Vec<_>>().try_into().unwrap();
    let history = if base == "?" { History::New } else { agreed(LAUNCH, &[("description", value(base))]) };
    let (document, relational) = ([("description", value(document))], [("description", value(relational))]);
    let situation = met(LAUNCH, history, &document, &relational);
    let plan = merge(&mapping, &situation);
    if let [conflict] = &plan.conflicts[..] {
        assert!(plan.is_quiet());
        assert_eq!((conflict.topic, conflict.whole_row), ("description", false));
        return "conflict".to_owned();
    }
    let letter = |side: Side| match plan.after(side, record(situation.seen.of(side))).unwrap().at(index) {
        Value::Text(text) => text.clone(),
        _ => "-".to_owned(),
    };
    let mark = if plan.overrides().count() > 0 { "!" } else { "" };
    format!("{} {}{mark}", letter(Side::Document), letter(Side::Relational))
}

#[test]
fn every_row_of_the_table_under_every_authority() {
    const C: &str = "conflict";
    // `!`: a value that somebody set is discarded, and that is told.
    let table = [
        // B D R     doc_always rel_always doc_prefer rel_prefer newest:5 manual ignore
        ("a a a", ["a a", "a a", "a a", "a a", "a a", "a a", "a a"]),
        ("a b a", ["b b", "a a!", "b b", "b b", "b b", "b b", "b a"]),
        ("a a b", ["a a!", "b b", "b b", "b b", "b b", "b b", "a b"]),
        ("a b b", ["b b", "b b", "b b", "b b", "b b", "b b", "b b"]),
        ("a b c", ["b b!", "c c!", "b b!", "c c!", C, C, "b c"]),
        ("? a a", ["a a", "a a", "a a", "a a", "a a", "a a", "a a"]),
        ("? a b", ["a a!", "b b!", C, C, C, C, "a b"]),
        ("? - b", ["- -!", "b b", "b b", "b b", "b b", C, "- b"]),
        ("? a -", ["a a", "- -!", "a a", "a a", "a a", C, "a -"]),
        ("? - -", ["- -", "- -", "- -", "- -", "- -", "- -", "- -"]),
        // Cleared on one side alone: mirrored. Cleared on one and changed on the other: the text stays.
        ("a - a", ["- -", "a a!", "- -", "- -", "- -", "- -", "- a"]),
        ("a a -", ["a a!", "- -", "- -", "- -", "- -", "- -", "a -"]),
        ("a - c", ["- -!", "c c!", "c c!", "c c!", C, C, "- c"]),
        ("a b -", ["b b!", "- -!", "b b!", "b b!", C, C, "b -"]),
        ("- b -", ["b b", "- -!", "b b", "b b", "b b", "b b", "b -"]),
        ("- b c", ["b b!", "c c!", "b b!", "c c!", C, C, "b c"]),
    ];
    let authorities =
        ["doc_always", "rel_always", "doc_prefer", "rel_prefer", "newest:5", "manual", "ignore"];
    for (situation, expected) in table {
        for (authority, expected) in authorities.into_iter().zip(expected) {
            assert_eq!(decided(authority, situation), expected, "{situation} under {authority}");
        }
    }
}

#[test]
fn the_newer_row_wins_only_beyond_the_threshold() {
    let newest = "newest:5".parse::<Authority>().unwrap();
    let overrides = BTreeMap::from([("title".to_owned(), newest)]);
    let mapping = Mapping::with(LAUNCH, &overrides).unwrap();
    let decided = |document: Option<i64>, relational: Option<i64>| {
        let mut situation =
            met(LAUNCH, agreed(LAUNCH, &[]), &[("title", text("D"))], &[("title", text("R"))]);
        for (seen, at) in [(Side::Document, document), (Side::Relational, relational)] {
            if let Seen::Row { updated_at, .. } = situation.seen.of_mut(seen) {
                *updated_at = at;
            }
        }
        let plan = merge(&mapping, &situation);
        plan.changes.first().map(|change| (change.written.other(), change.rule))
    };
    let rule = Rule::Authority(newest);
    assert_eq!(decided(Some(10_000), Some(15_001)), Some((Side::Relational, rule)));
    assert_eq!(decided(Some(15_001), Some(10_000)), Some((Side::Document, rule)));
    assert_eq!(decided(Some(10_000), Some(15_000)), None);
    assert_eq!(decided(Some(15_000), Some(10_000)), None);
    assert_eq!(decided(Some(i64::MIN), Some(i64::MAX)), Some((Side::Relational, rule)));
    assert_eq!(decided(None, Some(15_001)), None);
}

#[test]
fn a_group_is_decided_as_one() {
    let cancelled = [("status", Value::Word("cancelled")), ("cancellationReason", text("ill"))];
    let pending = [("status", Value::Word("pending"))];
    // Both sides touched the group, in different members: no mixture, the document's three fields win.
    let situation = met(BOOKING, agreed(BOOKING, &[]), &pending, &cancelled);
    let plan = merge(&Mapping::of(BOOKING), &situation);
    let written: Vec<_> = plan.changes.iter().map(|c| (c.field, c.written, c.after.clone())).collect();
    let expected = vec![
        ("status", Side::Relational, Value::Word("pending")),
        ("cancellationReason", Side::Relational, Value::Null),
    ];
    assert_eq!(written, expected);
    assert!(plan.overrides().count() == 2);
    // Never agreed, and one side merely says more: it fills. Else it is one conflict, by the group's name.
    let more = [("cancellationReason", text("ill"))];
    let (log, document, relational) =
        outcome(&met(BOOKING, History::New, &[], &more), BOOKING, "cancellationReason");
    assert_eq!(
        (log.as_str(), document, relational),
        ("Updated 1 field: cancellation reason", text("ill"), text("ill"))
    );
    let (log, ..) = outcome(&met(BOOKING, History::New, &pending, &cancelled), BOOKING, "status");
    assert_eq!(log, "1 conflict: status");
}

#[test]
fn money_that_arrived_is_never_undone_by_itself() {
    let paid = |word: &'static str| [("paymentStatus", Value::Word(word))];
    for (base, document, relational, regresses) in [
        ("pending", "paid", "pending", false),
        ("pending", "failed", "pending", false),
        ("paid", "refunded", "paid", false),
        ("failed", "paid", "failed", false),
        ("paid", "pending", "paid", true),
        ("paid", "failed", "paid", true),
        ("refunded", "paid", "refunded", true),
        ("refunded", "refunded", "pending", true),
        ("pending", "failed", "paid", true),
        ("pending", "paid", "refunded", true),
        ("paid", "paid", "failed", true),
    ] {
        let situation = met(BOOKING, agreed(BOOKING, &paid(base)), &paid(document), &paid(relational));
        let plan = merge(&Mapping::of(BOOKING), &situation);
        let refused =
            plan.conflicts.iter().any(|conflict| matches!(conflict.reason, Reason::PaymentRegression { .. }));
        assert_eq!(refused, regresses, "{base}: {document} and {relational}");
        assert_eq!(plan.is_quiet(), regresses);
    }
}

#[test]
fn what_never_changes_is_a_conflict_whoever_changed_it() {
    for (document, relational) in [(5, 2), (2, 5), (5, 6)] {
        let user = |id: u8| [("user", Value::Id([id; 12]))];
        let situation = met(BOOKING, agreed(BOOKING, &[]), &user(document), &user(relational));
        let plan = merge(&Mapping::of(BOOKING), &situation);
        assert_eq!(plan.conflicts[0].reason, Reason::Immutable);
        assert!(plan.is_quiet());
    }
}

#[test]
fn a_document_never_raises_a_role() {
    let admin = [("role", Value::Word("admin"))];
    for history in [agreed(USER, &[]), History::New] {
        let (log, document, relational) = outcome(&met(USER, history, &admin, &[]), USER, "role");
        assert_eq!((document, relational), (Value::Word("user"), Value::Word("user")));
        assert_eq!(log, "Updated 1 field: role");
    }
    let (_, document, _) = outcome(&met(USER, agreed(USER, &[]), &[], &admin), USER, "role");
    assert_eq!(document, Value::Word("admin"));
    for authority in ["doc_always", "doc_prefer", "ignore", "manual"] {
        let overrides = BTreeMap::from([("role".to_owned(), authority.parse::<Authority>().unwrap())]);
        assert!(Mapping::with(USER, &overrides).is_err());
    }
}

#[test]
fn a_configured_authority_is_checked() {
    let with = |entity, pairs: &[(&str, Authority)]| {
        let overrides = pairs.iter().map(|(name, authority)| ((*name).to_owned(), *authority)).collect();
        Mapping::with(entity, &overrides).map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(
        with(USER, &[("shoe", Authority::Manual)]),
        Err(r#"user has no field "shoe"; its fields are: email, name, isActive, role"#.to_owned())
    );
    assert!(with(LAUNCH, &[("availableTickets", Authority::Manual)]).is_err());
    assert!(with(LAUNCH, &[("price", Authority::Derived)]).is_err());
    assert!(with(BOOKING, &[("status", Authority::Manual), ("cancelledAt", Authority::Ignore)]).is_err());
    let group = BTreeMap::from([("cancelledAt".to_owned(), Authority::Manual)]);
    let mapping = Mapping::with(BOOKING, &group).unwrap();
    assert_eq!(mapping.authority(mapping.index("status").unwrap()), Authority::Manual);
    for name in ["doc_always", "rel_always", "doc_prefer", "rel_prefer", "newest:60", "manual", "ignore"] {
        assert_eq!(name.parse::<Authority>().unwrap().to_string(), name);
    }
    for wrong in ["", "newest", "newest:-1", "newest:1e9", "derived", "DOC_ALWAYS"] {
        assert!(wrong.parse::<Authority>().is_err(), "{wrong}");
    }
}

#[test]
fn groups_stand_together_and_every_field_is_in_exactly_one_unit() {
    for entity in [LAUNCH, BOOKING, USER] {
        let mapping = Mapping::of(entity);
        let units: Vec<usize> = mapping.units().into_iter().flatten().collect();
        assert_eq!(units, (0..mapping.fields().len()).collect::<Vec<_>>());
        for unit in mapping.units() {
            let group = mapping.fields()[unit.start].group;
            let members =
                mapping.fields().iter().filter(|field| group.is_some() && field.group == group).count();
            assert_eq!(unit.len(), members.max(1));
        }
    }
}
