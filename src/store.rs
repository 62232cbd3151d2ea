//! The database: rows in, domain types out. The only place with SQL; what a caller may do is decided elsewhere.
//!
//! Transitions of tasks are one statement; see `tasks/transitions.rs` and `tasks/writer.rs`. Every statement on a
//! task's tables names its `task_id`, so that it runs on one node of a distributed engine. The few searches that
//! cannot are marked in their text (`/* search: … */`), named in a test, and take no locks.

pub mod audit;
pub mod db;
pub mod erasures;
pub mod feed;
pub mod monitor;
pub mod partners;
pub mod tasks;
pub mod webhooks;
pub mod workflows;

pub use self::db::error::Error;
pub use self::db::page::{Bounded, PAGE_BYTES};
pub use self::db::pool::{Pool, Usage};
pub use self::db::session::Limits;
pub use self::tasks::writer::{Writer, WriterUsage};
