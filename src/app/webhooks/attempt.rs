//! One attempt to deliver a body: signed, sent, and put into its stored form.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use chrono::TimeDelta;
use hyper::header::HeaderValue;

use crate::clock::Clock;
use crate::domain::values::id::MessageId;
use crate::domain::values::time::Time;
use crate::domain::webhook::{Attempt, AttemptOutcome};
use crate::store::webhooks::endpoints;
use crate::telemetry::spans;
use crate::webhook::address::{Reach, Target};
use crate::webhook::client::{self, Client, Failure, Outcome};
use crate::webhook::sign::{Headers, Secrets, headers};

/// Sends bodies to the addresses that webhooks may reach.
pub(super) struct Sender {
    client: Client,
    /// Which addresses these are.
    pub(super) reach: Reach,
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("reach", &self.reach).finish_non_exhaustive()
    }
}

impl Sender {
    pub(super) fn new(reach: Reach) -> Self {
        Self { client: Client::new(reach), reach }
    }

    /// Makes an attempt, under the current span if there is one. The URL is checked again, since the
    /// rules may have changed since it was registered.
    pub(super) async fn post(&self, url: &str, headers: &Headers, body: Bytes) -> client::Attempt {
        match Target::parse(url, self.reach) {
            Ok(target) => {
                let traceparent = spans::traceparent().and_then(|text| HeaderValue::try_from(text).ok());
                self.client.post(&target, (headers, traceparent), body).await
            }
            Err(refused) => {
                client::Attempt { outcome: Outcome::Failed(Failure::Address(refused)), took: Duration::ZERO }
            }
        }
    }
}

/// The headers of a delivery or a sample, signed with the secrets that are valid at `at` by this
/// clock. The time in them is the one outside, since receivers compare it with their own clock.
pub(super) fn signed(id: MessageId, (at, clock): (Time, &Clock), body: &[u8], secrets: &endpoints::Secrets) -> Headers {
    let secrets = secrets.clone().at(at);
    let pending = secrets.next.as_ref().map(|next| &next.secret);
    headers(id, clock.outside(at), body, Secrets { current: &secrets.current.secret, pending })
}

pub(super) fn course(outcome: &Outcome, now: Time) -> AttemptOutcome {
    match outcome {
        Outcome::Answered { status, retry_after, .. } => {
            let wait = retry_after.map(|after| TimeDelta::from_std(after.wait(now)).unwrap_or(TimeDelta::MAX));
            AttemptOutcome::of(*status, wait)
        }
        Outcome::Failed(_) => AttemptOutcome::Failed { retry_after: None },
    }
}

/// An attempt in its stored form.
pub(super) fn record(at: Time, attempt: &client::Attempt) -> Attempt {
    let took_ms = u64::try_from(attempt.took.as_millis()).unwrap_or(u64::MAX);
    match &attempt.outcome {
        Outcome::Answered { status, .. } => Attempt { at, status: Some(*status), error: None, detail: None, took_ms },
        Outcome::Failed(failure) => {
            let (error, detail) = (Some(failure.code().to_owned()), Some(failure.to_string()));
            Attempt { at, status: None, error, detail, took_ms }
        }
    }
}
