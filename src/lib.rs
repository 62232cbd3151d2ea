//! Stagegate: the approval-workflow service of the AITasker marketplace.

pub mod app;
pub mod check;
pub mod clock;
pub mod config;
pub mod demo;
pub mod domain;
pub mod embedded;
pub mod http;
pub mod ids;
pub mod store;
pub mod telemetry;
pub mod trial;
pub mod worker;
