//! One job in full: where it stands, what it carries, every attempt, its latest log entries.

use std::sync::Arc;

use astrops_api::{
    ids::JobId,
    jobs::JobDetail,
    vocabulary::{AttemptOutcome, Delivery},
};
use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::jobs::about;
use crate::{
    format,
    keys::Action,
    layers::page::wrapped,
    message::Request,
    screen::{Context, Effect},
    text,
    widgets::{panel, scroll::Window},
};

type Lines = Vec<(String, Style)>;

/// The view of one job.
#[derive(Debug, Default)]
pub struct JobDetailView {
    wanted: Option<JobId>,
    detail: Option<Arc<JobDetail>>,
    window: Window,
    fetching: bool,
    /// Private fields are shown: asking again by itself would hide them, or be recorded as another look.
    revealed: bool,
    /// The last answer was a refusal.
    error: Option<String>,
}

impl JobDetailView {
    /// The job that is shown or on its way.
    pub const fn wanted(&self) -> Option<JobId> {
        self.wanted
    }

    /// What is known about it.
    pub fn detail(&self) -> Option<&JobDetail> {
        self.detail.as_deref()
    }

    /// Shows another job. At most one question is under way, however fast the cursor moves.
    pub fn show(&mut self, id: JobId) -> Vec<Effect> {
        if self.wanted == Some(id) {
            return Vec::new();
        }
        *self = Self { wanted: Some(id), fetching: self.fetching, ..Self::default() };
        self.fetch()
    }

    /// Asks again because something may have changed.
    pub fn freshen(&mut self) -> Vec<Effect> {
        if self.revealed { Vec::new() } else { self.fetch() }
    }

    /// Asks again; private fields are hidden again.
    pub fn fetch(&mut self) -> Vec<Effect> {
        match self.wanted {
            Some(id) if !self.fetching => {
                self.fetching = true;
                vec![Effect::Ask(Request::Job(id, false))]
            }
            _ => Vec::new(),
        }
    }

    /// Takes an answer in.
    pub fn take(&mut self, detail: &Arc<JobDetail>) -> Vec<Effect> {
        self.fetching = false;
        if self.wanted == Some(detail.job.id) {
            self.error = None;
            let hidden = self.detail.as_ref().is_some_and(|known| known.masked);
            self.revealed = hidden && !detail.masked;
            self.detail = Some(Arc::clone(detail));
            return Vec::new();
        }
        self.fetch()
    }

    /// What was asked is not answered any more.
    pub const fn forget(&mut self) {
        self.fetching = false;
    }

    /// Takes a refusal in.
    pub fn fail(&mut self, id: JobId, reason: &str) {
        self.fetching = false;
        if self.wanted == Some(id) {
            self.error = Some(reason.to_owned());
        }
    }

    /// Scrolls; answers whether `action` is about that at all.
    pub fn act(&mut self, action: Action) -> bool {
        self.window.act(action)
    }

    /// Everything as plain text.
    pub fn plain(&self, context: &Context<'_>) -> String {
        let lines = self.lines(context);
        lines.iter().map(|(line, _)| text::neutral(line).into_owned()).collect::<Vec<_>>().join("\n")
    }

    /// Draws itself.
    pub fn draw(&mut self, buffer: &mut Buffer, area: Rect, context: &Context<'_>, focused: bool) {
        let title = self.wanted.map_or_else(|| "Job".to_owned(), |id| format!("Job {}", id.short()));
        let inner = panel::panel(buffer, area, context.look, &title, focused);
        let inner = Rect { x: inner.x + 1.min(inner.width), width: inner.width.saturating_sub(2), ..inner };
        let lines = wrapped(&self.lines(context), usize::from(inner.width));
        self.window.settle(lines.len(), usize::from(inner.height));
        panel::paint(buffer, inner, lines.into_iter().skip(self.window.offset));
    }

    fn lines(&self, context: &Context<'_>) -> Lines {
        let look = context.look;
        let Some(detail) = &self.detail else {
            let words = self.error.clone().unwrap_or_else(|| "loading".to_owned());
            return vec![(words, if self.error.is_some() { look.bad } else { look.dim })];
        };
        let mut lines = head(detail, context);
        lines.push((String::new(), Style::new()));
        lines.extend(content(detail, self.revealed, context));
        lines.push((String::new(), Style::new()));
        lines.extend(attempts(detail, context));
        lines.push((String::new(), Style::new()));
        lines.push((format!("Log ({}) - l shows it in Logs", detail.logs.len()), look.title));
        for entry in &detail.logs {
            let at = format::moment(entry.timestamp, context.now);
            let line = format!("{at} {} {}", crate::theme::severity_word(entry.severity), entry.message);
            lines.push((line, look.severity(entry.severity)));
        }
        lines
    }
}

