//! Pieces that screens are made of.

pub mod bar;
pub mod form;
pub mod input;
pub mod log_line;
pub mod panel;
pub mod scroll;
pub mod sparkline;
pub mod split;
pub mod table;
