//! One call per id, each reported on its own.
//!
//! With `--json` the answer is an array with one object per id: `{id, ok, <thing>}` with the API's JSON of the thing,
//! or `{id, ok, problem}`. Exit code 0 when all went well, 4 when the daemon refused all, 1 otherwise.

use std::{collections::HashSet, fmt::Display, hash::Hash};

use astrops_api::{ClientError, Problem};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    context::Context,
    failure::{Failure, code, tell},
};

/// What became of one thing.
pub struct Done {
    ok: bool,
    words: String,
    answer: Option<Value>,
}

impl Done {
    /// It went well: in words, and what it is now.
    pub fn well(words: &str, now: &impl Serialize) -> Self {
        Self::so(true, words, now)
    }

    /// Whether it is as was wanted, in words, and what it is now.
    pub fn so(ok: bool, words: &str, now: &impl Serialize) -> Self {
        Self { ok, words: words.to_owned(), answer: serde_json::to_value(now).ok() }
    }

    /// It went well, and there is nothing to show.
    pub fn gone(words: &str) -> Self {
        Self { ok: true, words: words.to_owned(), answer: None }
    }
}

/// What is known about one id.
struct Report<Id> {
    id: Id,
    ok: bool,
    answer: Option<Value>,
    problem: Option<Box<Problem>>,
}

/// Calls for each id in turn and reports; `thing` names the answers. Ends early when no call can succeed:
/// unreachable, or not signed in.
pub async fn each<Id: Copy + Eq + Hash + Display>(
    thing: &str,
    mut ids: Vec<Id>,
    context: &Context,
    call: impl AsyncFn(Id) -> Result<Done, ClientError>,
) -> Result<(), Failure> {
    let mut once = HashSet::new();
    ids.retain(|id| once.insert(*id));
    let mut reports = Vec::new();
    for &id in &ids {
        match call(id).await {
            Ok(Done { ok, words, answer }) => {
                if ok {
                    context.out.done(&format!("{id}: {words}"))?;
                } else {
                    tell(&format!("{id}: {words}"));
                }
                reports.push(Report { id, ok, answer, problem: None });
            }
            Err(ClientError::Refused(problem)) if problem.status != 401 => {
                tell(&format!("{id}: {}", context.words(&ClientError::Refused(problem.clone()))));
                reports.push(Report { id, ok: false, answer: None, problem: Some(problem) });
            }
            Err(error) => {
                stopped(thing, &ids, context, &reports)?;
                return Err(error.into());
            }
        }
    }
    if context.out.json {
        context.out.document(&document(thing, &reports))?;
    }
    if reports.iter().all(|report| report.ok) {
        return Ok(());
    }
    let refused = reports.iter().all(|report| report.problem.is_some());
    Err(Failure::Told(if refused { code::REFUSED } else { code::FAILED }))
}

/// Says what had been done before a call failed for a reason that the next ones share.
fn stopped<Id: Display>(
    thing: &str,
    ids: &[Id],
    context: &Context,
    reports: &[Report<Id>],
) -> Result<(), Failure> {
    if context.out.json && !reports.is_empty() {
        context.out.document(&document(thing, reports))?;
    }
    if ids.len() > 1 {
        // The one that failed may have been done all the same: its answer was lost.
        tell(&format!("stopped at {thing} {} of {}: {}", reports.len() + 1, ids.len(), ids[reports.len()]));
    }
    Ok(())
}

fn document<Id: Display>(thing: &str, reports: &[Report<Id>]) -> Vec<Value> {
    let object = |report: &Report<Id>| {
        let mut fields = Map::new();
        fields.insert("id".to_owned(), json!(report.id.to_string()));
        fields.insert("ok".to_owned(), json!(report.ok));
        if let Some(answer) = &report.answer {
            fields.insert(thing.to_owned(), answer.clone());
        }
        if let Some(problem) = &report.problem {
            fields.insert("problem".to_owned(), json!(problem));
        }
        Value::Object(fields)
    };
    reports.iter().map(object).collect()
}
