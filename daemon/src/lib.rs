//! The astrops daemon: durable jobs, schedules, mail, logs and the HTTP API.

pub mod config;
