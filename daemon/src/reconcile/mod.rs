//! Making the customer documents and the relational database agree.
//!
//! ```text
//! event, outbox, operator --one RECONCILIATION job for each entity--\
//!                                                                    engine: look -> begin -> document -> end
//! sweep: compare -> recheck -> brakes ------------------------------/
//! ```
//!
//! # Limits
//! - A booking that is cancelled on the document side is not refunded by it.
//! - Whom a user of the documents is new to us cannot sign in here: passwords are never reconciled.
//! - Rows whose id carries no document's id are counted by sweeps and not compared.
//!
//! [`core`] decides · [`look`] reads both sides · `apply` writes them · [`engine`] goes through both until nothing is left ·
//! [`decision`] does what a person decided · [`compare`] finds what differs in whole tables · [`sweep`] repairs that ·
//! `seats` counts what bookings take · [`show`] tells it · [`nominate`] makes jobs · [`follow`] does that for what our own API changed.

mod apply;
pub mod compare;
pub mod core;
pub mod decision;
pub mod engine;
mod facts;
pub mod follow;
mod intent;
pub mod look;
pub mod nominate;
mod relational;
pub mod rules;
mod seats;
pub mod show;
pub mod sweep;
