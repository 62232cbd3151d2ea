//! A transition being built: each fact pushed becomes an event and is applied at once, so that the
//! next one sees it.

use crate::domain::absence::Moment;
use crate::domain::task::command::Meta;
use crate::domain::task::event::{
    Event, Fact, Feedback, GivenItem, Opened, QuestionEnd, StageEscalated, StageRejected,
};
use crate::domain::task::refusal::Refusal;
use crate::domain::task::seats;
use crate::domain::task::snapshot::Snapshot;
use crate::domain::task::status::Status;
use crate::domain::task::{ActorTag, Cause, Outcome, Phase, TagSecret, Task, Verdict, Vote};
use crate::domain::values::id::{ActorId, PanelKey, StageKey};
use crate::domain::values::party::{ActorRef, Party, Sender, Source};
use crate::domain::values::time::Time;
use crate::domain::workflow::{OnExhausted, Stage, Submission, Workflow};

use super::{Input, Transition};

/// The source of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// The sender of the command.
    Sender,
    /// The reviewing party as a whole, by votes that were cast earlier.
    Reviewers,
    /// The service, as a consequence.
    Service,
}

/// A transition being built.
pub(super) struct Draft<'a> {
    pub(super) workflow: &'a Workflow,
    /// The time of this transition, never before the last event, and who is absent then.
    pub(super) moment: Moment<'a>,
    /// Who it is from; none: the service.
    sender: Option<Sender>,
    /// The context of a party's command, for the first event.
    meta: Option<&'a Meta>,
    /// The secret of the actors' tags; none if the task has closed.
    tag_secret: Option<TagSecret>,
    expected_version: u64,
    snapshot: Option<Snapshot>,
    events: Vec<Event>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(workflow: &'a Workflow, snapshot: &Snapshot, input: Input<'a>, moment: Moment<'a>) -> Self {
        let (sender, meta) = match input {
            Input::Party(command) => (Some(command.meta.sender.clone()), Some(&command.meta)),
            Input::Tick => (None, None),
            Input::Erase(erasure) => (Some(erasure.sender()), None),
        };
        Self {
            workflow,
            moment: moment.at(moment.now.max(snapshot.task.recorded_at())),
            sender,
            meta,
            tag_secret: snapshot.task.tag_secret,
            expected_version: snapshot.task.version(),
            snapshot: Some(snapshot.clone()),
            events: Vec::new(),
        }
    }

    pub(super) fn opening(
        workflow: &'a Workflow,
        (sender, tag_secret): (Sender, TagSecret),
        opened: Opened,
        moment: Moment<'a>,
    ) -> Self {
        let mut draft = Self {
            workflow,
            moment,
            sender: Some(sender),
            meta: None,
            tag_secret: Some(tag_secret),
            expected_version: 0,
            snapshot: None,
            events: Vec::new(),
        };
        draft.record(Fact::Opened(opened), By::Sender, None);
        if let Some(snapshot) = &mut draft.snapshot {
            snapshot.task.tag_secret = draft.tag_secret;
        }
        draft
    }

    pub(super) fn snapshot(&self) -> &Snapshot {
        self.snapshot.as_ref().expect("a draft begins with a task or opens one")
    }

    pub(super) fn task(&self) -> &Task {
        &self.snapshot().task
    }

    /// The `seq` of the next event.
    pub(super) fn next_seq(&self) -> u64 {
        self.expected_version + 1 + self.events.len() as u64
    }

    pub(super) fn stage(&self) -> &'a Stage {
        self.task().stage_in(self.workflow)
    }

    /// Records a fact of the current stage and round. One that overtakes the open question closes
    /// it: before the fact, unless the fact is the sender's own, which comes first.
    pub(super) fn push(&mut self, fact: Fact, by: By) {
        if self.task().question.is_none() || !overtakes(&fact) {
            self.append(fact, by);
        } else if by == By::Sender && self.events.is_empty() {
            self.append(fact, by);
            self.close_question(QuestionEnd::Overtaken, By::Service);
        } else {
            self.close_question(QuestionEnd::Overtaken, By::Service);
            self.append(fact, by);
        }
    }

    fn append(&mut self, fact: Fact, by: By) {
        let place = (self.stage().key.clone(), self.task().round());
        self.record(fact, by, Some(place));
    }

    /// Closes the open question, if there is one.
    pub(super) fn close_question(&mut self, why: QuestionEnd, by: By) {
        let Some(question) = self.task().question else { return };
        // The clock of a round that is left does not go on.
        let clock = if why == QuestionEnd::Overtaken { None } else { self.answered_clock() };
        self.push(Fact::QuestionClosed { question: question.seq, why, clock }, by);
    }

    fn record(&mut self, fact: Fact, by: By, place: Option<(StageKey, u32)>) {
        let first = self.events.is_empty();
        let seq = self.next_seq();
        let sender = self.sender.as_ref().filter(|_| by == By::Sender);
        let party = match by {
            By::Sender => sender.map_or(Source::Service, |sender| sender.party.into()),
            By::Reviewers => self.stage().reviewer.into(),
            By::Service => Source::Service,
        };
        let meta = self.meta.filter(|_| first);
        let (stage, round) = place.unzip();
        let event = Event {
            seq,
            cause_seq: self.expected_version + 1,
            stage,
            round,
            party,
            actor: sender.and_then(|sender| sender.actor.clone()),
            actor_tag: sender.and_then(Sender::actor_ref).and_then(|actor| self.tag(&actor)),
            credential_id: sender.map(|sender| sender.credential_id.clone()),
            command_id: meta.and_then(|meta| meta.id),
            recorded_at: self.moment.now,
            occurred_at: meta.and_then(|meta| meta.occurred_at),
            note: meta.and_then(|meta| meta.note.clone()),
            fact,
        };
        self.snapshot = Some(Snapshot::step(self.workflow, self.snapshot.take(), &event, false));
        self.events.push(event);
    }

    /// The tag of an actor; none if the task has closed.
    fn tag(&self, actor: &ActorRef) -> Option<ActorTag> {
        self.tag_secret.map(|secret| secret.tag(actor))
    }

    pub(super) fn finish(self, late: Option<Refusal>) -> Transition {
        let mut snapshot = self.snapshot.expect("a draft begins with a task or opens one");
        let Snapshot { task, notes, status } = &mut snapshot;
        let earlier = Some(&*status).filter(|_| self.expected_version > 0);
        *status = Status::after(self.workflow, task, notes, earlier, self.moment.now);
        Transition { expected_version: self.expected_version, events: self.events, snapshot, late }
    }

    /// ENTER: the stage begins another round by waiting for work or with its review.
    pub(super) fn enter(&mut self, stage: usize, returned: bool) {
        let Some(target) = self.workflow.stages.get(stage) else { return };
        let rounds = self.task().stages.get(stage).map_or(0, |record| record.rounds);
        let waits = returned || target.submission == Submission::Required;
        let clock = if waits { None } else { self.start_clock(target) };
        self.record(Fact::StageEntered { returned, clock }, By::Service, Some((target.key.clone(), rounds + 1)));
        self.ensure_quorum();
    }

    /// Escalates a review whose named reviewers, or those of a panel, cannot reach the approvals that
    /// are needed, to the first of `escalation.to`. Who is absent counts only if somebody stands in.
    pub(super) fn ensure_quorum(&mut self) {
        let task = self.task();
        if matches!(task.phase, Phase::InReview(_)) && seats::is_short(self.workflow, task, self.moment) {
            self.escalate(self.stage().default_escalation(), Cause::NoQuorum, By::Service);
        }
    }

    /// ESCALATE: a party must decide, and its clock starts.
    pub(super) fn escalate(&mut self, to: Party, cause: Cause, by: By) {
        self.escalate_until(to, cause, by, self.respond_by());
    }

    pub(super) fn escalate_until(&mut self, to: Party, cause: Cause, by: By, respond_by: Option<Time>) {
        let escalated = StageEscalated { to, cause, revision: self.task().revision(), respond_by, reason: None };
        self.push(Fact::StageEscalated(escalated), by);
    }

    /// APPROVE: the next stage, or delivery.
    pub(super) fn approve(&mut self, by: By) {
        self.approve_by(by, None);
    }

    /// APPROVE by the partner's resolution of an escalation of its own stage: the resolution is the
    /// vote of its actor, who may stand in for somebody, in place of earlier ones.
    pub(super) fn approve_by_resolution(&mut self, actor: &ActorRef, stands_for: Option<&ActorId>) {
        self.approve_by(By::Sender, Some((actor, stands_for)));
    }

    /// APPROVE by the standing votes, and by the resolution of `resolver` in place of those that a vote of
    /// theirs replaces.
    fn approve_by(&mut self, by: By, resolver: Option<(&ActorRef, Option<&ActorId>)>) {
        let stays = |vote: &&Vote| resolver.is_none_or(|(actor, seat)| !vote.is_replaced(actor, seat));
        let counted: Vec<&Vote> = self.votes(Verdict::Approved).filter(stays).collect();
        let own = resolver.map(|(actor, _)| (self.task().version(), self.tag(actor)));
        let tagged = counted.iter().map(|vote| (vote.seq, self.tag(&vote.actor)));
        let (seqs, tags): (Vec<u64>, Vec<_>) = tagged.chain(own).unzip();
        let voters = tags.into_iter().flatten().collect();
        let (revision, bound) = (self.task().revision(), self.is_bound(counted, by));
        let (shared_feedback, internal_feedback) = by_reader(self.said(&seqs));
        let fact = Fact::StageApproved { revision, votes: seqs, voters, bound, shared_feedback, internal_feedback };
        self.push(fact, by);
        let next = self.task().stage + 1;
        if next < self.workflow.stages.len() {
            self.enter(next, false);
        } else {
            self.push(Fact::WorkflowCompleted {}, By::Service);
        }
    }

    /// REJECT by the review: return to `target`, unless the rounds are exhausted. `panel`: the one
    /// whose votes counted; none: all rejecting votes did.
    pub(super) fn reject(&mut self, target: usize, by: By, panel: Option<&PanelKey>) {
        let on_reject = &self.stage().on_reject;
        let exhausted = on_reject.max_rounds.is_some_and(|max| self.task().round() >= max);
        if !exhausted {
            self.record_rejection(Some(target), by, (panel, None));
            return self.enter(target, true);
        }
        self.record_rejection(None, by, (panel, None));
        match on_reject.on_exhausted {
            OnExhausted::Escalate { to } => self.escalate(to, Cause::Exhausted, By::Service),
            OnExhausted::Fail => self.push(Fact::WorkflowFailed { cause: Cause::Exhausted }, By::Service),
        }
    }

    /// `stage_rejected`, then ENTER `target` as a return. `resolved`: the feedback of a resolution,
    /// and the party that resolved.
    pub(super) fn send_back(&mut self, target: usize, by: By, resolved: Option<(Feedback, Party)>) {
        self.record_rejection(Some(target), by, (None, resolved));
        self.enter(target, true);
    }

    fn record_rejection(
        &mut self,
        target: Option<usize>,
        by: By,
        (panel, resolved): (Option<&PanelKey>, Option<(Feedback, Party)>),
    ) {
        let rejecting = || self.votes(Verdict::Rejected).filter(|vote| panel.is_none() || vote.panel.as_ref() == panel);
        let votes: Vec<u64> = rejecting().map(|vote| vote.seq).collect();
        let reviewer = self.stage().reviewer;
        let counted = self.said(&votes).map(|feedback| (feedback, reviewer));
        let said: Vec<(Feedback, Party)> = resolved.into_iter().chain(counted).collect();
        let given = |(feedback, author): &(Feedback, Party)| -> Vec<GivenItem> {
            feedback.given(feedback.share_with_buyer || *author == Party::Buyer).collect()
        };
        let items = said.iter().flat_map(given).collect();
        let reasons = said.iter().filter_map(|(feedback, _)| feedback.reason.clone()).collect();
        let (shared_feedback, internal_feedback) = by_reader(said.into_iter().map(|(feedback, _)| feedback));
        let rejected = StageRejected {
            revision: self.task().revision(),
            return_to: target.and_then(|index| self.workflow.stages.get(index)).map(|stage| stage.key.clone()),
            exhausted: target.is_none(),
            votes,
            bound: self.is_bound(rejecting(), by),
            items,
            reasons,
            shared_feedback,
            internal_feedback,
        };
        self.push(Fact::StageRejected(rejected), by);
    }

    /// FAIL, CANCEL, EXPIRE, from a phase in which no `stage_rejected` was recorded in this transition.
    pub(super) fn close(&mut self, outcome: Outcome) {
        let undecided = match &self.task().phase {
            Phase::InReview(_) => true,
            Phase::Escalated(escalation) => escalation.review.is_some(),
            Phase::OnHold(hold) => hold.review.is_some(),
            Phase::Cancelling(wind_down) => wind_down.open.review,
            Phase::Preparing | Phase::Closed(_) => false,
        };
        if undecided {
            self.push(Fact::ReviewWithdrawn {}, By::Service);
        }
        self.push(outcome.into(), By::Service);
    }

    /// The feedback of these standing votes.
    fn said(&self, votes: &[u64]) -> impl Iterator<Item = Feedback> {
        let notes = &self.snapshot().notes.votes;
        let note = |seq: &u64| notes.iter().find(|note| note.seq == *seq);
        votes.iter().filter_map(note).filter_map(|note| note.feedback.clone())
    }

    /// Whether everybody whose decision counts sent it under a credential bound to that person.
    /// Silence decides without a person.
    fn is_bound<'v>(&self, votes: impl IntoIterator<Item = &'v Vote>, by: By) -> bool {
        let decider_is_bound = match by {
            By::Sender => self.sender.as_ref().is_some_and(|sender| sender.bound),
            By::Reviewers => true,
            By::Service => false,
        };
        decider_is_bound && votes.into_iter().all(|vote| vote.bound)
    }

    /// The standing votes of one kind, in a running or paused review.
    pub(super) fn votes(&self, decision: Verdict) -> impl Iterator<Item = &Vote> {
        let votes = self.task().phase.votes().unwrap_or_default();
        votes.iter().filter(move |vote| vote.decision == decision)
    }
}

