//! Finds tasks with due timers, and when to look again. The domain decides what a timer does
//! ([`Commands::tick`](super::commands::Commands::tick)).

use std::sync::Arc;
use std::time::Duration;

use crate::app::base::Base;
use crate::app::commits::Commits;
use crate::app::error::Error;
use crate::app::shutdown::Shutdown;
use crate::clock::Clock;
use crate::domain::values::id::TaskId;
use crate::domain::values::time::Time;
use crate::store::{self, Pool};

use super::load::{Loaded, Loader};

pub use crate::store::tasks::Due;

/// The search for due timers.
#[derive(Debug)]
pub struct Timers {
    decisions: Pool,
    clock: Clock,
    shutdown: Shutdown,
    loader: Arc<Loader>,
    commits: Arc<Commits>,
}

impl Timers {
    pub(super) fn new(base: &Base, loader: Arc<Loader>, commits: Arc<Commits>) -> Self {
        let (decisions, clock, shutdown) = (base.decisions.clone(), base.clock.clone(), base.shutdown.clone());
        Self { decisions, clock, shutdown, loader, commits }
    }

    /// Up to `limit` tasks with a timer due by `until`, the longest overdue first, without those in
    /// `except`.
    pub async fn list_due(&self, until: Time, except: &[TaskId], limit: u32) -> Result<Vec<Due>, Error> {
        self.commits.timers.reset();
        Ok(store::tasks::list_due(&self.decisions, until, except, limit).await?)
    }

    /// The current state of these tasks, each readable or not.
    pub async fn load(&self, ids: &[TaskId]) -> Result<Vec<(TaskId, Result<Loaded, Error>)>, Error> {
        self.loader.load_all_to_decide(ids).await
    }

    /// Waits until `at_most` has passed, by the monotonic clock, until a timer is due that this
    /// process has written since the last search, or until the service stops.
    pub async fn wait(&self, at_most: Duration) {
        self.commits.timers.wait(at_most, &self.clock, &self.shutdown).await;
    }

    /// How many tasks may be handled at a time: two per connection. All users of connections share
    /// one queue, so a request waits for a few statements at most, and timers get their share under
    /// any number of requests.
    pub fn width(&self) -> usize {
        (2 * self.decisions.connections() as usize).max(1)
    }
}
