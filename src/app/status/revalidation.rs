//! Revalidates cached statuses without reading them again. While clients poll, and for a short time
//! after, a look at the end of the feed, several times a second, finds the tasks that changed.
//! Their entries are removed, and all others are still current. So the cost of polling depends on
//! the number of writes and not on the number of polls.
//!
//! **Correctness.** Every change of a status comes with a row of the trail in the same transaction.
//! A look first reads the horizon and then the rows from the *previous* look's horizon on. A
//! transaction that it does not see yet is still running, so it is at or above the look's own
//! horizon, and the next look finds it. A status read during a look is not cached if the look finds
//! that it changed.
//!
//! **Failure.** A look that fails, or finds too many rows, revalidates nothing, and the next one
//! starts anew: cached statuses age and are read again.

use std::time::Duration;

use chrono::TimeDelta;

use crate::domain::values::time::Time;
use crate::store::db::horizon::{Transaction, find_horizon};
use crate::store::feed::list_changed;

use super::cache::Watch;
use super::{App, Error};

/// The pause between two looks. With the time that a look takes, it is well below the allowed age.
const INTERVAL: Duration = Duration::from_millis(300);
/// How long looks continue after the last poll, so that pages that poll rarely still find cached
/// statuses.
const AFTER_POLLS: TimeDelta = TimeDelta::seconds(10);
/// Maximum number of rows per look.
const MOST: usize = 5_000;

/// The loop that looks for changes.
#[derive(Debug, Default)]
pub struct Renewal(Option<Look>);

/// The last look.
#[derive(Clone, Copy, Debug)]
struct Look {
    horizon: Transaction,
    /// When the first of the uninterrupted looks began.
    from: Time,
}

impl Renewal {
    /// Revalidates cached statuses until the service drains.
    pub async fn run(mut self, app: &App) {
        while !app.shutdown.is_draining() {
            app.shutdown.pause(INTERVAL).await;
            self.step(app).await;
            app.workers.turned("status_renewal");
        }
    }

    /// Looks once, if a client has polled recently.
    pub async fn step(&mut self, app: &App) {
        let last = self.0.take();
        if app.statuses.was_asked(app.clock.now() - AFTER_POLLS) {
            let looked = look(app, last).await;
            self.0 = looked.inspect_err(|error| tracing::debug!(%error, "the changes could not be read")).ok();
        }
    }
}

async fn look(app: &App, last: Option<Look>) -> Result<Look, Error> {
    let at = app.clock.now();
    let horizon = find_horizon(&app.pool).await?;
    let anew = Look { horizon, from: app.clock.now() };
    let last = last.filter(|last| last.horizon.epoch == horizon.epoch && last.horizon <= horizon);
    if let Some(last) = last {
        let changed = list_changed(&app.pool, last.horizon, MOST).await?;
        if changed.len() < MOST {
            app.statuses.watched(&changed, Watch { from: Some(last.from), until: Some(at) });
            return Ok(Look { horizon, ..last });
        }
    }
    app.statuses.watched(&[], Watch { from: Some(anew.from), until: None });
    Ok(anew)
}
