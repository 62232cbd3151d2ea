//! `evolve`: the only code that changes a [`Task`]. It uses nothing but its arguments, so that
//! folding the events reproduces the state.

use crate::domain::values::id::{ActorId, PanelKey};
use crate::domain::values::party::{ActorRef, Party};
use crate::domain::values::time::Time;
use crate::domain::workflow::{ClockKind, Stage, Submission, Workflow};

use super::event::{
    ClockTimes, EscalationResolved, Event, Fact, Opened, QuestionAsked, QuestionEnd, Resolution, ReviewersChanged,
    StageEscalated, StageRejected, VotePanel, VoteRecorded,
};
use super::question::{AnswerClock, ClosedQuestion, Question, Questions};
use super::{
    Asked, Cause, Checkpoint, Clock, Closed, Decision, Escalation, FORMAT, Hold, Item, Ledger, Open, Outcome,
    PanelState, PausedClock, Phase, Raiser, Record, ResponseClock, Review, Tally, Task, Verdict, Vote, WindDown,
};

mod clocks;

use clocks::{counts_work, pause, pause_clock, resume_answer, resume_clock, start_clock, stop_answer};

/// The task after `event`. `None` stands for a task that is not opened yet.
///
/// # Panics
///
/// If the first event is not the opening, since no task has such a trail.
pub fn evolve(workflow: &Workflow, task: Option<Task>, event: &Event) -> Task {
    match (task, &event.fact) {
        (_, Fact::Opened(opened)) => open(workflow, opened, event),
        (Some(mut task), _) => {
            let mut spent = std::mem::take(&mut task.spent);
            spent.wait(&task, workflow, event.recorded_at);
            task.spent = spent;
            let mut tally = std::mem::take(&mut task.tally);
            tally.count(&task, event);
            task.tally = tally;
            task.version = event.seq;
            task.recorded_at = event.recorded_at;
            if matches!(task.phase, Phase::Closed(_)) {
                return task;
            }
            let before = (task.stage, task.phase.name(), task.waiting_on(workflow));
            task.apply(workflow, event);
            let after = (task.stage, task.phase.name(), task.waiting_on(workflow));
            if before != after {
                task.since = event.recorded_at;
            }
            if (before.0, before.1) != (after.0, after.1) {
                task.checkpoint = None;
            }
            task
        }
        (None, _) => panic!("a task's first event is its opening"),
    }
}

fn open(workflow: &Workflow, opened: &Opened, event: &Event) -> Task {
    Task {
        format: FORMAT,
        id: opened.task_id,
        version: event.seq,
        recorded_at: event.recorded_at,
        opened_at: event.recorded_at,
        deadline_at: opened.deadline_at,
        stage: 0,
        round: 0,
        entered_at: None,
        began_preparing: false,
        returned: false,
        since: event.recorded_at,
        phase: Phase::Preparing,
        question: None,
        questions: Questions::default(),
        revision: 0,
        submitter: None,
        earlier_submitters: Vec::new(),
        status_updates: 0,
        platform_raisers: Vec::new(),
        checkpoint: None,
        stages: vec![Record::default(); workflow.stages.len()],
        tag_secret: None,
        spent: Ledger::default(),
        tally: Tally::default(),
    }
}

