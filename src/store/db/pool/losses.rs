//! How often sessions were lost, for all that talk to the same database.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// Counts how often sessions were lost. Shared by all that talk to the same database.
#[derive(Debug, Default)]
pub(in crate::store) struct Losses {
    count: AtomicU64,
    lost: Notify,
}

impl Losses {
    /// The number of losses. A session that was opened at a lower number must not be used.
    pub(in crate::store) fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// Reports that a session opened when the count was `known` was lost, and with it all others of
    /// its generation; `false` if that was reported before.
    pub(in crate::store) fn report(&self, known: u64) -> bool {
        let new = self.count.compare_exchange(known, known + 1, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if new {
            self.lost.notify_waiters();
        }
        new
    }

    /// Returns once the count exceeds `count`.
    pub(in crate::store) async fn exceed(&self, count: u64) {
        loop {
            let mut lost = std::pin::pin!(self.lost.notified());
            // Enable before reading the count, so that a loss in between is not missed.
            lost.as_mut().enable();
            if self.count() > count {
                return;
            }
            lost.await;
        }
    }
}
