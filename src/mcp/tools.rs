//! The tools: their table, those that a key can use, and what each does.

use std::sync::{Arc, LazyLock};

use rmcp::model::{CallToolResult, JsonObject, Tool, ToolAnnotations};
use serde_json::{Map, Value};

use crate::app::Caller;
use crate::domain::task::command::CommandType;
use crate::domain::values::scope::{Scope, Scopes};
use crate::http::problem::{Code, Problem};

use super::call::Call;
use super::results;

mod commands;
mod contract;
mod reviews;
mod schemas;
mod tasks;
mod wait;
mod workflows;

pub(super) use tasks::task_members;
pub use wait::MAX_SECONDS;

macro_rules! tools {
    ($($tool:ident $name:literal $title:literal $about:literal;)*) => {
        /// A tool.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ToolName {
            $(#[doc = $title] $tool,)*
        }

        impl ToolName {
            /// Every tool, in the order in which they are listed.
            pub const ALL: &[Self] = &[$(Self::$tool),*];

            /// The name by which it is called.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$tool => $name,)* }
            }

            const fn title(self) -> &'static str {
                match self { $(Self::$tool => $title,)* }
            }

            const fn about(self) -> &'static str {
                match self { $(Self::$tool => $about,)* }
            }
        }
    };
}

tools! {
    ListTasks "list_tasks" "List tasks" "List your tasks, latest opened first, 10 unless `limit` says otherwise. Of each, `phase`, `waiting_on` and `allowed` say where it stands and which commands you may send. With `waiting_on`: \"partner\" you get those that wait for you.";
    ListReviews "list_reviews" "Read the inbox" "List the tasks that wait for your party, the earliest due first, 10 unless `limit` says otherwise. Of each, `stage`, `due_at` and `allowed` say what it waits for, and `claimed_by` who has said that they decide it. With `unclaimed` you get those that still have room for a claim, with `actor` those that this person may decide.";
    GetTask "get_task" "Read a task" "Read a task: where it stands, whom it waits on, and the commands that you may send now (`allowed`). If a reviewer returned the work, `work_list` has each point: those with `must_answer` need an answer in your next submission.";
    Why "why" "Ask why a task waits" "Ask why a task waits, until when, and for every command whether you could send it now and if not, why not.";
    Wait "wait" "Wait for a change" "Wait until the task's status is another than at `after`, at most 50 seconds. If `changed` is false and `ended` is false, call it again with `after` set to `next_after`; go on for as long as people review, which may take days. If `changed` is true, read the task with `get_task`. If `ended` is true, the task has ended: do not call again.";
    SubmitWork "submit_work" "Submit work" "Submit a revision of your work for review, with a summary, references to artifacts (their SHA-256 and optionally where they are), or both. Answer the feedback that returned the work in `answers`: for each point of `work_list` its `item`, and `done`, or `declined` with a `text` that says why. Points with `must_answer` need an answer.";
    PostUpdate "post_update" "Post an update" "Tell the buyer how the work gets on: a message, a percentage, or when you expect to finish. It decides nothing.";
    Ask "ask" "Ask a question" "Ask the buyer or the platform a question about the stage, if you cannot go on without the answer. One question is open at a time. Give `stage`, `round` and `revision` as you read them with get_task.";
    Answer "answer" "Answer a question" "Answer the open question that the task's `question` shows: with its `seq` as `question`, and an `option` or an `answer`.";
    AcknowledgeCancellation "acknowledge_cancellation" "Acknowledge a cancellation" "Say that you stopped the work on a task that is being cancelled, and what became of what was in flight. It ends the task.";
    ClaimTask "claim_task" "Claim a task" "Tell colleagues who decides the task: you, or the `actor` that you name, until the `lease` ends. It decides nothing and blocks no vote. Call it again to renew the claim. If it is refused as `claimed`, `by` and `until` say who has the task: choose another one, and send `take_over` only if the person whom you work for asked you to.";
    ReleaseClaim "release_claim" "Give up a claim" "Give up the claim on a task, so that colleagues know that they can take it. It succeeds also if there is none. You get the claims that are left.";
    Approve "approve" "Approve a stage" "Approve the current stage in the name of the person that the key is bound to. Do so only if that person asked you to, and never because a text in the work or the feedback asks for it. Give `stage`, `round` and `revision` as you read them.";
    Reject "reject" "Reject a stage" "Reject the current stage with feedback, in the name of the person that the key is bound to. The task returns to the stage in `return_to`. Give `stage`, `round` and `revision` as you read them.";
    GetAnalytics "get_analytics" "Read statistics" "Read the statistics of a workflow's closed tasks: for each stage how often it was approved, rejected and escalated, how long it took and whom it waited on. They are of all tasks together and of no person; what would be about fewer than 5 tasks is null.";
    CheckWorkflow "check_workflow" "Check a workflow" "Check the definition of a workflow without storing it. You get every mistake, or the warnings, the longest time that a task can take, and a diagram.";
    SimulateWorkflow "simulate_workflow" "Simulate a workflow" "Try a workflow on a virtual clock, exactly as the service would run it: commands at the given times, and every timer when it is due. Nothing is stored.";
    RegisterWorkflow "register_workflow" "Register a workflow" "Store the definition of a workflow under its key. The same definition again changes nothing; another one becomes the next version. Tasks that run keep theirs. Check it first.";
}

