//! Texts of people that the present state still shows. They are personal, so they are kept apart
//! from the state and, like it, folded from events. The table of the trail's fields
//! (`trail/fields.rs`) decides who may read a text when it is folded in, and the answer is
//! kept with it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::trail::{Kind, Readers};
use crate::domain::values::id::StageKey;
use crate::domain::values::party::{Actor, Party};
use crate::domain::values::text::{Message, Name, Prose};
use crate::domain::values::time::Time;

use super::event::{Answer, Artifact, EscalationResolved, Event, Fact, Feedback, ItemId, QuestionAsked, Resolution};
use super::{Phase, Task};

/// Texts that are still shown. Empty once the task is closed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Notes {
    /// The partner's latest message to the buyer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::domain) message: Option<Message>,
    /// The question of the open escalation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::domain) question: Option<Prose>,
    /// Who may read the question.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(in crate::domain) question_readers: Readers,
    /// The texts of the open question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::domain) question_asked: Option<Box<AskedNote>>,
    /// The reason of the current hold or cancellation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::domain) reason: Option<Message>,
    /// The latest advice given to the reviewers of this round.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::domain) advice: Option<Prose>,
    /// Who may read the advice.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(in crate::domain) advice_readers: Readers,
    /// The latest submission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::domain) submission: Option<Submitted>,
    /// The feedback of the standing votes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::domain) votes: Vec<VoteNote>,
    /// The feedback that last returned the task: until the stage that gave it is approved, or any
    /// stage is if nothing of it was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::domain) returned: Option<Returned>,
    /// Feedback of other stages that was answered, and that they have not decided on since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::domain) earlier: Vec<Returned>,
    /// The feedback of a rejecting resolution, for the rejection that follows in the same
    /// transition.
    #[serde(skip)]
    resolution: Option<Box<Feedback>>,
}

/// The latest submission.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Submitted {
    /// Its number, from 1.
    pub revision: u32,
    /// A summary of the work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Prose>,
    /// References to the work.
    #[serde(default)]
    pub artifacts: Vec<Artifact>,
    /// When it was submitted.
    pub submitted_at: Time,
    /// Who submitted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Actor>,
}

/// The texts of an open question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AskedNote {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::domain) question: Option<Prose>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::domain) options: Vec<Name>,
    /// Who may read them.
    pub(in crate::domain) readers: Readers,
    /// Whether the answer, too, is shared with the buyer.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(in crate::domain) share_with_buyer: bool,
    /// Who asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::domain) actor: Option<Actor>,
    pub(in crate::domain) asked_at: Time,
}

/// The feedback of a standing vote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VoteNote {
    pub(in crate::domain) seq: u64,
    pub(in crate::domain) actor: Option<Actor>,
    pub(in crate::domain) feedback: Option<Feedback>,
}

/// The feedback that returned a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Returned {
    /// The `seq` of the rejection.
    pub seq: u64,
    /// The stage that rejected.
    pub stage: StageKey,
    /// Its round.
    pub round: u32,
    /// When it was rejected.
    pub decided_at: Time,
    /// Every counted vote's feedback.
    pub feedback: Vec<Feedback>,
    /// The answers to its items, the latest to each; absent if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Answer>,
}

impl Returned {
    fn is_answered(&self) -> bool {
        !self.answers.is_empty()
    }
}

