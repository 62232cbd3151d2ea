//! The checked definition of a workflow. `workflow/parse.rs` reads one from outside,
//! `workflow/finding.rs` lists the codes of mistakes and warnings, and `workflow/diagram.rs` draws
//! one.

mod alone;
#[cfg(test)]
mod arbitrary;
pub mod diagram;
mod finding;
pub(in crate::domain) mod labels;
mod parse;
mod review;
mod rules;
#[cfg(test)]
mod tests;
mod warning;

use chrono::TimeDelta;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::calendar::Calendar;
use super::values::id::StageKey;
use super::values::party::Party;
use super::values::text::{Label, Name};
use super::values::time::{Span, Time};
pub use alone::{Alone, Means, StageAlone};
#[cfg(test)]
pub(crate) use arbitrary::definition;
pub use finding::{Mistake, MistakeCode, Warning, WarningCode};
pub use parse::Parsed;
pub use review::{Approvals, Group, MAX_REVIEWERS, Panel, Quorum, ReviewRule, Voting};
pub use rules::{
    Answers, CancellationRule, EscalationRule, EscalationTimeout, OnExhausted, OnReject, QuestionRule, Reason,
    StageDeadline, StageTimeout,
};

/// The example definition of the contract, which the demo and new trials use.
pub const EXAMPLE: &str = include_str!("workflow/brand-campaign.json");

/// An ordered list of stages. A value comes from [`Workflow::parse`] or was stored after it: it is
/// valid and its defaults are filled in, so a new default never affects a running task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
#[schema(as = WorkflowDefinition, description = "A workflow: an ordered list of stages. Responses have all defaults filled in.")]
pub struct Workflow {
    /// The display name, at most 200 characters.
    pub name: Name,
    /// 1 to 50 stages, in order, with unique keys.
    #[serde(deserialize_with = "stages")]
    #[schema(min_items = 1, max_items = 50)]
    pub stages: Vec<Stage>,
    /// The time limit of the whole task, from its opening; a hold does not stop it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = TaskDeadline, required = false)]
    pub deadline: Option<TaskDeadline>,
    /// The working hours by which durations with the clock `business` are counted. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Calendar, required = false)]
    pub calendar: Option<Calendar>,
}

/// Written by hand to match [`Deserialize`], which has a check of its own; serde derives the two
/// together.
impl Serialize for Workflow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

/// Rejects `business` durations without a calendar, which would otherwise be read as elapsed time.
impl<'de> Deserialize<'de> for Workflow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let workflow = Self::deserialize(deserializer)?;
        let business = workflow.durations().into_iter().any(|(_, clock, _)| clock == ClockKind::Business);
        if business && workflow.calendar.is_none() {
            return Err(de::Error::custom("the clock `business` needs a calendar"));
        }
        Ok(workflow)
    }
}

/// How a duration is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClockKind {
    /// Elapsed time.
    #[default]
    Wall,
    /// Working time by the workflow's `calendar`: `PT8H` is eight working hours, `P1D` is 24
    /// working hours.
    Business,
}

impl ClockKind {
    /// Whether it is the default, which is not serialized.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    fn is_wall(&self) -> bool {
        *self == Self::Wall
    }
}

/// The deadline of the whole task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TaskDeadline {
    /// Counted from the opening of the task.
    pub within: Span,
    /// How `within` is counted. Default `wall`.
    #[serde(default, skip_serializing_if = "ClockKind::is_wall")]
    #[schema(required = false)]
    pub clock: ClockKind,
}

/// One approval stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = StageDefinition)]
pub struct Stage {
    /// Unique in the workflow; commands refer to it.
    pub key: StageKey,
    /// The display name, at most 200 characters.
    pub name: Name,
    /// The text shown to the buyer while the task is in this stage, at most 500 characters.
    pub buyer_label: Label,
    /// Whether work must be submitted before the review starts. Default `none`.
    #[serde(default)]
    pub submission: Submission,
    /// The party that reviews the stage. Default `partner`.
    #[serde(default = "partner")]
    pub reviewer: Party,
    /// Which credentials count in a decision of the stage. Default `any`.
    #[serde(default, skip_serializing_if = "Assurance::is_any")]
    #[schema(required = false)]
    pub assurance: Assurance,
    /// Who may vote and how many votes are needed; only on stages that the partner reviews.
    #[serde(flatten, deserialize_with = "review::stored")]
    #[schema(value_type = review::ReviewFields, required = false)]
    pub review: Option<ReviewRule>,
    /// The consequence of a rejection.
    #[schema(required = false)]
    pub on_reject: OnReject,
    /// Who can be asked to decide, and what happens if that party does not answer.
    #[schema(required = false)]
    pub escalation: EscalationRule,
    /// Who can be asked a question, how long the answer may take, and how often.
    #[serde(default)]
    #[schema(required = false)]
    pub questions: QuestionRule,
    /// The reviewers' time limit. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = StageDeadline, required = false)]
    pub deadline: Option<StageDeadline>,
    /// The effect of a cancellation on an open review.
    #[schema(required = false)]
    pub cancellation: CancellationRule,
}

/// Which credentials count in the decision of a stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Assurance {
    /// Any credential of the deciding party.
    #[default]
    Any,
    /// Only a credential that is bound to its actor: a partner's key with `actors`, a platform key
    /// with a name, or a buyer's token. It holds for votes and for resolutions that approve.
    Bound,
}

