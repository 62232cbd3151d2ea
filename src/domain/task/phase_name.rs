//! The names of the phases on the wire.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The name of a task's phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PhaseName {
    /// The stage waits for work to be submitted.
    Preparing,
    /// Reviewers are deciding.
    InReview,
    /// Paused; one party must decide.
    Escalated,
    /// Paused on request.
    OnHold,
    /// Winding down a review that a person is working on.
    Cancelling,
    /// Every stage is approved. Terminal.
    Delivery,
    /// Cancelled. Terminal.
    Cancelled,
    /// The task's deadline passed. Terminal.
    Expired,
    /// A rule of the definition says `fail` when rounds or time run out. Terminal.
    Failed,
}

impl PhaseName {
    /// All nine.
    pub const ALL: [Self; 9] = [
        Self::Preparing,
        Self::InReview,
        Self::Escalated,
        Self::OnHold,
        Self::Cancelling,
        Self::Delivery,
        Self::Cancelled,
        Self::Expired,
        Self::Failed,
    ];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Preparing => "preparing",
            Self::InReview => "in_review",
            Self::Escalated => "escalated",
            Self::OnHold => "on_hold",
            Self::Cancelling => "cancelling",
            Self::Delivery => "delivery",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Failed => "failed",
        }
    }

    /// Whether a task in this phase never changes again.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Preparing | Self::InReview | Self::Escalated | Self::OnHold | Self::Cancelling => false,
            Self::Delivery | Self::Cancelled | Self::Expired | Self::Failed => true,
        }
    }
}
