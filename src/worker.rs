//! The background workers of the service. They are entry points to `app`, as HTTP is: no rules, no
//! SQL. Each loop has a step that a test can call.

pub mod checkpoints;
pub mod clocks;
pub mod deliveries;
pub mod erasures;
pub mod links;
pub mod monitor;
pub mod retention;
pub mod supervisor;
pub mod timers;
pub mod watchers;
