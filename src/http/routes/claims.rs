//! Claims: who of a party has taken a task to decide on.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::Caller;
use crate::app::tasks::claims::{self, Claiming};
use crate::domain::values::id::{ActorId, TaskId};
use crate::domain::values::outside::from_outside;
use crate::domain::values::party::Actor;
use crate::domain::values::time::{Span, Time};
use crate::http::AppState;
use crate::http::auth::PartnerOrPlatform;
use crate::http::input::body::{RawBody, SMALL};
use crate::http::input::extract::{NoParameters, Path, Query};
use crate::http::problem::{FieldError, Problem};

use super::tasks::TaskPath;

/// The longest lease, in seconds: 24 hours.
const MAX_LEASE: u32 = 86_400;
/// The lease where none is named.
const DEFAULT_LEASE: &str = "PT1H";

/// A claim to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewClaim {
    /// The person or program. A key that is bound to one actor fills it in.
    #[serde(default)]
    actor: Option<Actor>,
    /// How long the claim lasts, at most PT24H. Default PT1H.
    #[serde(default)]
    lease: Option<Span>,
    /// Take the place of the claim that ends first if no other is free. Default `false`.
    #[serde(default)]
    take_over: bool,
}

from_outside! { NewClaim { actor; lease, take_over } }

/// A claim.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Claim {
    /// Who has the task.
    actor: Actor,
    /// Since when.
    claimed_at: Time,
    /// Until when.
    until: Time,
}

impl From<claims::Claim> for Claim {
    fn from(claim: claims::Claim) -> Self {
        Self { actor: claim.actor, claimed_at: claim.claimed_at, until: claim.until }
    }
}

impl Claim {
    /// Makes the claim that `parse` gives. The task comes before the mistakes in the claim.
    ///
    /// # Errors
    ///
    /// Those of [`claims::Claims::claim`], those of `parse`, and a lease that is too long.
    pub async fn make(
        state: &AppState,
        caller: &Caller,
        id: TaskId,
        parse: impl FnOnce() -> Result<NewClaim, Problem>,
    ) -> Result<Self, Problem> {
        let claims = &state.app.tasks.claims;
        claims.list(caller, id).await?;
        let NewClaim { actor, lease, take_over } = parse()?;
        let lease = lease.unwrap_or_else(|| Span::parse(DEFAULT_LEASE).expect("PT1H is a span"));
        if lease.seconds() > MAX_LEASE {
            let error = FieldError::new("/lease", "out_of_range", "must be at most PT24H");
            return Err(Problem::invalid_body(vec![error]));
        }
        Ok(claims.claim(caller, id, Claiming { actor, lease, take_over }).await?.into())
    }
}

/// The claims of a task.
#[derive(Debug, Serialize, ToSchema)]
pub struct Claims {
    /// The claims for the decision that the task waits for, the first to end first.
    items: Vec<Claim>,
}

impl Claims {
    /// Those of a task now.
    ///
    /// # Errors
    ///
    /// Those of [`claims::Claims::list`].
    pub async fn of(state: &AppState, caller: &Caller, id: TaskId) -> Result<Self, Problem> {
        let found = state.app.tasks.claims.list(caller, id).await?;
        Ok(Self { items: found.into_iter().map(Claim::from).collect() })
    }
}

/// Whose claim to give up.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ClaimQuery {
    /// The person or program.
    actor: ActorId,
}

/// Read who has claimed a task
#[utoipa::path(get, path = "/tasks/{id}/claim", tag = "tasks", security(("partnerKey" = []), ("platformKey" = [])), params(TaskPath), responses(
    (status = 200, description = "The claims.", body = Claims),
))]
pub async fn get_claim(
    PartnerOrPlatform(caller): PartnerOrPlatform,
    Path(path): Path<TaskPath>,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
) -> Result<Json<Claims>, Problem> {
    Claims::of(&state, &caller, path.id).await.map(Json)
}

/// Claim a task
///
/// Tells the other people of the caller's party that `actor` decides this task, until the lease is
/// over. A claim is politeness: it blocks no vote and no other command. As many people can claim a
/// task as votes are needed to approve its stage, and one an escalation. The same actor again renews
/// the claim. Once the stage or escalation is decided, the claim is void.
#[utoipa::path(put, path = "/tasks/{id}/claim", tag = "tasks", security(("partnerKey" = ["review"]), ("platformKey" = [])), params(TaskPath), request_body = NewClaim, responses(
    (status = 200, description = "The claim.", body = Claim),
    (status = 403, description = ""),
    (status = 409, description = ""),
))]
pub async fn claim_task(
    PartnerOrPlatform(caller): PartnerOrPlatform,
    Path(path): Path<TaskPath>,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
    body: RawBody<SMALL>,
) -> Result<Json<Claim>, Problem> {
    Claim::make(&state, &caller, path.id, || body.parse()).await.map(Json)
}

/// Give up a claim
///
/// Succeeds also if there is none.
#[utoipa::path(delete, path = "/tasks/{id}/claim", tag = "tasks", security(("partnerKey" = ["review"]), ("platformKey" = [])), params(TaskPath, ClaimQuery), responses(
    (status = 204, description = "The actor has no claim on the task."),
    (status = 403, description = ""),
))]
pub async fn release_claim(
    PartnerOrPlatform(caller): PartnerOrPlatform,
    Path(path): Path<TaskPath>,
    Query(query): Query<ClaimQuery>,
    State(state): State<AppState>,
) -> Result<StatusCode, Problem> {
    state.app.tasks.claims.release(&caller, path.id, &query.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}
