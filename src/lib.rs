//! Stagegate: the approval-workflow service of the AITasker marketplace.

pub mod clock;
pub mod config;
pub mod domain;
pub mod embedded;
pub mod ids;
pub mod store;