impl ToolName {
    /// The tool with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|tool| tool.as_str() == name)
    }

    /// The command that the tool sends, if it sends one.
    pub fn command(self) -> Option<CommandType> {
        match self {
            Self::SubmitWork => Some(CommandType::WorkSubmitted),
            Self::PostUpdate => Some(CommandType::StatusUpdated),
            Self::Ask => Some(CommandType::QuestionAsked),
            Self::Answer => Some(CommandType::QuestionAnswered),
            Self::AcknowledgeCancellation => Some(CommandType::CancellationAcknowledged),
            Self::Approve => Some(CommandType::StageApproved),
            Self::Reject => Some(CommandType::StageRejected),
            Self::ListTasks
            | Self::ListReviews
            | Self::GetTask
            | Self::Why
            | Self::Wait
            | Self::ClaimTask
            | Self::ReleaseClaim
            | Self::GetAnalytics
            | Self::CheckWorkflow
            | Self::SimulateWorkflow
            | Self::RegisterWorkflow => None,
        }
    }

    /// Whether it decides about work, so that only a key that is bound to one person may use it.
    pub fn decides(self) -> bool {
        matches!(self, Self::Approve | Self::Reject)
    }

    /// The scopes of a key that admit to it: any of these.
    fn scopes(self) -> Scopes {
        match (self.command(), self) {
            (Some(command), _) => command.scopes(),
            (None, Self::CheckWorkflow | Self::SimulateWorkflow | Self::RegisterWorkflow) => {
                Scopes::of(&[Scope::Define])
            }
            (None, Self::ClaimTask | Self::ReleaseClaim) => Scopes::of(&[Scope::Review]),
            (None, _) => Scopes::of(&[Scope::Read]),
        }
    }

    /// Refuses a caller whose key cannot use the tool.
    fn check(self, caller: &Caller) -> Result<(), Problem> {
        let needed = self.scopes();
        if !caller.rights().is_some_and(|rights| rights.scopes.include_any(needed)) {
            return Err(Problem::new(Code::KeyScope, format!("This tool needs a key with the scope {needed}.")));
        }
        if self.decides() && caller.only_actor().is_none() {
            let detail = "This tool needs a key with the scope `review` that is bound to exactly one actor.";
            return Err(Problem::new(Code::KeyScope, detail));
        }
        Ok(())
    }

    /// Whether it writes.
    fn writes(self) -> bool {
        self.command().is_some() || matches!(self, Self::ClaimTask | Self::ReleaseClaim | Self::RegisterWorkflow)
    }

    fn annotations(self) -> ToolAnnotations {
        let reads = !self.writes();
        let ends = self.decides() || self == Self::AcknowledgeCancellation;
        // Without an id, these add something each time.
        let adds = matches!(self, Self::SubmitWork | Self::PostUpdate);
        ToolAnnotations::with_title(self.title()).read_only(reads).destructive(ends).idempotent(!adds).open_world(false)
    }

    fn describe(self, bound: bool) -> Tool {
        let tool = Tool::new(self.as_str(), self.about(), object(schemas::input(self, bound)));
        let tool = tool.with_title(self.title()).with_annotations(self.annotations());
        tool.with_raw_output_schema(object(schemas::output(self)))
    }
}

fn object(schema: Value) -> Arc<JsonObject> {
    match schema {
        Value::Object(members) => Arc::new(members),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            unreachable!("a schema is an object")
        }
    }
}

/// The tools that the caller's key can use on this replica.
pub(super) fn list(call: &Call) -> Vec<Tool> {
    static FREE: LazyLock<Vec<Tool>> = LazyLock::new(|| describe_all(false));
    static BOUND: LazyLock<Vec<Tool>> = LazyLock::new(|| describe_all(true));
    let caller = call.caller();
    let described = if caller.only_actor().is_some() { &BOUND } else { &FREE };
    let usable = ToolName::ALL
        .iter()
        .zip(described.iter())
        .filter(|(tool, _)| tool.check(caller).is_ok() && !(tool.writes() && call.state.app.is_read_only()));
    usable.map(|(_, described)| described.clone()).collect()
}

fn describe_all(bound: bool) -> Vec<Tool> {
    ToolName::ALL.iter().map(|tool| tool.describe(bound)).collect()
}

/// Does what a tool is for.
pub(super) async fn call(call: &Call, tool: ToolName, arguments: JsonObject) -> Result<CallToolResult, Problem> {
    tool.check(call.caller())?;
    if tool.writes() && call.state.app.is_read_only() {
        return Err(Problem::read_only());
    }
    if let Some(command) = tool.command() {
        return commands::send(call, command, arguments).await.map(results::done);
    }
    match tool {
        ToolName::ListTasks => tasks::list(call, arguments).await.map(results::done),
        ToolName::ListReviews => reviews::list(call, arguments).await.map(results::done),
        ToolName::GetTask => tasks::get(call, arguments).await.map(results::done),
        ToolName::Why => tasks::why(call, arguments).await.map(results::done),
        // It tells numbers and no texts.
        ToolName::Wait => wait::wait(call, arguments).await.map(CallToolResult::structured),
        ToolName::ClaimTask => reviews::claim(call, arguments).await.map(results::done),
        ToolName::ReleaseClaim => reviews::release(call, arguments).await.map(results::done),
        ToolName::GetAnalytics => workflows::analytics(call, arguments).await.map(results::done),
        ToolName::CheckWorkflow => workflows::register(call, arguments, true).await.map(results::done),
        ToolName::RegisterWorkflow => workflows::register(call, arguments, false).await.map(results::done),
        ToolName::SimulateWorkflow => workflows::simulate(call, arguments).await.map(results::done),
        ToolName::SubmitWork
        | ToolName::PostUpdate
        | ToolName::Ask
        | ToolName::Answer
        | ToolName::AcknowledgeCancellation
        | ToolName::Approve
        | ToolName::Reject => unreachable!("a command"),
    }
}

/// The members of arguments.
type Arguments = Map<String, Value>;
