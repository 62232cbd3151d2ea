//! The view of a task for partner and platform. (The buyer reads the status; `audit` limits entries
//! of the trail.)

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::absence::Moment;
use crate::domain::trail::Hash;
use crate::domain::values::id::{ActorId, BuyerId, PanelKey, PartnerId, StageKey, TaskId};
use crate::domain::values::party::{Actor, ActorRef, Party, Source};
use crate::domain::values::text::{Message, Name, Prose};
use crate::domain::values::time::{Seconds, Time};
use crate::domain::workflow::Workflow;

use super::command::CommandType;
use super::decide::allowed;
use super::event::{ItemId, WorkflowRef};
use super::notes::{Notes, Returned, Submitted};
use super::refusal::Refusal;
use super::seats;
use super::snapshot::Snapshot;
use super::status::{StagePosition, StageState};
use super::{Cause, Decision, PanelState, Phase, PhaseName, Task, Verdict, Vote};

mod cancellation;
mod panels;
mod reviewers;

use cancellation::cancellation;
pub use cancellation::{CancellationView, Possible, PossibleEffect};
pub use panels::{PanelView, VotesNeeded};
pub use reviewers::ReviewersView;

/// The properties of a task that never change.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// The partner whose agent does the work.
    pub partner_id: PartnerId,
    /// Who posted the task.
    pub buyer_id: BuyerId,
    /// The pinned version.
    pub workflow: WorkflowRef,
    /// The title of the task.
    pub title: Option<Name>,
    /// The platform's own data.
    pub metadata: Option<serde_json::Map<String, serde_json::Value>>,
}

/// The view of a task for partner and platform.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Task)]
pub struct TaskView {
    /// The task's id, as the platform gave it.
    pub id: TaskId,
    /// The partner whose agent does the work.
    pub partner_id: PartnerId,
    /// Who posted the task.
    pub buyer_id: BuyerId,
    /// The workflow version, pinned for life.
    pub workflow: WorkflowRef,
    /// The title, at most 200 characters; null once erased.
    #[schema(required = true)]
    pub title: Option<Name>,
    /// The platform's own data, at most 16 KiB; null if there is none.
    #[schema(required = true, value_type = Option<Object>)]
    pub metadata: Option<serde_json::Map<String, serde_json::Value>>,
    /// The `seq` of the task's last event; the `ETag` is this in quotes.
    pub version: u64,
    /// Where the task is.
    pub phase: PhaseName,
    /// The phase in plain words, as the buyer reads it.
    pub label: String,
    /// The current stage; for a task that has ended, the stage where it ended.
    pub stage: StagePosition,
    /// How many times the task has entered this stage, from 1.
    pub round: u32,
    /// The latest revision; 0: no work was submitted.
    pub revision: u32,
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
    /// When the task was opened.
    pub opened_at: Time,
    /// When the task expires; null without a deadline.
    #[schema(required = true)]
    pub deadline_at: Option<Time>,
    /// When its last event was recorded.
    pub updated_at: Time,
    /// The partner's latest message to the buyer at this stage, or why the task is on hold; null
    /// without one.
    #[schema(required = true)]
    pub message: Option<Message>,
    /// The progress in percent, 0 to 100; null if not stated.
    #[schema(required = true)]
    pub percent: Option<u8>,
    /// When the partner expects to finish; null if not stated.
    #[schema(required = true)]
    pub eta: Option<Time>,
    /// Every stage, in order.
    pub stages: Vec<StageView>,
    /// How long the task has waited on each party since it was opened, by stage and party, at the
    /// time of the response (for a command: at the time of the command). The `seconds` add up to
    /// the whole time from `opened_at` until now, or until the end, exact to the microsecond. They
    /// grow while the task waits, but do not change the `ETag`: after a `304`, count on.
    pub time_spent: Vec<TimeSpent>,
    /// The latest submission; null if there is none or the task has ended (the trail keeps it).
    #[schema(required = true)]
    pub submission: Option<Submitted>,
    /// The feedback that returned the task, with the answers to its items. Null if none did, or the
    /// stage that gave it was approved since; if nothing of it was answered, any stage.
    #[schema(required = true)]
    pub feedback: Option<Returned>,
    /// The items of that feedback that the next submission must answer; absent if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub unanswered: Vec<ItemId>,
    /// The open review, running or paused; null without one.
    #[schema(required = true)]
    pub review: Option<ReviewView>,
    /// The open escalation; null without one.
    #[schema(required = true)]
    pub escalation: Option<EscalationView>,
    /// The open question; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = QuestionView, required = false)]
    pub question: Option<QuestionView>,
    /// The hold; null without one.
    #[schema(required = true)]
    pub hold: Option<HoldView>,
    /// The cancellation in progress; null without one.
    #[schema(required = true)]
    pub cancellation: Option<CancellationView>,
    /// The types of commands that the caller's party can send now.
    pub allowed: Vec<CommandType>,
    /// The hash of the trail's last entry. Null in a dry run.
    #[schema(required = true)]
    pub head_hash: Option<Hash>,
}

