//! Statuses: polling, waiting for a change, and how long a stage may still take.

mod forecast;
mod polling;
pub mod waiting;
