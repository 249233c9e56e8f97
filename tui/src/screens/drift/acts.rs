//! What can be done about what differs: the forms and questions before it.

use astrops_api::{
    reconciliation::{EntityMapping, Mappings, NewReconciliation},
    resolution::{Resolution, ResolveMany, Resolved, Snooze, Take},
    sweeps::NewSweep,
    vocabulary::{EntityType, SweepMode},
};
use chrono::TimeDelta;
use uuid::Uuid;

use super::{
    resolve::{DELETES, TRYING},
    words::{self, Subject},
};
use crate::{
    format,
    layers::{Confirm, FormLayer, Layer, Purpose},
    message::{Change, Decision, HOLD_SECONDS, Request},
    screen::{Context, Effect},
    widgets::form::{Field, Form},
};

/// Conflicts of one bulk decision, at most.
pub const MOST: usize = 100;

/// The longest reason that the daemon takes.
const LONGEST: usize = 200;

/// Names that a question lists.
const SHOWN: usize = 5;

type Refused = (&'static str, String);

fn form(purpose: impl Purpose + 'static, fields: Vec<Field>) -> Effect {
    Effect::Open(Layer::Form(Box::new(FormLayer::of(purpose, fields))))
}

fn reason(form: &Form) -> Result<String, Refused> {
    let typed = form.get("reason");
    if typed.chars().count() > LONGEST {
        return Err(("reason", format!("a reason has at most {LONGEST} characters")));
    }
    Ok(typed.to_owned())
}

fn things(count: usize, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{} {many}", format::count(count as u64)) }
}

fn list(names: impl ExactSizeIterator<Item = String>) -> Vec<String> {
    let more = names.len().saturating_sub(SHOWN);
    let mut lines: Vec<String> = names.take(SHOWN).map(|name| format!("  {name}")).collect();
    if more > 0 {
        lines.push(format!("  and {more} more"));
    }
    lines
}

/// The question before entities are reconciled; `missing` says that one of them is not there on a side.
pub fn reconcile(subjects: &[Subject], missing: bool, context: &Context<'_>) -> Effect {
    let entities: Vec<NewReconciliation> = subjects
        .iter()
        .map(|subject| NewReconciliation { entity_type: subject.kind, entity_id: subject.id })
        .collect();
    let mut lines =
        vec!["Jobs write on both sides what the rules say; what is in conflict stays as it is.".to_owned()];
    if missing {
        lines.push(format!(
            "What is missing on a side is made there or, when it was deleted there, deleted{DELETES}."
        ));
    }
    lines.extend(list(subjects.iter().map(Subject::name)));
    let title = format!("Reconcile {} now?", things(subjects.len(), "entity", "entities"));
    Effect::Open(Layer::Confirm(Confirm::change(
        title,
        lines,
        subjects.len(),
        Change::Reconcile(entities),
        context,
    )))
}

/// Conflicts that are not to be listed for a while, or are to be listed again.
#[derive(Debug)]
struct Snoozing {
    conflicts: Vec<(Uuid, String)>,
    critical: usize,
}

/// The form before conflicts are snoozed; so many of them are `critical`, so many are snoozed already.
pub fn snooze(subjects: &[Subject], critical: usize, snoozed: usize) -> Effect {
    let conflicts = subjects.iter().filter_map(|subject| Some((subject.conflict?, subject.name())));
    let conflicts: Vec<_> = conflicts.collect();
    let until = if snoozed == conflicts.len() { "now" } else { "+8h" };
    let fields = vec![Field::text("until", "until", true, until), Field::text("reason", "reason", true, "")];
    form(Snoozing { conflicts, critical }, fields)
}

impl Purpose for Snoozing {
    fn title(&self) -> String {
        format!("Snooze {}", things(self.conflicts.len(), "conflict", "conflicts"))
    }

    fn note(&self) -> String {
        "Until a time (+8h, 07:30, 2026-11-21 07:30; UTC); \"now\" wakes it.".to_owned()
    }

    fn submit(&self, form: &Form, context: &Context<'_>) -> Result<Effect, Refused> {
        let wakes = matches!(form.get("until"), "now" | "0");
        let count = self.conflicts.len();
        let reason = reason(form)?;
        let (title, mut lines, change) = if wakes {
            // Clocks differ: an hour ago is past for the daemon, too.
            let until = context.now - TimeDelta::hours(1);
            let title = format!("Wake {}?", things(count, "conflict", "conflicts"));
            let change =
                Change::WakeConflicts(self.conflicts.clone(), Snooze { until, reason: reason.clone() });
            (title, vec!["Listed again at once.".to_owned()], change)
        } else {
            let until =
                format::parse_future(form.get("until"), context.now).map_err(|reason| ("until", reason))?;
            let (at, left) = (format::full(until), format::relative(until, context.now));
            let mut lines = vec![format!("Not listed until {at} ({left}).")];
            if self.critical > 0 {
                lines.push(format!(
                    "{} CRITICAL and somebody must act now: nothing wakes that before.",
                    if count == 1 { "It is".to_owned() } else { format!("{} of them are", self.critical) }
                ));
            }
            if self.critical < count {
                lines.push("What becomes critical wakes by itself.".to_owned());
            }
            let change =
                Change::SnoozeConflicts(self.conflicts.clone(), Snooze { until, reason: reason.clone() });
            (format!("{}?", self.title()), lines, change)
        };
        lines.push(format!("Reason: {reason}"));
        lines.extend(list(self.conflicts.iter().map(|(_, name)| name.clone())));
        Ok(Effect::Open(Layer::Confirm(Confirm::change(title, lines, count, change, context))))
    }

    fn is_met_by(&self, change: &Change) -> bool {
        matches!(change, Change::SnoozeConflicts(..) | Change::WakeConflicts(..))
    }
}

/// A sweep that is to be asked for.
#[derive(Debug)]
struct Sweeping;

/// The form of a new sweep.
pub fn sweep() -> Effect {
    let modes: Vec<&str> = SweepMode::ALL.iter().map(|mode| mode.as_str()).collect();
    let mut kinds = vec!["everything"];
    kinds.extend(EntityType::ALL.iter().map(|kind| kind.as_str()));
    let fields = vec![
        Field::choice("mode", "mode", &modes, SweepMode::Incremental.as_str()),
        Field::choice("type", "of", &kinds, "everything"),
        Field::choice("dry", "dry run", &["no", "yes"], "no"),
    ];
    form(Sweeping, fields)
}

impl Purpose for Sweeping {
    fn title(&self) -> String {
        "New sweep".to_owned()
    }

    fn note(&self) -> String {
        "Incremental looks at what changed, full at everything. A dry run only tells.".to_owned()
    }

    fn submit(&self, form: &Form, context: &Context<'_>) -> Result<Effect, Refused> {
        let mode: SweepMode = form.get("mode").parse().map_err(|error| ("mode", format!("{error}")))?;
        let entity_type = EntityType::ALL.iter().copied().find(|kind| kind.as_str() == form.get("type"));
        let dry_run = form.get("dry") == "yes";
        let what = match (mode, entity_type) {
            (SweepMode::Full, None) => "every row".to_owned(),
            (SweepMode::Full, Some(kind)) => format!("every {kind}"),
            (SweepMode::Incremental, None) => "what changed since the last sweep".to_owned(),
            (SweepMode::Incremental, Some(kind)) => format!("every {kind} that changed since the last sweep"),
        };
        let how = if dry_run {
            "It writes neither side and only tells."
        } else {
            "It writes what the rules allow; what needs a person becomes a conflict. Too many changes wait for approval."
        };
        let change = Change::StartSweep(NewSweep { mode, entity_type, dry_run });
        let lines = vec![format!("Compares {what}, on both sides."), how.to_owned()];
        let confirm = Confirm::change(format!("Start the {mode} sweep?"), lines, 1, change, context);
        Ok(Effect::Open(Layer::Confirm(confirm)))
    }

    fn is_met_by(&self, change: &Change) -> bool {
        matches!(change, Change::StartSweep(_))
    }
}

/// Conflicts in which one side is to win.
#[derive(Debug)]
struct Taking {
    ids: Vec<Uuid>,
    number: u64,
}

/// The form before one side wins in whole conflicts. What it leads to is tried first, as dry run `number`.
pub fn take_all(subjects: &[Subject], number: u64) -> Effect {
    let fields = vec![
        Field::choice("take", "take", &["document", "relational", "base"], "document"),
        Field::text("reason", "reason", true, ""),
    ];
    form(Taking { ids: subjects.iter().filter_map(|subject| subject.conflict).collect(), number }, fields)
}

impl Purpose for Taking {
    fn title(&self) -> String {
        format!("Take one side in {}", things(self.ids.len(), "conflict", "conflicts"))
    }

    fn note(&self) -> String {
        "Whose values win in every field in conflict. What that writes is shown first.".to_owned()
    }

    fn submit(&self, form: &Form, _context: &Context<'_>) -> Result<Effect, Refused> {
        let take = match form.get("take") {
            "document" => Take::Document,
            "relational" => Take::Relational,
            _ => Take::Base,
        };
        let reason = reason(form)?;
        let body = ResolveMany { ids: self.ids.clone(), take, reason, dry_run: true, hold_seconds: 0 };
        Ok(Effect::Ask(Request::Try(self.number, Box::new(Decision::ResolveMany(body)))))
    }

    fn is_met_by(&self, change: &Change) -> bool {
        matches!(change, Change::Decide(decision, _) if matches!(**decision, Decision::ResolveMany(_)))
    }

    fn ends_refused(&self) -> bool {
        true
    }
}

/// The question before one side wins, once a dry run has told what that writes. What was refused is left out.
pub fn taken(
    body: &ResolveMany,
    results: &[Resolved],
    subjects: &[Subject],
    mappings: Option<&Mappings>,
    context: &Context<'_>,
) -> Effect {
    let subject = |id: Uuid| subjects.iter().find(|subject| subject.conflict == Some(id));
    let name = |id: Uuid| subject(id).map_or_else(|| words::short(id), Subject::name);
    let fit: Vec<&Resolved> = results.iter().filter(|result| result.resolution.is_some()).collect();
    if fit.is_empty() {
        let why = results.iter().map(|result| {
            format!(
                "{}: {}",
                name(result.id),
                result.refused.as_deref().unwrap_or("nothing is decided by it")
            )
        });
        return Effect::trouble(why.collect::<Vec<_>>().join("; "));
    }
    let mut lines = vec![format!("Reason: {}", body.reason), after()];
    let refused: Vec<&Resolved> = results.iter().filter(|result| result.resolution.is_none()).collect();
    if !refused.is_empty() {
        lines.push(format!("{} left out:", things(refused.len(), "conflict", "conflicts")));
        lines.extend(refused.iter().map(|result| {
            format!("  {}: {}", name(result.id), result.refused.as_deref().unwrap_or("refused"))
        }));
    }
    lines.push("Written:".to_owned());
    for result in &fit {
        let mapping = subject(result.id).and_then(|subject| words::mapping(mappings, subject.kind));
        let Some(resolution) = &result.resolution else { continue };
        lines.push(format!("- {}: {}", name(result.id), resolution.changes_log));
        lines
            .extend(resolution.changes.iter().map(|change| format!("  {}", words::written(change, mapping))));
        let left = resolution.conflicts.iter();
        lines.extend(left.map(|left| format!("  still waits: {}: {}", left.topic, left.reason)));
    }
    let side = match body.take {
        Take::Document => "the document side",
        Take::Relational => "the relational side",
        Take::Base => "the base",
    };
    let title = format!("Take {side} in {}?", things(fit.len(), "conflict", "conflicts"));
    let ids: Vec<Uuid> = fit.iter().map(|result| result.id).collect();
    let names = ids.iter().map(|id| (*id, name(*id))).collect();
    let many = ResolveMany { ids, dry_run: false, ..body.clone() };
    let change = Change::Decide(Box::new(Decision::ResolveMany(many)), names);
    Effect::Open(Layer::Confirm(Confirm::change(title, lines, fit.len(), change, context)))
}

fn after() -> String {
    format!("Written after {HOLD_SECONDS} s; until then u takes it back.")
}

/// A decision that was previewed and lacks its reason.
#[derive(Debug)]
struct Deciding {
    verb: &'static str,
    id: Uuid,
    name: String,
    decision: Decision,
    written: Vec<String>,
}

/// Asks why, then whether: `resolution` is what the preview told.
pub fn decide(
    subject: Subject,
    decision: Decision,
    resolution: &Resolution,
    mapping: Option<&EntityMapping>,
    known: &str,
) -> Effect {
    let (verb, id) = match &decision {
        Decision::Revert(id, _) => ("Revert the change of", *id),
        Decision::Resolve(id, _) => ("Write", *id),
        Decision::ResolveMany(_) => ("Write", Uuid::nil()),
    };
    let mut written = vec![resolution.changes_log.clone()];
    written.extend(resolution.changes.iter().map(|change| format!("- {}", words::written(change, mapping))));
    written.extend(
        resolution.conflicts.iter().map(|left| format!("- still waits: {}: {}", left.topic, left.reason)),
    );
    form(
        Deciding { verb, id, name: subject.name(), decision, written },
        vec![Field::text("reason", "reason", true, known)],
    )
}

impl Purpose for Deciding {
    fn title(&self) -> String {
        format!("{} {}", self.verb, self.name)
    }

    fn note(&self) -> String {
        "Why: kept in the audit log and the change log.".to_owned()
    }

    fn submit(&self, form: &Form, context: &Context<'_>) -> Result<Effect, Refused> {
        let reason = reason(form)?;
        let mut lines = vec![format!("Reason: {reason}"), after()];
        lines.extend(self.written.iter().cloned());
        let mut decision = self.decision.clone();
        match &mut decision {
            Decision::Resolve(_, body) => body.reason = reason,
            Decision::Revert(_, body) => body.reason = reason,
            Decision::ResolveMany(body) => body.reason = reason,
        }
        let change = Change::Decide(Box::new(decision), vec![(self.id, self.name.clone())]);
        let confirm = Confirm::change(format!("{}?", self.title()), lines, 1, change, context);
        Ok(Effect::Open(Layer::Confirm(confirm)))
    }

    fn is_met_by(&self, change: &Change) -> bool {
        matches!(change, Change::Decide(_, names) if names.iter().any(|(id, _)| *id == self.id))
    }

    /// What it was about was previewed; a refusal says that this is not so any more.
    fn ends_refused(&self) -> bool {
        true
    }
}

/// A revert to be tried.
pub fn try_revert(change: Uuid, number: u64) -> Effect {
    let body = astrops_api::resolution::Revert { reason: TRYING.to_owned(), dry_run: true, hold_seconds: 0 };
    Effect::Ask(Request::Try(number, Box::new(Decision::Revert(change, body))))
}