/// A stage and its latest decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StageView {
    /// The stage's key.
    pub key: StageKey,
    /// The display name.
    pub name: Name,
    /// Its state.
    pub state: StageState,
    /// How many times the task entered it.
    pub rounds: u32,
    /// Its latest decision; null without one.
    #[schema(required = true)]
    pub decision: Option<Decision>,
    /// Whether another party than the one that reviews the stage ever decided it, by approving or
    /// rejecting an escalation. Default `false`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub overridden: bool,
    /// Who may vote in it now, where that is no longer whom the definition names: for each such panel,
    /// or for the stage. Absent where nothing differs, and once the task has ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub reviewers: Vec<ReviewersView>,
}

/// How long the task waited on a party in a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TimeSpent {
    /// The party that the task waited on.
    pub party: Party,
    /// The stage.
    pub stage: StageKey,
    /// The time over all rounds.
    pub seconds: Seconds,
    /// The part of `seconds` during which this party had put the task on hold.
    pub held_seconds: Seconds,
}

/// A review: the votes, and who may vote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReviewView {
    /// The standing votes: the latest vote of each actor on the latest revision.
    pub votes: Vec<VoteView>,
    /// How many votes decide the stage. With panels: the approvals that all panels together need,
    /// and the fewest rejections with which one panel rejects.
    pub needed: VotesNeeded,
    /// The named reviewers who may approve, each followed by the substitute if the person is absent;
    /// null: anyone of the reviewing party except those excluded.
    #[schema(required = true)]
    pub eligible: Option<Vec<ActorId>>,
    /// The named reviewers who are absent now; absent if nobody is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub absent: Vec<AbsentReviewer>,
    /// The panels, in the order of the definition; absent in a stage without panels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub panels: Vec<PanelView>,
    /// Who may not approve, and why; they may reject.
    pub excluded: Vec<Exclusion>,
    /// The latest advice with which an escalation of this review was returned; absent if there is
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Prose, required = false)]
    pub advice: Option<Prose>,
}

/// A named reviewer who is absent. The person may still vote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AbsentReviewer {
    /// Who is absent.
    pub actor: ActorId,
    /// Until when.
    pub until: Time,
    /// Who may vote in the person's seat; absent: nobody may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = ActorId, required = false)]
    pub substitute: Option<ActorId>,
}

/// A standing vote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VoteView {
    /// The `seq` of its event.
    pub seq: u64,
    /// Who voted.
    pub actor: Actor,
    /// Approved or rejected.
    pub decision: Verdict,
    /// The stage that a rejection returns to.
    #[schema(required = true)]
    pub return_to: Option<StageKey>,
    /// The panel that it counts for; absent in a stage without panels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = PanelKey, required = false)]
    pub panel: Option<PanelKey>,
    /// The person in whose seat it counts, who was absent; absent: the actor's own seat.
    #[serde(rename = "for", default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = ActorId, required = false)]
    pub stands_for: Option<ActorId>,
    /// When it was recorded.
    pub voted_at: Time,
}

/// An actor who may not approve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Exclusion {
    /// The actor's id.
    pub actor: ActorId,
    /// Why.
    pub why: ExclusionReason,
}

/// Why an actor may not approve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExclusionReason {
    /// The actor submitted the latest revision, or an earlier one in the same round.
    SelfApproval,
    /// The actor's approval counted in a stage that this one must be distinct from.
    NotDistinct,
}

/// An open escalation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EscalationView {
    /// The `seq` of its event, which a resolution refers to.
    pub seq: u64,
    /// The party that must decide.
    pub to: Party,
    /// Why it was escalated.
    pub cause: Cause,
    /// Who raised it.
    pub raised_by: Source,
    /// The question; null if there is none.
    #[schema(required = true)]
    pub question: Option<Prose>,
    /// How often it changed hands: at most 3 times, then once more to the platform.
    pub handovers: u32,
}

/// An open question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QuestionView {
    /// The `seq` of its event, which an answer refers to.
    pub seq: u64,
    /// The party that asked.
    pub from: Party,
    /// Who asked; null once erased.
    #[schema(required = true)]
    pub actor: Option<Actor>,
    /// The party asked.
    pub to: Party,
    /// The question; null once erased.
    #[schema(required = true)]
    pub question: Option<Prose>,
    /// The suggested answers, in the order in which `option` counts them.
    pub options: Vec<Name>,
    /// Whether a buyer who is neither asked nor asking reads question and answer as well.
    pub share_with_buyer: bool,
    /// When it was asked.
    #[schema(required = true)]
    pub asked_at: Option<Time>,
    /// When the answer is due; null while the task is on hold.
    #[schema(required = true)]
    pub due_at: Option<Time>,
}

/// A hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HoldView {
    /// The party that put the task on hold.
    pub by: Party,
    /// The reason.
    #[schema(required = true)]
    pub reason: Option<Message>,
}

/// The reading party and the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reader<'a> {
    /// The party.
    pub party: Party,
    /// The time of the response, and who is absent then.
    pub moment: Moment<'a>,
}

