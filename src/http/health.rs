//! For those who watch over the service: is it alive, can it serve.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app;

use super::AppState;
use super::problem::Problem;

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
/// The database is reachable and migrated, and the service is not about to stop.
#[utoipa::path(get, path = "/ready", tag = "operation", security(()), responses(
    (status = 200, description = "Ready for requests.", body = Health),
))]
pub async fn ready(State(state): State<AppState>) -> Result<Json<Health>, Problem> {
    app::health::ready(&state.app).await?;
    Ok(Json(Health { status: "ok" }))
}
