//! Every test that needs more than one module: against a real Postgres, real sockets, real processes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops there")]

mod abuse;
mod audit;
mod business;
mod cancellations;
mod cli;
mod demo_path;
mod embedded;
mod erasures;
mod export;
mod feed;
mod fuzz;
mod harness;
mod leaks;
mod licences;
mod lists;
mod log;
mod log_damage;
mod openapi;
mod order_of_checks;
mod ownership;
mod pace;
mod partner_trail;
mod partners;
mod pool;
mod races;
mod readme;
mod receipts;
mod receivers;
mod replays;
mod reviews;
mod serve;
mod server;
mod simulations;
mod sql_shape;
mod statements;
mod store;
mod tasks;
mod tidy;
mod timers;
mod waiting;
mod walk;
mod webhooks;
mod workflows;
