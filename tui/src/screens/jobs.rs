//! The jobs: a table that the daemon filters, orders and pages, and the detail of one of them.

pub mod about;
mod acts;
mod columns;
mod list;
mod query;

use std::{collections::HashMap, time::Duration};

use astrops_api::{ids::JobId, jobs::Job, notifications::NotificationTypeInfo};
use ratatui::{buffer::Buffer, layout::Rect};

use self::list::List;
use super::job_detail::JobDetailView;
use crate::{
    format,
    keys::{Action, Scope},
    layers::{Ask, Confirm, FormLayer, Layer, Page, Prompt},
    message::{Change, LinkState, Request, Update},
    screen::{Context, Due, Effect, Place, Screen},
    text,
    widgets::{panel, split::Split},
};

/// Asked again after this while nothing tells of changes.
const CALM: Duration = Duration::from_secs(30);

/// The hints while the detail has the keys.
const IN_DETAIL: &[(Action, &str)] = &[
    (Action::Close, "back"),
    (Action::Retry, "retry"),
    (Action::Cancel, "cancel"),
    (Action::Reveal, "reveal"),
    (Action::Json, "raw"),
    (Action::Follow, "logs"),
    (Action::Down, "scroll"),
    (Action::Help, "help"),
];

/// What mails can be sent.
#[derive(Debug, Default)]
enum MailTypes {
    #[default]
    Unknown,
    /// The form opens when they arrive.
    Wanted,
    Known(Vec<NotificationTypeInfo>),
}

/// The jobs.
#[derive(Default)]
pub struct Jobs {
    list: List,
    detail: JobDetailView,
    detail_due: Due,
    split: Split,
    types: MailTypes,
}

impl Jobs {
    /// Lets the detail beside the table follow the cursor.
    fn follow_cursor(&mut self) -> Vec<Effect> {
        match self.list.table.current() {
            Some(job) if self.split.follows() => self.detail.show(job.id),
            _ => Vec::new(),
        }
    }

    /// The jobs that an action is about: the open one when the detail has the keys, else the marked ones or the
    /// one under the cursor.
    fn chosen(&self) -> Vec<&Job> {
        if self.split.in_detail() {
            return self.detail.detail().map(|detail| &detail.job).into_iter().collect();
        }
        self.list.table.chosen()
    }

    /// The job that `typed` names: by its whole id, or by the digits shown of it when its row is loaded.
    pub fn known(&self, typed: &str) -> Option<JobId> {
        let typed = typed.to_ascii_lowercase();
        let short = typed.len() == 8 && typed.bytes().all(|digit| digit.is_ascii_hexdigit());
        let mut rows = self.list.table.rows().iter().map(|job| job.id);
        rows.find(|id| short && id.short() == typed).or_else(|| typed.parse().ok())
    }

    fn open_form(&mut self) -> Vec<Effect> {
        if let MailTypes::Known(types) = &self.types {
            return vec![Effect::Open(Layer::Form(Box::new(FormLayer::mail(types.clone()))))];
        }
        self.types = MailTypes::Wanted;
        vec![Effect::Ask(Request::NotificationTypes)]
    }

    fn close(&mut self) -> Vec<Effect> {
        if self.split.is_open() {
            self.split.close();
        } else if self.list.table.marked() > 0 {
            self.list.table.unmark();
        } else if !self.list.filter().is_empty() {
            return self.list.set_filter("");
        }
        Vec::new()
    }

    fn copy(&self, all: bool, context: &Context<'_>) -> String {
        if self.split.in_detail() {
            return self.detail.plain(context);
        }
        let jobs = if all { self.list.table.visible().iter().collect() } else { self.list.table.chosen() };
        jobs.into_iter()
            .map(|job| {
                text::neutral(&format!("{} {} {} {}", job.id, job.kind, job.status, about::target(job)))
                    .into_owned()
            })
            .collect::<Vec<_>>()
            .join("\n")
    }

    fn json(&self) -> Option<Page> {
        let text = match self.detail.detail().filter(|_| self.split.in_detail()) {
            Some(detail) => serde_json::to_string_pretty(detail),
            None => serde_json::to_string_pretty(self.list.table.current()?),
        };
        Some(Page::plain("Job as JSON", &text.ok()?))
    }
}

impl Screen for Jobs {
    fn scope(&self) -> Scope {
        Scope::Jobs
    }

