//! What the tests share: a small world of jobs, logs and schedules, and a console that shows it.

mod drift;
mod entities;

use std::{sync::Arc, time::Duration};

use astrops_api::{
    auth::User,
    jobs::{Job, JobDetail, JobPage, JobStats},
    logs::{Histogram, LogEntry},
    notifications::NotificationTypeInfo,
    schedules::Schedule,
    status::Status,
    vocabulary::{Right, Role},
};
use chrono::{DateTime, TimeDelta, Utc};
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Color, Modifier},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub use drift::*;
pub use entities::*;

use crate::{
    app::{App, Command, Settings},
    files::Today,
    keys::Chord,
    message::{LinkState, LogItem, Request, Update},
};

/// The time of every test.
pub fn now() -> DateTime<Utc> {
    "2026-11-20T14:02:11Z".parse().unwrap()
}

fn typed<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// The id of sample `number`.
pub fn id(number: usize) -> String {
    format!("0190f000-0000-7000-8000-{number:012x}")
}

/// Someone with the operator right.
pub fn operator() -> User {
    User {
        id: "507f1f77bcf86cd799439011".parse().unwrap(),
        email: "ana@astrobookings.example".into(),
        name: None,
        role: Role::Employee,
        right: Some(Right::Operator),
        created_at: now(),
    }
}

/// A job: every third fails.
pub fn job(number: usize) -> Job {
    let status = ["failed", "completed", "queued"][number % 3];
    let phase = ["dead", "done", "retrying"][number % 3];
    let created = now() - TimeDelta::seconds(i64::try_from(1_000 - number).unwrap());
    typed(json!({
        "id": id(number), "type": if number.is_multiple_of(5) { "MAINTENANCE" } else { "NOTIFICATION" },
        "status": status, "phase": phase, "priority": 0, "createdAt": created, "updatedAt": created,
        "startedAt": created + TimeDelta::seconds(1), "completedAt": created + TimeDelta::milliseconds(5_100),
        "attempt": 5, "maxAttempts": 5, "retryCount": 4,
        "errorMessage": (status == "failed").then_some("451 mailbox busy"),
        "createdBy": "schedule:reminders",
        "notification": (!number.is_multiple_of(5)).then(|| json!({"recipientEmail": format!("customer{number}@example.com"), "subject": "Your booking"})),
        "maintenance": number.is_multiple_of(5).then(|| json!({"task": "prune-logs"})),
    }))
}

/// The jobs from newest to oldest.
pub fn jobs(count: usize) -> JobPage {
    JobPage { jobs: (0..count).rev().map(job).collect(), total: count as u64, page: 1, page_size: 100 }
}

/// The detail of a job.
pub fn detail(number: usize) -> Arc<JobDetail> {
    let mut job = job(number);
    if let Some(mail) = &mut job.notification {
        mail.message = Some("[private]".into());
    }
    let mut value = serde_json::to_value(job).unwrap();
    let attempt = |number: u32| {
        json!({"number": number, "node": id(900), "startedAt": now() - TimeDelta::minutes(10),
            "finishedAt": now() - TimeDelta::minutes(9), "outcome": "retry", "error": "451 mailbox busy"})
    };
    let more =
        json!({"attempts": [attempt(1), attempt(2)], "logs": [log(1), log(2)], "crashes": 1, "masked": true});
    value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Arc::new(typed(value))
}

/// A log entry.
pub fn log(number: usize) -> LogEntry {
    let severity = ["info", "info", "warning", "error", "critical"][number % 5];
    let event = ["AUTH", "RECONCILE", "NOTIFY", "JOB"][number % 4];
    typed(json!({
        "id": id(number), "timestamp": now() - TimeDelta::seconds(i64::try_from(2_000 - number).unwrap()),
        "eventType": event, "severity": severity, "message": format!("entry {number}: a mail to customer{number}@example.com"),
        "jobId": number.is_multiple_of(2).then(|| id(number)), "recordedBy": "daemon",
        "additionalData": {"entityType": "booking", "requestId": format!("r-{number}")},
    }))
}

/// Entries as the stream tells them.
pub fn logs(numbers: std::ops::Range<usize>) -> Update {
    Update::Logs(numbers.map(|number| LogItem::Entry(log(number))).collect())
}

