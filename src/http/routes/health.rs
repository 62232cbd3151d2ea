//! Liveness and readiness, for operators.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::operations::health::{NotReady, Unfit};
use crate::http::AppState;
use crate::http::problem::{Code, Problem};

/// The health of the service.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// Always `ok`; otherwise the response is an error.
    #[schema(value_type = String, example = "ok", pattern = "^ok$")]
    status: &'static str,
}

/// Liveness
///
/// The process responds. The database is not checked.
#[utoipa::path(get, path = "/health", tag = "operation", security(()), responses(
    (status = 200, description = "The process is alive.", body = Health),
))]
pub async fn health() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Readiness
///
/// The database is reachable, migrated and writable (a replica that only reads asks for no writes),
/// the background workers make progress, the clock is within 15 s of the database's, and the service
/// is not about to stop. Otherwise `503`; `code` and `detail` give the reason. The check does not wait
/// behind other requests, and its information about the database is at most a second old.
#[utoipa::path(get, path = "/ready", tag = "operation", security(()), responses(
    (status = 200, description = "The service is ready for requests.", body = Health),
))]
pub async fn ready(State(state): State<AppState>) -> Result<Json<Health>, Problem> {
    state.app.operations.health.ready().await?;
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
