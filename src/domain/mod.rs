//! The rules, pure: no I/O, no clock, no randomness, no async. `decide` says what a command does, `evolve` does it.

pub mod api_key;
pub mod audit;
pub mod command;
pub mod decide;
pub mod event;
pub mod evolve;
pub mod id;
pub mod notes;
pub mod party;
pub mod refusal;
pub mod simulate;
pub mod status;
pub mod table;
pub mod task;
pub mod text;
pub mod time;
pub mod view;
pub mod workflow;

#[cfg(test)]
mod tests;
