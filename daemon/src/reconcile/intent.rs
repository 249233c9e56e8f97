//! An [`Intent`] as it is kept until the change log has what it did.

use astrops_api::ids::JobId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::{
    core::{
        changes_log, codec,
        intent::{Fate, Intent, Moved},
        mapping::Mapping,
        plan::{Action, Plan, Write},
        value::{Record, Side, Value},
    },
    show,
};

/// What was begun, by whom, and what the change log is to say of it.
#[derive(Clone, Debug)]
pub struct Begun {
    /// Its own id: who drops it by this id has finished it.
    pub id: Uuid,
    /// The job that began it.
    pub job: JobId,
    /// What it does.
    pub intent: Intent,
    /// In words.
    pub text: String,
    /// Field by field, as the change log keeps it.
    pub changes: Vec<Json>,
    /// Our side was written with it.
    pub wrote_ours: bool,
}

impl Begun {
    /// By a job, with a plan that is softened.
    pub fn new(id: Uuid, job: JobId, mapping: &Mapping, plan: &Plan, text: String) -> Self {
        Self {
            id,
            job,
            intent: plan.intent(mapping),
            text,
            changes: show::changes(plan),
            wrote_ours: plan.actions.relational != Action::Keep,
        }
    }

    /// What the change log says of it: in words, and field by field; nothing when nothing was written.
    pub fn told(&self, fate: Fate) -> Option<(String, Vec<Json>)> {
        let why = match fate {
            Fate::Written => return Some((self.text.clone(), self.changes.clone())),
            Fate::Refused => "the documents refused their part",
            Fate::Unknown => {
                "whether the document was written is not known: we were interrupted, and it says something else"
            }
        };
        let ours = |change: &&Json| change["written"] == Side::Relational.as_str();
        let changes = self.changes.iter().filter(ours).cloned().collect();
        (self.wrote_ours || fate == Fate::Unknown).then(|| (format!("{}; {why}", self.text), changes))
    }

    /// As it is stored.
    pub fn to_json(&self, mapping: &Mapping) -> Json {
        let name = |index: usize| mapping.fields()[index].name.to_owned();
        let (create, update) = match &self.intent.document {
            Action::Create(record) => {
                let held = record.values().iter().enumerate().filter(|(_, value)| !value.is_blank());
                (Some(held.map(|(index, value)| (name(index), value.to_json())).collect()), None)
            }
            Action::Update(writes) => {
                let kept = |write: &Write| Kept {
                    field: name(write.index),
                    before: write.before.to_json(),
                    after: write.after.to_json(),
                };
                (None, Some(writes.iter().map(kept).collect()))
            }
            Action::Keep | Action::Delete(_) => (None, None),
        };
        let stored = Stored {
            create,
            update,
            deletes: self.intent.deletes,
            moved: self
                .intent
                .moved
                .iter()
                .map(|moved| Agreed {
                    field: name(moved.index),
                    written: moved.written == Side::Relational,
                    value: moved.value.to_json(),
                })
                .collect(),
            text: self.text.clone(),
            changes: self.changes.clone(),
            wrote_ours: self.wrote_ours,
        };
        // Maps with text keys always can be.
        serde_json::to_value(stored).unwrap_or_default()
    }

    /// As it was stored. What cannot be read any more (an older version's) counts as written by somebody else.
    pub fn from_json(mapping: &Mapping, id: Uuid, job: JobId, stored: Json) -> Self {
        let stored: Stored = serde_json::from_value(stored).unwrap_or_default();
        let intent = Intent {
            document: stored.action(mapping),
            deletes: stored.deletes,
            moved: stored.moved(mapping),
        };
        let Stored { text, changes, wrote_ours, .. } = stored;
        Self { id, job, intent, text, changes, wrote_ours }
    }
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Stored {
    #[serde(skip_serializing_if = "Option::is_none")]
    create: Option<Map<String, Json>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    update: Option<Vec<Kept>>,
    deletes: bool,
    moved: Vec<Agreed>,
    text: String,
    changes: Vec<Json>,
    wrote_ours: bool,
}

#[derive(Serialize, Deserialize)]
struct Agreed {
    field: String,
    #[serde(rename = "here")]
    written: bool,
    value: Json,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    field: String,
    before: Json,
    after: Json,
}

impl Stored {
    fn moved(&self, mapping: &Mapping) -> Vec<Moved> {
        let moved = |agreed: &Agreed| {
            let index = mapping.index(&agreed.field)?;
            let value = codec::from_json(&mapping.fields()[index], &agreed.value).ok()?;
            let written = if agreed.written { Side::Relational } else { Side::Document };
            Some(Moved { index, written, value })
        };
        self.moved.iter().filter_map(moved).collect()
    }

    fn action(&self, mapping: &Mapping) -> Action {
        let value = |index: usize, json: &Json| codec::from_json(&mapping.fields()[index], json).ok();
        if let Some(held) = &self.create {
            let values = mapping.fields().iter().enumerate().map(|(index, field)| {
                held.get(field.name).and_then(|json| value(index, json)).unwrap_or_default()
            });
            return Action::Create(Record::new(values.collect()));
        }
        let Some(kept) = &self.update else { return Action::Keep };
        let write = |kept: &Kept| {
            let index = mapping.index(&kept.field)?;
            let place = mapping.fields()[index].document?;
            let (before, after) = (value(index, &kept.before)?, value(index, &kept.after)?);
            Some(Write { index, place, before, after })
        };
        // A write that names no field any more can neither have been made nor be made.
        let lost =
            || vec![Write { index: usize::MAX, place: "", before: Value::Int(0), after: Value::Int(1) }];
        Action::Update(kept.iter().map(write).collect::<Option<Vec<_>>>().unwrap_or_else(lost))
    }
}

/// What the change log says of a plan that is carried out; what waits for a person is told apart.
pub fn text(plan: &Plan) -> String {
    changes_log::text(&Plan { conflicts: Vec::new(), waits: None, ..plan.clone() })
}
