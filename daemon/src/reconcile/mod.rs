//! Making the customer documents and the relational database agree.
//!
//! ```text
//! nominate --RECONCILIATION job, one for each entity--> engine: look -> merge -> apply -> look again -> remember
//! ```
//!
//! # Limits
//! - One entity at a time, when it was changed through our API or somebody names it; nothing sweeps the whole databases yet.
//! - What is missing on one side after both agreed is told (`Missing on document, waiting`) and never deleted.
//! - There is no row of intents: a crash between the two writes is settled by the next run, which finds what was written
//!   on one side and does the rest. What the interrupted run wrote is then missing in the change log.
//! - A booking that is cancelled on the document side is not refunded by it.
//! - Whom a user of the documents is new to us cannot sign in here: passwords are never reconciled.
//!
//! [`core`] decides · [`relational`] and `documents` read and write · [`facts`] looks up what the rules ask · [`engine`]
//! does one entity · [`show`] tells it · [`nominate`] makes its job · [`follow`] does that for what our own API changed.

pub mod core;
pub mod engine;
mod facts;
pub mod follow;
pub mod nominate;
mod relational;
pub mod show;