fn head(detail: &JobDetail, context: &Context<'_>) -> Lines {
    let look = context.look;
    let job = &detail.job;
    let plain = Style::new();
    let mut lines = vec![
        (
            format!(
                "{}  {} ({})  attempt {} of {}",
                job.kind, job.status, job.phase, job.attempt, job.max_attempts
            ),
            look.job(job.status),
        ),
        (format!("id       {}", job.id), look.dim),
    ];
    if let Some(progress) = &job.progress {
        lines.push((format!("progress {} %  {}", progress.percent, progress.message), look.active));
    }
    if let Some(error) = &job.error_message {
        lines.push((format!("error    {error}"), look.bad));
    }
    if job.delivery == Some(Delivery::Unknown) {
        let words = "delivery unknown: contact was lost after the last byte. Look at the mail server's log; \
                     R sends it again, X forgets it.";
        lines.push((words.to_owned(), look.critical));
    } else if let Some(delivery) = job.delivery {
        lines.push((format!("delivery {delivery}"), plain));
    }
    let mut when = |name: &str, at: Option<chrono::DateTime<chrono::Utc>>| {
        if let Some(at) = at {
            let ago = format::relative(at, context.now);
            lines.push((format!("{name:<8} {}  ({ago})", format::full(at)), plain));
        }
    };
    when("created", Some(job.created_at));
    when("started", job.started_at);
    when("ended", job.completed_at);
    when("next run", job.next_run_at);
    when("lease", detail.lease_until);
    let by = detail.created_by_email.as_ref().unwrap_or(&job.created_by);
    lines.push((format!("by       {by}"), plain));
    if let Some(schedule) = &job.schedule {
        lines.push((format!("schedule {schedule}"), plain));
    }
    if let Some(key) = &job.unique_key {
        lines.push((format!("key      {key}"), plain));
    }
    if detail.crashes > 0 {
        let words = format!("its node died under it {} (three times end it)", times(detail.crashes));
        lines.push((words, look.warning));
    }
    if let Some(node) = detail.node {
        lines.push((format!("node     {}", node.short()), plain));
    }
    lines
}

fn content(detail: &JobDetail, revealed: bool, context: &Context<'_>) -> Lines {
    let look = context.look;
    let job = &detail.job;
    let plain = Style::new();
    let private = match (detail.masked, revealed) {
        // The daemon masks by who asks, not by what there is: only mails hold something of a person.
        _ if job.notification.is_none() => "",
        (true, _) => " - private fields are hidden, U shows them",
        (false, true) => " - REVEALED; ctrl-r asks again and hides it",
        (false, false) => "",
    };
    let mut lines = vec![(format!("Content{private}"), look.title)];
    if let Some(mail) = &job.notification {
        lines.push((format!("to       {}", mail.recipient_email), plain));
        lines.push((format!("subject  {}", mail.subject), plain));
        if let Some(kind) = mail.kind {
            lines.push((format!("template {kind}"), plain));
        }
        if let Some(data) = &mail.data {
            let data = serde_json::to_string_pretty(data).unwrap_or_default();
            lines.extend(text::lines(&data).map(|line| (format!("  {line}"), plain)));
        }
        if let Some(message) = &mail.message {
            lines.extend(text::lines(message).map(|line| (format!("  {line}"), plain)));
        }
    }
    if let Some(pair) = &job.reconciliation {
        let decision = if about::is_decision(job) { "decision on " } else { "" };
        lines.push((format!("entity   {decision}{} {}", pair.entity_type, pair.entity_id), plain));
        if !decision.is_empty() {
            let words = format!("         {}", about::DECIDE_ANEW);
            lines.push((words, look.dim));
        }
        if let Some(decided) = &detail.decision {
            lines.push((format!("chosen   {}", decided.chosen()), plain));
            lines.extend(text::lines(&decided.reason).map(|line| (format!("reason   {line}"), plain)));
        }
        lines.extend(pair.changes_log.iter().map(|log| (format!("changes  {log}"), plain)));
    }
    if let Some(care) = &job.maintenance {
        lines.push((format!("task     {}", care.task), plain));
        lines.extend(care.result.iter().map(|result| (format!("result   {result}"), plain)));
    }
    lines
}

fn attempts(detail: &JobDetail, context: &Context<'_>) -> Lines {
    let look = context.look;
    let mut lines = vec![(format!("Attempts that ended ({})", detail.attempts.len()), look.title)];
    for attempt in &detail.attempts {
        let style = match attempt.outcome {
            AttemptOutcome::Ok => look.good,
            AttemptOutcome::Retry | AttemptOutcome::Cancelled => look.warning,
            AttemptOutcome::Failed | AttemptOutcome::Crashed => look.bad,
        };
        let took = format::span(attempt.finished_at - attempt.started_at);
        let at = format::moment(attempt.started_at, context.now);
        let error = attempt.error.as_deref().unwrap_or_default();
        lines.push((format!("{:>2} {at}  {took}  {}  {error}", attempt.number, attempt.outcome), style));
    }
    lines
}

fn times(number: u32) -> String {
    if number == 1 { "once".to_owned() } else { format!("{number} times") }
}
