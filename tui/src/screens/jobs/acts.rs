//! What can be done to jobs: to which of them, with what question.

use astrops_api::{
    ids::{EntityId, JobId, object_hex},
    jobs::{Delay, Job},
    vocabulary::{Delivery, EntityType, JobStatus},
};
use chrono::{DateTime, Utc};

use super::about;
use crate::{
    format,
    keys::Action,
    layers::{Ask, Confirm, Layer, Prompt},
    message::{Change, Request},
    screen::{Context, Effect, Place},
};

/// Whether `action` fits a job.
fn fits(action: Action, job: &Job) -> bool {
    match action {
        Action::Retry => {
            matches!(job.status, JobStatus::Failed | JobStatus::Cancelled) && !about::is_decision(job)
        }
        Action::Cancel | Action::Execute => !job.status.is_ended(),
        Action::Delay => job.status == JobStatus::Queued,
        Action::Delete => job.status.is_ended(),
        _ => true,
    }
}

/// For which jobs it does, in words.
const fn fitting(action: Action) -> &'static str {
    match action {
        Action::Retry => "failed or cancelled",
        Action::Cancel | Action::Execute => "queued or processing",
        Action::Delay => "queued",
        _ => "ended",
    }
}

/// Why `action` is off for these jobs.
pub fn available(action: Action, jobs: &[&Job]) -> Result<(), String> {
    if jobs.is_empty() {
        return Err("there is no job under the cursor".into());
    }
    if action == Action::Execute && jobs.len() > 1 {
        return Err("one job at a time: Esc unmarks".into());
    }
    if jobs.iter().any(|job| fits(action, job)) {
        return Ok(());
    }
    let fitting = fitting(action);
    Err(match jobs {
        [job] if action == Action::Retry && about::is_decision(job) => about::DECIDE_ANEW.into(),
        [job] => format!("only {fitting} jobs; this one is {}", job.status),
        _ => format!("only {fitting} jobs; none of the {} marked ones is", jobs.len()),
    })
}

/// The question before `action`.
pub fn ask(action: Action, jobs: &[&Job], context: &Context<'_>) -> Vec<Effect> {
    let fit: Vec<&Job> = jobs.iter().copied().filter(|job| fits(action, job)).collect();
    let ids: Vec<JobId> = fit.iter().map(|job| job.id).collect();
    let Some(first) = ids.first().copied() else { return Vec::new() };
    if action == Action::Delay {
        return vec![Effect::Open(Layer::Prompt(Prompt::new(Ask::Delay(ids), "")))];
    }
    // What must be read comes first: a low screen cuts the list.
    let mut lines = Vec::new();
    if fit.len() < jobs.len() {
        let left = format::things(jobs.len() - fit.len(), "marked job");
        lines.push(format!("{left} left out: only {} ones can be.", fitting(action)));
        if action == Action::Retry && jobs.iter().any(|job| about::is_decision(job)) {
            lines.push(format!("What was taken back stays so: {}.", about::DECIDE_ANEW));
        }
    }
    let (verb, change) = match action {
        Action::Retry => {
            let unknown = fit.iter().filter(|job| job.delivery == Some(Delivery::Unknown)).count();
            if unknown > 0 {
                lines.push(format!(
                    "Nobody knows whether {unknown} of these mails went out: they may arrive twice."
                ));
            }
            ("Retry", Change::Retry(ids.clone()))
        }
        Action::Cancel => {
            if fit.iter().any(|job| job.status == JobStatus::Processing) {
                lines.push(
                    "Running jobs are asked to stop; one that is nearly done may still complete.".into(),
                );
            }
            ("Cancel", Change::Cancel(ids.clone()))
        }
        Action::Delete => {
            lines.push("They and their attempts are gone for good.".into());
            ("Delete", Change::Delete(ids.clone()))
        }
        _ => {
            if let Some(at) = fit[0].next_run_at.filter(|at| *at > context.now) {
                let what = if fit[0].notification.is_some() { "It goes out" } else { "It runs" };
                lines.push(format!(
                    "{what} now instead of at {} ({}).",
                    format::full(at),
                    format::relative(at, context.now)
                ));
            }
            ("Run now", Change::Execute(first))
        }
    };
    lines.extend(describe(&fit));
    let title = format!("{verb} {}?", format::things(ids.len(), "job"));
    vec![Effect::Open(Layer::Confirm(Confirm::change(title, lines, ids.len(), change, context)))]
}

/// The question before delaying, once the time is known.
pub fn delay(ids: &[JobId], jobs: &[&Job], until: DateTime<Utc>, context: &Context<'_>) -> Effect {
    let title = match jobs {
        [job] => format!("Delay job {}?", job.id.short()),
        _ => format!("Delay {}?", format::things(ids.len(), "job")),
    };
    let mut lines =
        vec![format!("Not before {} ({}).", format::full(until), format::relative(until, context.now))];
    lines.extend(describe(jobs));
    let change = Change::Delay(ids.to_vec(), Delay { run_at: until });
    Effect::Open(Layer::Confirm(Confirm::change(title, lines, ids.len(), change, context)))
}

/// The way to the booking, launch or user that a job is about, when it says so.
pub fn subject(job: &Job) -> Option<Effect> {
    if let Some(pair) = &job.reconciliation {
        let id = pair.entity_id;
        return Some(Effect::Visit(match pair.entity_type {
            EntityType::Booking => Place::Booking(id.into()),
            EntityType::Launch => Place::Launch(id.into()),
            EntityType::User => Place::User(id.into()),
        }));
    }
    let data = job.notification.as_ref().and_then(|mail| mail.data.as_ref());
    let named = |name: &str| data?.get(name)?.as_str()?.parse::<EntityId>().ok();
    if let Some(id) = named("bookingId") {
        return Some(Effect::Visit(Place::Booking(id.into())));
    }
    if let Some(id) = named("launchId") {
        return Some(Effect::Visit(Place::Launch(id.into())));
    }
    // Data is private and absent in lists; the key of a job often names what it is about.
    let mut parts = job.unique_key.as_deref().unwrap_or_default().split([':', '/', ' ']);
    let id = parts.find_map(|part| part.parse::<EntityId>().ok().filter(|id| object_hex(id.0).is_some()))?;
    Some(Effect::Ask(Request::Find(id)))
}

/// The first few jobs in words.
fn describe(jobs: &[&Job]) -> Vec<String> {
    const SHOWN: usize = 5;
    let mut lines: Vec<String> = jobs
        .iter()
        .take(SHOWN)
        .map(|job| {
            let error = job.error_message.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
            format!("  {} {} {} {}{error}", job.id.short(), job.kind, about::target(job), job.status)
        })
        .collect();
    if jobs.len() > SHOWN {
        lines.push(format!("  and {} more", jobs.len() - SHOWN));
    }
    lines
}
