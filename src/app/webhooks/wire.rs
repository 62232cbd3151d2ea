//! What stands between the service and the receivers of its webhooks. In production nothing does;
//! `stagegate dev` puts faults there.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use crate::domain::values::id::{EventId, TaskId};
use crate::domain::webhook::EndpointKey;
use crate::store::webhooks::deliveries::{Line, Taken};
use crate::store::webhooks::endpoints::Secrets;
use crate::webhook::client::{Attempt, Failure, Outcome};

/// Disturbs messages on their way.
pub trait Wire: fmt::Debug + Send + Sync {
    /// Decides what happens to a message, once for each attempt.
    fn passage(&self, message: &Message) -> Passage;

    /// Hears how a message that was sent was answered.
    fn sent(&self, message: &Message, attempt: &Attempt);

    /// Hands over the messages that were kept until this one was sent.
    fn overtaken_by(&self, message: &Message) -> Vec<Message>;

    /// Hears how a message was answered that had been kept. It may keep it again.
    fn sent_late(&self, message: &Message, attempt: &Attempt);
}

/// What happens to a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passage {
    /// It is sent a second time, whatever the first answer was.
    pub twice: bool,
    /// It is sent, and its answer is lost.
    pub answer_lost: bool,
    /// It is not sent now. The service gets an answer that accepts it, and the wire sends it later.
    pub kept: bool,
}

/// An event on its way to an endpoint.
#[derive(Clone)]
pub struct Message {
    /// Where it goes.
    pub endpoint: EndpointKey,
    /// The task of the event.
    pub task_id: TaskId,
    /// The `seq` of the event.
    pub seq: u64,
    /// The id by which the receiver knows the event.
    pub event_id: EventId,
    pub(super) url: String,
    pub(super) body: Bytes,
    pub(super) secrets: Secrets,
}

impl Message {
    pub(super) fn new(line: &Line, taken: &Taken, body: Bytes, secrets: Secrets) -> Self {
        let (endpoint, task_id) = (line.endpoint.clone(), line.task_id);
        Self { endpoint, task_id, seq: taken.seq, event_id: taken.event_id, url: taken.url.clone(), body, secrets }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("endpoint", &self.endpoint)
            .field("event_id", &self.event_id)
            .finish_non_exhaustive()
    }
}

/// The answer that the service gets to a message that was kept.
pub(super) fn accepted() -> Attempt {
    let outcome = Outcome::Answered { status: 202, retry_after: None, answer: "kept back".to_owned() };
    Attempt { outcome, took: Duration::ZERO }
}

/// What the service gets in place of an answer that was lost.
pub(super) fn unanswered(took: Duration) -> Attempt {
    Attempt { outcome: Outcome::Failed(Failure::TimedOut), took }
}
