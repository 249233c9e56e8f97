//! Carrying out what a person decided: exactly on the rows that the person saw, or not at all.

use std::collections::BTreeMap;

use astrops_api::{
    ids::{EntityId, JobId},
    resolution::Choice,
    vocabulary::EntityType,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::{
    core::{
        choices::Choices,
        intent::decide,
        merge::Seen,
        plan::{History, Plan, Rule},
        value::{Side, Value},
    },
    engine::{Engine, Errand, Report, Trouble},
    facts,
    look::{Fates, View},
};
use crate::{auth::digest::sha256, store::change_log};

/// So often is a row looked at anew when somebody else writes beside it at the same time.
const TRIES: u32 = 4;

/// What a person decided about an entity, as its job carries it. The values may be personal: whoever shows
/// them asks who may see them (`http/decisions.rs`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// By field, or `deletion`.
    pub choices: BTreeMap<String, Choice>,
    /// What both sides said when it was decided; with anything else nothing is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
    /// Why.
    pub reason: String,
}

/// A fingerprint of what a decision rests on: what both sides say, and what they agreed on. Counters and times of
/// updates are not part of it.
pub fn seen(view: &View) -> String {
    let fields = view.mapping.fields();
    let held = |side: Side| match view.situation.seen.of(side) {
        Seen::Missing => json!("missing"),
        Seen::Unreadable(faults) => json!(faults.iter().map(ToString::to_string).collect::<Vec<_>>()),
        Seen::Row { record, .. } => {
            let value = |index: usize| (fields[index].name.to_owned(), record.at(index).to_json());
            Json::Object(view.mapping.compared().map(value).collect())
        }
    };
    let base = match &view.situation.history {
        History::New => json!("new"),
        History::Deleted => json!("deleted"),
        History::Agreed(base) => {
            let value =
                |index: usize| Some((fields[index].name.to_owned(), base.at(index).map(Value::to_json)?));
            Json::Object(view.mapping.compared().filter_map(value).collect())
        }
    };
    let in_use = view.is_missing() && view.situation.facts.dependents > 0;
    let all = json!([view.plan.entity, view.id, held(Side::Document), held(Side::Relational), base, in_use]);
    sha256(&all.to_string())
}

impl View {
    /// What is to be done when a person chooses so.
    fn deciding(mut self, choices: Choices) -> Self {
        self.situation.choices = choices;
        let decided = decide(&self.mapping, self.situation, None);
        self.agreed = decided.agreed(&self.mapping);
        (self.next, self.situation, self.plan) = (decided.next, decided.situation, decided.plan);
        self
    }

    /// Whether anything of what was chosen is written.
    pub fn is_decided(&self) -> bool {
        self.plan.changes.iter().any(|change| change.rule == Rule::Decision)
            || (self.situation.choices.deletion().is_some() && !self.plan.is_quiet())
    }

    /// Why nothing of what was chosen is written.
    pub fn undecided(&self) -> Trouble {
        let choices = &self.situation.choices;
        let concerned = self.plan.conflicts.iter().filter(|conflict| {
            conflict.whole_row || conflict.fields.iter().any(|&index| choices.at(index).is_some())
        });
        let why: Vec<_> =
            concerned.map(|conflict| format!("{}: {}", conflict.topic, conflict.reason)).collect();
        if why.is_empty() {
            return Trouble::Undecided("both sides hold that already".to_owned());
        }
        Trouble::Undecided(why.join("; "))
    }

    /// What is written, deletions as the fields that they change.
    pub fn written(&self) -> Plan {
        self.plan.clone().softened(&self.mapping, self.at.timestamp_millis())
    }
}

impl Engine {
    /// What both sides of an entity say now, and what would be done if a person chose so.
    pub async fn look_deciding(
        &self,
        kind: EntityType,
        id: EntityId,
        given: &BTreeMap<String, Choice>,
    ) -> Result<View, Trouble> {
        let view = self.look(kind, id).await?;
        if view.begun.is_some() {
            return Err(Trouble::UnderWay);
        }
        let choices = Choices::of(&view.mapping, &view.situation, given)?;
        let references = choices.references(&view.mapping);
        let named = references.into_iter().filter_map(|(field, id)| Some((facts::target(field)?, id)));
        let named: Vec<_> = named.collect();
        if named.is_empty() {
            return Ok(view.deciding(choices));
        }
        // The rules ask about the rows that were chosen, not about those that were there.
        let view = self
            .look_asking(kind, &[id], &Fates::new(), Some(&named))
            .await?
            .pop()
            .ok_or(Trouble::Restless)?;
        if view.begun.is_some() {
            return Err(Trouble::UnderWay);
        }
        let choices = Choices::of(&view.mapping, &view.situation, given)?;
        Ok(view.deciding(choices))
    }

    /// Does what a person decided. When either side says something else by now, nothing is written.
    pub async fn decide(
        &self,
        kind: EntityType,
        id: EntityId,
        decision: &Decision,
        job: JobId,
    ) -> Result<Report, Trouble> {
        for _ in 0..TRIES {
            if let Some(report) = self.resumed(kind, id, job).await? {
                return Ok(report);
            }
            let view = match self.look_deciding(kind, id, &decision.choices).await {
                Err(Trouble::UnderWay) => continue,
                other => other?,
            };
            if decision.seen.as_ref().is_some_and(|known| *known != seen(&view)) {
                return Err(Trouble::Changed);
            }
            if !view.is_decided() {
                return Err(view.undecided());
            }
            if let Some(Err(refused)) = self.begin(&[&view], Errand { job, sweep: None }).await?.pop() {
                return Err(refused);
            }
        }
        Err(Trouble::Restless)
    }

    /// Finishes what is under way. The report when this job began it: now, or before it was torn away.
    async fn resumed(&self, kind: EntityType, id: EntityId, job: JobId) -> Result<Option<Report>, Trouble> {
        let begun = self.look(kind, id).await?.begun.map(|begun| begun.job);
        let mut tx = self.db().read().await?;
        let told = change_log::texts_of(&mut tx, job, id).await?;
        tx.rollback().await?;
        if begun.is_none() && told.is_empty() {
            return Ok(None);
        }
        let mut report = self.reconcile(kind, id, job).await?;
        if !told.is_empty() {
            report.text = told.join("; ");
        }
        Ok(Some(report).filter(|_| !told.is_empty() || begun == Some(job)))
    }
}