impl AskedNote {
    fn new(event: &Event, asked: &QuestionAsked) -> Self {
        Self {
            question: asked.question.clone(),
            options: asked.options.clone().unwrap_or_default(),
            readers: Kind::readers("data.question", event),
            share_with_buyer: asked.share_with_buyer,
            actor: event.actor.clone(),
            asked_at: event.recorded_at,
        }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Notes {
    /// The notes after `event`, given the task after it.
    pub(in crate::domain) fn apply(&mut self, task: &Task, event: &Event) {
        if matches!(task.phase, Phase::Closed(_)) {
            *self = Self::default();
            return;
        }
        if task.checkpoint.is_none() {
            self.message = None;
        }
        match &event.fact {
            Fact::StageEntered { .. } => {
                self.votes.clear();
                self.forget_question();
                (self.advice, self.advice_readers) = (None, Readers::default());
            }
            Fact::WorkSubmitted { revision, summary, artifacts, shared_answers, internal_answers, .. } => {
                self.votes.clear();
                self.answer(shared_answers.iter().chain(internal_answers).flatten());
                let (revision, summary) = (*revision, summary.clone());
                let artifacts = artifacts.clone().unwrap_or_default();
                let (submitted_at, actor) = (event.recorded_at, event.actor.clone());
                self.submission = Some(Submitted { revision, summary, artifacts, submitted_at, actor });
            }
            Fact::StatusUpdated { message, .. } => self.message.clone_from(message),
            Fact::VoteRecorded(vote) => self.vote(task, event, vote.feedback.clone()),
            Fact::ReviewersChanged(changed) => self.votes.retain(|note| !changed.votes.contains(&note.seq)),
            Fact::StageApproved { .. } => self.approve(event),
            Fact::StageRejected(rejected) => self.reject(event, &rejected.votes),
            Fact::StageEscalated(escalated) => {
                if escalated.reason.is_some() {
                    self.question.clone_from(&escalated.reason);
                    self.question_readers = Kind::readers("data.reason", event);
                }
            }
            Fact::EscalationResolved(resolved) => self.resolve(event, resolved),
            Fact::QuestionAsked(asked) => self.question_asked = Some(Box::new(AskedNote::new(event, asked))),
            Fact::QuestionAnswered(_) | Fact::QuestionClosed { .. } => self.question_asked = None,
            Fact::Held { reason } => self.reason.clone_from(reason),
            Fact::Resumed { .. } => self.reason = None,
            Fact::CancellationRequested { reason, .. } => {
                self.reason.clone_from(reason);
                self.forget_question();
            }
            Fact::Opened(_)
            | Fact::DeadlineReminded { .. }
            | Fact::DeadlinePassed { .. }
            | Fact::ReviewWithdrawn {}
            | Fact::CancellationAcknowledged { .. }
            | Fact::LateDecisionRecorded(_)
            | Fact::WorkflowCompleted {}
            | Fact::WorkflowCancelled {}
            | Fact::WorkflowExpired {}
            | Fact::WorkflowFailed { .. }
            | Fact::PersonalDataErased(_) => {}
        }
    }

    fn resolve(&mut self, event: &Event, resolved: &EscalationResolved) {
        match resolved.resolution {
            Resolution::Return => {
                self.forget_question();
                self.advice.clone_from(&resolved.advice);
                self.advice_readers = Kind::readers("data.advice", event);
            }
            Resolution::Reject => {
                self.forget_question();
                self.resolution = resolved.feedback.clone().map(Box::new);
            }
            Resolution::Approve => self.forget_question(),
            Resolution::Redirect => {}
        }
    }

    fn forget_question(&mut self) {
        (self.question, self.question_readers) = (None, Readers::default());
    }

    /// A vote takes the place of those that no longer stand.
    fn vote(&mut self, task: &Task, event: &Event, feedback: Option<Feedback>) {
        let standing = task.phase.votes().unwrap_or_default();
        self.votes.retain(|note| standing.iter().any(|vote| vote.seq == note.seq));
        self.votes.push(VoteNote { seq: event.seq, actor: event.actor.clone(), feedback });
    }

    /// Records a rejection. A second one of the same round, by the party that must decide, adds to
    /// the first. Feedback is taken from its original place: its copies in the decision are erased
    /// as a whole if one author is.
    fn reject(&mut self, event: &Event, votes: &[u64]) {
        let said = |seq: &u64| self.votes.iter().find(|note| note.seq == *seq)?.feedback.clone();
        let counted: Vec<Feedback> = votes.iter().filter_map(said).collect();
        let feedback = self.resolution.take().map(|said| *said).into_iter().chain(counted);
        let (shared, internal): (Vec<_>, Vec<_>) = feedback.partition(|feedback| feedback.share_with_buyer);
        let mut feedback = [shared, internal].concat();
        let Some((stage, round)) = event.stage.clone().zip(event.round) else { return };
        let earlier = self.returned.take();
        let (same, other): (Vec<_>, Vec<_>) = earlier.into_iter().partition(|earlier| earlier.stage == stage);
        self.earlier.extend(other.into_iter().filter(Returned::is_answered));
        self.earlier.retain(|earlier| earlier.stage != stage);
        let same = same.into_iter().filter(|earlier| earlier.round == round);
        feedback.splice(0..0, same.flat_map(|earlier| earlier.feedback));
        let (seq, decided_at) = (event.seq, event.recorded_at);
        self.returned = Some(Returned { seq, stage, round, decided_at, feedback, answers: Vec::new() });
    }

    /// Settles the feedback of the approved stage, and what nobody answered.
    fn approve(&mut self, event: &Event) {
        let stays = |returned: &Returned| returned.is_answered() && Some(&returned.stage) != event.stage.as_ref();
        self.earlier.retain(stays);
        self.returned = self.returned.take().filter(stays).or_else(|| self.earlier.pop());
    }

    /// Keeps the latest answer to each item beside it.
    fn answer<'a>(&mut self, answers: impl Iterator<Item = &'a Answer>) {
        let answers: BTreeMap<ItemId, &Answer> = answers.map(|answer| (answer.item, answer)).collect();
        if answers.is_empty() {
            return;
        }
        for returned in self.returned.iter_mut().chain(&mut self.earlier) {
            returned.answers.retain(|earlier| !answers.contains_key(&earlier.item));
            let items = returned.feedback.iter().flat_map(|feedback| &feedback.items);
            let own = items.filter_map(|item| answers.get(&item.id?).copied().cloned());
            returned.answers.extend(own);
        }
    }

    /// The feedback of `stage` if it was answered, else the feedback that last returned the task.
    pub(in crate::domain) fn returned_for(&self, stage: &StageKey) -> Option<&Returned> {
        let own = self.earlier.iter().chain(&self.returned).find(|returned| returned.stage == *stage);
        own.or(self.returned.as_ref())
    }

    /// The question of the open escalation, if `reader` may read it.
    pub(in crate::domain) fn question_for(&self, reader: Party) -> Option<&Prose> {
        self.question.as_ref().filter(|_| self.question_readers.include(reader))
    }

    /// The texts of the open question, if `reader` may read them.
    pub(in crate::domain) fn asked_for(&self, reader: Party) -> Option<&AskedNote> {
        self.question_asked.as_deref().filter(|asked| asked.readers.include(reader))
    }

    /// The advice given to the reviewers of this round, if `reader` may read it.
    pub(in crate::domain) fn advice_for(&self, reader: Party) -> Option<&Prose> {
        self.advice.as_ref().filter(|_| self.advice_readers.include(reader))
    }

    /// The latest submission.
    pub fn submission(&self) -> Option<&Submitted> {
        self.submission.as_ref()
    }
}
