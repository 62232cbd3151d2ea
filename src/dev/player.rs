//! Does what is due, and moves the clock from one due instant to the next.
//!
//! The player takes the place of the worker for timers. As time goes on, [`Player::run`] does what
//! becomes due. A move holds the clock: it stands still at an instant until everything that is due
//! there has been done, with all that follows from it, and then stands at the next one. Timers,
//! scripted reviewers and messages that were kept back run here; webhooks are sent by the ordinary
//! worker, and the move waits until it is idle, so that no lease of a delivery is cut short.
//!
//! Only one of the two acts at a time. A move that takes too long ends where it is, and the next one
//! goes on from there.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::Mutex as Turn;
use tokio::time::{Instant, sleep, timeout_at};

use crate::app::{App, Error};
use crate::causes::with_causes;
use crate::clock::Clock;
use crate::domain::values::id::TaskId;
use crate::domain::values::time::Time;
use crate::worker::deliveries::Deliveries;

use super::faults::FaultyWire;
use super::folder::Folder;
use super::ran::{Ran, timer_name};
use super::reviewers;
use super::scripts::{Due, Scripts};

/// The name of the player among the workers.
pub const NAME: &str = "dev";
/// The longest pause of [`Player::run`].
const POLL: Duration = Duration::from_millis(500);
/// The pause before looking again whether webhooks have been sent.
const LOOK: Duration = Duration::from_millis(5);
/// How many due tasks are read at a time.
const WINDOW: u32 = 256;
/// The most that a move reports of what happened.
const TOLD: usize = 1_000;

/// Does what is due. One per process.
#[derive(Debug)]
pub struct Player {
    app: Arc<App>,
    scripts: Arc<Mutex<Scripts>>,
    wire: Arc<FaultyWire>,
    deliveries: Option<Arc<Deliveries>>,
    folder: Option<Arc<Folder>>,
    limit: Duration,
    /// Held while something acts.
    turn: Turn<()>,
    /// Tasks whose timers cannot be handled. They rest until the next start.
    resting: Mutex<HashSet<TaskId>>,
}

/// Where to move the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// Forward by this time.
    By(TimeDelta),
    /// To this time.
    To(Time),
}

/// The result of a move.
#[derive(Clone, Debug)]
pub struct Moved {
    /// Where the clock was left.
    pub now: Time,
    /// Whether everything that was due until there has been done, and the clock is where it was to
    /// be.
    pub quiet: bool,
    /// What happened, in order.
    pub ran: Vec<Ran>,
    /// How much more happened than `ran` tells.
    pub untold: usize,
}

/// Why the clock was not moved.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It would have gone backwards.
    #[error("the clock already shows {0}")]
    Backwards(Time),
    /// What was due could not be done.
    #[error("what is due cannot be done")]
    App(#[from] Error),
}

/// Lets the clock go on when it is dropped, whatever ended the move.
struct Held<'a>(&'a Clock);

impl<'a> Held<'a> {
    fn new(clock: &'a Clock) -> Self {
        clock.hold(clock.now());
        Self(clock)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.release();
    }
}

impl Player {
    pub(super) fn new(
        app: Arc<App>,
        (scripts, wire): (Arc<Mutex<Scripts>>, Arc<FaultyWire>),
        deliveries: Option<Arc<Deliveries>>,
        (folder, limit): (Option<Arc<Folder>>, Duration),
    ) -> Self {
        Self { app, scripts, wire, deliveries, folder, limit, turn: Turn::new(()), resting: Mutex::default() }
    }

    /// The service's clock.
    pub fn clock(&self) -> &Clock {
        self.app.clock()
    }

