//! The body of a command: the members that all commands share, and those of its `type`; and its
//! schemas in the contract.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::openapi::schema::{AdditionalProperties, Object, ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::openapi::{Discriminator, Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::app::Caller;
use crate::app::digest::{Digest, of_meaning};
use crate::app::tasks::commands::Request;
use crate::domain::task::command::{
    Action, CancellationAcknowledged, CancellationRequested, Command, EscalationResolved, Held, Meta, Resumed,
    StageApproved, StageEscalated, StageRejected, StatusUpdated, WorkSubmitted,
};
use crate::domain::values::id::{ActorId, CommandId, StageKey};
use crate::domain::values::identity::{FromOutside, from_outside};
use crate::domain::values::party::{Actor, Party, Sender};
use crate::domain::values::text::Prose;
use crate::domain::values::time::Time;
use crate::http::input::body::{from_value, take_string};
use crate::http::problem::refused::field_error;
use crate::http::problem::{FieldError, Problem};
use crate::ids;

/// How far a party's `occurred_at` may be ahead of the service's clock: 5 minutes.
const MAX_AHEAD: chrono::TimeDelta = chrono::TimeDelta::minutes(5);

/// The members that all commands share.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Common {
    /// The idempotency key: the same id with the same body gets the same response and has no
    /// further effect. It can also be sent in the header `Idempotency-Key`. Without an id, sending
    /// a command again is a new command.
    #[serde(default)]
    id: Option<CommandId>,
    /// The stage that the command is for. If given, the command is refused when the task is at
    /// another stage.
    #[serde(default)]
    stage: Option<StageKey>,
    /// The round that the command is for. If given, the command is refused when the stage is in
    /// another round.
    #[serde(default)]
    #[schema(minimum = 1)]
    round: Option<u32>,
    /// The latest revision that the sender has seen; 0: no work was submitted. If given, the
    /// command is refused when there is a newer revision.
    #[serde(default)]
    revision: Option<u32>,
    /// The person or program that acts. Required from the partner and the platform in submissions,
    /// votes, escalations and resolutions. Not allowed from a buyer, whose token identifies the
    /// person.
    #[serde(default)]
    actor: Option<Actor>,
    /// When it happened, according to the sender. It is recorded and shown, but has no effect. At
    /// most 5 minutes in the future, and at most a day before the task was opened.
    #[serde(default)]
    occurred_at: Option<Time>,
    /// A note for the sender's own people, 1 to 4,000 characters.
    #[serde(default)]
    note: Option<Prose>,
}

from_outside! { Common { actor, note; id, stage, round, revision, occurred_at } }

const COMMON: [&str; 7] = ["id", "stage", "round", "revision", "actor", "occurred_at", "note"];

/// Parses a command from a body's members and text. `header_id` is the id from the header
/// `Idempotency-Key`.
pub(in crate::http) fn parse(
    (mut members, text): (Map<String, Value>, Vec<u8>),
    caller: &Caller,
    header_id: Option<CommandId>,
    now: Time,
) -> Result<Request, Problem> {
    let kind = take_string(&mut members, "type")?;
    let (common, own): (Map<_, _>, Map<_, _>) =
        members.into_iter().partition(|(name, _)| COMMON.contains(&name.as_str()));
    let (common, action) = both(from_value::<Common>(Value::Object(common)), action(&kind, own))?;
    let errors = check(&common, caller, header_id, now);
    if !errors.is_empty() {
        return Err(Problem::invalid_body(errors));
    }
    let given = common.id.or(header_id);
    let digest = Digest::new(meaning(&kind, &common, &action), text);
    let meta = Meta {
        sender: Some(sender(caller, common.actor)),
        id: Some(given.unwrap_or_else(|| CommandId(ids::new()))),
        occurred_at: common.occurred_at,
        note: common.note,
        stage: common.stage,
        round: common.round,
        revision: common.revision,
        late: None,
    };
    let command = Command::new(meta, action)
        .map_err(|refusals| Problem::invalid_body(refusals.iter().filter_map(field_error).collect()))?;
    Ok(Request { command, digest, id_given: given.is_some(), if_match: None, dry_run: false })
}

/// The sender: the credential determines the party, the body the person. A buyer's token identifies
/// the person as well.
pub(in crate::http) fn sender(caller: &Caller, actor: Option<Actor>) -> Sender {
    let buyer = caller.buyer_id().map(|id| Actor {
        id: ActorId::parse(id.to_string()).expect("a UUID is a short text"),
        name: None,
        role: None,
    });
    Sender { party: caller.party(), actor: buyer.or(actor), credential_id: caller.credential_id() }
}

