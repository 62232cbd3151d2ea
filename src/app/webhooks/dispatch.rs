//! Deliveries, sent: the head of a line is taken, the event told as its owner may see it, handed over, and what
//! came of it written down.
//!
//! **Order.** Of one task's events to one endpoint only the oldest that is pending is ever sent
//! ([`store::webhooks::deliveries`]). Lines do not wait for each other.
//!
//! **At least once, and once unless something breaks.** Who takes a delivery has it for `LEASE`, which is longer
//! than all that follows may take. A process that is killed leaves it to whoever finds it due after that, and one
//! that was too slow finds that its result does not count.
//!
//! **The body is not stored.** It is made for each attempt by the code that makes the feed, so both say the same,
//! and what was erased meanwhile is not sent. No connection to the database is held while a receiver makes up its
//! mind.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use chrono::TimeDelta;
use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio::time::timeout;
use uuid::Uuid;

use crate::app::{App, Error, feed};
use crate::domain::values::time::Time;
use crate::domain::webhook::{
    Attempt, AttemptOutcome, DeliveryState, EndpointKey, MAX_ATTEMPTS, Owner, Verdict, judge, pause,
};
use crate::store::webhooks::deliveries::{Search, Settled, Taken};
use crate::store::webhooks::endpoints::{Count, Notice};
use crate::webhook::address::{Reach, Target};
use crate::webhook::client::{self, Client, Failure, Outcome};
use crate::webhook::sign::{Headers, Secrets, headers};
use crate::{ids, store};

pub use crate::store::webhooks::deliveries::{Due, Line};

/// How long a delivery is one worker's: an attempt takes 15 s at the most, and the rest is for what goes before and
/// after it, and for clocks that disagree.
const LEASE: TimeDelta = TimeDelta::seconds(30);
/// The longest that making a body may take; after that the delivery is left to its lease.
const MAKING: Duration = Duration::from_secs(5);
/// How often a result is written down if the database is away: what is lost is sent again.
const SETTLE_TRIES: u32 = 4;
/// The time between two tries.
const SETTLE_PAUSE: Duration = Duration::from_secs(1);

/// What deliveries are sent with, and what tells the worker that there are some.
pub(in crate::app) struct Outbound {
    pub(in crate::app) client: Client,
    pub(in crate::app) reach: Reach,
    /// Deliveries that use the database at a time: half of its connections, so that requests are not behind
    /// hundreds of them.
    gate: Semaphore,
    bell: Notify,
    /// Whether there are endpoints to deliver to, as of the last look.
    wanted: AtomicBool,
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound").field("reach", &self.reach).finish_non_exhaustive()
    }
}

impl Outbound {
    pub(in crate::app) fn new(connections: u32, reach: Reach) -> Self {
        let gate = Semaphore::new((connections as usize / 2).max(1));
        Self { client: Client::new(reach), reach, gate, bell: Notify::new(), wanted: AtomicBool::new(false) }
    }

    /// Something was written that may have to be delivered.
    pub(in crate::app) fn wake(&self) {
        if self.wanted.load(Ordering::Relaxed) {
            self.bell.notify_one();
        }
    }

    /// There is an endpoint to deliver to.
    pub(in crate::app) fn enable(&self) {
        self.wanted.store(true, Ordering::Relaxed);
        self.bell.notify_one();
    }

    async fn permit(&self) -> SemaphorePermit<'_> {
        self.gate.acquire().await.expect("the gate is never closed")
    }
}

/// What the worker has room for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// How many rows of an endpoint are looked at.
    pub each: u32,
    /// Endpoints of which more rows are looked at, and how many.
    pub wide: Vec<(EndpointKey, u32)>,
    /// Whether to look at endpoints that fail, of each at one row.
    pub failing: bool,
    /// Endpoints that are left out.
    pub except: Vec<EndpointKey>,
    /// Owners all of whose endpoints are left out.
    pub except_owners: Vec<Owner>,
    /// How many rows in all.
    pub limit: u32,
}

/// What came of a look at a line.
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
    /// There was nothing to send, as what is stored cannot be read; the line waits, and the endpoint's others do not.
    NotMade,
    /// The last attempt failed; the line goes on without that event.
    GivenUp {
        /// Whether there may be more behind it.
        more: bool,
    },
}

/// How many endpoints there are. While none is enabled, writes wake nobody.
pub async fn count_endpoints(app: &App) -> Result<Count, Error> {
    let count = store::webhooks::endpoints::count(&app.pool).await?;
    app.outbound.wanted.store(count.enabled > 0, Ordering::Relaxed);
    Ok(count)
}