    fn available(&self, action: Action, context: &Context<'_>) -> Result<(), String> {
        match action {
            Action::Retry | Action::Cancel | Action::Delay | Action::Execute | Action::Delete => {
                acts::available(action, &self.chosen())
            }
            Action::Reveal if !context.user.is_some_and(astrops_api::auth::User::is_operator) => {
                Err("only operators see private fields".into())
            }
            Action::Reveal if !self.split.is_open() => Err("open the job first: Enter".into()),
            Action::Reveal if self.detail.detail().is_some_and(|known| known.job.notification.is_none()) => {
                Err("only mails have private fields".into())
            }
            Action::Open | Action::Follow | Action::Json | Action::Copy | Action::ToSubject
                if self.chosen().is_empty() =>
            {
                Err("there is no job under the cursor".into())
            }
            Action::ToSubject if self.chosen().first().and_then(|job| acts::subject(job)).is_none() => {
                let mail = self.chosen().first().and_then(|job| job.notification.as_ref());
                Err(match mail {
                    Some(mail) if mail.data.is_none() => {
                        "what a mail is about is private: Enter, then U".into()
                    }
                    _ => "it names no booking, launch or user".into(),
                })
            }
            _ => Ok(()),
        }
    }

    fn act(&mut self, action: Action, context: &Context<'_>) -> Vec<Effect> {
        match action {
            Action::Retry | Action::Cancel | Action::Delay | Action::Execute | Action::Delete => {
                acts::ask(action, &self.chosen(), context)
            }
            Action::New => self.open_form(),
            Action::Filter => vec![Effect::Open(Layer::Prompt(Prompt::new(Ask::Filter, self.list.filter())))],
            Action::Status => self.list.next_status(),
            Action::Order | Action::Reverse => self.list.reverse(),
            Action::Open => match self.list.table.current().map(|job| job.id) {
                Some(id) if !self.split.in_detail() => {
                    self.split.open();
                    self.detail.show(id)
                }
                _ => Vec::new(),
            },
            Action::Focus | Action::FocusBack => {
                self.split.switch();
                Vec::new()
            }
            Action::Zoom => {
                self.split.zoom();
                Vec::new()
            }
            Action::Close if self.list.stop_marking() => Vec::new(),
            Action::Close => self.close(),
            Action::MarkAll => self.list.mark_all(),
            Action::Reveal => {
                let Some(id) = self.detail.wanted() else { return Vec::new() };
                let lines = vec!["The daemon records that you looked.".to_owned()];
                let title = format!("Show the private fields of job {}?", id.short());
                let reveal = Effect::Ask(Request::Job(id, true));
                vec![Effect::Open(Layer::Confirm(Confirm::new(title, lines, reveal)))]
            }
            Action::Follow => match self.chosen().first() {
                Some(job) => vec![Effect::Visit(Place::LogsOf(job.id))],
                None => Vec::new(),
            },
            Action::ToSubject => {
                self.chosen().first().and_then(|job| acts::subject(job)).into_iter().collect()
            }
            Action::Json => self.json().map(|page| Effect::Open(Layer::Page(page))).into_iter().collect(),
            Action::Copy | Action::CopyAll => {
                vec![Effect::Copy(self.copy(action == Action::CopyAll, context))]
            }
            Action::Refresh => {
                let mut effects = self.list.refresh();
                effects.extend(self.detail.fetch());
                effects
            }
            action if self.split.in_detail() => {
                self.detail.act(action);
                Vec::new()
            }
            action => {
                self.list.table.act(action);
                let mut effects = self.follow_cursor();
                effects.extend(self.list.more());
                effects
            }
        }
    }

    fn update(&mut self, update: &Update, _context: &Context<'_>) -> Vec<Effect> {
        match update {
            Update::Jobs(number, page) => {
                let mut effects = self.list.take(*number, page);
                effects.extend(self.follow_cursor());
                return effects;
            }
            Update::Job(detail) => return self.detail.take(detail),
            Update::JobsChanged(jobs) => {
                let latest: HashMap<JobId, &Job> = jobs.iter().map(|job| (job.id, job)).collect();
                self.list.changed(&latest);
                if self.detail.wanted().is_some_and(|id| latest.contains_key(&id)) {
                    self.detail_due.hurry();
                }
            }
            // Whatever was asked before is not answered any more.
            Update::Link(LinkState::Connecting) => {
                self.list.forget();
                self.detail.forget();
            }
            Update::JobsMissed => {
                self.list.hurry();
                self.detail_due.hurry();
            }
            Update::Done(change, outcomes) => {
                self.list.hurry();
                self.detail_due.hurry();
                let jobs = matches!(
                    change,
                    Change::Retry(_) | Change::Cancel(_) | Change::Delete(_) | Change::Delay(..)
                );
                if jobs && outcomes.iter().all(|outcome| outcome.result.is_ok()) {
                    self.list.table.unmark();
                }
                if let Change::Delete(ids) = change
                    && self.detail.wanted().is_some_and(|id| ids.contains(&id))
                {
                    self.split.close();
                }
            }
            Update::NotificationTypes(types) => {
                let before = std::mem::replace(&mut self.types, MailTypes::Known(types.clone()));
                if matches!(before, MailTypes::Wanted) {
                    return self.open_form();
                }
            }
            Update::Failed(request, reason) => match &**request {
                Request::Jobs(number, _) => self.list.fail(*number, reason),
                Request::Job(id, _) => self.detail.fail(*id, reason),
                Request::NotificationTypes => self.types = MailTypes::Unknown,
                _ => {}
            },
            _ => {}
        }
        Vec::new()
    }

