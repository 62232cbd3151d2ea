//! An entry of the trail as one party may see it: the same view in answers to commands, on audit pages, in webhooks
//! and in the feed.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

use crate::domain::task::event::{Event, Fact};
use crate::domain::values::id::{ActorId, CommandId, CredentialId, StageKey};
use crate::domain::values::party::{Party, Source};
use crate::domain::values::text::{Name, Prose};
use crate::domain::values::time::Time;

use super::chain::Sealed;
use super::hash::Hash;
use super::task_fields::Kind;
use super::task_trail::Recorded;

/// One entry of a task's trail, cut to what the caller may see. An entry that the caller may not see has `seq` and
/// `hash` only; a field that is absent is not there, was erased, or is not for the caller.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct EntryView {
    /// 1, 2, 3 … per task, without gaps.
    #[schema(minimum = 1)]
    pub seq: u64,
    /// The hash of this entry, which the next one continues; null in a dry run, which writes none.
    #[schema(required = true)]
    pub hash: Option<Hash>,
    /// The `seq` of the first entry of the same transition: what one command or timer brought about.
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
    /// Who it is from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub party: Option<Source>,
    /// The person or program of that party, or what that person was here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<ActorView>,
    /// The credential that said so; the caller's own only (the platform: all).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential_id: Option<CredentialId>,
    /// The id of the command, on the first entry of its transition; the caller's own only (the platform: all).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<CommandId>,
    /// When it was recorded; never goes backwards within a task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded_at: Option<Time>,
    /// When it happened, by the party's own statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<Time>,
    /// A remark for the party's own people; the caller's own only (the platform: all).
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

/// The type of an entry, as the contract shows it: the words of [`Fact::TYPES`].
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

/// Who of a party it was. A buyer reads `as` instead of another party's people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ActorView {
    /// The party's own id for the person or program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<ActorId>,
    /// A name to show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// What the actor is to the party, such as `counsel`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Name>,
    /// What the person was in this entry, for a buyer who may not know who it was.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    pub part: Option<Role>,
}

/// What somebody was in an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Decided a stage, or voted on it.
    Reviewer,
    /// Handed in work.
    Submitter,
    /// Resolved an escalation.
    Resolver,
}

/// `event` as `viewer` may see it; `hash` is that of its entry, if it was written.
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
        credential_id: event.credential_id.clone().filter(|_| shows("credential_id")),
        id: event.command_id.filter(|_| shows("command_id")),
        recorded_at: shows("recorded_at").then_some(event.recorded_at),
        occurred_at: event.occurred_at.filter(|_| shows("occurred_at")),
        note: event.note.clone().filter(|_| shows("note")),
        erased: false,
        data: seen.then(|| data(event, &event.fact, viewer)),
    }
}

/// The type of an event, if `viewer` may know it.
pub fn shown_type(event: &Event, viewer: Party) -> Option<&'static str> {
    let kind = Kind::of(event);
    kind.shows("type", event, viewer).then_some(kind.name)
}

/// A stored entry as `viewer` may see it; `event` is what it says.
pub fn view_stored(event: &Event, row: &Sealed, viewer: Party) -> EntryView {
    let kind = Kind::of(event);
    let erased = row.erased().iter().any(|path| kind.shows(path, event, viewer));
    EntryView { erased, ..view(event, Some(&row.hash), viewer) }
}

/// The actor, or for a buyer the word for another party's. The word depends on type and party alone, so it does not
/// tell whether an actor was named; what the service did itself has none.
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

/// The fields of the event's type that `viewer` sees; `fact` is what the event says happened.
pub(super) fn data(event: &impl Recorded, fact: &impl Serialize, viewer: Party) -> Map<String, Value> {
    let kind = Kind::of(event);
    let mut fact = serde_json::to_value(fact).expect("a fact is plain JSON");
    let Some(Value::Object(mut data)) = fact.get_mut("data").map(Value::take) else { return Map::new() };
    data.retain(|name, _| kind.shows(&format!("data.{name}"), event, viewer));
    data
}
