//! How stages are decided and how tasks end.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::values::party::Source;
use crate::domain::values::time::Time;

/// The decision of a stage in one round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Decision {
    /// The `seq` of its event.
    pub seq: u64,
    /// The stage's round, from 1.
    pub round: u32,
    /// Approved or rejected.
    pub decision: Verdict,
    /// The revision it was decided on.
    pub revision: u32,
    /// The deciding party, or the service.
    pub party: Source,
    /// When it was recorded.
    pub decided_at: Time,
}

/// Approved or rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Approved.
    Approved,
    /// Rejected.
    Rejected,
}

/// Whether a panel has approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PanelState {
    /// It has not, or not any more.
    Open,
    /// Enough of its reviewers have approved. Until the stage is decided their votes can change.
    Approved,
}

/// Why a task was escalated, or why it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Somebody asked for it.
    Person,
    /// A deadline passed.
    Deadline,
    /// The stage's rounds are exhausted.
    Exhausted,
    /// Too few of the named reviewers, or of those of a panel, may approve.
    NoQuorum,
}

impl Cause {
    /// Every cause, in the order of the contract.
    pub const ALL: [Self; 4] = [Self::Person, Self::Deadline, Self::Exhausted, Self::NoQuorum];
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every stage was approved.
    Delivery,
    /// Somebody cancelled it.
    Cancelled,
    /// Its deadline passed.
    Expired,
    /// A rule of the definition ended it, for this reason.
    Failed(Cause),
}
