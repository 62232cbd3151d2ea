//! Sends deliveries: takes the head of a line, renders the event as its owner may see it, posts it,
//! and records the result.
//!
//! **Order.** Of one task's events to one endpoint, only the oldest pending one is sent
//! ([`store::webhooks::deliveries`]). Lines do not wait for each other.
//!
//! **At least once, and exactly once without failures.** A worker that takes a delivery holds it
//! for `LEASE`, which is longer than all following steps may take. If its process is killed, the
//! delivery is due again after the lease. If the worker is too slow, its result is not recorded.
//!
//! **The body is not stored.** It is rendered for each attempt by the code of the feed, so that
//! both agree and erased data is not sent. No database connection is held while a receiver
//! processes the request.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::TimeDelta;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::app::base::Base;
use crate::app::commits::Commits;
use crate::app::error::Error;
use crate::app::feed::render::Renderer;
use crate::app::shutdown::Shutdown;
use crate::clock::Clock;
use crate::domain::values::id::{EventId, NoticeId};
use crate::domain::values::time::Time;
use crate::domain::webhook::{
    Attempt, AttemptOutcome, DeliveryState, EndpointKey, MAX_ATTEMPTS, NextStep, Owner, pause, retry_decision,
};
use crate::ids;
use crate::store::webhooks::deliveries::{Search, Settled, Taken};
use crate::store::webhooks::endpoints::{Count, Notice, Secrets};
use crate::store::{self, Pool};
use crate::telemetry::spans::Span;
use crate::webhook::client::{self, Outcome};
use crate::webhook::sign::Headers;

use super::attempt::{Sender, course, record, signed};
use super::wire::{self, Message, Wire};

pub use crate::store::webhooks::deliveries::{Due, Line};

/// How long a worker holds a delivery. An attempt takes at most 15 s; the rest is for the steps
/// before and after it, and for differing clocks.
const LEASE: TimeDelta = TimeDelta::seconds(30);
/// The time limit for rendering a body; beyond it the delivery is left until its lease ends.
const MAKING: Duration = Duration::from_secs(5);
/// How often writing a result is tried if the database is unreachable. A lost result means that the
/// delivery is sent again.
const SETTLE_TRIES: u32 = 4;
/// The pause between two tries.
const SETTLE_PAUSE: Duration = Duration::from_secs(1);

/// The capacity of the worker.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// How many rows of each endpoint to read.
    pub each: u32,
    /// Whether to include failing endpoints, with one row each.
    pub failing: bool,
    /// Endpoints to leave out.
    pub except: Vec<EndpointKey>,
    /// Owners all of whose endpoints are left out.
    pub except_owners: Vec<Owner>,
    /// How many rows to read in total.
    pub limit: u32,
}

/// The result of a step for a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing may be sent now.
    Idle,
    /// The head was delivered.
    Delivered {
        /// Whether there may be more behind it.
        more: bool,
    },
    /// An attempt failed; the line waits for the next one.
    Failed,
    /// The body could not be rendered, since the stored data cannot be read. The line waits; the
    /// endpoint's other lines continue.
    NotMade,
    /// The last attempt failed; the line continues without that event.
    GivenUp {
        /// Whether there may be more behind it.
        more: bool,
    },
}

/// Sends deliveries.
#[derive(Debug)]
pub struct Dispatch {
    pool: Pool,
    clock: Clock,
    shutdown: Shutdown,
    renderer: Arc<Renderer>,
    sender: Arc<Sender>,
    commits: Arc<Commits>,
    wire: Option<Arc<dyn Wire>>,
    /// Limits the deliveries that use the database at a time to half of its connections, so that
    /// requests do not queue behind hundreds of them.
    gate: Semaphore,
}

impl Dispatch {
    pub(super) fn new(
        base: &Base,
        renderer: Arc<Renderer>,
        (sender, wire): (Arc<Sender>, Option<Arc<dyn Wire>>),
        commits: Arc<Commits>,
    ) -> Self {
        let (pool, clock, shutdown) = (base.pool.clone(), base.clock.clone(), base.shutdown.clone());
        let gate = Semaphore::new((pool.connections() as usize / 2).max(1));
        Self { pool, clock, shutdown, renderer, sender, commits, wire, gate }
    }

