//! The astrops daemon: durable jobs, schedules, mail, system logs and the HTTP API.
//!
//! [`Daemon::build`] opens everything and binds the address, [`Daemon::run`] serves until it is told to stop.
//! Inside: `http`, `jobs` and `schedules` use `notify`, `auth` and `logs`, which use `store`, which uses `db`.
//! Nothing points upwards.

mod accounts;
pub mod admin;
mod auth;
mod beat;
mod booking;
pub mod clock;
pub mod config;
mod daemon;
mod db;
pub mod documents;
mod http;
mod jobs;
mod logs;
pub mod notify;
mod payments;
mod queue;
mod reconcile;
mod scan;
mod schedules;
mod store;
mod tail;
#[cfg(test)]
mod testing;

pub use clock::Clock;
pub use daemon::Daemon;

/// Parts that benchmarks drive directly; no promise to anybody else.
#[doc(hidden)]
pub mod internals {
    pub use crate::{
        db::Db,
        queue::{Context, Handler, Handlers, LEASE, Outcome, Queue, QueueHandle, Run, Verdict, reap},
        reconcile::{compare, core as reconcile_core},
        store::{jobs, nodes},
    };
}
