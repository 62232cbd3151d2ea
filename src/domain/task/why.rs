//! Why a task waits, and what one actor can do about it now. What the actor can do is not a second
//! copy of the rules: a minimal command of every type goes through `decide`, and its refusal is
//! read.

use std::mem::discriminant;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::absence::Moment;
use crate::domain::values::id::{ActorId, PanelKey};
use crate::domain::values::party::{Party, Sender};
use crate::domain::values::text::{Message, Name, Prose};
use crate::domain::values::time::Time;
use crate::domain::workflow::{Stage, Workflow};

use super::command::{
    Action, CancellationAcknowledged, CancellationRequested, Command, CommandType, EscalationResolved, Held, Meta,
    QuestionAnswered, QuestionAsked, QuestionWithdrawn, Resumed, ReviewersChanged, StageApproved, StageEscalated,
    StageRejected, StatusUpdated, WorkSubmitted,
};
use super::decide::{Input, Transition, changeable, decide};
use super::event::{Answer, Fact, Feedback, InFlight, Resolution};
use super::refusal::Refusal;
use super::seats::{self, Tally};
use super::snapshot::Snapshot;
use super::view::{PanelView, Reader, review};
use super::{PanelState, Phase, Task, Timer};

/// Why a task waits, as one actor's party sees it, and what that actor can do about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Why {
    /// The party that the task waits on; none when it has ended.
    pub waiting_on: Option<Party>,
    /// Since when stage, phase and that party have been the same.
    pub since: Time,
    /// When the wait is due to end; none without a limit.
    pub due_at: Option<Time>,
    /// What happens then if nobody acts.
    pub then: Option<Silence>,
    /// What the pending decision needs.
    pub needs: Option<Needs>,
    /// The absent person in whose seat the actor would vote in the review; none: the actor's own.
    pub stands_for: Option<ActorId>,
    /// What the actor can do: an entry for each type of command, in the order of the contract.
    pub you: Vec<Ability>,
}

/// What happens at `due_at` if nobody acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Silence {
    /// What happens.
    pub action: SilenceAction,
    /// `escalate`: the party that must decide then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Party, required = false)]
    pub to: Option<Party>,
}

/// What happens if nobody acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SilenceAction {
    /// A party must decide.
    Escalate,
    /// The stage is rejected.
    Reject,
    /// The stage is approved.
    Approve,
    /// The task ends as failed.
    Fail,
    /// The task expires.
    Expire,
    /// The task is cancelled.
    Cancel,
    /// Nothing; the wait is overdue.
    None,
}

/// What the pending decision needs, as far as the reader may know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Needs {
    /// The approving votes of the open review, running or paused; null without one. With panels: of
    /// all panels together, without those that are more than a panel needs.
    #[schema(required = true)]
    pub approvals: Option<VoteCount>,
    /// Its rejecting votes. With panels: those of the panel that is nearest to a rejection.
    #[schema(required = true)]
    pub rejections: Option<VoteCount>,
    /// What each panel needs, in the order of the definition; absent without panels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub panels: Vec<PanelNeeds>,
    /// The named reviewers who may approve; null: anyone of the reviewing party except those who
    /// are excluded. Always null for a buyer.
    #[schema(required = true)]
    pub eligible: Option<Vec<ActorId>>,
    /// The question of the open escalation, or the open question; absent if there is none or the reader
    /// may not see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Prose, required = false)]
    pub question: Option<Prose>,
}

/// What a panel of the open review needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PanelNeeds {
    /// The panel's key.
    pub key: PanelKey,
    /// The display name.
    pub name: Name,
    /// Whether it has approved.
    pub state: PanelState,
    /// Its approving votes.
    pub approvals: VoteCount,
    /// Its rejecting votes, which reject the stage.
    pub rejections: VoteCount,
    /// Those of its reviewers who may approve.
    pub eligible: Vec<ActorId>,
}

/// Votes that stand, and votes that decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VoteCount {
    /// How many stand.
    pub have: u32,
    /// How many decide the stage.
    pub want: u32,
}

