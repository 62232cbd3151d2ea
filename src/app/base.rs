//! What the composition hands to each capability. A capability keeps what it needs of it.

use std::sync::Arc;

use crate::clock::Clock;
use crate::domain::values::cell::Cell;
use crate::store::Pool;

use super::replay::Replay;
use super::shares::All;
use super::shutdown::Shutdown;
use super::workers::Workers;

/// Handles to what the whole process shares.
#[derive(Debug)]
pub(super) struct Base {
    /// The connections to the database.
    pub(super) pool: Pool,
    /// The same connections for what commands and timers read; some are reserved for these.
    pub(super) decisions: Pool,
    /// The clock.
    pub(super) clock: Clock,
    /// The end of the service.
    pub(super) shutdown: Shutdown,
    /// What callers share.
    pub(super) shares: All,
    /// The turns of the background workers.
    pub(super) workers: Arc<Workers>,
    /// Whether the platform's own escalations need a second person.
    pub(super) dual_control: bool,
    /// The cell that this is.
    pub(super) cell: Cell,
    /// What a standby may lack.
    pub(super) replay: Replay,
}

impl Base {
    pub(super) fn new(pool: Pool, clock: Clock, shares: All, (dual_control, cell): (bool, Cell)) -> Self {
        let (decisions, replay) = (pool.for_decisions(), Replay::new(&pool));
        let (shutdown, workers) = (Shutdown::default(), Arc::default());
        Self { pool, decisions, clock, shutdown, shares, workers, dual_control, cell, replay }
    }

    /// With an unreachable database, for tests that need none.
    #[cfg(test)]
    pub(super) fn without_database(clock: Clock) -> Self {
        use std::time::Duration;

        use crate::store::Limits;
        use crate::store::db::connect::{connect_lazily, parse_url};

        let patience = Duration::from_millis(100);
        let limits = Limits { wait: patience, connect: patience, ..Limits::default() };
        let nowhere = parse_url("postgres://nobody@localhost:1/nothing").unwrap();
        Self::new(connect_lazily(&nowhere, 10, limits), clock, All::default(), (true, Cell::default()))
    }
}
