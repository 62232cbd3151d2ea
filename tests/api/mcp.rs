//! The tools for agents: the protocol, every tool, what they may not do, and the official clients.

mod claims;
mod clients;
mod order;
mod protocol;
mod safety;
mod stdio;
mod tools;
mod waiting;
pub mod world;