/// Whether the actor can send a type of command now.
#[derive(Clone, Debug, PartialEq)]
pub struct Ability {
    /// The type.
    pub command: CommandType,
    /// The resolution, for `escalation_resolved`.
    pub resolution: Option<Resolution>,
    /// Why it is refused; none if it is not.
    pub refusal: Option<Refusal>,
    /// When this changes if nobody acts, as far as the reader may know it.
    pub until: Option<Time>,
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// The actor, under the credential of the request.
    pub sender: &'a Sender,
    /// Whether the platform's own escalations need a second person.
    pub dual_control: bool,
}

impl Why {
    /// Why the task waits at this moment, for the actor of `asker`.
    pub fn new(workflow: &Workflow, snapshot: &Snapshot, asker: Asker<'_>, moment: Moment<'_>) -> Self {
        let Snapshot { task, .. } = snapshot;
        let reader = asker.sender.party;
        let silence = silence(workflow, snapshot, moment).filter(|silence| silence.is_known_to(reader, task, workflow));
        let then = silence.as_ref().filter(|silence| task.due_at() == Some(silence.at)).map(SilentChange::consequence);
        let later = silence.map(|silence| {
            let abilities =
                abilities(workflow, silence.transition.snapshot(), asker, moment.at(silence.at.max(moment.now)));
            (silence.at, abilities)
        });
        let mut you = abilities(workflow, snapshot, asker, moment);
        if let Some((at, later)) = &later {
            let kind = |ability: &Ability| ability.refusal.as_ref().map(discriminant);
            for (ability, _) in you.iter_mut().zip(later).filter(|(now, then)| kind(now) != kind(then)) {
                ability.until = Some(*at);
            }
        }
        Self {
            waiting_on: task.waiting_on(workflow),
            since: task.since(),
            due_at: task.due_at(),
            then,
            needs: needs(workflow, snapshot, Reader { party: reader, moment }),
            stands_for: asker
                .sender
                .actor_ref()
                .and_then(|actor| seats::represented(workflow, task, &actor, moment).cloned()),
            you,
        }
    }
}

/// The change that the earliest timer makes if nobody acts before it. Reminders change nothing.
struct SilentChange {
    at: Time,
    timer: Timer,
    transition: Transition,
}

fn silence(workflow: &Workflow, snapshot: &Snapshot, moment: Moment<'_>) -> Option<SilentChange> {
    let mut present = snapshot.clone();
    loop {
        let (at, timer) = present.task.next_timer()?;
        let transition = decide(workflow, &present, Input::Tick, moment.at(at.max(moment.now))).ok()?;
        if timer != Timer::Reminder {
            return Some(SilentChange { at, timer, transition });
        }
        present = transition.snapshot().clone();
    }
}

impl SilentChange {
    /// A buyer may not read the definition, and so learns only what follows from its own silence
    /// and what ends the task.
    fn is_known_to(&self, reader: Party, task: &Task, workflow: &Workflow) -> bool {
        let ends = matches!(self.timer, Timer::Task | Timer::Grace);
        reader != Party::Buyer || ends || task.waiting_on(workflow) == Some(Party::Buyer)
    }

    fn consequence(&self) -> Silence {
        let mut facts = self.transition.events().iter().map(|event| &event.fact);
        let found = facts.find_map(|fact| {
            let (action, to) = consequence(fact)?;
            Some(Silence { action, to })
        });
        found.unwrap_or(Silence { action: SilenceAction::None, to: None })
    }
}

/// What a fact of a timer's transition means for those who wait; none for the facts around it.
#[expect(clippy::wildcard_enum_match_arm, reason = "every other fact accompanies one of these")]
fn consequence(fact: &Fact) -> Option<(SilenceAction, Option<Party>)> {
    Some(match fact {
        Fact::StageEscalated(escalated) => (SilenceAction::Escalate, Some(escalated.to)),
        Fact::StageRejected(_) => (SilenceAction::Reject, None),
        Fact::StageApproved { .. } => (SilenceAction::Approve, None),
        Fact::WorkflowFailed { .. } => (SilenceAction::Fail, None),
        Fact::WorkflowExpired {} => (SilenceAction::Expire, None),
        Fact::WorkflowCancelled {} => (SilenceAction::Cancel, None),
        _ => return None,
    })
}

