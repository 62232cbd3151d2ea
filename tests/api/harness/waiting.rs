//! Waiting for what happens in its own time.

use std::time::Duration;

use tokio::time::{sleep, timeout};

/// How long anything may take that is waited for, however busy the machine is.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// Asks again and again until it is so.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    until_some(what, async || is_so().await.then_some(())).await;
}

/// Asks again and again until there is something.
pub async fn until_some<T>(what: &str, mut find: impl AsyncFnMut() -> Option<T>) -> T {
    let found = timeout(PATIENCE, async {
        loop {
            if let Some(found) = find().await {
                return found;
            }
            sleep(Duration::from_millis(20)).await;
        }
    });
    found.await.unwrap_or_else(|_| panic!("never: {what}"))
}
