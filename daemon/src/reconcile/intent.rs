//! An [`Intent`] as it is kept until the change log has what it did.

use astrops_api::ids::JobId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::{
    core::{
        changes_log, codec,
        intent::{Intent, Seen},
        mapping::Mapping,
        plan::{Action, Plan, Standing, Write},
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
    pub fn new(id: Uuid, job: JobId, plan: &Plan, text: String) -> Self {
        Self {
            id,
            job,
            intent: plan.intent(),
            text,
            changes: show::changes(plan),
            wrote_ours: plan.actions.relational != Action::Keep,
        }
    }

    /// Where the document stands.
    pub fn standing(&self, document: Seen<'_>) -> Standing {
        self.intent.standing(document)
    }

    /// What was written when the document was not: in words, and the changes of our side.
    pub fn ours_only(&self, is_refused: bool) -> (String, Vec<Json>) {
        let ours = |change: &&Json| change["written"] == Side::Relational.as_str();
        let why = if is_refused {
            "the documents refused their part"
        } else {
            "somebody else wrote the document first"
        };
        let text = format!("{}; {why}", self.text);
        (text, self.changes.iter().filter(ours).cloned().collect())
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
        let intent = Intent { document: stored.action(mapping), deletes: stored.deletes };
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
    text: String,
    changes: Vec<Json>,
    wrote_ours: bool,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    field: String,
    before: Json,
    after: Json,
}

impl Stored {
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
