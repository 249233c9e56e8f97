//! Mail: from a kind and its data to bytes that a server has taken, or a plain statement that it has not.
//!
//! `templates` renders, `mail` makes the message, `transport` delivers it by one of three ways: `file` (exactly
//! once), `smtp` (by phases) and `memory` (for tests). A delivery ends as *sent*, *not sent* or *unknown*; the last
//! is what remains when contact is lost after the final dot, and only a person can decide it.
//!
//! Limits: one recipient per mail, no attachments, no DKIM (the relay signs). Against a relay nothing is exactly
//! once: a crash after the final dot leaves the mail unknown, and sending it again may make a second one.

pub mod address;
mod file;
mod mail;
mod memory;
mod smtp;
pub mod templates;
mod transport;

pub use file::FileTransport;
pub use mail::Mail;
pub use memory::MemoryTransport;
pub use smtp::{SmtpTransport, TimeLimits};
pub use templates::{Content, Templates};
pub use transport::{Delivered, Stages, Transport};
