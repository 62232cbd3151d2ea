//! Whether a replica on a standby has replayed what its callers have seen.
//!
//! A standby is behind its primary, by milliseconds or by hours. A caller that has seen a version,
//! from a replica on the primary, must not get an older one as if it were current. It gets
//! [`Error::Behind`] instead, from which it learns to ask again or elsewhere.

use crate::store::Pool;
use crate::store::db::horizon::is_standby;

use super::error::Error;

/// Compares what a replica reads with what its callers have seen.
#[derive(Clone, Debug)]
pub(super) struct Replay(Pool);

impl Replay {
    pub(super) fn new(pool: &Pool) -> Self {
        Self(pool.clone())
    }

    /// Whether something that callers have seen may still be missing here.
    pub(super) fn may_lack(&self) -> bool {
        self.0.is_read_only()
    }

    /// Fails with [`Error::Behind`] if this replica reads a standby. Called where something that the
    /// caller names is missing: on a primary it does not exist, or does no longer.
    pub(super) async fn require_complete(&self) -> Result<(), Error> {
        if self.may_lack() && is_standby(&self.0).await? { Err(Error::Behind) } else { Ok(()) }
    }
}