impl TaskView {
    /// The task as `reader` sees it.
    pub fn new(
        workflow: &Workflow,
        identity: &Identity,
        snapshot: &Snapshot,
        head_hash: Option<Hash>,
        reader: Reader<'_>,
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
            stages: stages(workflow, snapshot),
            time_spent: time_spent(workflow, task, reader.moment.now),
            submission: notes.submission.clone(),
            feedback: notes.returned_for(&status.stage.key).cloned(),
            unanswered: task.unanswered(workflow),
            review: review(workflow, task, notes, reader),
            escalation: escalation(task, notes, reader.party),
            question: question(task, notes, reader.party),
            hold: hold(task, notes),
            cancellation: cancellation(workflow, task, notes),
            allowed: allowed(workflow, task, reader.party),
            head_hash,
        }
    }
}

fn stages(workflow: &Workflow, Snapshot { task, status, .. }: &Snapshot) -> Vec<StageView> {
    let stages = status.stages.iter().zip(&task.stages).enumerate().map(|(index, (stage, record))| StageView {
        key: stage.key.clone(),
        name: stage.name.clone(),
        state: stage.state,
        rounds: record.rounds,
        decision: record.decision.clone(),
        overridden: record.overridden,
        reviewers: reviewers::changed(workflow, task, index),
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

/// The open review, running or paused, as `reader` sees its texts.
pub(in crate::domain) fn review(
    workflow: &Workflow,
    task: &Task,
    notes: &Notes,
    reader: Reader<'_>,
) -> Option<ReviewView> {
    let votes = task.phase.votes()?;
    let named = seats::groups(workflow, task).map(|group| seats::approvers(workflow, task, &group, reader.moment));
    let eligible: Option<Vec<Vec<ActorId>>> = named.collect();
    Some(ReviewView {
        votes: votes.iter().map(|vote| vote_view(vote, notes)).collect(),
        needed: VotesNeeded::of(&seats::tallies(workflow, task, None)),
        eligible: eligible.map(|groups| groups.into_iter().flatten().collect()),
        absent: absent(workflow, task, reader.moment),
        panels: panels::panels(workflow, task, reader.moment),
        excluded: excluded(workflow, task, reader.moment),
        advice: notes.advice_for(reader.party).cloned(),
    })
}

impl ReviewView {
    /// How many of its panels have approved.
    pub fn approved_panels(&self) -> usize {
        self.panels.iter().filter(|panel| panel.state == PanelState::Approved).count()
    }
}

fn vote_view(vote: &Vote, notes: &Notes) -> VoteView {
    let written = notes.votes.iter().find(|note| note.seq == vote.seq).and_then(|note| note.actor.clone());
    VoteView {
        seq: vote.seq,
        actor: written.unwrap_or_else(|| Actor::from(vote.actor.id.clone())),
        decision: vote.decision,
        return_to: vote.return_to.clone(),
        panel: vote.panel.clone(),
        stands_for: vote.stands_for.clone(),
        voted_at: vote.voted_at,
    }
}

fn absent(workflow: &Workflow, task: &Task, moment: Moment<'_>) -> Vec<AbsentReviewer> {
    let named = seats::groups(workflow, task).flat_map(|group| group.named.unwrap_or_default());
    let absent = |actor: &ActorId| {
        let until = moment.absence(actor)?.until;
        let substitute = seats::substitute(workflow, task, actor, moment).cloned();
        Some(AbsentReviewer { actor: actor.clone(), until, substitute })
    };
    named.filter_map(absent).collect()
}

fn excluded(workflow: &Workflow, task: &Task, moment: Moment<'_>) -> Vec<Exclusion> {
    let stage = task.stage_in(workflow);
    let earlier = stage.distinct_from().iter().filter_map(|key| task.stages.get(workflow.index_of(key)));
    let mut actors: Vec<&ActorRef> = earlier.flat_map(|record| &record.approvers).chain(task.submitters()).collect();
    actors.sort_unstable();
    actors.dedup();
    let named = |actor: &&ActorRef| seats::filled(workflow, task, actor, moment).is_some();
    let reason = |actor: &ActorRef| {
        let refusal = seats::bar(workflow, task, actor)?;
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

fn question(task: &Task, notes: &Notes, reader: Party) -> Option<QuestionView> {
    let open = task.question?;
    let asked = notes.asked_for(reader);
    Some(QuestionView {
        seq: open.seq,
        from: open.from,
        actor: asked.and_then(|asked| asked.actor.clone()),
        to: open.to,
        question: asked.and_then(|asked| asked.question.clone()),
        options: asked.map_or_else(Vec::new, |asked| asked.options.clone()),
        share_with_buyer: asked.is_some_and(|asked| asked.share_with_buyer),
        asked_at: asked.map(|asked| asked.asked_at),
        due_at: open.clock.due_at(),
    })
}

fn hold(task: &Task, notes: &Notes) -> Option<HoldView> {
    let Phase::OnHold(hold) = &task.phase else { return None };
    Some(HoldView { by: hold.by, reason: notes.reason.clone() })
}
