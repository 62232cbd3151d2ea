//! What is read. Every word is a string, and members that are not named here are kept in `rest`, so
//! that the answers of later versions of the service can be read.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

/// A task's status, as the buyer sees it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Status {
    /// The task.
    pub task_id: Uuid,
    /// The task's version at which it last changed.
    pub version: u64,
    /// Where the task is.
    pub phase: String,
    /// The same in plain words.
    pub label: String,
    /// The current stage.
    pub stage: Stage,
    /// How many times the task has entered this stage, from 1.
    pub round: u32,
    /// The party that the task waits on; none when it has ended.
    pub waiting_on: Option<String>,
    /// The other members.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl Status {
    /// Whether the task has ended, so that no other status follows.
    pub fn has_ended(&self) -> bool {
        self.waiting_on.is_none()
    }
}

/// A stage.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Stage {
    /// The stage's key.
    pub key: String,
    /// The display name.
    pub name: String,
    /// The other members.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// A task, as partner and platform see it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Task {
    /// The task's id.
    pub id: Uuid,
    /// The `seq` of the task's last event.
    pub version: u64,
    /// Where the task is.
    pub phase: String,
    /// The phase in plain words.
    pub label: String,
    /// The current stage.
    pub stage: Stage,
    /// How many times the task has entered this stage, from 1.
    pub round: u32,
    /// The latest revision; 0: no work was submitted.
    pub revision: u32,
    /// The party that the task waits on; none when it has ended.
    pub waiting_on: Option<String>,
    /// When the task was opened, by the service's clock.
    pub opened_at: String,
    /// The open escalation.
    #[serde(default)]
    pub escalation: Option<Escalation>,
    /// The items of feedback that the next submission must answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unanswered: Vec<String>,
    /// The types of commands that the caller's party can send now.
    #[serde(default)]
    pub allowed: Vec<String>,
    /// The other members.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// An open escalation.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Escalation {
    /// The `seq` of its event, which a resolution refers to.
    pub seq: u64,
    /// The party that must decide.
    pub to: String,
    /// The other members.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// The result of a command.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct CommandResult {
    /// The trail entry with the command's id.
    pub event: Value,
    /// All entries that the command added, in order.
    pub events: Vec<Value>,
    /// The task after the command; only for partner and platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,
    /// The status after the command; only for a buyer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// Whether the command was already carried out, and this is the first answer again.
    #[serde(default)]
    pub replayed: bool,
    /// The other members.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl CommandResult {
    /// The types of the entries that the command added.
    pub fn types(&self) -> Vec<&str> {
        self.events.iter().filter_map(|event| event["type"].as_str()).collect()
    }
}

/// Why a task waits, and what one actor can do about it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Why {
    /// The party that the task waits on; none when it has ended.
    pub waiting_on: Option<String>,
    /// Since when.
    pub since: String,
    /// When the wait is due to end; none without a limit.
    #[serde(default)]
    pub due_at: Option<String>,
    /// What the actor can do now.
    pub you: Vec<WhyCommand>,
    /// The other members.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// Whether the actor can send a command.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct WhyCommand {
    /// The type of the command.
    pub command: String,
    /// The resolution; only for `escalation_resolved`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<String>,
    /// Whether it would be accepted.
    pub allowed: bool,
    /// The code of the refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The refusal in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// When this changes if nobody acts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// The other members.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// The result of a simulation.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Simulation {
    /// The opening, every command and every timer, in order.
    pub steps: Vec<Step>,
    /// The other members.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// One step of a simulation.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Step {
    /// The time of the step.
    pub at: String,
    /// Its cause: `opening`, `command` or `timer`.
    pub trigger: String,
    /// The trail entries that it adds.
    pub events: Vec<Value>,
    /// Why the command was refused, with `code` and `detail`.
    #[serde(default)]
    pub refusal: Option<Value>,
    /// The buyer's status after the step; none if it is that of the step before.
    #[serde(default)]
    pub status: Option<Value>,
    /// The other members.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// The result of one of many commands: what the single call would have answered.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct BulkResult {
    /// 201 if the command was carried out, 200 if that was done before, else the status of the
    /// problem.
    pub status: u16,
    /// A [`CommandResult`], or a problem (RFC 9457).
    pub body: Value,
}

#[derive(Deserialize)]
pub(super) struct BulkAnswer {
    pub(super) items: Vec<BulkResult>,
}
