//! `decide`: the effect of a command on a task, or why it is refused. The one decision path: API,
//! timers, bulk requests and dry runs all use it.
//!
//! The checks run in a fixed order (closed or late → party → key → stage and round → phase → actor
//! → revision → content), so that the same command is refused for the same reason from every entry
//! point. `table.rs` holds the transition table that this code implements.

mod cancel;
mod clock;
mod draft;
mod escalate;
mod feedback;
mod hold;
mod input;
mod question;
mod record_erasure;
mod review;
mod reviewers;
mod second_person;
mod timer;

use chrono::TimeDelta;
use draft::{By, Draft};
use review::Ballot;

use crate::domain::absence::Moment;
use crate::domain::values::id::{StageKey, TaskId};
use crate::domain::values::party::{Party, Sender};
use crate::domain::values::text::Name;
use crate::domain::values::time::Time;
use crate::domain::workflow::{Assurance, Stage, Workflow};

use super::command::{Action, Command, CommandType};
use super::event::{Event, Fact, LateDecision, Opened, WorkflowRef};
use super::limits::MAX_ENTRIES;
use super::refusal::Refusal;
use super::snapshot::Snapshot;
use super::{Phase, TagSecret, Task, seats};

pub use input::{Erasure, Input};

/// The effect of an accepted command. Only this module builds one, and the store writes nothing
/// else.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    expected_version: u64,
    events: Vec<Event>,
    snapshot: Snapshot,
    late: Option<Refusal>,
}

impl Transition {
    /// The version of the task that was decided on; 0 for an opening.
    pub fn expected_version(&self) -> u64 {
        self.expected_version
    }

    /// The events to append, in order.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The task's state afterwards.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The refusal to answer although an event is recorded: the decision came too late to count.
    pub fn late(&self) -> Option<&Refusal> {
        self.late.as_ref()
    }

    /// The parts, for a caller that no longer needs the whole.
    pub fn into_parts(self) -> (Vec<Event>, Snapshot) {
        (self.events, self.snapshot)
    }
}

/// A request of the platform to open a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Opening {
    /// The task.
    pub task_id: TaskId,
    /// Who opens it.
    pub sender: Sender,
    /// The pinned version.
    pub workflow: WorkflowRef,
    /// The definition's digest.
    pub definition: [u8; 32],
    /// The title of the task.
    pub title: Name,
    /// The platform's own data.
    pub metadata: Option<serde_json::Map<String, serde_json::Value>>,
    /// The platform's deadline. The earlier of this and the workflow's applies.
    pub deadline_at: Option<Time>,
    /// The secret of the actors' tags.
    pub tag_secret: TagSecret,
}

/// Opens a task.
pub fn open(workflow: &Workflow, opening: Opening, moment: Moment<'_>) -> Result<Transition, Refusal> {
    let now = moment.now;
    if opening.deadline_at.is_some_and(|deadline| deadline <= now) {
        return Err(Refusal::invalid("/deadline_at", "not_in_future", "must be in the future"));
    }
    let own = workflow.deadline.as_ref().map(|deadline| workflow.after(deadline.clock, now, deadline.within.delta()));
    let opened = Opened {
        task_id: opening.task_id,
        workflow: opening.workflow,
        definition: hex::encode(opening.definition),
        deadline_at: opening.deadline_at.into_iter().chain(own).min(),
        title: Some(opening.title),
        metadata: opening.metadata,
    };
    let mut draft = Draft::opening(workflow, (opening.sender, opening.tag_secret), opened, moment);
    draft.enter(0, false);
    Ok(draft.finish(None))
}

/// The effect of `input` on the task at this moment, or why it is refused.
pub fn decide(
    workflow: &Workflow,
    snapshot: &Snapshot,
    input: Input<'_>,
    moment: Moment<'_>,
) -> Result<Transition, Refusal> {
    let mut draft = Draft::new(workflow, snapshot, input, moment);
    match input {
        Input::Party(command) => return decide_command(draft, command),
        Input::Tick => timer::tick(&mut draft)?,
        Input::Erase(erasure) => record_erasure::record(&mut draft, erasure),
    }
    Ok(draft.finish(None))
}

