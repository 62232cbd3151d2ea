//! What can be wrong or doubtful in a definition: every code once, with its meaning.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

/// Something in a definition that must be changed before it can be registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Mistake {
    /// RFC 6901 JSON pointer to the place, in the definition as it was sent; for `required`, to the field that is
    /// missing.
    pub pointer: String,
    /// Which rule is broken.
    pub code: MistakeCode,
    /// The field and the rule in words.
    pub message: String,
}

/// Something in a definition that is allowed, but that its author may not have meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = WorkflowWarning)]
pub struct Warning {
    /// RFC 6901 JSON pointer to the place, in the definition with its defaults filled in.
    pub pointer: String,
    /// What is doubtful.
    pub code: WarningCode,
    /// What can happen, and what would prevent it.
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

            /// What it says about a definition.
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
        Required "required" "A field that must be there is missing.";
        UnknownField "unknown_field" "The definition has no such field.";
        WrongType "wrong_type" "The value is of another JSON type than the field.";
        UnknownValue "unknown_value" "The word is not one of those that the field takes.";
        NotApplicable "not_applicable" "The field means nothing beside the others: `to` without `escalate`, `grace` without `let_finish`.";
        PartnerOnly "partner_only" "`quorum`, `reviewers`, `self_approval` and `distinct_from` are for stages that the partner reviews; buyer and platform decide with one voice.";
        Blank "blank" "A text holds nothing that can be seen.";
        TooLong "too_long" "A text has more characters than allowed.";
        ControlCharacter "control_character" "A text holds control characters other than line breaks and tabs.";
        LineBreak "line_break" "A name or a label has a line break or a tab.";
        InvisibleCharacter "invisible_character" "A text holds a character that shows nothing or changes the direction of others.";
        InvalidId "invalid_id" "A reviewer's id is one that no command may name: its schema `ActorId` has the rules.";
        Reserved "reserved" "A reviewer's id is a name of the service itself: `service`, `system` or `stagegate`.";
        InvalidKey "invalid_key" "A key is not 1 to 64 of the characters a-z, 0-9 and -.";
        InvalidDuration "invalid_duration" "A duration is not ISO 8601 weeks, days, hours, minutes and seconds.";
        OutOfRange "out_of_range" "A number or a duration is out of bounds.";
        TooFew "too_few" "A list has fewer elements than required.";
        TooMany "too_many" "A list has more elements than allowed; those beyond the limit were not looked at.";
        Duplicate "duplicate" "A list names the same thing twice.";
        UnknownStage "unknown_stage" "A stage is named that the workflow does not have.";
        LaterStage "later_stage" "A stage is named that comes too late: `return_to` takes this stage and earlier ones, `distinct_from` only earlier ones.";
        QuorumUnreachable "quorum_unreachable" "The named reviewers are too few for the quorum, or could block each other for ever.";
        PartyNotAllowed "party_not_allowed" "A party is escalated to that is not in the stage's `escalation.to`.";
        BuyerReviews "buyer_reviews" "A stage that the buyer reviews cannot be escalated to the buyer.";
        SilenceResolves "silence_resolves" "Silence would decide where it must not: an escalation, a stage that the platform reviews, or a buyer who had less than 24 hours.";
        ReminderTooLong "reminder_too_long" "A reminder would come before the review starts.";
        UnknownTimeZone "unknown_time_zone" "A time zone is named that the IANA database does not have.";
        InvalidTime "invalid_time" "A time of day is not written as HH:MM, from 00:00 to 24:00.";
        InvalidDate "invalid_date" "A date is not written as YYYY-MM-DD, or there is no such day.";
        InvalidHours "invalid_hours" "Working hours end before they begin, or overlap others of the same weekday.";
        NoWorkingHours "no_working_hours" "A calendar has no working hours on any weekday.";
        CalendarRequired "calendar_required" "The clock `business` is used, and the workflow has no calendar to count by.";
        BeyondCalendar "beyond_calendar" "So much working time can take more than ten years by the workflow's calendar.";
        TooManyMistakes "too_many_mistakes" "There are more mistakes than an answer lists.";
    }
}

codes! {
    /// What a [`Warning`] doubts.
    WarningCode {
        TimeoutApproves "timeout_approves" "Silence approves the work of a stage.";
        UnboundedWait "unbounded_wait" "A task can wait here for ever, since neither a clock nor a deadline of the task ends the wait.";
        UnboundedRounds "unbounded_rounds" "A stage can be rejected any number of times.";
        DeadlinesExceedTask "deadlines_exceed_task" "The stages' deadlines add up to more than the task's.";
        PoolMayRunDry "pool_may_run_dry" "Those who handed in or approved earlier may not approve here, which can leave fewer named reviewers than the quorum needs.";
        UnusedCalendar "unused_calendar" "The workflow has a calendar, and no duration is counted by it.";
        BusinessDays "business_days" "A duration of working time is written in days or weeks, which are 24 and 168 working hours.";
        LabelOfTheService "label_of_the_service" "A label or a name reads like a state that the service itself tells the buyer, or speaks for AITasker.";
        NoVisibleDecision "no_visible_decision" "Every stage can pass by silence or on the word of whoever did the work, and nobody but the partner is asked: there is no decision that a buyer would notice, and the synchronous path would serve better.";
    }
}
