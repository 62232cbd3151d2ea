//! Waiting for news: a page asks for its regions with `?part=live&wait=25` and the tag of what it
//! shows, and is answered when there is another state, or with `304` when the time is over.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use tokio::time::{Instant, sleep_until};

use crate::app::feed::News;
use crate::app::links::Seat;
use crate::app::status::AtLeast;
use crate::app::status::watch::{Watch, Woken};
use crate::app::{Caller, Error};
use crate::domain::values::id::TaskId;
use crate::domain::values::party::Party;
use crate::http::AppState;
use crate::http::input::deadline::Deadline;

use super::assets;
use super::problem::{Kind, PageError};
use super::query::Query;
use super::session::{self, Visitor};

/// The longest wait.
const MAX_WAIT: Duration = Duration::from_secs(25);
/// The shortest time between two looks at a list: any event of its owner may have changed it.
const PAUSE: Duration = Duration::from_secs(1);

/// What a page waits for.
#[derive(Debug)]
enum Source<'a> {
    /// A buyer's status.
    Status(Watch),
    /// The events of a partner or the platform.
    Feed(News<'a>),
}

/// The tag of what a page shows: it changes with the state and with the build.
pub(super) fn tag(state: impl std::fmt::Display) -> String {
    format!("\"{}-{state}\"", assets::build())
}

/// The tag that the page has, as it was sent.
pub(super) fn known(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok())
}

/// How long the page asks to wait, from the query's `wait` in seconds.
pub(super) fn wait_of(seconds: Option<u64>) -> Duration {
    Duration::from_secs(seconds.unwrap_or_default()).min(MAX_WAIT)
}

/// Answers a page of a session that asks for news: the tag of the state, and what `load` gave if the
/// page shows another one. A session that ends during the wait gets no news; without news, the page's
/// next request learns of the end.
pub(super) async fn wait_for_news<T, F: Future<Output = Result<(String, T), Error>>>(
    state: &AppState,
    (visitor, task): (&Visitor, Option<TaskId>),
    (query, deadline, headers): (&Query, &Deadline, &HeaderMap),
    load: impl Fn() -> F,
) -> Result<(String, Option<T>), PageError> {
    let failed = |error| PageError::of(error, visitor.untitled());
    let wait = wait_of(query.number("wait"));
    let seat = (!wait.is_zero()).then(|| state.app.links.wait(&visitor.visit));
    let about = (&visitor.caller, task);
    let waited = wait_for_change(state, about, (deadline, seat), (known(headers), wait), load).await;
    let is_old = matches!(waited, Ok((_, None)));
    if !wait.is_zero() && !is_old && session::current(headers, state).await.map_err(failed)?.is_none() {
        return Err(PageError::new(Kind::NoSession, visitor.untitled()));
    }
    waited.map_err(failed)
}

/// Waits until something that concerns the caller may have changed, or the time is over.
/// `load` gives the tag of the state and what to render.
pub(super) async fn wait_for_change<T, E: From<Error>, F: Future<Output = Result<(String, T), E>>>(
    state: &AppState,
    (caller, task): (&Caller, Option<TaskId>),
    (deadline, seat): (&Deadline, Option<Seat>),
    (known, wait): (Option<&str>, Duration),
    load: impl Fn() -> F,
) -> Result<(String, Option<T>), E> {
    let wait = caller.time_left(state.app.clock().now()).map_or(wait, |left| wait.min(left));
    if wait.is_zero() || known.is_none() {
        let (tag, loaded) = load().await?;
        let is_known = known == Some(tag.as_str());
        return Ok((tag, (!is_known).then_some(loaded)));
    }
    deadline.extend(wait);
    let until = Instant::now() + wait;
    let mut following = None;
    loop {
        let (tag, loaded) = load().await?;
        if known != Some(tag.as_str()) {
            return Ok((tag, Some(loaded)));
        }
        // Only what is small is kept over the wait.
        drop(loaded);
        // The first look comes before: the page of a busy task is out of date when it asks. The second one comes
        // after, so that nothing in between is missed.
        let Some(source) = &mut following else {
            following = Some(source(state, caller, task).await?);
            continue;
        };
        if !source.news(until, seat.as_ref()).await {
            return Ok((tag, None));
        }
        if task.is_none() {
            sleep_until(until.min(Instant::now() + PAUSE)).await;
        }
    }
}

async fn source<'a>(state: &'a AppState, caller: &Caller, task: Option<TaskId>) -> Result<Source<'a>, Error> {
    match (caller.party(), task) {
        (Party::Buyer, Some(task)) => {
            let watchers = &state.app.statuses.watchers;
            Ok(Source::Status(watchers.watch_task_status(caller, task, AtLeast::default()).await?))
        }
        (Party::Buyer, None) => Err(Error::NotFound),
        (Party::Partner | Party::Platform, task) => Ok(Source::Feed(state.app.feed.follow(caller, task).await?)),
    }
}

impl Source<'_> {
    /// Waits for news. `false`: the time is over, the service stops, or the session has newer waits.
    async fn news(&mut self, until: Instant, seat: Option<&Seat>) -> bool {
        let ended = async {
            match seat {
                Some(seat) => seat.ended().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            woken = self.woken(until) => woken,
            () = ended => false,
        }
    }

    async fn woken(&mut self, until: Instant) -> bool {
        match self {
            Self::Status(watch) => tokio::select! {
                woken = watch.changed() => woken == Woken::Changed,
                () = sleep_until(until) => false,
            },
            Self::Feed(news) => news.wait(until).await,
        }
    }
}

/// The answer to a page that already shows the state.
pub(super) fn not_modified(tag: &str) -> Response {
    let mut response = StatusCode::NOT_MODIFIED.into_response();
    set_tag(&mut response, tag);
    response
}

/// Adds the tag to an answer.
pub(super) fn set_tag(response: &mut Response, tag: &str) {
    if let Ok(tag) = HeaderValue::from_str(tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
}
