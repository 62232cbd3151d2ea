//! What is kept of statuses is renewed without reading it again: while anybody polls, and for a little while after,
//! a look at the end of the feed, several times a second, says which tasks have changed. Those are taken away, and
//! all others are as they were. So what polling costs the database depends on what is written and not on how many
//! poll how much.
//!
//! **What makes it sound.** Every change of a status comes with a row of the trail, in the same transaction. A look
//! reads the horizon first and then the rows from the *last* look's horizon on: whatever it does not see yet runs
//! still, so it is at or above its own horizon, and the next look finds it. What is read while a look is under way
//! is not kept if it is among the changed.
//!
//! **Failure.** A look that fails, or finds too much, renews nothing, and the next one begins anew: what is kept
//! grows old by itself, and is read again.

use std::time::Duration;

use chrono::TimeDelta;

use crate::domain::values::time::Time;
use crate::store::db::horizon::{Transaction, find_horizon};
use crate::store::feed::list_changed;

use super::cache::Watch;
use super::{App, Error};

/// Between two looks; with the time that one takes, well below the age that is allowed.
const INTERVAL: Duration = Duration::from_millis(300);
/// Looks go on for so long after the last poll, so that pages which poll now and then find what was read for them
/// before.
const AFTER_POLLS: TimeDelta = TimeDelta::seconds(10);
/// Rows that a look goes through.
const MOST: usize = 5_000;

/// What looks.
#[derive(Debug, Default)]
pub struct Renewal(Option<Look>);

/// The last look.
#[derive(Clone, Copy, Debug)]
struct Look {
    horizon: Transaction,
    /// When the first of those began without a gap between them.
    from: Time,
}

impl Renewal {
    /// Renews what is kept until the service drains.
    pub async fn run(mut self, app: &App) {
        while !app.is_draining() {
            app.pause(INTERVAL).await;
            self.step(app).await;
            app.workers.turned("status_renewal");
        }
    }

    /// Looks once, if anybody has polled of late.
    pub async fn step(&mut self, app: &App) {
        let last = self.0.take();
        if app.statuses.was_asked(app.clock.now() - AFTER_POLLS) {
            let looked = look(app, last).await;
            self.0 = looked.inspect_err(|error| tracing::debug!(%error, "what changed could not be read")).ok();
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
