//! Simulation of a workflow on a virtual clock; nothing is stored.

use std::ops::ControlFlow;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

use crate::app::workflows::{Plan, Show};
use crate::app::{self, Caller};
use crate::domain::audit::{self, EntryView};
use crate::domain::partner::rights::Rights;
use crate::domain::task::event::WorkflowRef;
use crate::domain::task::forecast::{Forecast, StatusView, Timeline};
use crate::domain::task::simulate::{Outcome, Sent, Step, Trigger};
use crate::domain::values::id::{ActorId, BuyerId, CredentialId, KeyId, PartnerId, WorkflowKey};
use crate::domain::values::outside::{FromOutside, from_outside};
use crate::domain::values::party::Party;
use crate::domain::values::time::Time;
use crate::domain::workflow::Workflow;
use crate::http::AppState;
use crate::http::auth::PartnerOnly;
use crate::http::input::body::{RawBody, from_value_at};
use crate::http::input::extract::{NoParameters, Path, Query};
use crate::http::problem::{Code, FieldError, Problem, refused};

use super::command_body;
use super::workflows::WorkflowPath;

/// Maximum number of commands of one simulation.
const MAX_COMMANDS: usize = 500;
/// Maximum size of the steps in a response, in bytes.
const MAX_BYTES: usize = 4 << 20;
/// End of simulated time, 9998-01-01T00:00:00Z. A task that is opened before it ends at most 366
/// days later, in a year of four digits.
const END_OF_TIME: Time = Time::from_micros(253_339_228_800_000_000);

/// A simulation to run.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Simulation {
    /// The workflow version to run. Default: the latest.
    #[serde(default)]
    #[schema(minimum = 1)]
    version: Option<u32>,
    /// A definition to run instead of a registered version.
    #[serde(default)]
    #[schema(value_type = Option<Workflow>)]
    definition: Option<Value>,
    /// When the task is opened. As for all times here, before the year 9998. Default: now.
    #[serde(default)]
    opened_at: Option<Time>,
    /// The platform's deadline for the task.
    #[serde(default)]
    deadline_at: Option<Time>,
    /// The commands ordered by time, at most 500.
    #[serde(default)]
    #[schema(max_items = 500, value_type = Vec<SimulatedCommand>)]
    commands: Vec<Map<String, Value>>,
    /// Until when timers run after the last command. Default: the time of the last command.
    #[serde(default)]
    until: Option<Time>,
}

from_outside! { Simulation {; version, definition, opened_at, deadline_at, commands, until } }

/// A command as in `POST /tasks/{id}/events`, with its time and sender.
pub struct SimulatedCommand;

/// The members of a simulated command that a real one does not have.
#[derive(ToSchema)]
#[expect(dead_code, reason = "a shape of the contract; the members are taken out one by one")]
struct Sending {
    /// When the command is sent.
    at: Time,
    /// The party that sends it.
    party: Party,
}

impl PartialSchema for SimulatedCommand {
    fn schema() -> RefOr<Schema> {
        command_body::schema_with(&Sending::schema(), "A command, with its time and the party that sends it.")
    }
}

impl ToSchema for SimulatedCommand {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        Sending::schemas(schemas);
        command_body::parts(schemas);
    }
}

/// The result of a simulation.
#[derive(ToSchema)]
#[expect(dead_code, reason = "a shape of the contract; the answer is written step by step")]
pub struct SimulationResult {
    /// The opening, every command and every timer, in order.
    steps: Vec<SimulationStep>,
}

/// One step of a simulation.
#[derive(Debug, Serialize, ToSchema)]
pub struct SimulationStep {
    /// The time of the step.
    at: Time,
    /// The cause of the step.
    trigger: StepTrigger,
    /// The index of the command in the request, from 0; null for the opening and for timers.
    #[schema(required = true)]
    command: Option<usize>,
    /// The trail entries that the step adds, as the partner would see them, without hashes. A
    /// refused command adds none but a late decision, which is recorded.
    events: Vec<EntryView>,
    /// Why the command was refused; null if it was not.
    #[schema(required = true)]
    refusal: Option<StepRefusal>,
    /// Whether the command was already carried out with the same `id` and body. It then gets the
    /// first response and has no further effect.
    replayed: bool,
    /// The buyer's status after the step; null if only the elapsed time differs from the previous
    /// step. There is never an estimate of the remaining time.
    #[schema(required = true)]
    status: Option<StatusView>,
}

/// The cause of a step.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepTrigger {
    /// The opening of the task.
    Opening,
    /// A command.
    Command,
    /// A timer that became due.
    Timer,
}

/// Why a command was refused.
#[derive(Debug, Serialize, ToSchema)]
pub struct StepRefusal {
    /// The problem's code, as in the response to the real command.
    code: crate::http::problem::Code,
    /// The problem's detail.
    detail: String,
}

