//! A workflow tried out on a virtual clock; nothing is stored.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

use crate::app::workflows::{self, Plan};
use crate::app::{self, Caller};
use crate::domain::audit::{self, EntryView};
use crate::domain::command::Command;
use crate::domain::event::WorkflowRef;
use crate::domain::id::{BuyerId, CredentialId, PartnerId};
use crate::domain::pace::{Course, Pace, StatusView};
use crate::domain::party::Party;
use crate::domain::simulate::{Step, Trigger};
use crate::domain::time::Time;
use crate::domain::workflow::Workflow;

use super::auth::PartnerOnly;
use super::body::{RawBody, from_value_at};
use super::extract::{NoParameters, Path, Query};
use super::problem::{FieldError, Problem, refused};
use super::workflows::WorkflowPath;
use super::{AppState, commands};

/// The most commands of one simulation.
const MAX_COMMANDS: usize = 500;
/// The end of simulated time, 9998-01-01T00:00:00Z: what starts before it ends, at most 366 days later, in a year of four digits.
const END_OF_TIME: Time = Time::from_micros(253_339_228_800_000_000);

/// What to try out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Simulation {
    /// The version to run. Default: the latest.
    #[serde(default)]
    #[schema(minimum = 1)]
    version: Option<u32>,
    /// A definition to run instead of a registered version.
    #[serde(default)]
    #[schema(value_type = Option<Workflow>)]
    definition: Option<Value>,
    /// When the task is opened, before the year 9998 as all times here. Default: now.
    #[serde(default)]
    opened_at: Option<Time>,
    /// The platform's deadline for it.
    #[serde(default)]
    deadline_at: Option<Time>,
    /// The commands in the order of their times, at most 500.
    #[serde(default)]
    #[schema(max_items = 500, value_type = Vec<SimulatedCommand>)]
    commands: Vec<Map<String, Value>>,
    /// Until when timers run on after the last command. Default: not beyond it.
    #[serde(default)]
    until: Option<Time>,
}

/// A command with its time and sender, as in `POST /tasks/{id}/events`.
pub struct SimulatedCommand;

/// What a simulated command says besides the command.
#[derive(ToSchema)]
#[expect(dead_code, reason = "a shape of the contract; the members are taken out one by one")]
struct Sending {
    /// When it is sent.
    at: Time,
    /// The party that sends it.
    party: Party,
}

impl PartialSchema for SimulatedCommand {
    fn schema() -> RefOr<Schema> {
        commands::schema_with(&Sending::schema(), "A command, when it is sent, and by which party.")
    }
}

impl ToSchema for SimulatedCommand {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        Sending::schemas(schemas);
        commands::parts(schemas);
    }
}

/// What happened.
#[derive(Debug, Serialize, ToSchema)]
pub struct SimulationResult {
    /// Every opening, command and timer, in order.
    steps: Vec<SimulationStep>,
}

/// What happened at one instant.
#[derive(Debug, Serialize, ToSchema)]
pub struct SimulationStep {
    /// When.
    at: Time,
    /// What made it happen.
    trigger: StepTrigger,
    /// The index of the command in the request, from 0; null for the opening and for timers.
    #[schema(required = true)]
    command: Option<usize>,
    /// The entries of the trail, as the partner would see them, without hashes; of a refused command only the late decision
    /// that is kept all the same.
    events: Vec<EntryView>,
    /// Why the command was refused; null if it was not.
    #[schema(required = true)]
    refusal: Option<StepRefusal>,
    /// What the buyer reads afterwards. Nothing is said of the time that remains.
    status: StatusView,
}

/// What made a step happen.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepTrigger {
    /// The opening of the task.
    Opening,
    /// A command.
    Command,
    /// A timer that came due.
    Timer,
}

/// Why a command was refused.
#[derive(Debug, Serialize, ToSchema)]
pub struct StepRefusal {
    /// The problem's code, as the real command would be answered.
    code: super::problem::Code,
    /// The same in words.
    detail: String,
}

/// Try out a workflow
///
/// Runs commands with given times on a virtual clock, with every timer at its due time, exactly as the real service would; stores
/// nothing. Stops after 10,000 steps.
#[utoipa::path(post, path = "/workflows/{key}/simulate", tag = "workflows", security(("partnerKey" = [])), params(WorkflowPath),
    request_body(content = Simulation, example = json!({ "opened_at": "2026-11-22T08:00:00Z", "until": "2026-12-24T08:00:00Z",
        "commands": [{ "at": "2026-11-22T09:00:00Z", "party": "partner", "type": "work_submitted", "actor": { "id": "agent-7" }, "summary": "First draft." }] })),
    responses((status = 200, description = "What would happen.", body = SimulationResult)))]
