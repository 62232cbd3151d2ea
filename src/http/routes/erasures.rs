//! Erasures of one actor's personal data from all tasks. Open to the platform only.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use crate::app::digest::of_meaning;
use crate::app::erasures::{Listed, Record, Request, State as Stored};
use crate::domain::task::unreadable::Unreadable;
use crate::domain::values::id::{ActorId, ErasureId, PartnerId, TaskId};
use crate::domain::values::outside::from_outside;
use crate::domain::values::party::Party;
use crate::domain::values::text::Prose;
use crate::domain::values::time::Time;
use crate::http::AppState;
use crate::http::auth::PlatformOnly;
use crate::http::input::body::{RawBody, SMALL};
use crate::http::input::extract::{NoParameters, Path, Query};
use crate::http::input::page::{AnyCursor, Cursor, Limit, Page, PageWithGaps};
use crate::http::problem::{ArchivedTask, Problem};

/// A request to erase personal data.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewErasure {
    /// The erasure's id. Default: a new id. The same id with the same body is the same erasure.
    #[serde(default)]
    id: Option<ErasureId>,
    /// The party that the actor belongs to.
    party: Party,
    /// The partner that the actor belongs to. Required for a partner's actor, because each partner
    /// has actor ids of its own; not allowed otherwise.
    #[serde(default)]
    partner_id: Option<PartnerId>,
    /// The actor's id as the party sent it with its commands; for a buyer, the `sub` of its tokens.
    actor_id: ActorId,
    /// Who requested the erasure and why, 1 to 4,000 characters. It is stored with the erasure,
    /// visible to the platform only, and not part of any trail. Do not name the person here.
    reason: Prose,
}

// The actor's id is matched against stored ids in any spelling, so its text is not checked.
from_outside! { NewErasure { reason; id, party, partner_id, actor_id } }

/// An erasure and its progress.
#[derive(Debug, Serialize, ToSchema)]
pub struct Erasure {
    /// The erasure's id, as in `data.erasure_id` of the entries that record it.
    id: ErasureId,
    /// The party that the actor belongs to. The actor's id is never shown again, and it is deleted
    /// when the erasure is done.
    party: Party,
    /// The partner that the actor belongs to; null for a buyer or the platform.
    #[schema(required = true)]
    partner_id: Option<PartnerId>,
    /// Who requested the erasure and why.
    reason: Prose,
    /// The state of the erasure.
    state: ErasureState,
    /// When the erasure was requested. Data that was recorded later stays.
    requested_at: Time,
    /// When the erasure started, about forty seconds after the request; null before.
    #[schema(required = true)]
    started_at: Option<Time>,
    /// When the erasure was done; null before.
    #[schema(required = true)]
    finished_at: Option<Time>,
    /// The progress so far.
    progress: ErasureProgress,
}

/// The state of an erasure.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErasureState {
    /// The erasure has not started.
    Pending,
    /// The erasure is examining tasks.
    Running,
    /// All tasks were examined. Some are still open, and the actor's id is erased from them when
    /// they close; or they failed and are tried again.
    Waiting,
    /// The erasure is done.
    Done,
}

/// The progress of an erasure.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErasureProgress {
    /// Tasks examined, including those that the actor had no part in.
    tasks_examined: u64,
    /// Tasks from which something was erased.
    tasks_erased: u64,
    /// Trail entries from which something was erased.
    entries_erased: u64,
    /// Fields that were erased.
    fields_erased: u64,
    /// Tasks to examine again: open ones, and those that failed.
    tasks_waiting: u64,
    /// Tasks that failed and are tried again.
    tasks_failing: u64,
    /// Tasks that were put away with data of the actor. The erasure does not reach their files:
    /// `GET /erasures/{id}/archived-tasks` lists them, for the operator of the archive. Of more than
    /// 5,000, the rest is counted when all other tasks were examined.
    tasks_archived: u64,
}

/// The erasure in the path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct ErasurePath {
    /// The erasure's id.
    id: ErasureId,
}

/// Selects a page of the erasures.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ErasuresQuery {
    /// The maximum number of rows of the page.
    #[param(inline)]
    #[serde(default)]
    limit: Limit,
    /// The `next` of an earlier page. Default: the first page.
    #[param(inline, value_type = Option<AnyCursor>)]
    cursor: Option<Cursor<ErasureId>>,
}

