//! Events as partners and the platform receive them: the body of a feed item and of a webhook,
//! built only here.

use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use uuid::Builder;

use super::audit::{self, EntryView, Hash, Sealed};
use super::task::event::Event;
use super::task::forecast::StatusView;
use super::task::unreadable::Unreadable;
use super::values::id::{EndpointId, EventId, NoticeId, PartnerId, TaskId};
use super::values::party::Party;
use super::values::time::Time;
use super::webhook::DisabledReason;

/// An item of the feed: an event of a task, the place of an event that cannot be read, or a notice
/// addressed to this reader. `kind` tells them apart; `type` says what happened.
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

/// Placeholder in the feed for an event whose stored row is damaged. An event written by a newer
/// version of the service never appears like this: the feed waits for a replica that can read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct UnreadableEvent {
    /// `unreadable_event`.
    #[serde(rename = "kind")]
    #[schema(schema_with = unreadable_event)]
    pub item: &'static str,
    /// `event.unreadable`.
    #[serde(rename = "type")]
    #[schema(schema_with = event_unreadable)]
    pub kind: &'static str,
    /// The task.
    pub task_id: TaskId,
    /// The event's place in the task's trail.
    #[schema(minimum = 1)]
    pub seq: u64,
    /// Why it cannot be shown.
    pub unreadable: Unreadable,
}

impl UnreadableEvent {
    /// The `kind` of this item.
    pub const ITEM: &'static str = "unreadable_event";
    /// The `type` of this item.
    pub const TYPE: &'static str = "event.unreadable";
}

fn unreadable_event() -> Object {
    only(UnreadableEvent::ITEM, "An event that cannot be read.")
}

fn event_unreadable() -> Object {
    only(UnreadableEvent::TYPE, "The type of the item.")
}

/// The service disabled one of the reader's webhook endpoints. Events recorded from now on wait
/// until the reader enables it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct WebhookDisabled {
    /// The notice's own id.
    #[schema(value_type = Uuid)]
    pub id: NoticeId,
    /// `webhook_disabled`.
    #[serde(rename = "kind")]
    #[schema(schema_with = webhook_disabled)]
    pub item: &'static str,
    /// `webhook.disabled`.
    #[serde(rename = "type")]
    #[schema(schema_with = disabled_webhook)]
    pub kind: &'static str,
    /// The endpoint.
    pub webhook: EndpointId,
    /// Why it was disabled.
    pub reason: DisabledReason,
    /// When it was disabled.
    pub recorded_at: Time,
}

impl WebhookDisabled {
    /// The `kind` of this notice.
    pub const ITEM: &'static str = "webhook_disabled";
    /// The `type` of this notice.
    pub const TYPE: &'static str = "webhook.disabled";
}

fn webhook_disabled() -> Object {
    only(WebhookDisabled::ITEM, "A notice that the service disabled a webhook.")
}

fn disabled_webhook() -> Object {
    only(WebhookDisabled::TYPE, "The type of the notice.")
}

/// An event of a task, limited to what its reader may see, with the buyer's status after it.
///
/// The same event has the same body for the same party however often it is read, except for data
/// erased since. Nothing in it depends on the time of the answer.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = FeedEvent)]
pub struct RenderedEvent {
    /// The event's own id, the same in the feed, in every delivery and for every reader: use it to
    /// detect duplicates. It is derived from `head_hash`, so events that a restored database
    /// records in place of lost ones get other ids.
    #[schema(value_type = Uuid)]
    pub id: EventId,
    /// `event`.
    #[serde(rename = "kind")]
    #[schema(schema_with = event_of_a_task)]
    pub item: &'static str,
    /// What happened, such as `task.stage_approved`; null if this reader may not see the event.
    #[serde(rename = "type")]
    #[schema(value_type = Option<audit::EventType>, required = true)]
    pub kind: Option<&'static str>,
    /// The task.
    pub task_id: TaskId,
    /// The partner whose agent does the work.
    pub partner_id: PartnerId,
    /// The event's place in the task's trail: 1, 2, 3 … without gaps.
    #[schema(minimum = 1)]
    pub seq: u64,
    /// The hash of the event's entry, which is the head of the trail's hash chain at that entry.
    pub head_hash: Hash,
    /// When it was recorded; null if this reader may not see the event.
    #[schema(required = true)]
    pub recorded_at: Option<Time>,
    /// The entry as in the task's trail (`GET /tasks/{id}/audit`). An entry that this reader may
    /// not see has only `seq` and `hash`.
    pub event: EntryView,
    /// The buyer's status after the whole transition: all events of a transition have the same.
    /// `stage_seconds` and `remaining_seconds` are as of the event; the latter counts the tasks
    /// finished at least a minute before it.
    pub status: StatusView,
}

fn event_of_a_task() -> Object {
    only(RenderedEvent::ITEM, "An event of a task.")
}

impl RenderedEvent {
    /// The `kind` of this item.
    pub const ITEM: &'static str = "event";

    /// Renders `event`, stored as `row`, for `reader`; `status` is the status after its transition.
    pub fn new(
        (task_id, partner_id): (TaskId, PartnerId),
        (event, row): (&Event, &Sealed),
        status: StatusView,
        reader: Party,
    ) -> Self {
        let view = audit::view_stored(event, row, reader);
        Self {
            id: event_id(&row.hash),
            item: Self::ITEM,
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

/// The schema of a member that has only this word. It distinguishes the alternatives of a union.
pub fn only(word: &str, description: &str) -> Object {
    ObjectBuilder::new().schema_type(Type::String).description(Some(description)).enum_values(Some([word])).build()
}

/// The id of the event whose entry has this hash: the first half of the hash as a UUID of version 8
/// (RFC 9562), in a custom layout.
pub fn event_id(hash: &Hash) -> EventId {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_bytes()[..16]);
    EventId(Builder::from_custom_bytes(bytes).into_uuid())
}
