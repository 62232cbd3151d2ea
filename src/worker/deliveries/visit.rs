//! A visit to one endpoint: what is due there is sent, some lines side by side, until one attempt fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures_util::stream::{self, StreamExt as _};

use crate::app::deliveries::{self, Line, Step};
use crate::app::{App, Error};
use crate::domain::webhook::EndpointKey;

use super::{Metrics, cause};

/// A visit.
#[derive(Debug)]
pub(super) struct Visit {
    app: Arc<App>,
    metrics: Arc<Metrics>,
    endpoint: EndpointKey,
    delivered: AtomicU64,
    failed: AtomicBool,
}

/// What a visit came to.
#[derive(Debug)]
pub(super) struct Visited {
    pub(super) endpoint: EndpointKey,
    pub(super) delivered: u64,
    /// Whether no attempt failed.
    pub(super) went_well: bool,
}

impl Visit {
    pub(super) fn new(app: Arc<App>, metrics: Arc<Metrics>, endpoint: EndpointKey) -> Self {
        Self { app, metrics, endpoint, delivered: AtomicU64::new(0), failed: AtomicBool::new(false) }
    }

    /// Sends what these lines have, `width` of them at a time.
    pub(super) async fn run(self, lines: Vec<Line>, width: usize) -> Visited {
        stream::iter(lines).for_each_concurrent(width, |line| self.follow(line)).await;
        let (delivered, failed) = (self.delivered.into_inner(), self.failed.into_inner());
        Visited { endpoint: self.endpoint, delivered, went_well: !failed }
    }

    /// Sends one event of a line after the other, as far as it goes. What comes after an event that was given up goes out at once.
    async fn follow(&self, line: Line) {
        let mut goes_on = !self.failed.load(Ordering::Relaxed);
        while goes_on && !self.app.is_draining() {
            goes_on = match self.attempt(&line).await {
                Ok(Step::Idle) => false,
                Ok(Step::Delivered { more }) => {
                    self.metrics.delivered.inc();
                    self.delivered.fetch_add(1, Ordering::Relaxed);
                    more && !self.failed.load(Ordering::Relaxed)
                }
                Ok(Step::Failed) => {
                    self.metrics.failed.inc();
                    self.failed.store(true, Ordering::Relaxed);
                    false
                }
                Ok(Step::NotMade) => {
                    self.metrics.failed.inc();
                    false
                }
                Ok(Step::GivenUp { more }) => {
                    self.metrics.failed.inc();
                    self.metrics.given_up.inc();
                    self.failed.store(true, Ordering::Relaxed);
                    more
                }
                Err(error) => {
                    self.failed.store(true, Ordering::Relaxed);
                    tracing::warn!(error = cause(&error), "a delivery was left half-way; it is found again");
                    false
                }
            };
        }
    }

    /// In a task of its own, so that a panic is this attempt's failure alone.
    async fn attempt(&self, line: &Line) -> Result<Step, Error> {
        let (app, line) = (Arc::clone(&self.app), line.clone());
        self.metrics.in_flight.inc();
        let step = tokio::spawn(async move { deliveries::send_next(&app, &line).await }).await;
        self.metrics.in_flight.dec();
        step.unwrap_or_else(|fault| Err(Error::Internal(Arc::new(fault))))
    }
}
