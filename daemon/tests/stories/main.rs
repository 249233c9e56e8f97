//! Stories through the public door: a real daemon, the real typed client.
mod access;
mod audit;
mod auth;
mod bad_input;
mod bookings;
mod events;
mod jobs;
mod launches;
mod logs;
mod notifications;
mod samples;
mod schedules;
mod shutdown;
mod smtp;
mod support;
mod users;