impl Task {
    fn apply(&mut self, workflow: &Workflow, event: &Event) {
        let at = event.recorded_at;
        match &event.fact {
            Fact::StageEntered { returned, clock } => self.enter(workflow, event, *returned, clock.as_ref()),
            Fact::WorkSubmitted { revision, clock, .. } => {
                self.handed_in(*revision, actor_ref(event));
                self.settle(|_| true);
                self.start_review(workflow, at, clock.as_ref());
            }
            Fact::StatusUpdated { percent, eta, .. } => {
                self.status_updates += 1;
                self.checkpoint = Some(Checkpoint { seq: event.seq, percent: *percent, eta: *eta });
            }
            Fact::VoteRecorded(vote) => self.voted(event, vote),
            Fact::StageApproved { revision, .. } => self.decided(workflow, event, Verdict::Approved, *revision),
            Fact::StageRejected(rejected) => self.rejected(workflow, event, rejected),
            Fact::StageEscalated(escalated) => self.escalated(workflow, event, escalated),
            Fact::EscalationResolved(resolved) => self.resolved(workflow, event, resolved),
            Fact::QuestionAsked(asked) => self.asked(workflow, event, asked),
            Fact::QuestionAnswered(answered) => self.question_closed(event, None, answered.clock.as_ref()),
            Fact::QuestionClosed { why, clock, .. } => self.question_closed(event, Some(*why), clock.as_ref()),
            Fact::ReviewersChanged(changed) => self.reviewers_changed(workflow, changed),
            Fact::DeadlineReminded { .. } => self.reminded(),
            Fact::DeadlinePassed { due_at, .. } => self.passed(*due_at),
            Fact::Held { .. } => self.held(workflow, event),
            Fact::Resumed { clock, answer_due_at } => self.resumed(at, clock.as_ref(), *answer_due_at),
            Fact::CancellationRequested { grace_until: Some(grace_until), .. } => {
                let by = event.party.party().unwrap_or(Party::Platform);
                self.phase = Phase::Cancelling(WindDown { by, grace_until: *grace_until, open: self.what_is_open() });
            }
            Fact::WorkflowCompleted {} => self.close(Outcome::Delivery),
            Fact::WorkflowCancelled {} => self.close(Outcome::Cancelled),
            Fact::WorkflowExpired {} => self.close(Outcome::Expired),
            Fact::WorkflowFailed { cause } => self.close(Outcome::Failed(*cause)),
            Fact::CancellationRequested { grace_until: None, .. }
            | Fact::Opened(_)
            | Fact::ReviewWithdrawn {}
            | Fact::CancellationAcknowledged { .. }
            | Fact::LateDecisionRecorded(_) => {}
            // Nobody can be asked to answer words that are gone.
            Fact::PersonalDataErased(erased) => {
                self.settle(|item| erased.entries.binary_search(&item.id.seq()).is_ok());
            }
        }
    }

    fn enter(&mut self, workflow: &Workflow, event: &Event, returned: bool, clock: Option<&ClockTimes>) {
        self.stage = event.stage.as_ref().map_or(self.stage, |key| workflow.index_of(key));
        let stage = self.stage_in(workflow);
        let waits = returned || stage.submission == Submission::Required;
        if let Some(record) = self.stages.get_mut(self.stage) {
            record.rounds += 1;
            record.entered_at.get_or_insert(event.recorded_at);
            record.approvers.clear();
            record.panels.clear();
            self.round = record.rounds;
        }
        self.questions.asked = 0;
        self.entered_at = Some(event.recorded_at);
        self.platform_raisers.clear();
        (self.began_preparing, self.returned) = (waits, returned);
        if waits {
            self.phase = Phase::Preparing;
        } else {
            self.start_review(workflow, event.recorded_at, clock);
        }
    }

    /// Records a submission. During a review it adds to the work of this round; else it is the
    /// round's first.
    fn handed_in(&mut self, revision: u32, submitter: Option<ActorRef>) {
        let again = matches!(self.phase, Phase::InReview(_)) && self.revision > 0;
        let before = self.submitter.take().filter(|_| again);
        if !again {
            self.earlier_submitters.clear();
        }
        self.earlier_submitters.extend(before);
        self.earlier_submitters.sort_unstable();
        self.earlier_submitters.dedup();
        self.earlier_submitters.retain(|earlier| Some(earlier) != submitter.as_ref());
        (self.revision, self.submitter) = (revision, submitter);
    }

    fn start_review(&mut self, workflow: &Workflow, at: Time, clock: Option<&ClockTimes>) {
        let clock = start_clock(self.stage_in(workflow).deadline.as_ref(), at, clock);
        if let Some(record) = self.stages.get_mut(self.stage) {
            record.panels.clear();
        }
        self.phase = Phase::InReview(Review { votes: Vec::new(), clock });
    }

