//! A task's status as server-sent events (HTML standard, section 9.2).

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use tokio::time::timeout;

use crate::app::App;
use crate::app::status::AtLeast;
use crate::app::status::watch::{Watch, Woken};
use crate::http::AppState;
use crate::http::auth::Authenticated;
use crate::http::input::etag;
use crate::http::input::extract::{NoParameters, Path, Query};
use crate::http::problem::{Code, Problem};
use crate::ids;

use super::tasks::TaskPath;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Disables response buffering in nginx.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Follow a task's status
///
/// Sends server-sent events of the type `status`: `id` is the version of the status, and `data` is
/// the object of `GET /tasks/{id}/status` in one line. The current status comes first, then each
/// newer one; a slow reader gets the latest and skips those in between. With `Last-Event-ID`, which
/// browsers send when they reconnect, nothing is sent until there is a newer status. There is an
/// event or a comment at least every 15 s.
///
/// The stream ends after the task's last status. A request with the id of that status gets `204`,
/// which tells browsers not to reconnect. The stream also ends, with a `retry:`, when the token
/// expires or the service is about to stop. It ends within a heartbeat when the key is revoked, and
/// sends no status later than 5 s after the revocation. In these cases reconnect with a valid
/// token.
#[utoipa::path(get, path = "/tasks/{id}/status/stream", tag = "status", security(("partnerKey" = []), ("platformKey" = []), ("buyerToken" = [])), params(TaskPath,
    ("Last-Event-ID" = Option<String>, Header, description = "The `id` of the last event that the caller has. A value that is not a version is ignored.")), responses(
    (status = 200, description = "The events.", body = String, content_type = "text/event-stream"),
    (status = 204, description = "The task has ended and `Last-Event-ID` is its last status, so no event will follow."),
))]
pub async fn stream_task_status(
    authenticated: Authenticated,
    Path(path): Path<TaskPath>,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let last = headers.get(LAST_EVENT_ID).and_then(|id| etag::version(id.as_bytes()));
    let at_least = AtLeast { seen: last.unwrap_or_default(), required: 0 };
    let watch = state.app.statuses.watchers.watch_task_status(&authenticated.caller, path.id, at_least).await?;
    if watch.is_final() && last == Some(watch.status().version) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let is_new = last != Some(watch.status().version);
    let stream = Stream { watch, authenticated, state, next: if is_new { Next::Status } else { Next::News } };
    let events = unfold(stream, |mut stream| async move {
        let event = Box::pin(stream.next()).await?;
        Some((Ok::<_, Infallible>(event), stream))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "private, no-cache"),
        (ACCEL_BUFFERING, "no"),
    ];
    Ok((headers, Body::from_stream(events)).into_response())
}

/// An open stream. It has no queue: each event is made when the previous one is taken.
struct Stream {
    watch: Watch,
    authenticated: Authenticated,
    state: AppState,
    next: Next,
}

/// The next action of an open stream.
enum Next {
    /// Send the status.
    Status,
    /// Wait for a newer status.
    News,
    /// End the stream.
    Nothing,
}

impl Stream {
    /// Returns the next event or comment; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        match self.next {
            Next::Status => Some(self.status().await),
            Next::News => self.news().await,
            Next::Nothing => None,
        }
    }

    async fn status(&mut self) -> Bytes {
        let body = Box::pin(self.state.app.statuses.answer_status(self.watch.status())).await;
        self.next = if self.watch.is_final() { Next::Nothing } else { Next::News };
        format!("event: status\nid: {}\ndata: {body}\n\n", self.watch.status().version).into()
    }

    async fn news(&mut self) -> Option<Bytes> {
        let app = &self.state.app;
        let pause = self.state.limits.heartbeat.min(self.authenticated.left(app).unwrap_or(Duration::MAX));
        let woken = timeout(pause, self.watch.changed()).await;
        if woken == Ok(Woken::Stopping) {
            self.next = Next::Nothing;
            return Some(retry(app));
        }
        // End the stream when the caller loses access; an unreachable database does not end a
        // silent stream. Boxed, so that a waiting stream reserves memory for the wait only.
        if self.authenticated.left(app).is_some_and(|left| left.is_zero()) {
            self.next = Next::Nothing;
            return Some(retry(app));
        }
        match Box::pin(self.authenticated.check(app)).await {
            Err(problem) if woken.is_ok() || problem.code() == Code::Unauthorized => return None,
            Ok(()) | Err(_) => {}
        }
        match woken {
            Ok(_) => Some(self.status().await),
            Err(_) => Some(Bytes::from_static(b":\n\n")),
        }
    }
}

/// The `retry:` line with the time until the client reconnects.
fn retry(app: &App) -> Bytes {
    let (watchers, _) = app.statuses.watchers.count();
    format!("retry: {}\n\n", pause_millis(watchers)).into()
}

/// Milliseconds until a client reconnects: random within 2 s plus 1 s for every 2,000 waiting
/// clients, so that the remaining replicas do not get all of them at once.
fn pause_millis(watchers: usize) -> u32 {
    let spread = 2_000 + u32::try_from(watchers / 2).unwrap_or(u32::MAX).min(30_000);
    500 + u32::from_ne_bytes(ids::random()) % spread
}

#[cfg(test)]
mod tests {
    use super::pause_millis;

    #[test]
    fn streams_that_end_together_do_not_come_back_together() {
        for (watchers, seconds) in [(0, 2), (20_000, 12)] {
            let mut by_second = vec![0; seconds];
            for _ in 0..10_000 {
                let at = pause_millis(watchers) - 500;
                by_second[at as usize / 1_000] += 1;
            }
            let (fair, most) = (10_000 / seconds, by_second.iter().max().unwrap());
            assert!(*most < fair * 3 / 2 && by_second.iter().all(|number| *number > fair / 2), "{by_second:?}");
        }
    }
}
