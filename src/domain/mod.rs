//! The rules, pure: no I/O, no clock, no randomness, no async. `decide` says what a command does, `evolve` does it.

pub mod api_key;
pub mod id;
pub mod party;
pub mod text;
pub mod time;
pub mod workflow;
