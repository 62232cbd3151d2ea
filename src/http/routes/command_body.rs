//! The body of a command: the members that all commands share, and those of its `type`; and its
//! schemas in the contract.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::openapi::schema::{AdditionalProperties, Object, ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::openapi::{Discriminator, Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::app::digest::of_meaning;
use crate::app::tasks::commands::Request;
use crate::app::{Caller, Error};
use crate::domain::task::command::{self, Action, Command, CommandType, Meta};
use crate::domain::task::command_type::for_each_command;
use crate::domain::values::id::{CommandId, StageKey};
use crate::domain::values::outside::from_outside;
use crate::domain::values::party::{Actor, Party};
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
    /// votes, escalations and resolutions; a key that is bound to one actor fills it in. A key that
    /// is bound to actors can name no others. Not allowed from a buyer, whose token identifies the
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

/// Parses a command from a body's members. `header_id` is the id from the header
/// `Idempotency-Key`.
pub fn parse(
    mut members: Map<String, Value>,
    caller: &Caller,
    header_id: Option<CommandId>,
    now: Time,
) -> Result<Request, Problem> {
    let kind = take_string(&mut members, "type")?;
    let kind_of = command_type(&kind)?;
    caller.check_scope(kind_of).map_err(Error::Rejected)?;
    let (common, own): (Map<_, _>, Map<_, _>) =
        members.into_iter().partition(|(name, _)| COMMON.contains(&name.as_str()));
    let (common, mut action) = both(from_value::<Common>(Value::Object(common)), read(kind_of, own))?;
    let errors = check(&common, caller, header_id, now);
    if !errors.is_empty() {
        return Err(Problem::invalid_body(errors));
    }
    let given = common.id.or(header_id);
    action.spell_out();
    let digest = digest(&kind, &common, &action);
    let actor = common.actor.or_else(|| filled_in(caller, &action));
    let meta = Meta {
        sender: caller.sender(actor),
        id: Some(given.unwrap_or_else(|| CommandId(ids::new()))),
        occurred_at: common.occurred_at,
        note: common.note,
        stage: common.stage,
        round: common.round,
        revision: common.revision,
        late: None,
        dual_control: true,
    };
    let command = Command::new(meta, action)
        .map_err(|refusals| Problem::invalid_body(refusals.iter().filter_map(field_error).collect()))?;
    Ok(Request { command, digest, id_given: given.is_some(), if_match: None, dry_run: false })
}

/// The person that the credential is bound to, where an actor is required and left out.
fn filled_in(caller: &Caller, action: &Action) -> Option<Actor> {
    caller.only_actor().filter(|_| action.needs_actor()).map(Actor::from)
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
fn digest(kind: &str, common: &Common, action: &Action) -> [u8; 32] {
    let mut members = object(common);
    members.extend(body(action));
    members.insert("type".to_owned(), kind.into());
    if let (Some(actor), Some(shown)) = (&common.actor, members.get_mut("actor")) {
        shown["id"] = actor.id.key().into();
    }
    of_meaning(members, "")
}

fn object(value: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(members)) => members,
        Ok(_) | Err(_) => unreachable!("a struct with fields of plain names"),
    }
}

/// What depends on the type of a command by nothing but its name.
macro_rules! bodies {
    ($($command:ident $name:literal,)*) => {
        /// Parses the members of this type's own.
        fn read(kind: CommandType, own: Map<String, Value>) -> Result<Action, Problem> {
            match kind {
                $(CommandType::$command => from_value(Value::Object(own)).map(Action::$command),)*
            }
        }

        /// The members of the type's own.
        fn body(action: &Action) -> Map<String, Value> {
            match action {
                $(Action::$command(body) => object(body),)*
            }
        }

        fn variants() -> [Variant; CommandType::ALL.len()] {
            [$(Variant {
                kind: CommandType::$command,
                name: concat!(stringify!($command), "Command"),
                own: command::$command::schema(),
            }),*]
        }

        /// The schemas that the schemas of commands refer to.
        pub(in crate::http) fn parts(schemas: &mut Vec<(String, RefOr<Schema>)>) {
            Common::schemas(schemas);
            $(command::$command::schemas(schemas);)*
        }
    };
}
for_each_command!(bodies);

