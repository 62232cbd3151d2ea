//! A task as partner and platform read it. (The buyer reads the status; rows of the trail are cut in `audit`.)

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::audit::Hash;
use crate::domain::values::id::{ActorId, BuyerId, PartnerId, StageKey, TaskId};
use crate::domain::values::party::{Actor, ActorRef, Party, Source};
use crate::domain::values::text::{Message, Name, Prose};
use crate::domain::values::time::{Seconds, Time};
use crate::domain::workflow::{Quorum, Workflow};

use super::command::CommandType;
use super::decide::{Snapshot, allowed, bar};
use super::event::WorkflowRef;
use super::notes::{Notes, Returned, Submitted};
use super::refusal::Refusal;
use super::status::{StagePosition, StageState};
use super::{Cause, Decision, Phase, PhaseName, Task, Verdict, Vote, WindDown};

/// What a task is, whatever happens to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// Whose agent does the work.
    pub partner_id: PartnerId,
    /// Who posted the task.
    pub buyer_id: BuyerId,
    /// The pinned version.
    pub workflow: WorkflowRef,
    /// What the task is called.
    pub title: Option<Name>,
    /// The platform's own data.
    pub metadata: Option<serde_json::Map<String, serde_json::Value>>,
}

/// A task as partner and platform read it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Task)]
pub struct TaskView {
    /// The task's id, as the platform gave it.
    pub id: TaskId,
    /// Whose agent does the work.
    pub partner_id: PartnerId,
    /// Who posted the task.
    pub buyer_id: BuyerId,
    /// The workflow version, pinned for life.
    pub workflow: WorkflowRef,
    /// What the task is called, at most 200 characters; null once erased.
    pub title: Option<Name>,
    /// The platform's own data, at most 16 KiB; null if there is none.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<serde_json::Map<String, serde_json::Value>>,
    /// The `seq` of the task's last event; the `ETag` is this in quotes.
    pub version: u64,
    /// Where the task is.
    pub phase: PhaseName,
    /// The same in plain words, as the buyer reads it.
    pub label: String,
    /// The current stage; of a task that is over, the one where it ended.
    pub stage: StagePosition,
    /// How many times the task has entered this stage, from 1.
    pub round: u32,
    /// The latest revision; 0: nothing was handed in.
    pub revision: u32,
    /// The party that the task waits on; null when it is over.
    pub waiting_on: Option<Party>,
    /// Since when it has stood like this.
    pub since: Time,
    /// When the present wait should end; null without a limit.
    pub due_at: Option<Time>,
    /// Whether that passed and the wait goes on.
    pub overdue: bool,
    /// When the task was opened.
    pub opened_at: Time,
    /// When the task expires; null without a deadline.
    pub deadline_at: Option<Time>,
    /// When its last event was recorded.
    pub updated_at: Time,
    /// The partner's latest word to the buyer at this stage, or why the task is on hold; null without one.
    pub message: Option<Message>,
    /// How much is done, 0 to 100; null without a word.
    pub percent: Option<u8>,
    /// When the partner expects to be done; null without a word.
    pub eta: Option<Time>,
    /// Every stage, in order.
    pub stages: Vec<StageView>,
    /// Whose time it was, by stage, then party: how long the task has waited on whom since it was opened, as of the
    /// answer (of a command's answer: as of the command). The `seconds` add up to the whole, to the microsecond:
    /// from `opened_at` to now, or to the end. They grow while the task waits, but do not change the `ETag`: after
    /// a `304`, count on.
    pub time_spent: Vec<TimeSpent>,
    /// The latest work handed in; null when there is none or the task is over (it stays in the trail).
    pub submission: Option<Submitted>,
    /// The feedback that sent the task back; null when nothing did, or a stage was approved since.
    pub feedback: Option<Returned>,
    /// The review that is open, running or paused; null without one.
    pub review: Option<ReviewView>,
    /// The escalation that is open; null without one.
    pub escalation: Option<EscalationView>,
    /// The hold; null without one.
    pub hold: Option<HoldView>,
    /// The cancellation that is winding down; null without one.
    pub cancellation: Option<CancellationView>,
    /// The commands that the caller's party could send now, by type.
    #[schema(value_type = Vec<CommandType>)]
    pub allowed: Vec<String>,
    /// The hash of the last row of the trail. Null in a dry run.
    pub head_hash: Option<Hash>,
}

/// A stage and its latest decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StageView {
    /// The stage's key.
    pub key: StageKey,
    /// What people call it.
    pub name: Name,
    /// How it stands.
    pub state: StageState,
    /// How many times the task entered it.
    pub rounds: u32,
    /// Its latest decision; null without one.
    pub decision: Option<Decision>,
}

/// How long the task waited on a party in a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TimeSpent {
    /// The party that the task waited on.
    pub party: Party,
    /// The stage that it was in.
    pub stage: StageKey,
    /// For how long, in all rounds.
    pub seconds: Seconds,
    /// How much of `seconds` the task was on hold at this party's wish.
    pub held_seconds: Seconds,
}

