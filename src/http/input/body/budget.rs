//! How much memory bodies may take that are being received or parsed: so many bytes in all, and no more than a part
//! of them by one caller.
//!
//! Each piece of a body is counted as it arrives, before it is kept, and given back when the body was parsed or
//! given up. Nobody waits for room: who does not get it is refused, and what was counted for it comes free.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::metrics::gauge::Gauge;
use uuid::Uuid;

use crate::app::Caller;
use crate::app::refusals::Reason;
use crate::http::problem::Problem;

/// One caller's part of the whole: a quarter.
const PARTS: usize = 4;

/// A budget in bytes. By default 64 MiB.
#[derive(Clone, Copy, Debug)]
pub struct Size(pub usize);

impl Default for Size {
    fn default() -> Self {
        Self(64 << 20)
    }
}

/// Whose body it is: a partner with all its keys, a buyer with all tokens, the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Share {
    /// A partner's.
    Partner(Uuid),
    /// A buyer's.
    Buyer(Uuid),
    /// The platform's.
    Platform,
    /// Nobody was asked for: no operation reads a body before a credential.
    Nobody,
}

impl Share {
    /// The caller's.
    pub fn of(caller: &Caller) -> Self {
        match caller {
            Caller::Partner { partner_id, .. } => Self::Partner(partner_id.0),
            Caller::Buyer { buyer_id, .. } => Self::Buyer(buyer_id.0),
            Caller::Platform { .. } => Self::Platform,
        }
    }
}

/// The budget of a process. Cheap to clone; clones share it.
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
    /// Of so many bytes, at least four of the largest bodies, so that one caller can send one.
    pub fn new(size: usize) -> Self {
        let size = size.max(PARTS * super::MAX_BYTES);
        Self(Arc::new(Inner { size, held: Mutex::default(), gauge: Gauge::default() }))
    }

    /// The bytes that are taken, as a metric.
    pub fn bytes(&self) -> &Gauge {
        &self.0.gauge
    }

    /// Begins a body, with nothing taken yet.
    pub fn reserve(&self, share: Share) -> Reservation {
        Reservation { budget: self.clone(), share, bytes: 0 }
    }
}

/// What a body has taken; gives it back when it is dropped.
#[derive(Debug)]
pub struct Reservation {
    budget: Budget,
    share: Share,
    bytes: usize,
}

impl Reservation {
    /// Takes room for more of the body: 503 if the process has none, 429 if the caller has taken its share.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Problem> {
        let Inner { size, held, gauge } = &*self.budget.0;
        let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.all + bytes > *size {
            return Err(Problem::overloaded().because(Some(Reason::Bodies)));
        }
        let own = held.by.entry(self.share).or_default();
        if *own + bytes > size / PARTS {
            let most = (size / PARTS) >> 20;
            let detail = format!("The caller's requests have {most} MiB of bodies under way. Send fewer at a time.");
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
    use super::*;
    use crate::http::problem::Code;

    const MIB: usize = 1 << 20;

    fn take(budget: &Budget, share: Share, bytes: usize) -> Result<Reservation, Code> {
        let mut reservation = budget.reserve(share);
        reservation.grow(bytes).map(|()| reservation).map_err(|problem| problem.code())
    }

    fn partner(n: u128) -> Share {
        Share::Partner(Uuid::from_u128(n))
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
