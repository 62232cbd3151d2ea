//! The owner of any trail.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::partner::trail::PartnerOrigin;
use crate::domain::task::trail::Origin;

/// The owner of a proof's trail; its members show which kind it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum TrailOrigin {
    /// The origin of a task's trail.
    Task(Origin),
    /// The origin of a partner's trail.
    Partner(PartnerOrigin),
}

impl From<Origin> for TrailOrigin {
    fn from(origin: Origin) -> Self {
        Self::Task(origin)
    }
}

impl From<PartnerOrigin> for TrailOrigin {
    fn from(origin: PartnerOrigin) -> Self {
        Self::Partner(origin)
    }
}