/// Lines in which something is due now.
pub async fn list_due(app: &App, wanted: &Wanted) -> Result<Vec<Due>, Error> {
    let Wanted { each, wide, failing, except, except_owners, limit } = wanted;
    let search =
        Search { at: app.clock.now(), each: *each, wide, failing: *failing, except, except_owners, limit: *limit };
    Ok(store::webhooks::deliveries::list_due(&app.pool, &search).await?)
}

/// Waits this long at the most, until this process has written something to deliver, or until the service stops.
pub async fn wait(app: &App, at_most: Duration) {
    tokio::select! {
        () = app.outbound.bell.notified() => {}
        () = app.pause(at_most) => {}
    }
}

/// Sends the head of a line, if it may be sent now.
pub async fn send_next(app: &App, line: &Line) -> Result<Step, Error> {
    let permit = app.outbound.permit().await;
    let at = app.clock.now();
    let Some(taken) = store::webhooks::deliveries::take(&app.pool, line, at, at + LEASE).await? else {
        store::webhooks::deliveries::park(&app.pool, line).await?;
        return Ok(Step::Idle);
    };
    let made = timeout(MAKING, body(app, line, &taken)).await;
    drop(permit);
    let made = made.unwrap_or_else(|elapsed| Err(Error::Unavailable(Arc::new(elapsed))));
    let secrets = taken.secrets.clone().ok_or_else(|| Error::impossible("secrets that cannot be read"));
    let (body, secrets) = match made.and_then(|body| Ok((body, secrets?))) {
        Ok(made) => made,
        Err(error) if error.is_outage() => return Err(error),
        Err(error) => {
            log_undeliverable(line, &taken, &error);
            return reschedule(app, line, &taken, at).await;
        }
    };
    let headers = signed(taken.event_id, at, &body, &secrets);
    let attempt = post(app, &taken.url, &headers, body).await;
    settle(app, line, taken, (at, attempt)).await
}

async fn body(app: &App, line: &Line, taken: &Taken) -> Result<Bytes, Error> {
    let told = feed::render_one(app, line.endpoint.owner.party(), (line.task_id, taken.seq)).await?;
    serde_json::to_vec(&told).map(Bytes::from).map_err(|_| Error::impossible("an event that is no JSON"))
}

/// Makes an attempt. The URL is judged again: the rules may have changed since it was registered.
pub(in crate::app) async fn post(app: &App, url: &str, headers: &Headers, body: Bytes) -> client::Attempt {
    match Target::parse(url, app.outbound.reach) {
        Ok(target) => app.outbound.client.post(&target, headers, body).await,
        Err(refused) => client::Attempt { outcome: Outcome::Failed(Failure::Address(refused)), took: Duration::ZERO },
    }
}

/// The headers of a delivery or a sample, made with the secrets as they are at `at`.
pub(in crate::app) fn signed(
    id: Uuid,
    at: Time,
    body: &[u8],
    secrets: &store::webhooks::endpoints::Secrets,
) -> Headers {
    let secrets = secrets.clone().at(at);
    let pending = secrets.next.as_ref().map(|next| &next.secret);
    headers(id, at, body, Secrets { current: &secrets.current.secret, pending })
}

async fn settle(app: &App, line: &Line, taken: Taken, (at, attempt): (Time, client::Attempt)) -> Result<Step, Error> {
    let now = app.clock.now();
    let course = course(&attempt.outcome, now);
    let answer = match &attempt.outcome {
        Outcome::Answered { answer, .. } => Some(answer.as_str()),
        Outcome::Failed(_) => None,
    };
    let verdict = judge(course, tries(&taken), now, u16::from_ne_bytes(ids::random()));
    let step = write_down(app, line, &taken, (verdict, record(at, &attempt), answer)).await?;
    note_health(app, &line.endpoint, &taken, (course, now)).await?;
    Ok(step)
}

/// A delivery whose body cannot be made is tried again as if it had been refused. It is no fault of the endpoint's.
async fn reschedule(app: &App, line: &Line, taken: &Taken, at: Time) -> Result<Step, Error> {
    let (word, detail) = ("not_made".to_owned(), "the event could not be read".to_owned());
    let attempt = Attempt { at, status: None, error: Some(word), detail: Some(detail), took_ms: 0 };
    let failed = AttemptOutcome::Failed { retry_after: None };
    let verdict = judge(failed, tries(taken), app.clock.now(), u16::from_ne_bytes(ids::random()));
    let step = write_down(app, line, taken, (verdict, attempt, None)).await?;
    Ok(if step == Step::Failed { Step::NotMade } else { step })
}