    fn tick(&mut self, visible: bool, context: &Context<'_>) -> Vec<Effect> {
        let mut effects = Vec::new();
        if !visible || !context.link.is_live() {
            return effects;
        }
        effects.extend(self.list.tick(context.now));
        if self.split.is_open() && self.detail_due.is_now(context.now, CALM) {
            effects.extend(self.detail.freshen());
        }
        effects
    }

    fn prompted(&mut self, ask: &Ask, text: &str, done: bool, context: &Context<'_>) -> Vec<Effect> {
        match ask {
            Ask::Filter if done => match self.known(text.trim()) {
                // An id is not a word that the daemon looks for.
                Some(id) if self.list.table.select(&id) => {
                    let mut effects = self.follow_cursor();
                    effects.push(Effect::note(format!("job {}: the filter is as before", id.short())));
                    effects
                }
                // What is not held may be the id of something else, in a key or an error: the daemon looks.
                _ => self.list.set_filter(text.trim()),
            },
            Ask::Delay(ids) if done && !text.trim().is_empty() => {
                match format::parse_future(text, context.now) {
                    Ok(until) => {
                        let rows = self.list.table.rows().iter();
                        let mut jobs: Vec<&Job> = rows.filter(|job| ids.contains(&job.id)).collect();
                        if jobs.is_empty() {
                            let open = self.detail.detail().map(|detail| &detail.job);
                            jobs.extend(open.filter(|job| ids.contains(&job.id)));
                        }
                        vec![acts::delay(ids, &jobs, until, context)]
                    }
                    Err(reason) => Prompt::again(ask, text, reason),
                }
            }
            _ => Vec::new(),
        }
    }

    fn visit(&mut self, place: &Place, _context: &Context<'_>) -> Vec<Effect> {
        match place {
            Place::Job(id) => {
                // The table may not hold it; the detail then stands alone.
                self.list.table.select(id);
                self.split.open_alone();
                self.detail.show(*id)
            }
            Place::Jobs(filter) => {
                self.split.close();
                self.list.set_filter(filter)
            }
            _ => Vec::new(),
        }
    }

    fn is_nested(&self) -> bool {
        self.split.is_open()
    }

    fn hints(&self, _context: &Context<'_>) -> &'static [(Action, &'static str)] {
        if self.split.in_detail() { IN_DETAIL } else { &[] }
    }

    fn remark(&self, context: &Context<'_>) -> Option<String> {
        let marked = self.list.table.marked();
        if self.split.in_detail() {
            return None;
        }
        if marked == 0 {
            // A narrow table has no room for why a job failed.
            let job = self.list.table.current()?;
            return job.error_message.as_ref().map(|error| format!("{}: {error}", job.id.short()));
        }
        let marked = format::things(marked, "job");
        Some(match context.may_change() {
            Ok(()) => format!("{marked} marked: R, C, D and X mean these (and ask); Esc unmarks"),
            Err(reason) => format!("{marked} marked; {reason}"),
        })
    }

    fn draw(&mut self, buffer: &mut Buffer, area: Rect, context: &Context<'_>) {
        let (list, detail) = self.split.areas(area);
        if let Some(detail) = detail {
            self.detail.draw(buffer, detail, context, self.split.in_detail());
        }
        let Some(list) = list else { return };
        let inner = panel::panel(buffer, list, context.look, &self.list.title(), !self.split.in_detail());
        let empty = text::neutral(self.list.empty()).into_owned();
        self.list.table.draw(buffer, inner, context, &empty);
    }
}
