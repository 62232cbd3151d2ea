//! What the store promises, against a real Postgres: what is written comes back, once, and nothing else gets in.

mod constraints;
mod rights;
mod searches;
mod transitions;
mod workflows;
mod world;
mod writer;
