//! Statistics of the closed tasks of a workflow.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::Caller;
use crate::app::analytics::Wanted;
use crate::domain::analytics::{Analytics, MAX_SPAN_SECONDS};
use crate::domain::values::id::{PartnerId, WorkflowKey};
use crate::domain::values::outside::from_outside;
use crate::domain::values::time::Time;
use crate::http::AppState;
use crate::http::auth::PartnerOrPlatform;
use crate::http::input::extract::{Path, Query};
use crate::http::problem::{FieldError, Problem};

use super::workflows::WorkflowPath;

/// Selects the tasks that are counted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AnalyticsQuery {
    /// The version whose tasks are counted. Default: the latest.
    #[serde(default)]
    #[param(minimum = 1)]
    version: Option<u32>,
    /// Only tasks that closed at this time or later: before `until`, by at most 366 days. Default: 30
    /// days before `until`.
    #[serde(default)]
    from: Option<Time>,
    /// Only tasks that closed before this time. Default: now.
    #[serde(default)]
    until: Option<Time>,
    /// The partner whose workflow it is. Required from the platform; a partner always gets its own.
    #[serde(default)]
    partner_id: Option<PartnerId>,
}

from_outside! { AnalyticsQuery { ; version, from, until, partner_id } }

impl AnalyticsQuery {
    /// The statistics that are asked for.
    ///
    /// # Errors
    ///
    /// When a parameter is out of range, the workflow does not exist, too many statistics are being
    /// counted, or the service fails.
    pub async fn answer(self, state: &AppState, caller: &Caller, key: WorkflowKey) -> Result<Analytics, Problem> {
        let partner_id = self.partner(caller)?;
        let (from, until) = state.app.analytics.span(self.from, self.until);
        if from >= until {
            return refused("from", "out_of_range", "must be earlier than `until`");
        }
        if (until - from).num_seconds() > i64::from(MAX_SPAN_SECONDS) {
            return refused("from", "out_of_range", "must be at most 366 days before `until`");
        }
        let wanted = Wanted { partner_id, key, version: self.version, from, until };
        Ok(state.app.analytics.get_workflow_analytics(caller, wanted).await?)
    }

    fn partner(&self, caller: &Caller) -> Result<PartnerId, Problem> {
        match (caller.partner_id(), self.partner_id) {
            (Some(own), None) => Ok(own),
            (None, Some(named)) => Ok(named),
            (Some(_), Some(_)) => {
                refused("partner_id", "not_allowed", "is for the platform only; a partner always gets its own tasks")
            }
            (None, None) => refused("partner_id", "required", "is required, because each partner has keys of its own"),
        }
    }
}

fn refused<T>(name: &str, code: &'static str, message: &'static str) -> Result<T, Problem> {
    Err(Problem::invalid_parameter(FieldError::new(format!("/query/{name}"), code, message)))
}

/// Read a workflow's statistics
///
/// Counts the tasks of one version that closed in a span of time: for each stage how it was decided,
/// how long it took and whose time that was, and for the whole how the tasks ended and how long they
/// took. The figures are those of a count of the tasks' trails, to the microsecond. They name no
/// person, stay when personal data is erased or tasks are put away, and are null where they would be
/// about fewer than 5 tasks.
#[utoipa::path(get, path = "/workflows/{key}/analytics", tag = "workflows", security(("partnerKey" = []), ("platformKey" = [])), params(WorkflowPath, AnalyticsQuery), responses(
    (status = 200, description = "The statistics.", body = Analytics),
))]
pub async fn get_workflow_analytics(
    PartnerOrPlatform(caller): PartnerOrPlatform,
    Path(path): Path<WorkflowPath>,
    Query(query): Query<AnalyticsQuery>,
    State(state): State<AppState>,
) -> Result<Json<Analytics>, Problem> {
    query.answer(&state, &caller, path.key).await.map(Json)
}
