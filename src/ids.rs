//! The only source of randomness: ids, keys and salts.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

/// Creates an id: a UUID of version 7 (RFC 9562), which sorts by its time of creation.
#[expect(clippy::disallowed_methods, reason = "the one place that makes ids")]
pub fn new() -> Uuid {
    Uuid::now_v7()
}

/// Creates an id for a request, unique but easy to guess. A process counts up from a random id, since
/// randomness for each request would cost a poll more than its look-up.
pub fn of_request() -> Uuid {
    static FIRST: LazyLock<Uuid> = LazyLock::new(new);
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    Uuid::from_u128(FIRST.as_u128().wrapping_add(count.into()))
}

/// Returns `N` random bytes from the operating system.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system has a random source");
    bytes
}