fn status() -> Status {
    let part = |name: &str, ok: bool, detail: &str| json!({"name": name, "ok": ok, "detail": detail, "latencyMs": 0.42});
    let node = json!({"id": id(900), "name": "ops-1 (4711)", "version": "0.1.0", "startedAt": now(), "leaseUntil": now()});
    typed(json!({
        "version": "0.1.0", "now": now(), "node": id(900), "nodes": [node], "agreement": agreement(),
        "parts": [
            part("database", true, "sqlite /var/lib/astrops/astrops.db"), part("documents", true, "sqlite customer.db"),
            part("mail", false, "smtp 127.0.0.1:25 refuses: start the relay or set mail.transport"),
            part("scheduler", true, "next at 14:05"), part("workers", true, "8 of 8"), part("disk", true, "41 GiB free"),
        ],
    }))
}

fn stats() -> JobStats {
    let row = |kind: &str, queued: u64, failed: u64, paused: bool| {
        json!({"type": kind, "queued": queued, "processing": 1, "completed": 4_000, "failed": failed,
            "cancelled": 0, "perMinute": 12, "p95Ms": 812.4, "paused": paused})
    };
    typed(json!({
        "types": [row("NOTIFICATION", 2, 3, false), row("RECONCILIATION", 1_200, 0, true), row("MAINTENANCE", 0, 0, false)],
        "oldestDueAt": now() - TimeDelta::minutes(5), "deliveryUnknown": 1,
    }))
}

/// The schedules.
pub fn schedules() -> Vec<Schedule> {
    let schedule = |name: &str, cron: &str, text: &str, minutes: i64, paused: bool| {
        let fire = |step: i64| now() + TimeDelta::minutes(minutes * step);
        json!({"name": name, "description": format!("Keeps {name} in order."), "cron": cron, "cronText": text,
            "timeZone": "Europe/Madrid", "jobType": "MAINTENANCE", "paused": paused, "missed": "coalesce",
            "overlap": "skip", "nextFireAt": (!paused).then(|| fire(1)), "nextFires": [fire(1), fire(2), fire(3), fire(4), fire(5)],
            "lastRun": {"scheduledFor": fire(-1), "firedAt": fire(-1), "outcome": "fired", "jobId": id(5), "jobStatus": "completed"},
            "updatedAt": now()})
    };
    typed(json!([
        schedule("log-retention", "0 3 * * *", "At 03:00", 778, false),
        schedule("job-retention", "30 3 * * *", "At 03:30", 808, false),
        schedule("expire-sessions", "*/5 * * * *", "Every 5 minutes", 3, true),
    ]))
}

/// The mails that can be sent.
pub fn mail_types() -> Vec<NotificationTypeInfo> {
    typed(json!([
        {"type": "WELCOME", "description": "To a new user.", "required": ["name"], "optional": []},
        {"type": "BOOKING_CONFIRMED", "description": "To a customer: the seats are theirs.", "required": ["bookingId", "launchId"], "optional": ["title"]},
    ]))
}

/// A console with its time fixed.
pub struct Harness {
    /// The console.
    pub app: App,
    /// What it asked for, since last looked at.
    pub asked: Vec<Request>,
    /// What it copied last.
    pub copied: Option<String>,
    /// Whether it wants to end.
    pub over: bool,
}

impl Harness {
    /// A console that nobody is signed in to.
    pub fn bare(settings: Settings) -> Self {
        let app =
            App::new(Settings { profile: "prod".into(), base: "http://127.0.0.1:7700".into(), ..settings });
        Self { app: app.unwrap(), asked: Vec::new(), copied: None, over: false }
    }

    /// A console with an operator, a connection and something to show.
    pub fn new(settings: Settings) -> Self {
        let mut harness = Self::bare(settings);
        harness.tell(&Update::Link(LinkState::Connecting));
        harness.tell(&Update::Welcome(operator()));
        harness.tell(&Update::Link(LinkState::Live(Duration::from_millis(4))));
        harness.feed();
        harness
    }

    /// Shows the sample world.
    pub fn feed(&mut self) {
        self.tell(&logs(0..120));
        self.tell(&Update::Status(Box::new(status())));
        self.tell(&Update::Stats(stats()));
        self.tell(&Update::Schedules(schedules()));
        let buckets: Vec<Value> = (0..60)
            .map(|n| json!({"at": now() - TimeDelta::minutes(60 - n), "info": 9, "warning": 1, "error": n % 7, "critical": 0}))
            .collect();
        let histogram: Histogram =
            typed(json!({"from": now(), "to": now(), "bucketSeconds": 60, "buckets": buckets}));
        self.tell(&Update::Histogram(histogram));
        self.tell(&Update::NotificationTypes(mail_types()));
        self.tell(&Update::Today(Today { booked: 25, cancelled: 4, unpaid: 21 }));
        self.asked.clear();
    }

