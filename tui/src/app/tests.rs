//! The console as an operator meets it, without terminal and network.

mod entities;
mod snapshots;
mod stories;
mod wild;
mod words;
