//! The buyer's view. It is rendered from the task alone, so that every endpoint shows the same. Its
//! version is the task's version at which it last changed.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::values::id::{PanelKey, StageKey, TaskId};
use crate::domain::values::party::Party;
use crate::domain::values::text::{Message, Name, Prose, Text};
use crate::domain::values::time::Time;
use crate::domain::workflow::labels;
use crate::domain::workflow::{Assurance, Reason, Stage, Workflow};

use super::command::CommandType;
use super::event::{Answer, Artifact, FeedbackItem, ItemId, Resolution, TimeoutAction};
use super::limits::MAX_HANDOVERS;
use super::notes::Notes;
use super::{Cause, Clock, Escalation, Outcome, PanelState, Phase, PhaseName, Record, ResponseClock, Task, Verdict};

/// The buyer's view of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// The task.
    pub task_id: TaskId,
    /// The task's version at which this status last changed; the `ETag` is `"<version>"`.
    pub version: u64,
    /// Where the task is.
    pub phase: PhaseName,
    /// The phase in plain words, such as `In legal review`.
    pub label: String,
    /// The current stage; for a task that has ended, the stage where it ended.
    pub stage: StagePosition,
    /// How many times the task has entered this stage, from 1.
    pub round: u32,
    /// The party that the task waits on; null when it has ended.
    #[schema(required = true)]
    pub waiting_on: Option<Party>,
    /// Since when stage, phase and the party it waits on have been the same.
    pub since: Time,
    /// When the current wait is due to end; null without a limit.
    #[schema(required = true)]
    pub due_at: Option<Time>,
    /// Whether the current wait is past `due_at`.
    pub overdue: bool,
    /// The partner's latest message at this stage, or why the task is on hold; null without one.
    #[schema(required = true)]
    pub message: Option<Message>,
    /// The progress in percent, 0 to 100, as stated by the partner; null without one.
    #[schema(required = true)]
    pub percent: Option<u8>,
    /// When the partner expects to finish; null if not stated.
    #[schema(required = true)]
    pub eta: Option<Time>,
    /// Every stage of the workflow, in order.
    pub stages: Vec<StageStatus>,
    /// What the buyer is asked to do; null if nothing.
    #[schema(required = true)]
    pub action: Option<BuyerAction>,
    /// When this status last changed.
    pub updated_at: Time,
}

/// A stage and its position in the workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StagePosition {
    /// The stage's key.
    pub key: StageKey,
    /// The display name.
    pub name: Name,
    /// Its position, from 1.
    pub position: usize,
    /// The number of stages.
    pub of: usize,
}

/// A stage as the buyer sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StageStatus {
    /// The stage's key.
    pub key: StageKey,
    /// The display name.
    pub name: Name,
    /// Its state.
    pub state: StageState,
    /// When it was approved; null for every other state.
    #[schema(required = true)]
    pub decided_at: Option<Time>,
    /// `bound` if the stage is decided only under credentials that are bound to a person; absent:
    /// `any`.
    #[serde(default, skip_serializing_if = "Assurance::is_any")]
    #[schema(required = false)]
    pub assurance: Assurance,
    /// The panels that review it, in the order of the definition; absent in a stage without panels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub panels: Vec<PanelStatus>,
    /// The party that reviews it; absent in a status that was stored before this field existed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Party, required = false)]
    pub reviewer: Option<Party>,
    /// Whether another party than the one that reviews the stage ever decided it, by approving or
    /// rejecting an escalation. It stays `true` in later rounds and after the end. Default `false`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub overridden: bool,
}

/// A panel of a stage as the buyer sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PanelStatus {
    /// The panel's key.
    pub key: PanelKey,
    /// The display name.
    pub name: Name,
    /// Whether it has approved, in the latest round of the stage. A stage can be approved although
    /// a panel is `open`: by another party (`overridden`), or by a deadline.
    pub state: PanelState,
}

/// The state of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StageState {
    /// Approved, and the task has not returned to an earlier stage since.
    Approved,
    /// The task is here.
    Current,
    /// Still to come, or to be decided again.
    Pending,
    /// The task ended here.
    Ended,
}

