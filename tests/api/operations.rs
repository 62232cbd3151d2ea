//! What operators meet: metrics, clocks that differ, overload, outages, kills and failovers.

mod clock_skew;
mod failover;
mod kills;
pub mod metrics;
mod outages;
mod overload;
mod pooler;
mod readers;
mod traces;