impl Assurance {
    /// Whether it is the default, which is not serialized.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    pub(in crate::domain) fn is_any(&self) -> bool {
        *self == Self::Any
    }
}

fn partner() -> Party {
    Party::Partner
}

/// Checks that there is a stage, and that a stored stage says who reviews it exactly if the partner
/// does. A lost rule would otherwise read as "anyone may approve".
fn stages<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Stage>, D::Error> {
    let stages = Vec::<Stage>::deserialize(deserializer)?;
    if stages.is_empty() {
        return Err(de::Error::invalid_length(0, &"at least one stage"));
    }
    match stages.iter().find(|stage| stage.review.is_some() != (stage.reviewer == Party::Partner)) {
        None => Ok(stages),
        Some(stage) => Err(de::Error::custom(format_args!(
            "stage `{}`: quorum and reviewers (or panels), self_approval and distinct_from are required on stages that the partner reviews and not allowed on others",
            stage.key
        ))),
    }
}

/// Whether a stage requires submitted work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Submission {
    /// The review starts at once on the existing work.
    #[default]
    None,
    /// The stage waits in `preparing` until work is submitted.
    Required,
}

impl Workflow {
    /// The definition with its defaults, in the canonical form of RFC 8785: two definitions are
    /// equal if these texts are.
    #[expect(clippy::missing_panics_doc, reason = "cannot panic: every part of a definition has a canonical form")]
    pub fn canonical_json(&self) -> String {
        serde_json_canonicalizer::to_string(self).expect("a definition has text keys and small whole numbers only")
    }

    /// SHA-256 of [`Workflow::canonical_json`], which the first entry of a task's trail commits to.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.canonical_json()).into()
    }

    /// The longest a task can take, in seconds; `None` if nothing bounds it.
    ///
    /// Only the task's own deadline bounds it. No clock of a stage does: any review can be
    /// escalated and then rejected in spite of `max_rounds`, work can always be submitted again
    /// after a rejection, and that wait has no clock. A hold stops every clock except the task's. A
    /// cancellation that is winding down ends by the task's deadline too. How long working time
    /// takes depends on its start; the value is then an upper bound.
    pub fn worst_case(&self) -> Option<u64> {
        self.deadline.as_ref().map(|deadline| self.longest(deadline.clock, &deadline.within))
    }

    /// How long `span` can take, in seconds, from any start: an upper bound if it is working time.
    fn longest(&self, clock: ClockKind, span: &Span) -> u64 {
        match (clock, &self.calendar) {
            (ClockKind::Business, Some(calendar)) => {
                u64::try_from(calendar.longest(i64::from(span.seconds()))).unwrap_or(u64::MAX)
            }
            (ClockKind::Business, None) | (ClockKind::Wall, _) => u64::from(span.seconds()),
        }
    }

    /// The instant `time` after `start`, counted by `clock`. Only `decide` calls this: events
    /// record the result, since another build may have another time-zone database.
    pub(super) fn after(&self, clock: ClockKind, start: Time, time: TimeDelta) -> Time {
        match (clock, &self.calendar) {
            (ClockKind::Business, Some(calendar)) => calendar.add(start, time),
            (ClockKind::Business, None) | (ClockKind::Wall, _) => start + time,
        }
    }

    /// Every duration with its place and the clock that counts it.
    fn durations(&self) -> Vec<(String, ClockKind, &Span)> {
        let own =
            self.deadline.iter().map(|deadline| ("/deadline/within".to_owned(), deadline.clock, &deadline.within));
        let stages = self.stages.iter().enumerate().flat_map(|(index, stage)| {
            let at = move |field: &str| format!("/stages/{index}/{field}");
            let deadline = stage.deadline.iter().flat_map(move |deadline| {
                let reminders = deadline.remind_before.iter().zip(0_usize..);
                let reminders =
                    reminders.map(move |(span, n)| (at(&format!("deadline/remind_before/{n}")), deadline.clock, span));
                [(at("deadline/within"), deadline.clock, &deadline.within)].into_iter().chain(reminders)
            });
            let respond = stage.escalation.respond_within.iter();
            let respond = respond.map(move |span| (at("escalation/respond_within"), stage.escalation.clock, span));
            let questions = &stage.questions;
            let answer = (at("questions/respond_within"), questions.clock, &questions.respond_within);
            let grace = match &stage.cancellation {
                CancellationRule::LetFinish { grace, clock } => Some((at("cancellation/grace"), *clock, grace)),
                CancellationRule::Withdraw => None,
            };
            deadline.chain(respond).chain([answer]).chain(grace)
        });
        own.chain(stages).collect()
    }

    /// The stage with this key and its index.
    pub fn find(&self, key: &StageKey) -> Option<(usize, &Stage)> {
        self.stages.iter().enumerate().find(|(_, stage)| stage.key == *key)
    }

    /// The index of a stage that the definition itself refers to.
    pub(crate) fn index_of(&self, key: &StageKey) -> usize {
        self.find(key).map_or(0, |(index, _)| index)
    }
}

impl Stage {
    /// The party that an escalation goes to by default.
    pub fn default_escalation(&self) -> Party {
        self.escalation.to.first().copied().unwrap_or(Party::Platform)
    }
}
