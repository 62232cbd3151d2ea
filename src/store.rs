//! The database: rows in, domain types out. This is the only module with SQL. What a caller may do
//! is decided elsewhere.
//!
//! The folders have the names of the same capabilities in `domain`, `app` and `http`. Transitions
//! of tasks are one statement; see `tasks/transitions.rs` and `tasks/writer.rs`.
//!
//! Every statement on a task's tables names its `task_id`, so that it runs on one node of a
//! distributed engine. The few searches that cannot do so are marked in their text (`/* search: …
//! */`) and named in a test, and they take no locks.

pub mod absences;
pub mod analytics;
pub mod audit;
pub mod db;
pub mod erasures;
pub mod feed;
pub mod links;
pub mod monitor;
pub mod partners;
pub mod retention;
pub mod tasks;
pub mod webhooks;
pub mod workflows;

pub use self::db::error::Error;
pub use self::db::page::{Bounded, PAGE_BYTES};
pub use self::db::pool::{Pool, Usage};
pub use self::db::session::Limits;
pub use self::tasks::writer::{Writer, WriterUsage};
