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
#[cfg(test)]
mod tests;
mod warning;

use std::borrow::Cow;

use chrono::TimeDelta;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, RefBuilder, Schema, Type};

use super::calendar::Calendar;
use super::values::id::{ActorId, StageKey};
use super::values::party::Party;
use super::values::text::{Label, Name};
use super::values::time::{Span, Time};
pub use alone::{Alone, Means, StageAlone};
#[cfg(test)]
pub(crate) use arbitrary::definition;
pub use finding::{Mistake, MistakeCode, Warning, WarningCode};
pub use parse::Parsed;

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
    #[serde(flatten, deserialize_with = "panel")]
    #[schema(value_type = Panel, required = false)]
    pub panel: Option<Panel>,
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

/// Checks that there is a stage, and that a stored stage has a panel exactly if the partner reviews
/// it. A lost panel would otherwise read as "anyone may approve".
fn stages<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Stage>, D::Error> {
    let stages = Vec::<Stage>::deserialize(deserializer)?;
    if stages.is_empty() {
        return Err(de::Error::invalid_length(0, &"at least one stage"));
    }
    match stages.iter().find(|stage| stage.panel.is_some() != (stage.reviewer == Party::Partner)) {
        None => Ok(stages),
        Some(stage) => Err(de::Error::custom(format_args!(
            "stage `{}`: quorum, reviewers, self_approval and distinct_from are required on stages that the partner reviews and not allowed on others",
            stage.key
        ))),
    }
}

/// Reads a panel's four fields, all present or all absent. (A flattened `Option` would read a
/// partial panel as none.)
fn panel<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Panel>, D::Error> {
    #[derive(Deserialize)]
    struct Fields {
        quorum: Option<Quorum>,
        reviewers: Option<Vec<ActorId>>,
        self_approval: Option<bool>,
        distinct_from: Option<Vec<StageKey>>,
    }
    match Fields::deserialize(deserializer)? {
        Fields { quorum: None, reviewers: None, self_approval: None, distinct_from: None } => Ok(None),
        Fields {
            quorum: Some(quorum),
            reviewers: Some(reviewers),
            self_approval: Some(self_approval),
            distinct_from: Some(distinct_from),
        } => Ok(Some(Panel { quorum, reviewers, self_approval, distinct_from })),
        Fields { .. } => Err(de::Error::custom(
            "quorum, reviewers, self_approval and distinct_from must be given together or not at all",
        )),
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

/// The partner's reviewers of a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Panel {
    /// How many votes decide the stage. Default 1 and 1.
    #[schema(required = false)]
    pub quorum: Quorum,
    /// The actor ids that may vote; empty: anyone of the partner. At most 100. Default empty.
    #[schema(max_items = 100, required = false)]
    pub reviewers: Vec<ActorId>,
    /// Whether actors who submitted the work, in any revision of the round, may approve it. Default
    /// `false`.
    #[schema(required = false)]
    pub self_approval: bool,
    /// Earlier stages: actors whose approval counted in the latest round of one may not approve
    /// here. Default none.
    #[schema(max_items = 50, required = false)]
    pub distinct_from: Vec<StageKey>,
}

/// How many votes decide a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Quorum {
    /// Approving votes for *approved*, 1 to 100.
    #[schema(minimum = 1, maximum = 100, required = false)]
    pub approvals: u32,
    /// Rejecting votes for *rejected*, 1 to 100.
    #[schema(minimum = 1, maximum = 100, required = false)]
    pub rejections: u32,
}

/// The consequence of a rejection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OnReject {
    /// The stages that a rejection may return to: this one or earlier ones; the first is the
    /// default target. Default: the previous stage (the first stage: itself).
    #[schema(min_items = 1, max_items = 50, required = false)]
    pub return_to: Vec<StageKey>,
    /// How many rounds the stage may take, 1 to 1,000. A rejection in the last round exhausts them.
    /// Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1000, value_type = u32, required = false)]
    pub max_rounds: Option<u32>,
    /// What happens when the rounds are exhausted. Default: escalate to the first of
    /// `escalation.to`.
    #[schema(required = false)]
    pub on_exhausted: OnExhausted,
}

/// What happens when a stage's rounds are exhausted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum OnExhausted {
    /// A party must decide.
    Escalate {
        /// One of the stage's `escalation.to`.
        to: Party,
    },
    /// The task ends as `failed`.
    Fail,
}

/// Who can be asked to decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = EscalationDefinition)]
pub struct EscalationRule {
    /// The parties a review may be escalated to; the first is the default. Default `["platform"]`.
    #[schema(min_items = 1, max_items = 3, required = false)]
    pub to: Vec<Party>,
    /// That party's time limit. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Span, required = false)]
    pub respond_within: Option<Span>,
    /// What happens when it does not answer in time; only with `respond_within`. Default `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = EscalationTimeout, required = false)]
    pub on_timeout: Option<EscalationTimeout>,
    /// How `respond_within` is counted; only with it. Default `wall`.
    #[serde(default, skip_serializing_if = "ClockKind::is_wall")]
    #[schema(required = false)]
    pub clock: ClockKind,
}

