//! Liveness and readiness, for operators.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::operations::health::{NotReady, Unfit};
use crate::domain::values::cell::CellName;
use crate::http::AppState;
use crate::http::problem::{Code, Problem};

/// The health of the service.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// Always `ok`; otherwise the response is an error.
    #[schema(value_type = String, example = "ok", pattern = "^ok$")]
    status: &'static str,
    /// The cell that this is; absent if it has no name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "eu1")]
    cell: Option<CellName>,
}

impl Health {
    fn of(state: &AppState) -> Json<Self> {
        Json(Self { status: "ok", cell: state.app.cell().name().cloned() })
    }
}

/// Liveness
///
/// The process responds. The database is not checked.
#[utoipa::path(get, path = "/health", tag = "operation", security(()), responses(
    (status = 200, description = "The process is alive.", body = Health),
))]
pub async fn health(State(state): State<AppState>) -> Json<Health> {
    Health::of(&state)
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
    Ok(Health::of(&state))
}

impl From<NotReady> for Problem {
    fn from(why: NotReady) -> Self {
        let code = match &why {
            NotReady::Draining => Code::Draining,
            NotReady::Unreachable(_) | NotReady::Silent => Code::DatabaseUnreachable,
            NotReady::ReadOnly => Code::DatabaseReadOnly,
            NotReady::NotMigrated => Code::DatabaseNotMigrated,
            NotReady::NotConfined => Code::DatabaseNotConfined,
            NotReady::OtherCell => Code::DatabaseOfOtherCell,
            NotReady::Unfit(Unfit::Still { .. }) => Code::WorkerStill,
            NotReady::Unfit(Unfit::Clock(_)) => Code::ClockWrong,
        };
        Self::not_ready(code, why)
    }
}