fn command_type(name: &str) -> Result<CommandType, Problem> {
    CommandType::parse(name).ok_or_else(|| {
        let rule = format!("must be one of {}", CommandType::list());
        Problem::invalid_body(vec![FieldError::new("/type", "unknown_value", rule)])
    })
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

/// A type of command in the contract.
struct Variant {
    kind: CommandType,
    /// The name of its schema.
    name: &'static str,
    /// The schema of the members of its own.
    own: RefOr<Schema>,
}

impl PartialSchema for EventCommand {
    fn schema() -> RefOr<Schema> {
        let mut list = OneOfBuilder::new();
        let mut by_type = Discriminator::new("type");
        for variant in variants() {
            let reference = Ref::from_schema_name(variant.name);
            by_type.mapping.insert(variant.kind.as_str().to_owned(), reference.ref_location.clone());
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
        schemas.extend(variants().map(|variant| {
            let name = variant.name.to_owned();
            (name, Schema::Object(variant.closed(vec![Common::schema()])).into())
        }));
    }
}

/// Every type of command, with the members of `around` added: for lists that say more about each
/// command.
pub(in crate::http) fn schema_with(around: &RefOr<Schema>, description: &str) -> RefOr<Schema> {
    let list = variants()
        .into_iter()
        .fold(OneOfBuilder::new(), |list, variant| list.item(variant.closed(vec![around.clone(), Common::schema()])));
    list.description(Some(description)).into()
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

impl Variant {
    /// One closed schema of these parts and the type's own members, with the description of the
    /// type's own schema.
    fn closed(self, mut parts: Vec<RefOr<Schema>>) -> Object {
        let name = self.kind.as_str();
        let tag = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some([name]))
            .description(Some("The type of the command."))
            .build();
        let object = ObjectBuilder::new().schema_type(Type::Object);
        let mut object = object.property("type", tag).required("type").build();
        parts.extend(self.kind.needs_target().then(Target::schema));
        parts.push(self.own);
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
}

/// An example of this type of command for the contract.
pub(in crate::http) fn example(kind: CommandType) -> Value {
    let anna = json!({ "id": "u-anna", "name": "Anna K.", "role": "counsel" });
    match kind {
        CommandType::WorkSubmitted => json!({
            "id": "7f0cf1a0-93b5-4f35-8f0e-5a3c0b3f7a01", "type": kind, "actor": { "id": "agent-7" },
            "summary": "First draft of the campaign copy.",
            "artifacts": [{ "name": "copy.md", "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                "url": "https://files.example/copy.md", "media_type": "text/markdown", "size": 2048 }],
        }),
        CommandType::StageApproved => {
            json!({ "type": kind, "stage": "legal", "round": 1, "revision": 2, "actor": anna })
        }
        CommandType::StageRejected => json!({
            "type": kind, "stage": "legal", "round": 1, "revision": 2, "actor": anna, "return_to": "copy",
            "note": "for our own people",
            "feedback": { "summary": "Clause 4 promises a refund we do not give.", "share_with_buyer": false,
                "items": [{ "severity": "blocking", "anchor": "contract.pdf#page=3", "text": "Remove the last sentence." }] },
        }),
        CommandType::StageEscalated => json!({
            "type": kind, "stage": "legal", "round": 1, "revision": 2, "actor": anna, "to": "buyer",
            "reason": "May we promise delivery by Friday?",
        }),
        CommandType::EscalationResolved => {
            json!({ "type": kind, "escalation": 9, "resolution": "approve", "stage": "legal", "round": 1, "revision": 2 })
        }
        CommandType::QuestionAsked => json!({
            "type": kind, "stage": "copy", "round": 1, "revision": 0, "actor": anna, "to": "buyer",
            "question": "Which of the two logos do you prefer?", "options": ["The round one", "The square one"],
        }),
        CommandType::QuestionAnswered => json!({ "type": kind, "question": 4, "option": 2, "actor": anna }),
        CommandType::QuestionWithdrawn => json!({ "type": kind, "question": 4 }),
        CommandType::ReviewersChanged => json!({
            "type": kind, "stage": "legal", "actor": { "id": "u-lead" }, "add": ["u-dan"], "remove": ["u-bo"],
            "reason": "Bo has left the company.",
        }),
        CommandType::StatusUpdated => json!({ "type": kind, "message": "Our editor is on page two.", "percent": 40 }),
        CommandType::Held => json!({ "type": kind, "reason": "The client is away until Monday." }),
        CommandType::Resumed => json!({ "type": kind }),
        CommandType::CancellationRequested => json!({ "type": kind, "reason": "The campaign was called off." }),
        CommandType::CancellationAcknowledged => json!({ "type": kind, "in_flight": "discarded" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use proptest::prelude::*;

    use crate::domain::partner::rights::Rights;
    use crate::domain::values::id::{ActorId, BuyerId, CredentialId, KeyId, PartnerId};
    use crate::domain::values::scope::{Scope, Scopes};
    use crate::http::problem::Code;

    fn people() -> [ActorId; 4] {
        ["u-anna", "u-bo", "agent-7", "u-eli"].map(|id| ActorId::parse(id).unwrap())
    }

    fn any_rights() -> impl Strategy<Value = Rights> {
        let scopes = prop::sample::subsequence(Scope::ALL.to_vec(), 1..=4).prop_map(Scopes::from);
        let actors = prop::option::of(prop::sample::subsequence(people().to_vec(), 0..=3));
        (scopes, actors).prop_map(|(scopes, actors)| Rights { scopes, actors, expires_at: None })
    }

    proptest! {
        /// No key without the scope of a command gets it accepted, whoever it names; and what is
        /// accepted says truly whether the key is bound to its actor.
        #[test]
        fn no_command_is_taken_without_its_scope(
            rights in any_rights(),
            kind in prop::sample::select(CommandType::ALL.to_vec()),
            named in prop::option::of(prop::sample::select(people().to_vec())),
        ) {
            let Value::Object(mut members) = example(kind) else { panic!("{kind:?} is an object") };
            members.remove("actor");
            members.extend(named.as_ref().map(|id| ("actor".to_owned(), json!({ "id": id }))));
            let (partner_id, key_id) = (PartnerId(ids::new()), KeyId(ids::new()));
            let caller = Caller::Partner { partner_id, key_id, rights: Arc::new(rights.clone()), through: None };
            let parsed = parse(members.clone(), &caller, None, Time::from_micros(0));
            let is_open = rights.scopes.include_any(kind.scopes());
            prop_assert_eq!(matches!(&parsed, Err(problem) if problem.code() == Code::KeyScope), !is_open);
            let Ok(Request { command, digest, .. }) = parsed else { return Ok(()) };
            prop_assert!(rights.scopes.include(Scope::Review) || !matches!(kind, CommandType::StageApproved | CommandType::StageRejected));
            let sender = &command.meta().sender;
            let actor = sender.actor.as_ref().map(|actor| &actor.id);
            prop_assert_eq!(sender.admitted, actor.is_none_or(|id| rights.admits(id)));
            prop_assert_eq!(sender.bound, rights.actors.is_some() && actor.is_some_and(|id| rights.admits(id)));
            let expected = named.as_ref().or(rights.only_actor().filter(|_| command.action().needs_actor()));
            prop_assert_eq!(actor, expected);
            // The digest is of the body as it was sent, so it does not depend on the key.
            let anybody = Caller::Partner { partner_id, key_id, rights: Arc::default(), through: None };
            if let Ok(other) = parse(members, &anybody, None, Time::from_micros(0)) {
                prop_assert_eq!(digest, other.digest);
            }
        }
    }

    #[test]
    fn the_example_of_every_type_is_a_command_of_that_type() {
        let credential_id = CredentialId::parse("key-1").unwrap();
        let platform = Caller::Platform { credential_id: credential_id.clone(), person: None, through: None };
        let buyer = Caller::Buyer {
            buyer_id: BuyerId(ids::new()),
            credential_id,
            expires_at: Time::from_micros(1),
            through: None,
        };
        for kind in CommandType::ALL {
            let Value::Object(members) = example(kind) else { panic!("{kind:?} is an object") };
            // A resolution without an actor is a buyer's, whose token identifies the person.
            let caller = if kind == CommandType::EscalationResolved { &buyer } else { &platform };
            let request = parse(members, caller, None, Time::from_micros(0)).unwrap();
            assert_eq!(request.command.action().command_type(), kind);
        }
    }
}
