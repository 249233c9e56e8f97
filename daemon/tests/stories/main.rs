//! Stories through the public door: a real daemon, the real typed client.
mod access;
mod auth;
mod bad_input;
mod bookings;
mod jobs;
mod keys;
mod launches;
mod lockout;
mod logs;
mod notifications;
mod rate_limit;
mod samples;
mod schedules;
mod sessions;
mod shutdown;
mod smtp;
mod support;
