//! The tool that waits for a change. A wait is short, because clients give up on tools after a
//! minute, and is called again.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use crate::app::status::AtLeast;
use crate::app::status::watch::{Watch, Woken};
use crate::domain::values::id::TaskId;
use crate::domain::values::outside::from_outside;
use crate::http::input::body::from_value;
use crate::http::problem::Problem;
use crate::mcp::call::Call;

use super::Arguments;

/// The longest wait, in seconds.
pub const MAX_SECONDS: u32 = 50;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Waiting {
    task_id: TaskId,
    #[serde(default)]
    after: Option<u64>,
    #[serde(default)]
    seconds: Option<Seconds>,
}

from_outside! { Waiting { ; task_id, after, seconds } }

#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "u32")]
struct Seconds(u32);

impl TryFrom<u32> for Seconds {
    type Error = String;

    fn try_from(seconds: u32) -> Result<Self, String> {
        if seconds <= MAX_SECONDS {
            Ok(Self(seconds))
        } else {
            Err(format!("must be from 0 to {MAX_SECONDS} whole seconds"))
        }
    }
}

/// Waits until the status is newer than the version that the caller knows, or the time is over.
pub(super) async fn wait(call: &Call, arguments: Arguments) -> Result<Value, Problem> {
    let Waiting { task_id, after, seconds } = from_value(Value::Object(arguments))?;
    let app = &call.state.app;
    let longest = Duration::from_secs(seconds.map_or(MAX_SECONDS, |seconds| seconds.0).into());
    let longest = longest.min(call.authenticated.left(app).unwrap_or(Duration::MAX));
    call.deadline.extend(longest);
    // The version of a task counts as well; it is never older than that of its status.
    let known = AtLeast { seen: after.unwrap_or_default(), required: 0 };
    let mut watch = app.statuses.watchers.watch_task_status(call.caller(), task_id, known).await?;
    let after = after.unwrap_or(watch.status().version);
    if watch.status().version <= after && !watch.is_final() {
        // The time is over, the service is about to stop, or there is a newer status.
        let _ = timeout_at(Instant::now() + longest, newer(&mut watch, after)).await;
        call.authenticated.check(app).await?;
    }
    let version = watch.status().version;
    Ok(json!({ "changed": version > after, "next_after": version.max(after), "ended": watch.is_final() }))
}

async fn newer(watch: &mut Watch, after: u64) {
    while watch.changed().await == Woken::Changed && watch.status().version <= after {}
}
