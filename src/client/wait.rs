//! Waiting for another status, by long polling.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::call::Call;
use super::{Error, Stagegate, Status};

/// The longest `wait` that is asked for. The service allows 55 s.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(50);

/// The pause after an answer that came early and had nothing new.
const PAUSE: Duration = Duration::from_secs(1);

/// What to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The version that is known. Without one the present status counts.
    pub after: Option<u64>,
    /// A version known from the answer to a command; no older status is returned.
    pub min_version: Option<u64>,
    /// How long to wait; the default is a minute.
    pub timeout: Duration,
}

impl Default for Wait {
    fn default() -> Self {
        Self { after: None, min_version: None, timeout: Duration::from_mins(1) }
    }
}

pub(super) async fn wait(
    client: &Stagegate,
    task: Uuid,
    wait: Wait,
    mut until: impl FnMut(&Status) -> bool,
) -> Result<Option<Status>, Error> {
    let end = Instant::now() + wait.timeout;
    let mut known = wait.after;
    loop {
        let started = Instant::now();
        // Whole seconds, as the service takes no others.
        let asked = Duration::from_secs(end.duration_since(started).min(LONGEST_WAIT).as_secs());
        let mut found = status(client, task, (known, wait.min_version), asked).await?;
        if found.is_none() && started.elapsed() + PAUSE < asked {
            // An early answer: the task has ended, or the service is about to stop.
            found = status(client, task, (None, wait.min_version), Duration::ZERO).await?;
            match &found {
                Some(same) if Some(same.version) == known && same.has_ended() => return Ok(None),
                Some(same) if Some(same.version) == known => sleep(PAUSE).await,
                Some(_) | None => {}
            }
        }
        if let Some(status) = found.filter(|status| Some(status.version) != known) {
            if until(&status) {
                return Ok(Some(status));
            }
            if status.has_ended() {
                return Ok(None);
            }
            known = Some(status.version);
        }
        if Instant::now() + PAUSE > end {
            return Ok(None);
        }
    }
}

/// The status, unless its version is the known one.
async fn status(
    client: &Stagegate,
    task: Uuid,
    (known, min_version): (Option<u64>, Option<u64>),
    wait: Duration,
) -> Result<Option<Status>, Error> {
    let path = format!("/api/v1/tasks/{task}/status");
    let mut query = vec![("wait", wait.as_secs().to_string())];
    query.extend(min_version.map(|version| ("min_version", version.to_string())));
    let answer = client.retried(&Call { query, known, wait, ..Call::new(Method::GET, &path) }).await?;
    if answer.status == StatusCode::NOT_MODIFIED { Ok(None) } else { answer.json().map(Some) }
}
