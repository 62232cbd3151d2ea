//! Faults of the network between the service and the receivers of its webhooks.
//!
//! Each attempt draws its faults from the seed, the endpoint and its number at that endpoint, so the
//! same traffic meets the same faults. A message that is kept back counts as accepted for the
//! service, which therefore goes on to the next one; [`FaultyWire`] holds it until it is due or has been
//! overtaken, and again until it is accepted. What is held is gone when the process ends.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::app::webhooks::wire::{Message, Passage, Wire};
use crate::clock::Clock;
use crate::domain::values::id::EventId;
use crate::domain::values::outside::{from_outside, nothing_to_check};
use crate::domain::values::time::{Span, Time};
use crate::domain::webhook::EndpointKey;
use crate::ids;
use crate::webhook::client::{Attempt, Outcome};

use super::ran::Ran;

/// The longest that a message waits for the next one, which is to overtake it.
const OVERTAKEN_WITHIN: TimeDelta = TimeDelta::minutes(1);
/// The pause before a message that was kept back and then refused is sent again.
const AGAIN: TimeDelta = TimeDelta::seconds(10);
/// How often such a message is sent.
const TRIES: u32 = 10;

/// The faults that are wanted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Faults {
    /// Those of webhooks.
    #[serde(default)]
    pub webhooks: WebhookFaults,
    /// Determines which messages are affected. Default: a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u32>,
}

/// Faults of webhooks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookFaults {
    /// The share that is sent twice.
    #[serde(default)]
    pub duplicate: Share,
    /// How much later each of them arrives, by the service's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<Span>,
    /// The share that arrives after the next one to the same endpoint, or a minute late.
    #[serde(default)]
    pub reorder: Share,
    /// The share whose answer is lost, so that they are sent again.
    #[serde(default)]
    pub drop_answer: Share,
}

/// A share, from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Share(f64);

/// A number that is no share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a number from 0 to 1")]
pub struct NoShare;

impl TryFrom<f64> for Share {
    type Error = NoShare;

    fn try_from(share: f64) -> Result<Self, NoShare> {
        if (0.0..=1.0).contains(&share) { Ok(Self(share)) } else { Err(NoShare) }
    }
}

impl From<Share> for f64 {
    fn from(share: Share) -> Self {
        share.0
    }
}

nothing_to_check!(Share, Span);

from_outside! {
    Faults { ; webhooks, seed }
    WebhookFaults { ; duplicate, delay, reorder, drop_answer }
}

/// The faults, and what became of messages.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The faults.
    #[serde(flatten)]
    pub faults: Faults,
    /// How many messages are kept back now.
    pub kept: usize,
    /// How many were kept back and then never accepted.
    pub lost: u64,
}

/// The wire of a development service.
#[derive(Debug)]
pub struct FaultyWire {
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    faults: Faults,
    /// The number of attempts at each endpoint.
    counts: HashMap<EndpointKey, u64>,
    kept: Vec<Kept>,
    /// How often a message that was kept has been refused.
    refused: HashMap<(EndpointKey, EventId), u32>,
    lost: u64,
    /// What was sent, while the clock is being moved.
    recorded: Option<Vec<Ran>>,
}

/// A message that is kept back.
#[derive(Clone, Debug)]
struct Kept {
    message: Message,
    /// Whether it is sent twice.
    twice: bool,
    due_at: Time,
    /// Whether the next message is to overtake it.
    waits_for_next: bool,
}

impl Kept {
    fn is_to(&self, endpoint: &EndpointKey) -> bool {
        self.message.endpoint == *endpoint
    }

    /// What is sent in the end.
    fn into_messages(self) -> impl Iterator<Item = Message> {
        std::iter::repeat_n(self.message, if self.twice { 2 } else { 1 })
    }
}

impl FaultyWire {
    /// A wire without faults. The clock is the service's.
    pub fn new(clock: Clock) -> Arc<Self> {
        let faults = Faults { seed: Some(new_seed()), ..Faults::default() };
        Arc::new(Self { clock, state: Mutex::new(State { faults, ..State::default() }) })
    }

    /// Replaces the faults. Counting begins anew; what is kept back is sent as it was to be.
    pub fn set(&self, faults: Faults) {
        let mut state = self.state();
        state.faults = Faults { seed: faults.seed.or_else(|| Some(new_seed())), ..faults };
        state.counts.clear();
    }

    /// The faults, and what became of messages.
    pub fn report(&self) -> Report {
        let state = self.state();
        Report { faults: state.faults.clone(), kept: state.kept.len(), lost: state.lost }
    }

    /// When the next message that is kept back is due.
    pub(super) fn next_due(&self) -> Option<Time> {
        self.state().kept.iter().map(|kept| kept.due_at).min()
    }

    /// Hands over the messages that are due, the longest due first.
    pub(super) fn take_due(&self, now: Time) -> Vec<Message> {
        let mut due = self.state().take(|kept| kept.due_at <= now);
        due.sort_by_key(|kept| kept.due_at);
        due.into_iter().flat_map(Kept::into_messages).collect()
    }

    /// Begins to record what is sent.
    pub(super) fn record(&self) {
        self.state().recorded = Some(Vec::new());
    }

