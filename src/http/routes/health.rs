//! For those who watch over the service: is it alive, can it serve.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::operations::health::{self, NotReady};
use crate::app::operations::workers::Unfit;
use crate::http::AppState;
use crate::http::problem::{Code, Problem};

/// How the service is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// Always `ok`; anything else is an error.
    #[schema(value_type = String, example = "ok", pattern = "^ok$")]
    status: &'static str,
}

/// Liveness
///
/// The process answers. Does not look at the database.
#[utoipa::path(get, path = "/health", tag = "operation", security(()), responses(
    (status = 200, description = "Alive.", body = Health),
))]
pub async fn health() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Readiness
///
/// The database is reachable, migrated and takes writes, the background workers turn, the clock is within 15 s of
/// the database's, and the service is not about to stop. Else `503`, whose `code` and `detail` say why not. It does
/// not wait behind other requests; what it says of the database is at most a second old.
#[utoipa::path(get, path = "/ready", tag = "operation", security(()), responses(
    (status = 200, description = "Ready for requests.", body = Health),
))]
pub async fn ready(State(state): State<AppState>) -> Result<Json<Health>, Problem> {
    health::ready(&state.app).await?;
    Ok(Json(Health { status: "ok" }))
}

impl From<NotReady> for Problem {
    fn from(why: NotReady) -> Self {
        let code = match &why {
            NotReady::Draining => Code::Draining,
            NotReady::Unreachable(_) | NotReady::Silent => Code::DatabaseUnreachable,
            NotReady::ReadOnly => Code::DatabaseReadOnly,
            NotReady::NotMigrated => Code::DatabaseNotMigrated,
            NotReady::NotConfined => Code::DatabaseNotConfined,
            NotReady::Unfit(Unfit::Still { .. }) => Code::WorkerStill,
            NotReady::Unfit(Unfit::Clock(_)) => Code::ClockWrong,
        };
        Self::not_ready(code, why)
    }
}
