//! Calls about both databases: comparing an entity, and deciding what is written.

use std::time::Duration;

use astrops_api::{
    Client, ClientError, drift::DriftQuery, ids::EntityId, reconciliation::ConflictQuery,
    resolution::Resolved, vocabulary::EntityType,
};
use uuid::Uuid;

use super::{
    super::reason::{plain, reason},
    Finished, is_fault, outcome,
};
use crate::{
    files::{Sides, SidesFile},
    message::{Change, Decision, HOLD_SECONDS, Outcome, Update},
};

/// How long a booking's file waits for the document database, which may be away.
const SIDES_WAIT: Duration = Duration::from_secs(3);

/// Both sides of something, unless that takes too long.
pub async fn sides(client: &Client, kind: EntityType, id: EntityId) -> Result<Sides, ClientError> {
    match tokio::time::timeout(SIDES_WAIT, client.recon_diff(kind, id)).await {
        Ok(Ok(diff)) => Ok(Sides::Known(Box::new(diff))),
        Ok(Err(error)) if is_fault(&error) => Err(error),
        Ok(Err(error)) => Ok(Sides::Refused(reason(&error))),
        Err(_) => {
            let wait = SIDES_WAIT.as_secs();
            Ok(Sides::Refused(format!("the document database did not answer in {wait} s")))
        }
    }
}

/// Everything about one entity on both sides.
pub async fn sides_file(client: &Client, kind: EntityType, id: EntityId) -> Result<SidesFile, ClientError> {
    let query = ConflictQuery {
        entity_type: Some(kind),
        entity_id: Some(id),
        snoozed: Some(true),
        ..ConflictQuery::default()
    };
    let known = DriftQuery { entity_type: Some(kind), entity_id: Some(id), ..DriftQuery::default() };
    let (diff, conflicts, known) =
        tokio::try_join!(client.recon_diff(kind, id), client.recon_conflicts(&query), client.drift(&known))?;
    Ok(SidesFile {
        diff,
        conflict: conflicts.conflicts.into_iter().next(),
        known: known.drift.into_iter().next(),
    })
}

/// Takes a decision, or only tries it; answers what became of each conflict.
pub async fn decide(client: &Client, decision: &Decision, dry: bool) -> Result<Vec<Resolved>, ClientError> {
    let hold = if dry { 0 } else { HOLD_SECONDS };
    let (id, resolution) = match decision.clone() {
        Decision::Resolve(id, mut body) => {
            (body.dry_run, body.hold_seconds) = (dry, hold);
            (id, client.resolve_conflict(id, &body).await?)
        }
        Decision::Revert(id, mut body) => {
            (body.dry_run, body.hold_seconds) = (dry, hold);
            (id, client.revert_change(id, &body).await?)
        }
        Decision::ResolveMany(mut body) => {
            (body.dry_run, body.hold_seconds) = (dry, hold);
            let mut results = client.resolve_conflicts(&body).await?.results;
            for refused in results.iter_mut().filter_map(|result| result.refused.as_mut()) {
                *refused = plain(refused);
            }
            return Ok(results);
        }
    };
    Ok(vec![Resolved { id, resolution: Some(resolution), refused: None }])
}

/// Takes a decision: the answer says which jobs write it, so that it can be taken back.
pub async fn take(client: &Client, decision: Box<Decision>, names: Vec<(Uuid, String)>) -> Finished {
    let name = |id: Uuid| names.iter().find(|(known, _)| *known == id).map(|(_, name)| name.clone());
    let mut held = Vec::new();
    let mut fault = None;
    let outcomes = match decide(client, &decision, false).await {
        Ok(results) => results
            .into_iter()
            .map(|result| {
                let target = name(result.id).unwrap_or_else(|| result.id.to_string());
                let refused = result.refused.unwrap_or_else(|| "the daemon does not say why".to_owned());
                let result = result.resolution.map(|resolution| {
                    let words = resolution.changes_log.clone();
                    held.push((target.clone(), resolution));
                    words
                });
                Outcome { target, result: result.ok_or(refused) }
            })
            .collect(),
        Err(error) => {
            let target = match &names[..] {
                [(_, name)] => name.clone(),
                _ => "nothing was decided".to_owned(),
            };
            let twin = error.problem().is_some_and(|problem| problem.slug() == "duplicate-job");
            let (mut outcome, broken) = outcome(target, Err(error));
            fault = broken;
            if let (true, Err(reason)) = (twin, &mut outcome.result) {
                *reason = format!("another decision about it is not written yet: {reason}");
            }
            vec![outcome]
        }
    };
    let updates = vec![Update::Done(Change::Decide(decision, names), outcomes), Update::Held(held)];
    Finished { updates, took: None, fault }
}
