//! What all of the domain speaks of: ids, names, texts, times and parties, each with the one rule that says what it
//! may hold.

pub mod id;
pub mod identity;
pub mod party;
pub mod text;
pub mod time;