/// What happens when the party escalated to does not answer in time. Never an approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum EscalationTimeout {
    /// Another party must decide.
    Escalate {
        /// One of the stage's `escalation.to`.
        to: Party,
    },
    /// The stage is rejected and the task returns to the default target.
    Reject,
    /// The task ends as `failed`.
    Fail,
    /// Nothing; the escalation is overdue.
    None,
}

/// The questions that can be asked in a stage. A question decides nothing and blocks no decision;
/// while it is open, the reviewers' clock stands still.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = QuestionDefinition)]
pub struct QuestionRule {
    /// The parties that can be asked. Default: all three.
    #[schema(min_items = 1, max_items = 3, required = false)]
    pub to: Vec<Party>,
    /// How long the answer may take; the question then lapses. Default P3D.
    #[schema(required = false)]
    pub respond_within: Span,
    /// How `respond_within` is counted; only with it. Default `wall`.
    #[serde(default, skip_serializing_if = "ClockKind::is_wall")]
    #[schema(required = false)]
    pub clock: ClockKind,
    /// How many questions all parties together can ask in a round, 0 to 20; 0: none. Default 3.
    #[schema(minimum = 0, maximum = 20, required = false)]
    pub max_per_round: u32,
}

impl Default for QuestionRule {
    fn default() -> Self {
        Self {
            to: Party::ALL.to_vec(),
            respond_within: Span::parse("P3D").expect("P3D is a span"),
            clock: ClockKind::Wall,
            max_per_round: 3,
        }
    }
}

/// The time limit of a stage's reviewers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = StageDeadlineDefinition)]
pub struct StageDeadline {
    /// Counted from the start of the review.
    pub within: Span,
    /// How long before the deadline to send each reminder: at most 10, none longer than `within`.
    /// Default none.
    #[serde(default)]
    #[schema(max_items = 10)]
    pub remind_before: Vec<Span>,
    /// What happens when the deadline passes. Default `none`.
    #[schema(required = false)]
    pub on_timeout: StageTimeout,
    /// How `within` and `remind_before` are counted. Default `wall`.
    #[serde(default, skip_serializing_if = "ClockKind::is_wall")]
    #[schema(required = false)]
    pub clock: ClockKind,
}

/// What happens when a stage's deadline passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum StageTimeout {
    /// A party must decide.
    Escalate {
        /// One of the stage's `escalation.to`.
        to: Party,
    },
    /// The stage is rejected and the task returns to the default target.
    Reject,
    /// The stage is approved, unless a rejecting vote stands.
    Approve,
    /// The task ends as `failed`.
    Fail,
    /// Nothing; the review is overdue.
    None,
}

/// The effect of a cancellation on an open review.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "in_flight", rename_all = "snake_case")]
pub enum CancellationRule {
    /// The review is withdrawn at once (the default).
    Withdraw,
    /// The reviewers may finish; the partner then acknowledges the cancellation.
    LetFinish {
        /// How long the partner has to acknowledge, at most P7D. Default PT24H.
        grace: Span,
        /// How `grace` is counted.
        #[serde(default, skip_serializing_if = "ClockKind::is_wall")]
        clock: ClockKind,
    },
}

/// Written by hand, since the derived schema requires `in_flight`, which has a default.
impl utoipa::PartialSchema for CancellationRule {
    fn schema() -> RefOr<Schema> {
        let in_flight = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["withdraw", "let_finish"])).description(
            Some("`withdraw` (the default): the review is withdrawn at once. `let_finish`: the reviewers may finish, and the partner then acknowledges the cancellation."),
        );
        let grace = RefBuilder::new().ref_location_from_schema_name("Span").description(Some(
            "How long the partner has to acknowledge the cancellation, at most P7D; only with `let_finish`. Default PT24H.",
        ));
        let clock = RefBuilder::new()
            .ref_location_from_schema_name("ClockKind")
            .description(Some("How `grace` is counted; only with `let_finish`. Default `wall`."));
        ObjectBuilder::new()
            .property("in_flight", in_flight)
            .property("grace", grace)
            .property("clock", clock)
            .description(Some("The effect of a cancellation on an open review."))
            .into()
    }
}

impl ToSchema for CancellationRule {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("CancellationDefinition")
    }
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
    /// How many votes decide the stage; 1 and 1 if the buyer or the platform reviews it, since they
    /// have one vote.
    pub fn quorum(&self) -> Quorum {
        self.panel.as_ref().map_or(Quorum { approvals: 1, rejections: 1 }, |panel| panel.quorum)
    }

    /// The actor ids that may vote; empty: anyone of the party.
    pub fn reviewers(&self) -> &[ActorId] {
        self.panel.as_ref().map_or(&[], |panel| &panel.reviewers)
    }

    /// Whether actors who submitted the work may not approve it.
    pub fn bars_submitter(&self) -> bool {
        self.panel.as_ref().is_some_and(|panel| !panel.self_approval)
    }

    /// The stages whose approvers may not approve here.
    pub fn distinct_from(&self) -> &[StageKey] {
        self.panel.as_ref().map_or(&[], |panel| &panel.distinct_from)
    }

    /// The party that an escalation goes to by default.
    pub fn default_escalation(&self) -> Party {
        self.escalation.to.first().copied().unwrap_or(Party::Platform)
    }
}
