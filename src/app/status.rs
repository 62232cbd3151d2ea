//! The buyer's view of tasks: polled, waited for and listed, without reaching the database while
//! nothing changes.
//!
//! `reader` returns statuses that were current less than a second ago. [`refresh`] keeps them
//! current while clients poll, [`watch`] wakes requests that wait for a newer one, and `forecast`
//! adds what depends on the time of the response.

use std::sync::Arc;

use crate::domain::task::unreadable::Unreadable;
use crate::domain::values::id::{BuyerId, TaskId};
use crate::store::Pool;
use crate::store::tasks::lists::{self, After};

use self::forecast::Forecasts;
use self::reader::StatusReader;
use self::refresh::Refresh;
use self::watch::Watchers;
use self::watch::replication::Replication;
use super::access::{Caller, may_see};
use super::base::Base;
use super::error::Error;

pub use self::compressed::Status;
pub use self::reader::AtLeast;

mod cache;
mod compressed;
pub(in crate::app) mod forecast;
mod reader;
pub mod refresh;
pub mod watch;

/// The statuses of tasks.
#[derive(Debug)]
pub struct Statuses {
    /// The requests that wait for a newer status.
    pub watchers: Arc<Watchers>,
    /// The loops that wake them.
    pub replication: Replication,
    /// The loop that keeps cached statuses current.
    pub refresh: Refresh,
    pool: Pool,
    reader: Arc<StatusReader>,
    forecasts: Arc<Forecasts>,
}

impl Statuses {
    pub(super) fn new(base: &Base, forecasts: Arc<Forecasts>) -> Self {
        let reader = Arc::new(StatusReader::new(base));
        let watchers = Arc::new(Watchers::new(base, Arc::clone(&reader)));
        Self {
            replication: Replication::new(base, Arc::clone(&reader), Arc::clone(&watchers)),
            refresh: Refresh::new(base, Arc::clone(&reader)),
            pool: base.pool.clone(),
            watchers,
            reader,
            forecasts,
        }
    }

    /// How many statuses are in memory, and their bytes.
    pub fn cached(&self) -> (usize, usize) {
        self.reader.cached()
    }

    /// The buyer's view of a task.
    pub async fn get_task_status(&self, caller: &Caller, id: TaskId, at_least: AtLeast) -> Result<Arc<Status>, Error> {
        match self.reader.newest(id, at_least.version()).await {
            Ok(status) if may_see(caller, id, (status.model.partner_id, status.buyer_id)) => {
                // Boxed, here and below, since it is rarely needed.
                if status.as_of >= self.reader.needed(at_least) {
                    Ok(status)
                } else {
                    Box::pin(self.reader.caught_up(status, at_least)).await
                }
            }
            Ok(_) | Err(Error::NotFound) => Err(Box::pin(self.reader.missing(caller, id, at_least)).await),
            Err(error) => Err(error),
        }
    }

    /// The body of a response with this status now.
    pub async fn answer_status(&self, status: &Status) -> String {
        self.forecasts.answer((status.model.partner_id, &status.model.workflow), &status.course, &status.json()).await
    }

    /// Up to `limit` current statuses of a buyer's tasks, the latest opened first, each with its
    /// position.
    pub async fn list_statuses(
        &self,
        buyer: BuyerId,
        after: Option<After>,
        limit: u32,
    ) -> Result<Vec<(After, Result<String, Unreadable>)>, Error> {
        let listed = lists::list_statuses(&self.pool, buyer, after, limit).await?;
        let mut answered = Vec::with_capacity(listed.len());
        for (place, status) in listed {
            let json = match status {
                Ok(status) => {
                    Ok(self.forecasts.answer((status.partner_id, &status.workflow), &status.course, &status.json).await)
                }
                Err(error) => Err(Error::from(error).unreadable()?),
            };
            answered.push((place, json));
        }
        Ok(answered)
    }
}
