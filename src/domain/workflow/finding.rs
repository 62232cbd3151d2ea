//! Mistakes and warnings about a definition: every code once, with its meaning.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

/// A mistake that must be corrected before the definition can be registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Mistake {
    /// RFC 6901 JSON pointer to the place in the definition as it was sent; for `required`, to the
    /// missing field.
    pub pointer: String,
    /// The rule that is broken.
    pub code: MistakeCode,
    /// The field and the rule in words.
    pub message: String,
}

/// Something in a definition that is allowed but may be unintended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = WorkflowWarning)]
pub struct Warning {
    /// RFC 6901 JSON pointer to the place in the definition with its defaults filled in.
    pub pointer: String,
    /// The kind of warning.
    pub code: WarningCode,
    /// What can happen, and how to prevent it.
    pub message: String,
}

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($variant:ident $code:literal $meaning:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $(#[doc = $meaning] $variant,)*
        }

        impl $name {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The code on the wire.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)*
                }
            }

            /// The meaning of the code.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => $meaning,)*
                }
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let meanings: Vec<_> = Self::ALL.iter().map(|code| format!("- `{}`: {}", code.as_str(), code.meaning())).collect();
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .enum_values(Some(Self::ALL.iter().map(|code| code.as_str())))
                    .description(Some(meanings.join("\n")))
                    .into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }
        }
    };
}

codes! {
    /// The rule of the definition that a [`Mistake`] breaks.
    MistakeCode {
        Required "required" "A required field is missing.";
        UnknownField "unknown_field" "The definition has no such field.";
        WrongType "wrong_type" "The value has the wrong JSON type.";
        UnknownValue "unknown_value" "The value is not one of those that the field accepts.";
        NotApplicable "not_applicable" "The field does not apply given the others: `to` without `escalate`, `grace` without `let_finish`, `quorum` or `reviewers` beside `panels`, `all` without named reviewers.";
        PartnerOnly "partner_only" "`quorum`, `reviewers`, `panels`, `self_approval` and `distinct_from` are only for stages that the partner reviews; buyer and platform have one vote.";
        Blank "blank" "A text has no visible character.";
        TooLong "too_long" "A text has more characters than allowed.";
        ControlCharacter "control_character" "A text has control characters other than line breaks and tabs.";
        LineBreak "line_break" "A name or a label has a line break or a tab.";
        InvisibleCharacter "invisible_character" "A text has a character that is invisible or changes the direction of its neighbours.";
        InvalidId "invalid_id" "A reviewer's id is invalid; the schema `ActorId` has the rules.";
        Reserved "reserved" "A reviewer's id is a name of the service itself: `service`, `system` or `stagegate`.";
        InvalidKey "invalid_key" "A key is not 1 to 64 of the characters a-z, 0-9 and -.";
        InvalidDuration "invalid_duration" "A duration is not ISO 8601 weeks, days, hours, minutes and seconds.";
        OutOfRange "out_of_range" "A number or a duration is out of bounds.";
        TooFew "too_few" "A list has fewer elements than required.";
        TooMany "too_many" "A list has more elements than allowed; those beyond the limit were not checked.";
        Duplicate "duplicate" "A list names the same thing twice.";
        UnknownStage "unknown_stage" "The workflow has no stage with this key.";
        LaterStage "later_stage" "The stage comes too late in the workflow: `return_to` accepts this stage and earlier ones, `distinct_from` only earlier ones.";
        TwoPanels "two_panels" "An actor sits in two panels of a stage.";
        QuorumUnreachable "quorum_unreachable" "The named reviewers of the stage or of a panel are too few for the votes that it needs, or could block each other.";
        PartyNotAllowed "party_not_allowed" "The party is not in the stage's `escalation.to`.";
        BuyerReviews "buyer_reviews" "A stage that the buyer reviews cannot be escalated to the buyer.";
        SilenceResolves "silence_resolves" "A timeout may not approve an escalation, a stage that the platform reviews, or a stage whose buyer has less than 24 hours.";
        ReminderTooLong "reminder_too_long" "A reminder would come before the review starts.";
        UnknownTimeZone "unknown_time_zone" "The IANA database has no such time zone.";
        InvalidTime "invalid_time" "A time of day is not written as HH:MM, from 00:00 to 24:00.";
        InvalidDate "invalid_date" "A date is not written as YYYY-MM-DD, or does not exist.";
        InvalidHours "invalid_hours" "Working hours end before they start, or overlap others of the same weekday.";
        NoWorkingHours "no_working_hours" "A calendar has no working hours on any weekday.";
        CalendarRequired "calendar_required" "The clock `business` is used, but the workflow has no calendar.";
        BeyondCalendar "beyond_calendar" "By the workflow's calendar, this much working time can take more than ten years.";
        TooManyMistakes "too_many_mistakes" "There are more mistakes than the response lists.";
    }
}

codes! {
    /// The kind of a [`Warning`].
    WarningCode {
        TimeoutApproves "timeout_approves" "A stage is approved if its deadline passes without a decision.";
        UnboundedWait "unbounded_wait" "A task can wait here indefinitely, since neither a clock nor the task's deadline ends the wait.";
        UnboundedRounds "unbounded_rounds" "A stage can be rejected any number of times.";
        DeadlinesExceedTask "deadlines_exceed_task" "The deadlines of the stages add up to more than the task's deadline.";
        SingleReason "single_reason" "A stage lists a single reason for rejections, so that every rejection must name it and none says more than another.";
        PoolMayRunDry "pool_may_run_dry" "Actors who submitted the work or approved earlier stages may not approve here, which can leave fewer named reviewers than the quorum needs.";
        AllMayBeFewer "all_may_be_fewer" "`all` must approve, but actors who submitted the work or approved earlier stages may not, and are not waited for.";
        UnusedCalendar "unused_calendar" "The workflow has a calendar, but no duration is counted by it.";
        BusinessDays "business_days" "A duration of working time is written in days or weeks, which are 24 and 168 working hours.";
        LabelOfTheService "label_of_the_service" "A label or a name reads like a status text of the service, or speaks for AITasker.";
        NoVisibleDecision "no_visible_decision" "Every stage can pass by timeout or by approval of the actor who did the work, and only the partner reviews: the buyer would notice no decision, and the synchronous path is a better fit.";
    }
}
