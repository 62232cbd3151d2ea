//! Stagegate: the approval-workflow service of the AITasker marketplace.

pub mod clock;
pub mod domain;
pub mod ids;
pub mod store;
