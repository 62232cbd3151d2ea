//! Value types of the whole domain: ids, names, texts, times and parties, each with one rule for
//! its content.

pub mod cell;
mod characters;
pub mod credential;
pub(in crate::domain) mod event_type;
pub mod id;
pub mod identity;
pub mod language;
pub mod outside;
pub mod party;
pub mod scope;
pub mod text;
pub mod time;
pub(in crate::domain) mod token;
