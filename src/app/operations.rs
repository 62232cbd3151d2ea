//! Data for operators: readiness, gauges, the clock, and the workers' turns.

pub mod clock_skew;
pub mod health;
pub mod monitor;
