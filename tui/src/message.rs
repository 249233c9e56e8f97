//! What passes between the screens and the link: a [`Request`] goes in, an [`Update`] comes out.

use std::{sync::Arc, time::Duration};

use astrops_api::{
    auth::{Login, SignedIn, User},
    bookings::{BookingPage, BookingQuery, CancelBooking},
    events::DomainEvent,
    ids::{BookingId, EntityId, JobId, KeyId, LaunchId, UserId},
    jobs::{Delay, Job, JobDetail, JobPage, JobQuery, JobStats, PauseTypes},
    keys::{KeyMade, NewKey, ServiceKey},
    launches::{CancelLaunch, LaunchPage, LaunchQuery},
    logs::{Histogram, LogEntry, LogPage, LogQuery},
    notifications::{NewNotification, NewPreview, NotificationTypeInfo, Preview},
    schedules::{EditSchedule, Schedule, ScheduleRun},
    status::Status,
    users::{EditUser, UserPage, UserQuery},
};
use chrono::{DateTime, Utc};

use crate::{
    files::{BookingFile, LaunchFile, Today, UserFile},
    screen::Place,
};

/// What a screen asks for. Only [`Request::Change`] changes data.
#[derive(Clone, Debug)]
pub enum Request {
    /// Sign in.
    SignIn(Login),
    /// Sign out and forget the token.
    SignOut,
    /// Health of the daemon and its parts.
    Status,
    /// Counts of the queue.
    Stats,
    /// Log counts per minute of the last hour.
    Histogram,
    /// The latest entries of severity error and worse.
    Errors,
    /// Log entries before the oldest one on the screen.
    OlderLogs(LogQuery),
    /// A slice of the jobs. The number comes back, so that an answer to an older question is known as such.
    Jobs(u64, Box<JobQuery>),
    /// One job; `true` reveals private fields, which the daemon audits.
    Job(JobId, bool),
    /// Every schedule.
    Schedules,
    /// The latest runs of a schedule.
    Runs(String),
    /// What mails can be sent.
    NotificationTypes,
    /// What a mail would look like; the form comes back with the answer.
    Preview(Box<NewNotification>),
    /// A slice of the bookings, with a number as for [`Request::Jobs`].
    Bookings(u64, Box<BookingQuery>),
    /// Everything about one booking.
    Booking(BookingId),
    /// A slice of the launches, with a number.
    Launches(u64, Box<LaunchQuery>),
    /// Everything about one launch.
    Launch(LaunchId),
    /// A slice of the users, with a number.
    Users(u64, Box<UserQuery>),
    /// Everything about one user; `true` with the sessions, which only operators may see.
    User(UserId, bool),
    /// Every service key.
    Keys,
    /// How much was sold since this midnight.
    Today(DateTime<Utc>),
    /// What has this id: a booking, a launch or a user?
    Find(EntityId),
    /// Change something.
    Change(Change),
}

impl Request {
    /// Whether it changes data: never sent in a read-only console.
    pub const fn is_mutating(&self) -> bool {
        matches!(self, Self::Change(_))
    }

    /// The part of a [`NewNotification`] that a preview needs.
    pub fn preview_of(mail: &NewNotification) -> NewPreview {
        NewPreview { kind: mail.kind, data: mail.data.clone() }
    }
}

/// A change that an operator has confirmed.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Give failed or cancelled jobs another round of attempts.
    Retry(Vec<JobId>),
    /// End jobs before they are done.
    Cancel(Vec<JobId>),
    /// Forget ended jobs.
    Delete(Vec<JobId>),
    /// Not before this time.
    Delay(Vec<JobId>, Delay),
    /// Run now and wait for the end.
    Execute(JobId),
    /// Queue a mail.
    Notify(Box<NewNotification>),
    /// Stop claiming jobs.
    PauseJobs(PauseTypes),
    /// Claim jobs again.
    ResumeJobs(PauseTypes),
    /// Fire a schedule now.
    Trigger(String),
    /// Stop a schedule.
    PauseSchedule(String),
    /// Let a schedule go on.
    ResumeSchedule(String),
    /// Edit a schedule.
    EditSchedule(String, EditSchedule),
    /// Cancel bookings: seats go back, and money too.
    CancelBookings(Vec<BookingId>, CancelBooking),
    /// Cancel a launch with every booking of it.
    CancelLaunch(LaunchId, CancelLaunch),
    /// Let a user sign in again whom wrong passwords have locked. The texts here are what to call the user.
    UnlockUser(UserId, String),
    /// End every session of a user.
    RevokeSessions(UserId, String),
    /// Edit a user.
    EditUser(UserId, String, EditUser),
    /// Make a service key.
    CreateKey(NewKey),
    /// Revoke a service key with this name.
    RevokeKey(KeyId, String),
}