fn decide_command(mut draft: Draft<'_>, command: &Command) -> Result<Transition, Refusal> {
    let occurred = check_occurred(draft.task().opened_at(), command);
    if let Some(closed) = closed_or_late(&draft, command)? {
        occurred?;
        let seq = draft.task().version() + 1;
        draft.push(Fact::LateDecisionRecorded(late_decision(draft.task(), command)), By::Sender);
        return Ok(draft.finish(Some(closed(Some(seq)))));
    }
    match &command.action {
        Action::WorkSubmitted(body) => review::submit(&mut draft, command, body)?,
        Action::StatusUpdated(body) => review::update_status(&mut draft, command, body)?,
        Action::StageApproved(body) => review::vote(&mut draft, command, Ballot::Approve(body))?,
        Action::StageRejected(body) => review::vote(&mut draft, command, Ballot::Reject(body))?,
        Action::StageEscalated(body) => escalate::raise(&mut draft, command, body)?,
        Action::EscalationResolved(body) => escalate::resolve(&mut draft, command, body)?,
        Action::QuestionAsked(body) => question::ask(&mut draft, command, body)?,
        Action::QuestionAnswered(body) => question::answer(&mut draft, command, body)?,
        Action::QuestionWithdrawn(body) => question::withdraw(&mut draft, command, body)?,
        Action::ReviewersChanged(body) => reviewers::change(&mut draft, command, body)?,
        Action::Held(body) => hold::hold(&mut draft, command, body)?,
        Action::Resumed(_) => hold::resume(&mut draft, command)?,
        Action::CancellationRequested(body) => cancel::request(&mut draft, command, body)?,
        Action::CancellationAcknowledged(body) => cancel::acknowledge(&mut draft, command, body)?,
    }
    occurred?;
    Ok(draft.finish(None))
}

/// Refuses an `occurred_at` more than a day before the task was opened.
fn check_occurred(opened_at: Time, command: &Command) -> Result<(), Refusal> {
    if command.meta.occurred_at.is_some_and(|at| at < opened_at - TimeDelta::days(1)) {
        let rule = "must not be more than one day before the task was opened";
        return Err(Refusal::invalid("/occurred_at", "out_of_range", rule));
    }
    Ok(())
}

type Closing = fn(Option<u64>) -> Refusal;

/// `Ok(None)`: the task is open. `Ok(Some)`: record the decision as late, then answer with that
/// refusal.
fn closed_or_late(draft: &Draft<'_>, command: &Command) -> Result<Option<Closing>, Refusal> {
    let (closing, open): (Closing, _) = match &draft.task().phase {
        Phase::Closed(closed) => (|recorded| Refusal::TaskClosed { recorded }, closed.open),
        Phase::Cancelling(wind_down) => (|recorded| Refusal::Cancelling { recorded }, wind_down.open),
        Phase::Preparing | Phase::InReview(_) | Phase::Escalated(_) | Phase::OnHold(_) => return Ok(None),
    };
    let (task, meta, party) = (draft.task(), &command.meta, command.meta.sender.party);
    let stage = task.stage_in(draft.workflow);
    let here =
        meta.stage.as_ref().is_none_or(|key| *key == stage.key) && meta.round.is_none_or(|round| round == task.round);
    let could_count = here
        && match &command.action {
            Action::StageApproved(_) | Action::StageRejected(_) => open.review && party == stage.reviewer,
            Action::EscalationResolved(body) => {
                open.escalation.is_some_and(|asked| asked.seq == body.escalation && asked.to == party)
            }
            Action::WorkSubmitted(_)
            | Action::StatusUpdated(_)
            | Action::StageEscalated(_)
            | Action::QuestionAsked(_)
            | Action::QuestionAnswered(_)
            | Action::QuestionWithdrawn(_)
            | Action::ReviewersChanged(_)
            | Action::Held(_)
            | Action::Resumed(_)
            | Action::CancellationRequested(_)
            | Action::CancellationAcknowledged(_) => false,
        };
    match (could_count, meta.late) {
        // What is recorded under a name must come from a key that can use the name.
        (true, _) if !meta.sender.admitted => Err(Refusal::KeyActor),
        (true, None) if task.version() >= MAX_ENTRIES => Err(closing(None)),
        (true, None) => Ok(Some(closing)),
        (true, recorded) => Err(closing(recorded)),
        (false, _) if task.phase().is_terminal() => Err(closing(None)),
        (false, _) => Ok(None),
    }
}