    async fn permit(&self) -> SemaphorePermit<'_> {
        self.gate.acquire().await.expect("the gate is never closed")
    }

    /// The number of endpoints. While none is enabled, writes do not wake the worker.
    pub async fn count_endpoints(&self) -> Result<Count, Error> {
        let count = store::webhooks::endpoints::count(&self.pool).await?;
        self.commits.deliveries.set_enabled(count.enabled > 0);
        Ok(count)
    }

    /// Lines with a due delivery.
    pub async fn list_due(&self, wanted: &Wanted) -> Result<Vec<Due>, Error> {
        let Wanted { each, failing, except, except_owners, limit } = wanted;
        let search =
            Search { at: self.clock.now(), each: *each, failing: *failing, except, except_owners, limit: *limit };
        Ok(store::webhooks::deliveries::list_due(&self.pool, &search).await?)
    }

    /// Lines with a due delivery of these endpoints, from up to so many rows of each.
    pub async fn list_due_of(&self, endpoints: &[(EndpointKey, u32)]) -> Result<Vec<Due>, Error> {
        Ok(store::webhooks::deliveries::list_due_of(&self.pool, self.clock.now(), endpoints).await?)
    }

    /// Waits until `at_most` has passed, this process has written something to deliver, or the
    /// service stops.
    pub async fn wait(&self, at_most: Duration) {
        tokio::select! {
            () = self.commits.deliveries.woken() => {}
            () = self.shutdown.pause(at_most) => {}
        }
    }

    /// Sends the head of a line, if it may be sent now.
    pub async fn send_next(&self, line: &Line) -> Result<Step, Error> {
        let permit = self.permit().await;
        let at = self.clock.now();
        let Some(taken) = store::webhooks::deliveries::take(&self.pool, line, at, at + LEASE).await? else {
            store::webhooks::deliveries::park(&self.pool, line).await?;
            return Ok(Step::Idle);
        };
        let made = timeout(MAKING, self.body(line, &taken)).await;
        drop(permit);
        let made = made.unwrap_or_else(|elapsed| Err(Error::Unavailable(Arc::new(elapsed))));
        let secrets = taken.secrets.clone().ok_or_else(|| Error::impossible("secrets that cannot be read"));
        let (body, secrets) = match made.and_then(|body| Ok((body, secrets?))) {
            Ok(made) => made,
            Err(error) if error.is_outage() => return Err(error),
            Err(error) => {
                log_undeliverable(line, &taken, &error);
                return self.reschedule(line, &taken, at).await;
            }
        };
        let span = begin_span(line, &taken);
        let attempt = match &self.wire {
            None => {
                let headers = self.sign(taken.event_id, at, (&body, &secrets));
                span.run(self.sender.post(&taken.url, &headers, body)).await
            }
            Some(wire) => span.run(self.pass(wire.as_ref(), Message::new(line, &taken, body, secrets))).await,
        };
        set_outcome(&span, &attempt.outcome);
        drop(span);
        self.settle(line, taken, (at, attempt)).await
    }

    fn sign(&self, id: EventId, at: Time, (body, secrets): (&[u8], &Secrets)) -> Headers {
        signed(id.into(), (at, &self.clock), body, secrets)
    }

    /// Sends a message over a wire that may disturb it.
    async fn pass(&self, wire: &dyn Wire, message: Message) -> client::Attempt {
        let passage = wire.passage(&message);
        if passage.kept {
            return wire::accepted();
        }
        let attempt = self.deliver(&message).await;
        wire.sent(&message, &attempt);
        if passage.twice {
            wire.sent(&message, &self.deliver(&message).await);
        }
        self.send_overtaken(wire, &message).await;
        if passage.answer_lost { wire::unanswered(attempt.took) } else { attempt }
    }

    /// Sends a message that the wire kept until now.
    pub async fn send_late(&self, message: &Message) {
        let Some(wire) = &self.wire else { return };
        wire.sent_late(message, &self.deliver(message).await);
        self.send_overtaken(wire.as_ref(), message).await;
    }

    async fn send_overtaken(&self, wire: &dyn Wire, by: &Message) {
        for late in wire.overtaken_by(by) {
            wire.sent_late(&late, &self.deliver(&late).await);
        }
    }

    /// Signs a message and sends it now.
    async fn deliver(&self, message: &Message) -> client::Attempt {
        let headers = self.sign(message.event_id, self.clock.now(), (&message.body, &message.secrets));
        self.sender.post(&message.url, &headers, message.body.clone()).await
    }

    /// When the next delivery is due: in the past if some are due now. `None` if none is pending at an
    /// endpoint that is enabled.
    pub async fn find_next_due(&self) -> Result<Option<Time>, Error> {
        Ok(store::webhooks::deliveries::find_next_due(&self.pool).await?)
    }

    async fn body(&self, line: &Line, taken: &Taken) -> Result<Bytes, Error> {
        let event = self.renderer.render_one(line.endpoint.owner.party(), (line.task_id, taken.seq)).await?;
        serde_json::to_vec(&event).map(Bytes::from).map_err(|_| Error::impossible("an event that is no JSON"))
    }

    async fn settle(&self, line: &Line, taken: Taken, (at, attempt): (Time, client::Attempt)) -> Result<Step, Error> {
        let now = self.clock.now();
        let course = course(&attempt.outcome, self.clock.outside(now));
        let answer = match &attempt.outcome {
            Outcome::Answered { answer, .. } => Some(answer.as_str()),
            Outcome::Failed(_) => None,
        };
        let next = retry_decision(course, tries(&taken), now, u16::from_ne_bytes(ids::random()));
        let step = self.write_down(line, &taken, (next, record(at, &attempt), answer)).await?;
        self.note_health(&line.endpoint, &taken, (course, now)).await?;
        Ok(step)
    }

    /// Retries a delivery whose body cannot be rendered on the schedule of a failed attempt. The
    /// endpoint's health is not affected.
    async fn reschedule(&self, line: &Line, taken: &Taken, at: Time) -> Result<Step, Error> {
        let (word, detail) = ("not_made".to_owned(), "the event could not be read".to_owned());
        let attempt = Attempt { at, status: None, error: Some(word), detail: Some(detail), took_ms: 0 };
        let failed = AttemptOutcome::Failed { retry_after: None };
        let next = retry_decision(failed, tries(taken), self.clock.now(), u16::from_ne_bytes(ids::random()));
        let step = self.write_down(line, taken, (next, attempt, None)).await?;
        Ok(if step == Step::Failed { Step::NotMade } else { step })
    }

    async fn write_down(
        &self,
        line: &Line,
        taken: &Taken,
        (next, attempt, answer): (NextStep, Attempt, Option<&str>),
    ) -> Result<Step, Error> {
        let mut attempts = taken.attempts.clone();
        attempts.push(attempt);
        let attempts = &attempts[attempts.len().saturating_sub(MAX_ATTEMPTS)..];
        let (state, due_at) = match next {
            NextStep::Delivered => (DeliveryState::Delivered, None),
            NextStep::RetryAt(due_at) => (DeliveryState::Pending, Some(due_at)),
            NextStep::GivenUp => (DeliveryState::Failed, None),
        };
        // If the result is not recorded, it says nothing about the deliveries behind it.
        let more = self.write(line, taken, Settled { state, due_at, attempts, answer }).await?.unwrap_or(true);
        Ok(match next {
            NextStep::Delivered => Step::Delivered { more },
            NextStep::RetryAt(_) => Step::Failed,
            NextStep::GivenUp => Step::GivenUp { more },
        })
    }

    async fn write(&self, line: &Line, taken: &Taken, settled: Settled<'_>) -> Result<Option<bool>, Error> {
        for _ in 1..SETTLE_TRIES {
            match self.write_once(line, taken, settled).await {
                Err(error) if error.is_outage() => tokio::time::sleep(SETTLE_PAUSE).await,
                settled => return settled,
            }
        }
        self.write_once(line, taken, settled).await
    }

    async fn write_once(&self, line: &Line, taken: &Taken, settled: Settled<'_>) -> Result<Option<bool>, Error> {
        let _permit = self.permit().await;
        Ok(store::webhooks::deliveries::settle(&self.pool, line, taken, (settled, self.clock.now())).await?)
    }

    /// Records whether the endpoint fails, and disables it if the rules say so.
    async fn note_health(
        &self,
        endpoint: &EndpointKey,
        taken: &Taken,
        (course, now): (AttemptOutcome, Time),
    ) -> Result<(), Error> {
        let retry_after = match course {
            AttemptOutcome::Accepted if taken.failures == 0 => return Ok(()),
            AttemptOutcome::Accepted => return Ok(store::webhooks::endpoints::recovered(&self.pool, endpoint).await?),
            AttemptOutcome::Gone => None,
            AttemptOutcome::Failed { retry_after } => retry_after,
        };
        let paused_until = pause(taken.failures.saturating_add(1), retry_after).map(|pause| now + pause);
        let since = store::webhooks::endpoints::failed(&self.pool, (endpoint, &taken.url), now, paused_until).await?;
        let Some(reason) = since.and_then(|since| course.disables(since, now)) else { return Ok(()) };
        let notice = Notice { id: NoticeId(ids::new()), reason, recorded_at: now };
        if store::webhooks::endpoints::disable(&self.pool, endpoint, &taken.url, &notice).await? {
            self.commits.feed.notify_one();
            let (owner, id, reason) = (endpoint.owner.id(), endpoint.id.as_str(), reason.as_str());
            tracing::warn!(%owner, endpoint = id, reason, "a webhook endpoint was disabled");
        }
        Ok(())
    }
}

/// Begins the span of an attempt, which the receiver learns by its `traceparent`.
fn begin_span(line: &Line, taken: &Taken) -> Span {
    let span = Span::of_delivery(taken.traceparent.as_deref(), taken.continues_trace);
    span.set("stagegate.receiver", line.endpoint.owner.party().as_str());
    span.set("stagegate.attempt", i64::from(taken.attempt));
    span
}

fn set_outcome(span: &Span, outcome: &Outcome) {
    match outcome {
        Outcome::Answered { status, .. } => {
            span.set("http.response.status_code", i64::from(*status));
            if !outcome.is_delivered() {
                span.fail("not_accepted");
            }
        }
        Outcome::Failed(failure) => span.fail(failure.code()),
    }
}

fn log_undeliverable(line: &Line, taken: &Taken, error: &(dyn std::error::Error + 'static)) {
    tracing::error!(task_id = %line.task_id, seq = taken.seq, error, "a delivery could not be rendered and will be retried");
}

/// The number of the attempt since the delivery was last requested.
fn tries(taken: &Taken) -> u32 {
    taken.attempt.abs_diff(taken.earlier)
}
