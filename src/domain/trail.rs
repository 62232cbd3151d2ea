//! What every trail is made of: its owner, its events, their fields and who sees those, and its
//! hashes. Tasks and partners have trails; [`super::audit`] seals, shows, proves and checks them.

mod hash;
mod schema;

pub use hash::{Hash, InvalidHash};
pub(in crate::domain) use hash::{Salt, Salts};
pub use schema::{Ending, Field, Kind, Personal, Readers, Recorded, Role, Sees, Subject, field};
