//! The fast way against the codec, and the merge against a brute force, on every pair of engines.

mod merge;
mod ours;
mod sound;