/// What the buyer is asked to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BuyerAction {
    /// `review`: decide the stage; `decide`: decide an escalation; `answer`: answer a question, and
    /// decide the stage as well if the commands offer it.
    pub ask: Ask,
    /// The question of an escalation: as put by the person who escalated to the buyer, else worded
    /// by the service. With `answer` the question itself; null once it was erased. Null in a review.
    #[schema(required = true)]
    pub question: Option<Prose>,
    /// The suggested answers to the question, in the order in which `option` counts them; absent if
    /// there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false, max_items = 10)]
    pub options: Vec<Name>,
    /// The advice with which an escalation of this review, raised by the buyer or by a deadline,
    /// was returned; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Prose, required = false)]
    pub advice: Option<Prose>,
    /// The reasons of which a rejection must name one; absent if the stage lists none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false, max_items = 30)]
    pub reasons: Vec<Reason>,
    /// What the stage asked for when it last rejected, as far as the buyer may read it, with the
    /// answers; absent if there is nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub items: Vec<AnsweredItem>,
    /// The work to decide on; null if none was submitted.
    #[schema(required = true)]
    pub revision: Option<RevisionUnderReview>,
    /// When an answer is due; null without a limit.
    #[schema(required = true)]
    pub due_at: Option<Time>,
    /// What happens if no answer comes in time; null without a limit.
    #[schema(required = true)]
    pub on_silence: Option<TimeoutAction>,
    /// The possible answers, each ready to be posted to `/tasks/{id}/events`. A rejection still
    /// needs its `feedback`, an escalation its `reason`, an answer without an `option` its `answer`.
    pub commands: Vec<ReadyCommand>,
}

/// An item of earlier feedback, and its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AnsweredItem {
    /// Its id, which a new rejection can name in `reopens`.
    pub id: ItemId,
    /// The place in the work that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<Text<500>>,
    /// The item.
    pub text: Prose,
    /// The answer; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Answer, required = false)]
    pub answer: Option<Answer>,
}

/// The kind of request to the buyer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Approve or reject the stage.
    Review,
    /// Resolve the escalation.
    Decide,
    /// Answer the question.
    Answer,
}

/// The work under review.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RevisionUnderReview {
    /// Its number, from 1.
    pub revision: u32,
    /// A summary of the work.
    #[schema(required = true)]
    pub summary: Option<Prose>,
    /// References to the work.
    pub artifacts: Vec<Artifact>,
    /// When it was submitted.
    pub submitted_at: Time,
}

/// A command with its target filled in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReadyCommand {
    /// The command's type.
    #[serde(rename = "type")]
    pub kind: CommandType,
    /// The stage.
    pub stage: StageKey,
    /// The stage's round.
    pub round: u32,
    /// The latest revision.
    pub revision: u32,
    /// The escalation that it resolves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalation: Option<u64>,
    /// The question that it answers or withdraws.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<u64>,
    /// The chosen option.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub option: Option<u32>,
    /// The resolution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
    /// The party that must decide instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Party>,
}

impl Status {
    /// The status after a transition recorded at `at`. A status without changes keeps its version
    /// and time.
    pub(in crate::domain) fn after(
        workflow: &Workflow,
        task: &Task,
        notes: &Notes,
        earlier: Option<&Self>,
        at: Time,
    ) -> Self {
        let mut status = Self::render(workflow, task, notes, at);
        if let Some(earlier) = earlier {
            let (version, updated_at) = (status.version, status.updated_at);
            (status.version, status.updated_at) = (earlier.version, earlier.updated_at);
            if status == *earlier {
                return status;
            }
            (status.version, status.updated_at) = (version, updated_at);
        }
        status
    }

    fn render(workflow: &Workflow, task: &Task, notes: &Notes, updated_at: Time) -> Self {
        let stage = task.stage_in(workflow);
        let checkpoint = task.checkpoint.as_ref();
        Self {
            task_id: task.id,
            version: task.version,
            phase: task.phase(),
            label: label(task, stage),
            stage: StagePosition {
                key: stage.key.clone(),
                name: stage.name.clone(),
                position: task.stage + 1,
                of: workflow.stages.len(),
            },
            round: task.round,
            waiting_on: task.waiting_on(workflow),
            since: task.since,
            due_at: task.due_at(),
            overdue: task.is_overdue(),
            message: message(task, notes),
            percent: checkpoint.and_then(|checkpoint| checkpoint.percent),
            eta: checkpoint.and_then(|checkpoint| checkpoint.eta),
            stages: stages(workflow, task),
            action: action(task, stage, notes),
            updated_at,
        }
    }
}

/// A hold's reason takes precedence while the hold lasts, so that no status update can hide it.
fn message(task: &Task, notes: &Notes) -> Option<Message> {
    let held = matches!(task.phase, Phase::OnHold(_));
    if held { notes.reason.clone() } else { notes.message.clone() }
}

fn label(task: &Task, stage: &Stage) -> String {
    let label = match &task.phase {
        Phase::Preparing | Phase::InReview(_) if asks_buyer(task) => labels::BUYER_ANSWERS,
        Phase::Preparing if task.returned => labels::CHANGES,
        Phase::Preparing => labels::PREPARED,
        Phase::InReview(_) => stage.buyer_label.as_str(),
        Phase::Escalated(escalation) => match escalation.to {
            Party::Buyer => labels::BUYER_DECIDES,
            Party::Partner => labels::PARTNER_DECIDES,
            Party::Platform => labels::PLATFORM_DECIDES,
        },
        Phase::OnHold(_) => labels::HELD,
        Phase::Cancelling(_) => labels::CANCELLING,
        Phase::Closed(closed) => match closed.outcome {
            Outcome::Delivery => labels::APPROVED,
            Outcome::Cancelled => labels::CANCELLED,
            Outcome::Expired => labels::EXPIRED,
            Outcome::Failed(_) => labels::FAILED,
        },
    };
    label.to_owned()
}