/// The buyer reads neither the quorum nor the votes of others.
fn needs(workflow: &Workflow, Snapshot { task, notes, .. }: &Snapshot, who: Reader<'_>) -> Option<Needs> {
    let reader = who.party;
    let shows_votes = reader != Party::Buyer || task.stage_in(workflow).reviewer == Party::Buyer;
    let review = review(workflow, task, notes, who).filter(|_| shows_votes);
    let question = match &task.phase {
        Phase::Escalated(_) => notes.question_for(reader).cloned(),
        Phase::Preparing | Phase::InReview(_) | Phase::OnHold(_) | Phase::Cancelling(_) | Phase::Closed(_) => {
            notes.asked_for(reader).and_then(|asked| asked.question.clone())
        }
    };
    if review.is_none() && question.is_none() {
        return None;
    }
    let Some(review) = review else {
        return Some(Needs { approvals: None, rejections: None, panels: Vec::new(), eligible: None, question });
    };
    let tallies = seats::tallies(workflow, task, None);
    let approvals = VoteCount::new(
        tallies.iter().map(|tally| tally.approvals.min(tally.needed)).sum(),
        tallies.iter().map(|tally| tally.needed).sum(),
    );
    let rejections =
        tallies.iter().map(VoteCount::rejections).min_by_key(|count| count.want.saturating_sub(count.have));
    let counted = |(panel, tally): (PanelView, &Tally<'_>)| PanelNeeds {
        key: panel.key,
        name: panel.name,
        state: panel.state,
        approvals: VoteCount::new(tally.approvals, tally.needed),
        rejections: VoteCount::rejections(tally),
        eligible: panel.eligible,
    };
    let panels = review.panels.into_iter().zip(&tallies).map(counted).collect();
    Some(Needs { approvals: Some(approvals), rejections, panels, eligible: review.eligible, question })
}

impl VoteCount {
    fn new(have: usize, want: usize) -> Self {
        let number = |count| u32::try_from(count).unwrap_or(u32::MAX);
        Self { have: number(have), want: number(want) }
    }

    fn rejections(tally: &Tally<'_>) -> Self {
        Self::new(tally.rejections, tally.group.rejections as usize)
    }
}

/// An entry for each type of command and each resolution, without `until`.
pub(in crate::domain) fn abilities(
    workflow: &Workflow,
    snapshot: &Snapshot,
    asker: Asker<'_>,
    moment: Moment<'_>,
) -> Vec<Ability> {
    let task = &snapshot.task;
    let party = asker.sender.party;
    let actions = CommandType::ALL.into_iter().flat_map(|kind| minimal(kind, task, workflow, party));
    let ability = |action: Action| {
        let command = action.command_type();
        let resolution = if let Action::EscalationResolved(body) = &action { Some(body.resolution) } else { None };
        let refusal = refusal(workflow, snapshot, command_of(workflow, task, asker, action), moment);
        Ability { command, resolution, refusal, until: None }
    };
    actions.map(ability).collect()
}

fn command_of(workflow: &Workflow, task: &Task, asker: Asker<'_>, action: Action) -> Result<Command, Vec<Refusal>> {
    let changes = matches!(action, Action::ReviewersChanged(_));
    let stage = if changes { changed_stage(workflow, task) } else { task.stage_in(workflow) };
    let meta = Meta {
        stage: Some(stage.key.clone()),
        round: Some(task.round()).filter(|_| !changes),
        revision: Some(task.revision()),
        dual_control: asker.dual_control,
        ..Meta::new(asker.sender.clone())
    };
    Command::new(meta, action)
}

/// Why the command is refused. A refusal of its content does not count, since the actor would send
/// another content.
fn refusal(
    workflow: &Workflow,
    snapshot: &Snapshot,
    command: Result<Command, Vec<Refusal>>,
    moment: Moment<'_>,
) -> Option<Refusal> {
    let refusal = match command {
        Err(refusals) => refusals.into_iter().next(),
        Ok(command) => match decide(workflow, snapshot, Input::Party(&command), moment) {
            Ok(transition) => transition.late().cloned(),
            Err(refusal) => Some(refusal),
        },
    };
    refusal.filter(|refusal| !refusal.is_about_content()).map(|refusal| refusal.unrecorded())
}