/// A review: who voted, who may.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReviewView {
    /// The votes that stand: the latest of each actor on the latest revision.
    pub votes: Vec<VoteView>,
    /// How many votes make a decision.
    pub needed: Quorum,
    /// The named reviewers that may approve; null: anyone of the reviewing party but those excluded.
    pub eligible: Option<Vec<ActorId>>,
    /// Who may not approve, and why; rejecting is open to them.
    pub excluded: Vec<Exclusion>,
    /// The latest advice with which an escalation of this review was returned; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Prose, required = false)]
    pub advice: Option<Prose>,
}

/// A vote that stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VoteView {
    /// The `seq` of its event.
    pub seq: u64,
    /// Who voted.
    pub actor: Actor,
    /// Approved or rejected.
    pub decision: Verdict,
    /// Where a rejection wants the task to go back to.
    pub return_to: Option<StageKey>,
    /// When it was recorded.
    pub voted_at: Time,
}

/// Somebody who may not approve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Exclusion {
    /// The actor's id.
    pub actor: ActorId,
    /// Why.
    pub why: ExclusionReason,
}

/// Why somebody may not approve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExclusionReason {
    /// They handed in the latest revision, or an earlier one in the same round.
    SelfApproval,
    /// Their approval counted in a stage that this one must be distinct from.
    NotDistinct,
}

/// An open escalation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EscalationView {
    /// The `seq` of its event: what a resolution names.
    pub seq: u64,
    /// The party that must make the call.
    pub to: Party,
    /// Why it came to this.
    pub cause: Cause,
    /// Who raised it.
    pub raised_by: Source,
    /// The question; null where nobody put one.
    pub question: Option<Prose>,
    /// How often it changed hands, at most 3 and then once more to the platform.
    pub handovers: u32,
}

/// A hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HoldView {
    /// The party that held the task.
    pub by: Party,
    /// Why.
    pub reason: Option<Message>,
}

/// A cancellation that is winding down. Whatever happens, the task is `cancelled` at `grace_until`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CancellationView {
    /// The party that asked for it.
    pub by: Party,
    /// Why.
    pub reason: Option<Message>,
    /// When the task is cancelled if the partner does not acknowledge before.
    pub grace_until: Time,
    /// The party that is still expected to act.
    pub waiting_on: Party,
    /// The command expected of it.
    #[schema(value_type = CommandType)]
    pub expected: String,
    /// What may still be sent besides, by whom, and what it does. Nobody has to.
    pub possible: Vec<Possible>,
}

/// What may still be sent while a task is being cancelled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Possible {
    /// Who may send it.
    pub party: Party,
    /// The command.
    #[schema(value_type = CommandType)]
    pub command: String,
    /// What it does.
    pub effect: PossibleEffect,
}

/// What a command does that may still be sent while a task is being cancelled. `recorded`: the decision does not
/// count any more and is refused with `409 cancelling`, but it is kept in the trail (`recorded.seq`), once per
/// person. `cancels_at_once`: with `immediate: true` the grace is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PossibleEffect {
    /// Kept, but of no effect.
    Recorded,
    /// The end.
    CancelsAtOnce,
}

/// Who reads, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reader {
    /// The party.
    pub party: Party,
    /// The time of the answer.
    pub at: Time,
}

impl TaskView {
    /// The task as `reader` reads it.
    pub fn new(
        workflow: &Workflow,
        identity: &Identity,
        snapshot: &Snapshot,
        head_hash: Option<Hash>,
        reader: Reader,
    ) -> Self {
        let Snapshot { task, notes, status } = snapshot;
        Self {
            id: task.id,
            partner_id: identity.partner_id,
            buyer_id: identity.buyer_id,
            workflow: identity.workflow.clone(),
            title: identity.title.clone(),
            metadata: identity.metadata.clone(),
            version: task.version,
            phase: status.phase,
            label: status.label.clone(),
            stage: status.stage.clone(),
            round: task.round,
            revision: task.revision,
            waiting_on: status.waiting_on,
            since: task.since,
            due_at: status.due_at,
            overdue: status.overdue,
            opened_at: task.opened_at,
            deadline_at: task.deadline_at,
            updated_at: task.recorded_at,
            message: status.message.clone(),
            percent: status.percent,
            eta: status.eta,
            stages: stages(snapshot),
            time_spent: time_spent(workflow, task, reader.at),
            submission: notes.submission.clone(),
            feedback: notes.returned.clone(),
            review: review(workflow, task, notes, reader.party),
            escalation: escalation(task, notes, reader.party),
            hold: hold(task, notes),
            cancellation: cancellation(workflow, task, notes),
            allowed: allowed(workflow, task, reader.party).into_iter().map(str::to_owned).collect(),
            head_hash,
        }
    }
}

fn stages(snapshot: &Snapshot) -> Vec<StageView> {
    let stages = snapshot.status.stages.iter().zip(&snapshot.task.stages).map(|(stage, record)| StageView {
        key: stage.key.clone(),
        name: stage.name.clone(),
        state: stage.state,
        rounds: record.rounds,
        decision: record.decision.clone(),
    });
    stages.collect()
}

