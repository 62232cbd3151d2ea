//! A partner's own keys. What a key makes reaches no further than the key itself.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::partners::{self, Wanted};
use crate::domain::partner::rights::Rights;
use crate::domain::values::id::{ActorId, KeyId};
use crate::domain::values::outside::from_outside;
use crate::domain::values::scope::Scope;
use crate::domain::values::text::Name;
use crate::domain::values::time::Time;
use crate::http::AppState;
use crate::http::auth::PartnerOnly;
use crate::http::input::body::{RawBody, SMALL};
use crate::http::input::extract::{NoParameters, Path, Query};
use crate::http::input::page::{Cursor, Limit, Page};
use crate::http::problem::Problem;

/// A key to create. What is left out is not limited.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyDefinition {
    /// What the key is for, at most 200 characters.
    #[serde(default)]
    label: Option<Name>,
    /// The operations that the key is good for. Default: every scope.
    #[serde(default)]
    #[schema(min_items = 1, max_items = 4)]
    scopes: Option<Vec<Scope>>,
    /// The only actors that commands under the key can name. Default: any.
    #[serde(default)]
    #[schema(min_items = 1, max_items = 100)]
    actors: Option<Vec<ActorId>>,
    /// From when on the key is not accepted. Default: it is valid until it is revoked.
    #[serde(default)]
    expires_at: Option<Time>,
}

from_outside! { KeyDefinition { label, actors; scopes, expires_at } }

impl KeyDefinition {
    /// The key to create, checked.
    pub(super) fn wanted(self, now: Time) -> Result<Wanted, Problem> {
        let Self { label, scopes, actors, expires_at } = self;
        let rights = Rights::new(scopes, actors, expires_at, now).map_err(crate::app::Error::Rejected)?;
        Ok(Wanted { label, rights })
    }
}

/// A partner's key, without the secret part.
#[derive(Debug, Serialize, ToSchema)]
pub struct PartnerKey {
    /// The key's id: it appears in the trail as `credential_id`, and is used to revoke the key.
    id: KeyId,
    /// The first characters of the key.
    #[schema(example = "ait_7Gq2")]
    hint: String,
    /// What the key is for; null without a label.
    #[schema(required = true)]
    label: Option<Name>,
    /// The operations that the key is good for.
    scopes: Vec<Scope>,
    /// The only actors that commands under the key can name; null: any. It is empty if all of them
    /// were erased, and the key can then name nobody.
    #[schema(required = true)]
    actors: Option<Vec<ActorId>>,
    /// The key that made this one and with which it ends; null if the platform made it.
    #[schema(required = true)]
    made_by: Option<KeyId>,
    /// When the key was created.
    created_at: Time,
    /// From when on the key is not accepted; null: it is valid until it is revoked.
    #[schema(required = true)]
    expires_at: Option<Time>,
    /// When the key was revoked; null while it is valid.
    #[schema(required = true)]
    revoked_at: Option<Time>,
}

/// A new key.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewPartnerKey {
    /// The key's id: it appears in the trail as `credential_id`, and is used to revoke the key.
    id: KeyId,
    /// The key. It is shown only once and stored only as a hash.
    #[schema(pattern = "^ait_([a-z][a-z0-9-]{0,15}_)?[0-9A-Za-z]{49}$")]
    key: String,
    /// The first characters of the key, to recognise it later.
    #[schema(example = "ait_7Gq2")]
    hint: String,
    /// What the key is for; null without a label.
    #[schema(required = true)]
    label: Option<Name>,
    /// The operations that the key is good for.
    scopes: Vec<Scope>,
    /// The only actors that commands under the key can name; null: any.
    #[schema(required = true)]
    actors: Option<Vec<ActorId>>,
    /// When the key was created.
    created_at: Time,
    /// From when on the key is not accepted; null: it is valid until it is revoked.
    #[schema(required = true)]
    expires_at: Option<Time>,
    /// What the caller may not have intended.
    warnings: Vec<KeyWarning>,
}

/// A doubt about a key.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyWarning {
    /// Stable code.
    code: KeyWarningCode,
    /// The doubt in words.
    message: String,
}

/// The kinds of doubt about a key.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyWarningCode {
    /// Several people use the key: it counts as bound, but each of them can use the others' names.
    SharedKey,
}