/// Simulate a workflow
///
/// Runs commands at the given times on a virtual clock, and every timer when it is due, exactly as
/// the real service does. Each of the platform's people acts under a key of their own. Nothing is
/// stored. A simulation ends after 10,000 steps. A response of
/// more than 4 MiB is refused; the problem names the step that exceeded the limit.
#[utoipa::path(post, path = "/workflows/{key}/simulate", tag = "workflows", security(("partnerKey" = ["define"])), params(WorkflowPath),
    request_body(content = Simulation, example = json!({ "opened_at": "2026-11-22T08:00:00Z", "until": "2026-12-24T08:00:00Z",
        "commands": [{ "at": "2026-11-22T09:00:00Z", "party": "partner", "type": "work_submitted", "actor": { "id": "agent-7" }, "summary": "First draft." }] })),
    responses((status = 200, description = "The simulated steps.", body = SimulationResult)))]
pub async fn simulate_workflow(
    PartnerOnly(partner, caller): PartnerOnly,
    Path(path): Path<WorkflowPath>,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
    body: RawBody,
) -> Result<Response, Problem> {
    let steps = run(&state, (partner, &caller), path.key, body.parse()?).await?;
    Ok(([(header::CONTENT_TYPE, "application/json")], steps).into_response())
}

/// Runs a simulation for the partner; the result is JSON.
///
/// # Errors
///
/// When the input is invalid, or the result is larger than 4 MiB.
pub async fn run(
    state: &AppState,
    (partner, caller): (PartnerId, &Caller),
    key: WorkflowKey,
    simulation: Simulation,
) -> Result<Vec<u8>, Problem> {
    let opened_at = simulation.opened_at.unwrap_or_else(|| state.app.clock().now());
    check_time("/opened_at", opened_at)?;
    let commands = read_commands(simulation.commands, opened_at)?;
    simulation.until.map_or(Ok(()), |until| check_time("/until", until))?;
    let (workflow, version) = match simulation.definition {
        Some(definition) if simulation.version.is_none() => (parse_definition(&definition)?, 1),
        Some(_) => return Err(invalid("/version", "not_allowed", "must not be combined with a definition")),
        None => {
            let record = state.app.workflows.get_workflow(partner, &key, simulation.version).await?;
            (record.workflow, record.version)
        }
    };
    let last = commands.last().map_or(opened_at, |sent| sent.at);
    let plan = Plan {
        sender: Caller::Platform { credential_id: simulated(), person: None, through: None }.sender(None),
        workflow: WorkflowRef { key, version },
        opened_at,
        deadline_at: simulation.deadline_at,
        script: commands,
        until: simulation.until.map_or(last, |until| until.max(last)),
    };
    let into = (Report::default(), Report::add as Show<Report>);
    let report = state.app.workflows.simulate_workflow(caller, (workflow, plan), into).await?;
    report.finish()
}

/// The response under construction, kept only as text.
#[derive(Debug, Default)]
struct Report {
    steps: Vec<u8>,
    count: usize,
    /// The version of the last status in the response.
    status: Option<u64>,
    /// The problem that ended the simulation.
    problem: Option<Problem>,
}