    /// Records a vote in place of the actor's earlier one, and what it means for its panel.
    fn voted(&mut self, event: &Event, vote: &VoteRecorded) {
        let (Phase::InReview(review), Some(actor)) = (&mut self.phase, actor_ref(event)) else { return };
        let stands_for = vote.stands_for.clone();
        let falls = |earlier: &Vote| earlier.is_replaced(&actor, stands_for.as_ref());
        let cast = review.votes.iter().filter(|earlier| falls(earlier)).map(|earlier| earlier.cast).max().unwrap_or(0);
        review.votes.retain(|earlier| !falls(earlier));
        let (return_to, panel) = (vote.return_to.clone(), vote.panel.as_ref().map(|panel| panel.key.clone()));
        let (seq, voted_at) = (event.seq, event.recorded_at);
        let (decision, bound, cast) = (vote.decision, vote.bound, cast + 1);
        review.votes.push(Vote { seq, actor, decision, voted_at, return_to, panel, stands_for, bound, cast });
        self.panel_stands(vote.panel.as_ref());
        self.panels_reopen(&vote.reopened);
    }

    /// Records that a vote fell without which these panels of the current stage have not approved.
    fn panels_reopen(&mut self, reopened: &[PanelKey]) {
        if let Some(record) = self.stages.get_mut(self.stage) {
            record.panels.retain(|key| !reopened.contains(key));
        }
    }

    /// Records what a vote or a change of its people means for a panel of the current stage.
    fn panel_stands(&mut self, panel: Option<&VotePanel>) {
        if let (Some(panel), Some(record)) = (panel, self.stages.get_mut(self.stage)) {
            record.panels.retain(|key| *key != panel.key);
            if panel.state == PanelState::Approved {
                record.panels.push(panel.key.clone());
                record.panels.sort_unstable();
            }
        }
    }

    /// Records who may vote from now on. The votes of those who left fall.
    fn reviewers_changed(&mut self, workflow: &Workflow, changed: &ReviewersChanged) {
        let Some((index, stage)) = workflow.find(&changed.of) else { return };
        let key = changed.panel.as_ref().map(|panel| &panel.key);
        if let (Some(group), Some(record)) =
            (stage.groups().find(|group| group.key() == key), self.stages.get_mut(index))
        {
            record.change_people(group, changed);
        }
        if index == self.stage {
            self.panel_stands(changed.panel.as_ref());
            self.panels_reopen(&changed.reopened);
            if let Some(votes) = self.phase.votes_mut() {
                votes.retain(|vote| !changed.votes.contains(&vote.seq));
            }
        }
    }

    /// Records the decision; the next event of the same transition moves the task.
    fn decided(&mut self, workflow: &Workflow, event: &Event, decision: Verdict, revision: u32) {
        let standing = self.phase.votes().unwrap_or_default();
        let stage = self.stage_in(workflow);
        let mut approvers: Vec<ActorRef> = Vec::new();
        if decision == Verdict::Approved {
            let party = stage.reviewer;
            let approved = standing.iter().filter(|vote| vote.decision == Verdict::Approved);
            let people = approved.flat_map(|vote| {
                let holder = vote.stands_for.iter().map(move |id| ActorRef { party, id: id.clone() });
                holder.chain([vote.actor.clone()])
            });
            // Whom the resolution stands for was recorded with it.
            let represented = self.stages.get(self.stage).map_or(&[][..], |record| &record.approvers);
            approvers.extend(people.chain(represented.iter().cloned()).chain(actor_ref(event)));
            approvers.sort();
            approvers.dedup();
        }
        if let Some(record) = self.stages.get_mut(self.stage) {
            let (seq, round, party, decided_at) = (event.seq, self.round, event.party, event.recorded_at);
            record.decision = Some(Decision { seq, round, decision, revision, party, decided_at });
            record.approvers = approvers;
            if decision == Verdict::Approved {
                record.items.clear();
            }
            if decision == Verdict::Rejected {
                record.panels.clear();
            } else if event.party == stage.reviewer.into() {
                // The reviewing party approves with every panel; silence and an override do without.
                record.panels = stage.panels().iter().map(|panel| panel.key.clone()).collect();
                record.panels.sort_unstable();
            }
        }
    }

    /// Records a rejection with its items. A second one of the same round, by the party that must
    /// decide, adds to the first.
    fn rejected(&mut self, workflow: &Workflow, event: &Event, rejected: &StageRejected) {
        let again = self.decision(self.stage).is_some_and(|decision| decision.round == self.round);
        self.decided(workflow, event, Verdict::Rejected, rejected.revision);
        if let Some(record) = self.stages.get_mut(self.stage) {
            if !again {
                record.items.clear();
            }
            record.items.extend(rejected.items.iter().copied().map(Item::from));
        }
    }

