//! The rules of a stage: what follows from a rejection, from silence and from a cancellation, whom an
//! escalation or a question may go to, and how long each may take.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, RefBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::ClockKind;
use crate::domain::values::id::{ReasonKey, StageKey};
use crate::domain::values::party::Party;
use crate::domain::values::text::Name;
use crate::domain::values::time::Span;

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
    /// The reasons of which a rejection must name one, at most 30, with unique keys. Default: none,
    /// and a rejection names no reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 30, required = false)]
    pub reasons: Vec<Reason>,
    /// Whether the first submission after a return must answer every blocking item of the feedback.
    /// Default `optional`.
    #[serde(default, skip_serializing_if = "Answers::is_optional")]
    #[schema(required = false)]
    pub answers: Answers,
}

/// A reason for rejections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ReasonDefinition)]
pub struct Reason {
    /// Unique in the stage; the feedback of a rejection refers to it.
    pub key: ReasonKey,
    /// The display name, at most 200 characters. A buyer who can reject the stage reads it.
    pub name: Name,
}

/// Whether work that comes back answers the feedback.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AnswersDefinition)]
pub enum Answers {
    /// As far as the partner likes.
    #[default]
    Optional,
    /// Every blocking item of the votes that counted, in the first submission after the return.
    Required,
}

impl Answers {
    /// Whether it is the default, which is not serialized.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    fn is_optional(&self) -> bool {
        *self == Self::Optional
    }
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
impl PartialSchema for CancellationRule {
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
