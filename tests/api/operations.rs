//! What operators meet: cells, metrics, clocks that differ, overload, outages, kills and failovers.

mod cells;
mod clock_skew;
mod failover;
mod kills;
pub mod metrics;
mod outages;
mod overload;
mod pooler;
mod readers;
mod traces;
