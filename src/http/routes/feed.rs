//! The feed of events, for clients that must not miss one.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{IntoParams, PartialSchema, ToSchema};
use uuid::Uuid;

use crate::app::feed::{Bookmark, Position, Transaction};
use crate::domain::feed::Item;
use crate::http::AppState;
use crate::http::auth::PartnerOrPlatform;
use crate::http::input::deadline::Deadline;
use crate::http::input::extract::Query;
use crate::http::input::page::{AnyCursor, Cursor, Limit};
use crate::http::problem::Problem;

/// The columns of a [`Position`]: epoch and number of a transaction, an id and a `seq`; and the
/// transaction at which a reader began that is still catching up.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Key {
    CaughtUp(u64, u64, Uuid, u64),
    CatchingUp(u64, u64, Uuid, u64, u64, u64),
}

impl From<Key> for Bookmark {
    fn from(key: Key) -> Self {
        let (columns, began) = match key {
            Key::CaughtUp(epoch, number, id, seq) => ((epoch, number, id, seq), None),
            Key::CatchingUp(epoch, number, id, seq, began_epoch, began) => {
                ((epoch, number, id, seq), Some(Transaction { epoch: began_epoch, number: began }))
            }
        };
        let (epoch, number, id, seq) = columns;
        Self { position: Position::of(Transaction { epoch, number }, (id, seq)), began }
    }
}

impl From<Bookmark> for Key {
    fn from(Bookmark { position, began }: Bookmark) -> Self {
        let (Transaction { epoch, number }, (id, seq)) = (position.transaction, position.columns());
        match began {
            None => Self::CaughtUp(epoch, number, id, seq),
            Some(began) => Self::CatchingUp(epoch, number, id, seq, began.epoch, began.number),
        }
    }
}

/// Selects a part of the feed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FeedQuery {
    /// The `next` of an earlier response. Default: the start of the feed.
    #[param(inline, value_type = Option<AnyCursor>)]
    after: Option<Cursor<Key>>,
    /// The maximum number of events in the response.
    #[param(inline)]
    #[serde(default)]
    limit: Limit,
    /// How many seconds to wait for new events.
    #[param(inline)]
    #[serde(default)]
    wait: Wait,
}

/// How long a response may be held: 0 to 55 s. Many proxies give up after 60 s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u64")]
pub struct Wait(u64);

impl Wait {
    const MAX: u64 = 55;
}

impl TryFrom<u64> for Wait {
    type Error = String;

    fn try_from(seconds: u64) -> Result<Self, String> {
        if seconds <= Self::MAX { Ok(Self(seconds)) } else { Err(format!("must be from 0 to {}", Self::MAX)) }
    }
}

impl PartialSchema for Wait {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(0))
            .maximum(Some(Self::MAX))
            .default(Some(serde_json::json!(0)))
            .description(Some("How many seconds to wait for new events."))
            .into()
    }
}

impl ToSchema for Wait {}

/// A part of the feed.
#[derive(Debug, Serialize, ToSchema)]
pub struct Feed {
    /// The events in the order of the feed; the events of one task are in the order of their `seq`.
    /// Between them are notices of what the service did to the caller's webhooks.
    items: Vec<Item>,
    /// The `after` of the next request, whether there were events or not. Opaque. Store it once the
    /// events are processed.
    next: String,
    /// Whether there may be more events now; if so, request them at once. A response can have fewer
    /// events than `limit`, or none, although more follow.
    more: bool,
    /// The epoch. It increases when the database was restored to an earlier time. No event is
    /// missed then, but some events that were read earlier may have been undone. To discard those,
    /// read the feed from the start, without `after`.
    epoch: u64,
}

/// Follow the events
///
/// Returns every event of the tasks that the caller may see, from the first event on: a partner's
/// own tasks, or all tasks for the platform. The order never changes, and no event appears before a
/// cursor, however late its transaction commits. A client that stores `next` together with its
/// results therefore misses nothing and gets nothing twice. Each item has the status after the
/// event, so every status can be rebuilt from the start. The body of an event is the same at every
/// reading, except for erased data.
///
/// With `wait`, a response without events is held until there are some or the time is over. An
/// event appears as soon as no older transaction is open. That is usually at once, and within 5
/// seconds unless somebody keeps a transaction open by hand.
///
/// For a partner, a request examines at most 5,000 events of all partners. A response also ends
/// early if rendering the statuses of old events takes too long. In both cases `more` is true.
///
/// Events stay for as long as their tasks. Where the operator puts closed tasks away, after 30 days
/// or more, the feed from the start begins with the oldest event that is still there. A cursor
/// stays valid while nothing after it has left. One that is older than that period may be refused
/// with `410` and the code `cursor_expired`, so that no event is skipped unnoticed: read the feed
/// from the start then, and skip events whose `id` you have.
///
/// A replica that reads a standby may not have the position of a cursor yet. It then returns no
/// events and the same cursor, until it has.
///
/// An event whose row is damaged keeps its place, as an item of `type` `event.unreadable`. An event
/// that a newer version of the service wrote is never skipped: this replica ends its page before
/// it, and responds to requests from there with `503` and `Retry-After`. A replica of the newer
/// version can serve them.
///
/// An item of `type` `webhook.disabled` is not an event of a task: the service disabled one of the
/// caller's webhooks.
#[utoipa::path(get, path = "/events", tag = "events", security(("partnerKey" = []), ("platformKey" = [])), params(FeedQuery), responses(
    (status = 200, description = "The events after the cursor.", body = Feed),
    (status = 410, description = ""),
))]
pub async fn list_events(
    PartnerOrPlatform(caller): PartnerOrPlatform,
    Query(query): Query<FeedQuery>,
    State(state): State<AppState>,
    deadline: Deadline,
) -> Result<Json<Feed>, Problem> {
    let wait = Duration::from_secs(query.wait.0);
    deadline.extend(wait);
    let after = query.after.map(|after| after.open("after", state.app.cell())).transpose()?;
    let after = after.map_or(Bookmark::START, Bookmark::from);
    let page = state.app.feed.list_events(&caller, after, query.limit.rows(), wait).await?;
    let next = Cursor::new(Key::from(page.next), state.app.cell()).encode();
    Ok(Json(Feed { items: page.items, next, more: page.more, epoch: page.epoch }))
}
