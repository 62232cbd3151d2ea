//! Every test that needs more than one module: against a real Postgres, real sockets, real processes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops there")]

mod absences;
mod access;
mod analytics;
mod audit;
mod cli;
mod client;
mod clients;
mod command_line;
mod deploy;
mod dev;
mod embedded;
mod erasures;
mod feed;
mod harness;
mod http;
mod licences;
mod links;
mod mcp;
mod operations;
mod pages;
mod partners;
mod readme;
mod recipes;
mod retention;
mod serve;
mod status;
mod store;
mod tasks;
mod tidy;
mod webhooks;
mod workflows;
