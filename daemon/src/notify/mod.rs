//! Mail: from a kind and its data to what it says.

pub mod address;
pub mod templates;

pub use templates::{Content, Templates};
