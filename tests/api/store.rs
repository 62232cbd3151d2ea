//! What the store promises, against a real Postgres: what is written comes back, once, and nothing else gets in.

mod constraints;
mod engines;
mod migrations;
mod pool;
mod rights;
mod schemas;
mod searches;
pub mod sql_shape;
pub mod statements;
mod transitions;
mod unreadable;
mod workflows;
mod world;
mod writer;