/// The commands of a type that say the least: for `escalation_resolved`, one for each resolution.
fn minimal(kind: CommandType, task: &Task, workflow: &Workflow, party: Party) -> Vec<Action> {
    let stage = task.stage_in(workflow);
    let (prose, message) = (|| Prose::parse("-").expect("a short text"), || Message::parse("-").expect("a short text"));
    let action = match kind {
        CommandType::WorkSubmitted => {
            let answers = task.unanswered(workflow).into_iter().map(Answer::done).collect();
            Action::WorkSubmitted(WorkSubmitted { summary: Some(prose()), artifacts: Vec::new(), answers })
        }
        CommandType::StatusUpdated => {
            Action::StatusUpdated(StatusUpdated { message: message(), percent: None, eta: None })
        }
        CommandType::StageApproved => Action::StageApproved(StageApproved::default()),
        CommandType::StageRejected => {
            Action::StageRejected(StageRejected { feedback: Some(feedback(stage)), return_to: None })
        }
        CommandType::StageEscalated => {
            Action::StageEscalated(StageEscalated { to: stage.default_escalation(), reason: prose() })
        }
        CommandType::EscalationResolved => {
            let resolve = |resolution| Action::EscalationResolved(resolved(resolution, task, stage));
            return Resolution::ALL.map(resolve).into();
        }
        CommandType::QuestionAsked => {
            let mut others = stage.questions.to.iter().copied().filter(|to| *to != party);
            let to = others.next().unwrap_or(if party == Party::Platform { Party::Partner } else { Party::Platform });
            let (question, options) = (prose(), Vec::new());
            Action::QuestionAsked(QuestionAsked { to, question, options, share_with_buyer: false })
        }
        CommandType::QuestionAnswered => {
            let (question, answer) = (latest_question(task), Some(prose()));
            Action::QuestionAnswered(QuestionAnswered { question, answer, option: None, artifacts: Vec::new() })
        }
        CommandType::QuestionWithdrawn => {
            Action::QuestionWithdrawn(QuestionWithdrawn { question: latest_question(task) })
        }
        CommandType::ReviewersChanged => Action::ReviewersChanged(ReviewersChanged {
            panel: changed_stage(workflow, task).panels().first().map(|panel| panel.key.clone()),
            // Somebody whom no stage names.
            add: vec![ActorId::erased(0)],
            remove: Vec::new(),
            reason: prose(),
        }),
        CommandType::Held => Action::Held(Held { reason: message() }),
        CommandType::Resumed => Action::Resumed(Resumed {}),
        CommandType::CancellationRequested => {
            Action::CancellationRequested(CancellationRequested { reason: message(), immediate: false })
        }
        CommandType::CancellationAcknowledged => Action::CancellationAcknowledged(CancellationAcknowledged {
            in_flight: InFlight::Discarded,
            notes: None,
            artifacts: Vec::new(),
        }),
    };
    vec![action]
}

/// The stage whose reviewers may change first, or else the current one.
fn changed_stage<'a>(workflow: &'a Workflow, task: &Task) -> &'a Stage {
    changeable(workflow, task).unwrap_or_else(|| task.stage_in(workflow))
}

/// The open question, or else the last one of the round.
fn latest_question(task: &Task) -> u64 {
    let last = || task.questions.last.map_or(0, |closed| closed.question);
    task.question.map_or_else(last, |question| question.seq)
}

/// The shortest feedback that the stage accepts.
fn feedback(stage: &Stage) -> Feedback {
    let reason = stage.on_reject.reasons.first().map(|reason| reason.key.clone());
    Feedback { reason, ..Feedback::new(Prose::parse("-").expect("a short text")) }
}

/// A resolution of the escalation that is open, or was when the task began to end.
fn resolved(resolution: Resolution, task: &Task, stage: &Stage) -> EscalationResolved {
    let asked = match &task.phase {
        Phase::Escalated(escalation) => Some((escalation.seq, escalation.to)),
        Phase::Cancelling(wind_down) => wind_down.open.escalation.map(|asked| (asked.seq, asked.to)),
        Phase::Closed(closed) => closed.open.escalation.map(|asked| (asked.seq, asked.to)),
        Phase::Preparing | Phase::InReview(_) | Phase::OnHold(_) => None,
    };
    let (escalation, holder) = asked.map_or((0, None), |(seq, holder)| (seq, Some(holder)));
    let other = stage.escalation.to.iter().copied().find(|to| Some(*to) != holder);
    EscalationResolved {
        escalation,
        resolution,
        feedback: (resolution == Resolution::Reject).then(|| feedback(stage)),
        return_to: None,
        advice: None,
        to: other.filter(|_| resolution == Resolution::Redirect),
    }
}