    /// What was sent since the last call, if it is being recorded.
    pub(super) fn take_recorded(&self) -> Vec<Ran> {
        self.state().recorded.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Ends the recording.
    pub(super) fn end_recording(&self) {
        self.state().recorded = None;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes out the messages that fulfil a condition.
    fn take(&mut self, is_meant: impl Fn(&Kept) -> bool) -> Vec<Kept> {
        let (taken, left): (Vec<_>, Vec<_>) = self.kept.drain(..).partition(is_meant);
        self.kept = left;
        taken
    }

    fn note(&mut self, at: Time, message: &Message, attempt: &Attempt) {
        let Some(recorded) = &mut self.recorded else { return };
        let (status, error) = match &attempt.outcome {
            Outcome::Answered { status, .. } => (Some(*status), None),
            Outcome::Failed(failure) => (None, Some(failure.code())),
        };
        recorded.push(Ran::Webhook {
            at,
            webhook: message.endpoint.id.clone(),
            task_id: message.task_id,
            seq: message.seq,
            event_id: message.event_id,
            status,
            error,
        });
    }

    /// Keeps a message again that was refused, or gives it up.
    fn keep_again(&mut self, message: &Message, due_at: Time) {
        if self.kept.iter().any(|kept| kept.is_to(&message.endpoint) && kept.message.event_id == message.event_id) {
            return;
        }
        let place = (message.endpoint.clone(), message.event_id);
        let refused = self.refused.entry(place.clone()).or_default();
        *refused += 1;
        if *refused < TRIES {
            self.kept.push(Kept { message: message.clone(), twice: false, due_at, waits_for_next: false });
        } else {
            self.refused.remove(&place);
            self.lost += 1;
            tracing::warn!(event_id = %message.event_id, "a webhook that was kept back is given up: it was never accepted");
        }
    }
}

impl Wire for FaultyWire {
    fn passage(&self, message: &Message) -> Passage {
        let mut state = self.state();
        let count = state.counts.entry(message.endpoint.clone()).or_default();
        *count += 1;
        let number = *count;
        let seed = state.faults.seed.unwrap_or_default();
        let drawn = |share: Share, fault| draw((seed, fault), &message.endpoint, number) < share.0;
        let WebhookFaults { duplicate, delay, reorder, drop_answer } = &state.faults.webhooks;
        let (twice, answer_lost) = (drawn(*duplicate, "duplicate"), drawn(*drop_answer, "drop_answer"));
        let waiting = state.kept.iter().any(|kept| kept.waits_for_next && kept.is_to(&message.endpoint));
        // One waits at a time, so that the next one can overtake it.
        let waits_for_next = drawn(*reorder, "reorder") && !waiting;
        let delay = delay.as_ref().map(Span::delta);
        if delay.is_none() && !waits_for_next {
            return Passage { twice, answer_lost, kept: false };
        }
        let wait = if waits_for_next { OVERTAKEN_WITHIN } else { TimeDelta::zero() };
        let due_at = self.clock.now() + delay.unwrap_or_default() + wait;
        state.kept.push(Kept { message: message.clone(), twice, due_at, waits_for_next });
        Passage { kept: true, ..Passage::default() }
    }

    fn sent(&self, message: &Message, attempt: &Attempt) {
        self.state().note(self.clock.now(), message, attempt);
    }

    fn overtaken_by(&self, message: &Message) -> Vec<Message> {
        let overtaken = self.state().take(|kept| kept.waits_for_next && kept.is_to(&message.endpoint));
        overtaken.into_iter().flat_map(Kept::into_messages).collect()
    }

    fn sent_late(&self, message: &Message, attempt: &Attempt) {
        let now = self.clock.now();
        let mut state = self.state();
        state.note(now, message, attempt);
        if attempt.outcome.is_delivered() {
            state.refused.remove(&(message.endpoint.clone(), message.event_id));
        } else {
            state.keep_again(message, now + AGAIN);
        }
    }
}

fn new_seed() -> u32 {
    u32::from_ne_bytes(ids::random())
}

/// A number from 0 to below 1, the same for the same arguments.
fn draw((seed, fault): (u32, &str), endpoint: &EndpointKey, number: u64) -> f64 {
    let mut hash = Sha256::new();
    hash.update(seed.to_be_bytes());
    hash.update(number.to_be_bytes());
    // The owner's id differs from run to run; the name of the endpoint does not.
    hash.update(format!("{fault} {}", endpoint.id.as_str()));
    let digest = hash.finalize();
    let drawn = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    f64::from(drawn) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::values::id::EndpointId;
    use crate::domain::webhook::Owner;

    #[test]
    fn a_seed_draws_the_same_faults_again_and_about_as_many_as_wanted() {
        let endpoint = EndpointKey { owner: Owner::Platform, id: EndpointId::parse("main").unwrap() };
        let drawn = |seed, fault| -> Vec<bool> {
            (0..1000).map(|number| draw((seed, fault), &endpoint, number) < 0.3).collect()
        };
        assert_eq!(drawn(7, "duplicate"), drawn(7, "duplicate"));
        assert_ne!(drawn(7, "duplicate"), drawn(8, "duplicate"));
        assert_ne!(drawn(7, "duplicate"), drawn(7, "reorder"));
        let affected = drawn(7, "duplicate").into_iter().filter(|affected| *affected).count();
        assert!((250..350).contains(&affected), "{affected}");
        assert!((0..1000).all(|number| (0.0..1.0).contains(&draw((7, "x"), &endpoint, number))));
    }

    #[test]
    fn a_share_is_from_0_to_1() {
        for (number, is_share) in
            [(0.0, true), (0.5, true), (1.0, true), (-0.1, false), (1.1, false), (f64::NAN, false)]
        {
            assert_eq!(Share::try_from(number).is_ok(), is_share, "{number}");
        }
    }
}