    fn escalated(&mut self, workflow: &Workflow, event: &Event, escalated: &StageEscalated) {
        if matches!(self.phase, Phase::InReview(_)) {
            self.platform_raisers.extend(platform_raiser(event));
        }
        let decided = self.decision(self.stage).is_some_and(|decision| decision.round == self.round);
        let clock = escalated.respond_by.map_or(ResponseClock::Unbounded, |due_at| ResponseClock::Running { due_at });
        let (handovers, raised_by, review) = match &self.phase {
            Phase::Escalated(earlier) => (earlier.handovers + 1, earlier.raised_by, earlier.review.clone()),
            Phase::InReview(review) if !decided => {
                (0, event.party, Some(pause(self.stage_in(workflow), review, event.recorded_at)))
            }
            Phase::InReview(_) | Phase::Preparing | Phase::OnHold(_) | Phase::Cancelling(_) | Phase::Closed(_) => {
                (0, event.party, None)
            }
        };
        let (seq, to, cause) = (event.seq, escalated.to, escalated.cause);
        self.phase = Phase::Escalated(Escalation { seq, to, cause, raised_by, handovers, clock, review });
    }

    fn resolved(&mut self, workflow: &Workflow, event: &Event, resolved: &EscalationResolved) {
        let at = event.recorded_at;
        if resolved.overrides
            && let Some(record) = self.stages.get_mut(self.stage)
        {
            record.overridden = true;
        }
        if resolved.resolution == Resolution::Approve && !resolved.overrides {
            self.approved_by(event, resolved.stands_for.as_ref());
        }
        let stage = self.stage_in(workflow);
        if let (Resolution::Return, Phase::Escalated(escalation)) = (resolved.resolution, &self.phase)
            && let Some(paused) = &escalation.review
        {
            let clock = match paused.clock {
                PausedClock::Passed { .. } if escalation.cause == Cause::Deadline => {
                    start_clock(stage.deadline.as_ref(), at, resolved.clock.as_ref())
                }
                PausedClock::Unbounded
                | PausedClock::Stopped { .. }
                | PausedClock::StoppedWork { .. }
                | PausedClock::Passed { .. } => resume_clock(&paused.clock, at, resolved.clock.as_ref()),
            };
            self.phase = Phase::InReview(Review { votes: paused.votes.clone(), clock });
        }
    }

    /// Records a resolution by which the reviewing party approves its own stage: it takes the place of
    /// votes as a vote would.
    fn approved_by(&mut self, event: &Event, stands_for: Option<&ActorId>) {
        let Some(actor) = actor_ref(event) else { return };
        if let Some(votes) = self.phase.votes_mut() {
            votes.retain(|vote| !vote.is_replaced(&actor, stands_for));
        }
        if let (Some(holder), Some(record)) = (stands_for, self.stages.get_mut(self.stage)) {
            record.approvers.push(ActorRef { party: actor.party, id: holder.clone() });
        }
    }

    /// A question: the task waits on the party asked, and the reviewers' clock stands still.
    fn asked(&mut self, workflow: &Workflow, event: &Event, asked: &QuestionAsked) {
        let from = event.party.party().unwrap_or(Party::Platform);
        let clock = AnswerClock::Running { due_at: asked.respond_by };
        self.question = Some(Question { seq: event.seq, from, to: asked.to, clock });
        self.questions.asked += 1;
        let counts_work = counts_work(self.stage_in(workflow));
        if let Phase::InReview(review) = &mut self.phase {
            review.clock = Clock::Paused { clock: pause_clock(counts_work, &review.clock, event.recorded_at) };
        }
    }

    /// The reviewers' clock goes on with what was left.
    fn question_closed(&mut self, event: &Event, why: Option<QuestionEnd>, times: Option<&ClockTimes>) {
        let Some(question) = self.question.take() else { return };
        self.questions.last = Some(ClosedQuestion { question: question.seq, seq: event.seq, why });
        if let Phase::InReview(review) = &mut self.phase
            && let Clock::Paused { clock } = &review.clock
        {
            review.clock = resume_clock(clock, event.recorded_at, times);
        }
    }

