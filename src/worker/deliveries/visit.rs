//! A visit to one endpoint: sends what is due there, several lines at a time, until an attempt
//! fails or is slow.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures_util::stream::{self, StreamExt as _};
use tokio::time::Instant;

use crate::app::webhooks::dispatch::{Line, Step};
use crate::app::{App, Error};
use crate::causes::with_causes;
use crate::domain::webhook::EndpointKey;

use super::Metrics;
use super::pace::{Course, SLOW};

/// The most events of one line that a visit sends, so that its slots are soon shared out anew.
const MAX_EVENTS: usize = 16;

/// A visit.
#[derive(Debug)]
pub(super) struct Visit {
    app: Arc<App>,
    metrics: Arc<Metrics>,
    endpoint: EndpointKey,
    delivered: AtomicU64,
    failed: AtomicBool,
    slow: AtomicBool,
}

/// The result of a visit.
#[derive(Debug)]
pub(super) struct Visited {
    pub(super) endpoint: EndpointKey,
    pub(super) delivered: u64,
    /// How the visit went.
    pub(super) course: Course,
}

impl Visit {
    pub(super) fn new(app: Arc<App>, metrics: Arc<Metrics>, endpoint: EndpointKey) -> Self {
        let (failed, slow) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { app, metrics, endpoint, delivered: AtomicU64::new(0), failed, slow }
    }

    /// Sends the events of these lines, `width` lines at a time.
    pub(super) async fn run(self, lines: Vec<Line>, width: usize) -> Visited {
        stream::iter(lines).for_each_concurrent(width, |line| self.follow(line)).await;
        let course = match (self.failed.into_inner(), self.slow.into_inner()) {
            (true, _) => Course::Failed,
            (false, true) => Course::Slow,
            (false, false) => Course::Quick,
        };
        Visited { endpoint: self.endpoint, delivered: self.delivered.into_inner(), course }
    }

    /// Sends the events of a line one after the other while that is possible. After an event that
    /// was given up, the next one goes out at once.
    async fn follow(&self, line: Line) {
        let mut goes_on = !self.is_over();
        for _ in 0..MAX_EVENTS {
            if !goes_on || self.app.shutdown.is_draining() {
                return;
            }
            let begun = Instant::now();
            let step = self.attempt(&line).await;
            if begun.elapsed() >= SLOW {
                self.slow.store(true, Ordering::Relaxed);
            }
            goes_on = match step {
                Ok(Step::Idle) => false,
                Ok(Step::Delivered { more }) => {
                    self.metrics.delivered.inc();
                    self.delivered.fetch_add(1, Ordering::Relaxed);
                    more && !self.is_over()
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
                    tracing::warn!(
                        error = with_causes(&error),
                        "a delivery was interrupted; it is retried when it is due"
                    );
                    false
                }
            };
        }
    }

    /// Whether no more attempts are started.
    fn is_over(&self) -> bool {
        self.failed.load(Ordering::Relaxed) || self.slow.load(Ordering::Relaxed)
    }

    /// Runs in a task of its own, so that a panic fails this attempt only.
    async fn attempt(&self, line: &Line) -> Result<Step, Error> {
        let (app, line) = (Arc::clone(&self.app), line.clone());
        self.metrics.in_flight.inc();
        let step = tokio::spawn(async move { app.webhooks.dispatch.send_next(&line).await }).await;
        self.metrics.in_flight.dec();
        step.unwrap_or_else(|fault| Err(Error::Internal(Arc::new(fault))))
    }
}