fn late_decision(task: &Task, command: &Command) -> LateDecision {
    let mut late = LateDecision {
        command: command.action.command_type(),
        phase: task.phase(),
        revision: command.meta.revision,
        escalation: None,
        resolution: None,
        return_to: None,
        to: None,
        feedback: None,
        advice: None,
    };
    if let Action::StageApproved(body) = &command.action {
        late.feedback.clone_from(&body.feedback);
    }
    if let Action::StageRejected(body) = &command.action {
        late.feedback.clone_from(&body.feedback);
        late.return_to.clone_from(&body.return_to);
    }
    if let Action::EscalationResolved(body) = &command.action {
        (late.escalation, late.resolution, late.to) = (Some(body.escalation), Some(body.resolution), body.to);
        late.feedback.clone_from(&body.feedback);
        late.return_to.clone_from(&body.return_to);
        late.advice.clone_from(&body.advice);
    }
    late
}

/// The stage that a command refers to, compared with the current one.
pub(in crate::domain) struct Place<'a> {
    pub(in crate::domain) stage: &'a Stage,
    /// An error if the named stage and round are already decided or not the current ones.
    pub(in crate::domain) check: Result<(), Refusal>,
}

/// The stage that the command names, or else the current one, and whether the task is in it.
fn place<'a>(workflow: &'a Workflow, task: &Task, command: &Command) -> Result<Place<'a>, Refusal> {
    let named = command.meta.stage.as_ref();
    let (index, stage) = match named {
        Some(key) => workflow.find(key).ok_or_else(|| unknown_stage(key))?,
        None => (task.stage, task.stage_in(workflow)),
    };
    let round = command.meta.round.unwrap_or(task.round);
    let decision = task.decision(index);
    let rounds = task.stages.get(index).map_or(0, |record| record.rounds);
    let decided = (1..rounds).contains(&round) || decision.is_some_and(|decision| decision.round == round);
    let answers_exhausted = matches!(task.phase, Phase::Escalated(_)) && index == task.stage && round == task.round;
    let check = if decided && command.is_about_a_round() && !(answers_exhausted && is_resolution(command)) {
        Err(Refusal::AlreadyDecided { decision: decision.filter(|decision| decision.round == round).cloned() })
    } else if index != task.stage {
        Err(Refusal::StageMismatch)
    } else if round != task.round {
        Err(Refusal::RoundMismatch)
    } else {
        Ok(())
    };
    Ok(Place { stage, check })
}

fn is_resolution(command: &Command) -> bool {
    matches!(command.action, Action::EscalationResolved(_))
}

fn unknown_stage(key: &StageKey) -> Refusal {
    Refusal::invalid("/stage", "unknown_stage", format!("the workflow has no stage {key}"))
}

/// Compares the revision that the command is about with the latest one.
fn check_revision(task: &Task, command: &Command) -> Result<(), Refusal> {
    match command.meta.revision {
        Some(revision) if revision > task.revision => {
            Err(Refusal::invalid("/revision", "unknown_revision", format!("the latest revision is {}", task.revision)))
        }
        Some(revision) if revision < task.revision => Err(Refusal::StaleRevision),
        Some(_) | None => Ok(()),
    }
}

/// Refuses commands that only lengthen a long trail without advancing the task.
fn check_length(task: &Task) -> Result<(), Refusal> {
    if task.version() < MAX_ENTRIES {
        return Ok(());
    }
    Err(Refusal::LimitReached(
        "the trail has 10,000 entries and accepts only what advances or ends the task, such as a deciding vote, an escalation, its resolution or a cancellation",
    ))
}

/// Refuses an actor that the sender's key is not bound to.
fn check_actor(sender: &Sender) -> Result<(), Refusal> {
    if sender.admitted { Ok(()) } else { Err(Refusal::KeyActor) }
}

/// Refuses a decision under a key that is not bound to its actor, where the stage requires one.
fn check_bound(stage: &Stage, sender: &Sender) -> Result<(), Refusal> {
    match stage.assurance {
        Assurance::Bound if !sender.bound => Err(Refusal::KeyUnbound),
        Assurance::Bound | Assurance::Any => Ok(()),
    }
}

/// Checks the party, and whether its key can name the actor.
fn only(parties: &[Party], sender: &Sender) -> Result<(), Refusal> {
    if parties.contains(&sender.party) {
        return check_actor(sender);
    }
    let names: Vec<&str> = parties.iter().map(|party| party.as_str()).collect();
    Err(Refusal::WrongParty(names.join(" or ")))
}

