//! The console as an operator meets it, without terminal and network.

mod decisions;
mod drift;
mod entities;
mod sides;
mod snapshots;
mod stories;
mod wild;
mod words;