pub async fn simulate_workflow(
    PartnerOnly(partner, _): PartnerOnly,
    Path(path): Path<WorkflowPath>,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
    body: RawBody,
) -> Result<Json<SimulationResult>, Problem> {
    let simulation: Simulation = body.parse()?;
    let opened_at = simulation.opened_at.unwrap_or_else(|| state.app.clock().now());
    check_time("/opened_at", opened_at)?;
    let commands = read_commands(simulation.commands, opened_at)?;
    simulation.until.map_or(Ok(()), |until| check_time("/until", until))?;
    let (workflow, version) = match simulation.definition {
        Some(definition) if simulation.version.is_none() => (parse_definition(&definition)?, 1),
        Some(_) => return Err(invalid("/version", "not_allowed", "goes without a definition")),
        None => {
            let record = workflows::get_workflow(&state.app, partner, &path.key, simulation.version).await?;
            (record.workflow, record.version)
        }
    };
    let last = commands.last().map_or(opened_at, |(at, _)| *at);
    let plan = Plan {
        sender: commands::sender(&Caller::Platform { credential_id: simulated() }, None),
        workflow: WorkflowRef { key: path.key, version },
        opened_at,
        deadline_at: simulation.deadline_at,
        commands,
        until: simulation.until.map_or(last, |until| until.max(last)),
    };
    let steps = tokio::task::spawn_blocking(move || workflows::simulate_workflow(&workflow, plan)).await;
    let steps = steps.map_err(Problem::internal)??;
    Ok(Json(SimulationResult { steps: steps.into_iter().map(step).collect() }))
}

fn parse_definition(definition: &Value) -> Result<Workflow, Problem> {
    let parsed = Workflow::parse(definition).map_err(|mistakes| {
        let below = |mistake| {
            let FieldError { pointer, code, message } = refused::mistake(mistake);
            FieldError { pointer: format!("/definition{pointer}"), code, message }
        };
        Problem::invalid_body(mistakes.into_iter().map(below).collect())
    })?;
    Ok(parsed.workflow)
}

fn read_commands(list: Vec<Map<String, Value>>, opened_at: Time) -> Result<Vec<(Time, Command)>, Problem> {
    if list.len() > MAX_COMMANDS {
        return Err(invalid("/commands", "too_many", "must have at most 500 items"));
    }
    let mut commands: Vec<(Time, Command)> = Vec::with_capacity(list.len());
    for (index, mut members) in list.into_iter().enumerate() {
        let base = format!("/commands/{index}");
        let at: Time = take(&mut members, &base, "at")?;
        check_time(&format!("{base}/at"), at)?;
        let party: Party = take(&mut members, &base, "party")?;
        let earlier = commands.last().map_or(opened_at, |(at, _)| *at);
        if at < earlier {
            return Err(invalid(
                &format!("{base}/at"),
                "out_of_order",
                "must not be before the one before, or the opening",
            ));
        }
        let request =
            commands::parse(members, &caller(party, at), None, at).map_err(|problem| below(&base, &problem))?;
        commands.push((at, request.command));
    }
    Ok(commands)
}

fn check_time(place: &str, time: Time) -> Result<(), Problem> {
    if time < END_OF_TIME { Ok(()) } else { Err(invalid(place, "out_of_range", "must be before the year 9998")) }
}

fn take<T: serde::de::DeserializeOwned>(
    members: &mut Map<String, Value>,
    base: &str,
    name: &str,
) -> Result<T, Problem> {
    let place = format!("{base}/{name}");
    let value = members.remove(name).ok_or_else(|| invalid(&place, "required", "is required"))?;
    from_value_at(&place, value)
}

/// A command's errors with their place in the list.
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

/// The credentials of a play are nobody's.
fn caller(party: Party, now: Time) -> Caller {
    match party {
        Party::Partner => {
            Caller::Partner { partner_id: PartnerId(Uuid::nil()), key_id: crate::domain::id::KeyId(Uuid::nil()) }
        }
        Party::Buyer => Caller::Buyer { buyer_id: BuyerId(Uuid::nil()), credential_id: simulated(), expires_at: now },
        Party::Platform => Caller::Platform { credential_id: simulated() },
    }
}

fn simulated() -> CredentialId {
    CredentialId::parse("simulated").expect("a short word")
}

fn step(step: Step) -> SimulationStep {
    let events = step.events.iter().map(|event| audit::view(event, None, Party::Partner)).collect();
    let refusal = step.refusal.map(|refusal| {
        let problem = Problem::from(app::Error::Rejected(refusal));
        let detail = problem.body(None).detail.into_owned();
        StepRefusal { code: problem.code(), detail }
    });
    let (trigger, command) = match step.trigger {
        Trigger::Opening => (StepTrigger::Opening, None),
        Trigger::Command(index) => (StepTrigger::Command, Some(index)),
        Trigger::Timer => (StepTrigger::Timer, None),
    };
    let pace = Pace::new(&Course::of(&step.snapshot.task), step.at, None);
    let status = StatusView { status: step.snapshot.status, pace };
    SimulationStep { at: step.at, trigger, command, events, refusal, status }
}
