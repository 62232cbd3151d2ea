//! Webhooks, against receivers on real sockets that answer well, badly or not at all.

mod deliveries;
mod endpoints;
mod fairness;
mod faults;
mod plans;
mod receivers;
mod schedule;
mod secrets;
mod sending;
pub mod verification;
pub mod world;
