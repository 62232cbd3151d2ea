//! The types of commands: one table, with a line for each. What differs from type to type by its
//! name alone is made from it: the names, the contract's schemas, the parsing of bodies.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

use crate::domain::values::scope::{Scope, Scopes};

/// Calls a macro with the whole table. A line has the variant of
/// [`Action`](super::command::Action), which is also the name of the body's struct, and the `type`
/// on the wire.
macro_rules! for_each_command {
    ($use:ident) => {
        $use! {
            WorkSubmitted "work_submitted",
            StatusUpdated "status_updated",
            StageApproved "stage_approved",
            StageRejected "stage_rejected",
            StageEscalated "stage_escalated",
            EscalationResolved "escalation_resolved",
            QuestionAsked "question_asked",
            QuestionAnswered "question_answered",
            QuestionWithdrawn "question_withdrawn",
            ReviewersChanged "reviewers_changed",
            Held "held",
            Resumed "resumed",
            CancellationRequested "cancellation_requested",
            CancellationAcknowledged "cancellation_acknowledged",
        }
    };
}
pub(crate) use for_each_command;

macro_rules! define {
    ($($command:ident $name:literal,)*) => {
        /// The `type` of a command that a party can send.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum CommandType {
            $(
                #[doc = concat!("`", $name, "`: see [`", stringify!($command), "`](super::command::", stringify!($command), ").")]
                #[serde(rename = $name)]
                $command,
            )*
        }

        impl CommandType {
            /// Every type, in the order of the contract.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$command),*];

            /// The name on the wire.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$command => $name,)*
                }
            }
        }
    };
}
for_each_command!(define);

impl CommandType {
    /// The type with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Every name, for messages: `a, b, c`.
    pub fn list() -> String {
        Self::ALL.map(Self::as_str).join(", ")
    }

    /// The scopes of partners' keys that allow it: any of these.
    pub fn scopes(self) -> Scopes {
        match self {
            Self::WorkSubmitted
            | Self::StatusUpdated
            | Self::Held
            | Self::Resumed
            | Self::CancellationRequested
            | Self::CancellationAcknowledged => Scopes::of(&[Scope::Work]),
            Self::StageApproved | Self::StageRejected | Self::StageEscalated | Self::EscalationResolved => {
                Scopes::of(&[Scope::Review])
            }
            Self::QuestionAsked | Self::QuestionAnswered | Self::QuestionWithdrawn => {
                Scopes::of(&[Scope::Work, Scope::Review])
            }
            Self::ReviewersChanged => Scopes::of(&[Scope::Define]),
        }
    }

    /// Whether `stage`, `round` and `revision` are required, so that nobody decides on work that
    /// they have not seen.
    pub fn needs_target(self) -> bool {
        match self {
            Self::StageApproved | Self::StageRejected | Self::StageEscalated | Self::QuestionAsked => true,
            Self::WorkSubmitted
            | Self::StatusUpdated
            | Self::EscalationResolved
            | Self::QuestionAnswered
            | Self::QuestionWithdrawn
            | Self::ReviewersChanged
            | Self::Held
            | Self::Resumed
            | Self::CancellationRequested
            | Self::CancellationAcknowledged => false,
        }
    }
}

impl utoipa::PartialSchema for CommandType {
    fn schema() -> RefOr<Schema> {
        let words = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(Self::ALL.map(Self::as_str)));
        words.description(Some("A command, by its `type`.")).into()
    }
}

impl ToSchema for CommandType {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("CommandType")
    }
}