/// The feedback that the buyer may read too, and that for the partner and the platform only.
fn by_reader(feedback: impl Iterator<Item = Feedback>) -> (Option<Vec<Feedback>>, Option<Vec<Feedback>>) {
    let (shared, internal): (Vec<_>, Vec<_>) = feedback.partition(|feedback| feedback.share_with_buyer);
    (Some(shared).filter(|list| !list.is_empty()), Some(internal).filter(|list| !list.is_empty()))
}

/// Whether a fact leaves the round, hands in a revision, escalates, cancels or ends the task, so
/// that an open question is closed in the same transition.
fn overtakes(fact: &Fact) -> bool {
    match fact {
        Fact::WorkSubmitted { .. }
        | Fact::StageApproved { .. }
        | Fact::StageRejected(_)
        | Fact::StageEscalated(_)
        | Fact::CancellationRequested { .. }
        | Fact::ReviewWithdrawn {}
        | Fact::CancellationAcknowledged { .. }
        | Fact::WorkflowCompleted {}
        | Fact::WorkflowCancelled {}
        | Fact::WorkflowExpired {}
        | Fact::WorkflowFailed { .. } => true,
        Fact::Opened(_)
        | Fact::StageEntered { .. }
        | Fact::StatusUpdated { .. }
        | Fact::VoteRecorded(_)
        | Fact::EscalationResolved(_)
        | Fact::QuestionAsked(_)
        | Fact::QuestionAnswered(_)
        | Fact::QuestionClosed { .. }
        | Fact::ReviewersChanged(_)
        | Fact::DeadlineReminded { .. }
        | Fact::DeadlinePassed { .. }
        | Fact::Held { .. }
        | Fact::Resumed { .. }
        | Fact::LateDecisionRecorded(_)
        | Fact::PersonalDataErased(_) => false,
    }
}
