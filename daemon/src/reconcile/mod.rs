//! Making the customer documents and the relational database agree.

pub mod core;
