//! The HTTP contract of astrops: what travels between the daemon, the console and the command line.
//!
//! - [`vocabulary`]: the closed lists of words (job status, severity, role, ...).
//! - [`ids`]: UUIDs that also accept the 24-hex ids of the document database.
//! - [`money`]: amounts with two decimals.
//! - [`problem`]: RFC 9457 problem details, the body of every refusal.
//! - one module per resource with its request and answer types.
//! - [`client`]: the typed client; [`sse`]: its event streams.
//!
//! To add a route: put its types in the resource's module, derive `ToSchema`, add one method to the client.
//! Limits: JSON only, times are RFC 3339 UTC, unknown fields of a request body are refused.

pub mod audit;
pub mod auth;
pub mod bookings;
pub mod client;
pub mod drift;
pub mod events;
pub mod ids;
pub mod jobs;
pub mod keys;
pub mod launches;
pub mod logs;
pub mod money;
pub mod notifications;
pub mod paging;
pub mod problem;
pub mod reconciliation;
pub mod resolution;
pub mod schedules;
pub mod secret;
pub mod sse;
pub mod status;
pub mod sweeps;
pub mod users;
pub mod vocabulary;

pub use client::{Client, ClientError};
pub use problem::Problem;
pub use secret::Secret;