fn check(common: &Common, caller: &Caller, header_id: Option<CommandId>, now: Time) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if caller.party() == Party::Buyer && common.actor.is_some() {
        errors.push(FieldError::new(
            "/actor",
            "not_allowed",
            "must not be sent by a buyer, whose token identifies the person",
        ));
    }
    if common.occurred_at.is_some_and(|at| at > now + MAX_AHEAD) {
        errors.push(FieldError::new("/occurred_at", "in_future", "must not be more than 5 minutes in the future"));
    }
    if common.id.zip(header_id).is_some_and(|(body, header)| body != header) {
        errors.push(FieldError::new("/id", "not_equal", "must be the same as the header Idempotency-Key"));
    }
    errors
}

/// Digest of everything in a command but its id, with the actor's id in the form in which actors
/// are compared.
fn meaning(kind: &str, common: &Common, action: &Action) -> [u8; 32] {
    let mut members = object(common);
    members.extend(body(action));
    members.insert("type".to_owned(), kind.into());
    if let (Some(actor), Some(shown)) = (&common.actor, members.get_mut("actor")) {
        shown["id"] = actor.id.key().into();
    }
    of_meaning(members, "")
}

fn body(action: &Action) -> Map<String, Value> {
    match action {
        Action::WorkSubmitted(body) => object(body),
        Action::StatusUpdated(body) => object(body),
        Action::StageApproved(body) => object(body),
        Action::StageRejected(body) => object(body),
        Action::StageEscalated(body) => object(body),
        Action::EscalationResolved(body) => object(body),
        Action::Held(body) => object(body),
        Action::Resumed(body) => object(body),
        Action::CancellationRequested(body) => object(body),
        Action::CancellationAcknowledged(body) => object(body),
        Action::PersonalDataErased(_) | Action::Tick => Map::new(),
    }
}

fn object(value: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(members)) => members,
        Ok(_) | Err(_) => unreachable!("a struct with fields of plain names"),
    }
}

fn action(kind: &str, own: Map<String, Value>) -> Result<Action, Problem> {
    fn read<T: DeserializeOwned + FromOutside>(
        own: Map<String, Value>,
        wrap: fn(T) -> Action,
    ) -> Result<Action, Problem> {
        from_value(Value::Object(own)).map(wrap)
    }
    match kind {
        "work_submitted" => read::<WorkSubmitted>(own, Action::WorkSubmitted),
        "status_updated" => read::<StatusUpdated>(own, Action::StatusUpdated),
        "stage_approved" => read::<StageApproved>(own, Action::StageApproved),
        "stage_rejected" => read::<StageRejected>(own, Action::StageRejected),
        "stage_escalated" => read::<StageEscalated>(own, Action::StageEscalated),
        "escalation_resolved" => read::<EscalationResolved>(own, Action::EscalationResolved),
        "held" => read::<Held>(own, Action::Held),
        "resumed" => read::<Resumed>(own, Action::Resumed),
        "cancellation_requested" => read::<CancellationRequested>(own, Action::CancellationRequested),
        "cancellation_acknowledged" => read::<CancellationAcknowledged>(own, Action::CancellationAcknowledged),
        _ => {
            let rule = format!("must be one of {}", Action::TYPES.join(", "));
            Err(Problem::invalid_body(vec![FieldError::new("/type", "unknown_value", rule)]))
        }
    }
}

/// Both values, or the errors of both.
fn both<A, B>(a: Result<A, Problem>, b: Result<B, Problem>) -> Result<(A, B), Problem> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (Err(a), Err(b)) => Err(Problem::invalid_body(a.errors().iter().chain(b.errors()).cloned().collect())),
        (Err(problem), Ok(_)) | (Ok(_), Err(problem)) => Err(problem),
    }
}

/// The body of `POST /tasks/{id}/events` in the contract: one schema per type, each with the shared
/// members.
pub(in crate::http) struct EventCommand;

/// Name in the contract, type, schema, and whether stage, round and revision are required.
type Variant = (&'static str, &'static str, RefOr<Schema>, bool);

fn variants() -> [Variant; 10] {
    [
        ("WorkSubmittedCommand", "work_submitted", WorkSubmitted::schema(), false),
        ("StatusUpdatedCommand", "status_updated", StatusUpdated::schema(), false),
        ("StageApprovedCommand", "stage_approved", StageApproved::schema(), true),
        ("StageRejectedCommand", "stage_rejected", StageRejected::schema(), true),
        ("StageEscalatedCommand", "stage_escalated", StageEscalated::schema(), true),
        ("EscalationResolvedCommand", "escalation_resolved", EscalationResolved::schema(), false),
        ("HeldCommand", "held", Held::schema(), false),
        ("ResumedCommand", "resumed", Resumed::schema(), false),
        ("CancellationRequestedCommand", "cancellation_requested", CancellationRequested::schema(), false),
        ("CancellationAcknowledgedCommand", "cancellation_acknowledged", CancellationAcknowledged::schema(), false),
    ]
}

