//! Memory budget for request bodies that are being received or parsed: a total, and a share for
//! each caller.
//!
//! Each chunk is counted when it arrives, before it is stored, and released when the body was
//! parsed or dropped. Nobody waits for memory: a request that exceeds the budget is refused, and
//! its bytes are released.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::metrics::gauge::Gauge;

use crate::app::Caller;
use crate::app::refusals::Reason;
use crate::domain::values::id::{BuyerId, PartnerId};
use crate::http::problem::Problem;

/// One caller's share is a quarter of the budget.
const PARTS: usize = 4;

/// A budget in bytes, 64 MiB by default.
#[derive(Clone, Copy, Debug)]
pub struct Size(pub usize);

impl Default for Size {
    fn default() -> Self {
        Self(64 << 20)
    }
}

/// Whom a body counts for: a partner with all its keys, a buyer with all tokens, or the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Share {
    /// A partner.
    Partner(PartnerId),
    /// A buyer.
    Buyer(BuyerId),
    /// The platform.
    Platform,
    /// No caller. Does not occur, because every operation authenticates before it reads a body.
    Nobody,
}

impl Share {
    /// The caller's share.
    pub fn of(caller: &Caller) -> Self {
        match caller {
            Caller::Partner { partner_id, .. } => Self::Partner(*partner_id),
            Caller::Buyer { buyer_id, .. } => Self::Buyer(*buyer_id),
            Caller::Platform { .. } => Self::Platform,
        }
    }
}

/// The budget of the process. Clones share it.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    size: usize,
    held: Mutex<Held>,
    gauge: Gauge,
}

#[derive(Debug, Default)]
struct Held {
    all: usize,
    by: HashMap<Share, usize>,
}

impl Budget {
    /// Creates a budget of `size` bytes, but at least four of the largest bodies, so that one
    /// caller can send one.
    pub fn new(size: usize) -> Self {
        let size = size.max(PARTS * super::MAX_BYTES);
        Self(Arc::new(Inner { size, held: Mutex::default(), gauge: Gauge::default() }))
    }

    /// The bytes in use, as a metric.
    pub fn bytes(&self) -> &Gauge {
        &self.0.gauge
    }

    /// Starts an empty reservation.
    pub fn reserve(&self, share: Share) -> Reservation {
        Reservation { budget: self.clone(), share, bytes: 0 }
    }
}

/// The bytes that one body holds. Dropping it releases them.
#[derive(Debug)]
pub struct Reservation {
    budget: Budget,
    share: Share,
    bytes: usize,
}

impl Reservation {
    /// Reserves more bytes. Fails with 503 if the budget is exhausted, and with 429 if the caller's
    /// share is.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Problem> {
        let Inner { size, held, gauge } = &*self.budget.0;
        let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.all + bytes > *size {
            return Err(Problem::overloaded().because(Some(Reason::Bodies)));
        }
        let own = held.by.entry(self.share).or_default();
        if *own + bytes > size / PARTS {
            let most = (size / PARTS) >> 20;
            let detail =
                format!("The bodies of this caller's concurrent requests exceed {most} MiB. Send fewer at a time.");
            return Err(Problem::too_many_at_once(detail).because(Some(Reason::CallerBodies)));
        }
        *own += bytes;
        held.all += bytes;
        self.bytes += bytes;
        gauge.set(i64::try_from(held.all).unwrap_or(i64::MAX));
        Ok(())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let Inner { held, gauge, .. } = &*self.budget.0;
        let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
        held.all -= self.bytes;
        gauge.set(i64::try_from(held.all).unwrap_or(i64::MAX));
        if let Entry::Occupied(mut own) = held.by.entry(self.share) {
            *own.get_mut() -= self.bytes;
            if *own.get() == 0 {
                own.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::http::problem::Code;

    const MIB: usize = 1 << 20;

    fn take(budget: &Budget, share: Share, bytes: usize) -> Result<Reservation, Code> {
        let mut reservation = budget.reserve(share);
        reservation.grow(bytes).map(|()| reservation).map_err(|problem| problem.code())
    }

    fn partner(n: u128) -> Share {
        Share::Partner(PartnerId(Uuid::from_u128(n)))
    }

    #[test]
    fn a_caller_has_a_quarter_and_all_together_have_the_whole() {
        let budget = Budget::new(64 * MIB);
        let mut held: Vec<_> = (0..16).map(|_| take(&budget, partner(0), MIB).unwrap()).collect();
        assert_eq!(take(&budget, partner(0), 1).unwrap_err(), Code::TooManyAtOnce);
        for n in 1..4 {
            held.push(take(&budget, partner(n), 16 * MIB).unwrap());
        }
        assert_eq!(take(&budget, partner(4), 1).unwrap_err(), Code::Overloaded);
        assert_eq!(budget.bytes().get(), 64 << 20);
        held.remove(0);
        assert!(take(&budget, partner(4), MIB).is_ok());
        drop(held);
        assert_eq!(budget.bytes().get(), 0);
        assert!(budget.0.held.lock().unwrap().by.is_empty(), "nothing is kept of callers who have nothing under way");
    }

    #[test]
    fn what_is_refused_keeps_what_it_had_until_it_is_dropped() {
        let budget = Budget::new(0);
        let mut one = budget.reserve(Share::Platform);
        one.grow(MIB).unwrap();
        assert_eq!(one.grow(1).unwrap_err().code(), Code::TooManyAtOnce);
        assert_eq!(budget.bytes().get(), 1 << 20);
        drop(one);
        assert_eq!(budget.bytes().get(), 0);
    }
}