impl Change {
    /// What happened, as the beginning of a sentence: "retried".
    pub const fn done(&self) -> &'static str {
        match self {
            Self::Retry(_) => "retried",
            Self::Cancel(_) | Self::CancelBookings(..) | Self::CancelLaunch(..) => "cancelled",
            Self::Delete(_) => "deleted",
            Self::Delay(..) => "delayed",
            Self::Execute(_) => "ran",
            Self::Notify(_) => "queued",
            Self::PauseJobs(_) | Self::PauseSchedule(_) => "paused",
            Self::ResumeJobs(_) | Self::ResumeSchedule(_) => "resumed",
            Self::Trigger(_) => "triggered",
            Self::EditSchedule(..) | Self::EditUser(..) => "saved",
            Self::UnlockUser(..) => "unlocked",
            Self::RevokeSessions(..) => "signed out everywhere",
            Self::CreateKey(_) => "made",
            Self::RevokeKey(..) => "revoked",
        }
    }
}

/// What became of a change for one of its targets.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// A job's short id, a schedule's name.
    pub target: String,
    /// What there is to say beyond the verb, or why it was refused.
    pub result: Result<String, String>,
}

/// How the connection is.
#[derive(Clone, Debug, PartialEq)]
pub enum LinkState {
    /// Trying to reach the daemon.
    Connecting,
    /// Nobody is signed in.
    SignedOut,
    /// Connected: the last call took so long.
    Live(Duration),
    /// Lost: the next attempt comes after this pause.
    Waiting {
        /// From when this was sent.
        retry_in: Duration,
        /// Attempts so far.
        attempt: u32,
        /// Why.
        reason: String,
    },
}

impl LinkState {
    /// Whether requests are answered.
    pub const fn is_live(&self) -> bool {
        matches!(self, Self::Live(_))
    }
}

/// One thing that the log stream told.
#[derive(Clone, Debug)]
pub enum LogItem {
    /// An entry.
    Entry(LogEntry),
    /// Entries are missing here; so many, or nobody knows.
    Gap(Option<u64>),
}

/// What the link has to tell.
#[derive(Clone, Debug)]
pub enum Update {
    /// The connection changed.
    Link(LinkState),
    /// Somebody signed in here.
    SignedIn(Box<SignedIn>),
    /// The token given at the start is good, and whose it is.
    Welcome(User),
    /// Signing in was refused, with a sentence for the form.
    SignInFailed(String),
    /// The session is over: expired, revoked or signed out.
    SessionEnded(String),
    /// New log entries, oldest first.
    Logs(Vec<LogItem>),
    /// The stream was too slow for so many entries; they follow by resuming.
    Lagged(u64),
    /// Jobs that changed, oldest change first.
    JobsChanged(Vec<Job>),
    /// Changes of jobs were missed: what is shown should be asked for again.
    JobsMissed,
    /// Answer to [`Request::Status`].
    Status(Box<Status>),
    /// Answer to [`Request::Stats`].
    Stats(JobStats),
    /// Answer to [`Request::Histogram`].
    Histogram(Histogram),
    /// Answer to [`Request::Errors`], newest first.
    Errors(Vec<LogEntry>),
    /// Answer to [`Request::OlderLogs`] about this job or all, newest first.
    OlderLogs(Option<JobId>, LogPage),
    /// Answer to [`Request::Jobs`].
    Jobs(u64, JobPage),
    /// Answer to [`Request::Job`].
    Job(Arc<JobDetail>),
    /// Answer to [`Request::Schedules`].
    Schedules(Vec<Schedule>),
    /// Answer to [`Request::Runs`], newest first.
    Runs(String, Vec<ScheduleRun>),
    /// Answer to [`Request::NotificationTypes`].
    NotificationTypes(Vec<NotificationTypeInfo>),
    /// Answer to [`Request::Preview`].
    Preview(Box<NewNotification>, Preview),
    /// Things that happened to users, launches and bookings, oldest first.
    Events(Vec<DomainEvent>),
    /// Such things were missed: what is shown should be asked for again.
    EventsMissed,
    /// Answer to [`Request::Bookings`].
    Bookings(u64, BookingPage),
    /// Answer to [`Request::Booking`].
    Booking(Arc<BookingFile>),
    /// Answer to [`Request::Launches`].
    Launches(u64, LaunchPage),
    /// Answer to [`Request::Launch`].
    Launch(Arc<LaunchFile>),
    /// Answer to [`Request::Users`].
    Users(u64, UserPage),
    /// Answer to [`Request::User`].
    User(Arc<UserFile>),
    /// Answer to [`Request::Keys`], newest first.
    Keys(Vec<ServiceKey>),
    /// Answer to [`Request::Today`].
    Today(Today),
    /// A service key was made: its secret is told this once.
    KeyMade(Box<KeyMade>),
    /// Answer to [`Request::Find`]: where it is, if it is anything.
    Found(EntityId, Option<Place>),
    /// Answer to [`Request::Change`].
    Done(Change, Vec<Outcome>),
    /// A request that only reads failed.
    Failed(Box<Request>, String),
}
