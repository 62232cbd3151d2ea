//! The trail of a partner, open to that partner and the platform.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::audit::{PartnerEntryView, PartnerOrigin, ProofView};
use crate::domain::values::id::PartnerId;
use crate::http::AppState;
use crate::http::auth::PartnerOrPlatform;
use crate::http::input::extract::{NoParameters, Path, Query};
use crate::http::input::page::Page;
use crate::http::problem::Problem;

use super::audit::{AuditQuery, TrailExportQuery};
use super::export::answer;
use super::partners::PartnerPath;

/// A page of a partner's trail.
#[derive(Debug, Serialize, ToSchema)]
pub struct PartnerTrail {
    /// The partner's id.
    partner_id: PartnerId,
    /// The entries, oldest first.
    items: Vec<PartnerEntryView>,
    /// The `cursor` of the next page; null on the last page. Opaque.
    #[schema(required = true)]
    next: Option<String>,
}

/// Read a partner's trail
///
/// Returns the entries oldest first: keys created and revoked; workflows registered, retired and
/// restored; erasures and exports that affected the partner's tasks. A partner can read its own
/// trail.
#[utoipa::path(get, path = "/partners/{id}/audit", tag = "audit", security(("partnerKey" = []), ("platformKey" = [])), params(PartnerPath, AuditQuery), responses(
    (status = 200, description = "A page of the trail.", body = PartnerTrail),
))]
pub async fn get_partner_audit(
    PartnerOrPlatform(caller): PartnerOrPlatform,
    Path(path): Path<PartnerPath>,
    Query(query): Query<AuditQuery>,
    State(state): State<AppState>,
) -> Result<Json<PartnerTrail>, Problem> {
    let (after, limit) = query.page(state.app.cell())?;
    let rows = state.app.audit.partner_trails.get_partner_audit(&caller, path.id, after, limit).await?;
    let Page { items, next } = Page::of(state.app.cell(), rows, |row| row.seq);
    Ok(Json(PartnerTrail { partner_id: path.id, items, next }))
}

/// Export a partner's trail
///
/// Returns the whole trail as lines of JSON, as for a task. An export by the platform is recorded in
/// the trail before the data is sent.
#[utoipa::path(get, path = "/partners/{id}/audit/export", tag = "audit", security(("partnerKey" = []), ("platformKey" = [])), params(PartnerPath, TrailExportQuery), responses(
    (status = 200, description = "The export. An incomplete one lacks the last line.", body = String, content_type = "application/jsonl"),
))]
pub async fn export_partner(
    PartnerOrPlatform(caller): PartnerOrPlatform,
    Path(path): Path<PartnerPath>,
    Query(query): Query<TrailExportQuery>,
    State(state): State<AppState>,
) -> Result<Response, Problem> {
    answer(state.app.audit.exports.export_partner(&caller, path.id, query.size()).await?).await
}

/// Read the proof of a partner's trail
///
/// Returns the hash chain of the whole trail, with the openings of the commitments that the caller
/// may see. It is all that is needed to verify the trail offline.
#[utoipa::path(get, path = "/partners/{id}/audit/proof", tag = "audit", security(("partnerKey" = []), ("platformKey" = [])), params(PartnerPath), responses(
    (status = 200, description = "The proof.", body = ProofView<PartnerOrigin>),
))]
pub async fn get_partner_audit_proof(
    PartnerOrPlatform(caller): PartnerOrPlatform,
    Path(path): Path<PartnerPath>,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
) -> Result<Json<ProofView>, Problem> {
    Ok(Json(state.app.audit.partner_trails.get_partner_audit_proof(&caller, path.id).await?))
}