    /// Does what becomes due as time goes on, until the service drains.
    pub async fn run(&self) {
        let mut is_failing = false;
        while !self.app.shutdown.is_draining() {
            let acted = {
                let _turn = self.turn.lock().await;
                Box::pin(self.act()).await
            };
            self.app.operations.workers.turned(NAME);
            if let Err(error) = &acted
                && !is_failing
            {
                tracing::warn!(error = with_causes(error), "what is due waits until the database is available again");
            }
            is_failing = acted.is_err();
            let now = self.clock().now();
            let next = self.next_instant(now + TimeDelta::from_std(POLL).unwrap_or_default()).await;
            let left = next.ok().flatten().and_then(|next| (next - now).to_std().ok());
            self.app.tasks.timers.wait(left.unwrap_or(POLL).clamp(LOOK, POLL)).await;
        }
    }

    /// Moves the clock, and does everything that becomes due on the way, each at its own instant.
    ///
    /// # Errors
    ///
    /// [`Refused::Backwards`] if the clock is there already; [`Refused::App`] if the database fails.
    pub async fn advance(&self, by: Move) -> Result<Moved, Refused> {
        // What waits for its turn uses up its own time.
        let until = Instant::now() + self.limit;
        let _turn = self.turn.lock().await;
        let begun = self.clock().now();
        let target = match by {
            Move::By(time) => begun + time,
            Move::To(target) => target,
        };
        if target <= begun {
            return Err(Refused::Backwards(begun));
        }
        let held = Held::new(self.clock());
        self.wire.record();
        let mut ran = Vec::new();
        let moved = Box::pin(self.play((target, until), &mut ran)).await;
        self.wire.end_recording();
        let now = self.clock().now();
        drop(held);
        self.remember();
        let untold = ran.len().saturating_sub(TOLD);
        ran.truncate(TOLD);
        Ok(Moved { now, quiet: moved?, ran, untold })
    }

    /// Goes from instant to instant; whether it got to the end.
    async fn play(&self, (target, until): (Time, Instant), ran: &mut Vec<Ran>) -> Result<bool, Error> {
        loop {
            if !Box::pin(self.settle(ran, until)).await? {
                return Ok(false);
            }
            let now = self.clock().now();
            match self.next_instant(target).await? {
                // A receiver has caused it in the meantime.
                Some(next) if next <= now => {}
                Some(next) => self.clock().hold(next),
                None if now < target => self.clock().hold(target),
                None => return Ok(true),
            }
        }
    }