/// The shared checks before the phase check: the party, and stage and round if the sender names
/// them.
fn guard(draft: &Draft<'_>, command: &Command, parties: &[Party]) -> Result<(), Refusal> {
    let place = place(draft.workflow, draft.task(), command)?;
    only(parties, &command.meta.sender)?;
    place.check
}

/// The types of commands that `party` can send now. Their content may still be refused.
pub fn allowed(workflow: &Workflow, task: &Task, party: Party) -> Vec<CommandType> {
    let reviewer = task.stage_in(workflow).reviewer;
    let (partner, platform) = (party == Party::Partner, party == Party::Platform);
    let may_escalate = partner || platform || party == reviewer;
    let submission_open = task.stage == 0 || task.began_preparing;
    let open =
        |list: &[(CommandType, bool)]| list.iter().filter(|(_, open)| *open).map(|(command, _)| *command).collect();
    let (update, hold) = ((CommandType::StatusUpdated, partner), (CommandType::Held, partner || platform));
    let people = (CommandType::ReviewersChanged, partner && changeable(workflow, task).is_some());
    let cancel = (CommandType::CancellationRequested, true);
    let [asks, answers, withdraws] = question::open_to(workflow, task, party);
    let ask = (CommandType::QuestionAsked, asks);
    let (answer, withdraw) = ((CommandType::QuestionAnswered, answers), (CommandType::QuestionWithdrawn, withdraws));
    match &task.phase {
        Phase::Preparing => {
            open(&[(CommandType::WorkSubmitted, partner), update, ask, answer, withdraw, people, hold, cancel])
        }
        Phase::InReview(_) => open(&[
            (CommandType::WorkSubmitted, partner && submission_open),
            update,
            (CommandType::StageApproved, party == reviewer),
            (CommandType::StageRejected, party == reviewer),
            (CommandType::StageEscalated, may_escalate),
            ask,
            answer,
            withdraw,
            people,
            hold,
            cancel,
        ]),
        Phase::Escalated(escalation) => {
            open(&[update, (CommandType::EscalationResolved, party == escalation.to), people, cancel])
        }
        Phase::OnHold(pause) => open(&[update, people, (CommandType::Resumed, party == pause.by || platform), cancel]),
        Phase::Cancelling(_) => open(&[
            update,
            (CommandType::CancellationAcknowledged, partner),
            (CommandType::CancellationRequested, platform),
        ]),
        Phase::Closed(_) => Vec::new(),
    }
}

/// The first stage that the task has yet to decide and whose named reviewers may change.
pub(in crate::domain) fn changeable<'a>(workflow: &'a Workflow, task: &Task) -> Option<&'a Stage> {
    workflow.stages.iter().skip(task.stage).find(|stage| stage.names_reviewers() && !stage.fixes_reviewers())
}

/// Whether the decision that the task waits for is open to the actor of `sender`, including
/// approval: a vote that the review allows, or a resolution. Nobody of a panel that has approved is
/// asked any more, although the vote may still change. If nobody of the partner may approve an
/// escalation, it is open to everybody, since they may resolve it in another way. If the task waits
/// for something else, such as the answer to a question, any actor of the party may provide it.
/// `dual_control`: see [`Meta`](super::command::Meta).
pub fn may_decide(
    workflow: &Workflow,
    task: &Task,
    (sender, dual_control): (&Sender, bool),
    moment: Moment<'_>,
) -> bool {
    let Some(actor) = sender.actor_ref() else { return false };
    if task.waiting_question().is_some_and(|(question, _)| question.to == actor.party) {
        return true;
    }
    match &task.phase {
        Phase::InReview(_) => {
            let is_asked = |seat: &seats::Filled<'_>| seat.group.key().is_none_or(|key| !task.has_approved(key));
            let seat = seats::filled(workflow, task, &actor, moment).filter(is_asked);
            seat.is_some_and(|seat| seat.bar(workflow, task, &actor).is_none())
        }
        Phase::Escalated(escalation) => {
            let open = match actor.party {
                Party::Partner => {
                    second_person::check_vote_of_partner(workflow, task, &actor, moment).is_ok()
                        || !second_person::can_partner_approve(workflow, task, moment)
                }
                Party::Platform => !dual_control || second_person::is_second_person(task, sender),
                Party::Buyer => true,
            };
            escalation.to == actor.party && open
        }
        Phase::Preparing | Phase::OnHold(_) | Phase::Cancelling(_) => task.waiting_on(workflow) == Some(actor.party),
        Phase::Closed(_) => false,
    }
}
