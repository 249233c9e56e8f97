//! The pure core of reconciliation: what the two databases say of one row, what they last agreed on, and the plan that
//! makes them agree again. No I/O, no clock, no database: everything that a decision rests on is an argument.
//!
//! ```text
//! bson::Document --codec--> Record \                                        / writes to the document
//!                                   merge(base, document, relational) -> Plan  writes to the relational row
//! relational row --codec--> Record /       then guards (whole row)          \ conflicts, changesLog, base after
//! ```
//!
//! # Limits
//! - One row at a time. What a rule must know of other rows (seats held, references that do not resolve, another active
//!   booking) is looked up by the caller and handed in as [`guards::Facts`]; two rows that are planned at the same
//!   moment do not see each other, so the caller applies by compare-and-set and looks again.
//! - Only mapped fields. Passwords, sessions, lock state and fields that nobody declared are neither read nor written;
//!   what a new row needs beside them (`createdAt`, `status`) is the store's.
//! - Times are milliseconds: a relational time with microseconds equals its document and keeps them.
//! - Digests cover the fields that both sides have. Counters are compared with the bookings, not with each other.
//!
//! # To add a field
//! One line in the entity's table in [`mapping`]; nothing else names it. Rows that agreed before have no base for it, so
//! the first sweep treats it as a first meeting. Raise [`digest::VERSION`]: a test insists.
//!
//! # Files
//! [`value`] what is compared · [`mapping`] the tables · [`codec`] and [`number`] to and from both databases ·
//! [`merge`] field by field and row by row · [`choices`] what a person decided · [`guards`] what a whole row must keep ·
//! [`plan`] the outcome · [`intent`] carrying it out ·
//! [`changes_log`] the outcome in words · [`digest`] comparing ranges without reading them.

pub mod changes_log;
pub mod choices;
pub mod codec;
pub mod digest;
pub mod guards;
pub mod intent;
pub mod mapping;
pub mod merge;
pub mod number;
pub mod plan;
#[cfg(test)]
mod tests;
pub mod value;
