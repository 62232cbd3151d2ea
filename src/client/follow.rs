//! Following the feed.

use std::collections::VecDeque;
use std::time::Duration;

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::call::Call;
use super::wait::LONGEST_WAIT;
use super::{Error, Stagegate};

/// The most events of one request, which is the most that the service gives.
const PAGE: &str = "100";

/// An event of the feed. Store `cursor` once it is processed, and pass it as `after` to continue.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FeedEvent {
    /// The cursor from which on nothing is missed; none before the first.
    pub cursor: Option<String>,
    /// Increases when the database was restored to an earlier time.
    pub epoch: u64,
    /// The event, or a notice. `kind` tells them apart, and `type` says what happened.
    pub item: Value,
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Value>,
    next: String,
    more: bool,
    epoch: u64,
}

/// The feed, event by event.
#[derive(Debug)]
pub struct Follow<'a> {
    client: &'a Stagegate,
    cursor: Option<String>,
    live: bool,
    ready: VecDeque<FeedEvent>,
    more: bool,
}

impl<'a> Follow<'a> {
    pub(super) fn new(client: &'a Stagegate, after: Option<String>, live: bool) -> Self {
        Self { client, cursor: after, live, ready: VecDeque::new(), more: true }
    }

    /// The next event. `None` is the end of a feed that is not live.
    ///
    /// # Errors
    ///
    /// As [`Stagegate::request`]. Following may go on afterwards.
    pub async fn next(&mut self) -> Result<Option<FeedEvent>, Error> {
        while self.ready.is_empty() {
            if !self.live && !self.more {
                return Ok(None);
            }
            self.read().await?;
        }
        Ok(self.ready.pop_front())
    }

    /// From where the next request goes on: all events before it were given out by [`Self::next`].
    pub fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    /// From now on, waits for new events.
    pub fn go_live(&mut self) {
        self.live = true;
    }

    async fn read(&mut self) -> Result<(), Error> {
        let wait = if self.live { LONGEST_WAIT } else { Duration::ZERO };
        let mut query = vec![("wait", wait.as_secs().to_string()), ("limit", PAGE.to_owned())];
        query.extend(self.cursor.clone().map(|cursor| ("after", cursor)));
        let call = Call { query, wait, ..Call::new(Method::GET, "/api/v1/events") };
        let Page { items, next, more, epoch } = self.client.retried(&call).await?.json()?;
        let last = items.len();
        let before = self.cursor.replace(next);
        self.ready.extend(items.into_iter().enumerate().map(|(index, item)| {
            let cursor = if index + 1 == last { self.cursor.clone() } else { before.clone() };
            FeedEvent { cursor, epoch, item }
        }));
        self.more = more;
        Ok(())
    }
}