fn time_spent(workflow: &Workflow, task: &Task, at: Time) -> Vec<TimeSpent> {
    let spent = task.spent_until(workflow, at);
    let waits = spent.waits().iter().filter_map(|wait| {
        Some(TimeSpent {
            party: wait.party,
            stage: workflow.stages.get(wait.stage)?.key.clone(),
            seconds: Seconds::from_micros(wait.micros),
            held_seconds: Seconds::from_micros(wait.held),
        })
    });
    waits.collect()
}

fn review(workflow: &Workflow, task: &Task, notes: &Notes, reader: Party) -> Option<ReviewView> {
    let votes = match &task.phase {
        Phase::InReview(review) => &review.votes,
        Phase::Escalated(escalation) => &escalation.review.as_ref()?.votes,
        Phase::OnHold(hold) => &hold.review.as_ref()?.votes,
        Phase::Preparing | Phase::Cancelling(_) | Phase::Closed(_) => return None,
    };
    let stage = task.stage_in(workflow);
    let may = |id: &&ActorId| bar(workflow, task, &ActorRef { party: stage.reviewer, id: (*id).clone() }).is_none();
    let named = stage.reviewers();
    Some(ReviewView {
        votes: votes.iter().map(|vote| vote_view(vote, notes)).collect(),
        needed: stage.quorum(),
        eligible: (!named.is_empty()).then(|| named.iter().filter(may).cloned().collect()),
        excluded: excluded(workflow, task),
        advice: notes.advice_for(reader).cloned(),
    })
}

fn vote_view(vote: &Vote, notes: &Notes) -> VoteView {
    let written = notes.votes.iter().find(|note| note.seq == vote.seq).and_then(|note| note.actor.clone());
    VoteView {
        seq: vote.seq,
        actor: written.unwrap_or_else(|| Actor { id: vote.actor.id.clone(), name: None, role: None }),
        decision: vote.decision,
        return_to: vote.return_to.clone(),
        voted_at: vote.voted_at,
    }
}

fn excluded(workflow: &Workflow, task: &Task) -> Vec<Exclusion> {
    let stage = task.stage_in(workflow);
    let earlier = stage.distinct_from().iter().filter_map(|key| task.stages.get(workflow.index_of(key)));
    let mut actors: Vec<&ActorRef> = earlier.flat_map(|record| &record.approvers).chain(task.submitters()).collect();
    actors.sort_unstable();
    actors.dedup();
    let named = |actor: &&ActorRef| stage.reviewers().is_empty() || stage.reviewers().contains(&actor.id);
    let reason = |actor: &ActorRef| {
        let refusal = bar(workflow, task, actor)?;
        let own = refusal == Refusal::SelfApproval;
        Some(if own { ExclusionReason::SelfApproval } else { ExclusionReason::NotDistinct })
    };
    let own = actors.into_iter().filter(|actor| actor.party == stage.reviewer).filter(named);
    own.filter_map(|actor| Some(Exclusion { actor: actor.id.clone(), why: reason(actor)? })).collect()
}

fn escalation(task: &Task, notes: &Notes, reader: Party) -> Option<EscalationView> {
    let Phase::Escalated(escalation) = &task.phase else { return None };
    Some(EscalationView {
        seq: escalation.seq,
        to: escalation.to,
        cause: escalation.cause,
        raised_by: escalation.raised_by,
        question: notes.question_for(reader).cloned(),
        handovers: escalation.handovers,
    })
}

fn hold(task: &Task, notes: &Notes) -> Option<HoldView> {
    let Phase::OnHold(hold) = &task.phase else { return None };
    Some(HoldView { by: hold.by, reason: notes.reason.clone() })
}

fn cancellation(workflow: &Workflow, task: &Task, notes: &Notes) -> Option<CancellationView> {
    let Phase::Cancelling(winding) = &task.phase else { return None };
    Some(CancellationView {
        by: winding.by,
        reason: notes.reason.clone(),
        grace_until: winding.grace_until,
        waiting_on: Party::Partner,
        expected: "cancellation_acknowledged".to_owned(),
        possible: possible(workflow, task, winding),
    })
}

/// Those whose decision was asked for may still give it.
fn possible(workflow: &Workflow, task: &Task, winding: &WindDown) -> Vec<Possible> {
    let may = |party, command: &str, effect| Possible { party, command: command.to_owned(), effect };
    let reviewer = task.stage_in(workflow).reviewer;
    let votes = ["stage_approved", "stage_rejected"].map(|vote| may(reviewer, vote, PossibleEffect::Recorded));
    let asked = winding.open.escalation.map(|asked| may(asked.to, "escalation_resolved", PossibleEffect::Recorded));
    let end = may(Party::Platform, "cancellation_requested", PossibleEffect::CancelsAtOnce);
    votes.into_iter().filter(|_| winding.open.review).chain(asked).chain([end]).collect()
}
