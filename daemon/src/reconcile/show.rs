//! Plans and views as the API shows them and the change log keeps them.

use astrops_api::{
    ids::EntityId,
    reconciliation::{ConflictField, Diff, EntityMapping, FieldChange, FieldDiff, MappedField, Mappings},
    vocabulary::EntityType,
};
use serde_json::{Value as Json, json};

use super::{
    core::{
        changes_log,
        merge::Seen,
        plan::{History, Plan},
        value::{Record, Side, Value},
    },
    facts,
    look::View,
    relational,
    rules::Rules,
};

/// Every field that is written, as JSON.
pub fn changes(plan: &Plan) -> Vec<Json> {
    field_changes(plan).iter().map(|change| json!(change)).collect()
}

/// Every field that is written.
pub fn field_changes(plan: &Plan) -> Vec<FieldChange> {
    let change = |change: &super::core::plan::Change| FieldChange {
        field: change.field.to_owned(),
        label: change.label.to_owned(),
        document: change.before.document.to_json(),
        relational: change.before.relational.to_json(),
        base: change.base.as_ref().map(Value::to_json),
        after: change.after.to_json(),
        written: change.written.to_string(),
        rule: change.rule.to_string(),
        overridden: change.overridden,
    };
    plan.changes.iter().map(change).collect()
}

/// What waits for a person, as JSON.
pub fn conflicts(view: &View) -> Vec<Json> {
    conflict_fields(view).iter().map(|conflict| json!(conflict)).collect()
}

/// What waits for a person.
pub fn conflict_fields(view: &View) -> Vec<ConflictField> {
    let fields = view.mapping.fields();
    view.plan
        .conflicts
        .iter()
        .map(|conflict| ConflictField {
            topic: conflict.topic.to_owned(),
            fields: conflict.fields.iter().map(|&index| fields[index].name.to_owned()).collect(),
            reason: conflict.reason.to_string(),
            whole_row: conflict.whole_row,
            proposals: conflict.reason.proposals().iter().map(ToString::to_string).collect(),
        })
        .collect()
}

/// Both sides, and what would be done now.
pub fn diff(view: &View, kind: EntityType, id: EntityId) -> Diff {
    let state = |side| match view.situation.seen.of(side) {
        Seen::Missing => "missing",
        Seen::Row { .. } => "there",
        Seen::Unreadable(_) => "unreadable",
    };
    let fields = (0..view.mapping.fields().len()).map(|index| field(view, index)).collect();
    Diff {
        entity_type: kind,
        entity_id: id,
        document: state(Side::Document).to_owned(),
        relational: state(Side::Relational).to_owned(),
        changes_log: changes_log::text(&view.plan),
        fields,
        conflicts: conflict_fields(view),
    }
}

fn field(view: &View, index: usize) -> FieldDiff {
    let field = &view.mapping.fields()[index];
    let (document, relational) = (view.record(Side::Document), view.record(Side::Relational));
    let held = |record: Option<&Record>| record.map_or(Json::Null, |record| record.at(index).to_json());
    let base = match &view.situation.history {
        History::Agreed(base) => base.at(index).map(Value::to_json),
        History::New | History::Deleted => None,
    };
    let change = view.plan.changes.iter().find(|change| change.index == index);
    let conflict = view.plan.conflicts.iter().find(|conflict| conflict.fields.contains(&index));
    let (verdict, why) = match (change, conflict) {
        (Some(change), _) => (format!("write {}", change.written), Some(change.rule.to_string())),
        (None, Some(conflict)) => ("conflict".to_owned(), Some(conflict.reason.to_string())),
        (None, None) if !view.mapping.is_compared(index) => ("not compared".to_owned(), None),
        (None, None) if document.map(|r| r.at(index)) == relational.map(|r| r.at(index)) => {
            ("equal".to_owned(), None)
        }
        (None, None) => ("held back".to_owned(), None),
    };
    FieldDiff {
        field: field.name.to_owned(),
        label: field.label.to_owned(),
        document: held(document),
        relational: held(relational),
        base,
        verdict,
        why,
    }
}

/// Every field of every entity.
pub fn mappings(rules: &Rules) -> Mappings {
    let entity = |kind: &EntityType| {
        let mapping = rules.mapping(*kind);
        let fields = mapping.fields().iter().enumerate().map(|(index, field)| MappedField {
            field: field.name.to_owned(),
            label: field.label.to_owned(),
            document: field.document.map(ToOwned::to_owned),
            relational: field.relational.map(ToOwned::to_owned),
            authority: mapping.authority(index).to_string(),
            group: field.group.map(ToOwned::to_owned),
            immutable: field.immutable,
        });
        EntityMapping {
            entity_type: *kind,
            collection: facts::collection(*kind).name().to_owned(),
            table: relational::table(*kind).to_owned(),
            fields: fields.collect(),
        }
    };
    Mappings { entities: EntityType::ALL.iter().map(entity).collect() }
}