    /// Lets the console ask for what is due at `later`.
    pub fn tick(&mut self, later: DateTime<Utc>) {
        let commands = self.app.tick(later);
        self.take(commands);
    }

    /// Hands the console news.
    pub fn tell(&mut self, update: &Update) {
        let commands = self.app.update(update, now());
        self.take(commands);
    }

    /// Answers the latest question about jobs with `page`.
    pub fn answer_jobs(&mut self, page: JobPage) {
        let number = self.asked.iter().rev().find_map(|request| match request {
            Request::Jobs(number, _) => Some(*number),
            _ => None,
        });
        self.tell(&Update::Jobs(number.expect("jobs were asked for"), page));
    }

    /// Answers everything that was asked about bookings, launches, users, keys and reconciliation, as a daemon
    /// would; other questions stay.
    pub fn answer_all(&mut self) -> &mut Self {
        let mut others = Vec::new();
        for request in std::mem::take(&mut self.asked) {
            match answer_of(&request) {
                Some(update) => self.tell(&update),
                None => others.push(request),
            }
        }
        others.append(&mut self.asked);
        self.asked = others;
        self
    }

    /// Presses keys: each word is a key, as in the table.
    pub fn press(&mut self, keys: &str) -> &mut Self {
        for key in keys.split_whitespace() {
            let chord: Chord = key.parse().unwrap();
            let commands = self.app.key(chord.event(), now());
            self.take(commands);
        }
        self
    }

    /// Types text, letter by letter.
    pub fn write(&mut self, text: &str) -> &mut Self {
        for letter in text.chars() {
            let commands = self.app.key(KeyEvent::from(KeyCode::Char(letter)), now());
            self.take(commands);
        }
        self
    }

    fn take(&mut self, commands: Vec<Command>) {
        for command in commands {
            match command {
                Command::Ask(request) => self.asked.push(request),
                Command::Copy(text) => self.copied = Some(text),
                Command::Quit => self.over = true,
                Command::SignedIn(_) | Command::Suspend | Command::Redraw | Command::Mouse(_) => {}
            }
        }
    }

    /// Draws.
    pub fn buffer(&mut self, width: u16, height: u16) -> Buffer {
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        self.app.draw(&mut buffer, area, now());
        buffer
    }

    /// What is on the screen, as text.
    pub fn screen(&mut self, width: u16, height: u16) -> String {
        let buffer = self.buffer(width, height);
        let rows = (0..height).map(|y| {
            let row: String = (0..width).map(|x| buffer[(x, y)].symbol().to_owned()).collect();
            row.trim_end().to_owned()
        });
        rows.collect::<Vec<_>>().join("\n")
    }

    /// What is on the screen, as one letter per style: `.` plain, a letter per colour, upper case when bold,
    /// `#` reversed, `,` dim.
    pub fn styles(&mut self, width: u16, height: u16) -> String {
        let buffer = self.buffer(width, height);
        let rows = (0..height).map(|y| {
            let row: String = (0..width).map(|x| style_letter(&buffer[(x, y)])).collect();
            row.trim_end_matches('.').to_owned()
        });
        rows.collect::<Vec<_>>().join("\n")
    }

    /// The changes that were asked for.
    pub fn changes(&self) -> Vec<&crate::message::Change> {
        let changes = self.asked.iter().filter_map(|request| match request {
            Request::Change(change) => Some(change),
            _ => None,
        });
        changes.collect()
    }
}

fn style_letter(cell: &ratatui::buffer::Cell) -> char {
    if cell.modifier.contains(Modifier::REVERSED) {
        return '#';
    }
    let letter = match (cell.bg, cell.fg) {
        (Color::Red, _) => '!',
        (_, Color::Red) => 'r',
        (_, Color::Green) => 'g',
        (_, Color::Yellow) => 'y',
        (_, Color::Cyan) => 'c',
        (_, Color::Blue) => 'b',
        (_, Color::Magenta) => 'm',
        (_, Color::DarkGray) => 'd',
        _ if cell.modifier.contains(Modifier::BOLD) => 'o',
        _ if cell.modifier.contains(Modifier::UNDERLINED) => '_',
        _ if cell.modifier.contains(Modifier::DIM) => ',',
        _ => '.',
    };
    if cell.modifier.contains(Modifier::BOLD) { letter.to_ascii_uppercase() } else { letter }
}