/// Erase a person
///
/// Erases one actor's name, id and role, and everything that the actor wrote (texts and URLs), from
/// all tasks, in the background. The response's `Location` shows the progress. The trails keep the
/// commitments, so the trails and all proofs still verify; each affected trail gets an entry
/// `task.personal_data_erased`. In an open task the rules still need the actor's id; it is erased
/// when the task closes. Data that was recorded after the request stays. The same `id` and body
/// again returns `200` with the erasure as it is.
///
/// The files of tasks that were put away are out of its reach. `progress.tasks_archived` says how
/// many of them have data of the actor.
#[utoipa::path(post, path = "/erasures", tag = "erasures", security(("platformKey" = [])), request_body(content = NewErasure, example = json!({
        "id": "0199aa00-0000-7000-8000-000000000009", "party": "partner", "partner_id": "0199aa00-0000-7000-8000-0000000000aa",
        "actor_id": "u-anna", "reason": "Request 2026-118 of the person concerned" })), responses(
    (status = 200, description = "The erasure was already requested with the same body.", body = Erasure),
    (status = 202, description = "The erasure was requested.", body = Erasure, headers(("Location" = String, description = "The erasure's path."))),
))]
pub async fn request_erasure(
    PlatformOnly(caller): PlatformOnly,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
    body: RawBody<SMALL>,
) -> Result<Response, Problem> {
    let new: NewErasure = body.parse()?;
    let digest = new.digest();
    let NewErasure { id, party, partner_id, actor_id, reason } = new;
    let request = Request { id, party, partner_id, actor_id, reason, digest };
    let (record, created) = state.app.erasures.request_erasure(&caller, request).await?;
    let location = format!("/api/v1/erasures/{}", record.id);
    let erasure = Json(Erasure::from(record));
    if !created {
        return Ok(erasure.into_response());
    }
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], erasure).into_response())
}

/// A placeholder in lists for an erasure that this replica cannot read.
#[derive(Debug, Serialize, ToSchema)]
pub struct UnreadableErasure {
    /// The erasure's id.
    id: ErasureId,
    /// Why it cannot be shown.
    unreadable: Unreadable,
}

/// List the erasures
///
/// Returns the erasures ordered by id. An erasure that this replica cannot read is in
/// `unreadable`.
#[utoipa::path(get, path = "/erasures", tag = "erasures", security(("platformKey" = [])), params(ErasuresQuery), responses(
    (status = 200, description = "A page of erasures.", body = PageWithGaps<Erasure, UnreadableErasure>),
))]
pub async fn list_erasures(
    _caller: PlatformOnly,
    Query(query): Query<ErasuresQuery>,
    State(state): State<AppState>,
) -> Result<Json<PageWithGaps<Erasure, UnreadableErasure>>, Problem> {
    let after = Cursor::of_page(query.cursor, state.app.cell())?;
    let rows = state.app.erasures.list_erasures(after, query.limit.and_one_more()).await?;
    let listed = |(id, record): Listed| match record {
        Ok(record) => Ok(record.into()),
        Err(unreadable) => Err(UnreadableErasure { id, unreadable }),
    };
    Ok(Json(Page::new(state.app.cell(), rows, query.limit, |(id, _)| *id, listed).into()))
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
    Ok(Json(state.app.erasures.get_erasure(path.id).await?.into()))
}

/// Selects a page of the tasks whose files an erasure does not reach.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ArchivedTasksQuery {
    /// The maximum number of rows of the page.
    #[param(inline)]
    #[serde(default)]
    limit: Limit,
    /// The `next` of an earlier page. Default: the first page.
    #[param(inline, value_type = Option<AnyCursor>)]
    cursor: Option<Cursor<TaskId>>,
}

/// List the files that an erasure does not reach
///
/// Returns the tasks that were put away and whose files have data of the erasure's actor, ordered by
/// id. The operator of the archive decides what becomes of these files; the service never changes
/// one.
#[utoipa::path(get, path = "/erasures/{id}/archived-tasks", tag = "erasures", security(("platformKey" = [])), params(ErasurePath, ArchivedTasksQuery), responses(
    (status = 200, description = "A page of tasks.", body = Page<ArchivedTask>),
))]
pub async fn list_erasure_archived_tasks(
    _caller: PlatformOnly,
    Path(path): Path<ErasurePath>,
    Query(query): Query<ArchivedTasksQuery>,
    State(state): State<AppState>,
) -> Result<Json<Page<ArchivedTask>>, Problem> {
    let after = Cursor::of_page(query.cursor, state.app.cell())?;
    let rows = state.app.erasures.list_archived(path.id, after, query.limit.and_one_more()).await?;
    Ok(Json(Page::new(state.app.cell(), rows, query.limit, |task| task.task_id, ArchivedTask::from)))
}

impl NewErasure {
    fn digest(&self) -> [u8; 32] {
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
            tasks_archived: record.progress.archived,
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
