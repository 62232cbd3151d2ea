//! The database: rows in, domain types out. The only place with SQL; what a caller may do is decided elsewhere.
//!
//! Transitions of tasks are one statement; see `transitions.rs` and `writer.rs`. Every statement on a task's tables names its `task_id`, so
//! that it runs on one node of a distributed engine. The few searches that cannot are marked in their text (`/* search: … */`),
//! named in a test, and take no locks.

mod beside;
pub mod changes;
pub mod deliveries;
pub mod erasures;
mod error;
pub mod events;
pub mod exports;
pub mod feed;
pub mod finished;
pub mod horizon;
pub mod inbox;
mod lender;
pub mod lists;
pub mod log;
pub mod monitor;
mod page;
pub mod partner_events;
pub mod partners;
pub mod pool;
pub mod probe;
mod row;
mod session;
pub mod tasks;
pub mod transitions;
pub mod webhooks;
pub mod workflows;
mod writer;

pub use error::Error;
pub use lender::{Pool, Usage};
pub use page::{Bounded, PAGE_BYTES};
pub use session::Limits;
pub use writer::{Writer, WriterUsage};
