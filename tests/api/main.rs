//! Every test that needs more than one module: against a real Postgres, real sockets, real processes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops there")]

mod cli;
mod embedded;
mod harness;
mod licences;
mod openapi;
mod partners;
mod pool;
mod readme;
mod serve;
mod server;
mod sql_shape;
mod store;
mod tidy;
mod timers;