impl Report {
    fn add(&mut self, step: Step<'_>) -> ControlFlow<()> {
        self.steps.push(if self.count == 0 { b'[' } else { b',' });
        self.count += 1;
        let version = Some(step.snapshot.status.version);
        let is_new = self.status != version;
        self.status = version;
        if let Err(error) = serde_json::to_writer(&mut self.steps, &SimulationStep::new(step, is_new)) {
            self.problem = Some(Problem::internal(error));
        } else if self.steps.len() > MAX_BYTES {
            self.problem = Some(too_large(self.count, step));
        }
        if self.problem.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn finish(self) -> Result<Vec<u8>, Problem> {
        match self.problem {
            Some(problem) => Err(problem),
            None => Ok([b"{\"steps\":", &*self.steps, b"]}"].concat()),
        }
    }
}

fn too_large(count: usize, step: Step<'_>) -> Problem {
    let trigger = match step.trigger {
        Trigger::Opening => "the opening".to_owned(),
        Trigger::Command(index) => format!("/commands/{index}"),
        Trigger::Timer => "a timer".to_owned(),
    };
    let at = step.at;
    let detail = format!(
        "The response reached 4 MiB at step {count} ({trigger}, at {at}). Simulate fewer commands or an earlier end."
    );
    Problem::new(Code::AnswerTooLarge, detail)
}

fn parse_definition(definition: &Value) -> Result<Workflow, Problem> {
    let parsed = Workflow::parse(definition).map_err(|mistakes| {
        let below = |mistake| {
            let error = refused::mistake(mistake);
            FieldError { pointer: format!("/definition{}", error.pointer), ..error }
        };
        Problem::invalid_body(mistakes.into_iter().map(below).collect())
    })?;
    Ok(parsed.workflow)
}

fn read_commands(list: Vec<Map<String, Value>>, opened_at: Time) -> Result<Vec<Sent>, Problem> {
    if list.len() > MAX_COMMANDS {
        return Err(invalid("/commands", "too_many", "must have at most 500 items"));
    }
    let mut commands: Vec<Sent> = Vec::with_capacity(list.len());
    let mut people: Vec<ActorId> = Vec::new();
    for (index, mut members) in list.into_iter().enumerate() {
        let base = format!("/commands/{index}");
        let at: Time = take(&mut members, &base, "at")?;
        check_time(&format!("{base}/at"), at)?;
        let party: Party = take(&mut members, &base, "party")?;
        let earlier = commands.last().map_or(opened_at, |sent| sent.at);
        if at < earlier {
            return Err(invalid(
                &format!("{base}/at"),
                "out_of_order",
                "must not be earlier than the previous command or the opening",
            ));
        }
        let caller = caller(party, &mut people, (named_actor(&members), at));
        let request = command_body::parse(members, &caller, None, at).map_err(|problem| below(&base, &problem))?;
        let digest = request.id_given.then_some(request.digest);
        commands.push(Sent { at, command: request.command, digest });
    }
    Ok(commands)
}

fn check_time(place: &str, time: Time) -> Result<(), Problem> {
    if time < END_OF_TIME { Ok(()) } else { Err(invalid(place, "out_of_range", "must be before the year 9998")) }
}

fn take<T: serde::de::DeserializeOwned + FromOutside>(
    members: &mut Map<String, Value>,
    base: &str,
    name: &str,
) -> Result<T, Problem> {
    let place = format!("{base}/{name}");
    let value = members.remove(name).ok_or_else(|| invalid(&place, "required", "is required"))?;
    from_value_at(&place, value)
}

/// Moves a command's errors to its place in the list.
fn below(base: &str, problem: &Problem) -> Problem {
    let moved = problem
        .errors()
        .iter()
        .map(|error| FieldError { pointer: format!("{base}{}", error.pointer), ..error.clone() });
    Problem::invalid_body(moved.collect())
}

fn invalid(pointer: &str, code: &'static str, message: &str) -> Problem {
    Problem::invalid_body(vec![FieldError::new(pointer, code, message)])
}

/// The actor that a command names. A missing or invalid id is reported when the command is parsed.
fn named_actor(members: &Map<String, Value>) -> Option<ActorId> {
    let id = members.get("actor")?.get("id")?.as_str()?;
    ActorId::parse(id).ok()
}

/// The number of a person, in the order in which they first appear.
fn number_of(people: &mut Vec<ActorId>, person: ActorId) -> usize {
    let known = people.iter().position(|known| *known == person);
    known.unwrap_or_else(|| {
        people.push(person);
        people.len() - 1
    })
}

/// A caller with a placeholder credential that is bound to the actor, so that stages which require
/// this can be simulated. Each of the platform's people has a key of their own, so that a second
/// person can be simulated.
fn caller(party: Party, people: &mut Vec<ActorId>, (actor, now): (Option<ActorId>, Time)) -> Caller {
    match party {
        Party::Partner => Caller::Partner {
            partner_id: PartnerId(Uuid::nil()),
            key_id: KeyId(Uuid::nil()),
            rights: Arc::new(Rights { actors: actor.map(|actor| vec![actor]), ..Rights::default() }),
            through: None,
        },
        Party::Buyer => {
            Caller::Buyer { buyer_id: BuyerId(Uuid::nil()), credential_id: simulated(), expires_at: now, through: None }
        }
        Party::Platform => {
            let number = actor.clone().map_or(0, |actor| number_of(people, actor));
            let credential_id = CredentialId::parse(format!("simulated-{number}")).expect("a short word");
            Caller::Platform { credential_id, person: actor, through: None }
        }
    }
}

fn simulated() -> CredentialId {
    CredentialId::parse("simulated").expect("a short word")
}

impl SimulationStep {
    fn new(step: Step<'_>, with_status: bool) -> Self {
        let events = step.events.iter().map(|event| audit::view(event, None, Party::Partner)).collect();
        let refusal = match step.outcome {
            Outcome::Done | Outcome::Replayed => None,
            Outcome::IdReused => Some(StepRefusal::new(app::Error::EventIdReused)),
            Outcome::Refused(refusal) => Some(StepRefusal::new(app::Error::Rejected(refusal.clone()))),
        };
        let replayed = *step.outcome == Outcome::Replayed;
        let (trigger, command) = match step.trigger {
            Trigger::Opening => (StepTrigger::Opening, None),
            Trigger::Command(index) => (StepTrigger::Command, Some(index)),
            Trigger::Timer => (StepTrigger::Timer, None),
        };
        let status = with_status.then(|| {
            let pace = Forecast::new(&Timeline::of(&step.snapshot.task), step.at, None);
            StatusView { status: step.snapshot.status.clone(), pace }
        });
        Self { at: step.at, trigger, command, events, refusal, replayed, status }
    }
}

impl StepRefusal {
    fn new(error: app::Error) -> Self {
        let problem = Problem::from(error);
        let detail = problem.body(None).detail.into_owned();
        Self { code: problem.code(), detail }
    }
}
