//! The terminal console of astrops, for IT operators.
//!
//! - [`Console`]: the public door. `console.rs` is its run loop: terminal, keys, updates, frames.
//! - `app.rs`: screens, layers, session and status line, without terminal and network; pure and tested as such.
//! - `link.rs`: the one task that owns the client; requests in, updates out, reconnects.
//! - `keys.rs`: one table of actions behind keys, hints, help, palette and [`keys_document`].
//! - `screens/`, `layers/`, `widgets/`: what is drawn. `text.rs`: nothing from outside acts on the terminal.
//!
//! A lowercase letter, a digit or a ctrl key never changes data. What changes data asks, and is refused, not
//! queued, while there is no connection.
//!
//! To add a screen: a file in `screens/` that implements `Screen`, a tab in `screen.rs`, its rows in
//! `keys/table.rs`, and what it asks for in `message.rs` and `link/calls.rs`.

mod app;
mod clipboard;
mod console;
mod files;
mod format;
mod keys;
mod layers;
mod link;
mod message;
mod screen;
mod screens;
mod terminal;
#[cfg(test)]
mod testing;
pub mod text;
mod theme;
mod widgets;

pub use console::{Console, Options};
pub use keys::document as keys_document;
pub use link::{Held, Renew};
pub use theme::Theme;
