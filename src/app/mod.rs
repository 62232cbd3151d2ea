//! The use cases: one function per thing that a caller can ask for. Joins the domain and the store; knows no HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::clock::Clock;
use crate::store;

pub mod caller;
pub mod health;
pub mod partners;

pub use caller::Caller;

/// What the use cases work with. One per process, shared.
#[derive(Debug)]
pub struct App {
    pool: store::Pool,
    clock: Clock,
    keys: partners::KeyCache,
    draining: AtomicBool,
}

impl App {
    /// An app on this database and clock.
    pub fn new(pool: store::Pool, clock: Clock) -> Self {
        Self { pool, clock, keys: partners::KeyCache::default(), draining: AtomicBool::new(false) }
    }

    /// The clock; doors need it for what they check themselves (the expiry of tokens).
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// From now on the service is not ready: it is about to stop.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }
}

/// Why a use case did not do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// There is no such thing, or it is somebody else's.
    #[error("not found")]
    NotFound,
    /// Too much to do; nothing was done.
    #[error("overloaded")]
    Overloaded(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// The database cannot be reached or is not migrated.
    #[error("unavailable")]
    Unavailable(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// A fault of ours.
    #[error("internal fault")]
    Internal(#[source] Arc<dyn std::error::Error + Send + Sync>),
}

impl From<Arc<store::Error>> for Error {
    fn from(error: Arc<store::Error>) -> Self {
        match *error {
            store::Error::Busy(_) => Self::Overloaded(error),
            // A newer replica wrote the row: that one can serve it, this one not.
            store::Error::Unreachable(_) | store::Error::Newer { .. } => Self::Unavailable(error),
            // A use case that can meet the first two says itself what they mean to its caller.
            store::Error::NoPartner
            | store::Error::NoWorkflow
            | store::Error::Failed(_)
            | store::Error::Impossible { .. } => Self::Internal(error),
        }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        Arc::new(error).into()
    }
}
