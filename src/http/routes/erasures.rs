//! Erasures: the personal data of one actor goes from every task. Open to the platform only.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::app::digest::{Digest, of_meaning};
use crate::app::erasures::{self, Record, Request, State as Stored};
use crate::domain::task::unreadable::Unreadable;
use crate::domain::values::id::{ActorId, ErasureId, PartnerId};
use crate::domain::values::identity::from_outside;
use crate::domain::values::party::Party;
use crate::domain::values::text::Prose;
use crate::domain::values::time::Time;
use crate::http::AppState;
use crate::http::auth::PlatformOnly;
use crate::http::input::body::{RawBody, SMALL, from_value};
use crate::http::input::extract::{NoParameters, Path, Query};
use crate::http::input::page::{Cursor, Limit, Page};
use crate::http::problem::Problem;

/// Whose personal data shall go.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewErasure {
    /// Names the erasure; one is made if it is absent. The same id and body again is the same erasure.
    #[serde(default)]
    id: Option<ErasureId>,
    /// Whose actor it is.
    party: Party,
    /// Which partner's: required for a partner's actor, as ids are each partner's own; absent for any other.
    #[serde(default)]
    partner_id: Option<PartnerId>,
    /// The actor's id, as the party gave it with its commands (a buyer's: the `sub` of the tokens).
    actor_id: ActorId,
    /// Who asked for it and why, 1 to 4,000 characters. Kept with the erasure, read by the platform alone and in no
    /// trail; do not name the person here.
    reason: Prose,
}

// The actor's id is one to look for, in whatever spelling it is stored.
from_outside! { NewErasure { reason; id, party, partner_id, actor_id } }

/// An erasure and how far it is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Erasure {
    /// Its id, as `data.erasure_id` of the entries that record it.
    id: ErasureId,
    /// Whose actor it is. The actor's id is not shown again, and forgotten when the erasure is done.
    party: Party,
    /// Which partner's; null for a buyer or the platform.
    #[schema(required = true)]
    partner_id: Option<PartnerId>,
    /// Who asked for it and why.
    reason: Prose,
    /// How far it is.
    state: ErasureState,
    /// When it was asked for: what was recorded later stays.
    requested_at: Time,
    /// When it began, about forty seconds later; null before.
    #[schema(required = true)]
    started_at: Option<Time>,
    /// When it was done; null before.
    #[schema(required = true)]
    finished_at: Option<Time>,
    /// What was done so far.
    progress: ErasureProgress,
}

/// How far an erasure is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErasureState {
    /// It has not begun.
    Pending,
    /// It goes through the tasks.
    Running,
    /// Every task was looked at; some are open, and the actor's id goes from them when they close, or failed and
    /// are tried again.
    Waiting,
    /// It is done.
    Done,
}

/// What an erasure has done so far.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErasureProgress {
    /// Tasks looked at, whoever's.
    tasks_examined: u64,
    /// Tasks that lost something.
    tasks_erased: u64,
    /// Entries of trails that did.
    entries_erased: u64,
    /// Fields.
    fields_erased: u64,
    /// Tasks that it must come back to: open ones, and those that failed.
    tasks_waiting: u64,
    /// Those that failed and are tried again.
    tasks_failing: u64,
}

/// The erasure in the path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct ErasurePath {
    /// The erasure's id.
    id: ErasureId,
}

/// Which page of the erasures.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ErasuresQuery {
    /// How many rows the page has at most.
    #[param(inline)]
    #[serde(default)]
    limit: Limit,
    /// The `next` of an earlier page; without it the first page.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<ErasureId>>,
}