    fn reminded(&mut self) {
        if let Phase::InReview(Review { clock: Clock::Running { remind_at, .. }, .. }) = &mut self.phase
            && !remind_at.is_empty()
        {
            remind_at.remove(0);
        }
    }

    fn passed(&mut self, due_at: Time) {
        match &mut self.phase {
            Phase::InReview(review) => review.clock = Clock::Passed { due_at },
            Phase::Escalated(escalation) => escalation.clock = ResponseClock::Passed { due_at },
            Phase::Preparing | Phase::OnHold(_) | Phase::Cancelling(_) | Phase::Closed(_) => {}
        }
    }

    fn held(&mut self, workflow: &Workflow, event: &Event) {
        let review = match &self.phase {
            Phase::InReview(review) => Some(pause(self.stage_in(workflow), review, event.recorded_at)),
            Phase::Preparing | Phase::Escalated(_) | Phase::OnHold(_) | Phase::Cancelling(_) | Phase::Closed(_) => None,
        };
        let counts_work = self.stage_in(workflow).questions.clock == ClockKind::Business;
        if let Some(question) = &mut self.question {
            question.clock = stop_answer(question.clock, counts_work, event.recorded_at);
        }
        self.phase = Phase::OnHold(Hold { by: event.party.party().unwrap_or(Party::Platform), review });
    }

    fn resumed(&mut self, at: Time, clock: Option<&ClockTimes>, answer_due_at: Option<Time>) {
        if let Some(question) = &mut self.question {
            question.clock = resume_answer(question.clock, at, answer_due_at);
        }
        if let Phase::OnHold(hold) = &self.phase {
            self.phase = match &hold.review {
                None => Phase::Preparing,
                Some(paused) => {
                    let clock = match &self.question {
                        None => resume_clock(&paused.clock, at, clock),
                        Some(_) => Clock::Paused { clock: paused.clock.clone() },
                    };
                    Phase::InReview(Review { votes: paused.votes.clone(), clock })
                }
            };
        }
    }

    /// What a late decision could refer to.
    fn what_is_open(&self) -> Open {
        match &self.phase {
            Phase::Preparing => Open::default(),
            Phase::InReview(_) => Open { review: true, escalation: None },
            Phase::Escalated(escalation) => {
                let asked = Asked { seq: escalation.seq, to: escalation.to };
                Open { review: escalation.review.is_some(), escalation: Some(asked) }
            }
            Phase::OnHold(hold) => Open { review: hold.review.is_some(), escalation: None },
            Phase::Cancelling(wind_down) => wind_down.open,
            Phase::Closed(closed) => closed.open,
        }
    }

    /// Closes the task and drops all actor ids and the secret of their tags, so that an erasure can
    /// remove them completely.
    fn close(&mut self, outcome: Outcome) {
        self.phase = Phase::Closed(Closed { outcome, open: self.what_is_open() });
        self.submitter = None;
        self.earlier_submitters.clear();
        self.tag_secret = None;
        self.platform_raisers.clear();
        for record in &mut self.stages {
            record.approvers.clear();
            record.reviewers.clear();
            record.items.clear();
        }
    }
}

/// The event's actor as the rules compare it. An erased one is identified by its entry.
fn actor_ref(event: &Event) -> Option<ActorRef> {
    let party = event.party.party()?;
    let erased = || ActorId::erased(event.seq);
    Some(ActorRef { party, id: event.actor.as_ref().map_or_else(erased, |actor| actor.id.clone()) })
}

/// Who raised an escalation, if the platform did.
fn platform_raiser(event: &Event) -> Option<Raiser> {
    let actor = actor_ref(event).filter(|actor| actor.party == Party::Platform)?;
    Some(Raiser { actor, credential_id: event.credential_id.clone()? })
}

impl Stage {
    /// The default target of a rejection.
    pub(in crate::domain) fn default_return<'a>(&'a self, workflow: &'a Workflow) -> (usize, &'a Stage) {
        let target = self.on_reject.return_to.first().unwrap_or(&self.key);
        workflow.find(target).or_else(|| workflow.find(&self.key)).expect("a checked definition names its own stages")
    }
}
