//! Stories through the public door: a real daemon, the real typed client.
mod access;
mod auth;
mod bad_input;
mod bookings;
mod jobs;
mod launches;
mod logs;
mod notifications;
mod payments;
mod samples;
mod schedules;
mod shutdown;
mod smtp;
mod stripe;
mod support;