/// Erase a person
///
/// Takes one actor's name, id, role and all that this actor wrote (texts and URLs) out of every task, in the
/// background; the answer's `Location` tells how far it is. The trails keep the commitments, so they and all proofs
/// verify as before, and each has an entry `task.personal_data_erased`. In a task that is still open the id stays,
/// as the rules need it, and goes when the task closes. What was recorded after the request stays. The same `id`
/// and body again: `200`, the erasure as it is.
#[utoipa::path(post, path = "/erasures", tag = "erasures", security(("platformKey" = [])), request_body(content = NewErasure, example = json!({
        "id": "0199aa00-0000-7000-8000-000000000009", "party": "partner", "partner_id": "0199aa00-0000-7000-8000-0000000000aa",
        "actor_id": "u-anna", "reason": "Request 2026-118 of the person concerned" })), responses(
    (status = 200, description = "It was asked for before with the same body.", body = Erasure),
    (status = 202, description = "Asked for.", body = Erasure, headers(("Location" = String, description = "The erasure's path."))),
))]
pub async fn request_erasure(
    PlatformOnly(caller): PlatformOnly,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
    body: RawBody<SMALL>,
) -> Result<Response, Problem> {
    let (members, text) = body.object_and_text()?;
    let new: NewErasure = from_value(Value::Object(members))?;
    let digest = Digest::new(new.meaning(), text);
    let NewErasure { id, party, partner_id, actor_id, reason } = new;
    let request = Request { id, party, partner_id, actor_id, reason, digest };
    let (record, created) = erasures::request_erasure(&state.app, &caller, request).await?;
    let location = format!("/api/v1/erasures/{}", record.id);
    let erasure = Json(Erasure::from(record));
    if !created {
        return Ok(erasure.into_response());
    }
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], erasure).into_response())
}

/// An erasure that this replica cannot show, in its place in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct UnreadableErasure {
    /// The erasure.
    id: ErasureId,
    /// Why it is not shown.
    unreadable: Unreadable,
}

/// An erasure in a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum ListedErasure {
    /// As it is.
    Erasure(Box<Erasure>),
    /// One that cannot be shown: it has `unreadable`, which no other has.
    Unreadable(UnreadableErasure),
}

/// List the erasures
///
/// In the order of their ids. One that this replica cannot read has its place, with `id` and `unreadable` alone.
#[utoipa::path(get, path = "/erasures", tag = "erasures", security(("platformKey" = [])), params(ErasuresQuery), responses(
    (status = 200, description = "A page of erasures.", body = Page<ListedErasure>),
))]
pub async fn list_erasures(
    _caller: PlatformOnly,
    Query(query): Query<ErasuresQuery>,
    State(state): State<AppState>,
) -> Result<Json<Page<ListedErasure>>, Problem> {
    let after = query.cursor.map(|cursor| cursor.0);
    let rows = erasures::list_erasures(&state.app, after, query.limit.and_one_more()).await?;
    let listed = |(id, record): erasures::Listed| match record {
        Ok(record) => ListedErasure::Erasure(Box::new(record.into())),
        Err(unreadable) => ListedErasure::Unreadable(UnreadableErasure { id, unreadable }),
    };
    Ok(Json(Page::new(rows, query.limit, |(id, _)| *id, listed)))
}

/// Read an erasure
#[utoipa::path(get, path = "/erasures/{id}", tag = "erasures", security(("platformKey" = [])), params(ErasurePath), responses(
    (status = 200, description = "The erasure.", body = Erasure),
))]
pub async fn get_erasure(
    _caller: PlatformOnly,
    Path(path): Path<ErasurePath>,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
) -> Result<Json<Erasure>, Problem> {
    Ok(Json(erasures::get_erasure(&state.app, path.id).await?.into()))
}

impl NewErasure {
    fn meaning(&self) -> [u8; 32] {
        let Self { id: _, party, partner_id, actor_id, reason } = self;
        let members = [
            ("party", json!(party)),
            ("partner_id", json!(partner_id)),
            ("actor_id", json!(actor_id.key())),
            ("reason", json!(reason)),
        ];
        of_meaning(members.map(|(name, value)| (name.to_owned(), value)).into_iter().collect(), "")
    }
}

impl From<Record> for Erasure {
    fn from(record: Record) -> Self {
        let progress = ErasureProgress {
            tasks_examined: record.progress.examined,
            tasks_erased: record.progress.tasks,
            entries_erased: record.progress.entries,
            fields_erased: record.progress.fields,
            tasks_waiting: record.progress.waiting,
            tasks_failing: record.progress.failing,
        };
        Self {
            id: record.id,
            party: record.party,
            partner_id: record.partner_id,
            reason: record.reason,
            state: record.state.into(),
            requested_at: record.requested_at,
            started_at: record.started_at,
            finished_at: record.finished_at,
            progress,
        }
    }
}

impl From<Stored> for ErasureState {
    fn from(state: Stored) -> Self {
        match state {
            Stored::Pending => Self::Pending,
            Stored::Running => Self::Running,
            Stored::Waiting => Self::Waiting,
            Stored::Done => Self::Done,
        }
    }
}