    /// Does everything that is due now, with all that follows at once; whether time was enough.
    async fn settle(&self, ran: &mut Vec<Ran>, until: Instant) -> Result<bool, Error> {
        while Instant::now() < until && !self.app.shutdown.is_draining() {
            let acted = Box::pin(self.act()).await?;
            let did_nothing = acted.is_empty();
            ran.extend(acted);
            let is_sent = self.send_webhooks(until).await?;
            ran.extend(self.wire.take_recorded());
            if !is_sent {
                return Ok(false);
            }
            if did_nothing {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Runs the timers that are due, lets the reviewers act who are due, and sends the messages that
    /// were kept back until now. Returns what happened of the first two.
    async fn act(&self) -> Result<Vec<Ran>, Error> {
        let mut ran = Box::pin(self.run_timers()).await?;
        ran.extend(self.run_reviewers().await?);
        self.send_kept().await;
        Ok(ran)
    }

    async fn run_timers(&self) -> Result<Vec<Ran>, Error> {
        let mut ran = Vec::new();
        loop {
            let (now, resting) = (self.clock().now(), self.resting_tasks());
            let due = self.app.tasks.timers.list_due(now, &resting, WINDOW).await?;
            if due.is_empty() || self.app.operations.skew.is_too_large() {
                return Ok(ran);
            }
            for due in due {
                match self.tick(due.task_id).await {
                    Ok(Some(ticked)) => ran.push(ticked),
                    Ok(None) => {}
                    Err(error) if error.is_outage() => return Err(error),
                    Err(error) => {
                        tracing::warn!(task_id = %due.task_id, error = with_causes(&error), "a timer cannot be handled; its task rests");
                        self.resting().insert(due.task_id);
                    }
                }
            }
        }
    }

    /// Handles the earliest timer of a task, if it is due.
    async fn tick(&self, id: TaskId) -> Result<Option<Ran>, Error> {
        let Some((_, task)) = self.app.tasks.timers.load(&[id]).await?.pop() else { return Ok(None) };
        let task = task?;
        let Some((_, timer)) = task.snapshot().task.next_timer() else { return Ok(None) };
        let (at, version) = (self.clock().now(), task.snapshot().task.version());
        // Boxed, since it is large and the futures around it would have room for it.
        if Box::pin(self.app.tasks.commands.run_due_timers(task, 1)).await? == 0 {
            return Ok(None);
        }
        let events = reviewers::events_after(&self.app, id, version).await?;
        Ok(Some(Ran::Timer { at, task_id: id, timer: timer_name(timer), events }))
    }

    async fn run_reviewers(&self) -> Result<Vec<Ran>, Error> {
        let mut ran = Vec::new();
        loop {
            let due = self.next_review().await?.filter(|due| due.at <= self.clock().now());
            let Some(due) = due else { return Ok(ran) };
            self.scripts().note(&due);
            let decided = reviewers::decide(&self.app, &due).await?;
            if let Ran::Reviewer { refused: Some(refused), task_id, script, .. } = &decided {
                tracing::warn!(%task_id, script, refused, "a scripted reviewer was refused");
            }
            ran.push(decided);
        }
    }

    /// The review whose scripted decision is due first.
    async fn next_review(&self) -> Result<Option<Due>, Error> {
        if self.scripts().is_empty() {
            return Ok(None);
        }
        let reviews = reviewers::list_reviews(&self.app).await?;
        Ok(self.scripts().next(reviews))
    }

    async fn send_kept(&self) {
        for message in self.wire.take_due(self.clock().now()) {
            self.app.webhooks.dispatch.send_late(&message).await;
        }
    }

    /// Waits until no webhook is due or on its way; whether time was enough.
    async fn send_webhooks(&self, until: Instant) -> Result<bool, Error> {
        let Some(deliveries) = &self.deliveries else { return Ok(true) };
        loop {
            let worker = Arc::clone(deliveries);
            // In a task of its own, since an attempt must not be cut off.
            let sending = tokio::spawn(async move { worker.run_due().await });
            let Ok(sent) = timeout_at(until, sending).await else { return Ok(false) };
            sent.map_err(|fault| Error::Internal(Arc::new(fault)))??;
            let next = self.app.webhooks.dispatch.find_next_due().await?;
            let is_due = next.is_some_and(|next| next <= self.clock().now());
            if !is_due && deliveries.in_flight() == 0 {
                return Ok(true);
            }
            if Instant::now() >= until {
                return Ok(false);
            }
            sleep(LOOK).await;
        }
    }

    /// The earliest instant up to `target` at which something is due.
    async fn next_instant(&self, target: Time) -> Result<Option<Time>, Error> {
        let timer = self.app.tasks.timers.list_due(target, &self.resting_tasks(), 1).await?;
        let timer = timer.first().map(|due| due.wake_at);
        let review = self.next_review().await?.map(|due| due.at);
        let delivery = match self.deliveries {
            Some(_) => self.app.webhooks.dispatch.find_next_due().await?,
            None => None,
        };
        let next = [timer, review, delivery, self.wire.next_due()].into_iter().flatten().min();
        Ok(next.filter(|next| *next <= target))
    }

    fn remember(&self) {
        let Some(folder) = &self.folder else { return };
        let now = self.clock().now();
        if let Err(error) = folder.save_ahead(now - self.clock().outside(now)) {
            tracing::warn!(error = with_causes(&error), "the next start will not know where the clock is");
        }
    }

    fn scripts(&self) -> MutexGuard<'_, Scripts> {
        self.scripts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn resting(&self) -> MutexGuard<'_, HashSet<TaskId>> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn resting_tasks(&self) -> Vec<TaskId> {
        self.resting().iter().copied().collect()
    }
}