fn stages(workflow: &Workflow, task: &Task) -> Vec<StageStatus> {
    let phase = task.phase();
    let state = |index: usize| match index.cmp(&task.stage) {
        std::cmp::Ordering::Less => StageState::Approved,
        std::cmp::Ordering::Greater => StageState::Pending,
        std::cmp::Ordering::Equal if phase == PhaseName::Delivery => StageState::Approved,
        std::cmp::Ordering::Equal if phase.is_terminal() => StageState::Ended,
        std::cmp::Ordering::Equal => StageState::Current,
    };
    let stages = workflow.stages.iter().enumerate().map(|(index, stage)| {
        let state = state(index);
        let approved = task.decision(index).filter(|decision| decision.decision == Verdict::Approved);
        let decided_at = approved.filter(|_| state == StageState::Approved).map(|decision| decision.decided_at);
        let (key, name, assurance) = (stage.key.clone(), stage.name.clone(), stage.assurance);
        let overridden = task.stages.get(index).is_some_and(|record| record.overridden);
        let panels = panels(stage, task.stages.get(index).filter(|_| state != StageState::Pending));
        StageStatus { key, name, state, decided_at, assurance, panels, reviewer: Some(stage.reviewer), overridden }
    });
    stages.collect()
}

/// The panels of a stage, with what they said in its latest round if that still counts.
fn panels(stage: &Stage, record: Option<&Record>) -> Vec<PanelStatus> {
    let approved = record.map_or(&[][..], |record| &record.panels);
    let panels = stage.panels().iter().map(|panel| PanelStatus {
        key: panel.key.clone(),
        name: panel.name.clone(),
        state: if approved.contains(&panel.key) { PanelState::Approved } else { PanelState::Open },
    });
    panels.collect()
}

fn action(task: &Task, stage: &Stage, notes: &Notes) -> Option<BuyerAction> {
    let command = |kind| ReadyCommand {
        kind,
        stage: stage.key.clone(),
        round: task.round,
        revision: task.revision,
        escalation: None,
        question: None,
        option: None,
        resolution: None,
        to: None,
    };
    let (ask, on_silence, commands) = match &task.phase {
        Phase::InReview(review) if stage.reviewer == Party::Buyer => {
            let bounded = matches!(review.clock, Clock::Running { .. });
            let silence =
                stage.deadline.as_ref().filter(|_| bounded).map(|deadline| TimeoutAction::from(deadline.on_timeout));
            (Ask::Review, silence, review_commands(task, stage, &command(CommandType::StageApproved)))
        }
        Phase::Escalated(escalation) if escalation.to == Party::Buyer => {
            let bounded = matches!(escalation.clock, ResponseClock::Running { .. });
            let silence = stage.escalation.on_timeout.filter(|_| bounded).map(TimeoutAction::from);
            (Ask::Decide, silence, resolutions(escalation, stage, &command(CommandType::EscalationResolved)))
        }
        Phase::Preparing | Phase::InReview(_) if asks_buyer(task) => {
            return answer(task, notes, None, &command(CommandType::QuestionAnswered));
        }
        Phase::Preparing
        | Phase::InReview(_)
        | Phase::Escalated(_)
        | Phase::OnHold(_)
        | Phase::Cancelling(_)
        | Phase::Closed(_) => return None,
    };
    let revision = notes.submission.as_ref().map(|submitted| RevisionUnderReview {
        revision: submitted.revision,
        summary: submitted.summary.clone(),
        artifacts: submitted.artifacts.clone(),
        submitted_at: submitted.submitted_at,
    });
    let question = match &task.phase {
        Phase::Escalated(escalation) => {
            Some(notes.question_for(Party::Buyer).cloned().unwrap_or_else(|| neutral_question(escalation.cause, stage)))
        }
        Phase::Preparing | Phase::InReview(_) | Phase::OnHold(_) | Phase::Cancelling(_) | Phase::Closed(_) => None,
    };
    let advice = notes.advice_for(Party::Buyer).filter(|_| ask == Ask::Review).cloned();
    // While somebody else is asked, the time of the review stands still.
    let due_at = task.due_at().filter(|_| task.question.is_none());
    let (options, reasons, items) = (Vec::new(), stage.on_reject.reasons.clone(), items(task, stage, notes));
    let action = BuyerAction { ask, question, options, advice, reasons, items, revision, due_at, on_silence, commands };
    if asks_buyer(task) {
        return answer(task, notes, Some(action), &command(CommandType::QuestionAnswered));
    }
    Some(action)
}

