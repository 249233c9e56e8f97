//! Stories of the binary `astrops` against a daemon that answers from a script.

mod accounts;
mod bookings;
mod business;
mod compare;
mod demo;
mod documents;
mod jobs;
mod logs;
mod machine;
mod notify;
mod protections;
mod reconcile;
mod session;
mod support;
mod terminal;
mod usage;
