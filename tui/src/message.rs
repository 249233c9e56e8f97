//! What passes between the screens and the link: a [`Request`] goes in, an [`Update`] comes out.

use std::{sync::Arc, time::Duration};

use astrops_api::{
    auth::{Login, SignedIn, User},
    bookings::{BookingPage, BookingQuery, CancelBooking},
    drift::{DriftPage, DriftQuery},
    events::DomainEvent,
    ids::{BookingId, EntityId, JobId, KeyId, LaunchId, UserId},
    jobs::{Delay, Job, JobDetail, JobPage, JobQuery, JobStats, PauseTypes},
    keys::{KeyMade, NewKey, ServiceKey},
    launches::{CancelLaunch, LaunchPage, LaunchQuery},
    logs::{Histogram, LogEntry, LogPage, LogQuery},
    notifications::{NewNotification, NewPreview, NotificationTypeInfo, Preview},
    reconciliation::{ChangePage, ConflictPage, ConflictQuery, Mappings, NewReconciliation},
    resolution::{Resolution, Resolve, ResolveMany, Resolved, Revert, Snooze},
    schedules::{EditSchedule, Schedule, ScheduleRun},
    status::Status,
    sweeps::{NewSweep, SweepPage, SweepQuery},
    users::{EditUser, UserPage, UserQuery},
    vocabulary::EntityType,
};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    files::{BookingFile, LaunchFile, SidesFile, Today, UserFile},
    screen::Place,
};

/// How long a decision can be taken back before it is written.
pub const HOLD_SECONDS: u32 = 10;

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
    /// A slice of what differs, with a number.
    Drift(u64, Box<DriftQuery>),
    /// A slice of the conflicts, with a number.
    Conflicts(u64, Box<ConflictQuery>),
    /// A slice of the sweeps, with a number.
    Sweeps(u64, Box<SweepQuery>),
    /// One entity on both sides.
    Sides(EntityType, EntityId),
    /// Which document field is which column.
    Mapping,
    /// The latest changes of one entity.
    Changes(EntityType, EntityId),
    /// What a decision would write. The link asks for a dry run, whatever the decision says.
    Try(u64, Box<Decision>),
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

/// What a person decides about databases that differ.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// What one conflict's fields are to hold.
    Resolve(Uuid, Resolve),
    /// Whose values win in several conflicts.
    ResolveMany(ResolveMany),
    /// What one change wrote is taken back.
    Revert(Uuid, Revert),
}

/// What is done to a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SweepAct {
    /// It stops behind the page that it is at.
    Pause,
    /// It goes on.
    Resume,
    /// It ends.
    Cancel,
    /// It may change as much as it found.
    Approve,
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
    /// Make entities agree on both sides.
    Reconcile(Vec<NewReconciliation>),
    /// Decide about what differs; with what to call each conflict or change.
    Decide(Box<Decision>, Vec<(Uuid, String)>),
    /// Do not list conflicts for a while; with the texts that the operator knows them by.
    SnoozeConflicts(Vec<(Uuid, String)>, Snooze),
    /// List snoozed conflicts again.
    WakeConflicts(Vec<(Uuid, String)>, Snooze),
    /// Compare whole collections with whole tables.
    StartSweep(NewSweep),
    /// Steer a sweep; the text is what to call it.
    SteerSweep(Uuid, String, SweepAct),
}

impl Change {
    /// What happened, as the beginning of a sentence: "retried".
    pub const fn done(&self) -> &'static str {
        match self {
            Self::Retry(_) => "retried",
            Self::Cancel(_)
            | Self::CancelBookings(..)
            | Self::CancelLaunch(..)
            | Self::SteerSweep(.., SweepAct::Cancel) => "cancelled",
            Self::Delete(_) => "deleted",
            Self::Delay(..) => "delayed",
            Self::Execute(_) => "ran",
            Self::Notify(_) | Self::Reconcile(_) => "queued",
            Self::Decide(..) => "decided",
            Self::SnoozeConflicts(..) => "snoozed",
            Self::WakeConflicts(..) => "woken",
            Self::StartSweep(_) => "started",
            Self::SteerSweep(.., SweepAct::Approve) => "approved",
            Self::PauseJobs(_) | Self::PauseSchedule(_) | Self::SteerSweep(.., SweepAct::Pause) => "paused",
            Self::ResumeJobs(_) | Self::ResumeSchedule(_) | Self::SteerSweep(.., SweepAct::Resume) => {
                "resumed"
            }
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
    /// Answer to [`Request::Drift`].
    Drift(u64, DriftPage),
    /// Answer to [`Request::Conflicts`].
    Conflicts(u64, ConflictPage),
    /// Answer to [`Request::Sweeps`].
    Sweeps(u64, SweepPage),
    /// Answer to [`Request::Sides`].
    Sides(Arc<SidesFile>),
    /// Answer to [`Request::Mapping`].
    Mapping(Arc<Mappings>),
    /// Answer to [`Request::Changes`], newest first.
    Changes(EntityType, EntityId, Arc<ChangePage>),
    /// Answer to [`Request::Try`], one for each conflict or change.
    Tried(u64, Box<Decision>, Vec<Resolved>),
    /// A decision was taken: what is written by which job and when, with what it is called.
    Held(Vec<(String, Resolution)>),
    /// Answer to [`Request::Change`].
    Done(Change, Vec<Outcome>),
    /// A request that only reads failed.
    Failed(Box<Request>, String),
}