/// What the stage asked for in its last rejection, as far as the buyer may read it.
fn items(task: &Task, stage: &Stage, notes: &Notes) -> Vec<AnsweredItem> {
    let Some(returned) = notes.returned_for(&stage.key).filter(|returned| returned.stage == stage.key) else {
        return Vec::new();
    };
    let shared: BTreeSet<ItemId> = task.items().filter(|item| item.shared).map(|item| item.id).collect();
    let item = |item: &FeedbackItem| {
        let id = item.id.filter(|id| shared.contains(id))?;
        let answer = returned.answers.iter().find(|answer| answer.item == id).cloned();
        Some(AnsweredItem { id, anchor: item.anchor.clone(), text: item.text.clone(), answer })
    };
    returned.feedback.iter().flat_map(|feedback| &feedback.items).filter_map(item).collect()
}

/// The votes and escalations of a buyer who reviews, and the end of its own question.
fn review_commands(task: &Task, stage: &Stage, ready: &ReadyCommand) -> Vec<ReadyCommand> {
    let command = |kind| ReadyCommand { kind, ..ready.clone() };
    let escalate =
        stage.escalation.to.iter().map(|to| ReadyCommand { to: Some(*to), ..command(CommandType::StageEscalated) });
    let votes = [command(CommandType::StageApproved), command(CommandType::StageRejected)];
    let own = task.question.filter(|question| question.from == Party::Buyer);
    let withdraw =
        own.map(|question| ReadyCommand { question: Some(question.seq), ..command(CommandType::QuestionWithdrawn) });
    votes.into_iter().chain(escalate).chain(withdraw).collect()
}

/// Whether the task waits for the buyer's answer to a question.
fn asks_buyer(task: &Task) -> bool {
    task.waiting_question().is_some_and(|(question, _)| question.to == Party::Buyer)
}

/// The request for an answer; a buyer who reviews as well is offered both.
fn answer(task: &Task, notes: &Notes, review: Option<BuyerAction>, command: &ReadyCommand) -> Option<BuyerAction> {
    let (question, due_at) = task.waiting_question()?;
    let asked = notes.asked_for(Party::Buyer);
    let options = asked.map_or_else(Vec::new, |asked| asked.options.clone());
    let own = |option| ReadyCommand { question: Some(question.seq), option, ..command.clone() };
    let mut commands: Vec<ReadyCommand> = (1..).zip(&options).map(|(option, _)| own(Some(option))).collect();
    commands.push(own(None));
    let mut action = review.unwrap_or_else(|| BuyerAction::none(due_at));
    commands.append(&mut action.commands);
    Some(BuyerAction {
        ask: Ask::Answer,
        question: asked.and_then(|asked| asked.question.clone()),
        options,
        due_at: Some(due_at),
        on_silence: Some(TimeoutAction::None),
        commands,
        ..action
    })
}

impl BuyerAction {
    /// An action without anything to decide.
    fn none(due_at: Time) -> Self {
        Self {
            ask: Ask::Answer,
            question: None,
            options: Vec::new(),
            advice: None,
            reasons: Vec::new(),
            items: Vec::new(),
            revision: None,
            due_at: Some(due_at),
            on_silence: Some(TimeoutAction::None),
            commands: Vec::new(),
        }
    }
}

/// The service's own question to the buyer, if nobody has put one.
fn neutral_question(cause: Cause, stage: &Stage) -> Prose {
    let name = stage.name.as_str();
    let question = match cause {
        Cause::Person => format!("You are asked to decide “{name}”."),
        Cause::Deadline => format!("“{name}” was not decided in time. How should it go on?"),
        Cause::Exhausted => format!("“{name}” was rejected as often as its workflow allows. How should it go on?"),
        Cause::NoQuorum => format!("Too few reviewers of “{name}” are free to approve it. How should it go on?"),
    };
    Prose::stored(question).expect("a sentence and a name of at most 200 characters")
}

fn resolutions(escalation: &Escalation, stage: &Stage, command: &ReadyCommand) -> Vec<ReadyCommand> {
    let answer = |resolution, to| ReadyCommand {
        escalation: Some(escalation.seq),
        resolution: Some(resolution),
        to,
        ..command.clone()
    };
    let mut answers = vec![answer(Resolution::Approve, None), answer(Resolution::Reject, None)];
    if matches!(escalation.cause, Cause::Person | Cause::Deadline) {
        answers.push(answer(Resolution::Return, None));
    }
    if escalation.handovers < MAX_HANDOVERS {
        let others = stage.escalation.to.iter().filter(|to| **to != escalation.to);
        answers.extend(others.map(|to| answer(Resolution::Redirect, Some(*to))));
    }
    answers
}
