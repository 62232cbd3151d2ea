//! An entry of the trail as one party may see it: the same view in responses to commands, in audit
//! pages, in webhooks and in the feed.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

use crate::domain::task::ActorTag;
use crate::domain::task::event::{Event, Fact};
use crate::domain::trail::{Hash, Kind, Recorded, Role};
use crate::domain::values::id::{ActorId, CommandId, CredentialId, StageKey};
use crate::domain::values::party::{Party, Source};
use crate::domain::values::text::{Name, Prose};
use crate::domain::values::time::Time;

use super::chain::Sealed;

/// One entry of a task's trail, limited to what the caller may see. An entry that the caller may
/// not see has only `seq` and `hash`; a missing field is absent, was erased, or may not be seen by
/// the caller.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct EntryView {
    /// Consecutive number per task, from 1, without gaps.
    #[schema(minimum = 1)]
    pub seq: u64,
    /// The hash of this entry, which the next one continues; null in a dry run, which records none.
    #[schema(required = true)]
    pub hash: Option<Hash>,
    /// The `seq` of the first entry of the same transition, which consists of all entries caused by
    /// one command or timer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub cause_seq: Option<u64>,
    /// What happened, such as `task.stage_approved`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<EventType>)]
    pub kind: Option<&'static str>,
    /// The key of the stage it happened in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<StageKey>,
    /// The round of that stage, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub round: Option<u32>,
    /// The party, or the service, that it is from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub party: Option<Source>,
    /// The person or program of that party, or only that person's role in this entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<ActorView>,
    /// Stands for the actor within this task: equal tags are the same person or program.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ActorTag>)]
    pub actor_tag: Option<ActorTag>,
    /// The credential that was used; only the caller's own (the platform sees all).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential_id: Option<CredentialId>,
    /// The id of the command, on the first entry of its transition; only the caller's own (the
    /// platform sees all).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<CommandId>,
    /// When it was recorded; never goes backwards within a task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded_at: Option<Time>,
    /// When it happened, as stated by the party.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<Time>,
    /// A remark for the party's own organisation; only the caller's own (the platform sees all).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<Prose>,
    /// Whether fields that the caller could see were erased; `true` or absent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub erased: bool,
    /// The fields of this type of entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub data: Option<Map<String, Value>>,
}

/// The type of an entry in the contract: the values of [`Fact::TYPES`].
#[derive(Clone, Copy, Debug)]
pub struct EventType;

impl utoipa::PartialSchema for EventType {
    fn schema() -> RefOr<Schema> {
        let words = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(Fact::TYPES));
        words.description(Some("What an entry of the trail records. Later versions may add types.")).into()
    }
}

impl ToSchema for EventType {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("EventType")
    }
}

/// The actor of an entry. A buyer gets only `as` for other parties' actors.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ActorView {
    /// The party's own id for the person or program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<ActorId>,
    /// A display name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// The actor's role at the party, such as `counsel`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Name>,
    /// The actor's role in this entry, for a buyer who may not see the actor.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    pub part: Option<Role>,
}

/// `event` as `viewer` may see it; `hash` is the hash of its entry, if it was recorded.
pub fn view(event: &Event, hash: Option<&Hash>, viewer: Party) -> EntryView {
    let kind = Kind::of(event);
    let seen = kind.shows_row(event, viewer);
    let shows = |path| kind.shows(path, event, viewer);
    EntryView {
        seq: event.seq,
        hash: hash.copied(),
        cause_seq: shows("cause_seq").then_some(event.cause_seq),
        kind: shows("type").then_some(kind.name),
        stage: event.stage.clone().filter(|_| shows("stage")),
        round: event.round.filter(|_| shows("round")),
        party: shows("party").then_some(event.party),
        actor: if seen { actor(event, kind, viewer) } else { None },
        actor_tag: event.actor_tag.filter(|_| shows("actor_tag")),
        credential_id: event.credential_id.clone().filter(|_| shows("credential_id")),
        id: event.command_id.filter(|_| shows("command_id")),
        recorded_at: shows("recorded_at").then_some(event.recorded_at),
        occurred_at: event.occurred_at.filter(|_| shows("occurred_at")),
        note: event.note.clone().filter(|_| shows("note")),
        erased: false,
        data: seen.then(|| data(event, &event.fact, viewer)),
    }
}

/// The type of an event, if `viewer` may see it.
pub fn shown_type(event: &Event, viewer: Party) -> Option<&'static str> {
    let kind = Kind::of(event);
    kind.shows("type", event, viewer).then_some(kind.name)
}

/// A stored entry as `viewer` may see it; `event` is its content.
pub fn view_stored(event: &Event, row: &Sealed, viewer: Party) -> EntryView {
    let kind = Kind::of(event);
    let erased = row.erased().iter().any(|path| kind.shows(path, event, viewer));
    EntryView { erased, ..view(event, Some(&row.hash), viewer) }
}

/// The actor, or for a buyer the role of another party's actor. The role depends only on type and
/// party, so it does not reveal whether an actor was named; actions of the service have none.
fn actor(event: &Event, kind: &Kind, viewer: Party) -> Option<ActorView> {
    let shows = |path| kind.shows(path, event, viewer);
    if viewer == Party::Buyer && event.party != Source::Buyer {
        let part = kind.role.filter(|_| event.party != Source::Service)?;
        return Some(ActorView { part: Some(part), ..ActorView::default() });
    }
    let actor = event.actor.as_ref()?;
    Some(ActorView {
        id: Some(actor.id.clone()).filter(|_| shows("actor.id")),
        name: actor.name.clone().filter(|_| shows("actor.name")),
        role: actor.role.clone().filter(|_| shows("actor.role")),
        part: None,
    })
}

/// The fields of the event's type that `viewer` sees; `fact` is the event's content.
pub(super) fn data(event: &impl Recorded, fact: &impl Serialize, viewer: Party) -> Map<String, Value> {
    let kind = Kind::of(event);
    let mut fact = serde_json::to_value(fact).expect("a fact is plain JSON");
    let Some(Value::Object(mut data)) = fact.get_mut("data").map(Value::take) else { return Map::new() };
    data.retain(|name, _| kind.shows(&format!("data.{name}"), event, viewer));
    data
}