fn log_undeliverable(line: &Line, taken: &Taken, error: &(dyn std::error::Error + 'static)) {
    tracing::error!(task_id = %line.task_id, seq = taken.seq, error, "a delivery cannot be made; tried again later");
}

async fn write_down(
    app: &App,
    line: &Line,
    taken: &Taken,
    (verdict, attempt, answer): (Verdict, Attempt, Option<&str>),
) -> Result<Step, Error> {
    let mut attempts = taken.attempts.clone();
    attempts.push(attempt);
    let attempts = &attempts[attempts.len().saturating_sub(MAX_ATTEMPTS)..];
    let (state, due_at) = match verdict {
        Verdict::Delivered => (DeliveryState::Delivered, None),
        Verdict::Again(due_at) => (DeliveryState::Pending, Some(due_at)),
        Verdict::GivenUp => (DeliveryState::Failed, None),
    };
    // What does not count says nothing of the others.
    let more = write(app, line, taken, Settled { state, due_at, attempts, answer }).await?.unwrap_or(true);
    Ok(match verdict {
        Verdict::Delivered => Step::Delivered { more },
        Verdict::Again(_) => Step::Failed,
        Verdict::GivenUp => Step::GivenUp { more },
    })
}

async fn write(app: &App, line: &Line, taken: &Taken, settled: Settled<'_>) -> Result<Option<bool>, Error> {
    for _ in 1..SETTLE_TRIES {
        let _permit = app.outbound.permit().await;
        match store::webhooks::deliveries::settle(&app.pool, line, taken, (settled, app.clock.now()))
            .await
            .map_err(Error::from)
        {
            Err(error) if error.is_outage() => tokio::time::sleep(SETTLE_PAUSE).await,
            settled => return settled,
        }
    }
    Ok(store::webhooks::deliveries::settle(&app.pool, line, taken, (settled, app.clock.now())).await?)
}

/// Remembers that the endpoint fails or that it does not any more, and gives it up if the rules say so.
async fn note_health(
    app: &App,
    endpoint: &EndpointKey,
    taken: &Taken,
    (course, now): (AttemptOutcome, Time),
) -> Result<(), Error> {
    let retry_after = match course {
        AttemptOutcome::Accepted if taken.failures == 0 => return Ok(()),
        AttemptOutcome::Accepted => return Ok(store::webhooks::endpoints::recovered(&app.pool, endpoint).await?),
        AttemptOutcome::Gone => None,
        AttemptOutcome::Failed { retry_after } => retry_after,
    };
    let paused_until = pause(taken.failures.saturating_add(1), retry_after).map(|pause| now + pause);
    let since = store::webhooks::endpoints::failed(&app.pool, (endpoint, &taken.url), now, paused_until).await?;
    let Some(reason) = since.and_then(|since| course.disables(since, now)) else { return Ok(()) };
    let notice = Notice { id: ids::new(), reason, recorded_at: now };
    if store::webhooks::endpoints::disable(&app.pool, endpoint, &taken.url, &notice).await? {
        app.feed.look();
        let (owner, id, reason) = (endpoint.owner.id(), endpoint.id.as_str(), reason.as_str());
        tracing::warn!(%owner, endpoint = id, reason, "a webhook endpoint was disabled");
    }
    Ok(())
}

/// Which attempt it is since the delivery was last asked for.
fn tries(taken: &Taken) -> u32 {
    taken.attempt.abs_diff(taken.earlier)
}

pub(in crate::app) fn course(outcome: &Outcome, now: Time) -> AttemptOutcome {
    match outcome {
        Outcome::Answered { status, retry_after, .. } => {
            let wait = retry_after.map(|after| TimeDelta::from_std(after.wait(now)).unwrap_or(TimeDelta::MAX));
            AttemptOutcome::of(*status, wait)
        }
        Outcome::Failed(_) => AttemptOutcome::Failed { retry_after: None },
    }
}

/// An attempt as it is kept.
pub(in crate::app) fn record(at: Time, attempt: &client::Attempt) -> Attempt {
    let took_ms = u64::try_from(attempt.took.as_millis()).unwrap_or(u64::MAX);
    match &attempt.outcome {
        Outcome::Answered { status, .. } => Attempt { at, status: Some(*status), error: None, detail: None, took_ms },
        Outcome::Failed(failure) => {
            let (error, detail) = (Some(failure.code().to_owned()), Some(failure.to_string()));
            Attempt { at, status: None, error, detail, took_ms }
        }
    }
}