/// Selects a page of the keys.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct KeysQuery {
    /// The maximum number of rows of the page.
    #[param(inline)]
    #[serde(default)]
    pub(super) limit: Limit,
    /// The `next` of an earlier page. Default: the first page.
    #[param(value_type = Option<String>)]
    pub(super) cursor: Option<Cursor<KeyId>>,
}

/// The partner's own key in the path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct OwnKeyPath {
    /// The key's id.
    key_id: KeyId,
}

/// Create a key
///
/// The new key reaches no further than the key used: it has no other scopes and actors and does not
/// outlast it, else `403 key_scope`. What is left out of the body is not limited, so a key that is
/// limited itself must name the limits of what it makes. The new key ends when the key used is
/// revoked. At most 20 keys can be valid at a time, and a partner can have at most 1,000 in total.
/// The key is shown only in this response. The body is optional.
#[utoipa::path(post, path = "/keys", tag = "keys", security(("partnerKey" = ["define"])), request_body = KeyDefinition, responses(
    (status = 201, description = "The key was created. It is shown only once.", body = NewPartnerKey),
    (status = 409, description = ""),
))]
pub async fn create_key(
    PartnerOnly(partner, caller): PartnerOnly,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
    body: RawBody<SMALL>,
) -> Result<(StatusCode, Json<NewPartnerKey>), Problem> {
    let wanted = body.parse_or_default::<KeyDefinition>()?.wanted(state.app.clock().now())?;
    let made = state.app.partners.create_partner_key(&caller, partner, wanted).await?;
    Ok((StatusCode::CREATED, Json(made.into())))
}

/// List the caller's keys
///
/// Returns the partner's keys oldest first, including expired and revoked ones.
#[utoipa::path(get, path = "/keys", tag = "keys", security(("partnerKey" = [])), params(KeysQuery), responses(
    (status = 200, description = "A page of keys.", body = Page<PartnerKey>),
))]
pub async fn list_keys(
    PartnerOnly(partner, _): PartnerOnly,
    Query(query): Query<KeysQuery>,
    State(state): State<AppState>,
) -> Result<Json<Page<PartnerKey>>, Problem> {
    let KeysQuery { limit, cursor } = query;
    let after = Cursor::of_page(cursor, state.app.cell())?;
    let rows = state.app.partners.list_partner_keys(partner, after, limit.and_one_more()).await?;
    Ok(Json(Page::new(state.app.cell(), rows, limit, |row| row.id, PartnerKey::from)))
}

/// Revoke a key
///
/// Ends the key and the keys that it made. They stop working at once on the replica that responds,
/// and within 5 seconds on the others. A key that reaches further than the key used is
/// `403 key_scope`. Decisions made with the keys stand. Revoking a revoked key changes nothing.
#[utoipa::path(delete, path = "/keys/{key_id}", tag = "keys", security(("partnerKey" = ["define"])), params(OwnKeyPath), responses(
    (status = 204, description = "The key is revoked."),
))]
pub async fn revoke_key(
    PartnerOnly(partner, caller): PartnerOnly,
    Path(path): Path<OwnKeyPath>,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
) -> Result<StatusCode, Problem> {
    state.app.partners.revoke_partner_key(&caller, partner, path.key_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<partners::Key> for PartnerKey {
    fn from(key: partners::Key) -> Self {
        let partners::Key { id, partner_id: _, hint, label, rights, made_by, created_at, revoked_at } = key;
        let Rights { scopes, actors, expires_at } = rights;
        Self { id, hint, label, scopes: scopes.into(), actors, made_by, created_at, expires_at, revoked_at }
    }
}

impl From<partners::NewKey> for NewPartnerKey {
    fn from(made: partners::NewKey) -> Self {
        let Rights { scopes, actors, expires_at } = made.record.rights;
        let people = actors.as_ref().map_or(0, Vec::len);
        let shared = KeyWarning {
            code: KeyWarningCode::SharedKey,
            message: format!("{people} actors share this key: each of them can act under the names of the others."),
        };
        Self {
            id: made.record.id,
            key: made.secret.reveal().to_owned(),
            hint: made.record.hint,
            label: made.record.label,
            scopes: scopes.into(),
            actors,
            created_at: made.record.created_at,
            expires_at,
            warnings: (people > 1).then_some(shared).into_iter().collect(),
        }
    }
}
