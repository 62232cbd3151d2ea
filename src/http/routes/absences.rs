//! Absences of a partner's people, each with the person who stands in.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::Caller;
use crate::domain::absence;
use crate::domain::values::id::{ActorId, PartnerId};
use crate::domain::values::outside::{Faults, from_outside};
use crate::domain::values::time::Time;
use crate::http::AppState;
use crate::http::auth::{PartnerOnly, PartnerOrPlatform};
use crate::http::input::body::{RawBody, SMALL};
use crate::http::input::extract::{NoParameters, Path, Query};
use crate::http::input::page::{Cursor, Limit, Page};
use crate::http::problem::{FieldError, Problem};

/// An absence to set.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAbsence {
    /// From when on.
    from: Time,
    /// Until when: at this instant the person is back. Later than `from`, and in the future.
    until: Time,
    /// Who stands in: another person of the partner. Default: nobody.
    #[serde(default)]
    substitute: Option<ActorId>,
}

from_outside! { NewAbsence { substitute; from, until } }

/// The absence of a person.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Absence {
    /// Who is absent.
    actor: ActorId,
    /// From when on.
    from: Time,
    /// Until when.
    until: Time,
    /// Who stands in; null: nobody does.
    #[schema(required = true)]
    substitute: Option<ActorId>,
}

impl From<absence::Absence> for Absence {
    fn from(absence: absence::Absence) -> Self {
        let absence::Absence { actor, from, until, substitute } = absence;
        Self { actor, from, until, substitute }
    }
}

/// The person in the path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct AbsencePath {
    /// The person's id.
    actor: ActorId,
}

/// Selects a page of the absences.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AbsencesQuery {
    /// The maximum number of rows of the page.
    #[param(inline)]
    #[serde(default)]
    limit: Limit,
    /// The `next` of an earlier page. Default: the first page.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<ActorId>>,
    /// The partner whose people they are. Required from the platform; a partner always gets its own.
    #[serde(default)]
    partner_id: Option<PartnerId>,
}

/// Whose person it is.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AbsenceQuery {
    /// The partner whose person it is. Required from the platform; a partner always gets its own.
    #[serde(default)]
    partner_id: Option<PartnerId>,
}

fn whose(caller: &Caller, named: Option<PartnerId>) -> Result<PartnerId, Problem> {
    let refused = |code, rule: &str| Err(Problem::invalid_parameter(FieldError::new("/query/partner_id", code, rule)));
    match (caller.partner_id(), named) {
        (Some(own), None) => Ok(own),
        (None, Some(named)) => Ok(named),
        (Some(_), Some(_)) => {
            refused("not_allowed", "is for the platform only; a partner always gets the absences of its own people")
        }
        (None, None) => refused("required", "is required, because each partner has people of its own"),
    }
}

/// List absences
///
/// Returns the absences that have not ended, in the order of the people's ids. The platform names the
/// partner.
#[utoipa::path(get, path = "/absences", tag = "absences", security(("partnerKey" = []), ("platformKey" = [])), params(AbsencesQuery), responses(
    (status = 200, description = "A page of absences.", body = Page<Absence>),
    (status = 404, description = ""),
))]
pub async fn list_absences(
    PartnerOrPlatform(caller): PartnerOrPlatform,
    Query(query): Query<AbsencesQuery>,
    State(state): State<AppState>,
) -> Result<Json<Page<Absence>>, Problem> {
    let AbsencesQuery { limit, cursor, partner_id } = query;
    let partner = whose(&caller, partner_id)?;
    let after = Cursor::of_page(cursor, state.app.cell())?;
    let rows = state.app.absences.list_absences(partner, after.as_ref(), limit.and_one_more()).await?;
    Ok(Json(Page::new(state.app.cell(), rows, limit, |row| row.actor.clone(), Absence::from)))
}

/// Read a person's absence
///
/// Returns `404` for a person who has no absence, or whose absence has ended. The platform names the
/// partner.
#[utoipa::path(get, path = "/absences/{actor}", tag = "absences", security(("partnerKey" = []), ("platformKey" = [])), params(AbsencePath, AbsenceQuery), responses(
    (status = 200, description = "The absence.", body = Absence),
))]
pub async fn get_absence(
    PartnerOrPlatform(caller): PartnerOrPlatform,
    Path(path): Path<AbsencePath>,
    Query(query): Query<AbsenceQuery>,
    State(state): State<AppState>,
) -> Result<Json<Absence>, Problem> {
    let partner = whose(&caller, query.partner_id)?;
    Ok(Json(state.app.absences.get_absence(partner, &path.actor).await?.into()))
}

/// Set a person's absence
///
/// From `from` until `until` the substitute may vote in the person's seat on stages that the partner
/// reviews and that name the person. Without a substitute, or while the substitute is absent as well,
/// the person does not count as able to approve when a review starts. The person may still vote. The
/// absence takes the place of an earlier one of the same person. A partner can have at most 1,000
/// absences that have not ended. Setting the same absence again changes nothing.
#[utoipa::path(put, path = "/absences/{actor}", tag = "absences", security(("partnerKey" = ["define"])), params(AbsencePath), request_body = NewAbsence, responses(
    (status = 200, description = "The absence.", body = Absence),
    (status = 409, description = ""),
))]
pub async fn set_absence(
    PartnerOnly(partner, caller): PartnerOnly,
    Path(path): Path<AbsencePath>,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
    body: RawBody<SMALL>,
) -> Result<Json<Absence>, Problem> {
    check(&path.actor)?;
    let NewAbsence { from, until, substitute } = body.parse()?;
    let absence = absence::Absence { actor: path.actor, from, until, substitute };
    state.app.absences.set_absence(&caller, partner, &absence).await?;
    Ok(Json(absence.into()))
}

/// An id that is written down is checked as strictly as one in a body.
fn check(actor: &ActorId) -> Result<(), Problem> {
    match Faults::of(actor).into_iter().next() {
        Some(fault) => Err(Problem::invalid_parameter(FieldError::new("/path/actor", fault.code, fault.rule))),
        None => Ok(()),
    }
}

/// Remove a person's absence
///
/// The person is there again. Votes that a substitute cast stand until the person votes. Succeeds also
/// if there is no absence.
#[utoipa::path(delete, path = "/absences/{actor}", tag = "absences", security(("partnerKey" = ["define"])), params(AbsencePath), responses(
    (status = 204, description = "The person has no absence."),
))]
pub async fn remove_absence(
    PartnerOnly(partner, caller): PartnerOnly,
    Path(path): Path<AbsencePath>,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
) -> Result<StatusCode, Problem> {
    state.app.absences.remove_absence(&caller, partner, &path.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}
