//! Partners and their keys. Open to the platform only.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::partners;
use crate::domain::values::id::{KeyId, PartnerId};
use crate::domain::values::outside::from_outside;
use crate::domain::values::text::Name;
use crate::domain::values::time::Time;
use crate::http::AppState;
use crate::http::auth::PlatformOnly;
use crate::http::input::body::{RawBody, SMALL};
use crate::http::input::extract::{NoParameters, Path, Query};
use crate::http::input::page::{AnyCursor, Cursor, Limit, Page};
use crate::http::problem::Problem;

use super::keys::{KeyDefinition, KeysQuery, NewPartnerKey, PartnerKey};

/// A partner to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPartner {
    /// The partner's id. The same id and name again returns the same partner, so a partner can be in
    /// several cells under one id. Default: a new one.
    #[serde(default)]
    id: Option<PartnerId>,
    /// The partner's name. It need not be unique.
    #[schema(example = "Northwind Agents")]
    name: Name,
}

from_outside! { NewPartner { name; id } }

/// A partner: an agent developer whose work is reviewed.
#[derive(Debug, Serialize, ToSchema)]
pub struct Partner {
    /// The partner's id.
    id: PartnerId,
    /// The partner's name.
    #[schema(example = "Northwind Agents")]
    name: Name,
    /// When the partner was added.
    created_at: Time,
}

/// The partner in the path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct PartnerPath {
    /// The partner's id.
    pub(in crate::http) id: PartnerId,
}

/// The key in the path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct KeyPath {
    /// The partner's id.
    id: PartnerId,
    /// The key's id.
    key_id: KeyId,
}

/// Selects a page of the partners.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PartnersQuery {
    /// The maximum number of rows of the page.
    #[param(inline)]
    #[serde(default)]
    limit: Limit,
    /// The `next` of an earlier page. Default: the first page.
    #[param(inline, value_type = Option<AnyCursor>)]
    cursor: Option<Cursor<PartnerId>>,
}

/// Add a partner
///
/// A partner can do nothing until it has a key. The same `id` and `name` again returns `200` with
/// the partner.
#[utoipa::path(post, path = "/partners", tag = "partners", security(("platformKey" = [])), request_body = NewPartner, responses(
    (status = 200, description = "The partner was added before with the same name.", body = Partner),
    (status = 201, description = "The partner was added.", body = Partner, headers(("Location" = String, description = "The partner's path."))),
    (status = 409, description = ""),
))]
pub async fn create_partner(
    PlatformOnly(caller): PlatformOnly,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
    body: RawBody<SMALL>,
) -> Result<Response, Problem> {
    let NewPartner { id, name } = body.parse()?;
    let (partner, is_new) = state.app.partners.create_partner(&caller, id, name).await?;
    let location = format!("/api/v1/partners/{}", partner.id);
    let partner = Json(Partner::from(partner));
    if !is_new {
        return Ok(partner.into_response());
    }
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], partner).into_response())
}

/// List the partners
///
/// Returns the partners ordered by id. The ids that the service makes grow with time.
#[utoipa::path(get, path = "/partners", tag = "partners", security(("platformKey" = [])), params(PartnersQuery), responses(
    (status = 200, description = "A page of partners.", body = Page<Partner>),
))]
pub async fn list_partners(
    _caller: PlatformOnly,
    Query(query): Query<PartnersQuery>,
    State(state): State<AppState>,
) -> Result<Json<Page<Partner>>, Problem> {
    let after = Cursor::of_page(query.cursor, state.app.cell())?;
    let rows = state.app.partners.list_partners(after, query.limit.and_one_more()).await?;
    Ok(Json(Page::new(state.app.cell(), rows, query.limit, |row| row.id, Partner::from)))
}

/// Read a partner
#[utoipa::path(get, path = "/partners/{id}", tag = "partners", security(("platformKey" = [])), params(PartnerPath), responses(
    (status = 200, description = "The partner.", body = Partner),
))]
pub async fn get_partner(
    _caller: PlatformOnly,
    Path(path): Path<PartnerPath>,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
) -> Result<Json<Partner>, Problem> {
    Ok(Json(state.app.partners.get_partner(path.id).await?.into()))
}

/// Create a key for a partner
///
/// Several keys can be valid at the same time, so that a key can be replaced without interruption:
/// create the new key, deploy it, then revoke the old one. At most 20 keys can be valid at a time,
/// and a partner can have at most 1,000 in total. The key is shown only in this response.
///
/// Without a body the key has every scope, can name any actor and does not expire.
#[utoipa::path(post, path = "/partners/{id}/keys", tag = "partners", security(("platformKey" = [])), params(PartnerPath), request_body = KeyDefinition, responses(
    (status = 201, description = "The key was created. It is shown only once.", body = NewPartnerKey),
    (status = 409, description = ""),
))]
pub async fn create_partner_key(
    PlatformOnly(caller): PlatformOnly,
    Path(path): Path<PartnerPath>,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
    body: RawBody<SMALL>,
) -> Result<(StatusCode, Json<NewPartnerKey>), Problem> {
    // A partner that does not exist comes before mistakes in the body.
    state.app.partners.get_partner(path.id).await?;
    let wanted = body.parse_or_default::<KeyDefinition>()?.wanted(state.app.clock().now())?;
    let made = state.app.partners.create_partner_key(&caller, path.id, wanted).await?;
    Ok((StatusCode::CREATED, Json(made.into())))
}

/// List a partner's keys
///
/// Returns the keys oldest first, including revoked ones.
#[utoipa::path(get, path = "/partners/{id}/keys", tag = "partners", security(("platformKey" = [])), params(PartnerPath, KeysQuery), responses(
    (status = 200, description = "A page of keys.", body = Page<PartnerKey>),
))]
pub async fn list_partner_keys(
    _caller: PlatformOnly,
    Path(path): Path<PartnerPath>,
    Query(query): Query<KeysQuery>,
    State(state): State<AppState>,
) -> Result<Json<Page<PartnerKey>>, Problem> {
    let after = Cursor::of_page(query.cursor, state.app.cell())?;
    let rows = state.app.partners.list_partner_keys(path.id, after, query.limit.and_one_more()).await?;
    Ok(Json(Page::new(state.app.cell(), rows, query.limit, |row| row.id, PartnerKey::from)))
}

/// Revoke a partner's key
///
/// Ends the key and the keys that it made. They stop working at once on the replica that responds,
/// and within 5 seconds on the others. Decisions made with the keys stand. Revoking a revoked key
/// changes nothing.
#[utoipa::path(delete, path = "/partners/{id}/keys/{key_id}", tag = "partners", security(("platformKey" = [])), params(KeyPath), responses(
    (status = 204, description = "The key is revoked."),
))]
pub async fn revoke_partner_key(
    PlatformOnly(caller): PlatformOnly,
    Path(path): Path<KeyPath>,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
) -> Result<StatusCode, Problem> {
    state.app.partners.revoke_partner_key(&caller, path.id, path.key_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<partners::Partner> for Partner {
    fn from(partner: partners::Partner) -> Self {
        Self { id: partner.id, name: partner.name, created_at: partner.created_at }
    }
}
