//! What the service does by itself. Doors into `app`, as HTTP is one: no rules, no SQL. Each loop has a step that a
//! test can call.

pub mod checkpoints;
pub mod clocks;
pub mod deliveries;
pub mod erasures;
pub mod monitor;
pub mod supervisor;
pub mod timers;
pub mod watchers;
