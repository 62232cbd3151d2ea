//! The feed of events, for whoever must not miss one.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use crate::app::feed::{self, Position, Transaction};
use crate::domain::feed::Item;
use crate::domain::values::id::TaskId;
use crate::http::AppState;
use crate::http::auth::PartnerOrPlatform;
use crate::http::input::extract::Query;
use crate::http::input::page::{Cursor, Limit};
use crate::http::problem::Problem;
use crate::http::serve::middleware::Deadline;

/// The epoch and number of a transaction, and a row that it wrote.
type Key = (u64, u64, TaskId, u64);

/// Which part of the feed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FeedQuery {
    /// The `next` of an earlier answer; without it the start of the feed.
    #[param(value_type = Option<String>)]
    after: Option<Cursor<Key>>,
    /// How many events the answer has at most.
    #[param(inline)]
    #[serde(default)]
    limit: Limit,
    /// How many seconds to wait where there is nothing new.
    #[param(inline)]
    #[serde(default)]
    wait: Wait,
}

/// How long an answer may be held: 0 to 55 s. (Many a proxy gives up after 60.)
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
            .description(Some("How many seconds to wait where there is nothing new."))
            .into()
    }
}

impl ToSchema for Wait {}

/// A part of the feed.
#[derive(Debug, Serialize, ToSchema)]
pub struct Feed {
    /// The events, in the order of the feed; those of one task in the order of their `seq`. Between them, what the
    /// service did to the caller's webhooks.
    items: Vec<Item>,
    /// Give it as `after` to go on, whether there were events or not. Opaque; keep it once the events are dealt with.
    next: String,
    /// Whether there may be more already: ask again at once. An answer can have fewer events than `limit`, even
    /// none, and yet more behind it.
    more: bool,
    /// Greater than before once the database was restored to an earlier time. Nothing is missed then, but some of
    /// what was read before may have been undone: read from the start, without `after`, to be rid of it.
    epoch: u64,
}

/// Follow the events
///
/// Everything that happens to the tasks that the caller may see, from the first event on: a partner's own tasks,
/// for the platform all. The order never changes, and an event never appears behind a cursor, however late its
/// transaction commits: whoever stores `next` with what it has done misses nothing and gets nothing twice. Each
/// item has the status after the event, so that every status can be rebuilt from the start. The body of an event is
/// the same at every reading, but for what was erased.
///
/// With `wait`, an answer without events is held until there are some, or that time is over. An event is there as
/// soon as no older transaction is still running, usually at once, and within 5 seconds unless somebody keeps one
/// open by hand.
///
/// A partner's answer looks at 5,000 events at most, whosever they are, and an answer ends early where telling the
/// statuses of long past events takes too long; then there is `more`.
///
/// An event whose row is not what was written has its place: an item of `type` `event.unreadable`. An event that a
/// newer version of the service wrote is never passed over: this replica's page ends before it, and asked from
/// there it answers `503` with `Retry-After`, until a replica of that version is asked.
///
/// An item whose `type` is `webhook.disabled` is no event of a task: the service gave up one of the caller's webhooks.
#[utoipa::path(get, path = "/events", tag = "events", security(("partnerKey" = []), ("platformKey" = [])), params(FeedQuery), responses(
    (status = 200, description = "What follows the cursor.", body = Feed),
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
    let after = query.after.map_or(Position::START, |Cursor((epoch, number, task_id, seq))| Position {
        transaction: Transaction { epoch, number },
        task_id,
        seq,
    });
    let page = feed::list_events(&state.app, &caller, after, query.limit.rows(), wait).await?;
    let Position { transaction: Transaction { epoch, number }, task_id, seq } = page.next;
    let next = Cursor((epoch, number, task_id, seq)).encode();
    Ok(Json(Feed { items: page.items, next, more: page.more, epoch: page.epoch }))
}
