//! What is told of an event to partner and platform: the body of an item of the feed and of a webhook, made here alone.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::{Builder, Uuid};

use super::audit::{self, EntryView, Hash, Sealed};
use super::task::event::Event;
use super::task::forecast::StatusView;
use super::task::unreadable::Unreadable;
use super::values::id::{EndpointId, PartnerId, TaskId};
use super::values::party::Party;
use super::values::time::Time;
use super::webhook::DisabledReason;

/// An item of the feed: an event of a task, or a notice to its reader alone. `type` tells which: of a notice it is
/// `webhook.disabled`, of an event that cannot be read `event.unreadable`.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = FeedItem)]
pub enum Item {
    /// An event of a task.
    Event(Box<RenderedEvent>),
    /// A notice.
    WebhookDisabled(WebhookDisabled),
    /// An event that cannot be read.
    Unreadable(UnreadableEvent),
}

/// An event whose stored row is not what was written, in its place in the feed. Those of a newer version of the
/// service are never told like this: the feed waits for a replica that can read them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct UnreadableEvent {
    /// `event.unreadable`.
    #[serde(rename = "type")]
    #[schema(value_type = String, pattern = "^event\\.unreadable$")]
    pub kind: &'static str,
    /// The task.
    pub task_id: TaskId,
    /// The event's place in the task's trail.
    #[schema(minimum = 1)]
    pub seq: u64,
    /// Why it is not shown.
    pub unreadable: Unreadable,
}

impl UnreadableEvent {
    /// The type of such an item.
    pub const TYPE: &'static str = "event.unreadable";
}

/// The service has given up one of the reader's webhook endpoints. What is recorded from now on waits until the
/// reader enables it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct WebhookDisabled {
    /// The notice's own id.
    pub id: Uuid,
    /// `webhook.disabled`.
    #[serde(rename = "type")]
    #[schema(value_type = String, pattern = "^webhook\\.disabled$")]
    pub kind: &'static str,
    /// The endpoint.
    pub webhook: EndpointId,
    /// Why.
    pub reason: DisabledReason,
    /// When.
    pub recorded_at: Time,
}

impl WebhookDisabled {
    /// The type of such a notice.
    pub const TYPE: &'static str = "webhook.disabled";
}

/// An event of a task, cut to what its reader may see, with the buyer's status after it.
///
/// The same event has the same body for the same party, whenever and however often it is read, but for what was
/// erased since: nothing in it is as of the answer.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = FeedEvent)]
pub struct RenderedEvent {
    /// The event's own id, the same in the feed, in every delivery and for every reader: what was had before is
    /// told by it. Made from `head_hash`, so events that a restored database records in the place of lost ones have
    /// other ids.
    pub id: Uuid,
    /// What happened, such as `task.stage_approved`; null where the event is not for this reader.
    #[serde(rename = "type")]
    #[schema(value_type = Option<audit::EventType>, required = true)]
    pub kind: Option<&'static str>,
    /// The task.
    pub task_id: TaskId,
    /// Whose agent does the work.
    pub partner_id: PartnerId,
    /// The event's place in the task's trail: 1, 2, 3 … without gaps.
    #[schema(minimum = 1)]
    pub seq: u64,
    /// The hash of the event's entry, to which the trail's hash chain had come with it.
    pub head_hash: Hash,
    /// When it was recorded; null where the event is not for this reader.
    #[schema(required = true)]
    pub recorded_at: Option<Time>,
    /// The entry as in the task's trail (`GET /tasks/{id}/audit`). One that is not for this reader has `seq` and
    /// `hash` only.
    pub event: EntryView,
    /// What the buyer read after the whole transition: all events of a transition have the same. `stage_seconds` is
    /// as of the event; `remaining_seconds`, too, judged by the tasks that were finished a minute before.
    pub status: StatusView,
}

impl RenderedEvent {
    /// `event`, which is stored as `row`, as `reader` is told of it; `status` is that after its transition.
    pub fn new(
        (task_id, partner_id): (TaskId, PartnerId),
        (event, row): (&Event, &Sealed),
        status: StatusView,
        reader: Party,
    ) -> Self {
        let view = audit::view_stored(event, row, reader);
        Self {
            id: event_id(&row.hash),
            kind: view.kind,
            task_id,
            partner_id,
            seq: event.seq,
            head_hash: row.hash,
            recorded_at: view.recorded_at,
            event: view,
            status,
        }
    }
}

/// The id of the event whose entry has this hash: the first half of the hash as a UUID of version 8 (RFC 9562), of
/// a form of our own.
pub fn event_id(hash: &Hash) -> Uuid {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_bytes()[..16]);
    Builder::from_custom_bytes(bytes).into_uuid()
}