impl PartialSchema for EventCommand {
    fn schema() -> RefOr<Schema> {
        let mut list = OneOfBuilder::new();
        let mut by_type = Discriminator::new("type");
        for (name, kind, ..) in variants() {
            let reference = Ref::from_schema_name(name);
            by_type.mapping.insert(kind.to_owned(), reference.ref_location.clone());
            list = list.item(reference);
        }
        list.description(Some("A command; `type` selects it. Votes and escalations require `stage`, `round` and `revision`, so that nobody decides on work that they have not seen."))
            .discriminator(Some(by_type))
            .into()
    }
}

impl ToSchema for EventCommand {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        parts(schemas);
        schemas.extend(variants().map(|(name, kind, own, needs_target)| {
            let schema = variant(kind, vec![Common::schema()], own, needs_target);
            (name.to_owned(), Schema::Object(schema).into())
        }));
    }
}

/// Every type of command, with the members of `around` added: for lists that say more about each
/// command.
pub(in crate::http) fn schema_with(around: &RefOr<Schema>, description: &str) -> RefOr<Schema> {
    let list = variants().into_iter().fold(OneOfBuilder::new(), |list, (_, kind, own, needs_target)| {
        list.item(variant(kind, vec![around.clone(), Common::schema()], own, needs_target))
    });
    list.description(Some(description)).into()
}

/// The schemas that the schemas of commands refer to.
pub(in crate::http) fn parts(schemas: &mut Vec<(String, RefOr<Schema>)>) {
    Common::schemas(schemas);
    WorkSubmitted::schemas(schemas);
    StatusUpdated::schemas(schemas);
    StageApproved::schemas(schemas);
    StageRejected::schemas(schemas);
    StageEscalated::schemas(schemas);
    EscalationResolved::schemas(schemas);
    Held::schemas(schemas);
    Resumed::schemas(schemas);
    CancellationRequested::schemas(schemas);
    CancellationAcknowledged::schemas(schemas);
}

/// The target of a command, for commands that require it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "a shape of the contract; the members are read with the others of Common")]
struct Target {
    /// The stage that the decision is for. The command is refused when the task is at another
    /// stage.
    stage: StageKey,
    /// The stage's round. The command is refused when the stage is in another round.
    #[schema(minimum = 1)]
    round: u32,
    /// The latest revision that the sender has seen; 0: no work was submitted. The command is
    /// refused when there is a newer revision.
    revision: u32,
}

/// One closed schema of all parts, with the description of the command's own schema.
fn variant(kind: &'static str, mut parts: Vec<RefOr<Schema>>, own: RefOr<Schema>, needs_target: bool) -> Object {
    let tag = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some([kind]))
        .description(Some("The type of the command."))
        .build();
    let mut object =
        ObjectBuilder::new().title(Some(kind)).schema_type(Type::Object).property("type", tag).required("type").build();
    parts.extend(needs_target.then(Target::schema));
    parts.push(own);
    for part in parts {
        if let RefOr::T(Schema::Object(part)) = part {
            object.description = part.description;
            object.properties.extend(part.properties);
            object.required.extend(part.required);
        }
    }
    object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
    object
}

/// An example of this type of command for the contract.
pub(in crate::http) fn example(kind: &str) -> Value {
    let anna = json!({ "id": "u-anna", "name": "Anna K.", "role": "counsel" });
    match kind {
        "work_submitted" => json!({
            "id": "7f0cf1a0-93b5-4f35-8f0e-5a3c0b3f7a01", "type": kind, "actor": { "id": "agent-7" },
            "summary": "First draft of the campaign copy.",
            "artifacts": [{ "name": "copy.md", "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                "url": "https://files.example/copy.md", "media_type": "text/markdown", "size": 2048 }],
        }),
        "stage_approved" => json!({ "type": kind, "stage": "legal", "round": 1, "revision": 2, "actor": anna }),
        "stage_rejected" => json!({
            "type": kind, "stage": "legal", "round": 1, "revision": 2, "actor": anna, "return_to": "copy",
            "note": "for our own people",
            "feedback": { "summary": "Clause 4 promises a refund we do not give.", "share_with_buyer": false,
                "items": [{ "severity": "blocking", "anchor": "contract.pdf#page=3", "text": "Remove the last sentence." }] },
        }),
        "stage_escalated" => json!({
            "type": kind, "stage": "legal", "round": 1, "revision": 2, "actor": anna, "to": "buyer",
            "reason": "May we promise delivery by Friday?",
        }),
        "escalation_resolved" => {
            json!({ "type": kind, "escalation": 9, "resolution": "approve", "stage": "legal", "round": 1, "revision": 2 })
        }
        _ => json!({ "type": "cancellation_requested", "reason": "The campaign was called off." }),
    }
}
